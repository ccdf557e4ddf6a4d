//! Who may speak to the AWS-shaped servers of `consulate dev`: whoever read the access key id from the data folder.
//!
//! Against other local users (who can reach the port) and web pages (DNS rebinding makes a foreign name point at
//! 127.0.0.1; the `Host` header then carries the foreign name). The request's signature is not verified: knowing the
//! random access key id is the proof, as it travels on loopback only. Touches nothing.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};

use crate::aws_json;
use crate::random::{equal_in_constant_time, random_value};

/// Lets through requests that are signed with one random access key id and addressed to a loopback name.
#[derive(Clone)]
pub struct AccessGate {
    /// The access key id that every request must carry in its `Credential=`.
    pub access_key_id: String,
}

impl AccessGate {
    /// A gate for a known access key id, as read from the data folder.
    pub fn new(access_key_id: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
        }
    }

    /// A gate with a fresh random access key id.
    ///
    /// # Errors
    /// The operating system's random source failed.
    pub fn random() -> anyhow::Result<Self> {
        Ok(Self::new(random_value("CONSULATE")?))
    }

    /// `router` behind this gate, its fallback included.
    pub fn wrap(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), check))
    }

    fn admits(&self, request: &Request) -> Result<(), &'static str> {
        if !addressed_to_loopback(request) {
            return Err("the Host header must name a loopback address");
        }
        match credential(request.headers()) {
            Some(presented) if equal_in_constant_time(presented, &self.access_key_id) => Ok(()),
            _ => Err("the request is not signed with this server's access key"),
        }
    }
}

impl std::fmt::Debug for AccessGate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AccessGate { access_key_id: <redacted> }")
    }
}

async fn check(State(gate): State<AccessGate>, request: Request, next: Next) -> Response {
    match gate.admits(&request) {
        Ok(()) => next.run(request).await,
        Err(message) => aws_json::error(
            StatusCode::FORBIDDEN,
            "application/x-amz-json-1.0",
            "AccessDeniedException",
            message,
        )
        .into_response(),
    }
}

/// Whether every name the request gives for its target is a loopback name.
fn addressed_to_loopback(request: &Request) -> bool {
    let by_host = aws_json::only(request.headers(), "host")
        .and_then(|host| host.parse::<Authority>().ok())
        .is_some_and(|authority| is_loopback(&authority));
    let by_target = request.uri().authority().is_none_or(is_loopback);
    by_host && by_target
}

fn is_loopback(authority: &Authority) -> bool {
    let plain = !authority.as_str().contains('@');
    plain
        && (matches!(authority.host(), "127.0.0.1" | "[::1]")
            || authority.host().eq_ignore_ascii_case("localhost"))
}

/// The access key id of `Authorization: AWS4-HMAC-SHA256 Credential=<id>/<date>/<region>/<service>/aws4_request, …`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let parameters = aws_json::only(headers, "authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let mut credentials = parameters
        .split(',')
        .filter_map(|parameter| parameter.trim().strip_prefix("Credential="));
    match (credentials.next(), credentials.next()) {
        (Some(scope), None) => scope
            .split_once('/')
            .map(|(access_key_id, _)| access_key_id),
        _ => None,
    }
}
