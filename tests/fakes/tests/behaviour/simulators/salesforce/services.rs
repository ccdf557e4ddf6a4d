//! Salesforce beside the code flow: SOAP, limits, revocation, introspection, what the token endpoint refuses.

use http::Method;
use serde_json::json;

use super::{QUERY, REVOKE, WAYS, data_error, on, revoke, unauthorized};
use crate::client::{get, post_form, send};
use crate::simulators::{DAY, SECRET, Stage, refusal, text};

#[tokio::test]
async fn soap_answers_500_where_rest_answers_401() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let url = stage.url(&on(&reply, "/services/Soap/u/62.0"));
    let call = async |token: &str| {
        let body = format!(
            "<e:Envelope><e:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader></e:Header></e:Envelope>"
        );
        let headers = [("content-type", "text/xml"), ("soapaction", "getUserInfo")];
        send(Method::POST, &url, &headers, &body).await.unwrap()
    };
    let token = text(&reply, "access_token");
    let good = call(token).await;
    assert_eq!(good.status, 200);
    assert!(good.text().contains("<userId>acme-1815</userId>"));
    assert_eq!(
        stage
            .post(&on(&reply, "/services/Soap/u/62.0"), token, "")
            .await
            .status,
        200
    );
    stage.advance(7_200);
    let late = call(token).await;
    assert_eq!(late.status, 500);
    assert!(
        late.text()
            .contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>")
    );
    assert!(late.header("content-type").starts_with("text/xml"));
}

#[tokio::test]
async fn the_daily_limit_is_a_403_with_an_array() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    stage.family.throttle_for(60);
    let answer = stage
        .api(&on(&reply, QUERY), text(&reply, "access_token"))
        .await;
    assert_eq!(
        data_error(&answer),
        (403, "REQUEST_LIMIT_EXCEEDED".to_owned())
    );
    stage.advance(60);
    let blank = on(&reply, "/services/data/v62.0/query");
    let answer = stage.api(&blank, text(&reply, "access_token")).await;
    assert_eq!(data_error(&answer), (400, "MALFORMED_QUERY".to_owned()));
}

#[tokio::test]
async fn an_access_token_is_revoked_alone_and_an_unknown_one_is_an_error() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let token = text(&reply, "access_token");
    assert_eq!(revoke(&stage, token).await.status, 200);
    assert_eq!(
        data_error(&stage.api(&on(&reply, QUERY), token).await),
        unauthorized()
    );
    assert_eq!(stage.family.live_grants(), 1);
    for dead in [token, "guess", ""] {
        let answer = revoke(&stage, dead).await;
        assert_eq!(refusal(&answer), (400, "unsupported_token_type".to_owned()));
    }
    let url = format!("{REVOKE}?token={}", text(&reply, "refresh_token"));
    assert_eq!(get(&stage.url(&url), &[]).await.status, 200);
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(
        revoke(&stage, text(&reply, "refresh_token")).await.status,
        400
    );
}

#[tokio::test]
async fn introspection_tells_the_end_that_the_reply_does_not() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let introspect = async |client: &str| {
        let fields = [
            ("client_id", client),
            ("client_secret", SECRET),
            ("token", text(&reply, "access_token")),
        ];
        let url = stage.url(&on(&reply, "/services/oauth2/introspect"));
        post_form(&url, &[], &fields).await.unwrap().json()
    };
    let live = introspect("app").await;
    assert_eq!(
        (&live["active"], &live["exp"]),
        (&json!(true), &json!(stage.seconds() + 7_200))
    );
    assert_eq!(introspect("other").await, json!({ "active": false }));
    stage.family.set_lives(900, DAY);
    stage.advance(7_200);
    assert_eq!(introspect("app").await, json!({ "active": false }));
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    stage.advance(900);
    let late = stage
        .api(&on(&next, QUERY), text(&next, "access_token"))
        .await;
    assert_eq!(
        data_error(&late),
        unauthorized(),
        "the session setting was shortened"
    );
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_are_400_whatever_they_are() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    let error = |code: &str| (400, code.to_owned());
    assert_eq!(
        refusal(&stage.exchange("nobody", &code).await),
        error("invalid_client_id")
    );
    let wrong = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("client_secret", "guess"),
    ];
    let answer = post_form(&stage.url(WAYS.token), &[], &wrong)
        .await
        .unwrap();
    assert_eq!(refusal(&answer), error("invalid_client"));
    let elsewhere = [("redirect_uri", "http://127.0.0.1:8700/v1/elsewhere")];
    let answer = stage.exchange_with("app", &code, &elsewhere).await;
    assert_eq!(refusal(&answer), error("redirect_uri_mismatch"));
    let code = stage.code("app", &[]).await;
    let other = [(
        "code_verifier",
        "not-the-one-that-was-hashed-not-the-one-that-was",
    )];
    assert_eq!(
        refusal(&stage.exchange_with("app", &code, &other).await),
        error("invalid_grant")
    );
    let code = stage.code("app", &[]).await;
    stage.advance(900);
    let late = stage.exchange("app", &code).await;
    assert_eq!(
        text(&late.json(), "error_description"),
        "expired authorization code"
    );
    let code = stage.code("app", &[]).await;
    stage.advance(899);
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    assert_eq!(
        refusal(&stage.exchange("app", &code).await),
        error("invalid_grant")
    );
    let password = stage.token("app", &[("grant_type", "password")]).await;
    assert_eq!(refusal(&password), error("unsupported_grant_type"));
}
