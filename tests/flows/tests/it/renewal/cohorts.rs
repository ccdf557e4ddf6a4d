//! The one-minute cohort: what waits for being revoked, completed or burned leaves it only when that is done.

use consulate_core::custody::Event;
use consulate_core::flow::Stage;
use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::bundle::{Bundle, MINE};
use consulate_flows::stack::Stack;
use serde_json::json;

use super::{
    attend, call, disconnect, down, expired_with, key_of, refresh_calls, row, said, status, waiting,
};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_pending_revocation_is_tried_again_by_the_cohort_and_leaves_it_with_its_receipt() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.provider.script_revoke(down());
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "pending");
    let calls = || stack.provider.seen().revoke_calls;
    let made = calls();
    attend(&stack, "early").await;
    assert_eq!(calls(), made);
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "due").await;
    let shown = status(&stack).await;
    assert_eq!(shown["revocation"]["result"], "revoked", "{shown}");
    assert_eq!(shown["revocation"]["attempts"], 2);
    assert!(waiting(&stack).await.is_empty());
}

#[tokio::test]
async fn a_provider_that_asks_for_ten_minutes_is_left_alone_by_the_cohort_and_not_by_a_person() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.provider.script_revoke(Reply::RetryAfter(600));
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "pending");
    let waits = row(&stack).await.backoff_until.unwrap();
    assert!(waits.since(stack.dev.clock.now()) > 9 * MINUTE);
    stack.dev.clock.advance_millis(2 * MINUTE);
    let calls = stack.provider.seen().revoke_calls;
    attend(&stack, "asked-to-wait").await;
    assert_eq!(stack.provider.seen().revoke_calls, calls);
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "revoked");
}

#[tokio::test]
async fn pressing_disconnect_again_and_again_uses_up_no_attempts() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.provider.script_revoke(down());
    disconnect(&stack).await;
    let waits = row(&stack).await.backoff_until;
    for _ in 0..30 {
        stack.provider.script_revoke(down());
        let receipt = disconnect(&stack).await["revocation"].clone();
        assert_eq!(
            (&receipt["result"], &receipt["attempts"]),
            (&json!("pending"), &json!(1))
        );
        assert_eq!(row(&stack).await.backoff_until, waits);
    }
    assert_eq!(stack.provider.seen().revoke_calls, 31);
    let receipt = disconnect(&stack).await["revocation"].clone();
    assert_eq!(
        (&receipt["result"], &receipt["attempts"]),
        (&json!("revoked"), &json!(2))
    );
}

#[tokio::test]
async fn a_revocation_nobody_confirms_in_24_attempts_is_given_up_and_says_so() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.provider.script_revoke(down());
    disconnect(&stack).await;
    for _ in 2..=24 {
        assert_eq!(waiting(&stack).await.len(), 1);
        stack.dev.clock.advance_millis(6 * 60 * MINUTE);
        stack.provider.script_revoke(down());
        attend(&stack, "gave-up").await;
    }
    let shown = status(&stack).await;
    assert_eq!(shown["revocation"]["result"], "gave_up", "{shown}");
    assert_eq!(shown["revocation"]["attempts"], 24);
    assert!(waiting(&stack).await.is_empty());
    assert_eq!(
        said(&stack, "gave-up", "lost"),
        [json!("revocation_gave_up")]
    );
}

/// A provider that takes only live access tokens (Slack): the refresh token is spent for one.
async fn by_access_token() -> Stack {
    let bearer = |bundle: &mut Bundle| {
        bundle.consulate["passports"]["test-cloud"]["revocation_style"] = "bearer".into();
    };
    expired_with(bearer, |_| {}).await
}

#[tokio::test]
async fn tokens_renewed_to_be_revoked_are_stored_before_they_are_shown() {
    let stack = by_access_token().await;
    stack.provider.script_revoke(down());
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "pending");
    let kept = row(&stack).await;
    assert_eq!((refresh_calls(&stack), kept.version), (1, 2));
    assert!(kept.access_token.is_some() && kept.attempt.is_none());
    stack.dev.clock.advance_millis(MINUTE / 2);
    // Still alive: shown without another renewal.
    stack.provider.script_revoke(Reply::Status(
        200,
        r#"{"ok":true}"#.into(),
        "application/json".into(),
    ));
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "revoked");
    assert_eq!(refresh_calls(&stack), 1);
}

#[tokio::test]
async fn a_refusal_after_an_answer_that_never_came_is_no_proof_that_the_grant_is_gone() {
    let stack = by_access_token().await;
    stack.provider.script_token(Reply::ProcessThenDrop);
    assert_eq!(disconnect(&stack).await["revocation"]["result"], "pending");
    assert!(row(&stack).await.attempt.is_some());
    let custodian = super::custodian_on(&stack.dev.foundation);
    let key = key_of(&stack, "ada").await;
    super::custodian::run(&custodian, Event::Revoke { key }, "after-unknown").await;
    let shown = status(&stack).await;
    assert_eq!(shown["revocation"]["result"], "gave_up", "{shown}");
    assert_eq!(
        said(&stack, "after-unknown", "lost"),
        [json!("answer_never_arrived")]
    );
}

#[tokio::test]
async fn a_refusal_without_any_doubt_means_that_the_grant_is_gone() {
    let stack = by_access_token().await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    assert_eq!(
        disconnect(&stack).await["revocation"]["result"],
        "already_gone"
    );
}

async fn awaiting() -> (Stack, String) {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let completion = stack
        .to_completion(&mut Browser::default(), &jwt, MINE)
        .await;
    (stack, completion)
}

#[tokio::test]
async fn a_grant_that_is_not_completed_in_time_is_taken_back() {
    let (stack, completion) = awaiting().await;
    attend(&stack, "in-time").await;
    assert_eq!(stack.items_of("FLOW").await[0]["st"], "awaiting");
    stack.dev.clock.advance_millis(MINUTE + 1_000);
    attend(&stack, "too-late").await;
    let flow = stack.items_of("FLOW").await.remove(0);
    assert_eq!(
        (&flow["st"], flow.get("d"), flow.get("tk")),
        (&json!("done"), None, None)
    );
    assert!(!stack.provider.is_family_alive(&stack.issued("refresh")[0]));
    assert!(waiting(&stack).await.is_empty());
    let jwt = stack.jwt("ada");
    stack.complete(&jwt, MINE, &completion).await.expect(410);
}

/// connect marked it and died before it asked the custodian.
#[tokio::test]
async fn a_completion_that_was_left_behind_is_completed() {
    let (stack, _) = awaiting().await;
    let flows = &stack.dev.foundation.flows;
    let id = stack.flow_id().await;
    let marked = flows.advance(&id, Stage::Awaiting, Stage::Completing).await;
    assert!(marked.unwrap());
    stack.dev.clock.advance_millis(MINUTE);
    attend(&stack, "its-holder-may-live").await;
    assert_eq!(status(&stack).await["status"], "not_connected");
    stack.dev.clock.advance_millis(2 * MINUTE);
    attend(&stack, "left-behind").await;
    assert_eq!(status(&stack).await["status"], "connected");
    assert!(waiting(&stack).await.is_empty());
    call(&stack).await.expect(200);
}
