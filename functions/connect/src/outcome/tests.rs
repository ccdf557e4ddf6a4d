//! Where browsers end: only listed addresses and our own, only fixed words, the provider's words as text.

use consulate_core::definition::OwnerMode;

use super::*;

fn ask(mode: Mode, return_to: Option<&str>) -> Ask {
    serde_json::from_value(serde_json::json!({
        "widget": "w", "auth_key": "acme & co", "passport": "p", "owner": "o", "owner_mode": OwnerMode::User,
        "host": "h", "organisation": "o1", "user": "u1", "mode": mode, "return_to": return_to,
    }))
    .unwrap()
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()[header::LOCATION].to_str().unwrap()
}

#[test]
fn every_failure_has_a_code_of_its_own() {
    for failure in Failure::ALL {
        assert_eq!(Failure::parse(failure.code()), Some(failure));
    }
    assert_eq!(Failure::parse("<script>"), None);
}

#[test]
fn a_popup_ends_on_a_clean_address() {
    let response = leave(
        "https://c.example",
        &ask(Mode::Popup, None),
        &Outcome::Connected,
    );
    assert_eq!(
        location(&response),
        "https://c.example/v1/connected?status=connected&widget=w&auth_key=acme+%26+co"
    );
    let failed = Outcome::failed(Failure::IssuerMismatch);
    let response = leave("https://c.example", &ask(Mode::Popup, None), &failed);
    assert_eq!(
        location(&response),
        "https://c.example/v1/connected?status=failed&code=issuer_mismatch&widget=w&auth_key=acme+%26+co"
    );
}

#[test]
fn redirect_mode_ends_on_its_address_with_the_news_in_the_fragment() {
    let ask = ask(Mode::Redirect, Some("https://app.example/back?x=1"));
    let response = leave(
        "https://c.example",
        &ask,
        &Outcome::Completion("flow.secret".to_owned()),
    );
    assert_eq!(
        location(&response),
        "https://app.example/back?x=1#consulate_completion=flow.secret&consulate_auth_key=acme+%26+co"
    );
    let said = Said::new("access_denied", "no");
    let response = leave(
        "https://c.example",
        &ask,
        &Outcome::Failed(Failure::AccessDenied, Some(said)),
    );
    assert_eq!(
        location(&response),
        "https://app.example/back?x=1#consulate_error=access_denied&consulate_auth_key=acme+%26+co"
    );
    assert!(response.headers().get(header::SET_COOKIE).is_none());
}

#[test]
fn what_the_provider_said_is_capped_carried_by_cookie_and_shown_as_text() {
    let long = format!(
        "<script>alert(1)</script>; Domain=x\r\n{}",
        "\u{1F4A9}".repeat(500)
    );
    let said = Said::new(&long, &long);
    assert_eq!(said.error.chars().count(), ERROR_CHARACTERS);
    assert_eq!(said.description.chars().count(), SAID_CHARACTERS);
    let outcome = Outcome::Failed(Failure::ProviderRefused, Some(said.clone()));
    let response = leave("https://c.example", &ask(Mode::Popup, None), &outcome);
    assert!(!location(&response).contains("script"));
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.len() < 4_096);
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"
    );
    let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
    assert_eq!(Said::from_cookie(&headers), Some(said.clone()));
    let html = main(texts::NOT_CONNECTED, None, Some(&said), Language::English);
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
}

#[test]
fn a_refused_callback_tells_nobody() {
    let response = refused(
        "https://c.example",
        Failure::CookieMissing,
        Language::German,
    );
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.headers().get(header::SET_COOKIE).is_none());
    assert_eq!(response.headers()[header::VARY], "Accept-Language");
}
