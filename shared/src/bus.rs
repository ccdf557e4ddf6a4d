//! EDGE. EventBridge: what happens to connections, for whoever wants to know.
//!
//! Best effort, and said so: the audit log has every event, the bus has those that it took.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::Value;

/// `source` of every event.
pub const SOURCE: &str = "consulate";

/// The event bus, where there is one.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: Option<String>,
}

impl Bus {
    /// The bus `name` (or ARN); `None` where nobody listens.
    pub fn new(client: Client, name: Option<String>) -> Self {
        Self { client, name }
    }

    /// Puts one event: `detail_type` as `connection.connected`. False when the bus did not take it.
    pub async fn put(&self, detail_type: &str, detail: &Value) -> bool {
        let Some(name) = &self.name else {
            return true;
        };
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(name)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail.to_string())
            .build();
        let put = self.client.put_events().entries(entry).send().await;
        put.is_ok_and(|output| output.failed_entry_count() == 0)
    }
}
