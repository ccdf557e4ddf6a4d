//! The AWS-shaped servers on loopback: DynamoDB on a file, Secrets Manager on a file, Lambda over the custodian, SQS and
//! EventBridge in memory. Each on
//! a port of its own, behind the access key of the data folder.

use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use consulate_core::acting::Invoke;
use consulate_core::clock::Clock;
use consulate_core::connections::{DUE_INDEX, UNHEALTHY_INDEX};
use consulate_core::random;
use consulate_core::table::{PK, TTL};
use consulate_custodian as custodian;
use consulate_fakes::dynamodb::Engine;
use consulate_fakes::event_source::{EventSource, Mapping};
use consulate_fakes::eventbridge::EventBridge;
use consulate_fakes::gate::AccessGate;
use consulate_fakes::lambda::{FunctionError, Functions, Handler};
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve};
use consulate_fakes::sqs::Queues;
use http::header::{DATE, HeaderValue};

use super::folder::DataFolder;
use crate::operator::target::{EVENT_BUS, SALVAGE_QUEUE, WORK_QUEUE};

/// The servers, running.
#[derive(Debug)]
pub(super) struct Simulators {
    pub engine: Engine,
    pub secrets: SecretsManager,
    pub functions: Functions,
    pub queues: Queues,
    pub event_bus: EventBridge,
    pub dynamodb: Served,
    pub secrets_manager: Served,
    pub lambda: Served,
    pub sqs: Served,
    pub eventbridge: Served,
}

impl Simulators {
    /// On the files of `folder`.
    pub async fn start(
        folder: &DataFolder,
        gate: &AccessGate,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let engine = Engine::file(&folder.file("table.sqlite"))?;
        let secrets = SecretsManager::file(folder.file("secrets.json"))?;
        let functions = Functions::new();
        let queues = Queues::new(millis_of(clock));
        make_queues(&queues)?;
        let event_bus = EventBridge::new(millis_of(clock));
        event_bus.create_bus(EVENT_BUS)?;
        Ok(Self {
            sqs: serve(gate.wrap(dated(queues.router(), clock)), 0).await?,
            eventbridge: serve(gate.wrap(dated(event_bus.router(), clock)), 0).await?,
            queues,
            event_bus,
            dynamodb: serve(gate.wrap(dated(engine.router(), clock)), 0).await?,
            secrets_manager: serve(gate.wrap(dated(secrets.router(), clock)), 0).await?,
            lambda: serve(gate.wrap(dated(functions.router(), clock)), 0).await?,
            engine,
            secrets,
            functions,
        })
    }
}

/// The custodian's queues, as the deployment template makes them: in flight for six times the function's timeout, with
/// dead-letter queues.
fn make_queues(queues: &Queues) -> anyhow::Result<()> {
    let visibility = (custodian::FUNCTION_TIMEOUT.as_secs() * 6).to_string();
    for (name, dead, fifo) in [
        (WORK_QUEUE, "work-dead", false),
        (SALVAGE_QUEUE, "salvage-dead.fifo", true),
    ] {
        let of_kind: &[(&str, &str)] = if fifo { &[("FifoQueue", "true")] } else { &[] };
        let refused = |refusal| anyhow::anyhow!("the queue {name} cannot be made: {refusal:?}");
        let dead = queues.create(dead, of_kind).map_err(refused)?;
        let redrive = serde_json::json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 5 });
        let redrive = redrive.to_string();
        let mut attributes = vec![
            ("VisibilityTimeout", visibility.as_str()),
            ("RedrivePolicy", redrive.as_str()),
        ];
        attributes.extend_from_slice(of_kind);
        queues.create(name, &attributes).map_err(refused)?;
    }
    Ok(())
}

/// What feeds the custodian: its two queues, one message at a time.
pub(super) fn event_sources(
    queues: &Queues,
    functions: &Functions,
    custodian: &str,
) -> anyhow::Result<[EventSource; 2]> {
    let source = |queue| {
        let mapping = Mapping {
            batch_size: 1,
            ..Mapping::new(queue, custodian)
        };
        EventSource::start(queues, functions, mapping)
    };
    Ok([source(WORK_QUEUE)?, source(SALVAGE_QUEUE)?])
}

/// The clock as the loopback services take it.
pub(super) fn millis_of(clock: &Clock) -> consulate_fakes::sqs::Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now().millis())
}

/// Every answer carries AWS's clock, which is ours here: the custodian claims nothing when the two disagree.
fn dated(routes: Router, clock: &Clock) -> Router {
    let clock = clock.clone();
    routes.layer(axum::middleware::map_response(
        move |mut response: Response| {
            if let Ok(date) = HeaderValue::try_from(clock.now().http_date()) {
                response.headers_mut().insert(DATE, date);
            }
            std::future::ready(response)
        },
    ))
}

/// What Lambda runs for an invoke of the custodian.
pub(super) fn custodian_handler(state: custodian::State) -> Handler {
    Arc::new(move |payload: Bytes| {
        let state = state.clone();
        Box::pin(async move {
            let malformed = || {
                FunctionError::new(
                    "Runtime.MalformedEvent",
                    custodian::incoming::Malformed.to_string(),
                )
            };
            let event = serde_json::from_slice(&payload).map_err(|_| malformed())?;
            let request_id = random::id().unwrap_or_default();
            let answer = custodian::incoming::handle(&state, event, &request_id).await;
            Ok(Bytes::from(answer.map_err(|_| malformed())?.to_string()))
        })
    })
}

/// What Lambda runs for an invoke of connect by the console.
pub(super) fn connect_handler(state: consulate_connect::State) -> Handler {
    Arc::new(move |payload: Bytes| {
        let state = state.clone();
        Box::pin(async move {
            let request_id = random::id().unwrap_or_default();
            answered(consulate_connect::act(&state, invoke(&payload, &request_id)).await)
        })
    })
}

/// What Lambda runs for an invoke of the proxy by the console.
pub(super) fn proxy_handler(state: consulate_proxy::State) -> Handler {
    Arc::new(move |payload: Bytes| {
        let state = state.clone();
        Box::pin(async move {
            let request_id = random::id().unwrap_or_default();
            answered(consulate_proxy::act(&state, invoke(&payload, &request_id)).await)
        })
    })
}

fn invoke<'a>(payload: &'a [u8], request_id: &'a str) -> Invoke<'a> {
    Invoke {
        payload,
        request_id,
        xray: None,
    }
}

fn answered(answer: consulate_core::acting::Answer) -> Result<Bytes, FunctionError> {
    let answer = serde_json::to_vec(&answer);
    let answer = answer.map_err(|error| FunctionError::new("Runtime", error.to_string()));
    answer.map(Bytes::from)
}

/// Makes the table as the deployment template makes it, where it is missing.
pub(super) async fn make_table(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
) -> anyhow::Result<()> {
    match client.describe_table().table_name(table).send().await {
        Ok(described) => {
            let table = described.table().context("the table file cannot be used")?;
            let indexes = table.global_secondary_indexes().iter();
            let known: Vec<&str> = indexes.filter_map(|index| index.index_name()).collect();
            return add_indexes(client, table.table_name().unwrap_or_default(), &known).await;
        }
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(_) => anyhow::bail!("the table file cannot be used"),
    }
    let mut create = client
        .create_table()
        .table_name(table)
        .key_schema(key_element(PK, KeyType::Hash)?)
        .attribute_definitions(text(PK)?)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, hash) in INDEXES {
        let index = GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key_element(hash, KeyType::Hash)?)
            .key_schema(key_element(PK, KeyType::Range)?)
            .projection(keys_only());
        create = create
            .attribute_definitions(text(hash)?)
            .global_secondary_indexes(index.build()?);
    }
    create.send().await.context("the table cannot be made")?;
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(TTL)
        .build()?;
    let update = client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(ttl);
    update
        .send()
        .await
        .context("expiry cannot be switched on for the table")?;
    Ok(())
}

/// The sparse indexes and their hash keys; the table's key is the range key of both.
const INDEXES: [(&str, &str); 2] = [(DUE_INDEX, "d"), (UNHEALTHY_INDEX, "u")];

/// Adds the indexes that a table of an earlier version lacks.
async fn add_indexes(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    known: &[&str],
) -> anyhow::Result<()> {
    for (name, hash) in INDEXES {
        if known.contains(&name) {
            continue;
        }
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .key_schema(key_element(hash, KeyType::Hash)?)
            .key_schema(key_element(PK, KeyType::Range)?)
            .projection(keys_only());
        let update = GlobalSecondaryIndexUpdate::builder().create(create.build()?);
        let update = client
            .update_table()
            .table_name(table)
            .attribute_definitions(text(PK)?)
            .attribute_definitions(text(hash)?)
            .global_secondary_index_updates(update.build());
        update
            .send()
            .await
            .with_context(|| format!("the index `{name}` cannot be added to the table"))?;
    }
    Ok(())
}

fn key_element(name: &str, kind: KeyType) -> anyhow::Result<KeySchemaElement> {
    let element = KeySchemaElement::builder().attribute_name(name);
    Ok(element.key_type(kind).build()?)
}

fn text(name: &str) -> anyhow::Result<AttributeDefinition> {
    let definition = AttributeDefinition::builder().attribute_name(name);
    Ok(definition.attribute_type(ScalarAttributeType::S).build()?)
}

fn keys_only() -> Projection {
    Projection::builder()
        .projection_type(ProjectionType::KeysOnly)
        .build()
}
