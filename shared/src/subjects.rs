//! EDGE. Which connections share one account at a provider, and who is revoking there.
//!
//! The set is a hint, the rows are the truth: a key that is in the set and whose row does not live on the account is stale,
//! and whoever meets it takes it out. What makes a decision on a set safe is the mark of whoever joined last: a revocation
//! takes its lease, and an exclusive activation joins, only while that mark is the one they saw.
//!
//! | attribute | is | attribute | is |
//! |---|---|---|---|
//! | `o` | keys of the connections that live on the account | `lo`, `lu` | lease of a revocation in flight |
//! | `n` | grant that joined last | `rv` | when a revocation there ended last |
//! | `cr` | more have joined than are listed | | |

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};

use crate::clock::Timestamp;
use crate::connections::{Judged, judged};
use crate::table::{Error, PK, TTL, n, opt_s, opt_time, s, time};

/// More connections on one account are not listed: an item holds 400 KB.
const LISTED: usize = 200;

/// Names one account at a provider: the passport, and a keyed digest of the account's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectKey {
    /// Passport id.
    pub passport: String,
    /// Keyed digest of the account's id.
    pub digest: String,
}

impl SubjectKey {
    /// Of `passport`.
    pub fn new(passport: &str, digest: &str) -> Self {
        Self {
            passport: passport.to_owned(),
            digest: digest.to_owned(),
        }
    }

    fn pk(&self) -> String {
        format!("SUBJECT#{}#{}", self.passport, self.digest)
    }
}

/// An account as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Partition keys of the main rows that joined it.
    pub holders: BTreeSet<String>,
    /// Whether there are more than are listed.
    pub crowded: bool,
    /// The grant that joined last.
    pub joined: Option<String>,
    /// Until when somebody may be revoking there.
    pub revoking_until: Option<Timestamp>,
    /// When the last revocation there ended.
    pub revoked_at: Option<Timestamp>,
}

/// An activation's part in an account.
#[derive(Clone, Debug)]
pub struct Join {
    /// The account.
    pub key: SubjectKey,
    /// The account as it was judged.
    pub seen: Subject,
    /// Whether nobody may have joined since.
    pub exclusive: bool,
}

impl Join {
    /// The update that enters the connection `holder` with its new grant: refused while a revocation is in flight.
    pub(crate) fn update(
        &self,
        table: &str,
        holder: &str,
        grant_id: &str,
        now: Timestamp,
    ) -> UpdateBuilder {
        let mut condition = "(attribute_not_exists(lu) OR lu <= :now)".to_owned();
        let mut update = Update::builder()
            .table_name(table)
            .key(PK, s(self.key.pk()))
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":grant", s(grant_id));
        update = if self.seen.holders.len() < LISTED || self.seen.holders.contains(holder) {
            update
                .update_expression("SET n = :grant REMOVE lo, lu, #ttl ADD o :holder")
                .expression_attribute_values(":holder", one(holder))
        } else {
            update
                .update_expression("SET n = :grant, cr = :crowded REMOVE lo, lu, #ttl")
                .expression_attribute_values(":crowded", AttributeValue::Bool(true))
        };
        if self.exclusive {
            match &self.seen.joined {
                Some(joined) => {
                    condition.push_str(" AND n = :joined");
                    update = update.expression_attribute_values(":joined", s(joined));
                }
                None => condition.push_str(" AND attribute_not_exists(n)"),
            }
        }
        update.condition_expression(condition)
    }
}

/// The table of accounts.
#[derive(Clone, Debug)]
pub struct Subjects {
    client: Client,
    table: String,
}

impl Subjects {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// An account, strongly. One nobody has joined is empty.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, key: &SubjectKey) -> Result<Subject, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
            .consistent_read(true)
            .send()
            .await?;
        let item = output.item.unwrap_or_default();
        let holders = item.get("o").and_then(|holders| holders.as_ss().ok());
        Ok(Subject {
            holders: holders.into_iter().flatten().cloned().collect(),
            crowded: item.contains_key("cr"),
            joined: opt_s(&item, "n"),
            revoking_until: opt_time(&item, "lu"),
            revoked_at: opt_time(&item, "rv"),
        })
    }

    /// Takes the right to revoke there. False when somebody has joined since it was seen, or another revocation is in flight.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take(
        &self,
        key: &SubjectKey,
        seen: &Subject,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let free = "(attribute_not_exists(lu) OR lu <= :now OR lo = :owner)";
        let update = self
            .update(key)
            .update_expression("SET lo = :owner, lu = :until")
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":until", time(until));
        let update = match &seen.joined {
            Some(joined) => update
                .condition_expression(format!("{free} AND n = :joined"))
                .expression_attribute_values(":joined", s(joined)),
            None => update.condition_expression(format!("{free} AND attribute_not_exists(n)")),
        };
        Ok(matches!(judged(update.send().await)?, Judged::Done(_)))
    }

    /// Gives that right back. For an hour it is known that something was revoked there: whoever got tokens before looks at
    /// them again before joining.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn give_back(
        &self,
        key: &SubjectKey,
        owner: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update = self
            .update(key)
            .update_expression("SET rv = :now, #ttl = :ttl REMOVE lo, lu")
            .condition_expression("lo = :owner AND attribute_not_exists(o)")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":ttl", n(now.plus_seconds(3_600).seconds()));
        if matches!(judged(update.send().await)?, Judged::Done(_)) {
            return Ok(());
        }
        let update = self
            .update(key)
            .update_expression("SET rv = :now REMOVE lo, lu")
            .condition_expression("lo = :owner")
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":now", time(now));
        judged(update.send().await).map(drop)
    }

    /// Takes `holder` out of the account, if nobody has joined since it was `seen`, and forgets an account nobody lives on.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn leave(&self, key: &SubjectKey, seen: &Subject, holder: &str) -> Result<(), Error> {
        self.take_out(key, seen, holder).await?;
        if seen.holders.iter().any(|other| other != holder) {
            return Ok(());
        }
        self.forget_empty(key).await
    }

    /// Takes `holder` out of the account, if nobody has joined since it was `seen`. Who joined last stays known.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_out(
        &self,
        key: &SubjectKey,
        seen: &Subject,
        holder: &str,
    ) -> Result<(), Error> {
        let Some(joined) = seen
            .joined
            .as_ref()
            .filter(|_| seen.holders.contains(holder))
        else {
            return Ok(());
        };
        let update = self
            .update(key)
            .update_expression("DELETE o :holder")
            .condition_expression("n = :joined")
            .expression_attribute_values(":holder", one(holder))
            .expression_attribute_values(":joined", s(joined));
        judged(update.send().await).map(drop)
    }

    async fn forget_empty(&self, key: &SubjectKey) -> Result<(), Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
            .condition_expression(
                "attribute_not_exists(o) AND attribute_not_exists(lo) AND attribute_not_exists(cr) AND attribute_not_exists(rv)",
            )
            .send()
            .await;
        match deleted {
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

    fn update(&self, key: &SubjectKey) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(key.pk()))
    }
}

fn one(holder: &str) -> AttributeValue {
    AttributeValue::Ss(vec![holder.to_owned()])
}
