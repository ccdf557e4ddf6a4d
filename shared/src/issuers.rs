//! EDGE. The signing keys of OpenID Connect issuers: discovery document, then key set, through the guarded client.
//!
//! Keys are at most five minutes old while the issuer answers; when it does not, the last ones are served for up to an hour.
//! One fetch at a time for an issuer, and nobody waits for it who can be served. Whoever meets an unknown key may have them
//! fetched early, once in ten seconds.
//!
//! Sources: OpenID Connect Discovery 1.0 section 4; RFC 7517; RFC 8037.

mod keys;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::{Map, Value};

pub use self::keys::KeySet;

use crate::clock::{Clock, Timestamp};
use crate::egress::{self, Egress};
use crate::log;

/// Keys are fetched again when they are older than this, seconds.
const FRESH_SECONDS: i64 = 300;
/// Keys are served for this long while the issuer does not answer, seconds.
const STALE_SECONDS: i64 = 3_600;
/// After a failed fetch nobody asks again for this long, seconds.
const RETRY_SECONDS: i64 = 5;
/// Early fetches are at least this far apart, seconds.
const RELOAD_SECONDS: i64 = 10;
/// Each of the two requests may take this long.
const TIME: Duration = Duration::from_secs(3);
/// A longer document is not read, bytes.
const DOCUMENT_LIMIT: usize = 256 * 1024;

/// An issuer's keys cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What the issuer publishes is not what the host declares: an operator's to repair.
    #[error("{0}")]
    Misconfigured(&'static str),
    /// The issuer does not answer as one, and nothing is cached.
    #[error("the issuer does not answer")]
    Unavailable,
}

/// The cached reader.
#[derive(Clone)]
pub struct Issuers {
    egress: Egress,
    clock: Clock,
    slots: Arc<Mutex<HashMap<String, Arc<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    held: Mutex<Option<Held>>,
    asking: tokio::sync::Mutex<Asked>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    read_at: Timestamp,
}

/// The last time somebody asked the issuer, and what came of it.
#[derive(Default)]
struct Asked {
    at: Option<Timestamp>,
    failed: Option<Error>,
}

impl Asked {
    /// Whether that was less than `seconds` ago. A clock that was set back does not count as "just now".
    fn within(&self, seconds: i64, now: Timestamp) -> bool {
        self.at.is_some_and(|at| is_within(at, seconds, now))
    }
}

fn is_within(earlier: Timestamp, seconds: i64, now: Timestamp) -> bool {
    (0..seconds.saturating_mul(1_000)).contains(&now.since(earlier))
}

impl Slot {
    fn held(&self) -> Option<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    fn younger_than(&self, seconds: i64, now: Timestamp) -> Option<Arc<KeySet>> {
        let held = self.held()?;
        is_within(held.read_at, seconds, now).then_some(held.keys)
    }
}

impl Issuers {
    /// Over a guarded client.
    pub fn new(egress: Egress, clock: Clock) -> Self {
        Self {
            egress,
            clock,
            slots: Arc::default(),
        }
    }

    /// The keys of `issuer`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn keys(&self, issuer: &str) -> Result<Arc<KeySet>, Error> {
        let slot = self.slot(issuer);
        let now = self.clock.now();
        if let Some(keys) = slot.younger_than(FRESH_SECONDS, now) {
            return Ok(keys);
        }
        let mut asking = match (
            slot.asking.try_lock(),
            slot.younger_than(STALE_SECONDS, now),
        ) {
            (Ok(asking), _) => asking,
            // Somebody fetches them already.
            (Err(_), Some(keys)) => return Ok(keys),
            (Err(_), None) => slot.asking.lock().await,
        };
        let now = self.clock.now();
        if let Some(keys) = slot.younger_than(FRESH_SECONDS, now) {
            return Ok(keys);
        }
        if !asking.within(RETRY_SECONDS, now) || asking.failed.is_none() {
            self.ask(issuer, &slot, &mut asking).await;
        }
        slot.younger_than(STALE_SECONDS, self.clock.now())
            .ok_or(asking.failed.unwrap_or(Error::Unavailable))
    }

    /// The keys of `issuer` for somebody to whom `seen` were not enough: fetched, unless that was done in the last ten
    /// seconds; the same where there are no others.
    ///
    /// # Errors
    /// The issuer does not answer: nobody knows whether it has others.
    pub async fn reload(&self, issuer: &str, seen: &Arc<KeySet>) -> Result<Arc<KeySet>, Error> {
        let slot = self.slot(issuer);
        let mut asking = slot.asking.lock().await;
        let newer = || {
            slot.held()
                .map(|held| held.keys)
                .filter(|keys| !Arc::ptr_eq(keys, seen))
        };
        if let Some(keys) = newer() {
            return Ok(keys);
        }
        if !asking.within(RELOAD_SECONDS, self.clock.now()) {
            self.ask(issuer, &slot, &mut asking).await;
        }
        match asking.failed {
            Some(error) => Err(error),
            None => Ok(newer().unwrap_or_else(|| seen.clone())),
        }
    }

    fn slot(&self, issuer: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(issuer.to_owned()).or_default().clone()
    }

    async fn ask(&self, issuer: &str, slot: &Slot, asking: &mut Asked) {
        let fetched = self.fetch(issuer).await;
        let now = self.clock.now();
        asking.at = Some(now);
        asking.failed = fetched.as_ref().err().map(|failure| failure.error);
        match fetched {
            Ok(keys) => {
                let mut held = slot.held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Some(Held {
                    keys: Arc::new(keys),
                    read_at: now,
                });
            }
            Err(failure) => {
                let fields = log::Fields::new()
                    .with("issuer", issuer)
                    .with("why", failure.why);
                let level = match failure.error {
                    Error::Misconfigured(_) => log::Level::Error,
                    Error::Unavailable => log::Level::Warn,
                };
                log::write(level, "issuers", "keys", fields);
            }
        }
    }

    async fn fetch(&self, issuer: &str) -> Result<KeySet, Failure> {
        let address = issuer.strip_suffix('/').unwrap_or(issuer);
        let address = format!("{address}/.well-known/openid-configuration");
        let document = self.document(&address).await?;
        if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(misconfigured(
                "the issuer's discovery document names another issuer than this widget's host",
            ));
        }
        let Some(jwks_uri) = document.get("jwks_uri").and_then(Value::as_str) else {
            return Err(unavailable("the discovery document has no jwks_uri"));
        };
        let document = self.document(jwks_uri).await?;
        KeySet::parse(&document).ok_or(unavailable("the key set has no list of keys"))
    }

    async fn document(&self, address: &str) -> Result<Map<String, Value>, Failure> {
        let request = Request::get(address)
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| misconfigured("the issuer has an address that cannot be asked"))?;
        let answer = self.egress.send(request, TIME, DOCUMENT_LIMIT).await;
        let answer = answer.map_err(|error| match error {
            egress::Error::Refused(_) => {
                misconfigured("the issuer has an address that may not be asked")
            }
            egress::Error::NotSent => unavailable("no connection"),
            egress::Error::TimedOut => unavailable("no answer in time"),
            egress::Error::Cut => unavailable("the connection broke"),
            egress::Error::TooLarge => unavailable("the document is too large"),
        })?;
        if answer.status() != StatusCode::OK {
            return Err(unavailable("the status is not 200"));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| unavailable("the document is not a JSON object"))
    }
}

/// What a fetch failed for, and the words for the log.
struct Failure {
    error: Error,
    why: &'static str,
}

fn misconfigured(why: &'static str) -> Failure {
    Failure {
        error: Error::Misconfigured(why),
        why,
    }
}

fn unavailable(why: &'static str) -> Failure {
    Failure {
        error: Error::Unavailable,
        why,
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Issuers").finish_non_exhaustive()
    }
}
