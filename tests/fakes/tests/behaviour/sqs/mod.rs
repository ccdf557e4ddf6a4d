//! The SQS server, seen by the real SDK.

mod faults;
mod fifo;
mod refusals;
mod standard;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use consulate_fakes::serve::{Served, serve};
use consulate_fakes::sqs::{Queues, queue_url};

use crate::moved_clock::MovedClock;
use crate::sdk;

/// A server, a client, and the clock they live by.
pub struct Setting {
    pub queues: Queues,
    pub client: Client,
    pub time: MovedClock,
    pub served: Served,
}

impl Setting {
    pub async fn new() -> Self {
        let time = MovedClock::new();
        let queues = Queues::new(time.clock());
        let served = serve(queues.router(), 0).await.unwrap();
        let client = sdk::sqs(&served.url());
        Self {
            queues,
            client,
            time,
            served,
        }
    }

    /// A setting with one queue, and its URL.
    pub async fn with_queue(name: &str, attributes: &[(&str, &str)]) -> (Self, String) {
        let setting = Self::new().await;
        setting.queues.create(name, attributes).unwrap();
        let url = queue_url(&setting.served.url(), name);
        (setting, url)
    }

    /// Up to ten messages, with all their attributes.
    pub async fn receive(&self, url: &str) -> Vec<Message> {
        let answer = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }

    pub async fn delete(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle.as_deref().unwrap();
        let request = self.client.delete_message().queue_url(url);
        request.receipt_handle(handle).send().await.unwrap();
    }

    pub async fn count(&self, url: &str, attribute: QueueAttributeName) -> String {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(attribute.clone())
            .send()
            .await
            .unwrap();
        answer.attributes.unwrap()[&attribute].clone()
    }
}

pub fn bodies(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.body.as_deref().unwrap())
        .collect()
}

pub fn attribute(message: &Message, name: MessageSystemAttributeName) -> &str {
    &message.attributes.as_ref().unwrap()[&name]
}
