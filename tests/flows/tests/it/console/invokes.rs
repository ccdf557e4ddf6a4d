//! What the console asks of connect and proxy comes by invoke; no address leads there.

use consulate_core::acting::{ConnectAct, Event, Invoke, Person, ProxyAct};
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

fn invoke(payload: &[u8]) -> Invoke<'_> {
    Invoke {
        payload,
        request_id: "r",
        xray: None,
    }
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
    let listed = consulate_connect::act(&connect, invoke(&list("ada", "o1"))).await;
    assert_eq!(listed.body["connections"][0]["status"], "connected");
    let others = consulate_connect::act(&connect, invoke(&list("ada", "o2"))).await;
    assert_eq!(others.body["connections"][0]["status"], "not_connected");
    for payload in [&b""[..], b"{}", b"[]", &list("", "o1"), &list("ada", "")] {
        let answer = consulate_connect::act(&connect, invoke(payload)).await;
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
    let called = consulate_proxy::act(&proxy, invoke(&call("notes", "whoAmI"))).await;
    assert_eq!(called.body["statusCode"], 200, "{called:?}");
    for (widget, api, code) in [
        ("notes", "none", "api_unknown"),
        ("none", "whoAmI", "widget_unknown"),
    ] {
        let answer = consulate_proxy::act(&proxy, invoke(&call(widget, api))).await;
        assert_eq!(answer.body["code"], code);
    }
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "connected"
    );
}

/// As much as of the widget's own requests: what, on which widget, whose, how it went, how long, and what it was part of.
#[tokio::test]
async fn acts_in_somebodys_place_are_in_the_audit_trail() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let connect = consulate_connect::State::new(&stack.dev.foundation);
    let person = json!({"organisation": "o1", "user": "ada"});
    let trace = json!({"caused_by": "the-consoles-request"});
    let event = |act| json!({"widget": "notes", "person": person, "act": act, "trace": trace});
    let call = event(json!({"type": "call", "api": "whoAmI", "params": {}})).to_string();
    let proxy = consulate_proxy::State::new(&stack.dev.foundation);
    let called = consulate_proxy::act(&proxy, invoke(call.as_bytes())).await;
    assert!(called.is_success(), "{called:?}");
    let given_up = event(json!({"type": "disconnect", "auth_key": MINE})).to_string();
    let given_up = consulate_connect::act(&connect, invoke(given_up.as_bytes())).await;
    assert!(given_up.is_success(), "{given_up:?}");
    stack.api(&jwt, "whoAmI", json!({})).await.expect(424);

    let lines = stack.log_lines();
    let own = lines
        .iter()
        .find(|line| line["status"] == 424 && line["audit"] == "call");
    let own = own.unwrap();
    for (function, audit) in [("proxy", "call"), ("connect", "disconnect")] {
        let line = lines
            .iter()
            .find(|line| line["event"] == "act" && line["audit"] == audit)
            .unwrap_or_else(|| panic!("no line about {audit}"));
        assert_eq!(line["function"], function);
        assert_eq!(line["widget"], "notes", "{line}");
        assert_eq!(
            (&line["caller"], &line["owner"]),
            (&own["caller"], &own["caller"]),
            "{line}"
        );
        assert_eq!(line["caused_by"], "the-consoles-request", "{line}");
        assert!(
            line["duration_ms"].is_u64() && line["outcome"].is_string(),
            "{line}"
        );
        assert!(line["provider"].is_string(), "{line}");
    }
    // And so is what the custodian did for it.
    let revoked = lines
        .iter()
        .find(|line| line["function"] == "custodian" && line["audit"] == "revoke");
    assert_eq!(revoked.unwrap()["caused_by"], "the-consoles-request");
}
