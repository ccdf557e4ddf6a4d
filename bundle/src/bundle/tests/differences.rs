//! What a later import must ask for.

use super::super::{Stored, differences, keep_bindings};
use super::*;

fn stored(import: Import) -> Stored {
    Stored {
        widget: import.widget,
        host: import.host,
        passports: import.passports,
    }
}

/// What changes from the fixture to `case`.
fn changes(from: &Case, to: &Case) -> Vec<String> {
    differences(&stored(from.accepted()), &to.accepted())
}

#[test]
fn the_same_bundle_again_changes_nothing() {
    assert_eq!(
        changes(&Case::my_saas(), &Case::my_saas()),
        Vec::<String>::new()
    );
    assert_eq!(
        changes(&Case::graph(), &Case::graph()),
        Vec::<String>::new()
    );
}

#[test]
fn what_the_order_of_a_list_says_is_no_change() {
    let one = Case::graph().with(
        CONSULATE,
        "/origins",
        json!(["https://a.example", "https://b.example"]),
    );
    let other = Case::graph().with(
        CONSULATE,
        "/origins",
        json!(["https://b.example", "https://a.example"]),
    );
    assert!(changes(&one, &other).is_empty());
}

#[test]
fn every_change_of_who_may_ask_and_where_a_credential_may_go_is_named() {
    let settings = "/passports/my-saas-connector";
    let metadata = "/customApplicationInfo/metadata";
    let cases = [
        (
            CONSULATE,
            "/origins".to_owned(),
            json!(["https://evil.example"]),
            "origins:",
        ),
        (CONSULATE, "/origins".to_owned(), json!([]), "origins:"),
        (
            CONSULATE,
            "/return_urls".to_owned(),
            json!(["https://evil.example/x"]),
            "return_urls:",
        ),
        (
            CONSULATE,
            "/admins".to_owned(),
            json!([{"organisation": "o1", "user": "mallory"}]),
            "admins:",
        ),
        (
            CONSULATE,
            "/settings".to_owned(),
            json!({"organisation": "members"}),
            "settings: none -> of the organisation, written by every member",
        ),
        (CONSULATE, "/host/id".to_owned(), json!("other"), "host:"),
        (
            CONSULATE,
            "/host/require_exp".to_owned(),
            json!(false),
            "host:",
        ),
        (CONSULATE, "/host".to_owned(), json!(null), "host:"),
        (
            CONSULATE,
            "/organisations".to_owned(),
            json!(["o1"]),
            "organisations:",
        ),
        (
            CONSULATE,
            "/authentications/mySaas/owner".to_owned(),
            json!("user"),
            "owner of mySaas:",
        ),
        (
            CONSULATE,
            "/authentications/mySaas/passport".to_owned(),
            json!("main"),
            "passport of mySaas:",
        ),
        (
            CONSULATE,
            format!("{settings}/api_hosts"),
            json!(["evil.example"]),
            "api_hosts of passport my-saas.my-saas-connector:",
        ),
        (
            CONSULATE,
            format!("{settings}/host_patterns"),
            json!(["*.evil.example"]),
            "host_patterns of passport my-saas.my-saas-connector:",
        ),
        (
            CONSULATE,
            format!("{settings}/pinned"),
            json!([{"name": "o", "at": "/o", "kind": "origin"}]),
            "pinned of passport my-saas.my-saas-connector: none -> o at /o as origin",
        ),
        (
            CONSULATE,
            format!("{settings}/inject"),
            json!({"query": "key"}),
            "inject of passport my-saas.my-saas-connector: Authorization: Bearer -> query parameter key",
        ),
        (
            CONSULATE,
            format!("{settings}/credential"),
            json!("client_credentials"),
            "credential of passport my-saas.my-saas-connector: oauth2 -> client_credentials",
        ),
        (
            CONSULATE,
            format!("{settings}/revocation_url"),
            json!("https://evil.example/r"),
            "revocation_url of",
        ),
        (
            CONSULATE,
            format!("{settings}/issuer"),
            json!("https://auth.my-saas.com"),
            "issuer of",
        ),
        (
            CONSULATE,
            format!("{settings}/browser_delivery"),
            json!(true),
            "browser delivery of",
        ),
        (
            PASSPORT,
            format!("{metadata}/tokenUrl"),
            json!("https://evil.example/token"),
            "token_url of",
        ),
        (
            PASSPORT,
            format!("{metadata}/authenticationUrl"),
            json!("https://evil.example/a"),
            "authorize_url of",
        ),
        (
            PASSPORT,
            format!("{metadata}/profileUrl"),
            json!("https://evil.example/me"),
            "profile address of",
        ),
        (
            SCHEMA,
            "/authenticatedApis/0/url".to_owned(),
            json!("https://evil.example/"),
            "api_hosts of",
        ),
    ];
    for (file, pointer, value, line) in cases {
        let lines = changes(
            &Case::my_saas(),
            &Case::my_saas().with(file, &pointer, value),
        );
        assert_eq!(lines.len(), 1, "{pointer}: {lines:?}");
        assert!(
            lines[0].starts_with(line) && lines[0].contains(" -> "),
            "{pointer}: {lines:?}"
        );
    }
}

#[test]
fn delivery_is_named_and_a_new_key_does_not_go_around_it() {
    let browser = Case::graph().with(
        CONSULATE,
        "/authentications/msGraph/delivery",
        json!("browser"),
    );
    assert_eq!(
        changes(&Case::graph(), &browser),
        ["delivery of msGraph: server -> browser"]
    );
    let mut call = api("getEvents", "https://graph.microsoft.com/v1.0/me");
    call["authenticationKey"] = json!("renamed");
    call["headers"] = json!({});
    let renamed = browser
        .with(SCHEMA, "/authentications/0/authKey", json!("renamed"))
        .with(SCHEMA, "/authenticatedApis", json!([call]))
        .with(CONSULATE, "/apis", json!({}))
        .with(
            CONSULATE,
            "/authentications",
            json!({"renamed": {"owner": "user", "delivery": "browser"}}),
        );
    assert_eq!(
        changes(&Case::graph(), &renamed),
        ["delivery of renamed: server -> browser"]
    );
}

#[test]
fn fewer_hosts_need_no_consent() {
    let wide = Case::my_saas().with(
        CONSULATE,
        "/passports/my-saas-connector/api_hosts",
        json!(["eu.my-saas.com"]),
    );
    assert!(changes(&wide, &Case::my_saas()).is_empty());
    assert_eq!(changes(&Case::my_saas(), &wide).len(), 1);
    let patterns = Case::my_saas().with(
        CONSULATE,
        "/passports/my-saas-connector/host_patterns",
        json!(["*.my-saas.com"]),
    );
    assert!(changes(&patterns, &Case::my_saas()).is_empty());
}

#[test]
fn a_binding_by_flag_is_consent_itself() {
    let bound = Case::graph().bind("msGraph", "graph");
    assert!(changes(&Case::graph(), &bound).is_empty());
    let by_file = Case::graph().with(
        CONSULATE,
        "/authentications/msGraph/passport",
        json!("admin-graph"),
    );
    assert_eq!(
        changes(&bound, &by_file),
        ["passport of msGraph: graph -> admin-graph"]
    );
}

#[test]
fn what_was_bound_stays_bound_when_a_later_import_does_not_say() {
    let old = stored(Case::graph().bind("msGraph", "graph").accepted());
    let mut new = Case::graph().accepted();
    keep_bindings(&old, &mut new);
    assert_eq!(
        new.widget.authentications[0].passport.as_deref(),
        Some("graph")
    );
    assert!(!codes(&new).contains(&"authentication_unbound"));
    assert!(differences(&old, &new).is_empty());

    let mut other = Case::graph()
        .with(
            SCHEMA,
            "/authentications/0/metadata/passportProvider",
            json!("google"),
        )
        .with(
            SCHEMA,
            "/authenticatedApis",
            json!([api(
                "list",
                "https://www.googleapis.com/calendar/v3/users/me"
            )]),
        )
        .with(CONSULATE, "/apis", json!({}))
        .accepted();
    keep_bindings(&old, &mut other);
    assert_eq!(
        other.widget.authentications[0].passport, None,
        "another provider is another account"
    );
}
