//! PURE. The attributes of a queue: read from the map of `CreateQueue`, told by `GetQueueAttributes`.
//!
//! Source: SQS API reference, "CreateQueue" and "GetQueueAttributes". Encryption, policies, tags and high-throughput
//! FIFO are not served.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::refusal::Refusal;
use super::{queue_arn, queue_name_of_arn};

/// A message, and a batch of them, has 1 MiB at most (since 2025; "Amazon SQS message quotas" and "SendMessageBatch").
pub(super) const SIZE_LIMIT: usize = 1_048_576;

/// A queue's attributes, durations in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) visibility_timeout: i64,
    pub(super) retention: i64,
    pub(super) delay: i64,
    pub(super) wait: i64,
    pub(super) maximum_message_size: usize,
    pub(super) fifo: bool,
    pub(super) content_based_deduplication: bool,
    pub(super) redrive: Option<Redrive>,
}

/// Where a message goes that was received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    /// The dead-letter queue's name.
    pub(super) to: String,
    pub(super) maximum_receives: u32,
}

impl Attributes {
    /// The attributes of a new queue `name`; whether a dead-letter queue exists is the store's to say.
    pub(super) fn read(name: &str, given: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let mut read = Self {
            visibility_timeout: 30,
            retention: 345_600,
            delay: 0,
            wait: 0,
            maximum_message_size: SIZE_LIMIT,
            fifo: false,
            content_based_deduplication: false,
            redrive: None,
        };
        for (attribute, value) in given {
            let within = |least, most| number(attribute, value, least, most);
            match attribute.as_str() {
                "VisibilityTimeout" => read.visibility_timeout = within(0, 43_200)?,
                "MessageRetentionPeriod" => read.retention = within(60, 1_209_600)?,
                "DelaySeconds" => read.delay = within(0, 900)?,
                "ReceiveMessageWaitTimeSeconds" => read.wait = within(0, 20)?,
                "MaximumMessageSize" => {
                    let bytes = within(1_024, 1_048_576)?;
                    read.maximum_message_size = usize::try_from(bytes).unwrap_or(SIZE_LIMIT);
                }
                "FifoQueue" => read.fifo = boolean(attribute, value)?,
                "ContentBasedDeduplication" => {
                    read.content_based_deduplication = boolean(attribute, value)?;
                }
                "RedrivePolicy" => read.redrive = Some(redrive(value)?),
                _ => return Err(unknown(attribute)),
            }
        }
        if !read.fifo && given.contains_key("ContentBasedDeduplication") {
            return Err(unknown("ContentBasedDeduplication"));
        }
        check_name(name, read.fifo)?;
        Ok(read)
    }

    /// As `GetQueueAttributes` tells them. A standard queue has no FIFO attributes, not even false ones.
    pub(super) fn told(&self) -> BTreeMap<&'static str, String> {
        let mut told = BTreeMap::from([
            ("VisibilityTimeout", self.visibility_timeout.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("DelaySeconds", self.delay.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
            ("MaximumMessageSize", self.maximum_message_size.to_string()),
        ]);
        if self.fifo {
            told.insert("FifoQueue", "true".to_owned());
            let by_content = self.content_based_deduplication.to_string();
            told.insert("ContentBasedDeduplication", by_content);
        }
        if let Some(redrive) = &self.redrive {
            let policy = serde_json::json!({
                "deadLetterTargetArn": queue_arn(&redrive.to), "maxReceiveCount": redrive.maximum_receives,
            });
            told.insert("RedrivePolicy", policy.to_string());
        }
        told
    }
}

fn unknown(attribute: &str) -> Refusal {
    Refusal::new(
        "InvalidAttributeName",
        format!("Unknown Attribute {attribute}."),
    )
}

fn wrong(attribute: &str, value: &str) -> Refusal {
    Refusal::new(
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {attribute}: {value}."),
    )
}

fn number(attribute: &str, value: &str, least: i64, most: i64) -> Result<i64, Refusal> {
    value
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| wrong(attribute, value))
}

fn boolean(attribute: &str, value: &str) -> Result<bool, Refusal> {
    value.parse().map_err(|_| wrong(attribute, value))
}

fn redrive(value: &str) -> Result<Redrive, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: Count,
    }
    // Templates write the count as a string as often as a number; the service takes both.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Number(u32),
        Text(String),
    }
    let read = || {
        let policy: Policy = serde_json::from_str(value).ok()?;
        let count = match policy.max_receive_count {
            Count::Number(count) => count,
            Count::Text(text) => text.parse().ok()?,
        };
        Some(Redrive {
            to: queue_name_of_arn(&policy.dead_letter_target_arn)?.to_owned(),
            maximum_receives: (1..=1_000).contains(&count).then_some(count)?,
        })
    };
    read().ok_or_else(|| wrong("RedrivePolicy", value))
}

/// 80 characters at most, the suffix `.fifo` included, which FIFO queues have and others do not.
fn check_name(name: &str, fifo: bool) -> Result<(), Refusal> {
    let bare = if fifo {
        name.strip_suffix(".fifo").unwrap_or("")
    } else {
        name
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if bare.is_empty() || name.len() > 80 || !bare.chars().all(allowed) {
        return Err(Refusal::invalid(
            "QueueName",
            name,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; the name of a FIFO \
             queue ends with .fifo",
        ));
    }
    Ok(())
}
