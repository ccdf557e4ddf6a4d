//! PURE. Two SQS queues: standard for work, FIFO for salvage. Visibility, redelivery, groups, deduplication; duplicates and
//! disorder where a standard queue may have them.
//!
//! Source: Amazon SQS developer guide, "Visibility timeout", "At-least-once delivery", "FIFO delivery logic".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chance::Chance;

/// A message stays hidden for so long after it was received: six times the function's timeout, as it is deployed.
const VISIBILITY_MILLIS: u64 = 540_000;
/// Received more often than this, it goes to the dead-letter queue.
const RECEIVES: u32 = 5;

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub id: u64,
    pub body: String,
    pub group: Option<String>,
    hidden_until: u64,
    receives: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub messages: Vec<Message>,
    /// Messages that were received too often.
    pub dead_letters: Vec<Message>,
    sent: u64,
    deduplication: BTreeMap<String, u64>,
}

impl Queues {
    /// Serves `SendMessage`, `SendMessageBatch` and `GetQueueAttributes` (JSON protocol).
    pub fn serve(&mut self, operation: &str, body: &Value, now: u64) -> String {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        if operation == "SendMessage" {
            let key = text(body, "MessageDeduplicationId");
            let repeated = self
                .deduplication
                .get(&key)
                .is_some_and(|at| now < at + 300_000);
            if !repeated {
                self.deduplication.insert(key, now);
                self.push(
                    text(body, "MessageBody"),
                    Some(text(body, "MessageGroupId")),
                    now,
                );
            }
            return json!({ "MessageId": self.sent.to_string(), "MD5OfMessageBody": "" })
                .to_string();
        }
        if operation == "GetQueueAttributes" {
            let fifo = text(body, "QueueUrl").ends_with(".fifo");
            let messages = self.messages.iter();
            let messages = messages.filter(|message| message.group.is_some() == fifo);
            let (hidden, visible): (Vec<_>, Vec<_>) =
                messages.partition(|message| message.hidden_until > now);
            return json!({ "Attributes": {
                "ApproximateNumberOfMessages": visible.len().to_string(),
                "ApproximateNumberOfMessagesNotVisible": hidden.len().to_string(),
                "ApproximateNumberOfMessagesDelayed": "0",
            }})
            .to_string();
        }
        let mut successful = Vec::new();
        for entry in body["Entries"].as_array().into_iter().flatten() {
            self.push(text(entry, "MessageBody"), None, now);
            successful.push(json!({
                "Id": entry["Id"], "MessageId": self.sent.to_string(), "MD5OfMessageBody": "",
            }));
        }
        json!({ "Successful": successful, "Failed": [] }).to_string()
    }

    fn push(&mut self, body: String, group: Option<String>, now: u64) {
        self.sent += 1;
        self.messages.push(Message {
            id: self.sent,
            body,
            group,
            hidden_until: now,
            receives: 0,
        });
    }

    /// What an event source mapping would hand over now: up to three of one queue. At times one stays visible, and comes twice.
    pub fn receive(&mut self, now: u64, chance: &mut Chance, twice: u64) -> Vec<Message> {
        let spent =
            |message: &mut Message| message.receives >= RECEIVES && message.hidden_until <= now;
        self.dead_letters
            .extend(self.messages.extract_if(.., spent));
        let mut ready: Vec<usize> = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            // In a group, only the oldest, and only once nothing of the group is being worked on.
            let earlier = self.messages[..index].iter();
            let blocked = message.group.is_some()
                && earlier.clone().any(|other| other.group == message.group);
            if message.hidden_until <= now && !blocked {
                ready.push(index);
            }
        }
        let mut received = Vec::new();
        while !ready.is_empty() && received.len() < 3 {
            let index = ready.swap_remove(chance.index(ready.len()));
            let message = &mut self.messages[index];
            let mixed = received
                .first()
                .is_some_and(|first: &Message| first.group.is_some() != message.group.is_some());
            if mixed {
                break;
            }
            message.receives += 1;
            if message.group.is_some() || !chance.odds(twice) {
                message.hidden_until = now + VISIBILITY_MILLIS;
            }
            received.push(message.clone());
        }
        received
    }

    /// The messages that were worked on. The call of the mapping may fail: they come again, in a FIFO queue too.
    pub fn delete(&mut self, ids: &[u64], chance: &mut Chance, fails: u64) {
        self.messages
            .retain(|message| !ids.contains(&message.id) || chance.odds(fails));
    }
}

/// The event of an event source mapping.
pub(crate) fn event(messages: &[Message]) -> Value {
    let records = messages.iter().map(|message| {
        let queue = if message.group.is_some() { "salvage.fifo" } else { "work" };
        let mut attributes = json!({ "ApproximateReceiveCount": message.receives.to_string() });
        if let Some(group) = &message.group {
            attributes["MessageGroupId"] = group.clone().into();
        }
        json!({
            "messageId": message.id.to_string(), "receiptHandle": "h", "body": message.body,
            "attributes": attributes, "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:1:{queue}"), "awsRegion": "eu-central-1",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}
