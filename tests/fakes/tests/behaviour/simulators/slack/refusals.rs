//! What Slack refuses, and how: status 200 nearly everywhere.

use http::Method;
use serde_json::json;

use super::{TEST, WAYS, connect, refused, revoke};
use crate::client::{get, post_form, send};
use crate::grants::{VERIFIER, basic, query};
use crate::simulators::{CHALLENGE, REDIRECT, SECRET, Stage, text};

#[tokio::test]
async fn a_space_between_scopes_is_an_invalid_scope() {
    let stage = Stage::new(WAYS).await;
    for name in ["scope", "user_scope"] {
        let page = stage
            .authorize("app", &[(name, "chat:write channels:read")])
            .await;
        assert_eq!(page.status, 400);
        assert!(page.text().contains("invalid_scope"));
    }
}

#[tokio::test]
async fn a_challenge_is_refused_before_it_turns_the_app_into_a_public_one() {
    let stage = Stage::new(WAYS).await;
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let redirect = stage.authorize("app", &pkce).await;
    assert_eq!(
        query(&redirect, "error").as_deref(),
        Some("invalid_request")
    );
    let code = stage.code("app", &[]).await;
    let answer = stage
        .exchange_with("app", &code, &[("code_verifier", VERIFIER)])
        .await;
    assert_eq!(refused(&answer), "invalid_code");
}

#[tokio::test]
async fn token_requests_are_refused_with_status_200() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    assert_eq!(
        refused(&stage.exchange("nobody", &code).await),
        "invalid_client_id"
    );
    let wrong = [
        ("code", code.as_str()),
        ("client_id", "app"),
        ("client_secret", "guess"),
    ];
    let answer = post_form(&stage.url(WAYS.token), &[], &wrong)
        .await
        .unwrap();
    assert_eq!(refused(&answer), "bad_client_secret");
    let elsewhere = [("redirect_uri", "http://127.0.0.1:8700/v1/elsewhere")];
    assert_eq!(
        refused(&stage.exchange_with("app", &code, &elsewhere).await),
        "bad_redirect_uri"
    );
    let code = stage.code("app", &[]).await;
    // In the form instead of the header, without a grant type: all good.
    let body = [
        ("code", code.as_str()),
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("redirect_uri", REDIRECT),
    ];
    let answer = post_form(&stage.url(WAYS.token), &[], &body).await.unwrap();
    assert_eq!(answer.json()["ok"], true);
    assert_eq!(
        refused(&stage.exchange("app", &code).await),
        "code_already_used"
    );
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(refused(&stage.exchange("app", &code).await), "invalid_code");
    let other = stage
        .token("app", &[("grant_type", "client_credentials")])
        .await;
    assert_eq!(refused(&other), "invalid_grant_type");
    let twice = "code=a&code=b";
    let header = basic("app", SECRET);
    let headers = [
        ("authorization", header.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let answer = send(Method::POST, &stage.url(WAYS.token), &headers, twice)
        .await
        .unwrap();
    assert_eq!(refused(&answer), "invalid_arguments");
}

#[tokio::test]
async fn methods_say_what_they_miss() {
    let stage = Stage::new(WAYS).await;
    let reply = connect(&stage, "app", &[("user_scope", "users:read,openid")]).await;
    let (bot, own) = (
        text(&reply, "access_token"),
        text(&reply["authed_user"], "access_token"),
    );
    let answer = stage
        .api("slack.com/api/users.info?user=acme-1906", bot)
        .await;
    assert_eq!(refused(&answer), "missing_scope");
    let body = answer.json();
    assert_eq!(
        (text(&body, "needed"), text(&body, "provided")),
        ("users:read", WAYS.scope)
    );
    let info = stage
        .api("slack.com/api/users.info?user=acme-1906", own)
        .await
        .json();
    assert_eq!(text(&info["user"], "real_name"), "Grace Hopper");
    assert_eq!(
        info["user"]["profile"].get("email"),
        None,
        "that is another scope"
    );
    let open_id = "slack.com/api/openid.connect.userInfo";
    assert_eq!(
        refused(&stage.api(open_id, bot).await),
        "not_allowed_token_type"
    );
    assert_eq!(
        text(&stage.api(open_id, own).await.json(), "sub"),
        "acme-1815"
    );
    let channels = stage
        .api("slack.com/api/conversations.list?limit=1", bot)
        .await
        .json();
    assert_eq!(text(&channels["channels"][0], "name"), "general");
    assert_eq!(
        refused(&stage.api("slack.com/api/chat.postMessage", bot).await),
        "invalid_post_type"
    );
    let no_text = stage
        .post("slack.com/api/chat.postMessage", bot, r#"{"channel":"C1"}"#)
        .await;
    assert_eq!(refused(&no_text), "no_text");
    assert_eq!(
        refused(&stage.api("slack.com/api/nothing.like", bot).await),
        "unknown_method"
    );
    assert_eq!(
        get(&stage.url("slack.com/elsewhere"), &[]).await.status,
        404
    );
}

#[tokio::test]
async fn credentials_are_told_apart_when_they_are_refused() {
    let stage = Stage::new(WAYS).await;
    let reply = connect(&stage, "app", &[]).await;
    let token = text(&reply, "access_token");
    assert_eq!(refused(&get(&stage.url(TEST), &[]).await), "not_authed");
    let lower = format!("bearer {token}");
    let echoed = get(&stage.url(TEST), &[("authorization", &lower)]).await;
    assert_eq!(refused(&echoed), "invalid_auth");
    assert_eq!(refused(&stage.api(TEST, "guess").await), "invalid_auth");
    assert_eq!(
        refused(&stage.api(TEST, text(&reply, "refresh_token")).await),
        "invalid_auth"
    );
    assert_eq!(refused(&revoke(&stage, "guess").await), "invalid_auth");
    stage.family.revoke_grants();
    assert_eq!(refused(&stage.api(TEST, token).await), "token_revoked");
}

#[tokio::test]
async fn a_rate_limit_is_a_real_429() {
    let stage = Stage::new(WAYS).await;
    let reply = connect(&stage, "app", &[]).await;
    let token = text(&reply, "access_token");
    stage.family.throttle_for(30);
    let answer = stage.api(TEST, token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (429, "30")
    );
    assert_eq!(
        answer.json(),
        json!({ "ok": false, "error": "ratelimited" })
    );
    stage.advance(30);
    assert_eq!(stage.api(TEST, token).await.json()["ok"], true);
}
