//! `qrvey` of `consulate.json`: what a template may say.

use super::*;

const AT: &str = "/qrvey/sales";

fn template() -> Value {
    json!({
        "domain": "https://acme.qrveyapp.com", "userid": "izfZIkc", "appid": "59VShVtjM", "clientid": "{user.email}",
        "permissions": [{"dataset_id": "sales", "record_permissions": [
            {"security_name": "owner", "values": ["{user.email}"]}
        ]}],
    })
}

fn case() -> Case {
    Case::graph().with(CONSULATE, "/qrvey", json!({"sales": template()}))
}

fn with(pointer: &str, value: Value) -> Case {
    case().with(CONSULATE, &format!("{AT}{pointer}"), value)
}

/// A case whose one filter is this.
fn filter(filter: Value) -> Case {
    with("/permissions/0/record_permissions/0", filter)
}

#[test]
fn a_template_is_kept_with_what_it_leaves_out_filled_in() {
    let import = case().accepted();
    let template = &import.widget.qrvey["sales"];
    assert_eq!(template.domain, "https://acme.qrveyapp.com");
    assert_eq!(template.path, "/devapi/v4/core/login/token");
    assert_eq!(template.expires_in, "10m");
    assert_eq!(
        template.body["version"], "2",
        "permissions of this shape are of version 2"
    );
    let names: Vec<&String> = template.body.keys().collect();
    assert_eq!(
        names,
        ["userid", "appid", "clientid", "permissions", "version"]
    );
    let plain = with("/permissions", json!([])).accepted();
    assert!(!plain.widget.qrvey["sales"].body.contains_key("version"));
    assert!(
        !codes(&import).iter().any(|code| code.starts_with("qrvey")),
        "{:?}",
        import.findings
    );
}

#[test]
fn what_is_no_field_is_refused_with_what_was_meant() {
    for (key, cure) in [
        ("permisions", "permissions"),
        ("userId", "\"fields\": {\"userid\": \"userId\"}"),
        ("client_id", "clientid"),
        ("expires_in", "expiresIn"),
        ("styles", "extra"),
        ("x-api-key", "secret set"),
        ("apikey", "secret set"),
    ] {
        let finding = with(&format!("/{key}"), json!("x")).refused("qrvey_field_unknown");
        assert!(finding.cure.contains(cure), "{key}: {}", finding.cure);
        assert!(finding.line.is_some());
    }
    for name in ["a b", "", "ä", "a/b"] {
        let templates = json!({ name: template() });
        Case::graph()
            .with(CONSULATE, "/qrvey", templates)
            .refused("qrvey_name_invalid");
    }
    with("/userid", json!(null)).refused("field_missing");
    with("/userid", json!(" ")).refused("field_missing");
    with("/domain", json!(null)).refused("field_missing");
    with("/appid", json!(7)).refused("field_type");
    with("", json!("x")).refused("field_type");
}

#[test]
fn a_domain_is_the_bare_https_address_of_a_public_host() {
    for (domain, code) in [
        ("http://acme.qrveyapp.com", "url_not_https"),
        ("https://127.0.0.1", "url_private"),
        ("https://localhost", "url_private"),
        ("https://169.254.169.254", "url_private"),
        ("https://u:p@acme.qrveyapp.com", "url_userinfo"),
        ("https://{param.host}.qrveyapp.com", "url_placeholder"),
        ("https://{organisation.id}.qrveyapp.com", "url_placeholder"),
        ("acme.qrveyapp.com", "url_invalid"),
        ("https://acme.qrveyapp.com/", "qrvey_domain_inexact"),
        ("https://acme.qrveyapp.com/x", "qrvey_domain_inexact"),
        ("https://ACME.qrveyapp.com", "qrvey_domain_inexact"),
        ("https://acme.qrveyapp.com?x", "qrvey_domain_inexact"),
    ] {
        with("/domain", json!(domain)).refused(code);
    }
    for path in [
        "token",
        "//evil.example/x",
        "/a?b",
        "/a#b",
        "/../x",
        "/a/./b",
        "/{user.id}",
        "/a b",
        "/%2e%2e/x",
        "@evil.example",
    ] {
        with("/path", json!(path)).refused("qrvey_path_invalid");
    }
    assert_eq!(
        with("/path", json!("/v5/x")).accepted().widget.qrvey["sales"].path,
        "/v5/x"
    );
}

#[test]
fn a_lifetime_is_a_span_within_the_policy() {
    for span in ["60s", "1m", "10m", "24h", "1d"] {
        with("/expiresIn", json!(span)).accepted();
    }
    for span in [
        "59s",
        "2d",
        "1w",
        "1y",
        "10",
        "ten minutes",
        "",
        "0m",
        "-1m",
        "{param.life}",
    ] {
        with("/expiresIn", json!(span)).refused("qrvey_lifetime");
    }
    with("/expiresIn", json!(600)).refused("field_type");
}

#[test]
fn placeholders_stand_in_values_and_are_spelled_right() {
    for value in [
        "{user.mail}",
        "{User.Email}",
        "{param.a b}",
        "{settings.user.x}",
        "{organization.id}",
    ] {
        with("/clientid", json!(value)).refused("qrvey_placeholder_unknown");
    }
    for value in ["{email}", "{{user.email}}", "{", "a}b", "{}"] {
        with("/clientid", json!(value)).refused("qrvey_placeholder_misplaced");
    }
    for pointer in [
        "/userid",
        "/version",
        "/permissions/0/dataset_id",
        "/permissions/0/record_permissions/0/security_name",
    ] {
        let findings = with(pointer, json!("{user.id}")).import().unwrap_err();
        let misplaced = |finding: &Finding| finding.code == "qrvey_placeholder_misplaced";
        assert!(findings.iter().any(misplaced), "{pointer}: {findings:?}");
    }
    with(
        "/extra",
        json!({"styles": ".a{color:red}", "by": "{user.id}"}),
    )
    .accepted();
    with("/extra", json!({"by": "{user.mail}"})).refused("qrvey_placeholder_unknown");
    with("/extra", json!({"{user.id}": "x"})).refused("qrvey_placeholder_misplaced");
}

#[test]
fn a_caller_chooses_from_a_list_and_never_who_they_are() {
    let params = json!({"page": ["p1", "p2"]});
    let chosen = |pointer: &str, value: Value| {
        with("/params", params.clone()).with(CONSULATE, &format!("{AT}{pointer}"), value)
    };
    chosen("/pageid", json!("{param.page}")).accepted();
    for field in ["clientid", "orgId", "roles"] {
        chosen(&format!("/{field}"), json!("{param.page}")).refused("qrvey_identity_by_choice");
    }
    chosen(
        "/permissions/0/record_permissions/0/values",
        json!(["{param.page}"]),
    )
    .warned("qrvey_row_security_by_choice");
    with("/params", params.clone()).warned("qrvey_param_unused");
    with("/pageid", json!("{param.page}")).refused("qrvey_param_undeclared");
    for values in [
        json!([]),
        json!([""]),
        json!(["*"]),
        json!([" * "]),
        json!(["a\u{7}"]),
    ] {
        with("/pageid", json!("{param.page}"))
            .with(
                CONSULATE,
                &format!("{AT}/params"),
                json!({ "page": values }),
            )
            .refused("qrvey_param_invalid");
    }
    let more = with("/pageid", json!("{param.page}"));
    more.with(CONSULATE, &format!("{AT}/params"), json!({"page": "p1"}))
        .import()
        .unwrap_err();
}

#[test]
fn every_comparison_and_group_of_qrveys_is_known_and_no_other() {
    for kind in [
        "EQUAL",
        "NOT_EQUAL",
        "CONTAIN",
        "NOT_CONTAIN",
        "BETWEEN",
        "DATE",
        "GREATER_THAN",
        "GREATER_THAN_OR_EQUAL",
        "LESS_THAN",
        "LESS_THAN_OR_EQUAL",
        "START_WITH",
        "NOT_START_WITH",
        "END_WITH",
        "NOT_END_WITH",
    ] {
        filter(json!({"security_name": "a", "values": ["x"], "validation_type": kind})).accepted();
        if !["BETWEEN", "DATE"].contains(&kind) {
            let range =
                json!({"security_name": "a", "values": [{"gte": 1}], "validation_type": kind});
            filter(range).refused("qrvey_permission_invalid");
        }
    }
    for kind in ["RANGE", "NOT_RANGE", "BETWEEN", "DATE"] {
        let range = json!({"gte": 1, "lte": "{user.id}"});
        filter(json!({"security_name": "a", "values": [range], "validation_type": kind}))
            .accepted();
    }
    for kind in ["IS_EMPTY", "IS_NOT_EMPTY"] {
        filter(json!({"security_name": "a", "values": [], "validation_type": kind})).accepted();
    }
    for kind in ["equal", "EQUALS", "LIKE", "", "RANGE", "NOT_RANGE"] {
        filter(json!({"security_name": "a", "values": ["x"], "validation_type": kind}))
            .refused("qrvey_permission_invalid");
    }
    for group in [
        "day",
        "YEAR",
        "Month_Only",
        "SECOND",
        "quarter_only",
        "WEEK_ONLY",
    ] {
        let dated = json!({"security_name": "a", "values": ["x"], "validation_type": "DATE", "group_value": group});
        filter(dated).accepted();
    }
    for group in ["YEAR_ONLY", "days", "", "decade"] {
        let dated = json!({"security_name": "a", "values": ["x"], "validation_type": "DATE", "group_value": group});
        filter(dated).refused("qrvey_permission_invalid");
    }
}

#[test]
fn what_would_show_more_than_was_meant_is_refused() {
    for broken in [
        json!({"security_name": "a"}),
        json!({"security_name": "a", "values": []}),
        json!({"security_name": "a", "values": [""]}),
        json!({"security_name": "a", "values": [" "]}),
        json!({"security_name": "a", "values": [null]}),
        json!({"security_name": "a", "values": [["x"]]}),
        json!({"security_name": "a", "values": "x"}),
        json!({"security_name": "a", "values": ["*", "x"]}),
        json!({"security_name": "a", "values": ["*"], "validation_type": "CONTAIN"}),
        json!({"security_name": "", "values": ["x"]}),
        json!({"values": ["x"]}),
        json!({"security_name": "a", "values": ["x"], "value": ["y"]}),
        json!({"security_name": "a", "values": [{}], "validation_type": "RANGE"}),
        json!({"security_name": "a", "values": [{"gt": 1}], "validation_type": "RANGE"}),
        json!({"record_permissions": []}),
        json!({"operator": "XOR", "record_permissions": [{"security_name": "a", "values": ["x"]}]}),
        json!({"security_name": "a", "record_permissions": [{"security_name": "a", "values": ["x"]}]}),
        json!("x"),
    ] {
        filter(broken).refused("qrvey_permission_invalid");
    }
    filter(json!({"security_name": "a", "values": ["*"]})).accepted();
    for (pointer, value) in [
        ("/permissions", json!({})),
        ("/permissions", json!("all")),
        ("/permissions/0/dataset_id", json!(null)),
        ("/permissions/0/dataset_id", json!([])),
        ("/permissions/0/dataset_id", json!("")),
        ("/permissions/0/operator", json!("or")),
        ("/permissions/0/record_permissions", json!([])),
        ("/permissions/0/filters", json!([])),
        ("/asset_permissions", json!([])),
        ("/asset_permissions", json!({"page": {"page_ids": ["p"]}})),
        (
            "/asset_permissions",
            json!({"pages": {"ids": ["p"], "page_ids": ["p"]}}),
        ),
        ("/asset_permissions", json!({"pages": {"page_ids": []}})),
        ("/asset_permissions", json!({"pages": {}})),
    ] {
        with(pointer, value).refused("qrvey_permission_invalid");
    }
    for roles in [json!([]), json!(""), json!([""]), json!(7), json!({})] {
        with("/roles", roles).refused("qrvey_roles_invalid");
    }
    for version in [json!("1.0.0"), json!(1), json!("3"), json!(true)] {
        with("/version", version).refused("qrvey_version_unknown");
    }
    with("/version", json!(2)).accepted();
    with("/permissions", json!([]))
        .with(CONSULATE, &format!("{AT}/version"), json!("1.0.0"))
        .accepted();
}

#[test]
fn nesting_has_an_end() {
    let mut nested = json!({"security_name": "a", "values": ["x"]});
    for _ in 0..20 {
        nested = json!({"operator": "AND", "record_permissions": [nested]});
    }
    filter(nested).refused("qrvey_permission_invalid");
}

#[test]
fn other_versions_spell_fields_and_bring_their_own() {
    let spelled = with(
        "/fields",
        json!({"userid": "userId", "asset_permissions": "assetPermissions", "expiresIn": "expires_in"}),
    );
    assert_eq!(
        spelled.accepted().widget.qrvey["sales"].fields["userid"],
        "userId"
    );
    for fields in [
        json!({"userid": "clientid"}),
        json!({"domain": "Domain"}),
        json!({"userid": "user id"}),
        json!({"x": "X"}),
    ] {
        with("/fields", fields).refused("qrvey_spelling");
    }
    for name in ["userId", "permissions", "expires_in", "apiKey", "x-api-key"] {
        with("/extra", json!({ name: "x" })).refused("qrvey_extra_reserved");
    }
}
