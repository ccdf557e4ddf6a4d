//! Activation, disconnection and revocation of a connection.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};

use super::renewal::{Judged, judged};
use super::{Connections, Details, name_of};
use crate::clock::Timestamp;
use crate::connection::{Connection, Receipt, RevocationResult};
use crate::flow::{Stage, flow_pk};
use crate::table::{ConnectionKey, DOC, Error, PK, b, get_s, map_s, n, s, time};

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
}

impl Connections {
    /// Makes `grant` the connection's grant and ends its flow, in one transaction, over the rows as `seen` (one for every
    /// slot the passport can have). A row whose slot the grant does not bring is removed. False when a row or the flow
    /// changed meanwhile: read again and decide anew.
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
            .update_expression("SET st = :to REMOVE tk")
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

    /// Marks a connection disconnected: unusable from now on, revocation pending. False when there is nothing to
    /// disconnect (any more).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn disconnect(&self, key: &ConnectionKey, now: Timestamp) -> Result<bool, Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
            .update_expression("SET h = :h, hs = :now, rr = :rr, ra = :now, rn = :zero REMOVE hr")
            .condition_expression("attribute_exists(pk) AND h <> :h")
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":rr", s(name_of(RevocationResult::Pending)))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":now", time(now));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Gives back every lease, and ends the wait for holders of open attempts. For `consulate dev` at its start: it has the
    /// table to itself, so whoever holds anything is dead. Scans, which no function may.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn release_the_dead(&self) -> Result<(), Error> {
        let mut left = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("attribute_exists(lo) OR attribute_exists(we)")
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(item) = left.try_next().await? {
            // Unclear refusals are an hour apart, whoever met them.
            let expression = match (item.contains_key("we"), item.contains_key("wn")) {
                (true, false) => "REMOVE lo, lu, bo",
                _ => "REMOVE lo, lu",
            };
            self.client
                .update_item()
                .table_name(&self.table)
                .key(PK, s(get_s(&item, PK)?))
                .update_expression(expression)
                .send()
                .await?;
        }
        Ok(())
    }

    /// Takes the lease of a disconnected connection for its revocation. False when a refresh or another revocation holds it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn claim_revocation(
        &self,
        seen: &Connection,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .update(seen)
            .update_expression("SET lo = :owner, lu = :until, e = e + :one")
            .condition_expression(
                "g = :g AND h = :h AND (attribute_not_exists(lu) OR lu <= :now OR lo = :owner)",
            )
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":one", n(1));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Stores what became of a revocation and gives the lease back. The tokens go with a final result, and stay sealed
    /// with a pending one. False when a late save has put other tokens there meanwhile, or the row is another's: nothing
    /// is removed that was not revoked.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn store_receipt(
        &self,
        seen: &Connection,
        owner: &str,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let expression = match receipt.result {
            RevocationResult::Pending => "SET rr = :rr, ra = :ra, rn = :rn REMOVE lo, lu",
            RevocationResult::Revoked
            | RevocationResult::AlreadyGone
            | RevocationResult::ProviderHasNone
            | RevocationResult::GaveUp => {
                "SET rr = :rr, ra = :ra, rn = :rn REMOVE lo, lu, a, r, f, fl, we, wf, wt, wn, wo, bo"
            }
        };
        let update = self
            .update(seen)
            .update_expression(expression)
            .condition_expression("g = :g AND v = :v AND h = :h AND lo = :owner")
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":v", n(seen.version))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":rr", s(name_of(receipt.result)))
            .expression_attribute_values(":ra", time(now))
            .expression_attribute_values(":rn", n(receipt.attempts));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }
}
