//! DynamoDB on loopback: the embedded engine behind the wire protocol, with a request log and scripted faults.
//!
//! The engine's own HTTP server can be neither gated nor scripted, so this room has its own front over the same
//! [`Database`]; `dispatch` does the wire shapes. Touches the database file it is given.

mod dispatch;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use dynoxide::{Database, ImportOptions};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::aws_json;
use crate::held::held;
use crate::serve::hang_up;

/// What DynamoDB speaks.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// DynamoDB's own limit for a request.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// The log keeps this many requests, so that a `consulate dev` left running does not grow; the counters go on.
const LOG_LIMIT: usize = 20_000;

/// One request as it was served.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// `UpdateItem`, `TransactWriteItems`, …
    pub operation: String,
    /// The table, or the first one of a batch or transaction. Empty where the operation has none.
    pub table: String,
    /// Primary keys in DynamoDB JSON (`{"pk":{"S":"…"}}`), one for each item named by the request.
    pub keys: Vec<Value>,
    /// Capacity units consumed, over all tables and indexes; `None` for failures and table operations.
    pub consumed: Option<f64>,
    /// Those of them that global indexes consumed, where the caller did not ask for less.
    pub consumed_by_indexes: f64,
    /// The error's code without its namespace (`ConditionalCheckFailedException`); `None` for success.
    pub error: Option<String>,
}

/// Requests of one operation on one kind of item, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// How many, refused ones included.
    pub requests: u64,
    /// Capacity units consumed, over tables and indexes. What was refused counts nothing here; DynamoDB charges for it.
    pub units: f64,
    /// Those of them that indexes consumed.
    pub index_units: f64,
}

/// What befalls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: lets one request of the operation pass, so that a later one can be hit.
    Pass,
    /// Answered 500 `InternalServerError`; the engine never saw it.
    Unavailable,
    /// Answered 400 `ProvisionedThroughputExceededException`; the engine never saw it.
    Throttled,
    /// Applied, then the connection is closed without an answer: the caller cannot know.
    LostAck,
    /// Applied this much later.
    Slow(Duration),
}

/// A DynamoDB-compatible table store. Clones are handles on the same store.
#[derive(Clone)]
pub struct Engine {
    database: Database,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<VecDeque<Seen>>,
    counters: Mutex<HashMap<String, u64>>,
    totals: Mutex<BTreeMap<(String, String), Total>>,
    faults: Mutex<HashMap<String, VecDeque<Fault>>>,
    outage: AtomicBool,
    key_names: Mutex<HashMap<String, Vec<String>>>,
}

impl Engine {
    /// A store that is gone with its last handle.
    ///
    /// # Errors
    /// SQLite could not be started.
    pub fn memory() -> anyhow::Result<Self> {
        Ok(Self::over(Database::memory().map_err(anyhow::Error::new)?))
    }

    /// A store on a SQLite file, made where missing.
    ///
    /// # Errors
    /// The file cannot be opened, or is no database.
    pub fn file(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .to_str()
            .context("the table file's path is not UTF-8")?;
        let database = Database::new(name)
            .map_err(anyhow::Error::new)
            .with_context(|| format!("cannot open the table file {name}"))?;
        Ok(Self::over(database))
    }

    fn over(database: Database) -> Self {
        Self {
            database,
            shared: Arc::default(),
        }
    }

    /// `POST /` with `X-Amz-Target: DynamoDB_20120810.<operation>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(handle))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(self.clone())
    }

    /// Serves one request in place, without a log, faults or another thread: for simulations.
    pub fn serve(&self, operation: &str, body: &str) -> (StatusCode, String) {
        let (_, status, answer) = dispatch::run(self, operation, body);
        (status, answer)
    }

    /// Deletes expired items now; DynamoDB does so within days, this engine only when asked. Answers how many.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sweep_ttl(&self) -> anyhow::Result<usize> {
        let database = self.database.clone();
        tokio::task::spawn_blocking(move || database.sweep_ttl().map_err(anyhow::Error::new))
            .await?
    }

    /// The requests since the last [`clear`](Self::clear), oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        held(&self.shared.log).iter().cloned().collect()
    }

    /// How many requests of `operation` came since the last [`clear`](Self::clear), failed ones included.
    pub fn count(&self, operation: &str) -> u64 {
        held(&self.shared.counters)
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    /// Exact sums since the last [`clear`](Self::clear), by operation and kind of item: the text of the first item's
    /// partition key before its first `#`, empty where the operation names no item.
    pub fn totals(&self) -> BTreeMap<(String, String), Total> {
        held(&self.shared.totals).clone()
    }

    /// Runs an operation in process, past log, sums and faults.
    ///
    /// # Errors
    /// It was refused.
    pub fn apply(&self, operation: &str, request: &Value) -> anyhow::Result<Value> {
        dispatch::apply(self, operation, request)
    }

    /// Stores items (DynamoDB JSON) in one go, past log, sums and faults, with their entries in the indexes.
    ///
    /// # Errors
    /// The table is missing, or an item is none.
    pub fn import(&self, table: &str, items: Vec<Value>) -> anyhow::Result<usize> {
        let items: Result<Vec<_>, _> = items.into_iter().map(serde_json::from_value).collect();
        let imported = self
            .database
            .import_items(table, items?, ImportOptions::default())
            .map_err(anyhow::Error::new)?;
        Ok(imported.items_imported)
    }

    /// From now on the file is written without care for a crash: for a store that can be made again.
    ///
    /// # Errors
    /// The store failed.
    pub fn bulk_loading(&self) -> anyhow::Result<()> {
        self.database
            .enable_bulk_loading()
            .map_err(anyhow::Error::new)
    }

    /// Forgets the log, the counters and the sums; scripted faults stay.
    pub fn clear(&self) {
        held(&self.shared.log).clear();
        held(&self.shared.counters).clear();
        held(&self.shared.totals).clear();
    }

    /// Queues `fault` for the next request of `operation` that has none yet.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        held(&self.shared.faults)
            .entry(operation.to_owned())
            .or_default()
            .push_back(fault);
    }

    /// While true, every request is answered 500 and none reaches the engine.
    pub fn outage(&self, on: bool) {
        self.shared.outage.store(on, Ordering::SeqCst);
    }

    fn next_fault(&self, operation: &str) -> Fault {
        if self.shared.outage.load(Ordering::SeqCst) {
            return Fault::Unavailable;
        }
        held(&self.shared.faults)
            .get_mut(operation)
            .and_then(VecDeque::pop_front)
            .unwrap_or(Fault::Pass)
    }

    fn record(&self, seen: Seen) {
        *held(&self.shared.counters)
            .entry(seen.operation.clone())
            .or_default() += 1;
        {
            let mut totals = held(&self.shared.totals);
            let total = totals
                .entry((seen.operation.clone(), kind_of(&seen)))
                .or_default();
            total.requests += 1;
            total.units += seen.consumed.unwrap_or(0.0);
            total.index_units += seen.consumed_by_indexes;
        }
        let mut log = held(&self.shared.log);
        if log.len() == LOG_LIMIT {
            log.pop_front();
        }
        log.push_back(seen);
    }
}

/// The text of the first item's key before its first `#`.
fn kind_of(seen: &Seen) -> String {
    let parts = seen.keys.first().and_then(Value::as_object);
    let text = parts
        .and_then(|parts| parts.values().next())
        .and_then(|value| value.get("S")?.as_str());
    let kind = text.and_then(|text| text.split('#').next());
    kind.unwrap_or_default().to_owned()
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("dynamodb::Engine")
    }
}

async fn handle(State(engine): State<Engine>, headers: HeaderMap, body: String) -> Response {
    let Some(operation) = aws_json::operation(&headers, "DynamoDB_20120810.").map(str::to_owned)
    else {
        return aws_json::error(
            StatusCode::BAD_REQUEST,
            CONTENT_TYPE,
            "UnknownOperationException",
            "no such operation",
        );
    };
    let fault = engine.next_fault(&operation);
    if let Some(refusal) = refused_by(fault) {
        let error = Some(refusal.1.to_owned());
        engine.record(Seen {
            operation,
            table: String::new(),
            keys: Vec::new(),
            consumed: None,
            consumed_by_indexes: 0.0,
            error,
        });
        return aws_json::error(refusal.0, CONTENT_TYPE, refusal.1, "scripted");
    }
    // A task of its own: a client that goes away does not keep a request from being applied, as with the real one.
    let work = tokio::spawn(async move {
        if let Fault::Slow(by) = fault {
            tokio::time::sleep(by).await;
        }
        tokio::task::spawn_blocking(move || {
            let (seen, status, answer) = dispatch::run(&engine, &operation, &body);
            engine.record(seen);
            aws_json::answer(status, CONTENT_TYPE, answer)
        })
        .await
    });
    match work.await {
        Ok(Ok(_)) if fault == Fault::LostAck => hang_up(),
        Ok(Ok(response)) => response,
        _ => aws_json::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            CONTENT_TYPE,
            "InternalServerError",
            "the engine panicked",
        ),
    }
}

/// Status and code of a fault that keeps a request from the engine.
fn refused_by(fault: Fault) -> Option<(StatusCode, &'static str)> {
    match fault {
        Fault::Unavailable => Some((StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")),
        Fault::Throttled => Some((
            StatusCode::BAD_REQUEST,
            "ProvisionedThroughputExceededException",
        )),
        Fault::Pass | Fault::LostAck | Fault::Slow(_) => None,
    }
}
