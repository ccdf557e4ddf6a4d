//! PURE. What `secret set` takes: exactly the documented JSON, judged without ever repeating a value.

use consulate_core::definition::{ClientAuthentication, Passport};
use consulate_core::secret::SecretText;
use serde_json::{Map, Value, json};

use crate::bundle::is_id;

/// A shorter host secret is not one: HS256 keys have the size of the hash at least (RFC 7518 section 3.2), and what
/// hosts hand out is accepted down to half of that.
const SHORTEST_HOST_SECRET: usize = 16;
/// Current, next, and a few more.
const MOST_HOST_SECRETS: usize = 8;
/// Secrets Manager holds no more in one secret.
const LONGEST: usize = 64 * 1024;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `widgets/{id}`: the host secrets of a widget.
    Widget(String),
    /// `passports/{id}`: the client secret of a passport.
    Passport(String),
}

/// Why a name or a value is refused. Names a field where there is one; never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Refusal {
    pub field: Option<String>,
    pub problem: String,
}

impl Refusal {
    fn of(field: &str, problem: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            problem: format!("{field}: {problem}"),
        }
    }

    fn whole(problem: impl Into<String>) -> Self {
        Self {
            field: None,
            problem: problem.into(),
        }
    }
}

impl Name {
    /// Reads `widgets/ID` or `passports/ID`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let bundled = |id: &str| {
            id.split_once('.')
                .is_some_and(|(widget, name)| is_id(widget) && is_name(name))
        };
        match text.split_once('/') {
            Some(("widgets", id)) if is_id(id) => Ok(Self::Widget(id.to_owned())),
            Some(("passports", id)) if is_id(id) || bundled(id) => {
                Ok(Self::Passport(id.to_owned()))
            }
            Some(("keys", _)) => Err(Refusal::whole("keyrings are made by `consulate keys init`")),
            _ => Err(Refusal::whole(
                "there is no secret of that name: use widgets/ID or passports/ID, without prefix",
            )),
        }
    }
}

/// The name of a bundled passport: letters, digits, hyphen.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `{"host_secrets":["current","next"…]}`, as it is stored.
pub(super) fn widget(input: &SecretText) -> Result<SecretText, Refusal> {
    let mut object = object(input, &["host_secrets"])?;
    let field = "host_secrets";
    let Some(Value::Array(secrets)) = object.remove(field) else {
        return Err(Refusal::of(
            field,
            "must be a list of texts, the current secret first",
        ));
    };
    if secrets.is_empty() || secrets.len() > MOST_HOST_SECRETS {
        return Err(Refusal::of(
            field,
            "must hold one to eight secrets, the current one first",
        ));
    }
    for (index, secret) in secrets.iter().enumerate() {
        let field = format!("host_secrets[{index}]");
        match secret.as_str() {
            Some(text) if text.chars().count() < SHORTEST_HOST_SECRET => {
                return Err(Refusal::of(&field, "must have 16 characters at least"));
            }
            Some(text) if text.trim() != text => {
                return Err(Refusal::of(
                    &field,
                    "must not begin or end with white space",
                ));
            }
            Some(_) => {}
            None => return Err(Refusal::of(&field, "must be text")),
        }
    }
    Ok(SecretText::new(json!({ field: secrets }).to_string()))
}

/// `{"client_secret":"…","endpoints"?:[…]}`, as it is stored for `passport`: with the addresses it may be sent to.
pub(super) fn passport(input: &SecretText, passport: &Passport) -> Result<SecretText, Refusal> {
    let mut object = object(input, &["client_secret", "endpoints"])?;
    let secret = match object.remove("client_secret") {
        Some(Value::String(secret)) => SecretText::new(secret),
        _ => return Err(Refusal::of("client_secret", "must be text")),
    };
    if secret.expose().is_empty() || secret.expose().trim() != secret.expose() {
        return Err(Refusal::of(
            "client_secret",
            "must not be empty, nor begin or end with white space",
        ));
    }
    if passport.client_authentication == ClientAuthentication::None {
        return Err(Refusal::of(
            "client_secret",
            "this passport is a public client and has none",
        ));
    }
    let wanted = sorted(&passport.secret_endpoints());
    match object.remove("endpoints") {
        None => {}
        Some(Value::Array(endpoints)) => {
            let given: Option<Vec<String>> = endpoints
                .iter()
                .map(|endpoint| endpoint.as_str().map(str::to_owned))
                .collect();
            if given.map(|given| sorted(&given)) != Some(wanted) {
                return Err(Refusal::of(
                    "endpoints",
                    "must be the passport's endpoints, or be left out",
                ));
            }
        }
        Some(_) => return Err(Refusal::of("endpoints", "must be a list of texts")),
    }
    Ok(client_secret(&secret, passport))
}

/// A client secret with the addresses it may be sent to.
pub(super) fn client_secret(secret: &SecretText, passport: &Passport) -> SecretText {
    let document =
        json!({ "client_secret": secret.expose(), "endpoints": passport.secret_endpoints() });
    SecretText::new(document.to_string())
}

/// The client secret and the addresses in what is stored; `None` where it is of another shape.
pub(super) fn read_client_secret(stored: &SecretText) -> Option<(SecretText, Vec<String>)> {
    let mut document: Map<String, Value> = serde_json::from_str(stored.expose()).ok()?;
    let Some(Value::String(secret)) = document.remove("client_secret") else {
        return None;
    };
    let endpoints = document
        .remove("endpoints")
        .and_then(|endpoints| serde_json::from_value(endpoints).ok());
    Some((SecretText::new(secret), endpoints.unwrap_or_default()))
}

/// The JSON object in `input`, with `known` members only.
fn object(input: &SecretText, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
    if input.expose().len() > LONGEST {
        return Err(Refusal::whole("the value is longer than 64 KiB"));
    }
    let wanted = format!("expected a JSON object with {}", known.join(" and "));
    // serde_json's message could quote the value: only where it went wrong is told.
    let value: Value = serde_json::from_str(input.expose()).map_err(|error| {
        Refusal::whole(format!(
            "{wanted}; not JSON at line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    let Value::Object(object) = value else {
        return Err(Refusal::whole(wanted));
    };
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        // The name of an unknown member is not repeated either: somebody may have typed the secret there.
        Some(_) => Err(Refusal::whole(format!("{wanted} and no other member"))),
        None => Ok(object),
    }
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn text(value: Value) -> SecretText {
        SecretText::new(value.to_string())
    }

    fn graph() -> Passport {
        let catalogue = Catalogue::built_in().unwrap();
        catalogue
            .get("microsoft")
            .unwrap()
            .passport("graph", "client", Vec::new(), None)
    }

    #[test]
    fn names_are_those_of_widgets_and_passports() {
        assert_eq!(
            Name::read("widgets/calendar"),
            Ok(Name::Widget("calendar".into()))
        );
        assert_eq!(
            Name::read("passports/graph"),
            Ok(Name::Passport("graph".into()))
        );
        assert_eq!(
            Name::read("passports/w.Some-Name"),
            Ok(Name::Passport("w.Some-Name".into()))
        );
        for name in [
            "",
            "calendar",
            "widgets/",
            "widgets/a.b",
            "widgets/A",
            "widgets/a/b",
            "passports/a.b.c",
            "passports/.b",
            "keys/access",
            "consulate/widgets/a",
            "other/a",
        ] {
            assert!(Name::read(name).is_err(), "{name}");
        }
    }

    #[test]
    fn host_secrets_are_one_or_more_long_texts() {
        let good = json!({"host_secrets": ["sixteen-letters-", "sixteen-letters+"]});
        assert_eq!(
            widget(&text(good.clone())).unwrap().expose(),
            good.to_string()
        );
        for (bad, field) in [
            (json!({}), "host_secrets"),
            (json!({"host_secrets": "sixteen-letters-"}), "host_secrets"),
            (json!({"host_secrets": []}), "host_secrets"),
            (
                json!({"host_secrets": ["sixteen-letters-", "short"]}),
                "host_secrets[1]",
            ),
            (json!({"host_secrets": [7]}), "host_secrets[0]"),
            (
                json!({"host_secrets": ["sixteen-letters-\n"]}),
                "host_secrets[0]",
            ),
        ] {
            assert_eq!(
                widget(&text(bad)).unwrap_err().field.as_deref(),
                Some(field)
            );
        }
    }

    #[test]
    fn a_client_secret_is_stored_with_the_addresses_it_may_be_sent_to() {
        let passport_of = graph();
        let stored = passport(&text(json!({"client_secret": "s"})), &passport_of).unwrap();
        let (secret, endpoints) = read_client_secret(&stored).unwrap();
        assert_eq!(
            (secret.expose(), endpoints),
            ("s", passport_of.secret_endpoints())
        );
        let given = json!({"client_secret": "s", "endpoints": passport_of.secret_endpoints()});
        assert!(passport(&text(given), &passport_of).is_ok());
        for (bad, field) in [
            (json!({}), "client_secret"),
            (json!({"client_secret": ""}), "client_secret"),
            (json!({"client_secret": " s"}), "client_secret"),
            (
                json!({"client_secret": "s", "endpoints": ["https://evil.example/token"]}),
                "endpoints",
            ),
            (
                json!({"client_secret": "s", "endpoints": "all"}),
                "endpoints",
            ),
        ] {
            assert_eq!(
                passport(&text(bad), &passport_of)
                    .unwrap_err()
                    .field
                    .as_deref(),
                Some(field)
            );
        }
    }

    #[test]
    fn a_public_client_has_no_secret() {
        let public = Passport {
            client_authentication: ClientAuthentication::None,
            ..graph()
        };
        assert!(passport(&text(json!({"client_secret": "s"})), &public).is_err());
    }

    #[test]
    fn a_refusal_repeats_nothing_of_the_value() {
        for bad in [
            "canary",
            "{canary",
            r#"["canary"]"#,
            r#"{"canary":1}"#,
            r#"{"host_secrets":["canary"]}"#,
            r#"{"host_secrets":"canary-canary-canary"}"#,
            r#"{"client_secret":"canary-canary-canary"}"#,
        ] {
            let refusal = widget(&SecretText::new(bad)).unwrap_err();
            assert!(!format!("{refusal:?}").contains("canary"), "{bad}");
        }
    }
}
