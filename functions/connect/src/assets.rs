//! The scripts and the style sheet of our pages: files of their own, so that the pages need no inline script or style. Their
//! addresses carry a digest, so that a browser may keep them for good.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use consulate_core::digest;
use consulate_core::problem::{Code, Problem};
use http::header::{self, HeaderValue};

/// One file.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

/// Asks the opener for the caller's JWT.
pub(crate) static HANDSHAKE: Asset = Asset {
    name: "handshake.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../assets/handshake.js"),
};
/// Tells the opener how it went.
pub(crate) static RESULT: Asset = Asset {
    name: "result.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../assets/result.js"),
};
/// How pages look.
pub(crate) static STYLE: Asset = Asset {
    name: "page.css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("../assets/page.css"),
};

impl Asset {
    /// Its address, which changes with its content.
    pub(crate) fn address(&self, base_url: &str) -> String {
        let version = digest::short([self.content.as_bytes()]);
        format!("{base_url}/v1/connect/assets/{}?v={version}", self.name)
    }
}

/// `GET /v1/connect/assets/{file}`.
pub(crate) async fn file(Path(file): Path<String>) -> Response {
    let Some(asset) = [&HANDSHAKE, &RESULT, &STYLE]
        .into_iter()
        .find(|asset| asset.name == file)
    else {
        return Problem::new(Code::NotFound, "No file of this name.").into_response();
    };
    let mut response = asset.content.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, kept);
    response
}
