//! Which secret verifies: the widget's own, current or next, in the one algorithm.

use std::time::Duration;

use consulate_flows::bundle::{Bundle, WIDGET};
use consulate_flows::jose::Jose;
use consulate_flows::stack::{HOST_SECRET, Stack, sign};
use http::Method;
use serde_json::{Value, json};

use super::{accepted, both, claims, refused_naming};

fn set_host_secrets(stack: &Stack, widget: &str, secrets: &Value) {
    let name = format!("consulate/widgets/{widget}");
    let document = json!({ "host_secrets": secrets }).to_string();
    stack.dev.secrets.put(&name, &document).unwrap();
}

/// The algorithm is ours to choose, not the header's: an RS256 JWT is refused even where the secret is that very key.
#[tokio::test]
async fn the_key_confusion_attack_fails() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let public_key = jose.public_key("RS256").await;
    set_host_secrets(&stack, WIDGET, &json!([public_key]));
    let jwt = jose.sign("RS256", "", &claims(&stack.dev.clock)).await;
    refused_naming(both(&stack, &jwt).await, "RS256", "authorization");
    let jwt = jose
        .sign("HS256", &public_key, &claims(&stack.dev.clock))
        .await;
    assert!(accepted(&stack, &jwt).await);
}

#[tokio::test]
async fn the_secret_of_another_widget_is_no_secret_of_this_one() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let mut other = Bundle::new(&stack.provider_url);
    other.consulate["widget"] = "other".into();
    other.consulate["host"]["id"] = "other".into();
    stack.import(&other).await;
    set_host_secrets(&stack, "other", &json!(["secret-of-the-other-widget"]));
    let claims = claims(&stack.dev.clock);
    let jwt = jose
        .sign("HS256", "secret-of-the-other-widget", &claims)
        .await;
    refused_naming(both(&stack, &jwt).await, "the other's", "authorization");
    let url = format!("{}/v1/widgets/other/connections", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    stack
        .wire
        .call(Method::GET, &url, &[("authorization", &bearer)], "")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_empty_secret_verifies_nothing() {
    for secrets in [json!([""]), json!([]), json!(["", HOST_SECRET])] {
        let stack = Stack::start().await;
        set_host_secrets(&stack, WIDGET, &secrets);
        let jwt = sign(&claims(&stack.dev.clock), "");
        refused_naming(
            both(&stack, &jwt).await,
            &secrets.to_string(),
            "authorization",
        );
    }
}

#[tokio::test]
async fn without_a_host_or_its_secret_nobody_is_a_caller() {
    let no_host = |bundle: &mut Bundle| bundle.consulate["host"] = Value::Null;
    let stack = Stack::start_with(no_host, |_| {}).await;
    for answer in both(&stack, &stack.jwt("ada")).await {
        answer.expect_problem(403, "caller_forbidden", "field", "host");
    }
    for document in ["{}", "[]", "not json", r#"{"host_secrets":"a-secret"}"#] {
        let stack = Stack::start().await;
        stack
            .dev
            .secrets
            .put("consulate/widgets/notes", document)
            .unwrap();
        for answer in both(&stack, &stack.jwt("ada")).await {
            answer.expect_problem(403, "caller_forbidden", "field", "host");
        }
    }
}

/// No downtime: the host's next secret works beside the current one.
#[tokio::test]
async fn the_current_and_the_next_secret_are_both_accepted() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    set_host_secrets(&stack, WIDGET, &json!([HOST_SECRET, "the-next-secret"]));
    for (secret, good) in [
        (HOST_SECRET, true),
        ("the-next-secret", true),
        ("the-last", false),
    ] {
        let jwt = jose.sign("HS256", secret, &claims(&stack.dev.clock)).await;
        assert_eq!(accepted(&stack, &jwt).await, good, "{secret}");
    }
}

/// Nobody restarts anything, and nobody makes us hammer Secrets Manager by sending bad signatures.
#[tokio::test]
async fn a_rotated_secret_is_picked_up_at_once_but_read_once_in_ten_seconds() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    assert!(accepted(&stack, &stack.jwt("ada")).await);
    let reads = stack.dev.secrets.count("GetSecretValue");
    set_host_secrets(&stack, WIDGET, &json!(["the-next-secret"]));
    let next = jose
        .sign("HS256", "the-next-secret", &claims(&stack.dev.clock))
        .await;
    let mut attempts = 0;
    while !accepted(&stack, &next).await {
        attempts += 1;
        assert!(attempts < 120, "not picked up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(attempts > 20, "{attempts}");
    assert_eq!(stack.dev.secrets.count("GetSecretValue"), reads + 1);
    assert!(!accepted(&stack, &stack.jwt("ada")).await);
}
