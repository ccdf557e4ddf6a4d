//! The ends of a connection: refused by the provider, given up, revoked.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

use super::renewal::{Claimed, Judged, Tokens, judged, remove_expiry, set_tokens};
use super::{Ailment, Connections, name_of};
use crate::clock::Timestamp;
use crate::cohort::Cycle;
use crate::connection::{Connection, Receipt, RevocationResult};
use crate::problem::Reason;
use crate::table::{ConnectionKey, Error, PK, b, get_n, get_s, n, s, time};

/// What goes when a revocation is over: tokens, claims, and the place in the cohort.
const FORGET: &str = "REMOVE lo, lu, a, r, f, fl, we, wf, wt, wn, wo, bo, d, sb";

impl Connections {
    /// Marks a connection disconnected: unusable from now on, revocation pending. False when there is nothing to
    /// disconnect (any more).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn disconnect(&self, key: &ConnectionKey, now: Timestamp) -> Result<bool, Error> {
        self.give_up(key, None, now).await
    }

    /// As [`disconnect`](Self::disconnect), with a `reason` other than that somebody wanted it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn give_up(
        &self,
        key: &ConnectionKey,
        reason: Option<Reason>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let pk = key.pk();
        let set = "SET h = :h, hs = :now, rr = :rr, ra = :now, rn = :zero, d = :d, u = :u";
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(&pk))
            .expression_attribute_values(":d", self.due_partition(Cycle::Revoke, &pk))
            .expression_attribute_values(":u", self.ailing(Ailment::Revoking, &pk));
        update = match reason {
            Some(reason) => update
                .update_expression(format!("{set}, hr = :hr REMOVE bo"))
                .expression_attribute_values(":hr", s(name_of(reason))),
            None => update.update_expression(format!("{set} REMOVE hr, bo")),
        };
        let update = update
            .condition_expression("attribute_exists(pk) AND h <> :h")
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":rr", s(name_of(RevocationResult::Pending)))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":now", time(now));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Marks a connection as needing re-authorisation, if nothing happened to it since the claim. False otherwise.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn refuse(
        &self,
        seen: &Connection,
        claimed: &Claimed,
        reason: Reason,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .marked(seen, reason, now)
            .condition_expression("g = :g AND v = :v AND e = :e AND h = :connected")
            .expression_attribute_values(":e", n(claimed.epoch));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Marks a connection that cannot be renewed as needing re-authorisation, if nothing happened to it since it was
    /// read. False otherwise.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn end(
        &self,
        seen: &Connection,
        reason: Reason,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .marked(seen, reason, now)
            .condition_expression("g = :g AND v = :v AND h = :connected");
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// The marking as needing re-authorisation, without its condition.
    fn marked(&self, seen: &Connection, reason: Reason, now: Timestamp) -> UpdateItemFluentBuilder {
        let pk = seen.key.pk();
        self.update(seen)
            .update_expression(
                "SET h = :h, hr = :hr, hs = :now, u = :u, d = :d REMOVE lo, lu, we, wf, wt, wn, wo, bo",
            )
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":v", n(seen.version))
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":h", s("reauthorise"))
            .expression_attribute_values(":hr", s(name_of(reason)))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":u", self.ailing(Ailment::Reauthorise, &pk))
            // Nothing is renewed any more; the operator's idle limit still ends it.
            .expression_attribute_values(":d", self.due_partition(Cycle::LONGEST, &pk))
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

    /// Takes the lease of a disconnected connection for its revocation. False when a refresh or another revocation holds it,
    /// and when it is over: whoever decided on a row that was pending and was frozen since must not undo its receipt.
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
                "g = :g AND h = :h AND (attribute_not_exists(rr) OR rr = :pending) \
                 AND (attribute_not_exists(lu) OR lu <= :now OR lo = :owner)",
            )
            .expression_attribute_values(":pending", s(name_of(RevocationResult::Pending)))
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":one", n(1));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Notes, before the refresh token of a given-up row is presented under the lease of its revocation, that nobody may hear
    /// what came of it; or (`fingerprint` is `None`) that somebody did. False when the lease is lost: nothing may be sent.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_spending(
        &self,
        seen: &Connection,
        owner: &str,
        fingerprint: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut update = self
            .update(seen)
            .condition_expression("g = :g AND v = :v AND h = :h AND lo = :owner")
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":v", n(seen.version))
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":owner", s(owner));
        update = match fingerprint {
            Some(fingerprint) => update
                .update_expression("SET we = e, wf = :f, wt = :now, wo = :owner")
                .expression_attribute_values(":f", b(fingerprint.to_vec()))
                .expression_attribute_values(":now", time(now)),
            None => update.update_expression("REMOVE we, wf, wt, wn, wo"),
        };
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Stores what the refresh token of a given-up row was spent for, so that it can be revoked, now or later: answers the
    /// row's version. `None` when the lease is lost.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn renewed_to_revoke(
        &self,
        seen: &Connection,
        owner: &str,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<Option<i64>, Error> {
        let expression = format!(
            "{} REMOVE we, wf, wt, wn, wo{}",
            set_tokens(tokens),
            remove_expiry(tokens)
        );
        let update = self
            .save_update(seen, tokens, now)
            .update_expression(expression)
            // A repeated write meets the row as it left it: our sealed bytes are made by no other.
            .condition_expression("g = :g AND h = :h AND (v = :v AND lo = :owner OR a = :a)")
            .expression_attribute_values(":v", n(seen.version))
            .expression_attribute_values(":h", s("disconnected"))
            .expression_attribute_values(":owner", s(owner));
        match judged(update.send().await)? {
            Judged::Done(item) => Ok(Some(get_n(&item, "v")?)),
            Judged::Refused(_) => Ok(None),
        }
    }

    /// Stores what became of a revocation and gives the lease back. The tokens go with a final result, and stay sealed
    /// with a pending one, which is tried `again` not before then. False when a late save has put other tokens there meanwhile, or the row is another's: nothing
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
        again: Timestamp,
    ) -> Result<bool, Error> {
        // The receipt first; only with it does a row leave its cohort.
        let mut update = self.update(seen);
        update = match receipt.result {
            RevocationResult::Pending => update
                .update_expression("SET rr = :rr, ra = :ra, rn = :rn, bo = :bo REMOVE lo, lu")
                .expression_attribute_values(":bo", time(again)),
            RevocationResult::GaveUp => update
                .update_expression(format!("SET rr = :rr, ra = :ra, rn = :rn, u = :u {FORGET}"))
                .expression_attribute_values(":u", self.ailing(Ailment::GaveUp, &seen.key.pk())),
            RevocationResult::Revoked
            | RevocationResult::AlreadyGone
            | RevocationResult::ProviderHasNone => {
                update.update_expression(format!("SET rr = :rr, ra = :ra, rn = :rn {FORGET}, u"))
            }
        };
        let update = update
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
