//! PURE. The requests of SQS as they are written. A member that is not listed here is refused: either it does not
//! exist, or nothing here would honour it (message attributes, receive attempts, tags).
//!
//! Source: SQS API reference, "Request Parameters" of each operation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::queue::Draft;
use super::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    pub(super) attributes: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    pub(super) queue_url: String,
    pub(super) attribute_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct SendMessage {
    pub(super) queue_url: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

impl SendMessage {
    pub(super) fn draft(self) -> Draft {
        Draft {
            body: self.message_body,
            group: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
            delay: self.delay_seconds,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct SendMessageBatch {
    pub(super) queue_url: String,
    pub(super) entries: Vec<SendEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct SendEntry {
    pub(super) id: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

impl SendEntry {
    pub(super) fn size(&self) -> usize {
        self.message_body.len()
    }

    pub(super) fn draft(self) -> Draft {
        Draft {
            body: self.message_body,
            group: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
            delay: self.delay_seconds,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: String,
    attribute_names: Option<Vec<String>>,
    message_system_attribute_names: Option<Vec<String>>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
}

/// System attributes that a receive may ask for.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

impl ReceiveMessage {
    /// The system attributes asked for, by the old member's name or the new one's.
    pub(super) fn attributes(&self) -> Result<Vec<String>, Refusal> {
        let both = [&self.attribute_names, &self.message_system_attribute_names];
        let named: Vec<String> = both.into_iter().flatten().flatten().cloned().collect();
        match named
            .iter()
            .find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str()))
        {
            Some(unknown) => Err(Refusal::new(
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            )),
            None => Ok(named),
        }
    }

    pub(super) fn most(&self) -> Result<usize, Refusal> {
        let most = self.max_number_of_messages.unwrap_or(1);
        let within = usize::try_from(most)
            .ok()
            .filter(|most| (1..=10).contains(most));
        within.ok_or_else(|| {
            Refusal::invalid(
                "MaxNumberOfMessages",
                most,
                "Must be between 1 and 10, if provided.",
            )
        })
    }

    pub(super) fn visibility_timeout(&self) -> Result<Option<i64>, Refusal> {
        within("VisibilityTimeout", self.visibility_timeout, 43_200)
    }

    pub(super) fn wait(&self) -> Result<Option<i64>, Refusal> {
        within("WaitTimeSeconds", self.wait_time_seconds, 20)
    }
}

fn within(parameter: &str, seconds: Option<i64>, most: i64) -> Result<Option<i64>, Refusal> {
    match seconds {
        Some(seconds) if !(0..=most).contains(&seconds) => {
            let reason = format!("Must be >= 0 and <= {most}, if provided.");
            Err(Refusal::invalid(parameter, seconds, &reason))
        }
        other => Ok(other),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatch {
    pub(super) queue_url: String,
    pub(super) entries: Vec<DeleteEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DeleteEntry {
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibility {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: i64,
}

/// `request` as what the operation takes.
pub(super) fn read<T: DeserializeOwned>(request: Value) -> Result<T, Refusal> {
    serde_json::from_value(request).map_err(|error| {
        let told = error.to_string();
        match told
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next())
        {
            Some(parameter) => Refusal::missing(parameter),
            None => Refusal::new("InvalidParameterValue", told),
        }
    })
}

/// A batch has 1 to 10 entries with distinct ids of 1 to 80 letters, digits, hyphens and underscores.
pub(super) fn check_batch<'i>(ids: impl ExactSizeIterator<Item = &'i str>) -> Result<(), Refusal> {
    let (length, mut seen) = (ids.len(), std::collections::HashSet::new());
    match length {
        0 => {
            return Err(Refusal::new(
                "EmptyBatchRequest",
                "There should be at least one entry in the request.",
            ));
        }
        11.. => {
            return Err(Refusal::new(
                "TooManyEntriesInBatchRequest",
                format!("Maximum number of entries per request are 10. You have sent {length}."),
            ));
        }
        _ => {}
    }
    for id in ids {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 80 || !id.chars().all(allowed) {
            return Err(Refusal::new(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                 most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(Refusal::new(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}
