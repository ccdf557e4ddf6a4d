//! Providers of an operator's own, and passports on providers that need more than a client id.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use consulate::operator::arguments::PassportArguments;
use consulate::operator::report::{Outcome, Report};
use consulate::operator::{
    add_passport, add_providers, catalogue, list_passports, list_providers, remove_provider,
};
use serde_json::{Value, json};

use crate::room::Room;

const HELPDESK: &str = r#"
family = "helpdesk"
[[provider]]
id = "helpdesk"
name = "Acme Helpdesk"
category = "Library"
authorize_url = "https://helpdesk.example/oauth/authorize"
token_url = "https://helpdesk.example/oauth/token"
scopes = ["tickets.read"]
api_hosts = ["api.helpdesk.example"]
confidence = "unverified"
sources = ["its documentation"]
probe = { method = "GET", url = "https://api.helpdesk.example/me" }
"#;

/// A file of the room's own.
fn file(room: &Room, text: &str) -> PathBuf {
    let path = room.folder.path().join("own.toml");
    std::fs::write(&path, text).unwrap();
    path
}

async fn add(room: &Room, text: &str, accept: bool) -> Report {
    add_providers(&room.running.target, &file(room, text), accept)
        .await
        .unwrap()
}

async fn passport(room: &Room, change: impl FnOnce(&mut PassportArguments)) -> Report {
    let mut arguments = PassportArguments {
        id: "p".into(),
        ..PassportArguments::default()
    };
    change(&mut arguments);
    add_passport(&room.running.target, &arguments)
        .await
        .unwrap()
}

fn variable(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

#[track_caller]
fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
}

#[track_caller]
fn refused(report: &Report, field: &str) {
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert_eq!(report.json["field"], field, "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_provider_is_added_used_changed_with_consent_and_removed() {
    let room = Room::new().await;
    let target = &room.running.target;
    let on_helpdesk = |arguments: &mut PassportArguments| {
        arguments.provider = "helpdesk".into();
        arguments.client_id = Some("client-1".into());
    };
    refused(&passport(&room, on_helpdesk).await, "provider");

    let report = add(&room, HELPDESK, false).await;
    done(&report);
    assert_eq!(report.json["providers"], json!(["helpdesk"]));
    let known = catalogue(target).await.unwrap();
    assert!(known.is_own("helpdesk") && known.get("slack").is_some());
    let listed = list_providers(&known).json;
    let own = |listed: &Value| {
        let mut providers = listed["providers"].as_array().unwrap().iter();
        providers.find(|entry| entry["own"] == true).cloned()
    };
    assert_eq!(own(&listed).unwrap()["id"], "helpdesk");
    done(&passport(&room, on_helpdesk).await);

    // The same again changes nothing; something else takes consent, and leaves passports as they are.
    done(&add(&room, HELPDESK, false).await);
    let moved = HELPDESK.replace(
        "https://helpdesk.example/oauth/token",
        "https://login.helpdesk.example/token",
    );
    let report = add(&room, &moved, false).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(
        report.text.contains("helpdesk: token_url: ") && report.text.contains("--accept"),
        "{}",
        report.text
    );
    assert_eq!(report.json["differences"].as_array().unwrap().len(), 1);
    done(&add(&room, &moved, true).await);
    let report = passport(&room, on_helpdesk).await;
    assert!(report.text.contains("token_url: "), "{}", report.text);

    done(&remove_provider(target, "helpdesk").await.unwrap());
    assert!(catalogue(target).await.unwrap().get("helpdesk").is_none());
    refused(&remove_provider(target, "helpdesk").await.unwrap(), "id");
    refused(&remove_provider(target, "slack").await.unwrap(), "id");
    let passports = list_passports(target).await.unwrap().json;
    assert_eq!(passports["passports"][0]["provider"], "helpdesk");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_entry_stands_in_place_of_the_built_in_one_until_it_is_removed() {
    let room = Room::new().await;
    let target = &room.running.target;
    let slack = HELPDESK.replace("\"helpdesk\"", "\"slack\"");
    let report = add(&room, &slack, false).await;
    done(&report);
    assert_eq!(report.json["replaced"], json!(["slack"]));
    let name = || async {
        catalogue(target)
            .await
            .unwrap()
            .get("slack")
            .unwrap()
            .name
            .clone()
    };
    assert_eq!(name().await, "Acme Helpdesk");
    done(&remove_provider(target, "slack").await.unwrap());
    assert_eq!(name().await, "Slack");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_file_stores_nothing_and_names_file_entry_and_field() {
    let room = Room::new().await;
    done(&add(&room, HELPDESK, false).await);
    let before = room.items().await;
    let entry = HELPDESK.split_once("[[provider]]").unwrap().1;
    let second = |from: &str, to: &str| {
        let other = entry
            .replace("id = \"helpdesk\"", "id = \"other\"")
            .replace(from, to);
        format!("{HELPDESK}[[provider]]{other}")
    };
    for (text, part) in [
        (
            second(
                "https://helpdesk.example/oauth/token",
                "http://helpdesk.example/oauth/token",
            ),
            "other: token_url: ",
        ),
        (
            second(
                "api_hosts = [\"api.helpdesk.example\"]",
                "api_hosts = [\"127.0.0.1\"]",
            ),
            "other: api_hosts: ",
        ),
        (second("tickets.read", "{nobody}"), "other: scopes: "),
        (
            second("name = \"Acme Helpdesk\"", "nome = \"x\""),
            "other: ",
        ),
        (
            second("category", "aliases = [\"yammer\"]\ncategory"),
            "yammer",
        ),
        ("not toml".to_owned(), "line 1"),
        ("family = \"f\"\nprovider = []".to_owned(), "no provider"),
        (format!("{HELPDESK}# {}", "x".repeat(256 * 1024)), "256 KiB"),
    ] {
        let report = add(&room, &text, true).await;
        assert_eq!(report.outcome, Outcome::Refused, "{part}");
        assert!(
            report.text.contains(part) && report.text.contains("Nothing was stored"),
            "{part}: {}",
            report.text
        );
        assert!(room.items().await == before, "{part}: something was stored");
    }
    let report = add(
        &room,
        &second("https://helpdesk.example/oauth/token", "https://10.0.0.1/t"),
        true,
    )
    .await;
    assert_eq!(report.json["faults"][0]["entry"], "other");
    assert_eq!(report.json["faults"][0]["field"], "token_url");
    assert!(
        report.json["faults"][0]["file"]
            .as_str()
            .unwrap()
            .ends_with("own.toml")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stored_before_is_not_given_twice() {
    let room = Room::new().await;
    done(&add(&room, HELPDESK, false).await);
    let alias = HELPDESK.replace(
        "id = \"helpdesk\"",
        "id = \"other\"\naliases = [\"helpdesk\"]",
    );
    let report = add(&room, &alias, true).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(report.text.contains("\"helpdesk\""), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passport_takes_variables_and_no_client_where_there_is_none() {
    let room = Room::new().await;
    let tableau = |host: Option<&str>, accept: bool| {
        let variables = host.map(|host| variable("host", host)).unwrap_or_default();
        passport(&room, move |arguments| {
            arguments.provider = "tableau".into();
            arguments.variables = variables;
            arguments.accept = accept;
        })
    };
    refused(&tableau(None, false).await, "host");
    refused(&tableau(Some("127.0.0.1"), true).await, "host");
    refused(&tableau(Some("tableau.acme.example"), false).await, "host");
    let report = tableau(Some("tableau.acme.example"), true).await;
    done(&report);
    assert_eq!(report.json["api_hosts"], json!(["tableau.acme.example"]));
    assert_eq!(report.json["redirect_uri"], Value::Null);
    assert!(!report.text.contains("secret set"), "{}", report.text);
    let with_client = passport(&room, |arguments| {
        arguments.provider = "tableau".into();
        arguments.client_id = Some("c".into());
        arguments.variables = variable("host", "dub01.online.tableau.com");
    });
    refused(&with_client.await, "client_id");
    let secret = room
        .set_secret("passports/p", &json!({"client_secret": "s"}))
        .await;
    refused(&secret, "client_secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_provider_says_why_and_an_unknown_one_what_may_be_meant() {
    let room = Room::new().await;
    let before = room.items().await;
    let on = |provider: &str| {
        let provider = provider.to_owned();
        passport(&room, move |arguments| {
            arguments.provider = provider;
            arguments.client_id = Some("c".into());
        })
    };
    let retired = on("workplace").await;
    refused(&retired, "provider");
    assert!(
        retired.text.contains("retired") && retired.text.contains("2026"),
        "{}",
        retired.text
    );
    let unknown = on("salesforc").await;
    refused(&unknown, "provider");
    assert!(unknown.text.contains("\"salesforce\""), "{}", unknown.text);
    assert!(room.items().await == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_and_browser_delivery_are_the_operators_to_open() {
    let room = Room::new().await;
    let slack = |change: fn(&mut PassportArguments)| {
        passport(&room, move |arguments| {
            arguments.provider = "slack".into();
            arguments.client_id = Some("c".into());
            change(arguments);
        })
    };
    let report = slack(|arguments| {
        arguments.slot_scopes = variable("bot", "chat:write");
    });
    refused(&report.await, "bot");
    let report = slack(|_| {}).await;
    done(&report);
    assert_eq!(report.json["slots"][0]["scopes"], json!([]));
    assert_eq!(report.json["browser_delivery"], false);
    let opened = |accept: fn(&mut PassportArguments)| slack(accept);
    let report = opened(|arguments| {
        arguments.slot_scopes = [
            variable("user", "search:read"),
            variable("user", "users:read files:read"),
        ]
        .concat();
        arguments.browser_delivery = true;
        arguments.accept = true;
    })
    .await;
    done(&report);
    assert_eq!(
        report.json["slots"][0]["scopes"],
        json!(["search:read", "users:read", "files:read"])
    );
    assert_eq!(report.json["browser_delivery"], true);
}

#[test]
fn without_a_table_the_built_in_providers_are_listed_and_the_docs_are_written() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_consulate"))
            .args(arguments)
            .env_remove("CONSULATE_TABLE")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed: Value = serde_json::from_str(&run(&["providers", "--json"])).unwrap();
    let providers = listed["providers"].as_array().unwrap();
    assert!(providers.len() >= 28);
    for member in [
        "id",
        "name",
        "family",
        "credential",
        "aliases",
        "status",
        "variables",
        "confidence",
        "own",
    ] {
        assert!(
            providers.iter().all(|entry| entry.get(member).is_some()),
            "{member}"
        );
    }
    assert!(run(&["providers"]).contains("CONSULATE_TABLE"));
    let page = include_str!("../../../docs/providers.md");
    assert_eq!(run(&["providers", "--markdown"]), page);
}

#[test]
fn whoever_stops_reading_is_no_reason_to_fail() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_consulate"))
        .arg("providers")
        .env_remove("CONSULATE_TABLE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
