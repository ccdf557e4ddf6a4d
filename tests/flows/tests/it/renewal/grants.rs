//! Grants that no connection has any more: on record before anything else happens to them, until they are revoked.

use std::time::Duration;

use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use serde_json::json;

use super::{
    attend, call, down, expired, logged, refresh_calls, row, said, status, until, waiting,
};

const SLOW: Duration = Duration::from_millis(1_200);
const MINUTE: i64 = 60_000;

/// Connected twice, with a provider that does not take the first grant back.
async fn superseded() -> Stack {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.provider.script_revoke(down());
    stack.connect(&stack.jwt("ada"), MINE).await;
    stack
}

#[tokio::test]
async fn a_superseded_grant_stays_on_record_until_the_provider_has_taken_it_back() {
    let stack = superseded().await;
    let [first, second] = stack.issued("refresh").try_into().ok().unwrap();
    assert!(stack.provider.is_family_alive(&first));
    assert_eq!(stack.items_of("GRANT").await.len(), 1);
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "superseded").await;
    assert!(!stack.provider.is_family_alive(&first));
    assert!(stack.provider.is_family_alive(&second));
    assert!(waiting(&stack).await.is_empty());
    call(&stack).await.expect(200);
}

#[tokio::test]
async fn a_superseded_grant_that_is_taken_back_at_once_leaves_no_record() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.connect(&stack.jwt("ada"), MINE).await;
    assert!(stack.items_of("GRANT").await.is_empty());
    let [first, second] = stack.issued("refresh").try_into().ok().unwrap();
    assert!(!stack.provider.is_family_alive(&first));
    assert!(stack.provider.is_family_alive(&second));
}

#[tokio::test]
async fn a_record_is_left_alone_until_its_back_off_and_waits_twice_as_long_each_time() {
    let stack = superseded().await;
    let calls = || stack.provider.seen().revoke_calls;
    let made = calls();
    attend(&stack, "early").await;
    assert_eq!(calls(), made, "not within the first minute");
    stack.dev.clock.advance_millis(MINUTE);
    stack.provider.script_revoke(down());
    attend(&stack, "second").await;
    assert_eq!(calls(), made + 1);
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "early").await;
    assert_eq!(calls(), made + 1, "two minutes after the second attempt");
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "third").await;
    assert!(stack.items_of("GRANT").await.is_empty());
}

#[tokio::test]
async fn a_grant_nobody_takes_back_in_24_attempts_is_given_up_and_counted() {
    let stack = superseded().await;
    for attempt in 2..=24 {
        stack.dev.clock.advance_millis(6 * 60 * MINUTE);
        stack.provider.script_revoke(down());
        assert_eq!(stack.items_of("GRANT").await.len(), 1, "{attempt}");
        attend(&stack, "to-the-24th").await;
    }
    assert!(stack.items_of("GRANT").await.is_empty());
    let lost = said(&stack, "to-the-24th", "lost");
    assert_eq!(lost, [json!("revocation_gave_up")]);
}

/// S-41: the provider takes neither grant back at first.
#[tokio::test]
async fn what_a_fenced_out_worker_was_answered_goes_on_record() {
    let stack = expired().await;
    for _ in 0..2 {
        stack.provider.script_revoke(down());
    }
    stack.provider.script_token(Reply::ProcessThenSlow(SLOW));
    let reconnect = async {
        until("the token call", async || refresh_calls(&stack) == 1).await;
        stack.connect(&stack.jwt("ada"), MINE).await;
    };
    let (called, ()) = tokio::join!(call(&stack), reconnect);
    called.expect(200);
    until("the late worker ends", async || {
        logged(&stack, "fenced_out", &json!(true)) && stack.items_of("GRANT").await.len() == 2
    })
    .await;
    let [first, late, new] = stack.issued("refresh").try_into().ok().unwrap();
    assert!(stack.provider.is_family_alive(&late));
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "fenced").await;
    for gone in [&first, &late] {
        assert!(!stack.provider.is_family_alive(gone));
    }
    assert!(stack.provider.is_family_alive(&new));
    assert!(waiting(&stack).await.is_empty());
    assert_eq!(status(&stack).await["status"], "connected");
}

/// The transaction was applied, and nobody was told: what it put on record is the former grant, never the new one.
#[tokio::test]
async fn an_activation_of_unknown_fate_casts_off_the_former_grant_only() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    for fault in [Fault::LostAck, Fault::Unavailable, Fault::Unavailable] {
        stack.dev.engine.fail_next("TransactWriteItems", fault);
    }
    stack.connect(&stack.jwt("ada"), MINE).await;
    attend(&stack, "unknown").await;
    let [first, second] = stack.issued("refresh").try_into().ok().unwrap();
    assert!(!stack.provider.is_family_alive(&first));
    assert!(stack.provider.is_family_alive(&second));
    assert!(row(&stack).await.access_token.is_some());
    assert!(stack.items_of("GRANT").await.is_empty());
    call(&stack).await.expect(200);
}

#[tokio::test]
async fn a_grant_that_its_row_has_is_no_stray_and_is_not_revoked() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let alive = row(&stack).await;
    let now = stack.dev.clock.now();
    let stray = consulate_core::grants::Stray::of_row(&alive, now).unwrap();
    let (foundation, target) = (&stack.dev.foundation, &stack.dev.target);
    let grants = consulate_core::grants::Grants::new(
        foundation.aws.dynamodb(),
        &target.table,
        foundation.config.due_shards.clone(),
    );
    grants.put(&stray).await.unwrap();
    attend(&stack, "alive").await;
    assert!(stack.items_of("GRANT").await.is_empty());
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    call(&stack).await.expect(200);
}

#[tokio::test]
async fn a_burned_grant_is_taken_back_by_the_cohort() {
    let stack = Stack::start().await;
    let mut browser = Browser::default();
    let completion = stack
        .to_completion(&mut browser, &stack.jwt("ada"), MINE)
        .await;
    stack.provider.script_revoke(down());
    stack
        .complete(&stack.jwt("bob"), MINE, &completion)
        .await
        .expect(403);
    let issued = stack.issued("refresh");
    assert!(stack.provider.is_family_alive(&issued[0]));
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "burned").await;
    assert!(!stack.provider.is_family_alive(&issued[0]));
    assert!(waiting(&stack).await.is_empty());
}
