//! A strict Qrvey: the endpoint that answers security tokens, a widget that shows what a token lets it see, and the script
//! that makes the widget's element.
//!
//! Taken from Qrvey's pages: the endpoint's path, method and headers, the body's fields, record-level security version 2,
//! asset permissions, `{"token"}` as the answer, a token with `kid` in its header that nobody but Qrvey can read. Not
//! documented, so ours: the error bodies, how long a token without `expiresIn` would live (none is issued), and the
//! address a widget reads its data from. Nothing here has been compared with a real instance.
//!
//! | room | holds |
//! |---|---|
//! | `request` | what a request must be, field by field |
//! | `rows` | a dataset, and what of it a token's filters leave |
//!
//! Sources: Qrvey, "Embedding Widgets Using a Security Token", "Record-Level Security", "Multi-Tenant Security
//! Architecture", the embed quickstart of 9.2 (camel-case spelling).

mod request;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::aws_json::only;
use crate::clock::{Clock, system_clock};
use crate::held::held;
use crate::provider::Reply;
use crate::provider::script::{Scripts, perform};
use crate::random::{equal_in_constant_time, random_value};
use crate::serve::{Served, serve};

pub use request::Spelling;

/// Where widgets read their data. Ours: Qrvey's own is not documented.
pub const DATA_PATH: &str = "/widget/data";
/// Where the script is that makes the widget's element.
pub const SCRIPT_PATH: &str = "/widgets-launcher/app.js";
/// A longer request is not read.
const BODY_LIMIT: usize = 1024 * 1024;
/// Lists stop growing here, for a `consulate dev` that runs for weeks.
const LIST_LIMIT: usize = 10_000;

/// What an instance is made of.
#[derive(Clone)]
pub struct Settings {
    /// API keys it accepts.
    pub api_keys: Vec<String>,
    /// Composer users: `userid`.
    pub users: Vec<String>,
    /// Their applications: `appid`.
    pub apps: Vec<String>,
    /// Path of the endpoint.
    pub token_path: String,
    /// How this version spells the body's fields.
    pub spelling: Spelling,
    /// Milliseconds since the epoch.
    pub clock: Clock,
}

impl Default for Settings {
    /// The instance of Qrvey's own samples, with one API key of 40 characters.
    fn default() -> Self {
        Self {
            api_keys: vec!["qrvey-api-key-of-the-sandbox-0123456789a".to_owned()],
            users: vec!["izfZIkc".to_owned()],
            apps: vec!["59VShVtjM".to_owned()],
            token_path: "/devapi/v4/core/login/token".to_owned(),
            spelling: Spelling::Rest,
            clock: Arc::new(system_clock),
        }
    }
}

/// A request to the endpoint, as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenCall {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers but the API key, which is compared and not kept.
    pub headers: BTreeMap<String, String>,
    /// Whether the API key is one of the instance's.
    pub api_key_known: bool,
    /// The body; null where it is no JSON.
    pub body: Value,
}

/// An issued token.
struct Issued {
    expires_at: i64,
    body: Map<String, Value>,
}

struct Shared {
    settings: Mutex<Settings>,
    scripts: Scripts<()>,
    calls: Mutex<Vec<TokenCall>>,
    refusals: Mutex<Vec<String>>,
    issued: Mutex<BTreeMap<String, Issued>>,
}

/// The instance. Clones are handles on the same one.
#[derive(Clone)]
pub struct Qrvey(Arc<Shared>);

impl Qrvey {
    /// An instance that has issued nothing.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings: Mutex::new(settings),
            scripts: Scripts::default(),
            calls: Mutex::default(),
            refusals: Mutex::default(),
            issued: Mutex::default(),
        }))
    }

    /// Everything; mount it at the root of its server.
    pub fn router(&self) -> Router {
        Router::new()
            .route(SCRIPT_PATH, get(async || script()))
            .route(
                DATA_PATH,
                get(data).options(async || allowed(StatusCode::NO_CONTENT)),
            )
            .fallback(token)
            .with_state(self.clone())
    }

    /// An instance on a server of its own. Port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(settings: Settings, port: u16) -> anyhow::Result<(Self, Served)> {
        let qrvey = Self::new(settings);
        let served = serve(qrvey.router(), port).await?;
        Ok((qrvey, served))
    }

    /// Every request that was no widget's, in order, scripted ones included.
    pub fn calls(&self) -> Vec<TokenCall> {
        held(&self.0.calls).clone()
    }

    /// Why requests were refused, in order. Empty where every one was right.
    pub fn refusals(&self) -> Vec<String> {
        held(&self.0.refusals).clone()
    }

    /// Every security token issued: what a canary search looks for.
    pub fn issued(&self) -> Vec<String> {
        held(&self.0.issued).keys().cloned().collect()
    }

    /// When `token` ends, milliseconds since the epoch.
    pub fn expires_at(&self, token: &str) -> Option<i64> {
        held(&self.0.issued)
            .get(token)
            .map(|issued| issued.expires_at)
    }

    /// The rows a widget with `token` would show; `None` where the token is not good.
    pub fn rows(&self, token: &str) -> Option<Vec<Value>> {
        let now = self.now();
        let issued = held(&self.0.issued);
        let issued = issued.get(token).filter(|issued| now < issued.expires_at)?;
        let permissions = self.spelling().field(&issued.body, "permissions");
        Some(rows::visible(permissions))
    }

    /// Takes these API keys from now on, and no others.
    pub fn set_api_keys(&self, keys: &[&str]) {
        held(&self.0.settings).api_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    }

    /// Answers the next request that has no scripted reply yet by `reply`.
    pub fn script(&self, reply: Reply) {
        self.0.scripts.push((), reply);
    }

    fn now(&self) -> i64 {
        let clock = held(&self.0.settings).clock.clone();
        clock()
    }

    fn spelling(&self) -> Spelling {
        held(&self.0.settings).spelling
    }

    /// Notes a request, and answers whether it is one for a token.
    fn note(&self, call: &TokenCall) {
        let mut calls = held(&self.0.calls);
        if calls.len() < LIST_LIMIT {
            calls.push(call.clone());
        }
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Response {
        let mut refusals = held(&self.0.refusals);
        if refusals.len() < LIST_LIMIT {
            refusals.push(why.to_owned());
        }
        (status, Json(json!({ "message": why }))).into_response()
    }

    fn answer(&self, call: &TokenCall) -> Response {
        let settings = held(&self.0.settings).clone();
        if call.target != settings.token_path {
            return self.refuse(StatusCode::NOT_FOUND, "no such address");
        }
        if call.method != Method::POST {
            return self.refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST is served");
        }
        if !call.api_key_known {
            return self.refuse(StatusCode::UNAUTHORIZED, "x-api-key is not known");
        }
        if call.headers.get("content-type").map(String::as_str) != Some("application/json") {
            return self.refuse(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type must be application/json",
            );
        }
        // Whatever else authenticates has no business here.
        for name in ["authorization", "cookie", "origin", "referer"] {
            if call.headers.contains_key(name) {
                return self.refuse(
                    StatusCode::BAD_REQUEST,
                    &format!("the header {name} was sent along"),
                );
            }
        }
        let (body, seconds) = match request::judge(&call.body, &settings) {
            Ok(judged) => judged,
            Err(refusal) => return self.refuse(refusal.status, &refusal.why),
        };
        let Ok(token) = new_token() else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let now = (settings.clock)();
        let mut issued = held(&self.0.issued);
        if issued.len() >= LIST_LIMIT {
            issued.retain(|_, issued| now < issued.expires_at);
        }
        let expires_at = now + seconds * 1_000;
        issued.insert(token.clone(), Issued { expires_at, body });
        Json(json!({ "token": token })).into_response()
    }
}

impl std::fmt::Debug for Qrvey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Qrvey").finish_non_exhaustive()
    }
}

async fn token(State(qrvey): State<Qrvey>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let api_key = only(&head.headers, "x-api-key").unwrap_or_default();
    let known = held(&qrvey.0.settings)
        .api_keys
        .iter()
        .any(|known| equal_in_constant_time(known, api_key));
    let call = TokenCall {
        method: head.method,
        target: head.uri.to_string(),
        headers: texts(&head.headers),
        api_key_known: known,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    qrvey.note(&call);
    let reply = qrvey.0.scripts.next(());
    perform(reply, async move { qrvey.answer(&call) }).await
}

/// Headers as texts, those of a name joined, the API key left out.
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != "x-api-key") {
        let text = String::from_utf8_lossy(value.as_bytes());
        texts
            .entry(name.to_string())
            .and_modify(|texts| *texts = format!("{texts}, {text}"))
            .or_insert_with(|| text.into_owned());
    }
    texts
}

/// Five parts like an encrypted JWT's, the first one readable as in Qrvey's sample.
fn new_token() -> anyhow::Result<String> {
    let header = json!({ "kid": "nNPgwv6-_zMrjW1CmeB", "alg": "RSA-OAEP-256", "enc": "A256GCM" });
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    for _ in 0..4 {
        token.push('.');
        token.push_str(&random_value("")?);
    }
    Ok(token)
}

/// What a widget shows: rows for a good token in its header, for a page of any origin.
async fn data(State(qrvey): State<Qrvey>, headers: HeaderMap) -> Response {
    let rows = only(&headers, "x-qrvey-token").and_then(|token| qrvey.rows(token));
    let (status, document) = match rows {
        Some(rows) => (StatusCode::OK, json!({ "rows": rows })),
        None => (
            StatusCode::UNAUTHORIZED,
            json!({ "message": "the security token is not good" }),
        ),
    };
    let mut response = allowed(status);
    *response.body_mut() = axum::body::Body::from(document.to_string());
    response
}

/// Widgets run in pages of other origins.
fn allowed(status: StatusCode) -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "x-qrvey-token"),
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers).into_response()
}

fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, include_str!("launcher.js")).into_response()
}
