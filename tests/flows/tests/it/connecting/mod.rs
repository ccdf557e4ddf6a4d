//! Connecting as it is meant to be: both modes, both owners, every client style.

mod again;
mod standing;

use consulate_core::clock::Timestamp;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, OURS, RETURN_TO};
use consulate_flows::stack::Stack;
use consulate_flows::walk::{fragment, query};
use http::Method;
use serde_json::{Value, json};

/// The members of a document, sorted.
#[track_caller]
fn keys(document: &Value) -> Vec<&str> {
    let members = document.as_object().unwrap();
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn popup_mode_ends_on_a_result_page_that_tells_its_opener() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&ended), "");
    let page = browser.get(ended.header("location"), From::Here).await;
    let page = page.expect(200).text();
    assert!(page.contains("data-status=\"connected\""), "{page}");
    assert!(page.contains("data-auth-key=\"mine\""), "{page}");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    assert!(browser.cookies("127.0.0.1").is_empty(), "cookies are left");
}

#[tokio::test]
async fn redirect_mode_is_not_connected_before_it_is_completed() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_redirect_callback(&mut browser, &jwt, MINE).await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let location = ended.expect(303).header("location").to_owned();
    assert!(location.starts_with(&format!("{RETURN_TO}#")), "{location}");
    assert_eq!(fragment(&location, "consulate_auth_key"), MINE);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "not_connected");
    stack.api(&jwt, "whoAmI", json!({})).await.expect_problem(
        424,
        "authentication_required",
        "reason",
        "not_connected",
    );

    let completion = fragment(&location, "consulate_completion");
    let answer = stack.complete(&jwt, MINE, &completion).await.expect(200);
    assert_eq!(answer.json(), stack.status(&jwt, MINE).await);
    assert_eq!(answer.json()["status"], "connected");
    let envelope = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert_eq!(envelope.json()["body"]["id"], "acme-1815");
    stack
        .complete(&jwt, MINE, &completion)
        .await
        .expect_problem(410, "completion_spent", "field", "completion");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
}

#[tokio::test]
async fn an_administrator_connects_once_for_the_organisation() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.jwt("ada"), stack.admin_jwt());
    let before = stack.items().await;
    for (method, path, body) in [
        (Method::POST, "connections/ours/connect", "{}"),
        (
            Method::POST,
            "connections/ours/complete",
            r#"{"completion":"x.y"}"#,
        ),
        (Method::DELETE, "connections/ours", ""),
    ] {
        stack.widget(method, path, &ada, body).await.expect_problem(
            403,
            "caller_forbidden",
            "field",
            "auth_key",
        );
    }
    assert_eq!(stack.items().await, before);

    stack.connect(&admin, OURS).await;
    let status = stack.status(&ada, OURS).await;
    assert_eq!(status["status"], "connected", "{status}");
    let envelope = stack.api(&ada, "ourEcho", json!({})).await.expect(200);
    assert_eq!(envelope.json()["isSuccess"], true);
    stack
        .widget(Method::DELETE, "connections/ours", &ada, "")
        .await
        .expect_problem(403, "caller_forbidden", "field", "auth_key");
    assert_eq!(stack.status(&admin, OURS).await["status"], "connected");
    let receipt = stack
        .widget(Method::DELETE, "connections/ours", &admin, "")
        .await;
    assert_eq!(receipt.expect(200).json()["status"], "disconnected");
    assert_eq!(stack.status(&ada, OURS).await["status"], "disconnected");
}

#[tokio::test]
async fn who_is_no_administrator_any_more_cannot_confirm_a_link_of_before() {
    let stack = Stack::start().await;
    let link = stack.connect_url(&stack.admin_jwt(), OURS).await;
    // The same user, whose e-mail address has changed since.
    let demoted = stack.jwt("admin");
    let mut browser = Browser::default();
    stack
        .handshake(&mut browser, &link, &demoted)
        .await
        .expect(403);
    assert!(stack.items_of("FLOW").await.is_empty());
}

#[tokio::test]
async fn an_authentication_the_widget_does_not_have_is_unknown_on_every_route() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    for (method, path, body) in [
        (Method::GET, "connections/theirs", ""),
        (Method::DELETE, "connections/theirs", ""),
        (Method::POST, "connections/theirs/connect", "{}"),
        (
            Method::POST,
            "connections/theirs/complete",
            r#"{"completion":"a.b"}"#,
        ),
    ] {
        stack.widget(method, path, &jwt, body).await.expect_problem(
            404,
            "authentication_unknown",
            "field",
            "auth_key",
        );
    }
}

#[tokio::test]
async fn an_authentication_without_a_passport_says_that_an_operator_has_to_bind_one() {
    let unbound = |bundle: &mut Bundle| {
        let authentications = bundle.schema["authentications"].as_array_mut().unwrap();
        authentications.push(json!({
            "label": "Theirs", "authenticationType": "passport", "authKey": "theirs",
            "metadata": {"passportProvider": "microsoft"},
        }));
    };
    let stack = Stack::start_with(unbound, |_| {}).await;
    let admin = stack.admin_jwt();
    let status = stack.status(&admin, "theirs").await;
    assert_eq!(status["status"], "not_connected", "{status}");
    assert_eq!(status["reason"], "not_bound", "{status}");
    assert_eq!(status["passport"], Value::Null, "{status}");
    stack
        .widget(Method::POST, "connections/theirs/connect", &admin, "{}")
        .await
        .expect_problem(424, "authentication_required", "reason", "not_bound");
    let receipt = stack
        .widget(Method::DELETE, "connections/theirs", &admin, "")
        .await;
    let expected = json!({"status": "not_connected", "revocation": null});
    assert_eq!(receipt.expect(200).json(), expected);
}

#[tokio::test]
async fn redirect_mode_is_off_without_return_urls_and_asks_that_are_not_understood_are_named() {
    let without = |bundle: &mut Bundle| {
        bundle
            .consulate
            .as_object_mut()
            .unwrap()
            .remove("return_urls");
    };
    let stack = Stack::start_with(without, |_| {}).await;
    let jwt = stack.jwt("ada");
    for (body, field) in [
        (
            json!({"mode": "redirect", "return_to": RETURN_TO}),
            "return_to",
        ),
        (json!({"mode": "redirect"}), "return_to"),
        (json!({"mode": "tab"}), "mode"),
        (json!({"mode": 7}), "mode"),
        (json!({"owner": "somebody"}), "owner"),
    ] {
        let body = body.to_string();
        stack
            .widget(Method::POST, "connections/mine/connect", &jwt, &body)
            .await
            .expect_problem(422, "request_invalid", "field", field);
    }
    for body in ["[]", "{", "\"popup\""] {
        stack
            .widget(Method::POST, "connections/mine/connect", &jwt, body)
            .await
            .expect_problem(400, "request_malformed", "field", "body");
    }
    assert!(stack.items_of("TICKET").await.is_empty());
}

#[tokio::test]
async fn a_link_lives_five_minutes_and_popup_is_what_is_meant_by_nothing() {
    let stack = Stack::start().await;
    let now = stack.dev.clock.now();
    let answer = stack
        .widget(
            Method::POST,
            "connections/mine/connect",
            &stack.jwt("ada"),
            "",
        )
        .await;
    let link = answer.expect(201).json();
    assert_eq!(keys(&link), ["connect_url", "expires_at"]);
    let expires_at = Timestamp::parse_rfc3339(link["expires_at"].as_str().unwrap()).unwrap();
    assert!((299_000..=301_000).contains(&expires_at.since(now)));
    let page = stack
        .wire
        .call(Method::GET, link["connect_url"].as_str().unwrap(), &[], "");
    assert!(page.await.expect(200).text().contains("form_token"));
}

/// S-03, S-04: one client style for each passport; odd characters of the secret survive.
#[tokio::test]
async fn the_client_proves_itself_in_the_style_of_its_passport() {
    for (style, attempt) in [("basic", "Basic"), ("body", "Body"), ("none", "None")] {
        let change = |bundle: &mut Bundle| {
            bundle.consulate["passports"]["test-cloud"]["client_authentication"] = style.into();
        };
        let stack = Stack::start_with(change, |_| {}).await;
        let jwt = stack.connected("ada").await;
        stack.dev.clock.advance_millis(61_000);
        stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
        let disconnected = stack.widget(Method::DELETE, "connections/mine", &jwt, "");
        let receipt = disconnected.await.expect(200).json();
        assert_eq!(receipt["revocation"]["result"], "revoked", "{style}");
        let requests = stack.provider.token_requests();
        assert_eq!(requests.len(), 2, "{style}");
        for request in requests {
            let sent = format!("{:?}", request.client_authentication);
            assert_eq!(sent, attempt);
            assert_eq!(request.client_id.as_deref(), Some("test-client"), "{style}");
        }
    }
}

/// S-02, S-10, S-13.
#[tokio::test]
async fn the_verifier_is_sent_with_its_challenge_and_the_redirect_uri_is_repeated() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let authorize = stack.depart(&mut browser, &jwt, MINE).await;
    let sent = |name: &str| query(&authorize, name).unwrap();
    assert!(authorize.starts_with(&format!("{}/authorize?", stack.provider_url)));
    assert_eq!(sent("response_type"), "code");
    assert_eq!(sent("code_challenge_method"), "S256");
    assert_eq!(sent("code_challenge").len(), 43);
    assert_eq!(sent("scope"), "profile events.read");
    assert_eq!(sent("redirect_uri"), stack.redirect_uri());
    assert!(sent("state").len() >= 43, "256 bits (S-20)");
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(303);
    let requests = stack.provider.token_requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(request.grant_type, "authorization_code");
    assert_eq!(request.redirect_uri, Some(stack.redirect_uri()));
    assert_eq!(
        request.fields,
        ["code", "code_verifier", "grant_type", "redirect_uri"]
    );
}
