//! Attacks on the link and on the handshake page.

use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, ORIGIN};
use consulate_flows::stack::{Stack, form_token};
use consulate_flows::wire::Answer;
use http::Method;

use super::{is_guarded, is_refusal, nothing_came_of_it};

/// The handshake's form, with any headers.
async fn post(
    browser: &mut Browser,
    link: &str,
    from: From,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut all = headers.to_vec();
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        all.push(("content-type", "application/x-www-form-urlencoded"));
    }
    browser.request(Method::POST, link, from, &all, form).await
}

/// "Copied link in another browser", popup mode (S-25): the window that opened it vouches for somebody else.
#[tokio::test]
async fn a_copied_link_opened_in_another_browser_connects_nobody() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.jwt("mallory"), stack.jwt("ada"));
    let link = stack.connect_url(&attacker, MINE).await;
    let mut browser = Browser::default();
    let refused = stack.handshake(&mut browser, &link, &victim).await;
    is_refusal(&refused, 403);
    for jwt in ["", "a.b.c", &stack.jwt_of("mallory", "o2", None)] {
        is_refusal(&stack.handshake(&mut browser, &link, jwt).await, 403);
    }
    nothing_came_of_it(&stack).await;
    for jwt in [&attacker, &victim] {
        assert_eq!(stack.status(jwt, MINE).await["status"], "not_connected");
    }
    // Nothing was used up: in the right hands the link still works.
    let mut own = Browser::default();
    stack
        .handshake(&mut own, &link, &attacker)
        .await
        .expect(303);
}

/// "Copied link in another browser", redirect mode: the victim's completion is worth nothing to either of them.
#[tokio::test]
async fn a_copied_redirect_link_opened_in_another_browser_connects_nobody() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.jwt("mallory"), stack.jwt("ada"));
    let mut browser = Browser::default();
    let completion = stack.to_completion(&mut browser, &attacker, MINE).await;
    let granted = stack.issued("refresh");
    assert!(stack.provider.is_family_alive(&granted[0]));
    // The victim's browser ends at the victim's own widget, which completes with the victim's JWT.
    stack
        .complete(&victim, MINE, &completion)
        .await
        .expect_problem(403, "completion_forbidden", "field", "completion");
    assert!(!stack.provider.is_family_alive(&granted[0]));
    for jwt in [&attacker, &victim] {
        assert_eq!(stack.status(jwt, MINE).await["status"], "not_connected");
    }
}

/// "Cross-site form post of a foreign JWT to the handshake": the attacker has a link and a JWT of their own, and makes the
/// victim's browser post it.
#[tokio::test]
async fn a_foreign_jwt_posted_across_sites_to_the_handshake_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("mallory");
    let link = stack.connect_url(&jwt, MINE).await;
    let mut attacker = Browser::default();
    let page = attacker.get(&link, From::Here).await.expect(200).text();
    let form_value = form_token(&page);
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_value.as_str()),
    ];

    let mut victim = Browser::default();
    let refused = post(&mut victim, &link, From::ElsewhereTopLevel, &[], &fields).await;
    is_refusal(&refused, 403);
    // With a cookie in the victim's browser: it is Strict, and stays at home.
    let opened = victim.get(&link, From::ElsewhereTopLevel).await.expect(200);
    let cookie = opened.header("set-cookie");
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in [
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=300",
    ] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    let refused = post(&mut victim, &link, From::ElsewhereTopLevel, &[], &fields).await;
    is_refusal(&refused, 403);
    // And were it sent, the attacker's form value is of another cookie.
    let refused = post(&mut victim, &link, From::Here, &[], &fields).await;
    is_refusal(&refused, 403);

    // Cookie and form value fit from here on.
    for headers in [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "none")],
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("content-type", "text/plain")],
    ] {
        let refused = post(&mut attacker, &link, From::Here, &headers, &fields).await;
        is_refusal(&refused, 403);
    }
    let other_caller = stack.jwt("ada");
    for fields in [
        vec![fields[0], ("form_token", "another")],
        vec![fields[0], ("form_token", "")],
        vec![fields[0]],
        vec![fields[1]],
        vec![("caller_jwt", other_caller.as_str()), fields[1]],
        vec![fields[0], fields[1], fields[1]],
        vec![fields[0], fields[0], fields[1]],
    ] {
        let refused = post(&mut attacker, &link, From::Here, &[], &fields).await;
        is_refusal(&refused, 403);
    }
    nothing_came_of_it(&stack).await;

    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("origin", stack.dev.base_url.as_str()),
    ];
    let departed = post(&mut attacker, &link, From::Here, &headers, &fields).await;
    departed.expect(303);
}

/// The cookie and the form value of one link do nothing for another.
#[tokio::test]
async fn the_cookie_of_another_link_does_not_confirm_this_one() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let (one, other) = (
        stack.connect_url(&jwt, MINE).await,
        stack.connect_url(&jwt, MINE).await,
    );
    let mut browser = Browser::default();
    let page = browser.get(&one, From::Here).await.text();
    let form_value = form_token(&page);
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_value.as_str()),
    ];
    is_refusal(&browser.post_form(&other, From::Here, &fields).await, 403);
    browser
        .post_form(&one, From::Here, &fields)
        .await
        .expect(303);
}

/// A redirect-mode link has no handshake to post to, and cannot be made one of popup mode.
#[tokio::test]
async fn a_form_posted_to_a_redirect_link_is_refused() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let popup = stack.connect_url(&jwt, MINE).await;
    let redirect = stack.redirect_url(&jwt, MINE).await;
    let mut browser = Browser::default();
    let page = browser.get(&popup, From::Here).await.text();
    let form_value = form_token(&page);
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_value.as_str()),
    ];
    is_refusal(
        &browser.post_form(&redirect, From::Here, &fields).await,
        403,
    );
    nothing_came_of_it(&stack).await;
}

/// "Framed handshake page" (S-76).
#[tokio::test]
async fn a_framed_handshake_page_is_not_shown() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let link = stack.connect_url(&jwt, MINE).await;
    let page = Browser::default().get(&link, From::Here).await.expect(200);
    is_guarded(&page);
    // Under `no-referrer` browsers post the page's own form with `Origin: null`.
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("cache-control"), "no-store");
    let result = stack.connect(&jwt, MINE).await;
    let mut browser = Browser::default();
    let result = browser.get(result.header("location"), From::Here).await;
    is_guarded(&result.expect(200));
    let spent = Browser::default()
        .get(&format!("{link}x"), From::Here)
        .await;
    is_refusal(&spent, 410);
}

/// "Early click": the button is inert as served. That it stays so for half a second is a browser's to show.
#[tokio::test]
async fn an_early_click_finds_a_button_that_is_inert() {
    let stack = Stack::start().await;
    let link = stack.connect_url(&stack.jwt("ada"), MINE).await;
    let mut browser = Browser::default();
    let page = browser.get(&link, From::Here).await.expect(200).text();
    assert_eq!(page.matches("<button").count(), 1, "{page}");
    assert!(page.contains("<button type=\"submit\" disabled>"), "{page}");
    assert!(page.contains("name=\"caller_jwt\" value=\"\""), "{page}");
    let form_value = form_token(&page);
    let fields = [("caller_jwt", ""), ("form_token", form_value.as_str())];
    is_refusal(&browser.post_form(&link, From::Here, &fields).await, 403);
}

/// The page says who asked for what, so that somebody who did not can stop; names are text, whatever is in them.
#[tokio::test]
async fn the_handshake_page_names_passport_and_caller_as_text() {
    let named = |bundle: &mut Bundle| {
        bundle.schema["name"] = "<b>Notes</b>".into();
        let application = &mut bundle.passport["customApplicationInfo"];
        application["displayName"] = "Cloud \"<script>alert(1)</script>".into();
    };
    let stack = Stack::start_with(named, |_| {}).await;
    let link = stack
        .connect_url(&stack.jwt("<img src=x onerror=alert(2)>"), MINE)
        .await;
    let page = Browser::default().get(&link, From::Here).await.expect(200);
    let page = page.text();
    for text in [
        "&lt;b&gt;Notes&lt;/b&gt;",
        "Cloud &quot;&lt;script&gt;alert(1)&lt;/script&gt;",
        "&lt;img src=x onerror=alert(2)&gt;",
        "organisation o1",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
}

/// "Widget origin not in the list" (S-74, S-77): only the exact origins are spoken to, by page, script and CORS.
#[tokio::test]
async fn a_widget_origin_that_is_not_in_the_list_is_not_spoken_to() {
    let second = "https://intranet.example.com:8443";
    let two =
        |bundle: &mut Bundle| bundle.consulate["origins"] = serde_json::json!([ORIGIN, second]);
    let stack = Stack::start_with(two, |_| {}).await;
    let jwt = stack.jwt("ada");
    let link = stack.connect_url(&jwt, MINE).await;
    let handshake = Browser::default().get(&link, From::Here).await.expect(200);
    let result = stack.connect(&jwt, MINE).await;
    let mut browser = Browser::default();
    let result = browser.get(result.header("location"), From::Here).await;
    for page in [handshake.text(), result.expect(200).text()] {
        let listed = format!("data-origins=\"[&quot;{ORIGIN}&quot;,&quot;{second}&quot;]\"");
        assert!(page.contains(&listed), "{page}");
        let script = page.split("<script src=\"").nth(1).unwrap();
        let script = script.split('"').next().unwrap().replace("&amp;", "&");
        let script = stack.wire.call(Method::GET, &script, &[], "").await;
        let script = script.expect(200).text();
        assert!(!script.contains("\"*\"") && !script.contains("'*'"));
        for line in script.lines().filter(|line| line.contains("postMessage(")) {
            assert!(line.contains(", origin)"), "{line}");
        }
    }
    let url = format!("{}/v1/widgets/notes/connections", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    for (origin, allowed) in [
        (ORIGIN, ORIGIN),
        (second, second),
        ("https://evil.example", ""),
        ("https://app.example.com.evil.example", ""),
        ("https://intranet.example.com", ""),
        ("http://app.example.com", ""),
        ("null", ""),
    ] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        let answer = stack.wire.call(Method::GET, &url, &headers, "").await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert_eq!(answer.header("vary"), "origin");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

/// "Ticket reuse", popup mode.
#[tokio::test]
async fn a_ticket_is_used_once() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let link = stack.connect_url(&jwt, MINE).await;
    let mut browser = Browser::default();
    let page = browser.get(&link, From::Here).await.expect(200).text();
    let form_value = form_token(&page);
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_value.as_str()),
    ];
    let mut clones = [browser.clone(), browser.clone(), browser.clone()];
    let posts = clones
        .iter_mut()
        .map(|browser| browser.post_form(&link, From::Here, &fields));
    let mut statuses: Vec<u16> = futures_util::future::join_all(posts)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410]);
    is_refusal(&browser.post_form(&link, From::Here, &fields).await, 410);
    is_refusal(&browser.get(&link, From::Here).await, 410);
    assert_eq!(stack.items_of("FLOW").await.len(), 1);
}

/// "Ticket reuse", redirect mode.
#[tokio::test]
async fn a_redirect_ticket_is_used_once() {
    let stack = Stack::start().await;
    let link = stack.redirect_url(&stack.jwt("ada"), MINE).await;
    let mut browsers = vec![Browser::default(); 4];
    let gets = browsers
        .iter_mut()
        .map(|browser| browser.get(&link, From::Here));
    let mut statuses: Vec<u16> = futures_util::future::join_all(gets)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410, 410]);
    assert_eq!(stack.items_of("FLOW").await.len(), 1);
    is_refusal(&Browser::default().get(&link, From::Here).await, 410);
}

#[tokio::test]
async fn a_ticket_expires_after_five_minutes() {
    let stack = Stack::start().await;
    let links = [
        stack.connect_url(&stack.jwt("ada"), MINE).await,
        stack.redirect_url(&stack.jwt("ada"), MINE).await,
    ];
    let mut browser = Browser::default();
    let page = browser.get(&links[0], From::Here).await.expect(200).text();
    let form_value = form_token(&page);
    stack.dev.clock.advance_millis(301_000);
    let jwt = stack.jwt("ada");
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_value.as_str()),
    ];
    is_refusal(
        &browser.post_form(&links[0], From::Here, &fields).await,
        410,
    );
    for link in &links {
        is_refusal(&browser.get(link, From::Here).await, 410);
    }
    let forged = format!("{}/v1/connect/{}", stack.dev.base_url, "A".repeat(43));
    is_refusal(&browser.get(&forged, From::Here).await, 410);
    nothing_came_of_it(&stack).await;
}

/// A link checker or preview that sends HEAD uses nothing up.
#[tokio::test]
async fn head_consumes_nothing() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let head = async |browser: &mut Browser, url: &str| {
        let answer = browser
            .request(Method::HEAD, url, From::Here, &[], String::new())
            .await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("set-cookie"), "");
    };
    let mut browser = Browser::default();
    let link = stack.redirect_url(&jwt, MINE).await;
    head(&mut browser, &link).await;
    let authorize = browser.get(&link, From::Here).await.expect(303);
    let authorize = authorize.header("location").to_owned();
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    head(&mut browser, &callback).await;
    assert_eq!(stack.token_calls(), 0);
    let ended = browser.get(&callback, From::ElsewhereTopLevel).await;
    let ended = ended.expect(303).header("location").to_owned();
    assert!(ended.contains("consulate_completion="), "{ended}");
    let popup = stack.connect_url(&jwt, MINE).await;
    head(&mut browser, &popup).await;
    stack
        .handshake(&mut browser, &popup, &jwt)
        .await
        .expect(303);
}
