//! Meta: Facebook Login, which has no refresh tokens; and, in `instagram`, Instagram Login.

mod instagram;

use consulate_fakes::simulators::App;
use http::Method;
use ring::hmac;
use serde_json::json;

use super::{DAY, REDIRECT, SECRET, Stage, Ways, text};
use crate::client::{Answer, form, get, post_form, send};
use crate::grants::{VERIFIER, query};

pub const WAYS: Ways = Ways {
    family: "meta",
    authorize: "www.facebook.com/v22.0/dialog/oauth",
    token: "graph.facebook.com/v22.0/oauth/access_token",
    scope: "public_profile,email,user_posts",
    extra: &[],
    pkce: false,
    basic: false,
    on_refresh: &[],
};

const ME: &str = "graph.facebook.com/me?fields=id,name,email";
const LONG: i64 = 60 * DAY;

fn register(stage: &Stage, id: &str) {
    let app = App {
        id: id.to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uris: vec![REDIRECT.to_owned()],
    };
    stage.simulators.register("meta", app);
}

/// A short-lived token for `app`.
async fn short(stage: &Stage, app: &str) -> String {
    let code = stage.code(app, &[]).await;
    let reply = stage.exchange(app, &code).await.json();
    text(&reply, "access_token").to_owned()
}

async fn lengthen(stage: &Stage, app: &str, token: &str) -> Answer {
    let fields = [
        ("grant_type", "fb_exchange_token"),
        ("fb_exchange_token", token),
    ];
    stage.token(app, &fields).await
}

/// Status, code and subcode of a Graph API error.
fn graph_error(answer: &Answer) -> (u16, u64, Option<u64>) {
    let error = &answer.json()["error"];
    assert_eq!(
        error["type"]
            .as_str()
            .map(|kind| kind.ends_with("Exception")),
        Some(true)
    );
    let number = |member: &str| error[member].as_u64();
    (
        answer.status.as_u16(),
        number("code").unwrap(),
        number("error_subcode"),
    )
}

#[tokio::test]
async fn connect_exchange_call_expire_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(reply["expires_in"], 5_400);
    assert_eq!(text(&reply, "token_type"), "bearer");
    assert_eq!(reply.get("refresh_token"), None);
    let first = text(&reply, "access_token").to_owned();
    let long = lengthen(&stage, "app", &first).await.json();
    assert_eq!(long["expires_in"], LONG);
    let long = text(&long, "access_token").to_owned();
    let me = stage.api(ME, &long).await.json();
    assert_eq!(
        (text(&me, "name"), text(&me, "email")),
        ("Ada Lovelace", "ada@acme.example")
    );
    assert!(text(&me, "id").bytes().all(|byte| byte.is_ascii_digit()));
    // The short-lived token goes on until its own end.
    assert_eq!(stage.api(ME, &first).await.status, 200);
    stage.advance(5_400);
    let late = stage.api(ME, &first).await;
    assert_eq!(graph_error(&late), (400, 190, Some(463)));
    assert!(late.header("www-authenticate").contains("invalid_token"));
    assert_eq!(
        graph_error(&lengthen(&stage, "app", &first).await),
        (400, 190, Some(463))
    );

    stage.advance(50 * DAY);
    let next = lengthen(&stage, "app", &long).await.json();
    stage.advance(10 * DAY);
    assert_eq!(
        graph_error(&stage.api(ME, &long).await),
        (400, 190, Some(463))
    );
    let next = text(&next, "access_token");
    let posts = stage
        .api("graph.facebook.com/v25.0/me/feed?limit=2", next)
        .await
        .json();
    assert!(text(&posts["data"][0], "message").contains("Ada Lovelace"));
    assert_eq!(posts["query"], json!([["limit", "2"]]));
    assert_eq!(stage.family.live_grants(), 1);
    let bearer = format!("Bearer {next}");
    let revoked = send(
        Method::DELETE,
        &stage.url("graph.facebook.com/v22.0/me/permissions"),
        &[("authorization", &bearer)],
        "",
    )
    .await
    .unwrap();
    assert_eq!(revoked.json(), json!({ "success": true }));
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(
        graph_error(&stage.api(ME, next).await),
        (400, 190, Some(458))
    );
    let seen = stage.family.seen();
    assert_eq!(
        (
            seen.exchanges,
            seen.refreshes,
            seen.revoke_calls,
            seen.revoked
        ),
        (1, 2, 1, 1)
    );
}

#[tokio::test]
async fn a_revocation_ends_every_connection_of_the_same_person() {
    let stage = Stage::new(WAYS).await;
    let (first, second) = (short(&stage, "app").await, short(&stage, "app").await);
    let elsewhere = short(&stage, "other").await;
    let me = stage.api("graph.facebook.com/me", &first).await.json();
    let url = format!(
        "graph.facebook.com/v22.0/{}/permissions?access_token={first}",
        text(&me, "id")
    );
    let revoked = send(Method::DELETE, &stage.url(&url), &[], "")
        .await
        .unwrap();
    assert_eq!(revoked.status, 200);
    assert_eq!(stage.api(ME, &second).await.status, 400);
    assert_eq!(stage.api(ME, &elsewhere).await.status, 200);
    let foreign = stage.url("graph.facebook.com/v22.0/12345/permissions");
    let foreign = format!("{foreign}?access_token={elsewhere}");
    let refused = send(Method::DELETE, &foreign, &[], "").await.unwrap();
    assert_eq!(graph_error(&refused), (400, 100, Some(33)));
}

#[tokio::test]
async fn the_dialog_has_any_version_and_a_path_without_one_is_not_found() {
    let stage = Stage::new(WAYS).await;
    for (path, status) in [
        ("www.facebook.com/v3.1/dialog/oauth", 400),
        ("www.facebook.com/v99.0/dialog/oauth", 400),
        ("www.facebook.com/dialog/oauth", 404),
        ("www.facebook.com/vx/dialog/oauth", 404),
        ("www.facebook.com/v22.0/dialog/elsewhere", 404),
        ("graph.facebook.com/v22.0", 404),
        ("graph.facebook.com/v22.0/oauth/elsewhere", 404),
    ] {
        assert_eq!(get(&stage.url(path), &[]).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn scopes_are_separated_by_commas_and_the_redirect_ends_in_a_fragment() {
    let stage = Stage::new(WAYS).await;
    let page = stage
        .authorize("app", &[("scope", "public_profile email")])
        .await;
    assert_eq!(page.status, 400);
    assert!(page.text().contains("invalid_scope"));
    let page = stage.authorize("app", &[("return_scopes", "true")]).await;
    let allow = [
        ("account", "acme-1815"),
        ("decision", "allow"),
        ("without", "email"),
        ("without", "user_posts"),
    ];
    let redirect = stage.decide(&page, &allow).await;
    assert!(redirect.header("location").ends_with("&state=state-1#_=_"));
    assert_eq!(
        query(&redirect, "granted_scopes").as_deref(),
        Some("public_profile")
    );
    assert_eq!(
        query(&redirect, "denied_scopes").as_deref(),
        Some("email,user_posts")
    );

    let code = query(&redirect, "code").unwrap();
    let reply = stage.exchange("app", &code).await.json();
    let token = text(&reply, "access_token");
    // What was declined is missing, or empty: no error.
    let me = stage.api(ME, token).await.json();
    assert_eq!((text(&me, "name"), me.get("email")), ("Ada Lovelace", None));
    let feed = stage
        .api("graph.facebook.com/v22.0/me/feed", token)
        .await
        .json();
    assert_eq!(feed["data"], json!([]));
    let all = stage
        .api("graph.facebook.com/v22.0/me/permissions", token)
        .await
        .json();
    let declined = json!({ "permission": "email", "status": "declined" });
    assert!(all["data"].as_array().unwrap().contains(&declined), "{all}");
}

#[tokio::test]
async fn the_token_endpoint_takes_get_and_post_and_a_challenge_is_checked() {
    let stage = Stage::new(WAYS).await;
    let pkce = [
        ("code_challenge", super::CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = stage.code("app", &pkce).await;
    let mut fields = vec![
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("redirect_uri", REDIRECT),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let url = |fields: &[(&str, &str)]| stage.url(&format!("{}?{}", WAYS.token, form(fields)));
    let got = get(&url(&fields), &[]).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(
        graph_error(&get(&url(&fields), &[]).await),
        (400, 100, Some(36_009))
    );

    let code = stage.code("app", &pkce).await;
    fields[3] = ("code", &code);
    fields.pop();
    assert_eq!(
        graph_error(&get(&url(&fields), &[]).await),
        (400, 100, None)
    );
    let plain = [
        ("code_challenge", VERIFIER),
        ("code_challenge_method", "plain"),
    ];
    let refused = stage.authorize("app", &plain).await;
    assert_eq!(query(&refused, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_are_graph_errors() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    let elsewhere = [("redirect_uri", "http://127.0.0.1:8700/v1/elsewhere")];
    let answer = stage.exchange_with("app", &code, &elsewhere).await;
    assert_eq!(graph_error(&answer), (400, 100, Some(36_008)));
    let code = stage.code("app", &[]).await;
    stage.advance(600);
    assert_eq!(
        graph_error(&stage.exchange("app", &code).await),
        (400, 100, Some(36_007))
    );
    assert_eq!(
        graph_error(&stage.exchange("nobody", &code).await),
        (400, 101, None)
    );
    let wrong = [
        ("client_id", "app"),
        ("client_secret", "guess"),
        ("code", "x"),
    ];
    let answer = post_form(&stage.url(WAYS.token), &[], &wrong)
        .await
        .unwrap();
    assert_eq!(graph_error(&answer), (400, 1, None));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(stage.token("app", &fields).await.status, 400);
    let token = short(&stage, "app").await;
    let stolen = lengthen(&stage, "other", &token).await;
    assert_eq!(graph_error(&stolen), (400, 190, None));
}

#[tokio::test]
async fn expires_in_of_a_long_lived_token_may_be_missing_or_zero() {
    let stage = Stage::new(WAYS).await;
    for (app, expires_in) in [("a-no-expiry", None), ("a-zero-expiry", Some(&json!(0)))] {
        register(&stage, app);
        let token = short(&stage, app).await;
        let reply = lengthen(&stage, app, &token).await.json();
        assert_eq!(reply.get("expires_in"), expires_in);
        stage.advance(LONG - 1);
        let token = text(&reply, "access_token");
        assert_eq!(stage.api(ME, token).await.status, 200);
        stage.advance(1);
        assert_eq!(stage.api(ME, token).await.status, 400);
    }
}

#[tokio::test]
async fn appsecret_proof_is_the_hmac_of_the_token_and_some_apps_must_send_it() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-proof");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    for app in ["app", "app-proof"] {
        let token = short(&stage, app).await;
        let proof: String = hmac::sign(&key, token.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let with = |proof: &str| format!("{ME}&appsecret_proof={proof}");
        assert_eq!(stage.api(&with(&proof), &token).await.status, 200);
        let wrong = stage.api(&with(&proof.to_uppercase()), &token).await;
        assert_eq!(graph_error(&wrong), (400, 100, None));
        let without = stage.api(ME, &token).await;
        assert_eq!(without.status, if app == "app" { 200 } else { 400 });
    }
}

#[tokio::test]
async fn tokens_are_told_apart_when_they_are_refused() {
    let stage = Stage::new(WAYS).await;
    assert_eq!(
        graph_error(&get(&stage.url(ME), &[]).await),
        (400, 2500, None)
    );
    assert_eq!(graph_error(&stage.api(ME, "guess").await), (400, 190, None));
    let token = short(&stage, "app").await;
    let lower = format!("bearer {token}");
    let echoed = get(&stage.url(ME), &[("authorization", &lower)]).await;
    assert_eq!(graph_error(&echoed), (400, 2500, None));
    let field = stage
        .api("graph.facebook.com/me?fields=id,shoe_size", &token)
        .await;
    assert_eq!(graph_error(&field), (400, 100, None));
    let nested = "graph.facebook.com/me?fields=id,picture%7Burl,width%7D";
    assert!(stage.api(nested, &token).await.json()["picture"].is_object());
    assert_eq!(
        stage
            .api("graph.facebook.com/v22.0/nobody", &token)
            .await
            .status,
        404
    );
    stage.family.revoke_access_tokens();
    assert_eq!(
        graph_error(&stage.api(ME, &token).await),
        (400, 190, Some(460))
    );
}

#[tokio::test]
async fn limits_are_codes_4_17_and_32_until_the_clock_has_moved() {
    let stage = Stage::new(WAYS).await;
    let token = short(&stage, "app").await;
    stage.family.throttle_for(60);
    for (path, status, code) in [
        ("me", 403, 4),
        ("me/feed", 400, 17),
        ("me/accounts", 400, 32),
    ] {
        let answer = stage
            .api(&format!("graph.facebook.com/v22.0/{path}"), &token)
            .await;
        assert_eq!(graph_error(&answer), (status, code, None));
    }
    stage.advance(60);
    assert_eq!(stage.api(ME, &token).await.status, 200);
}

#[tokio::test]
async fn access_to_a_persons_data_ends_after_ninety_days_without_them() {
    let stage = Stage::new(WAYS).await;
    let first = short(&stage, "app").await;
    let reply = lengthen(&stage, "app", &first).await.json();
    let first = text(&reply, "access_token").to_owned();
    stage.advance(50 * DAY);
    let reply = lengthen(&stage, "app", &first).await.json();
    let second = text(&reply, "access_token");
    stage.advance(40 * DAY - 1);
    assert_eq!(stage.api(ME, second).await.status, 200);
    stage.advance(1);
    let away = stage.api(ME, second).await;
    assert_eq!(graph_error(&away), (400, 190, Some(493)));
    // The token has a life of its own, and calls were nobody's presence.
    let third = lengthen(&stage, "app", second).await;
    assert_eq!(third.status, 200);
    let away = stage.api(ME, text(&third.json(), "access_token")).await;
    assert_eq!(graph_error(&away), (400, 190, Some(493)));
    short(&stage, "app").await;
    assert_eq!(stage.api(ME, second).await.status, 200);
}
