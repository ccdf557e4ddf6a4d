//! Unknown outcomes: a single-use refresh token may have been spent, and nobody knows. The attempt stays open until its
//! holder must be dead; then the old token is presented once more, which tells.

use std::time::Duration;

use consulate_fakes::provider::{Reply, Rotation};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{call, expired, expired_with, logged, refresh_calls, retry_after, row, status, until};

/// The function's timeout, and the time what was salvaged may take to land, seconds.
const SETTLED: u64 = 90 + 120;

/// Has a refresh end unknown, and checks that nothing is sent until its holder must be dead.
async fn left_open(reply: Reply) -> Stack {
    let stack = expired().await;
    stack.provider.script_token(reply.clone());
    assert!(
        (SETTLED - 1..=SETTLED).contains(&retry_after(call(&stack).await)),
        "{reply:?}"
    );
    let open = row(&stack).await;
    assert_eq!(open.lease, None, "{reply:?}");
    assert!(open.attempt.is_some(), "{reply:?}");
    assert_eq!(status(&stack).await["status"], "connected");
    for _ in 0..2 {
        stack.dev.clock.advance_millis(100_000);
        retry_after(call(&stack).await);
        assert_eq!(refresh_calls(&stack), 1, "{reply:?}");
    }
    stack.dev.clock.advance_millis(11_000);
    stack
}

async fn recovers(reply: Reply) {
    let stack = left_open(reply.clone()).await;
    call(&stack).await.expect(200);
    assert_eq!(
        (refresh_calls(&stack), stack.provider.seen().refreshes),
        (2, 1),
        "{reply:?}"
    );
    let row = row(&stack).await;
    assert_eq!(
        (row.attempt, row.backoff_until, row.version),
        (None, None, 2)
    );
    assert!(logged(&stack, "recovery", &json!(true)));
}

async fn is_lost(reply: Reply) {
    let stack = left_open(reply.clone()).await;
    for _ in 0..2 {
        let refused = call(&stack).await;
        refused.expect_problem(424, "authentication_required", "reason", "rotation_lost");
    }
    assert_eq!(refresh_calls(&stack), 2, "{reply:?}");
    let status = status(&stack).await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("needs_reauthorisation"), &json!("rotation_lost"))
    );
    assert_eq!(row(&stack).await.attempt, None);
}

/// S-43, S-44: the provider did not act on it.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_asked_about_later_and_recovered() {
    for reply in [
        Reply::Html,
        Reply::Empty,
        Reply::Huge(10 * 1024 * 1024),
        Reply::Drop,
    ] {
        recovers(reply).await;
    }
}

/// S-43, S-44.
#[tokio::test]
async fn an_answer_that_never_comes_is_asked_about_later_and_recovered() {
    recovers(Reply::Hang).await;
}

/// S-43, S-44: the provider acted, and the new token never arrived whole. Nothing can save it; it is named.
#[tokio::test]
async fn a_rotated_token_that_never_arrived_is_reported_as_lost() {
    for reply in [
        Reply::CutMidBody,
        Reply::ProcessThenDrop,
        Reply::ProcessThenBadGateway,
    ] {
        is_lost(reply).await;
    }
}

/// The answer may be among those that are still to land: whoever was landing it died, and it comes again later.
#[tokio::test]
async fn a_recovery_waits_until_nothing_is_left_to_land() {
    let stack = left_open(Reply::Html).await;
    let queues = &stack.dev.queues;
    queues
        .send("salvage.fifo", "not ours", Some("g"), Some("1"))
        .unwrap();
    until("somebody works on it", async || {
        !queues.in_flight("salvage.fifo").is_empty()
    })
    .await;
    assert_eq!(retry_after(call(&stack).await), 30);
    assert!(logged(&stack, "answers_to_land", &json!(true)));
    // It is received again and again, and lies with the dead letters in the end.
    until("it is a dead letter", async || {
        stack.dev.clock.advance_millis(60_000);
        !queues.dead("salvage.fifo").is_empty()
    })
    .await;
    // Nor is anything presented while the queue does not say.
    queues.outage(true);
    assert_eq!(retry_after(call(&stack).await), 30);
    assert_eq!(refresh_calls(&stack), 1);
    queues.outage(false);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 2);
}

/// S-45: a 5xx is no refusal, whatever its body says.
#[tokio::test]
async fn a_failing_provider_that_says_invalid_grant_is_not_believed() {
    let body = json!({"error": "invalid_grant"}).to_string();
    recovers(Reply::Status(503, body, "application/json".to_owned())).await;
}

#[tokio::test]
async fn a_recovery_that_learns_nothing_leaves_the_question_open() {
    let stack = left_open(Reply::Html).await;
    for reply in [
        Reply::Html,
        Reply::RetryAfter(5),
        Reply::OauthError("invalid_client".to_owned()),
    ] {
        stack.provider.script_token(reply.clone());
        retry_after(call(&stack).await);
        let open = row(&stack).await;
        assert!(open.attempt.is_some(), "{reply:?}");
        assert_eq!(open.lease, None, "{reply:?}");
        // Each recovery renews the attempt: the next one waits for its holder's death too.
        let calls = refresh_calls(&stack);
        stack.dev.clock.advance_millis(205_000);
        retry_after(call(&stack).await);
        assert_eq!(refresh_calls(&stack), calls, "{reply:?}");
        stack.dev.clock.advance_millis(6_000);
    }
    call(&stack).await.expect(200);
    assert_eq!(row(&stack).await.attempt, None);
}

#[tokio::test]
async fn three_unclear_refusals_an_hour_apart_are_one() {
    let unclear = || Reply::Status(403, "<html>".to_owned(), "text/html".to_owned());
    let stack = left_open(unclear()).await;
    for _ in 0..2 {
        stack.provider.script_token(unclear());
        assert!(retry_after(call(&stack).await) >= 3_599);
        stack.dev.clock.advance_millis(3_500_000);
        let calls = refresh_calls(&stack);
        retry_after(call(&stack).await);
        assert_eq!(refresh_calls(&stack), calls);
        stack.dev.clock.advance_millis(101_000);
    }
    stack.provider.script_token(unclear());
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "rotation_lost");
}

/// A refresh token that can be presented again needs no recovery.
#[tokio::test]
async fn an_unknown_outcome_of_a_reusable_token_is_closed_and_backed_off() {
    let reusable = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.consulate["passports"]["test-cloud"]["refresh_rotation"] = Value::from("reusable");
    };
    let stack = expired_with(reusable, |settings| settings.rotation = Rotation::Reusable).await;
    for reply in [Reply::ProcessThenBadGateway, Reply::CutMidBody, Reply::Html] {
        stack.provider.script_token(reply);
        assert_eq!(retry_after(call(&stack).await), 15);
        let closed = row(&stack).await;
        assert_eq!((closed.lease, closed.attempt), (None, None));
        let calls = refresh_calls(&stack);
        assert!(retry_after(call(&stack).await) >= 14);
        assert_eq!(refresh_calls(&stack), calls);
        stack.dev.clock.advance_millis(16_000);
    }
    call(&stack).await.expect(200);
}

/// A process that died with a token call under way. Its lease and attempt are known to be dead at the next start.
async fn dies(reply: Reply) -> Stack {
    let stack = expired().await;
    stack.provider.script_token(reply);
    let calling = tokio::time::timeout(Duration::from_secs(5), async {
        tokio::select! {
            _ = call(&stack) => panic!("it was answered"),
            () = until("the token call", async || refresh_calls(&stack) == 1) => {}
        }
    });
    calling.await.unwrap();
    let held = row(&stack).await;
    assert!(held.lease.is_some() && held.attempt.is_some());
    stack.crash().await
}

/// S-43.
#[tokio::test]
async fn what_a_killed_process_left_open_is_recovered_at_the_next_start() {
    let stack = dies(Reply::Hang).await;
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 2);
    assert_eq!(stack.provider.seen().refreshes, 1);
    assert_eq!(row(&stack).await.attempt, None);
}

/// S-43.
#[tokio::test]
async fn what_a_killed_process_had_spent_is_reported_as_lost_at_the_next_start() {
    let stack = dies(Reply::ProcessThenHang).await;
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "rotation_lost");
    assert_eq!(refresh_calls(&stack), 2);
}

/// Without the crash, the same wait is kept across a stop and start of another kind: an unknown outcome.
#[tokio::test]
async fn an_attempt_left_open_by_an_earlier_process_is_recovered_at_once() {
    let stack = expired().await;
    stack.provider.script_token(Reply::Html);
    retry_after(call(&stack).await);
    let stack = stack.restart().await;
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 2);
}
