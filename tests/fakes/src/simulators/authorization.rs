//! PURE. The authorization request as most providers check it (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

use super::behaviour::{Pkce, Rules};
use super::book::Pending;
use super::call::Call;
use super::desk::Desk;

/// Why an authorization request fails: told to the person, or to the app (RFC 6749 section 4.1.2.1).
pub(super) enum Fault {
    /// A page with this message, in the provider's words.
    Page(String),
    /// A redirect to the app.
    Redirect {
        to: Box<Pending>,
        error: &'static str,
        description: String,
    },
}

impl Fault {
    /// A page that says `message`.
    pub(super) fn page(message: impl Into<String>) -> Self {
        Self::Page(message.into())
    }
}

/// `text` split at any of the separators.
pub(super) fn split_scopes(text: &str, separators: &str) -> Vec<String> {
    text.split(|character| separators.contains(character))
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The checks of an authorization request: client and redirect address, the rest as the rules say.
pub(super) fn authorize(desk: &Desk, rules: &Rules, call: &Call) -> Result<Pending, Fault> {
    let mut pending = begin(desk, rules, call)?;
    match pending.asked.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(redirect(
                &pending,
                "unsupported_response_type",
                "only code is supported",
            ));
        }
        None => {
            return Err(redirect(
                &pending,
                "invalid_request",
                "response_type is missing",
            ));
        }
    }
    pending.challenge = challenge(rules, &pending)?;
    pending.scopes = scopes(rules, &pending)?;
    Ok(pending)
}

/// The first checks of any request that ends in a redirect: client and redirect address. Both faults are told on a page.
pub(super) fn begin(desk: &Desk, rules: &Rules, call: &Call) -> Result<Pending, Fault> {
    let params = call.query_params();
    if let Some(name) = params.repeated() {
        return Err(Fault::page(format!("The parameter {name} was sent twice.")));
    }
    let app = params.get("client_id").and_then(|id| desk.app(id));
    let Some(app) = app else {
        return Err(Fault::page(format!(
            "{} does not know the app that sent you here (client_id).",
            rules.name
        )));
    };
    let redirect_uri = params.get("redirect_uri").unwrap_or("").to_owned();
    if !app.redirect_uris.contains(&redirect_uri) {
        return Err(Fault::page(
            "The redirect_uri is not one that the app has registered.",
        ));
    }
    Ok(Pending {
        client_id: app.id,
        redirect_uri,
        state: params.get("state").map(str::to_owned),
        challenge: None,
        scopes: Vec::new(),
        host: call.host.clone(),
        path: call.path.clone(),
        opened_at: desk.now(),
        asked: params,
    })
}

/// A fault that the app is told.
pub(super) fn redirect(
    pending: &Pending,
    error: &'static str,
    description: impl Into<String>,
) -> Fault {
    Fault::Redirect {
        to: Box::new(pending.clone()),
        error,
        description: description.into(),
    }
}

fn challenge(rules: &Rules, pending: &Pending) -> Result<Option<String>, Fault> {
    let wrong = |description: &str| Err(redirect(pending, "invalid_request", description));
    let challenge = pending.asked.get("code_challenge");
    let method = pending.asked.get("code_challenge_method");
    match (rules.pkce, challenge) {
        (Pkce::Refused, Some(_)) => wrong("code_challenge is not accepted from this app"),
        (Pkce::Required, None) => wrong("code_challenge is missing"),
        (_, None) if method.is_some() => wrong("code_challenge is missing"),
        (_, None) => Ok(None),
        (_, Some(_)) if method != Some("S256") => wrong("code_challenge_method must be S256"),
        (_, Some(challenge)) if !is_digest(challenge) => wrong("code_challenge is malformed"),
        (_, Some(challenge)) => Ok(Some(challenge.to_owned())),
    }
}

/// The base64url form of a SHA-256 digest: 43 characters.
fn is_digest(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == 43 && text.bytes().all(allowed)
}

fn scopes(rules: &Rules, pending: &Pending) -> Result<Vec<String>, Fault> {
    let wrong = |description: String| {
        if rules.scope_fault_on_page {
            Fault::Page(format!("invalid_scope: {description}"))
        } else {
            redirect(pending, "invalid_scope", description)
        }
    };
    let Some(asked) = pending.asked.get("scope") else {
        if rules.default_scopes.is_empty() {
            return Err(wrong("scope is missing".to_owned()));
        }
        return Ok(rules
            .default_scopes
            .iter()
            .map(|&scope| scope.to_owned())
            .collect());
    };
    let scopes = split_scopes(asked, rules.separators);
    match scopes.iter().find(|scope| !(rules.known_scope)(scope)) {
        Some(unknown) => Err(wrong(format!("the scope {unknown} is not known"))),
        None => Ok(scopes),
    }
}
