//! X: PKCE, Basic for confidential apps, 30-second codes, single-use refresh tokens, problem+json.

use super::{DAY, REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, post_form};
use crate::grants::{VERIFIER, basic, query};

pub const WAYS: Ways = Ways {
    family: "x",
    authorize: "x.com/i/oauth2/authorize",
    token: "api.x.com/2/oauth2/token",
    scope: "tweet.read users.read offline.access",
    extra: &[],
    pkce: true,
    basic: true,
    on_refresh: &[],
};

const ME: &str = "api.x.com/2/users/me";

async fn revoke(stage: &Stage, token: &str) -> Answer {
    let header = basic("app", SECRET);
    let url = stage.url("api.x.com/2/oauth2/revoke");
    post_form(&url, &[("authorization", &header)], &[("token", token)])
        .await
        .unwrap()
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        (text(&reply, "token_type"), &reply["expires_in"]),
        ("bearer", &7_200.into())
    );
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&me["data"], "id"), text(&me["data"], "name")),
        ("acme-1815", "Ada Lovelace")
    );
    stage.advance(7_200);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(
        (late.status.as_u16(), late.header("content-type")),
        (401, "application/problem+json")
    );
    assert_eq!(text(&late.json(), "title"), "Unauthorized");
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    let posts = stage
        .api(
            "api.x.com/2/users/acme-1815/tweets?max_results=5",
            text(&next, "access_token"),
        )
        .await
        .json();
    assert!(text(&posts["data"][0], "text").contains("Ada Lovelace"));
    assert_eq!(
        posts["meta"]["query"][0],
        serde_json::json!(["max_results", "5"])
    );
    assert_eq!(
        revoke(&stage, text(&next, "refresh_token")).await.json()["revoked"],
        true
    );
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(stage.api(ME, text(&next, "access_token")).await.status, 401);
}

#[tokio::test]
async fn an_access_token_is_revoked_alone() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        revoke(&stage, text(&reply, "access_token")).await.status,
        200
    );
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        401
    );
    assert_eq!(stage.family.live_grants(), 1);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    assert_eq!(revoke(&stage, "guess").await.status, 200);
    let nobody = post_form(
        &stage.url("api.x.com/2/oauth2/revoke"),
        &[],
        &[("token", "guess")],
    )
    .await;
    assert_eq!(nobody.unwrap().status, 401);
}

#[tokio::test]
async fn a_code_is_good_for_thirty_seconds() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    stage.advance(29);
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    let code = stage.code("app", &[]).await;
    stage.advance(30);
    assert_eq!(
        refusal(&stage.exchange("app", &code).await),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn pkce_and_state_are_required() {
    let stage = Stage::new(WAYS).await;
    for changes in [
        vec![("code_challenge", ""), ("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
    ] {
        let redirect = stage.authorize("app", &changes).await;
        assert_eq!(
            query(&redirect, "error").as_deref(),
            Some("invalid_request")
        );
    }
    assert_eq!(stage.authorize("app", &[("state", "")]).await.status, 400);
    let comma = stage
        .authorize("app", &[("scope", "tweet.read,users.read")])
        .await;
    assert_eq!(query(&comma, "error").as_deref(), Some("invalid_scope"));
    for change in [
        ("code_verifier", "e".repeat(43)),
        (
            "redirect_uri",
            "http://127.0.0.1:8700/v1/callback".to_owned(),
        ),
    ] {
        let code = stage.code("app", &[]).await;
        let answer = stage
            .exchange_with("app", &code, &[(change.0, &change.1)])
            .await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    }
}

#[tokio::test]
async fn confidential_apps_use_basic_and_public_ones_their_id() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_id", "app"),
        ("client_secret", SECRET),
    ];
    let in_body = post_form(&stage.url(WAYS.token), &[], &fields)
        .await
        .unwrap();
    assert_eq!(refusal(&in_body), (401, "unauthorized_client".to_owned()));
    let without = post_form(&stage.url(WAYS.token), &[], &fields[..5])
        .await
        .unwrap();
    assert_eq!(refusal(&without).1, "unauthorized_client");
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    let code = stage.code("public", &[]).await;
    let reply = stage.exchange("public", &code).await.json();
    assert_eq!(
        stage
            .refresh("public", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    let header = basic("public", SECRET);
    let code = stage.code("public", &[]).await;
    let fields = [fields[0], ("code", code.as_str()), fields[2], fields[3]];
    let proving = post_form(
        &stage.url(WAYS.token),
        &[("authorization", &header)],
        &fields,
    )
    .await
    .unwrap();
    assert_eq!(proving.status, 401);
}

#[tokio::test]
async fn a_refresh_token_needs_its_scope_works_once_and_ends_after_six_months() {
    let stage = Stage::new(WAYS).await;
    let code = stage
        .code("app", &[("scope", "tweet.read users.read")])
        .await;
    assert_eq!(
        stage
            .exchange("app", &code)
            .await
            .json()
            .get("refresh_token"),
        None
    );
    let first = stage.connected().await;
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    let again = stage.refresh("app", text(&first, "refresh_token")).await;
    assert_eq!(refusal(&again), (400, "invalid_request".to_owned()));
    assert_eq!(
        stage
            .refresh("app", text(&second, "refresh_token"))
            .await
            .status,
        400,
        "the grant has ended"
    );
    let reply = stage.connected().await;
    stage.advance(181 * DAY);
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    stage.advance(183 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&next, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn the_old_names_of_the_hosts_still_work() {
    let mut stage = Stage::new(WAYS).await;
    stage.ways.authorize = "twitter.com/i/oauth2/authorize";
    stage.ways.token = "api.twitter.com/2/oauth2/token";
    let reply = stage.connected().await;
    assert_eq!(
        stage
            .api("api.twitter.com/2/users/me", text(&reply, "access_token"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_throttle_tells_when_it_ends_in_epoch_seconds() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let token = text(&reply, "access_token");
    stage.family.throttle_for(900);
    let throttled = stage.api(ME, token).await;
    assert_eq!(throttled.status, 429);
    assert_eq!(
        throttled.header("x-rate-limit-reset"),
        (stage.seconds() + 900).to_string()
    );
    assert_eq!(throttled.header("content-type"), "application/problem+json");
    stage.advance(900);
    assert_eq!(stage.api(ME, token).await.status, 200);
    let post = stage
        .post("api.x.com/2/tweets", token, r#"{"text":"hi"}"#)
        .await;
    assert_eq!(post.status, 403, "tweet.write was not asked for");
    assert_eq!(stage.api("api.x.com/2/nothing", token).await.status, 404);
}
