//! Webex: both lives are told and may be shortened, unknown scopes fail outright, 429 says for how long.

use super::{DAY, SECRET, Stage, Ways, refusal, text};
use crate::client::post_form;
use crate::grants::{basic, query};

pub const WAYS: Ways = Ways {
    family: "webex",
    authorize: "webexapis.com/v1/authorize",
    token: "webexapis.com/v1/access_token",
    scope: "spark:kms spark:people_read spark:rooms_read",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const ME: &str = "webexapis.com/v1/people/me";

#[tokio::test]
async fn connect_call_expire_refresh_call() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(reply["expires_in"], 14 * DAY);
    assert_eq!(reply["refresh_token_expires_in"], 90 * DAY);
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (
            text(&me, "id"),
            me["emails"][0].as_str(),
            text(&me, "displayName")
        ),
        ("acme-1815", Some("ada@acme.example"), "Ada Lovelace")
    );
    stage.advance(14 * DAY);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(late.status, 401);
    assert!(!text(&late.json(), "trackingId").is_empty());
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_eq!(next["refresh_token"], reply["refresh_token"]);
    assert_eq!(next["refresh_token_expires_in"], 90 * DAY, "prolonged");
    let rooms = stage
        .api("webexapis.com/v1/rooms?max=2", text(&next, "access_token"))
        .await
        .json();
    assert!(
        rooms["items"][0]["title"]
            .as_str()
            .unwrap()
            .contains("Ada Lovelace")
    );
    assert_eq!(rooms["query"][0], serde_json::json!(["max", "2"]));
}

#[tokio::test]
async fn a_refresh_token_lives_ninety_days_from_its_last_use() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    for _ in 0..2 {
        stage.advance(89 * DAY);
        assert_eq!(
            stage
                .refresh("app", text(&reply, "refresh_token"))
                .await
                .status,
            200
        );
    }
    stage.advance(90 * DAY);
    let dead = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&dead), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn an_organization_may_shorten_both_lives() {
    let stage = Stage::new(WAYS).await;
    stage.family.set_lives(6 * 3_600, 60 * DAY);
    let reply = stage.connected().await;
    assert_eq!(
        (&reply["expires_in"], &reply["refresh_token_expires_in"]),
        (&21_600.into(), &(60 * DAY).into())
    );
    stage.advance(21_600);
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        401
    );
    stage.advance(60 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_scope_that_is_not_registered_fails_outright() {
    let stage = Stage::new(WAYS).await;
    for scope in [
        "spark:people_read admin:everything",
        "spark:people_read,spark:rooms_read",
        "",
    ] {
        let redirect = stage.authorize("app", &[("scope", scope)]).await;
        assert_eq!(
            query(&redirect, "error").as_deref(),
            Some("invalid_scope"),
            "{scope}"
        );
    }
    let code = stage.code("app", &[("scope", "spark:people_read")]).await;
    let reply = stage.exchange("app", &code).await.json();
    let rooms = stage
        .api("webexapis.com/v1/rooms", text(&reply, "access_token"))
        .await;
    assert_eq!(rooms.status, 403, "not asked for");
}

#[tokio::test]
async fn a_throttle_says_for_how_long() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage.family.throttle_for(12);
    let throttled = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(
        (throttled.status.as_u16(), throttled.header("retry-after")),
        (429, "12")
    );
    stage.advance(12);
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        200
    );
    assert_eq!(
        stage
            .api("webexapis.com/v1/nothing", text(&reply, "access_token"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn codes_and_clients_are_checked() {
    let stage = Stage::new(WAYS).await;
    for (change, error) in [
        (("code", "guess"), "invalid_grant"),
        (("code_verifier", ""), "invalid_grant"),
        (
            ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
            "invalid_grant",
        ),
        (("grant_type", "password"), "unsupported_grant_type"),
    ] {
        let code = stage.code("app", &[]).await;
        let answer = stage.exchange_with("app", &code, &[change]).await;
        assert_eq!(refusal(&answer), (400, error.to_owned()));
    }
    let header = basic("app", SECRET);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "guess")];
    let by_header = post_form(
        &stage.url(WAYS.token),
        &[("authorization", &header)],
        &fields,
    )
    .await
    .unwrap();
    assert_eq!(refusal(&by_header), (401, "invalid_client".to_owned()));
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(stage.exchange("app", &code).await.status, 400);
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.example/"),
    ] {
        let page = stage.authorize("app", &[change]).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, ""));
    }
}

#[tokio::test]
async fn publishing_and_conferencing_work_with_their_scopes() {
    let stage = Stage::new(WAYS).await;
    let scope = "spark:kms spark:messages_read spark:messages_write meeting:schedules_read meeting:schedules_write";
    let code = stage.code("app", &[("scope", scope)]).await;
    let reply = stage.exchange("app", &code).await.json();
    let token = text(&reply, "access_token");
    let posted = stage
        .post(
            "webexapis.com/v1/messages",
            token,
            r#"{"roomId":"room-1","text":"hi"}"#,
        )
        .await;
    assert_eq!(posted.json()["text"], "hi");
    assert_eq!(
        stage.api("webexapis.com/v1/messages", token).await.status,
        400,
        "a room must be named"
    );
    assert_eq!(
        stage
            .api("webexapis.com/v1/messages?roomId=room-1", token)
            .await
            .status,
        200
    );
    let meetings = stage.api("webexapis.com/v1/meetings", token).await.json();
    assert_eq!(meetings["items"][0]["hostEmail"], "ada@acme.example");
}
