//! Renewing and revoking (checklist S-05, S-40 to S-52, S-100): one flight, fenced, crash-safe.
//!
//! Every room starts from an account whose access token has just expired, and counts what the provider saw.

mod circuits;
mod cohorts;
mod disconnecting;
mod events;
mod faults;
mod fencing;
mod flight;
mod grants;
mod killed;
mod limits;
mod parts;
mod recovery;
mod refusals;
mod rows;
mod salvage;
mod schedule;
mod scheduled;
mod sealed;
mod subjects;

use std::time::Duration;

use consulate_core::connection::Connection;
use consulate_core::custody::{Answer as Said, Event};
use consulate_core::definition::OwnerMode;
use consulate_core::foundation::Foundation;
use consulate_core::owner::OwnerKey;
use consulate_core::table::ConnectionKey;
use consulate_custodian as custodian;
use consulate_fakes::provider::Settings;
use consulate_flows::bundle::{Bundle, MINE, PASSPORT, WIDGET};
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// Past the end of the provider's 60-second access tokens.
const EXPIRED: i64 = 61_000;

/// Ada's account, connected, its access token expired.
async fn expired() -> Stack {
    expired_with(|_| {}, |_| {}).await
}

async fn expired_with(
    change: impl FnOnce(&mut Bundle),
    settings: impl FnOnce(&mut Settings),
) -> Stack {
    let stack = Stack::start_with(change, settings).await;
    stack.connected("ada").await;
    stack.dev.clock.advance_millis(EXPIRED);
    stack
}

/// Ada's widget calls an API. A JWT of the moment: the clock moves by hours here.
async fn call(stack: &Stack) -> Answer {
    stack.api(&stack.jwt("ada"), "whoAmI", json!({})).await
}

/// How many of these were turned away. A machine may be slow, nobody may be hasty: a call waits twelve seconds for a renewal
/// (`refresh_busy`), and a table, secret or function that does not answer has had three (`unavailable`).
fn turned_away(answers: Vec<(Answer, Duration)>) -> usize {
    let refused = answers
        .into_iter()
        .filter(|(answer, _)| answer.status != 200);
    refused
        .map(|(answer, waited)| {
            let problem = answer.expect(503).json();
            let least = match problem["code"].as_str().unwrap() {
                "refresh_busy" => 12,
                "unavailable" => 3,
                other => panic!("{other}"),
            };
            let least = Duration::from_secs(least);
            assert!(waited >= least, "{problem} after {waited:?}");
        })
        .count()
}

/// A user nobody else is: the log of all tests is one.
fn someone() -> String {
    format!("user-{}", consulate_core::random::id().unwrap())
}

/// `user`'s account, connected, its access token expired.
async fn expired_of(user: &str) -> Stack {
    let stack = Stack::start().await;
    stack.connected(user).await;
    stack.dev.clock.advance_millis(EXPIRED);
    stack
}

async fn call_as(stack: &Stack, user: &str) -> Answer {
    stack.api(&stack.jwt(user), "whoAmI", json!({})).await
}

async fn row_of(stack: &Stack, user: &str) -> Connection {
    let connections = &stack.dev.foundation.connections;
    let key = key_of(stack, user).await;
    connections.read(&key, true).await.unwrap().unwrap()
}

/// What the custodian logged about `user`'s connection.
async fn lines_about(stack: &Stack, user: &str) -> Vec<Value> {
    let owner = key_of(stack, user).await.owner;
    let mut lines = stack.log_lines();
    lines.retain(|line| line["function"] == "custodian" && line["owner"] == owner.as_str());
    lines
}

async fn disconnect(stack: &Stack) -> Value {
    let jwt = stack.jwt("ada");
    let path = format!("connections/{MINE}");
    stack
        .widget(Method::DELETE, &path, &jwt, "")
        .await
        .expect(200)
        .json()
}

async fn status(stack: &Stack) -> Value {
    stack.status(&stack.jwt("ada"), MINE).await
}

/// How often a refresh token was presented to the provider.
fn refresh_calls(stack: &Stack) -> u64 {
    let seen = stack.provider.seen();
    seen.token_by_grant
        .get("refresh_token")
        .copied()
        .unwrap_or(0)
}

async fn key_of(stack: &Stack, user: &str) -> ConnectionKey {
    let callers = stack.dev.foundation.callers();
    let who = callers
        .verify(WIDGET, Some(&stack.jwt(user)))
        .await
        .unwrap();
    ConnectionKey::new(PASSPORT, OwnerKey::of(&who.caller, OwnerMode::User))
}

/// Ada's row as it stands.
async fn row(stack: &Stack) -> Connection {
    let connections = &stack.dev.foundation.connections;
    connections
        .read(&key_of(stack, "ada").await, true)
        .await
        .unwrap()
        .unwrap()
}

/// Asserts a 503 and answers its `Retry-After`.
#[track_caller]
fn retry_after(answer: Answer) -> u64 {
    let answer = answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(answer.json()["retryable"], true);
    answer.header("retry-after").parse().unwrap()
}

/// Another instance of the custodian: a cold start over `foundation`.
fn custodian_on(foundation: &Foundation) -> custodian::State {
    custodian::State::new(foundation).unwrap()
}

/// The stack's foundation made anew: nothing cached, a clock of its own.
fn cold(stack: &Stack, clock: consulate_core::clock::Clock) -> Foundation {
    let warm = &stack.dev.foundation;
    Foundation::new(warm.config.clone(), clock, warm.leniency.clone()).unwrap()
}

/// Asks a custodian to renew Ada's access token, version 1.
async fn refresh_by(stack: &Stack, custodian: &custodian::State) -> Said {
    let event = Event::Refresh {
        key: key_of(stack, "ada").await,
        version: 1,
        rejected: false,
    };
    custodian::run(custodian, event, "test").await
}

/// Waits for `reached`, some seconds at most.
async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if reached().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never happened: {what}");
}

/// Whether the custodian logged `field` as `value` for one of this stack's calls.
fn logged(stack: &Stack, field: &str, value: &Value) -> bool {
    let lines = stack.log_lines();
    lines
        .iter()
        .any(|line| line["function"] == "custodian" && &line[field] == value)
}

/// Hands the custodian one message of a queue, as Lambda does, and answers whether it was worked on.
async fn deliver(stack: &Stack, request_id: &str, body: Value) -> bool {
    let custodian = custodian_on(&stack.dev.foundation);
    let records = json!({"Records": [{
        "messageId": "m1", "receiptHandle": "h", "body": body.to_string(), "attributes": {},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue", "awsRegion": "us-east-1",
    }]});
    let done = custodian::incoming::handle(&custodian, records, request_id).await;
    done.unwrap() == json!({"batchItemFailures": []})
}

/// What lies in the one-minute cohort.
async fn waiting(stack: &Stack) -> Vec<String> {
    let items = stack.items().await.into_iter();
    let due = |item: &Value| item["d"].as_str().is_some_and(|d| d.starts_with("revoke#"));
    items
        .filter(|(_, item)| due(item))
        .map(|(pk, _)| pk)
        .collect()
}

/// A minute's turn of the one-minute cohort.
async fn attend(stack: &Stack, request_id: &str) {
    let pks = waiting(stack).await;
    let work = json!({"type": "work", "minute": 1, "cycle": "revoke", "pks": pks});
    assert!(deliver(stack, request_id, work).await);
}

/// What an invocation with this request id logged as `field`.
fn said(stack: &Stack, request_id: &str, field: &str) -> Vec<Value> {
    let lines = stack.log_lines();
    let of = lines.iter().filter(|line| line["request_id"] == request_id);
    of.filter_map(|line| line.get(field).cloned()).collect()
}

/// An answer of a provider that is down.
fn down() -> consulate_fakes::provider::Reply {
    let (html, kind) = ("<html>".to_owned(), "text/html".to_owned());
    consulate_fakes::provider::Reply::Status(503, html, kind)
}
