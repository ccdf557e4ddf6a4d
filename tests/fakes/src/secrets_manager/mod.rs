//! Secrets Manager on loopback: one current version per secret, in memory or on one private file.
//!
//! The file is the only place where `consulate dev` keeps a secret in plain text (mode 0600, replaced atomically).
//! Touches that file and nothing else. Source: AWS Secrets Manager API reference.

mod operations;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use crate::held::held;
use crate::random::random_value;
use crate::{clock, private_file};

/// One secret on the file.
#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    value: String,
    version_id: String,
    /// Epoch seconds.
    created: u64,
    /// Epoch seconds.
    changed: u64,
    /// Epoch seconds of a deletion that waits out its recovery window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<u64>,
}

/// A store of secrets. Clones are handles on the same store.
#[derive(Clone)]
pub struct SecretsManager {
    shared: Arc<Shared>,
}

struct Shared {
    secrets: Mutex<BTreeMap<String, Secret>>,
    file: Option<PathBuf>,
    counters: Mutex<HashMap<String, u64>>,
    outage: AtomicBool,
}

impl SecretsManager {
    /// A store that is gone with its last handle.
    pub fn memory() -> Self {
        Self::over(BTreeMap::new(), None)
    }

    /// A store on a JSON file; an absent file is an empty store, and is made at the first write.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn file(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let path = path.into();
        let secrets = match private_file::read(&path)? {
            // serde_json's message could quote the content: only where it went wrong is told.
            Some(content) => serde_json::from_slice(&content)
                .map_err(|error| anyhow::anyhow!("line {} column {}", error.line(), error.column()))
                .with_context(|| format!("{} is not a secrets file", path.display()))?,
            None => BTreeMap::new(),
        };
        Ok(Self::over(secrets, Some(path)))
    }

    fn over(secrets: BTreeMap<String, Secret>, file: Option<PathBuf>) -> Self {
        let shared = Shared {
            secrets: Mutex::new(secrets),
            file,
            counters: Mutex::default(),
            outage: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The current value of `name`, read in process.
    pub fn get(&self, name: &str) -> Option<String> {
        let secrets = held(&self.shared.secrets);
        secrets
            .get(name)
            .filter(|secret| secret.deleted.is_none())
            .map(|secret| secret.value.clone())
    }

    /// Makes `value` the current value of `name`, in process; creates the secret where missing.
    ///
    /// # Errors
    /// The file cannot be written; the store is then unchanged.
    pub fn put(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let version_id = random_value("")?;
        let now = now();
        self.change(|secrets| {
            let created = secrets.get(name).map_or(now, |secret| secret.created);
            let secret = Secret {
                value: value.to_owned(),
                version_id,
                created,
                changed: now,
                deleted: None,
            };
            secrets.insert(name.to_owned(), secret);
        })
    }

    /// How often `operation` (`GetSecretValue`, …) was called over HTTP, outages included.
    pub fn count(&self, operation: &str) -> u64 {
        held(&self.shared.counters)
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    /// While true, every request is answered 500 `InternalServiceError`.
    pub fn outage(&self, on: bool) {
        self.shared.outage.store(on, Ordering::SeqCst);
    }

    /// `POST /` with `X-Amz-Target: secretsmanager.<operation>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(operations::handle))
            .layer(DefaultBodyLimit::max(1024 * 1024))
            .with_state(self.clone())
    }

    /// Applies `edit` to a copy, writes it, and only then lets others see it.
    fn change(&self, edit: impl FnOnce(&mut BTreeMap<String, Secret>)) -> anyhow::Result<()> {
        let mut secrets = held(&self.shared.secrets);
        let mut edited = secrets.clone();
        edit(&mut edited);
        if let Some(file) = &self.shared.file {
            private_file::write(file, &serde_json::to_vec_pretty(&edited)?)?;
        }
        *secrets = edited;
        Ok(())
    }
}

impl std::fmt::Debug for SecretsManager {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_set()
            .entries(held(&self.shared.secrets).keys())
            .finish()
    }
}

/// Epoch seconds.
fn now() -> u64 {
    u64::try_from(clock::system_clock() / 1_000).unwrap_or(0)
}
