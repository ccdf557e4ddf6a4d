//! The AWS-shaped servers on loopback: DynamoDB on a file, Secrets Manager on a file, Lambda over the custodian. Each on
//! a port of its own, behind the access key of the data folder.

use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use consulate_core::clock::Clock;
use consulate_core::custody::Event;
use consulate_core::random;
use consulate_core::table::{PK, TTL};
use consulate_custodian as custodian;
use consulate_fakes::dynamodb::Engine;
use consulate_fakes::gate::AccessGate;
use consulate_fakes::lambda::{FunctionError, Functions, Handler};
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve};
use http::header::{DATE, HeaderValue};

use super::folder::DataFolder;

/// The servers, running.
#[derive(Debug)]
pub(super) struct Simulators {
    pub engine: Engine,
    pub secrets: SecretsManager,
    pub functions: Functions,
    pub dynamodb: Served,
    pub secrets_manager: Served,
    pub lambda: Served,
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
        Ok(Self {
            dynamodb: serve(gate.wrap(dated(engine.router(), clock)), 0).await?,
            secrets_manager: serve(gate.wrap(dated(secrets.router(), clock)), 0).await?,
            lambda: serve(gate.wrap(dated(functions.router(), clock)), 0).await?,
            engine,
            secrets,
            functions,
        })
    }
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
            let event: Event = serde_json::from_slice(&payload).map_err(|_| {
                FunctionError::new(
                    "Runtime.MalformedEvent",
                    "the event is none the custodian knows",
                )
            })?;
            let request_id = random::id().unwrap_or_default();
            let answer = custodian::run(&state, event, &request_id).await;
            let answer = serde_json::to_vec(&answer).map_err(|_| {
                FunctionError::new("Runtime.MalformedAnswer", "the answer cannot be written")
            })?;
            Ok(Bytes::from(answer))
        })
    })
}

/// Makes the table as the deployment template makes it, where it is missing.
pub(super) async fn make_table(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
) -> anyhow::Result<()> {
    match client.describe_table().table_name(table).send().await {
        Ok(_) => return Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(_) => anyhow::bail!("the table file cannot be used"),
    }
    let key = KeySchemaElement::builder()
        .attribute_name(PK)
        .key_type(KeyType::Hash)
        .build()?;
    let attribute = AttributeDefinition::builder()
        .attribute_name(PK)
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let create = client
        .create_table()
        .table_name(table)
        .key_schema(key)
        .attribute_definitions(attribute)
        .billing_mode(BillingMode::PayPerRequest);
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
