//! EventBridge on loopback: buses that take `PutEvents` and keep what they were given, with scripted faults.
//!
//! No rules and no targets; [`crate::schedule`] has the one rule that is needed. Touches nothing but the clock it is
//! given. Sources: EventBridge API reference, "PutEvents", "PutEventsRequestEntry" and "PutEventsResultEntry";
//! EventBridge user guide, "Calculating PutEvents event entry size"; AWS JSON 1.1 protocol.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::ensure;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use crate::clock::Clock;
pub use crate::faults::Fault;

use crate::aws_json::{self, ACCOUNT, REGION};
use crate::faults::Faults;
use crate::held::held;
use crate::random::uuid_of;
use crate::serve::hang_up;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The entries of one request together (since 2026; "PutEvents": the total entry size must be less than 1 MB).
const SIZE_LIMIT: usize = 1_048_576;
/// A full request with every byte of it escaped fits in.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// So many events are kept, so that a `consulate dev` left running does not grow.
const KEPT_LIMIT: usize = 10_000;

/// One event as a bus took it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `EventId`.
    pub id: String,
    /// The bus's name, also where the entry gave its ARN or nothing (`default`).
    pub bus: String,
    /// `Source`.
    pub source: String,
    /// `DetailType`.
    pub detail_type: String,
    /// `Detail`, parsed.
    pub detail: Map<String, Value>,
    /// `Resources`.
    pub resources: Vec<String>,
    /// Milliseconds since the epoch; where the entry has no `Time`, when it came.
    pub time: i64,
}

/// Event buses. Clones are handles on the same ones.
#[derive(Clone)]
pub struct EventBridge {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    buses: Mutex<BTreeSet<String>>,
    events: Mutex<VecDeque<Event>>,
    issued: AtomicU64,
    requests: AtomicU64,
    refusing: Mutex<VecDeque<&'static str>>,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Entry {
    /// Epoch seconds.
    time: Option<f64>,
    source: Option<String>,
    resources: Option<Vec<String>>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    #[expect(dead_code, reason = "taken and not traced")]
    trace_header: Option<String>,
}

/// A code and a message, of a request or of an entry.
struct Refused(&'static str, String);

impl EventBridge {
    /// Only the bus `default`; time is what `clock` says.
    pub fn new(clock: Clock) -> Self {
        let shared = Shared {
            clock,
            buses: Mutex::new(BTreeSet::from(["default".to_owned()])),
            events: Mutex::default(),
            issued: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            refusing: Mutex::default(),
            faults: Faults::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Creates a bus where missing, and answers its ARN.
    ///
    /// # Errors
    /// The name is not one of 1 to 256 letters, digits, dots, hyphens and underscores.
    pub fn create_bus(&self, name: &str) -> anyhow::Result<String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let named = !name.is_empty() && name.len() <= 256 && name.chars().all(allowed);
        ensure!(named, "{name:?} is no name for an event bus");
        held(&self.shared.buses).insert(name.to_owned());
        Ok(bus_arn(name))
    }

    /// `POST /` with `X-Amz-Target: AWSEvents.PutEvents`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(handle))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(self.clone())
    }

    /// The events taken since the last [`clear`](Self::clear), oldest first.
    pub fn events(&self) -> Vec<Event> {
        held(&self.shared.events).iter().cloned().collect()
    }

    /// How many requests came since the last [`clear`](Self::clear), failed ones included.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Forgets events and counter; buses and scripted faults stay.
    pub fn clear(&self) {
        held(&self.shared.events).clear();
        self.shared.requests.store(0, Ordering::SeqCst);
    }

    /// Queues `fault` for the next request that has none yet.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.faults.push("PutEvents", fault);
    }

    /// Fails the next entry that would have been taken with `code`, while the rest of its request goes on
    /// (`InternalFailure` and `ThrottlingException` are the ones worth a retry).
    pub fn refuse_next_entry(&self, code: &'static str) {
        held(&self.shared.refusing).push_back(code);
    }

    /// While true, every request is answered 500 and no bus sees it.
    pub fn outage(&self, on: bool) {
        self.shared.faults.outage(on);
    }

    fn put_events(&self, request: Value) -> Result<Value, Refused> {
        let invalid = |message: &str| Refused("ValidationException", message.to_owned());
        let request: PutEvents = serde_json::from_value(request)
            .map_err(|error| Refused("SerializationException", error.to_string()))?;
        if !(1..=10).contains(&request.entries.len()) {
            return Err(invalid(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length \
                 between 1 and 10",
            ));
        }
        if request.entries.iter().map(Entry::size).sum::<usize>() >= SIZE_LIMIT {
            return Err(invalid(
                "Total size of the entries in the request is over the limit.",
            ));
        }
        if !request.entries.iter().any(Entry::is_whole) {
            return Err(invalid(
                "no entry has each of Source, DetailType and Detail",
            ));
        }
        let taken: Vec<_> = request
            .entries
            .into_iter()
            .map(|entry| self.take(entry))
            .collect();
        let failed = taken.iter().filter(|taken| taken.is_err()).count();
        let entries: Vec<Value> = taken
            .into_iter()
            .map(|taken| match taken {
                Ok(id) => json!({ "EventId": id }),
                Err(Refused(code, message)) => {
                    json!({ "ErrorCode": code, "ErrorMessage": message })
                }
            })
            .collect();
        Ok(json!({ "FailedEntryCount": failed, "Entries": entries }))
    }

    fn take(&self, entry: Entry) -> Result<String, Refused> {
        let required = |value: Option<String>, parameter: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                invalid_argument(parameter, &format!("{parameter} is a required argument."))
            })
        };
        let source = required(entry.source, "Source")?;
        let detail_type = required(entry.detail_type, "DetailType")?;
        let detail = required(entry.detail, "Detail")?;
        if source.starts_with("aws.") {
            return Err(Refused(
                "NotAuthorizedForSourceException",
                format!("Not authorized for the source {source}."),
            ));
        }
        if detail_type.chars().count() > 128 {
            return Err(invalid_argument(
                "DetailType",
                "it has more than 128 characters.",
            ));
        }
        let Ok(Value::Object(detail)) = serde_json::from_str(&detail) else {
            return Err(Refused(
                "MalformedDetail",
                "Detail is malformed.".to_owned(),
            ));
        };
        let bus = entry.event_bus_name.unwrap_or_else(|| "default".to_owned());
        let bus = bus.strip_prefix(&bus_arn("")).unwrap_or(&bus).to_owned();
        // The documentation does not say what becomes of such an entry; refused, so that a wrong setting shows.
        if !held(&self.shared.buses).contains(&bus) {
            return Err(invalid_argument(
                "EventBusName",
                "there is no such event bus.",
            ));
        }
        if let Some(code) = held(&self.shared.refusing).pop_front() {
            return Err(Refused(code, "scripted".to_owned()));
        }
        let issued = self.shared.issued.fetch_add(1, Ordering::SeqCst);
        let id = uuid_of(&format!("event {issued}"));
        let time = entry.time.map(|seconds| (seconds * 1_000.0).round() as i64);
        let mut events = held(&self.shared.events);
        if events.len() == KEPT_LIMIT {
            events.pop_front();
        }
        events.push_back(Event {
            id: id.clone(),
            bus,
            source,
            detail_type,
            detail,
            resources: entry.resources.unwrap_or_default(),
            time: time.unwrap_or_else(|| (self.shared.clock)()),
        });
        Ok(id)
    }
}

impl std::fmt::Debug for EventBridge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let buses = held(&self.shared.buses);
        formatter.debug_set().entries(buses.iter()).finish()
    }
}

impl Entry {
    fn is_whole(&self) -> bool {
        let there = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        there(&self.source) && there(&self.detail_type) && there(&self.detail)
    }

    /// As the user guide counts it: a time is 14 bytes, the bus's name is free.
    fn size(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let resources: usize = self.resources.iter().flatten().map(String::len).sum();
        texts + resources + self.time.map_or(0, |_| 14)
    }
}

async fn handle(State(buses): State<EventBridge>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = aws_json::operation(&headers, "AWSEvents.");
    if operation != Some("PutEvents") || !aws_json::speaks(&headers, CONTENT_TYPE) {
        return refusal(&Refused(
            "UnknownOperationException",
            "no such operation".to_owned(),
        ));
    }
    buses.shared.requests.fetch_add(1, Ordering::SeqCst);
    let fault = buses.shared.faults.next("PutEvents");
    if fault == Fault::Unavailable {
        return refusal(&Refused("InternalException", "scripted".to_owned()));
    }
    let Ok(request @ Value::Object(_)) = serde_json::from_slice(&body) else {
        return refusal(&Refused(
            "SerializationException",
            "the request is not a JSON object".to_owned(),
        ));
    };
    // A task of its own: a client that goes away does not keep its events from being taken.
    let work = tokio::spawn(async move {
        if let Fault::Slow(by) = fault {
            tokio::time::sleep(by).await;
        }
        buses.put_events(request)
    });
    match work.await {
        Ok(Ok(_)) if fault == Fault::LostAck => hang_up(),
        Ok(Ok(answer)) => aws_json::answer(StatusCode::OK, CONTENT_TYPE, answer.to_string()),
        Ok(Err(refused)) => refusal(&refused),
        Err(_) => refusal(&Refused("InternalException", "the bus panicked".to_owned())),
    }
}

fn refusal(Refused(code, message): &Refused) -> Response {
    let status = match *code {
        "InternalException" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    aws_json::error(status, CONTENT_TYPE, code, message)
}

fn invalid_argument(parameter: &str, reason: &str) -> Refused {
    Refused(
        "InvalidArgument",
        format!("Parameter {parameter} is not valid. Reason: {reason}"),
    )
}

/// `arn:aws:events:us-east-1:123456789012:event-bus/<name>`.
pub fn bus_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}")
}
