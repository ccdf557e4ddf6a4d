//! S-88: an API that repeats the credential does not hand it to the widget, however it spells it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use consulate_fakes::provider::Reply;
use consulate_flows::stack::Stack;
use consulate_proxy::echo_guard::REMOVED;
use serde_json::{Value, json};

use super::{connected, envelope};

/// The access token in use.
fn access_token(stack: &Stack) -> String {
    stack.issued("access").pop().unwrap()
}

fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let spelled = text.bytes().map(|byte| match keep(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    });
    spelled.collect()
}

/// The middle of `token` in base64, as it stands behind 0, 1 and 2 other bytes.
fn base64_cores(token: &str) -> Vec<String> {
    let at = |before: usize| {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'x'; before], token.as_bytes()].concat());
        encoded[4..encoded.len() - 4].to_owned()
    };
    (0..3).map(at).collect()
}

/// Asserts that a widget's answer holds the token in no spelling.
#[track_caller]
fn clean(token: &str, answer: &str) {
    let plain = answer.replace('-', "+").replace('_', "/");
    for core in base64_cores(token) {
        assert!(!plain.contains(&core), "base64: {answer}");
    }
    let mut decoded = answer.to_owned();
    for round in 0..3 {
        assert!(!decoded.contains(token), "decoded {round} times: {answer}");
        let bytes = percent_encoding::percent_decode_str(&decoded);
        decoded = bytes.decode_utf8_lossy().into_owned();
    }
    assert!(answer.contains(REMOVED), "nothing was removed: {answer}");
}

#[tokio::test]
async fn an_access_token_in_an_answer_is_removed_in_every_form() {
    let (stack, jwt) = connected().await;
    let token = access_token(&stack);
    for form in ["raw", "base64", "base64url", "percent"] {
        let answer = stack
            .api(&jwt, "leak", json!({"as": form}))
            .await
            .expect(200);
        clean(&token, &answer.text());
        assert_eq!(answer.json()["isSuccess"], true);
    }
    let answer = stack.api(&jwt, "leak", json!({})).await.expect(200);
    clean(&token, &answer.text());
    for form in ["header", "header_base64"] {
        let answer = stack
            .api(&jwt, "leak", json!({"as": form}))
            .await
            .expect(200);
        assert!(
            !format!("{:?}{}", answer.headers, answer.text()).contains(&token),
            "{form}"
        );
    }
    let removed = |line: &Value| line["echoes_removed"].as_u64().unwrap_or(0);
    assert!(stack.log_lines().iter().map(removed).sum::<u64>() >= 8);
}

#[tokio::test]
async fn other_spellings_in_other_bodies_are_found_too() {
    let (stack, jwt) = connected().await;
    let token = access_token(&stack);
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric();
    let escaped: String = token.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let half = format!(
        "{}\\u{:04x}{}",
        &token[..5],
        token.as_bytes()[5],
        &token[6..]
    );
    let basic = STANDARD.encode(format!("someone:{token}"));
    let twice = percent(&percent(&token, |_| false), unreserved);
    let bodies = [
        ("text/plain", format!("token={token}&x")),
        ("text/html", format!("<p>{token}{token}</p>")),
        (
            "application/xml",
            format!("<t>{}</t>", URL_SAFE.encode(&token)),
        ),
        ("application/json", format!(r#"{{"{token}":1}}"#)),
        ("application/json", format!(r#"{{"a":"{escaped}"}}"#)),
        ("application/json", format!(r#"["{half}"]"#)),
        (
            "application/json",
            format!(r#"{{"header":"Basic {basic}"}}"#),
        ),
        ("application/json", format!(r#"{{"broken":"{token}""#)),
        ("text/plain", percent(&token, unreserved)),
        (
            "text/plain",
            percent(&token, |byte| byte % 2 == 0 && byte != b'%'),
        ),
        ("text/plain", twice),
        ("text/plain", URL_SAFE_NO_PAD.encode(format!("ab{token}cd"))),
    ];
    for (content_type, body) in bodies {
        for status in [200, 400] {
            let reply = Reply::Status(status, body.clone(), content_type.to_owned());
            stack.provider.script_api(reply);
            let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
            clean(&token, &answer.text());
            // Undone by the widget, escapes would give it back.
            let body = answer.json()["body"].to_string();
            assert!(!body.contains(&token), "{content_type} {body}");
        }
    }
}

#[tokio::test]
async fn bytes_and_headers_are_searched_as_well() {
    let (stack, jwt) = connected().await;
    let token = access_token(&stack);
    let reply = Reply::Status(
        200,
        format!("\0\u{1}{token}\0"),
        "application/octet-stream".into(),
    );
    stack.provider.script_api(reply);
    let answer = envelope(&stack, &jwt, "whoAmI", json!({})).await;
    let bytes = STANDARD.decode(answer["body"].as_str().unwrap()).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(text, format!("\0\u{1}{REMOVED}\0"));

    let reply = Reply::Status(200, "{}".into(), format!("text/plain; token={token}"));
    stack.provider.script_api(reply);
    let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    clean(&token, &answer.text());

    let to = format!("https://elsewhere.example/?t={token}");
    let answer = stack
        .api(&jwt, "redirect", json!({ "to": to }))
        .await
        .expect(200);
    clean(&token, &answer.text());
}

/// The answer to the second request is searched for the second token.
#[tokio::test]
async fn a_renewed_access_token_is_guarded_like_the_first() {
    let (stack, jwt) = connected().await;
    let first = access_token(&stack);
    stack.dev.clock.advance_millis(61_000);
    let answer = stack.api(&jwt, "leak", json!({})).await.expect(200);
    let second = access_token(&stack);
    assert_ne!(first, second);
    clean(&second, &answer.text());
    // Withdrawn although not expired: the API's 401 has it renewed on the way.
    stack.dev.clock.advance_millis(40_000);
    stack.provider.revoke_access_tokens();
    let answer = stack.api(&jwt, "leak", json!({})).await.expect(200);
    clean(&access_token(&stack), &answer.text());
}

/// Only the credential goes: an answer that merely resembles it stays as it is.
#[tokio::test]
async fn nothing_else_is_touched() {
    let (stack, jwt) = connected().await;
    let token = access_token(&stack);
    let near = format!(
        r#"{{"a":"{}","b":"acme-access-","c":"%2541"}}"#,
        &token[..token.len() - 1]
    );
    let reply = Reply::Status(200, near.clone(), "application/json".into());
    stack.provider.script_api(reply);
    let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert!(answer.text().contains(&near), "{}", answer.text());
}
