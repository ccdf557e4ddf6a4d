//! PURE. Hosts: who vouches for a widget's callers, and how what they sign is read.
//!
//! ```json
//! {"id":"acme","type":"happeo","require_exp":true}
//! {"id":"acme","type":"oidc","issuer":"https://id.example.com","audience":"widgets","require_exp":true,
//!  "claims":{"user":["sub"],"organisation":["org_id"],"email":["email"]}}
//! ```
//!
//! Sources: Happeo developer page "Advanced usage"; OpenID Connect Core and Discovery.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A space of callers somebody vouches for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The host's id; defaults to the id of the widget that brought it.
    pub id: String,
    /// How callers of this host are verified.
    #[serde(flatten)]
    pub kind: HostKind,
    /// When set, only callers of these organisations are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisations: Option<Vec<String>>,
    /// False accepts Happeo JWTs without `exp`. On unless the operator turns it off; an OIDC host always requires it.
    #[serde(default = "yes")]
    pub require_exp: bool,
    /// Whether a caller JWT changes something once only: it needs a `jti`, which is used up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_time_jwt: bool,
}

/// How callers of a host are verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HostKind {
    /// Happeo widget JWTs: HS256 with the widget's shared secret.
    Happeo,
    /// JWTs of an OpenID Connect issuer: its published keys.
    Oidc(OidcHost),
}

/// An OpenID Connect issuer as a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OidcHost {
    /// The issuer identifier, byte for byte what `iss` and the discovery document say.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
    /// The organisation of every caller, where no claim names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Where the claims stand.
    pub claims: OidcClaims,
}

/// Where an issuer's JWTs say who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcClaims {
    /// The user's id.
    pub user: ClaimPath,
    /// The organisation's id; `None` where [`OidcHost::organisation`] is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<ClaimPath>,
    /// The e-mail; it counts only where `email_verified` beside it is true.
    pub email: ClaimPath,
}

/// The names of members that lead to a claim, from the top of the claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads a JSONPath (RFC 9535) of member names alone: `$.sub`, `$.user.id`, `$['https://example.com/org']`. `None` for any
    /// other: a claim is one member, never one of several.
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        let mut rest = text.strip_prefix('$')?;
        while !rest.is_empty() {
            let (name, after) = if let Some(shorthand) = rest.strip_prefix('.') {
                let end = shorthand.find(['.', '[']).unwrap_or(shorthand.len());
                let (name, after) = shorthand.split_at(end);
                let plain = |character: char| {
                    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
                };
                let begins = !name.starts_with(|first: char| first.is_ascii_digit());
                (begins && name.chars().all(plain)).then_some((name, after))?
            } else {
                let bracket = rest.strip_prefix('[')?;
                let quote = bracket.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
                let (name, after) = bracket.strip_prefix(quote)?.split_once(quote)?;
                // A name with an escape in it has never been seen in a claim.
                let plain = !name.contains('\\') && !name.chars().any(char::is_control);
                (plain && after.starts_with(']')).then_some((name, after.strip_prefix(']')?))?
            };
            if name.is_empty() {
                return None;
            }
            names.push(name.to_owned());
            rest = after;
        }
        (!names.is_empty()).then_some(Self(names))
    }

    /// The object the claim stands in, and the claim's own name. Lists are never entered.
    fn place<'c>(&self, claims: &'c Map<String, Value>) -> Option<(&'c Map<String, Value>, &str)> {
        let (name, parents) = self.0.split_last()?;
        let object = parents.iter().try_fold(claims, |object, parent| {
            object.get(parent).and_then(Value::as_object)
        })?;
        Some((object, name))
    }

    /// The claim's value.
    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let (object, name) = self.place(claims)?;
        object.get(name)
    }

    /// Whether `email_verified` stands beside the claim and is true (OpenID Connect Core section 5.1: a boolean).
    pub fn is_verified(&self, claims: &Map<String, Value>) -> bool {
        let verified = self
            .place(claims)
            .and_then(|(object, _)| object.get("email_verified"));
        verified == Some(&Value::Bool(true))
    }

    /// Whether the claim is an e-mail by its standard name.
    pub fn is_email(&self) -> bool {
        self.0.last().is_some_and(|name| name == "email")
    }
}

/// `org_id`, `user.id`: as a problem document names it.
impl std::fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        ClaimPath::parse(text).map(|ClaimPath(names)| names)
    }

    #[test]
    fn a_path_names_one_member() {
        for (text, path) in [
            ("$.sub", vec!["sub"]),
            ("$.user.id", vec!["user", "id"]),
            (
                "$['https://example.com/org']",
                vec!["https://example.com/org"],
            ),
            ("$[\"a.b\"].c['d']", vec!["a.b", "c", "d"]),
            ("$.käse", vec!["käse"]),
        ] {
            assert_eq!(
                names(text).as_deref(),
                Some(&path[..].iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        for text in [
            "",
            "$",
            "sub",
            "$.",
            "$..sub",
            "$.a..b",
            "$.*",
            "$[0]",
            "$['a'",
            "$['']",
            "$[?@.a]",
            "$.a[*]",
            "$.a-b",
            "$.a b",
            "$['a','b']",
            "$.0",
            "$['a\\'b']",
            " $.a",
            "$.a ",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
    }

    #[test]
    fn lists_are_not_entered_and_verification_stands_beside_the_email() {
        let claims = json!({"user": {"email": "a@b.example", "email_verified": true}, "list": ["x"], "email_verified": false});
        let claims = claims.as_object().unwrap();
        let path = |text: &str| ClaimPath::parse(text).unwrap();
        assert_eq!(
            path("$.user.email").find(claims),
            Some(&json!("a@b.example"))
        );
        assert!(path("$.user.email").is_verified(claims));
        assert!(!path("$.email").is_verified(claims));
        assert_eq!(path("$.list['0']").find(claims), None);
        assert_eq!(path("$.user.email.x").find(claims), None);
        assert_eq!(path("$.user.id").to_string(), "user.id");
    }

    #[test]
    fn a_record_of_an_earlier_version_reads_as_it_was() {
        let host: Host =
            serde_json::from_value(json!({"id": "h", "type": "happeo", "require_exp": true}))
                .unwrap();
        assert_eq!((host.kind, host.one_time_jwt), (HostKind::Happeo, false));
        let oidc = json!({"id": "h", "type": "oidc", "issuer": "https://i.example", "audience": "a", "require_exp": true,
            "claims": {"user": ["sub"], "organisation": ["org_id"], "email": ["email"]}});
        let host: Host = serde_json::from_value(oidc.clone()).unwrap();
        assert_eq!(serde_json::to_value(&host).unwrap(), oidc);
    }
}
