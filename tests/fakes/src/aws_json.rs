//! The wire shapes shared by the AWS-shaped servers: `X-Amz-Target`, errors, content types. Touches nothing.
//!
//! Sources: Smithy "AWS JSON 1.0 protocol" and "AWS REST JSON 1 protocol" (operation error serialisation).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

/// The region that the loopback services say they are in.
pub(crate) const REGION: &str = "us-east-1";
/// The account that queues, buses and rules belong to.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The operation named by `X-Amz-Target: <prefix><operation>`; `None` when the header is missing, repeated or foreign.
pub(crate) fn operation<'a>(headers: &'a HeaderMap, prefix: &str) -> Option<&'a str> {
    only(headers, "x-amz-target")?.strip_prefix(prefix)
}

/// The value of a header that is there exactly once.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether the request's body is declared as `content_type`, which is how a server tells the protocols apart.
pub(crate) fn speaks(headers: &HeaderMap, content_type: &str) -> bool {
    only(headers, "content-type") == Some(content_type)
}

/// A JSON answer with `content_type` (`application/x-amz-json-1.0`, `-1.1` or `application/json`).
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An error as the SDKs read it: the code in `__type` and in `x-amzn-errortype`, the text in `message` and `Message`
/// (the REST services spell it with a capital).
pub(crate) fn error(
    status: StatusCode,
    content_type: &'static str,
    code: &'static str,
    message: &str,
) -> Response {
    let body = json!({ "__type": code, "message": message, "Message": message });
    let mut response = answer(status, content_type, body.to_string());
    response
        .headers_mut()
        .insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}
