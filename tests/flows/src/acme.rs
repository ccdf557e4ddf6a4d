//! The provider that an operator's own entries are about, played on loopback: an API that takes a key, a name and password
//! or an access token, and a token endpoint for machines. It remembers every request as it came.
//!
//! One port stands in for all its hosts; paths tell them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::clock::Clock;
use consulate_fakes::serve::{Served, serve};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

/// Host of the API.
pub const API: &str = "api.acme.example";
/// Host of the token and revocation endpoints.
pub const LOGIN: &str = "login.acme.example";
/// Another host of the latter, which no entry names at first.
pub const MOVED: &str = "login-two.acme.example";
/// The machine's client.
pub const CLIENT_ID: &str = "acme-machine-client";
/// How long an access token lives, seconds.
pub const LIFETIME: i64 = 600;

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method.
    pub method: Method,
    /// Path, as written.
    pub path: String,
    /// Query, as written.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: String,
}

impl Seen {
    /// A header's text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Where `secret` stands, as it is: `header NAME`, `query NAME`, `path`, `body`.
    pub fn places(&self, secret: &str) -> Vec<String> {
        let mut places = Vec::new();
        for (name, value) in &self.headers {
            if String::from_utf8_lossy(value.as_bytes()).contains(secret) {
                places.push(format!("header {name}"));
            }
        }
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            if name.contains(secret) || value.contains(secret) {
                places.push(format!("query {name}"));
            }
        }
        for (name, text) in [("path", &self.path), ("body", &self.body)] {
            if text.contains(secret) {
                places.push(name.to_owned());
            }
        }
        places
    }

    /// A parameter of the form in the body.
    pub fn form(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        let found = pairs.find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// The user name and password of `Authorization: Basic` (RFC 7617).
    pub fn user_and_password(&self) -> Option<String> {
        let encoded = self.header("authorization").strip_prefix("Basic ")?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    }

    /// Client id and secret of `Authorization: Basic`, which are form-encoded first (RFC 6749 section 2.3.1).
    pub fn client(&self) -> Option<(String, String)> {
        let pair = self.user_and_password()?;
        let (id, secret) = pair.split_once(':')?;
        let plain = |text: &str| {
            let mut parsed = form_urlencoded::parse(text.as_bytes());
            parsed.next().map(|(plain, _)| plain.into_owned())
        };
        Some((plain(id)?, plain(secret)?))
    }

    /// The credential, wherever it stands.
    fn credential(&self) -> Option<String> {
        let in_query = || {
            let mut pairs = form_urlencoded::parse(self.query.as_bytes());
            let found = pairs.find(|(name, _)| name == "key");
            found.map(|(_, value)| value.into_owned())
        };
        let bearer = || self.header("authorization").strip_prefix("Bearer ");
        let in_header = Some(self.header("x-api-key")).filter(|key| !key.is_empty());
        in_header
            .map(str::to_owned)
            .or_else(in_query)
            .or_else(|| self.user_and_password())
            .or_else(|| bearer().map(str::to_owned))
    }
}

/// The provider. Clones are handles on the same one.
#[derive(Clone)]
pub struct Acme {
    clock: Clock,
    state: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    seen: Vec<Seen>,
    accepted: BTreeSet<String>,
    client_secret: String,
    /// Access tokens and when they end, epoch milliseconds.
    tokens: BTreeMap<String, i64>,
    token_delay: Duration,
}

impl Acme {
    /// On a port of its own.
    pub async fn start(clock: &Clock) -> (Self, Served) {
        let acme = Self {
            clock: clock.clone(),
            state: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(acme.clone());
        (acme, serve(router, 0).await.unwrap())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the API take `credential`: a key, or `user:password`.
    pub fn accept(&self, credential: &str) {
        self.book().accepted.insert(credential.to_owned());
    }

    /// Lets the API refuse what it took.
    pub fn withdraw(&self, credential: &str) {
        self.book().accepted.remove(credential);
    }

    /// Sets the secret of the machine's client.
    pub fn set_client_secret(&self, secret: &str) {
        self.book().client_secret = secret.to_owned();
    }

    /// Lets the token endpoint think for this long.
    pub fn slow_tokens(&self, delay: Duration) {
        self.book().token_delay = delay;
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.book().seen.clone()
    }

    /// The requests below `path`.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|request| request.path == path);
        seen
    }

    /// The latest request of the API.
    pub fn last_call(&self) -> Seen {
        let seen = self.seen();
        let mut calls = seen.into_iter().rev();
        calls.find(|call| call.path.starts_with("/v1/")).unwrap()
    }

    /// Access tokens that would be accepted now.
    pub fn live_tokens(&self) -> Vec<String> {
        let now = self.clock.now().millis();
        let book = self.book();
        let live = book.tokens.iter().filter(|(_, ends)| **ends > now);
        live.map(|(token, _)| token.clone()).collect()
    }

    fn accepts(&self, credential: &str) -> bool {
        self.book().accepted.contains(credential)
            || self.live_tokens().iter().any(|token| token == credential)
    }

    /// RFC 6749 section 4.4, with HTTP Basic.
    async fn token(&self, request: &Seen) -> Response {
        let delay = self.book().token_delay;
        tokio::time::sleep(delay).await;
        let mut book = self.book();
        let wanted = (CLIENT_ID.to_owned(), book.client_secret.clone());
        if request.client() != Some(wanted) {
            let body = json!({"error": "invalid_client"});
            return (StatusCode::UNAUTHORIZED, axum_json(&body)).into_response();
        }
        if request.form("grant_type").as_deref() != Some("client_credentials") {
            let body = json!({"error": "unsupported_grant_type"});
            return (StatusCode::BAD_REQUEST, axum_json(&body)).into_response();
        }
        let token = format!("acme-minted-{:04}-0123456789abcdef", book.tokens.len());
        let ends = self.clock.now().plus_seconds(LIFETIME).millis();
        book.tokens.insert(token.clone(), ends);
        let mut reply =
            json!({"access_token": token, "token_type": "bearer", "expires_in": LIFETIME});
        if let Some(asked) = request.form("scope") {
            // The first one is granted.
            reply["scope"] = asked.split(' ').next().into();
        }
        axum_json(&reply).into_response()
    }

    /// RFC 7009: 200 whether it knows the token or not.
    fn revoke(&self, request: &Seen) -> Response {
        let token = request.form("token").unwrap_or_default();
        self.book().tokens.remove(&token);
        StatusCode::OK.into_response()
    }

    fn api(&self, request: &Seen) -> Response {
        let credential = request.credential().unwrap_or_default();
        if !self.accepts(&credential) {
            let body = json!({"error": {"code": "unauthorised", "sent": credential}});
            return (StatusCode::UNAUTHORIZED, axum_json(&body)).into_response();
        }
        let body = match request.path.as_str() {
            "/v1/people" if self.live_tokens().contains(&credential) => {
                // A machine is nobody.
                return StatusCode::UNAUTHORIZED.into_response();
            }
            "/v1/me" => json!({"id": "acme-7", "email": "seven@acme.example", "name": "Seven"}),
            "/v1/talkative" => {
                json!({"id": "acme-7", "name": credential.rsplit(':').next(), "email": credential})
            }
            _ => echo(request, &credential),
        };
        axum_json(&body).into_response()
    }
}

/// Everything that came, the credential included, in all the ways in which an API could give it away.
fn echo(request: &Seen, credential: &str) -> Value {
    let headers = request.headers.iter();
    let headers: BTreeMap<String, String> = headers
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    json!({
        "path": request.path, "query": request.query, "headers": headers, "body": request.body,
        "credential": credential, "base64": STANDARD.encode(credential),
        "password": credential.split_once(':').map(|(_, password)| password),
        "harmless": "stays",
    })
}

fn axum_json(body: &Value) -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", "application/json")], body.to_string())
}

async fn answer(State(acme): State<Acme>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let seen = Seen {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    acme.book().seen.push(seen.clone());
    match seen.path.as_str() {
        "/oauth/token" => acme.token(&seen).await,
        "/oauth/revoke" => acme.revoke(&seen),
        _ => acme.api(&seen),
    }
}
