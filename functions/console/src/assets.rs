//! The console's one script, one style sheet and icon, compiled in.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use consulate_core::http::Asset;
use consulate_core::problem::{Code, Problem};
use http::{HeaderMap, Uri};

/// Where they are.
pub(crate) const FOLDER: &str = "/console/assets";

/// The script.
pub(crate) static SCRIPT: Asset = Asset::new(
    "console.js",
    "text/javascript; charset=utf-8",
    include_str!("../assets/console.js"),
);
/// The style sheet.
pub(crate) static STYLE: Asset = Asset::new(
    "console.css",
    "text/css; charset=utf-8",
    include_str!("../assets/console.css"),
);
/// The icon of windows.
pub(crate) static ICON: Asset = Asset::new(
    "icon.svg",
    "image/svg+xml",
    include_str!("../assets/icon.svg"),
);

/// `GET /console/assets/{file}`.
pub(crate) async fn file(Path(file): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let mut all = [&SCRIPT, &STYLE, &ICON].into_iter();
    match all.find(|asset| asset.name == file) {
        Some(asset) => asset.answer(&uri, &headers),
        None => Problem::new(Code::NotFound, "No file of this name.").into_response(),
    }
}
