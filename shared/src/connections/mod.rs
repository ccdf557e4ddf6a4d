//! EDGE. Connections in the table. The only room that knows their attribute names, which are short because an item above
//! 1 KB writes double.
//!
//! | attribute | is | attribute | is |
//! |---|---|---|---|
//! | `g` | grant id | `lo`, `lu` | lease owner, lease until |
//! | `a`, `r` | sealed access and refresh token | `we`, `wf`, `wt`, `wn`, `wo` | write-ahead record: epoch, fingerprint, started at, refusals, owner |
//! | `f` | fingerprint of the stored refresh token | `h`, `hr`, `hs` | health, reason, since |
//! | `x`, `l` | expires at (ms), lifetime (s) | `bo` | back-off until |
//! | `rx`, `fl` | refresh token expires at (ms), pinned fields | | |
//! | `v`, `e` | version, epoch | `c`, `cv` | connected at, config version |
//! | `sv`, `us` | last save, last use | `rr`, `ra`, `rn` | revocation result, at, attempts |
//! | `d` | partition of the sparse index `due` | `u` | partition of the sparse index `unhealthy` |
//! | `rs` | end of the grant its person was told of | `sb` | digest of the account at the provider |

mod activation;
mod index;
mod lifecycle;
mod overview;
mod renewal;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::{Deserialize, Serialize};

pub use self::activation::{NewGrant, NewTokens};
pub use self::index::{Ailment, DUE_INDEX, Page, UNHEALTHY_INDEX};
pub use self::overview::{OVERVIEW_ATTRIBUTES, Overview};
pub use self::renewal::{Claim, Claimed, Closing, SaveOutcome, Tokens};
pub(crate) use self::renewal::{Judged, judged};
use crate::clock::Timestamp;
use crate::cohort::Shards;
use crate::connection::{Attempt, Connection, Health, Lease, Receipt};
use crate::passport::Passport;
use crate::problem::Reason;
use crate::table::{
    ConnectionKey, DOC, Error, Item, PK, get_n, get_s, opt_b, opt_n, opt_s, opt_time, read_map_s, s,
};

/// What changes rarely: read by status pages only, and kept out of the hot row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The account at the provider.
    #[serde(default)]
    pub account: Option<Account>,
    /// Scopes granted, to whichever slot.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Scopes granted to each slot of the grant, by its name; the main one is `""`. Empty where they were stored without
    /// telling slots apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slot_scopes: BTreeMap<String, Vec<String>>,
    /// Host, organisation, user and widget of whoever connected it: for operators.
    pub host: String,
    /// Organisation id.
    pub organisation: String,
    /// User id.
    pub user: String,
    /// Widget id.
    pub widget: String,
}

impl Details {
    /// Scopes granted to `slot`, as far as slots are told apart.
    pub fn scopes_of(&self, slot: &str) -> &[String] {
        if self.slot_scopes.is_empty() {
            return &self.scopes;
        }
        self.slot_scopes.get(slot).map_or(&[], Vec::as_slice)
    }
}

/// An account at a provider, as its profile names it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Id.
    pub id: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
}

/// Connections whose rows and details one BatchGetItem (100 keys) reads.
const BATCH: usize = 50;

/// A hot row with its details.
pub type Known = (Connection, Details);

/// The table of connections.
#[derive(Clone, Debug)]
pub struct Connections {
    client: Client,
    table: String,
    shards: Shards,
}

impl Connections {
    /// Over `table`.
    pub fn new(client: Client, table: &str, shards: Shards) -> Self {
        Self {
            client,
            table: table.to_owned(),
            shards,
        }
    }

    /// The hot row. Strongly consistent reads cost double: the custodian's decisions need them, a proxy call does not.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(
        &self,
        key: &ConnectionKey,
        consistent: bool,
    ) -> Result<Option<Connection>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
            .consistent_read(consistent)
            .send()
            .await?;
        output.item.map(|item| connection(key, &item)).transpose()
    }

    /// Rows and details of several connections, in the order of `keys`: one round trip for every fifty.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_known(&self, keys: &[ConnectionKey]) -> Result<Vec<Option<Known>>, Error> {
        let mut known = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let items = self.read_batch(keys).await?;
            let find = |pk: &str| {
                items
                    .iter()
                    .find(|item| opt_s(item, PK).as_deref() == Some(pk))
            };
            for key in keys {
                let Some(row) = find(&key.pk()) else {
                    known.push(None);
                    continue;
                };
                let details = match find(&key.details_pk()) {
                    Some(item) => {
                        serde_json::from_str(&get_s(item, DOC)?).map_err(|_| Error::Corrupt)?
                    }
                    None => Details::default(),
                };
                known.push(Some((connection(key, row)?, details)));
            }
        }
        Ok(known)
    }

    /// The slots that may have a row: the passport's, and those the present grant was stored with, which the passport may
    /// have lost since. The main one, `""`, comes last.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn slot_names(
        &self,
        key: &ConnectionKey,
        passport: &Passport,
    ) -> Result<Vec<String>, Error> {
        let known = self.read_known(&[key.in_slot("")]).await?;
        let details = known
            .into_iter()
            .flatten()
            .next()
            .map(|(_, details)| details);
        let stored = details
            .map(|details| details.slot_scopes)
            .unwrap_or_default();
        let lost = stored
            .into_keys()
            .filter(|name| !name.is_empty() && passport.slot(name).is_none());
        let all = lost.chain(passport.slot_names().map(str::to_owned));
        Ok(all.collect())
    }

    async fn read_batch(&self, keys: &[ConnectionKey]) -> Result<Vec<Item>, Error> {
        let mut pks: Vec<String> = keys
            .iter()
            .flat_map(|key| [key.pk(), key.details_pk()])
            .collect();
        pks.sort();
        pks.dedup();
        let mut request = KeysAndAttributes::builder().consistent_read(true);
        for pk in pks {
            request = request.keys(Item::from([(PK.to_owned(), s(pk))]));
        }
        let request = request.build().map_err(|_| Error::Corrupt)?;
        let output = self
            .client
            .batch_get_item()
            .request_items(&self.table, request)
            .send()
            .await?;
        if output
            .unprocessed_keys
            .is_some_and(|unprocessed| !unprocessed.is_empty())
        {
            return Err(Error::Unavailable);
        }
        let mut tables = output.responses.unwrap_or_default();
        Ok(tables.remove(&self.table).unwrap_or_default())
    }

    /// Notes that a connection is used, unless somebody else noted it meanwhile.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_use(&self, key: &ConnectionKey, now: Timestamp) -> Result<(), Error> {
        let noted = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
            .update_expression("SET us = :now")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(us) OR us < :before)",
            )
            .expression_attribute_values(":now", AttributeValue::N(now.millis().to_string()))
            .expression_attribute_values(
                ":before",
                AttributeValue::N(now.plus_seconds(-6 * 3_600).millis().to_string()),
            )
            .send()
            .await;
        match noted {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn connection(key: &ConnectionKey, item: &Item) -> Result<Connection, Error> {
    let lease = match (opt_s(item, "lo"), opt_time(item, "lu")) {
        (Some(owner), Some(until)) => Some(Lease { owner, until }),
        _ => None,
    };
    let attempt = match (opt_n(item, "we"), opt_b(item, "wf"), opt_time(item, "wt")) {
        (Some(epoch), Some(fingerprint), Some(started_at)) => Some(Attempt {
            epoch,
            fingerprint,
            started_at,
            refusals: opt_n(item, "wn").unwrap_or(0),
            owner: opt_s(item, "wo").unwrap_or_default(),
        }),
        _ => None,
    };
    let health = match get_s(item, "h")?.as_str() {
        "connected" => Health::Connected,
        "disconnected" => Health::Disconnected,
        "reauthorise" => Health::NeedsReauthorisation(reason(opt_s(item, "hr"))),
        _ => return Err(Error::Corrupt),
    };
    let receipt = match (opt_s(item, "rr"), opt_time(item, "ra")) {
        (Some(result), Some(at)) => Some(Receipt {
            result: serde_json::from_value(result.into()).map_err(|_| Error::Corrupt)?,
            at: at.rfc3339(),
            attempts: opt_n(item, "rn").unwrap_or(0),
        }),
        _ => None,
    };
    Ok(Connection {
        key: key.clone(),
        grant_id: get_s(item, "g")?,
        access_token: opt_b(item, "a"),
        refresh_token: opt_b(item, "r"),
        fingerprint: opt_b(item, "f"),
        expires_at: opt_time(item, "x"),
        lifetime_seconds: opt_n(item, "l"),
        refresh_expires_at: opt_time(item, "rx"),
        fields: read_map_s(item, "fl"),
        version: get_n(item, "v")?,
        epoch: get_n(item, "e")?,
        lease,
        attempt,
        saved_at: opt_time(item, "sv").ok_or(Error::Corrupt)?,
        used_at: opt_time(item, "us"),
        health,
        given_up_because: opt_s(item, "hr")
            .filter(|_| health == Health::Disconnected)
            .map(|stored| reason(Some(stored))),
        backoff_until: opt_time(item, "bo"),
        config_version: get_s(item, "cv")?,
        connected_at: opt_time(item, "c").ok_or(Error::Corrupt)?,
        receipt,
        due: opt_s(item, "d"),
        subject: opt_s(item, "sb"),
        reminded_for: opt_time(item, "rs"),
        health_since: opt_time(item, "hs"),
    })
}

fn reason(stored: Option<String>) -> Reason {
    stored
        .and_then(|reason| serde_json::from_value(reason.into()).ok())
        .unwrap_or(Reason::ProviderRefused)
}

/// A JSON enum's name, as stored and shown.
fn name_of(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
