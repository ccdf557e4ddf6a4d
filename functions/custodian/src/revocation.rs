//! The calls with which providers are told that a token is given up: RFC 7009 and the five ways round it.

use std::time::Duration;

use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::egress::Egress;
use consulate_core::passport::{Inject, Passport, RevocationStyle};
use consulate_core::secret::SecretText;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request};
use tokio::time::Instant;

use crate::outcome::{Revocation, judge_revocation, retry_after};
use crate::token_endpoint::{Client, POST_TIMEOUT, Unusable, dressed};
use crate::token_reply::REPLY_LIMIT;

/// The request that gives up `plain`, an RFC 7009 `token_type_hint` of the kind `hint`; `None` where the provider revokes
/// nothing, or not this kind.
pub(crate) fn request(
    client: &Client<'_>,
    hint: &str,
    plain: &SecretText,
) -> Result<Option<Request<Bytes>>, Unusable> {
    let passport = client.passport;
    let style = passport.revocation_style;
    let Some(url) = &passport.revocation_url else {
        return Ok(None);
    };
    if hint == "refresh_token" && !style.takes_refresh_tokens() {
        return Ok(None);
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", plain.expose());
    let request = match style {
        RevocationStyle::Rfc7009 => {
            form.append_pair("token_type_hint", hint);
            // By hand: the oauth2 crate's builder refuses the plain http of a loopback provider.
            client.authenticated(url, form)?
        }
        RevocationStyle::TokenOnly => {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            let request = Request::post(url).header(http::header::CONTENT_TYPE, kind);
            built(request.body(Bytes::from(form.finish())))?
        }
        RevocationStyle::Query => {
            built(Request::get(format!("{url}?{}", form.finish())).body(Bytes::new()))?
        }
        RevocationStyle::Bearer => shown(passport, Method::POST, url, plain)?,
        RevocationStyle::SignOut => shown(passport, Method::POST, url, plain)?,
        RevocationStyle::DeletePermissions => {
            let url = match client.proof(plain).filter(|_| passport.appsecret_proof) {
                Some(proof) => format!("{url}?appsecret_proof={proof}"),
                None => url.clone(),
            };
            shown(passport, Method::DELETE, &url, plain)?
        }
    };
    Ok(Some(request))
}

/// A request whose authentication is the token itself, where the passport injects it.
fn shown(
    passport: &Passport,
    method: Method,
    url: &str,
    plain: &SecretText,
) -> Result<Request<Bytes>, Unusable> {
    let request = Request::builder().method(method).uri(url);
    let mut request = built(request.body(Bytes::new()))?;
    let (name, value) = credential_header(&passport.inject, plain)?;
    request.headers_mut().insert(name, value);
    Ok(request)
}

/// The header in which a passport's calls carry their credential; `Authorization: Bearer` where they carry it elsewhere.
pub(crate) fn credential_header(
    inject: &Inject,
    plain: &SecretText,
) -> Result<(HeaderName, HeaderValue), Unusable> {
    let (name, scheme) = match inject {
        Inject::Header { header, scheme } => (
            HeaderName::try_from(header).map_err(|_| Unusable::Misconfigured)?,
            scheme.as_deref(),
        ),
        Inject::Query { .. } => (AUTHORIZATION, Some("Bearer")),
    };
    let text = match scheme {
        Some(scheme) => format!("{scheme} {}", plain.expose()),
        None => plain.expose().to_owned(),
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| Unusable::Misconfigured)?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn built(request: http::Result<Request<Bytes>>) -> Result<Request<Bytes>, Unusable> {
    request.map(dressed).map_err(|_| Unusable::Misconfigured)
}

/// Sends a revocation request, once. Beside what became of it, how long the provider asks to be left alone, seconds.
pub(crate) async fn send(
    egress: &Egress,
    request: Request<Bytes>,
    passport: &Passport,
    deadline: Instant,
    now: Timestamp,
) -> (Revocation, Option<u64>) {
    let time: Duration = deadline
        .saturating_duration_since(Instant::now())
        .min(POST_TIMEOUT);
    match egress.send(request, time, REPLY_LIMIT).await {
        Ok(response) => (
            judge_revocation(&response, passport),
            retry_after(&response, now),
        ),
        Err(_) => (Revocation::Failed, None),
    }
}
