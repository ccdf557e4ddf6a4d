//! ServiceNow: a revocation by GET with the token in the address, one answer for everything that is refused, a redirect
//! that may fall back to another address.

use consulate::operator::add_passport;
use consulate::operator::arguments::PassportArguments;
use consulate_fakes::simulators::App;
use consulate_flows::browser::Browser;
use consulate_flows::consent::ADA;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::{HOUR, asked, must_connect, nothing_leaked, presented};

async fn servicenow() -> Stage {
    Stage::set("servicenow", "servicenow").await
}

#[tokio::test]
async fn revoking_by_get_leaves_no_token_in_a_log() {
    let stage = servicenow().await;
    stage.connect("ada").await;
    stage.wait(HOUR);
    stage.probe("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(stage.family.live_grants(), 0);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn a_revocation_that_is_not_answered_leaves_no_token_in_a_log_either() {
    let stage = servicenow().await;
    stage.connect("ada").await;
    stage
        .family
        .script_revoke(consulate_fakes::provider::Reply::Drop);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "pending", "{receipt}");
    nothing_leaked(&stage);
}

/// Tells ServiceNow another secret of our client.
fn register(stage: &Stage, secret: &str) {
    let passport = stage.simulated().id;
    let app = App {
        redirect_uris: vec![stage.dev.target.redirect_uri(&passport)],
        id: passport,
        secret: Some(secret.to_owned()),
    };
    let simulation = stage.dev.simulation.as_ref().unwrap();
    simulation.simulators.register("servicenow", app);
}

/// A call that is told to come again: answers in how many seconds.
async fn told_to_wait(stage: &Stage) -> i64 {
    let answer = stage.call("ada", "probe", json!({})).await;
    let problem = answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(problem.json()["retryable"], true, "{}", problem.text());
    assert_eq!(stage.status("ada").await["status"], "connected");
    problem.header("retry-after").parse().unwrap()
}

#[tokio::test]
async fn a_wrong_client_secret_leaves_the_connection_and_is_got_over_once_it_is_repaired() {
    let stage = servicenow().await;
    stage.connect("ada").await;
    register(&stage, "another-secret");
    stage.wait(HOUR);
    // 401 server_error, access_denied. The token may have been used up: it is presented again when nobody else can.
    let wait = told_to_wait(&stage).await;
    assert!((200..=210).contains(&wait), "{wait}");
    told_to_wait(&stage).await;
    assert_eq!(presented(&stage, "refresh_token"), 1);
    assert!(stage.row("ada", "").await.unwrap().attempt.is_some());
    register(&stage, &stage.client_secret());
    stage.wait(211);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, "refresh_token"), 2);
    assert!(stage.row("ada", "").await.unwrap().attempt.is_none());
}

#[tokio::test]
async fn a_withdrawn_grant_is_given_up_after_three_refusals_an_hour_apart() {
    let stage = servicenow().await;
    stage.connect("ada").await;
    stage.family.revoke_grants();
    stage.wait(HOUR);
    told_to_wait(&stage).await;
    stage.wait(211);
    for refusals in 1..=2 {
        let wait = told_to_wait(&stage).await;
        assert!((3_590..=HOUR).contains(&wait), "{wait}");
        assert_eq!(presented(&stage, "refresh_token"), 1 + refusals);
        stage.wait(HOUR / 2);
        told_to_wait(&stage).await;
        assert_eq!(presented(&stage, "refresh_token"), 1 + refusals);
        stage.wait(HOUR / 2 + 1);
    }
    must_connect(stage.call("ada", "probe", json!({})).await, "rotation_lost");
    let status = stage.status("ada").await;
    assert_eq!(status["status"], "needs_reauthorisation", "{status}");
    assert_eq!(presented(&stage, "refresh_token"), 4);
    must_connect(stage.call("ada", "probe", json!({})).await, "rotation_lost");
    assert_eq!(presented(&stage, "refresh_token"), 4);
}

#[tokio::test]
async fn a_code_that_falls_back_to_another_passports_address_is_refused() {
    let stage = servicenow().await;
    let target = &stage.dev.target;
    let simulated = stage.simulated().id;
    let second = PassportArguments {
        id: "second".to_owned(),
        provider: "servicenow".to_owned(),
        client_id: Some(simulated.clone()),
        variables: stage.entry.example_variables().into_iter().collect(),
        ..PassportArguments::default()
    };
    add_passport(target, &second).await.unwrap();
    let app = App {
        id: simulated,
        secret: Some(stage.client_secret()),
        redirect_uris: vec![target.redirect_uri("second")],
    };
    let simulation = stage.dev.simulation.as_ref().unwrap();
    simulation.simulators.register("servicenow", app);

    let mut browser = Browser::default();
    let authorize = stage.depart(&mut browser, "ada").await;
    let callback = stage
        .decide(&mut browser, &authorize, ADA, "allow", &[])
        .await;
    assert!(
        callback.starts_with(&target.redirect_uri("second")),
        "{callback}"
    );
    let refused = stage.arrive(&mut browser, &callback).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    assert_eq!(asked(&stage), 0, "a code was presented");
    assert_eq!(stage.status("ada").await["status"], "not_connected");
    nothing_leaked(&stage);
}
