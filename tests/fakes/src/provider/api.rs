//! The API behind the provider: what a widget would call, and what an API must not do to its callers.
//!
//! Everything below `/api` wants `Authorization: Bearer <access token>`, spelled exactly so (RFC 6750 section 2.1).

use axum::body::Body;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::script::{Endpoint, huge, perform};
use super::state::Presented;
use super::{Account, Provider, account};
use crate::aws_json::only;
use crate::held::held;

/// `{"compressed":true}`, compressed.
const GZIP: [u8; 39] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xab, 0x56, 0x4a, 0xce, 0xcf, 0x2d,
    0x28, 0x4a, 0x2d, 0x2e, 0x4e, 0x4d, 0x51, 0xb2, 0x2a, 0x29, 0x2a, 0x4d, 0xad, 0x05, 0x00, 0xf1,
    0xea, 0x39, 0x95, 0x13, 0x00, 0x00, 0x00,
];

/// The access token a request came with.
#[derive(Clone)]
struct Presentation(String);

/// The routes below `/api`, guarded.
pub(super) fn router(provider: &Provider) -> Router<Provider> {
    Router::new()
        .route("/api/me", get(me))
        .route("/api/v1/events", get(events))
        .route("/api/v1/echo", any(echo))
        .route("/api/v1/echo/{*rest}", any(echo))
        .route("/api/v1/leak", get(leak))
        .route("/api/v1/text", get(|| async { "plain text, not JSON\n" }))
        .route("/api/v1/binary", get(binary))
        .route("/api/v1/bigint", get(bigint))
        .route("/api/v1/status/{code}", any(status))
        .route("/api/v1/large/{bytes}", get(large))
        .route("/api/v1/hang", get(std::future::pending::<()>))
        .route("/api/v1/cookie", get(cookie))
        .route("/api/v1/redirect", get(redirect))
        .route("/api/v1/gzip", get(gzip))
        .route("/api/{*rest}", any(nothing_here))
        .route_layer(middleware::from_fn_with_state(provider.clone(), guard))
}

/// Admits callers with a live access token; they get the scripted reply, or the real one.
async fn guard(State(provider): State<Provider>, mut request: Request, next: Next) -> Response {
    let observations = &provider.shared.observations;
    observations.count(|seen| seen.api_calls += 1);
    let bearer =
        only(request.headers(), "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(bearer) = bearer.map(str::to_owned) else {
        observations.count(|seen| seen.api_unauthorized += 1);
        return unauthorized(None, "send Authorization: Bearer <access token>");
    };
    let presented = held(&provider.shared.grants).present(&bearer, provider.now());
    let person = match presented {
        Presented::Valid(family) => account(&family.account_id),
        Presented::Expired => {
            observations.count(|seen| seen.api_unauthorized += 1);
            return unauthorized(Some("invalid_token"), "the access token has expired");
        }
        Presented::Unknown => None,
    };
    let Some(person) = person else {
        observations.count(|seen| seen.api_unauthorized += 1);
        return unauthorized(
            Some("invalid_token"),
            "the access token is not known or was revoked",
        );
    };
    request.extensions_mut().insert(person);
    request.extensions_mut().insert(Presentation(bearer));
    perform(
        provider.shared.scripts.next(Endpoint::Api),
        next.run(request),
    )
    .await
}

/// 401 as RFC 6750 section 3 wants it; without an error code where no credential came.
fn unauthorized(code: Option<&str>, message: &str) -> Response {
    let challenge = code.map_or_else(
        || "Bearer realm=\"Acme Cloud\"".to_owned(),
        |code| {
            format!(
                "Bearer realm=\"Acme Cloud\", error=\"{code}\", error_description=\"{message}\""
            )
        },
    );
    let body =
        json!({ "error": { "code": code.unwrap_or("unauthenticated"), "message": message } });
    (
        StatusCode::UNAUTHORIZED,
        [("www-authenticate", challenge)],
        Json(body),
    )
        .into_response()
}

async fn me(Extension(person): Extension<Account>) -> Json<Value> {
    Json(
        json!({ "id": person.id, "email": person.email, "display_name": person.name, "name": person.name }),
    )
}

/// A small calendar; `query` repeats the parameters in their order, so that a widget sees what arrived.
async fn events(Extension(person): Extension<Account>, RawQuery(query): RawQuery) -> Json<Value> {
    let query = query.unwrap_or_default();
    let pairs: Vec<Value> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| json!([name, value]))
        .collect();
    let titles = match person.id {
        "acme-1815" => [
            "Tea with Mr Babbage",
            "Note G: the Bernoulli numbers",
            "Mathematics with Mrs Somerville",
        ],
        _ => [
            "Compiler review",
            "A moth in relay 70",
            "Lecture: what a nanosecond looks like",
        ],
    };
    let events: Vec<Value> = titles
        .iter()
        .zip([("09:30", "10:00"), ("11:00", "12:30"), ("15:00", "15:45")])
        .enumerate()
        .map(|(position, (title, (from, to)))| {
            json!({
                "id": format!("{}-{}", person.id, position + 1),
                "subject": title,
                "start": format!("2026-11-16T{from}:00Z"),
                "end": format!("2026-11-16T{to}:00Z"),
                "organizer": { "name": person.name, "email": person.email },
            })
        })
        .collect();
    Json(json!({ "account": person.name, "events": events, "query": pairs }))
}

/// Everything about the request but its credential: `{"method","path","query","headers","body"}`, path and query as
/// they came.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let mut shown = Map::new();
    for name in headers.keys().filter(|name| *name != header::AUTHORIZATION) {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        shown.insert(name.to_string(), Value::from(values.join(", ")));
    }
    Json(json!({
        "method": method.as_str(),
        "path": uri.path(),
        "query": uri.query(),
        "headers": shown,
        "body": String::from_utf8_lossy(&body),
    }))
}

#[derive(Deserialize)]
struct LeakForm {
    #[serde(rename = "as")]
    form: Option<String>,
}

/// Repeats the credential. `?as=raw|base64|base64url|percent|header|header_base64` gives one form alone; otherwise all.
async fn leak(
    Extension(Presentation(bearer)): Extension<Presentation>,
    Query(wanted): Query<LeakForm>,
) -> Response {
    let base64 = STANDARD.encode(&bearer);
    let percent: String = bearer.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let forms = [
        ("raw", format!("Bearer {bearer}")),
        ("base64", base64.clone()),
        ("base64url", URL_SAFE_NO_PAD.encode(&bearer)),
        ("percent", percent),
    ];
    let form = wanted.form.as_deref();
    let body: Map<String, Value> = forms
        .into_iter()
        .filter(|(name, _)| form.is_none_or(|form| form == *name))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    let mut response = Json(Value::Object(body)).into_response();
    let debug = match form {
        None | Some("header") => Some(bearer),
        Some("header_base64") => Some(base64),
        Some(_) => None,
    };
    if let Some(debug) = debug.and_then(|debug| HeaderValue::from_str(&debug).ok()) {
        response.headers_mut().insert("x-debug", debug);
    }
    response
}

/// Bytes that are no UTF-8.
async fn binary() -> Response {
    let bytes: Vec<u8> = (0..=255).collect();
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// Numbers that JSON allows and a 64-bit float does not hold.
async fn bigint() -> Response {
    const BODY: &str = r#"{"id": 12345678901234567890123, "f": 1.0}"#;
    ([(header::CONTENT_TYPE, "application/json")], BODY).into_response()
}

/// The status asked for; 429 and 503 with `Retry-After: 7`, 204 and 304 without a body.
async fn status(Path(code): Path<u16>) -> Response {
    let Ok(status) = StatusCode::from_u16(code) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = match code {
        // hyper cannot send 1xx as a final answer.
        100..=199 => return StatusCode::NOT_FOUND.into_response(),
        204 | 304 => status.into_response(),
        _ => (status, Json(json!({ "status": code }))).into_response(),
    };
    if matches!(code, 429 | 503) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    }
    response
}

async fn large(Path(bytes): Path<usize>) -> Response {
    huge(bytes, "text/plain")
}

/// Headers that concern the credential or the connection, and must not reach a widget.
async fn cookie() -> Response {
    let mut response = Json(json!({ "cookies": 2 })).into_response();
    let headers = response.headers_mut();
    headers.append(
        header::SET_COOKIE,
        HeaderValue::from_static("session=upstream; HttpOnly; Path=/"),
    );
    headers.append(header::SET_COOKIE, HeaderValue::from_static("tracking=1"));
    for (name, value) in [
        ("www-authenticate", "Bearer realm=\"odd\""),
        ("authorization", "Bearer odd"),
        ("proxy-authenticate", "Basic realm=\"odd\""),
        ("location", "https://elsewhere.example/"),
        ("server", "acme/1.0"),
        ("strict-transport-security", "max-age=31536000"),
        ("access-control-allow-origin", "*"),
        ("x-internal-host", "10.0.0.7"),
        ("etag", "\"v1\""),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Deserialize)]
struct RedirectTo {
    to: Option<String>,
}

/// 302 to `?to=`, or to another host: a caller that followed it would take its credential there.
async fn redirect(Query(RedirectTo { to }): Query<RedirectTo>) -> Response {
    let to = to.unwrap_or_else(|| "https://elsewhere.example/landing".to_owned());
    match HeaderValue::from_str(&to) {
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Compressed although nobody asked.
async fn gzip() -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(&GZIP)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

async fn nothing_here() -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": { "code": "not_found", "message": "no such resource" } })),
    )
        .into_response()
}
