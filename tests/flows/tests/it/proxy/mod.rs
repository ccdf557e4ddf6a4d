//! The proxy (checklist S-05 to S-07, S-80, S-86 to S-90, S-103): what a widget gets from a call, and what never leaves
//! or reaches an API.

mod answers;
mod cors;
mod costs;
mod echoes;
mod failures;
mod injection;
mod ownership;
mod rejected;

use consulate_flows::stack::Stack;
use serde_json::{Value, json};

/// Ada's account, connected; and her caller JWT.
async fn connected() -> (Stack, String) {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    (stack, jwt)
}

/// Calls an API that is expected to answer: its envelope.
async fn envelope(stack: &Stack, jwt: &str, name: &str, params: Value) -> Value {
    let answer = stack.api(jwt, name, params).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// As [`envelope`], of a GET without params.
async fn plain(stack: &Stack, jwt: &str, name: &str) -> Value {
    envelope(stack, jwt, name, json!({})).await
}
