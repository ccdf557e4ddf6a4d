//! Microsoft: one consent, one token for each resource; scopes repeated on refresh; a tenant in every address.

use std::collections::BTreeMap;
use std::time::Duration;

use consulate_core::connection::Health;
use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::{
    DAY, asked, declare, envelope, is_refused, must_connect, nothing_leaked, presented, readiness,
};

const LIFETIME: i64 = 4_500;
const SITES: &str = "https://contoso.sharepoint.com";
const TENANTS_SITE: &str = "https://{connection.theirs.sharepoint_tenant}.sharepoint.com/_api/web";
const ME: &str = "https://graph.microsoft.com/v1.0/me";

/// A widget that reads Graph (the probe) and SharePoint's own API.
async fn sharepoint() -> Stage {
    Stage::set_with("microsoft", "sharepoint", |schema, _| {
        declare(schema, "site", "GET", &format!("{SITES}/_api/web"));
        declare(schema, "tenantsSite", "GET", TENANTS_SITE);
    })
    .await
}

/// The scopes of every refresh so far.
fn scopes(stage: &Stage) -> Vec<String> {
    let requests = stage.family.token_requests();
    let refreshes = requests
        .iter()
        .filter(|request| request.grant_type == "refresh_token");
    refreshes
        .map(|request| request.scope.clone().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn one_consent_serves_graph_and_sharepoint_each_with_a_token_of_its_own() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    // The code's token is Graph's; SharePoint's was redeemed with the same refresh token.
    let sharepoints = format!("{SITES}/.default offline_access");
    assert_eq!(scopes(&stage), [sharepoints]);
    stage.probe("ada").await;
    let site = envelope(&stage, "ada", "site").await;
    assert_eq!(site["body"]["Title"], "Site of Ada Lovelace", "{site}");
    assert_eq!(stage.family.seen().api_unauthorized, 0);
    let [main, slot] = [
        stage.row("ada", "").await.unwrap(),
        stage.row("ada", "sharepoint").await.unwrap(),
    ];
    assert_ne!(main.access_token, slot.access_token);
    assert_ne!(main.fingerprint, slot.fingerprint);
}

#[tokio::test]
async fn a_host_made_of_the_tenants_name_takes_the_token_of_that_host() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    let site = envelope(&stage, "ada", "tenantsSite").await;
    assert_eq!(site["body"]["Title"], "Site of Ada Lovelace", "{site}");
    assert_eq!(stage.family.seen().api_unauthorized, 0);
    let status = stage.status("ada").await;
    let api = readiness(&status, "tenantsSite");
    assert_eq!(api["status"], "usable", "{status}");
}

#[tokio::test]
async fn a_token_that_is_named_is_not_sent_to_a_host_of_another() {
    let stage = Stage::set_with("microsoft", "sharepoint", |schema, consulate| {
        declare(schema, "me", "GET", ME);
        declare(schema, "tenantsSite", "GET", TENANTS_SITE);
        let slot = json!({"token_slot": "sharepoint"});
        consulate["apis"] = json!({"me": slot, "tenantsSite": slot});
    })
    .await;
    stage.connect("ada").await;
    let before = stage.family.seen().api_calls;
    let refused = stage.call("ada", "me", json!({})).await;
    refused.expect_problem(502, "upstream_unreachable", "field", "token_slot");
    assert_eq!(stage.family.seen().api_calls, before);
    let status = stage.status("ada").await;
    let api = readiness(&status, "me");
    assert_eq!(api["status"], "not_connected", "{status}");
    let site = envelope(&stage, "ada", "tenantsSite").await;
    assert_eq!(site["isSuccess"], true, "{site}");
}

#[tokio::test]
async fn a_resource_that_the_passport_lost_is_given_up_with_the_rest() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    let all = stage.entry.example_variables();
    let sharepoint = |is_there: bool| {
        let mut variables = all.clone();
        variables.retain(|name, _| is_there || name != "sharepoint_tenant");
        change_variables(&stage, variables)
    };
    sharepoint(false).await;
    stage.disconnect("ada").await;
    let lost = stage.row("ada", "sharepoint").await.unwrap();
    assert_eq!(lost.health, Health::Disconnected);
    sharepoint(true).await;
    must_connect(stage.call("ada", "site", json!({})).await, "disconnected");

    // Nor does another consent take over what was left behind.
    stage.connect("ada").await;
    sharepoint(false).await;
    stage.connect("ada").await;
    assert!(stage.row("ada", "sharepoint").await.is_none());
    sharepoint(true).await;
    must_connect(stage.call("ada", "site", json!({})).await, "config_changed");
}

/// Gives the passport other variables, and waits until nobody has the former ones in memory.
async fn change_variables(stage: &Stage, variables: BTreeMap<String, String>) {
    stage
        .reregister("simulated-sharepoint", |passport| {
            passport.variables = variables.into_iter().collect();
        })
        .await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

#[tokio::test]
async fn each_resource_is_renewed_by_whoever_calls_it_for_its_own_scopes() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    stage.wait(LIFETIME);
    stage.probe("ada").await;
    stage.probe("ada").await;
    let graphs = "offline_access openid email profile User.Read Sites.Read.All";
    assert_eq!(scopes(&stage)[1..], [graphs]);
    let site = envelope(&stage, "ada", "site").await;
    assert_eq!(site["isSuccess"], true, "{site}");
    envelope(&stage, "ada", "site").await;
    assert_eq!(
        scopes(&stage)[1..],
        [
            graphs.to_owned(),
            format!("{SITES}/.default offline_access")
        ]
    );
    assert_eq!(stage.family.seen().api_unauthorized, 0);
}

#[tokio::test]
async fn a_consent_whose_second_token_is_refused_connects_nothing() {
    let stage = sharepoint().await;
    stage.family.script_token(Reply::Pass);
    let refused =
        json!({"error": "invalid_grant", "error_codes": [65001], "suberror": "consent_required"});
    stage.family.script_token(super::canned(400, refused));
    stage.consent("ada", "allow").await.expect(303);
    let status = stage.status("ada").await;
    assert_eq!(status["status"], "not_connected", "{status}");
    assert!(stage.row("ada", "").await.is_none());
}

#[tokio::test]
async fn without_a_sharepoint_tenant_there_is_graph_alone() {
    let stage = sharepoint().await;
    stage
        .reregister("simulated-sharepoint", |passport| {
            passport.variables = Vec::new();
        })
        .await;
    stage.connect("ada").await;
    assert_eq!(asked(&stage), 1);
    stage.probe("ada").await;
    let before = stage.family.seen().api_calls;
    let refused = stage.call("ada", "site", json!({})).await;
    refused.expect_problem(502, "upstream_unreachable", "field", "url");
    assert_eq!(stage.family.seen().api_calls, before);
}

#[tokio::test]
async fn the_tenant_stands_in_every_address() {
    let stage = Stage::set("microsoft", "microsoft").await;
    let tenant = ("tenant".to_owned(), "contoso.onmicrosoft.com".to_owned());
    stage
        .reregister("simulated-microsoft", |passport| {
            passport.variables = vec![tenant];
        })
        .await;
    let authorize = stage.depart(&mut Browser::default(), "ada").await;
    let path = "/login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/authorize?";
    assert!(authorize.contains(path), "{authorize}");
    stage.connect("ada").await;
    stage.wait(LIFETIME);
    stage.probe("ada").await;
    let requests = stage.family.token_requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.path, "/contoso.onmicrosoft.com/oauth2/v2.0/token");
    }
}

#[tokio::test]
async fn a_refresh_token_unused_for_ninety_days_needs_the_person() {
    let stage = Stage::set("microsoft", "microsoft").await;
    stage.connect("ada").await;
    stage.wait(91 * DAY);
    // AADSTS700082.
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
    // It stays so without asking again.
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    assert_eq!(presented(&stage, "refresh_token"), 1);
    stage.connect("ada").await;
    stage.probe("ada").await;
}

#[tokio::test]
async fn a_throttle_says_how_long_and_renews_nothing() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    stage.wait(120);
    stage.family.throttle_for(40);
    let before = asked(&stage);
    for api in ["probe", "site"] {
        let envelope = envelope(&stage, "ada", api).await;
        assert_eq!(envelope["statusCode"], 429, "{envelope}");
        assert_eq!(envelope["isThrottled"], true, "{envelope}");
        let wait = envelope["retryAfterSeconds"].as_u64().unwrap();
        assert!((30..=40).contains(&wait), "{envelope}");
    }
    assert_eq!(asked(&stage), before);
}

#[tokio::test]
async fn a_disconnect_says_that_microsoft_takes_no_token_back() {
    let stage = sharepoint().await;
    stage.connect("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(
        receipt["revocation"]["result"], "provider_has_none",
        "{receipt}"
    );
    for slot in ["", "sharepoint"] {
        assert!(stage.row("ada", slot).await.unwrap().access_token.is_none());
    }
    nothing_leaked(&stage);
}
