//! EDGE. Reads secrets from Secrets Manager through one cache.
//!
//! A value is at most 60 s old while Secrets Manager answers. When it does not, the last value is served for up to an
//! hour: callers should not fail because a secret store is down. One read at a time per secret. Whoever finds a value
//! wanting (an unknown key id, a failed signature) may ask for one early reload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use tokio::time::Instant;

use crate::secret::SecretText;

/// A value is read again when it is older than this.
pub const FRESH_FOR: Duration = Duration::from_secs(60);
/// A value is served for this long while Secrets Manager does not answer.
const STALE_FOR: Duration = Duration::from_secs(3_600);
/// After a failed read nobody asks again for this long while a stale value serves.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Early reloads of one secret are at least this far apart.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// A secret cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody has set it: an operator's to repair.
    #[error("the secret is not set")]
    Missing,
    /// Secrets Manager does not answer, or refuses us, and nothing is cached.
    #[error("Secrets Manager is unavailable")]
    Unavailable,
}

#[derive(Default)]
struct Slot {
    value: Option<Held>,
}

struct Held {
    text: SecretText,
    read_at: Instant,
    asked_at: Instant,
}

/// The cached reader.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    prefix: Arc<str>,
    fresh_for: Duration,
    slots: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>>,
}

impl Secrets {
    /// Reads secrets whose names start with `prefix` (`consulate/`), again when they are older than `fresh_for`.
    pub fn new(client: Client, prefix: &str, fresh_for: Duration) -> Self {
        Self {
            client,
            prefix: Arc::from(prefix),
            fresh_for,
            slots: Arc::default(),
        }
    }

    /// The current value of `name` (without prefix: `widgets/calendar`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, name: &str) -> Result<SecretText, Error> {
        let slot = self.slot(name);
        // Holding the slot's lock while reading makes the read single flight.
        let mut slot = slot.lock().await;
        if let Some(held) = &slot.value
            && (held.read_at.elapsed() < self.fresh_for || held.asked_at.elapsed() < RETRY_AFTER)
        {
            return Ok(held.text.clone());
        }
        self.read_into(&mut slot, name).await
    }

    /// The value of `name`, read again unless that was done in the last ten seconds. For a caller who found the cached one wanting.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn reload(&self, name: &str) -> Result<SecretText, Error> {
        let slot = self.slot(name);
        let mut slot = slot.lock().await;
        if let Some(held) = &slot.value
            && held.asked_at.elapsed() < RELOAD_EVERY
        {
            return Ok(held.text.clone());
        }
        self.read_into(&mut slot, name).await
    }

    fn slot(&self, name: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(name.to_owned()).or_default().clone()
    }

    async fn read_into(&self, slot: &mut Slot, name: &str) -> Result<SecretText, Error> {
        match self.read(name).await {
            Ok(text) => {
                slot.value = Some(Held {
                    text: text.clone(),
                    read_at: Instant::now(),
                    asked_at: Instant::now(),
                });
                Ok(text)
            }
            Err(Error::Missing) => {
                slot.value = None;
                Err(Error::Missing)
            }
            Err(Error::Unavailable) => match &mut slot.value {
                Some(held) if held.read_at.elapsed() < STALE_FOR => {
                    held.asked_at = Instant::now();
                    Ok(held.text.clone())
                }
                _ => Err(Error::Unavailable),
            },
        }
    }

    async fn read(&self, name: &str) -> Result<SecretText, Error> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(format!("{}{name}", self.prefix))
            .send()
            .await;
        match answer {
            Ok(output) => output
                .secret_string
                .map(SecretText::new)
                .ok_or(Error::Missing),
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception());
                Err(if missing {
                    Error::Missing
                } else {
                    Error::Unavailable
                })
            }
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("prefix", &self.prefix)
            .finish()
    }
}
