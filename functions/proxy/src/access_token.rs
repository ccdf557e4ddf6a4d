//! An access token that can be used now: from memory, from the row, or after the custodian renewed it.
//!
//! The proxy never renews anything itself. While somebody renews, it polls the row; it asks the custodian when nobody
//! does. A token in memory is at most 15 s old and belongs to one grant and version, so a disconnect is seen everywhere
//! within 15 s.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use consulate_core::clock::{Clock, Timestamp};
use consulate_core::connection::Connection;
use consulate_core::connections::Connections;
use consulate_core::custody::{Answer, Custodian, Event};
use consulate_core::definition::Passport;
use consulate_core::problem::Reason;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::secrets::Secrets;
use consulate_core::table::{self, ConnectionKey};
use consulate_core::vault::{self, Field, Home};

/// How long an opened access token is kept.
const HELD_FOR: Duration = Duration::from_secs(15);
/// More are not kept.
const HELD: usize = 1_024;
/// How long a call waits for a renewal.
const WAIT: Duration = Duration::from_secs(12);
/// The shortest pause between two looks at the row; up to as much again is added at random.
const POLL: Duration = Duration::from_millis(100);
/// So often a custodian that does not answer is asked again.
const ASKS: usize = 3;
/// Where an access token came from, for the log: one held here may have been replaced meanwhile.
const FROM_MEMORY: &str = "cache";

/// There is no usable access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("an account has to be connected")]
    AuthenticationRequired(Reason),
    #[error("somebody is renewing it, and it takes long")]
    Busy,
    #[error("it cannot be renewed now")]
    Unavailable { retry_after: u64 },
    #[error("an operator has to repair the passport")]
    Misconfigured,
}

impl From<table::Error> for Error {
    fn from(_: table::Error) -> Self {
        Self::Unavailable { retry_after: 2 }
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        match error {
            vault::Error::Unavailable => Self::Unavailable { retry_after: 2 },
            // Sealed for an endpoint the passport no longer has.
            vault::Error::DoesNotOpen => Self::AuthenticationRequired(Reason::ConfigChanged),
        }
    }
}

/// An access token in hand.
#[derive(Clone)]
pub(crate) struct Opened {
    pub access_token: SecretText,
    /// The row it came from.
    pub row: Arc<Connection>,
    /// The main slot's, where that is another one.
    main: Option<Arc<Connection>>,
    /// For the log: `cache`, `row` or `refreshed`.
    pub source: &'static str,
}

impl Opened {
    /// The fields that the connection has kept: the main slot's.
    pub fn kept(&self) -> &BTreeMap<String, String> {
        &self.main.as_ref().unwrap_or(&self.row).fields
    }
}

/// A row that may serve calls, with the main slot's where that is another one: both of one grant, both usable.
#[derive(Clone)]
struct Usable {
    row: Connection,
    main: Option<Arc<Connection>>,
}

/// What became of asking for another token than one an API rejected.
pub(crate) enum Replacement {
    /// A newer one.
    Renewed(Opened),
    /// The rejected one is too new for its age to be the cause.
    Kept,
}

/// An opened access token in memory. Its age is counted on both clocks, so that neither a stopped environment nor a
/// stepped wall clock keeps it longer.
struct Held {
    opened_at: (Instant, Timestamp),
    opened: Opened,
}

#[derive(Clone)]
pub(crate) struct AccessTokens {
    clock: Clock,
    connections: Connections,
    secrets: Secrets,
    custodian: Custodian,
    held: Arc<Mutex<HashMap<ConnectionKey, Held>>>,
}

impl AccessTokens {
    pub fn new(
        clock: Clock,
        connections: Connections,
        secrets: Secrets,
        custodian: Custodian,
    ) -> Self {
        Self {
            clock,
            connections,
            secrets,
            custodian,
            held: Arc::default(),
        }
    }

    /// An access token of `key` that can be used now.
    pub async fn get(&self, key: &ConnectionKey, passport: &Passport) -> Result<Opened, Error> {
        let now = self.clock.now();
        if let Some(opened) = self.held(key)
            && opened.row.is_fresh(now, passport)
            && opened.row.usable(&passport.config_version()).is_ok()
        {
            return Ok(opened);
        }
        let row = self.connections.read(key, false).await?;
        self.of_row(key, row, passport).await
    }

    /// As [`get`](Self::get), but never from memory: as the row says now.
    pub async fn get_anew(
        &self,
        key: &ConnectionKey,
        passport: &Passport,
    ) -> Result<Opened, Error> {
        let row = self.connections.read(key, true).await?;
        self.of_row(key, row, passport).await
    }

    async fn of_row(
        &self,
        key: &ConnectionKey,
        row: Option<Connection>,
        passport: &Passport,
    ) -> Result<Opened, Error> {
        let now = self.clock.now();
        let usable = self.usable(key, row, passport).await?;
        let row = &usable.row;
        if row.is_fresh(now, passport) {
            let opened = self.open(usable, passport, "row").await?;
            if opened.row.use_is_worth_noting(now) {
                // Best effort: the next call notes it otherwise.
                self.connections.note_use(key, now).await.unwrap_or(());
            }
            return Ok(opened);
        }
        let resting = row.backoff_until.is_some_and(|until| until > now);
        if resting && row.is_alive(now) {
            return self.open(usable, passport, "row").await;
        }
        match self.renew(usable.clone(), passport, false).await {
            Ok(Replacement::Renewed(opened)) => Ok(opened),
            // It could not be renewed in time, but has not ended either: better than none.
            Err(Error::Busy | Error::Unavailable { .. } | Error::Misconfigured)
                if usable.row.is_alive(self.clock.now()) =>
            {
                self.open(usable, passport, "row").await
            }
            Ok(Replacement::Kept) => Err(Error::Busy),
            Err(error) => Err(error),
        }
    }

    /// The row of `key`, as it was read, if it may serve calls; for a slot that takes one more read, of the main row.
    async fn usable(
        &self,
        key: &ConnectionKey,
        row: Option<Connection>,
        passport: &Passport,
    ) -> Result<Usable, Error> {
        let version = passport.config_version();
        let serves = |row: &Connection| row.usable(&version).map_err(Error::AuthenticationRequired);
        if key.slot.is_empty() {
            let row = row.ok_or(Error::AuthenticationRequired(Reason::NotConnected))?;
            serves(&row)?;
            return Ok(Usable { row, main: None });
        }
        let main_key = key.in_slot("");
        let not_connected = Error::AuthenticationRequired(Reason::NotConnected);
        let main = self.connections.read(&main_key, false).await?;
        let mut main = main.ok_or(not_connected)?;
        let mut row = row;
        if row
            .as_ref()
            .is_some_and(|row| row.grant_id != main.grant_id)
        {
            // Read around a connect, perhaps; else what another grant left behind.
            let read = self.connections.read(&main_key, true).await?;
            main = read.ok_or(not_connected)?;
            row = self.connections.read(key, true).await?;
        }
        serves(&main)?;
        // The consent did not bring this slot's token.
        let row = row
            .filter(|row| row.grant_id == main.grant_id)
            .ok_or(Error::AuthenticationRequired(Reason::MissingScopes))?;
        serves(&row)?;
        Ok(Usable {
            row,
            main: Some(Arc::new(main)),
        })
    }

    /// Another access token than `opened`, which an API answered 401 to.
    pub async fn replace(
        &self,
        opened: &Opened,
        passport: &Passport,
    ) -> Result<Replacement, Error> {
        let may_force = opened.row.may_force(self.clock.now());
        if !may_force && opened.source != FROM_MEMORY {
            return Ok(Replacement::Kept);
        }
        self.forget(&opened.row.key);
        let read = self.connections.read(&opened.row.key, true).await?;
        let usable = self.usable(&opened.row.key, read, passport).await?;
        let row = &usable.row;
        if row.grant_id != opened.row.grant_id || row.version > opened.row.version {
            return Ok(Replacement::Renewed(
                self.open(usable, passport, "row").await?,
            ));
        }
        if !may_force {
            return Ok(Replacement::Kept);
        }
        self.renew(usable, passport, true).await
    }

    async fn renew(
        &self,
        usable: Usable,
        passport: &Passport,
        rejected: bool,
    ) -> Result<Replacement, Error> {
        let gives_up = Instant::now() + WAIT;
        let mut asks = 0;
        let mut confirmed = None;
        let Usable { row: seen, main } = usable;
        let mut row = seen.clone();
        loop {
            if row.held_lease(self.clock.now()).is_none() {
                let event = Event::Refresh {
                    key: seen.key.clone(),
                    version: seen.version,
                    rejected,
                };
                asks += 1;
                // The custodian goes on when nobody waits for it any more.
                let left = gives_up.saturating_duration_since(Instant::now());
                let Ok(answer) = tokio::time::timeout(left, self.custodian.ask(&event)).await
                else {
                    return Err(Error::Busy);
                };
                match answer {
                    Ok(Answer::Refreshed { version }) if rejected && version == seen.version => {
                        return Ok(Replacement::Kept);
                    }
                    Ok(Answer::Refreshed { version }) => confirmed = Some(version),
                    Ok(Answer::InProgress) => {}
                    Ok(Answer::BackOff { retry_after }) => {
                        return Err(Error::Unavailable { retry_after });
                    }
                    Ok(Answer::AuthenticationRequired { reason }) => {
                        return Err(Error::AuthenticationRequired(reason));
                    }
                    Ok(Answer::Misconfigured) => return Err(Error::Misconfigured),
                    Ok(_) => return Err(Error::Unavailable { retry_after: 2 }),
                    // It may have acted all the same: the row tells.
                    Err(_) if asks < ASKS => {}
                    Err(_) => return Err(Error::Unavailable { retry_after: 2 }),
                }
            } else {
                pause().await;
            }
            let read = self.connections.read(&seen.key, true).await?;
            let usable = match read {
                // The same grant's: how the main slot stands was looked at a moment ago.
                Some(row) if row.grant_id == seen.grant_id => {
                    row.usable(&passport.config_version())
                        .map_err(Error::AuthenticationRequired)?;
                    let main = main.clone();
                    Usable { row, main }
                }
                read => self.usable(&seen.key, read, passport).await?,
            };
            row = usable.row.clone();
            let newer = row.version > seen.version || row.grant_id != seen.grant_id;
            // What the custodian calls fresh is: clocks differ a little.
            let serves = !rejected
                && (confirmed == Some(row.version) || row.is_fresh(self.clock.now(), passport));
            if newer || serves {
                return Ok(Replacement::Renewed(
                    self.open(usable, passport, "refreshed").await?,
                ));
            }
            if Instant::now() >= gives_up {
                return Err(Error::Busy);
            }
            if row.held_lease(self.clock.now()).is_none() {
                pause().await;
            }
        }
    }

    async fn open(
        &self,
        usable: Usable,
        passport: &Passport,
        source: &'static str,
    ) -> Result<Opened, Error> {
        let Usable { row, main } = usable;
        let sealed = row
            .access_token
            .as_deref()
            .ok_or(Error::AuthenticationRequired(Reason::Disconnected))?;
        let home = Home::of(&row, passport);
        let access_token = vault::open(&self.secrets, &home, Field::AccessToken, sealed).await?;
        let opened = Opened {
            access_token,
            row: Arc::new(row),
            main,
            source,
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= HELD {
            held.clear();
        }
        let kept = Opened {
            source: FROM_MEMORY,
            ..opened.clone()
        };
        let entry = Held {
            opened_at: (Instant::now(), self.clock.now()),
            opened: kept,
        };
        held.insert(opened.row.key.clone(), entry);
        Ok(opened)
    }

    fn held(&self, key: &ConnectionKey) -> Option<Opened> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let young = |entry: &&Held| {
            let (instant, timestamp) = entry.opened_at;
            let age = now.since(timestamp);
            instant.elapsed() < HELD_FOR && (0..HELD_FOR.as_millis() as i64).contains(&age)
        };
        held.get(key)
            .filter(young)
            .map(|entry| entry.opened.clone())
    }

    fn forget(&self, key: &ConnectionKey) {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

async fn pause() {
    let [jitter] = random::bytes::<1>().unwrap_or_default();
    tokio::time::sleep(POLL + POLL.mul_f64(f64::from(jitter) / 256.0)).await;
}
