//! User names and passwords (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_flows::own::{BASIC, ENTRIES, Own, reveals};
use serde_json::{Value, json};

const USER: &str = "ada@acme.example";
const PASSWORD: &str = "pä:ss \"wörd\"\\☃:9";

fn typed() -> Value {
    json!({"username": USER, "password": PASSWORD})
}

async fn open() -> Own {
    let own = Own::start().await;
    own.acme.accept(&format!("{USER}:{PASSWORD}"));
    own
}

#[tokio::test]
async fn the_header_is_what_rfc_7617_says_whatever_the_password() {
    let own = open().await;
    let status = own.connected("ada", BASIC, &typed()).await;
    let names: Vec<&Value> = status["credential"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["name"])
        .collect();
    assert_eq!(names, ["username", "password"]);
    own.echo("ada", BASIC, json!({})).await.expect(200);
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    for call in [
        own.acme.last_call(),
        own.acme.seen_at("/v1/me").pop().unwrap(),
    ] {
        assert_eq!(call.header("authorization"), expected);
        assert_eq!(
            call.user_and_password().unwrap(),
            format!("{USER}:{PASSWORD}")
        );
        assert_eq!((call.query.as_str(), call.header("x-api-key")), ("", ""));
    }
}

#[tokio::test]
async fn a_password_is_removed_from_what_comes_back_and_stands_nowhere() {
    let own = open().await;
    let pair = format!("{USER}:{PASSWORD}");
    let mut answers = vec![own.put(&own.jwt("ada"), BASIC, &typed()).await.expect(200)];
    let echoed = own.echo("ada", BASIC, json!({})).await.expect(200);
    let body = &echoed.json()["body"];
    assert_eq!(body["harmless"], "stays");
    assert_eq!(body["password"], "[credential removed]");
    assert_eq!(
        body["headers"]["authorization"],
        "Basic [credential removed]"
    );
    answers.push(echoed);
    let wrong = json!({"username": USER, "password": "canary-wrong-password"});
    let refused = own.put(&own.jwt("ada"), BASIC, &wrong).await;
    answers.push(refused.expect_problem(422, "request_invalid", "field", "password"));
    for secret in [
        PASSWORD,
        pair.as_str(),
        &STANDARD.encode(&pair),
        "canary-wrong-password",
    ] {
        for answer in &answers {
            assert!(!reveals(&answer.body, secret), "{}", answer.text());
        }
        assert_eq!(own.leaks(secret), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_user_name_with_a_colon_is_refused_before_anybody_is_asked() {
    let own = open().await;
    let before = (own.items().await, own.acme.seen().len(), own.invocations());
    for username in ["ada:", ":ada", "a:b"] {
        let typed = json!({"username": username, "password": PASSWORD});
        let refused = own.put(&own.jwt("ada"), BASIC, &typed).await;
        refused.expect_problem(422, "request_invalid", "field", "username");
    }
    assert_eq!(
        (own.items().await, own.acme.seen().len(), own.invocations()),
        before
    );
}

/// What names an account is shown and kept as it is, so it must not be the credential.
#[tokio::test]
async fn a_profile_that_repeats_the_password_names_nobody_by_it() {
    let entries = ENTRIES.replace("/v1/me\"\nid_path", "/v1/talkative\"\nid_path");
    assert_ne!(entries, ENTRIES);
    let own = Own::start_with(&entries).await;
    own.acme.accept(&format!("{USER}:canary-password-0123"));
    let typed = json!({"username": USER, "password": "canary-password-0123"});
    let status = own.connected("ada", BASIC, &typed).await;
    assert_eq!(
        status["account"],
        json!({"id": "acme-7", "email": null, "name": null})
    );
    assert_eq!(own.leaks("canary-password-0123"), Vec::<String>::new());
}
