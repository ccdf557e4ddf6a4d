//! What an invocation of the custodian can be: a typed event, the schedule's minute, or messages of its queues.
//!
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS" (event shape, `batchItemFailures`); EventBridge user guide,
//! "Creating a rule that runs on a schedule" (scheduled event).

use consulate_core::clock::Timestamp;
use consulate_core::custody::Event;
use consulate_core::trace::{self, Trace};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::attend::{self, Work};
use crate::salvage::{self, Salvage, StrayMessage};
use crate::{State, deadline, run, tick};

/// An invocation that is none the custodian knows. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is none the custodian knows")]
pub struct Malformed;

/// `{"Records":[…]}` of an SQS event source.
#[derive(Deserialize)]
struct Messages {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    event_source: String,
    body: String,
}

/// EventBridge's event of a rule that runs on a schedule.
#[derive(Deserialize)]
struct Scheduled {
    source: String,
    time: String,
}

/// What a message of ours says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body {
    Work(Work),
    Salvage(Box<Salvage>),
    Stray(Box<StrayMessage>),
}

/// Does what an invocation asks, and answers as its sender expects it.
///
/// # Errors
/// [`Malformed`].
pub async fn handle(state: &State, payload: Value, request_id: &str) -> Result<Value, Malformed> {
    if payload.get("Records").is_some() {
        let messages: Messages = read(payload)?;
        return Ok(messages_done(state, messages, request_id).await);
    }
    if payload.get("detail-type").is_some() {
        let scheduled: Scheduled = read(payload)?;
        let time = Timestamp::parse_rfc3339(&scheduled.time).ok_or(Malformed)?;
        if scheduled.source != "aws.events" {
            return Err(Malformed);
        }
        return Ok(tick::tick(state, time, request_id).await);
    }
    let carried = payload.get("trace").cloned();
    let carried = carried.and_then(|trace| serde_json::from_value(trace).ok());
    let trace = Trace::of_invoke(carried, trace::current().xray.as_deref());
    let event: Event = read(payload)?;
    let answer = trace.around(run(state, event, request_id)).await;
    serde_json::to_value(answer).map_err(|_| Malformed)
}

fn read<T: serde::de::DeserializeOwned>(payload: Value) -> Result<T, Malformed> {
    serde_json::from_value(payload).map_err(|_| Malformed)
}

/// Works on every message. One that could not be worked on at all is handed back to its queue; single rows never are: their
/// back-off lies in the row.
async fn messages_done(state: &State, messages: Messages, request_id: &str) -> Value {
    let until = deadline();
    let mut failures = Vec::new();
    for message in messages.records {
        let done = match serde_json::from_str::<Body>(&message.body) {
            _ if message.event_source != "aws:sqs" => false,
            // Only the home region writes to connections; its own mapping gets the message.
            _ if !state.regions.is_home() => false,
            Ok(Body::Salvage(salvage)) => salvage::land(state, *salvage, request_id, until).await,
            Ok(Body::Stray(stray)) => salvage::land_stray(state, *stray, request_id, until).await,
            Ok(Body::Work(work)) => attend::all(state, &work, request_id, until).await,
            // Nobody can work on it, and handing it back for ever would hide that: it ends in the dead-letter queue.
            Err(_) => false,
        };
        if !done {
            failures.push(json!({ "itemIdentifier": message.message_id }));
        }
    }
    json!({ "batchItemFailures": failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_aws_are_read_as_documented() {
        let scheduled = json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "123456789012", "time": "2026-11-21T07:00:00Z",
            "region": "us-east-1", "resources": ["arn:aws:events:us-east-1:123456789012:rule/tick"], "detail": {},
        });
        let scheduled: Scheduled = read(scheduled).unwrap();
        let time = Timestamp::parse_rfc3339(&scheduled.time);
        assert_eq!(time, Some(Timestamp::from_seconds(1_795_244_400)));
        let body = json!({"type": "work", "minute": 7, "cycle": "55", "pks": ["CONNECTION#p#o"]});
        let messages = json!({"Records": [{
            "messageId": "19dd0b57", "receiptHandle": "h", "body": body.to_string(), "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:work", "awsRegion": "us-east-1",
        }]});
        let messages: Messages = read(messages).unwrap();
        let [message] = messages.records.try_into().ok().unwrap();
        let Body::Work(work) = serde_json::from_str(&message.body).unwrap() else {
            panic!("{}", message.body)
        };
        assert_eq!(work.pks, ["CONNECTION#p#o"]);
    }
}
