//! Attacks on redirect mode's last step, and on where it comes back to.

use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{MINE, OURS, RETURN_TO};
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::json;

/// "Completion stolen by another caller": it is burned, and the tokens are revoked upstream.
#[tokio::test]
async fn a_completion_stolen_by_another_caller_is_burned() {
    let stack = Stack::start().await;
    let ada = stack.jwt("ada");
    for thief in [
        stack.jwt("mallory"),
        stack.jwt_of("ada", "o2", None),
        stack.admin_jwt(),
    ] {
        let mut browser = Browser::default();
        let completion = stack.to_completion(&mut browser, &ada, MINE).await;
        let granted = stack.issued("refresh").pop().unwrap();
        assert!(stack.provider.is_family_alive(&granted));
        stack
            .complete(&thief, MINE, &completion)
            .await
            .expect_problem(403, "completion_forbidden", "field", "completion");
        assert!(!stack.provider.is_family_alive(&granted));
        stack
            .complete(&ada, MINE, &completion)
            .await
            .expect_problem(410, "completion_spent", "field", "completion");
        for jwt in [&thief, &ada] {
            assert_eq!(stack.status(jwt, MINE).await["status"], "not_connected");
        }
    }
    assert_eq!(stack.provider.active_access_tokens(), 0);
    assert!(stack.items_of("CONNECTION").await.is_empty());
}

/// The same caller, but at another authentication: it was not made for that one.
#[tokio::test]
async fn a_completion_is_good_for_its_own_authentication_only() {
    let stack = Stack::start().await;
    let admin = stack.admin_jwt();
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &admin, MINE).await;
    stack
        .complete(&admin, OURS, &completion)
        .await
        .expect_problem(403, "completion_forbidden", "field", "completion");
    assert_eq!(stack.provider.active_access_tokens(), 0);
    for auth_key in [MINE, OURS] {
        let status = stack.status(&admin, auth_key).await;
        assert_eq!(status["status"], "not_connected");
    }
}

/// Who was an administrator when asking, and is none when completing.
#[tokio::test]
async fn a_completion_for_the_organisation_takes_an_administrator_to_the_end() {
    let stack = Stack::start().await;
    let mut browser = Browser::default();
    let completion = stack
        .to_completion(&mut browser, &stack.admin_jwt(), OURS)
        .await;
    let demoted = stack.jwt("admin");
    stack
        .complete(&demoted, OURS, &completion)
        .await
        .expect_problem(403, "caller_forbidden", "field", "auth_key");
    assert_eq!(stack.provider.active_access_tokens(), 0);
    assert!(stack.items_of("CONNECTION").await.is_empty());
}

/// "Completion after 61 s": gone, and revoked upstream.
#[tokio::test]
async fn a_completion_after_61_seconds_is_gone_and_its_grant_revoked() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &jwt, MINE).await;
    let granted = stack.issued("refresh").pop().unwrap();
    stack.dev.clock.advance_millis(61_000);
    for _ in 0..2 {
        stack
            .complete(&jwt, MINE, &completion)
            .await
            .expect_problem(410, "completion_spent", "field", "completion");
    }
    assert!(!stack.provider.is_family_alive(&granted));
    assert_eq!(stack.status(&jwt, MINE).await["status"], "not_connected");
}

#[tokio::test]
async fn a_completion_of_59_seconds_is_good() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &jwt, MINE).await;
    stack.dev.clock.advance_millis(58_000);
    let status = stack.complete(&jwt, MINE, &completion).await.expect(200);
    assert_eq!(status.json()["auth_key"], MINE);
}

/// A guess burns nothing, whoever guesses: a flow's id is no secret.
#[tokio::test]
async fn a_guessed_completion_burns_nothing() {
    let stack = Stack::start().await;
    let (ada, mallory) = (stack.jwt("ada"), stack.jwt("mallory"));
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &ada, MINE).await;
    let flow = stack.flow_id().await;
    let longer = format!("{completion}A");
    let cut = &completion[..completion.len() - 1];
    for guess in [
        longer.as_str(),
        cut,
        &format!("{flow}."),
        &format!("{flow}.AAAA"),
        &flow,
        ".",
        "nobody.AAAA",
    ] {
        for jwt in [&mallory, &ada] {
            stack.complete(jwt, MINE, guess).await.expect_problem(
                410,
                "completion_spent",
                "field",
                "completion",
            );
        }
    }
    for (body, status, code, field) in [
        (json!({}), 422, "request_invalid", "completion"),
        (
            json!({"completion": 7}),
            422,
            "request_invalid",
            "completion",
        ),
        (
            json!({"completion": null}),
            422,
            "request_invalid",
            "completion",
        ),
        (
            json!({"completion": "x", "user": "ada"}),
            422,
            "request_invalid",
            "user",
        ),
        (json!([completion]), 400, "request_malformed", "body"),
    ] {
        stack
            .widget(
                Method::POST,
                "connections/mine/complete",
                &ada,
                &body.to_string(),
            )
            .await
            .expect_problem(status, code, "field", field);
    }
    stack.complete(&ada, MINE, &completion).await.expect(200);
    assert_eq!(stack.status(&ada, MINE).await["status"], "connected");
}

/// Two completions at once are one connection; and the thief who races the right caller gets nothing.
#[tokio::test]
async fn a_completion_raced_by_a_thief_connects_the_right_caller_or_nobody() {
    let stack = Stack::start().await;
    let (ada, mallory) = (stack.jwt("ada"), stack.jwt("mallory"));
    for _ in 0..5 {
        let mut browser = Browser::default();
        let completion = stack.to_completion(&mut browser, &ada, MINE).await;
        let granted = stack.issued("refresh").pop().unwrap();
        let (right, thief) = tokio::join!(
            stack.complete(&ada, MINE, &completion),
            stack.complete(&mallory, MINE, &completion)
        );
        assert!(
            [403, 410].contains(&thief.status.as_u16()),
            "{}",
            thief.text()
        );
        let status = stack.status(&mallory, MINE).await;
        assert_eq!(status["status"], "not_connected");
        let won = right.status == 200;
        assert_eq!(stack.provider.is_family_alive(&granted), won);
    }
}

/// Where the revocation endpoint does not answer, the burned completion stays burned.
#[tokio::test]
async fn a_burned_completion_stays_burned_while_the_custodian_is_out() {
    let stack = Stack::start().await;
    let (ada, mallory) = (stack.jwt("ada"), stack.jwt("mallory"));
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &ada, MINE).await;
    stack.dev.functions.outage(true);
    stack
        .complete(&mallory, MINE, &completion)
        .await
        .expect_problem(403, "completion_forbidden", "field", "completion");
    stack.dev.functions.outage(false);
    stack
        .complete(&ada, MINE, &completion)
        .await
        .expect_problem(410, "completion_spent", "field", "completion");
    assert_eq!(stack.items_of("FLOW").await[0]["st"], "burned");
}

/// A completion whose custodian was not heard of may be sent again by the same caller.
#[tokio::test]
async fn a_completion_interrupted_by_an_outage_is_finished_by_the_same_caller() {
    let stack = Stack::start().await;
    let (ada, mallory) = (stack.jwt("ada"), stack.jwt("mallory"));
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &ada, MINE).await;
    stack.dev.functions.outage(true);
    stack
        .complete(&ada, MINE, &completion)
        .await
        .expect_problem(503, "unavailable", "", "");
    stack.dev.functions.outage(false);
    stack
        .complete(&mallory, MINE, &completion)
        .await
        .expect_problem(403, "completion_forbidden", "field", "completion");
    stack.complete(&ada, MINE, &completion).await.expect(200);
    assert_eq!(stack.status(&ada, MINE).await["status"], "connected");
}

/// "Open redirect through `return_to`" (S-31): byte for byte one of the list, or nothing.
#[tokio::test]
async fn an_open_redirect_through_return_to_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    for elsewhere in [
        "https://evil.example/",
        "//evil.example/connected",
        "/connected",
        "https://app.example.com",
        "https://app.example.com/connected/",
        "https://app.example.com/connected/../evil",
        "https://app.example.com/connected?next=https://evil.example",
        "https://app.example.com/connected#@evil.example",
        "https://app.example.com/connected.evil.example",
        "https://app.example.com/connecte",
        "https://app.example.com/Connected",
        "https://APP.example.com/connected",
        "HTTPS://app.example.com/connected",
        "http://app.example.com/connected",
        "https://app.example.com:443/connected",
        "https://app.example.com./connected",
        "https://app.example.com@evil.example/connected",
        "https://user@app.example.com/connected",
        "https://evil.example/https://app.example.com/connected",
        "https://app.example.com.evil.example/connected",
        "https://app.example.com\\@evil.example/connected",
        " https://app.example.com/connected",
        "https://app.example.com/connected\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "data:text/html,x",
        "",
    ] {
        let body = json!({"mode": "redirect", "return_to": elsewhere}).to_string();
        stack
            .widget(Method::POST, "connections/mine/connect", &jwt, &body)
            .await
            .expect_problem(422, "request_invalid", "field", "return_to");
    }
    let body = json!({"mode": "popup", "return_to": RETURN_TO}).to_string();
    stack
        .widget(Method::POST, "connections/mine/connect", &jwt, &body)
        .await
        .expect_problem(422, "request_invalid", "field", "return_to");
    assert!(stack.items_of("TICKET").await.is_empty());

    // Nor does an address in the callback or at the provider change where the browser ends.
    let mut browser = Browser::default();
    let callback = stack.to_redirect_callback(&mut browser, &jwt, MINE).await;
    let callback =
        format!("{callback}&return_to=https://evil.example&redirect_uri=https://evil.example");
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let location = ended.expect(303).header("location").to_owned();
    assert!(location.starts_with(&format!("{RETURN_TO}#")), "{location}");
}
