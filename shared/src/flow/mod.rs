//! EDGE. Tickets, states and flows: the one-time records of connecting an account, and their single consumption.
//!
//! Every "once" here is one conditional write: two parallel requests, one wins. Tickets, states and completions are
//! stored as digests; cookies too. The PKCE verifier is stored as it is (useless without the code, which is never
//! stored) and removed when the code is exchanged.

mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::store::Flows;

use crate::clock::Timestamp;
use crate::definition::OwnerMode;
use crate::digest;
use crate::log::Fields;
use crate::owner::OwnerKey;
use crate::table::{
    ConnectionKey, Error, Item, b, get_s, map_s, n, opt_b, opt_n, opt_s, opt_time, read_map_s, s,
    time,
};

/// Lifetime of a ticket, seconds.
pub const TICKET_SECONDS: i64 = 300;
/// Lifetime of a state, seconds.
pub const STATE_SECONDS: i64 = 600;
/// Lifetime of a completion, seconds.
pub const COMPLETION_SECONDS: i64 = 60;
/// A flow that holds an unrevoked grant is kept this long: the table's TTL must not be what ends a grant.
const GRANT_KEPT_SECONDS: i64 = 7 * 86_400;

const DOC: &str = "doc";

/// How the browser comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A window of its own, with a handshake.
    Popup,
    /// The whole page goes away and returns to `return_to`, with a completion.
    Redirect,
    /// In the console, whose session the flow is bound to instead of a cookie of its own.
    Console,
}

/// Who asked to connect what. Written by `POST …/connect`, carried from ticket to flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Widget id.
    pub widget: String,
    /// `auth_key` of the authentication.
    pub auth_key: String,
    /// The connection to be.
    #[serde(flatten)]
    pub key: ConnectionKey,
    /// Whose it will be.
    pub owner_mode: OwnerMode,
    /// The caller's host.
    pub host: String,
    /// The caller's organisation.
    pub organisation: String,
    /// The caller's user id.
    pub user: String,
    /// How the browser comes back.
    pub mode: Mode,
    /// Where to, in redirect mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
}

impl Ask {
    /// What every log line about it says: nobody's name, but whose it is as a digest.
    pub fn fields(&self) -> Fields {
        let (host, organisation, user) = (&self.host, &self.organisation, &self.user);
        let caller = OwnerKey::of_record(host, organisation, user, OwnerMode::User);
        Fields::new()
            .with("widget", &self.widget)
            .with("auth_key", &self.auth_key)
            .with("passport", &self.key.passport)
            .with("owner", self.key.owner.as_str())
            .with("caller", caller.as_str())
            .with("mode", self.mode)
    }
}

/// One authorization in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Flow id.
    pub id: String,
    /// Who asked for what.
    pub ask: Ask,
    /// Digest of the flow cookie; of the session's in the console.
    pub cookie: String,
    /// The redirect URI of the authorize URL, to be repeated byte for byte.
    pub redirect_uri: String,
    /// The issuer expected in the callback, where the passport names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// The passport's configuration when the flow began.
    pub config_version: String,
}

/// Where a flow stands. Only forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The browser is at the provider.
    Started,
    /// The callback came; the code may be exchanged, once.
    Consumed,
    /// The custodian has taken the code.
    Exchanging,
    /// The grant is sealed in the flow and waits for its completion.
    Awaiting,
    /// The right caller completed it; the custodian may activate it.
    Completing,
    /// It will never be completed; the custodian may revoke it.
    Burned,
    /// Over.
    Done,
}

impl Stage {
    /// As stored.
    pub fn text(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Consumed => "consumed",
            Self::Exchanging => "exchanging",
            Self::Awaiting => "awaiting",
            Self::Completing => "completing",
            Self::Burned => "burned",
            Self::Done => "done",
        }
    }
}

/// A grant that waits in a flow.
#[derive(Clone, Debug)]
pub struct WaitingGrant {
    /// Grant id.
    pub grant_id: String,
    /// Its tokens, by slot.
    pub tokens: Vec<WaitingTokens>,
    /// Scopes granted, account and so on, as JSON of the custodian's.
    pub details: String,
}

/// One slot's tokens, sealed for the flow's own place.
#[derive(Clone, Debug)]
pub struct WaitingTokens {
    /// The slot; empty is the main one.
    pub slot: String,
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// Sealed refresh token.
    pub refresh_token: Option<Vec<u8>>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Its lifetime, seconds.
    pub lifetime_seconds: Option<i64>,
    /// When the refresh token ends.
    pub refresh_expires_at: Option<Timestamp>,
    /// Pinned fields, by name.
    pub fields: BTreeMap<String, String>,
}

impl WaitingTokens {
    fn item(&self) -> Item {
        let mut item = Item::from([
            ("s".to_owned(), s(&self.slot)),
            ("a".to_owned(), b(self.access_token.clone())),
            ("fl".to_owned(), map_s(&self.fields)),
        ]);
        let optional = [
            ("r", self.refresh_token.clone().map(b)),
            ("x", self.expires_at.map(time)),
            ("l", self.lifetime_seconds.map(n)),
            ("rx", self.refresh_expires_at.map(time)),
        ];
        item.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
        item
    }

    fn of(item: &Item) -> Result<Self, Error> {
        Ok(Self {
            slot: get_s(item, "s")?,
            access_token: opt_b(item, "a").ok_or(Error::Corrupt)?,
            refresh_token: opt_b(item, "r"),
            expires_at: opt_time(item, "x"),
            lifetime_seconds: opt_n(item, "l"),
            refresh_expires_at: opt_time(item, "rx"),
            fields: read_map_s(item, "fl"),
        })
    }
}

/// Partition key of a flow.
pub fn flow_pk(id: &str) -> String {
    format!("FLOW#{id}")
}

/// The flow a partition key is of.
pub fn flow_id(pk: &str) -> Option<&str> {
    let id = pk.strip_prefix("FLOW#")?;
    // Behind another `#` stands the slot a token of the flow was sealed for.
    Some(id.split_once('#').map_or(id, |(id, _)| id))
}

fn digested(kind: &str, value: &str) -> String {
    format!(
        "{kind}#{}",
        digest::text([kind.as_bytes(), value.as_bytes()])
    )
}

/// Digest of a cookie or completion as stored in a flow.
pub fn stored_digest(kind: &str, value: &str) -> String {
    digest::text([kind.as_bytes(), value.as_bytes()])
}

/// The grant waiting in a flow's item.
///
/// # Errors
/// [`Error::Corrupt`] when none lies there.
pub fn waiting_grant(item: &Item) -> Result<WaitingGrant, Error> {
    let slots = item.get("tk").and_then(|value| value.as_l().ok());
    let tokens = slots
        .into_iter()
        .flatten()
        .map(|slot| WaitingTokens::of(slot.as_m().map_err(|_| Error::Corrupt)?))
        .collect::<Result<Vec<_>, _>>()?;
    if tokens.is_empty() {
        return Err(Error::Corrupt);
    }
    Ok(WaitingGrant {
        grant_id: get_s(item, "g")?,
        tokens,
        details: get_s(item, "det")?,
    })
}

/// Whether `completion` (as [`stored_digest`]) is the one this flow's item waits for.
pub fn completion_matches(item: &Item, completion: &str) -> bool {
    opt_s(item, "ch").is_some_and(|stored| stored == completion)
}

/// Whether a flow's completion can still be used at `now`.
pub fn completion_is_live(item: &Item, now: Timestamp) -> bool {
    opt_time(item, "cx").is_some_and(|expires_at| now < expires_at)
}

/// When a flow's completion ends, or has ended.
pub fn completion_ends(item: &Item) -> Option<Timestamp> {
    opt_time(item, "cx")
}

fn is_live(item: &Item, now: Timestamp) -> bool {
    opt_time(item, "till").is_some_and(|till| now < till)
}

fn live_document(item: Option<Item>, now: Timestamp) -> Result<Option<Ask>, Error> {
    match item {
        Some(item) if is_live(&item, now) => serde_json::from_str(&get_s(&item, DOC)?)
            .map(Some)
            .map_err(|_| Error::Corrupt),
        _ => Ok(None),
    }
}
