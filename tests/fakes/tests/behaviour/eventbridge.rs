//! The EventBridge server, seen by the real SDK.

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use consulate_fakes::eventbridge::{EventBridge, Fault};
use consulate_fakes::serve::{Served, serve};
use http::Method;

use crate::client::send;
use crate::moved_clock::{MovedClock, START};
use crate::sdk;

async fn served() -> (EventBridge, Client, Served) {
    let buses = EventBridge::new(MovedClock::new().clock());
    buses.create_bus("consulate").unwrap();
    let served = serve(buses.router(), 0).await.unwrap();
    let client = sdk::eventbridge(&served.url());
    (buses, client, served)
}

fn entry() -> PutEventsRequestEntryBuilder {
    PutEventsRequestEntry::builder()
        .event_bus_name("consulate")
        .source("consulate")
        .detail_type("connection.connected")
        .detail(r#"{"connection":"c1"}"#)
}

#[tokio::test]
async fn events_are_kept_as_they_were_put() {
    let (buses, client, _served) = served().await;
    let by_arn = "arn:aws:events:us-east-1:123456789012:event-bus/consulate";
    let answer = client
        .put_events()
        .entries(entry().resources("arn:one").build())
        .entries(entry().event_bus_name(by_arn).build())
        .entries(
            entry()
                .set_event_bus_name(None)
                .time(DateTime::from_millis(START - 500))
                .build(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(answer.failed_entry_count(), 0);
    let events = buses.events();
    let told: Vec<_> = answer
        .entries()
        .iter()
        .map(|entry| entry.event_id().unwrap())
        .collect();
    let kept: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(told, kept);
    let on: Vec<_> = events.iter().map(|event| event.bus.as_str()).collect();
    assert_eq!(on, ["consulate", "consulate", "default"]);
    assert_eq!(events[0].source, "consulate");
    assert_eq!(events[0].detail_type, "connection.connected");
    assert_eq!(events[0].detail["connection"], "c1");
    assert_eq!(events[0].resources, ["arn:one"]);
    assert_eq!((events[0].time, events[2].time), (START, START - 500));
    buses.clear();
    assert!(buses.events().is_empty());
}

#[tokio::test]
async fn an_entry_is_refused_for_itself_and_the_rest_is_taken() {
    let (buses, client, _served) = served().await;
    buses.refuse_next_entry("ThrottlingException");
    let answer = client
        .put_events()
        .entries(entry().set_source(None).build())
        .entries(entry().set_detail_type(None).build())
        .entries(entry().detail("[1]").build())
        .entries(entry().detail("{").build())
        .entries(entry().source("aws.events").build())
        .entries(entry().event_bus_name("absent").build())
        .entries(entry().detail_type("t".repeat(129)).build())
        .entries(entry().build())
        .entries(entry().build())
        .send()
        .await
        .unwrap();
    let codes: Vec<_> = answer
        .entries()
        .iter()
        .map(|entry| entry.error_code())
        .collect();
    assert_eq!(
        codes,
        [
            Some("InvalidArgument"),
            Some("InvalidArgument"),
            Some("MalformedDetail"),
            Some("MalformedDetail"),
            Some("NotAuthorizedForSourceException"),
            Some("InvalidArgument"),
            Some("InvalidArgument"),
            Some("ThrottlingException"),
            None,
        ]
    );
    assert_eq!(answer.failed_entry_count(), 8);
    assert_eq!(buses.events().len(), 1);
}

#[tokio::test]
async fn a_request_is_refused_whole_for_its_shape() {
    let (buses, client, served) = served().await;
    let put = |entries| client.put_events().set_entries(Some(entries)).send();
    let half = format!(r#"{{"a":"{}"}}"#, "a".repeat(600_000));
    let half = entry().detail(half).build();
    for entries in [
        vec![],
        vec![entry().build(); 11],
        vec![half.clone(), half.clone()],
        vec![entry().set_detail(None).build()],
    ] {
        let refused = put(entries).await.unwrap_err();
        assert_eq!(refused.code(), Some("ValidationException"));
    }
    put(vec![half]).await.unwrap();
    assert_eq!(buses.events().len(), 1);

    for (operation, body, code) in [
        ("PutRule", "{}", "UnknownOperationException"),
        (
            "PutEvents",
            r#"{"Entries":[],"Colour":"red"}"#,
            "SerializationException",
        ),
        (
            "PutEvents",
            r#"{"Entries":[{"Colour":"red"}]}"#,
            "SerializationException",
        ),
    ] {
        let target = format!("AWSEvents.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let answer = send(Method::POST, &served.url(), &headers, body).await;
        assert_eq!(answer.unwrap().json()["__type"], code, "{body}");
    }
    assert!(buses.create_bus("a/b").is_err());
}

#[tokio::test]
async fn scripted_faults_befall_requests_in_turn() {
    let (buses, client, _served) = served().await;
    let put = || client.put_events().entries(entry().build()).send();
    buses.fail_next(Fault::Unavailable);
    buses.fail_next(Fault::LostAck);
    buses.fail_next(Fault::Slow(Duration::from_millis(10)));
    let unavailable = put().await.unwrap_err().into_service_error();
    assert!(unavailable.is_internal_exception());
    assert!(buses.events().is_empty());
    assert!(put().await.unwrap_err().as_service_error().is_none());
    assert_eq!(buses.events().len(), 1);
    put().await.unwrap();

    buses.outage(true);
    assert!(put().await.is_err());
    buses.outage(false);
    put().await.unwrap();
    assert_eq!((buses.events().len(), buses.requests()), (3, 5));
}
