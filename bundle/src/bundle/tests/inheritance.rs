//! A bundled passport that takes what it leaves out from a provider of the catalogue.

use consulate_core::definition::RevocationStyle;

use super::*;

const METADATA: &str = "/customApplicationInfo/metadata";

/// The fixture's passport with nothing but a client, and `fields`.
fn inheriting(fields: Value) -> Case {
    let mut metadata = json!({"clientId": "c-1"});
    for (key, value) in fields.as_object().unwrap() {
        metadata[key] = value.clone();
    }
    Case::my_saas()
        .with(PASSPORT, METADATA, metadata)
        .with(CONSULATE, "/passports", json!({}))
}

fn passport(fields: Value) -> consulate_core::definition::Passport {
    inheriting(fields).accepted().passports.remove(0)
}

#[test]
fn what_the_file_leaves_out_is_the_providers() {
    let passport = passport(json!({"inheritFrom": "google"}));
    assert_eq!(
        passport.authorize_url,
        "https://accounts.google.com/o/oauth2/v2/auth"
    );
    assert_eq!(passport.token_url, "https://oauth2.googleapis.com/token");
    assert_eq!(passport.authorize_params["access_type"], "offline");
    assert!(passport.revocation_per_user && passport.profile.is_some());
    assert!(!passport.scopes.is_empty());
    assert!(passport.reserved_params.iter().any(|name| name == "key"));
    // Its own stay its own.
    assert_eq!(passport.id, "my-saas.my-saas-connector");
    assert_eq!(passport.provider, "custom:my-saas-connector");
    assert_eq!(passport.name, "My SaaS Platform");
    assert_eq!(passport.client_id, "c-1");
    assert_eq!(passport.api_hosts, ["api.my-saas.com"]);
    assert!(!passport.browser_delivery);
}

#[test]
fn the_client_of_an_inheriting_passport_is_its_own_or_missing() {
    let case = inheriting(json!({"inheritFrom": "google", "clientId": "your-client-id"}));
    case.warned("client_id_placeholder");
    assert_eq!(case.accepted().passports[0].client_id, "your-client-id");
}

#[test]
fn what_the_file_says_wins() {
    let passport = passport(json!({
        "inheritFrom": "google", "authenticationUrl": "https://auth.my-saas.com/start", "scope": "a b",
        "scopeSeparator": ",", "profileAccountNamePath": "$.nick",
        "tokenUrl": "https://oauth2.googleapis.com/other"
    }));
    assert_eq!(passport.token_url, "https://oauth2.googleapis.com/other");
    assert_eq!(passport.authorize_url, "https://auth.my-saas.com/start");
    assert_eq!(
        (passport.scopes, passport.scope_separator.as_str()),
        (vec!["a".to_owned(), "b".to_owned()], ",")
    );
    let profile = passport.profile.unwrap();
    assert!(profile.url.contains("googleapis.com"));
    assert_eq!(profile.name_path.as_deref(), Some("$.nick"));
    assert_eq!(profile.id_path.as_deref(), Some("$.sub"));
}

#[test]
fn tokens_of_another_endpoint_are_shown_to_nothing_of_the_providers() {
    let token_url = "https://auth.my-saas.com/token";
    let case = inheriting(json!({
        "inheritFrom": "google", "tokenUrl": token_url, "profileAccountNamePath": "$.nick"
    }));
    let passport = case.accepted().passports.remove(0);
    assert_eq!(passport.token_url, token_url);
    assert_eq!(
        passport.authorize_url,
        "https://accounts.google.com/o/oauth2/v2/auth"
    );
    assert_eq!((passport.profile, passport.revocation_url), (None, None));
    assert_eq!(passport.revocation_style, RevocationStyle::default());
    assert!(!passport.revocation_per_user && !passport.revocation_cascades);
    let warning = case.warned("inherit_other_origin");
    assert!(warning.message.contains("the profile, revocation"));
    assert!(warning.file == PASSPORT && warning.line.is_some());
    for provider in ["instagram", "slack", "microsoft-custom", "facebook"] {
        let case = inheriting(json!({"inheritFrom": provider, "tokenUrl": token_url}));
        let Ok(import) = case.import() else { continue };
        let passport = &import.passports[0];
        assert!(
            passport.long_lived.is_none() && passport.renewal.is_none(),
            "{provider}"
        );
        assert!(
            passport.slots.is_empty() && passport.issuer.is_none(),
            "{provider}"
        );
    }
}

/// S-100: else a bundle could have what the provider's former endpoint gave opened, and sent to an endpoint of its own.
#[test]
fn endpoints_of_a_bundles_own_were_nowhere_before() {
    let entry = json!({
        "id": "acme", "family": "f", "name": "Acme", "category": "Library", "confidence": "unverified", "sources": ["none"],
        "authorize_url": "https://acme.example/authorize", "token_url": "https://acme.example/token",
        "former": [{"token_url": "https://old.acme.example/token"}], "api_hosts": ["api.acme.example"],
        "probe": {"method": "GET", "url": "https://api.acme.example/me"},
    });
    let own = vec![serde_json::from_value(entry).unwrap()];
    let catalogue = Catalogue::built_in().unwrap().with_own(own).unwrap();
    let former = |fields: Value| {
        let case = inheriting(fields);
        let import = case.import_from(&catalogue).unwrap();
        import.passports[0].former_token_urls()
    };
    assert_eq!(
        former(json!({"inheritFrom": "acme"})),
        ["https://old.acme.example/token"]
    );
    for own in ["https://evil.example/token", "https://acme.example/token"] {
        let fields = json!({"inheritFrom": "acme", "tokenUrl": own});
        assert_eq!(former(fields), Vec::<String>::new(), "{own}");
    }
}

#[test]
fn what_the_files_state_beside_a_token_endpoint_of_their_own_counts() {
    let case = inheriting(json!({
        "inheritFrom": "google", "tokenUrl": "https://auth.my-saas.com/token",
        "profileUrl": "https://api.my-saas.com/me", "profileAccountIdPath": "$.id"
    }))
    .with(
        CONSULATE,
        "/passports",
        json!({"my-saas-connector": {
            "revocation_url": "https://auth.my-saas.com/r", "issuer": "https://accounts.google.com"
        }}),
    );
    let import = case.accepted();
    let passport = &import.passports[0];
    assert_eq!(
        passport.profile.as_ref().unwrap().url,
        "https://api.my-saas.com/me"
    );
    assert_eq!(
        passport.revocation_url.as_deref(),
        Some("https://auth.my-saas.com/r")
    );
    assert_eq!(passport.revocation_style, RevocationStyle::Rfc7009);
    assert!(!passport.revocation_per_user);
    assert!(!codes(&import).contains(&"inherit_other_origin"));
}

#[test]
fn a_profile_of_its_own_does_not_take_the_providers_paths() {
    let passport = passport(
        json!({"inheritFrom": "google", "profileUrl": "https://api.my-saas.com/me", "profileAccountIdPath": "$.id"}),
    );
    let profile = passport.profile.unwrap();
    assert_eq!(profile.url, "https://api.my-saas.com/me");
    assert_eq!((profile.email_path, profile.name_path), (None, None));
}

#[test]
fn consulate_json_wins_over_what_is_inherited() {
    let case = inheriting(json!({"inheritFrom": "google"})).with(
        CONSULATE,
        "/passports",
        json!({"my-saas-connector": {"revocation_url": "https://auth.my-saas.com/r", "revocation_per_user": false, "refresh_rotation": "single_use"}}),
    );
    let passport = case.accepted().passports.remove(0);
    assert_eq!(
        passport.revocation_url.as_deref(),
        Some("https://auth.my-saas.com/r")
    );
    assert!(!passport.revocation_per_user);
    assert_eq!(
        passport.refresh_rotation,
        consulate_core::definition::RefreshRotation::SingleUse
    );
}

#[test]
fn a_variable_with_a_default_takes_it_and_one_without_is_an_error_that_names_it() {
    let salesforce = passport(json!({"inheritFrom": "salesforce"}));
    assert_eq!(
        salesforce.token_url,
        "https://login.salesforce.com/services/oauth2/token"
    );
    assert_eq!(salesforce.variables["login_host"], "login.salesforce.com");
    let finding = inheriting(json!({"inheritFrom": "servicenow"})).refused("inherit_variable");
    assert!(
        finding.message.contains("\"instance\"") && finding.file == PASSPORT,
        "{finding:?}"
    );
    assert!(finding.line.is_some() && finding.cure.contains("authenticationUrl"));
}

#[test]
fn an_alias_of_a_provider_is_the_provider() {
    assert_eq!(
        passport(json!({"inheritFrom": "Google-Calendar"})).token_url,
        "https://oauth2.googleapis.com/token"
    );
}

#[test]
fn nobody_inherits_from_what_is_unknown_retired_or_without_urls() {
    let finding = inheriting(json!({"inheritFrom": "gogle"})).refused("provider_unknown");
    assert!(finding.cure.contains("\"google\""));
    inheriting(json!({"inheritFrom": "workplace"})).refused("provider_retired");
    let finding = inheriting(json!({"inheritFrom": "tableau"})).refused("inherit_unsuitable");
    assert!(finding.cure.contains("passportProvider"));
}

#[test]
fn without_inheritance_an_endpoint_that_is_missing_is_missing() {
    let findings = inheriting(json!({"inheritFrom": ""})).import().unwrap_err();
    let missing: Vec<_> = findings
        .iter()
        .filter(|finding| finding.code == "field_missing")
        .collect();
    assert_eq!(missing.len(), 2, "{findings:?}");
    assert!(missing[0].message.contains("authenticationUrl"));
    assert!(missing[1].message.contains("tokenUrl") && missing[1].cure.contains("inheritFrom"));
}

#[test]
fn scopes_of_its_own_ask_for_no_further_tokens_of_the_provider() {
    let inherited = passport(json!({"inheritFrom": "slack"}));
    let own = passport(json!({"inheritFrom": "slack", "scope": "chat:write"}));
    assert_eq!(inherited.slots.len(), own.slots.len());
    assert!(own.slots.iter().all(|slot| slot.scopes.is_empty()));
    assert_eq!(own.scopes, ["chat:write"]);
}

#[test]
fn the_flat_form_inherits_too() {
    let flat = json!({"name": "my-saas-connector", "authenticationType": "OAuth", "clientId": "c-1", "baseProvider": "google"});
    let mut case = Case::my_saas()
        .without(PASSPORT)
        .with(CONSULATE, "/passports", json!({}));
    case.files.push((PASSPORT, flat));
    assert_eq!(
        case.accepted().passports[0].token_url,
        "https://oauth2.googleapis.com/token"
    );
}
