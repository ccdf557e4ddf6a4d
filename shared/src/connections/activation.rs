//! Activation: a grant becomes a connection's, all slots in one transaction.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};

use super::{Connections, Details};
use crate::clock::Timestamp;
use crate::cohort::Cycle;
use crate::connection::Connection;
use crate::flow::{Stage, flow_pk};
use crate::grants::Stray;
use crate::subjects::Join;
use crate::table::{ConnectionKey, DOC, Error, PK, b, map_s, n, s, time};

/// The row is as it was read.
const AS_SEEN: &str = "g = :g AND v = :v AND e = :e";

/// A grant that becomes a connection.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// New random id, one for all slots.
    pub grant_id: String,
    /// The tokens, by slot.
    pub tokens: Vec<NewTokens>,
    /// The passport's configuration it was made with.
    pub config_version: String,
    /// Account, scopes, who connected.
    pub details: Details,
    /// Its part in the account's record, where the account is known.
    pub join: Option<Join>,
}

/// One slot's tokens of a new grant, sealed for its row.
#[derive(Clone, Debug)]
pub struct NewTokens {
    /// The slot; empty is the main one.
    pub slot: String,
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// Sealed refresh token (or what stands in its place) and its fingerprint.
    pub refresh_token: Option<(Vec<u8>, Vec<u8>)>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Its lifetime, seconds.
    pub lifetime_seconds: Option<i64>,
    /// When the refresh token ends, where the provider says so.
    pub refresh_expires_at: Option<Timestamp>,
    /// Pinned fields, by name.
    pub fields: BTreeMap<String, String>,
    /// How often it will be looked at.
    pub cycle: Cycle,
}

impl Connections {
    /// Makes `grant` the connection's grant and ends its flow, in one transaction, over the rows as `seen` (one for every
    /// slot the passport can have). A row whose slot the grant does not bring is removed. What the rows hold of a former
    /// grant goes on record as stray in the same transaction. False when a row, the flow or the account's record changed
    /// meanwhile: read again and decide anew.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn activate(
        &self,
        key: &ConnectionKey,
        seen: &[(String, Option<Connection>)],
        grant: &NewGrant,
        flow: (&str, Stage),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut writes = self.client.transact_write_items();
        for (slot, seen) in seen {
            let tokens = grant.tokens.iter().find(|tokens| tokens.slot == *slot);
            let write = match (tokens, seen) {
                (Some(tokens), seen) => {
                    let put = self.put_of(key, grant, tokens, seen.as_ref(), now);
                    let put = put.build().map_err(|_| Error::Corrupt)?;
                    TransactWriteItem::builder().put(put)
                }
                (None, Some(seen)) => {
                    let delete = Delete::builder()
                        .table_name(&self.table)
                        .key(PK, s(seen.key.pk()))
                        .condition_expression(AS_SEEN)
                        .expression_attribute_values(":g", s(&seen.grant_id))
                        .expression_attribute_values(":v", n(seen.version))
                        .expression_attribute_values(":e", n(seen.epoch));
                    let delete = delete.build().map_err(|_| Error::Corrupt)?;
                    TransactWriteItem::builder().delete(delete)
                }
                (None, None) => continue,
            };
            writes = writes.transact_items(write.build());
        }
        let rows = seen.iter().filter_map(|(_, row)| row.as_ref());
        for stray in rows.filter_map(|row| Stray::of_row(row, now)) {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(stray.item(&self.shards)))
                .build()
                .map_err(|_| Error::Corrupt)?;
            writes = writes.transact_items(TransactWriteItem::builder().put(put).build());
        }
        if let Some(join) = &grant.join {
            let update = join
                .update(&self.table, &key.in_slot("").pk(), &grant.grant_id, now)
                .build()
                .map_err(|_| Error::Corrupt)?;
            writes = writes.transact_items(TransactWriteItem::builder().update(update).build());
        }
        let details = Put::builder()
            .table_name(&self.table)
            .item(PK, s(key.details_pk()))
            .item(
                DOC,
                s(serde_json::to_string(&grant.details).map_err(|_| Error::Corrupt)?),
            );
        let (flow, stage) = flow;
        let end = Update::builder()
            .table_name(&self.table)
            .key(PK, s(flow_pk(flow)))
            .update_expression("SET st = :to REMOVE tk, d")
            .condition_expression("st = :from")
            .expression_attribute_values(":from", s(stage.text()))
            .expression_attribute_values(":to", s(Stage::Done.text()));
        let (Ok(details), Ok(end)) = (details.build(), end.build()) else {
            return Err(Error::Corrupt);
        };
        let written = writes
            .transact_items(TransactWriteItem::builder().put(details).build())
            .transact_items(TransactWriteItem::builder().update(end).build())
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_transaction_canceled_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn put_of(
        &self,
        key: &ConnectionKey,
        grant: &NewGrant,
        tokens: &NewTokens,
        seen: Option<&Connection>,
        now: Timestamp,
    ) -> PutBuilder {
        let mut put = Put::builder()
            .table_name(&self.table)
            .item(PK, s(key.in_slot(&tokens.slot).pk()))
            .item("g", s(&grant.grant_id))
            .item("a", b(tokens.access_token.clone()))
            // Version and epoch go on rising across grants: whoever waits for "newer than the one I saw" is answered.
            .item("v", n(seen.map_or(0, |seen| seen.version) + 1))
            .item("e", n(seen.map_or(0, |seen| seen.epoch) + 1))
            .item("h", s("connected"))
            .item("hs", time(now))
            .item("c", time(now))
            .item("sv", time(now))
            .item("us", time(now))
            .item(
                "d",
                self.due_partition(tokens.cycle, &key.in_slot(&tokens.slot).pk()),
            )
            .item("cv", s(&grant.config_version));
        if let Some((sealed, fingerprint)) = &tokens.refresh_token {
            put = put
                .item("r", b(sealed.clone()))
                .item("f", b(fingerprint.clone()));
        }
        if let (Some(expires_at), Some(lifetime)) = (tokens.expires_at, tokens.lifetime_seconds) {
            put = put.item("x", time(expires_at)).item("l", n(lifetime));
        }
        if let Some(until) = tokens.refresh_expires_at {
            put = put.item("rx", time(until));
        }
        if let Some(join) = &grant.join {
            put = put.item("sb", s(&join.key.digest));
        }
        if !tokens.fields.is_empty() {
            put = put.item("fl", map_s(&tokens.fields));
        }
        match seen {
            Some(seen) => put
                .condition_expression(AS_SEEN)
                .expression_attribute_values(":g", s(&seen.grant_id))
                .expression_attribute_values(":v", n(seen.version))
                .expression_attribute_values(":e", n(seen.epoch)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        }
    }
}
