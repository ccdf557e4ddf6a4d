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
        "Accept-Encoding",
        "X_Forwarded_For",
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
fn a_credential_that_is_written_out_is_warned_about_and_not_repeated() {
    let headers = |value: Value| Case::graph().with(SCHEMA, "/authenticatedApis/0/headers", value);
    let literal = headers(json!({"authorization": "Bearer canary-credential"}));
    assert!(!format!("{:?}", literal.warned("credential_literal")).contains("canary"));
    // Where no header names the credential, the proxy puts it where it belongs.
    assert!(!codes(&headers(json!({})).accepted()).contains(&"credential_literal"));
}

#[test]
fn a_get_request_has_no_body_and_an_empty_one_is_none() {
    let body = |value: Value| Case::graph().with(SCHEMA, "/authenticatedApis/0/body", value);
    body(json!({"a": 1})).refused("body_on_get");
    assert_eq!(body(json!({})).accepted().widget.apis[0].body, None);
}

#[test]
fn a_label_is_missed_but_not_needed() {
    let case = Case::graph().with(SCHEMA, "/authenticatedApis/0/label", json!(null));
    case.warned("label_missing");
    assert_eq!(case.accepted().widget.apis[0].label, "getEvents");
}

#[test]
fn a_template_the_proxy_could_not_render_is_refused_at_import() {
    for (key, value) in [
        ("url", json!("https://graph.microsoft.com/v1.0/{unknown}")),
        ("url", json!("https://graph.microsoft.com/v1.0/{param.open")),
        ("url", json!("https://graph.microsoft.com/v1.0/../beta")),
        ("url", json!("https://graph.microsoft.com/?{param.name}=1")),
        ("headers", json!({"X-A": "{param.b"})),
        ("headers", json!({"X-A": "{connection.other.instance_url}"})),
    ] {
        let case = Case::graph().with(SCHEMA, &format!("/authenticatedApis/0/{key}"), value);
        let finding = case.refused("template_invalid");
        assert!(
            finding
                .message
                .contains(&format!("$.authenticatedApis[0].{key}"))
        );
        assert!(finding.line.is_some(), "{finding:?}");
    }
}

#[test]
fn a_misspelled_placeholder_of_a_body_is_refused_with_its_member_named() {
    let body = |value: Value| {
        Case::my_saas()
            .with(SCHEMA, "/authenticatedApis/0/method", json!("POST"))
            .with(SCHEMA, "/authenticatedApis/0/body", value)
    };
    for text in [
        "{user.emial}",
        "{organisation.name}",
        "{userid}",
        "{params.x}",
    ] {
        let finding = body(json!({"deep": {"a": text}})).refused("template_invalid");
        assert!(
            finding
                .message
                .contains("$.authenticatedApis[0].body.deep.a"),
            "{finding:?}"
        );
    }
    body(json!({"{param.x}": 1})).refused("template_invalid");
    body(json!({"query": "{ me { id } }"})).accepted();
}

#[test]
fn a_host_that_two_readers_spell_differently_is_refused() {
    for url in ["https://gr%61ph.microsoft.com/v1.0", "https://0x7f.1/"] {
        let case = Case::graph().with(SCHEMA, "/authenticatedApis/0/url", json!(url));
        let findings = case.import().unwrap_err();
        let code = findings[0].code;
        assert!(
            ["url_invalid", "template_invalid", "url_private"].contains(&code),
            "{url}: {findings:?}"
        );
    }
}
