//! PURE. Client authentication as a request brings it, and what a provider takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::App;
use super::call::{Call, Params};
use super::denial::Denial;
use super::desk::Desk;
use crate::random::equal_in_constant_time;

/// The style that a request arrived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `Authorization: Basic`.
    Basic,
    /// `client_secret` among the parameters.
    Body,
    /// No secret anywhere.
    None,
    /// A secret in both places, which RFC 6749 forbids.
    Both,
}

/// The styles a provider takes from confidential clients. Public ones send `client_id` alone, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// The header only.
    Basic,
    /// The parameters only.
    Body,
    /// Either.
    Either,
}

/// What a request says about its client.
pub(super) struct Claim {
    pub(super) style: Style,
    pub(super) client_id: Option<String>,
    pub(super) secret: Option<String>,
    /// `client_secret=` without a value: several providers refuse it.
    blank_secret: bool,
}

impl Claim {
    pub(super) fn read(call: &Call, params: &Params) -> Self {
        let in_form = params.get("client_id").map(str::to_owned);
        let form_secret = params.get("client_secret").map(str::to_owned);
        let blank_secret = params.has("client_secret") && form_secret.is_none();
        let header = call.header("authorization");
        let (style, client_id, secret) = match (header.is_some(), form_secret) {
            (true, Some(_)) => (Style::Both, in_form, None),
            (true, None) => match header.and_then(basic) {
                // An id among the parameters may repeat the header's, not contradict it.
                Some((id, secret)) if in_form.as_ref().is_none_or(|form| *form == id) => {
                    (Style::Basic, Some(id), Some(secret))
                }
                _ => (Style::Basic, None, None),
            },
            (false, Some(secret)) => (Style::Body, in_form, Some(secret)),
            (false, None) => (Style::None, in_form, None),
        };
        Self {
            style,
            client_id,
            secret,
            blank_secret,
        }
    }

    /// The app, if it proved itself in a way this provider takes.
    pub(super) fn verify(&self, desk: &Desk, accepts: Accepts) -> Result<App, Denial> {
        let id = self.client_id.as_deref().ok_or(Denial::UnknownClient)?;
        let app = desk.app(id).ok_or(Denial::UnknownClient)?;
        self.check(app.secret.as_deref(), accepts)?;
        Ok(app)
    }

    /// Whether the claim proves `secret`; `None` is a public client's.
    pub(super) fn check(&self, secret: Option<&str>, accepts: Accepts) -> Result<(), Denial> {
        if self.blank_secret {
            return Err(Denial::WrongSecret);
        }
        let Some(secret) = secret else {
            return match self.style {
                Style::None => Ok(()),
                _ => Err(Denial::WrongStyle),
            };
        };
        let taken = match accepts {
            Accepts::Basic => self.style == Style::Basic,
            Accepts::Body => self.style == Style::Body,
            Accepts::Either => matches!(self.style, Style::Basic | Style::Body),
        };
        if !taken {
            return Err(Denial::WrongStyle);
        }
        let presented = self.secret.as_deref().unwrap_or("");
        if !presented.is_empty() && equal_in_constant_time(secret, presented) {
            Ok(())
        } else {
            Err(Denial::WrongSecret)
        }
    }
}

/// Id and secret of `Authorization: Basic`, each form-decoded after the split (RFC 6749 section 2.3.1).
pub(super) fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
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
