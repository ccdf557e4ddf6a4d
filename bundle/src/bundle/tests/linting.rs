//! What `lint` says beyond an import: the widget's own code, the shape of the upload.

use super::super::lint;
use super::*;

const API: &str = r#"{"authenticatedApis":[{"name":"getEvents"},{"name":"list.all"}]}"#;

fn linted(files: &[(&str, &str)]) -> Vec<Finding> {
    lint(
        &source_of(files),
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    )
}

/// The findings about calls in a script.
fn calls(code: &str) -> Vec<Finding> {
    let mut findings = linted(&[(SCHEMA, API), ("js/widget.js", code)]);
    findings.retain(|finding| finding.code.starts_with("call_"));
    findings
}

#[track_caller]
fn only(code: &str, wanted: &str) -> Finding {
    let findings = calls(code);
    assert!(
        findings.len() == 1 && findings[0].code == wanted,
        "{code}: {findings:#?}"
    );
    findings[0].clone()
}

#[test]
fn a_call_of_an_api_that_is_not_declared_is_named_with_file_and_line() {
    let finding = only(
        "\n\nawait api.callAuthenticatedAPI('getEvent', {params: {}});",
        "call_api_unknown",
    );
    assert_eq!(
        (finding.file.as_str(), finding.line),
        ("js/widget.js", Some(3))
    );
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.cure.contains("Did you mean \"getEvents\"?"));
    for call in [
        r#"callAuthenticatedAPI("nobody")"#,
        "callAuthenticatedAPI(`nobody`)",
        "a?.callAuthenticatedAPI?.('nobody')",
        "callAuthenticatedAPI (\n /* which */ 'nobody' , {})",
        "callAuthenticatedAPI('nobody', options)",
    ] {
        only(call, "call_api_unknown");
    }
}

#[test]
fn what_the_schema_defines_is_not_passed_by_a_caller() {
    for member in [
        "method: 'GET'",
        "headers: {}",
        "body",
        "body: JSON.stringify({a: 1})",
        "'method': 'POST'",
        "\"headers\" : h",
        "headers() { return {}; }",
        "params: {a: `${b}`, c: [1, {d: ')'}]}, method: 'GET'",
        "...rest, [key]: 1, body: x",
        "params: a ? {b: 1} : {c: 2}, headers: {}",
        "/* no */ method: 'GET'",
    ] {
        let finding = only(
            &format!("callAuthenticatedAPI('getEvents', {{ {member} }});"),
            "call_not_only_params",
        );
        assert!(finding.cure.contains("only passing params"), "{member}");
    }
}

#[test]
fn what_is_right_or_cannot_be_read_is_passed_over() {
    for code in [
        "callAuthenticatedAPI('getEvents', {params: {method: 'GET', headers: 1, body: 2}})",
        "callAuthenticatedAPI('list.all')",
        "callAuthenticatedAPI(name, {params})",
        "callAuthenticatedAPI('get' + kind, {params})",
        "callAuthenticatedAPI(`get${kind}`, {params})",
        "callAuthenticatedAPI(kind ? 'a' : 'b', {params})",
        "callAuthenticatedAPI('get\\u0045vents')",
        "callAuthenticatedAPI('getEvents', options.method)",
        "callAuthenticatedAPI('getEvents', {params: x.method, })",
        "// callAuthenticatedAPI('nobody')",
        "done(); // callAuthenticatedAPI('nobody')",
        "/* callAuthenticatedAPI('nobody') */",
        "/**\n * callAuthenticatedAPI('nobody')\n */",
        "function callAuthenticatedAPI(name, options) {}",
        "widget.callAuthenticatedAPI = wrapped;",
        "myCallAuthenticatedAPI('nobody'); xcallAuthenticatedAPI('nobody')",
        "callAuthenticatedAPIs('nobody')",
    ] {
        assert_eq!(calls(code), Vec::new(), "{code}");
    }
}

#[test]
fn a_comment_that_has_ended_hides_nothing() {
    only("/* a */ callAuthenticatedAPI('nobody')", "call_api_unknown");
    only(
        "const base = 'https://x'; callAuthenticatedAPI('nobody')",
        "call_api_unknown",
    );
    only(
        "// comment\ncallAuthenticatedAPI('nobody')",
        "call_api_unknown",
    );
}

#[test]
fn scripts_in_a_page_are_looked_at_too() {
    let page = "<script>\ncallAuthenticatedAPI('nobody')\n</script>";
    let findings = linted(&[(SCHEMA, API), ("widget.html", page)]);
    let found = findings
        .iter()
        .find(|finding| finding.code == "call_api_unknown")
        .unwrap();
    assert_eq!((found.file.as_str(), found.line), ("widget.html", Some(2)));
}

#[test]
fn what_the_widget_ships_is_looked_at_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let code = "callAuthenticatedAPI('nobody')";
    for path in [
        "schema.json",
        "widget.html",
        "js/a.js",
        "js/deep/b.mjs",
        "node_modules/p/c.js",
        "tests/d.js",
        ".cache/e.js",
        "js/f.test.js",
        "scripts/g.js",
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = if path.ends_with("schema.json") {
            API
        } else {
            code
        };
        std::fs::write(path, text).unwrap();
    }
    let source = Source::read_with_code(folder.path()).unwrap();
    let read: Vec<_> = source.code().map(|(path, _)| path).collect();
    assert_eq!(read, ["js/a.js", "js/deep/b.mjs", "widget.html"]);
}

#[test]
fn a_script_too_large_to_be_looked_at_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schema.json"), API).unwrap();
    let file = std::fs::File::create(folder.path().join("bundle.js")).unwrap();
    file.set_len(5 * 1024 * 1024 + 1).unwrap();
    let source = Source::read_with_code(folder.path()).unwrap();
    let findings = lint(
        &source,
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    );
    let found = findings
        .iter()
        .find(|finding| finding.code == "code_not_scanned");
    assert_eq!(found.unwrap().file, "bundle.js");
}

#[test]
fn a_page_that_loads_what_is_not_there_is_named_with_its_line() {
    let page = "<link href='css/a.css'>\n<script src=\"js/a.js?v=1\"></script>\n<img src=\"images/none.png\">\n\
                <a href=\"https://x.example\"><a href='#top'><img src='data:x'><script src='/abs.js'></script>\n\
                <!-- <script src=\"js/gone.js\"></script> --><img src=\"{{x}}\"><img data-src=\"lazy.png\">";
    let findings = linted(&[
        (SCHEMA, API),
        ("widget.html", page),
        ("css/a.css", ""),
        ("js/a.js", ""),
    ]);
    let found: Vec<_> = findings
        .iter()
        .filter(|finding| finding.code == "page_reference_missing")
        .map(|finding| (finding.message.contains("images/none.png"), finding.line))
        .collect();
    assert_eq!(found, [(true, Some(3))], "{findings:#?}");
}

#[test]
fn a_bundle_without_a_page_or_an_id_is_warned_about_and_no_more() {
    let findings = linted(&[(SCHEMA, "{}")]);
    for code in [
        "widget_page_missing",
        "widget_id_missing",
        "authentications_missing",
        "apis_missing",
    ] {
        let found = findings.iter().find(|finding| finding.code == code);
        assert_eq!(found.unwrap().severity, Severity::Warning, "{code}");
    }
    // With a passport both are needed: the guide lists their absence as a mistake.
    let needed = linted(&[(
        SCHEMA,
        r#"{"authentications":[],"passport":{"filePath":"passport/a.json"}}"#,
    )]);
    for code in ["authentications_missing", "apis_missing"] {
        let found = needed.iter().find(|finding| finding.code == code);
        assert_eq!(found.unwrap().severity, Severity::Error, "{code}");
    }
    let without = linted(&[(SCHEMA, API)]);
    let found = without
        .iter()
        .find(|finding| finding.code == "authentications_missing");
    assert_eq!(found.unwrap().severity, Severity::Error);
    let empty = linted(&[(SCHEMA, r#"{"authentications":[],"authenticatedApis":[]}"#)]);
    for code in ["authentications_missing", "apis_missing"] {
        let found = empty.iter().find(|finding| finding.code == code).unwrap();
        assert_eq!(found.line, Some(1), "{code}");
    }
}

#[test]
fn errors_come_first() {
    let broken =
        r#"{"authentications":[{"authenticationType":"custom","authKey":"a"}],"colour":1}"#;
    let findings = linted(&[(SCHEMA, broken), ("widget.html", "")]);
    assert_eq!(findings[0].code, "authentication_type");
    let severities: Vec<bool> = findings
        .iter()
        .map(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(
        severities.is_sorted_by(|one, other| one >= other),
        "{findings:#?}"
    );
}

#[test]
fn a_key_that_is_nearly_one_is_answered_with_it() {
    let finding = Case::graph()
        .with(
            SCHEMA,
            "/authenticatedApis/0/authenticationKey",
            json!("msgraph"),
        )
        .with(SCHEMA, "/authenticatedApis/0/headers", json!({}))
        .refused("authentication_key_dangling");
    assert!(
        finding.cure.contains("Did you mean \"msGraph\"?"),
        "{finding:?}"
    );
    let finding = Case::graph()
        .with(
            CONSULATE,
            "/authentications",
            json!({"ms_graph": {"owner": "user"}}),
        )
        .refused("authentication_unknown");
    assert!(finding.cure.contains("Did you mean \"msGraph\"?"));
    let finding = Case::graph()
        .with(CONSULATE, "/apis", json!({"getEvent": {}}))
        .refused("api_unknown");
    assert!(finding.cure.contains("Did you mean \"getEvents\"?"));
}

#[test]
fn the_passport_file_is_where_the_schema_says_or_the_finding_says_where_it_is() {
    let schema = fixture_json("my-saas", SCHEMA).to_string();
    let passport = fixture_json("my-saas", PASSPORT).to_string();
    let at = |path: &str| {
        import_text(&[
            (SCHEMA, &schema),
            (CONSULATE, "{\"widget\":\"w\"}"),
            (path, &passport),
        ])
        .unwrap_err()
        .remove(0)
    };
    let finding = at("Passport/My-SaaS-Connector.json");
    assert_eq!(finding.code, "passport_file_case");
    assert!(finding.cure.contains("\"Passport/My-SaaS-Connector.json\"") && finding.line.is_some());
    let finding = at("connectors/my-saas-connector.json");
    assert_eq!(finding.code, "passport_file_missing");
    assert!(
        finding
            .cure
            .contains("Did you mean \"connectors/my-saas-connector.json\"?")
    );
    assert!(!at("passport/other.json").cure.contains("Did you mean"));
}

#[test]
fn a_passport_file_outside_its_directory_is_warned_about() {
    let mut case = Case::my_saas().with(SCHEMA, "/passport/filePath", json!("connector.json"));
    case.files[1].0 = "connector.json";
    let warning = case.warned("passport_file_elsewhere");
    assert!(warning.cure.contains("passport/"));
}
