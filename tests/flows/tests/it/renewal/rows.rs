//! The conditional writes themselves, on the real table: what each makes of a row that went on.

use consulate_core::connection::Health;
use consulate_core::connections::{Claim, Claimed, Closing, Connections, SaveOutcome, Tokens};
use consulate_core::problem::Reason;
use consulate_flows::stack::Stack;

use super::{disconnect, expired, row};

/// Claims as `owner`, and answers it with the row it was made on.
async fn claim(
    stack: &Stack,
    owner: &str,
) -> (consulate_core::connection::Connection, Option<Claimed>) {
    let seen = row(stack).await;
    let now = stack.dev.clock.now();
    let fingerprint = seen.fingerprint.clone().unwrap();
    let claim = Claim {
        seen: &seen,
        owner,
        fingerprint: &fingerprint,
        now,
        until: now.plus_seconds(20),
    };
    let claimed = connections(stack).claim(claim).await.unwrap();
    (seen, claimed)
}

fn connections(stack: &Stack) -> &Connections {
    &stack.dev.foundation.connections
}

fn tokens(mark: u8, rotated: bool) -> Tokens {
    Tokens {
        access_token: vec![mark; 40],
        refresh_token: rotated.then(|| (vec![mark; 41], vec![mark; 16])),
        expires_at: None,
        lifetime_seconds: None,
        refresh_expires_at: None,
        fields: None,
        due: None,
        used_at: None,
    }
}

async fn save(
    stack: &Stack,
    (seen, claimed): &(consulate_core::connection::Connection, Option<Claimed>),
    tokens: &Tokens,
) -> SaveOutcome {
    let spent = seen.fingerprint.clone().unwrap();
    let now = stack.dev.clock.now();
    connections(stack)
        .save(seen, &spent, claimed.as_ref().unwrap(), tokens, now)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lease_is_one_holders_until_it_lapses() {
    let stack = expired().await;
    assert!(claim(&stack, "a.1").await.1.is_some());
    assert!(claim(&stack, "b.1").await.1.is_none());
    stack.dev.clock.advance_millis(19_000);
    assert!(claim(&stack, "b.1").await.1.is_none());
    stack.dev.clock.advance_millis(1_000);
    assert_eq!(claim(&stack, "b.1").await.1, Some(Claimed { epoch: 3 }));
}

/// S-48: the slower of two workers that both got tokens. Its tokens are of the living grant's family: not to be revoked.
#[tokio::test]
async fn the_slower_of_two_saves_stores_nothing_and_is_told_that_the_grant_lives_on() {
    for rotated in [true, false] {
        let stack = expired().await;
        let slow = claim(&stack, "a.1").await;
        stack.dev.clock.advance_millis(20_000);
        let quick = claim(&stack, "b.1").await;
        assert_eq!(
            save(&stack, &quick, &tokens(2, rotated)).await,
            SaveOutcome::Saved(2)
        );
        assert_eq!(
            save(&stack, &slow, &tokens(1, rotated)).await,
            SaveOutcome::Superseded
        );
        assert_eq!(row(&stack).await.access_token, Some(vec![2; 40]));
    }
}

/// The stored token is still the one that was spent: the late worker's is the only live successor.
#[tokio::test]
async fn a_late_save_of_a_rotated_token_is_taken_while_a_recovery_has_only_claimed() {
    let stack = expired().await;
    let late = claim(&stack, "a.1").await;
    stack.dev.clock.advance_millis(20_000);
    let recovery = claim(&stack, "b.1").await;
    assert_eq!(
        save(&stack, &late, &tokens(1, true)).await,
        SaveOutcome::Saved(2)
    );
    let after = row(&stack).await;
    assert_eq!(
        after.lease.as_ref().unwrap().owner,
        "b.1",
        "the other's lease is left alone"
    );
    // The recovery is refused then, and gives its claim back without harm.
    let refused = connections(&stack).refuse(
        &recovery.0,
        recovery.1.as_ref().unwrap(),
        Reason::RotationLost,
        stack.dev.clock.now(),
    );
    assert!(!refused.await.unwrap());
    let closing = Closing::BackOff(stack.dev.clock.now());
    connections(&stack)
        .close(&recovery.0, recovery.1.as_ref().unwrap(), closing)
        .await
        .unwrap();
    let after = row(&stack).await;
    assert_eq!(
        (after.health, after.lease, after.attempt),
        (Health::Connected, None, None)
    );
}

#[tokio::test]
async fn a_save_that_is_repeated_is_stored_once() {
    for rotated in [true, false] {
        let stack = expired().await;
        let claimed = claim(&stack, "a.1").await;
        let tokens = tokens(1, rotated);
        assert_eq!(save(&stack, &claimed, &tokens).await, SaveOutcome::Saved(2));
        assert_eq!(save(&stack, &claimed, &tokens).await, SaveOutcome::Saved(2));
        assert_eq!(row(&stack).await.version, 2);
    }
}

/// S-41: tokens for a connection that was given up and revoked meanwhile have to be given back.
#[tokio::test]
async fn a_save_after_a_finished_revocation_is_fenced_out() {
    for rotated in [true, false] {
        let stack = expired().await;
        let late = claim(&stack, "a.1").await;
        stack.dev.clock.advance_millis(20_000);
        assert_eq!(disconnect(&stack).await["revocation"]["result"], "revoked");
        assert_eq!(
            save(&stack, &late, &tokens(1, rotated)).await,
            SaveOutcome::FencedOut
        );
        assert_eq!(row(&stack).await.access_token, None);
    }
}

/// Somebody who read the row while its revocation was pending, and was frozen since, cannot undo the receipt.
#[tokio::test]
async fn a_finished_revocation_is_not_claimed_again() {
    let stack = expired().await;
    disconnect(&stack).await;
    let (finished, now) = (row(&stack).await, stack.dev.clock.now());
    let until = now.plus_seconds(30);
    let claimed = connections(&stack).claim_revocation(&finished, "late.1", now, until);
    assert!(!claimed.await.unwrap());
    let after = row(&stack).await;
    assert_eq!((after.lease, after.receipt), (None, finished.receipt));
}

#[tokio::test]
async fn closing_twice_counts_once() {
    let stack = expired().await;
    let (seen, claimed) = claim(&stack, "a.1").await;
    let closing = Closing::UnclearRefusal(stack.dev.clock.now());
    for _ in 0..2 {
        connections(&stack)
            .close(&seen, claimed.as_ref().unwrap(), closing)
            .await
            .unwrap();
    }
    assert_eq!(row(&stack).await.attempt.unwrap().refusals, 1);
}

/// Whoever starts with the table to itself knows that every holder is dead.
#[tokio::test]
async fn at_a_start_every_lease_is_given_back_and_no_attempt_forgotten() {
    let stack = expired().await;
    claim(&stack, "a.1").await;
    connections(&stack).release_the_dead().await.unwrap();
    let released = row(&stack).await;
    assert_eq!((released.lease, released.backoff_until), (None, None));
    assert_eq!(released.attempt.unwrap().owner, "a.1");
}
