//! What may be put: keys, values, and how much of it.

use http::Method;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_value_is_json_of_at_most_64_kib() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    put(&stack, "user/large", &ada, &text(65_536))
        .await
        .expect(201);
    assert_eq!(get(&stack, "user/large", &ada).await.body.len(), 65_536);
    let before = items(&stack).await;
    for length in [65_537, 300_000, 1_000_000] {
        let problem = put(&stack, "user/large", &ada, &text(length)).await;
        let problem = problem.expect_problem(413, "value_too_large", "field", "value");
        assert_eq!(problem.json()["limit_bytes"], 65_536);
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let malformed: [&[u8]; 9] = [
        b"",
        b" ",
        b"nope",
        b"{\"a\":1",
        b"{\"a\":1}{}",
        b"NaN",
        b"'a'",
        b"\"\xff\"",
        deep.as_bytes(),
    ];
    for body in malformed {
        let answer = ask(&stack, Method::PUT, "user/large", &ada, &[], body.to_vec()).await;
        let problem = answer.expect_problem(400, "request_malformed", "field", "value");
        assert!(!problem.text().contains("nope"));
    }
    assert_eq!(items(&stack).await, before);
}

#[tokio::test]
async fn a_key_that_is_not_one_is_named() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let long = "k".repeat(129);
    for key in [
        "%2e", "%2e%2e", "a%2Fb", "a%00", "%20", "_a", "-a", "%C3%A9", "a%0Ab", "a%23", &long,
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            ask(&stack, method, &format!("user/{key}"), &ada, &[], "1")
                .await
                .expect_problem(422, "request_invalid", "field", "key");
        }
    }
    // Not text at all.
    get(&stack, "user/%ff", &ada)
        .await
        .expect_problem(400, "request_malformed", "field", "path");
    assert!(items(&stack).await.is_empty());
    put(&stack, &format!("user/{}", "k".repeat(128)), &ada, "1")
        .await
        .expect(201);
    put(&stack, "user/A.b_c:d-9", &ada, "1").await.expect(201);
}

#[tokio::test]
async fn a_user_keeps_a_hundred_settings() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    for number in 0..100 {
        put(&stack, &format!("user/k{number:02}"), &ada, "1")
            .await
            .expect(201);
    }
    put(&stack, "user/one-more", &ada, "1")
        .await
        .expect_problem(409, "quota_exceeded", "code", "quota_exceeded");
    put(&stack, "user/k07", &ada, "2").await.expect(200);
    delete(&stack, "user/k08", &ada).await.expect(204);
    put(&stack, "user/one-more", &ada, "1").await.expect(201);
    put(&stack, "user/k08", &ada, "1").await.expect(409);
    accounts_are_right(&items(&stack).await);
}

#[tokio::test]
async fn what_is_full_can_be_replaced_and_emptied_and_is_nobody_elses() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let large = format!("\"{}\"", "x".repeat(65_000));
    for number in 0..16 {
        put(&stack, &format!("user/k{number:02}"), &ada, &large)
            .await
            .expect(201);
    }
    let problem = put(&stack, "user/k16", &ada, &large).await;
    let problem = problem
        .expect_problem(409, "quota_exceeded", "code", "quota_exceeded")
        .json();
    assert_eq!(
        (
            &problem["limit_keys"],
            &problem["limit_bytes"],
            &problem["retryable"]
        ),
        (&json!(100), &json!(1_048_576), &json!(false))
    );
    // Less room is always given, the same is, more is not.
    put(&stack, "user/k00", &ada, "1").await.expect(200);
    put(&stack, "user/k16", &ada, &large).await.expect(201);
    put(&stack, "user/k16", &ada, &large).await.expect(200);
    put(&stack, "user/k00", &ada, &large).await.expect(409);
    assert_eq!(get(&stack, "user/k00", &ada).await.text(), "1");
    accounts_are_right(&items(&stack).await);
    put(&stack, "user/k00", &stack.jwt("bob"), &large)
        .await
        .expect(201);
    put(&stack, "organisation/k00", &stack.jwt("admin"), &large)
        .await
        .expect(201);
    delete(&stack, "user/k16", &ada).await.expect(204);
    put(&stack, "user/k00", &ada, &large).await.expect(200);
    accounts_are_right(&items(&stack).await);
}
