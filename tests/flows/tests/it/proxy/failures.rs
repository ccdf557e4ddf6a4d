//! An API that does not answer, or may not be asked.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::{PASSPORT, WIDGET};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{connected, plain};

/// Changes a stored definition under Consulate's hands, as nobody should be able to, and starts it anew.
async fn with_stored(stack: Stack, pk: &str, change: impl FnOnce(&mut Value)) -> Stack {
    let target = &stack.dev.target;
    let key = AttributeValue::S(pk.to_owned());
    let get = target
        .dynamodb
        .get_item()
        .table_name(&target.table)
        .key("pk", key);
    let mut item = get.send().await.unwrap().item.unwrap();
    let mut document: Value = serde_json::from_str(item["doc"].as_s().unwrap()).unwrap();
    change(&mut document);
    item.insert("doc".to_owned(), AttributeValue::S(document.to_string()));
    let put = target.dynamodb.put_item().table_name(&target.table);
    put.set_item(Some(item)).send().await.unwrap();
    stack.restart().await
}

/// S-89. Twenty seconds, of which nobody waits one: tokio's time is moved.
#[tokio::test]
async fn an_api_that_hangs_is_given_up_before_api_gateway_gives_up() {
    let (stack, jwt) = connected().await;
    let before = stack.provider.seen().api_calls;
    let url = format!("{}/v1/widgets/{WIDGET}/apis/hang", stack.dev.base_url);
    let (wire, bearer) = (stack.wire.clone(), format!("Bearer {jwt}"));
    let call = tokio::spawn(async move {
        let headers = [("authorization", bearer.as_str())];
        wire.call(http::Method::POST, &url, &headers, "").await
    });
    while stack.provider.seen().api_calls == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(19)).await;
    assert!(!call.is_finished(), "an API may take its time");
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let soon = tokio::time::timeout(Duration::from_secs(2), call);
    let problem = soon
        .await
        .expect("it is still waiting")
        .unwrap()
        .expect_problem(504, "upstream_timeout", "", "");
    assert_eq!(problem.json()["retryable"], true);
    assert_eq!(stack.provider.seen().api_calls, before + 1);
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_said_to_be_unreachable() {
    let (mut stack, jwt) = connected().await;
    for reply in [Reply::Drop, Reply::CutMidBody] {
        stack.provider.script_api(reply);
        let answer = stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(502, "upstream_unreachable", "", "");
    }
    stack.provider_down();
    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
    let problem = answer
        .expect_problem(502, "upstream_unreachable", "", "")
        .json();
    assert_eq!(problem["retryable"], true);
    assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
    stack.provider_up().await;
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["isSuccess"], true);
}

/// Where a credential may go is judged again at every call, whatever the import was talked into.
#[tokio::test]
async fn a_credential_goes_to_the_hosts_of_its_passport_and_nowhere_else() {
    let (stack, jwt) = connected().await;
    let own = stack.provider_url.trim_start_matches("http://").to_owned();
    let (name, port) = own.split_once(':').unwrap();
    let lists = [
        json!([]),
        json!(["api.example"]),
        json!([name]),
        json!([format!("localhost:{port}")]),
        json!([format!("{own}.evil.example")]),
    ];
    let before = stack.provider.seen();
    let mut stack = stack;
    let pk = format!("PASSPORT#{PASSPORT}");
    for hosts in lists {
        stack = with_stored(stack, &pk, |passport| passport["api_hosts"] = hosts.clone()).await;
        let answer = stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(502, "upstream_unreachable", "field", "url");
        assert_eq!(stack.provider.seen(), before, "{hosts}");
    }
    let stack = with_stored(stack, &pk, |passport| passport["api_hosts"] = json!([own])).await;
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["isSuccess"], true);
}

/// S-83, at run time: a host that is listed is still not called when it is no place for a credential.
#[tokio::test]
async fn a_listed_host_inside_the_network_is_not_called() {
    let (stack, jwt) = connected().await;
    let port = stack.provider_url.rsplit(':').next().unwrap().to_owned();
    let before = stack.provider.seen();
    let mut stack = stack;
    for (host, url) in [
        ("169.254.169.254", "http://169.254.169.254/latest/meta-data"),
        (
            "169.254.169.254",
            "https://169.254.169.254/latest/meta-data",
        ),
        ("[fd00:ec2::254]", "https://[fd00:ec2::254]/"),
        (
            "[::ffff:127.0.0.1]:PORT",
            "https://[::ffff:127.0.0.1]:PORT/api/me",
        ),
        ("10.0.0.1", "https://10.0.0.1/"),
        ("127.0.0.1:1", "http://127.0.0.1:1/"),
        ("127.0.0.1:PORT", "https://127.0.0.2:PORT/api/me"),
        ("api.example", "http://api.example/"),
    ] {
        let (host, url) = (host.replace("PORT", &port), url.replace("PORT", &port));
        let pk = format!("PASSPORT#{PASSPORT}");
        stack = with_stored(stack, &pk, |passport| passport["api_hosts"] = json!([host])).await;
        let pk = format!("WIDGET#{WIDGET}");
        stack = with_stored(stack, &pk, |widget| widget["apis"][0]["url"] = json!(url)).await;
        let answer = stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(502, "upstream_unreachable", "", "");
        assert_eq!(stack.provider.seen(), before, "{url}");
    }
}
