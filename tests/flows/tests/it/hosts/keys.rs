//! An issuer's keys: cached, rotated, fetched once at a time, served while it is down. And an issuer that is not what the host
//! declares.

use std::time::Duration;

use consulate_fakes::issuer::{Fault, Issuer};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Hosted;

const BOTH: [&str; 2] = ["/.well-known/openid-configuration", "/jwks"];

/// connect's environment: in `consulate dev` each function has keys of its own.
fn fetches(hosted: &Hosted) -> usize {
    let seen = hosted.issuer.seen();
    assert!(seen.chunks(2).all(|pair| pair == BOTH), "{seen:?}");
    seen.len() / 2
}

fn wait(hosted: &Hosted, seconds: i64) {
    hosted.stack.dev.clock.advance_millis(seconds * 1_000);
}

/// A JWT of `k1` that is good for two hours.
async fn long(hosted: &mut Hosted) -> String {
    let exp = hosted.stack.dev.clock.now().seconds() + 7_200;
    let claims = hosted.but("exp", json!(exp));
    hosted.sign("ES256", &claims).await
}

/// A JWT of another key, under its name.
async fn by(hosted: &mut Hosted, key: &str) -> String {
    let claims = hosted.claims();
    hosted
        .jose
        .sign_by("ES256", key, &json!({ "kid": key }), &claims)
        .await
}

#[tokio::test]
async fn keys_are_fetched_once_by_whoever_comes_first_and_again_after_five_minutes() {
    let mut hosted = Hosted::start().await;
    let jwt = long(&mut hosted).await;
    hosted
        .issuer
        .set_fault(Some(Fault::Slow(Duration::from_millis(300))));
    for answer in join_all((0..50).map(|_| hosted.ask(&jwt))).await {
        answer.expect(200);
    }
    assert_eq!(fetches(&hosted), 1);
    wait(&hosted, 290);
    hosted.ask(&jwt).await.expect(200);
    assert_eq!(fetches(&hosted), 1);
    wait(&hosted, 11);
    for answer in join_all((0..20).map(|_| hosted.ask(&jwt))).await {
        answer.expect(200);
    }
    assert_eq!(fetches(&hosted), 2);
}

#[tokio::test]
async fn a_new_key_is_met_at_once_and_an_old_one_dies_with_it() {
    let mut hosted = Hosted::start().await;
    let old = hosted.jwt().await;
    hosted.ask(&old).await.expect(200);
    let key = hosted.jose.jwk("ES256", "k2").await;
    hosted.issuer.set_keys(vec![key]);
    let new = by(&mut hosted, "k2").await;
    // The last fetch was a moment ago.
    hosted.ask(&new).await.expect(401);
    hosted.ask(&old).await.expect(200);
    wait(&hosted, 11);
    hosted.ask(&new).await.expect(200);
    assert_eq!(fetches(&hosted), 2);
    hosted.ask(&old).await.expect(401);
    // The same name for another key: a signature that fails is reason enough to look again.
    let mut other = hosted.jose.jwk("ES256", "k3").await;
    other["kid"] = json!("k2");
    hosted.issuer.set_keys(vec![other]);
    wait(&hosted, 11);
    let claims = hosted.claims();
    let renamed = hosted
        .jose
        .sign_by("ES256", "k3", &json!({"kid": "k2"}), &claims)
        .await;
    hosted.ask(&renamed).await.expect(200);
    hosted.ask(&new).await.expect(401);
}

#[tokio::test]
async fn unknown_keys_make_nobody_hammer_the_issuer() {
    let mut hosted = Hosted::start().await;
    let good = long(&mut hosted).await;
    hosted.ask(&good).await.expect(200);
    let mut unknown = Vec::new();
    for number in 0..20 {
        unknown.push(by(&mut hosted, &format!("guess-{number}")).await);
    }
    wait(&hosted, 11);
    hosted
        .issuer
        .set_fault(Some(Fault::Slow(Duration::from_millis(200))));
    for answer in join_all(unknown.iter().map(|jwt| hosted.ask(jwt))).await {
        answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    }
    assert_eq!(fetches(&hosted), 2);
    // Nor does an algorithm that is never accepted.
    wait(&hosted, 11);
    let claims = hosted.claims();
    let jwt = hosted
        .jose
        .sign_by("PS256", "k1", &json!({"kid": "x"}), &claims)
        .await;
    hosted.ask(&jwt).await.expect(401);
    assert_eq!(fetches(&hosted), 2);
}

#[tokio::test]
async fn while_the_issuer_is_down_known_keys_serve_for_an_hour() {
    let mut hosted = Hosted::start().await;
    let jwt = long(&mut hosted).await;
    hosted.ask(&jwt).await.expect(200);
    for fault in [
        Fault::Status(500),
        Fault::Status(404),
        Fault::Html,
        Fault::List,
        Fault::Drop,
        Fault::Padded(300_000),
        Fault::Slow(Duration::from_secs(4)),
    ] {
        hosted.issuer.set_fault(Some(fault.clone()));
        wait(&hosted, 310);
        let answer = hosted.ask(&jwt).await;
        assert_eq!(answer.status, 200, "{fault:?}: {}", answer.text());
    }
    // Nobody knows whether it has a new key.
    hosted.issuer.set_fault(Some(Fault::Status(503)));
    wait(&hosted, 11);
    let unknown = by(&mut hosted, "k2").await;
    let answer = hosted.ask(&unknown).await.expect(503);
    assert_eq!(answer.header("retry-after"), "2");
    let seen = hosted.issuer.seen().len();
    hosted.ask(&jwt).await.expect(200);
    assert_eq!(
        hosted.issuer.seen().len(),
        seen,
        "it was asked a moment ago"
    );
    wait(&hosted, 3_600);
    hosted
        .ask(&jwt)
        .await
        .expect_problem(503, "unavailable", "", "");
    hosted.issuer.set_fault(None);
    wait(&hosted, 6);
    hosted.ask(&jwt).await.expect(200);
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_unavailable_and_asked_every_five_seconds_at_most() {
    let mut hosted = Hosted::start().await;
    let elsewhere = Issuer::start(Vec::new()).await.unwrap();
    let jwt = hosted.jwt().await;
    for fault in [
        Fault::Drop,
        Fault::Redirect(format!("{}/jwks", elsewhere.url)),
    ] {
        hosted.issuer.set_fault(Some(fault));
        wait(&hosted, 6);
        let seen = hosted.issuer.seen().len();
        for answer in join_all((0..10).map(|_| hosted.ask(&jwt))).await {
            answer.expect_problem(503, "unavailable", "", "");
        }
        assert_eq!(hosted.issuer.seen().len(), seen + 1);
    }
    assert_eq!(elsewhere.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn an_issuer_that_is_not_what_the_host_declares_is_an_operators_to_repair() {
    let mut hosted = Hosted::start().await;
    let jwt = long(&mut hosted).await;
    let (url, address) = (
        hosted.issuer.url.clone(),
        format!("{}/jwks", hosted.issuer.url),
    );
    let forbidden = async |hosted: &Hosted, jwt: &str| {
        wait(hosted, 6);
        hosted
            .ask(jwt)
            .await
            .expect_problem(403, "caller_forbidden", "field", "host");
    };
    hosted.issuer.set_issuer(&format!("{url}/"));
    forbidden(&hosted, &jwt).await;
    hosted.issuer.set_issuer(&url);
    for inside in [
        "http://169.254.169.254/jwks",
        "https://10.0.0.1/jwks",
        "http://127.0.0.1:1/jwks",
        "file:///etc/passwd",
        "",
    ] {
        hosted.issuer.set_jwks_uri(json!(inside));
        forbidden(&hosted, &jwt).await;
    }
    hosted.issuer.set_jwks_uri(Value::Null);
    wait(&hosted, 6);
    hosted
        .ask(&jwt)
        .await
        .expect_problem(503, "unavailable", "", "");
    hosted.issuer.set_jwks_uri(json!(address));
    wait(&hosted, 6);
    hosted.ask(&jwt).await.expect(200);
    let lines = hosted.stack.log_lines();
    let why = lines.iter().filter(|line| line["function"] == "issuers");
    assert!(
        why.clone()
            .any(|line| line["level"] == "error" && line["issuer"] == url.as_str())
    );
    assert!(why.clone().all(|line| line["why"].is_string()));
}
