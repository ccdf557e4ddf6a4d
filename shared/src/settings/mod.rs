//! EDGE. Private settings of widgets: small JSON documents under keys, per user or per organisation, sealed at rest.
//!
//! Whoever reads the table sees how many settings somebody has, how large and how old they are, and neither whose, nor
//! under which keys, nor what. The table is `rows`' matter; here values are sealed with `keys/settings`, each bound to
//! its item and its version, so that neither another owner's value nor an earlier one opens in its place.

mod owner;
mod rows;

use aws_sdk_dynamodb::Client;

pub use self::owner::{Quota, SettingKey, SettingsOwner};
pub use self::rows::Stored;
use self::rows::{Change, Row, Rows};
use crate::clock::Timestamp;
use crate::digest;
use crate::random;
use crate::secret::SecretText;
use crate::secrets::Secrets;
use crate::table;
use crate::vault::{self, Field, Home};

/// The largest value, bytes of JSON text.
pub const VALUE_LIMIT: usize = 64 * 1024;
/// The most settings of a page.
pub const PAGE_LIMIT: usize = 50;
/// A page ends early when its values have come to this many bytes.
const PAGE_BYTES: usize = 1024 * 1024;
/// Random bytes and their framing around a sealed cursor are far shorter.
const CURSOR_LIMIT: usize = 512;
/// So often a write starts anew because another one came between.
const TRIES: usize = 8;

/// A setting as it was read.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// Its JSON text, byte for byte as it was put.
    pub value: SecretText,
    /// Names this state of the setting and no other, ever: a strong validator (RFC 9110 section 8.8.1).
    pub version: String,
    /// When it was put.
    pub updated_at: Timestamp,
}

/// Some settings of an owner, in an order that stays but means nothing.
#[derive(Clone, Debug)]
pub struct Page {
    /// The settings.
    pub settings: Vec<Setting>,
    /// Where the next page begins; for this owner only.
    pub next: Option<String>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// There was none of this key; its version.
    Created(String),
    /// There was one; its new version.
    Replaced(String),
    /// It is gone.
    Deleted,
    /// There was none to delete.
    Absent,
    /// The precondition does not hold; nothing was changed. The version as it stands, where there is one.
    Refused(Option<String>),
    /// It would be more than the owner may keep; nothing was changed.
    QuotaExceeded,
}

/// Settings cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The table.
    #[error(transparent)]
    Table(#[from] table::Error),
    /// The keyring, or a value that does not open in its place.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// Not a cursor that was given out for this owner.
    #[error("the cursor was not given out for these settings")]
    CursorRefused,
    /// Others write the same settings all the time.
    #[error("the settings are being written by others")]
    Busy,
}

impl From<random::NoEntropy> for Error {
    fn from(_: random::NoEntropy) -> Self {
        Self::Vault(vault::Error::Unavailable)
    }
}

/// The settings in the table.
#[derive(Clone, Debug)]
pub struct Settings {
    rows: Rows,
    secrets: Secrets,
}

impl Settings {
    /// Over `table`, sealed with the keyring in `secrets`.
    pub fn new(client: Client, table: &str, secrets: Secrets) -> Self {
        Self {
            rows: Rows::new(client, table),
            secrets,
        }
    }

    /// One setting; `None` where there is none. One strong read.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(
        &self,
        owner: &SettingsOwner,
        key: &SettingKey,
    ) -> Result<Option<Setting>, Error> {
        match self.rows.read(&owner.digest, &id(owner, key)).await? {
            None => Ok(None),
            Some(row) => Ok(Some(self.open(owner, row).await?)),
        }
    }

    /// Puts JSON text under a key, if `allowed` says so of the version that is replaced. One strong read and one
    /// transaction of two writes; the owner's account of what is kept is one of them, so that it cannot be wrong.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put(
        &self,
        owner: &SettingsOwner,
        key: &SettingKey,
        value: &SecretText,
        allowed: impl Fn(Option<&str>) -> bool,
        now: Timestamp,
    ) -> Result<Written, Error> {
        let id = id(owner, key);
        // A version is never used twice: a setting that was deleted and put again is another one.
        let version = random::id()?;
        let row = Row {
            sealed: self.seal(owner, &id, &version, key, value).await?,
            stored: Stored {
                version: version.clone(),
                bytes: (key.as_str().len() + value.expose().len()) as u64,
            },
            id,
            updated_at: now,
        };
        for _ in 0..TRIES {
            let seen = self.rows.seen(&owner.digest, &row.id).await?;
            let before = seen.as_ref().map(|seen| seen.version.as_str());
            if !allowed(before) {
                return Ok(Written::Refused(before.map(str::to_owned)));
            }
            let quota = owner.quota();
            let change = self.rows.put(&owner.digest, seen.as_ref(), &row, quota);
            match (change.await?, before) {
                (Change::Done, None) => return Ok(Written::Created(version)),
                (Change::Done, Some(_)) => return Ok(Written::Replaced(version)),
                (Change::OverQuota, _) => return Ok(Written::QuotaExceeded),
                (Change::Overtaken, _) => pause().await,
            }
        }
        Err(Error::Busy)
    }

    /// Deletes a setting, if `allowed` says so of its version. One strong read and, where there is one, one transaction of
    /// two writes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(
        &self,
        owner: &SettingsOwner,
        key: &SettingKey,
        allowed: impl Fn(Option<&str>) -> bool,
    ) -> Result<Written, Error> {
        let id = id(owner, key);
        for _ in 0..TRIES {
            let seen = self.rows.seen(&owner.digest, &id).await?;
            let before = seen.as_ref().map(|seen| seen.version.as_str());
            if !allowed(before) {
                return Ok(Written::Refused(before.map(str::to_owned)));
            }
            let Some(seen) = seen else {
                return Ok(Written::Absent);
            };
            match self.rows.delete(&owner.digest, &id, &seen).await? {
                Change::Done => return Ok(Written::Deleted),
                Change::OverQuota | Change::Overtaken => pause().await,
            }
        }
        Err(Error::Busy)
    }

    /// At most `limit` settings, those after `cursor`. Two strong reads: the owner's account, and the page.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(
        &self,
        owner: &SettingsOwner,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        let after = match cursor {
            Some(cursor) => Some(self.open_cursor(owner, cursor).await?),
            None => None,
        };
        let ids = self.rows.ids(&owner.digest).await?;
        let later = |id: &&String| after.as_ref().is_none_or(|after| *id > after);
        let mut ids: Vec<String> = ids.iter().filter(later).cloned().collect();
        let limit = limit.clamp(1, PAGE_LIMIT);
        let mut more = ids.len() > limit;
        ids.truncate(limit);
        let mut settings = Vec::with_capacity(ids.len());
        let mut bytes = 0;
        let mut last = ids.last().cloned();
        let mut page = self.rows.read_many(&owner.digest, &ids).await?;
        // What was deleted since the account was read is missing here.
        page.sort_by(|one, other| one.id.cmp(&other.id));
        let found = page.len();
        for (number, row) in page.into_iter().enumerate() {
            bytes += row.sealed.len();
            let id = row.id.clone();
            settings.push(self.open(owner, row).await?);
            if bytes >= PAGE_BYTES && number + 1 < found {
                (more, last) = (true, Some(id));
                break;
            }
        }
        let next = match last.filter(|_| more) {
            Some(last) => Some(self.seal_cursor(owner, &last).await?),
            None => None,
        };
        Ok(Page { settings, next })
    }

    async fn seal(
        &self,
        owner: &SettingsOwner,
        id: &str,
        version: &str,
        key: &SettingKey,
        value: &SecretText,
    ) -> Result<Vec<u8>, Error> {
        // A key has no line break.
        let plain = SecretText::new(format!("{}\n{}", key.as_str(), value.expose()));
        let home = home(owner, id, version);
        Ok(vault::seal(&self.secrets, &home, Field::Setting, &plain).await?)
    }

    async fn open(&self, owner: &SettingsOwner, row: Row) -> Result<Setting, Error> {
        let home = home(owner, &row.id, &row.stored.version);
        let plain = vault::open(&self.secrets, &home, Field::Setting, &row.sealed).await?;
        let (key, value) = plain
            .expose()
            .split_once('\n')
            .ok_or(table::Error::Corrupt)?;
        Ok(Setting {
            key: key.to_owned(),
            value: SecretText::new(value),
            version: row.stored.version,
            updated_at: row.updated_at,
        })
    }

    async fn seal_cursor(&self, owner: &SettingsOwner, id: &str) -> Result<String, Error> {
        let home = home(owner, "", "");
        let id = SecretText::new(id);
        let sealed = vault::seal(&self.secrets, &home, Field::SettingsCursor, &id).await?;
        Ok(digest::base64url(&sealed))
    }

    async fn open_cursor(&self, owner: &SettingsOwner, cursor: &str) -> Result<String, Error> {
        let sealed = Some(cursor)
            .filter(|cursor| cursor.len() <= CURSOR_LIMIT)
            .and_then(digest::from_base64url)
            .ok_or(Error::CursorRefused)?;
        let home = home(owner, "", "");
        match vault::open(&self.secrets, &home, Field::SettingsCursor, &sealed).await {
            Ok(id) => Ok(id.expose().to_owned()),
            Err(vault::Error::DoesNotOpen) => Err(Error::CursorRefused),
            Err(error) => Err(error.into()),
        }
    }
}

/// The id of a setting among its owner's.
fn id(owner: &SettingsOwner, key: &SettingKey) -> String {
    let parts = ["setting", owner.digest.as_str(), key.as_str()];
    digest::short(parts.map(str::as_bytes))
}

/// Where a value lies; with neither id nor version, a cursor of this owner.
fn home(owner: &SettingsOwner, id: &str, version: &str) -> Home {
    Home {
        item_key: rows::setting_pk(&owner.digest, id),
        grant_id: version.to_owned(),
        token_url: String::new(),
        former_token_urls: Vec::new(),
    }
}

/// Others write the same settings: let them.
async fn pause() {
    let [jitter] = random::bytes::<1>().unwrap_or_default();
    tokio::time::sleep(std::time::Duration::from_millis(10 + u64::from(jitter) / 4)).await;
}
