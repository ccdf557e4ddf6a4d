//! A form is taken only from the session's own page. Nothing happens otherwise.

use consulate_flows::browser::From;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;

use super::{Admin, NOTES};

const ROUTES: [&str; 11] = [
    "/console/sign-out",
    "/console/widgets/notes/person",
    "/console/widgets/notes/host-secret",
    "/console/widgets/notes/connections/mine/bind",
    "/console/widgets/notes/connections/mine/connect",
    "/console/widgets/notes/connections/mine/type",
    "/console/widgets/notes/connections/mine/disconnect",
    "/console/widgets/notes/apis/whoAmI",
    "/console/passports",
    "/console/passports/notes.test-cloud/secret",
    "/console/health/renew",
];

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_form_without_its_own_value_or_with_anothers_is_refused_everywhere() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let foreign = Admin::signed_in(&stack).await.token().await;
    let longer = format!("{}x", admin.token().await);
    for path in ROUTES {
        let url = admin.url(path);
        for token in ["", "x", &foreign, &longer] {
            let fields = [("form_token", token), ("organisation", "o2")];
            let answer = admin.browser.post_form(&url, From::Here, &fields).await;
            assert_eq!(answer.status, 403, "{path} with {token:?}");
        }
        let missing = admin.browser.post_form(&url, From::Here, &[]).await;
        assert_eq!(missing.status, 403, "{path}");
    }
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    admin.page("/console").await;
}

#[tokio::test]
async fn a_form_that_another_site_posts_is_refused_even_with_the_right_value() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let token = admin.token().await;
    let url = admin.url(&format!("{NOTES}/connections/mine/disconnect"));
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        let body = format!("form_token={token}");
        let headers = [FORM, header];
        let sent = admin
            .browser
            .request(Method::POST, &url, From::Here, &headers, body);
        assert_eq!(sent.await.status, 403, "{header:?}");
    }
    let body = format!("form_token={token}");
    let json = [("content-type", "text/plain")];
    let sent = admin
        .browser
        .request(Method::POST, &url, From::Here, &json, body);
    assert_eq!(sent.await.status, 403);
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    // Nor does anybody sign somebody in from elsewhere.
    let ticket = super::ticket(&stack).await;
    let url = admin.url("/console/sign-in");
    let headers = [FORM, ("sec-fetch-site", "cross-site")];
    let body = format!("ticket={ticket}");
    let sent = admin
        .browser
        .request(Method::POST, &url, From::Here, &headers, body);
    assert_eq!(sent.await.status, 403);
    admin.present(&ticket).await.expect(303);
}

#[tokio::test]
async fn what_is_typed_is_shown_as_text() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let hostile = "\"><script>alert(1)</script>";
    admin.choose(hostile, hostile).await;
    for path in [
        NOTES,
        "/console/widgets/notes/apis/whoAmI",
        "/console/activity",
    ] {
        let page = admin.page(path).await;
        assert!(page.contains("&lt;script&gt;"), "{path}");
        assert!(!page.contains("<script>alert"), "{path}");
    }
    let news = format!("{NOTES}?done=%3Cscript%3E&outcome=%3Cscript%3E");
    assert!(!admin.page(&news).await.contains("<script>"));
}

#[tokio::test]
async fn a_form_that_is_too_large_is_said_to_be() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let large = "x".repeat(300 * 1024);
    for path in ROUTES {
        let refused = admin.post(path, &[("organisation", &large)]).await;
        let refused = refused.expect(413).text();
        assert!(refused.contains("256 KiB"), "{path}: {refused}");
    }
    // News stands under names of our own only.
    let page = admin.page(&format!("{NOTES}?refused=connected")).await;
    assert!(!page.contains("The account is connected."), "{page}");
}
