//! An operator's own entries: a bad file stores nothing and says where it is bad; a good one serves like a built-in one.

use consulate::operator::report::{Outcome, Report};
use consulate_flows::own::{BASIC, ENTRIES, HEADER, MACHINE, Own, QUERY, done};
use serde_json::{Value, json};

/// Whether a file is refused, names `named`, and changes nothing.
async fn is_refused(own: &Own, entries: &str, flags: &[&str], named: &str) -> Report {
    let before = own.items().await;
    let report = own.add_providers(entries, flags).await;
    assert_eq!(report.outcome, Outcome::Refused, "{named}: {}", report.text);
    assert!(report.text.contains(named), "no {named} in {}", report.text);
    assert!(
        own.items().await == before,
        "{named}: a refusal changed something"
    );
    report
}

/// The field of the first fault.
fn field(report: &Report) -> &Value {
    &report.json["faults"][0]["field"]
}

#[tokio::test]
async fn a_bad_file_is_refused_with_the_field_named_and_nothing_stored() {
    let own = Own::bare().await;
    for (was, is, named) in [
        // Plain http, addresses, private names.
        (
            "https://login.acme.example/oauth/token",
            "http://login.acme.example/oauth/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/authorize",
            "http://login.acme.example/a",
            "authorize_url",
        ),
        (
            "https://login.acme.example/oauth/revoke",
            "http://login.acme.example/r",
            "revocation_url",
        ),
        (
            "https://api.acme.example/v1/me\"\nid_path",
            "http://api.acme.example/v1/me\"\nid_path",
            "profile.url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://127.0.0.1/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://10.0.0.7/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://[::1]/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://169.254.169.254/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://localhost/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://metadata.google.internal/token",
            "token_url",
        ),
        (
            "https://login.acme.example/oauth/token",
            "https://user@login.acme.example/token",
            "token_url",
        ),
        (
            "api_hosts = [\"api.acme.example\"]",
            "api_hosts = [\"10.0.0.7\"]",
            "api_hosts",
        ),
        (
            "api_hosts = [\"api.acme.example\"]",
            "api_hosts = [\"*.acme.example\"]",
            "api_hosts",
        ),
        (
            "api_hosts = [\"api.acme.example\"]",
            "api_hosts = []",
            "api_hosts",
        ),
        // Placeholders that nothing fills.
        (
            "https://login.acme.example/oauth/token",
            "https://{tenant}.acme.example/token",
            "token_url",
        ),
        (
            "https://api.acme.example/v1/me\"\nid_path",
            "https://api.acme.example/{who}\"\nid_path",
            "profile.url",
        ),
        // What is missing, or does not belong.
        (
            "token_url = \"https://login.acme.example/oauth/token\"\nrevocation",
            "revocation",
            "token_url",
        ),
        (
            "authorize_url = \"https://login.acme.example/oauth/authorize\"\n",
            "",
            "authorize_url",
        ),
        (
            "credential = \"basic\"",
            "credential = \"basic\"\ntoken_url = \"https://login.acme.example/t\"",
            "token_url",
        ),
        (
            "credential = \"basic\"",
            "credential = \"basic\"\nclient_authentication = \"none\"",
            "client_authentication",
        ),
        (
            "inject = { query = \"key\" }\nreserved_params = [\"key\"]",
            "inject = { query = \"key\" }",
            "inject.query",
        ),
        (
            "inject = { header = \"X-Api-Key\" }",
            "inject = { header = \"Host\" }",
            "inject.header",
        ),
        (
            "inject = { header = \"X-Api-Key\" }",
            "inject = { header = \"Cookie\" }",
            "inject.header",
        ),
        (
            "inject = { header = \"X-Api-Key\" }",
            "inject = { header = \"X Api\" }",
            "inject.header",
        ),
        ("id = \"acme-header\"", "id = \"Acme Header\"", "id"),
    ] {
        let bad = ENTRIES.replace(was, is);
        assert_ne!(bad, ENTRIES, "{was}");
        let report = is_refused(&own, &bad, &["--accept"], named).await;
        assert_eq!(field(&report), named, "{}", report.json);
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_and_nothing_stored() {
    let own = Own::bare().await;
    let with = |line: &str| {
        ENTRIES.replace(
            "id = \"acme-consent\"",
            &format!("id = \"acme-consent\"\n{line}"),
        )
    };
    for (entries, named) in [
        // PKCE is S256 or explained away.
        (with("pkce = \"plain\""), "pkce"),
        (with("pkce_method = \"plain\""), "pkce_method"),
        (
            with("code_challenge_method = \"plain\""),
            "code_challenge_method",
        ),
        (
            with("authorize_params = { code_challenge_method = \"plain\" }"),
            "authorize_params",
        ),
        (with("credential = \"magic\""), "credential"),
        (with("api_hosts = \"api.acme.example\""), "acme-consent"),
        (
            with("client_secret = \"canary-client-secret\""),
            "client_secret",
        ),
        (ENTRIES.replace("family = \"acme\"\n", ""), "family"),
        (
            format!("{ENTRIES}\n# {}", "x".repeat(1024 * 1024)),
            "256 KiB",
        ),
        (String::new(), "family"),
        ("{\"family\": \"acme\"}".to_owned(), "entries.toml"),
        ("family = \"acme\"\nprovider = []".to_owned(), "no provider"),
        (
            ENTRIES.replace("id = \"acme-query\"", "id = \"acme-header\""),
            "acme-header",
        ),
        (
            ENTRIES.replace(
                "name = \"Acme by query\"",
                "name = \"Q\"\naliases = [\"slack\"]",
            ),
            "slack",
        ),
    ] {
        let report = is_refused(&own, &entries, &["--accept"], named).await;
        assert!(report.text.len() < 8_192, "{named}: a long answer");
        assert!(!report.text.contains("canary"), "{}", report.text);
    }
    let nowhere = own
        .consulate(&["providers", "add", "/nowhere/entries.toml"])
        .await;
    assert_eq!(nowhere.outcome, Outcome::Refused, "{}", nowhere.text);
    assert!(nowhere.text.contains("/nowhere/entries.toml"));
}

#[tokio::test]
async fn one_bad_entry_keeps_the_good_ones_out() {
    let own = Own::bare().await;
    let bad = ENTRIES.replace(
        "https://login.acme.example/oauth/authorize",
        "http://x.example/a",
    );
    is_refused(&own, &bad, &[], "acme-consent").await;
    let listed = own.consulate(&["providers"]).await;
    assert!(
        !listed.json.to_string().contains("acme-"),
        "{}",
        listed.text
    );
    let report = own.add_passport(HEADER, &[]).await;
    assert_eq!(
        (report.outcome, &report.json["field"]),
        (Outcome::Refused, &json!("provider"))
    );
}

#[tokio::test]
async fn good_entries_are_listed_made_into_passports_and_bound_at_import() {
    let own = Own::start().await;
    let listed = own.consulate(&["providers"]).await;
    let listed = listed.json["providers"].as_array().unwrap().clone();
    for (id, credential) in [
        (HEADER, "api_key"),
        (QUERY, "api_key"),
        (BASIC, "basic"),
        (MACHINE, "client_credentials"),
    ] {
        let entry = listed.iter().find(|entry| entry["id"] == id).unwrap();
        assert_eq!(
            (&entry["own"], &entry["credential"]),
            (&json!(true), &json!(credential))
        );
    }
    assert!(
        listed
            .iter()
            .any(|entry| entry["id"] == "slack" && entry["own"] == false)
    );
    let passports = own.consulate(&["passports", "list"]).await;
    let passports = passports.json["passports"].as_array().unwrap().clone();
    let passport = passports
        .iter()
        .find(|passport| passport["id"] == QUERY)
        .unwrap();
    assert_eq!(
        (&passport["provider"], &passport["credential"]),
        (&json!(QUERY), &json!("api_key"))
    );
    assert_eq!(own.status("ada", QUERY).await["passport"], QUERY);

    // Made again as they are, nothing differs; changed, they are changed by consent only.
    done(&own.add_providers(ENTRIES, &[]).await);
    let changed = ENTRIES.replace("Acme by query", "Acme by question");
    let report = is_refused(&own, &changed, &[], "Acme by question").await;
    assert!(!report.json["differences"].as_array().unwrap().is_empty());
    done(&own.add_providers(&changed, &["--accept"]).await);
    let listed = own.consulate(&["providers"]).await.json.to_string();
    assert!(listed.contains("Acme by question"));
}

#[tokio::test]
async fn what_has_no_client_takes_no_client_and_no_client_secret() {
    let own = Own::start().await;
    let before = own.items().await;
    let report = own
        .add_passport(HEADER, &["--client-id", "c", "--accept"])
        .await;
    assert_eq!(
        (report.outcome, &report.json["field"]),
        (Outcome::Refused, &json!("client_id"))
    );
    let report = own.add_passport(MACHINE, &["--accept"]).await;
    assert_eq!(
        (report.outcome, &report.json["field"]),
        (Outcome::Refused, &json!("client_id"))
    );
    assert!(own.items().await == before);
    let secret = consulate_core::secret::SecretText::new(r#"{"client_secret":"canary-secret"}"#);
    let name = format!("passports/{HEADER}");
    let report = consulate::operator::set_secret(&own.dev.target, &name, &secret)
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert_eq!(own.dev.secrets.get(&format!("consulate/{name}")), None);
}

#[tokio::test]
async fn an_own_entry_stands_in_for_a_built_in_one_until_it_is_removed() {
    const OWN_BOX: &str = r#"
family = "box"

[[provider]]
id = "box"
name = "Our Box"
category = "Library"
credential = "api_key"
inject = { header = "X-Box" }
api_hosts = ["box.acme.example"]
confidence = "unverified"
sources = ["Acme's own pages"]
probe = { method = "GET", url = "https://box.acme.example/me" }
"#;
    let own = Own::bare().await;
    let box_of = async || {
        let listed = own.consulate(&["providers"]).await;
        let listed = listed.json["providers"].as_array().unwrap().clone();
        let mut found = listed.into_iter().filter(|entry| entry["id"] == "box");
        let entry = found.next().unwrap();
        assert_eq!(found.next(), None);
        (
            entry["name"].clone(),
            entry["credential"].clone(),
            entry["own"].clone(),
        )
    };
    let built_in = box_of().await;
    assert_eq!(built_in.1, "oauth2");
    let report = own.add_providers(OWN_BOX, &[]).await;
    done(&report);
    assert_eq!(report.json["replaced"], json!(["box"]));
    assert_eq!(
        box_of().await,
        (json!("Our Box"), json!("api_key"), json!(true))
    );
    done(&own.add_passport("box", &[]).await);
    let passports = own.consulate(&["passports", "list"]).await;
    assert_eq!(
        passports.json["passports"][0]["api_hosts"],
        json!(["box.acme.example"])
    );

    let passport = own.items().await["PASSPORT#box"].clone();
    done(&own.consulate(&["providers", "remove", "box"]).await);
    assert_eq!(box_of().await, built_in);
    // Passports made of it stay as they are.
    assert_eq!(own.items().await["PASSPORT#box"], passport);
    assert!(
        own.items()
            .await
            .keys()
            .all(|pk| !pk.starts_with("PROVIDER#"))
    );
    for id in ["box", "slack", "nothing"] {
        let report = own.consulate(&["providers", "remove", id]).await;
        assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    }
}
