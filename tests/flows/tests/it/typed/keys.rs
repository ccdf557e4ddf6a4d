//! API keys: in a header and in a query.

use consulate_flows::own::{HEADER, Own, QUERY, SHARED, reveals};
use serde_json::json;

const KEY: &str = "canary-key/with+odd=characters%&";
const OTHER: &str = "canary-other-key-0123456789";

#[tokio::test]
async fn a_key_goes_where_its_entry_says_and_nowhere_else() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    for (id, place) in [(HEADER, "header x-api-key"), (QUERY, "query key")] {
        let status = own.connected("ada", id, &json!({"api_key": KEY})).await;
        assert_eq!(
            status["credential"],
            json!({"kind": "api_key", "fields": [
                {"name": "api_key", "label": "API key", "secret": true, "optional": false}]})
        );
        assert_eq!(status["account"]["id"], "acme-7");
        assert_eq!(status["expires_at"], json!(null));
        assert_eq!(status["apis"][0]["status"], "usable");
        let answer = own
            .echo("ada", id, json!({"q": "a b", "tag": ["x", "y"]}))
            .await;
        assert_eq!(answer.expect(200).json()["isSuccess"], true);
        let call = own.acme.last_call();
        assert_eq!(call.places(KEY), [place], "{call:?}");
        assert!(
            call.query.starts_with("q=a%20b&tag=x&tag=y"),
            "{}",
            call.query
        );
        assert_eq!(call.header("authorization"), "");
        let profile = own.acme.seen_at("/v1/me").pop().unwrap();
        assert_eq!(profile.places(KEY), [place], "{profile:?}");
    }
    assert_eq!(own.acme.last_call().header("x-api-key"), "");
}

#[tokio::test]
async fn a_key_is_in_no_log_no_answer_and_no_file() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    let (typed, wrong) = (json!({"api_key": KEY}), json!({"api_key": OTHER}));
    let mut answers = Vec::new();
    for id in [HEADER, QUERY] {
        answers.push(own.put(&own.jwt("ada"), id, &wrong).await.expect(422));
        answers.push(own.put(&own.jwt("ada"), id, &typed).await.expect(200));
        let echoed = own.echo("ada", id, json!({})).await.expect(200);
        assert_eq!(echoed.json()["body"]["harmless"], "stays");
        assert_eq!(echoed.json()["body"]["credential"], "[credential removed]");
        answers.push(echoed);
        // Refused by the API, which repeats what it was sent; first as too new to be renewed, then for good.
        own.acme.withdraw(KEY);
        answers.push(own.echo("ada", id, json!({})).await.expect(200));
        own.wait(61);
        answers.push(own.echo("ada", id, json!({})).await.expect(424));
        own.acme.accept(KEY);
        own.disconnect("ada", id).await;
        answers.push(own.put(&own.jwt("ada"), id, &typed).await.expect(200));
    }
    for answer in &answers {
        for key in [KEY, OTHER] {
            assert!(!reveals(&answer.body, key), "{}", answer.text());
            let headers = format!("{:?}", answer.headers);
            assert!(!reveals(headers.as_bytes(), key), "{headers}");
        }
    }
    for key in [KEY, OTHER] {
        assert_eq!(own.leaks(key), Vec::<String>::new());
    }
    // The search finds what is there.
    assert!(
        own.leaks("seven@acme.example")
            .iter()
            .any(|name| name.contains("table.sqlite"))
    );
    assert!(own.leaks("echoes_removed").contains(&"log".to_owned()));
}

#[tokio::test]
async fn no_param_stands_in_for_the_key() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", QUERY, &json!({"api_key": KEY})).await;
    let before = own.acme.seen().len();
    for name in ["key", "KEY", "Key", "key[]", "access_token"] {
        let answer = own.echo("ada", QUERY, json!({ name: OTHER })).await;
        answer.expect_problem(422, "params_invalid", "param", name);
    }
    assert_eq!(own.acme.seen().len(), before);
    // Where the key goes elsewhere, the name is free.
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    own.echo("ada", HEADER, json!({"key": "mine"}))
        .await
        .expect(200);
    assert_eq!(own.acme.last_call().query, "key=mine");
}

#[tokio::test]
async fn a_key_that_the_profile_refuses_is_not_stored() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    let (typed, wrong) = (json!({"api_key": KEY}), json!({"api_key": OTHER}));
    for id in [HEADER, QUERY] {
        let answer = own.put(&own.jwt("ada"), id, &wrong).await;
        let answer = answer.expect_problem(422, "request_invalid", "field", "api_key");
        assert_eq!(answer.json()["retryable"], false);
        assert_eq!(own.status("ada", id).await["status"], "not_connected");
        assert!(own.connections().await.is_empty());
    }
    own.connected("ada", HEADER, &typed).await;
    let before = (own.connections().await, own.status("ada", HEADER).await);
    own.wait(5);
    let answer = own.put(&own.jwt("ada"), HEADER, &wrong).await;
    answer.expect_problem(422, "request_invalid", "field", "api_key");
    assert_eq!(
        (own.connections().await, own.status("ada", HEADER).await),
        before
    );
    own.wait(16);
    own.echo("ada", HEADER, json!({})).await.expect(200);
    assert_eq!(own.acme.last_call().header("x-api-key"), KEY);
}

/// Without a profile nobody is asked, and what the API says later is told then.
#[tokio::test]
async fn a_key_that_cannot_be_tried_is_taken_and_judged_by_the_api() {
    let own = Own::start().await;
    let before = own.acme.seen().len();
    let status = own
        .connected("admin", SHARED, &json!({"api_key": OTHER}))
        .await;
    assert_eq!(
        (&status["account"], own.acme.seen().len()),
        (&json!(null), before)
    );

    // Just typed: the API's own words.
    let envelope = own.echo("ada", SHARED, json!({})).await.expect(200).json();
    assert_eq!(
        (&envelope["statusCode"], &envelope["isSuccess"]),
        (&json!(401), &json!(false))
    );
    // Later: the account has to be connected again, by typing.
    own.wait(61);
    let refused = own.echo("ada", SHARED, json!({})).await;
    let refused =
        refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
    assert_eq!(
        refused.json()["connect"],
        json!({"method": "PUT", "href": "/v1/widgets/desk/connections/acme-shared"})
    );
    assert_eq!(own.token_calls(), 0);
    let status = own.status("ada", SHARED).await;
    assert_eq!(status["status"], "needs_reauthorisation", "{status}");
    assert_eq!(status["reason"], "provider_refused", "{status}");
    // Nobody tries it again, until it is typed again.
    own.acme.accept(OTHER);
    let calls = own.acme.seen().len();
    let refused = own.echo("ada", SHARED, json!({})).await;
    refused.expect_problem(424, "authentication_required", "reason", "provider_refused");
    assert_eq!(own.acme.seen().len(), calls);
    own.connected("admin", SHARED, &json!({"api_key": OTHER}))
        .await;
    let envelope = own.echo("ada", SHARED, json!({})).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true);
}

#[tokio::test]
async fn a_disconnected_key_is_gone_and_its_receipt_says_that_the_provider_has_no_revocation() {
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let receipt = own.disconnect("ada", HEADER).await;
    assert_eq!(receipt["status"], "disconnected");
    assert_eq!(receipt["revocation"]["result"], "provider_has_none");
    own.wait(16);
    let calls = own.acme.seen().len();
    let refused = own.echo("ada", HEADER, json!({})).await;
    let refused = refused.expect_problem(424, "authentication_required", "reason", "disconnected");
    assert_eq!(refused.json()["connect"]["method"], "PUT");
    assert_eq!(own.acme.seen().len(), calls);
    let rows = own.connections().await;
    let sealed = rows.values().flat_map(|row| row.keys());
    assert!(!sealed.into_iter().any(|name| name == "a"), "{rows:?}");
}
