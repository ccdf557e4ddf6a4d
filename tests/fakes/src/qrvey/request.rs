//! PURE. What a request for a security token must be. Stricter than Qrvey, which passes unknown fields on: a field nobody
//! documents is a slip here.

use http::StatusCode;
use serde_json::{Map, Value};

use super::Settings;

/// How a version spells the body's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `userid`, `appid`, `clientid`: the REST samples.
    Rest,
    /// `userId`, `appId`, `clientId`: the quickstart of 9.2.
    Camel,
}

const FIELDS: [(&str, &str); 16] = [
    ("userid", "userId"),
    ("appid", "appId"),
    ("clientid", "clientId"),
    ("orgId", "orgId"),
    ("expiresIn", "expiresIn"),
    ("version", "version"),
    ("permissions", "permissions"),
    ("asset_permissions", "asset_permissions"),
    ("roles", "roles"),
    ("dashboardId", "dashboardId"),
    ("pageid", "pageId"),
    ("qrveyid", "qrveyId"),
    ("personalization", "personalization"),
    ("featurePermission", "featurePermission"),
    ("styles", "styles"),
    ("customContent", "customContent"),
];

const VALIDATION_TYPES: [&str; 18] = [
    "EQUAL",
    "NOT_EQUAL",
    "CONTAIN",
    "NOT_CONTAIN",
    "RANGE",
    "NOT_RANGE",
    "BETWEEN",
    "DATE",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "START_WITH",
    "NOT_START_WITH",
    "END_WITH",
    "NOT_END_WITH",
    "IS_EMPTY",
    "IS_NOT_EMPTY",
];

const GROUPS: [&str; 15] = [
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_ONLY",
    "MINUTE_ONLY",
    "HOUR_ONLY",
    "DAY_ONLY",
    "WEEK_ONLY",
    "MONTH_ONLY",
    "QUARTER_ONLY",
];

const ASSETS: [(&str, &str); 5] = [
    ("pages", "page_ids"),
    ("charts", "chart_ids"),
    ("metrics", "metric_ids"),
    ("summaries", "question_ids"),
    ("datasets", "dataset_ids"),
];

impl Spelling {
    /// The field `name` of `body`, by its REST name.
    pub(super) fn field<'b>(self, body: &'b Map<String, Value>, name: &str) -> Option<&'b Value> {
        body.get(self.of(name))
    }

    fn of(self, name: &str) -> &str {
        let known = FIELDS.iter().find(|(rest, _)| *rest == name);
        match (self, known) {
            (Self::Camel, Some((_, camel))) => camel,
            _ => name,
        }
    }
}

/// A refused request.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub why: String,
}

fn bad<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        status: StatusCode::BAD_REQUEST,
        why: why.into(),
    })
}

/// The body and the lifetime asked for, in seconds.
pub(super) fn judge(
    body: &Value,
    settings: &Settings,
) -> Result<(Map<String, Value>, i64), Refusal> {
    let Value::Object(body) = body else {
        return bad("the body must be a JSON object");
    };
    let spelling = settings.spelling;
    let known = |name: &String| FIELDS.iter().any(|(rest, _)| spelling.of(rest) == name);
    if let Some(name) = body.keys().find(|name| !known(name)) {
        return bad(format!("{name} is not a field of this version"));
    }
    let text = |name: &str| {
        spelling
            .field(body, name)
            .map(|value| value.as_str().unwrap_or(""))
    };
    for name in [
        "userid",
        "appid",
        "clientid",
        "orgId",
        "dashboardId",
        "pageid",
        "qrveyid",
    ] {
        if text(name).is_some_and(|text| text.trim().is_empty() || text.contains(['{', '}'])) {
            return bad(format!("{name} must be text, filled in"));
        }
    }
    let is_one_of = |name: &str, listed: &[String]| {
        text(name).is_none_or(|text| listed.iter().any(|known| known == text))
    };
    if text("userid").is_none() {
        return bad("userid is missing");
    }
    if !is_one_of("userid", &settings.users) || !is_one_of("appid", &settings.apps) {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            why: "no such user or application".to_owned(),
        });
    }
    let Some(seconds) = text("expiresIn").and_then(span) else {
        return bad("expiresIn must be a span such as 10m");
    };
    match spelling.field(body, "roles") {
        None => {}
        Some(Value::String(role)) if !role.is_empty() => {}
        Some(roles) => texts(roles, "roles")?,
    }
    if let Some(permissions) = spelling.field(body, "permissions") {
        let Some(permissions) = permissions.as_array() else {
            return bad("permissions must be a list");
        };
        let version = spelling.field(body, "version").map(Value::to_string);
        let version = version.unwrap_or_default();
        if !permissions.is_empty() && version.trim_matches('"') != "2" {
            return bad("permissions of this shape are of version 2");
        }
        permissions.iter().try_for_each(permission)?;
    }
    if let Some(assets) = spelling.field(body, "asset_permissions") {
        asset_permissions(assets)?;
    }
    Ok((body.clone(), seconds))
}

/// Seconds of a span text: `10m`, `60m`, `1w`, `1y`.
fn span(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number: i64 = text
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|number| *number > 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        'y' => 31_536_000,
        _ => return None,
    };
    Some(number * seconds)
}

fn texts(value: &Value, what: &str) -> Result<(), Refusal> {
    let is_text = |item: &Value| item.as_str().is_some_and(|text| !text.is_empty());
    match value.as_array() {
        Some(items) if !items.is_empty() && items.iter().all(is_text) => Ok(()),
        _ => bad(format!("{what} must be a list of texts")),
    }
}

fn members<'v>(
    value: &'v Value,
    known: &[&str],
    what: &str,
) -> Result<&'v Map<String, Value>, Refusal> {
    let Some(members) = value.as_object() else {
        return bad(format!("{what} must be an object"));
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => bad(format!("{what} has no member {name}")),
        None => Ok(members),
    }
}

fn permission(permission: &Value) -> Result<(), Refusal> {
    const KNOWN: [&str; 3] = ["dataset_id", "operator", "record_permissions"];
    let members = members(permission, &KNOWN, "a permission")?;
    match members.get("dataset_id") {
        Some(Value::String(id)) if !id.is_empty() => {}
        Some(ids) => texts(ids, "dataset_id")?,
        None => return bad("a permission needs dataset_id"),
    }
    group(members)
}

fn group(members: &Map<String, Value>) -> Result<(), Refusal> {
    if !matches!(
        members.get("operator").map(Value::as_str),
        None | Some(Some("AND" | "OR"))
    ) {
        return bad("operator must be AND or OR");
    }
    match members.get("record_permissions").and_then(Value::as_array) {
        Some(filters) if !filters.is_empty() => filters.iter().try_for_each(filter),
        _ => bad("record_permissions must be a list with something in it"),
    }
}

fn filter(filter: &Value) -> Result<(), Refusal> {
    const KNOWN: [&str; 4] = ["security_name", "values", "validation_type", "group_value"];
    if filter.get("record_permissions").is_some() {
        return group(members(
            filter,
            &["operator", "record_permissions"],
            "a group",
        )?);
    }
    let members = members(filter, &KNOWN, "a filter")?;
    if members
        .get("security_name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        return bad("a filter needs security_name");
    }
    let kind = match members.get("validation_type") {
        None => "EQUAL",
        Some(kind) => kind.as_str().unwrap_or_default(),
    };
    if !VALIDATION_TYPES.contains(&kind) {
        return bad(format!("there is no validation_type {kind}"));
    }
    if let Some(group) = members.get("group_value") {
        let group = group.as_str().unwrap_or_default().to_ascii_uppercase();
        if !GROUPS.contains(&group.as_str()) {
            return bad(format!("there is no group_value {group}"));
        }
    }
    let Some(values) = members.get("values").and_then(Value::as_array) else {
        return bad("a filter needs values");
    };
    let is_empty = matches!(kind, "IS_EMPTY" | "IS_NOT_EMPTY");
    if values.is_empty() && !is_empty {
        return bad("a filter needs a value");
    }
    values.iter().try_for_each(|value| judge_value(value, kind))
}

fn judge_value(value: &Value, kind: &str) -> Result<(), Refusal> {
    let takes_range = matches!(kind, "RANGE" | "NOT_RANGE" | "BETWEEN" | "DATE");
    match value {
        Value::String(text) if text == "*" && kind != "EQUAL" => bad("* goes with EQUAL only"),
        Value::String(text) if text.trim().is_empty() || text.contains(['{', '}']) => {
            bad("a value must be filled in")
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_)
            if !matches!(kind, "RANGE" | "NOT_RANGE") =>
        {
            Ok(())
        }
        Value::Object(_) if takes_range => {
            let range = members(value, &["gte", "lte"], "a range")?;
            match range.is_empty() {
                true => bad("a range needs gte or lte"),
                false => Ok(()),
            }
        }
        _ => bad(format!("{kind} does not take such a value")),
    }
}

fn asset_permissions(assets: &Value) -> Result<(), Refusal> {
    let kinds = ASSETS.map(|(kind, _)| kind);
    let kinds = members(assets, &kinds, "asset_permissions")?;
    for (kind, ids) in kinds {
        let list = ASSETS.iter().find(|(known, _)| known == kind);
        let list = list.map_or("", |(_, list)| list);
        match members(ids, &[list], kind)?.get(list) {
            Some(ids) => texts(ids, list)?,
            None => return bad(format!("{kind} needs {list}")),
        }
    }
    Ok(())
}
