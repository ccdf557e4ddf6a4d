//! Files that anybody may have: the OpenAPI document, `GET /v1/openapi.json`, and the browser client: `GET /v1/consulate.js`, an ES module, and `GET /v1/consulate.classic.js`, a script that brings a global.
//!
//! Built from `widget/src` and checked in, so that no build of ours needs node. The same public bytes for everybody, and no cookie or
//! caller is looked at: so any page may load them, also one that asks for `integrity` or is cross-origin isolated. Nothing else here
//! answers `Access-Control-Allow-Origin: *`.

use axum::response::{IntoResponse, Response};
use consulate_core::digest;
use consulate_core::http::{Preconditions, Reading, entity_tag};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Uri};

const MODULE: &str = include_str!("../../../widget/dist/consulate.js");
const CONTRACT: &str = include_str!("../../../openapi.json");
const CLASSIC: &str = include_str!("../../../widget/dist/consulate.classic.js");

/// Whoever names the version they mean gets no other.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Whoever does not gets a new one within ten minutes.
const FOR_A_WHILE: &str = "public, max-age=600, must-revalidate";

/// `GET /v1/consulate.js`.
pub(crate) async fn module(uri: Uri, headers: HeaderMap) -> Response {
    answer(MODULE, &uri, &headers)
}

/// `GET /v1/consulate.classic.js`.
pub(crate) async fn classic(uri: Uri, headers: HeaderMap) -> Response {
    answer(CLASSIC, &uri, &headers)
}

/// `GET /v1/openapi.json`: what all widget routes take and answer.
pub(crate) async fn contract() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], CONTRACT).into_response()
}

fn answer(script: &'static str, uri: &Uri, headers: &HeaderMap) -> Response {
    let version = digest::short([script.as_bytes()]);
    // A header nobody can read is passed over: whoever loads a script can do nothing about it.
    let reading = Preconditions::of(headers).map(|asked| asked.of_read(Some(&version)));
    let asked_for = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "v")
        .is_some_and(|(_, wanted)| wanted == version);
    let mut response = if matches!(reading, Ok(Reading::NotModified)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        script.into_response()
    };
    let kept = if asked_for { FOR_GOOD } else { FOR_A_WHILE };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, kept),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&entity_tag(&version)) {
        headers.insert(header::ETAG, tag);
    }
    response
}
