//! Which passport an authentication is bound to.

use super::*;

fn provider(value: Value) -> Case {
    Case::graph().with(
        SCHEMA,
        "/authentications/0/metadata/passportProvider",
        value,
    )
}

#[test]
fn a_provider_nobody_knows_is_refused_with_the_one_that_was_meant() {
    let finding = provider(json!("micrsoft")).refused("provider_unknown");
    assert!(finding.cure.contains("\"microsoft\""), "{finding:?}");
    assert!(finding.line.is_some());
    let finding = provider(json!("a-service-of-our-own")).refused("provider_unknown");
    assert!(!finding.cure.contains("Did you mean"));
    Case::my_saas()
        .with(
            SCHEMA,
            "/authentications/0/metadata/passportProvider",
            json!("my-saas-connector"),
        )
        .refused("provider_unknown");
}

#[test]
fn a_provider_may_be_named_by_an_alias_and_is_stored_by_its_id() {
    for alias in ["Microsoft", "microsoft-365", " microsoft "] {
        assert_eq!(
            provider(json!(alias)).accepted().widget.authentications[0].provider,
            "microsoft"
        );
    }
}

#[test]
fn a_custom_provider_without_a_bundled_passport_is_refused() {
    let finding = provider(json!("custom:my-saas-connector")).refused("passport_not_bundled");
    assert!(finding.cure.contains("passport.filePath"));
}

#[test]
fn an_authentication_without_a_provider_imports_and_is_warned_about() {
    let case = provider(json!(null));
    case.warned("provider_missing");
    case.warned("authentication_unbound");
    assert_eq!(case.accepted().widget.authentications[0].provider, "");
}

#[test]
fn an_unbound_authentication_is_warned_about_with_what_binds_it() {
    let warning = Case::graph().warned("authentication_unbound");
    assert!(
        warning.cure.contains("--bind msGraph=") && warning.cure.contains("--provider microsoft")
    );
    assert_eq!(
        Case::graph().accepted().widget.authentications[0].passport,
        None
    );
}

#[test]
fn a_flag_wins_over_the_file_and_the_last_flag_over_the_first() {
    let case = Case::graph().with(
        CONSULATE,
        "/authentications/msGraph/passport",
        json!("from-file"),
    );
    let bound = |case: &Case| case.accepted().widget.authentications[0].passport.clone();
    assert_eq!(bound(&case).as_deref(), Some("from-file"));
    assert!(case.accepted().flag_bindings.is_empty());
    let case = case.bind("msGraph", "first").bind("msGraph", "last");
    assert_eq!(bound(&case).as_deref(), Some("last"));
    assert!(case.accepted().flag_bindings.contains("msGraph"));
    assert!(!codes(&case.accepted()).contains(&"authentication_unbound"));
}

#[test]
fn a_bundle_cannot_reach_for_the_passport_of_another() {
    let foreign = "my-saas.my-saas-connector";
    let finding = Case::graph()
        .bind("msGraph", foreign)
        .refused("passport_of_another_widget");
    assert_eq!(finding.file, "--bind");
    let by_file = Case::graph().with(
        CONSULATE,
        "/authentications/msGraph/passport",
        json!(foreign),
    );
    assert_eq!(
        by_file.refused("passport_of_another_widget").file,
        "consulate.json"
    );
    Case::graph()
        .with(
            CONSULATE,
            "/passports",
            json!({foreign: {"api_hosts": ["evil.example"]}}),
        )
        .refused("passport_of_another_widget");
    // The same files under another widget id bring a passport of their own, not the first one's.
    let mut twin = Case::my_saas();
    twin.options.widget = Some("twin".to_owned());
    assert_eq!(twin.accepted().passports[0].id, "twin.my-saas-connector");
    twin.bind("mySaas", foreign)
        .refused("passport_of_another_widget");
}

#[test]
fn a_bundle_may_name_its_own_passport_and_the_operators() {
    let own = Case::my_saas()
        .bind("mySaas", "my-saas.my-saas-connector")
        .accepted();
    assert_eq!(own.passports[0].api_hosts, ["api.my-saas.com"]);
    let operators = Case::my_saas().bind("mySaas", "shared-saas").accepted();
    assert_eq!(
        operators.widget.authentications[0].passport.as_deref(),
        Some("shared-saas")
    );
    assert!(
        operators.passports[0].api_hosts.is_empty(),
        "its credential goes nowhere"
    );
}

#[test]
fn what_is_no_passport_id_is_refused() {
    for id in ["", "UPPER", "a/b", "a b"] {
        Case::graph()
            .bind("msGraph", id)
            .refused("passport_id_invalid");
    }
}
