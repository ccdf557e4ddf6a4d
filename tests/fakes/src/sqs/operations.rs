//! The operations of SQS: from a request's JSON to the answer's, refusals included. Touches the queues it is given.
//!
//! Source: SQS API reference, one page per operation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::attributes::{Attributes, SIZE_LIMIT};
use super::queue::{Accepted, Draft, Kept, Message, Queue, Received};
use super::refusal::Refusal;
use super::requests::{self, check_batch, read};
use super::{Queues, queue_arn, queue_name_of_url, queue_url};
use crate::held::held;
use crate::random::md5_hex;

/// A long poll looks again after this long, for nobody tells it that a test moved the clock.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All queues.
#[derive(Default)]
pub(super) struct Store {
    pub(super) queues: HashMap<String, Queue>,
    /// Numbers given to messages and receives so far.
    pub(super) issued: u64,
}

/// An answer, and the messages it is about, for the log.
type Answered = Result<(Value, Vec<Message>), Refusal>;

impl Queues {
    /// Runs `operation`; `base` is what queue URLs begin with.
    pub(super) async fn answer(&self, operation: &str, request: Value, base: &str) -> Answered {
        match operation {
            "CreateQueue" => {
                let requests::CreateQueue {
                    queue_name,
                    attributes,
                } = read(request)?;
                self.create_queue(&queue_name, &attributes.unwrap_or_default())?;
                Ok((json!({ "QueueUrl": queue_url(base, &queue_name) }), vec![]))
            }
            "GetQueueUrl" => {
                let requests::GetQueueUrl { queue_name } = read(request)?;
                self.with(&queue_name, |_, _, _| Ok(()))?;
                Ok((json!({ "QueueUrl": queue_url(base, &queue_name) }), vec![]))
            }
            "GetQueueAttributes" => self.get_queue_attributes(read(request)?),
            "SendMessage" => {
                let request: requests::SendMessage = read(request)?;
                let name = queue_name_of_url(&request.queue_url)?;
                let draft = request.draft();
                let md5 = md5_hex(&draft.body);
                let accepted = self.accept(&name, draft)?;
                Ok((
                    Value::Object(sent(&accepted, md5)),
                    accepted.message.into_iter().collect(),
                ))
            }
            "SendMessageBatch" => self.send_message_batch(read(request)?),
            "ReceiveMessage" => self.receive_message(read(request)?).await,
            "DeleteMessage" => {
                let request: requests::DeleteMessage = read(request)?;
                let name = queue_name_of_url(&request.queue_url)?;
                let deleted = self.with(&name, |queue, now, _| {
                    queue.delete(now, &request.receipt_handle)
                })?;
                Ok((json!({}), deleted.into_iter().collect()))
            }
            "DeleteMessageBatch" => self.delete_message_batch(read(request)?),
            "ChangeMessageVisibility" => {
                let request: requests::ChangeMessageVisibility = read(request)?;
                let name = queue_name_of_url(&request.queue_url)?;
                let message = self.with(&name, |queue, now, _| {
                    queue.hide(now, &request.receipt_handle, request.visibility_timeout)
                })?;
                self.shared.arrivals.notify_waiters();
                Ok((json!({}), vec![message]))
            }
            _ => Err(Refusal::new("UnknownOperationException", operation)),
        }
    }

    /// Runs `work` on the queue `name`, with the time and the numbers given out so far.
    pub(super) fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Queue, i64, &mut u64) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now = (self.shared.clock)();
        let Store { queues, issued } = &mut *held(&self.shared.store);
        let queue = queues.get_mut(name).ok_or_else(|| {
            Refusal::new("QueueDoesNotExist", "The specified queue does not exist.")
        })?;
        work(queue, now, issued)
    }

    pub(super) fn create_queue(
        &self,
        name: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let attributes = Attributes::read(name, given)?;
        let now = (self.shared.clock)();
        let queues = &mut held(&self.shared.store).queues;
        if let Some(queue) = queues.get(name) {
            let (wanted, there) = (attributes.told(), queue.attributes.told());
            let differs = |attribute: &&String| {
                wanted.get(attribute.as_str()) != there.get(attribute.as_str())
            };
            return match given.keys().find(differs) {
                Some(attribute) => Err(Refusal::new(
                    "QueueNameExists",
                    format!(
                        "A queue already exists with the same name and a different value for attribute {attribute}"
                    ),
                )),
                None => Ok(()),
            };
        }
        if let Some(redrive) = &attributes.redrive {
            let target = queues.get(&redrive.to);
            if target.is_none_or(|target| target.attributes.fifo != attributes.fifo) {
                return Err(Refusal::new(
                    "InvalidAttributeValue",
                    "RedrivePolicy: the dead letter target does not exist, or is not of the same type.",
                ));
            }
        }
        queues.insert(name.to_owned(), Queue::new(name, attributes, now));
        Ok(())
    }

    fn get_queue_attributes(&self, request: requests::GetQueueAttributes) -> Answered {
        let name = queue_name_of_url(&request.queue_url)?;
        let mut told = self.with(&name, |queue, now, _| {
            let mut told = queue.attributes.told();
            let counts = [
                ("ApproximateNumberOfMessages", queue.visible(now).count()),
                (
                    "ApproximateNumberOfMessagesNotVisible",
                    queue.in_flight(now).count(),
                ),
                (
                    "ApproximateNumberOfMessagesDelayed",
                    queue.delayed(now).count(),
                ),
            ];
            told.extend(counts.map(|(attribute, count)| (attribute, count.to_string())));
            let created = (queue.created_at / 1_000).to_string();
            told.insert("CreatedTimestamp", created.clone());
            told.insert("LastModifiedTimestamp", created);
            told.insert("QueueArn", queue_arn(&queue.name));
            Ok(told)
        })?;
        let asked = request.attribute_names.unwrap_or_default();
        // Only of other kinds of queue, so not an error here.
        let elsewhere = ["ContentBasedDeduplication", "FifoQueue", "RedrivePolicy"];
        let known =
            |asked: &str| asked == "All" || told.contains_key(asked) || elsewhere.contains(&asked);
        if let Some(unknown) = asked.iter().find(|asked| !known(asked)) {
            return Err(Refusal::new(
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            ));
        }
        if !asked.iter().any(|asked| asked == "All") {
            told.retain(|attribute, _| asked.iter().any(|asked| asked == attribute));
        }
        Ok((json!({ "Attributes": told }), vec![]))
    }

    /// Takes one message into `name` and wakes whoever polls.
    pub(super) fn accept(&self, name: &str, draft: Draft) -> Result<Accepted, Refusal> {
        let accepted = self.with(name, |queue, now, issued| queue.send(now, draft, issued))?;
        self.shared.arrivals.notify_waiters();
        Ok(accepted)
    }

    fn send_message_batch(&self, request: requests::SendMessageBatch) -> Answered {
        let name = queue_name_of_url(&request.queue_url)?;
        self.with(&name, |_, _, _| Ok(()))?;
        check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
        let size: usize = request.entries.iter().map(requests::SendEntry::size).sum();
        if size > SIZE_LIMIT {
            return Err(Refusal::new(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than {SIZE_LIMIT} bytes. You have sent {size} bytes."
                ),
            ));
        }
        let (mut successful, mut failed, mut messages) = (vec![], vec![], vec![]);
        for entry in request.entries {
            let id = entry.id.clone();
            let draft = entry.draft();
            let md5 = md5_hex(&draft.body);
            match self.accept(&name, draft) {
                Ok(accepted) => {
                    let mut entry = sent(&accepted, md5);
                    entry.insert("Id".to_owned(), Value::from(id));
                    successful.push(Value::Object(entry));
                    messages.extend(accepted.message);
                }
                Err(refusal) => failed.push(failure(&id, &refusal)),
            }
        }
        Ok((
            json!({ "Successful": successful, "Failed": failed }),
            messages,
        ))
    }

    /// Waits for a message until `WaitTimeSeconds` are over, by the injected clock or by the runtime's.
    async fn receive_message(&self, request: requests::ReceiveMessage) -> Answered {
        let name = queue_name_of_url(&request.queue_url)?;
        let (most, hidden_for) = (request.most()?, request.visibility_timeout()?);
        let (asked, wait) = (request.attributes()?, request.wait()?);
        let wait = self.with(&name, |queue, _, _| {
            Ok(wait.unwrap_or(queue.attributes.wait))
        })?;
        let until = (self.shared.clock)() + wait * 1_000;
        let until_at_most = Instant::now() + Duration::from_secs(wait.unsigned_abs());
        loop {
            let arrival = self.shared.arrivals.notified();
            let received = self.receive(&name, most, hidden_for)?;
            let over = (self.shared.clock)() >= until || Instant::now() >= until_at_most;
            if !received.is_empty() || over {
                let written: Vec<Value> = received
                    .iter()
                    .map(|received| written(received, &asked))
                    .collect();
                let messages = received.into_iter().map(|received| received.kept.message);
                // The service leaves the member out where there is nothing.
                let answer = if written.is_empty() {
                    json!({})
                } else {
                    json!({ "Messages": written })
                };
                return Ok((answer, messages.collect()));
            }
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Receives from `name`; what was received too often goes to the dead-letter queue instead.
    fn receive(
        &self,
        name: &str,
        most: usize,
        hidden_for: Option<i64>,
    ) -> Result<Vec<Received>, Refusal> {
        let (received, given_up, to) = self.with(name, |queue, now, issued| {
            let (received, given_up) = queue.receive(now, most, hidden_for, issued);
            let redrive = queue.attributes.redrive.as_ref();
            Ok((
                received,
                given_up,
                redrive.map(|redrive| redrive.to.clone()),
            ))
        })?;
        if let (false, Some(to)) = (given_up.is_empty(), to) {
            self.with(&to, |queue, now, _| {
                for kept in given_up {
                    queue.bury(now, queue_arn(name), kept);
                }
                Ok(())
            })?;
            self.shared.arrivals.notify_waiters();
        }
        Ok(received)
    }

    fn delete_message_batch(&self, request: requests::DeleteMessageBatch) -> Answered {
        let name = queue_name_of_url(&request.queue_url)?;
        self.with(&name, |_, _, _| Ok(()))?;
        check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
        let (mut successful, mut failed, mut messages) = (vec![], vec![], vec![]);
        for requests::DeleteEntry { id, receipt_handle } in request.entries {
            match self.with(&name, |queue, now, _| queue.delete(now, &receipt_handle)) {
                Ok(deleted) => {
                    successful.push(json!({ "Id": id }));
                    messages.extend(deleted);
                }
                Err(refusal) => failed.push(failure(&id, &refusal)),
            }
        }
        self.shared.arrivals.notify_waiters();
        Ok((
            json!({ "Successful": successful, "Failed": failed }),
            messages,
        ))
    }
}

fn sent(accepted: &Accepted, md5: String) -> Map<String, Value> {
    let mut sent = Map::new();
    sent.insert("MessageId".to_owned(), Value::from(accepted.id.as_str()));
    sent.insert("MD5OfMessageBody".to_owned(), Value::from(md5));
    if let Some(sequence) = &accepted.sequence {
        sent.insert("SequenceNumber".to_owned(), Value::from(sequence.as_str()));
    }
    sent
}

fn failure(id: &str, refusal: &Refusal) -> Value {
    json!({
        "Id": id, "SenderFault": true, "Code": refusal.query_code(), "Message": refusal.message,
    })
}

fn written(received: &Received, asked: &[String]) -> Value {
    let Message { id, body, .. } = &received.kept.message;
    let mut written = json!({
        "MessageId": id, "ReceiptHandle": received.handle, "Body": body, "MD5OfBody": md5_hex(body),
    });
    let mut attributes = system_attributes(&received.kept);
    if !asked.iter().any(|asked| asked == "All") {
        attributes.retain(|attribute, _| asked.iter().any(|asked| asked == attribute));
    }
    if let (false, Some(written)) = (attributes.is_empty(), written.as_object_mut()) {
        written.insert("Attributes".to_owned(), json!(attributes));
    }
    written
}

fn system_attributes(kept: &Kept) -> BTreeMap<&'static str, String> {
    let message = &kept.message;
    let mut attributes = BTreeMap::from([
        ("ApproximateReceiveCount", message.receives.to_string()),
        ("SentTimestamp", message.sent_at.to_string()),
        ("SenderId", "AIDACONSULATELOOPBACK".to_owned()),
    ]);
    let first = kept.first_received_at.map(|at| at.to_string());
    for (attribute, value) in [
        ("ApproximateFirstReceiveTimestamp", &first),
        ("DeadLetterQueueSourceArn", &kept.dead_from),
        ("MessageDeduplicationId", &message.deduplication_id),
        ("MessageGroupId", &message.group),
        ("SequenceNumber", &kept.sequence),
    ] {
        attributes.extend(value.clone().map(|value| (attribute, value)));
    }
    attributes
}
