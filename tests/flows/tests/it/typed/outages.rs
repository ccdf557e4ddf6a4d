//! What fails while somebody types: nothing is half stored, nothing is acted upon twice, and an event is only a hint.

use std::collections::BTreeMap;

use consulate_core::custody::{Answer as Said, Event};
use consulate_custodian as custodian;
use consulate_fakes::dynamodb::Fault;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::MINE;
use consulate_flows::own::{CLIENT_SECRET, HEADER, MACHINE, Own};
use consulate_flows::stack::Stack;
use serde_json::json;

const KEY: &str = "canary-key-0123456789";

fn typed() -> BTreeMap<String, String> {
    BTreeMap::from([("api_key".to_owned(), KEY.to_owned())])
}

/// Ids of the flows in the table.
async fn flows(own: &Own) -> Vec<String> {
    let items = own.items().await;
    let flows = items.keys().filter_map(|pk| pk.strip_prefix("FLOW#"));
    flows.map(str::to_owned).collect()
}

async fn open() -> Own {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own
}

/// A flow that the custodian was never told about.
async fn untold(own: &Own) -> String {
    own.dev.functions.outage(true);
    let answer = own
        .put(&own.jwt("ada"), HEADER, &json!({"api_key": KEY}))
        .await;
    own.dev.functions.outage(false);
    let answer = answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(answer.json()["retryable"], true);
    assert!(own.connections().await.is_empty());
    flows(own).await.pop().unwrap()
}

#[tokio::test]
async fn without_a_custodian_nothing_is_stored_and_the_next_try_connects() {
    let own = open().await;
    untold(&own).await;
    assert_eq!(own.status("ada", HEADER).await["status"], "not_connected");
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    assert_eq!(own.leaks(KEY), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_table_nobody_is_asked() {
    let own = open().await;
    let before = (own.items().await, own.acme.seen().len(), own.invocations());
    own.dev.engine.outage(true);
    let answer = own
        .put(&own.jwt("ada"), HEADER, &json!({"api_key": KEY}))
        .await;
    own.dev.engine.outage(false);
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(
        (own.items().await, own.acme.seen().len(), own.invocations()),
        before
    );
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
}

#[tokio::test]
async fn an_activation_that_fails_is_repeated_and_one_whose_answer_is_lost_counts_once() {
    let faults = [
        vec![Fault::Unavailable; 4],
        vec![Fault::LostAck],
        vec![Fault::Throttled; 4],
    ];
    for faults in faults {
        let own = open().await;
        for fault in &faults {
            own.dev.engine.fail_next("TransactWriteItems", *fault);
        }
        own.connected("admin", MACHINE, &json!({})).await;
        assert_eq!(own.token_calls(), 1, "{faults:?}");
        assert_eq!(own.acme.seen_at("/oauth/revoke").len(), 0, "{faults:?}");
        own.echo("ada", MACHINE, json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn what_cannot_be_sealed_is_not_asked_for() {
    for name in ["access", "refresh", "fingerprint"] {
        let own = Own::start().await;
        let name = format!("consulate/keys/{name}");
        let keyring = own.dev.secrets.get(&name).unwrap();
        own.dev.secrets.put(&name, "{}").unwrap();
        let before = own.acme.seen().len();
        let answer = own.put(&own.jwt("admin"), MACHINE, &json!({})).await;
        answer.expect_problem(503, "unavailable", "", "");
        assert_eq!(own.acme.seen().len(), before, "{name}");
        assert!(own.connections().await.is_empty());
        own.dev.secrets.put(&name, &keyring).unwrap();
        let own = own.restart().await;
        own.connected("admin", MACHINE, &json!({})).await;
    }
}

#[tokio::test]
async fn without_secrets_manager_nothing_is_asked_for_and_nothing_stored() {
    let own = Own::start().await.restart().await;
    // The caller's own key is known; what the custodian needs is not.
    own.status("admin", MACHINE).await;
    own.dev.secrets.outage(true);
    let answer = own.put(&own.jwt("admin"), MACHINE, &json!({})).await;
    own.dev.secrets.outage(false);
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(own.token_calls(), 0);
    assert!(own.connections().await.is_empty());
    own.connected("admin", MACHINE, &json!({})).await;
    assert_eq!(own.leaks(CLIENT_SECRET), Vec::<String>::new());
}

#[tokio::test]
async fn a_flow_is_acted_upon_once() {
    let own = open().await;
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let flow = flows(&own).await.pop().unwrap();
    let before = (own.items().await, own.acme.seen().len());
    let again = Event::SignIn {
        flow,
        typed: typed(),
    };
    assert_eq!(own.ask(again).await, Said::FlowSpent);
    let never = Event::SignIn {
        flow: "never".to_owned(),
        typed: typed(),
    };
    assert_eq!(own.ask(never).await, Said::FlowSpent);
    assert_eq!((own.items().await, own.acme.seen().len()), before);
    // Even one that was refused.
    own.acme.withdraw(KEY);
    own.put(&own.jwt("ada"), HEADER, &json!({"api_key": KEY}))
        .await
        .expect(422);
    own.acme.accept(KEY);
    let before = own.connections().await;
    for flow in flows(&own).await {
        let again = Event::SignIn {
            flow,
            typed: typed(),
        };
        assert_eq!(own.ask(again).await, Said::FlowSpent);
    }
    assert_eq!(own.connections().await, before);
}

#[tokio::test]
async fn a_flow_of_typing_takes_no_code() {
    let own = open().await;
    let flow = untold(&own).await;
    let asked = own.acme.seen().len();
    let exchange = Event::Exchange {
        flow: flow.clone(),
        code: "code".to_owned(),
    };
    let said = own.ask(exchange).await;
    assert!(
        !matches!(said, Said::Connected | Said::AwaitingCompletion),
        "{said:?}"
    );
    let sign_in = Event::SignIn {
        flow,
        typed: typed(),
    };
    assert_eq!(own.ask(sign_in).await, Said::FlowSpent);
    assert_eq!(own.acme.seen().len(), asked);
    assert!(own.connections().await.is_empty());
}

#[tokio::test]
async fn a_flow_of_typing_takes_the_fields_of_its_passport() {
    let own = open().await;
    for typed in [
        BTreeMap::new(),
        BTreeMap::from([("password".to_owned(), KEY.to_owned())]),
    ] {
        let flow = untold(&own).await;
        let said = own.ask(Event::SignIn { flow, typed }).await;
        assert!(!matches!(said, Said::Connected), "{said:?}");
        assert!(own.connections().await.is_empty());
    }
}

#[tokio::test]
async fn a_flow_of_consent_takes_nothing_that_is_typed() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let authorize = stack.depart(&mut browser, &jwt, MINE).await;
    let state = custodian::State::new(&stack.dev.foundation).unwrap();
    let flow = stack.flow_id().await;
    for is_consumed in [false, true] {
        if is_consumed {
            let flows = &stack.dev.foundation.flows;
            assert!(flows.consume(&flow, None).await.unwrap());
        }
        let event = Event::SignIn {
            flow: flow.clone(),
            typed: typed(),
        };
        let said = custodian::run(&state, event, "test").await;
        assert_eq!(said, Said::FlowSpent);
    }
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    browser.get(&callback, From::ElsewhereTopLevel).await;
    assert!(stack.items_of("CONNECTION").await.is_empty());
    assert!(stack.items_of("DETAILS").await.is_empty());
    assert_eq!(stack.token_calls(), 0);
}
