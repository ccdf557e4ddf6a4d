//! `schema.json`: the file itself, and authentications.

use super::*;

#[test]
fn broken_json_is_named_with_its_line() {
    let findings = import_text(&[(
        "schema.json",
        "{\n  \"name\": \"x\",\n  \"authentications\": [}\n",
    )])
    .unwrap_err();
    assert_eq!(
        (findings[0].code, findings[0].line),
        ("json_broken", Some(3))
    );
    let findings =
        import_text(&[("schema.json", "{}"), ("consulate.json", "{\"widget\":")]).unwrap_err();
    assert_eq!(
        (findings[0].code, findings[0].file.as_str()),
        ("json_broken", "consulate.json")
    );
}

#[test]
fn what_is_broken_in_both_files_is_found_at_once() {
    let findings = import_text(&[("schema.json", "["), ("consulate.json", "[")]).unwrap_err();
    assert_eq!(findings.len(), 2);
}

#[test]
fn text_that_is_not_utf8_or_no_object_is_refused() {
    let mut source = Source::default();
    source
        .add("schema.json".to_owned(), vec![b'"', 0xff, b'"'])
        .unwrap();
    let findings = import(
        &source,
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    )
    .unwrap_err();
    assert_eq!(findings[0].code, "json_broken");
    for text in ["[]", "null", "\"schema\""] {
        assert_eq!(
            import_text(&[("schema.json", text)]).unwrap_err()[0].code,
            "field_type",
            "{text}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let import = import_text(&[
        ("schema.json", "\u{feff}{}"),
        ("consulate.json", "{\"widget\":\"w\"}"),
    ])
    .unwrap();
    assert_eq!(import.widget.name, "w");
}

#[test]
fn a_key_that_appears_twice_in_one_object_is_refused_at_any_depth() {
    let text = "{\n \"authenticatedApis\": [\n  {\"url\": \"https://a.example\",\n   \"url\": \"https://b.example\"}]}";
    let findings = import_text(&[("schema.json", text)]).unwrap_err();
    assert_eq!(
        (findings[0].code, findings[0].line),
        ("json_duplicate_key", Some(4))
    );
}

#[test]
fn a_wrong_value_in_the_schema_is_refused_by_its_own_code() {
    let authentication = "/authentications/0";
    let api = "/authenticatedApis/0";
    let cases = [
        (
            authentication,
            "authenticationType",
            json!("custom"),
            "authentication_type",
        ),
        (
            authentication,
            "authenticationType",
            json!(null),
            "field_missing",
        ),
        (authentication, "authenticationType", json!(7), "field_type"),
        (authentication, "label", json!(["x"]), "field_type"),
        (authentication, "metadata", json!("microsoft"), "field_type"),
        (api, "name", json!(null), "field_missing"),
        (api, "name", json!("a/b"), "api_name_invalid"),
        (api, "name", json!(".."), "api_name_invalid"),
        (api, "url", json!(null), "field_missing"),
        (api, "url", json!(" "), "field_missing"),
        (api, "method", json!(null), "field_missing"),
        (api, "method", json!("TRACE"), "method_unknown"),
        (api, "method", json!("HEAD"), "method_unknown"),
        (api, "authenticationKey", json!(null), "field_missing"),
        (api, "headers", json!("Accept: x"), "field_type"),
        (api, "body", json!("{}"), "field_type"),
        ("", "authenticatedApis", json!({}), "field_type"),
        ("", "passport", json!("passport/x.json"), "field_type"),
        ("", "name", json!(1), "field_type"),
    ];
    for (parent, key, value, code) in cases {
        // Without its settings: those of an API that is gone would be a second error.
        let case = Case::graph().with(CONSULATE, "/apis", json!({})).with(
            SCHEMA,
            &format!("{parent}/{key}"),
            value,
        );
        let finding = case.refused(code);
        assert_eq!(finding.file, "schema.json", "{parent}/{key}");
        assert!(finding.line.is_some(), "{parent}/{key}: {finding:?}");
    }
}

#[test]
fn a_finding_points_at_the_line_of_the_field() {
    let case = Case::graph().with(SCHEMA, "/authenticatedApis/0/method", json!("TRACE"));
    let text = serde_json::to_string_pretty(&case.files[0].1).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("TRACE"))
        .unwrap()
        + 1;
    assert_eq!(
        case.refused("method_unknown").line,
        Some(u32::try_from(line).unwrap())
    );
}

#[test]
fn authentication_type_custom_is_answered_with_the_cure_of_the_guide() {
    let finding = Case::graph()
        .with(
            SCHEMA,
            "/authentications/0/authenticationType",
            json!("custom"),
        )
        .refused("authentication_type");
    assert_eq!(
        finding.cure,
        "Verify authenticationType is \"passport\" (not \"custom\")."
    );
}

#[test]
fn an_auth_key_is_declared_once_and_can_stand_in_a_placeholder() {
    let twice = json!({"authenticationType": "passport", "authKey": "msGraph", "metadata": {"passportProvider": "google"}});
    let finding = Case::graph()
        .with(SCHEMA, "/authentications/-", twice)
        .refused("auth_key_duplicate");
    assert!(finding.message.contains("msGraph") && finding.message.contains("first on line"));
    let odd = json!({"authenticationType": "passport", "authKey": "a.b}", "metadata": {"passportProvider": "google"}});
    Case::graph()
        .with(SCHEMA, "/authentications/-", odd)
        .refused("auth_key_invalid");
}

#[test]
fn a_field_appspace_knows_is_passed_over_and_an_unknown_one_is_named_by_its_path() {
    let known = [
        "templateKey",
        "version",
        "icon",
        "author",
        "ui",
        "configuration",
        "appspaceApis",
        "analyticsEvents",
    ];
    for key in known {
        let import = Case::graph()
            .with(SCHEMA, &format!("/{key}"), json!({"any": ["thing"]}))
            .accepted();
        assert!(!codes(&import).contains(&"field_unknown"), "{key}");
    }
    for (pointer, path) in [
        ("/authentication", "$.authentication"),
        ("/authentications/0/authkey", "$.authentications[0].authkey"),
        (
            "/authentications/0/metadata/tenant",
            "$.authentications[0].metadata.tenant",
        ),
        (
            "/authenticatedApis/0/params",
            "$.authenticatedApis[0].params",
        ),
    ] {
        let warning = Case::graph()
            .with(SCHEMA, pointer, json!(1))
            .warned("field_unknown");
        assert!(warning.message.contains(path), "{warning:?}");
        assert!(warning.line.is_some());
    }
}

#[test]
fn a_bundle_without_authentications_is_warned_about_as_the_guide_does() {
    let import = import_text(&[
        ("schema.json", "{}"),
        ("consulate.json", "{\"widget\":\"w\"}"),
    ])
    .unwrap();
    assert!(codes(&import).contains(&"authentications_missing"));
}

#[test]
fn every_error_is_found_at_once() {
    let findings = Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/method", json!("TRACE"))
        .with(
            SCHEMA,
            "/authenticatedApis/0/url",
            json!("http://graph.microsoft.com/"),
        )
        .with(
            SCHEMA,
            "/authentications/0/authenticationType",
            json!("custom"),
        )
        .with(CONSULATE, "/origins/0", json!("*"))
        .with(CONSULATE, "/widget", json!(null))
        .import()
        .unwrap_err();
    let errors: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.code)
        .collect();
    for code in [
        "method_unknown",
        "url_not_https",
        "authentication_type",
        "origin_inexact",
        "widget_id_missing",
    ] {
        assert!(errors.contains(&code), "{code}: {errors:?}");
    }
    assert_eq!(errors.len(), 5);
}

#[test]
fn what_a_bundle_says_reaches_a_terminal_without_control_characters() {
    let case = Case::graph().with(SCHEMA, "/\u{1b}[2Jevil", json!(1));
    let warning = case.warned("field_unknown");
    assert!(!warning.message.contains('\u{1b}'));
}

#[test]
fn hostile_nesting_and_long_keys_are_refused_or_read_in_bounded_memory() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        import_text(&[("schema.json", &deep)]).unwrap_err()[0].code,
        "json_broken"
    );
    let key = "k".repeat(100_000);
    let long = format!("{{\"{key}\":[{}1]}}", "1,".repeat(100_000));
    let findings = import_text(&[("schema.json", &long)]).unwrap_err();
    assert!(findings.iter().all(|finding| finding.message.len() < 1_000));
}

#[test]
fn a_definition_that_no_table_item_can_hold_is_refused() {
    let body = json!({"text": "x".repeat(400_000)});
    let case = Case::graph()
        .with(SCHEMA, "/authenticatedApis/0/method", json!("POST"))
        .with(SCHEMA, "/authenticatedApis/0/body", body);
    case.refused("definition_too_large");
}
