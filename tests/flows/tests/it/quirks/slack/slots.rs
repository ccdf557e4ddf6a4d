//! Two tokens of one consent: which call takes which, and each renewed by itself.

use std::time::Duration;

use consulate_fakes::provider::Reply;
use consulate_flows::browser::{Browser, From};
use consulate_flows::consent::ADA as PERSON;
use consulate_flows::stage::Stage;
use consulate_flows::walk::query;
use futures_util::future::join_all;
use serde_json::json;

use super::super::{
    HOUR, asked, declare, envelope, merged, must_connect, presented, readiness, was_called,
};
use super::{ADA, BOT, USER_SCOPE, ask_for_two_tokens, named, two_tokens, with_apis};

#[tokio::test]
async fn one_consent_brings_a_token_for_the_bot_and_one_for_the_person() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    assert_eq!((asked(&stage), stage.family.live_grants()), (1, 1));
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
    let status = stage.status("ada").await;
    assert_eq!(
        status["scopes"],
        json!(["chat:write", "channels:read", USER_SCOPE])
    );
    assert_eq!(readiness(&status, "asUser")["status"], "usable", "{status}");
}

#[tokio::test]
async fn scopes_of_either_kind_stand_in_parameters_of_their_own_with_commas_and_without_pkce() {
    let stage = two_tokens("").await;
    let authorize = stage.depart(&mut Browser::default(), "ada").await;
    assert_eq!(
        query(&authorize, "scope").as_deref(),
        Some("chat:write,channels:read")
    );
    assert_eq!(query(&authorize, "user_scope").as_deref(), Some(USER_SCOPE));
    assert!(!authorize.contains("code_challenge"), "{authorize}");
}

#[tokio::test]
async fn without_user_scopes_nobody_is_asked_for_them() {
    let stage = Stage::set("slack", "slack").await;
    let authorize = stage.depart(&mut Browser::default(), "ada").await;
    assert_eq!(query(&authorize, "user_scope"), None);
}

#[tokio::test]
async fn each_token_is_renewed_by_itself_and_no_refresh_token_is_presented_twice() {
    // The person's token lives six hours, the bot's twelve.
    let stage = two_tokens("-uneven").await;
    stage.connect("ada").await;
    for round in 1..=2 {
        stage.wait(6 * HOUR);
        let before = presented(&stage, "refresh_token");
        if round % 2 == 1 {
            assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
            assert_eq!(presented(&stage, "refresh_token"), before);
        }
        assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
        assert_eq!(presented(&stage, "refresh_token"), before + 1);
        if round % 2 == 0 {
            assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
            assert_eq!(presented(&stage, "refresh_token"), before + 2);
        }
        assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
    }
    let seen = stage.family.seen();
    assert_eq!((seen.refreshes, seen.reuse_detected), (3, 0));
}

#[tokio::test]
async fn the_end_of_the_persons_token_leaves_the_bot_alone() {
    let stage = two_tokens("-uneven").await;
    stage.connect("ada").await;
    stage.wait(6 * HOUR);
    let refused = json!({"ok": false, "error": "invalid_refresh_token"});
    stage
        .family
        .script_token(super::super::canned(200, refused));
    must_connect(
        stage.call("ada", "asUser", json!({})).await,
        "provider_refused",
    );
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
    let status = stage.status("ada").await;
    assert_eq!(status["status"], "needs_reauthorisation", "{status}");
    assert_eq!(readiness(&status, "probe")["status"], "usable", "{status}");
    assert_eq!(
        readiness(&status, "asUser")["status"],
        "needs_reauthorisation",
        "{status}"
    );
}

#[tokio::test]
async fn a_user_scope_that_was_asked_for_and_not_granted_is_missing() {
    let stage = two_tokens("").await;
    let nobody = merged(json!({"authed_user": {"id": "acme-1815"}}));
    stage.family.script_token(nobody);
    stage.connect("ada").await;
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
    must_connect(
        stage.call("ada", "asUser", json!({})).await,
        "missing_scopes",
    );
    let status = stage.status("ada").await;
    let api = readiness(&status, "asUser");
    assert_eq!(api["status"], "missing_scopes", "{status}");
    assert_eq!(api["missing_scopes"], json!([USER_SCOPE]), "{status}");
    assert_eq!(status["status"], "connected", "{status}");
}

#[tokio::test]
async fn a_consent_that_brings_the_persons_token_alone_is_refused_for_its_scopes() {
    let stage = two_tokens("").await;
    // Not an access token, and so the bot's is none.
    stage
        .family
        .script_token(merged(json!({"access_token": null})));
    let mut browser = Browser::default();
    let authorize = stage.depart(&mut browser, "ada").await;
    let callback = stage
        .decide(&mut browser, &authorize, PERSON, "allow", &[])
        .await;
    let ended = stage.arrive(&mut browser, &callback).await.expect(303);
    let page = browser.get(ended.header("location"), From::Here).await;
    assert!(page.text().contains("missing_scopes"), "{}", page.text());
    assert_eq!(stage.status("ada").await["status"], "not_connected");
    assert_eq!(stage.family.seen().revoke_calls, 0);
}

#[tokio::test]
async fn who_never_connected_or_disconnected_is_not_told_of_scopes() {
    let stage = two_tokens("").await;
    must_connect(
        stage.call("ada", "asUser", json!({})).await,
        "not_connected",
    );
    let nobody = merged(json!({"authed_user": {"id": "acme-1815"}}));
    stage.family.script_token(nobody);
    stage.connect("ada").await;
    stage.disconnect("ada").await;
    must_connect(stage.call("ada", "asUser", json!({})).await, "disconnected");
    let status = stage.status("ada").await;
    let api = readiness(&status, "asUser");
    let expected = json!({"name": "asUser", "status": "not_connected", "missing_scopes": []});
    assert_eq!(*api, expected, "{status}");
}

#[tokio::test]
async fn a_scope_of_the_bots_is_missing_where_the_persons_token_goes() {
    let stage = Stage::set_with("slack", "slack", |schema, consulate| {
        for name in ["asUser", "asBot"] {
            declare(schema, name, "GET", "https://slack.com/api/auth.test");
        }
        let scopes = json!(["chat:write"]);
        consulate["apis"] = json!({"asUser": {"token_slot": "user", "scopes": scopes}, "asBot": {"scopes": scopes}});
    })
    .await;
    ask_for_two_tokens(&stage, "").await;
    stage.connect("ada").await;
    let status = stage.status("ada").await;
    let api = readiness(&status, "asUser");
    let missing = (&api["status"], &api["missing_scopes"]);
    let expected = (&json!("missing_scopes"), &json!(["chat:write"]));
    assert_eq!(missing, expected, "{status}");
    let api = readiness(&status, "asBot");
    assert_eq!(api["status"], "usable", "{status}");
}

#[tokio::test]
async fn a_disconnect_ends_every_token_before_it_waits_for_the_provider() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let slow = Reply::SlowBy(Duration::from_secs(2));
    stage.family.script_revoke(slow);
    let during = async {
        let begun = async || {
            let slots = [stage.row("ada", "").await, stage.row("ada", "user").await];
            slots.into_iter().flatten().any(|row| row.lease.is_some())
        };
        while !begun().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for api in ["probe", "asUser"] {
            must_connect(stage.call("ada", api, json!({})).await, "disconnected");
        }
        stage.family.live_grants()
    };
    let (receipt, live) = tokio::join!(stage.disconnect("ada"), during);
    assert_eq!(live, 1, "the provider had answered already");
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(stage.family.live_grants(), 0);
}

#[tokio::test]
async fn connecting_again_without_the_user_scope_takes_the_persons_token_away() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let nobody = merged(json!({"authed_user": {"id": "acme-1815"}}));
    stage.family.script_token(nobody);
    stage.connect("ada").await;
    assert!(stage.row("ada", "user").await.is_none());
    // Giving the former consent's tokens back might end the new one's.
    assert_eq!(stage.family.seen().revoke_calls, 0);
    stage.wait(15);
    must_connect(
        stage.call("ada", "asUser", json!({})).await,
        "missing_scopes",
    );
}

#[tokio::test]
async fn a_field_of_the_reply_fills_a_path_and_never_leaves_it() {
    let stage = with_apis().await;
    let odd = "T@evil.example/?a=b#c%2e";
    stage
        .family
        .script_token(merged(json!({"team": {"id": odd}})));
    stage.connect("ada").await;
    let envelope = envelope(&stage, "ada", "ofTeam").await;
    assert_eq!(
        envelope["body"]["req_method"], "T%40evil.example%2F%3Fa%3Db%23c%252e",
        "{envelope}"
    );
    assert!(!was_called(&stage, "evil.example"));
}

#[tokio::test]
async fn fifty_callers_on_an_ended_bot_token_share_one_renewal() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    stage.wait(12 * HOUR);
    let calls = (0..50).map(|_| envelope(&stage, "ada", "probe"));
    for envelope in join_all(calls).await {
        assert_eq!(named(&envelope), BOT);
    }
    assert_eq!(presented(&stage, "refresh_token"), 1);
    assert_eq!(stage.family.seen().reuse_detected, 0);
}
