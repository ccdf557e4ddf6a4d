//! PURE. Record-level security (version 2) and asset permissions of a Qrvey template, value by value.
//!
//! A slip here does not fail at Qrvey, it shows more: an unknown comparison, a misspelled member and an empty list are
//! refused when a template is imported.
//!
//! Sources: Qrvey, "Record-Level Security"; "Multi-Tenant Security Architecture" (assets).

use serde_json::{Map, Value};

use super::finding::{Findings, Place};
use super::near::did_you_mean;

/// Nested deeper is a slip.
const DEEPEST: usize = 8;

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

/// In any case: the samples write them small.
const GROUP_VALUES: [&str; 15] = [
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

/// Kinds of assets, and the list of ids in each.
const ASSETS: [(&str, &str); 5] = [
    ("pages", "page_ids"),
    ("charts", "chart_ids"),
    ("metrics", "metric_ids"),
    ("summaries", "question_ids"),
    ("datasets", "dataset_ids"),
];

/// Whether a member says what is compared, and how: that is the operator's, and takes no placeholder.
pub(super) fn is_fixed(member: &str) -> bool {
    const FIXED: [&str; 5] = [
        "dataset_id",
        "operator",
        "security_name",
        "validation_type",
        "group_value",
    ];
    FIXED.contains(&member)
}

/// Judges `permissions`.
pub(super) fn judge(value: &Value, at: &str, place: &Place, findings: &mut Findings) {
    let mut judge = Judge { place, findings };
    match value.as_array() {
        Some(permissions) => {
            for (index, permission) in permissions.iter().enumerate() {
                judge.permission(permission, &format!("{at}[{index}]"));
            }
        }
        None => judge.invalid(
            at,
            "must be a list of permissions",
            "Write [] where there is none.",
        ),
    }
}

/// Judges `asset_permissions`.
pub(super) fn judge_assets(value: &Value, at: &str, place: &Place, findings: &mut Findings) {
    let mut judge = Judge { place, findings };
    let kinds = ASSETS.map(|(kind, _)| kind);
    let Some(assets) = judge.members(value, &kinds, at) else {
        return;
    };
    for (kind, list) in ASSETS {
        let Some(ids) = assets.get(kind) else {
            continue;
        };
        let at = format!("{at}.{kind}");
        let Some(members) = judge.members(ids, &[list], &at) else {
            continue;
        };
        if !members.get(list).is_some_and(is_list_of_texts) {
            judge.invalid(
                &format!("{at}.{list}"),
                "must be a list of ids with something in it",
                "Name the assets: what an empty list allows is not documented.",
            );
        }
    }
}

struct Judge<'a> {
    place: &'a Place,
    findings: &'a mut Findings,
}

impl Judge<'_> {
    fn invalid(&mut self, at: &str, message: &str, cure: impl Into<String>) {
        self.findings.error(
            "qrvey_permission_invalid",
            self.place.clone(),
            format!("{at} {message}"),
            cure,
        );
    }

    /// The members of an object that has no others.
    fn members<'v>(
        &mut self,
        value: &'v Value,
        known: &[&str],
        at: &str,
    ) -> Option<&'v Map<String, Value>> {
        let Some(members) = value.as_object() else {
            self.invalid(
                at,
                "must be an object",
                format!("Give it {}.", known.join(", ")),
            );
            return None;
        };
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let cure = format!(
                "It has {}.{}",
                known.join(", "),
                did_you_mean(name, known.iter().copied())
            );
            self.invalid(&format!("{at}.{name}"), "is not a member of this", cure);
        }
        Some(members)
    }

    fn permission(&mut self, permission: &Value, at: &str) {
        const KNOWN: [&str; 3] = ["dataset_id", "operator", "record_permissions"];
        let Some(members) = self.members(permission, &KNOWN, at) else {
            return;
        };
        let named = |id: &Value| is_text(id) || is_list_of_texts(id);
        if !members.get("dataset_id").is_some_and(named) {
            self.invalid(
                &format!("{at}.dataset_id"),
                "names no dataset",
                "Write a dataset's id, a list of ids, or * for all of them.",
            );
        }
        self.group(members, at, 1);
    }

    fn group(&mut self, members: &Map<String, Value>, at: &str, depth: usize) {
        if let Some(operator) = members.get("operator")
            && !matches!(operator.as_str(), Some("AND" | "OR"))
        {
            self.invalid(
                &format!("{at}.operator"),
                "is neither AND nor OR",
                "Write \"AND\" or \"OR\".",
            );
        }
        let at = format!("{at}.record_permissions");
        let filters = members.get("record_permissions").and_then(Value::as_array);
        let Some(filters) = filters.filter(|filters| !filters.is_empty()) else {
            self.invalid(
                &at,
                "must be a list with something in it",
                "A permission without a filter shows every row; write a filter, or take the permission out.",
            );
            return;
        };
        if depth > DEEPEST {
            self.invalid(
                &at,
                "is nested too deep",
                format!("Nest {DEEPEST} groups at most."),
            );
            return;
        }
        for (index, filter) in filters.iter().enumerate() {
            let at = format!("{at}[{index}]");
            if filter.get("record_permissions").is_some() {
                const KNOWN: [&str; 2] = ["operator", "record_permissions"];
                if let Some(members) = self.members(filter, &KNOWN, &at) {
                    self.group(members, &at, depth + 1);
                }
            } else {
                self.filter(filter, &at);
            }
        }
    }

    fn filter(&mut self, filter: &Value, at: &str) {
        const KNOWN: [&str; 4] = ["security_name", "values", "validation_type", "group_value"];
        let Some(members) = self.members(filter, &KNOWN, at) else {
            return;
        };
        if !members.get("security_name").is_some_and(is_text) {
            self.invalid(
                &format!("{at}.security_name"),
                "names no column",
                "Write the security name of a column of the dataset.",
            );
        }
        let kind = members
            .get("validation_type")
            .map_or("EQUAL", |kind| kind.as_str().unwrap_or_default());
        if !VALIDATION_TYPES.contains(&kind) {
            let cure = format!(
                "Write one of: {}.{}",
                VALIDATION_TYPES.join(", "),
                did_you_mean(kind, VALIDATION_TYPES)
            );
            self.invalid(
                &format!("{at}.validation_type"),
                "is not a comparison of Qrvey's",
                cure,
            );
            return;
        }
        if let Some(group) = members.get("group_value") {
            let group = group.as_str().unwrap_or_default();
            let known = GROUP_VALUES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(group));
            if !known {
                let cure = format!(
                    "Write one of: {}.{}",
                    GROUP_VALUES.join(", "),
                    did_you_mean(group, GROUP_VALUES)
                );
                self.invalid(
                    &format!("{at}.group_value"),
                    "is not a group of Qrvey's",
                    cure,
                );
            }
        }
        self.values(members.get("values"), kind, &format!("{at}.values"));
    }

    fn values(&mut self, values: Option<&Value>, kind: &str, at: &str) {
        let is_empty = matches!(kind, "IS_EMPTY" | "IS_NOT_EMPTY");
        let Some(values) = values.and_then(Value::as_array) else {
            self.invalid(
                at,
                "must be a list of values",
                "Write what the column is compared with.",
            );
            return;
        };
        if values.is_empty() && !is_empty {
            self.invalid(
                at,
                "is empty",
                "Write a value: a filter without one shows every row, or none.",
            );
        }
        let all = |value: &Value| value.as_str() == Some("*");
        if values.iter().any(all) && (kind != "EQUAL" || values.len() > 1) {
            self.invalid(
                at,
                "has * beside other values, or with another comparison",
                "* goes alone, and with EQUAL only.",
            );
        }
        for (index, value) in values.iter().enumerate() {
            let fits = match (value, kind) {
                (Value::Object(_), "RANGE" | "NOT_RANGE" | "BETWEEN" | "DATE") => is_range(value),
                (_, "RANGE" | "NOT_RANGE") | (Value::Object(_), _) => false,
                _ => is_scalar(value),
            };
            if !fits {
                let cure = match kind {
                    "RANGE" | "NOT_RANGE" => "Write a range: {\"gte\": …, \"lte\": …}.",
                    "BETWEEN" | "DATE" => {
                        "Write a text, a number, or a range: {\"gte\": …, \"lte\": …}."
                    }
                    _ => "Write a text that is not empty, a number, true or false.",
                };
                self.invalid(
                    &format!("{at}[{index}]"),
                    &format!("is no value for {kind}"),
                    cure,
                );
            }
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_list_of_texts(value: &Value) -> bool {
    let items = value.as_array();
    items.is_some_and(|items| !items.is_empty() && items.iter().all(is_text))
}

fn is_scalar(value: &Value) -> bool {
    value.is_number() || value.is_boolean() || is_text(value)
}

fn is_range(value: &Value) -> bool {
    let members = value.as_object();
    members.is_some_and(|members| {
        !members.is_empty()
            && members
                .iter()
                .all(|(name, value)| ["gte", "lte"].contains(&name.as_str()) && is_scalar(value))
    })
}
