//! A token within its margin is renewed early. Where that fails it serves to its end, and no further.

use consulate_fakes::provider::Reply;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::{HOUR, asked};

/// Connected, and within the last minute of the token's hour.
async fn within_the_margin(family: &str, id: &str) -> Stage {
    let stage = Stage::set(family, id).await;
    stage.connect("ada").await;
    stage.wait(HOUR - 40);
    stage
}

async fn serves_to_its_end(family: &str, id: &str, reply: Reply) {
    let stage = within_the_margin(family, id).await;
    stage.family.script_token(reply.clone());
    stage.probe("ada").await;
    assert_eq!(asked(&stage), 2, "{reply:?}: nobody tried to renew");
    // Whoever calls next does not wait for the provider again.
    stage.probe("ada").await;
    assert_eq!(asked(&stage), 2, "{reply:?}");
    stage.wait(60);
    stage.family.script_token(reply.clone());
    let refused = stage.call("ada", "probe", json!({})).await;
    let refused = refused.expect_problem(503, "unavailable", "", "");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!(wait >= 1, "{reply:?}");
    // Back again: what was left open is settled, and the grant lives on.
    stage.wait(100);
    let mut answer = stage.call("ada", "probe", json!({})).await;
    // Where the outcome is unknown, each try waits until the one before can change nothing any more.
    for _ in 0..2 {
        if answer.status != 503 {
            break;
        }
        stage.wait(220);
        answer = stage.call("ada", "probe", json!({})).await;
    }
    assert_eq!(answer.expect(200).json()["isSuccess"], true, "{reply:?}");
    assert_eq!(stage.family.seen().reuse_detected, 0, "{reply:?}");
}

fn down() -> Reply {
    super::canned(503, json!({"error": "temporarily_unavailable"}))
}

#[tokio::test]
async fn a_token_of_a_provider_that_is_down_serves_to_its_end() {
    serves_to_its_end("zoom", "zoom", down()).await;
    serves_to_its_end("google", "google", down()).await;
}

#[tokio::test]
async fn a_token_of_a_provider_that_hangs_up_serves_to_its_end() {
    serves_to_its_end("zoom", "zoom", Reply::Drop).await;
    serves_to_its_end("google", "google", Reply::Drop).await;
}

#[tokio::test]
async fn a_token_of_a_provider_that_throttles_serves_to_its_end() {
    serves_to_its_end("zoom", "zoom", Reply::RetryAfter(30)).await;
}

#[tokio::test]
async fn a_token_whose_grant_is_refused_serves_no_longer() {
    let stage = within_the_margin("zoom", "zoom").await;
    stage
        .family
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    let refused = stage.call("ada", "probe", json!({})).await;
    super::must_connect(refused, "provider_refused");
}

#[tokio::test]
async fn well_before_its_margin_nobody_renews_a_token() {
    let stage = Stage::set("zoom", "zoom").await;
    stage.connect("ada").await;
    stage.wait(HOUR - 90);
    stage.probe("ada").await;
    assert_eq!(asked(&stage), 1);
}
