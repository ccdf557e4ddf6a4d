//! Answers that the table did not take at once, brought back by the queue: stored under the condition of the first try.

use std::time::Duration;

use consulate_core::connection::{Connection, Health};
use consulate_core::connections::{Claim, Claimed};
use consulate_core::problem::Reason;
use consulate_core::secret::SecretText;
use consulate_core::vault::{self, Field, Home};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{deliver, disconnect, expired, row, said, waiting};

/// Ada's row with a claim whose holder died with its answer, and the message that answer went into.
async fn salvaged(stack: &Stack) -> (Connection, Value) {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let foundation = &stack.dev.foundation;
    let seen = row(stack).await;
    let now = stack.dev.clock.now();
    let fingerprint = seen.fingerprint.clone().unwrap();
    let claim = Claim {
        seen: &seen,
        owner: "dead.1",
        fingerprint: &fingerprint,
        now,
        until: now.plus_seconds(20),
    };
    let claimed = foundation.connections.claim(claim).await.unwrap().unwrap();
    let passport = foundation.definitions.passport(&seen.key.passport).await;
    let home = Home::of(&seen, &passport.unwrap().unwrap());
    let secrets = &foundation.secrets;
    let plain = SecretText::new("acme-access-salvaged".to_owned());
    let access_token = vault::seal(secrets, &home, Field::AccessToken, &plain).await;
    let plain = SecretText::new("acme-refresh-salvaged".to_owned());
    let (refresh_token, new) = vault::seal_refresh(secrets, &home, &plain).await.unwrap();
    let message = json!({
        "type": "salvage", "key": seen.key, "grant": seen.grant_id, "spent": base64(&fingerprint),
        "epoch": claimed.epoch, "access_token": base64(&access_token.unwrap()),
        "refresh_token": base64(&refresh_token), "fingerprint": base64(&new),
        "expires_at": now.plus_seconds(60).millis(), "lifetime_seconds": 60, "subject": seen.subject,
        "asked_at": now.millis(),
    });
    (seen, message)
}

#[tokio::test]
async fn a_salvaged_answer_lands_in_its_row_once_however_often_it_is_delivered() {
    let stack = expired().await;
    let (seen, message) = salvaged(&stack).await;
    for _ in 0..2 {
        assert!(deliver(&stack, "lands", message.clone()).await);
        let landed = row(&stack).await;
        assert_eq!((landed.version, landed.attempt), (seen.version + 1, None));
        assert_ne!(landed.fingerprint, seen.fingerprint);
    }
    assert!(waiting(&stack).await.is_empty());
    assert_eq!(
        said(&stack, "lands", "landed"),
        [json!("saved"), json!("saved")]
    );
}

#[tokio::test]
async fn a_salvaged_answer_that_a_newer_token_overtook_changes_nothing() {
    let stack = expired().await;
    let (_, first) = salvaged(&stack).await;
    assert!(deliver(&stack, "overtaken", first.clone()).await);
    stack.dev.clock.advance_millis(super::EXPIRED);
    let (_, second) = salvaged(&stack).await;
    assert!(deliver(&stack, "overtaken", second).await);
    let newest = row(&stack).await;
    assert!(deliver(&stack, "overtaken", first).await);
    let after = row(&stack).await;
    assert_eq!(
        (after.version, after.fingerprint),
        (newest.version, newest.fingerprint)
    );
    let landed = said(&stack, "overtaken", "landed");
    assert_eq!(landed.last(), Some(&json!("superseded")));
}

#[tokio::test]
async fn a_salvaged_answer_of_a_grant_that_was_replaced_is_taken_back() {
    let stack = expired().await;
    let (_, message) = salvaged(&stack).await;
    stack.connect(&stack.jwt("ada"), MINE).await;
    let live = row(&stack).await;
    let calls = stack.provider.seen().revoke_calls;
    assert!(deliver(&stack, "replaced", message).await);
    assert_eq!(row(&stack).await.version, live.version);
    assert!(stack.provider.seen().revoke_calls > calls);
    assert!(waiting(&stack).await.is_empty());
    assert_eq!(said(&stack, "replaced", "landed"), [json!("fenced_out")]);
}

#[tokio::test]
async fn a_salvaged_answer_of_a_connection_that_was_given_up_is_taken_back() {
    let stack = expired().await;
    let (_, message) = salvaged(&stack).await;
    stack.dev.clock.advance_millis(30_000);
    disconnect(&stack).await;
    assert!(deliver(&stack, "given-up", message).await);
    assert!(waiting(&stack).await.is_empty());
    assert_eq!(row(&stack).await.access_token, None);
}

#[tokio::test]
async fn a_salvaged_answer_waits_for_a_table_that_is_away_and_lands_in_one_delivery() {
    let stack = expired().await;
    let (seen, message) = salvaged(&stack).await;
    stack.dev.engine.outage(true);
    let (landed, ()) = tokio::join!(deliver(&stack, "away", message), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stack.dev.engine.outage(false);
    });
    assert!(landed);
    assert_eq!(row(&stack).await.version, seen.version + 1);
}

#[tokio::test]
async fn a_salvaged_answer_brings_back_what_a_recovery_gave_up_for_lost() {
    let stack = expired().await;
    let (seen, message) = salvaged(&stack).await;
    let connections = &stack.dev.foundation.connections;
    let (lost, now) = (Reason::RotationLost, stack.dev.clock.now());
    let epoch = message["epoch"].as_i64().unwrap();
    let claimed = Claimed { epoch };
    assert!(
        connections
            .refuse(&seen, &claimed, lost, now)
            .await
            .unwrap()
    );
    assert_ne!(row(&stack).await.health, Health::Connected);
    assert!(deliver(&stack, "revived", message).await);
    assert_eq!(row(&stack).await.health, Health::Connected);
    assert_eq!(said(&stack, "revived", "landed"), [json!("revived")]);
    assert!(super::logged(
        &stack,
        "what",
        &json!("connection.recovered")
    ));
}
