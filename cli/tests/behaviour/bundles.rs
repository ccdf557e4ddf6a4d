//! Bundles from outside: `lint` and `pack` as commands, a packed archive imported, what a later import must ask for.

use std::path::Path;
use std::process::{Command, Output};

use consulate::operator::report::Outcome;
use consulate_core::definition::Passport;
use consulate_core::table;
use serde_json::{Value, json};

use crate::room::{Bundle, Room, fixture};

const PASSPORT: &str = "passport/my-saas-connector.json";

/// Runs the command in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_consulate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn codes(json: &Value) -> Vec<&str> {
    let findings = json["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

fn copy_of(bundle: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "schema.json",
        "consulate.json",
        PASSPORT,
        "widget.html",
        "widget.css",
        "js/widget.js",
    ] {
        let from = fixture(bundle).join(file);
        if from.exists() {
            let to = folder.path().join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
    }
    folder
}

#[test]
fn lint_ends_with_one_for_errors_and_with_zero_for_warnings() {
    let folder = copy_of("my-saas");
    let path = folder.path();
    let warned = run(path, &["lint", ".", "--json"]);
    assert_eq!(warned.status.code(), Some(0));
    let finding = &json_of(&warned)["findings"][0];
    for member in ["code", "severity", "file", "line", "message", "cure"] {
        assert!(finding.get(member).is_some(), "{member}: {finding}");
    }
    let code = "callAuthenticatedAPI('listProject', {method: 'GET'});";
    std::fs::write(path.join("js/widget.js"), code).unwrap();
    let scanned = run(path, &["lint", ".", "--json"]);
    assert_eq!(scanned.status.code(), Some(0));
    let said = json_of(&scanned);
    assert!(
        codes(&said).contains(&"call_api_unknown")
            && codes(&said).contains(&"call_not_only_params")
    );

    std::fs::remove_file(path.join(PASSPORT)).unwrap();
    let refused = run(path, &["lint", ".", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        json_of(&refused)["findings"][0]["code"],
        "passport_file_missing"
    );
    assert_eq!(run(path, &["lint"]).status.code(), Some(2));
}

#[test]
fn lint_knows_the_providers_of_an_operators_own_file() {
    let folder = copy_of("graph-calendar");
    let path = folder.path();
    let schema = std::fs::read_to_string(path.join("schema.json")).unwrap();
    let schema = schema
        .replace("\"microsoft\"", "\"acme\"")
        .replace("graph.microsoft.com", "api.acme.example");
    std::fs::write(path.join("schema.json"), schema).unwrap();
    assert_eq!(run(path, &["lint", "."]).status.code(), Some(1));
    let own = "family = \"acme\"\n[[provider]]\nid = \"acme\"\nname = \"Acme\"\ncategory = \"Calendar\"\n\
               authorize_url = \"https://id.acme.example/a\"\ntoken_url = \"https://id.acme.example/t\"\n\
               api_hosts = [\"api.acme.example\"]\nconfidence = \"vendor\"\nsources = [\"Acme's handbook\"]\n\
               setup = \"Register an app.\"\n[provider.probe]\nmethod = \"GET\"\nurl = \"https://api.acme.example/me\"\n";
    std::fs::write(path.join("own.toml"), own).unwrap();
    let linted = run(path, &["lint", ".", "--catalogue", "own.toml"]);
    assert_eq!(linted.status.code(), Some(0), "{linted:?}");
}

#[test]
fn pack_prints_what_went_in_and_what_did_not() {
    let folder = copy_of("my-saas");
    let path = folder.path();
    std::fs::write(path.join("README.md"), "x").unwrap();
    let packed = run(path, &["pack", ".", "--output", "out.zip", "--json"]);
    assert_eq!(packed.status.code(), Some(0));
    let said = json_of(&packed);
    let size = std::fs::metadata(path.join("out.zip")).unwrap().len();
    assert_eq!(said["size"], size);
    assert_eq!(said["sha256"].as_str().unwrap().len(), 64);
    assert!(
        said["files"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["path"] == PASSPORT)
    );
    let left = said["left_out"].as_array().unwrap();
    let reason = left
        .iter()
        .find(|left| left["path"] == "consulate.json")
        .unwrap();
    assert_eq!(reason["reason"], "the operator's own, for import");

    // Again, over the first: the same bytes, without itself.
    let text = run(path, &["pack", ".", "--output", "out.zip"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(said["sha256"].as_str().unwrap()), "{text}");
    assert!(
        text.contains("README.md") && text.contains("about the project"),
        "{text}"
    );
    assert!(text.contains("widget.html"));
    assert!(!text.contains("WARNING"));
    let linted = run(path, &["lint", "out.zip", "--json"]);
    assert_eq!(linted.status.code(), Some(0));
}

#[test]
fn a_real_client_secret_is_warned_about_aloud_and_not_repeated() {
    let folder = copy_of("my-saas");
    let path = folder.path();
    let passport = std::fs::read_to_string(path.join(PASSPORT)).unwrap();
    let passport = passport.replace("your-client-secret-here", "canary-secret");
    std::fs::write(path.join(PASSPORT), passport).unwrap();
    let packed = run(path, &["pack", "."]);
    assert_eq!(packed.status.code(), Some(0));
    let text = String::from_utf8(packed.stdout).unwrap();
    assert!(
        text.starts_with("WARNING: THE ARCHIVE CARRIES A REAL CLIENT SECRET"),
        "{text}"
    );
    assert!(text.contains("client_secret_packed") && !text.contains("canary"));
    let name = path.canonicalize().unwrap();
    let name = name.file_name().unwrap().to_string_lossy().into_owned();
    let archive = format!("{}.zip", name.trim_start_matches('.'));
    assert!(path.join(archive).exists());
}

#[test]
fn what_cannot_be_packed_writes_nothing() {
    let folder = copy_of("my-saas");
    let path = folder.path();
    let schema = std::fs::read_to_string(path.join("schema.json")).unwrap();
    let cases: [&[&str]; 4] = [
        &["pack", "schema.json"],
        &["pack", "nowhere"],
        &["pack", ".", "--output", "out.tar"],
        &["pack", ".", "--output", "schema.json"],
    ];
    for arguments in cases {
        let refused = run(path, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Nothing was packed."));
    }
    std::fs::write(
        path.join("schema.json"),
        schema.replace("https://", "http://"),
    )
    .unwrap();
    let refused = run(path, &["pack", ".", "--output", "out.zip", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(codes(&json_of(&refused))[0], "url_not_https");
    let left: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("out."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_archive_imports_with_consulate_json_beside_it_or_with_flags() {
    let room = Room::new().await;
    let target = tempfile::tempdir().unwrap();
    let archive = target.path().join("widget.zip");
    let bundle = fixture("my-saas");
    let packed = run(
        target.path(),
        &["pack", bundle.to_str().unwrap(), "--output", "widget.zip"],
    );
    assert_eq!(packed.status.code(), Some(0));
    let alone = room.import(&archive, |_| {}).await;
    assert_eq!(alone.outcome, Outcome::Refused);
    assert_eq!(alone.json["findings"][0]["code"], "widget_id_missing");
    let flagged = room
        .import(&archive, |arguments| {
            arguments.widget = Some("flagged".to_owned());
        })
        .await;
    assert_eq!(flagged.outcome, Outcome::Done, "{}", flagged.text);
    assert_eq!(
        flagged.json["passports"][0]["id"],
        "flagged.my-saas-connector"
    );

    std::fs::copy(
        bundle.join("consulate.json"),
        target.path().join("consulate.json"),
    )
    .unwrap();
    let beside = room.import(&archive, |_| {}).await;
    assert_eq!(beside.outcome, Outcome::Done, "{}", beside.text);
    assert_eq!(beside.json["widget"], "my-saas");
    assert!(beside.text.contains("Notes:") && beside.text.contains("beside the archive"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_widens_where_a_credential_goes_needs_consent() {
    let room = Room::new().await;
    let bundle = Bundle::of("my-saas");
    let first = room.import(bundle.path(), |_| {}).await;
    assert_eq!(first.outcome, Outcome::Done, "{}", first.text);
    let settings = "/passports/my-saas-connector";
    bundle.set(
        "consulate.json",
        &format!("{settings}/host_patterns"),
        json!(["*.my-saas.com"]),
    );
    bundle.set(
        "consulate.json",
        &format!("{settings}/pinned"),
        json!([{"name": "instance_url", "at": "/instance_url", "kind": "origin"}]),
    );
    let second = room.import(bundle.path(), |_| {}).await;
    assert_eq!(second.outcome, Outcome::Refused);
    let differences = second.json["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 2, "{differences:?}");
    let agreed = room
        .import(bundle.path(), |arguments| arguments.accept = true)
        .await;
    assert_eq!(agreed.outcome, Outcome::Done);
    assert!(agreed.text.contains("*.my-saas.com"), "{}", agreed.text);
    let target = &room.running.target;
    let item = target
        .dynamodb
        .get_item()
        .table_name(&target.table)
        .key(
            "pk",
            table::s(table::passport_pk("my-saas.my-saas-connector")),
        )
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    let passport: Passport = serde_json::from_str(&table::get_s(&item, "doc").unwrap()).unwrap();
    assert_eq!(passport.host_patterns, ["*.my-saas.com"]);
    assert_eq!(passport.pinned[0].name, "instance_url");
}
