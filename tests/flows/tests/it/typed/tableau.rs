//! Tableau: a personal access token is typed, a session is signed in to, and one session lives at a time.

use std::time::Duration;

use consulate_fakes::provider::Reply;
use consulate_flows::own::{connections, reveals};
use consulate_flows::stage::{Stage, THEIRS};
use consulate_flows::wire::{Answer, Wire};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

/// Longer than a session lives.
const ENDED: i64 = 4 * 3_600;
const DAY: i64 = 86_400;

async fn open() -> Stage {
    let stage = Stage::set("tableau", "tableau").await;
    stage.connect("ada").await;
    stage
}

fn sign_ins(stage: &Stage) -> usize {
    stage.family.token_requests().len()
}

/// Types a personal access token of the site `acme`.
async fn put(stage: &Stage, name: &str, secret: &str) -> Answer {
    let typed = json!({"token_name": name, "token_secret": secret, "site": "acme"});
    let path = format!("connections/{THEIRS}");
    stage.widget("ada", Method::PUT, &path, &typed).await
}

/// Somebody else signs in with the token that Consulate was given.
async fn sign_in_elsewhere(stage: &Stage) {
    let typed = stage.simulated().typed;
    let host = stage.entry.example_variables()["host"].clone();
    let port = stage.dev.simulation.as_ref().unwrap().port();
    let body = json!({"credentials": {
        "personalAccessTokenName": typed["token_name"], "personalAccessTokenSecret": typed["token_secret"],
        "site": {"contentUrl": typed["site"]}}});
    let url = format!("http://127.0.0.1:{port}/{host}/api/3.26/auth/signin");
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ];
    let wire = Wire::default();
    let answer = wire.call(Method::POST, &url, &headers, body.to_string());
    answer.await.expect(200);
}

#[tokio::test]
async fn forty_calls_on_an_ended_session_make_one_sign_in() {
    let stage = open().await;
    assert_eq!(sign_ins(&stage), 1);
    stage.wait(ENDED);
    stage
        .family
        .script_token(Reply::SlowBy(Duration::from_millis(200)));
    join_all((0..40).map(|_| stage.probe("ada"))).await;
    assert_eq!(sign_ins(&stage), 2);
    assert_eq!(stage.family.seen().max_concurrent_token_calls, 1);
    // The one that is stored is the one that lives.
    stage.wait(16);
    stage.probe("ada").await;
    assert_eq!(
        (sign_ins(&stage), stage.family.seen().api_unauthorized),
        (2, 0)
    );
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_is_replaced_by_one_sign_in() {
    let stage = open().await;
    stage.probe("ada").await;
    stage.wait(120);
    sign_in_elsewhere(&stage).await;
    let before = sign_ins(&stage);
    join_all((0..10).map(|_| stage.probe("ada"))).await;
    assert_eq!(sign_ins(&stage), before + 1);
    assert!(stage.family.seen().api_unauthorized >= 1);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_by_name_and_stores_nothing() {
    let stage = Stage::set("tableau", "tableau").await;
    let typed = stage.simulated().typed;
    let (name, secret) = (&typed["token_name"], &typed["token_secret"]);
    for (name, wrong) in [(name.as_str(), "canary-wrong-secret"), ("unknown", secret)] {
        let refused = put(&stage, name, wrong).await;
        let refused = refused.expect_problem(422, "request_invalid", "field", "token_secret");
        assert!(!reveals(&refused.body, wrong), "{}", refused.text());
    }
    assert!(connections(&stage.dev.target).await.is_empty());
    assert_eq!(stage.status("ada").await["status"], "not_connected");

    stage.connect("ada").await;
    let before = connections(&stage.dev.target).await;
    let refused = put(&stage, name, "canary-wrong-secret").await;
    refused.expect_problem(422, "request_invalid", "field", "token_secret");
    assert_eq!(connections(&stage.dev.target).await, before);
    stage.probe("ada").await;
    let log = stage.log.lock().unwrap().join("\n");
    for secret in [secret.as_str(), "canary-wrong-secret"] {
        assert!(!reveals(log.as_bytes(), secret));
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_not_a_wrong_secret() {
    let stage = Stage::set("tableau", "tableau").await;
    let typed = stage.simulated().typed;
    let busy = Reply::Status(500, "{}".to_owned(), "application/json".to_owned());
    for reply in [
        busy,
        Reply::Drop,
        Reply::Html,
        Reply::Empty,
        Reply::RetryAfter(7),
    ] {
        stage.family.script_token(reply.clone());
        let answer = put(&stage, &typed["token_name"], &typed["token_secret"]).await;
        let answer = answer.expect_problem(503, "unavailable", "", "");
        assert_eq!(answer.json()["retryable"], true, "{reply:?}");
        assert!(connections(&stage.dev.target).await.is_empty(), "{reply:?}");
    }
    stage.connect("ada").await;
}

#[tokio::test]
async fn a_token_that_died_unused_has_to_be_typed_anew() {
    let stage = open().await;
    let status = stage.status("ada").await;
    let by = status["reauthorise_by"].as_str().unwrap();
    let by = consulate_core::clock::Timestamp::parse_rfc3339(by).unwrap();
    let days = by.since(stage.dev.clock.now()) / 86_400_000;
    assert!((14..=15).contains(&days), "{status}");

    stage.wait(14 * DAY);
    stage.probe("ada").await;
    stage.wait(15 * DAY + 60);
    let refused = stage.call("ada", "probe", json!({})).await;
    let refused =
        refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
    assert_eq!(refused.json()["connect"]["method"], "PUT");
    let status = stage.status("ada").await;
    assert_eq!(status["status"], "needs_reauthorisation", "{status}");
    let asked = sign_ins(&stage);
    stage.call("ada", "probe", json!({})).await.expect(424);
    assert_eq!(sign_ins(&stage), asked, "a dead token is presented once");

    let simulators = &stage.dev.simulation.as_ref().unwrap().simulators;
    simulators.register_pat("fresh", "fresh-secret-0123456789", "acme");
    let status = put(&stage, "fresh", "fresh-secret-0123456789")
        .await
        .expect(200)
        .json();
    assert_eq!(status["status"], "connected");
    stage.probe("ada").await;
}

#[tokio::test]
async fn disconnecting_signs_out() {
    let stage = open().await;
    assert_eq!(stage.family.live_grants(), 1);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(
        (stage.family.live_grants(), stage.family.seen().revoked),
        (0, 1)
    );
    // A session that has ended by itself is gone already.
    stage.connect("ada").await;
    stage.wait(ENDED + 1);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "already_gone", "{receipt}");
}

/// The address of a call is the site that the sign-in named; no caller chooses it.
#[tokio::test]
async fn the_site_of_a_call_is_the_connections_own() {
    let change = |schema: &mut Value, _: &mut Value| {
        let apis = schema["authenticatedApis"].as_array_mut().unwrap();
        for (name, site) in [
            ("own", "{connection.theirs.site_id}"),
            ("other", "{param.site}"),
        ] {
            let url = "https://{connection.theirs.host}/api/{connection.theirs.api_version}/sites/SITE/workbooks";
            apis.push(
                json!({"label": name, "name": name, "method": "GET", "authenticationKey": THEIRS,
                             "url": url.replace("SITE", site)}),
            );
        }
    };
    let stage = Stage::set_with("tableau", "tableau", change).await;
    stage.connect("ada").await;
    let envelope = stage.call("ada", "own", json!({})).await.expect(200).json();
    assert_eq!(
        envelope["body"]["workbooks"]["workbook"][0]["id"], "wb-1",
        "{envelope}"
    );
    let envelope = stage.call("ada", "other", json!({"site": "another"})).await;
    assert_eq!(envelope.expect(200).json()["statusCode"], 404);
    let taken = stage
        .call("ada", "own", json!({"site_id": "another"}))
        .await;
    assert_eq!(taken.expect(200).json()["statusCode"], 200);
}
