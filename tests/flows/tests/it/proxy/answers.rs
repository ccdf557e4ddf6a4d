//! The envelope around whatever an API answers.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_fakes::provider::Reply;
use consulate_flows::stack::Stack;
use consulate_proxy::envelope::{UPSTREAM_BODY_LIMIT, encoded_len};
use serde_json::{Value, json};

use super::{connected, envelope, plain};

/// What Lambda takes as a reply.
const LAMBDA_REPLY: usize = 6 * 1024 * 1024;

fn members(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn script(stack: &Stack, status: u16, body: impl Into<String>, content_type: &str) {
    let reply = Reply::Status(status, body.into(), content_type.to_owned());
    stack.provider.script_api(reply);
}

#[tokio::test]
async fn the_envelope_has_the_members_of_appspace_and_no_more() {
    let (stack, jwt) = connected().await;
    let envelope = plain(&stack, &jwt, "whoAmI").await;
    let known = ["body", "contentType", "headers", "isSuccess", "statusCode"];
    assert_eq!(members(&envelope), known.into());
    assert_eq!(envelope["statusCode"], 200);
    assert_eq!(envelope["isSuccess"], true);
    assert_eq!(envelope["contentType"], "application/json");
    assert_eq!(envelope["headers"]["content-type"], "application/json");
    assert_eq!(envelope["body"]["id"], "acme-1815");
}

#[tokio::test]
async fn json_is_passed_on_byte_for_byte() {
    let (stack, jwt) = connected().await;
    let answer = stack.api(&jwt, "bigint", json!({})).await.expect(200);
    let body = r#""body":{"id": 12345678901234567890123, "f": 1.0},"#;
    assert!(answer.text().contains(body), "{}", answer.text());
    let odd = r#"{"b":1,"a":1,"a":2,"e":1E400,"s":"\u0041\/","n":[ ]}"#;
    script(&stack, 200, odd, "application/vnd.api+json; charset=utf-8");
    let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert!(
        answer.text().contains(&format!(r#""body":{odd},"#)),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn text_is_a_string_and_anything_else_base64() {
    let (stack, jwt) = connected().await;
    let text = plain(&stack, &jwt, "text").await;
    assert_eq!(text["body"], "plain text, not JSON\n");
    assert_eq!(text["isBase64Encoded"], Value::Null);
    let binary = plain(&stack, &jwt, "binary").await;
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(binary["body"], STANDARD.encode(bytes));
    assert_eq!(binary["isBase64Encoded"], true);
    assert_eq!(binary["contentType"], "application/octet-stream");
    // What only claims to be JSON is text: a widget must not get a broken document.
    script(&stack, 200, r#"{"a":1"#, "application/json");
    assert_eq!(plain(&stack, &jwt, "whoAmI").await["body"], r#"{"a":1"#);
    script(
        &stack,
        200,
        r#"{"a":1},"isSuccess":true"#,
        "application/json",
    );
    assert_eq!(
        plain(&stack, &jwt, "whoAmI").await["body"],
        r#"{"a":1},"isSuccess":true"#
    );
}

#[tokio::test]
async fn an_error_of_the_api_is_an_answer_and_no_success() {
    let (mut stack, mut jwt) = connected().await;
    for code in [400, 403, 404, 409, 500, 503, 429] {
        let envelope = envelope(&stack, &jwt, "status", json!({"code": code})).await;
        assert_eq!(envelope["statusCode"], code);
        assert_eq!(envelope["isSuccess"], false);
        assert_eq!(envelope["body"]["status"], code);
        let retry_after = &envelope["headers"]["retry-after"];
        assert_eq!(
            *retry_after == json!("7"),
            [429, 503].contains(&code),
            "{code}"
        );
        assert_eq!(stack.provider.seen().refreshes, 0);
        if [429, 503].contains(&code) {
            // What asks to be left alone is left alone: the next is asked of another.
            (stack, jwt) = connected().await;
        }
    }
    for code in [201, 204] {
        let envelope = envelope(&stack, &jwt, "status", json!({"code": code})).await;
        assert_eq!(
            (&envelope["statusCode"], &envelope["isSuccess"]),
            (&json!(code), &json!(true))
        );
    }
    let empty = envelope(&stack, &jwt, "status", json!({"code": 204})).await;
    assert_eq!(empty["body"], "");
    assert_eq!(empty["contentType"], Value::Null);
    assert_eq!(stack.provider.seen().refreshes, 0);
}

/// S-85: following it would take the credential to wherever the API says.
#[tokio::test]
async fn a_redirect_is_passed_on_and_not_followed() {
    let (stack, jwt) = connected().await;
    let before = stack.provider.seen().api_calls;
    let to = format!("{}/api/v1/echo", stack.provider_url);
    let envelope = envelope(&stack, &jwt, "redirect", json!({ "to": to })).await;
    assert_eq!(envelope["statusCode"], 302);
    assert_eq!(envelope["isSuccess"], false);
    assert_eq!(envelope["headers"]["location"], to);
    assert_eq!(stack.provider.seen().api_calls, before + 1);
}

/// S-87.
#[tokio::test]
async fn cookies_credentials_and_connection_headers_of_the_api_stay_here() {
    let (stack, jwt) = connected().await;
    let answer = stack.api(&jwt, "cookie", json!({})).await.expect(200);
    let envelope = answer.json();
    let shown = ["content-type", "date", "etag", "location"];
    assert_eq!(members(&envelope["headers"]), shown.into());
    for ours in [
        "set-cookie",
        "www-authenticate",
        "access-control-allow-origin",
        "server",
        "etag",
    ] {
        assert_eq!(answer.headers.get(ours), None, "{ours}");
    }
    assert!(!answer.text().contains("session=upstream"));
}

#[tokio::test]
async fn a_content_coding_nobody_asked_for_is_refused() {
    let (stack, jwt) = connected().await;
    let answer = stack.api(&jwt, "gzip", json!({})).await;
    answer.expect_problem(502, "upstream_unreachable", "", "");
}

/// S-89: the limit counts bytes as they lie in the Lambda reply.
#[tokio::test]
async fn an_answer_passes_up_to_the_limit_of_a_lambda_reply_and_not_a_byte_beyond() {
    let (stack, jwt) = connected().await;
    let small = stack
        .api(&jwt, "large", json!({"bytes": 1_000}))
        .await
        .expect(200);
    let around = encoded_len(&small.body) - 1_000;
    let most = UPSTREAM_BODY_LIMIT - around;
    assert!(most > 5_900_000, "{most}");
    let answer = stack
        .api(&jwt, "large", json!({"bytes": most}))
        .await
        .expect(200);
    assert!(encoded_len(&answer.body) < LAMBDA_REPLY);
    assert_eq!(answer.json()["body"].as_str().unwrap().len(), most);
    for bytes in [
        most + 1,
        UPSTREAM_BODY_LIMIT,
        UPSTREAM_BODY_LIMIT + 1,
        60_000_000,
    ] {
        let answer = stack.api(&jwt, "large", json!({ "bytes": bytes })).await;
        answer.expect_problem(413, "response_too_large", "", "");
    }
    // Two megabytes of quotes are eight in the reply.
    script(&stack, 200, "\"".repeat(2_000_000), "text/plain");
    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
    answer.expect_problem(413, "response_too_large", "", "");
}

/// S-08.
#[tokio::test]
async fn no_answer_may_be_stored_or_sniffed() {
    let (stack, jwt) = connected().await;
    for answer in [
        stack.api(&jwt, "whoAmI", json!({})).await,
        stack.api(&jwt, "none", json!({})).await,
        stack.api("nonsense", "whoAmI", json!({})).await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.headers.get("set-cookie"), None);
    }
}
