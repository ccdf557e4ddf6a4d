//! `authenticatedApis[]`: names, methods, headers and bodies.

use super::*;

#[test]
fn an_authentication_key_that_is_no_auth_key_is_refused_with_the_cure_of_the_guide() {
    let finding = Case::graph()
        .with(
            SCHEMA,
            "/authenticatedApis/0/authenticationKey",
            json!("msgraph"),
        )
        .with(SCHEMA, "/authenticatedApis/0/headers", json!({}))
        .refused("authentication_key_dangling");
    assert!(finding.message.contains("\"msgraph\"") && finding.line.is_some());
    assert!(finding.cure.contains("matches an authKey"));
}

#[test]
fn an_api_name_is_declared_once() {
    let twice = api("getEvents", "https://graph.microsoft.com/v1.0/me");
    Case::graph()
        .with(SCHEMA, "/authenticatedApis/-", twice)
        .refused("api_name_duplicate");
}

#[test]
fn a_method_in_lower_case_is_the_same_method() {
    let import = Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/method", json!("post"))
        .accepted();
    assert_eq!(import.widget.apis[0].method, "POST");
}

#[test]
fn headers_of_the_connection_and_of_forwarders_are_refused_in_any_case() {
    let names = [
        "Host",
        "cookie",
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Proxy-Authorization",
        "proxy-connection",
        "X-Forwarded-For",
        "x-forwarded-host",
        "Forwarded",
    ];
    for name in names {
        let case = Case::graph().with(
            SCHEMA,
            &format!("/authenticatedApis/0/headers/{name}"),
            json!("x"),
        );
        let finding = case.refused("header_forbidden");
        assert!(finding.message.contains(name), "{name}");
    }
}

#[test]
fn a_header_that_could_split_a_request_is_refused() {
    for (name, value) in [
        ("X-A", "a\r\nHost: evil"),
        ("X-A", "a\u{0}"),
        ("X A", "a"),
        ("X-A:", "a"),
        ("", "a"),
        ("X-A", "é"),
    ] {
        let case = Case::graph().with(
            SCHEMA,
            &format!("/authenticatedApis/0/headers/{name}"),
            json!(value),
        );
        case.refused("header_invalid");
    }
    Case::graph()
        .with(
            SCHEMA,
            "/authenticatedApis/0/headers/AUTHORIZATION",
            json!("x {authorization.msGraph.token}"),
        )
        .refused("header_duplicate");
    Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/headers/X-Number", json!(5))
        .refused("field_type");
}

#[test]
fn the_credential_of_another_authentication_cannot_be_asked_for() {
    let second = json!({"authenticationType": "passport", "authKey": "google", "metadata": {"passportProvider": "google"}});
    for placeholder in [
        "{authorization.google.token}",
        "{authorization.msGraph.refresh}",
        "{authorization.nobody.token}",
    ] {
        let case = Case::graph()
            .with(SCHEMA, "/authentications/-", second.clone())
            .with(
                SCHEMA,
                "/authenticatedApis/0/headers/X-Other",
                json!(placeholder),
            );
        case.refused("authorization_foreign");
    }
}

#[test]
fn a_credential_stands_in_headers_only() {
    let url = "https://graph.microsoft.com/v1.0/me?access={authorization.msGraph.token}";
    let finding = Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/url", json!(url))
        .refused("authorization_outside_headers");
    assert!(finding.message.contains(".url"));
    let body = json!({"deep": [{"credential": "{authorization.msGraph.token}"}]});
    Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/method", json!("POST"))
        .with(SCHEMA, "/authenticatedApis/0/body", body)
        .refused("authorization_outside_headers");
}

#[test]
fn an_api_without_a_credential_or_with_a_written_out_one_is_warned_about() {
    let headers = |value: Value| Case::graph().with(SCHEMA, "/authenticatedApis/0/headers", value);
    headers(json!({})).warned("credential_unused");
    let literal =
        headers(json!({"authorization": "Bearer canary-credential"})).warned("credential_literal");
    assert!(!format!("{literal:?}").contains("canary"));
    Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/body", json!({}))
        .warned("body_on_get");
    Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/label", json!(null))
        .warned("label_missing");
}
