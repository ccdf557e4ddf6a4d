//! Microsoft: one resource per token, scope on refresh, refresh tokens that stay, AADSTS numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_fakes::simulators::ConditionalAccess;
use serde_json::Value;

use super::{DAY, REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, form, get, post_form};
use crate::grants::query;

pub const WAYS: Ways = Ways {
    family: "microsoft",
    authorize: "login.microsoftonline.com/organizations/oauth2/v2.0/authorize",
    token: "login.microsoftonline.com/organizations/oauth2/v2.0/token",
    scope: "offline_access openid email profile User.Read Calendars.Read",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[(
        "scope",
        "offline_access openid email profile User.Read Calendars.Read",
    )],
};

pub const ME: &str = "graph.microsoft.com/v1.0/me";

/// Status, `error` and the first of `error_codes`.
pub fn aadsts(answer: &Answer) -> (u16, String, i64) {
    let (status, error) = refusal(answer);
    let body = answer.json();
    let number = body["error_codes"][0].as_i64().unwrap_or(0);
    assert!(text(&body, "error_description").starts_with(&format!("AADSTS{number}: ")));
    (status, error, number)
}

pub async fn redeem(stage: &Stage, refresh_token: &str, scope: &str) -> Answer {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("scope", scope),
    ];
    stage.token("app", &fields).await
}

/// The reply to a consent to `asked`, redeemed for `scope`.
pub async fn connected(stage: &Stage, asked: &str, scope: &str) -> Value {
    let code = stage.code("app", &[("scope", asked)]).await;
    let answer = stage.exchange_with("app", &code, &[("scope", scope)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn connect_call_expire_refresh_call() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        reply["scope"],
        "User.Read Calendars.Read openid profile email"
    );
    let seconds = reply["expires_in"].as_i64().unwrap();
    assert!((3_600..=5_400).contains(&seconds));
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&me, "id"), text(&me, "displayName")),
        ("acme-1815", "Ada Lovelace")
    );
    let info = stage
        .api(
            "graph.microsoft.com/oidc/userinfo",
            text(&reply, "access_token"),
        )
        .await
        .json();
    assert_eq!(
        (text(&info, "sub"), text(&info, "email")),
        ("acme-1815", "ada@acme.example")
    );
    stage.advance(seconds);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(late.status, 401);
    assert_eq!(late.json()["error"]["code"], "InvalidAuthenticationToken");
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    let events = stage
        .api(
            "graph.microsoft.com/v1.0/me/events?$top=5",
            text(&next, "access_token"),
        )
        .await
        .json();
    assert_eq!(
        events["value"][0]["organizer"]["emailAddress"]["name"],
        "Ada Lovelace"
    );
    assert_eq!(events["query"], serde_json::json!([["$top", "5"]]));
}

#[tokio::test]
async fn every_refresh_brings_another_refresh_token_and_the_old_one_stays() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    for old in [&first, &second] {
        assert_eq!(
            stage
                .refresh("app", text(old, "refresh_token"))
                .await
                .status,
            200
        );
    }
    stage.advance(89 * DAY);
    let third = stage
        .refresh("app", text(&second, "refresh_token"))
        .await
        .json();
    stage.advance(DAY);
    let old = stage.refresh("app", text(&second, "refresh_token")).await;
    assert_eq!(aadsts(&old), (400, "invalid_grant".to_owned(), 700_082));
    assert_eq!(
        stage
            .refresh("app", text(&third, "refresh_token"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_refresh_without_scope_is_for_what_was_consented_and_some_apps_are_refused_it() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&reply, "refresh_token")),
    ];
    stage.family.require_scope_on_refresh("other");
    let answer = stage.token("app", &fields).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["scope"], reply["scope"]);
    stage.family.require_scope_on_refresh("app");
    let answer = stage.token("app", &fields).await;
    assert_eq!(aadsts(&answer), (400, "invalid_request".to_owned(), 90_009));
}

#[tokio::test]
async fn a_policy_refuses_renewals_until_a_newer_sign_in() {
    for (policy, number, suberror, has_claims) in [
        (
            ConditionalAccess::SignInFrequency,
            70_043,
            "token_expired",
            false,
        ),
        (ConditionalAccess::MultiFactor, 50_078, "basic_action", true),
    ] {
        let stage = Stage::new(WAYS).await;
        let reply = stage.connected().await;
        stage.family.set_conditional_access(policy);
        let refused = stage.refresh("app", text(&reply, "refresh_token")).await;
        assert_eq!(aadsts(&refused), (400, "invalid_grant".to_owned(), number));
        assert_eq!(text(&refused.json(), "suberror"), suberror);
        assert_eq!(refused.json().get("claims").is_some(), has_claims);
        // What was issued before lives on.
        let me = stage.api(ME, text(&reply, "access_token")).await;
        assert_eq!(me.status, 200);
        let again = stage.connected().await;
        let renewed = stage.refresh("app", text(&again, "refresh_token")).await;
        assert_eq!(renewed.status, 200, "{number}");
    }
}

#[tokio::test]
async fn a_policy_that_blocks_lets_nobody_have_a_token() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage
        .family
        .set_conditional_access(ConditionalAccess::Blocked);
    let refused = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(aadsts(&refused), (400, "invalid_grant".to_owned(), 53_003));
    let code = stage.code("app", &[]).await;
    assert_eq!(aadsts(&stage.exchange("app", &code).await).2, 53_003);
}

#[tokio::test]
async fn an_api_may_ask_for_a_sign_in_with_claims_and_renewing_does_not_help() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage.family.challenge_for_claims();
    let renewed = stage.refresh("app", text(&reply, "refresh_token")).await;
    let renewed = renewed.json();
    for reply in [&reply, &renewed] {
        let answer = stage.api(ME, text(reply, "access_token")).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["error"]["code"], "InvalidAuthenticationToken");
        let header = answer.header("www-authenticate");
        assert!(header.contains("error=\"insufficient_claims\""), "{header}");
        let (_, claims) = header.split_once("claims=\"").unwrap();
        let claims = STANDARD.decode(claims.trim_end_matches('"')).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert!(claims["access_token"].is_object(), "{claims}");
    }
    let again = stage.connected().await;
    let me = stage.api(ME, text(&again, "access_token")).await;
    assert_eq!(me.status, 200);
}

#[tokio::test]
async fn without_offline_access_there_is_no_refresh_token() {
    let stage = Stage::new(WAYS).await;
    let reply = connected(&stage, "openid User.Read", "").await;
    assert_eq!(reply.get("refresh_token"), None);
    assert_eq!(reply["scope"], "User.Read openid");
}

#[tokio::test]
async fn every_refusal_has_its_number() {
    let stage = Stage::new(WAYS).await;
    let url = stage.url(WAYS.token);
    for (fields, expected) in [
        (
            vec![("client_id", "nobody"), ("client_secret", SECRET)],
            (400, "unauthorized_client", 700_016),
        ),
        (
            vec![("client_id", "app"), ("client_secret", "guess")],
            (401, "invalid_client", 7_000_215),
        ),
        (
            vec![("client_id", "app")],
            (401, "invalid_client", 7_000_218),
        ),
        (
            vec![("client_id", "public"), ("client_secret", SECRET)],
            (401, "invalid_client", 700_025),
        ),
    ] {
        let mut all = vec![("grant_type", "authorization_code"), ("code", "guess")];
        all.extend(fields);
        let answer = post_form(&url, &[], &all).await.unwrap();
        assert_eq!(
            aadsts(&answer),
            (expected.0, expected.1.to_owned(), expected.2)
        );
    }
    for (change, expected) in [
        (("code", "guess"), ("invalid_grant", 70_000)),
        (("code", ""), ("invalid_request", 900_144)),
        (("code_verifier", ""), ("invalid_grant", 501_481)),
        (
            ("redirect_uri", "http://127.0.0.1:8700/v1/callback"),
            ("invalid_client", 500_112),
        ),
        (
            ("grant_type", "password"),
            ("unsupported_grant_type", 70_003),
        ),
    ] {
        let code = stage.code("app", &[]).await;
        let answer = stage.exchange_with("app", &code, &[change]).await;
        assert_eq!(aadsts(&answer), (400, expected.0.to_owned(), expected.1));
    }
    let code = stage.code("app", &[]).await;
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    assert_eq!(aadsts(&stage.exchange("app", &code).await).2, 54_005);
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(aadsts(&stage.exchange("app", &code).await).2, 70_008);
    let reply = stage.connected().await;
    stage.family.revoke_grants();
    let revoked = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(
        aadsts(&revoked).2,
        50_173,
        "sessions revoked by an administrator"
    );
}

#[tokio::test]
async fn any_tenant_signs_in_and_nothing_revokes() {
    let stage = Stage::new(WAYS).await;
    for tenant in [
        "common",
        "consumers",
        "acme.onmicrosoft.com",
        "11111111-2222-3333-4444-555555555555",
    ] {
        let mut stage = Stage::new(WAYS).await;
        let authorize = format!("login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize");
        stage.ways.authorize = authorize.leak();
        stage.ways.token = format!("login.microsoftonline.com/{tenant}/oauth2/v2.0/token").leak();
        assert!(stage.connected().await.get("refresh_token").is_some());
    }
    for path in [
        "elsewhere/oauth2/v2.0/authorize",
        "common/oauth2/authorize",
        "common/oauth2/v2.0/revoke",
        "common/oauth2/v2.0/logout",
    ] {
        let url = stage.url(&format!("login.microsoftonline.com/{path}"));
        assert_eq!(get(&url, &[]).await.status, 404, "{path}");
    }
    let public = stage.code("public", &[]).await;
    assert_eq!(stage.exchange("public", &public).await.status, 200);
}

#[tokio::test]
async fn redirects_of_type_spa_get_refresh_tokens_that_do_not_slide() {
    let stage = Stage::new(WAYS).await;
    stage.family.set_single_page_redirects();
    let first = stage.connected().await;
    stage.advance(DAY - 3_600);
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    stage.advance(3_600);
    assert_eq!(
        stage
            .refresh("app", text(&second, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn an_administrators_consent_gives_no_code() {
    let stage = Stage::new(WAYS).await;
    let request = form(&[
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("state", "state-1"),
        ("scope", "https://graph.microsoft.com/.default"),
    ]);
    let place = format!("login.microsoftonline.com/organizations/v2.0/adminconsent?{request}");
    let page = get(&stage.url(&place), &[]).await;
    let allow = [("account", "acme-1815"), ("decision", "allow")];
    let redirect = stage.decide(&page, &allow).await;
    assert_eq!(query(&redirect, "admin_consent").as_deref(), Some("True"));
    assert_eq!(query(&redirect, "state").as_deref(), Some("state-1"));
    assert!(query(&redirect, "tenant").is_some());
    assert_eq!(query(&redirect, "code"), None);
}
