//! SQS on loopback: queues in memory behind the wire protocol, with a log and scripted faults.
//!
//! Time is the injected clock's: visibility, delays, deduplication and retention move when a test moves it. Ids and
//! receipt handles are counted, not drawn, so that a run which is repeated repeats them. At least once and, without
//! scripted faults, exactly once: the duplicates that a standard queue may deliver by itself are not played.
//! Touches nothing but the clock it is given. Source: SQS API reference; AWS JSON 1.0 protocol.

mod attributes;
mod operations;
mod queue;
mod refusal;
mod requests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use url::Url;

pub use self::queue::Message;
pub use self::refusal::Refusal;
pub use crate::clock::Clock;
pub use crate::faults::Fault;

use self::operations::Store;
use self::queue::{Draft, Queue};
use crate::aws_json::{self, ACCOUNT, REGION};
use crate::faults::Faults;
use crate::held::held;
use crate::serve::hang_up;

/// What SQS speaks.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// A whole batch with every byte of it escaped fits in.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The log keeps this many requests, so that a `consulate dev` left running does not grow; the counters go on.
const LOG_LIMIT: usize = 2_000;

/// One request as it was served. Receives that found nothing are counted but not logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `SendMessage`, `ReceiveMessage`, …
    pub operation: String,
    /// The queue's name; empty where the request names none.
    pub queue: String,
    /// The messages that were sent, received, deleted or hidden; a duplicate that was swallowed is none.
    pub messages: Vec<Message>,
    /// The error's code (`QueueDoesNotExist`); `None` for success, and for a batch of which entries failed.
    pub error: Option<String>,
}

/// Queues. Clones are handles on the same ones.
#[derive(Clone)]
pub struct Queues {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    store: Mutex<Store>,
    /// Woken whenever a message may have become visible.
    arrivals: Notify,
    faults: Faults,
    log: Mutex<VecDeque<Seen>>,
    counters: Mutex<HashMap<String, u64>>,
}

/// Why a call has no answer.
pub(crate) enum Failure {
    /// It was refused.
    Refused(Refusal),
    /// It was applied, and the answer is lost.
    LostAck,
}

impl Queues {
    /// No queue yet; time is what `clock` says.
    pub fn new(clock: Clock) -> Self {
        let shared = Shared {
            clock,
            store: Mutex::default(),
            arrivals: Notify::new(),
            faults: Faults::default(),
            log: Mutex::default(),
            counters: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// `POST /` with `X-Amz-Target: AmazonSQS.<operation>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(handle))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(self.clone())
    }

    /// Creates a queue in process, as `CreateQueue` does (`[("FifoQueue", "true")]`), and answers its ARN.
    ///
    /// # Errors
    /// What `CreateQueue` refuses.
    pub fn create(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String, Refusal> {
        let given: BTreeMap<String, String> = attributes
            .iter()
            .map(|(attribute, value)| ((*attribute).to_owned(), (*value).to_owned()))
            .collect();
        self.create_queue(name, &given)?;
        Ok(queue_arn(name))
    }

    /// Sends one message in process, past faults and log, and answers its id.
    ///
    /// # Errors
    /// What `SendMessage` refuses.
    pub fn send(
        &self,
        name: &str,
        body: &str,
        group: Option<&str>,
        deduplication_id: Option<&str>,
    ) -> Result<String, Refusal> {
        let draft = Draft {
            body: body.to_owned(),
            group: group.map(str::to_owned),
            deduplication_id: deduplication_id.map(str::to_owned),
            delay: None,
        };
        Ok(self.accept(name, draft)?.id)
    }

    /// The messages of `name` that are neither in flight nor delayed, oldest first; none where there is no such queue.
    pub fn visible(&self, name: &str) -> Vec<Message> {
        self.look(name, |queue, now| {
            let visible = queue.visible(now);
            visible.map(|kept| kept.message.clone()).collect()
        })
    }

    /// The messages of `name` that were received and are neither deleted nor visible again, oldest first.
    pub fn in_flight(&self, name: &str) -> Vec<Message> {
        self.look(name, |queue, now| {
            let in_flight = queue.in_flight(now);
            in_flight.map(|kept| kept.message.clone()).collect()
        })
    }

    /// The messages that `name` gave up and that lie in its dead-letter queue, oldest first. Like the service, a queue
    /// gives a message up when it would be received once more, not before.
    pub fn dead(&self, name: &str) -> Vec<Message> {
        let redrive = self.with(name, |queue, _, _| Ok(queue.attributes.redrive.clone()));
        let Ok(Some(redrive)) = redrive else {
            return Vec::new();
        };
        let from = queue_arn(name);
        self.look(&redrive.to, |queue, now| {
            let dead = queue
                .all(now)
                .filter(|kept| kept.dead_from.as_ref() == Some(&from));
            dead.map(|kept| kept.message.clone()).collect()
        })
    }

    fn look(&self, name: &str, look: impl FnOnce(&mut Queue, i64) -> Vec<Message>) -> Vec<Message> {
        self.with(name, |queue, now, _| Ok(look(queue, now)))
            .unwrap_or_default()
    }

    /// The requests since the last [`clear`](Self::clear), oldest first; an event source's are among them.
    pub fn requests(&self) -> Vec<Seen> {
        held(&self.shared.log).iter().cloned().collect()
    }

    /// How many requests of `operation` came since the last [`clear`](Self::clear), failed ones included.
    pub fn count(&self, operation: &str) -> u64 {
        held(&self.shared.counters)
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    /// Forgets the log and the counters; queues and scripted faults stay.
    pub fn clear(&self) {
        held(&self.shared.log).clear();
        held(&self.shared.counters).clear();
    }

    /// Queues `fault` for the next request of `operation` that has none yet, whoever makes it.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.shared.faults.push(operation, fault);
    }

    /// While true, every request is answered 503 and none reaches a queue; event sources get nothing either.
    pub fn outage(&self, on: bool) {
        self.shared.faults.outage(on);
    }

    /// Resolves when a message may have become visible since this call. Moving the clock tells nobody.
    pub(crate) fn arrival(&self) -> Notified<'_> {
        self.shared.arrivals.notified()
    }

    /// One request, with the fault scripted for it, logged.
    pub(crate) async fn call(
        &self,
        operation: &str,
        request: Value,
        base: &str,
    ) -> Result<Value, Failure> {
        let fault = self.shared.faults.next(operation);
        let queue = named(&request);
        if let Fault::Slow(by) = fault {
            tokio::time::sleep(by).await;
        }
        let outcome = match fault {
            Fault::Unavailable => Err(Refusal::unavailable()),
            Fault::Pass | Fault::LostAck | Fault::Slow(_) => {
                self.answer(operation, request, base).await
            }
        };
        let (answer, messages, error) = match outcome {
            Ok((answer, messages)) => (Ok(answer), messages, None),
            Err(refusal) => {
                let code = refusal.code.to_owned();
                (Err(Failure::Refused(refusal)), vec![], Some(code))
            }
        };
        self.record(Seen {
            operation: operation.to_owned(),
            queue,
            messages,
            error,
        });
        match answer {
            Ok(_) if fault == Fault::LostAck => Err(Failure::LostAck),
            other => other,
        }
    }

    fn record(&self, seen: Seen) {
        *held(&self.shared.counters)
            .entry(seen.operation.clone())
            .or_default() += 1;
        let nothing = seen.messages.is_empty() && seen.error.is_none();
        if seen.operation == "ReceiveMessage" && nothing {
            return;
        }
        let mut log = held(&self.shared.log);
        if log.len() == LOG_LIMIT {
            log.pop_front();
        }
        log.push_back(seen);
    }
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let store = held(&self.shared.store);
        formatter.debug_set().entries(store.queues.keys()).finish()
    }
}

async fn handle(State(queues): State<Queues>, headers: HeaderMap, body: Bytes) -> Response {
    let query_mode = aws_json::only(&headers, "x-amzn-query-mode") == Some("true");
    let refused = |code, message: &str| Refusal::new(code, message).response(query_mode);
    let operation = aws_json::operation(&headers, "AmazonSQS.").map(str::to_owned);
    let Some(operation) = operation.filter(|_| aws_json::speaks(&headers, CONTENT_TYPE)) else {
        return refused("UnknownOperationException", "no such operation");
    };
    let Ok(request @ Value::Object(_)) = serde_json::from_slice(&body) else {
        return refused("SerializationException", "the request is not a JSON object");
    };
    let host = aws_json::only(&headers, "host").unwrap_or("localhost");
    let base = format!("http://{host}");
    let receives = operation == "ReceiveMessage";
    let called = async move { queues.call(&operation, request, &base).await };
    let outcome = if receives {
        // Not in a task of its own: a long poll whose caller went away must not take messages.
        called.await
    } else {
        // A client that goes away does not keep a request from being applied, as with the real one.
        let applied = tokio::spawn(called).await;
        applied.unwrap_or_else(|_| Err(Failure::Refused(Refusal::unavailable())))
    };
    match outcome {
        Ok(answer) => aws_json::answer(StatusCode::OK, CONTENT_TYPE, answer.to_string()),
        Err(Failure::Refused(refusal)) => refusal.response(query_mode),
        Err(Failure::LostAck) => hang_up(),
    }
}

/// The queue a request means, for the log.
fn named(request: &Value) -> String {
    let text = |member| request.get(member).and_then(Value::as_str);
    let by_url = text("QueueUrl").and_then(|url| queue_name_of_url(url).ok());
    by_url
        .or_else(|| text("QueueName").map(str::to_owned))
        .unwrap_or_default()
}

/// The URL of a queue, `base` being a server's (`http://127.0.0.1:PORT`).
pub fn queue_url(base: &str, name: &str) -> String {
    format!("{base}/{ACCOUNT}/{name}")
}

/// `arn:aws:sqs:us-east-1:123456789012:<name>`.
pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

fn queue_name_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix(&queue_arn(""))
        .filter(|name| !name.is_empty())
}

/// The name in a queue URL. Its host may be any: the SDKs send to their endpoint, whatever the URL says.
fn queue_name_of_url(given: &str) -> Result<String, Refusal> {
    let url = Url::parse(given).ok();
    let path = url.as_ref().map_or("", Url::path);
    match path.strip_prefix(&format!("/{ACCOUNT}/")) {
        Some(name) if !name.is_empty() && !name.contains('/') => Ok(name.to_owned()),
        _ => Err(Refusal::new(
            "InvalidAddress",
            format!("The address {given} is not valid for this endpoint."),
        )),
    }
}
