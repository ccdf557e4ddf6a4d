//! What operators see of a story: one line per request, with who, what and how long; metrics in them that CloudWatch can read; the
//! trace of a request in the lines of the custodian it had invoked; and nothing of it at the provider.

use consulate_core::custody::{Answer, Deed, Event};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// A call with trace headers; answers the request id.
async fn traced_call(stack: &Stack, jwt: &str) {
    let url = format!("{}/v1/widgets/notes/apis/whoAmI", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("traceparent", PARENT),
        ("x-amzn-trace-id", XRAY),
    ];
    let body = json!({"params": {}}).to_string();
    let called = stack.wire.call(Method::POST, &url, &headers, body);
    called.await.expect(200);
}

fn texts(line: &Value, names: &[&str]) {
    for name in names {
        let is_there = line[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_there, "{name}: {line}");
    }
}

/// The rules of the embedded metric format: what `_aws` names are members at the top, numbers or texts.
fn is_sound(line: &Value) {
    assert!(
        line["_aws"]["Timestamp"]
            .as_i64()
            .is_some_and(|millis| millis > 1_700_000_000_000)
    );
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "Consulate");
        for name in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[name.as_str().unwrap()].is_string(), "{name}: {line}");
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn a_story_is_told_in_one_line_per_request_that_measures_itself() {
    consulate_core::log::with_metrics("Consulate");
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    stack.dev.clock.advance_millis(61_000);
    traced_call(&stack, &jwt).await;
    stack
        .widget(Method::DELETE, "connections/mine", &jwt, "")
        .await
        .expect(200);
    stack.api(&jwt, "whoAmI", json!({})).await.expect(424);

    let lines = stack.log_lines();
    for line in &lines {
        texts(line, &["time", "level", "function", "event"]);
        if line["event"] == "request" {
            texts(line, &["request_id", "method", "route", "outcome"]);
            assert!(
                line["duration_ms"].is_u64() && line["status"].is_u64(),
                "{line}"
            );
            is_sound(line);
        }
    }
    // No request has two lines.
    let ids = lines.iter().filter(|line| line["event"] == "request");
    let mut ids: Vec<&str> = ids
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    let requests = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests);

    let one = |found: &dyn Fn(&Value) -> bool| {
        let found: Vec<&Value> = lines.iter().filter(|line| found(line)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let call = one(&|line| line["audit"] == "call" && line["status"] == 200);
    texts(
        &call,
        &["widget", "api", "auth_key", "passport", "provider"],
    );
    assert!(call["upstream_ms"].is_u64(), "{call}");
    assert_eq!(call["outcome"], "ok");
    assert_eq!(
        (&call["traceparent"], &call["trace_id"]),
        (&json!(PARENT), &json!(XRAY))
    );
    assert!(call.get("caused_by").is_none());
    // Her own connection: whoever asks is whose it is, in every line.
    assert_eq!(call["caller"], call["owner"]);
    let refused = one(&|line| line["audit"] == "call" && line["status"] == 424);
    assert_eq!(refused["outcome"], "authentication_required");
    for audit in ["connect", "consent", "callback", "exchange", "disconnect"] {
        let line = one(&|line| line["audit"] == audit);
        let (caller, owner) = (&line["caller"], &line["owner"]);
        assert_eq!((caller, owner), (&call["caller"], &call["owner"]), "{line}");
    }
    for audit in ["connect", "exchange", "refresh", "disconnect", "revoke"] {
        texts(&one(&|line| line["audit"] == audit), &["provider"]);
    }

    // The custodian's lines are of the same trace, and name the request.
    let refresh = one(&|line| line["function"] == "custodian" && line["audit"] == "refresh");
    is_sound(&refresh);
    assert_eq!(refresh["outcome"], "refreshed");
    assert_eq!(
        (&refresh["refreshes"], &refresh["requests"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(refresh["caused_by"], call["request_id"], "{refresh}");
    assert_eq!(refresh["traceparent"], PARENT);
    assert_eq!(refresh["owner"], call["owner"]);
    let connected = one(&|line| line["what"] == "connection.connected");
    is_sound(&connected);
    let callback = one(&|line| line["audit"] == "callback");
    assert_eq!(connected["caused_by"], callback["request_id"]);
    one(&|line| line["what"] == "connection.disconnected");

    // The provider is told none of it.
    let seen = format!("{:?}", stack.provider.seen());
    assert!(!seen.contains("4bf92f3577b34da6a3ce929d0e0e4736") && !seen.contains("5759e988"));
    assert_eq!(stack.status(&jwt, MINE).await["status"], "disconnected");
}

#[tokio::test]
async fn what_an_operator_did_is_noted_by_the_custodian() {
    let stack = Stack::start().await;
    let long = "w".repeat(1_000);
    for (subject, by) in [
        ("calendar", Some("AKIAIOSFODNN7EXAMPLE")),
        (long.as_str(), Some("a\nb")),
    ] {
        let event = Event::Note {
            deed: Deed::WidgetImported,
            subject: subject.to_owned(),
            by: by.map(str::to_owned),
        };
        let answer = stack.dev.target.custodian().unwrap().ask(&event).await;
        assert_eq!(answer, Ok(Answer::Noted));
    }
    let lines = stack.log_lines();
    let notes = lines
        .iter()
        .filter(|line| line["what"] == "operator.widget_imported");
    let [first, second] = notes.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        (&first["event"], &first["subject"]),
        (&json!("audit"), &json!("calendar"))
    );
    assert_eq!(first["by"], "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(second["subject"].as_str().unwrap().len(), 128);
    assert!(second.get("by").is_none(), "{second}");
}
