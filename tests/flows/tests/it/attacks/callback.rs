//! Attacks on the callback: replayed, raced, mixed up, brought by another browser.

use consulate::operator::arguments::ImportArguments;
use consulate::operator::import;
use consulate::operator::report::Outcome;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT};
use consulate_flows::stack::{HOST_SECRET, Stack};
use consulate_flows::walk::{query, with_query};
use serde_json::json;

use super::{is_refusal, nothing_came_of_it, nothing_is_stored};

/// "State replay".
#[tokio::test]
async fn a_state_is_not_replayed() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    // The cookie is kept aside: a callback ends it.
    let mut again = browser.clone();
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&ended), "");
    for url in [&callback, &with_query(&callback, "code", Some("another"))] {
        is_refusal(&again.get(url, From::ElsewhereTopLevel).await, 400);
        is_refusal(&browser.get(url, From::ElsewhereTopLevel).await, 400);
    }
    assert_eq!(stack.token_calls(), 1);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    assert!(stack.provider.is_family_alive(&stack.issued("refresh")[0]));
}

/// "Two parallel callbacks" (S-20): exactly one wins, and the code is exchanged once.
#[tokio::test]
async fn of_parallel_callbacks_exactly_one_wins() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let mut browsers = vec![browser; 6];
    let gets = browsers
        .iter_mut()
        .map(|browser| browser.get(&callback, From::ElsewhereTopLevel));
    let answers = futures_util::future::join_all(gets).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 303);
    assert_eq!((won.len(), lost.len()), (1, 5));
    assert_eq!(stack.result_code(&won[0]), "");
    lost.iter().for_each(|answer| is_refusal(answer, 400));
    assert_eq!(stack.token_calls(), 1);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
}

/// Imports the widget `tasks`, with the passport `tasks.test-cloud` on the same provider and callers of its own.
async fn second_widget(stack: &Stack) {
    let mut bundle = Bundle::new(&stack.provider_url);
    bundle.consulate["widget"] = "tasks".into();
    bundle.consulate["host"] = json!({"type": "happeo", "id": "tasks"});
    let arguments = ImportArguments {
        path: bundle.write(&stack.folder.path().join("second")),
        ..ImportArguments::default()
    };
    let report = import(&stack.dev.target, &arguments).await.unwrap();
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
    let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
    stack
        .dev
        .secrets
        .put("consulate/widgets/tasks", &host)
        .unwrap();
}

/// "Code from provider A on B's path" (S-23).
#[tokio::test]
async fn a_code_from_provider_a_on_the_path_of_b_is_refused() {
    let stack = Stack::start().await;
    second_widget(&stack).await;
    let jwt = stack.jwt("ada");
    for elsewhere in ["tasks.test-cloud", "nobody.at-all", "notes.TEST-cloud", ""] {
        let mut browser = Browser::default();
        let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
        let moved = callback.replace(PASSPORT, elsewhere);
        assert_ne!(moved, callback);
        let refused = browser.get(&moved, From::ElsewhereTopLevel).await;
        if elsewhere.is_empty() {
            // Not a path of ours at all.
            refused.expect(404);
            continue;
        }
        is_refusal(&refused, 400);
        // The state is used up: the right path does not help any more.
        let refused = browser.get(&callback, From::ElsewhereTopLevel).await;
        is_refusal(&refused, 400);
        nothing_came_of_it(&stack).await;
    }
}

/// "Missing cookie" (S-21), with what an operator needs to know of the cause (S-28).
#[tokio::test]
async fn a_callback_without_its_flow_cookie_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let kept = browser.clone();
    browser.clear_cookies();
    let headers = [
        ("sec-fetch-site", "of-this-test-only"),
        ("sec-fetch-mode", "navigate"),
    ];
    let refused = browser
        .request(
            http::Method::GET,
            &callback,
            From::ElsewhereTopLevel,
            &headers,
            String::new(),
        )
        .await;
    is_refusal(&refused, 400);
    let lines = stack.log_lines();
    let logged = lines
        .iter()
        .find(|line| line["sec_fetch_site"] == "of-this-test-only");
    let logged = logged.unwrap();
    assert_eq!(logged["code"], "cookie_missing");
    assert_eq!(logged["sec_fetch_mode"], "navigate");
    assert_eq!(logged["sec_fetch_dest"], "absent");
    let refused = kept.clone().get(&callback, From::ElsewhereTopLevel).await;
    is_refusal(&refused, 400);
    nothing_came_of_it(&stack).await;
}

/// "Other flow's cookie".
#[tokio::test]
async fn the_cookie_of_another_flow_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let mut other = Browser::default();
    let link = stack.connect_url(&jwt, MINE).await;
    let departed = stack.handshake(&mut other, &link, &jwt).await.expect(303);
    let cookies = departed.headers.get_all("set-cookie").iter();
    let value = cookies
        .map(|cookie| cookie.to_str().unwrap())
        .find(|cookie| cookie.starts_with("__Host-consulate-flow-"))
        .and_then(|cookie| cookie.split(';').next()?.split_once('='))
        .unwrap()
        .1;
    // As it is, and under the name of the right one.
    let name = browser.cookies("127.0.0.1").pop().unwrap();
    let renamed = format!("{name}={value}");
    let refused = Browser::default()
        .request(
            http::Method::GET,
            &callback,
            From::ElsewhereTopLevel,
            &[("cookie", &renamed)],
            String::new(),
        )
        .await;
    is_refusal(&refused, 400);
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let refused = other.get(&callback, From::ElsewhereTopLevel).await;
    is_refusal(&refused, 400);
    assert_eq!(stack.token_calls(), 0);
}

/// "Other browser's cookie": the same caller in two browsers, each with a flow.
#[tokio::test]
async fn the_cookie_of_another_browser_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let (mut one, mut other) = (Browser::default(), Browser::default());
    let first = stack.to_callback(&mut one, &jwt, MINE).await;
    let second = stack.to_callback(&mut other, &jwt, MINE).await;
    is_refusal(&other.get(&first, From::ElsewhereTopLevel).await, 400);
    is_refusal(&one.get(&second, From::ElsewhereTopLevel).await, 400);
    nothing_came_of_it(&stack).await;
}

/// "Login CSRF": the attacker's own code and state, opened in the victim's browser.
#[tokio::test]
async fn login_csrf_attaches_the_attackers_account_to_nobody() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.jwt("mallory"), stack.jwt("ada"));
    for under_way in [false, true] {
        let callback = stack
            .to_callback(&mut Browser::default(), &attacker, MINE)
            .await;
        let mut browser = Browser::default();
        let own = match under_way {
            true => Some(stack.to_callback(&mut browser, &victim, MINE).await),
            false => None,
        };
        let refused = browser.get(&callback, From::ElsewhereTopLevel).await;
        is_refusal(&refused, 400);
        assert_eq!(stack.token_calls(), 0);
        // With the attacker's code in the victim's own flow, PKCE is what stops it.
        if let Some(own) = own {
            let code = query(&callback, "code");
            let mixed = with_query(&own, "code", code.as_deref());
            let ended = browser.get(&mixed, From::ElsewhereTopLevel).await;
            assert_eq!(stack.result_code(&ended), "provider_refused");
        }
        nothing_is_stored(&stack).await;
        for jwt in [&attacker, &victim] {
            assert_eq!(stack.status(jwt, MINE).await["status"], "not_connected");
        }
    }
}

/// A refused callback is final: neither state nor flow nor verifier are left (S-11).
#[tokio::test]
async fn a_refused_callback_leaves_no_flow_behind() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let outage = |on: bool| stack.dev.functions.outage(on);
    type Bend = fn(&str) -> String;
    let cases: [(&str, Bend); 5] = [
        ("provider said no", |url| {
            with_query(
                &with_query(url, "code", None),
                "error",
                Some("access_denied"),
            )
        }),
        ("neither code nor error", |url| {
            with_query(url, "code", None)
        }),
        ("empty code", |url| with_query(url, "code", Some(""))),
        ("issuer", |url| {
            with_query(url, "iss", Some("https://evil.example"))
        }),
        ("custodian is out", str::to_owned),
    ];
    for (what, bend) in cases {
        let mut browser = Browser::default();
        let callback = bend(&stack.to_callback(&mut browser, &jwt, MINE).await);
        let flow = stack.flow_id().await;
        outage(what == "custodian is out");
        let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
        outage(false);
        assert_ne!(stack.result_code(&ended), "", "{what}");
        assert!(stack.items_of("FLOW").await.is_empty(), "{what}");
        assert!(stack.items_of("STATE").await.is_empty(), "{what}");
        assert!(
            browser
                .cookies("127.0.0.1")
                .iter()
                .all(|name| !name.contains("flow"))
        );
        let event = consulate_core::custody::Event::Exchange {
            flow,
            code: "code".to_owned(),
        };
        let answer = stack.dev.foundation.custodian().ask(&event).await;
        assert_eq!(answer, Ok(consulate_core::custody::Answer::FlowSpent));
    }
    nothing_came_of_it(&stack).await;
}

/// What the custodian has taken is its own: forgetting is for flows whose code nobody has.
#[tokio::test]
async fn a_flow_whose_code_is_taken_is_not_forgotten() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let flows = &stack.dev.foundation.flows;
    let completion = stack
        .to_completion(&mut Browser::default(), &jwt, MINE)
        .await;
    let held = stack.flow_id().await;
    assert_eq!(flows.forget(&held).await, Ok(false));
    assert_eq!(flows.forget("nobody").await, Ok(false));
    stack.complete(&jwt, MINE, &completion).await.expect(200);
}

/// The passport's client or endpoints changed while the browser was away.
#[tokio::test]
async fn a_flow_of_former_settings_is_not_finished() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let mut changed = Bundle::new(&stack.provider_url);
    changed.passport["customApplicationInfo"]["metadata"]["clientId"] = "another-client".into();
    stack.import(&changed).await;
    // Definitions are cached for a moment; a new process has none.
    let stack = stack.restart().await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&ended), "config_changed");
    assert!(stack.items_of("FLOW").await.is_empty());
    nothing_came_of_it(&stack).await;
}

/// S-24, RFC 9207: a promised issuer must be there and equal.
#[tokio::test]
async fn a_promised_issuer_that_is_missing_or_another_is_refused() {
    let promised = |bundle: &mut Bundle| {
        let metadata = &bundle.passport["customApplicationInfo"]["metadata"];
        let token_url = metadata["tokenUrl"].as_str().unwrap();
        let issuer = token_url.trim_end_matches("/token").to_owned();
        bundle.consulate["passports"]["test-cloud"]["issuer"] = issuer.into();
    };
    let stack = Stack::start_with(promised, |settings| settings.sends_iss = true).await;
    let jwt = stack.jwt("ada");
    let provider = stack.provider_url.clone();
    for iss in [
        None,
        Some(""),
        Some("https://evil.example"),
        Some(&*format!("{provider}/")),
        Some(&*provider.to_uppercase()),
        Some(&*provider.replace("http:", "https:")),
    ] {
        let mut browser = Browser::default();
        let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
        assert_eq!(query(&callback, "iss").as_ref(), Some(&provider));
        let callback = with_query(&callback, "iss", iss);
        let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
        assert_eq!(stack.result_code(&ended), "issuer_mismatch", "{iss:?}");
        nothing_came_of_it(&stack).await;
    }
    assert_eq!(stack.result_code(&stack.connect(&jwt, MINE).await), "");
}

/// S-24: one that comes uninvited must still be of the provider that was asked.
#[tokio::test]
async fn an_uninvited_issuer_of_another_provider_is_refused() {
    let stack = Stack::start_with(|_| {}, |settings| settings.sends_iss = false).await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    assert_eq!(query(&callback, "iss"), None);
    let callback = with_query(&callback, "iss", Some("https://evil.example"));
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&ended), "issuer_mismatch");
    nothing_came_of_it(&stack).await;
    assert_eq!(stack.result_code(&stack.connect(&jwt, MINE).await), "");
}

#[tokio::test]
async fn a_state_of_any_length_or_content_is_only_ever_unknown() {
    let stack = Stack::start().await;
    let base = format!("{}/v1/callback/{PASSPORT}", stack.dev.base_url);
    let long = "A".repeat(8_000);
    for state in [
        "",
        "A",
        &"A".repeat(42),
        &"A".repeat(44),
        &long,
        "ü€",
        "\0",
        "a#b c%",
    ] {
        let url = with_query(&format!("{base}?code=c"), "state", Some(state));
        let refused = Browser::default().get(&url, From::ElsewhereTopLevel).await;
        is_refusal(&refused, 400);
    }
    for query in ["", "?", "?code=c", "?state=%ff%fe&code=c", "?state"] {
        let url = format!("{base}{query}");
        let refused = Browser::default().get(&url, From::ElsewhereTopLevel).await;
        is_refusal(&refused, 400);
    }
    nothing_came_of_it(&stack).await;
}

/// RFC 6749 section 3.1: no parameter more than once.
#[tokio::test]
async fn a_callback_with_a_repeated_parameter_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let state = query(&callback, "state").unwrap();
    for more in [
        "&code=another".to_owned(),
        format!("&state={state}"),
        "&state=another".to_owned(),
        "&iss=https%3A%2F%2Fevil.example".to_owned(),
        "&c%6fde=another".to_owned(),
        "&error=a&error=b".to_owned(),
    ] {
        let url = format!("{callback}{more}");
        is_refusal(&browser.get(&url, From::ElsewhereTopLevel).await, 400);
    }
    assert_eq!(stack.token_calls(), 0);
}

#[tokio::test]
async fn a_state_expires_after_ten_minutes() {
    let stack = Stack::start_with(|_| {}, |settings| settings.code_seconds = 3_600).await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    stack.dev.clock.advance_millis(601_000);
    is_refusal(&browser.get(&callback, From::ElsewhereTopLevel).await, 400);
    assert_eq!(stack.token_calls(), 0);
    assert!(stack.items_of("STATE").await.is_empty());
    let status = stack.status(&stack.jwt("ada"), MINE).await;
    assert_eq!(status["status"], "not_connected");
}
