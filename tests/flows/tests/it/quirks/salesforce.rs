//! Salesforce: an API whose address comes with the token and may move, ends that are told in arrays and faults.

use consulate_flows::stage::Stage;
use serde_json::{Value, json};

use super::{declare, envelope, merged, must_connect, nothing_leaked, presented, was_called};

/// Session timeout, as the catalogue takes it to be.
const SESSION: i64 = 7_200;
const HOME: &str = "https://acme.my.salesforce.com";

async fn salesforce() -> Stage {
    Stage::set_with("salesforce", "salesforce", |schema, consulate| {
        let url = "{connection.theirs.instance_url}/services/Soap/u/62.0";
        declare(schema, "soap", "POST", url);
        consulate["apis"] = json!({"soap": {"idempotent": true}});
    })
    .await
}

/// The address that is kept with Ada's connection.
async fn kept(stage: &Stage) -> Option<String> {
    let row = stage.row("ada", "").await.unwrap();
    row.fields.get("instance_url").cloned()
}

#[tokio::test]
async fn calls_go_to_the_address_that_came_with_the_token() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    assert_eq!(kept(&stage).await.as_deref(), Some(HOME));
    stage.probe("ada").await;
    assert!(was_called(&stage, "acme.my.salesforce.com"));
}

#[tokio::test]
async fn a_moved_organisation_is_found_with_the_next_refresh() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    stage.family.move_instance("planned-move");
    stage.wait(SESSION);
    stage.probe("ada").await;
    assert_eq!(
        kept(&stage).await.as_deref(),
        Some("https://planned-move.my.salesforce.com")
    );
    assert!(was_called(&stage, "planned-move.my.salesforce.com"));
    assert_eq!(presented(&stage, "refresh_token"), 1);
}

#[tokio::test]
async fn a_session_that_a_move_ended_is_renewed_and_the_call_sent_to_the_new_address() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    stage.probe("ada").await;
    stage.wait(120);
    stage.family.move_instance("sudden-move");
    stage.family.revoke_access_tokens();
    stage.probe("ada").await;
    assert!(was_called(&stage, "sudden-move.my.salesforce.com"));
    assert_eq!(presented(&stage, "refresh_token"), 1);
}

#[tokio::test]
async fn an_address_elsewhere_is_neither_kept_nor_called() {
    let stage = salesforce().await;
    let elsewhere = json!({"instance_url": "https://acme.my.salesforce.com.evil.example"});
    stage.family.script_token(merged(elsewhere));
    stage.connect("ada").await;
    assert_eq!(kept(&stage).await, None);
    let before = stage.family.seen();
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "config_changed",
    );
    assert_eq!(stage.family.seen(), before);
    assert!(!was_called(&stage, "acme.my.salesforce.com.evil.example"));
}

#[tokio::test]
async fn a_refresh_cannot_lead_the_calls_elsewhere() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    let addresses = [
        json!("https://evil.example"),
        json!("https://salesforce.com"),
        json!("https://acme.my.salesforce.com@evil.example"),
        json!("https://acme.my.salesforce.com:8443"),
        json!("https://evil.example/.my.salesforce.com"),
        json!("https://evil.example#.my.salesforce.com"),
        json!("https://acme.lightning.force.com"),
        json!("http://acme.my.salesforce.com"),
        json!("//evil.example"),
        json!("https://acme.my.salesforce.com\u{0}"),
        json!(["https://evil.example"]),
        Value::Null,
    ];
    for address in addresses {
        stage.wait(SESSION);
        stage
            .family
            .script_token(merged(json!({"instance_url": address})));
        stage.probe("ada").await;
        assert_eq!(kept(&stage).await.as_deref(), Some(HOME), "{address}");
    }
    let lines = stage.log_lines();
    let hosts = lines
        .iter()
        .filter_map(|line| line["upstream_host"].as_str());
    assert!(hosts.into_iter().all(|host| !host.contains("evil")));
}

#[tokio::test]
async fn an_array_with_401_and_a_fault_with_500_both_renew_the_session() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    for (renewals, api) in [(1, "probe"), (2, "soap")] {
        stage.wait(120);
        stage.family.revoke_access_tokens();
        let params = match api {
            "probe" => json!({"q": "SELECT Id FROM User"}),
            _ => json!({}),
        };
        let envelope = stage.call("ada", api, params).await.expect(200).json();
        assert_eq!(envelope["statusCode"], 200, "{envelope}");
        assert_eq!(presented(&stage, "refresh_token"), renewals, "{api}");
    }
}

#[tokio::test]
async fn a_fault_for_another_reason_is_passed_on_and_renews_nothing() {
    let stage = salesforce().await;
    stage.connect("ada").await;
    stage.wait(120);
    stage.family.throttle_for(60);
    let fault = envelope(&stage, "ada", "soap").await;
    assert_eq!(fault["statusCode"], 500, "{fault}");
    let throttled = stage.call("ada", "probe", json!({"q": "SELECT Id FROM User"}));
    let throttled = throttled.await.expect(200).json();
    assert_eq!(throttled["isThrottled"], true, "{throttled}");
    assert_eq!(presented(&stage, "refresh_token"), 0);
}

#[tokio::test]
async fn an_app_with_rotating_refresh_tokens_never_presents_one_twice() {
    let stage = salesforce().await;
    stage
        .reregister("simulated-salesforce-rotating", |_| {})
        .await;
    stage.connect("ada").await;
    for _ in 0..3 {
        stage.wait(SESSION);
        stage.probe("ada").await;
    }
    let seen = stage.family.seen();
    assert_eq!((seen.refreshes, seen.reuse_detected), (3, 0));
    stage.disconnect("ada").await;
    assert_eq!(stage.family.live_grants(), 0);
    nothing_leaked(&stage);
}
