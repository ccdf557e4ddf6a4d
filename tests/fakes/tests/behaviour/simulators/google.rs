//! Google: when there is a refresh token, granular consent, what revocation takes along, throttling by 403.

use http::Method;

use super::{DAY, REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, form, get, post_form, send};
use crate::grants::{VERIFIER, basic, query};

pub const WAYS: Ways = Ways {
    family: "google",
    authorize: "accounts.google.com/o/oauth2/v2/auth",
    token: "oauth2.googleapis.com/token",
    scope: "openid email profile https://www.googleapis.com/auth/calendar.readonly",
    extra: &[("access_type", "offline"), ("prompt", "consent")],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const EVENTS: &str = "www.googleapis.com/calendar/v3/calendars/primary/events";
const ME: &str = "openidconnect.googleapis.com/v1/userinfo";

async fn revoke(stage: &Stage, token: &str) -> Answer {
    post_form(
        &stage.url("oauth2.googleapis.com/revoke"),
        &[],
        &[("token", token)],
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(reply["expires_in"], 3_600);
    assert_eq!(reply.get("refresh_token_expires_in"), None);
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&me, "sub"), text(&me, "email"), text(&me, "name")),
        ("acme-1815", "ada@acme.example", "Ada Lovelace")
    );
    stage.advance(3_600);
    let late = stage.api(EVENTS, text(&reply, "access_token")).await;
    assert_eq!(late.status, 401);
    assert_eq!(late.json()["error"]["status"], "UNAUTHENTICATED");
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_eq!(
        next.get("refresh_token"),
        None,
        "a refresh reply never carries one"
    );
    let events = stage
        .api(
            &format!("{EVENTS}?timeMin=2026-01-01T00%3A00%3A00Z"),
            text(&next, "access_token"),
        )
        .await
        .json();
    assert_eq!(events["summary"], "Ada Lovelace");
    assert_eq!(events["query"][0][1], "2026-01-01T00:00:00Z");
    assert_eq!(
        revoke(&stage, text(&reply, "refresh_token")).await.status,
        200
    );
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(
        stage.api(EVENTS, text(&next, "access_token")).await.status,
        401
    );
    let dead = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&dead), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_refresh_token_comes_with_the_first_offline_consent_or_when_asked_again() {
    let stage = Stage::new(WAYS).await;
    for (changes, expected) in [
        (vec![("prompt", ""), ("access_type", "")], false),
        (
            vec![("prompt", "consent"), ("access_type", "online")],
            false,
        ),
        (vec![("prompt", "consent")], true),
        (vec![("prompt", "")], false),
        (vec![("prompt", "select_account consent")], true),
    ] {
        let code = stage.code("app", &changes).await;
        let reply = stage.exchange("app", &code).await.json();
        assert_eq!(
            reply.get("refresh_token").is_some(),
            expected,
            "{changes:?}"
        );
    }
    let fresh = Stage::new(WAYS).await;
    let code = fresh.code("app", &[("prompt", "")]).await;
    let reply = fresh.exchange("app", &code).await.json();
    assert!(reply.get("refresh_token").is_some(), "the first consent");
    revoke(&fresh, text(&reply, "access_token")).await;
    let code = fresh.code("app", &[("prompt", "")]).await;
    let reply = fresh.exchange("app", &code).await.json();
    assert!(
        reply.get("refresh_token").is_some(),
        "the first consent since the revocation"
    );
    let wrong = fresh.authorize("app", &[("access_type", "always")]).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn the_reply_names_the_scopes_that_were_left_ticked_in_full_and_in_another_order() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        reply["scope"],
        "https://www.googleapis.com/auth/calendar.readonly https://www.googleapis.com/auth/userinfo.email \
         https://www.googleapis.com/auth/userinfo.profile openid"
    );
    let page = stage.authorize("app", &[]).await;
    let calendar = "https://www.googleapis.com/auth/calendar.readonly";
    let fields = [
        ("without", calendar),
        ("without", "email"),
        ("account", "acme-1906"),
        ("decision", "allow"),
    ];
    let code = query(&stage.decide(&page, &fields).await, "code").unwrap();
    let reply = stage.exchange("app", &code).await.json();
    assert_eq!(
        reply["scope"],
        "https://www.googleapis.com/auth/userinfo.profile openid"
    );
    let token = text(&reply, "access_token");
    assert_eq!(stage.api(ME, token).await.json().get("email"), None);
    let refused = stage.api(EVENTS, token).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json()["error"]["errors"][0]["reason"],
        "insufficientPermissions"
    );
}

#[tokio::test]
async fn revoking_one_token_ends_every_grant_of_that_user_and_app() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    let second = stage.connected().await;
    let page = stage.authorize("app", &[]).await;
    let grace = [("account", "acme-1906"), ("decision", "allow")];
    let code = query(&stage.decide(&page, &grace).await, "code").unwrap();
    let hers = stage.exchange("app", &code).await.json();
    assert_eq!(stage.family.live_grants(), 3);
    assert_eq!(
        revoke(&stage, text(&first, "access_token")).await.status,
        200
    );
    assert_eq!(
        stage
            .refresh("app", text(&second, "refresh_token"))
            .await
            .status,
        400
    );
    assert_eq!(
        stage
            .refresh("app", text(&hers, "refresh_token"))
            .await
            .status,
        200
    );
    for dead in [text(&second, "refresh_token"), "guess"] {
        assert_eq!(
            refusal(&revoke(&stage, dead).await),
            (400, "invalid_token".to_owned())
        );
    }
    let in_url = format!(
        "oauth2.googleapis.com/revoke?{}",
        form(&[("token", text(&hers, "refresh_token"))])
    );
    assert_eq!(get(&stage.url(&in_url), &[]).await.status, 404);
    assert_eq!(
        send(Method::POST, &stage.url(&in_url), &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(stage.family.live_grants(), 0);
}

#[tokio::test]
async fn a_refresh_token_dies_after_six_idle_months_and_after_a_week_in_testing() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let refresh_token = text(&reply, "refresh_token");
    for _ in 0..3 {
        stage.advance(181 * DAY);
        assert_eq!(stage.refresh("app", refresh_token).await.status, 200);
    }
    stage.advance(183 * DAY);
    assert_eq!(
        refusal(&stage.refresh("app", refresh_token).await).1,
        "invalid_grant"
    );
    stage.family.set_testing_mode();
    let reply = stage.connected().await;
    assert_eq!(reply["refresh_token_expires_in"], 7 * DAY);
    stage.advance(6 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    stage.advance(DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn the_hundred_and_first_refresh_token_kills_the_oldest_without_a_word() {
    let stage = Stage::new(WAYS).await;
    let oldest = stage.connected().await;
    let second = stage.connected().await;
    for _ in 0..98 {
        stage.connected().await;
    }
    assert_eq!(
        stage
            .refresh("app", text(&oldest, "refresh_token"))
            .await
            .status,
        200
    );
    stage.connected().await;
    assert_eq!(
        stage
            .refresh("app", text(&oldest, "refresh_token"))
            .await
            .status,
        400
    );
    assert_eq!(
        stage
            .refresh("app", text(&second, "refresh_token"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn clients_may_use_either_style_and_wrong_ones_are_told_in_googles_words() {
    let stage = Stage::new(WAYS).await;
    let url = stage.url(WAYS.token);
    let code = stage.code("app", &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    for (id, secret) in [("app", "guess"), ("nobody", SECRET), ("app", "")] {
        let all: Vec<_> = fields
            .into_iter()
            .chain([("client_id", id), ("client_secret", secret)])
            .collect();
        let answer = post_form(&url, &[], &all).await.unwrap();
        assert_eq!(refusal(&answer), (401, "invalid_client".to_owned()), "{id}");
    }
    let header = basic("app", SECRET);
    let with_header = post_form(&url, &[("authorization", &header)], &fields)
        .await
        .unwrap();
    assert_eq!(with_header.status, 200);
    for (change, error) in [
        (("code_verifier", ""), "invalid_grant"),
        (
            ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
            "redirect_uri_mismatch",
        ),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("code", "guess"), "invalid_grant"),
    ] {
        let code = stage.code("app", &[]).await;
        let answer = stage.exchange_with("app", &code, &[change]).await;
        assert_eq!(refusal(&answer), (400, error.to_owned()));
    }
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(stage.exchange("app", &code).await.status, 400);
}

#[tokio::test]
async fn a_wrong_authorization_request_stays_on_googles_page() {
    let stage = Stage::new(WAYS).await;
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
        ("scope", ""),
        ("scope", "openid,email"),
        ("scope", "https://www.googleapis.com/auth/nothing"),
    ] {
        let page = stage.authorize("app", &[change]).await;
        assert_eq!(
            (page.status.as_u16(), page.header("location")),
            (400, ""),
            "{change:?}"
        );
    }
    let plain = stage
        .authorize("app", &[("code_challenge_method", "plain")])
        .await;
    assert_eq!(query(&plain, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn drive_and_meet_want_scopes_of_their_own_and_a_throttle_is_a_403() {
    let stage = Stage::new(WAYS).await;
    let scope = "openid https://www.googleapis.com/auth/drive.readonly https://www.googleapis.com/auth/meetings.space.created";
    let code = stage.code("app", &[("scope", scope)]).await;
    let reply = stage.exchange("app", &code).await.json();
    let token = text(&reply, "access_token");
    let files = stage
        .api("www.googleapis.com/drive/v3/files?q=x", token)
        .await
        .json();
    assert_eq!(
        files["files"][0]["owners"][0]["displayName"],
        "Ada Lovelace"
    );
    let space = stage
        .post("meet.googleapis.com/v2/spaces", token, "{}")
        .await
        .json();
    assert!(text(&space, "meetingUri").starts_with("https://meet.google.com/"));
    assert_eq!(stage.api(EVENTS, token).await.status, 403);
    for real in [
        "www.googleapis.com/drive/v4/files",
        "meet.googleapis.com/v2/nothing",
    ] {
        let unknown = stage.api(real, token).await;
        assert_eq!(
            (unknown.status.as_u16(), &unknown.json()["error"]["code"]),
            (404, &404.into())
        );
    }
    stage.family.throttle_for(10);
    let throttled = stage.api("www.googleapis.com/drive/v3/files", token).await;
    assert_eq!(throttled.status, 403);
    assert_eq!(
        throttled.json()["error"]["errors"][0]["reason"],
        "rateLimitExceeded"
    );
}

#[tokio::test]
async fn a_limited_session_is_refused_until_the_person_signs_in_again() {
    let stage = Stage::new(WAYS).await;
    stage.family.limit_sessions(16 * 3_600);
    let reply = stage.connected().await;
    let refresh_token = text(&reply, "refresh_token");
    stage.advance(15 * 3_600);
    let next = stage.refresh("app", refresh_token).await;
    assert_eq!(next.status, 200);
    stage.advance(3_600 - 1);
    assert_eq!(stage.refresh("app", refresh_token).await.status, 200);
    stage.advance(1);
    let over = stage.refresh("app", refresh_token).await;
    assert_eq!(refusal(&over), (400, "invalid_grant".to_owned()));
    assert_eq!(text(&over.json(), "error_subtype"), "invalid_rapt");
    assert!(text(&over.json(), "error_description").contains("invalid_rapt"));
    // What is no token of this app's says nothing about sessions.
    let guess = stage.refresh("app", "guess").await;
    assert_eq!(guess.json().get("error_subtype"), None);
    let again = stage.connected().await;
    let again = stage.refresh("app", text(&again, "refresh_token")).await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn a_changed_password_ends_what_holds_a_scope_of_gmail() {
    let stage = Stage::new(WAYS).await;
    let calendar = stage.connected().await;
    let mail = "openid https://www.googleapis.com/auth/gmail.readonly";
    let code = stage.code("app", &[("scope", mail)]).await;
    let mail = stage.exchange("app", &code).await.json();
    let refreshed = async |reply: &serde_json::Value| {
        let answer = stage.refresh("app", text(reply, "refresh_token")).await;
        answer.status.as_u16()
    };
    stage.family.change_password("acme-1906");
    assert_eq!(refreshed(&mail).await, 200, "somebody else's");
    stage.family.change_password("acme-1815");
    assert_eq!(refreshed(&mail).await, 400);
    let me = stage.api(ME, text(&mail, "access_token")).await;
    assert_eq!(me.status, 401);
    assert_eq!(refreshed(&calendar).await, 200);
}
