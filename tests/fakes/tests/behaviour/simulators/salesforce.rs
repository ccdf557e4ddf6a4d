//! Salesforce: no `expires_in`, an instance that moves, array bodies, 500 from SOAP.

mod services;

use consulate_fakes::simulators::App;
use serde_json::Value;

use super::{REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, get, post_form};
use crate::grants::query;

pub const WAYS: Ways = Ways {
    family: "salesforce",
    authorize: "login.salesforce.com/services/oauth2/authorize",
    token: "login.salesforce.com/services/oauth2/token",
    scope: "api id refresh_token",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const QUERY: &str = "/services/data/v62.0/query?q=SELECT+Id,Name+FROM+Account+LIMIT+1";
const USERINFO: &str = "login.salesforce.com/services/oauth2/userinfo";
const REVOKE: &str = "login.salesforce.com/services/oauth2/revoke";

/// An address on the reply's instance.
fn on(reply: &Value, path: &str) -> String {
    let instance = text(reply, "instance_url").strip_prefix("https://");
    format!("{}{path}", instance.unwrap())
}

/// Status and code of an error of the data API, whose body is an array.
fn data_error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body.as_array().map(Vec::len), Some(1), "{body}");
    (
        answer.status.as_u16(),
        text(&body[0], "errorCode").to_owned(),
    )
}

fn unauthorized() -> (u16, String) {
    (401, "INVALID_SESSION_ID".to_owned())
}

async fn revoke(stage: &Stage, token: &str) -> Answer {
    post_form(&stage.url(REVOKE), &[], &[("token", token)])
        .await
        .unwrap()
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(reply.get("expires_in"), None);
    assert_eq!(
        text(&reply, "instance_url"),
        "https://acme.my.salesforce.com"
    );
    assert_eq!(text(&reply, "issued_at"), "1800000000000");
    assert!(text(&reply, "id").starts_with("https://login.salesforce.com/id/00D"));
    assert!(!text(&reply, "signature").is_empty());
    assert_eq!(
        (text(&reply, "token_type"), text(&reply, "scope")),
        ("Bearer", WAYS.scope)
    );
    let token = text(&reply, "access_token");
    let me = stage.api(USERINFO, token).await.json();
    assert_eq!(
        (text(&me, "user_id"), text(&me, "email"), text(&me, "name")),
        ("acme-1815", "ada@acme.example", "Ada Lovelace")
    );
    let by_id = text(&reply, "id").strip_prefix("https://").unwrap();
    assert_eq!(
        text(&stage.api(by_id, token).await.json(), "user_id"),
        "acme-1815"
    );
    let found = stage.api(&on(&reply, QUERY), token).await.json();
    assert_eq!(text(&found["records"][0]["attributes"], "type"), "Account");
    assert_eq!(found["query"][0][0], "q");

    stage.advance(7_200);
    assert_eq!(
        data_error(&stage.api(&on(&reply, QUERY), token).await),
        unauthorized()
    );
    let late = stage.api(USERINFO, token).await;
    assert_eq!(
        (late.status.as_u16(), late.text()),
        (403, "Bad_OAuth_Token")
    );
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_eq!(
        (next.get("expires_in"), next.get("refresh_token")),
        (None, None)
    );
    assert_ne!(next["issued_at"], reply["issued_at"]);
    let sobjects = on(&next, "/services/data/v62.0/sobjects");
    let listed = stage
        .api(&sobjects, text(&next, "access_token"))
        .await
        .json();
    assert_eq!(text(&listed["sobjects"][0], "name"), "Account");

    assert_eq!(stage.family.live_grants(), 1);
    let revoked = revoke(&stage, text(&reply, "refresh_token")).await;
    assert_eq!((revoked.status.as_u16(), revoked.text()), (200, ""));
    assert_eq!(stage.family.live_grants(), 0);
    let after = stage
        .api(&on(&next, QUERY), text(&next, "access_token"))
        .await;
    assert_eq!(data_error(&after), unauthorized());
    let again = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".to_owned()));
    assert_eq!(
        text(&again.json(), "error_description"),
        "expired access/refresh token"
    );
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
async fn a_refresh_token_comes_only_with_its_scope() {
    let stage = Stage::new(WAYS).await;
    for (scope, comes) in [("api id", false), ("", false), ("api offline_access", true)] {
        let code = stage.code("app", &[("scope", scope)]).await;
        let reply = stage.exchange("app", &code).await.json();
        assert_eq!(reply.get("refresh_token").is_some(), comes, "{scope}");
    }
    let wrong = stage
        .authorize("app", &[("scope", "api,refresh_token")])
        .await;
    assert_eq!(query(&wrong, "error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn refresh_tokens_go_on_or_are_single_use_by_the_apps_setting() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    for _ in 0..2 {
        assert_eq!(
            stage
                .refresh("app", text(&reply, "refresh_token"))
                .await
                .status,
            200
        );
    }
    let app = App {
        id: "app-rotating".to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uris: vec![REDIRECT.to_owned()],
    };
    stage.simulators.register("salesforce", app);
    let code = stage.code("app-rotating", &[]).await;
    let reply = stage.exchange("app-rotating", &code).await.json();
    let used = text(&reply, "refresh_token");
    let next = stage.refresh("app-rotating", used).await.json();
    assert_ne!(text(&next, "refresh_token"), used);
    assert_eq!(stage.refresh("app-rotating", used).await.status, 400);
    let ended = stage
        .refresh("app-rotating", text(&next, "refresh_token"))
        .await;
    assert_eq!(ended.status, 400, "the family ended with the second use");
}

#[tokio::test]
async fn a_refresh_after_a_move_leads_to_the_new_instance() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage.family.move_instance("other");
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_eq!(
        text(&next, "instance_url"),
        "https://other.my.salesforce.com"
    );
    let token = text(&next, "access_token");
    assert_eq!(stage.api(&on(&next, QUERY), token).await.status, 200);
    assert_eq!(
        data_error(&stage.api(&on(&reply, QUERY), token).await),
        unauthorized()
    );
    let old = stage
        .api(&on(&next, QUERY), text(&reply, "access_token"))
        .await;
    assert_eq!(
        data_error(&old),
        unauthorized(),
        "the session stayed behind"
    );
}

#[tokio::test]
async fn sandboxes_and_my_domains_have_instances_of_their_own() {
    for (host, instance) in [
        (
            "test.salesforce.com",
            "https://acme--dev.sandbox.my.salesforce.com",
        ),
        (
            "widgets.my.salesforce.com",
            "https://widgets.my.salesforce.com",
        ),
        (
            "widgets--uat.sandbox.my.salesforce.com",
            "https://widgets--uat.sandbox.my.salesforce.com",
        ),
    ] {
        let authorize = format!("{host}/services/oauth2/authorize");
        let token = format!("{host}/services/oauth2/token");
        let stage = Stage::new(Ways {
            authorize: authorize.leak(),
            token: token.leak(),
            ..WAYS
        })
        .await;
        let reply = stage.connected().await;
        assert_eq!(text(&reply, "instance_url"), instance);
        let answer = stage
            .api(&on(&reply, QUERY), text(&reply, "access_token"))
            .await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn lightning_hosts_and_the_login_hosts_serve_no_api() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    for real in [
        "acme.lightning.force.com/services/oauth2/authorize",
        "acme.lightning.force.com/services/oauth2/token",
        "login.salesforce.com/services/data/v62.0/sobjects",
        "acme.my.salesforce.com/services/data/62.0/sobjects",
        "acme.my.salesforce.com/services/data/v62/sobjects",
        "acme.my.salesforce.com/elsewhere",
    ] {
        let answer = stage.api(real, text(&reply, "access_token")).await;
        assert_eq!(answer.status, 404, "{real}");
        assert!(
            answer.header("content-type").starts_with("text/html"),
            "{real}"
        );
    }
}

#[tokio::test]
async fn a_session_without_the_scope_for_the_api_is_no_session_there() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[("scope", "id refresh_token")]).await;
    let reply = stage.exchange("app", &code).await.json();
    let answer = stage
        .api(&on(&reply, QUERY), text(&reply, "access_token"))
        .await;
    assert_eq!(data_error(&answer), unauthorized());
    assert_eq!(
        stage
            .api(USERINFO, text(&reply, "access_token"))
            .await
            .status,
        200
    );
    let missing = get(&stage.url(USERINFO), &[]).await;
    assert_eq!(
        (missing.status.as_u16(), missing.text()),
        (403, "Missing_OAuth_Token")
    );
}

#[tokio::test]
async fn a_sixth_approval_ends_the_oldest() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    for _ in 0..4 {
        stage.connected().await;
    }
    assert_eq!(
        stage
            .refresh("app", text(&first, "refresh_token"))
            .await
            .status,
        200
    );
    stage.connected().await;
    assert_eq!(
        stage
            .refresh("app", text(&first, "refresh_token"))
            .await
            .status,
        400
    );
    assert_eq!(stage.family.live_grants(), 5);
}
