//! What a connect leaves behind in the table, in addresses and in headers; and events that the rows do not bear out.

use consulate_core::custody::{Answer, Event};
use consulate_core::table::ConnectionKey;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::{Stack, form_token};
use consulate_flows::walk::{fragment, query};
use consulate_flows::wire;
use http::Method;
use serde_json::json;

async fn ask(stack: &Stack, event: Event) -> Answer {
    stack.dev.foundation.custodian().ask(&event).await.unwrap()
}

fn cookie_value(answer: &wire::Answer, kind: &str) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.starts_with(&format!("__Host-consulate-{kind}-")));
    let (pair, _) = cookie.unwrap().split_once(';').unwrap();
    pair.split_once('=').unwrap().1.to_owned()
}

/// A retried or forged invoke cannot use the code again: one claim, one token call.
#[tokio::test]
async fn an_exchange_invoked_twice_calls_the_provider_once() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let exchange = Event::Exchange {
        flow: stack.flow_id().await,
        code: query(&callback, "code").unwrap(),
    };
    // Before the callback: its state is not consumed.
    assert_eq!(ask(&stack, exchange.clone()).await, Answer::FlowSpent);
    assert_eq!(stack.token_calls(), 0);
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&ended), "");
    // After it.
    assert_eq!(ask(&stack, exchange.clone()).await, Answer::FlowSpent);
    assert_eq!(stack.token_calls(), 1);
    let unknown = Event::Exchange {
        flow: "nobody".to_owned(),
        code: "code".to_owned(),
    };
    assert_eq!(ask(&stack, unknown).await, Answer::FlowSpent);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    assert!(stack.provider.is_family_alive(&stack.issued("refresh")[0]));
}

#[tokio::test]
async fn of_parallel_exchanges_one_claims_the_flow() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let callback = stack.to_callback(&mut Browser::default(), &jwt, MINE).await;
    let flows = &stack.dev.foundation.flows;
    let state = query(&callback, "state").unwrap();
    let now = stack.dev.clock.now();
    let flow = flows.take_state(&state, now).await.unwrap().unwrap();
    assert!(flows.consume(&flow.id, None).await.unwrap());
    let exchange = Event::Exchange {
        flow: flow.id,
        code: query(&callback, "code").unwrap(),
    };
    let asked = (0..5).map(|_| ask(&stack, exchange.clone()));
    let answers = futures_util::future::join_all(asked).await;
    let count = |wanted: Answer| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(Answer::Connected), 1, "{answers:?}");
    assert_eq!(count(Answer::FlowSpent), 4, "{answers:?}");
    assert_eq!(stack.token_calls(), 1);
}

/// An event is a hint, the row is the truth.
#[tokio::test]
async fn events_that_the_rows_do_not_bear_out_do_nothing() {
    let stack = Stack::start().await;
    let (ada, grace) = (stack.connected("ada").await, stack.jwt("grace"));
    let rows = stack.items_of("CONNECTION").await;
    let mut key = rows[0]["pk"].as_str().unwrap().split('#').skip(1);
    let key = json!({"passport": key.next(), "owner": key.next()});
    let key: ConnectionKey = serde_json::from_value(key).unwrap();
    let completion = stack
        .to_completion(&mut Browser::default(), &grace, MINE)
        .await;
    let flow = completion.split_once('.').unwrap().0.to_owned();
    let calls = stack.token_calls();
    let before = stack.items().await;
    for (event, answer) in [
        (Event::Complete { flow: flow.clone() }, Answer::FlowSpent),
        (Event::Abandon { flow: flow.clone() }, Answer::FlowSpent),
        (
            Event::Complete {
                flow: "nobody".to_owned(),
            },
            Answer::FlowSpent,
        ),
        (
            Event::Abandon {
                flow: String::new(),
            },
            Answer::FlowSpent,
        ),
        (
            Event::Revoke { key: key.clone() },
            Answer::Revoked { receipt: None },
        ),
        (
            // It is newer than what the caller saw: nothing is renewed.
            Event::Refresh {
                key,
                version: 0,
                rejected: false,
            },
            Answer::Refreshed { version: 1 },
        ),
    ] {
        assert_eq!(ask(&stack, event).await, answer);
    }
    assert_eq!(stack.items().await, before);
    assert_eq!(stack.token_calls(), calls);
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    let granted = stack.issued("refresh");
    assert_eq!(granted.len(), 2);
    assert!(
        granted
            .iter()
            .all(|grant| stack.provider.is_family_alive(grant))
    );
    stack.complete(&grace, MINE, &completion).await.expect(200);
    for jwt in [ada, grace] {
        assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    }
}

/// Tickets, states, cookies and completions lie in the table as digests only; codes and caller JWTs not at all; the
/// verifier goes with the callback (S-11).
#[tokio::test]
async fn one_time_values_are_not_in_the_table() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let absent = async |values: &[&str]| {
        let table = serde_json::to_string(&stack.items().await).unwrap();
        for value in values {
            assert!(value.len() >= 16 && !table.contains(value), "{value}");
        }
        assert!(table.contains("\"WIDGET#notes\""), "{table}");
    };
    let link = stack.connect_url(&jwt, MINE).await;
    let ticket = link.rsplit_once('/').unwrap().1;
    assert_eq!(ticket.len(), 43, "256 bits");
    assert_eq!(stack.items_of("TICKET").await.len(), 1);
    absent(&[ticket, &jwt]).await;

    let mut browser = Browser::default();
    let page = browser.get(&link, From::Here).await;
    let (ticket_cookie, form_value) = (cookie_value(&page, "ticket"), form_token(&page.text()));
    let fields = [("caller_jwt", jwt.as_str()), ("form_token", &form_value)];
    let departed = browser.post_form(&link, From::Here, &fields).await;
    let flow_cookie = cookie_value(&departed.clone().expect(303), "flow");
    let authorize = departed.header("location");
    let state = query(authorize, "state").unwrap();
    assert_eq!((state.len(), flow_cookie.len()), (43, 43));
    assert!(stack.items_of("TICKET").await.is_empty());
    assert_eq!(stack.items_of("STATE").await.len(), 1);
    absent(&[
        ticket,
        &jwt,
        &ticket_cookie,
        &form_value,
        &state,
        &flow_cookie,
    ])
    .await;
    let verifier = stack.items_of("FLOW").await[0]["cv"].clone();
    let verifier = verifier.as_str().unwrap().to_owned();

    let callback = stack.consent(&mut browser, authorize, "allow").await;
    let code = query(&callback, "code").unwrap();
    browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(303);
    assert!(stack.items_of("STATE").await.is_empty());
    absent(&[&verifier, &code, &state, &flow_cookie, &jwt]).await;

    let completion = stack.to_completion(&mut browser, &jwt, MINE).await;
    let secret = completion.split_once('.').unwrap().1;
    absent(&[&completion, secret]).await;
    stack.complete(&jwt, MINE, &completion).await.expect(200);
    absent(&[&completion, secret]).await;
    let issued = stack.provider.issued_secrets();
    absent(&issued.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// S-08, S-29, S-30: nothing is kept by caches or told to others, addresses are clean, and a POST is never repeated.
#[tokio::test]
async fn answers_are_not_kept_and_addresses_are_clean() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut answers = Vec::new();
    let mut browser = Browser::default();
    let popup = stack.connect_url(&jwt, MINE).await;
    let departed = stack.handshake(&mut browser, &popup, &jwt).await;
    let authorize = departed.header("location").to_owned();
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let clean = ended.header("location").to_owned();
    let expected = format!(
        "{}/v1/connected?status=connected&widget=notes&auth_key=mine",
        stack.dev.base_url
    );
    assert_eq!(clean, expected);
    let result = browser.get(&clean, From::Here).await.expect(200);
    answers.extend([departed, ended, result]);

    let redirect = stack.redirect_url(&jwt, MINE).await;
    let departed = browser.get(&redirect, From::Here).await;
    let authorize = departed.header("location").to_owned();
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let back = ended.header("location").to_owned();
    for name in ["code", "state"] {
        let value = query(&callback, name).unwrap();
        assert!(!back.contains(&value), "{name} in {back}");
    }
    assert_eq!(url::Url::parse(&back).unwrap().query(), None);
    let completion = fragment(&back, "consulate_completion");
    let completed = stack.complete(&jwt, MINE, &completion).await.expect(200);
    answers.extend([departed, ended, completed]);

    for (method, path, body) in [
        (Method::GET, "connections", ""),
        (Method::GET, "connections/mine", ""),
        (Method::POST, "connections/mine/connect", "{}"),
        (Method::POST, "connections/mine/connect", "{"),
        (Method::DELETE, "connections/mine", ""),
    ] {
        answers.push(stack.widget(method, path, &jwt, body).await);
    }
    for answer in answers {
        let status = answer.status.as_u16();
        assert!([200, 201, 303, 400].contains(&status), "{status}");
        assert_eq!(answer.header("cache-control"), "no-store", "{status}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{status}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

/// S-71: flow cookies are set in a top-level navigation, bound to this host, and Lax so that they come back.
#[tokio::test]
async fn a_flow_cookie_is_of_this_host_and_lax() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let link = stack.connect_url(&jwt, MINE).await;
    let departed = stack.handshake(&mut browser, &link, &jwt).await.expect(303);
    let cookies = departed.headers.get_all("set-cookie").iter();
    let cookies: Vec<&str> = cookies.map(|cookie| cookie.to_str().unwrap()).collect();
    let [flow, ended] = cookies.as_slice() else {
        panic!("{cookies:?}");
    };
    assert!(flow.starts_with("__Host-consulate-flow-"), "{flow}");
    let attributes = flow.split_once(';').unwrap().1;
    assert_eq!(
        attributes,
        " Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"
    );
    assert!(ended.starts_with("__Host-consulate-ticket-"), "{ended}");
    assert!(ended.ends_with("Max-Age=0"), "{ended}");
}
