//! The rule that invokes a function every minute.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consulate_fakes::lambda::Functions;
use consulate_fakes::schedule::Schedule;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::moved_clock::{MovedClock, START};

fn functions() -> (Functions, UnboundedReceiver<Value>) {
    let functions = Functions::new();
    let (fired, has_fired) = unbounded_channel();
    functions.register(
        "scheduler",
        Arc::new(move |event: Bytes| {
            fired.send(serde_json::from_slice(&event).unwrap()).unwrap();
            Box::pin(async { Ok(Bytes::from_static(b"null")) })
        }),
    );
    (functions, has_fired)
}

#[tokio::test]
async fn it_fires_once_for_each_minute_the_clock_comes_to() {
    let (functions, mut has_fired) = functions();
    let time = MovedClock::new();
    time.pass_seconds(59);
    let schedule = Schedule::start(&functions, "every-minute", "scheduler", time.clock());
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(has_fired.try_recv().is_err());

    time.pass_seconds(1);
    let first = has_fired.recv().await.unwrap();
    assert_eq!(first["time"], "2026-11-21T07:01:00Z");
    time.pass_seconds(59);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(has_fired.try_recv().is_err());

    // The minutes of a suspended process are lost.
    time.pass_seconds(125);
    let second = has_fired.recv().await.unwrap();
    assert_eq!(second["time"], "2026-11-21T07:04:00Z");
    assert_ne!(first["id"], second["id"]);

    drop(schedule);
    time.pass_seconds(60);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(functions.invocations("scheduler"), 2);
}

#[tokio::test]
async fn it_is_fired_by_hand_and_delivers_twice() {
    let (functions, mut has_fired) = functions();
    let schedule = Schedule::start(
        &functions,
        "every-minute",
        "scheduler",
        MovedClock::new().clock(),
    );
    assert!(schedule.deliver_again().await.is_none());
    assert_eq!(schedule.fire(START).await.unwrap(), "null");
    let mut event = has_fired.recv().await.unwrap();
    assert_eq!(schedule.deliver_again().await.unwrap().unwrap(), "null");
    assert_eq!(has_fired.recv().await.unwrap(), event);

    assert_eq!(event["id"].take().as_str().unwrap().len(), 36);
    assert_eq!(
        event,
        json!({
            "version": "0",
            "id": null,
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": "2026-11-21T07:00:00Z",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/every-minute"],
            "detail": {},
        })
    );

    functions.outage(true);
    let refused = schedule.fire(START).await.unwrap_err();
    assert_eq!(refused.error_type, "ServiceException");
}
