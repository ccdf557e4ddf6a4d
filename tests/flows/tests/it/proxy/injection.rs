//! The request an API gets: from the definition, the verified caller and encoded params, with the credential put in last.

use consulate_flows::bundle::{MINE, ORIGIN, WIDGET};
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

use super::{connected, envelope};

fn body(echoed: &Value) -> Value {
    serde_json::from_str(echoed["body"]["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn static_headers_and_bodies_are_filled_from_params_and_the_caller() {
    let (stack, jwt) = connected().await;
    let title = "\"quoted\" \\ {user.id} {param.list} </script> \u{2028} ✓";
    let params = json!({"list": "a b", "title": title, "left": "over"});
    let envelope = envelope(&stack, &jwt, "create", params).await;
    let echoed = &envelope["body"];
    assert_eq!(echoed["method"], "POST");
    assert_eq!(echoed["path"], "/api/v1/echo/a%20b");
    assert_eq!(echoed["query"], "left=over");
    assert_eq!(echoed["headers"]["content-type"], "application/json");
    assert_eq!(echoed["headers"]["x-organisation"], "o1");
    let written = json!({"title": format!("Note: {title}"), "by": "ada", "fixed": [1, true, null]});
    assert_eq!(body(&envelope), written);
}

#[tokio::test]
async fn a_caller_whose_id_looks_like_a_template_or_a_path_stays_a_value() {
    let by_path = |bundle: &mut consulate_flows::bundle::Bundle| {
        let url = bundle.schema["authenticatedApis"][0]["url"]
            .as_str()
            .unwrap();
        let url = url.replace("/api/me", "/api/v1/echo/{userId}/{organisation.id}");
        bundle.schema["authenticatedApis"][0]["url"] = url.into();
    };
    let stack = Stack::start_with(by_path, |_| {}).await;
    let odd = "../{param.x}/a?b#c@evil.example";
    let jwt = stack.jwt_of("ada", odd, None);
    stack.connect(&jwt, MINE).await;
    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
    answer.expect_problem(422, "params_invalid", "param", "organisation.id");
    let odd = "{param.x}/a?b#c@evil.example";
    let jwt = stack.jwt_of("ada", odd, None);
    stack.connect(&jwt, MINE).await;
    let envelope = envelope(&stack, &jwt, "whoAmI", json!({})).await;
    let path = "/api/v1/echo/ada/%7Bparam.x%7D%2Fa%3Fb%23c%40evil.example";
    assert_eq!(envelope["body"]["path"], path);
}

/// S-06: exactly `Bearer`, although this provider's replies say `bearer`; the API refuses any other spelling.
/// S-07: and in no other place of the request.
#[tokio::test]
async fn the_credential_is_in_the_authorization_header_and_nowhere_else() {
    let (stack, jwt) = connected().await;
    let access_token = stack.issued("access").pop().unwrap();
    let params = json!({"list": "l", "title": "{authorization.mine.token}"});
    let envelope = envelope(&stack, &jwt, "create", params).await;
    // The echo shows all but that header.
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert!(
        !envelope.to_string().contains("credential removed"),
        "{envelope}"
    );
    assert_eq!(body(&envelope)["title"], "Note: {authorization.mine.token}");
    let log = stack.log.lock().unwrap().join("\n");
    assert!(!log.contains(&access_token));
}

/// S-80, S-86: nothing of the browser's request travels on.
#[tokio::test]
async fn no_header_of_the_widgets_request_reaches_the_api() {
    let (stack, jwt) = connected().await;
    let bearer = format!("Bearer {jwt}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", ORIGIN),
        ("cookie", "session=mine"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=10.0.0.1"),
        ("x-http-method-override", "DELETE"),
        ("x-organisation", "o2"),
        ("x_organisation", "o2"),
        ("accept-encoding", "gzip"),
        ("accept-language", "de"),
        ("content-type", "text/evil"),
        ("user-agent", "Evil/1.0"),
        ("referer", "https://app.example.com/secret"),
        ("connection", "x-organisation"),
    ];
    let url = format!(
        "{}/v1/widgets/{WIDGET}/apis/create?q=1&method=DELETE",
        stack.dev.base_url
    );
    let body = json!({"params": {"list": "l", "title": "t"}}).to_string();
    let answer = stack
        .wire
        .call(Method::POST, &url, &headers, body)
        .await
        .expect(200);
    let echoed = answer.json()["body"].clone();
    let mut names: Vec<&String> = echoed["headers"].as_object().unwrap().keys().collect();
    names.sort();
    let own = [
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-organisation",
    ];
    assert_eq!(names, own);
    let headers = &echoed["headers"];
    assert_eq!(headers["x-organisation"], "o1");
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(headers["content-type"], "application/json");
    assert!(
        headers["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("consulate/"),
        "{headers}"
    );
    assert_eq!(
        (&echoed["method"], &echoed["query"]),
        (&json!("POST"), &Value::Null)
    );
}
