//! PURE. One queue: what is in it, who may see it when. Time comes in as `now`, in milliseconds.
//!
//! Sources: SQS developer guide, "Visibility timeout", "FIFO queue delivery logic", "Exactly-once processing" and
//! "Dead-letter queues"; SQS API reference, "ReceiveMessage", "DeleteMessage" and "ChangeMessageVisibility".

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::attributes::Attributes;
use super::refusal::Refusal;
use crate::random::{sha256_hex, uuid_of};

/// For this long a FIFO queue remembers deduplication ids, whether or not the message is still there.
const DEDUPLICATION_MILLIS: i64 = 5 * 60 * 1_000;
/// No message stays hidden longer than 12 hours after it was received.
const HIDDEN_SECONDS: i64 = 43_200;

/// A message in a queue, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `MessageId`.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// `MessageGroupId`; always there in a FIFO queue.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, given or made from the body.
    pub deduplication_id: Option<String>,
    /// Milliseconds since the epoch.
    pub sent_at: i64,
    /// `ApproximateReceiveCount`, over all queues.
    pub receives: u32,
}

/// What is to be sent.
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) group: Option<String>,
    pub(super) deduplication_id: Option<String>,
    pub(super) delay: Option<i64>,
}

/// What a sender is told.
#[derive(Clone)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) sequence: Option<String>,
    /// What is in the queue now; `None` for a duplicate, which is accepted and not delivered.
    pub(super) message: Option<Message>,
}

/// A message with what the queue knows of it.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) message: Message,
    pub(super) sequence: Option<String>,
    pub(super) first_received_at: Option<i64>,
    /// The ARN of the queue that gave this message up.
    pub(super) dead_from: Option<String>,
    hidden_until: i64,
    /// The number of the latest receive; older receipt handles are void.
    receipt: Option<u64>,
    received_at: i64,
    retained_since: i64,
}

impl Kept {
    fn is_in_flight(&self, now: i64) -> bool {
        self.receipt.is_some() && self.hidden_until > now
    }
}

/// One received message and its receipt handle.
pub(super) struct Received {
    pub(super) kept: Kept,
    pub(super) handle: String,
}

/// One queue.
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) created_at: i64,
    messages: BTreeMap<u64, Kept>,
    next: u64,
    /// No message is past its retention before this.
    expires_first: i64,
    deduplicated: HashMap<String, (i64, Accepted)>,
}

impl Queue {
    pub(super) fn new(name: &str, attributes: Attributes, now: i64) -> Self {
        Self {
            name: name.to_owned(),
            attributes,
            created_at: now,
            messages: BTreeMap::new(),
            next: 0,
            expires_first: i64::MAX,
            deduplicated: HashMap::new(),
        }
    }

    /// Takes `draft` in; `issued` counts over all queues, so that no id occurs twice.
    pub(super) fn send(
        &mut self,
        now: i64,
        draft: Draft,
        issued: &mut u64,
    ) -> Result<Accepted, Refusal> {
        self.check(&draft)?;
        let Draft {
            body,
            group,
            mut deduplication_id,
            delay,
        } = draft;
        if self.attributes.fifo {
            if deduplication_id.is_none() && self.attributes.content_based_deduplication {
                deduplication_id = Some(sha256_hex(&body));
            }
            let Some(key) = &deduplication_id else {
                return Err(Refusal::new(
                    "InvalidParameterValue",
                    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
                     provided explicitly",
                ));
            };
            self.deduplicated
                .retain(|_, (at, _)| now - *at < DEDUPLICATION_MILLIS);
            if let Some((_, earlier)) = self.deduplicated.get(key) {
                return Ok(earlier.clone());
            }
        }
        *issued += 1;
        let message = Message {
            id: uuid_of(&format!("message {issued}")),
            body,
            group,
            deduplication_id,
            sent_at: now,
            receives: 0,
        };
        let sequence = self.attributes.fifo.then(|| format!("{issued:020}"));
        let accepted = Accepted {
            id: message.id.clone(),
            sequence: sequence.clone(),
            message: Some(message.clone()),
        };
        if let (true, Some(key)) = (self.attributes.fifo, message.deduplication_id.clone()) {
            let duplicate = Accepted {
                message: None,
                ..accepted.clone()
            };
            self.deduplicated.insert(key, (now, duplicate));
        }
        let delay = delay.unwrap_or(self.attributes.delay);
        self.insert(Kept {
            message,
            sequence,
            first_received_at: None,
            dead_from: None,
            hidden_until: now + delay * 1_000,
            receipt: None,
            received_at: 0,
            retained_since: now,
        });
        Ok(accepted)
    }

    fn check(&self, draft: &Draft) -> Result<(), Refusal> {
        if draft.body.is_empty() {
            return Err(Refusal::missing("MessageBody"));
        }
        let limit = self.attributes.maximum_message_size;
        if draft.body.len() > limit {
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
                ),
            ));
        }
        let allowed = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        if !draft.body.chars().all(allowed) {
            return Err(Refusal::new(
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                 #xFFFD | #x10000 to #x10FFFF",
            ));
        }
        let foreign = "The request include parameter that is not valid for this queue type";
        if let (true, Some(delay)) = (self.attributes.fifo, draft.delay) {
            return Err(Refusal::invalid("DelaySeconds", delay, foreign));
        }
        if let Some(delay) = draft.delay.filter(|delay| !(0..=900).contains(delay)) {
            let reason = "DelaySeconds must be >= 0 and <= 900.";
            return Err(Refusal::invalid("DelaySeconds", delay, reason));
        }
        if let (false, Some(id)) = (self.attributes.fifo, &draft.deduplication_id) {
            return Err(Refusal::invalid("MessageDeduplicationId", id, foreign));
        }
        if self.attributes.fifo && draft.group.is_none() {
            return Err(Refusal::missing("MessageGroupId"));
        }
        for (parameter, token) in [
            ("MessageGroupId", &draft.group),
            ("MessageDeduplicationId", &draft.deduplication_id),
        ] {
            let graphic = |token: &String| token.chars().all(|c| c.is_ascii_graphic());
            if let Some(token) = token
                .as_ref()
                .filter(|token| token.is_empty() || token.len() > 128 || !graphic(token))
            {
                let reason = format!(
                    "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
                );
                return Err(Refusal::invalid(parameter, token, &reason));
            }
        }
        Ok(())
    }

    fn insert(&mut self, kept: Kept) {
        let expires = kept.retained_since + self.attributes.retention * 1_000;
        self.expires_first = self.expires_first.min(expires);
        self.messages.insert(self.next, kept);
        self.next += 1;
    }

    /// Takes a message in that the queue `from` gave up.
    pub(super) fn bury(&mut self, now: i64, from: String, mut kept: Kept) {
        // Only a FIFO queue starts the retention anew.
        if self.attributes.fifo {
            kept.retained_since = now;
        }
        self.insert(Kept {
            dead_from: Some(from),
            hidden_until: now,
            receipt: None,
            ..kept
        });
    }

    /// Receives up to `most` messages, oldest first, and gives up those that were received too often (the second list).
    ///
    /// In a FIFO queue a group of which a message is in flight stands still.
    pub(super) fn receive(
        &mut self,
        now: i64,
        most: usize,
        visibility_timeout: Option<i64>,
        issued: &mut u64,
    ) -> (Vec<Received>, Vec<Kept>) {
        self.expire(now);
        let hidden_until =
            now + visibility_timeout.unwrap_or(self.attributes.visibility_timeout) * 1_000;
        let standing = self.groups_in_flight(now);
        let (mut received, mut given_up) = (Vec::new(), Vec::new());
        for (order, kept) in &mut self.messages {
            if received.len() == most {
                break;
            }
            let stands = kept
                .message
                .group
                .as_ref()
                .is_some_and(|group| standing.contains(group));
            if kept.hidden_until > now || stands {
                continue;
            }
            let redrive = self.attributes.redrive.as_ref();
            if redrive.is_some_and(|redrive| kept.message.receives >= redrive.maximum_receives) {
                given_up.push(*order);
                continue;
            }
            *issued += 1;
            kept.message.receives += 1;
            kept.first_received_at.get_or_insert(now);
            (kept.receipt, kept.received_at) = (Some(*issued), now);
            kept.hidden_until = hidden_until;
            received.push(Received {
                kept: kept.clone(),
                handle: handle(&self.name, *order, *issued),
            });
        }
        let given_up = given_up
            .iter()
            .filter_map(|order| self.messages.remove(order))
            .collect();
        (received, given_up)
    }

    fn groups_in_flight(&self, now: i64) -> HashSet<String> {
        if !self.attributes.fifo {
            return HashSet::new();
        }
        let in_flight = self.messages.values().filter(|kept| kept.is_in_flight(now));
        in_flight
            .filter_map(|kept| kept.message.group.clone())
            .collect()
    }

    /// Deletes the message of a receipt handle. `None`: nothing was deleted, and the caller is not told.
    ///
    /// A standard queue shrugs at an older handle of a message that was received again; a FIFO queue refuses it, as it
    /// refuses the latest one once the message is visible again.
    pub(super) fn delete(&mut self, now: i64, given: &str) -> Result<Option<Message>, Refusal> {
        let (order, receipt) = self.opened(given)?;
        let Some(kept) = self.messages.get(&order) else {
            return Ok(None);
        };
        let latest = kept.receipt == Some(receipt);
        if self.attributes.fifo && !(latest && kept.is_in_flight(now)) {
            return Err(expired(given));
        }
        if !latest {
            return Ok(None);
        }
        Ok(self.messages.remove(&order).map(|kept| kept.message))
    }

    /// Hides the message of a receipt handle for `seconds` from now; 0 shows it at once.
    pub(super) fn hide(&mut self, now: i64, given: &str, seconds: i64) -> Result<Message, Refusal> {
        let (order, receipt) = self.opened(given)?;
        if !(0..=HIDDEN_SECONDS).contains(&seconds) {
            let reason = "Must be between 0 and 43200";
            return Err(Refusal::invalid("VisibilityTimeout", seconds, reason));
        }
        let fifo = self.attributes.fifo;
        let Some(kept) = self
            .messages
            .get_mut(&order)
            .filter(|kept| kept.receipt == Some(receipt))
        else {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            return Err(Refusal::invalid("ReceiptHandle", given, reason));
        };
        if !kept.is_in_flight(now) {
            return Err(if fifo {
                expired(given)
            } else {
                Refusal::new(
                    "MessageNotInflight",
                    "The specified message isn't in flight.",
                )
            });
        }
        if now + seconds * 1_000 > kept.received_at + HIDDEN_SECONDS * 1_000 {
            let reason =
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            return Err(Refusal::invalid("VisibilityTimeout", seconds, reason));
        }
        kept.hidden_until = now + seconds * 1_000;
        Ok(kept.message.clone())
    }

    /// Order and receive of one of this queue's handles.
    fn opened(&self, given: &str) -> Result<(u64, u64), Refusal> {
        let open = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(given).ok()?).ok()?;
            let mut parts = text.split('/');
            let of_this_queue = parts.next() == Some(&self.name);
            let (order, receipt) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            (of_this_queue && parts.next().is_none() && order < self.next)
                .then_some((order, receipt))
        };
        open().ok_or_else(|| {
            Refusal::new(
                "ReceiptHandleIsInvalid",
                format!("The input receipt handle \"{given}\" is not a valid receipt handle."),
            )
        })
    }

    /// Drops what is past its retention.
    fn expire(&mut self, now: i64) {
        if now < self.expires_first {
            return;
        }
        let retention = self.attributes.retention * 1_000;
        self.messages
            .retain(|_, kept| kept.retained_since + retention > now);
        let rest = self
            .messages
            .values()
            .map(|kept| kept.retained_since + retention);
        self.expires_first = rest.min().unwrap_or(i64::MAX);
    }

    /// Everything, oldest first.
    pub(super) fn all(&mut self, now: i64) -> impl Iterator<Item = &Kept> {
        self.expire(now);
        self.messages.values()
    }

    /// What a receive may return, now or (in a FIFO queue) once its group moves on; oldest first.
    pub(super) fn visible(&mut self, now: i64) -> impl Iterator<Item = &Kept> {
        self.all(now).filter(move |kept| kept.hidden_until <= now)
    }

    /// What was received and is neither deleted nor visible again.
    pub(super) fn in_flight(&mut self, now: i64) -> impl Iterator<Item = &Kept> {
        self.all(now).filter(move |kept| kept.is_in_flight(now))
    }

    /// What was sent with a delay that is not over.
    pub(super) fn delayed(&mut self, now: i64) -> impl Iterator<Item = &Kept> {
        let waits = move |kept: &&Kept| kept.receipt.is_none() && kept.hidden_until > now;
        self.all(now).filter(waits)
    }
}

fn handle(queue: &str, order: u64, receipt: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{queue}/{order}/{receipt}"))
}

fn expired(given: &str) -> Refusal {
    Refusal::invalid("ReceiptHandle", given, "The receipt handle has expired.")
}
