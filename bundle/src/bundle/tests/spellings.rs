//! The settings of a passport file that the guide describes without a name: every accepted name, and values as text.

use super::super::oauth_metadata::{
    INHERIT_FROM, REFRESH_ENABLED, REFRESH_INTERVAL, SCOPE_SEPARATOR,
};
use super::*;

fn with(fields: Value) -> Case {
    let mut case = Case::my_saas();
    for (key, value) in fields.as_object().unwrap() {
        case = case.with(
            PASSPORT,
            &format!("/customApplicationInfo/metadata/{key}"),
            value.clone(),
        );
    }
    case
}

fn interval(fields: Value) -> Option<u64> {
    with(fields).accepted().passports[0].refresh_interval_seconds
}

#[test]
fn every_accepted_name_of_a_setting_means_the_setting() {
    for name in SCOPE_SEPARATOR {
        let import = with(json!({*name: ","})).accepted();
        assert_eq!(import.passports[0].scope_separator, ",", "{name}");
        assert!(!codes(&import).contains(&"field_unknown"), "{name}");
    }
    for name in REFRESH_INTERVAL {
        let import = with(json!({*name: 30})).accepted();
        assert_eq!(
            import.passports[0].refresh_interval_seconds,
            Some(1_800),
            "{name}"
        );
        assert!(!codes(&import).contains(&"field_unknown"), "{name}");
    }
    for name in REFRESH_ENABLED {
        assert_eq!(
            interval(json!({*name: false, "refreshInterval": 30})),
            None,
            "{name}"
        );
    }
    for name in INHERIT_FROM {
        let import = with(json!({*name: "google", "tokenUrl": null})).accepted();
        assert_eq!(
            import.passports[0].token_url, "https://oauth2.googleapis.com/token",
            "{name}"
        );
    }
}

#[test]
fn two_spellings_may_agree_and_may_not_differ() {
    assert_eq!(
        interval(json!({"refreshInterval": 30, "refreshIntervalMinutes": 30})),
        Some(1_800)
    );
    let finding =
        with(json!({"refreshInterval": 30, "tokenRefreshInterval": 60})).refused("field_twice");
    assert!(finding.message.contains("tokenRefreshInterval") && finding.line.is_some());
    assert!(finding.cure.contains("\"refreshInterval\""));
    with(json!({"scopeSeparator": ",", "scopeDelimiter": " "})).refused("field_twice");
    with(json!({"inheritFrom": "google", "baseProvider": "slack"})).refused("field_twice");
}

#[test]
fn numbers_and_switches_may_be_texts() {
    assert_eq!(interval(json!({"refreshInterval": "45"})), Some(2_700));
    assert_eq!(interval(json!({"refreshInterval": " 45 "})), Some(2_700));
    for off in [json!(false), json!("false"), json!("False")] {
        assert_eq!(
            interval(json!({"refreshInterval": "45", "refreshEnabled": off})),
            None
        );
    }
    for on in [json!(true), json!("true"), json!(null)] {
        assert_eq!(
            interval(json!({"refreshInterval": 45, "refreshEnabled": on})),
            Some(2_700)
        );
    }
    for (key, value) in [
        ("refreshInterval", json!("often")),
        ("refreshInterval", json!(-1)),
        ("refreshInterval", json!(1.5)),
        ("refreshInterval", json!([30])),
        ("refreshEnabled", json!("yes")),
        ("refreshEnabled", json!(1)),
    ] {
        with(json!({key: value})).refused("field_type");
    }
}

#[test]
fn an_interval_is_one_minute_to_thirty_days() {
    assert_eq!(interval(json!({"refreshInterval": 1})), Some(60));
    assert_eq!(
        interval(json!({"refreshInterval": 43_200})),
        Some(2_592_000)
    );
    for minutes in [json!(0), json!(43_201), json!("0"), json!(u64::MAX)] {
        let finding = with(json!({"refreshInterval": minutes})).refused("refresh_interval_invalid");
        assert!(finding.message.contains("refreshInterval") && finding.line.is_some());
    }
}

#[test]
fn an_interval_that_is_switched_off_is_noted_and_not_warned_about() {
    let before = codes(&Case::my_saas().accepted()).len();
    let import = with(json!({"refreshInterval": 30, "refreshEnabled": false})).accepted();
    assert_eq!(import.findings.len(), before, "{:?}", import.findings);
    assert!(import.notes[0].contains("refresh interval off"));
    assert!(Case::my_saas().accepted().notes.is_empty());
}

#[test]
fn a_name_the_console_would_not_make_is_refused_with_the_one_it_would() {
    let named = |name: &str, display: &str| {
        Case::my_saas()
            .with(PASSPORT, "/customApplicationInfo/name", json!(name))
            .with(
                PASSPORT,
                "/customApplicationInfo/displayName",
                json!(display),
            )
            .import()
            .unwrap_err()
            .into_iter()
            .find(|finding| finding.code == "passport_name_invalid")
            .unwrap()
    };
    assert!(
        named("My SaaS Connector!", "x")
            .cure
            .contains("such as my-saas-connector.")
    );
    assert!(
        named("***", "My API (2)")
            .cure
            .contains("such as my-api-2.")
    );
    assert!(
        named("***", "—")
            .cure
            .contains("such as my-saas-connector.")
    );
}
