//! ServiceNow's Table API: `sys_user` and `incident`, with `sysparm_query`, `sysparm_fields` and `sysparm_limit`.

use axum::response::Response;
use http::Method;
use serde_json::{Map, Value, json};

use super::fault;
use crate::provider::{ACCOUNTS, Account};
use crate::simulators::call::{Call, answer};
use crate::simulators::desk::Caller;

/// `/api/now/table/{table}` and `/api/now/table/{table}/{sys_id}`, with or without a version.
pub(super) fn read(caller: &Caller, call: &Call) -> Response {
    let segments = call.segments();
    let path = match segments.as_slice() {
        ["api", "now", "v1" | "v2", "table", path @ ..] | ["api", "now", "table", path @ ..] => {
            path
        }
        _ => &[],
    };
    let [table, record @ ..] = path else {
        let message = format!(
            "Requested URI does not represent any resource: {}",
            call.path
        );
        return fault(404, &message, Value::Null);
    };
    let Some(rows) = rows(table, &call.host) else {
        return fault(400, &format!("Invalid table {table}"), Value::Null);
    };
    if call.method != Method::GET {
        return fault(405, "Method not supported", Value::Null);
    }
    let params = call.query_params();
    let fields = params.get("sysparm_fields");
    match record {
        [] => {
            let query = params.get("sysparm_query").unwrap_or("");
            let limit = params
                .get("sysparm_limit")
                .and_then(|limit| limit.parse().ok());
            let found: Vec<Value> = rows
                .into_iter()
                .filter(|row| matches(row, query, caller.account))
                .take(limit.unwrap_or(usize::MAX))
                .map(|row| shown(row, fields))
                .collect();
            answer(200, &json!({ "result": found }))
        }
        [sys_id] => match rows
            .into_iter()
            .find(|row| row.get("sys_id").and_then(Value::as_str) == Some(*sys_id))
        {
            Some(row) => answer(200, &json!({ "result": shown(row, fields) })),
            None => fault(
                404,
                "No Record found",
                "Record doesn't exist or ACL restricts the record retrieval",
            ),
        },
        _ => fault(400, "Invalid path", Value::Null),
    }
}

fn rows(table: &str, host: &str) -> Option<Vec<Value>> {
    match table {
        "sys_user" => Some(ACCOUNTS.map(user).to_vec()),
        "incident" => Some(ACCOUNTS.map(|account| incident(account, host)).to_vec()),
        _ => None,
    }
}

fn user(account: Account) -> Value {
    let (first_name, last_name) = account.name.split_once(' ').unwrap_or((account.name, ""));
    json!({
        "sys_id": account.id,
        "user_name": user_name(account),
        "name": account.name,
        "first_name": first_name,
        "last_name": last_name,
        "email": account.email,
        "active": "true",
    })
}

/// `ada.lovelace`.
fn user_name(account: Account) -> String {
    account.name.to_lowercase().replace(' ', ".")
}

fn incident(account: Account, host: &str) -> Value {
    let link = format!("https://{host}/api/now/table/sys_user/{}", account.id);
    json!({
        "sys_id": format!("inc-{}", account.id),
        "number": format!("INC00{}", account.id.trim_start_matches("acme-")),
        "short_description": format!("Reported by {}", account.name),
        "state": "1",
        "caller_id": { "link": link, "value": account.id },
        "sys_created_on": "2026-11-16 09:30:00",
    })
}

/// Whether `row` meets every `field=value` of an encoded query. What is no such condition is passed over, as the
/// real one does: a query with a slip in it returns rows of everybody.
fn matches(row: &Value, query: &str, own: Account) -> bool {
    query
        .split('^')
        .filter_map(|condition| condition.split_once('='))
        .filter(|(field, _)| row.get(field).is_some())
        .all(|(field, wanted)| {
            let wanted = match wanted {
                "javascript:gs.getUserID()" => own.id.to_owned(),
                "javascript:gs.getUserName()" => user_name(own),
                plain => plain.to_owned(),
            };
            let value = row.get(field);
            let value = value.and_then(|value| value.get("value")).or(value);
            value.and_then(Value::as_str) == Some(&wanted)
        })
}

/// `row`, or the fields of it that were asked for.
fn shown(row: Value, fields: Option<&str>) -> Value {
    let (Some(fields), Value::Object(row)) = (fields, &row) else {
        return row;
    };
    let kept: Map<String, Value> = fields
        .split(',')
        .filter_map(|field| row.get_key_value(field.trim()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}
