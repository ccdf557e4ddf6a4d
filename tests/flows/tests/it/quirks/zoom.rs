//! Zoom: one authorization for each person and app, an API address that comes with the token.

use consulate_flows::browser::Browser;
use consulate_flows::consent::ADA;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::{HOUR, declare, envelope, is_refused, merged, must_connect, was_called};

async fn zoom() -> Stage {
    Stage::set_with("zoom", "zoom", |schema, _| {
        let url = "{connection.theirs.api_url}/v2/users/me";
        declare(schema, "regional", "GET", url);
    })
    .await
}

#[tokio::test]
async fn a_second_owner_of_one_account_is_refused_because_zoom_bears_one_authorization() {
    let stage = zoom().await;
    stage.connect_as("ada", ADA, &[]).await;
    let mut browser = Browser::default();
    let authorize = stage.depart(&mut browser, "assistant").await;
    let callback = stage
        .decide(&mut browser, &authorize, ADA, "allow", &[])
        .await;
    stage.arrive(&mut browser, &callback).await;
    assert_eq!(stage.status("assistant").await["status"], "not_connected");
    // Ours stays as it is; that the consent has ended her tokens at Zoom (4741) shows at her next renewal.
    assert_eq!(stage.status("ada").await["status"], "connected");
    assert_eq!(stage.family.seen().revoke_calls, 0);
    stage.wait(HOUR);
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
    stage.connect_as("ada", ADA, &[]).await;
    stage.probe("ada").await;
}

#[tokio::test]
async fn an_owner_who_connects_again_keeps_the_newer_authorization() {
    let stage = zoom().await;
    stage.connect("ada").await;
    stage.connect("ada").await;
    stage.wait(HOUR);
    stage.probe("ada").await;
    assert_eq!(stage.family.live_grants(), 1);
}

#[tokio::test]
async fn calls_may_go_to_the_address_of_the_accounts_region() {
    let stage = zoom().await;
    stage.connect("ada").await;
    let answer = envelope(&stage, "ada", "regional").await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let kept = async |stage: &Stage| {
        let row = stage.row("ada", "").await.unwrap();
        row.fields.get("api_url").cloned()
    };
    assert_eq!(kept(&stage).await.as_deref(), Some("https://api.zoom.us"));
    for (address, expected) in [
        ("https://api-us05.zoom.us", "https://api-us05.zoom.us"),
        ("https://api.zoomgov.com/", "https://api.zoomgov.com"),
        ("https://zoom.us.evil.example", "https://api.zoomgov.com"),
    ] {
        stage
            .family
            .script_token(merged(json!({"api_url": address})));
        stage.wait(HOUR);
        stage.probe("ada").await;
        assert_eq!(kept(&stage).await.as_deref(), Some(expected), "{address}");
    }
    assert!(!was_called(&stage, "zoom.us.evil.example"));
}

#[tokio::test]
async fn an_address_elsewhere_is_not_called() {
    let stage = zoom().await;
    let elsewhere = json!({"api_url": "https://evil.example"});
    stage.family.script_token(merged(elsewhere));
    stage.connect("ada").await;
    must_connect(
        stage.call("ada", "regional", json!({})).await,
        "config_changed",
    );
    // What does not need the address goes on.
    stage.probe("ada").await;
}
