//! Zoom: Basic, single-use refresh tokens, one authorization per user, server-to-server apps.

use consulate_fakes::simulators::ServiceAccount;
use http::Method;

use super::{DAY, REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{post_form, send};
use crate::grants::{VERIFIER, basic, query};

pub const WAYS: Ways = Ways {
    family: "zoom",
    authorize: "zoom.us/oauth/authorize",
    token: "zoom.us/oauth/token",
    scope: "user:read:user meeting:read:list_meetings",
    extra: &[],
    pkce: true,
    basic: true,
    on_refresh: &[],
};

const ME: &str = "api.zoom.us/v2/users/me";

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        (&reply["expires_in"], text(&reply, "api_url")),
        (&3_600.into(), "https://api.zoom.us")
    );
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&me, "id"), text(&me, "email")),
        ("acme-1815", "ada@acme.example")
    );
    assert_eq!(
        (text(&me, "first_name"), text(&me, "last_name")),
        ("Ada", "Lovelace")
    );
    stage.advance(3_600);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(
        (late.status.as_u16(), &late.json()["code"]),
        (401, &124.into())
    );
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    let meetings = stage
        .api(
            "api.zoom.us/v2/users/me/meetings?type=live&type=a%20b",
            text(&next, "access_token"),
        )
        .await
        .json();
    assert!(
        meetings["meetings"][0]["topic"]
            .as_str()
            .unwrap()
            .contains("Ada Lovelace")
    );
    assert_eq!(
        meetings["query"],
        serde_json::json!([["type", "live"], ["type", "a b"]])
    );
    assert_eq!(stage.family.live_grants(), 1);
    let revoked = post_form(
        &stage.url("zoom.us/oauth/revoke"),
        &[("authorization", &basic("app", SECRET))],
        &[("token", text(&next, "refresh_token"))],
    )
    .await
    .unwrap();
    assert_eq!(text(&revoked.json(), "status"), "success");
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(stage.api(ME, text(&next, "access_token")).await.status, 401);
    let seen = stage.family.seen();
    assert_eq!(
        (
            seen.exchanges,
            seen.refreshes,
            seen.revoke_calls,
            seen.revoked
        ),
        (1, 1, 1, 1)
    );
}

#[tokio::test]
async fn only_basic_authentication_is_taken() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let url = stage.url(WAYS.token);
    let in_body: Vec<_> = fields
        .into_iter()
        .chain([("client_id", "app"), ("client_secret", SECRET)])
        .collect();
    let wrong = basic("app", "guess");
    let nobody = basic("nobody", SECRET);
    for (headers, fields) in [
        (vec![], in_body.as_slice()),
        (vec![("authorization", wrong.as_str())], &fields),
        (vec![("authorization", nobody.as_str())], &fields),
        (vec![], &fields),
    ] {
        let answer = post_form(&url, &headers, fields).await.unwrap();
        assert_eq!(refusal(&answer), (401, "invalid_client".to_owned()));
        assert!(
            !text(&answer.json(), "reason").is_empty(),
            "`reason` stands next to `error`"
        );
    }
    assert_eq!(
        stage.exchange("app", &code).await.status,
        200,
        "nothing was spent"
    );
    let revoke = [
        ("token", "x"),
        ("client_id", "app"),
        ("client_secret", SECRET),
    ];
    let revoked = post_form(&stage.url("zoom.us/oauth/revoke"), &[], &revoke)
        .await
        .unwrap();
    assert_eq!(revoked.status, 401);
}

#[tokio::test]
async fn a_code_lives_five_minutes_and_is_bound_to_its_request() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    stage.advance(300);
    let late = stage.exchange("app", &code).await;
    assert!(text(&late.json(), "reason").contains("4733"));
    for (change, reason) in [
        (("code_verifier", ""), "code_verifier"),
        (("code_verifier", "e".repeat(43).as_str()), "code_verifier"),
        (
            ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
            "Redirect URI",
        ),
        (("code", "guess"), "4734"),
    ] {
        let code = stage.code("app", &[]).await;
        let answer = stage.exchange_with("app", &code, &[change]).await;
        assert_eq!(answer.status, 400);
        assert!(
            text(&answer.json(), "reason").contains(reason),
            "{}",
            answer.text()
        );
    }
    let code = stage.code("app", &[]).await;
    assert!(text(&stage.exchange("other", &code).await.json(), "reason").contains("4734"));
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    assert_eq!(stage.exchange("app", &code).await.status, 400);
    assert_eq!(
        stage.family.live_grants(),
        0,
        "a code used twice ends what came of it"
    );
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_grant() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let reused = stage.refresh("app", text(&first, "refresh_token")).await;
    assert_eq!(refusal(&reused), (401, "invalid_grant".to_owned()));
    assert!(text(&reused.json(), "reason").contains("4737"));
    assert_eq!(
        stage
            .refresh("app", text(&second, "refresh_token"))
            .await
            .status,
        401
    );
    assert_eq!(
        stage.api(ME, text(&second, "access_token")).await.status,
        401
    );
    assert_eq!(stage.family.seen().reuse_detected, 1);
}

#[tokio::test]
async fn a_newer_authorization_of_the_same_user_kills_the_earlier_one() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    let page = stage.authorize("app", &[]).await;
    let grace = [("account", "acme-1906"), ("decision", "allow")];
    let code = query(&stage.decide(&page, &grace).await, "code").unwrap();
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    assert_eq!(
        stage.api(ME, text(&first, "access_token")).await.status,
        200,
        "another user"
    );
    let second = stage.connected().await;
    assert_eq!(
        stage.api(ME, text(&first, "access_token")).await.status,
        401
    );
    let killed = stage.refresh("app", text(&first, "refresh_token")).await;
    assert!(text(&killed.json(), "reason").contains("4741"));
    assert_eq!(
        stage.api(ME, text(&second, "access_token")).await.status,
        200
    );
}

#[tokio::test]
async fn a_refresh_token_dies_after_ninety_idle_days_and_each_use_starts_anew() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    stage.advance(89 * DAY);
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    stage.advance(89 * DAY);
    let third = stage
        .refresh("app", text(&second, "refresh_token"))
        .await
        .json();
    stage.advance(90 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&third, "refresh_token"))
            .await
            .status,
        401
    );
    assert_eq!(stage.family.live_grants(), 0);
}

#[tokio::test]
async fn scopes_may_be_separated_by_commas_or_spaces_or_left_to_the_registration() {
    let stage = Stage::new(WAYS).await;
    for scope in [
        "user:read:user,meeting:read:meeting",
        "user:read:user meeting:read:meeting",
        "",
    ] {
        assert_eq!(
            stage.authorize("app", &[("scope", scope)]).await.status,
            200,
            "{scope}"
        );
    }
    let unknown = stage
        .authorize("app", &[("scope", "user:read:user admin")])
        .await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("invalid_scope"));
    for changes in [
        ("client_id", "nobody"),
        ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
    ] {
        let page = stage.authorize("app", &[changes]).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, ""));
    }
    let plain = stage
        .authorize("app", &[("code_challenge_method", "plain")])
        .await;
    assert_eq!(query(&plain, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_server_to_server_app_gets_tokens_for_its_account() {
    let stage = Stage::new(WAYS).await;
    let service = ServiceAccount {
        id: "s2s".to_owned(),
        secret: SECRET.to_owned(),
        tenant: "account-7".to_owned(),
    };
    assert!(!format!("{service:?}").contains(SECRET));
    stage.simulators.register_service("zoom", service);
    let right = [
        ("grant_type", "account_credentials"),
        ("account_id", "account-7"),
    ];
    let first = stage.token("s2s", &right).await.json();
    assert_eq!(
        (&first["expires_in"], first.get("refresh_token")),
        (&3_600.into(), None)
    );
    let header = basic("s2s", SECRET);
    let in_url =
        stage.url("zoom.us/oauth/token?grant_type=account_credentials&account_id=account-7");
    let second = send(Method::POST, &in_url, &[("authorization", &header)], "")
        .await
        .unwrap()
        .json();
    for reply in [&first, &second] {
        assert_eq!(
            stage.api(ME, text(reply, "access_token")).await.status,
            200,
            "older ones go on"
        );
    }
    let wrong = [
        ("grant_type", "account_credentials"),
        ("account_id", "account-8"),
    ];
    assert_eq!(stage.token("s2s", &wrong).await.status, 400);
    assert_eq!(
        refusal(&stage.token("app", &right).await).1,
        "invalid_client"
    );
}

#[tokio::test]
async fn unknown_paths_and_throttling_are_told_in_zooms_words() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let token = text(&reply, "access_token");
    let unknown = stage.api("api.zoom.us/v2/nothing", token).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json()["code"]),
        (404, &2_300.into())
    );
    stage.family.throttle_for(30);
    assert_eq!(stage.api(ME, token).await.status, 429);
    stage.advance(30);
    assert_eq!(stage.api(ME, token).await.status, 200);
    assert_eq!(stage.api(ME, "guess").await.status, 401);
}

#[tokio::test]
async fn a_newer_server_token_may_end_the_ones_before() {
    let stage = Stage::new(WAYS).await;
    let service = ServiceAccount {
        id: "s2s".to_owned(),
        secret: SECRET.to_owned(),
        tenant: "account-7".to_owned(),
    };
    stage.simulators.register_service("zoom", service);
    stage.family.set_single_server_token();
    let right = [
        ("grant_type", "account_credentials"),
        ("account_id", "account-7"),
    ];
    let first = stage.token("s2s", &right).await.json();
    let second = stage.token("s2s", &right).await.json();
    let ended = stage.api(ME, text(&first, "access_token")).await;
    assert_eq!(
        (ended.status.as_u16(), &ended.json()["code"]),
        (401, &124.into())
    );
    let newer = stage.api(ME, text(&second, "access_token")).await;
    assert_eq!(newer.status, 200);
}

#[tokio::test]
async fn a_user_who_left_is_4735_and_a_disabled_app_4738() {
    let stage = Stage::new(WAYS).await;
    let hers = stage.connected().await;
    stage.family.remove_user("acme-1906");
    stage.family.disable_app("other");
    let hers = stage
        .refresh("app", text(&hers, "refresh_token"))
        .await
        .json();
    stage.family.remove_user("acme-1815");
    let gone = stage.refresh("app", text(&hers, "refresh_token")).await;
    assert_eq!(refusal(&gone), (401, "invalid_grant".to_owned()));
    assert!(text(&gone.json(), "reason").contains("4735"));
    let me = stage.api(ME, text(&hers, "access_token")).await;
    assert_eq!(me.status, 401);

    let reply = stage.connected().await;
    stage.family.disable_app("app");
    let disabled = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&disabled), (401, "invalid_grant".to_owned()));
    assert!(text(&disabled.json(), "reason").contains("4738"));
}

#[tokio::test]
async fn a_token_reply_names_the_api_of_the_accounts_region() {
    let stage = Stage::new(WAYS).await;
    stage.family.set_region("eu");
    let reply = stage.connected().await;
    assert_eq!(text(&reply, "api_url"), "https://api-eu.zoom.us");
    for real in ["api-eu.zoom.us/v2/users/me", ME] {
        let me = stage.api(real, text(&reply, "access_token")).await;
        assert_eq!(text(&me.json(), "id"), "acme-1815", "{real}");
    }
    let elsewhere = "api-eu.zoom.us/oauth/token";
    let elsewhere = stage.api(elsewhere, text(&reply, "access_token")).await;
    assert_eq!(elsewhere.status, 404);
}
