//! The provider says no, or says wait: whose fault it is decides what becomes of the connection.

use consulate_fakes::provider::{Client, ClientAuthentication, Reply};
use consulate_flows::bundle::{MINE, PASSPORT};
use consulate_flows::stack::{CLIENT_SECRET, Stack};
use serde_json::{Value, json};

use super::{call, expired, expired_with, refresh_calls, retry_after, row, status};

fn register(stack: &Stack, secret: &str) {
    stack.provider.register(Client {
        id: "test-client".to_owned(),
        secret: Some(secret.to_owned()),
        authentication: ClientAuthentication::Basic,
        redirect_uris: vec![stack.redirect_uri()],
    });
}

fn store_client_secret(stack: &Stack, secret: &str, endpoints: &[String]) {
    let document = json!({"client_secret": secret, "endpoints": endpoints}).to_string();
    let name = format!("consulate/passports/{PASSPORT}");
    stack.dev.secrets.put(&name, &document).unwrap();
}

/// S-45.
#[tokio::test]
async fn a_refused_refresh_token_asks_for_a_new_connection_and_is_not_presented_again() {
    let stack = expired().await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    for _ in 0..4 {
        let refused = call(&stack).await;
        let refused =
            refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
        assert_eq!(refused.json()["connect"]["method"], "POST");
    }
    assert_eq!(refresh_calls(&stack), 1);
    let status = status(&stack).await;
    assert_eq!(status["status"], "needs_reauthorisation");
    assert_eq!(status["reason"], "provider_refused");
    let row = row(&stack).await;
    assert_eq!((row.lease, row.attempt), (None, None));
    // Connecting again heals it.
    stack.connect(&stack.jwt("ada"), MINE).await;
    call(&stack).await.expect(200);
}

#[tokio::test]
async fn a_refused_client_is_ours_to_repair_and_costs_nobody_a_connection() {
    let stack = expired().await;
    register(&stack, "another");
    assert_eq!(retry_after(call(&stack).await), 30);
    assert_eq!(status(&stack).await["status"], "connected");
    assert_eq!(refresh_calls(&stack), 1);
    register(&stack, CLIENT_SECRET);
    assert!((29..=30).contains(&retry_after(call(&stack).await)));
    assert_eq!(refresh_calls(&stack), 1, "not before its time");
    stack.dev.clock.advance_millis(31_000);
    call(&stack).await.expect(200);
    assert!(super::logged(
        &stack,
        "misconfigured",
        &json!("invalid_client")
    ));
}

/// S-03.
#[tokio::test]
async fn the_other_style_of_client_authentication_is_never_tried() {
    let stack = expired().await;
    stack.provider.register(Client {
        id: "test-client".to_owned(),
        secret: Some(CLIENT_SECRET.to_owned()),
        authentication: ClientAuthentication::Body,
        redirect_uris: vec![stack.redirect_uri()],
    });
    retry_after(call(&stack).await);
    assert_eq!(refresh_calls(&stack), 1);
}

#[tokio::test]
async fn a_client_secret_stored_for_other_endpoints_is_not_used() {
    let stack = expired().await;
    store_client_secret(
        &stack,
        CLIENT_SECRET,
        &["https://elsewhere.example/token".to_owned()],
    );
    // Nothing in memory any more.
    let stack = stack.restart().await;
    retry_after(call(&stack).await);
    assert_eq!(refresh_calls(&stack), 0);
    assert_eq!(status(&stack).await["status"], "connected");
    let row = row(&stack).await;
    assert_eq!(
        (row.lease, row.attempt, row.epoch),
        (None, None, 1),
        "nothing was claimed"
    );
}

#[tokio::test]
async fn a_rotated_client_secret_needs_no_new_connection() {
    let stack = expired().await;
    register(&stack, "the-next-client-secret");
    let endpoints = [
        format!("{}/token", stack.provider_url),
        format!("{}/revoke", stack.provider_url),
    ];
    store_client_secret(&stack, "the-next-client-secret", &endpoints);
    let stack = stack.restart().await;
    call(&stack).await.expect(200);
    assert_eq!(stack.provider.seen().refreshes, 1);
}

#[tokio::test]
async fn a_throttling_provider_is_left_alone_for_as_long_as_it_says() {
    let stack = expired().await;
    stack.provider.script_token(Reply::RetryAfter(40));
    assert_eq!(retry_after(call(&stack).await), 40);
    stack.dev.clock.advance_millis(38_000);
    assert!((1..=2).contains(&retry_after(call(&stack).await)));
    assert_eq!(refresh_calls(&stack), 1);
    stack.dev.clock.advance_millis(2_000);
    call(&stack).await.expect(200);
    assert_eq!(stack.provider.seen().reuse_detected, 0);
}

/// S-45: no connection is lost to an endpoint that cannot be reached.
#[tokio::test]
async fn a_token_call_that_was_never_sent_is_made_later() {
    let mut stack = expired().await;
    stack.provider_down();
    assert_eq!(retry_after(call(&stack).await), 5);
    let closed = row(&stack).await;
    assert_eq!((closed.lease, closed.attempt), (None, None));
    stack.provider_up().await;
    assert!((1..=5).contains(&retry_after(call(&stack).await)));
    assert_eq!(refresh_calls(&stack), 0);
    stack.dev.clock.advance_millis(6_000);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
}

/// Slack's way to refuse.
#[tokio::test]
async fn an_error_with_status_200_is_a_refusal() {
    let stack = expired().await;
    stack
        .provider
        .script_token(Reply::ErrorWith200("token_revoked".to_owned()));
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
}

#[tokio::test]
async fn an_account_without_refresh_token_ends_with_its_access_token() {
    let without = |stack: &Stack| stack.provider.script_token(Reply::OmitRefreshToken);
    let stack = Stack::start().await;
    without(&stack);
    stack.connected("ada").await;
    call(&stack).await.expect(200);
    stack.dev.clock.advance_millis(super::EXPIRED);
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
    assert_eq!(refresh_calls(&stack), 0);
}

/// A public client has nothing to prove, and sends no empty secret (S-04).
#[tokio::test]
async fn a_public_client_renews_with_its_id_alone() {
    let public = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.consulate["passports"]["test-cloud"]["client_authentication"] = Value::from("none");
    };
    let stack = expired_with(public, |_| {}).await;
    call(&stack).await.expect(200);
    let request = stack.provider.token_requests().pop().unwrap();
    assert_eq!(request.fields, ["client_id", "grant_type", "refresh_token"]);
}
