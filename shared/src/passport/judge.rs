//! PURE. What a host, a pinned value, a scope or an API's answer means under a passport.

use http::{Response, StatusCode};
use serde_json::Value;

use crate::definition::NamedApi;

use super::{AnswerMatch, Inject, Passport, PinnedField, PinnedKind, Slot};

/// Longest pinned value.
const PINNED_LIMIT: usize = 256;
/// A body above this is not searched for errors: providers' error documents are small.
const SEARCHED: usize = 64 * 1024;

/// What an API's answer says about the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is the widget's to read.
    Answer,
    /// The access token has ended, or was withdrawn.
    Expired,
    /// Too many calls.
    Throttled,
}

/// A named API asks for a token that its passport has not, or that belongs to other hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongSlot {
    /// An operator's to repair: the widget was imported for another passport.
    #[error("the passport has no such token slot")]
    Unknown,
    /// The definition's to repair.
    #[error("the host belongs to another token slot")]
    Elsewhere,
}

impl Passport {
    /// Whether a credential may go to `host`, which is lower case, with its port unless that is the scheme's own.
    /// `pinned`: the host comes from a field of the connection, not from the widget's definition.
    pub fn allows_host(&self, host: &str, pinned: bool) -> bool {
        self.api_hosts.iter().any(|known| known == host)
            || (pinned
                && self
                    .host_patterns
                    .iter()
                    .any(|pattern| host_matches(pattern, host)))
    }

    /// The slot whose token a call of `api` to `host` takes: the one it asks for by name, else the one that has the host,
    /// else the main one. `host`: as [`allows_host`](Self::allows_host) takes it; `None` while only the connection knows it.
    ///
    /// # Errors
    /// [`WrongSlot`]: no token may be sent.
    pub fn slot_of<'a>(
        &'a self,
        api: &'a NamedApi,
        host: Option<&str>,
    ) -> Result<&'a str, WrongSlot> {
        let has =
            |slot: &Slot| host.is_some_and(|host| slot.api_hosts.iter().any(|own| own == host));
        let having = self.slots.iter().find(|slot| has(slot));
        if api.token_slot.is_empty() {
            return Ok(having.map_or("", |slot| slot.name.as_str()));
        }
        let asked = self.slot(&api.token_slot).ok_or(WrongSlot::Unknown)?;
        let elsewhere = !asked.api_hosts.is_empty() || having.is_some();
        if host.is_some() && elsewhere && !has(asked) {
            return Err(WrongSlot::Elsewhere);
        }
        Ok(&asked.name)
    }

    /// `value` as it may be kept for `field`; `None` where it is not what the field must be.
    pub fn pinned_value(&self, field: &PinnedField, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.trim_end_matches('/').to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let plain = !text.is_empty()
            && text.len() <= PINNED_LIMIT
            && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        let fits = match field.kind {
            PinnedKind::Text => plain,
            PinnedKind::Origin => {
                let host = text.strip_prefix("https://").map(str::to_ascii_lowercase);
                plain && host.is_some_and(|host| self.allows_host(&host, true))
            }
        };
        fits.then_some(text)
    }

    /// Whether `granted` holds the scope `wanted`, under whatever name the provider grants it.
    pub fn has_scope(&self, granted: &[String], wanted: &str) -> bool {
        let alias = self.scope_aliases.get(wanted).map(String::as_str);
        granted.iter().any(|scope| {
            scope.eq_ignore_ascii_case(wanted)
                || alias.is_some_and(|alias| scope.eq_ignore_ascii_case(alias))
        })
    }

    /// What an API's answer says about the credential it was asked with.
    pub fn verdict(&self, answer: &Response<bytes::Bytes>) -> Verdict {
        let status = answer.status();
        let any = |matches: &[AnswerMatch]| {
            !matches.is_empty() && {
                let body = Body::of(answer.body());
                matches.iter().any(|wanted| wanted.holds(status, &body))
            }
        };
        if status == StatusCode::TOO_MANY_REQUESTS || any(&self.throttled_when) {
            Verdict::Throttled
        } else if status == StatusCode::UNAUTHORIZED || any(&self.expired_when) {
            Verdict::Expired
        } else {
            Verdict::Answer
        }
    }

    /// Whether an answer of the token endpoint refuses the grant in the provider's own words.
    pub fn refuses_the_grant(&self, answer: &Response<bytes::Bytes>) -> bool {
        let body = Body::of(answer.body());
        self.refused_when
            .iter()
            .any(|wanted| wanted.holds(answer.status(), &body))
    }

    /// The query parameter the credential goes into, where it goes into one.
    pub fn credential_param(&self) -> Option<&str> {
        match &self.inject {
            Inject::Query { query } => Some(query),
            Inject::Header { .. } => None,
        }
    }
}

/// Whether `host` is one or more labels before the suffix of `*.suffix`, and nothing but a plain DNS name.
pub fn host_matches(pattern: &str, host: &str) -> bool {
    let Some(labels) = pattern
        .strip_prefix('*')
        .and_then(|suffix| host.strip_suffix(suffix))
    else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    pattern.starts_with("*.") && host.len() <= 253 && labels.split('.').all(label)
}

/// An answer's body, parsed once.
struct Body<'a> {
    text: &'a [u8],
    json: Option<Value>,
}

impl<'a> Body<'a> {
    fn of(body: &'a [u8]) -> Self {
        let text = if body.len() <= SEARCHED { body } else { &[] };
        let json = text
            .iter()
            .find(|byte| !byte.is_ascii_whitespace())
            .filter(|first| matches!(first, b'{' | b'['))
            .and_then(|_| serde_json::from_slice(text).ok());
        Self { text, json }
    }
}

impl AnswerMatch {
    fn holds(&self, status: StatusCode, body: &Body<'_>) -> bool {
        (self.status.is_empty() || self.status.contains(&status.as_u16()))
            && self.at.as_deref().is_none_or(|at| {
                let member = body.json.as_ref().and_then(|json| json.pointer(at));
                member.is_some_and(|member| self.is.contains(&written(member)))
            })
            && self
                .contains
                .as_deref()
                .is_none_or(|part| memchr::memmem::find(body.text, part.as_bytes()).is_some())
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn passport(fields: serde_json::Value) -> Passport {
        let mut passport = serde_json::json!({"id": "p", "name": "P", "provider": "p", "api_hosts": ["api.example.com"]});
        for (name, value) in fields.as_object().unwrap() {
            passport[name] = value.clone();
        }
        serde_json::from_value(passport).unwrap()
    }

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn a_pattern_takes_plain_names_below_its_suffix_and_nothing_else() {
        for host in [
            "acme.my.salesforce.com",
            "a.salesforce.com",
            "a-1.b.salesforce.com",
        ] {
            assert!(host_matches("*.salesforce.com", host), "{host}");
        }
        for host in [
            "salesforce.com",
            ".salesforce.com",
            "evilsalesforce.com",
            "a..salesforce.com",
            "-a.salesforce.com",
            "a.salesforce.com.",
            "a.salesforce.com.evil.example",
            "A.salesforce.com",
            "ä.salesforce.com",
            "a@b.salesforce.com",
            "a/b.salesforce.com",
            "a:1.salesforce.com",
            "a_b.salesforce.com",
            "*.salesforce.com",
        ] {
            assert!(!host_matches("*.salesforce.com", host), "{host}");
        }
        assert!(!host_matches("salesforce.com", "salesforce.com"));
        assert!(!host_matches("*salesforce.com", "evilsalesforce.com"));
    }

    #[test]
    fn a_pattern_is_for_pinned_hosts_only() {
        let passport = passport(serde_json::json!({"host_patterns": ["*.example.net"]}));
        assert!(passport.allows_host("api.example.com", false));
        assert!(passport.allows_host("a.example.net", true));
        assert!(!passport.allows_host("a.example.net", false));
    }

    #[test]
    fn a_pinned_origin_is_https_on_an_allowed_host_and_nothing_more() {
        let passport = passport(serde_json::json!({"host_patterns": ["*.example.net"]}));
        let field = PinnedField {
            name: "o".into(),
            at: "/o".into(),
            kind: PinnedKind::Origin,
        };
        let kept = |text: &str| passport.pinned_value(&field, &Value::String(text.into()));
        assert_eq!(
            kept("https://a.example.net/").as_deref(),
            Some("https://a.example.net")
        );
        for text in [
            "http://a.example.net",
            "https://evil.example",
            "https://a.example.net/x",
            "https://a.example.net:444",
            "https://u@a.example.net",
            "https://",
            "",
            "https://a.example.net?x",
            "javascript:alert(1)",
        ] {
            assert_eq!(kept(text), None, "{text}");
        }
    }

    #[test]
    fn an_expiry_is_seen_in_a_200_in_an_array_and_in_a_fault() {
        let passport = passport(serde_json::json!({"expired_when": [
            {"status": [200], "at": "/error", "is": ["token_expired"]},
            {"at": "/0/errorCode", "is": ["INVALID_SESSION_ID"]},
            {"status": [500], "contains": "INVALID_SESSION_ID"},
            {"at": "/error/code", "is": ["190"]},
        ]}));
        for (status, body, verdict) in [
            (
                200,
                r#"{"ok":false,"error":"token_expired"}"#,
                Verdict::Expired,
            ),
            (
                200,
                r#"{"ok":false,"error":"channel_not_found"}"#,
                Verdict::Answer,
            ),
            (403, r#"{"error":"token_expired"}"#, Verdict::Answer),
            (
                403,
                r#"[{"errorCode":"INVALID_SESSION_ID"}]"#,
                Verdict::Expired,
            ),
            (
                500,
                "<faultcode>sf:INVALID_SESSION_ID</faultcode>",
                Verdict::Expired,
            ),
            (200, "INVALID_SESSION_ID", Verdict::Answer),
            (400, r#"{"error":{"code":190}}"#, Verdict::Expired),
            (401, "", Verdict::Expired),
            (429, "", Verdict::Throttled),
            (200, "", Verdict::Answer),
        ] {
            assert_eq!(
                passport.verdict(&answer(status, body)),
                verdict,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_throttle_is_seen_before_an_expiry() {
        let passport = passport(serde_json::json!({"throttled_when": [
            {"status": [403], "at": "/error/errors/0/reason", "is": ["rateLimitExceeded"]}]}));
        let body = r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#;
        assert_eq!(passport.verdict(&answer(403, body)), Verdict::Throttled);
        assert_eq!(passport.verdict(&answer(403, "{}")), Verdict::Answer);
    }

    #[test]
    fn a_scope_is_found_under_the_name_it_is_granted_by() {
        let passport =
            passport(serde_json::json!({"scope_aliases": {"email": "https://x.example/email"}}));
        let granted = ["https://x.example/email".to_owned(), "User.Read".to_owned()];
        assert!(passport.has_scope(&granted, "email"));
        assert!(passport.has_scope(&granted, "user.read"));
        assert!(!passport.has_scope(&granted, "profile"));
    }

    fn slot_of(passport: &Passport, asked: &str, host: Option<&str>) -> Result<String, WrongSlot> {
        let api = serde_json::json!({"name": "a", "method": "GET", "url": "https://x.example",
            "authentication_key": "k", "token_slot": asked});
        let api: NamedApi = serde_json::from_value(api).unwrap();
        passport.slot_of(&api, host).map(str::to_owned)
    }

    fn three_slots() -> Passport {
        passport(serde_json::json!({"slots": [
            {"name": "user"}, {"name": "files", "api_hosts": ["files.example.com"]}]}))
    }

    #[test]
    fn a_call_takes_the_token_of_the_slot_it_names_or_whose_host_it_calls() {
        for (asked, host, slot) in [
            ("user", Some("api.example.com"), "user"),
            ("user", None, "user"),
            ("files", Some("files.example.com"), "files"),
            ("files", None, "files"),
            ("", Some("files.example.com"), "files"),
            ("", Some("api.example.com"), ""),
            ("", None, ""),
        ] {
            let found = slot_of(&three_slots(), asked, host);
            assert_eq!(found.as_deref(), Ok(slot), "{asked} {host:?}");
        }
    }

    #[test]
    fn a_token_never_goes_to_a_host_of_another_slot() {
        let passport = three_slots();
        for (asked, host) in [("user", "files.example.com"), ("files", "api.example.com")] {
            let refused = slot_of(&passport, asked, Some(host));
            assert_eq!(refused, Err(WrongSlot::Elsewhere), "{asked} {host}");
        }
        for host in [None, Some("api.example.com")] {
            assert_eq!(slot_of(&passport, "none", host), Err(WrongSlot::Unknown));
        }
    }
}
