//! The two sparse indexes, keys only: `due` (what is looked at in which minute) and `unhealthy` (what somebody should look
//! at). Both have the table's own key as their range key, so that pages go on where they stopped.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Connections;
use crate::clock::Timestamp;
use crate::cohort::Cycle;
use crate::connection::Connection;
use crate::table::{ConnectionKey, Error, Item, PK, get_s, s, time};

/// Name of the index of what is due. Hash key `d`, range key `pk`.
pub const DUE_INDEX: &str = "due";
/// Name of the index of what is unhealthy. Hash key `u`, range key `pk`.
pub const UNHEALTHY_INDEX: &str = "unhealthy";

/// Why a row lies in the index `unhealthy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// The person has to connect again.
    Reauthorise,
    /// The last token call brought nothing; it will be tried again.
    Failing,
    /// Given up, and not yet revoked at the provider.
    Revoking,
    /// Given up, and never confirmed by the provider.
    GaveUp,
}

impl Ailment {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Reauthorise,
        Self::Failing,
        Self::Revoking,
        Self::GaveUp,
    ];

    /// As stored and shown.
    pub fn text(self) -> &'static str {
        match self {
            Self::Reauthorise => "reauthorise",
            Self::Failing => "failing",
            Self::Revoking => "revoking",
            Self::GaveUp => "gave_up",
        }
    }
}

/// Keys of a partition, and where the next page begins.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Partition keys of rows, in order.
    pub pks: Vec<String>,
    /// The last of them, where there are more.
    pub next: Option<String>,
}

impl Connections {
    /// Up to `limit` rows of one partition of the due index, after `after`. Eventually consistent: whoever acts reads the row.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn due_page(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Page, Error> {
        self.page(DUE_INDEX, "d", partition, after, limit).await
    }

    /// Up to `limit` rows of one partition of the index of unhealthy rows, after `after`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn unhealthy_page(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Page, Error> {
        self.page(UNHEALTHY_INDEX, "u", partition, after, limit)
            .await
    }

    /// The partitions of the index of unhealthy rows that hold those with `ailment`.
    pub fn unhealthy_partitions(&self, ailment: Ailment) -> Vec<String> {
        self.shards.all_ailing(ailment.text())
    }

    /// The partitions of the slot of `cycle` whose turn is at `minute` (since the epoch).
    pub fn due_partitions(&self, cycle: Cycle, minute: i64) -> Vec<String> {
        self.shards.slot(cycle, cycle.slot_of(minute))
    }

    /// The partition in which `connection` belongs on `cycle`, where it lies in another one.
    pub fn moved(&self, connection: &Connection, cycle: Cycle) -> Option<String> {
        let now = connection.due.as_deref().and_then(Cycle::of_partition);
        // A row on the right step stays in its partition, whatever the number of shards was when it came there.
        (now != Some(cycle)).then(|| self.shards.partition(cycle, &connection.key.pk()))
    }

    /// Notes that its person has been told of the end of a grant. False when the row changed meanwhile.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_reminder(&self, seen: &Connection, end: Timestamp) -> Result<bool, Error> {
        let update = self
            .update(seen)
            .update_expression("SET rs = :end")
            .condition_expression("g = :g AND (attribute_not_exists(rs) OR rs <> :end)")
            .expression_attribute_values(":g", s(&seen.grant_id))
            .expression_attribute_values(":end", time(end));
        let judged = super::renewal::judged(update.send().await)?;
        Ok(matches!(judged, super::renewal::Judged::Done(_)))
    }

    /// The row of a partition key as the indexes name it; `None` where it is gone, or is no connection's.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_pk(&self, pk: &str) -> Result<Option<Connection>, Error> {
        let Some(key) = ConnectionKey::of_pk(pk) else {
            return Ok(None);
        };
        self.read(&key, true).await
    }

    /// Rows of `passport` that are not given up, after `after`, and how many rows were read for them. Scans, which no function
    /// may: for the operator's command, where a whole passport is given up.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn swept_page(
        &self,
        passport: &str,
        after: Option<&str>,
    ) -> Result<(Page, u64), Error> {
        let start = after.map(|pk| Item::from([(PK.to_owned(), s(pk))]));
        let output = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("begins_with(pk, :rows) AND h <> :given_up")
            .projection_expression(PK)
            .expression_attribute_values(":rows", s(format!("CONNECTION#{passport}#")))
            .expression_attribute_values(":given_up", s("disconnected"))
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let pks: Result<Vec<String>, Error> =
            output.items().iter().map(|item| get_s(item, PK)).collect();
        let next = output.last_evaluated_key().map(|key| get_s(key, PK));
        let page = Page {
            pks: pks?,
            next: next.transpose()?,
        };
        Ok((
            page,
            u64::try_from(output.scanned_count()).unwrap_or_default(),
        ))
    }

    pub(super) fn due_partition(&self, cycle: Cycle, pk: &str) -> AttributeValue {
        s(self.shards.partition(cycle, pk))
    }

    pub(super) fn ailing(&self, ailment: Ailment, pk: &str) -> AttributeValue {
        s(self.shards.ailing(ailment.text(), pk))
    }

    async fn page(
        &self,
        index: &str,
        attribute: &str,
        partition: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Page, Error> {
        let start = after
            .map(|pk| Item::from([(PK.to_owned(), s(pk)), (attribute.to_owned(), s(partition))]));
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression("#hash = :partition")
            .expression_attribute_names("#hash", attribute)
            .expression_attribute_values(":partition", s(partition))
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let pks: Result<Vec<String>, Error> =
            output.items().iter().map(|item| get_s(item, PK)).collect();
        let next = output.last_evaluated_key().map(|key| get_s(key, PK));
        Ok(Page {
            pks: pks?,
            next: next.transpose()?,
        })
    }
}
