//! Scripted replies, and servers that stop.

use std::sync::Arc;
use std::time::Duration;

use consulate_fakes::provider::Reply;

use crate::client::{get, send};
use crate::grants::{Stage, error, tokens};

#[tokio::test]
async fn replies_that_are_not_processed_leave_the_refresh_token_alone() {
    let stage = Stage::new().await;
    let (_, refresh_token) = stage.connected("basic").await;
    let status = Reply::Status(503, "busy".to_owned(), "text/plain".to_owned());
    let unprocessed = [
        (status, 503, "busy"),
        (Reply::Html, 200, "<!doctype html>"),
        (Reply::Empty, 200, ""),
        (Reply::Huge(200_000), 200, "[["),
        (
            Reply::ErrorWith200("ratelimited".to_owned()),
            200,
            "{\"ok\":false",
        ),
        (
            Reply::OauthError("invalid_client".to_owned()),
            401,
            "{\"error\":\"invalid_client\"}",
        ),
        (Reply::RetryAfter(9), 429, ""),
    ];
    for (reply, status, start) in unprocessed {
        stage.provider.script_token(reply.clone());
        let answer = stage.refresh("basic", &refresh_token).await;
        assert_eq!(answer.status, status, "{reply:?}");
        assert!(answer.text().starts_with(start), "{reply:?}");
    }
    stage.provider.script_token(Reply::Drop);
    assert!(stage.try_refresh("basic", &refresh_token).await.is_err());
    assert_eq!(stage.provider.seen().refreshes, 0);
    assert_eq!(stage.refresh("basic", &refresh_token).await.status, 200);
    assert_eq!(stage.provider.seen().token_by_grant["refresh_token"], 9);
}

#[tokio::test]
async fn processed_replies_spend_the_refresh_token_although_the_client_learns_nothing() {
    for reply in [Reply::ProcessThenDrop, Reply::CutMidBody] {
        let stage = Stage::new().await;
        let (_, refresh_token) = stage.connected("basic").await;
        stage.provider.script_token(reply.clone());
        assert!(
            stage.try_refresh("basic", &refresh_token).await.is_err(),
            "{reply:?}"
        );
        assert_eq!(stage.provider.seen().refreshes, 1, "{reply:?}");
        assert_eq!(
            error(&stage.refresh("basic", &refresh_token).await).1,
            "invalid_grant"
        );
        assert_eq!(stage.provider.seen().reuse_detected, 1);
    }
    let stage = Stage::new().await;
    let (_, refresh_token) = stage.connected("basic").await;
    stage.provider.script_token(Reply::ProcessThenBadGateway);
    assert_eq!(stage.refresh("basic", &refresh_token).await.status, 502);
    assert_eq!(stage.provider.seen().refreshes, 1);
}

#[tokio::test]
async fn a_slow_reply_is_processed_although_the_client_has_gone() {
    let stage = Arc::new(Stage::new().await);
    let (_, refresh_token) = stage.connected("basic").await;
    stage
        .provider
        .script_token(Reply::SlowBy(Duration::from_millis(50)));
    let client = stage.clone();
    let impatient = tokio::spawn(async move { client.try_refresh("basic", &refresh_token).await });
    while !stage
        .provider
        .seen()
        .token_by_grant
        .contains_key("refresh_token")
    {
        tokio::task::yield_now().await;
    }
    impatient.abort();
    while stage.provider.seen().refreshes == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn replies_are_edited_as_real_providers_vary() {
    let stage = Stage::new().await;
    let (_, refresh_token) = stage.connected("basic").await;
    stage.provider.script_token(Reply::StringExpiresIn);
    let answer = stage.refresh("basic", &refresh_token).await;
    assert_eq!(answer.json()["expires_in"], "60");
    stage.provider.script_token(Reply::FormEncoded);
    let form = stage.refresh("basic", &tokens(&answer).1).await;
    assert!(form.text().contains("token_type=bearer&expires_in=60"));
    let (_, refresh_token) = stage.connected("basic").await;
    stage.provider.script_token(Reply::OmitRefreshToken);
    assert!(
        stage
            .refresh("basic", &refresh_token)
            .await
            .json()
            .get("refresh_token")
            .is_none()
    );
}

#[tokio::test]
async fn calls_under_way_at_once_are_counted() {
    let stage = Arc::new(Stage::new().await);
    for _ in 0..2 {
        stage.provider.script_token(Reply::Hang);
    }
    let calls = [stage.clone(), stage.clone()]
        .map(|client| tokio::spawn(async move { client.try_refresh("basic", "any").await }));
    while stage.provider.seen().max_concurrent_token_calls < 2 {
        tokio::task::yield_now().await;
    }
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn revocation_and_the_api_can_be_scripted_too() {
    let stage = Stage::new().await;
    let (access_token, refresh_token) = stage.connected("basic").await;
    stage.provider.script_revoke(Reply::RetryAfter(3));
    let answer = stage
        .post("/revoke", "basic", &[("token", &refresh_token)])
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (429, "3")
    );
    assert!(stage.provider.is_family_alive(&refresh_token));
    stage.provider.script_api(Reply::Status(
        401,
        "{}".to_owned(),
        "application/json".to_owned(),
    ));
    assert_eq!(stage.api("/api/me", &access_token).await.status, 401);
    assert_eq!(stage.api("/api/me", &access_token).await.status, 200);
    stage.provider.script_api(Reply::CutMidBody);
    let bearer = format!("Bearer {access_token}");
    let cut = send(
        http::Method::GET,
        &stage.url("/api/me"),
        &[("authorization", &bearer)],
        "",
    )
    .await;
    assert!(cut.is_err());
}

#[tokio::test]
async fn dropping_a_server_ends_even_a_reply_that_hangs() {
    let stage = Stage::new().await;
    let (access_token, _) = stage.connected("basic").await;
    let url = stage.url("/api/v1/hang");
    let calls_before = stage.provider.seen().api_calls;
    let hanging = tokio::spawn(async move {
        let bearer = format!("Bearer {access_token}");
        send(http::Method::GET, &url, &[("authorization", &bearer)], "").await
    });
    while stage.provider.seen().api_calls == calls_before {
        tokio::task::yield_now().await;
    }
    drop(stage);
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn a_stopped_server_finishes_what_is_under_way_and_frees_its_port() {
    let started = Arc::new(tokio::sync::Notify::new());
    let go_on = Arc::new(tokio::sync::Notify::new());
    let (says, waits) = (started.clone(), go_on.clone());
    let router = axum::Router::new().route(
        "/",
        axum::routing::get(async move || {
            says.notify_one();
            waits.notified().await;
            "finished"
        }),
    );
    let served = consulate_fakes::serve::serve(router.clone(), 0)
        .await
        .unwrap();
    let (url, port) = (served.url(), served.addr.port());
    let under_way = tokio::spawn(async move { get(&url, &[]).await });
    started.notified().await;
    let stopping = tokio::spawn(served.stop());
    go_on.notify_one();
    assert_eq!(under_way.await.unwrap().text(), "finished");
    stopping.await.unwrap();
    assert!(consulate_fakes::serve::serve(router, port).await.is_ok());
}
