//! PURE. What an AWS service said no with, as an error of a command.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The words for `error`, met while asking `service`; see [`consulate_bundle::told`].
pub(super) fn told<E, R>(service: &str, error: &SdkError<E, R>) -> anyhow::Error
where
    E: ProvideErrorMetadata,
{
    anyhow::anyhow!(consulate_bundle::told::told(service, error))
}
