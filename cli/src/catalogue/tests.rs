//! The catalogue as compiled in, entry by entry, and what a broken file is answered with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use url::Url;

use super::*;

fn built_in() -> Catalogue {
    Catalogue::built_in().unwrap()
}

#[test]
fn every_entry_is_complete_and_speaks_https() {
    let catalogue = built_in();
    assert!(catalogue.entries().len() >= 3);
    for entry in catalogue.entries() {
        let id = &entry.id;
        assert!(
            crate::bundle::is_id(id) && !entry.name.is_empty() && !entry.family.is_empty(),
            "{id}"
        );
        assert!(
            entry
                .aliases
                .iter()
                .all(|alias| crate::bundle::is_id(alias)),
            "{id}"
        );
        let addresses = [
            Some(&entry.authorize_url),
            Some(&entry.token_url),
            entry.revocation_url.as_ref(),
        ];
        let profile = entry.profile.as_ref().map(|profile| &profile.url);
        for address in addresses.into_iter().chain([profile]).flatten() {
            let url = Url::parse(address).unwrap();
            assert!(
                url.scheme() == "https" && url.fragment().is_none() && !address.contains('{'),
                "{id}: {address}"
            );
        }
        assert!(!entry.api_hosts.is_empty(), "{id}");
        for host in &entry.api_hosts {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert_eq!(
                url.host_str().unwrap(),
                host,
                "{id}: lower case, no path, no usual port"
            );
        }
        if let Some(profile) = &entry.profile {
            let paths = [&profile.id_path, &profile.email_path, &profile.name_path];
            assert!(
                paths.iter().all(|path| path
                    .as_ref()
                    .is_none_or(|path| serde_json_path::JsonPath::parse(path).is_ok())),
                "{id}"
            );
        }
        assert!(
            !entry.sources.is_empty() && entry.sources.iter().all(|source| !source.is_empty()),
            "{id}"
        );
        assert!(
            entry
                .reserved_params
                .iter()
                .any(|name| name == "access_token"),
            "{id}"
        );
        assert!(!entry.scopes.is_empty(), "{id}");
    }
}

#[test]
fn an_entry_is_found_by_id_and_alias_in_any_case() {
    let catalogue = built_in();
    for (asked, id) in [
        ("google", "google"),
        ("google-calendar", "google"),
        ("Microsoft", "microsoft"),
        ("happeo", "happeo"),
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
    ] {
        assert_eq!(catalogue.suggest(asked), Some(id), "{asked}");
    }
    for asked in ["", "x", "salesforce", "a-service-of-our-own"] {
        assert_eq!(catalogue.suggest(asked), None, "{asked}");
    }
}

#[test]
fn the_distance_counts_insertions_deletions_and_replacements() {
    for (one, other, far) in [
        ("", "", 0),
        ("abc", "abc", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
    ] {
        assert_eq!(distance(one, other), far, "{one} {other}");
    }
}

#[test]
fn a_passport_takes_the_entrys_facts_and_the_operators_settings() {
    let catalogue = built_in();
    let google =
        catalogue
            .get("google")
            .unwrap()
            .passport("acme-google", "client-1", Vec::new(), None);
    assert_eq!(
        (
            google.id.as_str(),
            google.client_id.as_str(),
            google.name.as_str()
        ),
        ("acme-google", "client-1", "Google Calendar")
    );
    assert_eq!(google.authorize_params["access_type"], "offline");
    assert!(google.revocation_per_user && google.revocation_cascades);
    assert_eq!(google.refresh_rotation, RefreshRotation::Reusable);
    let scopes = vec!["Calendars.Read.Shared".to_owned()];
    let graph =
        catalogue
            .get("microsoft")
            .unwrap()
            .passport("g", "c", scopes.clone(), Some("Graph"));
    assert_eq!(
        (graph.scopes, graph.name.as_str(), graph.scope_on_refresh),
        (scopes, "Graph", true)
    );
    assert_eq!(graph.revocation_url, None);
    let happeo = catalogue
        .get("happeo")
        .unwrap()
        .passport("h", "c", Vec::new(), None);
    assert_eq!(happeo.refresh_rotation, RefreshRotation::SingleUse);
    assert_eq!(
        (happeo.pkce_off_because, happeo.browser_delivery),
        (None, false)
    );
    assert_eq!(happeo.scope_separator, " ");
}

const ENTRY: &str = r#"
family = "f"
[[provider]]
id = "a"
name = "A"
authorize_url = "https://a.example/authorize"
token_url = "https://a.example/token"
api_hosts = ["a.example"]
confidence = "unverified"
sources = ["none"]
"#;

#[test]
fn a_file_with_an_unknown_key_or_without_a_source_is_refused() {
    assert!(Catalogue::parse([("a.toml", ENTRY)]).is_ok());
    let typo = format!("{ENTRY}refresh_rotatoin = \"reusable\"\n");
    let error = Catalogue::parse([("a.toml", typo.as_str())]).unwrap_err();
    assert!(error.to_string().contains("a.toml") && error.to_string().contains("refresh_rotatoin"));
    let unsourced = ENTRY.replace("sources = [\"none\"]", "");
    assert!(Catalogue::parse([("a.toml", unsourced.as_str())]).is_err());
}

#[test]
fn two_entries_cannot_answer_to_the_same_name() {
    let alias = ENTRY.replace("id = \"a\"", "id = \"b\"\naliases = [\"A\"]");
    let error = Catalogue::parse([("a.toml", ENTRY), ("b.toml", alias.as_str())]).unwrap_err();
    assert!(matches!(error, Error::Ambiguous(name) if name == "A"));
}
