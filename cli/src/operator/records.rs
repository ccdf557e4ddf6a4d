//! EDGE. The operator's side of the table: reads definitions, and writes them all or not at all.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use consulate_core::table::{self, DOC, Item, PK, REGISTRY, s};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::refusal::told;
use super::target::Target;

/// A definition and the document it was read from: what a later write is conditional on.
#[derive(Clone, Debug)]
pub(super) struct Record<T> {
    pub document: String,
    pub definition: T,
}

/// Which ids there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    pub widgets: Vec<String>,
    pub passports: Vec<String>,
    /// The operator's own entries of the catalogue.
    pub providers: Vec<String>,
}

/// The definitions of one table.
#[derive(Clone, Debug)]
pub(super) struct Records {
    client: Client,
    table: String,
}

impl Records {
    pub fn of(target: &Target) -> Self {
        Self {
            client: target.dynamodb.clone(),
            table: target.table.clone(),
        }
    }

    /// The definition at `pk`, read consistently.
    pub async fn read<T: DeserializeOwned>(&self, pk: String) -> anyhow::Result<Option<Record<T>>> {
        let Some(item) = self.item(&pk).await? else {
            return Ok(None);
        };
        let document =
            table::get_s(&item, DOC).map_err(|error| anyhow::anyhow!("{pk}: {error}"))?;
        let definition = serde_json::from_str(&document)
            .map_err(|_| anyhow::anyhow!("{pk} was written by another version of Consulate"))?;
        Ok(Some(Record {
            document,
            definition,
        }))
    }

    pub async fn registry(&self) -> anyhow::Result<Registry> {
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

    async fn item(&self, pk: &str) -> anyhow::Result<Option<Item>> {
        let asked = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .consistent_read(true);
        let answer = asked
            .send()
            .await
            .map_err(|error| told("the table", &error))?;
        Ok(answer.item)
    }
}

/// Writes that happen together, each only if nobody else wrote meanwhile.
pub(super) struct Change<'r> {
    records: &'r Records,
    items: Vec<TransactWriteItem>,
    widgets: Vec<String>,
    passports: Vec<String>,
    providers: Vec<String>,
    hosts: Vec<String>,
    former_providers: Vec<String>,
}

impl Change<'_> {
    pub fn widget<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> anyhow::Result<()> {
        self.widgets.push(id.to_owned());
        self.put(table::widget_pk(id), new, was)
    }

    pub fn passport<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> anyhow::Result<()> {
        self.passports.push(id.to_owned());
        self.put(table::passport_pk(id), new, was)
    }

    pub fn provider<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> anyhow::Result<()> {
        self.providers.push(id.to_owned());
        self.put(table::provider_pk(id), new, was)
    }

    /// Takes out the provider `id` as it was read.
    pub fn without_provider<T>(&mut self, id: &str, was: &Record<T>) -> anyhow::Result<()> {
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

    pub fn host<T: Serialize>(
        &mut self,
        id: &str,
        new: &T,
        was: Option<&Record<T>>,
    ) -> anyhow::Result<()> {
        self.hosts.push(id.to_owned());
        self.put(table::host_pk(id), new, was)
    }

    /// Nothing is written unless the item at `pk` is still there as it was read.
    pub fn require(&mut self, pk: String, document: &str) -> anyhow::Result<()> {
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
    pub async fn commit(mut self) -> anyhow::Result<bool> {
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
            Err(error) => Err(told("the table", &error)),
        }
    }

    fn put<T: Serialize>(
        &mut self,
        pk: String,
        new: &T,
        was: Option<&Record<T>>,
    ) -> anyhow::Result<()> {
        let put = Put::builder()
            .table_name(&self.records.table)
            .item(PK, s(pk))
            .item(DOC, s(serde_json::to_string(new)?));
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
    fn register(&mut self) -> anyhow::Result<()> {
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
