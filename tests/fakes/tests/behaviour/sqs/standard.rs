//! What holds for every queue: visibility, receipt handles, dead letters, retention.

use std::time::Duration;

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName as Attribute,
    QueueAttributeName as Of, SendMessageBatchRequestEntry,
};

use super::{Setting, attribute, bodies};
use crate::moved_clock::START;

#[tokio::test]
async fn a_message_is_sent_received_and_deleted() {
    let setting = Setting::new().await;
    let created = setting.client.create_queue().queue_name("work");
    let url = created.send().await.unwrap().queue_url.unwrap();
    let found = setting.client.get_queue_url().queue_name("work");
    assert_eq!(found.send().await.unwrap().queue_url.unwrap(), url);

    let sent = setting
        .client
        .send_message()
        .queue_url(&url)
        .message_body("message digest")
        .send()
        .await
        .unwrap();
    // The example of RFC 1321.
    let md5 = Some("f96b697d7cb7938d525a2f31aaf161d0");
    assert_eq!(sent.md5_of_message_body(), md5);
    assert_eq!(sent.sequence_number(), None);

    let received = setting.receive(&url).await;
    assert_eq!(bodies(&received), ["message digest"]);
    let message = &received[0];
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.md5_of_body.as_deref(), md5);
    assert_eq!(attribute(message, Attribute::ApproximateReceiveCount), "1");
    assert_eq!(
        attribute(message, Attribute::SentTimestamp),
        START.to_string()
    );
    assert_eq!(
        setting
            .count(&url, Of::ApproximateNumberOfMessagesNotVisible)
            .await,
        "1"
    );

    setting.delete(&url, message).await;
    setting.time.pass_seconds(31);
    assert!(setting.receive(&url).await.is_empty());
    let operations: Vec<(String, usize)> = setting
        .queues
        .requests()
        .into_iter()
        .filter(|seen| !seen.messages.is_empty())
        .map(|seen| (seen.operation, seen.messages.len()))
        .collect();
    let logged = |operation: &str| (operation.to_owned(), 1);
    assert_eq!(
        operations,
        [
            logged("SendMessage"),
            logged("ReceiveMessage"),
            logged("DeleteMessage")
        ]
    );
    assert_eq!(setting.queues.count("ReceiveMessage"), 2);
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_back_and_counts() {
    let (setting, url) = Setting::with_queue("work", &[("VisibilityTimeout", "60")]).await;
    setting.queues.send("work", "a", None, None).unwrap();
    let first = setting.receive(&url).await;
    setting.time.pass_seconds(59);
    assert!(setting.receive(&url).await.is_empty());
    assert_eq!(setting.queues.in_flight("work").len(), 1);
    setting.time.pass_seconds(1);
    assert_eq!(setting.queues.visible("work").len(), 1);

    let second = setting.receive(&url).await;
    assert_eq!(first[0].message_id, second[0].message_id);
    assert_ne!(first[0].receipt_handle, second[0].receipt_handle);
    let count = attribute(&second[0], Attribute::ApproximateReceiveCount);
    assert_eq!(count, "2");

    // The first receiver is late: it is told so only by the message still being there.
    setting.delete(&url, &first[0]).await;
    assert_eq!(setting.queues.in_flight("work").len(), 1);
    setting.delete(&url, &second[0]).await;
    assert!(setting.queues.in_flight("work").is_empty());
    setting.delete(&url, &second[0]).await;
}

#[tokio::test]
async fn visibility_is_shortened_and_extended() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    setting.queues.send("work", "a", None, None).unwrap();
    let received = setting.receive(&url).await;
    let change = |seconds| {
        setting
            .client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(received[0].receipt_handle.as_deref().unwrap())
            .visibility_timeout(seconds)
            .send()
    };
    change(100).await.unwrap();
    setting.time.pass_seconds(60);
    assert!(setting.receive(&url).await.is_empty());
    // 12 hours from the receive, not from now.
    let too_long = change(43_200).await.unwrap_err().into_service_error();
    assert_eq!(too_long.meta().code(), Some("InvalidParameterValue"));
    change(0).await.unwrap();
    assert_eq!(setting.queues.visible("work").len(), 1);
    let not_in_flight = change(10).await.unwrap_err().into_service_error();
    assert!(not_in_flight.is_message_not_inflight());
}

#[tokio::test]
async fn what_was_received_too_often_lies_in_the_dead_letter_queue() {
    let setting = Setting::new().await;
    let dead = setting.queues.create("work-dead", &[]).unwrap();
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":2}}"#);
    let created = setting
        .client
        .create_queue()
        .queue_name("work")
        .attributes(Of::RedrivePolicy, policy)
        .attributes(Of::VisibilityTimeout, "10");
    let url = created.send().await.unwrap().queue_url.unwrap();
    setting.queues.send("work", "poison", None, None).unwrap();
    for _ in 0..2 {
        assert_eq!(setting.receive(&url).await.len(), 1);
        setting.time.pass_seconds(10);
    }
    assert!(setting.queues.dead("work").is_empty());
    assert!(setting.receive(&url).await.is_empty());
    let dead = setting.queues.dead("work");
    assert_eq!((dead[0].body.as_str(), dead[0].receives), ("poison", 2));
    assert!(setting.queues.visible("work").is_empty());

    let dead_url = url.replace("work", "work-dead");
    let received = setting.receive(&dead_url).await;
    let from = attribute(&received[0], Attribute::DeadLetterQueueSourceArn);
    assert_eq!(from, "arn:aws:sqs:us-east-1:123456789012:work");
    assert_eq!(
        attribute(&received[0], Attribute::ApproximateReceiveCount),
        "3"
    );
}

#[tokio::test]
async fn a_message_is_forgotten_after_its_retention_and_hidden_during_its_delay() {
    let attributes = [("MessageRetentionPeriod", "60")];
    let (setting, url) = Setting::with_queue("work", &attributes).await;
    let delayed = setting.client.send_message().queue_url(&url);
    let delayed = delayed.message_body("a").delay_seconds(20);
    delayed.send().await.unwrap();
    assert_eq!(
        setting
            .count(&url, Of::ApproximateNumberOfMessagesDelayed)
            .await,
        "1"
    );
    assert!(setting.receive(&url).await.is_empty());
    setting.time.pass_seconds(20);
    assert_eq!(
        setting.count(&url, Of::ApproximateNumberOfMessages).await,
        "1"
    );
    setting.time.pass_seconds(40);
    assert_eq!(
        setting.count(&url, Of::ApproximateNumberOfMessages).await,
        "0"
    );
}

#[tokio::test]
async fn batches_report_each_entry() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(body)
            .build()
            .unwrap()
    };
    let sent = setting
        .client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("1", "a"))
        .entries(entry("2", "\u{1}"))
        .entries(entry("3", "c"))
        .send()
        .await
        .unwrap();
    let ids: Vec<&str> = sent.successful().iter().map(|sent| sent.id()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!(
        (sent.failed()[0].id(), sent.failed()[0].code()),
        ("2", "InvalidMessageContents")
    );

    let received = setting.receive(&url).await;
    assert_eq!(bodies(&received), ["a", "c"]);
    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let handle = received[0].receipt_handle.as_deref().unwrap();
    let deleted = setting
        .client
        .delete_message_batch()
        .queue_url(&url)
        .entries(delete("a", handle))
        .entries(delete("b", "nonsense"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful()[0].id(), "a");
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert_eq!(setting.queues.in_flight("work").len(), 1);
}

#[tokio::test]
async fn a_long_poll_ends_with_a_message_or_with_its_time() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let poll = || {
        let poll = setting.client.receive_message().queue_url(&url);
        tokio::spawn(poll.wait_time_seconds(20).send())
    };
    // Long enough for the poll to have found nothing; what it does next must not depend on it.
    let a_while = Duration::from_millis(50);
    let polling = poll();
    tokio::time::sleep(a_while).await;
    setting.queues.send("work", "a", None, None).unwrap();
    let received = polling.await.unwrap().unwrap();
    assert_eq!(bodies(received.messages()), ["a"]);

    let polling = poll();
    tokio::time::sleep(a_while).await;
    setting.time.pass_seconds(20);
    assert!(polling.await.unwrap().unwrap().messages.is_none());
}
