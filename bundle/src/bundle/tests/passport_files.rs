//! Bundled passports: the passport file and `passports` of `consulate.json`.

use consulate_core::definition::{ClientAuthentication, RefreshRotation};

use super::*;

const SETTINGS: &str = "/passports/my-saas-connector";

fn metadata(key: &str, value: Value) -> Case {
    Case::my_saas().with(
        PASSPORT,
        &format!("/customApplicationInfo/metadata/{key}"),
        value,
    )
}

fn settings(key: &str, value: Value) -> Case {
    Case::my_saas().with(CONSULATE, &format!("{SETTINGS}/{key}"), value)
}

#[test]
fn the_literals_the_guide_demands_are_demanded() {
    for (pointer, value, code) in [
        ("/applicationName", json!("My SaaS"), "passport_not_custom"),
        ("/applicationName", json!(null), "passport_not_custom"),
        (
            "/customApplicationInfo/parentName",
            json!("google"),
            "passport_not_custom",
        ),
        (
            "/customApplicationInfo/parentName",
            json!(null),
            "passport_not_custom",
        ),
        ("/isCustomApplication", json!(false), "passport_is_custom"),
        ("/isCustomApplication", json!(null), "passport_is_custom"),
        ("/isCustomApplication", json!("true"), "passport_is_custom"),
        ("/isCustomApplication", json!(1), "passport_is_custom"),
        (
            "/customApplicationInfo/authenticationType",
            json!("oauth"),
            "passport_authentication_differs",
        ),
        (
            "/customApplicationInfo/authenticationType",
            json!(null),
            "passport_authentication_differs",
        ),
    ] {
        let finding = Case::my_saas().with(PASSPORT, pointer, value).refused(code);
        assert_eq!(finding.file, PASSPORT);
        assert!(finding.line.is_some());
        let path = format!("${}", pointer.replace('/', "."));
        assert!(finding.message.contains(&path), "{finding:?}");
    }
    let finding = Case::my_saas()
        .with(PASSPORT, "/isCustomApplication", json!("true"))
        .refused("passport_is_custom");
    assert!(finding.message.contains("is a text"));
    assert!(finding.cure.contains("isCustomApplication: true"));
}

#[test]
fn only_oauth_can_be_bundled_and_said_once_wrong_is_said_once() {
    let basic = Case::my_saas()
        .with(PASSPORT, "/authenticationType", json!("Basic"))
        .with(
            PASSPORT,
            "/customApplicationInfo/authenticationType",
            json!("Basic"),
        );
    let finding = basic.refused("passport_authentication_type");
    assert!(finding.message.contains("$.authenticationType"));
}

#[test]
fn what_appspace_requires_and_consulate_does_not_is_a_warning() {
    for pointer in [
        "/metadata",
        "/customApplicationInfo/displayName",
        "/customApplicationInfo/description",
        "/customApplicationInfo/categoryType",
    ] {
        let case = Case::my_saas().with(PASSPORT, pointer, json!(null));
        let path = format!("${}", pointer.replace('/', "."));
        let warning = case.warned("passport_field_missing");
        assert!(warning.message.contains(&path), "{warning:?}");
    }
    let category = Case::my_saas().with(
        PASSPORT,
        "/customApplicationInfo/categoryType",
        json!("Colour"),
    );
    category.warned("passport_category");
}

#[test]
fn a_passport_file_that_is_incomplete_is_refused_field_by_field() {
    for key in ["authenticationUrl", "tokenUrl"] {
        let findings = metadata(key, json!(null)).import().unwrap_err();
        let finding = findings
            .iter()
            .find(|finding| finding.code == "field_missing")
            .unwrap();
        assert!(finding.message.contains(key) && finding.file == PASSPORT);
    }
    for pointer in [
        "/name",
        "/customApplicationInfo",
        "/customApplicationInfo/name",
        "/customApplicationInfo/metadata",
    ] {
        let findings = Case::my_saas()
            .with(PASSPORT, pointer, json!(null))
            .import()
            .unwrap_err();
        assert_eq!(findings[0].code, "field_missing", "{pointer}");
    }
    for (key, value) in [
        ("clientId", json!(7)),
        ("clientSecret", json!({})),
        ("scope", json!(["read"])),
    ] {
        metadata(key, value).refused("field_type");
    }
}

#[test]
fn the_name_must_match_what_the_schema_asks_for() {
    let finding = Case::my_saas()
        .with(
            SCHEMA,
            "/authentications/0/metadata/passportProvider",
            json!("custom:other"),
        )
        .refused("passport_name_mismatch");
    assert!(finding.cure.contains("custom:my-saas-connector"));
    for name in ["my saas", "my.saas", "../x", "a/b", "ü"] {
        let findings = Case::my_saas()
            .with(PASSPORT, "/customApplicationInfo/name", json!(name))
            .import()
            .unwrap_err();
        assert!(
            findings
                .iter()
                .any(|finding| finding.code == "passport_name_invalid"),
            "{name}"
        );
    }
}

#[test]
fn a_passport_file_that_is_named_must_be_there_and_be_json() {
    let finding = Case::my_saas()
        .without(PASSPORT)
        .import()
        .unwrap_err()
        .remove(0);
    assert_eq!(finding.code, "passport_file_missing");
    assert!(finding.cure.contains("passport/ directory") && finding.line.is_some());
    let schema = fixture_json("my-saas", SCHEMA).to_string();
    let findings = import_text(&[
        ("schema.json", &schema),
        (PASSPORT, "{"),
        ("consulate.json", "{}"),
    ])
    .unwrap_err();
    assert!(
        findings
            .iter()
            .any(|finding| finding.code == "json_broken" && finding.file == PASSPORT)
    );
}

#[test]
fn a_passport_file_nobody_names_has_no_effect_and_is_named() {
    let mut case = Case::graph();
    case.files
        .push((PASSPORT, fixture_json("my-saas", PASSPORT)));
    assert_eq!(case.warned("passport_file_unused").file, PASSPORT);
    assert!(case.accepted().passports.is_empty());
}

#[test]
fn the_flat_form_of_the_console_says_the_same() {
    let flat = json!({
        "name": "my-saas-connector", "displayName": "My SaaS Platform", "description": "d", "categoryType": "Custom",
        "authenticationType": "OAuth", "clientId": "c-1",
        "authenticationUrl": "https://auth.my-saas.com/oauth/authorize", "tokenUrl": "https://auth.my-saas.com/oauth/token",
        "profileUrl": "https://api.my-saas.com/v1/me", "profileAccountIdPath": "$.id",
        "profileAccountEmailPath": "$.email", "profileAccountNamePath": "$.display_name", "scope": "read:data write:data"
    });
    let nested = Case::my_saas()
        .with(CONSULATE, &format!("{SETTINGS}/client_id"), json!("c-1"))
        .accepted();
    let mut case = Case::my_saas().without(PASSPORT);
    case.files.push((PASSPORT, flat));
    let import = case.accepted();
    assert_eq!(import.passports, nested.passports);
    assert!(!codes(&import).contains(&"field_unknown"));
}

#[test]
fn a_placeholder_is_no_client_id_and_no_secret() {
    for placeholder in [
        "<your-client-id>",
        "your-client-id-here",
        "YOUR_CLIENT_ID",
        "your-client-secret-here",
        "",
        "****",
        "${SECRET}",
    ] {
        let case = Case::my_saas()
            .with(
                PASSPORT,
                "/customApplicationInfo/metadata/clientId",
                json!(placeholder),
            )
            .with(
                PASSPORT,
                "/customApplicationInfo/metadata/clientSecret",
                json!(placeholder),
            );
        case.warned("client_id_placeholder");
        case.warned("client_secret_missing");
        assert!(case.accepted().secrets.is_empty(), "{placeholder}");
    }
    let case = metadata("clientId", json!("4f1c-real"));
    assert_eq!(case.accepted().passports[0].client_id, "4f1c-real");
    assert!(!codes(&case.accepted()).contains(&"client_id_placeholder"));
}

#[test]
fn a_real_client_secret_is_handed_over_apart_from_the_records_and_warned_about() {
    let case = metadata("clientSecret", json!("canary-client-secret"));
    let import = case.accepted();
    assert_eq!(import.secrets[0].passport, "my-saas.my-saas-connector");
    assert_eq!(
        import.secrets[0].client_secret.expose(),
        "canary-client-secret"
    );
    assert_eq!(case.warned("client_secret_in_bundle").file, PASSPORT);
    assert!(!format!("{import:?}").contains("canary"));
    assert!(
        !serde_json::to_string(&import.passports)
            .unwrap()
            .contains("canary")
    );
    assert!(
        !serde_json::to_string(&import.findings)
            .unwrap()
            .contains("canary")
    );
}

#[test]
fn a_real_secret_shows_in_no_finding_of_a_refused_bundle() {
    for case in [
        metadata("clientSecret", json!(["canary-client-secret"])),
        metadata("clientSecret", json!("canary-client-secret")).with(
            PASSPORT,
            "/isCustomApplication",
            json!(false),
        ),
    ] {
        let findings = case.import().unwrap_err();
        assert!(!format!("{findings:?}").contains("canary"));
    }
}

#[test]
fn a_public_client_has_no_secret_and_none_is_missed() {
    let case = settings("client_authentication", json!("none"));
    assert!(!codes(&case.accepted()).contains(&"client_secret_missing"));
    let case = case.with(
        PASSPORT,
        "/customApplicationInfo/metadata/clientSecret",
        json!("real"),
    );
    assert!(case.accepted().secrets.is_empty());
}

#[test]
fn a_client_that_signs_brings_no_secret() {
    let case = settings("client_authentication", json!("private_key_jwt"));
    let warning = case.warned("private_key_missing");
    assert!(warning.cure.contains("private_key"));
    assert!(!codes(&case.accepted()).contains(&"client_secret_missing"));
    let finding = case
        .with(
            PASSPORT,
            "/customApplicationInfo/metadata/clientSecret",
            json!("canary-real"),
        )
        .refused("client_secret_beside_key");
    assert!(finding.file == PASSPORT && !format!("{finding:?}").contains("canary"));
}

#[test]
fn what_stands_in_the_metadata_that_nobody_reads_is_named() {
    let nested = |value: Value| Case::my_saas().with(PASSPORT, "/metadata", value);
    let warning = nested(json!({"tokenUrl": "https://x.example"})).warned("field_unused");
    assert!(warning.message.contains("$.metadata.tokenUrl") && warning.line.is_some());
    assert!(warning.cure.contains("customApplicationInfo.metadata"));
    let warning = nested(json!({"colour": "blue"})).warned("field_unknown");
    assert!(warning.message.contains("$.metadata.colour"));
    let flat = json!({
        "name": "my-saas-connector", "authenticationType": "OAuth", "clientId": "c-1", "baseProvider": "google",
        "metadata": {"separator": ","}
    });
    let mut case = Case::my_saas()
        .without(PASSPORT)
        .with(CONSULATE, "/passports", json!({}));
    case.files.push((PASSPORT, flat));
    let warning = case.warned("field_unused");
    assert!(warning.message.contains("$.metadata.separator"));
}

#[test]
fn what_is_not_declared_takes_the_safe_reading() {
    let passport = Case::my_saas()
        .with(CONSULATE, "/passports", json!({}))
        .accepted()
        .passports
        .remove(0);
    assert_eq!(passport.client_authentication, ClientAuthentication::Body);
    assert_eq!(passport.refresh_rotation, RefreshRotation::SingleUse);
    assert_eq!(
        (
            passport.pkce_off_because,
            passport.issuer,
            passport.revocation_url
        ),
        (None, None, None)
    );
    assert_eq!(passport.scope_separator, " ");
    assert!(!passport.browser_delivery);
}

#[test]
fn scopes_are_split_at_spaces_and_at_the_declared_separator() {
    let scopes = |case: Case| case.accepted().passports.remove(0).scopes;
    assert_eq!(scopes(metadata("scope", json!("  a  b "))), ["a", "b"]);
    let comma = metadata("scope", json!("a,b c")).with(
        PASSPORT,
        "/customApplicationInfo/metadata/scopeSeparator",
        json!(","),
    );
    assert_eq!(scopes(comma), ["a", "b", "c"]);
    assert!(scopes(metadata("scope", json!(null))).is_empty());
}

#[test]
fn scopes_with_the_wrong_separator_are_warned_about() {
    for scope in ["read,write", "read;write", "read+write", "read%20write"] {
        let warning = metadata("scope", json!(scope)).warned("scope_joined");
        assert!(warning.message.contains(scope) && warning.line.is_some());
    }
    let declared = metadata("scope", json!("read,write")).with(
        PASSPORT,
        "/customApplicationInfo/metadata/scopeSeparator",
        json!(","),
    );
    assert!(!codes(&declared.accepted()).contains(&"scope_joined"));
}

#[test]
fn a_profile_is_optional_and_its_paths_are_json_paths() {
    let case = metadata("profileUrl", json!(null));
    case.warned("profile_missing");
    assert_eq!(case.accepted().passports[0].profile, None);
    metadata("profileAccountIdPath", json!("id[")).refused("jsonpath_invalid");
    metadata("favouriteColour", json!("blue")).warned("field_unknown");
    let misspelled = metadata("profileURL", json!("x")).with(
        PASSPORT,
        "/customApplicationInfo/metadata/profileUrl",
        json!(null),
    );
    let warning = misspelled.warned("field_unknown");
    assert!(warning.cure.contains("\"profileUrl\""), "{warning:?}");
}

#[test]
fn a_bundled_passport_that_serves_nothing_is_warned_about() {
    let api = json!([{
        "label": "l", "name": "me", "url": "https://api.happeo.com/me", "method": "GET",
        "authenticationKey": "mySaas"
    }]);
    let case = Case::my_saas()
        .with(
            SCHEMA,
            "/authentications/0/metadata/passportProvider",
            json!("happeo"),
        )
        .with(SCHEMA, "/authenticatedApis", api)
        .with(CONSULATE, "/apis", json!({}));
    case.warned("passport_unused");
    case.warned("api_hosts_missing");
    assert!(case.accepted().passports[0].api_hosts.is_empty());
}
