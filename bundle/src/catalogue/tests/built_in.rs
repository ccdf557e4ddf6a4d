//! Every entry compiled in, by the same checks as an operator's file and some more.

use std::collections::BTreeSet;

use consulate_core::passport::{Credential, Inject, PinnedKind, RefreshRotation};
use consulate_fakes::simulators::Simulators;

use super::*;
use crate::catalogue::{checks, placeholder};

/// Every passport of the Appspace page, and what else is played by a simulator.
const IDS: [&str; 30] = [
    "box",
    "entra-id",
    "facebook",
    "google",
    "google-drive",
    "google-meet",
    "happeo",
    "instagram",
    "microsoft",
    "microsoft-calendar-permission",
    "microsoft-presence",
    "microsoft-teams",
    "microsoft-teams-conferencing",
    "powerbi",
    "salesforce",
    "servicenow",
    "sharepoint",
    "sharepoint-intranet",
    "sharepoint-publishing",
    "slack",
    "tableau",
    "viva-engage",
    "webex-conferencing",
    "webex-meetings",
    "webex-teams",
    "workplace",
    "x",
    "zoom",
    "zoom-conferencing",
    "zoom-server",
];

#[test]
fn every_provider_of_the_page_has_an_entry() {
    let catalogue = built_in();
    let ids: Vec<&str> = catalogue
        .entries()
        .iter()
        .map(|entry| entry.id.as_str())
        .collect();
    assert_eq!(ids, IDS);
}

#[test]
fn no_entry_says_what_none_may_say() {
    let catalogue = built_in();
    let entries = catalogue.entries().iter();
    let faults: Vec<_> = entries
        .flat_map(|entry| checks::faults(&format!("{}.toml", entry.family), entry))
        .collect();
    assert!(faults.is_empty(), "{}", lines(&faults));
}

#[test]
fn a_file_is_named_after_its_family() {
    for (family, text) in FILES {
        let (file, entries) = File::parse(family, text).unwrap();
        assert_eq!(file.family, family);
        assert!(file.name.is_some() && !file.notes.is_empty(), "{family}");
        assert!(!entries.is_empty() && text.len() < 256 * 1024, "{family}");
    }
    let families: BTreeSet<_> = FILES.iter().map(|(family, _)| *family).collect();
    assert!(
        families
            .iter()
            .copied()
            .eq(Simulators::FAMILIES.iter().copied())
    );
}

#[test]
fn every_active_entry_tells_how_to_set_it_up_and_lets_no_caller_send_a_token() {
    for entry in built_in()
        .entries()
        .iter()
        .filter(|entry| entry.retired().is_none())
    {
        let id = &entry.id;
        assert!(!entry.setup.is_empty(), "{id}");
        assert!(
            entry
                .reserved_params
                .iter()
                .any(|name| name == "access_token"),
            "{id}"
        );
        assert!(matches!(entry.inject, Inject::Header { .. }), "{id}");
    }
}

#[test]
fn every_entry_resolves_with_its_examples_and_leaves_no_variable_behind() {
    for entry in built_in()
        .entries()
        .iter()
        .filter(|entry| entry.retired().is_none())
    {
        let id = &entry.id;
        let settings = PassportSettings {
            id: "p".into(),
            client_id: if entry.credential.has_client() {
                "c".into()
            } else {
                String::new()
            },
            variables: entry.example_variables(),
            ..PassportSettings::default()
        };
        let passport = entry
            .passport(&settings)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(passport.slots.len(), entry.slots.len(), "{id}");
        let text = serde_json::to_string(&passport).unwrap();
        let left: Vec<&str> = entry
            .variables
            .iter()
            .map(|variable| variable.name.as_str())
            .filter(|name| text.contains(&format!("{{{name}}}")))
            .collect();
        assert!(left.is_empty(), "{id}: {left:?}");
        // What a passport of a stored entry is made of is what this one is made of.
        let stored: Entry = serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap();
        assert_eq!(&stored, entry, "{id}");
        // Whatever a probe names, the passport permits.
        let probe = entry.probe.as_ref().unwrap();
        let url = placeholder::names(&probe.url).fold(probe.url.clone(), |url, name| {
            let field = name.strip_prefix("connection.AUTHKEY.").unwrap();
            assert!(entry.may_pin(field), "{id}: {field}");
            let value = passport
                .variables
                .get(field)
                .map_or("pinned", String::as_str);
            url.replace(&format!("{{{name}}}"), value)
        });
        if let Some(rest) = url.strip_prefix("https://") {
            let host = rest.split(['/', '?']).next().unwrap();
            assert!(passport.allows_host(host, false), "{id}: {host}");
            assert!(entry.may_call(host), "{id}: {host}");
        } else {
            let origin =
                |field: &consulate_core::passport::PinnedField| field.kind == PinnedKind::Origin;
            assert!(entry.pinned.iter().any(origin), "{id}: {url}");
        }
    }
}

#[test]
fn every_host_of_an_entry_is_played_by_the_simulator_of_its_family() {
    let catalogue = built_in();
    let active = catalogue
        .entries()
        .iter()
        .filter(|entry| entry.retired().is_none());
    for entry in active {
        let settings = PassportSettings {
            id: "p".into(),
            client_id: if entry.credential.has_client() {
                "c".into()
            } else {
                String::new()
            },
            variables: entry.example_variables(),
            ..PassportSettings::default()
        };
        let passport = entry.passport(&settings).unwrap();
        let exchanges = [&passport.long_lived, &passport.renewal];
        let exchanges = exchanges
            .into_iter()
            .flatten()
            .map(|exchange| exchange.url.clone());
        let addresses = [passport.authorize_url.clone(), passport.token_url.clone()]
            .into_iter()
            .chain(passport.revocation_url.clone())
            .chain(passport.profile.as_ref().map(|profile| profile.url.clone()))
            .chain(exchanges);
        let hosts = addresses
            .filter(|address| !address.is_empty())
            .map(|address| address.split('/').nth(2).unwrap().to_owned());
        for host in hosts.chain(passport.api_hosts.clone()) {
            let family = Simulators::family_of_host(&host);
            assert_eq!(family, Some(entry.family.as_str()), "{}: {host}", entry.id);
        }
    }
}

#[test]
fn what_is_odd_about_a_provider_is_in_its_entry() {
    let catalogue = built_in();
    let entry = |id: &str| catalogue.get(id).unwrap();
    let single_use = |id: &str| entry(id).refresh_rotation == RefreshRotation::SingleUse;
    // Where replaying a refresh token would end the grant, or nobody knows.
    for id in [
        "box",
        "happeo",
        "salesforce",
        "servicenow",
        "slack",
        "webex-teams",
        "x",
        "zoom",
    ] {
        assert!(single_use(id), "{id}");
    }
    for id in [
        "google",
        "google-drive",
        "microsoft",
        "sharepoint",
        "viva-engage",
    ] {
        assert!(!single_use(id), "{id}");
    }
    // PKCE is left off where it does harm or is not known, and nowhere else.
    let off = catalogue
        .entries()
        .iter()
        .filter(|entry| entry.pkce_off_because.is_some());
    assert!(
        off.map(|entry| entry.id.as_str())
            .eq(["facebook", "instagram", "slack"])
    );
    assert_eq!(entry("slack").scope_separator, ",");
    assert_eq!(entry("tableau").credential, Credential::PersonalAccessToken);
    assert_eq!(
        entry("zoom-server").token_params["grant_type"],
        "account_credentials"
    );
    // A credential never goes to hosts that only look like the provider's.
    let salesforce = entry("salesforce");
    assert!(!salesforce.host_patterns.iter().any(|pattern| {
        consulate_core::passport::host_matches(pattern, "acme.lightning.force.com")
    }));
    for entry in catalogue
        .entries()
        .iter()
        .filter(|entry| entry.family == "microsoft")
    {
        assert!(
            entry.scope_on_refresh && entry.revocation_url.is_none(),
            "{}",
            entry.id
        );
        assert!(
            entry.scopes.iter().any(|scope| scope == "offline_access"),
            "{}",
            entry.id
        );
    }
}

#[test]
fn an_entry_is_found_by_id_and_alias_in_any_case() {
    let catalogue = built_in();
    for (asked, id) in [
        ("google", "google"),
        ("google-calendar", "google"),
        ("Microsoft", "microsoft"),
        ("Twitter", "x"),
        ("yammer", "viva-engage"),
        ("power-bi", "powerbi"),
    ] {
        assert_eq!(catalogue.get(asked).unwrap().id, id);
    }
    assert!(catalogue.get("nobody").is_none());
}

#[test]
fn a_misspelled_id_is_answered_with_the_nearest_and_a_strange_one_with_none() {
    let catalogue = built_in();
    for (asked, id) in [
        ("gogle", "google"),
        ("Gooogle", "google"),
        ("micro-soft", "microsoft"),
        ("hapeo", "happeo"),
        ("sales-force", "salesforce"),
        ("twiter", "x"),
    ] {
        assert_eq!(catalogue.suggest(asked), Some(id), "{asked}");
    }
    for asked in ["", "q", "dropbox-business", "a-service-of-our-own"] {
        assert_eq!(catalogue.suggest(asked), None, "{asked}");
    }
}

#[test]
fn a_bundle_may_call_the_hosts_of_an_entry_and_those_its_variables_can_make() {
    let catalogue = built_in();
    let may = |id: &str, host: &str| catalogue.get(id).unwrap().may_call(host);
    for (id, host) in [
        ("google", "www.googleapis.com"),
        ("sharepoint", "contoso.sharepoint.com"),
        ("servicenow", "acme.service-now.com"),
        // On a domain of one's own: the operator agrees, or it is refused when the passport is made.
        ("servicenow", "helpdesk.acme.example"),
        ("tableau", "dub01.online.tableau.com"),
        ("salesforce", "acme--uat.sandbox.my.salesforce.com"),
    ] {
        assert!(may(id, host), "{id}: {host}");
    }
    for (id, host) in [
        ("google", "evil.example"),
        ("google", "www.googleapis.com:8443"),
        ("sharepoint", "sharepoint.com"),
        ("sharepoint", "a.b.sharepoint.com"),
        ("sharepoint", "contosoXsharepoint.com"),
        ("servicenow", "127.0.0.1"),
        ("servicenow", "localhost"),
        ("servicenow", "10.0.0.1:443"),
        ("salesforce", "acme.lightning.force.com"),
        ("salesforce", "login.salesforce.com.evil.example"),
        ("workplace", "graph.facebook.com"),
    ] {
        assert!(!may(id, host), "{id}: {host}");
    }
}

#[test]
fn fields_of_a_connection_are_variables_and_what_the_reply_brings() {
    let catalogue = built_in();
    let may = |id: &str, field: &str| catalogue.get(id).unwrap().may_pin(field);
    assert!(may("salesforce", "instance_url") && may("salesforce", "login_host"));
    assert!(may("tableau", "site_id") && may("tableau", "host"));
    assert!(!may("google", "instance_url") && !may("salesforce", "access_token"));
}
