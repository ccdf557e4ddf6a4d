//! One flight: who asks at the same time waits for the same token call, and what it brings is used.

use std::time::{Duration, Instant};

use consulate_core::custody::Answer as Said;
use consulate_fakes::provider::{Reply, Rotation};
use futures_util::future::join_all;
use serde_json::json;

use super::{
    EXPIRED, call, custodian_on, expired, expired_with, refresh_by, refresh_calls, row, status,
    turned_away, until,
};

/// S-40.
#[tokio::test]
async fn two_hundred_calls_on_an_expired_access_token_make_one_token_call() {
    // An hour's tokens: the new one outlives the test on any machine.
    let stack = expired_with(|_| {}, |settings| settings.access_seconds = 3_600).await;
    stack.dev.clock.advance_millis(3_600_000);
    stack
        .provider
        .script_token(Reply::SlowBy(Duration::from_millis(300)));
    let answers = join_all((0..200).map(|_| async {
        let started = Instant::now();
        let answer = call(&stack).await;
        (answer, started.elapsed())
    }))
    .await;
    let mut served = 0;
    for (answer, _) in &answers {
        if answer.status == 200 {
            assert_eq!(answer.json()["isSuccess"], true);
            served += 1;
        }
    }
    // How many, and after how long, is a matter of the machine: docs/capacity.md has the figures.
    assert!(served > 0);
    // Who was turned away is served now, by the same token call.
    for _ in 0..turned_away(answers) {
        call(&stack).await.expect(200);
    }
    let seen = stack.provider.seen();
    assert_eq!(
        (
            seen.max_concurrent_token_calls,
            refresh_calls(&stack),
            seen.refreshes
        ),
        (1, 1, 1)
    );
    assert_eq!(seen.reuse_detected, 0);
    let row = row(&stack).await;
    assert_eq!((row.version, row.lease, row.attempt), (2, None, None));
}

/// S-40, across processes.
#[tokio::test]
async fn two_custodians_never_call_for_one_connection_at_once() {
    let stack = expired().await;
    stack
        .provider
        .script_token(Reply::SlowBy(Duration::from_millis(200)));
    let custodians = [
        custodian_on(&stack.dev.foundation),
        custodian_on(&stack.dev.foundation),
    ];
    let asked = (0..40).map(|turn| refresh_by(&stack, &custodians[turn % 2]));
    let said = join_all(asked).await;
    let won = said
        .iter()
        .filter(|answer| **answer == Said::Refreshed { version: 2 })
        .count();
    assert!(won >= 1, "{said:?}");
    let lost = said
        .iter()
        .filter(|answer| **answer == Said::InProgress)
        .count();
    assert_eq!(won + lost, 40, "{said:?}");
    assert_eq!(
        (
            refresh_calls(&stack),
            stack.provider.seen().max_concurrent_token_calls
        ),
        (1, 1)
    );
}

/// S-49.
#[tokio::test]
async fn a_refresh_goes_on_when_the_client_goes_away() {
    let stack = expired().await;
    stack
        .provider
        .script_token(Reply::SlowBy(Duration::from_millis(400)));
    let impatient = tokio::time::timeout(Duration::from_millis(150), call(&stack)).await;
    assert!(impatient.is_err());
    until("the refresh is saved", async || {
        row(&stack).await.version == 2
    })
    .await;
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
}

/// S-05.
#[tokio::test]
async fn a_reply_without_refresh_token_keeps_the_stored_one() {
    let stack = expired_with(|_| {}, |settings| settings.rotation = Rotation::Reusable).await;
    let stored = row(&stack).await.fingerprint;
    for refreshes in 1..=2 {
        call(&stack).await.expect(200);
        assert_eq!(stack.provider.seen().refreshes, refreshes);
        assert_eq!(row(&stack).await.fingerprint, stored);
        stack.dev.clock.advance_millis(EXPIRED);
    }
}

/// S-05: the access token and the refresh token of one reply are stored by one write.
#[tokio::test]
async fn a_reply_with_a_refresh_token_replaces_both() {
    let stack = expired().await;
    let before = row(&stack).await;
    stack.dev.engine.clear();
    call(&stack).await.expect(200);
    let after = row(&stack).await;
    assert_ne!(before.access_token, after.access_token);
    assert_ne!(before.refresh_token, after.refresh_token);
    assert_ne!(before.fingerprint, after.fingerprint);
    // Claim and save: two writes, as the capacity model says.
    assert_eq!(stack.dev.engine.count("UpdateItem"), 2);
}

#[tokio::test]
async fn an_expiry_written_as_text_is_an_expiry() {
    let stack = expired().await;
    stack.provider.script_token(Reply::StringExpiresIn);
    call(&stack).await.expect(200);
    assert_eq!(row(&stack).await.lifetime_seconds, Some(60));
    stack.dev.clock.advance_millis(50_000);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
    stack.dev.clock.advance_millis(5_000);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 2, "within the margin of 10 %");
}

#[tokio::test]
async fn without_an_expiry_it_is_the_api_that_says_when_to_renew() {
    let stack = expired().await;
    stack.provider.script_token(Reply::OmitExpiresIn);
    call(&stack).await.expect(200);
    let row = row(&stack).await;
    assert_eq!((row.expires_at, row.lifetime_seconds), (None, None));
    stack.dev.clock.advance_millis(EXPIRED);
    let envelope = call(&stack).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(refresh_calls(&stack), 2);
}

/// S-47: what is stored is what the provider said; the margin is taken off on reading, once.
#[tokio::test]
async fn the_expiry_shown_is_the_providers() {
    let stack = expired().await;
    let before = stack.dev.clock.now();
    call(&stack).await.expect(200);
    let expires_at = row(&stack).await.expires_at.unwrap();
    assert!(
        (59_000..=61_000).contains(&expires_at.since(before)),
        "{expires_at:?}"
    );
    assert_eq!(
        status(&stack).await["expires_at"],
        json!(expires_at.rfc3339())
    );
}

/// A 401 right after another instance renewed must not be passed through because of what is held in memory.
#[tokio::test]
async fn an_access_token_held_from_before_a_reconnect_is_not_used_to_the_end() {
    let stack = super::expired().await;
    call(&stack).await.expect(200);
    stack
        .connect(&stack.jwt("ada"), consulate_flows::bundle::MINE)
        .await;
    let envelope = call(&stack).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
}
