//! EDGE. Writes secrets, and asks whether they are set. Nothing here can read one: the console may do no more.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;

use crate::secret::SecretText;
use crate::secrets::Error;

/// The writer.
#[derive(Clone, Debug)]
pub struct SecretWriter {
    client: Client,
    prefix: Arc<str>,
}

impl SecretWriter {
    /// Of secrets whose names start with `prefix` (`consulate/`).
    pub fn new(client: Client, prefix: &str) -> Self {
        Self {
            client,
            prefix: Arc::from(prefix),
        }
    }

    /// Makes `value` the current value of `name` (without prefix), whether or not the secret is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn put(&self, name: &str, value: &SecretText) -> Result<(), Error> {
        let full = format!("{}{name}", self.prefix);
        let create = self.client.create_secret().name(&full);
        match create.secret_string(value.expose()).send().await {
            Ok(_) => return Ok(()),
            Err(error) => {
                let there = error.as_service_error();
                if !there.is_some_and(|error| error.is_resource_exists_exception()) {
                    return Err(Error::Unavailable);
                }
            }
        }
        let put = self.client.put_secret_value().secret_id(full);
        let put = put.secret_string(value.expose()).send().await;
        put.map(|_| ()).map_err(|_| Error::Unavailable)
    }

    /// Whether `name` is set.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_set(&self, name: &str) -> Result<bool, Error> {
        let full = format!("{}{name}", self.prefix);
        match self.client.describe_secret().secret_id(full).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(error) if error.is_resource_not_found_exception() => Ok(false),
                _ => Err(Error::Unavailable),
            },
        }
    }
}
