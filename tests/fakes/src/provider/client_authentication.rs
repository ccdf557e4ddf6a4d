//! Client authentication at the token and revocation endpoints (RFC 6749 section 2.3.1): exactly the configured style.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::params::Params;
use super::token::Refusal;
use super::{Client, ClientAuthentication, Provider};
use crate::aws_json::only;
use crate::random::equal_in_constant_time;

/// The style that a request arrived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// An `Authorization` header.
    Basic,
    /// `client_secret` in the form.
    Body,
    /// No secret anywhere.
    None,
    /// A secret in both places, which RFC 6749 forbids.
    Both,
}

/// What a request says about its client.
pub(super) struct Claim {
    pub(super) attempt: Attempt,
    pub(super) client_id: Option<String>,
    secret: Option<String>,
}

impl Claim {
    pub(super) fn read(headers: &HeaderMap, params: &Params) -> Self {
        let in_form = params.get("client_id").map(str::to_owned);
        let form_secret = params.get("client_secret").map(str::to_owned);
        if !headers.contains_key("authorization") {
            let attempt = if form_secret.is_some() {
                Attempt::Body
            } else {
                Attempt::None
            };
            return Self {
                attempt,
                client_id: in_form,
                secret: form_secret,
            };
        }
        let attempt = if form_secret.is_some() {
            Attempt::Both
        } else {
            Attempt::Basic
        };
        match basic(headers) {
            // An id in the form may repeat the header's, not contradict it.
            Some((id, secret)) if in_form.as_ref().is_none_or(|form| *form == id) => Self {
                attempt,
                client_id: Some(id),
                secret: Some(secret),
            },
            _ => Self {
                attempt,
                client_id: None,
                secret: None,
            },
        }
    }

    /// The client, if it proved itself in its own style.
    pub(super) fn verify(&self, provider: &Provider) -> Result<Client, Refusal> {
        if self.attempt == Attempt::Both {
            return Err(Refusal::invalid_request(
                "more than one way of client authentication",
            ));
        }
        let challenge = self.attempt == Attempt::Basic;
        let refused = |description| Refusal::invalid_client(description, challenge);
        let client_id = self
            .client_id
            .as_deref()
            .ok_or_else(|| refused("no client named"))?;
        let client = provider
            .client(client_id)
            .ok_or_else(|| refused("client authentication failed"))?;
        let expected = match client.authentication {
            ClientAuthentication::Basic => Attempt::Basic,
            ClientAuthentication::Body => Attempt::Body,
            ClientAuthentication::None => Attempt::None,
        };
        if self.attempt != expected {
            return Err(refused(
                "this client must authenticate in the way it is registered for",
            ));
        }
        let proven = match (&client.secret, &self.secret) {
            (Some(secret), Some(presented)) => equal_in_constant_time(secret, presented),
            (_, None) => client.authentication == ClientAuthentication::None,
            (None, Some(_)) => false,
        };
        if proven {
            Ok(client)
        } else {
            Err(refused("client authentication failed"))
        }
    }
}

/// Id and secret of `Authorization: Basic`, each form-decoded after the split.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = only(headers, "authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

/// One form-encoded component. `&` and `=` must not split it, should a client have left them bare.
fn form_decoded(component: &str) -> String {
    let whole = component.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(whole.as_bytes())
        .next()
        .map(|(text, _)| text.into_owned())
        .unwrap_or_default()
}
