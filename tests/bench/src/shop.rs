//! The outside: the table on a file, Secrets Manager and the provider, each on a loopback port of its own.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::cohort::Shards;
use consulate_core::connections::{DUE_INDEX, UNHEALTHY_INDEX};
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::seal::Keyring;
use consulate_core::secret::SecretText;
use consulate_core::table::{DOC, PK, passport_pk};
use consulate_fakes::dynamodb::Engine;
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{PASSPORT, Plan, TABLE, cycle, passport};
use crate::provider::{self, Provider};
use crate::rows::Rows;

/// Rows imported in one go.
const IMPORT: usize = 5_000;

/// Where the outside listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// DynamoDB.
    pub dynamodb: String,
    /// Secrets Manager.
    pub secrets_manager: String,
    /// The provider, without its path.
    pub provider: String,
}

/// What the outside is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Counts from zero on.
    Clear,
    /// How many rows lie in the slots of this minute.
    Due(i64),
    /// What was counted since.
    Counted,
    /// Reads the whole table.
    Census,
}

/// Requests of one operation on one kind of item.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    /// `UpdateItem`
    pub operation: String,
    /// `CONNECTION`
    pub kind: String,
    /// How many.
    pub requests: u64,
    /// Capacity units.
    pub units: f64,
    /// Those of indexes.
    pub index_units: f64,
}

/// What was counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    /// By operation and kind of item.
    pub lines: Vec<Line>,
    /// Token calls answered with tokens since the start.
    pub answered: u64,
    /// Token calls refused since the start.
    pub refused: u64,
}

/// What the table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Usable connections.
    pub connected: u64,
    /// Those whose person has to connect again.
    pub needs_reauthorisation: u64,
    /// Those given up.
    pub disconnected: u64,
    /// Stored renewals: every version above the first.
    pub renewed: u64,
    /// Connections somebody is about.
    pub leased: u64,
    /// Other items: the passport, the schedule's record, limits.
    pub others: u64,
    /// Size of the largest row, as DynamoDB counts it.
    pub largest_bytes: u64,
}

/// The outside, running.
pub struct Shop {
    engine: Engine,
    provider: Provider,
    passport: Passport,
    /// Where it listens.
    pub addresses: Addresses,
    _serving: [Served; 3],
}

impl Shop {
    /// With a full table in `folder`.
    ///
    /// # Errors
    /// A port or the file could not be had.
    pub async fn open(plan: Plan, folder: &Path) -> anyhow::Result<Self> {
        let engine = Engine::file(&folder.join("table.sqlite"))?;
        engine.apply("CreateTable", &table())?;
        let secrets = SecretsManager::memory();
        let provider = Provider::new(plan);
        let serving = [
            serve(engine.router(), 0).await?,
            serve(secrets.router(), 0).await?,
            serve(provider.router(), 0).await?,
        ];
        let [dynamodb, secrets_manager, token_endpoint] = serving.each_ref().map(Served::url);
        let passport = passport(&format!("{token_endpoint}{}", provider::PATH));
        let keyring = put_secrets(&secrets, &passport)?;
        fill(&engine, plan, &passport, &keyring)?;
        Ok(Self {
            engine,
            provider,
            passport,
            addresses: Addresses {
                dynamodb,
                secrets_manager,
                provider: token_endpoint,
            },
            _serving: serving,
        })
    }

    /// Answers one question.
    ///
    /// # Errors
    /// The table failed.
    pub fn answer(&self, ask: Ask) -> anyhow::Result<Value> {
        match ask {
            Ask::Clear => {
                self.engine.clear();
                Ok(Value::Null)
            }
            Ask::Due(minute) => Ok(self.due(minute)?.into()),
            Ask::Counted => Ok(serde_json::to_value(self.counted())?),
            Ask::Census => Ok(serde_json::to_value(self.census()?)?),
        }
    }

    fn due(&self, minute: i64) -> anyhow::Result<u64> {
        let cycle = cycle(&self.passport);
        let mut due = 0;
        for partition in Shards::default().slot(cycle, cycle.slot_of(minute)) {
            let request = json!({
                "TableName": TABLE, "IndexName": DUE_INDEX, "Select": "COUNT",
                "KeyConditionExpression": "d = :d",
                "ExpressionAttributeValues": { ":d": { "S": partition } },
            });
            self.each_page("Query", request, |page| {
                due += number(page, "/Count");
            })?;
        }
        Ok(due)
    }

    fn counted(&self) -> Counted {
        let totals = self.engine.totals().into_iter();
        let lines = totals.map(|((operation, kind), total)| Line {
            operation,
            kind,
            requests: total.requests,
            units: total.units,
            index_units: total.index_units,
        });
        let (answered, refused) = self.provider.counted();
        Counted {
            lines: lines.collect(),
            answered,
            refused,
        }
    }

    fn census(&self) -> anyhow::Result<Census> {
        let mut census = Census::default();
        // Without a limit the engine reads all the rest for every page.
        let request = json!({ "TableName": TABLE, "Limit": 1_000 });
        self.each_page("Scan", request, |page| {
            let items = page.get("Items").and_then(Value::as_array);
            for item in items.into_iter().flatten() {
                count(item, &mut census);
            }
        })?;
        Ok(census)
    }

    fn each_page(
        &self,
        operation: &str,
        mut request: Value,
        mut read: impl FnMut(&Value),
    ) -> anyhow::Result<()> {
        loop {
            let page = self.engine.apply(operation, &request)?;
            read(&page);
            let last = page.get("LastEvaluatedKey").filter(|last| last.is_object());
            let (Some(last), Value::Object(request)) = (last, &mut request) else {
                return Ok(());
            };
            request.insert("ExclusiveStartKey".to_owned(), last.clone());
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_default()
}

fn count(item: &Value, census: &mut Census) {
    if !text(item, "/pk/S").starts_with("CONNECTION#") {
        census.others += 1;
        return;
    }
    match text(item, "/h/S") {
        "connected" => census.connected += 1,
        "reauthorise" => census.needs_reauthorisation += 1,
        "disconnected" => census.disconnected += 1,
        _ => {}
    }
    let version: u64 = text(item, "/v/N").parse().unwrap_or(1);
    census.renewed += version.saturating_sub(1);
    census.leased += u64::from(item.get("lo").is_some());
    census.largest_bytes = census.largest_bytes.max(size(item));
}

/// PURE. The size of an item: names and values; a number two digits to the byte and one (Developer Guide, "Item sizes").
fn size(item: &Value) -> u64 {
    let attributes = item.as_object().into_iter().flatten();
    let sizes = attributes.map(|(name, value)| {
        let value = value.as_object().and_then(|value| value.iter().next());
        let bytes = match value {
            Some((kind, Value::String(text))) => match kind.as_str() {
                "B" => text.trim_end_matches('=').len() * 3 / 4,
                "N" => text.len().div_ceil(2) + 1,
                _ => text.len(),
            },
            _ => 0,
        };
        (name.len() + bytes) as u64
    });
    sizes.sum()
}

/// The table as the deployment template and `consulate dev` make it.
fn table() -> Value {
    let index = |name: &str, hash: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [
                { "AttributeName": hash, "KeyType": "HASH" },
                { "AttributeName": PK, "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        })
    };
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": PK, "KeyType": "HASH" }],
        "AttributeDefinitions": [text(PK), text("d"), text("u")],
        "GlobalSecondaryIndexes": [index(DUE_INDEX, "d"), index(UNHEALTHY_INDEX, "u")],
    })
}

/// One keyring under all three names, and the client secret.
fn put_secrets(secrets: &SecretsManager, passport: &Passport) -> anyhow::Result<Keyring> {
    let key = STANDARD.encode(random::bytes::<32>()?);
    let text = json!({ "primary": "2026-11", "keys": { "2026-11": key } }).to_string();
    for name in ["access", "refresh", "fingerprint"] {
        secrets.put(&format!("consulate/keys/{name}"), &text)?;
    }
    let client = json!({ "client_secret": "bench", "endpoints": passport.secret_endpoints() });
    let name = format!("consulate/passports/{PASSPORT}");
    secrets.put(&name, &client.to_string())?;
    let keyring = Keyring::parse(&SecretText::new(text));
    keyring.context("the keyring is not one")
}

fn fill(engine: &Engine, plan: Plan, passport: &Passport, keyring: &Keyring) -> anyhow::Result<()> {
    let document = serde_json::to_string(passport)?;
    let definition = json!({ PK: { "S": passport_pk(PASSPORT) }, DOC: { "S": document } });
    engine.import(TABLE, vec![definition])?;
    let rows = Rows::new(plan, passport, keyring);
    let shape = "{wide_bar} {human_pos} of {human_len} connections, {eta}";
    let bar = ProgressBar::new(u64::from(plan.connections));
    let bar = bar.with_style(ProgressStyle::with_template(shape)?);
    // To the end of the run: how quickly this machine's disk syncs is not what is measured.
    engine.bulk_loading()?;
    let mut batch = Vec::with_capacity(IMPORT);
    for number in 0..plan.connections {
        batch.push(rows.row(number)?);
        if batch.len() == IMPORT {
            bar.inc(engine.import(TABLE, std::mem::take(&mut batch))? as u64);
        }
    }
    bar.inc(engine.import(TABLE, batch)? as u64);
    bar.finish_and_clear();
    Ok(())
}
