//! The checked-in document is what the code says, and the code says something about every route.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that cannot go on ends"
)]

use consulate_core::problem::{Code, Problem, Reason};
use serde_json::Value;

const CHECKED_IN: &str = include_str!("../../../openapi.json");

#[test]
fn the_file_is_what_the_code_says() {
    let made = consulate_contract::document().unwrap();
    assert!(
        made == CHECKED_IN,
        "openapi.json is behind: cargo run -p consulate-contract > openapi.json.new && mv openapi.json.new openapi.json"
    );
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    for (function, described, routes) in consulate_contract::functions() {
        let name = |method: &http::Method, path: &str| format!("{method} {path}");
        let mut said: Vec<String> = described
            .iter()
            .map(|one| name(&one.method, one.path))
            .collect();
        let mut there: Vec<String> = routes
            .iter()
            .map(|route| name(&route.method, route.path))
            .collect();
        said.sort();
        there.sort();
        assert_eq!(said, there, "{function}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_operations_are_named_apart() {
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in CHECKED_IN.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn a_problem_has_the_members_its_schema_names_and_no_others() {
    use http_body_util::BodyExt as _;
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let schema = &document["components"]["schemas"]["Problem"];
    let known = schema["properties"].as_object().unwrap();
    let problem = Problem::authentication_required(Reason::NotConnected, "w", "a");
    let problem = problem.field("f").param("p");
    let body = problem.into_answer("r").into_body();
    let body = body.collect().await.unwrap().to_bytes();
    let said: Value = serde_json::from_slice(&body).unwrap();
    for name in said.as_object().unwrap().keys() {
        assert!(known.contains_key(name), "{name}");
    }
    for name in schema["required"].as_array().unwrap() {
        assert!(said.get(name.as_str().unwrap()).is_some(), "{name}");
    }
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"].clone();
    assert!(
        codes["enum"]
            .as_array()
            .unwrap()
            .contains(&Value::from(Code::SettingUnknown.name()))
    );
}
