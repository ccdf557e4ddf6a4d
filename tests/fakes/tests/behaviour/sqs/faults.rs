//! Scripted faults of the SQS server.

use std::time::Duration;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use consulate_fakes::sqs::Fault;

use super::{Setting, bodies};

#[tokio::test]
async fn an_unavailable_queue_took_nothing() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let send = || {
        let send = setting.client.send_message().queue_url(&url);
        send.message_body("a").send()
    };
    setting.queues.fail_next("SendMessage", Fault::Pass);
    setting.queues.fail_next("SendMessage", Fault::Unavailable);
    send().await.unwrap();
    let refused = send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ServiceUnavailable"));
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(setting.queues.visible("work").len(), 1);

    setting.queues.outage(true);
    assert!(send().await.is_err());
    let receive = setting.client.receive_message().queue_url(&url);
    assert!(receive.send().await.is_err());
    setting.queues.outage(false);
    send().await.unwrap();
    assert_eq!(setting.queues.visible("work").len(), 2);
}

#[tokio::test]
async fn a_lost_acknowledgement_leaves_the_message_sent() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    setting.queues.fail_next("SendMessage", Fault::LostAck);
    let send = setting.client.send_message().queue_url(&url);
    let lost = send.message_body("a").send().await.unwrap_err();
    assert!(lost.as_service_error().is_none());
    assert_eq!(setting.queues.visible("work").len(), 1);

    setting.queues.fail_next("ReceiveMessage", Fault::LostAck);
    let receive = setting.client.receive_message().queue_url(&url);
    receive.send().await.unwrap_err();
    assert_eq!(setting.queues.in_flight("work").len(), 1);
    setting.time.pass_seconds(30);
    assert_eq!(bodies(&setting.receive(&url).await), ["a"]);
}

#[tokio::test]
async fn a_slow_request_is_applied_though_its_sender_went_away() {
    let (setting, url) = Setting::with_queue("work", &[]).await;
    let slow = Fault::Slow(Duration::from_millis(200));
    setting.queues.fail_next("SendMessage", slow);
    let send = setting.client.send_message().queue_url(&url);
    let send = send.message_body("a").send();
    let gone = tokio::time::timeout(Duration::from_millis(100), send).await;
    assert!(gone.is_err());
    assert!(setting.queues.visible("work").is_empty());
    let wait = setting.client.receive_message().queue_url(&url);
    let received = wait.wait_time_seconds(5).send().await.unwrap();
    assert_eq!(bodies(received.messages()), ["a"]);
}
