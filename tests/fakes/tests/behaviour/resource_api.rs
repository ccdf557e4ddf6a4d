//! The API behind the provider.

use http::Method;

use crate::client::{get, send};
use crate::grants::Stage;

#[tokio::test]
async fn only_a_live_access_token_spelled_bearer_is_accepted() {
    let stage = Stage::new().await;
    let (access_token, refresh_token) = stage.connected("public").await;
    let url = stage.url("/api/me");
    assert_eq!(get(&url, &[]).await.status, 401);
    for scheme in ["bearer", "BEARER", "Token", "Basic"] {
        let answer = get(
            &url,
            &[("authorization", &format!("{scheme} {access_token}"))],
        )
        .await;
        assert_eq!(answer.status, 401, "{scheme}");
        assert!(answer.header("www-authenticate").starts_with("Bearer "));
    }
    assert_eq!(stage.api("/api/me", &refresh_token).await.status, 401);
    assert_eq!(stage.api("/api/me", &access_token).await.status, 200);
    stage.advance(60);
    let expired = stage.api("/api/me", &access_token).await;
    assert_eq!(
        (expired.status.as_u16(), &expired.json()["error"]["code"]),
        (401, &"invalid_token".into())
    );
    assert_eq!(stage.provider.seen().api_unauthorized, 7);
}

#[tokio::test]
async fn tests_can_expire_and_withdraw_access_tokens() {
    let stage = Stage::new().await;
    let granted = stage
        .provider
        .grant("public", "acme-1815", "profile")
        .unwrap();
    assert_eq!(stage.provider.active_access_tokens(), 1);
    stage.provider.expire_access_tokens();
    assert_eq!(
        stage.api("/api/me", &granted.access_token).await.status,
        401
    );
    let (fresh, _) = crate::grants::tokens(&stage.refresh("public", &granted.refresh_token).await);
    assert_eq!(stage.api("/api/me", &fresh).await.status, 200);
    stage.provider.revoke_access_tokens();
    assert_eq!(stage.api("/api/me", &fresh).await.status, 401);
    assert!(stage.provider.is_family_alive(&granted.refresh_token));
}

#[tokio::test]
async fn the_echo_repeats_everything_but_the_credential() {
    let stage = Stage::new().await;
    let (access_token, _) = stage.connected("public").await;
    let bearer = format!("Bearer {access_token}");
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let headers = [("authorization", bearer.as_str()), ("x-own", "1")];
        let url = stage.url("/api/v1/echo/a%2Fb/%2e%2e?q=%26&r=1&r=2");
        let answer = send(method.clone(), &url, &headers, "body")
            .await
            .unwrap()
            .json();
        assert_eq!(answer["method"], method.as_str());
        assert_eq!(answer["path"], "/api/v1/echo/a%2Fb/%2e%2e");
        assert_eq!(answer["query"], "q=%26&r=1&r=2");
        assert_eq!(
            (&answer["headers"]["x-own"], &answer["body"]),
            (&"1".into(), &"body".into())
        );
        assert!(!answer.to_string().contains(&access_token));
    }
}

#[tokio::test]
async fn the_api_answers_in_every_shape_a_caller_must_survive() {
    let stage = Stage::new().await;
    let (access_token, _) = stage.connected("public").await;
    let api = async |path: &str| stage.api(path, &access_token).await;
    let events = api("/api/v1/events?from=2026-11-16&day=%26").await.json();
    assert_eq!(events["events"].as_array().unwrap().len(), 3);
    assert_eq!(events["query"][1][1], "&");
    assert!(
        api("/api/v1/text")
            .await
            .header("content-type")
            .starts_with("text/plain")
    );
    assert_eq!(api("/api/v1/binary").await.body.len(), 256);
    assert!(
        api("/api/v1/bigint")
            .await
            .text()
            .contains("12345678901234567890123")
    );
    assert_eq!(api("/api/v1/status/418").await.status, 418);
    assert_eq!(api("/api/v1/status/429").await.header("retry-after"), "7");
    assert_eq!(api("/api/v1/large/200000").await.body.len(), 200_000);
    assert_eq!(
        api("/api/v1/cookie")
            .await
            .headers
            .get_all("set-cookie")
            .iter()
            .count(),
        2
    );
    assert_eq!(
        api("/api/v1/redirect").await.header("location"),
        "https://elsewhere.example/landing"
    );
    let compressed = api("/api/v1/gzip").await;
    assert_eq!(
        (compressed.header("content-encoding"), &compressed.body[..2]),
        ("gzip", &[0x1f, 0x8b][..])
    );
    assert_eq!(api("/api/v1/nothing").await.status, 404);
    let leak = api("/api/v1/leak").await;
    assert!(leak.text().contains(&access_token) && leak.header("x-debug") == access_token);
    let base64_only = api("/api/v1/leak?as=base64").await;
    assert!(
        !base64_only.text().contains(&access_token) && base64_only.header("x-debug").is_empty()
    );
}
