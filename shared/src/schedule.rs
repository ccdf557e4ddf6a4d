//! EDGE. How far the schedule has come: one item, `TICK`, that only goes forward.
//!
//! | attribute | is |
//! |---|---|
//! | `m` | the last minute (since the epoch) of which everything was handed out |
//! | `at` | within the minute after it: minute, cycle, number of the partition, last key handed out; absent at its start |
//! | `q`, `w` | number of the write, and who made it: two ticks cannot both go on from one place |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use crate::random;
use crate::table::{Error, Item, PK, get_n, get_s, n, opt_n, opt_s, s};

/// Partition key of the record.
const TICK: &str = "TICK";

/// How far the schedule has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last minute (since the epoch) that is done.
    pub done: i64,
    /// Where to go on in a later one.
    pub at: Option<Place>,
    /// Number of the write that said so; 0: none yet.
    sequence: i64,
}

/// A place within a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Since the epoch.
    pub minute: i64,
    /// The cycle, as `Cycle::text` has it.
    pub cycle: String,
    /// Number of the partition within the cycle's slot.
    pub partition: usize,
    /// The last key handed out of it.
    pub after: Option<String>,
}

/// The record in the table.
#[derive(Clone, Debug)]
pub struct Schedule {
    client: Client,
    table: String,
}

impl Schedule {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// How far it has come. Where there is no record, everything before `minute` counts as done.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, minute: i64) -> Result<Progress, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(TICK))
            .consistent_read(true)
            .send()
            .await?;
        match output.item {
            Some(item) => progress(&item),
            None => Ok(Progress {
                done: minute - 1,
                at: None,
                sequence: 0,
            }),
        }
    }

    /// The last minute that is done; `None` where the schedule has not come yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn last_minute(&self) -> Result<Option<i64>, Error> {
        let progress = self.read(0).await?;
        Ok((progress.sequence > 0).then_some(progress.done))
    }

    /// Goes on from `seen`. `None` when another tick has gone on from there already.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn advance(
        &self,
        seen: &Progress,
        done: i64,
        at: Option<Place>,
    ) -> Result<Option<Progress>, Error> {
        let writer = random::id().map_err(|_| Error::Unavailable)?;
        let sequence = seen.sequence + 1;
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(TICK))
            .item("m", n(done))
            .item("q", n(sequence))
            .item("w", s(&writer))
            .condition_expression("attribute_not_exists(pk) OR q = :q")
            .expression_attribute_values(":q", n(seen.sequence))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(place) = &at {
            put = put.item("at", AttributeValue::M(item_of(place)));
        }
        let next = Progress { done, at, sequence };
        match put.send().await {
            Ok(_) => Ok(Some(next)),
            Err(error) => {
                let error = error.into_service_error();
                let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                    refused,
                ) = error
                else {
                    return Err(Error::Unavailable);
                };
                // Ours, applied by an earlier try whose acknowledgement was lost.
                let ours = refused
                    .item
                    .is_some_and(|item| opt_s(&item, "w").as_ref() == Some(&writer));
                Ok(ours.then_some(next))
            }
        }
    }
}

fn item_of(place: &Place) -> Item {
    let mut item = Item::from([
        ("m".to_owned(), n(place.minute)),
        ("c".to_owned(), s(&place.cycle)),
        ("p".to_owned(), n(place.partition)),
    ]);
    if let Some(after) = &place.after {
        item.insert("a".to_owned(), s(after));
    }
    item
}

fn progress(item: &Item) -> Result<Progress, Error> {
    let at = match item.get("at") {
        Some(value) => {
            let item = value.as_m().map_err(|_| Error::Corrupt)?;
            let partition = opt_n(item, "p").and_then(|number| usize::try_from(number).ok());
            Some(Place {
                minute: get_n(item, "m")?,
                cycle: get_s(item, "c")?,
                partition: partition.ok_or(Error::Corrupt)?,
                after: opt_s(item, "a"),
            })
        }
        None => None,
    };
    Ok(Progress {
        done: get_n(item, "m")?,
        at,
        sequence: get_n(item, "q")?,
    })
}
