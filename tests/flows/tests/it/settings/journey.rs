//! What a widget does with settings.

use consulate_flows::bundle::{ORIGIN, WIDGET};
use http::Method;
use serde_json::json;

use super::{ask, delete, get, keys, put, usual};

#[tokio::test]
async fn a_user_puts_reads_replaces_lists_and_deletes_a_setting() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    get(&stack, "user/theme", &ada)
        .await
        .expect_problem(404, "setting_unknown", "field", "key");

    // Kept as it was written: spaces, and a number no double holds.
    let text = "{ \"dark\": true,\n \"id\": 12345678901234567890123 }";
    let made = put(&stack, "user/theme", &ada, text).await.expect(201);
    let first = made.header("etag").to_owned();
    assert_eq!(made.json()["etag"], first.as_str());
    assert_eq!(made.json()["key"], "theme");
    let read = get(&stack, "user/theme", &ada).await.expect(200);
    assert_eq!(
        (read.text().as_str(), read.header("etag")),
        (text, first.as_str())
    );
    assert_eq!(read.header("content-type"), "application/json");
    assert_eq!(read.header("cache-control"), "no-store");

    let replaced = put(&stack, "user/theme", &ada, "\"light\"")
        .await
        .expect(200);
    let second = replaced.header("etag").to_owned();
    assert_ne!(first, second);
    for value in ["null", "0", "[]", "\"\""] {
        put(&stack, "user/small", &ada, value).await;
        assert_eq!(
            get(&stack, "user/small", &ada).await.expect(200).text(),
            value
        );
    }
    let list = get(&stack, "user", &ada).await.expect(200).json();
    assert_eq!(
        (keys(&list), &list["next"]),
        (vec!["small".into(), "theme".into()], &json!(null))
    );
    let settings = list["settings"].as_array().unwrap();
    let theme = settings.iter().find(|one| one["key"] == "theme").unwrap();
    assert_eq!(
        (&theme["value"], &theme["etag"]),
        (&json!("light"), &json!(second))
    );
    assert!(theme["updated_at"].as_str().unwrap().ends_with('Z'));

    // Gone, and gone again; what comes after is another state than all before.
    delete(&stack, "user/theme", &ada).await.expect(204);
    delete(&stack, "user/theme", &ada).await.expect(204);
    get(&stack, "user/theme", &ada).await.expect(404);
    let list = get(&stack, "user", &ada).await.expect(200).json();
    assert_eq!(keys(&list), ["small"]);
    let again = put(&stack, "user/theme", &ada, "\"light\"")
        .await
        .expect(201);
    assert!(![&first, &second].contains(&&again.header("etag").to_owned()));
}

/// RFC 9110 section 13.1: a write replaces what its widget has read, and nothing newer.
#[tokio::test]
async fn preconditions_keep_one_tab_from_overwriting_another() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let conditional = async |method: Method, name: &str, value: &str, body: &str| {
        ask(
            &stack,
            method,
            "user/draft",
            &ada,
            &[(name, value)],
            body.to_owned(),
        )
        .await
    };
    let refused = |answer: consulate_flows::wire::Answer| {
        answer
            .expect_problem(412, "precondition_failed", "field", "key")
            .json()
    };
    // Nothing there yet.
    for value in ["*", "\"x\""] {
        let problem = refused(conditional(Method::PUT, "if-match", value, "1").await);
        assert_eq!(problem["etag"], json!(null));
        refused(conditional(Method::DELETE, "if-match", value, "").await);
        refused(conditional(Method::GET, "if-match", value, "").await);
    }
    let made = conditional(Method::PUT, "if-none-match", "*", "1")
        .await
        .expect(201);
    let first = made.header("etag").to_owned();
    let problem = refused(conditional(Method::PUT, "if-none-match", "*", "2").await);
    assert_eq!(problem["etag"], first.as_str());
    refused(conditional(Method::DELETE, "if-none-match", "*", "").await);
    assert_eq!(get(&stack, "user/draft", &ada).await.text(), "1");

    let next = conditional(Method::PUT, "if-match", &first, "2")
        .await
        .expect(200);
    let second = next.header("etag").to_owned();
    for stale in [first.clone(), format!("W/{second}"), "\"\"".to_owned()] {
        let problem = refused(conditional(Method::PUT, "if-match", &stale, "3").await);
        assert_eq!(problem["etag"], second.as_str());
        refused(conditional(Method::DELETE, "if-match", &stale, "").await);
    }
    assert_eq!(get(&stack, "user/draft", &ada).await.text(), "2");
    let listed = format!("{first}, {second}");
    conditional(Method::PUT, "if-match", &listed, "4")
        .await
        .expect(200);

    // A read that knows the value already costs no body.
    let current = get(&stack, "user/draft", &ada).await;
    let current = current.header("etag");
    let same = conditional(Method::GET, "if-none-match", current, "")
        .await
        .expect(304);
    assert_eq!((same.body.len(), same.header("etag")), (0, current));
    conditional(Method::GET, "if-none-match", &first, "")
        .await
        .expect(200);
    for (name, value) in [("if-match", "draft"), ("if-none-match", "'x'")] {
        conditional(Method::PUT, name, value, "5")
            .await
            .expect_problem(400, "request_malformed", "field", name);
    }
    conditional(Method::DELETE, "if-match", current, "")
        .await
        .expect(204);
    get(&stack, "user/draft", &ada).await.expect(404);
}

/// What a browser asks before it lets a widget put, and what it lets it read afterwards.
#[tokio::test]
async fn a_browser_of_the_widgets_origin_may_put_and_read_the_entity_tag() {
    let stack = usual().await;
    let url = format!(
        "{}/v1/widgets/{WIDGET}/settings/user/theme",
        stack.dev.base_url
    );
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            (
                "access-control-request-headers",
                "authorization,content-type,if-match,if-none-match",
            ),
        ];
        stack
            .wire
            .call(Method::OPTIONS, &url, &headers, "")
            .await
            .expect(204)
    };
    let granted = preflight(ORIGIN).await;
    assert_eq!(granted.header("access-control-allow-origin"), ORIGIN);
    for method in ["PUT", "DELETE", "GET"] {
        assert!(
            granted
                .header("access-control-allow-methods")
                .contains(method)
        );
    }
    for name in ["authorization", "content-type", "if-match", "if-none-match"] {
        assert!(
            granted
                .header("access-control-allow-headers")
                .contains(name)
        );
    }
    let refused = preflight("https://evil.example").await;
    assert_eq!(refused.headers.get("access-control-allow-origin"), None);

    let ada = stack.jwt("ada");
    let put = ask(
        &stack,
        Method::PUT,
        "user/theme",
        &ada,
        &[("origin", ORIGIN)],
        "1",
    )
    .await;
    let exposed = put.header("access-control-expose-headers");
    assert!(exposed.contains("etag"), "{exposed}");
    let elsewhere = [("origin", "https://evil.example")];
    let read = ask(&stack, Method::GET, "user/theme", &ada, &elsewhere, "").await;
    assert_eq!(read.headers.get("access-control-allow-origin"), None);
}
