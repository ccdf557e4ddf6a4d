//! PURE. The table's layout: partition keys, and typed access to DynamoDB attributes.
//!
//! One table, hash key `pk` (string), TTL attribute `ttl` (epoch seconds). No sort key, no scan.
//!
//! | `pk` | item | written by |
//! |---|---|---|
//! | `REGISTRY` | string sets of every widget, passport, host and own provider id | command |
//! | `WIDGET#{id}` `PASSPORT#{id}` `HOST#{id}` | `doc`: one JSON document | command |
//! | `PROVIDER#{id}` | `doc`: a catalogue entry of the operator's own; read by the command only | command |
//! | `TICK` | how far the schedule has come | custodian |
//! | `LIMIT#{digest}` | rate permits and back-off of one token endpoint | custodian |
//! | `CIRCUIT#{passport}` | open while our own settings are refused | custodian |
//! | `GRANT#{id}` | sealed tokens that no connection has any more, until they are revoked | custodian |
//! | `SUBJECT#{passport}#{hmac}` | which connections share one account at the provider | custodian |
//! | `CONNECTION#{passport}#{owner}`, `…#{slot}` | the hot row: sealed tokens, version, lease, health | custodian; connect marks disconnects; proxy `last_used` |
//! | `DETAILS#{passport}#{owner}` | account, scopes, who connected: read by status pages only | custodian |
//! | `SETTINGS#{digest}`, `SETTING#{digest}#{id}` | an owner's account of settings; one setting, sealed | settings |
//! | `TICKET#{digest}` `STATE#{digest}` | one-time tickets and OAuth states | connect |
//! | `JWT#{digest}` | a caller JWT that was used up | connect |
//! | `FLOW#{id}` | one authorization in progress | connect, custodian |
//! | `CONSOLE_…` | sign-in tickets, sessions and acts: see [`crate::console`] | console; command makes tickets |

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::clock::Timestamp;
use crate::owner::OwnerKey;

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the TTL attribute.
pub const TTL: &str = "ttl";
/// Name of the attribute a definition's JSON lies in.
pub const DOC: &str = "doc";
/// Partition key of the list of ids.
pub const REGISTRY: &str = "REGISTRY";

/// One item.
pub type Item = HashMap<String, AttributeValue>;

/// The table cannot be used as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not answer, throttles, or refuses us. Nothing is known to have been written.
    #[error("the table is unavailable")]
    Unavailable,
    /// An item is not of the shape this version writes.
    #[error("an item is not readable")]
    Corrupt,
}

impl<E, R> From<SdkError<E, R>> for Error {
    fn from(_: SdkError<E, R>) -> Self {
        Self::Unavailable
    }
}

/// Names one token of one connection: a passport for one owner, and the slot, mostly the main one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ConnectionKey {
    /// The passport's id.
    pub passport: String,
    /// The owner.
    pub owner: OwnerKey,
    /// The token slot; empty is the main one. Each slot has a row of its own: lease, version and health are one token's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub slot: String,
}

impl ConnectionKey {
    /// The main slot of the connection `owner` has by `passport`.
    pub fn new(passport: &str, owner: OwnerKey) -> Self {
        Self {
            passport: passport.to_owned(),
            owner,
            slot: String::new(),
        }
    }

    /// Another slot of the same connection.
    pub fn in_slot(&self, slot: &str) -> Self {
        Self {
            slot: slot.to_owned(),
            ..self.clone()
        }
    }

    /// Partition key of the hot row.
    pub fn pk(&self) -> String {
        let main = format!("CONNECTION#{}#{}", self.passport, self.owner.as_str());
        match self.slot.as_str() {
            "" => main,
            slot => format!("{main}#{slot}"),
        }
    }

    /// The key a [`pk`](Self::pk) names; `None` where it is not a connection's.
    pub fn of_pk(pk: &str) -> Option<Self> {
        let mut parts = pk.strip_prefix("CONNECTION#")?.split('#');
        let (passport, owner) = (parts.next()?, parts.next()?);
        let slot = parts.next().unwrap_or_default();
        (parts.next().is_none() && !passport.is_empty()).then(|| Self {
            passport: passport.to_owned(),
            owner: OwnerKey::stored(owner),
            slot: slot.to_owned(),
        })
    }

    /// Partition key of the details, which all slots share.
    pub fn details_pk(&self) -> String {
        format!("DETAILS#{}#{}", self.passport, self.owner.as_str())
    }
}

/// Partition key of a widget's definition.
pub fn widget_pk(id: &str) -> String {
    format!("WIDGET#{id}")
}

/// Partition key of a passport's definition.
pub fn passport_pk(id: &str) -> String {
    format!("PASSPORT#{id}")
}

/// Partition key of a catalogue entry of the operator's own.
pub fn provider_pk(id: &str) -> String {
    format!("PROVIDER#{id}")
}

/// Partition key of a host's definition.
pub fn host_pk(id: &str) -> String {
    format!("HOST#{id}")
}

/// A string attribute.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
pub fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An instant, in milliseconds.
pub fn time(time: Timestamp) -> AttributeValue {
    n(time.millis())
}

/// A binary attribute.
pub fn b(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Reads a string that may be absent.
pub fn opt_s(item: &Item, name: &str) -> Option<String> {
    item.get(name).and_then(|value| value.as_s().ok()).cloned()
}

/// Reads a string.
///
/// # Errors
/// [`Error::Corrupt`] when absent or of another type.
pub fn get_s(item: &Item, name: &str) -> Result<String, Error> {
    opt_s(item, name).ok_or(Error::Corrupt)
}

/// Reads a whole number that may be absent.
pub fn opt_n(item: &Item, name: &str) -> Option<i64> {
    item.get(name)
        .and_then(|value| value.as_n().ok())?
        .parse()
        .ok()
}

/// Reads a whole number.
///
/// # Errors
/// [`Error::Corrupt`] when absent or of another type.
pub fn get_n(item: &Item, name: &str) -> Result<i64, Error> {
    opt_n(item, name).ok_or(Error::Corrupt)
}

/// Reads an instant that may be absent.
pub fn opt_time(item: &Item, name: &str) -> Option<Timestamp> {
    opt_n(item, name).map(Timestamp::from_millis)
}

/// Reads bytes that may be absent.
pub fn opt_b(item: &Item, name: &str) -> Option<Vec<u8>> {
    item.get(name)
        .and_then(|value| value.as_b().ok())
        .map(|blob| blob.as_ref().to_vec())
}

/// A map of strings.
pub fn map_s<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> AttributeValue {
    let pairs = pairs.into_iter();
    AttributeValue::M(
        pairs
            .map(|(name, value)| (name.clone(), s(value)))
            .collect(),
    )
}

/// Reads a map of strings; absent means empty.
pub fn read_map_s(item: &Item, name: &str) -> BTreeMap<String, String> {
    let pairs = item.get(name).and_then(|value| value.as_m().ok());
    let pairs = pairs.into_iter().flatten();
    pairs
        .filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())))
        .collect()
}

/// Reads a list of strings; absent means empty.
pub fn list_s(item: &Item, name: &str) -> Vec<String> {
    let values = item.get(name).and_then(|value| value.as_l().ok());
    values
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_s().ok().cloned())
        .collect()
}
