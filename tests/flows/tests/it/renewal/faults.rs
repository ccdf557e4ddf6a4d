//! The table and the secrets fail at the worst moments: nothing is spent that could not be stored, nothing is stored
//! twice, nothing is lost.

use std::time::Duration;

use consulate_core::clock::Clock;
use consulate_core::custody::{Answer as Said, Event};
use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Rotation;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use consulate_flows::walk::fragment;

use super::{
    call, cold, custodian_on, expired, expired_with, key_of, refresh_by, refresh_calls,
    retry_after, row, until,
};

/// The next writes of a row: the claim is the first, the save the second.
fn writes_meet(stack: &Stack, faults: &[Fault]) {
    for fault in faults {
        stack.dev.engine.fail_next("UpdateItem", *fault);
    }
}

/// S-43: the answer is in hand and the table is away.
#[tokio::test]
async fn a_save_that_fails_is_tried_until_it_is_stored() {
    let stack = expired().await;
    let mut faults = vec![Fault::Pass];
    faults.extend([Fault::Unavailable; 7]);
    writes_meet(&stack, &faults);
    call(&stack).await.expect(200);
    assert_eq!((refresh_calls(&stack), row(&stack).await.version), (1, 2));
    stack.dev.clock.advance_millis(super::EXPIRED);
    call(&stack).await.expect(200);
    assert_eq!(stack.provider.seen().refreshes, 2);
}

#[tokio::test]
async fn a_claim_whose_acknowledgement_is_lost_is_still_ours() {
    let stack = expired().await;
    writes_meet(&stack, &[Fault::LostAck]);
    call(&stack).await.expect(200);
    let row = row(&stack).await;
    assert_eq!((refresh_calls(&stack), row.version, row.epoch), (1, 2, 2));
}

#[tokio::test]
async fn a_save_whose_acknowledgement_is_lost_counts_once() {
    for rotation in [Rotation::SingleUse, Rotation::Reusable] {
        let stack = expired_with(|_| {}, |settings| settings.rotation = rotation).await;
        writes_meet(&stack, &[Fault::Pass, Fault::LostAck]);
        call(&stack).await.expect(200);
        let row = row(&stack).await;
        assert_eq!(
            (refresh_calls(&stack), row.version, row.epoch),
            (1, 2, 2),
            "{rotation:?}"
        );
        assert_eq!((row.lease, row.attempt), (None, None));
        // Nothing was given back that is still in use.
        assert_eq!(stack.provider.seen().revoke_calls, 0, "{rotation:?}");
        stack.dev.clock.advance_millis(super::EXPIRED);
        call(&stack).await.expect(200);
    }
}

/// S-42.
#[tokio::test]
async fn without_a_durable_claim_nothing_is_sent() {
    let stack = expired().await;
    writes_meet(&stack, &[Fault::Unavailable; 3]);
    retry_after(call(&stack).await);
    assert_eq!(refresh_calls(&stack), 0);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
}

/// S-42: the claim was applied, and nobody was told. It is given back: the next call need not wait for anybody's death.
#[tokio::test]
async fn a_claim_of_unknown_fate_is_given_back() {
    let stack = expired().await;
    writes_meet(
        &stack,
        &[Fault::LostAck, Fault::Unavailable, Fault::Unavailable],
    );
    retry_after(call(&stack).await);
    let given_back = row(&stack).await;
    assert_eq!(
        (given_back.lease, given_back.attempt, given_back.epoch),
        (None, None, 2)
    );
    assert_eq!(refresh_calls(&stack), 0);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
}

/// S-42.
#[tokio::test]
async fn while_the_table_is_away_nothing_is_sent() {
    let stack = expired().await;
    stack.dev.engine.outage(true);
    retry_after(call(&stack).await);
    stack.dev.engine.outage(false);
    assert_eq!(refresh_calls(&stack), 0);
    call(&stack).await.expect(200);
}

#[tokio::test]
async fn while_secrets_manager_is_away_what_was_read_serves() {
    let stack = expired().await;
    call(&stack).await.expect(200);
    stack.dev.clock.advance_millis(super::EXPIRED);
    stack.dev.secrets.outage(true);
    call(&stack).await.expect(200);
    assert_eq!(stack.provider.seen().refreshes, 2);
}

#[tokio::test]
async fn a_cold_start_without_secrets_manager_spends_nothing() {
    let stack = expired().await;
    stack.dev.secrets.outage(true);
    let custodian = custodian_on(&cold(&stack, stack.dev.clock.clone()));
    assert_eq!(refresh_by(&stack, &custodian).await, Said::Unavailable);
    assert_eq!((refresh_calls(&stack), row(&stack).await.epoch), (0, 1));
    stack.dev.secrets.outage(false);
    assert_eq!(
        refresh_by(&stack, &custodian).await,
        Said::Refreshed { version: 2 }
    );
}

/// What cannot be sealed must not be asked for: each keyring is looked at before the refresh token is spent.
#[tokio::test]
async fn a_keyring_that_cannot_be_used_keeps_the_refresh_token_unspent() {
    for keyring in ["access", "refresh", "fingerprint"] {
        let stack = expired().await;
        stack
            .dev
            .secrets
            .put(&format!("consulate/keys/{keyring}"), "{}")
            .unwrap();
        let custodian = custodian_on(&cold(&stack, stack.dev.clock.clone()));
        assert_eq!(
            refresh_by(&stack, &custodian).await,
            Said::Unavailable,
            "{keyring}"
        );
        assert_eq!(
            (refresh_calls(&stack), row(&stack).await.epoch),
            (0, 1),
            "{keyring}"
        );
    }
}

/// S-47: two workers whose clocks disagree would disagree about whose lease holds.
#[tokio::test]
async fn a_custodian_whose_clock_is_off_claims_nothing() {
    let stack = expired().await;
    // Far enough that the slow clock, too, sees the access token expired.
    stack.dev.clock.advance_millis(400_000);
    for off in [-300_000, -3_500, 3_500, 300_000] {
        let clock = Clock::system();
        clock.advance_millis(stack.dev.clock.now().since(clock.now()) + off);
        let custodian = custodian_on(&cold(&stack, clock));
        assert_eq!(
            refresh_by(&stack, &custodian).await,
            Said::Unavailable,
            "{off}"
        );
    }
    assert_eq!((refresh_calls(&stack), row(&stack).await.epoch), (0, 1));
    let custodian = custodian_on(&cold(&stack, stack.dev.clock.clone()));
    assert_eq!(
        refresh_by(&stack, &custodian).await,
        Said::Refreshed { version: 2 }
    );
}

/// A grant that was exchanged, and whose storing was acknowledged to nobody, is connected all the same, once.
#[tokio::test]
async fn a_lost_acknowledgement_of_an_activation_changes_nothing() {
    let stack = Stack::start().await;
    stack
        .dev
        .engine
        .fail_next("TransactWriteItems", Fault::LostAck);
    stack.connected("ada").await;
    call(&stack).await.expect(200);
    assert_eq!(
        (
            row(&stack).await.version,
            stack.provider.seen().revoke_calls
        ),
        (1, 0)
    );
}

/// Past its time a call says so, and the save goes on. Each of its writes is applied long after it was given up, and once.
#[tokio::test]
async fn a_call_does_not_wait_for_a_save_that_takes_long() {
    let stack = expired().await;
    // Nor is it salvaged meanwhile.
    stack.dev.queues.outage(true);
    writes_meet(&stack, &[Fault::Pass]);
    writes_meet(&stack, &[Fault::Slow(Duration::from_secs(13)); 6]);
    let busy = call(&stack)
        .await
        .expect_problem(503, "refresh_busy", "", "");
    assert_eq!(busy.json()["retryable"], true);
    until("the save is applied", async || {
        row(&stack).await.version == 2
    })
    .await;
    call(&stack).await.expect(200);
    assert_eq!((refresh_calls(&stack), row(&stack).await.version), (1, 2));
}

/// Consume, claim, hold: the grant of redirect mode waits for its completion whether or not that was acknowledged.
#[tokio::test]
async fn a_lost_acknowledgement_of_a_held_grant_changes_nothing() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_redirect_callback(&mut browser, &jwt, MINE).await;
    writes_meet(&stack, &[Fault::Pass, Fault::Pass, Fault::LostAck]);
    let back = browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(303);
    let completion = fragment(back.header("location"), "consulate_completion");
    stack.complete(&jwt, MINE, &completion).await.expect(200);
    call(&stack).await.expect(200);
}

/// What moves the functions' clock moves AWS's with it, or no custodian here would claim anything for long.
#[tokio::test]
async fn every_loopback_service_has_the_clock_of_the_functions() {
    let stack = Stack::start().await;
    stack.dev.clock.advance_millis(400_000);
    let foundation = cold(&stack, stack.dev.clock.clone());
    let close = || foundation.aws.skew().millis().abs() < 2_500;
    foundation.secrets.get("keys/access").await.unwrap();
    assert!(close(), "Secrets Manager");
    let key = key_of(&stack, "ada").await;
    foundation
        .custodian()
        .ask(&Event::Revoke { key: key.clone() })
        .await
        .unwrap();
    assert!(close(), "Lambda");
    foundation.connections.read(&key, true).await.unwrap();
    assert!(close(), "DynamoDB");
}
