//! Who may type what: a refusal names the cause, asks nobody and changes nothing.

use consulate_core::flow::STATE_SECONDS;
use consulate_flows::own::{BASIC, CONSENT, HEADER, LOOSE, MACHINE, Own, SHARED, WIDGET};
use consulate_flows::wire::{Answer, Wire};
use http::Method;
use serde_json::{Value, json};

const KEY: &str = "canary-key-0123456789";

/// Asserts that `request` leaves the table as it was and reaches neither the custodian nor the provider.
async fn unheard(own: &Own, request: impl AsyncFnOnce() -> Answer) -> Answer {
    let before = (own.items().await, own.invocations(), own.acme.seen().len());
    let answer = request().await;
    let after = (own.items().await, own.invocations(), own.acme.seen().len());
    assert!(before == after, "something happened: {}", answer.text());
    answer
}

async fn refused(own: &Own, user: &str, auth_key: &str, typed: &Value) -> Answer {
    unheard(own, async || own.put(&own.jwt(user), auth_key, typed).await).await
}

#[tokio::test]
async fn what_belongs_to_the_organisation_is_its_administrators_to_connect() {
    let own = Own::start().await;
    let typed = json!({"api_key": KEY});
    for (id, typed) in [(SHARED, &typed), (MACHINE, &json!({}))] {
        let answer = refused(&own, "ada", id, typed).await;
        answer.expect_problem(403, "caller_forbidden", "field", "auth_key");
        // Administrators of another organisation are none here.
        let boss = own.jwt("boss");
        let answer = unheard(&own, async || own.put(&boss, id, typed).await).await;
        answer.expect_problem(403, "caller_forbidden", "", "");
    }
    own.acme.accept(KEY);
    own.connected("admin", SHARED, &typed).await;
    let before = own.connections().await;

    // Another organisation's administrator sees nothing of it, and what they do is their own.
    let boss = own.jwt_of("boss", "o2");
    let status = own.status_of(&boss, SHARED).await;
    assert_eq!(
        (&status["status"], &status["account"]),
        (&json!("not_connected"), &json!(null))
    );
    let path = format!("connections/{SHARED}");
    let answer = own
        .widget(Method::DELETE, &path, &boss, String::new())
        .await;
    assert_eq!(answer.expect(200).json()["status"], "not_connected");
    own.put(&boss, SHARED, &json!({"api_key": "another-key-0123456789"}))
        .await
        .expect(200);
    let after = own.connections().await;
    assert_eq!(after.len(), before.len() * 2);
    assert!(before.iter().all(|(pk, item)| after.get(pk) == Some(item)));
    own.echo("ada", SHARED, json!({})).await.expect(200);
    assert_eq!(own.acme.last_call().header("x-api-key"), KEY);
    // Nor does anybody touch it who is no administrator.
    let answer = own
        .widget(Method::DELETE, &path, &own.jwt("ada"), String::new())
        .await;
    answer.expect_problem(403, "caller_forbidden", "", "");
}

#[tokio::test]
async fn one_persons_key_is_nobody_elses() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    assert_eq!(own.status("bob", HEADER).await["status"], "not_connected");
    let answer = own.echo("bob", HEADER, json!({})).await;
    let answer = answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    assert_eq!(
        answer.json()["connect"],
        json!({"method": "PUT", "href": format!("/v1/widgets/{WIDGET}/connections/{HEADER}")})
    );
    let same_name = own.jwt_of("ada", "o2");
    assert_eq!(
        own.status_of(&same_name, HEADER).await["status"],
        "not_connected"
    );
}

#[tokio::test]
async fn nobody_types_without_being_somebody_somewhere_known() {
    let own = Own::start().await;
    let typed = json!({"api_key": KEY});
    let expired = own.jwt("ada");
    own.wait(3_600);
    for jwt in ["", "nonsense", expired.as_str()] {
        let answer = unheard(&own, async || own.put(jwt, HEADER, &typed).await).await;
        answer.expect_problem(401, "caller_unauthenticated", "", "");
    }
    let answer = refused(&own, "ada", "nothing", &typed).await;
    answer.expect_problem(404, "authentication_unknown", "field", "auth_key");
    let url = format!(
        "{}/v1/widgets/nobody/connections/{HEADER}",
        own.dev.base_url
    );
    let bearer = format!("Bearer {}", own.jwt("ada"));
    let headers = [("authorization", bearer.as_str())];
    let elsewhere = async || {
        Wire::default()
            .call(Method::PUT, &url, &headers, typed.to_string())
            .await
    };
    let answer = unheard(&own, elsewhere).await;
    answer.expect_problem(404, "widget_unknown", "", "");
}

#[tokio::test]
async fn an_authentication_without_a_passport_takes_nothing() {
    let own = Own::start().await;
    let answer = refused(&own, "ada", LOOSE, &json!({"api_key": KEY})).await;
    answer.expect_problem(424, "authentication_required", "reason", "not_bound");
    let status = own.status("ada", LOOSE).await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("not_connected"), &json!("not_bound"))
    );
    assert_eq!(status.get("credential"), None);
}

#[tokio::test]
async fn consent_is_not_typed_and_what_is_typed_is_not_consented_to() {
    let own = Own::start().await;
    for typed in [json!({}), json!({"api_key": KEY})] {
        let answer = refused(&own, "ada", CONSENT, &typed).await;
        answer.expect_problem(422, "request_invalid", "field", "auth_key");
    }
    assert_eq!(own.status("ada", CONSENT).await.get("credential"), None);
    for (user, id) in [("ada", HEADER), ("ada", BASIC), ("admin", MACHINE)] {
        let path = format!("connections/{id}/connect");
        let jwt = own.jwt(user);
        let ask = async || own.widget(Method::POST, &path, &jwt, "{}".to_owned()).await;
        let answer = unheard(&own, ask).await;
        let answer = answer.expect_problem(422, "request_invalid", "field", "auth_key");
        let href = format!("/v1/widgets/{WIDGET}/connections/{id}");
        assert_eq!(
            answer.json()["connect"],
            json!({"method": "PUT", "href": href})
        );
    }
}

#[tokio::test]
async fn what_cannot_be_a_credential_is_refused_by_name() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let long = "k".repeat(4_097);
    let pair = |name: &str, value: Value| {
        let mut typed = json!({"username": "ada", "password": "secret word"});
        typed[name] = value;
        typed
    };
    for (id, typed, field) in [
        (HEADER, json!({}), "api_key"),
        (HEADER, json!({"api_key": null}), "api_key"),
        (HEADER, json!({"api_key": ""}), "api_key"),
        (HEADER, json!({"api_key": 7}), "api_key"),
        (HEADER, json!({"api_key": true}), "api_key"),
        (HEADER, json!({"api_key": [KEY]}), "api_key"),
        (HEADER, json!({"api_key": {"value": KEY}}), "api_key"),
        (HEADER, json!({"api_key": long}), "api_key"),
        (HEADER, json!({"api_key": "two words"}), "api_key"),
        (HEADER, json!({"api_key": "schlüssel"}), "api_key"),
        (HEADER, json!({"api_key": "key\r\nX-Other: 1"}), "api_key"),
        (HEADER, json!({"api_key": "key\u{0}"}), "api_key"),
        (
            HEADER,
            json!({"api_key": KEY, "header": "X-Other"}),
            "header",
        ),
        (HEADER, json!({"password": KEY}), "password"),
        (BASIC, json!({"username": "ada"}), "password"),
        (BASIC, json!({"password": "secret word"}), "username"),
        (BASIC, pair("username", json!("")), "username"),
        (BASIC, pair("username", json!("a\u{7f}")), "username"),
        (BASIC, pair("username", json!(long)), "username"),
        (BASIC, pair("password", json!("")), "password"),
        (BASIC, pair("password", json!("a\tb")), "password"),
        (BASIC, pair("password", json!("a\u{85}b")), "password"),
        (BASIC, pair("password", json!(long)), "password"),
        (BASIC, pair("api_key", json!(KEY)), "api_key"),
    ] {
        let answer = refused(&own, "ada", id, &typed).await;
        let answer = answer.expect_problem(422, "request_invalid", "field", field);
        for typed in [KEY, "secret word", "schlüssel", "kkkkkkkk"] {
            assert!(!answer.text().contains(typed), "{}", answer.text());
        }
    }
    let answer = refused(&own, "admin", MACHINE, &json!({"client_secret": KEY})).await;
    answer.expect_problem(422, "request_invalid", "field", "client_secret");
    // The longest there is.
    let longest = "k".repeat(4_096);
    own.acme.accept(&longest);
    own.connected("ada", HEADER, &json!({"api_key": longest}))
        .await;
    own.wait(16);
    own.echo("ada", HEADER, json!({})).await.expect(200);
    assert_eq!(own.acme.last_call().header("x-api-key"), longest);
}

#[tokio::test]
async fn a_body_that_is_no_object_of_a_usable_size_is_malformed() {
    let own = Own::start().await;
    let huge = json!({"api_key": "k".repeat(300 * 1024)}).to_string();
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in [
        "[]",
        "null",
        "\"key\"",
        "7",
        "{",
        "api_key=key",
        "{\"api_key\": \"\\ud800\"}",
        &deep,
        &huge,
    ] {
        let jwt = own.jwt("ada");
        let path = format!("connections/{HEADER}");
        let put = async || own.widget(Method::PUT, &path, &jwt, body.to_owned()).await;
        let answer = unheard(&own, put).await;
        answer.expect_problem(400, "request_malformed", "field", "body");
    }
    // Without a body everything is missing; where nothing is needed, nothing is.
    let path = format!("connections/{HEADER}");
    let jwt = own.jwt("ada");
    let put = async || own.widget(Method::PUT, &path, &jwt, String::new()).await;
    let answer = unheard(&own, put).await;
    answer.expect_problem(422, "request_invalid", "field", "api_key");
    let path = format!("connections/{MACHINE}");
    let answer = own
        .widget(Method::PUT, &path, &own.jwt("admin"), String::new())
        .await;
    assert_eq!(answer.expect(200).json()["status"], "connected");
}

/// A flow is what the custodian acts on: it holds nothing that was typed, and goes by itself.
#[tokio::test]
async fn a_flow_of_typing_is_forgotten_in_time() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let flows = |items: &consulate_flows::own::Items| {
        let flows = items.iter().filter(|(pk, _)| pk.starts_with("FLOW#"));
        flows.map(|(_, item)| item.clone()).collect::<Vec<_>>()
    };
    let stored = flows(&own.items().await);
    assert_eq!(stored.len(), 1);
    let ttl: i64 = stored[0]["ttl"].as_n().unwrap().parse().unwrap();
    let left = ttl - own.dev.clock.now().seconds();
    // An hour more, for those who look at what went wrong.
    assert!((0..=STATE_SECONDS + 3_600).contains(&left), "{left}");
}
