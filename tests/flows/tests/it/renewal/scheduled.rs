//! Rows whose turn it is, as a message of the work queue names them.

use consulate_core::table::ConnectionKey;
use consulate_custodian as custodian;
use consulate_custodian::incoming;
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::key_of;

/// Rows of an hour's access tokens are on this cycle.
pub(super) const HOURLY: &str = "55";

/// The keys of `users`' rows.
pub(super) async fn keys_of(stack: &Stack, users: &[String]) -> Vec<ConnectionKey> {
    let mut keys = Vec::new();
    for user in users {
        keys.push(key_of(stack, user).await);
    }
    keys
}

/// `users` by the name, connected one after the other.
pub(super) async fn connected(stack: &Stack, number: usize) -> Vec<String> {
    let users: Vec<String> = (0..number).map(|_| super::someone()).collect();
    for user in &users {
        stack.connected(user).await;
    }
    users
}

/// Hands `keys` to a worker of the schedule, as SQS does.
pub(super) async fn work(
    stack: &Stack,
    custodian: &custodian::State,
    keys: &[ConnectionKey],
    cycle: &str,
) {
    // The slot's minute is the coming one: nothing was saved after it.
    let minute = stack.dev.clock.now().seconds().div_euclid(60) + 1;
    let pks: Vec<String> = keys.iter().map(ConnectionKey::pk).collect();
    let body = json!({"type": "work", "minute": minute, "cycle": cycle, "pks": pks}).to_string();
    let event: Value =
        json!({"Records": [{"messageId": "m1", "eventSource": "aws:sqs", "body": body}]});
    let answer = incoming::handle(custodian, event, "scheduled")
        .await
        .unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
}
