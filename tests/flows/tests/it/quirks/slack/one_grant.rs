//! A slot's token serves with the main one of the same consent or not at all, and what it costs to know.

use aws_sdk_dynamodb::types::AttributeValue;
use consulate_core::table::PK;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::super::{envelope, must_connect, readiness};
use super::{ADA, named, two_tokens};

/// Overwrites a text attribute of one slot's row.
async fn set(stage: &Stage, slot: &str, attribute: &str, text: &str) {
    let target = &stage.dev.target;
    let pk = stage.key("ada", slot).await.pk();
    let update = target.dynamodb.update_item().table_name(&target.table);
    update
        .key(PK, AttributeValue::S(pk))
        .update_expression("SET #a = :t")
        .expression_attribute_names("#a", attribute)
        .expression_attribute_values(":t", AttributeValue::S(text.to_owned()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_that_another_consent_left_behind_serves_nobody() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    set(&stage, "user", "g", "another-grant").await;
    must_connect(
        stage.call("ada", "asUser", json!({})).await,
        "missing_scopes",
    );
    let status = stage.status("ada").await;
    let api = readiness(&status, "asUser");
    assert_eq!(api["status"], "missing_scopes", "{status}");
}

#[tokio::test]
async fn no_slot_outlives_the_main_one() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    set(&stage, "", "h", "disconnected").await;
    must_connect(stage.call("ada", "asUser", json!({})).await, "disconnected");
}

#[tokio::test]
async fn a_slot_costs_one_more_read_on_a_miss_and_none_on_a_hit() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let reads = || {
        let requests = stage.dev.engine.requests();
        stage.dev.engine.clear();
        let keys = requests.into_iter().flat_map(|request| request.keys);
        let of_a_connection = keys.filter(|key| {
            let pk = key["pk"]["S"].as_str().unwrap();
            pk.starts_with("CONNECTION#")
        });
        of_a_connection.count()
    };
    for (api, cold) in [("probe", 1), ("asUser", 2)] {
        for expected in [cold, 0] {
            reads();
            envelope(&stage, "ada", api).await;
            assert_eq!(reads(), expected, "{api}");
        }
    }
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
}
