//! Passports as entries and settings make them.

use std::collections::BTreeMap;

use consulate_core::passport::{ClientAuthentication, Passport, RefreshRotation};

use super::*;

fn settings(variables: &[(&str, &str)]) -> PassportSettings {
    PassportSettings {
        id: "p".into(),
        client_id: "client-1".into(),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..PassportSettings::default()
    }
}

fn made(provider: &str, settings: &PassportSettings) -> Result<Passport, Refused> {
    built_in().get(provider).unwrap().passport(settings)
}

#[track_caller]
fn refused(provider: &str, settings: &PassportSettings) -> Refused {
    match made(provider, settings) {
        Err(refused) => refused,
        Ok(_) => panic!("accepted: {provider} {settings:?}"),
    }
}

#[test]
fn an_operator_chooses_how_the_client_proves_itself_where_there_is_one() {
    let chosen = |how| PassportSettings {
        client_authentication: Some(how),
        ..settings(&[])
    };
    let signs = ClientAuthentication::PrivateKeyJwt;
    let passport = made("microsoft", &chosen(signs)).unwrap();
    assert_eq!(passport.client_authentication, signs);
    assert!(passport.has_client_secret());
    let basic = made("slack", &settings(&[])).unwrap();
    assert_eq!(basic.client_authentication, ClientAuthentication::Basic);
    for provider in ["facebook", "instagram"] {
        assert_eq!(
            refused(provider, &chosen(signs)).field,
            "client_authentication"
        );
    }
    let typed = PassportSettings {
        client_id: String::new(),
        ..chosen(signs)
    };
    let refusal = refused("tableau", &typed);
    assert_eq!(refusal.field, "client_authentication");
    assert!(refusal.message.contains("has no OAuth client"));
}

#[test]
fn a_passport_takes_the_entrys_facts_and_the_operators_settings() {
    let google = made("google", &settings(&[])).unwrap();
    assert_eq!(
        (
            google.id.as_str(),
            google.client_id.as_str(),
            google.name.as_str(),
            google.provider.as_str()
        ),
        ("p", "client-1", "Google Calendar", "google")
    );
    assert_eq!(google.authorize_params["access_type"], "offline");
    assert!(google.revocation_per_user && google.revocation_cascades && !google.browser_delivery);
    assert_eq!(google.refresh_rotation, RefreshRotation::Reusable);
    assert_eq!(google.scopes, built_in().get("google").unwrap().scopes);
    let asked = PassportSettings {
        scopes: vec!["Calendars.Read.Shared".into()],
        name: Some("Graph".into()),
        ..settings(&[])
    };
    let graph = made("office365", &asked).unwrap();
    assert_eq!(
        (graph.scopes, graph.name.as_str(), graph.provider.as_str()),
        (asked.scopes, "Graph", "microsoft")
    );
}

#[test]
fn a_variable_without_a_value_takes_its_default() {
    let passport = made("microsoft", &settings(&[])).unwrap();
    assert_eq!(
        passport.token_url,
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"
    );
    let tenant = "0f9e8d7c-1111-2222-3333-444455556666";
    let passport = made("microsoft", &settings(&[("tenant", tenant)])).unwrap();
    assert!(
        passport
            .authorize_url
            .contains(&format!("/{tenant}/oauth2/"))
    );
    assert_eq!(passport.variables["tenant"], tenant);
}

#[test]
fn a_needed_variable_is_asked_for_by_name() {
    let refusal = refused("servicenow", &settings(&[]));
    assert_eq!(refusal.field, "instance");
    assert!(
        refusal
            .message
            .contains("--set instance=acme.service-now.com"),
        "{refusal}"
    );
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_so_is_one_that_nothing_needs() {
    for (provider, name, value) in [
        ("microsoft", "tenant", "evil.example/x"),
        ("microsoft", "tenant", ".."),
        ("microsoft", "tenant", "contoso.onmicrosoft.com?x"),
        ("microsoft", "tenant", ""),
        ("microsoft", "tennant", "organizations"),
        ("google", "tenant", "organizations"),
        ("sharepoint", "sharepoint_tenant", "contoso.sharepoint.com"),
        ("sharepoint", "sharepoint_tenant", "evil.example/"),
        ("salesforce", "login_host", "acme.lightning.force.com"),
        (
            "salesforce",
            "login_host",
            "login.salesforce.com.evil.example",
        ),
        ("salesforce", "login_host", "evil.example"),
        ("facebook", "version", "v22"),
        ("zoom-server", "account_id", "a/b"),
    ] {
        let refusal = refused(provider, &settings(&[(name, value)]));
        assert_eq!(refusal.field, name, "{provider} {value}");
    }
}

#[test]
fn a_host_of_ones_own_is_taken_once_agreed_to_and_an_address_never() {
    let own = settings(&[("instance", "helpdesk.acme.example")]);
    let refusal = refused("servicenow", &own);
    assert!(refusal.message.contains("--accept"), "{refusal}");
    let agreed = PassportSettings {
        accept: true,
        ..own
    };
    let passport = made("servicenow", &agreed).unwrap();
    assert_eq!(passport.api_hosts, ["helpdesk.acme.example"]);
    assert_eq!(
        passport.token_url,
        "https://helpdesk.acme.example/oauth_token.do"
    );
    for host in [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "a.internal",
        "Acme.example",
        "a.example:80",
        "a.example/x",
        "169.254.169.254",
    ] {
        let settings = PassportSettings {
            accept: true,
            ..settings(&[("instance", host)])
        };
        assert_eq!(refused("servicenow", &settings).field, "instance", "{host}");
    }
}

#[test]
fn what_needs_an_unset_variable_is_left_out() {
    let plain = made("sharepoint", &settings(&[])).unwrap();
    assert!(plain.slots.is_empty());
    assert_eq!(plain.api_hosts, ["graph.microsoft.com"]);
    let both = made("sharepoint", &settings(&[("sharepoint_tenant", "contoso")])).unwrap();
    assert_eq!(
        both.api_hosts,
        ["graph.microsoft.com", "contoso.sharepoint.com"]
    );
    assert_eq!(
        both.slots[0].scopes,
        ["https://contoso.sharepoint.com/.default", "offline_access"]
    );
    assert_eq!(both.slots[0].api_hosts, ["contoso.sharepoint.com"]);
    let wished = PassportSettings {
        slot_scopes: BTreeMap::from([("sharepoint".into(), vec!["x".into()])]),
        ..settings(&[])
    };
    assert_eq!(refused("sharepoint", &wished).field, "sharepoint");
}

#[test]
fn a_slots_scopes_are_the_operators_where_given() {
    let slack = made("slack", &settings(&[])).unwrap();
    assert!(slack.slots[0].scopes.is_empty());
    let asked = |slot: &str| PassportSettings {
        slot_scopes: BTreeMap::from([(slot.to_owned(), vec!["search:read".to_owned()])]),
        ..settings(&[])
    };
    assert_eq!(
        made("slack", &asked("user")).unwrap().slots[0].scopes,
        ["search:read"]
    );
    assert!(refused("slack", &asked("bot")).message.contains("user"));
    assert_eq!(refused("google", &asked("user")).field, "user");
}

#[test]
fn a_client_id_is_given_where_there_is_a_client_and_nowhere_else() {
    let without = |variables| PassportSettings {
        client_id: " ".into(),
        ..settings(variables)
    };
    assert_eq!(refused("slack", &without(&[])).field, "client_id");
    let account = [("account_id", "AbCdEfGhIjKl")];
    assert_eq!(
        refused("zoom-server", &without(&account)).field,
        "client_id"
    );
    let host = [("host", "dub01.online.tableau.com")];
    assert!(made("tableau", &without(&host)).is_ok());
    assert_eq!(refused("tableau", &settings(&host)).field, "client_id");
}

#[test]
fn a_retired_provider_makes_no_passport_and_says_why() {
    let refusal = refused("workplace", &settings(&[]));
    assert_eq!(refusal.field, "provider");
    assert!(refusal.message.contains("1 June 2026"), "{refusal}");
}

#[test]
fn placeholders_are_filled_everywhere_and_fields_of_the_reply_are_left() {
    let tableau = built_in()
        .get("tableau")
        .unwrap()
        .passport(&PassportSettings {
            id: "t".into(),
            variables: BTreeMap::from([("host".into(), "dub01.online.tableau.com".into())]),
            ..PassportSettings::default()
        });
    let tableau = tableau.unwrap();
    assert_eq!(
        tableau.profile.unwrap().url,
        "https://dub01.online.tableau.com/api/3.26/sites/{site_id}/users/{user_id}"
    );
    assert_eq!(
        tableau.revocation_url.as_deref(),
        Some("https://dub01.online.tableau.com/api/3.26/auth/signout")
    );
    let facebook = made("facebook", &settings(&[("version", "v25.0")])).unwrap();
    assert_eq!(
        facebook.long_lived.unwrap().url,
        "https://graph.facebook.com/v25.0/oauth/access_token"
    );
    let zoom = made("zoom-server", &settings(&[("account_id", "AbCdEfGhIjKl")])).unwrap();
    assert_eq!(zoom.token_params["account_id"], "AbCdEfGhIjKl");
}

#[test]
fn whatever_a_pattern_lets_in_a_value_stays_in_its_place() {
    let loose = |value: &str| {
        let catalogue = built_in();
        let mut entry = catalogue.get("servicenow").unwrap().clone();
        entry.variables[0].pattern = "^.*$".into();
        entry.passport(&settings(&[("instance", value)]))
    };
    assert!(loose("acme.service-now.com").is_ok());
    for value in [
        "evil.example/x",
        "evil.example?",
        "a@evil.example",
        "127.0.0.1",
        "localhost",
        "..",
        "a..b",
        "",
        "EVIL.example",
        "a b",
    ] {
        assert!(loose(value).is_err(), "{value}");
    }
}
