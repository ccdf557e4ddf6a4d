//! Happeo: PKCE always, the secret optional for public apps, another refresh token each time, system keys.

use consulate_fakes::simulators::ServiceAccount;

use super::{SECRET, Stage, Ways, refusal, text};
use crate::client::{get, post_form};
use crate::grants::{basic, query};

pub const WAYS: Ways = Ways {
    family: "happeo",
    authorize: "login.happeo.com/oauth/authorize",
    token: "login.happeo.com/oauth/token",
    scope: "profile channels:read",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const CHANNELS: &str = "api.happeo.com/channels";

#[tokio::test]
async fn connect_call_expire_refresh_call() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        (text(&reply, "scope"), &reply["expires_in"]),
        ("profile channels:read", &3_600.into())
    );
    let channels = stage
        .api(&format!("{CHANNELS}?x=1"), text(&reply, "access_token"))
        .await
        .json();
    assert!(text(&channels["items"][0], "name").contains("Ada Lovelace"));
    assert_eq!(channels["query"][0], serde_json::json!(["x", "1"]));
    stage.advance(3_600);
    assert_eq!(
        stage
            .api(CHANNELS, text(&reply, "access_token"))
            .await
            .status,
        401
    );
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_ne!(next["refresh_token"], reply["refresh_token"]);
    assert_eq!(
        stage
            .api(CHANNELS, text(&next, "access_token"))
            .await
            .status,
        200
    );
    let old = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&old), (400, "invalid_grant".to_owned()));
    assert_eq!(
        stage
            .refresh("app", text(&next, "refresh_token"))
            .await
            .status,
        200,
        "the new one goes on"
    );
}

#[tokio::test]
async fn pkce_with_s256_is_expected_always() {
    let stage = Stage::new(WAYS).await;
    for changes in [
        vec![("code_challenge", ""), ("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
        vec![("code_challenge_method", "")],
        vec![("code_challenge", "short")],
    ] {
        let redirect = stage.authorize("app", &changes).await;
        assert_eq!(
            query(&redirect, "error").as_deref(),
            Some("invalid_request"),
            "{changes:?}"
        );
    }
    for verifier in ["", "e", "e".repeat(43).as_str()] {
        let code = stage.code("app", &[]).await;
        let answer = stage
            .exchange_with("app", &code, &[("code_verifier", verifier)])
            .await;
        assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
    }
}

#[tokio::test]
async fn a_public_app_needs_no_secret_and_a_confidential_one_sends_it_in_the_form() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("public", &[]).await;
    let reply = stage.exchange("public", &code).await.json();
    assert_eq!(
        stage
            .refresh("public", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    let reply = stage.connected().await;
    let header = basic("app", SECRET);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&reply, "refresh_token")),
    ];
    let by_header = post_form(
        &stage.url(WAYS.token),
        &[("authorization", &header)],
        &fields,
    )
    .await
    .unwrap();
    assert_eq!(refusal(&by_header), (401, "invalid_client".to_owned()));
    let without: Vec<_> = fields.into_iter().chain([("client_id", "app")]).collect();
    let answer = post_form(&stage.url(WAYS.token), &[], &without)
        .await
        .unwrap();
    assert_eq!(refusal(&answer).1, "invalid_client");
}

#[tokio::test]
async fn scopes_are_separated_by_spaces_and_known() {
    let stage = Stage::new(WAYS).await;
    for scope in ["profile,channels:read", "profile everything", ""] {
        let redirect = stage.authorize("app", &[("scope", scope)]).await;
        assert_eq!(
            query(&redirect, "error").as_deref(),
            Some("invalid_scope"),
            "{scope}"
        );
    }
    let code = stage.code("app", &[("scope", "profile")]).await;
    let reply = stage.exchange("app", &code).await.json();
    assert_eq!(
        stage
            .api(CHANNELS, text(&reply, "access_token"))
            .await
            .status,
        403,
        "rights are missing"
    );
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.example/"),
    ] {
        let page = stage.authorize("app", &[change]).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, ""));
    }
}

#[tokio::test]
async fn a_system_account_calls_with_its_key() {
    let stage = Stage::new(WAYS).await;
    let url = stage.url(CHANNELS);
    stage.simulators.register_service(
        "happeo",
        ServiceAccount {
            id: "system".to_owned(),
            secret: "system-key".to_owned(),
            tenant: "acme".to_owned(),
        },
    );
    assert_eq!(
        get(&url, &[("x-happeo-apikey", "system-key")]).await.status,
        200
    );
    assert_eq!(get(&url, &[("x-happeo-apikey", "guess")]).await.status, 401);
    assert_eq!(get(&url, &[("x-happeo-apikey", "")]).await.status, 401);
    assert_eq!(stage.family.seen().api_unauthorized, 2);
}

#[tokio::test]
async fn what_is_not_published_is_not_served_and_the_limit_is_for_the_organisation() {
    let stage = Stage::new(WAYS).await;
    for path in [
        "login.happeo.com/oauth/revoke",
        "login.happeo.com/oauth/userinfo",
    ] {
        assert_eq!(get(&stage.url(path), &[]).await.status, 404);
    }
    let reply = stage.connected().await;
    assert_eq!(
        stage
            .api("api.happeo.com/nothing", text(&reply, "access_token"))
            .await
            .status,
        404
    );
    stage.family.throttle_for(30);
    let throttled = stage.api(CHANNELS, text(&reply, "access_token")).await;
    assert_eq!(
        (throttled.status.as_u16(), throttled.header("retry-after")),
        (429, "30")
    );
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(
        refusal(&stage.exchange("app", &code).await).1,
        "invalid_grant"
    );
}
