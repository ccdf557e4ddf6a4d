//! The conditional writes of a refresh: claim, save, close, refuse. Each says what to make of a lost acknowledgement:
//! the SDK may repeat a write whose answer was lost, and then meets the row as it left it itself.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{Ailment, Connections, name_of};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::problem::Reason;
use crate::table::{Error, Item, PK, b, get_n, map_s, n, opt_b, opt_n, opt_s, s, time};

/// A claim to be made on a connection as it was read.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// The row the decision was made on.
    pub seen: &'a Connection,
    /// Names this claim and no other: `{instance}.{random}`.
    pub owner: &'a str,
    /// Fingerprint of the refresh token to be spent.
    pub fingerprint: &'a [u8],
    /// Now.
    pub now: Timestamp,
    /// When the lease lapses.
    pub until: Timestamp,
}

/// A claim that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its epoch.
    pub epoch: i64,
}

/// New tokens, sealed for the connection's place.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// Sealed refresh token and its fingerprint, where the answer brought another one.
    pub refresh_token: Option<(Vec<u8>, Vec<u8>)>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Its lifetime, seconds.
    pub lifetime_seconds: Option<i64>,
    /// When the refresh token ends, where the answer says so.
    pub refresh_expires_at: Option<Timestamp>,
    /// The pinned fields as they are to be from now on, where the answer changed any.
    pub fields: Option<BTreeMap<String, String>>,
    /// The partition of the due index to move to, where the row lies in another one.
    pub due: Option<String>,
    /// Set where a call asked for the renewal, which is a use.
    pub used_at: Option<Timestamp>,
}

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveOutcome {
    /// Stored under this version (now, or by an earlier try of ours).
    Saved(i64),
    /// Stored under this version, over a token that a recovery had given up for lost: the connection is back.
    Revived(i64),
    /// The same grant has got other tokens meanwhile. Ours are of its family: to revoke them could end it.
    Superseded,
    /// The row is another grant's, or given up: our tokens are nobody's.
    FencedOut,
}

/// What a claim finds its row to be when it saves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClaimedRow {
    Connected,
    GivenUp,
}

/// How a claim ends that stored nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Lease and attempt are removed: what is to be done was done by somebody else.
    Released,
    /// Lease and attempt are removed; no token call before the instant.
    BackOff(Timestamp),
    /// The lease is removed, the attempt stays open: the outcome is unknown. No recovery before the instant.
    Unknown(Timestamp),
    /// As unknown, and one more unclear refusal is counted.
    UnclearRefusal(Timestamp),
}

impl Connections {
    /// Takes the right to call the token endpoint: lease, epoch and write-ahead record in one conditional update.
    /// `None` when the row is not as seen, or somebody else holds it: nothing may be sent.
    ///
    /// # Errors
    /// See [`Error`]: nothing may be sent.
    pub async fn claim(&self, claim: Claim<'_>) -> Result<Option<Claimed>, Error> {
        let seen = claim.seen;
        let mut condition =
            "g = :g AND v = :v AND h = :connected AND (attribute_not_exists(lu) OR lu <= :now)"
                .to_owned();
        let mut update = self
            .update(seen)
            .update_expression(
                "SET lo = :owner, lu = :until, e = e + :one, we = e + :one, wf = :f, wt = :now, wo = :owner REMOVE bo",
            )
            .return_values(ReturnValue::UpdatedNew)
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":v", n(seen.version))
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":now", time(claim.now))
            .expression_attribute_values(":until", time(claim.until))
            .expression_attribute_values(":owner", s(claim.owner))
            .expression_attribute_values(":f", b(claim.fingerprint.to_vec()))
            .expression_attribute_values(":one", n(1));
        match &seen.attempt {
            // Recovery takes over exactly the attempt it judged.
            Some(attempt) => {
                condition.push_str(" AND we = :seen");
                update = update.expression_attribute_values(":seen", n(attempt.epoch));
            }
            None => condition.push_str(" AND attribute_not_exists(we)"),
        }
        match judged(update.condition_expression(condition).send().await)? {
            Judged::Done(item) => Ok(Some(Claimed {
                epoch: get_n(&item, "e")?,
            })),
            Judged::Refused(item) => {
                let ours = opt_s(&item, "lo").as_deref() == Some(claim.owner);
                ours.then(|| get_n(&item, "e").map(|epoch| Claimed { epoch }))
                    .transpose()
            }
        }
    }

    /// Gives back a claim of which nobody knows whether it was applied, and after which nothing was sent. Does nothing when
    /// it was not. A recovery's attempt stays as open as it was.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn unclaim(&self, seen: &Connection, owner: &str) -> Result<(), Error> {
        let expression = match seen.attempt {
            Some(_) => "REMOVE lo, lu",
            None => "REMOVE lo, lu, we, wf, wt, wn, wo",
        };
        let update = self
            .update(seen)
            .update_expression(expression)
            .condition_expression("lo = :owner")
            .expression_attribute_values(":owner", s(owner));
        judged(update.send().await).map(drop)
    }

    /// Stores the answer of the token endpoint: only over the very refresh token that was spent, only in the same grant.
    /// Where the refresh token stays the same, the epoch decides, and the open attempt makes a repeated write fail. Health is not touched: on a row disconnected meanwhile
    /// the tokens are stored so that they can be revoked.
    ///
    /// # Errors
    /// See [`Error`]: try again until the deadline, the tokens exist nowhere else.
    pub async fn save(
        &self,
        seen: &Connection,
        spent: &[u8],
        claimed: &Claimed,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<SaveOutcome, Error> {
        let connected = ClaimedRow::Connected;
        let row = match self
            .save_owned(seen, spent, claimed, tokens, now, connected)
            .await?
        {
            Judged::Done(item) => return Ok(SaveOutcome::Saved(get_n(&item, "v")?)),
            Judged::Refused(row) => row,
        };
        if let Some(outcome) = already_saved(seen, tokens, &row) {
            return Ok(outcome);
        }
        let same_token = opt_s(&row, "g").as_ref() == Some(&seen.grant_id)
            && opt_b(&row, "f").as_deref() == Some(spent);
        if same_token && opt_n(&row, "we") == Some(claimed.epoch) {
            // Given up meanwhile: stored all the same, so that they can be revoked. Health and cohort are not ours to touch.
            let given_up = ClaimedRow::GivenUp;
            match self
                .save_owned(seen, spent, claimed, tokens, now, given_up)
                .await?
            {
                Judged::Done(item) => return Ok(SaveOutcome::Saved(get_n(&item, "v")?)),
                Judged::Refused(row) => {
                    if let Some(outcome) = already_saved(seen, tokens, &row) {
                        return Ok(outcome);
                    }
                }
            }
        }
        if tokens.refresh_token.is_none() || !same_token {
            return Ok(fenced(seen, &row));
        }
        self.save_successor(seen, spent, tokens, now).await
    }

    /// The save of a claim that is still the newest.
    async fn save_owned(
        &self,
        seen: &Connection,
        spent: &[u8],
        claimed: &Claimed,
        tokens: &Tokens,
        now: Timestamp,
        row: ClaimedRow,
    ) -> Result<Judged, Error> {
        let mut sets = set_tokens(tokens);
        let mut removes = "lo, lu, we, wf, wt, wn, wo, bo".to_owned();
        let mut condition = "g = :g AND f = :spent AND e = :e AND we = :e".to_owned();
        let mut update = self
            .save_update(seen, tokens, now)
            .expression_attribute_values(":spent", b(spent.to_vec()));
        if row == ClaimedRow::Connected {
            condition.push_str(" AND h = :connected");
            removes.push_str(", u");
            update = update.expression_attribute_values(":connected", s("connected"));
            if let Some(due) = &tokens.due {
                sets.push_str(", d = :d");
                update = update.expression_attribute_values(":d", s(due));
            }
            if let Some(used_at) = tokens.used_at {
                sets.push_str(", us = :us");
                update = update.expression_attribute_values(":us", time(used_at));
            }
        }
        let expression = format!("{sets} REMOVE {removes}{}", remove_expiry(tokens));
        let update = update
            .update_expression(expression)
            .condition_expression(condition)
            .expression_attribute_values(":e", n(claimed.epoch));
        judged(update.send().await)
    }

    /// The save of a claim that is not the newest any more, while the stored token is still the one it spent: ours is the
    /// only live successor. Another's lease is left alone: whoever holds it will find a newer version. Where a recovery
    /// has given the connection up for lost meanwhile, it is found.
    async fn save_successor(
        &self,
        seen: &Connection,
        spent: &[u8],
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<SaveOutcome, Error> {
        let sets = set_tokens(tokens);
        let expiry = remove_expiry(tokens);
        let found = self
            .save_update(seen, tokens, now)
            .expression_attribute_values(":spent", b(spent.to_vec()))
            .update_expression(format!(
                "{sets}, h = :connected, hs = :now REMOVE hr, u, bo{expiry}"
            ))
            .condition_expression("g = :g AND f = :spent AND h = :lost AND hr = :reason")
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":lost", s("reauthorise"))
            .expression_attribute_values(":reason", s(name_of(Reason::RotationLost)));
        let row = match judged(found.send().await)? {
            Judged::Done(item) => return Ok(SaveOutcome::Revived(get_n(&item, "v")?)),
            Judged::Refused(row) => row,
        };
        if let Some(outcome) = already_saved(seen, tokens, &row) {
            return Ok(outcome);
        }
        let remove = match expiry.strip_prefix(',') {
            Some(names) => format!(" REMOVE{names}"),
            None => String::new(),
        };
        let update = self
            .save_update(seen, tokens, now)
            .expression_attribute_values(":spent", b(spent.to_vec()))
            .update_expression(format!("{sets}{remove}"))
            .condition_expression("g = :g AND f = :spent");
        match judged(update.send().await)? {
            Judged::Done(item) => Ok(SaveOutcome::Saved(get_n(&item, "v")?)),
            Judged::Refused(row) => {
                Ok(already_saved(seen, tokens, &row).unwrap_or_else(|| fenced(seen, &row)))
            }
        }
    }

    /// Ends a claim that stored nothing. Does nothing when the claim is no longer the newest, or has ended already.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn close(
        &self,
        seen: &Connection,
        claimed: &Claimed,
        closing: Closing,
    ) -> Result<(), Error> {
        // What is given up lies in the index of unhealthy rows under another name, and stays there.
        const FAILING: &str = "SET bo = :until, u = if_not_exists(u, :failing)";
        let (expression, until) = match closing {
            Closing::Released => ("REMOVE lo, lu, we, wf, wt, wn, wo".to_owned(), None),
            Closing::BackOff(until) => (
                format!("{FAILING} REMOVE lo, lu, we, wf, wt, wn, wo"),
                Some(until),
            ),
            Closing::Unknown(until) => (format!("{FAILING} REMOVE lo, lu"), Some(until)),
            Closing::UnclearRefusal(until) => (
                format!("{FAILING}, wn = if_not_exists(wn, :zero) + :one REMOVE lo, lu"),
                Some(until),
            ),
        };
        let mut update = self
            .update(seen)
            .update_expression(expression)
            .condition_expression("g = :g AND e = :e AND attribute_exists(lo)")
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":e", n(claimed.epoch));
        if let Some(until) = until {
            let failing = self.ailing(Ailment::Failing, &seen.key.pk());
            update = update
                .expression_attribute_values(":until", time(until))
                .expression_attribute_values(":failing", failing);
        }
        if matches!(closing, Closing::UnclearRefusal(_)) {
            update = update
                .expression_attribute_values(":zero", n(0))
                .expression_attribute_values(":one", n(1));
        }
        judged(update.send().await).map(drop)
    }

    pub(super) fn save_update(
        &self,
        seen: &Connection,
        tokens: &Tokens,
        now: Timestamp,
    ) -> UpdateItemFluentBuilder {
        let mut update = self
            .update(seen)
            .return_values(ReturnValue::UpdatedNew)
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":a", b(tokens.access_token.clone()))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":one", n(1));
        if let Some((sealed, fingerprint)) = &tokens.refresh_token {
            update = update
                .expression_attribute_values(":r", b(sealed.clone()))
                .expression_attribute_values(":f", b(fingerprint.clone()));
        }
        if let (Some(expires_at), Some(lifetime)) = (tokens.expires_at, tokens.lifetime_seconds) {
            update = update
                .expression_attribute_values(":x", time(expires_at))
                .expression_attribute_values(":l", n(lifetime));
        }
        if let Some(until) = tokens.refresh_expires_at {
            update = update.expression_attribute_values(":rx", time(until));
        }
        if let Some(fields) = &tokens.fields {
            update = update.expression_attribute_values(":fl", map_s(fields));
        }
        update
    }

    pub(super) fn update(&self, seen: &Connection) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(seen.key.pk()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// Whether the row holds our tokens already. No other write makes the same sealed bytes: each has a salt of its own.
fn already_saved(seen: &Connection, tokens: &Tokens, row: &Item) -> Option<SaveOutcome> {
    let ours = opt_s(row, "g").as_ref() == Some(&seen.grant_id)
        && opt_b(row, "a").as_ref() == Some(&tokens.access_token);
    ours.then(|| opt_n(row, "v").map(SaveOutcome::Saved))
        .flatten()
}

fn fenced(seen: &Connection, row: &Item) -> SaveOutcome {
    let lives_on = opt_s(row, "g").as_ref() == Some(&seen.grant_id)
        && opt_s(row, "h").is_some_and(|health| health != "disconnected");
    if lives_on {
        SaveOutcome::Superseded
    } else {
        SaveOutcome::FencedOut
    }
}

pub(super) fn set_tokens(tokens: &Tokens) -> String {
    let mut sets = "SET a = :a, v = v + :one, sv = :now".to_owned();
    if tokens.refresh_token.is_some() {
        sets.push_str(", r = :r, f = :f");
    }
    if tokens.expires_at.is_some() && tokens.lifetime_seconds.is_some() {
        sets.push_str(", x = :x, l = :l");
    }
    if tokens.refresh_expires_at.is_some() {
        sets.push_str(", rx = :rx");
    }
    if tokens.fields.is_some() {
        sets.push_str(", fl = :fl");
    }
    sets
}

/// An answer without expiry must not inherit the former one, nor a new refresh token the end of the spent one.
pub(super) fn remove_expiry(tokens: &Tokens) -> &'static str {
    let ends = tokens.expires_at.is_some() && tokens.lifetime_seconds.is_some();
    let is_rotated_without_end =
        tokens.refresh_token.is_some() && tokens.refresh_expires_at.is_none();
    match (ends, is_rotated_without_end) {
        (true, false) => "",
        (true, true) => ", rx",
        (false, false) => ", x, l",
        (false, true) => ", x, l, rx",
    }
}

/// A conditional write, judged.
pub(crate) enum Judged {
    /// Applied; the attributes asked for.
    Done(Item),
    /// The condition failed; the row as it stands.
    Refused(Item),
}

pub(crate) fn judged(
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Judged, Error> {
    match result {
        Ok(output) => Ok(Judged::Done(output.attributes.unwrap_or_default())),
        Err(error) => match error.into_service_error() {
            UpdateItemError::ConditionalCheckFailedException(refused) => {
                Ok(Judged::Refused(refused.item.unwrap_or_default()))
            }
            _ => Err(Error::Unavailable),
        },
    }
}
