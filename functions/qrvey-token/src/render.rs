//! PURE. A template and a verified caller in, the request to Qrvey out; or why there is none.
//!
//! Fails closed: a placeholder that comes out empty, a row filter without a value, and `*` (Qrvey: no filter) in place of a
//! value refuse the request. A dataset whose filter is missing would be shown whole.
//!
//! Source: Qrvey, "Record-Level Security".

use std::collections::BTreeMap;

use consulate_core::definition::QrveyTemplate;
use consulate_core::qrvey::{
    self, CallerField, EXPIRES_IN_FIELD, LONGEST_SECONDS, PERMISSIONS, Piece, Placeholder, Setting,
    Step,
};
use consulate_core::template::CallerValues;
use serde_json::{Map, Value};

/// A longer value of a caller or a setting is not used.
const VALUE_LIMIT: usize = 2_048;
/// A setting with more values is not used.
const VALUES_LIMIT: usize = 10_000;

/// What fills placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The verified caller.
    pub caller: CallerValues<'a>,
    /// What the caller chose among what the template lists.
    pub params: &'a BTreeMap<String, String>,
    /// Settings of the caller's organisation that administrators alone can write, by key.
    pub settings: &'a BTreeMap<String, Value>,
}

/// The request to Qrvey, without its API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Address of the endpoint.
    pub url: String,
    /// JSON.
    pub body: String,
    /// How long the security token will live, seconds.
    pub seconds: u64,
}

/// Why there is no request. Names places, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A param is missing.
    #[error("The template needs this param.")]
    Param(String),
    /// This caller cannot have the security token: something is not known of them, or not set for them.
    #[error("{problem}")]
    Caller {
        /// `user.email`, `settings.organisation.KEY`, or a place in the template.
        field: String,
        /// What is wrong, a sentence.
        problem: &'static str,
    },
    /// The stored template cannot be used: an operator's to repair.
    #[error("The template's definition cannot be used.")]
    Template {
        /// Where.
        field: String,
    },
}

/// Renders `template` for a caller.
///
/// # Errors
/// See [`Refusal`].
pub fn render(template: &QrveyTemplate, sources: Sources<'_>) -> Result<Rendered, Refusal> {
    let lifetime = qrvey::seconds_of(&template.expires_in).ok_or_else(|| unusable("expires_in"))?;
    let seconds = lifetime.min(LONGEST_SECONDS);
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| match body.insert(name.to_owned(), value) {
        // Two fields of one name: which of them counts would be chance.
        Some(_) => Err(unusable(name)),
        None => Ok(()),
    };
    for (name, value) in &template.body {
        let lists = name == "roles";
        let value = sources.member(value, name, lists)?;
        if name == PERMISSIONS {
            row_security(&value)?;
        }
        put(spelled(template, name), value)?;
    }
    let expires_in = match lifetime > seconds {
        true => format!("{seconds}s"),
        false => template.expires_in.clone(),
    };
    put(spelled(template, EXPIRES_IN_FIELD), expires_in.into())?;
    for (name, value) in &template.extra {
        put(name, sources.member(value, name, true)?)?;
    }
    Ok(Rendered {
        url: format!("{}{}", template.domain, template.path),
        body: Value::Object(body).to_string(),
        seconds,
    })
}

/// The keys of the settings that `template` looks up.
pub fn settings_of(template: &QrveyTemplate) -> Vec<&str> {
    let mut keys = Vec::new();
    let values = template.body.values().chain(template.extra.values());
    values.for_each(|value| note_settings(value, &mut keys));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn note_settings<'t>(value: &'t Value, keys: &mut Vec<&'t str>) {
    match value {
        Value::String(text) => {
            for piece in qrvey::pieces(text).unwrap_or_default() {
                if let Piece::Placeholder(Placeholder::Setting(setting)) = piece {
                    keys.push(setting.key);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| note_settings(item, keys)),
        Value::Object(members) => members.values().for_each(|item| note_settings(item, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn spelled<'t>(template: &'t QrveyTemplate, name: &'t str) -> &'t str {
    template.fields.get(name).map_or(name, String::as_str)
}

fn unusable(field: impl Into<String>) -> Refusal {
    Refusal::Template {
        field: field.into(),
    }
}

fn refused(field: impl Into<String>, problem: &'static str) -> Refusal {
    Refusal::Caller {
        field: field.into(),
        problem,
    }
}

/// What a text becomes.
enum Filled {
    One(Value),
    /// A setting that is a list, and the only thing in its text.
    Many(Vec<Value>),
}

impl<'a> Sources<'a> {
    /// A value at `at`. `lists`: whether a setting that is a list may stand for all of it.
    fn member(&self, value: &Value, at: &str, lists: bool) -> Result<Value, Refusal> {
        match value {
            Value::String(text) => match self.fill(text, at)? {
                Filled::One(value) => Ok(value),
                Filled::Many(values) if lists => Ok(Value::Array(values)),
                Filled::Many(_) => Err(refused(
                    at,
                    "The setting is a list, and one value is needed.",
                )),
            },
            Value::Array(items) => {
                let mut filled = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    match item {
                        Value::String(text) => match self.fill(text, &at)? {
                            Filled::One(value) => filled.push(value),
                            Filled::Many(values) => filled.extend(values),
                        },
                        other => filled.push(self.member(other, &at, lists)?),
                    }
                }
                Ok(Value::Array(filled))
            }
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    let at = format!("{at}.{name}");
                    Ok((name.clone(), self.member(value, &at, lists)?))
                };
                let members: Result<Map<_, _>, _> = members.iter().map(member).collect();
                Ok(Value::Object(members?))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn fill(&self, text: &str, at: &str) -> Result<Filled, Refusal> {
        let pieces = qrvey::pieces(text).map_err(|_| unusable(at))?;
        if let [Piece::Placeholder(Placeholder::Setting(setting))] = pieces.as_slice() {
            return self.whole_setting(setting);
        }
        let mut filled = String::new();
        let mut has_placeholder = false;
        for piece in &pieces {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Placeholder(placeholder) => {
                    has_placeholder = true;
                    filled.push_str(&self.value_of(placeholder)?);
                }
            }
        }
        if has_placeholder && filled.trim() == "*" {
            return Err(refused(at, "The value is *, which would lift the filter."));
        }
        Ok(Filled::One(filled.into()))
    }

    fn value_of(&self, placeholder: &Placeholder<'_>) -> Result<String, Refusal> {
        match placeholder {
            Placeholder::Caller(field) => self.caller_value(*field).map(str::to_owned),
            Placeholder::Param(name) => {
                let chosen = self.params.get(*name);
                chosen
                    .cloned()
                    .ok_or_else(|| Refusal::Param((*name).to_owned()))
            }
            Placeholder::Setting(setting) => match self.setting(setting)? {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) => Ok(number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(refused(
                    name_of(setting),
                    "The setting is neither text nor a number.",
                )),
            },
        }
    }

    fn caller_value(&self, field: CallerField) -> Result<&'a str, Refusal> {
        let text = match field {
            CallerField::UserId => self.caller.user_id,
            CallerField::OrganisationId => self.caller.organisation_id,
            CallerField::UserEmail => self.caller.user_email.ok_or_else(|| {
                refused(
                    field.name(),
                    "The caller has no e-mail address, which the template needs.",
                )
            })?,
        };
        usable(text, || field.name().to_owned())?;
        Ok(text)
    }

    fn whole_setting(&self, setting: &Setting<'_>) -> Result<Filled, Refusal> {
        const NOT_USABLE: &str =
            "The setting holds something that is no text, number or truth value.";
        let judge = |value: &Value| match value {
            Value::String(text) if text.trim() == "*" => Err(refused(
                name_of(setting),
                "The value is *, which would lift the filter.",
            )),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(refused(name_of(setting), NOT_USABLE))
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(value.clone()),
        };
        match self.setting(setting)? {
            Value::Array(values) if values.len() > VALUES_LIMIT => Err(refused(
                name_of(setting),
                "The setting has too many values.",
            )),
            Value::Array(values) if values.is_empty() => {
                Err(refused(name_of(setting), "The setting is empty."))
            }
            Value::Array(values) => {
                for text in values.iter().filter_map(Value::as_str) {
                    usable(text, || name_of(setting))?;
                }
                let values: Result<_, _> = values.iter().map(judge).collect();
                Ok(Filled::Many(values?))
            }
            value => judge(value).map(Filled::One),
        }
    }

    /// What the setting holds for this caller.
    fn setting(&self, setting: &Setting<'_>) -> Result<&'a Value, Refusal> {
        let missing = || refused(name_of(setting), "Nothing is set for this caller.");
        let mut value = self.settings.get(setting.key).ok_or_else(missing)?;
        for step in &setting.steps {
            let members = value.as_object().ok_or_else(missing)?;
            let found = match step {
                Step::Member(name) => members.get(*name),
                Step::Caller(CallerField::UserEmail) => {
                    let email = self.caller_value(CallerField::UserEmail)?;
                    members.get(email).or_else(|| only_like(members, email))
                }
                Step::Caller(field) => members.get(self.caller_value(*field)?),
            };
            value = found.ok_or_else(missing)?;
        }
        if let Value::String(text) = value {
            usable(text, || name_of(setting))?;
        }
        Ok(value)
    }
}

/// The member whose name differs from `email` by case only, where there is exactly one.
fn only_like<'v>(members: &'v Map<String, Value>, email: &str) -> Option<&'v Value> {
    let mut like = members
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(email));
    let (_, value) = like.next()?;
    like.next().is_none().then_some(value)
}

fn name_of(setting: &Setting<'_>) -> String {
    format!("settings.organisation.{}", setting.key)
}

/// What no filled-in value may be.
fn usable(text: &str, field: impl Fn() -> String) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(refused(field(), "The value is empty."));
    }
    if text.len() > VALUE_LIMIT || text.chars().any(char::is_control) {
        return Err(refused(
            field(),
            "The value is too long, or holds a control character.",
        ));
    }
    Ok(())
}

/// Every filter of every permission names a column and holds a value. Import judges templates by more; here it is asked
/// whether what came out still filters.
fn row_security(permissions: &Value) -> Result<(), Refusal> {
    let permissions = permissions
        .as_array()
        .ok_or_else(|| unusable(PERMISSIONS))?;
    for (index, permission) in permissions.iter().enumerate() {
        filters(permission, &format!("{PERMISSIONS}[{index}]"))?;
    }
    Ok(())
}

fn filters(holder: &Value, at: &str) -> Result<(), Refusal> {
    let at = format!("{at}.record_permissions");
    let list = holder.get("record_permissions").and_then(Value::as_array);
    let list = list
        .filter(|list| !list.is_empty())
        .ok_or_else(|| unusable(&at))?;
    for (index, filter) in list.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if filter.get("record_permissions").is_some() {
            filters(filter, &at)?;
            continue;
        }
        let text = |name: &str| filter.get(name).and_then(Value::as_str);
        if text("security_name").is_none_or(|name| name.trim().is_empty()) {
            return Err(unusable(format!("{at}.security_name")));
        }
        let needs_none = matches!(text("validation_type"), Some("IS_EMPTY" | "IS_NOT_EMPTY"));
        let values = filter.get("values").and_then(Value::as_array);
        let values = values.ok_or_else(|| unusable(format!("{at}.values")))?;
        if (values.is_empty() && !needs_none) || values.iter().any(is_blank) {
            let problem = "A row filter comes out without a value, which would show every row.";
            return Err(refused(format!("{at}.values"), problem));
        }
    }
    Ok(())
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(range) => range.is_empty() || range.values().any(is_blank),
        Value::Array(_) => true,
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
