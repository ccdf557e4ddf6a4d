//! ServiceNow: one host per customer, the same refresh token again, a revocation without credentials.

use http::Method;
use serde_json::json;

use super::{CHALLENGE, DAY, REDIRECT, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, get, post_form, send};
use crate::grants::{VERIFIER, query};

pub const WAYS: Ways = Ways {
    family: "servicenow",
    authorize: "acme.service-now.com/oauth_auth.do",
    token: "acme.service-now.com/oauth_token.do",
    scope: "useraccount",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const ME: &str = "acme.service-now.com/api/now/table/sys_user\
                  ?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_limit=1";

async fn revoke(stage: &Stage, host: &str, token: &str) -> Answer {
    let url = format!("{host}/oauth_revoke_token.do?token={token}");
    get(&stage.url(&url), &[]).await
}

fn access_denied() -> (u16, String) {
    (401, "server_error".to_owned())
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let page = stage.authorize("app", &[]).await;
    let allow = [("account", "acme-1906"), ("decision", "allow")];
    let code = query(&stage.decide(&page, &allow).await, "code").unwrap();
    let reply = stage.exchange("app", &code).await.json();
    assert_eq!(
        (&reply["expires_in"], text(&reply, "scope")),
        (&json!(1_800), "useraccount")
    );
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(me["result"].as_array().unwrap().len(), 1);
    let me = &me["result"][0];
    assert_eq!(
        (
            text(me, "sys_id"),
            text(me, "email"),
            text(me, "name"),
            text(me, "user_name")
        ),
        (
            "acme-1906",
            "grace@acme.example",
            "Grace Hopper",
            "grace.hopper"
        )
    );
    stage.advance(1_800);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(late.status, 401);
    assert_eq!(
        late.json(),
        json!({
            "error": {
                "message": "User Not Authenticated",
                "detail": "Required to provide Auth information",
            },
            "status": "failure",
        })
    );
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    assert_eq!(
        next["refresh_token"], reply["refresh_token"],
        "the same one again"
    );
    let token = text(&next, "access_token");
    let incidents = "acme.service-now.com/api/now/v2/table/incident\
                     ?sysparm_query=caller_id=javascript:gs.getUserID()&sysparm_fields=number,state";
    let incidents = stage.api(incidents, token).await.json();
    assert_eq!(
        incidents,
        json!({ "result": [{ "number": "INC001906", "state": "1" }] })
    );

    assert_eq!(stage.family.live_grants(), 1);
    let revoked = revoke(&stage, "acme.service-now.com", text(&next, "refresh_token")).await;
    assert_eq!((revoked.status.as_u16(), revoked.text()), (200, ""));
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(stage.api(ME, token).await.status, 401);
    assert_eq!(
        refusal(&stage.refresh("app", text(&next, "refresh_token")).await),
        access_denied()
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
async fn the_refresh_token_ends_100_days_after_the_consent_however_often_it_is_used() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage.advance(60 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    stage.advance(40 * DAY - 1);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        200
    );
    stage.advance(1);
    let late = stage.refresh("app", text(&reply, "refresh_token")).await;
    assert_eq!(refusal(&late), access_denied());
}

#[tokio::test]
async fn an_unregistered_redirect_address_falls_back_to_the_first_registered_one() {
    let stage = Stage::new(WAYS).await;
    let elsewhere = "http://127.0.0.1:8700/v1/callback?passport=p2";
    let page = stage.authorize("app", &[("redirect_uri", elsewhere)]).await;
    let allow = [("account", "acme-1815"), ("decision", "allow")];
    let redirect = stage.decide(&page, &allow).await;
    assert!(redirect.header("location").starts_with(REDIRECT));
    assert_eq!(query(&redirect, "state").as_deref(), Some("state-1"));
    // The code is bound to what was asked for: a client that does not look where it was called would go on.
    let code = query(&redirect, "code").unwrap();
    let as_called = stage.exchange("app", &code).await;
    assert_eq!(refusal(&as_called), access_denied());
    let page = stage.authorize("app", &[("redirect_uri", elsewhere)]).await;
    let code = query(&stage.decide(&page, &allow).await, "code").unwrap();
    let answer = stage
        .exchange_with("app", &code, &[("redirect_uri", elsewhere)])
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_an_instance_issued_is_good_there_only() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let elsewhere = ME.replace("acme.", "other.");
    assert_eq!(
        stage
            .api(&elsewhere, text(&reply, "access_token"))
            .await
            .status,
        401
    );
    let url = stage.url("other.service-now.com/oauth_token.do");
    let client = [("client_id", "app"), ("client_secret", SECRET)];
    let mut fields = client.to_vec();
    fields.extend([
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&reply, "refresh_token")),
    ]);
    assert_eq!(
        refusal(&post_form(&url, &[], &fields).await.unwrap()),
        access_denied()
    );
    let code = stage.code("app", &[]).await;
    let mut fields = client.to_vec();
    fields.extend([
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("code", &code),
    ]);
    assert_eq!(
        refusal(&post_form(&url, &[], &fields).await.unwrap()),
        access_denied()
    );
    let answer = revoke(
        &stage,
        "other.service-now.com",
        text(&reply, "access_token"),
    )
    .await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        200
    );
    for host in [
        "service-now.com",
        "a.b.service-now.com",
        "acme.service-now.com.example",
    ] {
        let path = format!("{host}/oauth_token.do");
        assert_eq!(get(&stage.url(&path), &[]).await.status, 404, "{host}");
    }
    assert_eq!(
        stage.api("acme.service-now.com/elsewhere", "").await.status,
        404
    );
}

#[tokio::test]
async fn a_revocation_takes_either_token_from_anybody_by_get() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let (access, refresh) = (text(&reply, "access_token"), text(&reply, "refresh_token"));
    let url = stage.url(&format!(
        "acme.service-now.com/oauth_revoke_token.do?token={access}"
    ));
    assert_eq!(send(Method::POST, &url, &[], "").await.unwrap().status, 404);
    assert_eq!(stage.api(ME, access).await.status, 200);
    assert_eq!(
        revoke(&stage, "acme.service-now.com", access).await.status,
        200
    );
    assert_eq!(stage.api(ME, access).await.status, 401);
    let next = stage.refresh("app", refresh).await.json();
    assert_eq!(
        revoke(&stage, "acme.service-now.com", refresh).await.status,
        200
    );
    assert_eq!(
        revoke(&stage, "acme.service-now.com", refresh).await.status,
        200
    );
    assert_eq!(stage.api(ME, text(&next, "access_token")).await.status, 401);
    assert_eq!(
        revoke(&stage, "acme.service-now.com", "guess").await.status,
        400
    );
}

#[tokio::test]
async fn pkce_is_checked_and_clients_prove_themselves_in_the_form() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    let other = [(
        "code_verifier",
        "not-the-one-that-was-hashed-not-the-one-that-was",
    )];
    assert_eq!(
        refusal(&stage.exchange_with("app", &code, &other).await),
        access_denied()
    );
    let plain = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "plain"),
    ];
    let refused = stage.authorize("app", &plain).await;
    assert_eq!(query(&refused, "error").as_deref(), Some("invalid_request"));
    let code = stage.code("public", &[]).await;
    assert_eq!(stage.exchange("public", &code).await.status, 200);
    let code = stage.code("app", &[]).await;
    let header = crate::grants::basic("app", SECRET);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("authorization", header.as_str())];
    let answer = post_form(&stage.url(WAYS.token), &headers, &fields)
        .await
        .unwrap();
    assert_eq!(refusal(&answer), access_denied());
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    assert_eq!(
        refusal(&stage.exchange("app", &code).await),
        access_denied()
    );
    let json = [("content-type", "application/json")];
    let answer = send(Method::POST, &stage.url(WAYS.token), &json, "{}")
        .await
        .unwrap();
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_query_with_a_slip_in_it_returns_everybody() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let token = text(&reply, "access_token");
    let users = "acme.service-now.com/api/now/table/sys_user";
    for (query, names) in [
        ("", vec!["Ada Lovelace", "Grace Hopper"]),
        (
            "?sysparm_query=sysid=acme-1906",
            vec!["Ada Lovelace", "Grace Hopper"],
        ),
        (
            "?sysparm_query=user_name=grace.hopper^active=true",
            vec!["Grace Hopper"],
        ),
        (
            "?sysparm_query=user_name=javascript:gs.getUserName()",
            vec!["Ada Lovelace"],
        ),
        ("?sysparm_limit=1", vec!["Ada Lovelace"]),
        ("?sysparm_query=email=nobody", vec![]),
    ] {
        let answer = stage
            .api(&format!("{users}{}", query.replace('^', "%5E")), token)
            .await;
        let body = answer.json();
        let found: Vec<_> = body["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| text(row, "name"))
            .collect();
        assert_eq!(found, names, "{query}");
    }
    let one = stage.api(&format!("{users}/acme-1906"), token).await.json();
    assert_eq!(text(&one["result"], "name"), "Grace Hopper");
    assert_eq!(
        stage.api(&format!("{users}/nobody"), token).await.status,
        404
    );
    let nowhere = stage
        .api("acme.service-now.com/api/now/table/u_nowhere", token)
        .await;
    assert_eq!(
        (nowhere.status.as_u16(), text(&nowhere.json(), "status")),
        (400, "failure")
    );
    assert_eq!(
        stage
            .api("acme.service-now.com/api/now/elsewhere", token)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn lives_are_the_administrators_and_a_limit_is_429() {
    let stage = Stage::new(WAYS).await;
    stage.family.set_lives(300, DAY);
    let reply = stage.connected().await;
    assert_eq!(reply["expires_in"], 300);
    stage.family.throttle_for(20);
    let limited = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!(
        (limited.status.as_u16(), limited.header("retry-after")),
        (429, "20")
    );
    stage.advance(300);
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        401
    );
    stage.advance(DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        401
    );
}
