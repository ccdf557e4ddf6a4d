//! Slack: 200 for refusals, two tokens with lives of their own, commas, rotation per app.

mod bot;
mod refusals;

use consulate_fakes::simulators::App;
use serde_json::{Value, json};

use super::{REDIRECT, SECRET, Stage, Ways, text};
use crate::client::{Answer, post_form};

pub const WAYS: Ways = Ways {
    family: "slack",
    authorize: "slack.com/oauth/v2/authorize",
    token: "slack.com/api/oauth.v2.access",
    scope: "chat:write,channels:read",
    extra: &[("user_scope", "users:read,users.profile:read")],
    pkce: false,
    basic: true,
    on_refresh: &[],
};

const TEST: &str = "slack.com/api/auth.test";

fn register(stage: &Stage, id: &str) {
    let app = App {
        id: id.to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uris: vec![REDIRECT.to_owned()],
    };
    stage.simulators.register("slack", app);
}

/// `error` of a refusal, which has status 200.
fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["ok"], false, "{body}");
    text(&body, "error").to_owned()
}

async fn connect(stage: &Stage, app: &str, changes: &[(&str, &str)]) -> Value {
    let code = stage.code(app, changes).await;
    let reply = stage.exchange(app, &code).await.json();
    assert_eq!(reply["ok"], true, "{reply}");
    reply
}

async fn revoke(stage: &Stage, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    post_form(
        &stage.url("slack.com/api/auth.revoke"),
        &[("authorization", &bearer)],
        &[],
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect_with_both_tokens() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let user = &reply["authed_user"];
    assert_eq!(
        (text(&reply, "token_type"), text(user, "token_type")),
        ("bot", "user")
    );
    assert_eq!(text(&reply, "scope"), "chat:write,channels:read");
    assert_eq!(text(user, "scope"), "users:read,users.profile:read");
    assert_eq!(
        (&reply["expires_in"], &user["expires_in"]),
        (&json!(43_200), &json!(43_200))
    );
    assert_eq!(
        (text(&reply["team"], "name"), &reply["enterprise"]),
        ("Acme", &Value::Null)
    );
    assert!(text(&reply, "access_token").starts_with("xoxe.xoxb-"));
    assert!(text(user, "access_token").starts_with("xoxe.xoxp-"));
    assert_ne!(text(&reply, "refresh_token"), text(user, "refresh_token"));

    let bot = stage.api(TEST, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&bot, "user_id"), text(&bot, "team_id")),
        ("U0BOT", "T0ACME")
    );
    let own = stage.api(TEST, text(user, "access_token")).await.json();
    assert_eq!(
        (text(&own, "user_id"), text(&own, "user")),
        ("acme-1815", "ada.lovelace")
    );
    stage.advance(43_200);
    assert_eq!(
        refused(&stage.api(TEST, text(&reply, "access_token")).await),
        "token_expired"
    );
    assert_eq!(
        refused(&stage.api(TEST, text(user, "access_token")).await),
        "token_expired"
    );

    let bot = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    let own = stage
        .refresh("app", text(user, "refresh_token"))
        .await
        .json();
    assert_eq!(
        (text(&bot, "token_type"), text(&own, "token_type")),
        ("bot", "user")
    );
    assert_eq!(
        (bot.get("authed_user"), own.get("authed_user")),
        (None, None)
    );
    let (bot, own) = (text(&bot, "access_token"), text(&own, "access_token"));
    let said = json!({ "channel": "C0GENERAL", "text": "hello" }).to_string();
    let posted = stage
        .post("slack.com/api/chat.postMessage", bot, &said)
        .await
        .json();
    assert_eq!(
        (text(&posted["message"], "user"), &posted["ok"]),
        ("U0BOT", &json!(true))
    );

    assert_eq!(stage.family.live_grants(), 1);
    assert_eq!(
        revoke(&stage, bot).await.json(),
        json!({ "ok": true, "revoked": true })
    );
    assert_eq!(refused(&stage.api(TEST, bot).await), "token_revoked");
    assert_eq!(
        stage.family.live_grants(),
        1,
        "the other token has to be revoked by itself"
    );
    assert_eq!(stage.api(TEST, own).await.json()["ok"], true);
    assert_eq!(revoke(&stage, own).await.json()["revoked"], true);
    assert_eq!(stage.family.live_grants(), 0);
    let seen = stage.family.seen();
    assert_eq!(
        (
            seen.exchanges,
            seen.refreshes,
            seen.revoke_calls,
            seen.revoked
        ),
        (1, 2, 2, 2)
    );
}

#[tokio::test]
async fn only_the_kinds_that_were_asked_for_are_issued() {
    let stage = Stage::new(WAYS).await;
    let reply = connect(&stage, "app", &[("user_scope", "")]).await;
    assert!(reply.get("access_token").is_some());
    assert_eq!(reply["authed_user"], json!({ "id": "acme-1815" }));
    let reply = connect(
        &stage,
        "app",
        &[("scope", ""), ("user_scope", "openid,email,profile")],
    )
    .await;
    assert_eq!(
        (reply.get("access_token"), reply.get("token_type")),
        (None, None)
    );
    let token = text(&reply["authed_user"], "access_token");
    let me = stage
        .api("slack.com/api/openid.connect.userInfo", token)
        .await
        .json();
    assert_eq!(
        (text(&me, "sub"), text(&me, "email"), text(&me, "name")),
        ("acme-1815", "ada@acme.example", "Ada Lovelace")
    );
    let page = stage
        .authorize("app", &[("scope", ""), ("user_scope", "")])
        .await;
    assert_eq!(page.status, 400);
}

#[tokio::test]
async fn without_rotation_nothing_expires_and_nothing_is_refreshed() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-static");
    let reply = connect(&stage, "app-static", &[]).await;
    let user = &reply["authed_user"];
    for part in [&reply, user] {
        assert_eq!(
            (part.get("expires_in"), part.get("refresh_token")),
            (None, None)
        );
    }
    assert!(text(&reply, "access_token").starts_with("xoxb-"));
    assert!(text(user, "access_token").starts_with("xoxp-"));
    stage.advance(10 * 365 * super::DAY);
    let bot = stage.api(TEST, text(&reply, "access_token")).await.json();
    assert_eq!((&bot["ok"], bot.get("expires_in")), (&json!(true), None));
    assert_eq!(
        refused(&stage.refresh("app-static", "guess").await),
        "invalid_refresh_token"
    );
}

#[tokio::test]
async fn a_used_refresh_token_ends_its_own_kind_only() {
    let stage = Stage::new(WAYS).await;
    let reply = connect(&stage, "app", &[]).await;
    let own = text(&reply["authed_user"], "access_token");
    let used = text(&reply, "refresh_token");
    let next = stage.refresh("app", used).await.json();
    let (bot, unused) = (text(&next, "access_token"), text(&next, "refresh_token"));
    assert_eq!(
        refused(&stage.refresh("other", unused).await),
        "invalid_refresh_token"
    );
    assert_eq!(
        refused(&stage.refresh("app", used).await),
        "invalid_refresh_token"
    );
    assert_eq!(stage.family.seen().reuse_detected, 1);
    assert_eq!(refused(&stage.api(TEST, bot).await), "token_revoked");
    assert_eq!(
        refused(&stage.refresh("app", unused).await),
        "invalid_refresh_token"
    );
    assert_eq!(stage.api(TEST, own).await.json()["ok"], true);
}

#[tokio::test]
async fn the_two_tokens_may_live_differently() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-uneven");
    let reply = connect(&stage, "app-uneven", &[]).await;
    let user = &reply["authed_user"];
    assert_eq!(
        (&reply["expires_in"], &user["expires_in"]),
        (&json!(43_200), &json!(21_600))
    );
    stage.advance(21_600);
    assert_eq!(
        refused(&stage.api(TEST, text(user, "access_token")).await),
        "token_expired"
    );
    assert_eq!(
        stage.api(TEST, text(&reply, "access_token")).await.json()["ok"],
        true
    );
}

#[tokio::test]
async fn an_organisation_wide_install_has_no_team() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-org");
    let reply = connect(&stage, "app-org", &[]).await;
    assert_eq!(
        (&reply["team"], &reply["is_enterprise_install"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(text(&reply["enterprise"], "name"), "Acme Group");
}
