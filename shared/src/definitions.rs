//! EDGE. Reads widgets, hosts and passports from the table through a cache of at most 60 s (design: staleness).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::definition::{Host, Passport, Widget};
use crate::table::{self, Error, get_s, s};

/// How old a cached definition may be.
pub const FRESH_FOR: Duration = Duration::from_secs(60);
/// More definitions than this are not kept: one environment serves few widgets at a time.
const KEPT: usize = 512;

type Cache<T> = Arc<Mutex<HashMap<String, (Instant, Arc<T>)>>>;

/// The cached reader.
#[derive(Clone, Debug)]
pub struct Definitions {
    client: Client,
    table: Arc<str>,
    fresh_for: Duration,
    widgets: Cache<Widget>,
    hosts: Cache<Host>,
    passports: Cache<Passport>,
}

impl Definitions {
    /// Over `table`, each definition at most `fresh_for` old.
    pub fn new(client: Client, table: &str, fresh_for: Duration) -> Self {
        Self {
            client,
            table: Arc::from(table),
            fresh_for,
            widgets: Cache::default(),
            hosts: Cache::default(),
            passports: Cache::default(),
        }
    }

    /// The widget `id`; `None` when nobody imported it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn widget(&self, id: &str) -> Result<Option<Arc<Widget>>, Error> {
        self.read(&self.widgets, id, table::widget_pk).await
    }

    /// The host `id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn host(&self, id: &str) -> Result<Option<Arc<Host>>, Error> {
        self.read(&self.hosts, id, table::host_pk).await
    }

    /// The passport `id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn passport(&self, id: &str) -> Result<Option<Arc<Passport>>, Error> {
        self.read(&self.passports, id, table::passport_pk).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        cache: &Cache<T>,
        id: &str,
        pk: impl Fn(&str) -> String,
    ) -> Result<Option<Arc<T>>, Error> {
        let cached = |cache: &Cache<T>| {
            let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache
                .get(id)
                .filter(|(read_at, _)| read_at.elapsed() < self.fresh_for)
                .map(|(_, definition)| definition.clone())
        };
        if let Some(definition) = cached(cache) {
            return Ok(Some(definition));
        }
        let output = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(table::PK, s(pk(id)))
            .send()
            .await?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let document = get_s(&item, table::DOC)?;
        let definition: Arc<T> =
            Arc::new(serde_json::from_str(&document).map_err(|_| Error::Corrupt)?);
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= KEPT {
            cache.clear();
        }
        cache.insert(id.to_owned(), (Instant::now(), definition.clone()));
        Ok(Some(definition))
    }
}
