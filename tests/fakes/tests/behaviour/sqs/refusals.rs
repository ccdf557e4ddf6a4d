//! What SQS does not take, and the codes it says so with.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{QueueAttributeName as Of, SendMessageBatchRequestEntry};
use http::Method;
use serde_json::{Value, json};

use super::Setting;
use crate::client::send;

/// Code and message of what the server says to `request`, unsigned and spoken by hand.
async fn refusal(setting: &Setting, operation: &str, request: &Value) -> (String, String) {
    let target = format!("AmazonSQS.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let body = request.to_string();
    let answer = send(Method::POST, &setting.served.url(), &headers, &body)
        .await
        .unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.header("x-amzn-query-error"), "");
    let text = |member: &str| answer.json()[member].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

#[tokio::test]
async fn a_queue_that_is_not_there_does_not_exist() {
    let setting = Setting::new().await;
    let client = &setting.client;
    let by_name = client.get_queue_url().queue_name("work").send().await;
    assert!(
        by_name
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    let url = consulate_fakes::sqs::queue_url(&setting.served.url(), "work");
    let sent = client.send_message().queue_url(url).message_body("a");
    let sent = sent.send().await.unwrap_err().into_service_error();
    assert!(sent.is_queue_does_not_exist());
    assert_eq!(
        sent.meta().code(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
    let nowhere = client.receive_message().queue_url("work").send().await;
    assert!(
        nowhere
            .unwrap_err()
            .into_service_error()
            .is_invalid_address()
    );
    assert_eq!(
        setting.queues.requests()[1].error.as_deref(),
        Some("QueueDoesNotExist")
    );
}

#[tokio::test]
async fn queues_are_created_as_documented_or_not_at_all() {
    let setting = Setting::new().await;
    let queues = &setting.queues;
    let dead = queues.create("dead", &[]).unwrap();
    let policy = |arn: &str, count: &str| {
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{count}}}"#)
    };
    let absent = policy("arn:aws:sqs:us-east-1:123456789012:absent", "3");
    let elsewhere = policy("arn:aws:sqs:eu-west-1:123456789012:dead", "3");
    let (never, standard) = (policy(&dead, "0"), policy(&dead, "3"));
    let fifo = ("FifoQueue", "true");
    for (name, attributes, code) in [
        ("a b", vec![], "InvalidParameterValue"),
        ("work.fifo", vec![], "InvalidParameterValue"),
        ("work", vec![fifo], "InvalidParameterValue"),
        (".fifo", vec![fifo], "InvalidParameterValue"),
        ("work", vec![("Colour", "red")], "InvalidAttributeName"),
        (
            "work",
            vec![("ContentBasedDeduplication", "true")],
            "InvalidAttributeName",
        ),
        (
            "work",
            vec![("VisibilityTimeout", "43201")],
            "InvalidAttributeValue",
        ),
        (
            "work",
            vec![("MessageRetentionPeriod", "59")],
            "InvalidAttributeValue",
        ),
        (
            "work",
            vec![("RedrivePolicy", absent.as_str())],
            "InvalidAttributeValue",
        ),
        (
            "work",
            vec![("RedrivePolicy", elsewhere.as_str())],
            "InvalidAttributeValue",
        ),
        (
            "work",
            vec![("RedrivePolicy", never.as_str())],
            "InvalidAttributeValue",
        ),
        (
            "work.fifo",
            vec![fifo, ("RedrivePolicy", standard.as_str())],
            "InvalidAttributeValue",
        ),
    ] {
        let refused = queues.create(name, &attributes).unwrap_err();
        assert_eq!(refused.code, code, "{name} {attributes:?}");
    }

    queues
        .create("work", &[("VisibilityTimeout", "60")])
        .unwrap();
    queues
        .create("work", &[("VisibilityTimeout", "60")])
        .unwrap();
    queues.create("work", &[]).unwrap();
    let other = setting
        .client
        .create_queue()
        .queue_name("work")
        .attributes(Of::VisibilityTimeout, "61");
    let other = other.send().await.unwrap_err().into_service_error();
    assert!(other.is_queue_name_exists());
}

#[tokio::test]
async fn messages_are_refused_for_what_is_wrong_with_them() {
    let setting = Setting::new().await;
    let queues = &setting.queues;
    queues.create("work", &[]).unwrap();
    queues
        .create("save.fifo", &[("FifoQueue", "true")])
        .unwrap();
    let (largest, larger) = ("a".repeat(1_048_576), "a".repeat(1_048_577));
    let long = "a".repeat(129);
    for (queue, body, group, id, code) in [
        ("work", "", None, None, "MissingParameter"),
        ("work", &larger, None, None, "InvalidParameterValue"),
        ("work", "\u{0}", None, None, "InvalidMessageContents"),
        ("work", "\u{ffff}", None, None, "InvalidMessageContents"),
        ("work", "a", None, Some("1"), "InvalidParameterValue"),
        ("save.fifo", "a", None, Some("1"), "MissingParameter"),
        ("save.fifo", "a", Some("g"), None, "InvalidParameterValue"),
        (
            "save.fifo",
            "a",
            Some("g h"),
            Some("1"),
            "InvalidParameterValue",
        ),
        (
            "save.fifo",
            "a",
            Some(&long),
            Some("1"),
            "InvalidParameterValue",
        ),
        (
            "save.fifo",
            "a",
            Some("g"),
            Some(""),
            "InvalidParameterValue",
        ),
    ] {
        let refused = queues.send(queue, body, group, id).unwrap_err();
        assert_eq!(refused.code, code, "{queue} {group:?} {id:?}");
    }
    // A group is no order in a standard queue, but it may be given.
    queues.send("work", &largest, Some("tenant"), None).unwrap();

    let url = consulate_fakes::sqs::queue_url(&setting.served.url(), "save.fifo");
    let delayed = setting.client.send_message().queue_url(url);
    let delayed = delayed.message_body("a").message_group_id("g");
    let delayed = delayed.message_deduplication_id("1").delay_seconds(5);
    let refused = delayed.send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn batches_are_refused_whole_for_their_shape() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let batch = |entries: Vec<(&str, &str)>| {
        let entries = entries.into_iter().map(|(id, body)| {
            let entry = SendMessageBatchRequestEntry::builder().id(id);
            entry.message_body(body).build().unwrap()
        });
        let batch = setting.client.send_message_batch().queue_url(&url);
        batch.set_entries(Some(entries.collect())).send()
    };
    let half = "a".repeat(600_000);
    let eleven = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    let eleven = eleven.map(|id| (id, "a")).to_vec();
    let refused = |refused| aws_sdk_sqs::error::SdkError::into_service_error(refused);
    assert!(refused(batch(vec![]).await.unwrap_err()).is_empty_batch_request());
    let many = refused(batch(eleven).await.unwrap_err());
    assert!(many.is_too_many_entries_in_batch_request());
    let twice = refused(batch(vec![("1", "a"), ("1", "b")]).await.unwrap_err());
    assert!(twice.is_batch_entry_ids_not_distinct());
    let named = refused(batch(vec![("a.b", "a")]).await.unwrap_err());
    assert!(named.is_invalid_batch_entry_id());
    let long = refused(batch(vec![("1", &half), ("2", &half)]).await.unwrap_err());
    assert!(long.is_batch_request_too_long());
    assert!(setting.queues.visible("work").is_empty());
}

#[tokio::test]
async fn receives_and_handles_are_checked() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    setting.queues.create("other", &[]).unwrap();
    setting.queues.send("other", "a", None, None).unwrap();
    let receive = || setting.client.receive_message().queue_url(&url);
    for receive in [
        receive().max_number_of_messages(0),
        receive().max_number_of_messages(11),
        receive().visibility_timeout(43_201),
        receive().wait_time_seconds(21),
    ] {
        let refused = receive.send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidParameterValue"));
    }
    let others = setting.receive(&url.replace("work", "other")).await;
    let foreign = others[0].receipt_handle.as_deref().unwrap();
    for handle in ["nonsense", foreign] {
        let delete = setting.client.delete_message().queue_url(&url);
        let refused = delete.receipt_handle(handle).send().await.unwrap_err();
        assert!(refused.into_service_error().is_receipt_handle_is_invalid());
    }
    let attributes = setting.client.get_queue_attributes().queue_url(&url);
    let attributes = attributes.attribute_names(Of::from("Colour")).send().await;
    let refused = attributes.unwrap_err().into_service_error();
    assert!(refused.is_invalid_attribute_name());
}

#[tokio::test]
async fn unknown_members_operations_and_protocols_are_refused() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let request = json!({ "QueueUrl": url, "MessageBody": "a", "Colour": "red" });
    let (code, message) = refusal(&setting, "SendMessage", &request).await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("`Colour`"), "{message}");
    let attempt = json!({ "QueueUrl": url, "ReceiveRequestAttemptId": "1" });
    let (code, _) = refusal(&setting, "ReceiveMessage", &attempt).await;
    assert_eq!(code, "InvalidParameterValue");
    let (code, message) = refusal(&setting, "SendMessage", &json!({ "QueueUrl": url })).await;
    assert_eq!(code, "MissingParameter");
    assert!(message.contains("MessageBody"), "{message}");
    let (code, _) = refusal(&setting, "PurgeQueue", &json!({ "QueueUrl": url })).await;
    assert_eq!(code, "UnknownOperationException");
    let (code, _) = refusal(&setting, "SendMessage", &json!([])).await;
    assert_eq!(code, "SerializationException");
    let query = [("content-type", "application/x-www-form-urlencoded")];
    let body = "Action=SendMessage";
    let answer = send(Method::POST, &setting.served.url(), &query, body).await;
    assert_eq!(answer.unwrap().status, 400);
    assert!(setting.queues.visible("work").is_empty());
}
