//! `POST /token` and `POST /revoke` (RFC 6749 sections 3.2, 4.1.3, 5 and 6; RFC 7009; RFC 7636 section 4.6).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::client_authentication::Claim;
use super::params::{Params, scopes_within};
use super::script::{Endpoint, perform};
use super::seen::TokenRequest;
use super::state::Family;
use super::{Client, Provider, Rotation};
use crate::aws_json::only;
use crate::held::held;
use crate::random::{equal_in_constant_time, sha256_base64url};

/// An error answer of RFC 6749 section 5.2.
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    challenge: bool,
}

impl Refusal {
    fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
            challenge: false,
        }
    }

    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    /// `challenge`: whether the client tried the `Authorization` header, and must then be told the scheme.
    pub(super) fn invalid_client(description: &'static str, challenge: bool) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description,
            challenge,
        }
    }

    fn invalid_grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = no_store(self.status, &body);
        if self.challenge {
            let scheme =
                http::HeaderValue::from_static("Basic realm=\"Acme Cloud\", charset=\"UTF-8\"");
            response.headers_mut().insert("www-authenticate", scheme);
        }
        response
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(_: anyhow::Error) -> Self {
        let description = "the provider could not keep its state";
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            description,
            challenge: false,
        }
    }
}

/// `POST /token`.
pub(super) async fn token(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let inside = provider.clone();
    let _under_way = inside.shared.observations.enter_token_call();
    let scripted = provider.shared.scripts.next(Endpoint::Token);
    let params = match form(&headers, query.as_deref(), &body) {
        Ok(params) => params,
        Err(refusal) => return refusal.into_response(),
    };
    let claim = Claim::read(&headers, &params);
    let request = TokenRequest::of(&headers, &params, claim.attempt, claim.client_id.clone());
    provider.shared.observations.token_request(request);
    perform(scripted, async move {
        match answer(&provider, &claim, &params) {
            Ok(reply) => no_store(StatusCode::OK, &reply),
            Err(refusal) => refusal.into_response(),
        }
    })
    .await
}

/// `POST /revoke`.
pub(super) async fn revoke(
    State(provider): State<Provider>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    provider
        .shared
        .observations
        .count(|seen| seen.revoke_calls += 1);
    let scripted = provider.shared.scripts.next(Endpoint::Revoke);
    perform(scripted, async move {
        let outcome = form(&headers, query.as_deref(), &body).and_then(|params| {
            let client = Claim::read(&headers, &params).verify(&provider)?;
            end_token(&provider, &client, &params)
        });
        match outcome {
            Ok(()) => (StatusCode::OK, [("cache-control", "no-store")]).into_response(),
            Err(refusal) => refusal.into_response(),
        }
    })
    .await
}

/// The parameters of a request that is a form and nothing else.
fn form(headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Result<Params, Refusal> {
    let media_type = only(headers, "content-type")
        .and_then(|value| value.split(';').next())
        .unwrap_or("")
        .trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::invalid_request("the request must be a form"));
    }
    if query.is_some() {
        return Err(Refusal::invalid_request(
            "parameters must not be in the URL",
        ));
    }
    Params::parse(body).map_err(|_| Refusal::invalid_request("a parameter was sent twice"))
}

fn answer(provider: &Provider, claim: &Claim, params: &Params) -> Result<Value, Refusal> {
    let client = claim.verify(provider)?;
    match params.get("grant_type") {
        Some("authorization_code") => exchange(provider, &client, params),
        Some("refresh_token") => refresh(provider, &client, params),
        Some(_) => Err(Refusal::new(
            "unsupported_grant_type",
            "only authorization_code and refresh_token",
        )),
        None => Err(Refusal::invalid_request("grant_type is missing")),
    }
}

fn exchange(provider: &Provider, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let code = params
        .get("code")
        .ok_or_else(|| Refusal::invalid_request("code is missing"))?;
    let now = provider.now();
    let observations = &provider.shared.observations;
    let mut grants = held(&provider.shared.grants);
    let bound = grants
        .code(code)
        .filter(|bound| bound.client_id == client.id);
    let bound = bound.ok_or_else(|| Refusal::invalid_grant("unknown code"))?;
    if let Some(family) = &bound.family {
        let alive = grants.family(family).is_some_and(|family| family.alive);
        observations.count(|seen| {
            seen.reuse_detected += 1;
            seen.families_ended += u64::from(alive);
        });
        grants.end(family, now);
        grants.save(now)?;
        return Err(Refusal::invalid_grant("the code was used before"));
    }
    if bound.expires_at <= now {
        return Err(Refusal::invalid_grant("the code has expired"));
    }
    let verifier = params.get("code_verifier").unwrap_or("");
    let proven = is_verifier(verifier)
        && equal_in_constant_time(&sha256_base64url(verifier), &bound.challenge);
    if !proven || params.get("redirect_uri") != Some(&bound.redirect_uri) {
        // Whoever holds the code is not whom it was issued to.
        grants.burn_code(code);
        return Err(Refusal::invalid_grant(
            "the code belongs to another request",
        ));
    }
    let family = grants.begin(Family::new(
        &client.id,
        &bound.account_id,
        &bound.scope,
        now,
    ))?;
    grants.spend_code(code, &family);
    let access_token = provider.new_access_token()?;
    let refresh_token = provider.new_refresh_token()?;
    let seconds = provider.shared.settings.access_seconds;
    grants.add_access(&access_token, &family, now, seconds);
    grants.add_refresh(&refresh_token, &family, now);
    grants.save(now)?;
    observations.count(|seen| seen.exchanges += 1);
    Ok(reply(
        &access_token,
        Some(&refresh_token),
        seconds,
        &bound.scope,
    ))
}

fn refresh(provider: &Provider, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let presented = params
        .get("refresh_token")
        .ok_or_else(|| Refusal::invalid_request("refresh_token is missing"))?;
    let now = provider.now();
    let settings = &provider.shared.settings;
    let observations = &provider.shared.observations;
    let mut grants = held(&provider.shared.grants);
    let unknown = || Refusal::invalid_grant("unknown or revoked refresh token");
    let (family_id, spent) = grants.refresh(presented).ok_or_else(unknown)?;
    let family = grants
        .family(&family_id)
        .filter(|family| family.client_id == client.id)
        .cloned();
    let family = family.ok_or_else(unknown)?;
    if spent {
        observations.count(|seen| {
            seen.reuse_detected += 1;
            seen.families_ended += u64::from(family.alive);
        });
        grants.end(&family_id, now);
        grants.save(now)?;
        return Err(Refusal::invalid_grant("the refresh token was used before"));
    }
    if !family.alive {
        return Err(unknown());
    }
    let scope = params.get("scope").unwrap_or(&family.scope);
    if !scopes_within(scope, family.scope.split(' ')) {
        return Err(Refusal::new("invalid_scope", "more than was granted"));
    }
    let access_token = provider.new_access_token()?;
    grants.add_access(&access_token, &family_id, now, settings.access_seconds);
    let next = match settings.rotation {
        Rotation::SingleUse => {
            let next = provider.new_refresh_token()?;
            grants.spend_refresh(presented, now);
            grants.add_refresh(&next, &family_id, now);
            Some(next)
        }
        Rotation::Reusable => None,
    };
    grants.save(now)?;
    observations.count(|seen| seen.refreshes += 1);
    Ok(reply(
        &access_token,
        next.as_deref(),
        settings.access_seconds,
        scope,
    ))
}

fn end_token(provider: &Provider, client: &Client, params: &Params) -> Result<(), Refusal> {
    let token = params
        .get("token")
        .ok_or_else(|| Refusal::invalid_request("token is missing"))?;
    let now = provider.now();
    let mut grants = held(&provider.shared.grants);
    let by_refresh = grants.refresh(token).map(|(family, _)| family);
    let ends_family = by_refresh.is_some();
    let Some(family_id) = by_refresh.or_else(|| grants.family_of_access(token)) else {
        // RFC 7009 section 2.2: an unknown token is no error.
        return Ok(());
    };
    let family = grants.family(&family_id).cloned();
    let Some(family) = family else { return Ok(()) };
    if family.client_id != client.id {
        return Err(Refusal::new(
            "unauthorized_client",
            "the token was issued to another client",
        ));
    }
    let was_live = if ends_family {
        grants.end(&family_id, now)
    } else {
        grants.revoke_one_access(token)
    };
    grants.save(now)?;
    if was_live && family.alive {
        provider.shared.observations.count(|seen| seen.revoked += 1);
    }
    Ok(())
}

/// 43 to 128 unreserved characters (RFC 7636 section 4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

fn reply(access_token: &str, refresh_token: Option<&str>, expires_in: u64, scope: &str) -> Value {
    let mut reply = json!({
        "access_token": access_token,
        // Lower case, as Box sends it: a client that echoes it into `Authorization` is refused by our API.
        "token_type": "bearer",
        "expires_in": expires_in,
        "scope": scope,
    });
    if let (Some(refresh_token), Some(reply)) = (refresh_token, reply.as_object_mut()) {
        reply.insert("refresh_token".to_owned(), Value::from(refresh_token));
    }
    reply
}

fn no_store(status: StatusCode, body: &Value) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
    ];
    (status, headers, body.to_string()).into_response()
}
