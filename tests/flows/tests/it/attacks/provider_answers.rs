//! A provider that says no, or answers anything but what it should: the person reads a clear result, nothing is stored,
//! and nothing secret is shown.

use consulate_fakes::provider::Reply;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{MINE, RETURN_TO};
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET, Stack};
use consulate_flows::walk::{fragment, query, with_query};
use consulate_flows::wire::Answer;

use super::{is_guarded, nothing_came_of_it, nothing_is_stored};

/// The result page of a callback that ended with `code`; free of everything secret, as are its address and the log.
async fn result_page(stack: &Stack, browser: &mut Browser, ended: &Answer, code: &str) -> String {
    assert_eq!(stack.result_code(ended), code);
    let location = ended.header("location");
    let page = browser.get(location, From::Here).await.expect(200);
    is_guarded(&page);
    let page = page.text();
    assert!(page.contains("data-status=\"failed\""), "{page}");
    assert!(page.contains(&format!("data-code=\"{code}\"")), "{page}");
    let log = stack.log.lock().unwrap().join("\n");
    let mut secrets = stack.provider.issued_secrets();
    secrets.extend([CLIENT_SECRET, HOST_SECRET].map(str::to_owned));
    for secret in secrets {
        for sink in [&page, location, &log] {
            assert!(!sink.contains(&secret), "{secret} is shown");
        }
    }
    page
}

/// "Refused consent".
#[tokio::test]
async fn a_refused_consent_ends_with_its_code_and_stores_nothing() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let authorize = stack.depart(&mut browser, &jwt, MINE).await;
    let callback = stack.consent(&mut browser, &authorize, "deny").await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let page = result_page(&stack, &mut browser, &ended, "access_denied").await;
    assert!(page.contains("told not to give access"), "{page}");
    nothing_came_of_it(&stack).await;
    assert!(stack.items_of("FLOW").await.is_empty());
    assert_eq!(stack.status(&jwt, MINE).await["status"], "not_connected");
    assert!(browser.cookies("127.0.0.1").is_empty(), "cookies are left");
}

#[tokio::test]
async fn a_refused_consent_comes_back_to_the_widget_in_redirect_mode() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let link = stack.redirect_url(&jwt, MINE).await;
    let authorize = browser.get(&link, From::Here).await.expect(303);
    let authorize = authorize.header("location").to_owned();
    let callback = stack.consent(&mut browser, &authorize, "deny").await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let location = ended.expect(303).header("location").to_owned();
    assert!(location.starts_with(&format!("{RETURN_TO}#")), "{location}");
    assert_eq!(fragment(&location, "consulate_error"), "access_denied");
    assert_eq!(fragment(&location, "consulate_auth_key"), MINE);
    nothing_came_of_it(&stack).await;
}

/// A refusal does not touch what is connected already.
#[tokio::test]
async fn a_refused_reconnect_leaves_the_connection_as_it_was() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let before = stack.status(&jwt, MINE).await;
    let mut browser = Browser::default();
    let authorize = stack.depart(&mut browser, &jwt, MINE).await;
    let callback = stack.consent(&mut browser, &authorize, "deny").await;
    browser.get(&callback, From::ElsewhereTopLevel).await;
    stack.provider.script_token(Reply::Html);
    stack.connect(&jwt, MINE).await;
    assert_eq!(stack.status(&jwt, MINE).await, before);
    assert!(stack.provider.is_family_alive(&stack.issued("refresh")[0]));
}

/// "Provider error with script in it" (S-09): escaped, capped, never in an address or a script.
#[tokio::test]
async fn a_provider_error_with_script_in_it_is_shown_as_text() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let attack = "</blockquote><script>alert(1)</script>\"'&\r\nSet-Cookie: a=b;\u{202e}";
    let long = format!("{attack}{}", "x".repeat(5_000));
    for (error, code) in [
        (attack, "provider_refused"),
        (&long, "provider_refused"),
        ("access_denied", "access_denied"),
        ("server_error", "provider_unavailable"),
    ] {
        let mut browser = Browser::default();
        let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
        let callback = with_query(&callback, "code", None);
        let callback = with_query(&callback, "error", Some(error));
        let callback = with_query(&callback, "error_description", Some(&long));
        let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
        let location = ended.header("location").to_owned();
        assert!(
            !location.contains("script") && !location.contains("xxx"),
            "{location}"
        );
        let page = result_page(&stack, &mut browser, &ended, code).await;
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(
            !page.contains("<script>") && !page.contains("</blockquote><"),
            "{page}"
        );
        assert!(page.len() < 4_000, "capped: {}", page.len());
        // Once read it is gone.
        let again = browser.get(&location, From::Here).await.expect(200).text();
        assert!(!again.contains("alert(1)"), "{again}");
    }
    nothing_came_of_it(&stack).await;
}

/// The result page says fixed words only, whoever wrote its address.
#[tokio::test]
async fn a_forged_result_address_puts_nothing_on_the_page() {
    let stack = Stack::start().await;
    let base = format!("{}/v1/connected", stack.dev.base_url);
    let evil = "\"><script>alert(1)</script>";
    for name in ["status", "code", "widget", "auth_key", "error", "origins"] {
        let url = format!("{base}?status=failed&code=access_denied&widget=notes&auth_key=mine");
        let url = with_query(&url, name, Some(evil));
        let page = Browser::default().get(&url, From::ElsewhereTopLevel).await;
        let page = page.expect(200);
        is_guarded(&page);
        assert!(!page.text().contains("alert(1)"), "{}", page.text());
    }
    let other = format!("{base}?status=connected&widget=nobodys&auth_key=mine");
    let page = Browser::default().get(&other, From::Here).await.text();
    assert!(
        page.contains("data-origins=\"[]\""),
        "nobody is told: {page}"
    );
}

/// Issue: "a provider that answers HTML, 10 MB, nothing, an error with 200".
#[tokio::test]
async fn a_token_endpoint_that_misbehaves_connects_nothing() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let plain = |status: u16, body: &str| {
        Reply::Status(status, body.to_owned(), "application/json".to_owned())
    };
    let unavailable = "provider_unavailable";
    for (reply, code) in [
        (Reply::Html, unavailable),
        (Reply::Huge(10 * 1024 * 1024), unavailable),
        (Reply::Empty, unavailable),
        (Reply::Drop, unavailable),
        (Reply::CutMidBody, unavailable),
        (Reply::ProcessThenDrop, unavailable),
        (Reply::ProcessThenBadGateway, unavailable),
        (Reply::RetryAfter(7), unavailable),
        (plain(500, "{}"), unavailable),
        (plain(503, "{\"error\":\"invalid_grant\"}"), unavailable),
        (plain(200, "{}"), unavailable),
        (plain(200, "null"), unavailable),
        (plain(200, "[\"access_token\"]"), unavailable),
        (plain(200, "{\"access_token\":\"\"}"), unavailable),
        (plain(200, "{\"access_token\":7}"), unavailable),
        (plain(200, "{\"access_token\":\"a\\r\\nb\"}"), unavailable),
        (plain(302, "{\"access_token\":\"a\"}"), unavailable),
        (
            Reply::ErrorWith200("invalid_code".to_owned()),
            "provider_refused",
        ),
        (
            Reply::ErrorWith200(CLIENT_SECRET.to_owned()),
            "provider_refused",
        ),
        (
            Reply::OauthError("invalid_grant".to_owned()),
            "provider_refused",
        ),
        (
            Reply::OauthError("invalid_client".to_owned()),
            "misconfigured",
        ),
        (Reply::OauthError("server_error".to_owned()), unavailable),
    ] {
        let calls = stack.token_calls();
        stack.provider.script_token(reply.clone());
        let mut browser = Browser::default();
        let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
        let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
        assert_eq!(stack.result_code(&ended), code, "{reply:?}");
        result_page(&stack, &mut browser, &ended, code).await;
        assert_eq!(stack.token_calls(), calls + 1, "asked once: {reply:?}");
        nothing_is_stored(&stack).await;
        let status = stack.status(&jwt, MINE).await;
        assert_eq!(status["status"], "not_connected", "{reply:?}");
    }
    stack.provider.script_token(Reply::Empty);
    let mut browser = Browser::default();
    let callback = stack.to_redirect_callback(&mut browser, &jwt, MINE).await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let location = ended.expect(303).header("location").to_owned();
    assert_eq!(fragment(&location, "consulate_error"), unavailable);
    assert_eq!(stack.result_code(&stack.connect(&jwt, MINE).await), "");
}

/// Issue: "or hangs". The token call is given up after eight seconds, before the browser is.
#[tokio::test]
async fn a_token_endpoint_that_hangs_is_given_up() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    stack.provider.script_token(Reply::Hang);
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    result_page(&stack, &mut browser, &ended, "provider_unavailable").await;
    assert_eq!(stack.token_calls(), 1);
    nothing_is_stored(&stack).await;
}

/// Replies that are odd, and still tokens.
#[tokio::test]
async fn a_token_endpoint_that_is_merely_odd_connects() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    for reply in [
        Reply::StringExpiresIn,
        Reply::OmitScope,
        Reply::OmitExpiresIn,
        Reply::OmitRefreshToken,
        Reply::FormEncoded,
    ] {
        stack.provider.script_token(reply.clone());
        let ended = stack.connect(&jwt, MINE).await;
        assert_eq!(stack.result_code(&ended), "", "{reply:?}");
        let status = stack.status(&jwt, MINE).await;
        assert_eq!(status["status"], "connected", "{reply:?}");
        let scopes = serde_json::json!(["profile", "events.read"]);
        assert_eq!(status["scopes"], scopes, "{reply:?}");
    }
}

/// A provider that is down is no refusal, and a client secret that is missing is ours to repair.
#[tokio::test]
async fn what_is_wrong_on_our_side_is_told_from_what_is_wrong_there() {
    let mut stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    stack.provider_down();
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    result_page(&stack, &mut browser, &ended, "provider_unavailable").await;
    stack.provider_up().await;

    // A secret that was stored for other endpoints is not sent to these.
    let moved = serde_json::json!({
        "client_secret": CLIENT_SECRET, "endpoints": ["https://elsewhere.example/token"],
    });
    let name = "consulate/passports/notes.test-cloud";
    stack.dev.secrets.put(name, &moved.to_string()).unwrap();
    let stack = stack.restart().await;
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    result_page(&stack, &mut browser, &ended, "misconfigured").await;
    nothing_came_of_it(&stack).await;
    assert!(query(&callback, "code").is_some());
}
