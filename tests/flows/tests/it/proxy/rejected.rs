//! S-90: an API's 401 for an access token that has not expired. Renewed once, replayed if that is safe, never in a loop.

use consulate_fakes::provider::Reply;
use consulate_flows::stack::Stack;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{connected, envelope, plain};

/// Ada's account with an access token that its API no longer takes, long before its expiry.
async fn withdrawn() -> (Stack, String) {
    let (stack, jwt) = connected().await;
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["isSuccess"], true);
    // Past half of its sixty seconds.
    stack.dev.clock.advance_millis(40_000);
    stack.provider.revoke_access_tokens();
    (stack, jwt)
}

async fn create(stack: &Stack, jwt: &str) -> Value {
    envelope(stack, jwt, "create", json!({"list": "l", "title": "t"})).await
}

#[track_caller]
fn rejected(envelope: &Value) {
    assert_eq!(envelope["statusCode"], 401, "{envelope}");
    assert_eq!(envelope["isSuccess"], false, "{envelope}");
    assert_eq!(
        envelope["headers"]["www-authenticate"],
        Value::Null,
        "{envelope}"
    );
}

#[tokio::test]
async fn a_get_is_replayed_with_a_renewed_access_token() {
    let (stack, jwt) = withdrawn().await;
    let before = stack.provider.seen();
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["isSuccess"], true);
    let seen = stack.provider.seen();
    assert_eq!(seen.refreshes, 1);
    assert_eq!(seen.api_calls, before.api_calls + 2);
    assert_eq!(seen.api_unauthorized, before.api_unauthorized + 1);
    plain(&stack, &jwt, "whoAmI").await;
    assert_eq!(stack.provider.seen().refreshes, 1);
}

#[tokio::test]
async fn a_post_is_not_replayed_but_its_access_token_is_renewed() {
    let (stack, jwt) = withdrawn().await;
    let before = stack.provider.seen().api_calls;
    rejected(&create(&stack, &jwt).await);
    let seen = stack.provider.seen();
    assert_eq!((seen.refreshes, seen.api_calls), (1, before + 1));
    assert_eq!(create(&stack, &jwt).await["isSuccess"], true);
    assert_eq!(stack.provider.seen().refreshes, 1);
}

#[tokio::test]
async fn a_post_that_is_declared_idempotent_is_replayed() {
    let (stack, jwt) = {
        let stack = Stack::start_with(
            |bundle| bundle.consulate["apis"] = json!({"create": {"idempotent": true}}),
            |_| {},
        );
        let stack = stack.await;
        let jwt = stack.connected("ada").await;
        (stack, jwt)
    };
    stack.dev.clock.advance_millis(40_000);
    stack.provider.revoke_access_tokens();
    assert_eq!(create(&stack, &jwt).await["isSuccess"], true);
    assert_eq!(stack.provider.seen().refreshes, 1);
}

/// Such a 401 has another cause than the token's age.
#[tokio::test]
async fn a_401_right_after_a_refresh_is_passed_on() {
    let (stack, jwt) = withdrawn().await;
    plain(&stack, &jwt, "whoAmI").await;
    stack.provider.revoke_access_tokens();
    for _ in 0..3 {
        rejected(&plain(&stack, &jwt, "whoAmI").await);
    }
    assert_eq!(stack.provider.seen().refreshes, 1);
    // Half a lifetime later it may be tried again.
    stack.dev.clock.advance_millis(31_000);
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["isSuccess"], true);
    assert_eq!(stack.provider.seen().refreshes, 2);
}

#[tokio::test]
async fn an_api_that_always_answers_401_is_asked_twice_and_causes_one_refresh() {
    let (stack, jwt) = connected().await;
    stack.dev.clock.advance_millis(40_000);
    let before = stack.provider.seen().api_calls;
    for _ in 0..10 {
        let body = r#"{"error":"no"}"#.to_owned();
        stack
            .provider
            .script_api(Reply::Status(401, body, "application/json".into()));
    }
    let envelope = plain(&stack, &jwt, "whoAmI").await;
    rejected(&envelope);
    assert_eq!(envelope["body"]["error"], "no");
    assert_eq!(stack.provider.seen().api_calls, before + 2);
    for calls in 1..=3 {
        rejected(&plain(&stack, &jwt, "whoAmI").await);
        assert_eq!(stack.provider.seen().api_calls, before + 2 + calls);
    }
    assert_eq!(stack.provider.seen().refreshes, 1);
}

#[tokio::test]
async fn a_refusal_that_is_no_401_renews_nothing() {
    let (stack, jwt) = connected().await;
    stack.dev.clock.advance_millis(40_000);
    for code in [400, 403, 407, 419, 498] {
        envelope(&stack, &jwt, "status", json!({ "code": code })).await;
    }
    assert_eq!(stack.provider.seen().refreshes, 0);
}

#[tokio::test]
async fn thirty_rejected_calls_at_once_cause_one_refresh() {
    let (stack, jwt) = withdrawn().await;
    for envelope in join_all((0..30).map(|_| plain(&stack, &jwt, "whoAmI"))).await {
        assert_eq!(envelope["isSuccess"], true, "{envelope}");
    }
    let seen = stack.provider.seen();
    assert_eq!((seen.refreshes, seen.reuse_detected), (1, 0));
}

#[tokio::test]
async fn where_the_grant_is_gone_the_widget_learns_that_it_has_to_connect() {
    let (stack, jwt) = withdrawn().await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".into()));
    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
    answer.expect_problem(424, "authentication_required", "reason", "provider_refused");
}
