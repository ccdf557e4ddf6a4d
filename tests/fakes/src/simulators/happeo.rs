//! Happeo. PKCE with S256 always, the secret optional for public apps, another refresh token with every refresh.
//!
//! The profile address, revocation and the refresh token's life are not published, so nothing is served for them and no
//! limit is set. What a used refresh token does is not published either: here it is refused and nothing else happens.
//!
//! Sources: developers.happeo.com "Authorizing users", "OAuth 2.0", "Using token in API calls", "Rate limits",
//! "Authentication".

use axum::response::Response;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Endpoint, Pkce, Rotation, Rules};
use super::call::{Call, answer};
use super::desk::Desk;
use super::flow;
use super::levers;
use crate::provider::{ACCOUNTS, Account};

/// Happeo.
pub(super) struct Happeo;

const RULES: Rules = Rules {
    name: "Happeo",
    prefix: "happeo-",
    pkce: Pkce::Required,
    known_scope,
    rotation: Rotation::Replaced,
    ..Rules::USUAL
};

/// Two are in print; the rest, shown on the admin screen only, follow their form.
fn known_scope(scope: &str) -> bool {
    if scope == "profile" {
        return true;
    }
    let (resource, action) = scope.split_once(':').unwrap_or((scope, ""));
    matches!(
        resource,
        "channels" | "pages" | "people" | "posts" | "search"
    ) && matches!(action, "read" | "write")
}

impl Behaviour for Happeo {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        matches!(host, "login.happeo.com" | "api.happeo.com")
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        match (host, path) {
            ("login.happeo.com", "/oauth/authorize") => Some(Endpoint::Authorize),
            ("login.happeo.com", "/oauth/token") => Some(Endpoint::Token),
            ("api.happeo.com", _) => Some(Endpoint::Api),
            _ => None,
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        flow::respond(self, desk, call)
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let Some((account, scopes)) = caller(desk, call) else {
            return answer(
                401,
                &json!({ "statusCode": 401, "error": "Unauthorized", "message": "Invalid token" }),
            );
        };
        if let Some(seconds) = levers::throttled(desk) {
            let body = json!({ "statusCode": 429, "error": "Too Many Requests", "message": "Rate limit exceeded" });
            let mut response = answer(429, &body);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        let Some((scope, body)) = find(account, call) else {
            return self.not_found(call);
        };
        if scopes.is_some_and(|scopes| !scopes.iter().any(|own| own == scope)) {
            return answer(
                403,
                &json!({ "statusCode": 403, "error": "Forbidden", "message": format!("{scope} is missing") }),
            );
        }
        answer(200, &body)
    }

    fn not_found(&self, _call: &Call) -> Response {
        answer(
            404,
            &json!({ "statusCode": 404, "error": "Not Found", "message": "Not Found" }),
        )
    }
}

/// Who calls, and with which scopes: a person's token, or the key of a system account, which has no scopes.
fn caller(desk: &Desk, call: &Call) -> Option<(Account, Option<Vec<String>>)> {
    if let Some(key) = call.header("x-happeo-apikey") {
        let [system, _] = ACCOUNTS;
        let known = !key.is_empty() && desk.service_with(key).is_some();
        if !known {
            desk.count_unauthorized();
        }
        return known.then_some((system, None));
    }
    let caller = flow::bearer(desk, call).ok()?;
    Some((caller.account, Some(caller.access.scopes)))
}

/// The scope that a resource needs, and what it holds.
fn find(account: Account, call: &Call) -> Option<(&'static str, Value)> {
    if call.method != Method::GET {
        return None;
    }
    let channel = |id: &str| json!({ "id": id, "name": format!("Channel of {}", account.name), "owner": account.email });
    let list =
        |items: Vec<Value>| json!({ "items": items, "total": 1, "query": call.query_pairs() });
    let segments = call.segments();
    match segments.as_slice() {
        ["channels"] => Some(("channels:read", list(vec![channel("channel-1")]))),
        ["channels", id] => Some(("channels:read", channel(id))),
        ["channels", id, "posts"] => Some((
            "channels:read",
            list(vec![
                json!({ "id": "post-1", "channelId": id, "author": account.name }),
            ]),
        )),
        ["pages"] => Some((
            "pages:read",
            list(vec![
                json!({ "id": "page-1", "title": format!("Page of {}", account.name) }),
            ]),
        )),
        _ => None,
    }
}
