//! PURE. Answers that are not JSON, and headers on answers that are.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode};

/// An answer with a body of any type.
pub(super) fn text(status: u16, media_type: &'static str, body: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [("content-type", media_type), ("cache-control", "no-store")];
    (status, headers, body.into()).into_response()
}

/// The 404 page of a provider's web site.
pub(super) fn missing_page() -> Response {
    text(
        404,
        "text/html; charset=utf-8",
        "<!doctype html><title>Not found</title><h1>This page does not exist</h1>",
    )
}

/// `response` with one more header.
pub(super) fn with_header(
    mut response: Response,
    name: &'static str,
    value: impl Into<HeaderValue>,
) -> Response {
    response
        .headers_mut()
        .insert(HeaderName::from_static(name), value.into());
    response
}
