//! What only FIFO queues do: order within groups, deduplication, strict receipt handles.

use aws_sdk_sqs::types::MessageSystemAttributeName as Attribute;

use super::{Setting, attribute, bodies};

const FIFO: [(&str, &str); 2] = [("FifoQueue", "true"), ("VisibilityTimeout", "30")];

#[tokio::test]
async fn a_group_stands_still_while_one_of_its_messages_is_in_flight() {
    let (setting, url) = Setting::with_queue("save.fifo", &FIFO).await;
    let send = |body, group| {
        let queues = &setting.queues;
        queues
            .send("save.fifo", body, Some(group), Some(body))
            .unwrap()
    };
    send("a1", "a");
    send("a2", "a");
    send("b1", "b");
    let one = setting.client.receive_message().queue_url(&url);
    let first = one.send().await.unwrap().messages.unwrap();
    assert_eq!(bodies(&first), ["a1"]);
    send("a3", "a");
    let others = setting.receive(&url).await;
    assert_eq!(bodies(&others), ["b1"]);
    assert_eq!(attribute(&others[0], Attribute::MessageGroupId), "b");
    assert_eq!(
        attribute(&others[0], Attribute::MessageDeduplicationId),
        "b1"
    );

    setting.delete(&url, &first[0]).await;
    let rest = setting.receive(&url).await;
    assert_eq!(bodies(&rest), ["a2", "a3"]);
    assert!(
        attribute(&rest[0], Attribute::SequenceNumber)
            < attribute(&rest[1], Attribute::SequenceNumber)
    );

    // What comes back comes back in order.
    setting.time.pass_seconds(30);
    send("a4", "a");
    assert_eq!(
        bodies(&setting.receive(&url).await),
        ["a2", "b1", "a3", "a4"]
    );
}

#[tokio::test]
async fn a_receipt_handle_is_void_once_its_message_was_visible_again() {
    let (setting, url) = Setting::with_queue("save.fifo", &FIFO).await;
    let queues = &setting.queues;
    queues.send("save.fifo", "a", Some("a"), Some("1")).unwrap();
    let first = setting.receive(&url).await;
    let delete = || {
        setting
            .client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(first[0].receipt_handle.as_deref().unwrap())
            .send()
    };
    setting.time.pass_seconds(30);
    let lapsed = delete().await.unwrap_err().into_service_error();
    assert_eq!(lapsed.meta().code(), Some("InvalidParameterValue"));
    assert!(lapsed.meta().message().unwrap().contains("has expired"));

    let second = setting.receive(&url).await;
    let older = delete().await.unwrap_err().into_service_error();
    assert_eq!(older.meta().code(), Some("InvalidParameterValue"));
    setting.delete(&url, &second[0]).await;
    assert!(queues.in_flight("save.fifo").is_empty());
}

#[tokio::test]
async fn a_deduplication_id_is_remembered_for_five_minutes_even_after_deletion() {
    let (setting, url) = Setting::with_queue("save.fifo", &FIFO).await;
    let send = |body: &str| {
        setting
            .client
            .send_message()
            .queue_url(&url)
            .message_body(body)
            .message_group_id("a")
            .message_deduplication_id("attempt-1")
            .send()
    };
    let first = send("first").await.unwrap();
    let received = setting.receive(&url).await;
    setting.delete(&url, &received[0]).await;
    setting.time.pass_seconds(299);
    let second = send("second").await.unwrap();
    assert_eq!(first.message_id, second.message_id);
    assert_eq!(first.sequence_number, second.sequence_number);
    assert!(setting.queues.visible("save.fifo").is_empty());
    setting.time.pass_seconds(1);
    let third = send("third").await.unwrap();
    assert_ne!(first.message_id, third.message_id);
    assert_eq!(setting.queues.visible("save.fifo")[0].body, "third");
}

#[tokio::test]
async fn the_body_deduplicates_where_the_queue_says_so() {
    let by_content = [("FifoQueue", "true"), ("ContentBasedDeduplication", "true")];
    let (setting, _url) = Setting::with_queue("save.fifo", &by_content).await;
    let queues = &setting.queues;
    for body in ["a", "a", "b"] {
        queues.send("save.fifo", body, Some("g"), None).unwrap();
    }
    let visible = queues.visible("save.fifo");
    let sent: Vec<&str> = visible
        .iter()
        .map(|message| message.body.as_str())
        .collect();
    assert_eq!(sent, ["a", "b"]);
    // SHA-256 of "a".
    let id = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    assert_eq!(visible[0].deduplication_id.as_deref(), Some(id));
}

#[tokio::test]
async fn a_fifo_queue_gives_up_a_poisoned_message_and_its_group_moves_on() {
    let setting = Setting::new().await;
    let fifo = ("FifoQueue", "true");
    let dead = setting.queues.create("dead.fifo", &[fifo]).unwrap();
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":"1"}}"#);
    let attributes = [fifo, ("RedrivePolicy", policy.as_str())];
    setting.queues.create("save.fifo", &attributes).unwrap();
    let url = consulate_fakes::sqs::queue_url(&setting.served.url(), "save.fifo");
    for body in ["poison", "next"] {
        let queues = &setting.queues;
        queues
            .send("save.fifo", body, Some("g"), Some(body))
            .unwrap();
    }
    let one = setting.client.receive_message().queue_url(&url);
    one.send().await.unwrap();
    setting.time.pass_seconds(30);
    assert_eq!(bodies(&setting.receive(&url).await), ["next"]);
    let dead = setting.queues.dead("save.fifo");
    assert_eq!((dead.len(), dead[0].group.as_deref()), (1, Some("g")));
}
