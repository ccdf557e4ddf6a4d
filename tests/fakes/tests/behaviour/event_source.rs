//! The event source mapping between a queue and a function.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use consulate_fakes::event_source::{Delivered, EventSource, Mapping, deliver};
use consulate_fakes::lambda::{FunctionError, Functions};
use consulate_fakes::sqs::{Fault, Queues};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::moved_clock::{MovedClock, START};

struct Setting {
    queues: Queues,
    functions: Functions,
    time: MovedClock,
    events: Arc<Mutex<Vec<Value>>>,
}

/// A queue with a function `worker` behind it, which answers what `answer` makes of the event.
fn setting(
    answer: impl Fn(&Value) -> Result<Value, FunctionError> + Send + Sync + 'static,
) -> Setting {
    let time = MovedClock::new();
    let queues = Queues::new(time.clock());
    queues.create("work", &[]).unwrap();
    let (functions, events) = (Functions::new(), Arc::new(Mutex::new(Vec::new())));
    let seen = events.clone();
    functions.register(
        "worker",
        Arc::new(move |payload: Bytes| {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            let answer = answer(&event);
            seen.lock().unwrap().push(event);
            Box::pin(async move { Ok(Bytes::from(answer?.to_string())) })
        }),
    );
    Setting {
        queues,
        functions,
        time,
        events,
    }
}

impl Setting {
    async fn deliver(&self, mapping: &Mapping) -> Delivered {
        let Self {
            queues, functions, ..
        } = self;
        deliver(queues, functions, mapping).await.unwrap()
    }
}

fn mapping() -> Mapping {
    Mapping::new("work", "worker")
}

/// Waits until `holds`; the clock under test stands still meanwhile.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("it never came about");
}

#[tokio::test]
async fn a_batch_is_handed_over_as_lambda_hands_it_over_and_deleted() {
    let setting = setting(|_| Ok(json!({ "batchItemFailures": [] })));
    let id = setting.queues.send("work", "message digest", None, None);
    let id = id.unwrap();
    let delivered = setting.deliver(&mapping()).await;
    assert_eq!((delivered.received, delivered.deleted), (1, 1));
    assert!(setting.queues.in_flight("work").is_empty());

    let mut event = setting.events.lock().unwrap()[0].clone();
    let handle = event["Records"][0]["receiptHandle"].take();
    assert!(handle.is_string());
    let now = START.to_string();
    assert_eq!(
        event,
        json!({ "Records": [{
            "messageId": id,
            "receiptHandle": null,
            "body": "message digest",
            "attributes": {
                "ApproximateFirstReceiveTimestamp": now,
                "ApproximateReceiveCount": "1",
                "SenderId": "AIDACONSULATELOOPBACK",
                "SentTimestamp": now,
            },
            "messageAttributes": {},
            "md5OfBody": "f96b697d7cb7938d525a2f31aaf161d0",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:work",
            "awsRegion": "us-east-1",
        }] })
    );
    assert_eq!(setting.deliver(&mapping()).await, Delivered::default());
    assert_eq!(setting.functions.invocations("worker"), 1);
}

#[tokio::test]
async fn only_reported_items_come_back() {
    let setting = setting(|event| {
        let second = &event["Records"][1]["messageId"];
        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": second }] }))
    });
    for body in ["a", "b", "c"] {
        setting.queues.send("work", body, None, None).unwrap();
    }
    let delivered = setting.deliver(&mapping()).await;
    assert_eq!((delivered.received, delivered.deleted), (3, 2));
    assert_eq!(setting.queues.in_flight("work")[0].body, "b");
    setting.time.pass_seconds(30);
    assert_eq!(setting.queues.visible("work").len(), 1);
}

#[tokio::test]
async fn a_failing_function_and_a_malformed_answer_fail_the_whole_batch() {
    for answer in [
        Err(FunctionError::new("Boom", "as scripted")),
        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "of no message" }] })),
    ] {
        let setting = setting(move |_| answer.clone());
        setting.queues.send("work", "a", None, None).unwrap();
        let delivered = setting.deliver(&mapping()).await;
        assert_eq!((delivered.received, delivered.deleted), (1, 0));
        assert_eq!(setting.queues.in_flight("work").len(), 1);

        // Whoever does not read the answer takes any for a success.
        setting.time.pass_seconds(30);
        let unread = Mapping {
            report_batch_item_failures: false,
            ..mapping()
        };
        let failed = setting.functions.invoke("worker", Bytes::new()).await;
        let delivered = setting.deliver(&unread).await;
        assert_eq!(delivered.deleted, usize::from(failed.is_ok()));
    }
}

#[tokio::test]
async fn what_cannot_be_deleted_or_invoked_is_delivered_again() {
    let setting = setting(|_| Ok(Value::Null));
    setting.queues.send("work", "a", None, None).unwrap();
    let failing = |fault| setting.queues.fail_next("DeleteMessageBatch", fault);
    failing(Fault::Unavailable);
    let delivered = setting.deliver(&mapping()).await;
    assert_eq!((delivered.received, delivered.deleted), (1, 0));
    setting.time.pass_seconds(30);

    setting.functions.outage(true);
    assert_eq!(setting.deliver(&mapping()).await.deleted, 0);
    setting.functions.outage(false);
    setting.time.pass_seconds(30);

    setting.queues.outage(true);
    assert_eq!(setting.deliver(&mapping()).await.received, 0);
    setting.queues.outage(false);
    assert_eq!(setting.deliver(&mapping()).await.deleted, 1);
    let count = setting.events.lock().unwrap()[1]["Records"][0]["attributes"].clone();
    assert_eq!(count["ApproximateReceiveCount"], "3");
}

#[tokio::test]
async fn a_running_mapping_keeps_to_its_concurrency_and_to_one_batch_of_a_group() {
    let time = MovedClock::new();
    let (queues, functions) = (Queues::new(time.clock()), Functions::new());
    queues
        .create("save.fifo", &[("FifoQueue", "true")])
        .unwrap();
    let (started, mut has_started) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let waits = go_on.clone();
    functions.register(
        "drainer",
        Arc::new(move |payload: Bytes| {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            let body = event["Records"][0]["body"].as_str().unwrap().to_owned();
            started.send(body).unwrap();
            let waits = waits.clone();
            Box::pin(async move {
                waits.notified().await;
                Ok(Bytes::from_static(b"null"))
            })
        }),
    );
    for body in ["a1", "a2", "b1", "c1"] {
        let group = &body[..1];
        queues
            .send("save.fifo", body, Some(group), Some(body))
            .unwrap();
    }
    let mapping = Mapping {
        batch_size: 1,
        ..Mapping::new("save.fifo", "drainer")
    };
    let source = EventSource::start(&queues, &functions, mapping).unwrap();
    let first = [
        has_started.recv().await.unwrap(),
        has_started.recv().await.unwrap(),
    ];
    assert_eq!(first, ["a1", "b1"]);
    // Two polls later there is still no third.
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(has_started.try_recv().is_err());

    go_on.notify_one();
    assert_eq!(has_started.recv().await.unwrap(), "a2");
    go_on.notify_one();
    go_on.notify_one();
    assert_eq!(has_started.recv().await.unwrap(), "c1");
    go_on.notify_one();
    until(|| queues.visible("save.fifo").is_empty() && queues.in_flight("save.fifo").is_empty())
        .await;

    drop(source);
    queues
        .send("save.fifo", "d1", Some("d"), Some("d1"))
        .unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(queues.visible("save.fifo").len(), 1);
}

#[tokio::test]
async fn a_mapping_outside_the_limits_does_not_start() {
    let setting = setting(|_| Ok(Value::Null));
    let wrong = [
        Mapping {
            batch_size: 11,
            ..mapping()
        },
        Mapping {
            batch_size: 0,
            ..mapping()
        },
        Mapping {
            maximum_concurrency: 1,
            ..mapping()
        },
    ];
    for mapping in wrong {
        assert!(EventSource::start(&setting.queues, &setting.functions, mapping).is_err());
    }
}
