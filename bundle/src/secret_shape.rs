//! PURE. What a secret looks like in Secrets Manager, and what `secret set` and the console take for one: exactly the documented
//! JSON, judged without ever repeating a value.

use consulate_core::clock::Timestamp;
use consulate_core::definition::QrveyTemplate;
use consulate_core::passport::{ClientAuthentication, Passport};
use consulate_core::qrvey::is_param;
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

/// Name of the member that says when the secret ends at the provider.
pub const EXPIRES_AT: &str = "expires_at";

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `widgets/{id}`: the host secrets of a widget.
    Widget(String),
    /// `passports/{id}`: the client secret of a passport.
    Passport(String),
    /// `qrvey/{widget}/{name}`: the API key of a widget's Qrvey template.
    Qrvey {
        /// The widget.
        widget: String,
        /// The template.
        template: String,
    },
}

/// Why a name or a value is refused. Names a field where there is one; never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Refusal {
    /// The member it is about, as `host_secrets[1]`; `None` where it is the whole.
    pub field: Option<String>,
    /// Why, in words.
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
    /// Reads `widgets/ID`, `passports/ID` or `qrvey/WIDGET/NAME`.
    ///
    /// # Errors
    /// [`Refusal`].
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
            Some(("qrvey", rest)) => match rest.split_once('/') {
                Some((widget, template)) if is_id(widget) && is_param(template) => {
                    Ok(Self::Qrvey {
                        widget: widget.to_owned(),
                        template: template.to_owned(),
                    })
                }
                _ => Err(Refusal::whole(
                    "a Qrvey API key is named qrvey/WIDGET/NAME, after the widget and its template",
                )),
            },
            Some(("keys", _)) => Err(Refusal::whole("keyrings are made by `consulate keys init`")),
            _ => Err(Refusal::whole(
                "there is no secret of that name: use widgets/ID, passports/ID or qrvey/WIDGET/NAME, without prefix",
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
///
/// # Errors
/// [`Refusal`].
pub fn widget(input: &SecretText) -> Result<SecretText, Refusal> {
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

/// `{"client_secret":"…","endpoints"?:[…],"expires_at"?:"…"}`, as it is stored for `passport`: with the addresses it may be sent to. A client
/// that signs has `{"private_key":"PEM","key_id"?,"certificate_thumbprint"?,"endpoints"?}` instead.
///
/// # Errors
/// [`Refusal`].
pub fn passport(input: &SecretText, passport: &Passport) -> Result<SecretText, Refusal> {
    if passport.has_client_secret()
        && passport.client_authentication == ClientAuthentication::PrivateKeyJwt
    {
        return signing_key(input, passport);
    }
    let mut object = object(input, &["client_secret", "endpoints", EXPIRES_AT])?;
    let expires_at = expiry(&mut object)?;
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
    if !passport.has_client_secret() {
        return Err(Refusal::of(
            "client_secret",
            match passport.credential.has_client() {
                true => "this passport is a public client and has none",
                false => {
                    "this passport has no client: what its owners type is asked of them when they connect"
                }
            },
        ));
    }
    judge_endpoints(object.remove("endpoints"), passport)?;
    let stored = client_secret(&secret, passport);
    match (expires_at, serde_json::from_str(stored.expose())) {
        (Some(end), Ok(Value::Object(mut document))) => {
            document.insert(EXPIRES_AT.to_owned(), end.into());
            Ok(SecretText::new(Value::Object(document).to_string()))
        }
        _ => Ok(stored),
    }
}

/// When the client secret, or the key, ends at the provider: for `consulate doctor`, which warns before.
fn expiry(object: &mut Map<String, Value>) -> Result<Option<String>, Refusal> {
    match object.remove(EXPIRES_AT) {
        None => Ok(None),
        Some(Value::String(text)) if Timestamp::parse_rfc3339(&text).is_some() => Ok(Some(text)),
        Some(_) => Err(Refusal::of(
            EXPIRES_AT,
            "must be a time as 2027-06-30T00:00:00Z, or be left out",
        )),
    }
}

/// `{"api_key":"…","domain"?:"…"}`, as it is stored for `template`: with the instance it may be sent to.
///
/// # Errors
/// [`Refusal`].
pub fn qrvey(input: &SecretText, template: &QrveyTemplate) -> Result<SecretText, Refusal> {
    let mut object = object(input, &["api_key", "domain"])?;
    let field = "api_key";
    let key = match object.remove(field) {
        Some(Value::String(key)) => SecretText::new(key),
        _ => return Err(Refusal::of(field, "must be text")),
    };
    // It travels in a header.
    let sendable = key.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if key.expose().is_empty() || !sendable {
        return Err(Refusal::of(
            field,
            "must not be empty, and holds printable ASCII without spaces only",
        ));
    }
    match object.remove("domain") {
        None => {}
        Some(Value::String(domain)) if domain == template.domain => {}
        Some(_) => {
            return Err(Refusal::of(
                "domain",
                "must be the template's domain, or be left out",
            ));
        }
    }
    let document = json!({ "api_key": key.expose(), "domain": template.domain });
    Ok(SecretText::new(document.to_string()))
}

/// Whether a stored API key may be sent to `domain`. One that names no domain was not set by this command.
pub fn is_api_key_for(stored: &SecretText, domain: &str) -> bool {
    let document: Option<Map<String, Value>> = serde_json::from_str(stored.expose()).ok();
    let set_for = document.and_then(|document| document.get("domain").cloned());
    set_for.is_none_or(|set_for| set_for.as_str() == Some(domain))
}

/// The key of a client that signs, as it is stored.
fn signing_key(input: &SecretText, passport: &Passport) -> Result<SecretText, Refusal> {
    const OPTIONAL: [&str; 2] = ["key_id", "certificate_thumbprint"];
    let known = [
        "private_key",
        OPTIONAL[0],
        OPTIONAL[1],
        "endpoints",
        EXPIRES_AT,
    ];
    let mut object = object(input, &known)?;
    let expires_at = expiry(&mut object)?;
    judge_endpoints(object.remove("endpoints"), passport)?;
    let is_pem = |text: &str| {
        text.contains("-----BEGIN PRIVATE KEY-----") && text.contains("-----END PRIVATE KEY-----")
    };
    if !object
        .get("private_key")
        .and_then(Value::as_str)
        .is_some_and(is_pem)
    {
        return Err(Refusal::of(
            "private_key",
            "must be a PKCS#8 key in PEM (RSA, or EC on P-256), with its BEGIN and END lines",
        ));
    }
    for field in OPTIONAL {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        if object.get(field).is_some_and(|value| !is_text(value)) {
            return Err(Refusal::of(field, "must be text"));
        }
    }
    object.insert("endpoints".to_owned(), json!(passport.secret_endpoints()));
    if let Some(end) = expires_at {
        object.insert(EXPIRES_AT.to_owned(), end.into());
    }
    Ok(SecretText::new(Value::Object(object).to_string()))
}

fn judge_endpoints(given: Option<Value>, passport: &Passport) -> Result<(), Refusal> {
    let wanted = sorted(&passport.secret_endpoints());
    match given {
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
    Ok(())
}

/// A client secret with the addresses it may be sent to.
pub fn client_secret(secret: &SecretText, passport: &Passport) -> SecretText {
    let document =
        json!({ "client_secret": secret.expose(), "endpoints": passport.secret_endpoints() });
    SecretText::new(document.to_string())
}

/// The client secret and the addresses in what is stored; `None` where it is of another shape.
pub fn read_client_secret(stored: &SecretText) -> Option<(SecretText, Vec<String>)> {
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
mod tests;
