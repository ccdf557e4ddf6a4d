//! EDGE. The definers' side of the table: reads definitions, and writes them all or not at all.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use consulate_core::table::{self, DOC, Item, PK, REGISTRY, s};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalogue::{self, Catalogue, Entry};
use crate::told::told;

/// What the table cannot be asked or told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It gives no usable answer.
    #[error("{0}")]
    Unavailable(String),
    /// A record is not one of this version's.
    #[error("{0} was written by another version of Consulate")]
    Foreign(String),
    /// A write cannot be put together.
    #[error("a write of the table cannot be made: {0}")]
    Unwritable(String),
    /// The operator's own entries do not go with those compiled in.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
}

impl From<aws_sdk_dynamodb::error::BuildError> for Error {
    fn from(error: aws_sdk_dynamodb::error::BuildError) -> Self {
        Self::Unwritable(error.to_string())
    }
}

/// A definition and the document it was read from: what a later write is conditional on.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// The document.
    pub document: String,
    /// What it says.
    pub definition: T,
}

/// Which ids there are.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Widgets.
    pub widgets: Vec<String>,
    /// Passports.
    pub passports: Vec<String>,
    /// The operator's own entries of the catalogue.
    pub providers: Vec<String>,
}

/// The definitions of one table.
#[derive(Clone, Debug)]
pub struct Records {
    client: Client,
    table: String,
}

impl Records {
    /// Of `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// The definition at `pk`, read consistently.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Foreign`].
    pub async fn read<T: DeserializeOwned>(&self, pk: String) -> Result<Option<Record<T>>, Error> {
        let Some(item) = self.item(&pk).await? else {
            return Ok(None);
        };
        let foreign = || Error::Foreign(pk.clone());
        let document = table::get_s(&item, DOC).map_err(|_| foreign())?;
        let definition = serde_json::from_str(&document).map_err(|_| foreign())?;
        Ok(Some(Record {
            document,
            definition,
        }))
    }

    /// Every id there is, in order.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn registry(&self) -> Result<Registry, Error> {
        let item = self.item(REGISTRY).await?.unwrap_or_default();
        let ids = |name: &str| {
            let mut ids = item
                .get(name)
                .and_then(|set| set.as_ss().ok())
                .cloned()
                .unwrap_or_default();
            ids.sort();
            ids
        };
        Ok(Registry {
            widgets: ids("widgets"),
            passports: ids("passports"),
            providers: ids("providers"),
        })
    }

    /// The operator's own entries of the catalogue.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Foreign`].
    pub async fn own_providers(&self) -> Result<Vec<Record<Entry>>, Error> {
        let mut own = Vec::new();
        for id in self.registry().await?.providers {
            own.extend(self.read::<Entry>(table::provider_pk(&id)).await?);
        }
        Ok(own)
    }

    /// The catalogue as this table has it: built-in, with the operator's own entries.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        let own = self.own_providers().await?;
        let entries = own.into_iter().map(|record| record.definition);
        Ok(Catalogue::built_in()?.with_own(entries.collect())?)
    }

    /// A set of writes that happen together.
    pub fn change(&self) -> Change<'_> {
        Change {
            records: self,
            items: Vec::new(),
            widgets: Vec::new(),
            passports: Vec::new(),
            providers: Vec::new(),
            hosts: Vec::new(),
            former_providers: Vec::new(),
        }
    }

    async fn item(&self, pk: &str) -> Result<Option<Item>, Error> {
        let asked = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .consistent_read(true);
        let answer = asked
            .send()
            .await
            .map_err(|error| Error::Unavailable(told("the table", &error)))?;
        Ok(answer.item)
    }
}

/// Writes that happen together, each only if nobody else wrote meanwhile.
pub struct Change<'r> {
    records: &'r Records,
    items: Vec<TransactWriteItem>,
    widgets: Vec<String>,
    passports: Vec<String>,
    providers: Vec<String>,
    hosts: Vec<String>,
    former_providers: Vec<String>,
}

impl Change<'_> {
    /// Puts the widget `id` in the place of what was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn widget<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> Result<(), Error> {
        self.widgets.push(id.to_owned());
        self.put(table::widget_pk(id), new, was)
    }

    /// Puts the passport `id` in the place of what was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn passport<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> Result<(), Error> {
        self.passports.push(id.to_owned());
        self.put(table::passport_pk(id), new, was)
    }

    /// Puts an operator's own provider `id` in the place of what was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn provider<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> Result<(), Error> {
        self.providers.push(id.to_owned());
        self.put(table::provider_pk(id), new, was)
    }

    /// Takes out the provider `id` as it was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn without_provider<T>(&mut self, id: &str, was: &Record<T>) -> Result<(), Error> {
        self.former_providers.push(id.to_owned());
        let delete = Delete::builder()
            .table_name(&self.records.table)
            .key(PK, s(table::provider_pk(id)))
            .condition_expression("#doc = :was")
            .expression_attribute_names("#doc", DOC)
            .expression_attribute_values(":was", s(&was.document))
            .build()?;
        self.items
            .push(TransactWriteItem::builder().delete(delete).build());
        Ok(())
    }

    /// Puts the host `id` in the place of what was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn host<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> Result<(), Error> {
        self.hosts.push(id.to_owned());
        self.put(table::host_pk(id), new, was)
    }

    /// Nothing is written unless the item at `pk` is still there as it was read.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn require(&mut self, pk: String, document: &str) -> Result<(), Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.records.table)
            .key(PK, s(pk))
            .condition_expression("#doc = :was")
            .expression_attribute_names("#doc", DOC)
            .expression_attribute_values(":was", s(document))
            .build()?;
        self.items
            .push(TransactWriteItem::builder().condition_check(check).build());
        Ok(())
    }

    /// Writes everything, or nothing. False when something changed since it was read.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn commit(mut self) -> Result<bool, Error> {
        self.register()?;
        let client = &self.records.client;
        let written = client
            .transact_write_items()
            .set_transact_items(Some(self.items))
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_transaction_canceled_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(Error::Unavailable(told("the table", &error))),
        }
    }

    fn put<T: Serialize>(
        &mut self,
        pk: String,
        new: &T,
        was: Option<&Record<T>>,
    ) -> Result<(), Error> {
        let document = serde_json::to_string(new);
        let document = document.map_err(|error| Error::Unwritable(error.to_string()))?;
        let put = Put::builder()
            .table_name(&self.records.table)
            .item(PK, s(pk))
            .item(DOC, s(document));
        let put = match was {
            Some(was) => put
                .condition_expression("#doc = :was")
                .expression_attribute_names("#doc", DOC)
                .expression_attribute_values(":was", s(&was.document)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        };
        self.items
            .push(TransactWriteItem::builder().put(put.build()?).build());
        Ok(())
    }

    /// Keeps the list of all ids. Sets grow and shrink without being read, so writers do not get into each other's way.
    fn register(&mut self) -> Result<(), Error> {
        let mut update = Update::builder()
            .table_name(&self.records.table)
            .key(PK, s(REGISTRY));
        let mut clauses = Vec::new();
        for (clause, sets) in [
            (
                "ADD",
                vec![
                    ("widgets", &self.widgets),
                    ("passports", &self.passports),
                    ("providers", &self.providers),
                    ("hosts", &self.hosts),
                ],
            ),
            ("DELETE", vec![("providers", &self.former_providers)]),
        ] {
            let mut changes = Vec::new();
            for (name, ids) in sets.into_iter().filter(|(_, ids)| !ids.is_empty()) {
                changes.push(format!("#{name} :{name}"));
                update = update
                    .expression_attribute_names(format!("#{name}"), name)
                    .expression_attribute_values(
                        format!(":{name}"),
                        AttributeValue::Ss(ids.clone()),
                    );
            }
            if !changes.is_empty() {
                clauses.push(format!("{clause} {}", changes.join(", ")));
            }
        }
        let update = update.update_expression(clauses.join(" ")).build()?;
        self.items
            .push(TransactWriteItem::builder().update(update).build());
        Ok(())
    }
}
