//! Instagram Login: short and long-lived tokens, two shapes of everything.

use serde_json::Value;

use super::{LONG, WAYS, graph_error, register};
use crate::client::{Answer, form, get};
use crate::grants::query;
use crate::simulators::{CHALLENGE, DAY, SECRET, Stage, Ways, text};

const INSTAGRAM: Ways = Ways {
    authorize: "www.instagram.com/oauth/authorize",
    token: "api.instagram.com/oauth/access_token",
    scope: "instagram_business_basic,instagram_business_content_publish",
    ..WAYS
};

const OWN: &str = "graph.instagram.com/me?fields=user_id,username,name";

/// The member of a first Instagram reply, which wraps everything in `data[0]`.
fn wrapped(reply: &Value) -> &Value {
    &reply["data"][0]
}

async fn graph(stage: &Stage, path: &str, params: &[(&str, &str)]) -> Answer {
    let url = format!("graph.instagram.com/{path}?{}", form(params));
    get(&stage.url(&url), &[]).await
}

async fn ig_exchange(stage: &Stage, token: &str) -> Answer {
    let params = [
        ("grant_type", "ig_exchange_token"),
        ("client_secret", SECRET),
        ("access_token", token),
    ];
    graph(stage, "access_token", &params).await
}

async fn ig_refresh(stage: &Stage, token: &str) -> Answer {
    let params = [("grant_type", "ig_refresh_token"), ("access_token", token)];
    graph(stage, "refresh_access_token", &params).await
}

#[tokio::test]
async fn connect_exchange_call_refresh_expire() {
    let stage = Stage::new(INSTAGRAM).await;
    let page = stage.authorize("app", &[]).await;
    let allow = [("account", "acme-1906"), ("decision", "allow")];
    let redirect = stage.decide(&page, &allow).await;
    assert!(redirect.header("location").ends_with("#_"));
    let reply = stage
        .exchange("app", &query(&redirect, "code").unwrap())
        .await
        .json();
    assert_eq!(text(wrapped(&reply), "permissions"), INSTAGRAM.scope);
    assert_eq!(reply["data"][0].get("expires_in"), None);
    let first = text(wrapped(&reply), "access_token").to_owned();
    let long = ig_exchange(&stage, &first).await.json();
    assert_eq!(
        (text(&long, "token_type"), &long["expires_in"]),
        ("bearer", &LONG.into())
    );
    let long = text(&long, "access_token").to_owned();
    let me = stage.api(OWN, &long).await.json();
    assert_eq!(
        (text(&me, "username"), text(&me, "name")),
        ("grace.hopper", "Grace Hopper")
    );
    assert_eq!(text(&me, "user_id"), text(wrapped(&reply), "user_id"));
    let media = stage
        .api("graph.instagram.com/v22.0/me/media", &long)
        .await
        .json();
    assert!(text(&media["data"][0], "caption").contains("Grace Hopper"));

    stage.advance(3_600);
    assert_eq!(
        graph_error(&stage.api(OWN, &first).await),
        (400, 190, Some(463))
    );
    assert_eq!(
        graph_error(&ig_exchange(&stage, &first).await),
        (400, 190, Some(463))
    );
    stage.advance(DAY - 3_601);
    assert_eq!(
        graph_error(&ig_refresh(&stage, &long).await),
        (400, 10, None)
    );
    stage.advance(1);
    let next = ig_refresh(&stage, &long).await.json();
    assert_ne!(text(&next, "access_token"), long);
    stage.advance(LONG - DAY);
    assert_eq!(
        graph_error(&ig_refresh(&stage, &long).await),
        (400, 190, Some(463))
    );
    assert_eq!(
        stage.api(OWN, text(&next, "access_token")).await.status,
        200
    );
}

#[tokio::test]
async fn the_first_reply_may_come_plainly_with_a_number_too_large_for_a_float() {
    let stage = Stage::new(INSTAGRAM).await;
    register(&stage, "app-plain");
    let code = stage.code("app-plain", &[]).await;
    let answer = stage.exchange("app-plain", &code).await;
    let reply = answer.json();
    let user_id = reply["user_id"].as_u64().unwrap();
    assert!(user_id > 1 << 53);
    let me = stage.api(OWN, text(&reply, "access_token")).await.json();
    assert_eq!(text(&me, "user_id"), user_id.to_string());
}

#[tokio::test]
async fn pkce_is_taken_no_notice_of_and_only_the_new_scopes_are_known() {
    let stage = Stage::new(INSTAGRAM).await;
    let challenge = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = stage.code("app", &challenge).await;
    let wrong = [(
        "code_verifier",
        "not-the-one-that-was-hashed-not-the-one-that-was",
    )];
    assert_eq!(stage.exchange_with("app", &code, &wrong).await.status, 200);
    for scope in [
        "user_profile",
        "instagram_basic",
        "instagram_business_basic pages",
        "",
    ] {
        assert_eq!(
            stage.authorize("app", &[("scope", scope)]).await.status,
            400,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn refusals_come_in_two_shapes() {
    let stage = Stage::new(INSTAGRAM).await;
    let code = stage.code("app", &[]).await;
    let elsewhere = [("redirect_uri", "http://127.0.0.1:8700/v1/elsewhere")];
    let refused = stage.exchange_with("app", &code, &elsewhere).await;
    assert_eq!(refused.status, 400);
    let refused = refused.json();
    assert_eq!(
        (text(&refused, "error_type"), &refused["code"]),
        ("OAuthException", &400.into())
    );
    let code = stage.code("app", &[]).await;
    let reply = stage.exchange("app", &code).await.json();
    assert_eq!(stage.exchange("app", &code).await.status, 400, "used");
    // Its use again ended what it had led to.
    let first = text(wrapped(&reply), "access_token");
    assert_eq!(
        graph_error(&stage.api(OWN, first).await),
        (400, 190, Some(458))
    );

    let code = stage.code("app", &[]).await;
    let reply = stage.exchange("app", &code).await.json();
    let first = text(wrapped(&reply), "access_token");
    let params = [
        ("grant_type", "ig_exchange_token"),
        ("client_secret", "guess"),
        ("access_token", first),
    ];
    let wrong = graph(&stage, "access_token", &params).await;
    assert_eq!(graph_error(&wrong), (400, 1, None));
    assert_eq!(
        graph_error(&ig_refresh(&stage, first).await),
        (400, 452, None)
    );
    let long = ig_exchange(&stage, first).await.json();
    let again = ig_exchange(&stage, text(&long, "access_token")).await;
    assert_eq!(graph_error(&again), (400, 452, None));
    let nothing = "graph.instagram.com/v22.0/me/permissions";
    assert_eq!(
        stage.api(nothing, first).await.status,
        404,
        "there is no revocation"
    );
}
