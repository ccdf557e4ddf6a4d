//! Whether what was answered is in the OpenAPI document: every journey asks it of every answer, by the log.

use std::sync::LazyLock;

use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../openapi.json")).unwrap());

/// Panics where `line` is of a request whose status, or whose problem's code, its route does not have in the document.
pub fn check(line: &str) {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line[name].as_str();
    let (Some("request"), Some(method), Some(route)) =
        (text("event"), text("method"), text("route"))
    else {
        return;
    };
    let operations = &DOCUMENT["paths"][route];
    // The console has pages of its own and no widget routes.
    if method == "OPTIONS" || operations.is_null() && text("function") == Some("console") {
        return;
    }
    let operation = match &operations[method.to_lowercase()] {
        // axum answers HEAD as GET.
        Value::Null if method == "HEAD" => &operations["get"],
        operation => operation,
    };
    let status = line["status"].to_string();
    if status == "405" {
        return;
    }
    let answer = &operation["responses"][&status];
    assert!(!answer.is_null(), "not in openapi.json: {line}");
    let Some(schema) = answer["content"].get("application/problem+json") else {
        return;
    };
    let codes = &schema["schema"]["allOf"][1]["properties"]["code"]["enum"];
    let is_known = codes
        .as_array()
        .is_some_and(|codes| codes.iter().any(|code| Some(code) == line.get("code")));
    assert!(is_known, "the code is not in openapi.json: {line}");
}
