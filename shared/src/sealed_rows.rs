//! EDGE. Everything that lies sealed in the table, whichever room it is of: for moving values to another key, and for knowing which
//! keys are still needed. Scans, which no function may: for the operator's command.
//!
//! | item | sealed | for the place |
//! |---|---|---|
//! | `CONNECTION#…` | `a`, `r` | the row, its grant `g`, its passport's token endpoint |
//! | `GRANT#…` | `a`, `r` | `ho`, grant `g`, the token endpoint of passport `p` |
//! | `SETTING#…` | `s` | the row, its version `v` |
//! | `FLOW#…` | `a`, `r` of each of `tk` | their own; they live for minutes, and are counted only |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::seal;
use crate::table::{ConnectionKey, Error, Item, PK, b, get_s, opt_b, opt_s, s};
use crate::vault::Field;

/// One sealed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is; with it comes the keyring.
    pub field: Field,
    /// The key it is sealed under; `None` where it is not of a known format.
    pub key_id: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    attribute: &'static str,
}

/// A row with sealed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Partition key.
    pub pk: String,
    /// What lies in it.
    pub values: Vec<Sealed>,
    /// The place the values are sealed for; `None` where they are only counted.
    pub place: Option<SealedPlace>,
}

/// What a row says of the place its values are sealed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPlace {
    /// Key of the item they were sealed for.
    pub item_key: String,
    /// The grant; a setting's version.
    pub grant_id: String,
    /// The passport whose token endpoint they came from; `None` for a setting.
    pub passport: Option<String>,
}

/// Some of the table.
#[derive(Clone, Debug, Default)]
pub struct SealedPage {
    /// Rows with sealed values.
    pub rows: Vec<SealedRow>,
    /// Rows read for them.
    pub read: u64,
    /// Where it goes on; `None` at the end.
    pub next: Option<String>,
}

/// The table, as far as it is sealed.
#[derive(Clone, Debug)]
pub struct SealedRows {
    client: Client,
    table: String,
}

impl SealedRows {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// One page of segment `segment` of `of`, after `after`. Strongly consistent: what was written before is seen.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn page(
        &self,
        segment: i32,
        of: i32,
        after: Option<&str>,
    ) -> Result<SealedPage, Error> {
        let start = after.map(|pk| Item::from([(PK.to_owned(), s(pk))]));
        let output = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(segment)
            .total_segments(of)
            .consistent_read(true)
            .filter_expression(
                "begins_with(pk, :c) OR begins_with(pk, :g) OR begins_with(pk, :s) OR begins_with(pk, :f)",
            )
            .projection_expression("pk, a, r, g, ho, p, s, v, tk")
            .expression_attribute_values(":c", s("CONNECTION#"))
            .expression_attribute_values(":g", s("GRANT#"))
            .expression_attribute_values(":s", s("SETTING#"))
            .expression_attribute_values(":f", s("FLOW#"))
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let rows: Result<Vec<SealedRow>, Error> = output.items().iter().map(row).collect();
        let next = output.last_evaluated_key().map(|key| get_s(key, PK));
        Ok(SealedPage {
            rows: rows?
                .into_iter()
                .filter(|row| !row.values.is_empty())
                .collect(),
            read: u64::try_from(output.scanned_count()).unwrap_or_default(),
            next: next.transpose()?,
        })
    }

    /// The row at `pk`, read strongly; `None` where nothing is sealed in it (any more).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, pk: &str) -> Result<Option<SealedRow>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .consistent_read(true)
            .projection_expression("pk, a, r, g, ho, p, s, v, tk")
            .send()
            .await?;
        let row = output.item.as_ref().map(row).transpose()?;
        Ok(row.filter(|row| !row.values.is_empty()))
    }

    /// Puts `new` in the place of the values of `row` with the same index, where every one of them is still there as it was read.
    /// Nothing else of the row changes: no version, no lease, no index. False: the row is another one by now.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace(&self, row: &SealedRow, new: &[(usize, Vec<u8>)]) -> Result<bool, Error> {
        let mut sets = Vec::new();
        let mut conditions = Vec::new();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(&row.pk));
        for (index, bytes) in new {
            let value = row.values.get(*index).ok_or(Error::Corrupt)?;
            let (attribute, name) = (value.attribute, format!("#n{index}"));
            sets.push(format!("{name} = :new{index}"));
            conditions.push(format!("{name} = :old{index}"));
            update = update
                .expression_attribute_names(name, attribute)
                .expression_attribute_values(format!(":new{index}"), b(bytes.clone()))
                .expression_attribute_values(format!(":old{index}"), b(value.bytes.clone()));
        }
        if let Some(place) = &row.place {
            let setting = place.passport.is_none();
            conditions.push("#of = :of".to_owned());
            update = update
                .expression_attribute_names("#of", if setting { "v" } else { "g" })
                .expression_attribute_values(":of", s(&place.grant_id));
        }
        let written = update
            .update_expression(format!("SET {}", sets.join(", ")))
            .condition_expression(conditions.join(" AND "))
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(_) => Err(Error::Unavailable),
        }
    }
}

fn sealed(item: &Item, attribute: &'static str, field: Field) -> Option<Sealed> {
    let bytes = opt_b(item, attribute)?;
    Some(Sealed {
        field,
        key_id: seal::key_id(&bytes).map(str::to_owned),
        bytes,
        attribute,
    })
}

fn tokens(item: &Item) -> Vec<Sealed> {
    let access = sealed(item, "a", Field::AccessToken);
    let refresh = sealed(item, "r", Field::RefreshToken);
    access.into_iter().chain(refresh).collect()
}

fn row(item: &Item) -> Result<SealedRow, Error> {
    let pk = get_s(item, PK)?;
    let place = |item_key: String, grant: &str, passport: Option<String>| {
        Some(SealedPlace {
            item_key,
            grant_id: opt_s(item, grant)?,
            passport,
        })
    };
    let (values, place) = if let Some(key) = ConnectionKey::of_pk(&pk) {
        (tokens(item), place(pk.clone(), "g", Some(key.passport)))
    } else if pk.starts_with("GRANT#") {
        let home = opt_s(item, "ho").ok_or(Error::Corrupt)?;
        (tokens(item), place(home, "g", opt_s(item, "p")))
    } else if pk.starts_with("SETTING#") {
        let setting = sealed(item, "s", Field::Setting);
        (setting.into_iter().collect(), place(pk.clone(), "v", None))
    } else {
        let slots = item.get("tk").and_then(|slots| slots.as_l().ok());
        let slots = slots.into_iter().flatten().map(AttributeValue::as_m);
        let values = slots.filter_map(Result::ok).flat_map(tokens).collect();
        (values, None)
    };
    Ok(SealedRow { pk, values, place })
}
