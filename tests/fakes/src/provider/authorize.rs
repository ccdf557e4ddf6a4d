//! `GET /authorize` and `POST /consent` (RFC 6749 section 4.1, RFC 7636 section 4.3, RFC 9207).
//!
//! A wrong client or redirect address gets an error page and never a redirect; every other fault goes back to the
//! client. The consent form carries a one-time id only: what is being consented to stays here.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::params::{Params, scopes_within};
use super::state::{Code, PendingConsent};
use super::{Client, Provider, account, page};
use crate::aws_json::only;
use crate::held::held;

/// Why an authorization request fails: told to the person, or to the client (RFC 6749 section 4.1.2.1).
enum Fault {
    Page(&'static str),
    Redirect {
        to: String,
        state: Option<String>,
        error: &'static str,
        description: &'static str,
    },
}

/// `GET /authorize`.
pub(super) async fn authorize(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
) -> Response {
    provider
        .shared
        .observations
        .count(|seen| seen.authorize += 1);
    match pending(&provider, query.as_deref().unwrap_or("")) {
        Ok((client, pending)) => {
            let scope = pending.scope.clone();
            let opened = held(&provider.shared.grants).open_consent(pending);
            match opened {
                Ok(consent) => page::consent(&provider, &client.id, &scope, &consent),
                Err(_) => page::error(
                    &provider,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong here.",
                ),
            }
        }
        Err(Fault::Page(message)) => page::error(&provider, StatusCode::BAD_REQUEST, message),
        Err(Fault::Redirect {
            to,
            state,
            error,
            description,
        }) => {
            let mut answer = vec![("error", error), ("error_description", description)];
            answer.extend(state.as_deref().map(|state| ("state", state)));
            redirect(&provider, &to, &answer)
        }
    }
}

/// What the request asks consent for, every rule checked.
fn pending(provider: &Provider, query: &str) -> Result<(Client, PendingConsent), Fault> {
    let params =
        Params::parse(query.as_bytes()).map_err(|_| Fault::Page("A parameter was sent twice."))?;
    let client = params.get("client_id").and_then(|id| provider.client(id));
    let client = client.ok_or(Fault::Page(
        "The app that sent you here is not registered with us.",
    ))?;
    let redirect_uri = params.get("redirect_uri").unwrap_or("").to_owned();
    if !client.redirect_uris.contains(&redirect_uri) {
        return Err(Fault::Page(
            "The app that sent you here asked us to answer to an address it has not registered.",
        ));
    }
    let state = params.get("state").map(str::to_owned);
    let fault = |error, description| Fault::Redirect {
        to: redirect_uri.clone(),
        state: state.clone(),
        error,
        description,
    };
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(fault("unsupported_response_type", "only code")),
        None => return Err(fault("invalid_request", "response_type is missing")),
    }
    let Some(state) = state.clone() else {
        return Err(fault("invalid_request", "state is missing"));
    };
    let challenge = params.get("code_challenge").unwrap_or("");
    if params.get("code_challenge_method") != Some("S256") || !is_challenge(challenge) {
        return Err(fault("invalid_request", "PKCE with S256 is required"));
    }
    let known = &provider.shared.settings.scopes;
    let all = known.join(" ");
    let scope = params.get("scope").unwrap_or(&all).to_owned();
    if !scopes_within(&scope, known.iter().map(String::as_str)) {
        return Err(fault("invalid_scope", "unknown scope"));
    }
    let pending = PendingConsent {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.clone(),
        state,
        challenge: challenge.to_owned(),
        scope,
        opened_at: provider.now(),
    };
    Ok((client, pending))
}

/// The base64url form of a SHA-256 digest: 43 characters.
fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `POST /consent`: 303 to the client's redirect address.
pub(super) async fn consent(
    State(provider): State<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refused = |message| page::error(&provider, StatusCode::BAD_REQUEST, message);
    if only(&headers, "content-type") != Some("application/x-www-form-urlencoded") {
        return refused("This page is sent by its own form only.");
    }
    let Ok(params) = Params::parse(&body) else {
        return refused("A parameter was sent twice.");
    };
    let now = provider.now();
    let taken = params
        .get("consent")
        .and_then(|id| held(&provider.shared.grants).take_consent(id, now));
    let Some(pending) = taken else {
        return refused(
            "This page was answered already, or stood open for too long. Please start again.",
        );
    };
    match params.get("decision") {
        Some("deny") => {
            provider.shared.observations.count(|seen| seen.denied += 1);
            redirect(
                &provider,
                &pending.redirect_uri,
                &[("error", "access_denied"), ("state", &pending.state)],
            )
        }
        Some("allow") => {
            let Some(account) = params.get("account").and_then(account) else {
                return refused("Please choose an account.");
            };
            let Ok(code) = provider.new_code() else {
                return refused("Something went wrong here.");
            };
            let life = i64::try_from(provider.shared.settings.code_seconds)
                .unwrap_or(0)
                .saturating_mul(1_000);
            let bound = Code {
                client_id: pending.client_id,
                redirect_uri: pending.redirect_uri.clone(),
                challenge: pending.challenge,
                scope: pending.scope,
                account_id: account.id.to_owned(),
                expires_at: now.saturating_add(life),
                family: None,
            };
            held(&provider.shared.grants).add_code(&code, bound);
            provider.shared.observations.count(|seen| seen.allowed += 1);
            redirect(
                &provider,
                &pending.redirect_uri,
                &[("code", &code), ("state", &pending.state)],
            )
        }
        _ => refused("Please choose Allow or Deny."),
    }
}

/// 303 to a registered redirect address, keeping the query it may have.
fn redirect(provider: &Provider, to: &str, answer: &[(&str, &str)]) -> Response {
    let Ok(mut target) = Url::parse(to) else {
        return page::error(
            provider,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The registered address is not a URL.",
        );
    };
    target.query_pairs_mut().extend_pairs(answer);
    if provider.shared.settings.sends_iss {
        target
            .query_pairs_mut()
            .append_pair("iss", provider.base_url());
    }
    match HeaderValue::from_str(target.as_str()) {
        Ok(location) => {
            let headers = [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (
                    header::REFERRER_POLICY,
                    HeaderValue::from_static("no-referrer"),
                ),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => page::error(
            provider,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The registered address is not a URL.",
        ),
    }
}

/// The one-time id within a consent page, for tests that answer the form without a browser:
/// `consent=<id>&account=acme-1815&decision=allow` posted to `/consent`.
pub fn consent_id(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("name=\"consent\" value=\"")?;
    rest.split_once('"').map(|(id, _)| id)
}
