//! PURE. What an entry may say. Every fault of an entry is found at once, and names its field.
//!
//! Judged in rooms of their own: `calls` (probe, matchers, where the credential goes), `kind` (what belongs to which kind of
//! credential), `variables`.

mod calls;
mod kind;
mod variables;

use std::collections::BTreeMap;

use consulate_core::passport::{RefreshRotation, TokenExchange};
use serde_json_path::JsonPath;

use super::entry::{Entry, Status, Variable};
use super::host;
use super::limits::{grant_type_fault, is_own_authorize_param, is_own_token_param};
use super::placeholder::{is_well_formed, names};
use crate::bundle::{ID_RULE, is_id};

/// Something an entry says that none may say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {entry}: {field}: {message}")]
pub struct Fault {
    /// The file.
    pub file: String,
    /// Id of the entry.
    pub entry: String,
    /// The field.
    pub field: String,
    /// What is wrong, and the cure where it is not plain.
    pub message: String,
}

/// Every fault of `entry`.
pub(super) fn faults(file: &str, entry: &Entry) -> Vec<Fault> {
    let mut judge = Judge {
        entry,
        faults: Vec::new(),
    };
    judge.words();
    match entry.status {
        Status::Retired => judge.need(
            entry
                .retired_because
                .as_ref()
                .is_some_and(|why| !why.trim().is_empty()),
            "retired_because",
            "says why it is retired",
        ),
        Status::Active => {
            judge.need(
                entry.retired_because.is_none(),
                "retired_because",
                "belongs to retired entries: set status = \"retired\" too",
            );
            judge.variables();
            judge.kind();
            judge.addresses();
            judge.hosts();
            judge.scopes();
            judge.params();
            judge.calls();
        }
    }
    let faults = judge.faults.into_iter();
    faults
        .map(|(field, message)| Fault {
            file: file.to_owned(),
            entry: entry.id.clone(),
            field,
            message,
        })
        .collect()
}

/// Lower-case letters, digits and underscores, a letter first: variables, slots, pinned fields.
fn is_field_name(text: &str) -> bool {
    text.len() <= 32
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

struct Judge<'e> {
    entry: &'e Entry,
    faults: Vec<(String, String)>,
}

impl Judge<'_> {
    fn need(&mut self, holds: bool, field: impl Into<String>, message: impl Into<String>) {
        if !holds {
            self.faults.push((field.into(), message.into()));
        }
    }

    fn words(&mut self) {
        let entry = self.entry;
        for id in entry.names() {
            self.need(is_id(id), "id", format!("\"{id}\" is not an id. {ID_RULE}"));
        }
        self.need(
            is_id(&entry.family),
            "family",
            format!("is not an id. {ID_RULE}"),
        );
        let words = [("name", &entry.name), ("category", &entry.category)];
        for (field, text) in words {
            self.need(!text.trim().is_empty(), field, "is empty");
        }
        let sourced = !entry.sources.is_empty()
            && entry.sources.iter().all(|source| !source.trim().is_empty());
        self.need(sourced, "sources", "names where the facts come from");
    }

    fn addresses(&mut self) {
        let entry = self.entry;
        for (field, address) in [
            ("authorize_url", Some(&entry.authorize_url)),
            ("token_url", Some(&entry.token_url)),
            ("revocation_url", entry.revocation_url.as_ref()),
            ("issuer", entry.issuer.as_ref()),
        ] {
            if let Some(address) = address.filter(|address| !address.is_empty()) {
                self.address(field, address, field == "authorize_url", false);
            }
        }
        for former in &entry.former {
            let both = [
                ("former.authorize_url", &former.authorize_url),
                ("former.token_url", &former.token_url),
            ];
            let is_any = both.iter().any(|(_, address)| address.is_some());
            self.need(is_any, "former", "names no endpoint");
            for (field, address) in both {
                if let Some(address) = address {
                    self.address(field, address, field.ends_with("authorize_url"), false);
                }
            }
        }
        for (field, exchange) in [
            ("long_lived", &entry.long_lived),
            ("renewal", &entry.renewal),
        ] {
            let Some(TokenExchange {
                url,
                grant_type,
                token_param,
                ..
            }) = exchange
            else {
                continue;
            };
            self.address(&format!("{field}.url"), url, false, false);
            self.need(
                !grant_type.is_empty(),
                format!("{field}.grant_type"),
                "is empty",
            );
            self.need(
                !token_param.is_empty(),
                format!("{field}.token_param"),
                "is empty",
            );
        }
        let Some(profile) = &entry.profile else {
            return;
        };
        self.address("profile.url", &profile.url, true, true);
        for (field, path) in [
            ("profile.id_path", &profile.id_path),
            ("profile.email_path", &profile.email_path),
            ("profile.name_path", &profile.name_path),
            ("profile.scopes_path", &profile.scopes_path),
        ] {
            if let Some(path) = path {
                self.need(
                    JsonPath::parse(path).is_ok(),
                    field,
                    "is not a JSONPath (RFC 9535)",
                );
            }
        }
    }

    /// An address, with examples for its placeholders. `pinned`: fields of the connection may stand in it.
    fn address(&mut self, field: &str, address: &str, query: bool, pinned: bool) {
        self.placeholders(field, address, pinned, false);
        let mut tried = address.to_owned();
        for (name, value) in self.examples(pinned) {
            // An origin brings its scheme along.
            let whole = format!("{{{name}}}");
            let at_front = tried.starts_with(&whole) && self.entry.variable(&name).is_none();
            if at_front {
                tried = format!("https://{value}{}", tried.trim_start_matches(&whole));
            }
            tried = tried.replace(&whole, &value);
        }
        if let Some(fault) = host::fault(&tried, query) {
            self.need(false, field, fault);
        }
    }

    fn examples(&self, pinned: bool) -> BTreeMap<String, String> {
        let mut examples = self.entry.example_variables();
        for field in self.entry.pinned.iter().filter(|_| pinned) {
            examples.insert(field.name.clone(), "pinned.example.com".to_owned());
        }
        examples
    }

    /// Placeholders are variables that have a value wherever one is needed. `droppable`: what needs an unset one is left
    /// out here.
    fn placeholders(&mut self, field: &str, text: &str, pinned: bool, droppable: bool) {
        self.need(
            is_well_formed(text),
            field,
            "has a brace without its other half",
        );
        for name in names(text) {
            let variable: Option<&Variable> = self.entry.variable(name);
            let known = variable.is_some()
                || (pinned && self.entry.pinned.iter().any(|known| known.name == name));
            self.need(
                known,
                field,
                format!("{{{name}}} is no variable of the entry"),
            );
            self.need(
                droppable || variable.is_none_or(|variable| !variable.optional),
                field,
                format!("{{{name}}} is optional, and this is needed always"),
            );
        }
    }

    fn hosts(&mut self) {
        let entry = self.entry;
        self.need(
            !entry.api_hosts.is_empty(),
            "api_hosts",
            "is missing: a credential could be sent nowhere",
        );
        let slots = entry.slots.iter().flat_map(|slot| &slot.api_hosts);
        for host in entry.api_hosts.iter().chain(slots) {
            self.placeholders("api_hosts", host, false, true);
            let tried = self.tried(host);
            self.need(
                host::is_api_host(&tried),
                "api_hosts",
                format!("\"{host}\" is not a public host in lower case, or host:port"),
            );
        }
        for pattern in &entry.host_patterns {
            self.placeholders("host_patterns", pattern, false, true);
            let tried = self.tried(pattern);
            self.need(
                tried.strip_prefix("*.").is_some_and(host::is_name),
                "host_patterns",
                format!("\"{pattern}\" is not *.example.com"),
            );
        }
    }

    fn tried(&self, text: &str) -> String {
        let mut tried = text.to_owned();
        for (name, value) in self.entry.example_variables() {
            tried = tried.replace(&format!("{{{name}}}"), &value);
        }
        tried
    }

    fn scopes(&mut self) {
        let entry = self.entry;
        let separator = &entry.scope_separator;
        let sound = (1..=3).contains(&separator.len()) && separator.is_ascii();
        self.need(
            sound,
            "scope_separator",
            "must be one to three ASCII characters",
        );
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && !scope.contains(char::is_whitespace)
                && !scope.contains(separator.as_str())
        };
        for scope in &entry.scopes {
            self.placeholders("scopes", scope, false, false);
            self.need(
                is_scope(scope),
                "scopes",
                format!("\"{scope}\" is not one scope"),
            );
        }
        for (index, slot) in entry.slots.iter().enumerate() {
            let field = |member: &str| format!("slots.{}.{member}", slot.name);
            let before = entry.slots.iter().take(index);
            self.need(
                is_field_name(&slot.name)
                    && before.into_iter().all(|other| other.name != slot.name),
                field("name"),
                "must be lower-case letters, digits and underscores, and another for each slot",
            );
            for scope in &slot.scopes {
                self.placeholders(&field("scopes"), scope, false, true);
                self.need(
                    is_scope(scope),
                    field("scopes"),
                    format!("\"{scope}\" is not one scope"),
                );
            }
            let strange = slot
                .api_hosts
                .iter()
                .find(|host| !entry.api_hosts.contains(host));
            self.need(
                strange.is_none(),
                field("api_hosts"),
                "must be hosts of the entry's api_hosts",
            );
            match &slot.reply_at {
                Some(at) => self.pointer(&field("reply_at"), at),
                None => {
                    self.need(
                        !slot.scopes.is_empty() && slot.scope_param.is_none(),
                        field("scopes"),
                        "is what the main refresh token is redeemed for: needed, and asked for in no parameter",
                    );
                    // Redeeming it would use it up, and the main slot with it.
                    self.need(
                        entry.refresh_rotation == RefreshRotation::Reusable,
                        "refresh_rotation",
                        format!(
                            "must be \"reusable\": the slot {} has no reply_at, so the main refresh token is redeemed for it too",
                            slot.name
                        ),
                    );
                }
            }
        }
    }

    fn params(&mut self) {
        let entry = self.entry;
        for (name, value) in &entry.authorize_params {
            self.param(
                "authorize_params",
                name,
                value,
                is_own_authorize_param(name),
            );
        }
        for (name, value) in &entry.token_params {
            self.param("token_params", name, value, is_own_token_param(name));
            if let Some(fault) = grant_type_fault(entry.credential, name, value) {
                self.need(false, "token_params", format!("\"{name}\" {fault}"));
            }
        }
    }

    fn param(&mut self, field: &str, name: &str, value: &str, is_own: bool) {
        self.need(
            !name.is_empty() && !is_own,
            field,
            format!("\"{name}\" is written by Consulate itself"),
        );
        self.placeholders(field, value, false, false);
    }

    /// A JSON pointer (RFC 6901).
    fn pointer(&mut self, field: &str, pointer: &str) {
        let escaped = pointer
            .split('~')
            .skip(1)
            .all(|rest| rest.starts_with(['0', '1']));
        self.need(
            escaped && (pointer.is_empty() || pointer.starts_with('/')),
            field,
            "is not a JSON pointer (RFC 6901)",
        );
    }
}
