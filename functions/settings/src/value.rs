//! What may be put: one JSON value, at most 64 KiB of text.

use axum::extract::{FromRequest, Request};
use consulate_core::problem::{Code, Problem};
use consulate_core::secret::SecretText;
use consulate_core::settings::VALUE_LIMIT;
use http_body_util::LengthLimitError;
use serde_json::Value;

/// The body of a `PUT`, as it was sent.
pub(crate) struct JsonText(pub SecretText);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = axum::body::to_bytes(request.into_body(), VALUE_LIMIT)
            .await
            .map_err(|error| match error.into_inner().is::<LengthLimitError>() {
                true => Problem::new(Code::ValueTooLarge, "A value is at most 64 KiB of JSON.")
                    .field("value")
                    .member("limit_bytes", VALUE_LIMIT),
                false => malformed("The body cannot be read."),
            })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed("The body is not UTF-8."))?;
        // Read only to judge it: numbers and spaces are kept as the widget wrote them. Deeper than 128 levels is no value.
        serde_json::from_str::<Value>(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            malformed(&format!(
                "The body is not one JSON value: line {line}, column {column}."
            ))
        })?;
        Ok(Self(SecretText::new(text)))
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Code::RequestMalformed, detail).field("value")
}
