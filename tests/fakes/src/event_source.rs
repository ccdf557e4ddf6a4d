//! Lambda's event source mapping for SQS: polls a queue of this process, hands batches to a function, deletes what the
//! function did not report as failed. What failed stays in flight until its visibility timeout is over.
//!
//! One batch at a time for a FIFO group, because the queue holds a group back while one of its messages is in flight;
//! a visibility timeout shorter than the function runs breaks that here as it does on AWS.
//! Touches the queues and the functions it is given.
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS" (event, FIFO) and "Handling errors for an SQS event
//! source" (partial batch responses: what counts as a complete success and as a complete failure).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::aws_json::REGION;
use crate::lambda::Functions;
use crate::sqs::{Queues, queue_arn, queue_url};

/// Which queue feeds which function, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The queue's name.
    pub queue: String,
    /// The function's name.
    pub function: String,
    /// Records of one invoke: 1 to 10, as without a batching window.
    pub batch_size: usize,
    /// Invokes at once: 2 to 1,000.
    pub maximum_concurrency: usize,
    /// `ReportBatchItemFailures`: whether the function's answer is read. Without it, any answer is a success.
    pub report_batch_item_failures: bool,
    /// How often an idle queue is looked at; what is sent meanwhile is noticed at once.
    pub poll_every: Duration,
}

impl Mapping {
    /// Lambda's batch size of 10, a concurrency of 2, failures reported by item.
    pub fn new(queue: impl Into<String>, function: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            function: function.into(),
            batch_size: 10,
            maximum_concurrency: 2,
            report_batch_item_failures: true,
            poll_every: Duration::from_millis(50),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=10).contains(&self.batch_size),
            "batch_size must be 1 to 10"
        );
        ensure!(
            (2..=1_000).contains(&self.maximum_concurrency),
            "maximum_concurrency must be 2 to 1000"
        );
        Ok(())
    }
}

/// What became of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages handed to the function.
    pub received: usize,
    /// Messages deleted afterwards.
    pub deleted: usize,
}

/// A mapping that is running. Dropping it stops the polling at once; handlers under way go on, as Lambda's do, and
/// their messages come back.
#[derive(Debug)]
pub struct EventSource {
    polling: JoinHandle<()>,
}

impl EventSource {
    /// Starts to poll.
    ///
    /// # Errors
    /// The mapping is outside the service's limits.
    pub fn start(queues: &Queues, functions: &Functions, mapping: Mapping) -> anyhow::Result<Self> {
        mapping.check()?;
        let polling = tokio::spawn(poll(queues.clone(), functions.clone(), Arc::new(mapping)));
        Ok(Self { polling })
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        // The loop owns the batches' tasks: they end with it.
        self.polling.abort();
    }
}

/// Receives one batch, invokes and deletes, and answers when that is done: one step of the mapping, for tests that
/// decide the order of everything.
///
/// # Errors
/// The mapping is outside the service's limits.
pub async fn deliver(
    queues: &Queues,
    functions: &Functions,
    mapping: &Mapping,
) -> anyhow::Result<Delivered> {
    mapping.check()?;
    let batch = receive(queues, mapping).await;
    if batch.is_empty() {
        return Ok(Delivered::default());
    }
    Ok(process(queues, functions, mapping, batch).await)
}

async fn poll(queues: Queues, functions: Functions, mapping: Arc<Mapping>) {
    let slots = Arc::new(Semaphore::new(mapping.maximum_concurrency));
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        // A slot first: a message that waits for one in flight would lose its visibility timeout to the queue's.
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let arrival = queues.arrival();
        let batch = receive(&queues, &mapping).await;
        if batch.is_empty() {
            drop(slot);
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep(mapping.poll_every) => {}
            }
            continue;
        }
        let (queues, functions, mapping) = (queues.clone(), functions.clone(), mapping.clone());
        running.spawn(async move {
            process(&queues, &functions, &mapping, batch).await;
            drop(slot);
        });
    }
}

/// One batch of messages, as `ReceiveMessage` tells them; none where the queue cannot be reached.
async fn receive(queues: &Queues, mapping: &Mapping) -> Vec<Value> {
    let request = json!({
        "QueueUrl": queue_url("http://loopback", &mapping.queue),
        "MaxNumberOfMessages": mapping.batch_size, "WaitTimeSeconds": 0, "MessageSystemAttributeNames": ["All"],
    });
    let answer = queues.call("ReceiveMessage", request, "").await;
    match answer
        .ok()
        .and_then(|mut answer| answer.get_mut("Messages").map(Value::take))
    {
        Some(Value::Array(messages)) => messages,
        _ => Vec::new(),
    }
}

async fn process(
    queues: &Queues,
    functions: &Functions,
    mapping: &Mapping,
    batch: Vec<Value>,
) -> Delivered {
    let received = batch.len();
    let records: Vec<Value> = batch
        .iter()
        .map(|message| record(message, &mapping.queue))
        .collect();
    let event = Bytes::from(json!({ "Records": records }).to_string());
    let Ok(answer) = functions.invoke(&mapping.function, event).await else {
        return Delivered {
            received,
            deleted: 0,
        };
    };
    let ids: HashSet<&str> = batch
        .iter()
        .map(|message| text(message, "MessageId"))
        .collect();
    let failed = if mapping.report_batch_item_failures {
        failures(&answer, &ids)
    } else {
        Some(HashSet::new())
    };
    let Some(failed) = failed else {
        return Delivered {
            received,
            deleted: 0,
        };
    };
    let entries: Vec<Value> = batch
        .iter()
        .filter(|message| !failed.contains(text(message, "MessageId")))
        .map(|message| json!({ "Id": text(message, "MessageId"), "ReceiptHandle": text(message, "ReceiptHandle") }))
        .collect();
    if entries.is_empty() {
        return Delivered {
            received,
            deleted: 0,
        };
    }
    let request =
        json!({ "QueueUrl": queue_url("http://loopback", &mapping.queue), "Entries": entries });
    let answer = queues.call("DeleteMessageBatch", request, "").await.ok();
    let deleted = answer.and_then(|answer| answer.get("Successful")?.as_array().map(Vec::len));
    Delivered {
        received,
        deleted: deleted.unwrap_or(0),
    }
}

/// One of `Records`.
fn record(message: &Value, queue: &str) -> Value {
    json!({
        "messageId": message.get("MessageId"),
        "receiptHandle": message.get("ReceiptHandle"),
        "body": message.get("Body"),
        "attributes": message.get("Attributes"),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": REGION,
    })
}

/// The message ids that the function reports as failed; `None` where the whole batch counts as failed.
///
/// No answer to read, an empty object and an empty or null list are a success of all; an answer that is not JSON, or
/// an identifier that is missing, empty, or not of this batch, is a failure of all.
fn failures(answer: &[u8], ids: &HashSet<&str>) -> Option<HashSet<String>> {
    let listed = match serde_json::from_slice(answer).ok()? {
        Value::Null => Value::Null,
        Value::Object(mut answer) => answer.remove("batchItemFailures").unwrap_or(Value::Null),
        _ => return None,
    };
    match listed {
        Value::Null => Some(HashSet::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                let id = item.get("itemIdentifier")?.as_str()?;
                ids.contains(id).then(|| id.to_owned())
            })
            .collect(),
        _ => None,
    }
}

fn text<'m>(message: &'m Value, member: &str) -> &'m str {
    message.get(member).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_lambda_reads_it() {
        let ids = HashSet::from(["a", "b"]);
        for success in [
            "null",
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
        ] {
            assert_eq!(
                failures(success.as_bytes(), &ids),
                Some(HashSet::new()),
                "{success}"
            );
        }
        let partial = br#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(
            failures(partial, &ids),
            Some(HashSet::from(["b".to_owned()]))
        );
        for failure in [
            "",
            "{",
            "\"done\"",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}"#,
        ] {
            assert_eq!(failures(failure.as_bytes(), &ids), None, "{failure}");
        }
    }
}
