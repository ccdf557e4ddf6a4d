//! What the console asks of connect and proxy comes by invoke; no address leads there.

use consulate_core::acting::{ConnectAct, Event, Person, ProxyAct};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;
use lambda_http::{Adapter, Context, LambdaEvent, Service as _};
use serde_json::{Value, json};

fn list(user: &str, organisation: &str) -> Vec<u8> {
    let event = Event {
        widget: "notes".to_owned(),
        person: Person {
            organisation: organisation.to_owned(),
            user: user.to_owned(),
            email: None,
        },
        act: ConnectAct::List,
    };
    serde_json::to_vec(&event).unwrap()
}

#[tokio::test]
async fn an_event_in_a_request_is_no_invoke() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let body = String::from_utf8(list("ada", "o1")).unwrap();
    for path in [
        "/events",
        "/v1/events",
        "/",
        "/console/events",
        "/v1/widgets/notes/events",
    ] {
        let url = format!("{}{path}", stack.dev.base_url);
        let headers = [("content-type", "application/json")];
        let answer = stack
            .wire
            .call(Method::POST, &url, &headers, body.clone())
            .await;
        assert!(!answer.status.is_success(), "{path} {}", answer.status);
        assert!(!answer.text().contains("account"), "{path}");
    }
    // A raw event that reaches the router itself finds no route: only `main.rs` tells the two apart, by the context.
    let connect = consulate_connect::router(consulate_connect::State::new(&stack.dev.foundation));
    let event: Value = serde_json::from_slice(&list("ada", "o1")).unwrap();
    let event = serde_json::from_value(event).unwrap();
    let answer = Adapter::from(connect)
        .call(LambdaEvent::new(event, Context::default()))
        .await;
    let answer = serde_json::to_value(answer.unwrap()).unwrap();
    assert_eq!(answer["code"], "not_found", "{answer}");
}

#[tokio::test]
async fn acts_are_judged_by_connect_and_proxy_themselves() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let connect = consulate_connect::State::new(&stack.dev.foundation);
    let proxy = consulate_proxy::State::new(&stack.dev.foundation);
    let listed = consulate_connect::act(&connect, &list("ada", "o1"), "r").await;
    assert_eq!(listed.body["connections"][0]["status"], "connected");
    let others = consulate_connect::act(&connect, &list("ada", "o2"), "r").await;
    assert_eq!(others.body["connections"][0]["status"], "not_connected");
    for payload in [&b""[..], b"{}", b"[]", &list("", "o1"), &list("ada", "")] {
        let answer = consulate_connect::act(&connect, payload, "r").await;
        assert!(!answer.is_success(), "{answer:?}");
        assert!(answer.body["code"].is_string(), "{answer:?}");
    }
    let call = |widget: &str, api: &str| {
        let event = Event {
            widget: widget.to_owned(),
            person: Person {
                organisation: "o1".to_owned(),
                user: "ada".to_owned(),
                email: None,
            },
            act: ProxyAct::Call {
                api: api.to_owned(),
                params: json!({}),
            },
        };
        serde_json::to_vec(&event).unwrap()
    };
    let called = consulate_proxy::act(&proxy, &call("notes", "whoAmI"), "r").await;
    assert_eq!(called.body["statusCode"], 200, "{called:?}");
    for (widget, api, code) in [
        ("notes", "none", "api_unknown"),
        ("none", "whoAmI", "widget_unknown"),
    ] {
        let answer = consulate_proxy::act(&proxy, &call(widget, api), "r").await;
        assert_eq!(answer.body["code"], code);
    }
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "connected"
    );
}
