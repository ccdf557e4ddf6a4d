//! PURE. What an AWS service said no with, in words that never repeat what was sent or answered.

use std::error::Error as _;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Words for `error`, met while asking `service`.
///
/// The SDK's own rendering holds the raw answer, which for Secrets Manager may be a secret.
pub fn told<E, R>(service: &str, error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(refused) => {
            let refused = refused.err();
            let code = refused.code().unwrap_or("an unknown error");
            match refused.message() {
                Some(message) => format!("{service} answered {code}: {message}"),
                None => format!("{service} answered {code}"),
            }
        }
        SdkError::TimeoutError(_) => format!("{service} did not answer in time"),
        SdkError::DispatchFailure(failure) => {
            // Nothing was answered, so the chain tells of sockets and credentials only.
            let mut text = format!("{service} cannot be reached");
            let mut cause = failure
                .as_connector_error()
                .and_then(|error| error.source());
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        }
        SdkError::ConstructionFailure(_) => {
            format!("the request to {service} could not be made")
        }
        _ => format!("{service} gave no usable answer"),
    }
}
