//! What a widget may say in a call (checklist S-80, S-81): a name and params. Everything else is refused by name before
//! a credential is touched, and what is accepted cannot mean more than a value.

use consulate_flows::bundle::{Bundle, MINE};
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// Ada, connected, with two more APIs: one with a param in a header, one with the caller's e-mail in the path.
async fn connected() -> (Stack, String) {
    let stack = Stack::start_with(
        |bundle| {
            add(
                bundle,
                "headed",
                "/api/v1/echo",
                json!({"X-Note": "note {param.note}"}),
            );
            add(bundle, "mail", "/api/v1/echo/{user.email}", json!({}));
            bundle.consulate["passports"]["test-cloud"]["reserved_params"] = json!(["api_Key"]);
        },
        |_| {},
    )
    .await;
    let jwt = stack.connected("ada").await;
    (stack, jwt)
}

fn add(bundle: &mut Bundle, name: &str, path: &str, headers: Value) {
    let apis = bundle.schema["authenticatedApis"].as_array_mut().unwrap();
    let mut api = apis[0].clone();
    let origin = api["url"]
        .as_str()
        .unwrap()
        .trim_end_matches("/api/me")
        .to_owned();
    api["name"] = name.into();
    api["url"] = format!("{origin}{path}").into();
    api["headers"] = headers;
    apis.push(api);
}

async fn raw(stack: &Stack, jwt: &str, name: &str, body: &str) -> Answer {
    stack
        .widget(Method::POST, &format!("apis/{name}"), jwt, body)
        .await
}

/// What arrived at the provider: path and query as they came, and the headers.
async fn arrived(stack: &Stack, jwt: &str, name: &str, params: Value) -> Value {
    let envelope = stack.api(jwt, name, params).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    envelope["body"].clone()
}

/// Asserts that these params are refused, each by its name, and that no request left.
async fn refused(stack: &Stack, jwt: &str, cases: Vec<(&str, Value, &str)>) {
    let before = stack.provider.seen();
    for (api, params, param) in cases {
        let answer = stack.api(jwt, api, params).await;
        let problem = answer
            .expect_problem(422, "params_invalid", "param", param)
            .json();
        assert_eq!(problem["retryable"], false, "{problem}");
    }
    assert_eq!(stack.provider.seen(), before);
}

#[tokio::test]
async fn a_widget_an_api_or_an_authentication_that_is_not_declared_is_named() {
    let (stack, jwt) = connected().await;
    let before = stack.provider.seen();
    for name in [
        "none",
        "whoami",
        "whoAmI%20",
        "whoAmI%00",
        "..",
        "%2e%2e%2fwhoAmI",
    ] {
        let answer = stack.api(&jwt, name, json!({})).await;
        answer.expect_problem(404, "api_unknown", "field", "name");
    }
    let bearer = format!("Bearer {jwt}");
    for widget in ["none", "Notes", "notes%2f", "notes%00"] {
        let url = format!("{}/v1/widgets/{widget}/apis/whoAmI", stack.dev.base_url);
        let headers = [("authorization", bearer.as_str())];
        let answer = stack.wire.call(Method::POST, &url, &headers, "").await;
        answer.expect_problem(404, "widget_unknown", "field", "widget");
    }
    for (method, path) in [
        (Method::GET, "connections/none"),
        (Method::GET, "connections/Mine"),
        (Method::DELETE, "connections/none"),
        (Method::POST, "connections/none/connect"),
        (Method::POST, "connections/none/complete"),
    ] {
        let answer = stack.widget(method, path, &jwt, "").await;
        answer.expect_problem(404, "authentication_unknown", "field", "auth_key");
    }
    assert_eq!(stack.provider.seen(), before);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
}

#[tokio::test]
async fn a_body_that_is_no_call_is_refused_by_its_member() {
    let (stack, jwt) = connected().await;
    let before = stack.provider.seen();
    let large = format!(r#"{{"params":{{"q":"{}"}}}}"#, "x".repeat(256 * 1024));
    for body in [
        "{",
        "nonsense",
        "[]",
        "null",
        "7",
        r#"{"params":[]}"#,
        "{}{}",
        &large,
    ] {
        let answer = raw(&stack, &jwt, "echoAll", body).await;
        answer.expect_problem(400, "request_malformed", "field", "body");
    }
    for member in ["method", "headers", "body", "url", "host", "Params"] {
        let body = json!({"params": {}, member: "DELETE"}).to_string();
        let answer = raw(&stack, &jwt, "echoAll", &body).await;
        answer.expect_problem(400, "request_malformed", "field", member);
    }
    let answer = raw(&stack, &jwt, "echoAll", r#"{"params":{},"params":{}}"#).await;
    answer.expect_problem(400, "request_malformed", "field", "params");
    assert_eq!(stack.provider.seen(), before);
}

#[tokio::test]
async fn a_param_that_is_missing_or_no_value_is_refused_by_name() {
    let (stack, jwt) = connected().await;
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("p{n:03}"), json!(1))).collect();
    let cases = vec![
        ("echo", json!({"q": "x"}), "path"),
        ("echo", json!({"path": "x"}), "q"),
        ("echo", json!({"path": "", "q": "x"}), "path"),
        ("echo", json!({"path": null, "q": "x"}), "path"),
        ("echo", json!({"path": {"a": 1}, "q": "x"}), "path"),
        ("echo", json!({"path": ["a"], "q": "x"}), "path"),
        ("echo", json!({"path": "x", "q": [["x"]]}), "q"),
        ("echoAll", json!({"extra": {"toString": "x"}}), "extra"),
        ("echoAll", json!({"extra": null}), "extra"),
        ("echoAll", json!({"extra": [1, null]}), "extra"),
        ("echoAll", json!({"extra": [1, {"a": 1}]}), "extra"),
        ("echoAll", json!({"extra": [[1]]}), "extra"),
        ("echoAll", json!({"extra": "x".repeat(64 * 1024)}), "extra"),
        (
            "echoAll",
            json!({"extra": vec!["x".repeat(64 * 1024)]}),
            "extra",
        ),
        (
            "echoAll",
            json!({"small": "x", "extra": vec!["x".repeat(5_000); 2]}),
            "extra",
        ),
        ("echoAll", json!({"": "x"}), ""),
        ("echoAll", Value::Object(many), "p100"),
        ("mail", json!({}), "user.email"),
        ("create", json!({"title": "x"}), "list"),
        ("create", json!({"list": "x"}), "title"),
        (
            "create",
            json!({"list": "x", "title": "x".repeat(64 * 1024)}),
            "title",
        ),
    ];
    refused(&stack, &jwt, cases).await;
    let long = "n".repeat(129);
    refused(
        &stack,
        &jwt,
        vec![("echoAll", json!({&long: "x"}), &long[..128])],
    )
    .await;
    let twice = raw(&stack, &jwt, "echoAll", r#"{"params":{"a":1,"a":2}}"#).await;
    twice.expect_problem(422, "params_invalid", "param", "a");
}

#[tokio::test]
async fn a_param_that_would_change_the_path_is_refused() {
    let (stack, jwt) = connected().await;
    for path in [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "../..",
        "a/../b",
        "..%2fadmin",
        "..\\admin",
        "..;x",
        "./a",
    ] {
        let params = json!({"path": path, "q": "x"});
        refused(&stack, &jwt, vec![("echo", params, "path")]).await;
        // In a query value dots are just dots.
        let seen = arrived(&stack, &jwt, "echoAll", json!({"q": path})).await;
        assert_eq!(seen["path"], "/api/v1/echo", "{path}");
    }
}

#[tokio::test]
async fn control_characters_are_refused_in_every_position() {
    let (stack, jwt) = connected().await;
    for control in ["\r\nX-Evil: 1", "\r", "\n", "\0", "\t", "\u{7f}", "\u{85}"] {
        let value = format!("a{control}");
        let cases = vec![
            ("echo", json!({"path": value, "q": "x"}), "path"),
            ("echo", json!({"path": "x", "q": value}), "q"),
            ("echoAll", json!({"extra": value}), "extra"),
            ("echoAll", json!({"extra": ["x", value]}), "extra"),
            ("headed", json!({"note": value}), "note"),
            ("create", json!({"list": "x", "title": value}), "title"),
            (
                "echoAll",
                json!({format!("a{}b", &control[..control.len().min(2)]): "x"}),
                "ab",
            ),
        ];
        refused(&stack, &jwt, cases).await;
    }
    // Where no encoding exists, only what needs none.
    refused(&stack, &jwt, vec![("headed", json!({"note": "é"}), "note")]).await;
}

#[tokio::test]
async fn a_param_cannot_shadow_what_the_definition_fixes() {
    let (stack, jwt) = connected().await;
    for name in [
        "fixed", "FIXED", "fixed[]", "Fixed[0]", " fixed", "fi%78ed", "fixed[", "Q", "q[]",
    ] {
        let params = json!({"path": "x", "q": "x", name: "2"});
        refused(&stack, &jwt, vec![("echo", params, name)]).await;
    }
    // Elsewhere the name is free.
    let seen = arrived(&stack, &jwt, "echoAll", json!({"fixed": 2})).await;
    assert_eq!(seen["query"], "fixed=2");
}

#[tokio::test]
async fn a_param_cannot_have_a_name_that_carries_a_credential_or_another_method() {
    let (stack, jwt) = connected().await;
    for name in [
        "access_token",
        "Access_Token",
        "access_token[]",
        "access%5ftoken",
        "refresh_token",
        "client_secret",
        "oauth_token",
        "method",
        "_method",
        "_HttpMethod",
        "callback",
        "API_KEY",
        "api_key[]",
    ] {
        refused(&stack, &jwt, vec![("echoAll", json!({name: "x"}), name)]).await;
    }
}

#[tokio::test]
async fn what_is_accepted_arrives_encoded_by_its_position() {
    let (stack, jwt) = connected().await;
    let host = stack.provider_url.trim_start_matches("http://");
    for (value, encoded) in [
        ("@evil.example", "%40evil.example"),
        ("//evil.example/x", "%2F%2Fevil.example%2Fx"),
        ("evil.example:443", "evil.example%3A443"),
        ("https://evil.example", "https%3A%2F%2Fevil.example"),
        ("\\evil", "%5Cevil"),
        ("a/b", "a%2Fb"),
        ("?a=1#b", "%3Fa%3D1%23b"),
        ("a&fixed=2", "a%26fixed%3D2"),
        ("1+1 = 2", "1%2B1%20%3D%202"),
        ("%41", "%2541"),
        ("naïve ✓ 🦀", "na%C3%AFve%20%E2%9C%93%20%F0%9F%A6%80"),
        ("...", "..."),
        (
            "{user.id}{param.q}{authorization.mine.token}",
            "%7Buser.id%7D%7Bparam.q%7D%7Bauthorization.mine.token%7D",
        ),
        ("a.b-c_d~e", "a.b-c_d~e"),
    ] {
        let seen = arrived(&stack, &jwt, "echo", json!({"path": value, "q": value})).await;
        assert_eq!(seen["path"], format!("/api/v1/echo/{encoded}"));
        assert_eq!(seen["query"], format!("fixed=1&q={encoded}"));
        assert_eq!(seen["headers"]["host"], host);
        let seen = arrived(&stack, &jwt, "echoAll", json!({value: value})).await;
        assert_eq!(seen["query"], format!("{encoded}={encoded}"));
    }
    let seen = arrived(
        &stack,
        &jwt,
        "headed",
        json!({"note": "a: \"b\", {user.id} %0d%0a"}),
    )
    .await;
    assert_eq!(seen["headers"]["x-note"], "note a: \"b\", {user.id} %0d%0a");
}

/// Numbers are not read, lists repeat, the order stays, and an empty list is nothing.
#[tokio::test]
async fn params_that_fill_no_placeholder_become_the_query() {
    let (stack, jwt) = connected().await;
    let body = r#"{"params":{"z":[3,"b",true],"a":12345678901234567890123,"none":[],"f":1.50,"e":"","y":false}}"#;
    let envelope = raw(&stack, &jwt, "echoAll", body).await.expect(200).json();
    let query = "z=3&z=b&z=true&a=12345678901234567890123&f=1.50&e=&y=false";
    assert_eq!(envelope["body"]["query"], query, "{envelope}");
    for body in ["", "{}", r#"{"params":{}}"#] {
        let envelope = raw(&stack, &jwt, "echoAll", body).await.expect(200).json();
        assert_eq!(envelope["body"]["query"], Value::Null, "{envelope}");
        assert_eq!(envelope["body"]["path"], "/api/v1/echo");
    }
}

/// The caller's e-mail comes from the verified JWT and from nowhere else.
#[tokio::test]
async fn a_param_cannot_stand_in_for_the_caller() {
    let (stack, _) = connected().await;
    let jwt = stack.jwt_of("ada", "o1", Some("ada@example.com"));
    let params = json!({"user.email": "eve@example.com", "user.id": "eve"});
    let seen = arrived(&stack, &jwt, "mail", params).await;
    assert_eq!(seen["path"], "/api/v1/echo/ada%40example.com");
    assert_eq!(seen["query"], "user.email=eve%40example.com&user.id=eve");
}

/// A widget speaks for its own authentications, never for those of another widget.
#[tokio::test]
async fn an_api_of_another_widget_is_unknown_here() {
    let (stack, jwt) = connected().await;
    let mut other = Bundle::new(&stack.provider_url);
    other.consulate["widget"] = "other".into();
    other.consulate["host"]["id"] = "other".into();
    add(&mut other, "theirs", "/api/v1/echo", json!({}));
    stack.import(&other).await;
    let answer = stack.api(&jwt, "theirs", json!({})).await;
    answer.expect_problem(404, "api_unknown", "field", "name");
}
