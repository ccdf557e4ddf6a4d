//! PURE. A small dataset with security on two columns, and what record-level security leaves of it.
//!
//! As Qrvey describes it: permissions narrow; a column that is secured and that no permission names hides everything; `*`
//! filters nothing. Only the comparisons the demo and the tests use are played; a row that meets another one is hidden.
//!
//! Source: Qrvey, "Record-Level Security".

use serde_json::{Value, json};

/// Columns with security. The dataset's id is `sales`.
const SECURED: [&str; 1] = ["owner"];

fn dataset() -> Vec<Value> {
    [
        ("ada@acme.example", "emea", 1_815),
        ("ada@acme.example", "apac", 1_843),
        ("grace@acme.example", "emea", 1_906),
        ("grace@acme.example", "amer", 1_959),
        ("u7@acme.example", "emea", 7),
    ]
    .map(|(owner, region, amount)| json!({ "owner": owner, "region": region, "amount": amount }))
    .into()
}

/// The rows that `permissions` leave.
pub(super) fn visible(permissions: Option<&Value>) -> Vec<Value> {
    let all = permissions.and_then(Value::as_array);
    let theirs: Vec<&Value> = all
        .into_iter()
        .flatten()
        .filter(|one| is_about(one))
        .collect();
    let mut named = Vec::new();
    theirs.iter().for_each(|one| note_columns(one, &mut named));
    if SECURED.iter().any(|column| !named.contains(column)) {
        return Vec::new();
    }
    let mut rows = dataset();
    rows.retain(|row| theirs.iter().all(|permission| passes(permission, row)));
    rows
}

fn is_about(permission: &Value) -> bool {
    let is_ours = |id: &Value| matches!(id.as_str(), Some("sales" | "*"));
    match &permission["dataset_id"] {
        Value::Array(ids) => ids.iter().any(is_ours),
        id => is_ours(id),
    }
}

fn note_columns<'p>(holder: &'p Value, named: &mut Vec<&'p str>) {
    named.extend(holder["security_name"].as_str());
    let nested = holder["record_permissions"].as_array();
    nested
        .into_iter()
        .flatten()
        .for_each(|filter| note_columns(filter, named));
}

fn passes(filter: &Value, row: &Value) -> bool {
    if let Some(nested) = filter["record_permissions"].as_array() {
        let mut nested = nested.iter().map(|filter| passes(filter, row));
        return match filter["operator"].as_str() {
            Some("OR") => nested.any(|passes| passes),
            _ => nested.all(|passes| passes),
        };
    }
    let Some(cell) = filter["security_name"]
        .as_str()
        .and_then(|column| row.get(column))
    else {
        return false;
    };
    let cell = cell
        .as_str()
        .map_or_else(|| cell.to_string(), str::to_owned);
    let values = filter["values"].as_array();
    let values: Vec<String> = values
        .into_iter()
        .flatten()
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    let any = |compare: fn(&str, &str) -> bool| values.iter().any(|value| compare(&cell, value));
    match filter["validation_type"].as_str().unwrap_or("EQUAL") {
        "EQUAL" => any(|cell, value| value == "*" || cell == value),
        "NOT_EQUAL" => !any(|cell, value| cell == value),
        "CONTAIN" => any(|cell, value| cell.contains(value)),
        "START_WITH" => any(|cell, value| cell.starts_with(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(permissions: Value) -> usize {
        visible(Some(&permissions)).len()
    }

    fn one(filter: Value) -> Value {
        json!([{ "dataset_id": "sales", "record_permissions": [filter] }])
    }

    #[test]
    fn a_secured_column_that_is_not_named_hides_everything() {
        assert_eq!(visible(None).len(), 0);
        assert_eq!(seen(json!([])), 0);
        assert_eq!(
            seen(one(
                json!({ "security_name": "region", "values": ["emea"] })
            )),
            0
        );
    }

    #[test]
    fn filters_narrow_and_a_star_does_not() {
        assert_eq!(
            seen(one(
                json!({ "security_name": "owner", "values": ["ada@acme.example"] })
            )),
            2
        );
        assert_eq!(
            seen(one(json!({ "security_name": "owner", "values": ["*"] }))),
            5
        );
        let both = json!([{ "dataset_id": ["sales"], "record_permissions": [
            { "security_name": "owner", "values": ["ada@acme.example"] },
            { "security_name": "region", "values": ["emea"], "validation_type": "EQUAL" },
        ] }]);
        assert_eq!(seen(both), 1);
    }
}
