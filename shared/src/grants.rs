//! EDGE. Grants that no connection has any more: sealed tokens on record until the provider has taken them back.
//!
//! A record lies in the one-minute cohort from the write that makes it, so whoever makes it may die at once. Its tokens stay
//! sealed for the place they were sealed for first: they are opened for being revoked, and for nothing else.
//!
//! | attribute | is | attribute | is |
//! |---|---|---|---|
//! | `p`, `sl` | passport, slot | `rn`, `bo` | attempts, not before |
//! | `ho`, `g` | item key and grant the tokens are sealed for | `lo` | who makes the latest attempt |
//! | `a`, `r` | sealed access and refresh token | `we` | the refresh token was presented, and nothing came back |
//! | `x`, `l` | expires at (ms), lifetime (s) | `c` | since |
//! | `sb` | digest of the account | `d` | partition of the index `due` |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use crate::clock::Timestamp;
use crate::cohort::{Cycle, Shards};
use crate::connection::Connection;
use crate::connections::{Judged, Tokens, judged};
use crate::digest;
use crate::table::{Error, Item, PK, b, get_n, get_s, n, opt_b, opt_n, opt_s, opt_time, s, time};

/// One slot's tokens that are nobody's any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Passport id.
    pub passport: String,
    /// Key of the item the tokens were sealed for.
    pub home: String,
    /// Grant the tokens were sealed for.
    pub grant_id: String,
    /// The slot; empty is the main one.
    pub slot: String,
    /// Sealed access token.
    pub access_token: Option<Vec<u8>>,
    /// Sealed refresh token.
    pub refresh_token: Option<Vec<u8>>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Its lifetime, seconds.
    pub lifetime_seconds: Option<i64>,
    /// Digest of the account, where it is known.
    pub subject: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// A stray grant as it lies on record.
#[derive(Clone, Debug)]
pub struct StrayRecord {
    /// Partition key.
    pub pk: String,
    /// The grant.
    pub stray: Stray,
    /// Revocations begun so far.
    pub attempts: i64,
    /// Not tried before.
    pub backoff_until: Option<Timestamp>,
    /// Whether its refresh token may have been spent by a call that brought nothing back.
    pub may_be_spent: bool,
}

impl Stray {
    /// What a row holds of its grant; `None` where it holds nothing (any more).
    pub fn of_row(row: &Connection, now: Timestamp) -> Option<Self> {
        if row.access_token.is_none() && row.refresh_token.is_none() {
            return None;
        }
        Some(Self {
            passport: row.key.passport.clone(),
            home: row.key.pk(),
            grant_id: row.grant_id.clone(),
            slot: row.key.slot.clone(),
            access_token: row.access_token.clone(),
            refresh_token: row.refresh_token.clone(),
            expires_at: row.expires_at,
            lifetime_seconds: row.lifetime_seconds,
            subject: row.subject.clone(),
            created_at: now,
        })
    }

    /// Partition key of its record. The same tokens have the same, so that recording them twice is recording them once.
    pub fn pk(&self) -> String {
        let sealed = [&self.access_token, &self.refresh_token];
        let sealed = sealed.map(|sealed| sealed.as_deref().unwrap_or_default());
        let parts = [self.home.as_bytes(), self.grant_id.as_bytes()];
        format!("GRANT#{}", digest::text(parts.into_iter().chain(sealed)))
    }

    /// The record of a grant nobody has tried to revoke yet.
    pub(crate) fn item(&self, shards: &Shards) -> Item {
        let pk = self.pk();
        let always = [
            ("p", s(&self.passport)),
            ("ho", s(&self.home)),
            ("g", s(&self.grant_id)),
            ("sl", s(&self.slot)),
            ("c", time(self.created_at)),
            ("rn", n(0)),
            ("d", s(shards.partition(Cycle::Revoke, &pk))),
            (PK, s(pk)),
        ];
        let optional = [
            ("a", self.access_token.clone().map(b)),
            ("r", self.refresh_token.clone().map(b)),
            ("x", self.expires_at.map(time)),
            ("l", self.lifetime_seconds.map(n)),
            ("sb", self.subject.clone().map(s)),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        always
            .into_iter()
            .chain(optional)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The table of stray grants.
#[derive(Clone, Debug)]
pub struct Grants {
    client: Client,
    table: String,
    shards: Shards,
}

impl Grants {
    /// Over `table`.
    pub fn new(client: Client, table: &str, shards: Shards) -> Self {
        Self {
            client,
            table: table.to_owned(),
            shards,
        }
    }

    /// Whether a partition key is of a record of this room.
    pub fn is_pk(pk: &str) -> bool {
        pk.starts_with("GRANT#")
    }

    /// Records a grant. One that is on record already stays as it is.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put(&self, stray: &Stray) -> Result<(), Error> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(stray.item(&self.shards)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// A record, strongly; `None` once it is over.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, pk: &str) -> Result<Option<StrayRecord>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .consistent_read(true)
            .send()
            .await?;
        output.item.map(|item| record(pk, &item)).transpose()
    }

    /// Counts an attempt and keeps others off until `until`. False when somebody else was faster.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn claim(
        &self,
        seen: &StrayRecord,
        owner: &str,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .update(&seen.pk)
            .update_expression("SET rn = rn + :one, bo = :until, lo = :owner")
            .condition_expression("rn = :seen")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":seen", n(seen.attempts))
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":owner", s(owner));
        Ok(match judged(update.send().await)? {
            Judged::Done(_) => true,
            Judged::Refused(item) => opt_s(&item, "lo").as_deref() == Some(owner),
        })
    }

    /// Puts the next attempt off.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn later(&self, pk: &str, again: Timestamp) -> Result<(), Error> {
        let update = self
            .update(pk)
            .update_expression("SET bo = :again")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":again", time(again));
        judged(update.send().await).map(drop)
    }

    /// Notes, before its refresh token is presented, that nobody may hear what came of it; or that somebody did.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_spending(&self, pk: &str, may_be_spent: bool) -> Result<bool, Error> {
        let mut update = self.update(pk).condition_expression("attribute_exists(pk)");
        update = match may_be_spent {
            true => update
                .update_expression("SET we = :one")
                .expression_attribute_values(":one", n(1)),
            false => update.update_expression("REMOVE we"),
        };
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Stores what its refresh token was spent for, sealed for the same home. False when the record is gone.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn renewed(&self, pk: &str, tokens: &Tokens) -> Result<bool, Error> {
        let mut sets = "SET a = :a".to_owned();
        let mut removes = "REMOVE we".to_owned();
        let mut update = self
            .update(pk)
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":a", b(tokens.access_token.clone()));
        if let Some((sealed, _)) = &tokens.refresh_token {
            sets.push_str(", r = :r");
            update = update.expression_attribute_values(":r", b(sealed.clone()));
        }
        match (tokens.expires_at, tokens.lifetime_seconds) {
            (Some(expires_at), Some(lifetime)) => {
                sets.push_str(", x = :x, l = :l");
                update = update
                    .expression_attribute_values(":x", time(expires_at))
                    .expression_attribute_values(":l", n(lifetime));
            }
            _ => removes.push_str(", x, l"),
        }
        let update = update.update_expression(format!("{sets} {removes}"));
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Forgets a grant: it is over.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self, pk: &str) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .send()
            .await?;
        Ok(())
    }

    fn update(&self, pk: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn record(pk: &str, item: &Item) -> Result<StrayRecord, Error> {
    Ok(StrayRecord {
        pk: pk.to_owned(),
        stray: Stray {
            passport: get_s(item, "p")?,
            home: get_s(item, "ho")?,
            grant_id: get_s(item, "g")?,
            slot: get_s(item, "sl")?,
            access_token: opt_b(item, "a"),
            refresh_token: opt_b(item, "r"),
            expires_at: opt_time(item, "x"),
            lifetime_seconds: opt_n(item, "l"),
            subject: opt_s(item, "sb"),
            created_at: opt_time(item, "c").ok_or(Error::Corrupt)?,
        },
        attempts: get_n(item, "rn")?,
        backoff_until: opt_time(item, "bo"),
        may_be_spent: item.contains_key("we"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::tests::connection;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut row = connection(Some(3_600));
        row.subject = Some("who".into());
        let stray = Stray::of_row(&row, NOW).unwrap();
        let item = stray.item(&Shards::default());
        let read = record(&stray.pk(), &item).unwrap();
        assert_eq!(read.stray, stray);
        assert_eq!((read.attempts, read.backoff_until), (0, None));
        assert!(Grants::is_pk(&read.pk) && !read.may_be_spent);
        assert!(get_s(&item, "d").unwrap().starts_with("revoke#0#"));
    }

    #[test]
    fn the_same_tokens_are_recorded_once_and_others_apart() {
        let row = connection(None);
        let later = Stray::of_row(&row, NOW.plus_seconds(1)).unwrap();
        assert_eq!(Stray::of_row(&row, NOW).unwrap().pk(), later.pk());
        let mut other = row.clone();
        other.access_token = Some(vec![9]);
        assert_ne!(Stray::of_row(&other, NOW).unwrap().pk(), later.pk());
    }

    #[test]
    fn a_row_whose_tokens_are_gone_leaves_nothing_behind() {
        let mut row = connection(None);
        (row.access_token, row.refresh_token) = (None, None);
        assert_eq!(Stray::of_row(&row, NOW), None);
    }
}
