//! The console's one script, one style sheet and icon, compiled in. Their addresses carry a digest, so that browsers may keep them.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
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

/// The script.
pub(crate) static SCRIPT: Asset = Asset {
    name: "console.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../assets/console.js"),
};
/// The style sheet.
pub(crate) static STYLE: Asset = Asset {
    name: "console.css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("../assets/console.css"),
};

/// The icon of windows.
pub(crate) static ICON: Asset = Asset {
    name: "icon.svg",
    content_type: "image/svg+xml",
    content: include_str!("../assets/icon.svg"),
};

impl Asset {
    /// Its address, which changes with its content.
    pub(crate) fn address(&self) -> String {
        let version = digest::short([self.content.as_bytes()]);
        format!("/console/assets/{}?v={version}", self.name)
    }
}

/// `GET /console/assets/{file}`.
pub(crate) async fn file(Path(file): Path<String>) -> Response {
    let Some(asset) = [&SCRIPT, &STYLE, &ICON]
        .into_iter()
        .find(|asset| asset.name == file)
    else {
        return Problem::new(Code::NotFound, "No file of this name.").into_response();
    };
    let mut response = asset.content.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
