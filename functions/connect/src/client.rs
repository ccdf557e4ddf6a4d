//! Files that anybody may have. The OpenAPI document: `GET /v1/openapi.json`. The browser client: `GET /v1/consulate.js`, an ES
//! module; `GET /v1/consulate.classic.js`, a script that brings a global; `GET /v1/consulate.credentials.js`, a module with the form
//! for typed credentials.
//!
//! The client is built from `widget/src` and checked in, so that no build of ours needs node. The same public bytes for everybody, and
//! no cookie or caller is looked at: so any page may load it, also one that asks for `integrity` or is cross-origin isolated. Nothing
//! else here answers `Access-Control-Allow-Origin: *`.

use axum::response::Response;
use consulate_core::http::Asset;
use http::Uri;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static MODULE: Asset = Asset::new(
    "consulate.js",
    JAVASCRIPT,
    include_str!("../../../widget/dist/consulate.js"),
);
static CLASSIC: Asset = Asset::new(
    "consulate.classic.js",
    JAVASCRIPT,
    include_str!("../../../widget/dist/consulate.classic.js"),
);
static CREDENTIALS: Asset = Asset::new(
    "consulate.credentials.js",
    JAVASCRIPT,
    include_str!("../../../widget/dist/consulate.credentials.js"),
);
static CONTRACT: Asset = Asset::new(
    "openapi.json",
    "application/json",
    include_str!("../../../openapi.json"),
);

/// `GET /v1/consulate.js`.
pub(crate) async fn module(uri: Uri, headers: HeaderMap) -> Response {
    for_everybody(&MODULE, &uri, &headers)
}

/// `GET /v1/consulate.classic.js`.
pub(crate) async fn classic(uri: Uri, headers: HeaderMap) -> Response {
    for_everybody(&CLASSIC, &uri, &headers)
}

/// `GET /v1/consulate.credentials.js`.
pub(crate) async fn credentials(uri: Uri, headers: HeaderMap) -> Response {
    for_everybody(&CREDENTIALS, &uri, &headers)
}

/// `GET /v1/openapi.json`: what all widget routes take and answer.
pub(crate) async fn contract(uri: Uri, headers: HeaderMap) -> Response {
    CONTRACT.answer(&uri, &headers)
}

fn for_everybody(script: &Asset, uri: &Uri, headers: &HeaderMap) -> Response {
    let mut response = script.answer(uri, headers);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}
