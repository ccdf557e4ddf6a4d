//! The table past the gate: what a journey left there, and time that passes in a row.

use anyhow::Context as _;
use consulate_core::clock::Clock;
use serde_json::{Value, json};

use crate::widget::Person;
use crate::world::World;

impl World {
    /// One request to the table, as nobody's role.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn table(&self, operation: &str, mut request: Value) -> anyhow::Result<Value> {
        request["TableName"] = self.deployed["table"]["name"].clone();
        self.engine.apply(operation, &request)
    }

    /// Every item whose key begins with `prefix`, in DynamoDB JSON.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn items(&self, prefix: &str) -> anyhow::Result<Vec<Value>> {
        let all = self.table("Scan", json!({"ConsistentRead": true}))?;
        let items = all["Items"].as_array().cloned().unwrap_or_default();
        let begins = |item: &Value| {
            item["pk"]["S"]
                .as_str()
                .is_some_and(|pk| pk.starts_with(prefix))
        };
        Ok(items.into_iter().filter(begins).collect())
    }

    /// The key of somebody's connection.
    ///
    /// # Errors
    /// There is none.
    pub fn pk_of(&self, person: &Person) -> anyhow::Result<String> {
        for item in self.items("DETAILS#")? {
            let details: Value =
                serde_json::from_str(item["doc"]["S"].as_str().unwrap_or_default())?;
            if details["user"] == person.0.as_str() {
                let pk = item["pk"]["S"].as_str().unwrap_or_default();
                return Ok(pk.replacen("DETAILS", "CONNECTION", 1));
            }
        }
        anyhow::bail!("{person:?} has no connection")
    }

    /// Somebody's row.
    ///
    /// # Errors
    /// There is none.
    pub fn row(&self, person: &Person) -> anyhow::Result<Value> {
        let pk = self.pk_of(person)?;
        let read = self.table(
            "GetItem",
            json!({"Key": {"pk": {"S": pk}}, "ConsistentRead": true}),
        )?;
        read.get("Item").cloned().context("no row")
    }

    /// Changes an item as time or an earlier process would: `:past` is ten minutes ago, `:long` eight hours.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn change(&self, pk: &str, expression: &str) -> anyhow::Result<()> {
        let now = Clock::system().now();
        let mut values = json!({});
        for (name, seconds) in [(":past", -600), (":long", -8 * 3_600)] {
            if expression.contains(name) {
                values[name] = json!({"N": now.plus_seconds(seconds).millis().to_string()});
            }
        }
        for name in [":dead", ":empty"] {
            if expression.contains(name) {
                values[name] = json!({"S": name});
            }
        }
        let mut request = json!({"Key": {"pk": {"S": pk}}, "UpdateExpression": expression});
        if values.as_object().is_some_and(|values| !values.is_empty()) {
            request["ExpressionAttributeValues"] = values;
        }
        self.table("UpdateItem", request).map(drop)
    }

    /// Lets somebody's access token be over.
    ///
    /// # Errors
    /// There is no row.
    pub fn expire(&self, person: &Person) -> anyhow::Result<()> {
        self.change(&self.pk_of(person)?, "SET x = :past, sv = :past")
    }
}
