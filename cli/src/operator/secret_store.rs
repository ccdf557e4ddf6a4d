//! EDGE. The operator's side of Secrets Manager. What it reads and writes never gets into a message.

use aws_sdk_secretsmanager::Client;
use consulate_core::clock::Timestamp;
use consulate_core::secret::SecretText;

use super::refusal::told;
use super::target::Target;

const SERVICE: &str = "Secrets Manager";

/// Secrets, by name without prefix.
#[derive(Clone, Debug)]
pub(super) struct SecretStore {
    client: Client,
    prefix: String,
}

impl SecretStore {
    pub fn of(target: &Target) -> Self {
        Self {
            client: target.secrets_manager.clone(),
            prefix: target.secrets_prefix.clone(),
        }
    }

    /// The current value.
    pub async fn get(&self, name: &str) -> anyhow::Result<Option<SecretText>> {
        match self
            .client
            .get_secret_value()
            .secret_id(self.full(name))
            .send()
            .await
        {
            Ok(answer) => Ok(answer.secret_string.map(SecretText::new)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(told(SERVICE, &error)),
        }
    }

    /// Whether the secret is there, asked without reading it.
    pub async fn is_set(&self, name: &str) -> anyhow::Result<bool> {
        match self
            .client
            .describe_secret()
            .secret_id(self.full(name))
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(told(SERVICE, &error)),
        }
    }

    /// When the secret was changed last, asked without reading it.
    pub async fn changed_at(&self, name: &str) -> anyhow::Result<Option<Timestamp>> {
        let described = self.client.describe_secret().secret_id(self.full(name));
        let described = described
            .send()
            .await
            .map_err(|error| told(SERVICE, &error))?;
        let changed = described.last_changed_date();
        Ok(changed.map(|changed| Timestamp::from_seconds(changed.secs())))
    }

    /// Makes the secret. False when it is there already; it is then left as it is.
    pub async fn create(&self, name: &str, value: &SecretText) -> anyhow::Result<bool> {
        let create = self
            .client
            .create_secret()
            .name(self.full(name))
            .secret_string(value.expose());
        match create.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_exists_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(told(SERVICE, &error)),
        }
    }

    /// Makes `value` the current value, whether or not the secret is there.
    pub async fn put(&self, name: &str, value: &SecretText) -> anyhow::Result<()> {
        if self.create(name, value).await? {
            return Ok(());
        }
        let put = self
            .client
            .put_secret_value()
            .secret_id(self.full(name))
            .secret_string(value.expose());
        put.send().await.map_err(|error| told(SERVICE, &error))?;
        Ok(())
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
