//! What AWS does to drive the custodian: the rule that ticks, and the event source mappings of its queues.

use anyhow::{Context as _, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use consulate_core::aws::{Skew, sdk_http};
use consulate_core::clock::Clock;
use serde_json::json;

use crate::world::{World, access_key};

/// One minute of the schedule, and the work it handed out.
///
/// # Errors
/// The tick stops, or a message comes back.
pub async fn tick(world: &World) -> anyhow::Result<()> {
    // As if the last one had been three minutes ago, so that this one finds a minute to go through.
    if !world.items("TICK")?.is_empty() {
        let now = Clock::system().now().seconds() / 60;
        world.table("UpdateItem", json!({"Key": {"pk": {"S": "TICK"}}, "UpdateExpression": "SET m = :m REMOVE #at",
            "ExpressionAttributeNames": {"#at": "at"}, "ExpressionAttributeValues": {":m": {"N": (now - 3).to_string()}}}))?;
    }
    let event = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "123456789012",
        "time": Clock::system().now().rfc3339(), "region": "eu-central-1", "resources": [], "detail": {},
    });
    let told = world.invoke("custodian", &event).await?;
    ensure!(told["stopped"].is_null(), "{told}");
    drain(world, "consulate-work").await?;
    Ok(())
}

/// What Lambda does to feed a queue to the custodian, in the name of its role and through the gate: how many messages were done.
///
/// # Errors
/// The queue refuses, or a message comes back.
pub async fn drain(world: &World, queue: &str) -> anyhow::Result<usize> {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("eu-central-1"))
        .credentials_provider(aws_sdk_sqs::config::Credentials::new(
            access_key("custodian"),
            "of-this-role",
            None,
            None,
            "gate",
        ))
        .endpoint_url(&world.gate)
        .http_client(sdk_http(
            consulate_core::dial::tls(None)?,
            Clock::system(),
            Skew::default(),
        ));
    let client = aws_sdk_sqs::Client::from_conf(config.build());
    let url = world.queue_url(queue);
    let mut done = 0;
    client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await?;
    loop {
        let received = client
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(1)
            .send()
            .await?;
        let Some(message) = received.messages.unwrap_or_default().into_iter().next() else {
            return Ok(done);
        };
        let event = json!({"Records": [{
            "messageId": message.message_id(), "body": message.body(), "eventSource": "aws:sqs", "attributes": {}, "messageAttributes": {},
        }]});
        let told = world.invoke("custodian", &event).await?;
        ensure!(told["batchItemFailures"] == json!([]), "{told}");
        let handle = message.receipt_handle().context("no handle")?;
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
            .await?;
        done += 1;
    }
}
