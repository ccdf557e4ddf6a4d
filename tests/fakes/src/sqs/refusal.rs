//! PURE. Refusals of SQS, and the two names that each of them has on the wire.
//!
//! The service once spoke the query protocol; its JSON errors carry today's shape name in `__type` and the old code in
//! `x-amzn-query-error`, and the SDKs report the old one.
//! Sources: SQS API reference, "Errors" of each operation; Smithy, "AWS query compatible" (`awsQueryError` codes).

use axum::response::Response;
use http::{HeaderValue, StatusCode};

use super::CONTENT_TYPE;
use crate::aws_json;

/// A refusal in the API's own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error's shape: `QueueDoesNotExist`, `InvalidParameterValue`, …
    pub code: &'static str,
    /// What the service says.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(super) fn invalid(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        Self::new(
            "InvalidParameterValue",
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"),
        )
    }

    pub(super) fn unavailable() -> Self {
        Self::new("ServiceUnavailable", "scripted")
    }

    /// The code of the query protocol, which is the one that the SDKs match on.
    pub fn query_code(&self) -> String {
        match self.code {
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            "QueueNameExists" => "QueueAlreadyExists".to_owned(),
            "BatchEntryIdsNotDistinct"
            | "BatchRequestTooLong"
            | "EmptyBatchRequest"
            | "InvalidBatchEntryId"
            | "MessageNotInflight"
            | "TooManyEntriesInBatchRequest" => format!("AWS.SimpleQueueService.{}", self.code),
            code => code.to_owned(),
        }
    }

    /// The answer; `query_mode` where the request asked for the old code.
    pub(super) fn response(&self, query_mode: bool) -> Response {
        let (status, blame) = match self.code {
            "ServiceUnavailable" => (StatusCode::SERVICE_UNAVAILABLE, "Receiver"),
            _ => (StatusCode::BAD_REQUEST, "Sender"),
        };
        let mut response = aws_json::error(status, CONTENT_TYPE, self.code, &self.message);
        if let (true, Ok(value)) = (
            query_mode,
            HeaderValue::try_from(format!("{};{blame}", self.query_code())),
        ) {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
        response
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}
