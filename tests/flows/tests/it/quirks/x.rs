//! X: a reset header in epoch seconds, refusals in words of its own.

use consulate_flows::stage::Stage;
use serde_json::json;

use super::{HOUR, asked, envelope, is_refused, must_connect, nothing_leaked, presented};

async fn connected() -> Stage {
    let stage = Stage::set("x", "x").await;
    stage.connect("ada").await;
    stage
}

#[tokio::test]
async fn the_instant_of_the_reset_header_becomes_a_wait() {
    let stage = connected().await;
    stage.wait(120);
    stage.family.throttle_for(900);
    let envelope = envelope(&stage, "ada", "probe").await;
    assert_eq!(envelope["statusCode"], 429, "{envelope}");
    assert_eq!(envelope["isThrottled"], true, "{envelope}");
    let wait = envelope["retryAfterSeconds"].as_u64().unwrap();
    assert!((880..=900).contains(&wait), "{envelope}");
    assert_eq!(asked(&stage), 1);
}

#[tokio::test]
async fn a_grant_withdrawn_at_x_needs_the_person_at_once() {
    let stage = connected().await;
    stage.family.revoke_grants();
    stage.wait(2 * HOUR);
    // 400 invalid_request, "Value passed for the token was invalid."
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
    assert_eq!(presented(&stage, "refresh_token"), 1);
}

#[tokio::test]
async fn a_client_that_x_does_not_know_is_the_operators_and_costs_nobody_a_connection() {
    let stage = connected().await;
    stage.wait(2 * HOUR);
    let refused =
        json!({"error": "unauthorized_client", "error_description": "Invalid client credentials"});
    stage.family.script_token(super::canned(401, refused));
    let answer = stage.call("ada", "probe", json!({})).await;
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(stage.status("ada").await["status"], "connected");
    stage.wait(60);
    stage.probe("ada").await;
    nothing_leaked(&stage);
}

#[tokio::test]
async fn another_bad_request_of_ours_costs_nobody_a_connection() {
    let stage = connected().await;
    stage.wait(2 * HOUR);
    let refused =
        json!({"error": "invalid_request", "error_description": "Missing required parameter"});
    stage.family.script_token(super::canned(400, refused));
    let answer = stage.call("ada", "probe", json!({})).await;
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(stage.status("ada").await["status"], "connected");
}
