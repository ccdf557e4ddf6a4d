//! Browser delivery (option 1 of the Happeo page): a widget fetches its user's short-lived access token, where both operators
//! have said so; and everybody else fetches nothing.

mod attacks;
mod journey;
mod refusals;

use consulate_flows::bundle::{Bundle, MINE, ORIGIN, WIDGET};
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// Declares browser delivery of `mine`, and lets the passport allow it.
fn deliver(bundle: &mut Bundle) {
    bundle.consulate["authentications"][MINE]["delivery"] = "browser".into();
    bundle.consulate["passports"]["test-cloud"]["browser_delivery"] = true.into();
}

/// A stack that delivers, with Ada's account connected; and her caller JWT.
async fn delivering() -> (Stack, String) {
    let stack = Stack::start_with(deliver, |_| {}).await;
    let jwt = stack.connected("ada").await;
    (stack, jwt)
}

/// Asks for the access token of `auth_key`, from a page of `origin`.
async fn fetch_from(
    stack: &Stack,
    (widget, auth_key): (&str, &str),
    origin: Option<&str>,
    jwt: &str,
) -> Answer {
    let url = format!(
        "{}/v1/widgets/{widget}/connections/{auth_key}/access-token",
        stack.dev.base_url
    );
    let bearer = format!("Bearer {jwt}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(origin.map(|origin| ("origin", origin)));
    stack.wire.call(Method::GET, &url, &headers, "").await
}

/// As the widget's own page asks.
async fn fetch(stack: &Stack, jwt: &str) -> Answer {
    fetch_from(stack, (WIDGET, MINE), Some(ORIGIN), jwt).await
}

/// The access token of an answer.
fn access_token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// Calls the provider as the widget does.
async fn who_am_i(stack: &Stack, access_token: &str) -> Answer {
    let url = format!("{}/api/me", stack.provider_url);
    let bearer = format!("Bearer {access_token}");
    let headers = [("authorization", bearer.as_str())];
    stack.wire.call(Method::GET, &url, &headers, "").await
}

/// Changes the stored passport behind the command's back, and waits until that is seen.
async fn change_passport(stack: &Stack, change: impl FnOnce(&mut Value)) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let target = &stack.dev.target;
    let key = S(format!("PASSPORT#{}", consulate_flows::bundle::PASSPORT));
    let get = target.dynamodb.get_item().table_name(&target.table);
    let item = get.key("pk", key).send().await.unwrap().item.unwrap();
    let mut document: Value = serde_json::from_str(item["doc"].as_s().unwrap()).unwrap();
    change(&mut document);
    let mut item = item;
    item.insert("doc".to_owned(), S(document.to_string()));
    let put = target.dynamodb.put_item().table_name(&target.table);
    put.set_item(Some(item)).send().await.unwrap();
    definitions_are_seen().await;
}

/// Definitions are a second old at most in development.
async fn definitions_are_seen() {
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
}

/// Asserts that nothing of what the provider has issued stands in an answer.
#[track_caller]
fn shows_nothing(stack: &Stack, answer: &Answer) {
    let text = format!("{:?} {}", answer.headers, answer.text());
    for secret in stack.provider.issued_secrets() {
        assert!(!text.contains(&secret), "{text}");
    }
}

/// What the custodian keeps to itself: no widget ever sees one.
fn refresh_tokens(stack: &Stack) -> Vec<String> {
    stack.issued("refresh")
}

/// `{"delivery": …}` of Ada's status.
async fn shown(stack: &Stack, jwt: &str) -> Value {
    stack.status(jwt, MINE).await["delivery"].clone()
}

/// A problem of refused delivery.
#[track_caller]
fn refused(stack: &Stack, answer: Answer, field: &str) {
    let answer = answer.expect_problem(403, "delivery_refused", "field", field);
    assert_eq!(answer.json()["retryable"], json!(false));
    shows_nothing(stack, &answer);
}
