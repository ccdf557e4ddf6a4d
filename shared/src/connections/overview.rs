//! Connections as the console sees them: without what is sealed, and without what was kept of token replies. A projection
//! leaves these in the table, so that no secret is ever in the console's memory; IAM can hold it to the same attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{BATCH, Connections, Details, reason};
use crate::clock::Timestamp;
use crate::cohort::Cycle;
use crate::connection::RevocationResult;
use crate::problem::Reason;
use crate::table::{ConnectionKey, DOC, Error, Item, PK, get_s, opt_n, opt_s, opt_time, s};

/// What is read of a hot row: neither `a`, `r`, `f`, `wf` nor `fl`.
pub const OVERVIEW_ATTRIBUTES: [&str; 15] = [
    "pk", "h", "hr", "hs", "x", "rx", "sv", "us", "c", "bo", "d", "rr", "ra", "rn", "doc",
];

/// One connection, or slot of one, without anything secret.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Which.
    pub key: ConnectionKey,
    /// `connected`, `reauthorise` or `disconnected`, as stored.
    pub health: String,
    /// Why, where it is not connected.
    pub reason: Option<Reason>,
    /// When its health last changed.
    pub health_since: Option<Timestamp>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends.
    pub refresh_expires_at: Option<Timestamp>,
    /// When tokens were last stored.
    pub saved_at: Option<Timestamp>,
    /// When it was last noted as used.
    pub used_at: Option<Timestamp>,
    /// When the account was connected.
    pub connected_at: Option<Timestamp>,
    /// No token call before.
    pub backoff_until: Option<Timestamp>,
    /// What became of the revocation: result, when, attempts.
    pub revocation: Option<(RevocationResult, Timestamp, i64)>,
    /// Account, and who connected it.
    pub details: Details,
    /// Partition of the due index.
    due: Option<String>,
}

impl Overview {
    /// When the schedule looks at it next, at or after `now`; `None` where it does not.
    pub fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let partition = self.due.as_deref()?;
        let cycle = Cycle::of_partition(partition)?;
        let slot: u32 = partition.split('#').nth(1)?.parse().ok()?;
        let minute = now.seconds().div_euclid(60) + 1;
        let ahead = (0..i64::from(cycle.minutes())).find(|n| cycle.slot_of(minute + n) == slot)?;
        let looked_at = Timestamp::from_seconds((minute + ahead) * 60);
        Some(
            self.backoff_until
                .map_or(looked_at, |until| until.max(looked_at)),
        )
    }
}

impl Connections {
    /// What can be seen of several connections, in the order of `keys`; those that are gone are left out. Eventually
    /// consistent: it is looked at by people.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn overview(&self, keys: &[ConnectionKey]) -> Result<Vec<Overview>, Error> {
        let mut all = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let items = self.projected(keys).await?;
            for key in keys {
                if let Some(row) = items.get(&key.pk()) {
                    all.push(overview(key, row, items.get(&key.details_pk()))?);
                }
            }
        }
        Ok(all)
    }

    async fn projected(&self, keys: &[ConnectionKey]) -> Result<HashMap<String, Item>, Error> {
        let pks = keys.iter().flat_map(|key| [key.pk(), key.details_pk()]);
        let mut pks: Vec<String> = pks.collect();
        pks.sort();
        pks.dedup();
        let named = |name: &str| (format!("#{name}"), name.to_owned());
        let names: HashMap<String, String> = OVERVIEW_ATTRIBUTES.into_iter().map(named).collect();
        let projection: Vec<String> = names.keys().cloned().collect();
        let mut request = KeysAndAttributes::builder()
            .projection_expression(projection.join(", "))
            .set_expression_attribute_names(Some(names));
        for pk in pks {
            request = request.keys(Item::from([(PK.to_owned(), s(pk))]));
        }
        let request = request.build().map_err(|_| Error::Corrupt)?;
        let read = self.client.batch_get_item();
        let read = read.request_items(&self.table, request).send().await?;
        if read.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Error::Unavailable);
        }
        let items = read.responses.unwrap_or_default().remove(&self.table);
        let items = items.unwrap_or_default().into_iter();
        items.map(|item| Ok((get_s(&item, PK)?, item))).collect()
    }
}

fn overview(key: &ConnectionKey, row: &Item, details: Option<&Item>) -> Result<Overview, Error> {
    let details = match details {
        Some(item) => serde_json::from_str(&get_s(item, DOC)?).map_err(|_| Error::Corrupt)?,
        None => Details::default(),
    };
    let revocation = match (opt_s(row, "rr"), opt_time(row, "ra")) {
        (Some(result), Some(at)) => {
            let result = serde_json::from_value(result.into()).map_err(|_| Error::Corrupt)?;
            Some((result, at, opt_n(row, "rn").unwrap_or(0)))
        }
        _ => None,
    };
    Ok(Overview {
        key: key.clone(),
        health: get_s(row, "h")?,
        reason: opt_s(row, "hr").map(|stored| reason(Some(stored))),
        health_since: opt_time(row, "hs"),
        expires_at: opt_time(row, "x"),
        refresh_expires_at: opt_time(row, "rx"),
        saved_at: opt_time(row, "sv"),
        used_at: opt_time(row, "us"),
        connected_at: opt_time(row, "c"),
        backoff_until: opt_time(row, "bo"),
        revocation,
        details,
        due: opt_s(row, "d"),
    })
}
