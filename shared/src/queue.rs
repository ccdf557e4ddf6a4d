//! EDGE. SQS: the work queue of the schedule, and the queue that answers are salvaged in.
//!
//! Both are read by Lambda's event source mapping, which invokes the custodian with their messages; nothing here receives.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};

/// SendMessageBatch takes as many (SQS quotas, "Messages").
const BATCH: usize = 10;

/// The queue did not take a message, or does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is unavailable")]
pub struct Unavailable;

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at `url`.
    pub fn new(client: Client, url: &str) -> Self {
        Self {
            client,
            url: url.to_owned(),
        }
    }

    /// Sends every body, each as a message. Some may have been sent where it fails.
    ///
    /// # Errors
    /// [`Unavailable`]: send all of them again; whoever works on a message looks at the rows.
    pub async fn send_all(&self, bodies: &[String]) -> Result<(), Unavailable> {
        for bodies in bodies.chunks(BATCH) {
            let entries = bodies.iter().enumerate().map(|(number, body)| {
                SendMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .message_body(body)
                    .build()
            });
            let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(|_| Unavailable)?;
            let sent = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|_| Unavailable)?;
            if !sent.failed().is_empty() {
                return Err(Unavailable);
            }
        }
        Ok(())
    }

    /// Whether nothing waits in the queue or is being worked on. The counts lag by up to a minute: ask only about what was
    /// sent earlier ("Eventually consistent", SQS developer guide, "Approximate number of messages").
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn is_empty(&self) -> Result<bool, Unavailable> {
        const COUNTS: [QueueAttributeName; 3] = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let told = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(COUNTS.to_vec()))
            .send()
            .await
            .map_err(|_| Unavailable)?;
        let told = told.attributes.ok_or(Unavailable)?;
        let count = |name| told.get(name).ok_or(Unavailable).map(|count| count == "0");
        Ok(count(&COUNTS[0])? && count(&COUNTS[1])? && count(&COUNTS[2])?)
    }

    /// Sends one message to a FIFO queue. `deduplication` makes sending it again within five minutes harmless.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn send_ordered(
        &self,
        group: &str,
        deduplication: &str,
        body: &str,
    ) -> Result<(), Unavailable> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(group)
            .message_deduplication_id(deduplication)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(|_| Unavailable)
    }
}
