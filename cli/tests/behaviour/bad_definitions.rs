//! Definitions that are refused with their field named, and leave nothing behind.

use consulate::operator::report::{Outcome, Report};
use serde_json::json;

use crate::room::{Bundle, Room};

const PASSPORT: &str = "passport/my-saas-connector.json";

/// Imports, expects a refusal that names `wanted`, and that nothing is stored.
async fn refused(room: &Room, bundle: &Bundle, wanted: &str) -> Report {
    let secrets = room.running.data_dir.join("secrets.json");
    let before = (room.items().await, std::fs::read(&secrets).unwrap());
    let report = room
        .import(bundle.path(), |arguments| arguments.accept = true)
        .await;
    let after = (room.items().await, std::fs::read(&secrets).unwrap());
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert!(before == after, "a refusal stored something");
    assert!(report.text.contains(wanted), "{wanted}: {}", report.text);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_definition_is_refused_with_its_field_named_and_nothing_is_stored() {
    let room = Room::new().await;
    let metadata = "/customApplicationInfo/metadata";
    let settings = "/passports/my-saas-connector";
    let url = "/authenticatedApis/0/url";
    let cases = [
        // Missing addresses.
        (
            PASSPORT,
            format!("{metadata}/authenticationUrl"),
            json!(null),
            "metadata.authenticationUrl",
        ),
        (
            PASSPORT,
            format!("{metadata}/tokenUrl"),
            json!(null),
            "metadata.tokenUrl",
        ),
        (
            "schema.json",
            url.to_owned(),
            json!(null),
            "authenticatedApis[0].url",
        ),
        // The wrong scheme.
        (
            PASSPORT,
            format!("{metadata}/tokenUrl"),
            json!("http://auth.my-saas.com/t"),
            "metadata.tokenUrl",
        ),
        (
            "schema.json",
            url.to_owned(),
            json!("http://api.my-saas.com/"),
            "authenticatedApis[0].url",
        ),
        (
            "consulate.json",
            format!("{settings}/revocation_url"),
            json!("http://x.example/"),
            "revocation_url",
        ),
        // Placeholders nobody fills.
        (
            "schema.json",
            url.to_owned(),
            json!("https://api.my-saas.com/{nobody}"),
            "authenticatedApis[0].url",
        ),
        (
            "schema.json",
            "/authenticatedApis/0/headers/X".to_owned(),
            json!("{nobody}"),
            "headers.X",
        ),
        (
            "schema.json",
            "/authenticatedApis/2/body/title".to_owned(),
            json!("{param.a b}"),
            "body.title",
        ),
        (
            PASSPORT,
            format!("{metadata}/tokenUrl"),
            json!("https://{param.x}.my-saas.com/t"),
            "metadata.tokenUrl",
        ),
        // PKCE.
        (
            "consulate.json",
            format!("{settings}/pkce"),
            json!("plain"),
            "my-saas-connector.pkce",
        ),
        (
            "consulate.json",
            format!("{settings}/authorize_params"),
            json!({"code_challenge_method": "plain"}),
            "authorize_params",
        ),
        // Addresses inside a network.
        (
            PASSPORT,
            format!("{metadata}/tokenUrl"),
            json!("https://169.254.169.254/t"),
            "metadata.tokenUrl",
        ),
        (
            PASSPORT,
            format!("{metadata}/profileUrl"),
            json!("https://[::ffff:10.0.0.1]/"),
            "metadata.profileUrl",
        ),
        (
            "schema.json",
            url.to_owned(),
            json!("https://0x7f.1/"),
            "authenticatedApis[0].url",
        ),
        (
            "schema.json",
            url.to_owned(),
            json!("https://2130706433/"),
            "authenticatedApis[0].url",
        ),
        (
            "consulate.json",
            format!("{settings}/api_hosts"),
            json!(["localhost"]),
            "api_hosts",
        ),
        (
            "consulate.json",
            format!("{settings}/host_patterns"),
            json!(["*.corp.internal"]),
            "host_patterns",
        ),
    ];
    for (file, pointer, value, field) in cases {
        let bundle = Bundle::of("my-saas");
        bundle.set(
            PASSPORT,
            &format!("{metadata}/clientSecret"),
            json!("a-real-secret"),
        );
        bundle.set(file, &pointer, value);
        let report = refused(&room, &bundle, field).await;
        let finding = &report.json["findings"][0];
        assert_eq!(finding["file"], file, "{pointer}: {finding}");
        assert!(finding["line"].is_number(), "{pointer}: {finding}");
        assert!(!report.text.contains("a-real-secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_megabyte_is_refused_by_name_and_nothing_is_stored() {
    let room = Room::new().await;
    for file in ["schema.json", "consulate.json", PASSPORT] {
        let bundle = Bundle::of("my-saas");
        bundle.set(file, "/description", json!("x".repeat(1_000_000)));
        let report = refused(&room, &bundle, file).await;
        assert_eq!(
            report.json["findings"][0]["code"], "bundle_too_large",
            "{file}"
        );
        assert_eq!(report.json["findings"][0]["file"], file);
        assert!(report.text.contains("512 KiB"));
    }
}
