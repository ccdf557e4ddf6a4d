//! The scripts and the style sheet of our pages: files of their own, so that the pages need no inline script or style.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use consulate_core::http::Asset;
use consulate_core::problem::{Code, Problem};
use http::{HeaderMap, Uri};

/// Asks the opener for the caller's JWT.
pub(crate) static HANDSHAKE: Asset = Asset::new(
    "handshake.js",
    "text/javascript; charset=utf-8",
    include_str!("../assets/handshake.js"),
);
/// Tells the opener how it went.
pub(crate) static RESULT: Asset = Asset::new(
    "result.js",
    "text/javascript; charset=utf-8",
    include_str!("../assets/result.js"),
);
/// How pages look.
pub(crate) static STYLE: Asset = Asset::new(
    "page.css",
    "text/css; charset=utf-8",
    include_str!("../assets/page.css"),
);

/// Where they are.
pub(crate) fn folder(base_url: &str) -> String {
    format!("{base_url}/v1/connect/assets")
}

/// `GET /v1/connect/assets/{file}`.
pub(crate) async fn file(Path(file): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let mut all = [&HANDSHAKE, &RESULT, &STYLE].into_iter();
    match all.find(|asset| asset.name == file) {
        Some(asset) => asset.answer(&uri, &headers),
        None => Problem::new(Code::NotFound, "No file of this name.").into_response(),
    }
}
