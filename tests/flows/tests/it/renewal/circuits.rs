//! Our own settings are refused: one alarm, no hammering, nobody's connection touched, and healed by the first success.

use consulate_core::custody::{Answer as Said, Event};
use consulate_fakes::provider::{Client, ClientAuthentication, Reply};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::{CLIENT_SECRET, Stack};
use serde_json::Value;

use super::scheduled::{HOURLY, connected, keys_of, work};
use super::{
    EXPIRED, call, call_as, custodian_on, expired, expired_of, key_of, lines_about, refresh_calls,
    retry_after, row, someone, status,
};

fn register(stack: &Stack, secret: &str) {
    stack.provider.register(Client {
        id: "test-client".to_owned(),
        secret: Some(secret.to_owned()),
        authentication: ClientAuthentication::Basic,
        redirect_uris: vec![stack.redirect_uri()],
    });
}

async fn opened(stack: &Stack, users: &[String]) -> Vec<Value> {
    let mut lines = Vec::new();
    for user in users {
        lines.extend(lines_about(stack, user).await);
    }
    lines.retain(|line| line["circuit"] == "opened");
    lines
}

fn writes(stack: &Stack) -> u64 {
    let engine = &stack.dev.engine;
    ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems"]
        .iter()
        .map(|operation| engine.count(operation))
        .sum()
}

#[tokio::test]
async fn a_refused_client_opens_a_circuit_for_everybodys_connections_and_touches_none() {
    let stack = Stack::start().await;
    let users = connected(&stack, 3).await;
    stack.dev.clock.advance_millis(EXPIRED);
    register(&stack, "another");
    let api = async |user: usize| {
        let jwt = stack.jwt(&users[user]);
        stack.api(&jwt, "whoAmI", serde_json::json!({})).await
    };
    assert_eq!(retry_after(api(0).await), 30);
    stack.dev.engine.clear();
    for user in [0, 1, 2, 1, 0] {
        let wait = retry_after(api(user).await);
        assert!((28..=30).contains(&wait), "{wait}");
    }
    // Another process, with nothing in memory.
    let elsewhere = custodian_on(&stack.dev.foundation);
    for user in &users {
        let event = Event::Refresh {
            key: key_of(&stack, user).await,
            version: 1,
            rejected: false,
        };
        let said = consulate_custodian::run(&elsewhere, event, "elsewhere").await;
        assert!(matches!(said, Said::BackOff { .. }), "{said:?}");
    }
    assert_eq!((refresh_calls(&stack), writes(&stack)), (1, 0));
    let opened = opened(&stack, &users).await;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0]["level"], "error");
    assert_eq!(opened[0]["misconfigured"], "invalid_client");
    for user in &users {
        let key = key_of(&stack, user).await;
        let connections = &stack.dev.foundation.connections;
        let row = connections.read(&key, true).await.unwrap().unwrap();
        assert_eq!(
            (row.lease, row.attempt, row.backoff_until, row.version),
            (None, None, None, 1)
        );
    }
    register(&stack, CLIENT_SECRET);
    stack.dev.clock.advance_millis(31_000);
    for user in 0..3 {
        api(user).await.expect(200);
    }
    assert!(super::logged(&stack, "circuit", &"closed".into()));
}

/// 30 s, 60 s, 120 s: and one call each time, however many want to.
#[tokio::test]
async fn a_circuit_that_stays_open_is_tried_by_one_caller_and_twice_as_late_each_time() {
    let stack = expired().await;
    register(&stack, "another");
    let mut calls = 0;
    for seconds in [30, 60, 120, 240, 480, 600, 600] {
        let first = futures_util::future::join_all((0..5).map(|_| call(&stack))).await;
        for answer in first {
            retry_after(answer);
        }
        calls += 1;
        assert_eq!(refresh_calls(&stack), calls);
        stack.dev.clock.advance_millis((seconds - 3) * 1_000);
        let left = retry_after(call(&stack).await);
        assert!((1..=3).contains(&left), "{seconds}: {left}");
        assert_eq!(refresh_calls(&stack), calls);
        stack.dev.clock.advance_millis(4_000);
    }
    register(&stack, CLIENT_SECRET);
    call(&stack).await.expect(200);
    // Closed: the next refusal opens it for the shortest time again.
    stack.dev.clock.advance_millis(EXPIRED);
    register(&stack, "another");
    retry_after(call(&stack).await);
    assert!((29..=30).contains(&retry_after(call(&stack).await)));
}

#[tokio::test]
async fn an_access_token_that_is_still_alive_serves_while_a_circuit_is_open() {
    let users = [someone()];
    let stack = Stack::start().await;
    stack.connected(&users[0]).await;
    register(&stack, "another");
    // Within the margin, before the end.
    stack.dev.clock.advance_millis(56_000);
    call_as(&stack, &users[0]).await.expect(200);
    call_as(&stack, &users[0]).await.expect(200);
    assert_eq!(
        (refresh_calls(&stack), opened(&stack, &users).await.len()),
        (1, 1)
    );
}

#[tokio::test]
async fn the_schedule_stops_at_an_open_circuit_and_says_so_once() {
    let stack = Stack::start_with(|_| {}, |settings| settings.access_seconds = 3_600).await;
    let users = connected(&stack, 8).await;
    let keys = keys_of(&stack, &users).await;
    register(&stack, "another");
    stack.dev.clock.advance_millis(300_000);
    let custodian = custodian_on(&stack.dev.foundation);
    work(&stack, &custodian, &keys, HOURLY).await;
    let calls = refresh_calls(&stack);
    assert_eq!(opened(&stack, &users).await.len(), 1);
    stack.dev.engine.clear();
    let lines = lines_about(&stack, &users[0]).await.len();
    work(&stack, &custodian, &keys, HOURLY).await;
    assert_eq!((refresh_calls(&stack), writes(&stack)), (calls, 0));
    let after = lines_about(&stack, &users[0]).await.len();
    assert_eq!(after, lines, "no line for each row");
}

#[tokio::test]
async fn an_operator_or_a_new_connection_may_try_an_open_circuit_and_close_it() {
    for connects in [true, false] {
        let stack = expired().await;
        register(&stack, "another");
        retry_after(call(&stack).await);
        register(&stack, CLIENT_SECRET);
        if connects {
            stack.connect(&stack.jwt("ada"), MINE).await;
        } else {
            let custodian = custodian_on(&stack.dev.foundation);
            let key = key_of(&stack, "ada").await;
            let said = consulate_custodian::run(&custodian, Event::RefreshNow { key }, "t").await;
            assert_eq!(said, Said::Refreshed { version: 2 });
        }
        assert!(super::logged(&stack, "circuit", &"closed".into()));
        call(&stack).await.expect(200);
        assert_eq!(status(&stack).await["status"], "connected");
        assert_eq!(row(&stack).await.version, 2);
    }
}

/// A refused grant is no reason to stop everybody.
#[tokio::test]
async fn a_refused_grant_opens_no_circuit() {
    let users = [someone()];
    let stack = expired_of(&users[0]).await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    call_as(&stack, &users[0]).await.expect(424);
    assert!(opened(&stack, &users).await.is_empty());
}
