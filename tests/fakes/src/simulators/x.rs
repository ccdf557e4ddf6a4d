//! X. PKCE always, Basic for confidential apps, 30-second codes, two hours, single-use refresh tokens, problem+json.
//!
//! Sources: docs.x.com "OAuth 2.0 Authorization Code Flow with PKCE", "User access tokens", "Rate limits", "Response
//! codes"; plhery/node-twitter-api-v2 issue 496 (words of the token endpoint). The old names of the hosts still work.

use axum::response::Response;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::authorization::{self, Fault};
use super::behaviour::{Behaviour, Endpoint, Pkce, Rotation, Rules};
use super::book::{Grant, Pending};
use super::call::{Call, answer};
use super::claim::Accepts;
use super::denial::Denial;
use super::desk::{Caller, Desk};
use super::flow::{self, Issued};
use super::levers;

/// X.
pub(super) struct X;

const DAY: i64 = 86_400;

const RULES: Rules = Rules {
    name: "X",
    prefix: "x-",
    pkce: Pkce::Required,
    client: Accepts::Basic,
    known_scope,
    code_seconds: 30,
    access_seconds: Some(7_200),
    rotation: Rotation::SingleUse,
    idle_seconds: Some(182 * DAY),
    ..Rules::USUAL
};

fn known_scope(scope: &str) -> bool {
    matches!(
        scope,
        "tweet.read"
            | "tweet.write"
            | "tweet.moderate.write"
            | "users.read"
            | "users.email"
            | "follows.read"
            | "follows.write"
            | "offline.access"
            | "space.read"
            | "mute.read"
            | "mute.write"
            | "like.read"
            | "like.write"
            | "list.read"
            | "list.write"
            | "block.read"
            | "block.write"
            | "bookmark.read"
            | "bookmark.write"
            | "dm.read"
            | "dm.write"
            | "media.write"
    )
}

impl Behaviour for X {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        matches!(
            host,
            "x.com" | "twitter.com" | "api.x.com" | "api.twitter.com"
        )
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        match (host, path) {
            ("x.com" | "twitter.com", "/i/oauth2/authorize") => Some(Endpoint::Authorize),
            ("api.x.com" | "api.twitter.com", "/2/oauth2/token") => Some(Endpoint::Token),
            ("api.x.com" | "api.twitter.com", "/2/oauth2/revoke") => Some(Endpoint::Revoke),
            ("api.x.com" | "api.twitter.com", path) if path.starts_with("/2/") => {
                Some(Endpoint::Api)
            }
            _ => None,
        }
    }

    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        let pending = authorization::authorize(desk, &RULES, call)?;
        if pending.state.is_none() {
            return Err(Fault::page("Something went wrong: state is missing."));
        }
        Ok(pending)
    }

    fn offline(&self, _desk: &Desk, grant: &Grant) -> bool {
        grant.scopes.iter().any(|scope| scope == "offline.access")
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        flow::respond(self, desk, call)
    }

    fn reply(&self, issued: &Issued) -> Value {
        let mut reply = issued.standard();
        if let Some(reply) = reply.as_object_mut() {
            reply.insert("token_type".to_owned(), Value::from("bearer"));
        }
        reply
    }

    fn deny(&self, denial: &Denial) -> Response {
        let (status, error, description) = match denial {
            Denial::UnknownClient | Denial::WrongStyle => (
                401,
                "unauthorized_client",
                "Missing valid authorization header",
            ),
            Denial::WrongSecret => (401, "unauthorized_client", "Invalid client credentials"),
            Denial::UnknownCode | Denial::UsedCode | Denial::ExpiredCode => (
                400,
                "invalid_request",
                "Value passed for the authorization code was invalid.",
            ),
            Denial::WrongRedirect => (
                400,
                "invalid_request",
                "Value passed for the redirect uri did not match the uri of the authorization code.",
            ),
            Denial::WrongVerifier => (
                400,
                "invalid_request",
                "Value passed for the code verifier did not match the code challenge.",
            ),
            Denial::UnknownRefresh
            | Denial::UsedRefresh
            | Denial::ExpiredRefresh
            | Denial::Ended(_) => (
                400,
                "invalid_request",
                "Value passed for the token was invalid.",
            ),
            other => return other.standard(),
        };
        answer(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// The app authenticates as at the token endpoint. A refresh token ends the grant, an access token only itself.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        let outcome = call.form().and_then(|params| {
            let app = flow::client(desk, &RULES, call, &params)?;
            let token = params.get("token").ok_or(Denial::Missing("token"))?;
            let grant = desk.grant_of(token);
            let is_refresh = desk.book().refresh.contains_key(token);
            match grant.filter(|grant| grant.client_id == app.id) {
                Some(grant) if is_refresh => desk.revoke_grant(&grant),
                Some(_) => {
                    desk.revoke_access(token);
                }
                None => {}
            }
            Ok(())
        });
        match outcome {
            Ok(()) => answer(200, &json!({ "revoked": true })),
            Err(denial) => self.deny(&denial),
        }
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let Ok(caller) = flow::bearer(desk, call) else {
            return problem(401, "Unauthorized", "Unauthorized", json!({}));
        };
        if let Some(seconds) = levers::throttled(desk) {
            return limited(desk.now() / 1_000 + seconds);
        }
        let Some((scopes, body)) = find(&caller, call) else {
            return self.not_found(call);
        };
        let missing = scopes
            .iter()
            .any(|scope| !caller.access.scopes.iter().any(|own| own == scope));
        if missing {
            let detail =
                "Your client app is not permitted to perform this request: a scope is missing.";
            return problem(
                403,
                "Forbidden",
                detail,
                json!({ "required_scopes": scopes }),
            );
        }
        answer(200, &body)
    }

    fn not_found(&self, call: &Call) -> Response {
        let detail = format!("There is nothing at {}.", call.path);
        problem(404, "Not Found", &detail, json!({}))
    }
}

/// An error as X writes it (RFC 7807).
fn problem(status: u16, title: &str, detail: &str, more: Value) -> Response {
    let mut body =
        json!({ "title": title, "detail": detail, "type": "about:blank", "status": status });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let mut response = answer(status, &body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

/// 429; the wait is in a header of X's own, in epoch seconds.
fn limited(reset: i64) -> Response {
    let mut response = problem(429, "Too Many Requests", "Too Many Requests", json!({}));
    for (name, value) in [
        ("x-rate-limit-limit", 75),
        ("x-rate-limit-remaining", 0),
        ("x-rate-limit-reset", reset),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from(value));
    }
    response
}

/// The scopes that a resource needs, and what it holds: always under `data`.
fn find(caller: &Caller, call: &Call) -> Option<(&'static [&'static str], Value)> {
    const READ: &[&str] = &["tweet.read", "users.read"];
    const WRITE: &[&str] = &["tweet.read", "tweet.write", "users.read"];
    let account = caller.account;
    let user = json!({
        "id": account.id,
        "name": account.name,
        "username": account.email.split('@').next(),
    });
    let tweet = |id: &str| json!({ "id": id, "text": format!("A note by {}", account.name), "author_id": account.id });
    let meta = |count: u32| json!({ "result_count": count, "query": call.query_pairs() });
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::GET, ["2", "users", "me"]) => Some((READ, json!({ "data": user }))),
        (&Method::GET, ["2", "users", "by", "username", name]) => Some((
            READ,
            json!({ "data": { "id": "x-1", "name": name, "username": name }, "meta": { "query": call.query_pairs() } }),
        )),
        (&Method::GET, ["2", "users", id, "tweets" | "mentions" | "timelines"])
            if !id.is_empty() =>
        {
            Some((
                READ,
                json!({ "data": [tweet("1"), tweet("2")], "includes": { "users": [user] }, "meta": meta(2) }),
            ))
        }
        (&Method::GET, ["2", "tweets", "search", "recent"]) => Some((
            READ,
            json!({ "data": [tweet("1")], "includes": { "users": [user] }, "meta": meta(1) }),
        )),
        (&Method::GET, ["2", "tweets", id]) => Some((READ, json!({ "data": tweet(id) }))),
        (&Method::POST, ["2", "tweets"]) => {
            let text = call.json().get("text").cloned().unwrap_or(Value::Null);
            Some((WRITE, json!({ "data": { "id": "3", "text": text } })))
        }
        _ => None,
    }
}
