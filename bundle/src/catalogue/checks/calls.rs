//! PURE. What an entry may say of calls to the provider's API: where the credential goes, what answers mean, the probe.

use consulate_core::passport::{AnswerMatch, Inject, PinnedKind};
use http::HeaderName;

use super::Judge;
use super::is_field_name;
use crate::catalogue::host;
use crate::catalogue::limits::{holds_tokens, is_credential};
use crate::catalogue::placeholder::{Piece, is_well_formed, pieces};

/// Headers no credential goes into: framing, routing, cookies.
const FORBIDDEN_HEADERS: [&str; 7] = [
    "host",
    "cookie",
    "connection",
    "content-length",
    "content-type",
    "te",
    "transfer-encoding",
];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What stands before a field of the connection in a probe's address.
const FIELD: &str = "connection.AUTHKEY.";

impl Judge<'_> {
    pub(super) fn calls(&mut self) {
        self.inject();
        self.pointer("reply_at", &self.entry.reply_at);
        for pinned in &self.entry.pinned {
            let field = format!("pinned.{}", pinned.name);
            self.need(
                is_field_name(&pinned.name),
                format!("{field}.name"),
                "must be lower-case letters, digits and underscores",
            );
            self.pointer(&format!("{field}.at"), &pinned.at);
            self.need(
                !is_credential(&pinned.at)
                    && !holds_tokens(&pinned.at, &self.entry.reply_at, &self.entry.slots),
                format!("{field}.at"),
                "leads to a token or a whole answer: what is pinned is kept in the clear",
            );
        }
        let origin = |entry: &crate::catalogue::Entry| {
            let mut pinned = entry.pinned.iter();
            pinned.any(|pinned| pinned.kind == PinnedKind::Origin)
        };
        self.need(
            self.entry.host_patterns.is_empty() || origin(self.entry),
            "host_patterns",
            "serve pinned fields of kind \"origin\", and there is none",
        );
        for (field, answers) in [
            ("expired_when", &self.entry.expired_when),
            ("refused_when", &self.entry.refused_when),
            ("throttled_when", &self.entry.throttled_when),
        ] {
            for answer in answers {
                self.answer(field, answer);
            }
        }
        for answer in &self.entry.refused_when {
            self.need(
                answer.at.is_some() || answer.contains.is_some(),
                "refused_when",
                "needs `at` or `contains`: a connection ends by it, and a status alone is too little",
            );
        }
        if let Some(header) = &self.entry.throttle_reset_header {
            let sound = header.parse::<HeaderName>().is_ok();
            self.need(sound, "throttle_reset_header", "is not a header's name");
        }
        let named = self
            .entry
            .reserved_params
            .iter()
            .all(|name| !name.is_empty());
        self.need(named, "reserved_params", "holds an empty name");
        self.probe();
    }

    fn inject(&mut self) {
        match &self.entry.inject {
            Inject::Header { header, scheme } => {
                let header = header.to_ascii_lowercase();
                self.need(
                    header.parse::<HeaderName>().is_ok()
                        && !FORBIDDEN_HEADERS.contains(&header.as_str()),
                    "inject.header",
                    "is not a header a credential can go into",
                );
                let token = |scheme: &String| {
                    !scheme.is_empty()
                        && scheme
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                self.need(
                    scheme.as_ref().is_none_or(token),
                    "inject.scheme",
                    "must be one word, such as Bearer",
                );
            }
            Inject::Query { query } => self.need(
                !query.is_empty() && self.entry.reserved_params.contains(query),
                "inject.query",
                "must be one of reserved_params too, so that no caller sets it",
            ),
        }
    }

    fn answer(&mut self, field: &str, answer: &AnswerMatch) {
        let AnswerMatch {
            status,
            at,
            is,
            contains,
        } = answer;
        self.need(
            status.iter().all(|status| (100..600).contains(status)),
            field,
            "holds a number that is no HTTP status",
        );
        self.need(
            at.is_some() != is.is_empty(),
            field,
            "`at` and `is` belong together",
        );
        self.need(
            at.is_some()
                || contains.as_ref().is_some_and(|text| !text.is_empty())
                || !status.is_empty(),
            field,
            "tests nothing",
        );
        // A bare 200 would make every answer an error.
        let bare = at.is_none() && contains.is_none();
        self.need(
            !bare || status.iter().all(|status| *status >= 400),
            field,
            "takes a success for an error",
        );
        if let Some(at) = at {
            self.pointer(field, at);
        }
    }

    /// The probe goes where the credential may go, and takes from the connection what a connection has.
    fn probe(&mut self) {
        let Some(probe) = &self.entry.probe else {
            self.need(
                false,
                "probe",
                "is missing: a harmless call that proves a connection",
            );
            return;
        };
        self.need(
            METHODS.contains(&probe.method.as_str()),
            "probe.method",
            "must be GET, POST, PUT, PATCH or DELETE",
        );
        if let Some(slot) = &probe.slot {
            let known = self.entry.slots.iter().any(|known| known.name == *slot);
            self.need(known, "probe.slot", "is no slot of the entry");
        }
        let field = "probe.url";
        self.need(
            is_well_formed(&probe.url),
            field,
            "has a brace without its other half",
        );
        let mut address = String::new();
        let mut host = String::new();
        for (index, piece) in pieces(&probe.url).into_iter().enumerate() {
            let name = match piece {
                Piece::Text(text) => {
                    address.push_str(text);
                    continue;
                }
                Piece::Name(name) => name.strip_prefix(FIELD).unwrap_or_default(),
            };
            self.need(
                self.entry.may_pin(name),
                field,
                format!("writes {{{FIELD}FIELD}}, with a variable or pinned field of the entry"),
            );
            let origin = self
                .entry
                .pinned
                .iter()
                .any(|pinned| pinned.name == name && pinned.kind == PinnedKind::Origin);
            let (example, whole) = match self.entry.variable(name) {
                Some(variable) => (variable.example.as_str(), format!("{{{name}}}")),
                None => ("pinned.example.com", String::new()),
            };
            if index == 0 && origin {
                address.push_str("https://");
            }
            if (index == 0 && origin) || (address == "https://" && !whole.is_empty()) {
                host = match whole.is_empty() {
                    true => self
                        .entry
                        .host_patterns
                        .first()
                        .cloned()
                        .unwrap_or_default(),
                    false => whole,
                };
            }
            address.push_str(example);
        }
        if let Some(fault) = host::fault(&address, true) {
            self.need(false, field, fault);
            return;
        }
        let written = address.trim_start_matches("https://");
        let literal = written.split(['/', '?']).next().unwrap_or_default();
        let allowed = match host.as_str() {
            "" => self.entry.may_call(literal),
            // A variable that is a whole host, or the origin of a pinned field.
            whole => {
                self.entry.api_hosts.iter().any(|known| known == whole)
                    || self.entry.host_patterns.iter().any(|known| known == whole)
            }
        };
        self.need(allowed, field, "goes to a host that is none of the entry's");
    }
}
