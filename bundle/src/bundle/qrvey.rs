//! PURE. `qrvey` of `consulate.json`: what a Qrvey security token of each name is for.
//!
//! Unlike elsewhere an unknown field is an error: a misspelled `permissions` that has no effect would show every row.
//! Whatever a Qrvey version knows beyond these fields goes into `extra`.
//!
//! Source: Qrvey, "Embedding Widgets Using a Security Token", "Record-Level Security".

use std::collections::BTreeMap;

use consulate_core::definition::QrveyTemplate;
use consulate_core::egress::LoopbackExceptions;
use consulate_core::qrvey::{
    self, EXPIRES_IN, EXPIRES_IN_FIELD, FIELDS, LONGEST_SECONDS, PERMISSIONS, SHORTEST_SECONDS,
    TOKEN_PATH, folded,
};
use serde_json::{Map, Value};
use url::Url;

use super::address;
use super::document::Object;
use super::finding::{Findings, Place};
use super::near::did_you_mean;
use super::qrvey_permissions;
use super::qrvey_placeholders::{self, Fault};

/// What a template has beside the fields of the body.
const OWN: [&str; 6] = ["domain", "path", "expiresIn", "extra", "fields", "params"];
/// Values a param may list.
const MOST_VALUES: usize = 1_000;
/// Values a caller must never choose: whose powers and whose view the security token has.
const IDENTITY: [&str; 4] = ["userid", "clientid", "orgId", "roles"];

/// Reads the templates.
pub(super) fn read(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> BTreeMap<String, DeclaredTemplate> {
    let mut templates = BTreeMap::new();
    let Some(entries) = root.object("qrvey", findings) else {
        return templates;
    };
    for name in entries.keys() {
        if !qrvey::is_param(name) {
            findings.error(
                "qrvey_name_invalid",
                entries.place(name),
                format!("\"{name}\" cannot name a Qrvey template"),
                "Use letters, digits, hyphen, underscore; at most 64 characters.",
            );
        }
        if let Some(entry) = entries.object(name, findings) {
            let template = Reader {
                entry: &entry,
                findings,
            }
            .read(exceptions);
            templates.insert(name.to_owned(), template);
        }
    }
    templates
}

/// A template, and where it is.
#[derive(Debug)]
pub(super) struct DeclaredTemplate {
    /// The record.
    pub template: QrveyTemplate,
    /// Where it is.
    pub place: Place,
    /// Whether it looks settings up.
    pub has_settings: bool,
}

struct Reader<'e, 'd, 'f> {
    entry: &'e Object<'d>,
    findings: &'f mut Findings,
}

impl Reader<'_, '_, '_> {
    fn read(mut self, exceptions: &LoopbackExceptions) -> DeclaredTemplate {
        self.unknown_fields();
        let domain = self.domain(exceptions);
        let template = QrveyTemplate {
            domain,
            path: self.path(),
            expires_in: self.expires_in(),
            body: self.body(),
            extra: self.extra(),
            fields: self.fields(),
            params: self.params(),
        };
        let mut used = Vec::new();
        let mut has_settings = false;
        let values = template.body.iter().chain(&template.extra);
        for (name, value) in values {
            let seen = qrvey_placeholders::used(value);
            has_settings |= seen.settings;
            if !seen.params.is_empty() && IDENTITY.contains(&name.as_str()) {
                self.error(
                    "qrvey_identity_by_choice",
                    name,
                    "lets the caller choose whose powers the security token has",
                    "Take it from the verified caller: {user.email}, {user.id}, {organisation.id}; or write it out.",
                );
            }
            if !seen.params.is_empty() && name == PERMISSIONS {
                self.findings.warning(
                    "qrvey_row_security_by_choice",
                    self.entry.place(name),
                    format!(
                        "{} lets the caller choose a value of a row filter",
                        self.entry.path_of(name)
                    ),
                    "Leave it if every caller may see every value the param lists.",
                );
            }
            used.extend(seen.params);
        }
        self.judge_params(&template, &used);
        DeclaredTemplate {
            template,
            place: self.entry.here(),
            has_settings,
        }
    }

    fn error(&mut self, code: &'static str, key: &str, message: &str, cure: impl Into<String>) {
        let message = format!("{} {message}", self.entry.path_of(key));
        let place = self.entry.place(key);
        self.findings.error(code, place, message, cure);
    }

    fn unknown_fields(&mut self) {
        let known = || OWN.iter().chain(&FIELDS).copied();
        for key in self.entry.keys() {
            if known().any(|known| known == key) {
                continue;
            }
            let other_case = known().find(|known| folded(known) == folded(key));
            let cure = match other_case {
                Some(known) => format!(
                    "Write \"{known}\"; where your Qrvey wants \"{key}\", say so in \"fields\": {{\"{known}\": \"{key}\"}}."
                ),
                None if is_api_key(key) => {
                    "Take it out: the API key is set with `consulate secret set qrvey/WIDGET/NAME`."
                        .to_owned()
                }
                None => format!(
                    "Put what your Qrvey knows beyond these into \"extra\".{}",
                    did_you_mean(key, known())
                ),
            };
            self.error(
                "qrvey_field_unknown",
                key,
                "is not a field of a Qrvey template",
                cure,
            );
        }
    }

    fn domain(&mut self, exceptions: &LoopbackExceptions) -> String {
        let Some(domain) = self.entry.required("domain", self.findings) else {
            return String::new();
        };
        if let Err(fault) = address::endpoint(&domain, exceptions) {
            let message = format!("{} {}", self.entry.path_of("domain"), fault.message);
            self.findings
                .error(fault.code, self.entry.place("domain"), message, fault.cure);
            return domain;
        }
        let exact = Url::parse(&domain).map(|url| url.origin().ascii_serialization());
        if let Some(exact) = exact.ok().filter(|exact| *exact != domain) {
            self.error(
                "qrvey_domain_inexact",
                "domain",
                "is not the address of an instance",
                format!("Write it as {exact}: no path, no slash at its end."),
            );
        }
        domain
    }

    fn path(&mut self) -> String {
        let Some(path) = self.entry.string("path", self.findings) else {
            return TOKEN_PATH.to_owned();
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        let dotted = |path: &str| path.split('/').any(|segment| matches!(segment, "." | ".."));
        let usable = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(plain);
        if !usable || dotted(&path) || path.len() > 256 {
            self.error(
                "qrvey_path_invalid",
                "path",
                "is not a plain path",
                format!(
                    "Write it as {TOKEN_PATH}: letters, digits, hyphens; no placeholder, no query."
                ),
            );
        }
        path
    }

    fn expires_in(&mut self) -> String {
        let Some(text) = self.entry.string(EXPIRES_IN_FIELD, self.findings) else {
            return EXPIRES_IN.to_owned();
        };
        let seconds = qrvey::seconds_of(&text);
        if !seconds.is_some_and(|seconds| (SHORTEST_SECONDS..=LONGEST_SECONDS).contains(&seconds)) {
            self.error(
                "qrvey_lifetime",
                EXPIRES_IN_FIELD,
                &format!("is \"{text}\""),
                "Write a span from 1m to 1d, such as 10m or 8h: a security token cannot be taken back, and a new one is a call away.",
            );
        }
        text
    }

    fn body(&mut self) -> Map<String, Value> {
        let mut body = Map::new();
        for name in self.entry.keys() {
            if !FIELDS.contains(&name) {
                continue;
            }
            let Some(value) = self.entry.value(name) else {
                continue;
            };
            let at = self.entry.path_of(name);
            let place = self.entry.place(name);
            match name {
                PERMISSIONS => qrvey_permissions::judge(value, &at, &place, self.findings),
                "asset_permissions" => {
                    qrvey_permissions::judge_assets(value, &at, &place, self.findings)
                }
                "roles" => self.roles(value),
                "version" => {}
                _ => {
                    let _text = self.entry.required(name, self.findings);
                }
            }
            let fixed = matches!(name, "version" | "userid");
            self.placeholders(name, qrvey_placeholders::judge(value, fixed));
            body.insert(name.to_owned(), value.clone());
        }
        if !body.contains_key("userid") && !self.entry.has("userid") {
            self.entry.missing("userid", self.findings);
        }
        self.version(&mut body);
        body
    }

    /// Row-level security as it is judged here is of version 2, and Qrvey takes what does not say so for version 1.
    fn version(&mut self, body: &mut Map<String, Value>) {
        let has_permissions = body
            .get(PERMISSIONS)
            .and_then(Value::as_array)
            .is_some_and(|permissions| !permissions.is_empty());
        let known = match body.get("version") {
            None if has_permissions => {
                body.insert("version".to_owned(), "2".into());
                return;
            }
            None => return,
            Some(Value::Number(number)) => number.as_u64() == Some(2),
            Some(Value::String(text)) => text == "2" || (text == "1.0.0" && !has_permissions),
            Some(_) => false,
        };
        if !known {
            self.error(
                "qrvey_version_unknown",
                "version",
                "is not a version that is judged here",
                "Write \"2\", and permissions in the shape of version 2.",
            );
        }
    }

    fn roles(&mut self, roles: &Value) {
        let is_text = |role: &Value| role.as_str().is_some_and(|role| !role.trim().is_empty());
        let usable = match roles {
            Value::Array(roles) => !roles.is_empty() && roles.iter().all(is_text),
            role => is_text(role),
        };
        if !usable {
            self.error(
                "qrvey_roles_invalid",
                "roles",
                "is neither a role nor a list of roles",
                "Write names of roles or their ids, one kind throughout.",
            );
        }
    }

    fn extra(&mut self) -> Map<String, Value> {
        let Some(extra) = self.entry.object("extra", self.findings) else {
            return Map::new();
        };
        let mut fields = Map::new();
        for name in extra.keys() {
            let own = FIELDS
                .iter()
                .chain(&[EXPIRES_IN_FIELD])
                .any(|field| folded(field) == folded(name));
            if own || is_api_key(name) {
                self.findings.error(
                    "qrvey_extra_reserved",
                    extra.place(name),
                    format!("{} is not a field for extra", extra.path_of(name)),
                    match own {
                        true => "Write it in the template itself, where it is judged.",
                        false => "Take it out: the API key is set with `consulate secret set qrvey/WIDGET/NAME`.",
                    },
                );
            }
            if let Some(value) = extra.value(name) {
                self.placeholders("extra", qrvey_placeholders::judge_loosely(name, value));
                fields.insert(name.to_owned(), value.clone());
            }
        }
        fields
    }

    fn fields(&mut self) -> BTreeMap<String, String> {
        let fields = self
            .entry
            .string_map("fields", self.findings)
            .unwrap_or_default();
        for (name, spelled) in &fields {
            let known = FIELDS.contains(&name.as_str()) || name == EXPIRES_IN_FIELD;
            let plain = spelled
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !known || folded(name) != folded(spelled) || !plain {
                self.error(
                    "qrvey_spelling",
                    "fields",
                    &format!("spells \"{name}\" as \"{spelled}\""),
                    "Give another spelling of a field of the template: the same letters, another case or underscores.",
                );
            }
        }
        fields
    }

    fn params(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut params = BTreeMap::new();
        let Some(object) = self.entry.object("params", self.findings) else {
            return params;
        };
        for name in object.keys() {
            let Some(values) = object.strings(name, self.findings) else {
                continue;
            };
            let values: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
            let usable = |value: &String| {
                let text = value.trim();
                !text.is_empty()
                    && text != "*"
                    && !value.contains(char::is_control)
                    && value.len() <= 512
            };
            let listed =
                !values.is_empty() && values.len() <= MOST_VALUES && values.iter().all(usable);
            if !qrvey::is_param(name) || !listed {
                self.findings.error(
                    "qrvey_param_invalid",
                    object.place(name),
                    format!("{} does not say what a caller may choose", object.path_of(name)),
                    "List the values in full: texts, none of them empty or *; the name in letters, digits, hyphen, underscore.",
                );
            }
            params.insert(name.to_owned(), values);
        }
        params
    }

    fn judge_params(&mut self, template: &QrveyTemplate, used: &[String]) {
        for name in used {
            if !template.params.contains_key(name) {
                self.error(
                    "qrvey_param_undeclared",
                    "params",
                    &format!("does not list what a caller may choose for {{param.{name}}}"),
                    format!("Add \"params\": {{\"{name}\": [\"…\"]}} with every value."),
                );
            }
        }
        for name in template.params.keys().filter(|name| !used.contains(name)) {
            self.findings.warning(
                "qrvey_param_unused",
                self.entry.place("params"),
                format!(
                    "{} declares \"{name}\", which the template does not use",
                    self.entry.path_of("params")
                ),
                "Take it out, or use it as {param.NAME}.",
            );
        }
    }

    fn placeholders(&mut self, name: &str, faults: Vec<Fault>) {
        for fault in faults {
            match fault {
                Fault::Misplaced => self.error(
                    "qrvey_placeholder_misplaced",
                    name,
                    "has a brace or a placeholder where none may be",
                    "Placeholders stand in values: {user.id}, {user.email}, {organisation.id}, {param.NAME}, {settings.organisation.KEY}; which column is compared, and how, is written out.",
                ),
                Fault::Unknown(problem) => self.error(
                    "qrvey_placeholder_unknown",
                    name,
                    &problem,
                    "Use {user.id}, {user.email}, {organisation.id}, {param.NAME} or {settings.organisation.KEY[user.id]}.",
                ),
            }
        }
    }
}

/// Whether a field is for an API key, however it is spelled.
fn is_api_key(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    ["apikey", "xapikey"].contains(&letters.to_ascii_lowercase().as_str())
}
