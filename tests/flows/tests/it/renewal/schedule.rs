//! The schedule: what is due is renewed ahead of time, once, by the minute of its slot; what is idle is let rest; nothing
//! that was missed is skipped.

use consulate_core::clock::Timestamp;
use consulate_core::cohort::Cycle;
use consulate_core::connection::{Health, RevocationResult};
use consulate_custodian as custodian;
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{cold, custodian_on, expired_with, refresh_calls, row, status, until};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// Ada's account, connected now, with access tokens of an hour.
async fn hourly() -> Stack {
    let stack = Stack::start_with(|_| {}, |settings| settings.access_seconds = 3_600).await;
    stack.connected("ada").await;
    stack
}

/// A custodian that does a tick's work itself.
fn inline(stack: &Stack) -> custodian::State {
    let mut foundation = cold(stack, stack.dev.clock.clone());
    foundation.config.queue_url = None;
    custodian_on(&foundation)
}

/// The scheduled event of the clock's minute.
fn event_of(stack: &Stack) -> Value {
    let now = stack.dev.clock.now().millis();
    consulate_fakes::schedule::scheduled_event("tick", "id", now - now.rem_euclid(MINUTE))
}

async fn tick(stack: &Stack, custodian: &custodian::State) -> Value {
    let event = event_of(stack);
    custodian::incoming::handle(custodian, event, "test")
        .await
        .unwrap()
}

/// Moves the clock by `millis` and on to the next minute whose slot Ada's row lies in. The schedule has not run so far: what
/// is before its first tick counts as done.
async fn to_the_slot(stack: &Stack, millis: i64) {
    stack.dev.clock.advance_millis(millis);
    let (slot, cycle) = slots_of(&row(stack).await.due.unwrap());
    let wait = (slot - minute_of(stack)).rem_euclid(cycle);
    stack.dev.clock.advance_millis(wait * MINUTE);
}

/// A minute in which a cohort's slot lies, and how many minutes lie between two of them.
fn slots_of(cohort: &str) -> (i64, i64) {
    let slot = cohort.split('#').nth(1).unwrap().parse().unwrap();
    let cycle = Cycle::of_partition(cohort).unwrap().minutes();
    (slot, i64::from(cycle))
}

/// The minute it is.
fn minute_of(stack: &Stack) -> i64 {
    stack.dev.clock.now().millis().div_euclid(MINUTE)
}

/// `minutes` ticks, a minute apart; answers the last one's own minute.
async fn pass(stack: &Stack, custodian: &custodian::State, minutes: usize) -> i64 {
    let mut last = 0;
    for _ in 0..minutes {
        stack.dev.clock.advance_millis(MINUTE);
        let event = event_of(stack);
        let time = event["time"].as_str().unwrap();
        last = Timestamp::parse_rfc3339(time).unwrap().seconds() / 60;
        custodian::incoming::handle(custodian, event, "test")
            .await
            .unwrap();
    }
    last
}

#[tokio::test]
async fn a_token_is_renewed_once_a_cycle_with_two_writes_and_stays_in_its_cohort() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    let before = row(&stack).await;
    let cohort = before.due.clone().unwrap();
    assert_eq!(Cycle::of_partition(&cohort), Some(Cycle::Minutes(55)));
    // By the ticks' own minutes: the clock runs on while the test does.
    let first = pass(&stack, &custodian, 1).await;
    let (slot, cycle) = slots_of(&cohort);
    let due = |until: i64| {
        (first..=until)
            .filter(move |minute| (minute - slot) % cycle == 0)
            .count() as u64
    };
    stack.dev.engine.clear();
    let last = pass(&stack, &custodian, 54).await;
    assert_eq!(refresh_calls(&stack), due(last));
    let pk = before.key.pk();
    let seen = stack.dev.engine.requests();
    let of_row = seen.iter().filter(|seen| {
        seen.operation == "UpdateItem" && seen.keys.iter().any(|key| key["pk"]["S"] == pk.as_str())
    });
    let writes: Vec<f64> = of_row.filter_map(|seen| seen.consumed).collect();
    // The slot's minute may have been the very first.
    assert_eq!(writes, vec![1.0; 2 * (due(last) - due(first)) as usize]);
    let last = pass(&stack, &custodian, 110).await;
    assert_eq!(refresh_calls(&stack), due(last));
    assert!(refresh_calls(&stack) >= 3);
    assert_eq!(row(&stack).await.due, Some(cohort));
    // Every call meanwhile finds a token that is good.
    assert!(row(&stack).await.is_alive(stack.dev.clock.now()));
}

#[tokio::test]
async fn after_an_outage_each_slot_is_visited_once() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    tick(&stack, &custodian).await;
    stack.dev.clock.advance_millis(185 * MINUTE);
    let said = tick(&stack, &custodian).await;
    // One more where the minute turned while this test ran.
    let minutes = said["minutes"].as_i64().unwrap();
    assert!((185..=186).contains(&minutes), "{said}");
    assert_eq!(said["stopped"], Value::Null);
    assert_eq!(refresh_calls(&stack), 1);
    let again = tick(&stack, &custodian).await;
    assert!(again["minutes"].as_i64().unwrap() <= 1, "{again}");
    assert_eq!(refresh_calls(&stack), 1);
}

#[tokio::test]
async fn an_event_delivered_twice_or_late_or_from_the_future_does_nothing_twice() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    tick(&stack, &custodian).await;
    let old = event_of(&stack);
    stack.dev.clock.advance_millis(60 * MINUTE);
    let event = event_of(&stack);
    // Two at once, in two environments: one overtakes the other.
    let other = inline(&stack);
    let both = futures_util::future::join(
        custodian::incoming::handle(&custodian, event.clone(), "a"),
        custodian::incoming::handle(&other, event, "b"),
    )
    .await;
    both.0.unwrap();
    both.1.unwrap();
    custodian::incoming::handle(&custodian, old, "late")
        .await
        .unwrap();
    assert_eq!(refresh_calls(&stack), 1);
    let mut future = event_of(&stack);
    future["time"] = "2100-01-01T00:00:00Z".into();
    let said = custodian::incoming::handle(&custodian, future, "future")
        .await
        .unwrap();
    // A minute early at most, and one more if the minute turned while this test ran.
    assert!(said["minutes"].as_i64().unwrap() <= 2, "{said}");
    assert_eq!(refresh_calls(&stack), 1);
}

#[tokio::test]
async fn a_tick_that_cannot_hand_out_goes_on_from_there() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    tick(&stack, &custodian).await;
    stack.dev.clock.advance_millis(60 * MINUTE);
    stack.dev.engine.outage(true);
    assert_eq!(tick(&stack, &custodian).await["stopped"], "unavailable");
    stack.dev.engine.outage(false);
    assert_eq!(tick(&stack, &custodian).await["stopped"], Value::Null);
    assert_eq!(refresh_calls(&stack), 1);
}

#[tokio::test]
async fn with_a_queue_the_work_goes_by_message_and_a_lost_acknowledgement_does_it_once() {
    let stack = hourly().await;
    let invoke = async || {
        let event = event_of(&stack).to_string().into();
        let said = stack.dev.functions.invoke("custodian", event).await;
        let said: Value = serde_json::from_slice(&said.unwrap()).unwrap();
        assert_eq!(said["stopped"], Value::Null, "{said}");
    };
    invoke().await;
    stack.dev.queues.clear();
    stack.dev.clock.advance_millis(60 * MINUTE);
    stack
        .dev
        .queues
        .fail_next("SendMessageBatch", consulate_fakes::sqs::Fault::LostAck);
    invoke().await;
    until("the row is renewed", async || {
        row(&stack).await.version == 2
    })
    .await;
    assert!(stack.dev.queues.count("SendMessageBatch") >= 2);
    until("the queue is empty", async || {
        stack.dev.queues.visible("work").is_empty() && stack.dev.queues.in_flight("work").is_empty()
    })
    .await;
    assert_eq!(refresh_calls(&stack), 1);
    assert!(stack.dev.queues.dead("work").is_empty());
}

#[tokio::test]
async fn what_falls_idle_is_renewed_once_more_and_then_only_kept() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    to_the_slot(&stack, 4 * DAY).await;
    tick(&stack, &custodian).await;
    let idle = row(&stack).await;
    assert_eq!(refresh_calls(&stack), 1);
    let cycle = idle.due.as_deref().and_then(Cycle::of_partition);
    assert_eq!(cycle, Some(Cycle::LONGEST));
    pass(&stack, &custodian, 60).await;
    assert_eq!(refresh_calls(&stack), 1);
    // Somebody comes back: the call renews it, and it is renewed ahead of time again.
    super::call(&stack).await.expect(200);
    let back = row(&stack).await;
    assert_eq!(refresh_calls(&stack), 2);
    let cycle = back.due.as_deref().and_then(Cycle::of_partition);
    assert_eq!(cycle, Some(Cycle::Minutes(55)));
}

#[tokio::test]
async fn nobodys_connection_is_revoked_after_ninety_days_and_says_why() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    to_the_slot(&stack, 91 * DAY).await;
    tick(&stack, &custodian).await;
    let row = row(&stack).await;
    assert_eq!(row.health, Health::Disconnected);
    let receipt = row.receipt.unwrap();
    assert_eq!(receipt.result, RevocationResult::Revoked);
    assert_eq!(
        (row.access_token, row.refresh_token, row.due),
        (None, None, None)
    );
    let status = status(&stack).await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("disconnected"), &json!("idle_revoked"))
    );
}

#[tokio::test]
async fn a_short_lived_token_is_left_to_calls() {
    let stack = expired_with(|_| {}, |_| {}).await;
    let custodian = inline(&stack);
    pass(&stack, &custodian, 60).await;
    assert_eq!(refresh_calls(&stack), 0);
}

#[tokio::test]
async fn another_region_than_home_renews_nothing() {
    let stack = hourly().await;
    let mut foundation = cold(&stack, stack.dev.clock.clone());
    foundation.config.aws.home_region = Some("eu-central-1".to_owned());
    let custodian = custodian_on(&foundation);
    stack.dev.clock.advance_millis(60 * MINUTE);
    assert_eq!(tick(&stack, &custodian).await["stopped"], "unavailable");
    let said = super::refresh_by(&stack, &custodian).await;
    assert_eq!(said, consulate_core::custody::Answer::Unavailable);
    assert_eq!(refresh_calls(&stack), 0);
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_a_message_nobody_understands_is_handed_back() {
    let stack = hourly().await;
    let custodian = inline(&stack);
    let handle = async |event: Value| custodian::incoming::handle(&custodian, event, "test").await;
    for event in [
        json!({}),
        json!({"type": "refresh"}),
        json!({"detail-type": "Scheduled Event", "source": "aws.events", "time": "soon"}),
        json!({"detail-type": "Scheduled Event", "source": "somebody", "time": "2026-11-21T07:00:00Z"}),
        json!({"Records": 7}),
    ] {
        assert!(handle(event.clone()).await.is_err(), "{event}");
    }
    let record = |id: &str, body: &str, source: &str| json!({"messageId": id, "receiptHandle": "h", "body": body, "eventSource": source});
    let work = json!({"type": "work", "minute": 1, "cycle": "55", "pks": ["CONNECTION#no#body", "WIDGET#x", ""]});
    let records = json!({"Records": [
        record("good", &work.to_string(), "aws:sqs"),
        record("odd", "{}", "aws:sqs"),
        record("foreign", &work.to_string(), "aws:sns"),
    ]});
    let failed = handle(records).await.unwrap();
    assert_eq!(
        failed,
        json!({"batchItemFailures": [{"itemIdentifier": "odd"}, {"itemIdentifier": "foreign"}]})
    );
}
