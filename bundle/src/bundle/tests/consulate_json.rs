//! `consulate.json`: widget id, host, admins, authentications.

use consulate_core::definition::{Delivery, OrganisationSettings, SettingsPolicy};

use super::*;

#[test]
fn the_widget_id_comes_from_the_flag_or_else_from_the_file_or_else_is_asked_for() {
    let mut case = Case::graph();
    assert_eq!(case.accepted().widget.id, "calendar");
    case.options.widget = Some("other".to_owned());
    assert_eq!(case.accepted().widget.id, "other");
    let finding = Case::graph()
        .with(CONSULATE, "/widget", json!(null))
        .refused("widget_id_missing");
    assert!(finding.cure.contains("--widget") && finding.cure.contains("consulate.json"));
}

#[test]
fn a_widget_id_is_short_lower_case_and_safe_in_an_address() {
    let longest = "a".repeat(63);
    for id in ["a", "0", "my-widget-2", longest.as_str()] {
        assert_eq!(
            Case::graph()
                .with(CONSULATE, "/widget", json!(id))
                .accepted()
                .widget
                .id,
            id
        );
    }
    for id in [
        "",
        "-a",
        "A",
        "a_b",
        "a.b",
        "a/b",
        "ä",
        "a b",
        &"a".repeat(64),
    ] {
        Case::graph()
            .with(CONSULATE, "/widget", json!(id))
            .refused("widget_id_invalid");
        let mut case = Case::graph();
        case.options.widget = Some(id.to_owned());
        assert_eq!(case.refused("widget_id_invalid").file, "--widget");
    }
}

#[test]
fn a_host_takes_the_id_of_its_widget_unless_it_has_one() {
    let import = Case::graph()
        .with(CONSULATE, "/host", json!({"type": "happeo"}))
        .accepted();
    assert_eq!(import.host.unwrap().id, "calendar");
    assert_eq!(import.widget.host.as_deref(), Some("calendar"));
}

#[test]
fn a_wrong_host_is_refused() {
    for (host, code) in [
        (json!({"type": "saml"}), "host_type_unsupported"),
        (json!({"id": "acme"}), "field_missing"),
        (json!({"type": "happeo", "id": "ACME"}), "host_id_invalid"),
        (json!({"type": "happeo", "id": ["x"]}), "field_type"),
        (json!("happeo"), "field_type"),
    ] {
        Case::graph().with(CONSULATE, "/host", host).refused(code);
    }
    let finding = Case::graph()
        .with(CONSULATE, "/host", json!({"type": "saml", "id": "acme"}))
        .refused("host_type_unsupported");
    assert!(finding.line.is_some());
}

#[test]
fn organisations_restrict_a_host_wherever_they_are_declared_but_in_one_place() {
    let listed = Some(vec!["o1".to_owned()]);
    let beside = Case::graph().with(CONSULATE, "/organisations", json!(["o1"]));
    assert_eq!(beside.accepted().host.unwrap().organisations, listed);
    let inside = Case::graph().with(CONSULATE, "/host/organisations", json!(["o1"]));
    assert_eq!(inside.accepted().host.unwrap().organisations, listed);
    inside
        .with(CONSULATE, "/organisations", json!(["o1"]))
        .refused("organisations_twice");
    beside
        .with(CONSULATE, "/host", json!(null))
        .refused("organisations_without_host");
    assert_eq!(Case::graph().accepted().host.unwrap().organisations, None);
}

#[test]
fn leaving_expiry_unchecked_is_possible_and_warned_about() {
    let case = Case::graph().with(CONSULATE, "/host/require_exp", json!(false));
    case.warned("exp_not_required");
    assert!(!case.accepted().host.unwrap().require_exp);
}

#[test]
fn an_administrator_is_named_by_user_or_by_email() {
    let admins = |value: Value| Case::my_saas().with(CONSULATE, "/admins", value);
    let import = admins(json!([{"organisation": "o1", "user": "u7"}, {"organisation": "o1", "email": "it@example.com"}])).accepted();
    assert_eq!(import.widget.admins.len(), 2);
    assert_eq!(import.widget.admins[0].user.as_deref(), Some("u7"));
    admins(json!([{"organisation": "o1"}])).refused("admin_ambiguous");
    admins(json!([{"organisation": "o1", "user": "u", "email": "e@example.com"}]))
        .refused("admin_ambiguous");
    admins(json!([{"user": "u"}])).refused("field_missing");
    admins(json!(["it@example.com"])).refused("field_type");
    admins(json!([])).warned("admins_missing");
}

#[test]
fn what_the_file_speaks_of_must_be_in_the_schema() {
    Case::graph()
        .with(CONSULATE, "/authentications/msgraph", json!({}))
        .refused("authentication_unknown");
    Case::graph()
        .with(CONSULATE, "/apis/getevents", json!({}))
        .refused("api_unknown");
    Case::graph()
        .bind("nobody", "p")
        .refused("authentication_unknown");
    Case::graph()
        .with(CONSULATE, "/passports", json!({"my-saas-connector": {}}))
        .refused("passport_not_bundled");
    Case::my_saas()
        .with(CONSULATE, "/passports/other", json!({}))
        .refused("passport_not_bundled");
}

#[test]
fn owner_and_delivery_are_out_of_a_fixed_set() {
    for (key, value, code) in [
        ("owner", json!("everybody"), "value_unknown"),
        ("delivery", json!("client"), "value_unknown"),
        ("owner", json!(true), "field_type"),
    ] {
        Case::graph()
            .with(CONSULATE, &format!("/authentications/msGraph/{key}"), value)
            .refused(code);
    }
}

#[test]
fn browser_delivery_is_refused_for_an_organisations_connection() {
    let browser = Case::graph().with(
        CONSULATE,
        "/authentications/msGraph/delivery",
        json!("browser"),
    );
    assert_eq!(
        browser.accepted().widget.authentications[0].delivery,
        Delivery::Browser
    );
    browser
        .with(
            CONSULATE,
            "/authentications/msGraph/owner",
            json!("organisation"),
        )
        .refused("delivery_refused");
}

/// Two words are needed; the bundle can say both, and neither hands out what must stay.
#[test]
fn browser_delivery_asks_the_bundled_passport() {
    let key = import_of(&Case::my_saas());
    let settings = json!({"owner": "user", "delivery": "browser"});
    let declared = || {
        Case::my_saas().with(
            CONSULATE,
            &format!("/authentications/{key}"),
            settings.clone(),
        )
    };
    let passport = |field: &str| format!("/passports/my-saas-connector/{field}");
    declared().warned("delivery_not_allowed");
    let allowed = declared().with(CONSULATE, &passport("browser_delivery"), json!(true));
    assert!(!codes(&allowed.accepted()).contains(&"delivery_not_allowed"));
    allowed
        .with(
            CONSULATE,
            &passport("credential"),
            json!("client_credentials"),
        )
        .refused("delivery_refused");
}

/// The key of the first authentication.
fn import_of(case: &Case) -> String {
    case.accepted().widget.authentications[0].auth_key.clone()
}

#[test]
fn settings_are_kept_as_the_file_says_and_not_at_all_without_it() {
    let policy = |settings| {
        let import = Case::graph().with(CONSULATE, "/settings", settings);
        import.accepted().widget.settings
    };
    assert_eq!(
        Case::graph().accepted().widget.settings,
        SettingsPolicy::default()
    );
    assert_eq!(policy(json!({})), SettingsPolicy::default());
    assert_eq!(
        policy(json!({"user": false, "organisation": false})),
        SettingsPolicy::default()
    );
    for (word, organisation) in [
        ("admins", OrganisationSettings::Admins),
        ("admins_only", OrganisationSettings::AdminsOnly),
        ("members", OrganisationSettings::Members),
    ] {
        let kept = policy(json!({"user": true, "organisation": word}));
        assert_eq!((kept.user, kept.organisation), (true, Some(organisation)));
    }
}

#[test]
fn settings_of_another_shape_are_refused() {
    for (settings, code) in [
        (json!("yes"), "field_type"),
        (json!({"user": "true"}), "field_type"),
        (json!({"organisation": true}), "field_type"),
        (json!({"organisation": "everybody"}), "value_unknown"),
        (json!({"organisation": ["admins"]}), "field_type"),
    ] {
        Case::graph()
            .with(CONSULATE, "/settings", settings)
            .refused(code);
    }
    Case::graph()
        .with(CONSULATE, "/settings", json!({"users": true}))
        .warned("field_unknown");
}

#[test]
fn settings_that_nobody_could_write_are_named() {
    for word in ["admins", "admins_only"] {
        Case::graph()
            .with(CONSULATE, "/admins", json!([]))
            .with(CONSULATE, "/settings", json!({ "organisation": word }))
            .warned("settings_admins_missing");
    }
    let members = Case::graph()
        .with(CONSULATE, "/admins", json!([]))
        .with(CONSULATE, "/settings", json!({"organisation": "members"}))
        .accepted();
    assert!(!codes(&members).contains(&"settings_admins_missing"));
}

#[test]
fn an_unknown_field_is_named_wherever_it_is() {
    for pointer in [
        "/origin",
        "/host/secret",
        "/authentications/msGraph/mode",
        "/apis/getEvents/method",
    ] {
        let warning = Case::graph()
            .with(CONSULATE, pointer, json!("x"))
            .warned("field_unknown");
        assert!(
            warning.message.contains(&pointer.replace('/', ".")),
            "{warning:?}"
        );
    }
}

#[test]
fn scopes_and_idempotency_of_an_api_come_from_the_file() {
    let import = Case::my_saas()
        .with(CONSULATE, "/apis/createTask/idempotent", json!(true))
        .accepted();
    let api = import.widget.api("createTask").unwrap();
    assert!(api.idempotent);
    assert_eq!(api.scopes, ["write:data"]);
    assert!(!import.widget.api("listProjects").unwrap().idempotent);
}
