//! S-77: browsers may call from the widget's exact origins. Never `*`, never a reflected origin.

use consulate_flows::bundle::{ORIGIN, WIDGET};
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;

use super::connected;

const STRANGERS: [&str; 11] = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com:443",
    "https://app.example.com/",
    "https://APP.example.com",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "https://sub.app.example.com",
    "null",
    "*",
];

async fn from(stack: &Stack, method: Method, path: &str, origin: &str, jwt: &str) -> Answer {
    let url = format!("{}/v1/widgets/{path}", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    let mut headers = vec![("origin", origin)];
    match method {
        Method::OPTIONS => headers.extend([
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type,x-evil",
            ),
        ]),
        _ => headers.push(("authorization", &bearer)),
    }
    stack.wire.call(method, &url, &headers, "").await
}

#[track_caller]
fn allows_nothing(answer: &Answer, what: &str) {
    for name in answer.headers.keys() {
        assert!(
            !name.as_str().starts_with("access-control-"),
            "{what}: {name}"
        );
    }
}

#[tokio::test]
async fn a_preflight_of_the_widgets_origin_is_granted_without_a_caller() {
    let (stack, _) = connected().await;
    let before = stack.items().await;
    for path in [
        "apis/create",
        "apis/none",
        "connections/mine",
        "connections/mine/connect",
    ] {
        let path = format!("{WIDGET}/{path}");
        let answer = from(&stack, Method::OPTIONS, &path, ORIGIN, "")
            .await
            .expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization, content-type, if-match, if-none-match"
        );
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, "GET, POST, PUT, DELETE");
        let age: u32 = answer.header("access-control-max-age").parse().unwrap();
        assert!(age <= 600);
        assert_eq!(answer.header("vary"), "origin");
        assert_eq!(answer.headers.get("access-control-allow-credentials"), None);
    }
    assert_eq!(stack.items().await, before);
}

#[tokio::test]
async fn a_preflight_of_any_other_origin_is_granted_nothing() {
    let (stack, _) = connected().await;
    for origin in STRANGERS {
        let path = format!("{WIDGET}/apis/create");
        let answer = from(&stack, Method::OPTIONS, &path, origin, "").await;
        allows_nothing(&answer, origin);
        assert_eq!(answer.header("vary"), "origin");
    }
    let answer = from(&stack, Method::OPTIONS, "unknown/apis/create", ORIGIN, "").await;
    allows_nothing(&answer, "an unknown widget");
}

/// Answers and problems alike: a widget must be able to read why it was refused.
#[tokio::test]
async fn an_answer_can_be_read_by_the_widgets_origin_only() {
    let (stack, jwt) = connected().await;
    for (path, jwt, status) in [
        ("apis/whoAmI", jwt.as_str(), 200),
        ("apis/cookie", jwt.as_str(), 200),
        ("apis/none", jwt.as_str(), 404),
        ("apis/whoAmI", "nonsense", 401),
    ] {
        let path = format!("{WIDGET}/{path}");
        let answer = from(&stack, Method::POST, &path, ORIGIN, jwt)
            .await
            .expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(
            answer
                .headers
                .get_all("access-control-allow-origin")
                .iter()
                .count(),
            1
        );
        assert_eq!(answer.header("vary"), "origin");
        assert_eq!(answer.headers.get("access-control-allow-credentials"), None);
        for origin in STRANGERS {
            let answer = from(&stack, Method::POST, &path, origin, jwt)
                .await
                .expect(status);
            allows_nothing(&answer, origin);
            assert_eq!(answer.header("vary"), "origin");
        }
    }
}

#[tokio::test]
async fn without_declared_origins_no_browser_can_call() {
    let stack = Stack::start_with(
        |bundle| bundle.consulate["origins"] = serde_json::json!([]),
        |_| {},
    )
    .await;
    let path = format!("{WIDGET}/apis/whoAmI");
    for origin in [ORIGIN, "null", ""] {
        let answer = from(&stack, Method::OPTIONS, &path, origin, "").await;
        allows_nothing(&answer, origin);
    }
}
