//! The whole road over the loopback services of `consulate dev`: what is salvaged goes through the FIFO queue, what happened
//! goes to the bus, and neither being away stops anything.

use std::time::Duration;

use consulate_custodian::incoming;
use consulate_fakes::dynamodb::Fault;
use serde_json::json;

use super::{call, cold, custodian_on, disconnect, expired, refresh_calls, row, until};

/// An answer whose first save fails is in the salvage queue, sealed, before the second is tried, and is landed from there by
/// another invocation although its holder never came to an end.
#[tokio::test]
async fn an_answer_that_is_not_stored_at_once_lands_from_the_queue() {
    let stack = expired().await;
    // Only this holder's table is away: it has a table of its own that never answers a save.
    stack.dev.engine.fail_next("UpdateItem", Fault::Pass);
    stack.dev.engine.fail_next("UpdateItem", Fault::Unavailable);
    stack.dev.engine.fail_next("UpdateItem", Fault::Unavailable);
    stack.dev.engine.fail_next("UpdateItem", Fault::Unavailable);
    call(&stack).await.expect(200);
    assert_eq!((refresh_calls(&stack), row(&stack).await.version), (1, 2));
    assert_eq!(stack.dev.queues.count("SendMessage"), 1);
    until("the message is drained", async || {
        let queues = &stack.dev.queues;
        queues.visible("salvage.fifo").is_empty() && queues.in_flight("salvage.fifo").is_empty()
    })
    .await;
    let landed = |line: &serde_json::Value| line["landed"] == "saved";
    assert!(stack.log_lines().iter().any(landed));
    // It was the same answer: nothing was stored twice, and nobody's token is in the message.
    assert_eq!(row(&stack).await.version, 2);
    for secret in stack.provider.issued_secrets() {
        let sent = format!("{:?}", stack.dev.queues.requests());
        assert!(!sent.contains(&secret));
    }
}

/// Neither the queue nor the bus is needed for a renewal.
#[tokio::test]
async fn a_queue_and_a_bus_that_are_away_stop_nothing() {
    let stack = expired().await;
    stack.dev.queues.outage(true);
    stack.dev.event_bus.clear();
    stack.dev.event_bus.outage(true);
    for fault in [
        Fault::Pass,
        Fault::Unavailable,
        Fault::Unavailable,
        Fault::Unavailable,
    ] {
        stack.dev.engine.fail_next("UpdateItem", fault);
    }
    call(&stack).await.expect(200);
    assert_eq!(row(&stack).await.version, 2);
    assert_eq!(disconnect(&stack).await["status"], "disconnected");
    assert!(stack.dev.event_bus.events().is_empty());
}

/// S-43, a table outage of a minute and more: one answer, saved when the table is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_outlives_a_table_that_is_away_for_a_minute() {
    let stack = expired().await;
    let foundation = cold(&stack, stack.dev.clock.clone());
    let custodian = custodian_on(&foundation);
    stack
        .provider
        .script_token(consulate_fakes::provider::Reply::ProcessThenSlow(
            Duration::from_millis(500),
        ));
    let event = json!({"type": "refresh_now", "passport": row(&stack).await.key.passport,
                       "owner": row(&stack).await.key.owner});
    let renewing = tokio::spawn(async move { incoming::handle(&custodian, event, "outage").await });
    until("the token call", async || refresh_calls(&stack) == 1).await;
    stack.dev.engine.outage(true);
    stack.dev.queues.outage(true);
    tokio::time::sleep(Duration::from_secs(62)).await;
    stack.dev.engine.outage(false);
    let said = renewing.await.unwrap().unwrap();
    assert_eq!(said, json!({"outcome": "refreshed", "version": 2}));
    assert_eq!((refresh_calls(&stack), row(&stack).await.version), (1, 2));
}

#[tokio::test]
async fn what_happens_to_a_connection_is_on_the_bus() {
    let stack = expired().await;
    call(&stack).await.expect(200);
    disconnect(&stack).await;
    let events = stack.dev.event_bus.events();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event.detail_type.as_str())
        .collect();
    assert_eq!(names, ["connection.connected", "connection.disconnected"]);
    for event in &events {
        assert_eq!(
            (event.bus.as_str(), event.source.as_str()),
            ("consulate", "consulate")
        );
        assert_eq!(event.detail["passport"], consulate_flows::bundle::PASSPORT);
        let text = format!("{:?}", event.detail);
        assert!(!text.contains("ada") && !text.contains('@'), "{text}");
    }
}
