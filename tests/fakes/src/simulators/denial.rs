//! PURE. Why a token request is refused, before a provider words it in its own way.

use axum::response::Response;
use serde_json::json;

use super::book::Ending;
use super::call::answer;

/// A reason to refuse a request to a token or revocation endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// The method is not the one for this endpoint.
    Method,
    /// The body is no form.
    NotAForm,
    /// Parameters came in the URL.
    InUrl,
    /// This parameter came twice.
    Repeated(String),
    /// This parameter is missing.
    Missing(&'static str),
    /// The grant type is not one of this provider's.
    UnsupportedGrant,
    /// No such client, or none named.
    UnknownClient,
    /// The client exists and the secret is not its own.
    WrongSecret,
    /// The client exists and authenticated in a way that this provider does not take from it.
    WrongStyle,
    /// No such authorization code, or another client's.
    UnknownCode,
    /// The code is too old.
    ExpiredCode,
    /// The code was used before; what came of it has been ended.
    UsedCode,
    /// The redirect address is not the code's.
    WrongRedirect,
    /// The PKCE verifier is missing or does not match.
    WrongVerifier,
    /// No such refresh token, or another client's.
    UnknownRefresh,
    /// The refresh token was used before.
    UsedRefresh,
    /// The refresh token outlived its idle or absolute limit.
    ExpiredRefresh,
    /// The grant was ended.
    Ended(Ending),
    /// This scope is not known, not granted, or wrongly separated.
    Scope(String),
    /// No randomness to make a token from.
    Internal,
}

impl Denial {
    /// The error code of RFC 6749 section 5.2.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Method | Self::NotAForm | Self::InUrl | Self::Repeated(_) | Self::Missing(_) => {
                "invalid_request"
            }
            Self::UnsupportedGrant => "unsupported_grant_type",
            Self::UnknownClient | Self::WrongSecret | Self::WrongStyle => "invalid_client",
            Self::Scope(_) => "invalid_scope",
            Self::Internal => "server_error",
            _ => "invalid_grant",
        }
    }

    /// What happened, in words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Method => "the method is not allowed here".to_owned(),
            Self::NotAForm => "the request must be a form".to_owned(),
            Self::InUrl => "parameters must not be in the URL".to_owned(),
            Self::Repeated(name) => format!("{name} was sent twice"),
            Self::Missing(name) => format!("{name} is missing"),
            Self::UnsupportedGrant => "the grant type is not supported".to_owned(),
            Self::UnknownClient => "the client is not known".to_owned(),
            Self::WrongSecret => "the client secret is wrong".to_owned(),
            Self::WrongStyle => "the client must authenticate in another way".to_owned(),
            Self::UnknownCode => "the authorization code is not known".to_owned(),
            Self::ExpiredCode => "the authorization code has expired".to_owned(),
            Self::UsedCode => "the authorization code was used before".to_owned(),
            Self::WrongRedirect => "redirect_uri does not match the authorization".to_owned(),
            Self::WrongVerifier => "code_verifier does not match code_challenge".to_owned(),
            Self::UnknownRefresh => "the refresh token is not known".to_owned(),
            Self::UsedRefresh => "the refresh token was used before".to_owned(),
            Self::ExpiredRefresh => "the refresh token has expired".to_owned(),
            Self::Ended(_) => "the authorization was ended".to_owned(),
            Self::Scope(scope) => format!("the scope {scope} is not valid"),
            Self::Internal => "something went wrong here".to_owned(),
        }
    }

    /// The answer of RFC 6749 section 5.2, for providers without a shape of their own.
    pub(super) fn standard(&self) -> Response {
        let status = match self.code() {
            "invalid_client" => 401,
            "server_error" => 500,
            _ => 400,
        };
        answer(
            status,
            &json!({ "error": self.code(), "error_description": self.text() }),
        )
    }
}
