//! EDGE. Settings in the table. The only room that knows their attribute names.
//!
//! | item | attribute | is |
//! |---|---|---|
//! | `SETTINGS#{owner}`: the owner's account | `ks` | ids of the settings there are |
//! | | `b` | bytes of their keys and values |
//! | `SETTING#{owner}#{id}` | `s` | sealed key and value |
//! | | `v` | version, random |
//! | | `z`, `t` | bytes, put at (ms) |
//!
//! A setting is never written without its owner's account: both are in one transaction, whose condition is the version
//! that was read. So the account is the sum of what is there, whatever fails and whoever writes at the same time.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};

use super::Quota;
use crate::clock::Timestamp;
use crate::table::{Error, Item, PK, b, get_n, get_s, n, opt_b, opt_time, s, time};

/// So often a batch read is asked for what it left out.
const READ_TRIES: usize = 4;

/// What is known of a setting without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its version.
    pub version: String,
    /// Bytes of its key and value.
    pub bytes: u64,
}

/// A setting's item.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub id: String,
    pub stored: Stored,
    pub sealed: Vec<u8>,
    pub updated_at: Timestamp,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Done,
    /// The setting is not as it was read, or another write of the same owner was under way.
    Overtaken,
    OverQuota,
}

#[derive(Clone, Debug)]
pub(super) struct Rows {
    client: Client,
    table: String,
}

impl Rows {
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    pub async fn read(&self, owner: &str, id: &str) -> Result<Option<Row>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(setting_pk(owner, id)))
            .consistent_read(true)
            .send()
            .await?;
        output.item.map(|item| row(id, &item)).transpose()
    }

    /// A setting's version and size, without its value.
    pub async fn seen(&self, owner: &str, id: &str) -> Result<Option<Stored>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(setting_pk(owner, id)))
            .consistent_read(true)
            .projection_expression("v, z")
            .send()
            .await?;
        output.item.map(|item| stored(&item)).transpose()
    }

    /// Ids of all settings of an owner.
    pub async fn ids(&self, owner: &str) -> Result<BTreeSet<String>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(account_pk(owner)))
            .consistent_read(true)
            .send()
            .await?;
        let ids = output.item.and_then(|mut item| item.remove("ks"));
        match ids {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(ids)) => Ok(ids.into_iter().collect()),
            Some(_) => Err(Error::Corrupt),
        }
    }

    /// Some settings of an owner, in no order; those that are gone are left out.
    pub async fn read_many(&self, owner: &str, ids: &[String]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::with_capacity(ids.len());
        let mut keys: Vec<Item> = ids
            .iter()
            .map(|id| Item::from([(PK.to_owned(), s(setting_pk(owner, id)))]))
            .collect();
        for _ in 0..READ_TRIES {
            if keys.is_empty() {
                return Ok(rows);
            }
            let request = KeysAndAttributes::builder()
                .consistent_read(true)
                .set_keys(Some(std::mem::take(&mut keys)))
                .build()
                .map_err(|_| Error::Corrupt)?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await?;
            let found = output.responses.and_then(|mut all| all.remove(&self.table));
            for item in found.unwrap_or_default() {
                let pk = get_s(&item, PK)?;
                let id = pk.rsplit('#').next().unwrap_or_default();
                rows.push(row(id, &item)?);
            }
            let left = output.unprocessed_keys;
            if let Some(left) = left.and_then(|mut all| all.remove(&self.table)) {
                keys = left.keys;
            }
        }
        match keys.is_empty() {
            true => Ok(rows),
            false => Err(Error::Unavailable),
        }
    }

    /// Puts a row over what was `seen`, and keeps the account.
    pub async fn put(
        &self,
        owner: &str,
        seen: Option<&Stored>,
        row: &Row,
        quota: Quota,
    ) -> Result<Change, Error> {
        let put = Put::builder()
            .table_name(&self.table)
            .item(PK, s(setting_pk(owner, &row.id)))
            .item("s", b(row.sealed.clone()))
            .item("v", s(&row.stored.version))
            .item("z", n(row.stored.bytes))
            .item("t", time(row.updated_at));
        let put = match seen {
            Some(seen) => put
                .condition_expression("v = :seen")
                .expression_attribute_values(":seen", s(&seen.version)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        };
        let before = seen.map_or(0, |seen| seen.bytes);
        let grows = row.stored.bytes.saturating_sub(before);
        let mut account = Update::builder()
            .table_name(&self.table)
            .key(PK, s(account_pk(owner)))
            .expression_attribute_values(":bytes", n(difference(row.stored.bytes, before)));
        let mut conditions = Vec::new();
        // What takes no more room is always taken, should the quota have become smaller.
        if grows > 0 {
            conditions.push("(attribute_not_exists(b) OR b <= :room)");
            let room = difference(quota.bytes, grows);
            account = account.expression_attribute_values(":room", n(room));
        }
        account = match seen {
            Some(_) => account.update_expression("ADD b :bytes"),
            None => {
                conditions.push("(attribute_not_exists(ks) OR size(ks) < :keys)");
                account
                    .update_expression("ADD b :bytes, ks :id")
                    .expression_attribute_values(":keys", n(quota.keys))
                    .expression_attribute_values(":id", AttributeValue::Ss(vec![row.id.clone()]))
            }
        };
        if !conditions.is_empty() {
            account = account.condition_expression(conditions.join(" AND "));
        }
        let put = put.build().map_err(|_| Error::Corrupt)?;
        let put = TransactWriteItem::builder().put(put).build();
        self.transact(put, account).await
    }

    /// Deletes what was `seen`, and keeps the account.
    pub async fn delete(&self, owner: &str, id: &str, seen: &Stored) -> Result<Change, Error> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key(PK, s(setting_pk(owner, id)))
            .condition_expression("v = :seen")
            .expression_attribute_values(":seen", s(&seen.version))
            .build()
            .map_err(|_| Error::Corrupt)?;
        let account = Update::builder()
            .table_name(&self.table)
            .key(PK, s(account_pk(owner)))
            .update_expression("ADD b :bytes DELETE ks :id")
            .expression_attribute_values(":bytes", n(difference(0, seen.bytes)))
            .expression_attribute_values(":id", AttributeValue::Ss(vec![id.to_owned()]));
        let delete = TransactWriteItem::builder().delete(delete).build();
        self.transact(delete, account).await
    }

    async fn transact(
        &self,
        setting: TransactWriteItem,
        account: aws_sdk_dynamodb::types::builders::UpdateBuilder,
    ) -> Result<Change, Error> {
        let account = account.build().map_err(|_| Error::Corrupt)?;
        // The SDK gives each transaction a token: one that is repeated because its answer was lost is not done twice.
        let written = self
            .client
            .transact_write_items()
            .transact_items(setting)
            .transact_items(TransactWriteItem::builder().update(account).build())
            .send()
            .await;
        let error = match written {
            Ok(_) => return Ok(Change::Done),
            Err(error) => error.into_service_error(),
        };
        let TransactWriteItemsError::TransactionCanceledException(canceled) = error else {
            return Err(Error::Unavailable);
        };
        let reasons = canceled.cancellation_reasons.unwrap_or_default();
        let mut codes = reasons.iter().map(|reason| reason.code().unwrap_or("None"));
        let (setting, account) = (codes.next(), codes.next());
        const REFUSED: Option<&str> = Some("ConditionalCheckFailed");
        const CONFLICT: Option<&str> = Some("TransactionConflict");
        // Judged by the setting first: over which state of it the account was to change is open until it is read again.
        if setting == REFUSED || setting == CONFLICT || account == CONFLICT {
            Ok(Change::Overtaken)
        } else if account == REFUSED {
            Ok(Change::OverQuota)
        } else {
            Err(Error::Unavailable)
        }
    }
}

/// Partition key of an owner's account.
fn account_pk(owner: &str) -> String {
    format!("SETTINGS#{owner}")
}

/// Partition key of a setting.
pub(super) fn setting_pk(owner: &str, id: &str) -> String {
    format!("SETTING#{owner}#{id}")
}

/// `to` less `from`, which may be negative.
fn difference(to: u64, from: u64) -> i64 {
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    number(to).saturating_sub(number(from))
}

fn stored(item: &Item) -> Result<Stored, Error> {
    Ok(Stored {
        version: get_s(item, "v")?,
        bytes: u64::try_from(get_n(item, "z")?).map_err(|_| Error::Corrupt)?,
    })
}

fn row(id: &str, item: &Item) -> Result<Row, Error> {
    Ok(Row {
        id: id.to_owned(),
        stored: stored(item)?,
        sealed: opt_b(item, "s").ok_or(Error::Corrupt)?,
        updated_at: opt_time(item, "t").ok_or(Error::Corrupt)?,
    })
}
