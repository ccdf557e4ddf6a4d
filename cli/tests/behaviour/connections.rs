//! `consulate connections`: what is listed and by which reads, one connection in full, and giving up many.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Parser as _;
use consulate::operator::arguments::{Arguments, Command, ConnectionsCommand};
use consulate::operator::connections;
use consulate::operator::report::{Outcome, Report};
use consulate_core::cohort::Cycle;
use consulate_core::connection::Health;
use consulate_core::connections::Ailment;
use consulate_core::definition::OwnerMode;
use consulate_core::owner::OwnerKey;
use consulate_core::table::ConnectionKey;
use serde_json::json;

use super::room::Room;

fn key(passport: &str, user: &str) -> ConnectionKey {
    ConnectionKey::new(
        passport,
        OwnerKey::of_record("h", "o1", user, OwnerMode::User),
    )
}

fn id(key: &ConnectionKey) -> String {
    key.pk().trim_start_matches("CONNECTION#").to_owned()
}

/// Puts a row as the custodian leaves it, with what `ailment` adds.
async fn put(room: &Room, key: &ConnectionKey, ailment: Option<Ailment>) {
    let target = &room.running.target;
    let now = target.clock.now().millis().to_string();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    let health = match ailment {
        Some(Ailment::Reauthorise) => "reauthorise",
        Some(Ailment::Revoking | Ailment::GaveUp) => "disconnected",
        Some(Ailment::Failing) | None => "connected",
    };
    let mut row = target
        .dynamodb
        .put_item()
        .table_name(&target.table)
        .item("pk", text(&key.pk()))
        .item("g", text("grant"))
        .item("a", AttributeValue::B(Blob::new("sealed-canary")))
        .item("v", number("1"))
        .item("e", number("1"))
        .item("h", text(health))
        .item("hs", number(&now))
        .item("c", number(&now))
        .item("sv", number(&now))
        .item("cv", text("c1"))
        .item(
            "d",
            text(&target.shards.partition(Cycle::Minutes(55), &key.pk())),
        );
    if let Some(ailment) = ailment {
        row = row
            .item("hr", text("rotation_lost"))
            .item("u", text(&target.shards.ailing(ailment.text(), &key.pk())));
    }
    row.send().await.unwrap();
}

async fn run(room: &Room, line: &[&str]) -> Report {
    let words = ["consulate", "connections"].iter().chain(line);
    let arguments = Arguments::try_parse_from(words).unwrap();
    let Command::Connections(command) = arguments.command else {
        panic!("another command");
    };
    connections(&room.running.target, &command).await.unwrap()
}

fn ids(report: &Report) -> Vec<String> {
    let listed = report.json["connections"].as_array().unwrap().iter();
    let mut ids: Vec<String> = listed
        .map(|one| {
            one["id"]
                .as_str()
                .unwrap_or(one.as_str().unwrap_or(""))
                .to_owned()
        })
        .collect();
    ids.sort();
    ids
}

async fn health(room: &Room, key: &ConnectionKey) -> Health {
    let row = room.running.target.connections().read(key, true).await;
    row.unwrap().unwrap().health
}

#[tokio::test]
async fn a_list_shows_who_needs_looking_at_and_scans_nothing() {
    let room = Room::new().await;
    let empty = run(&room, &["list"]).await;
    assert_eq!(
        (empty.text.as_str(), &empty.json["truncated"]),
        ("Nothing to look at.", &json!(false))
    );
    let all = [
        ("ada", Some(Ailment::Reauthorise)),
        ("bob", Some(Ailment::Failing)),
        ("cy", Some(Ailment::GaveUp)),
        ("dee", None),
    ];
    for (user, ailment) in all {
        put(&room, &key("p", user), ailment).await;
    }
    room.running.engine.clear();
    let list = run(&room, &["list"]).await;
    assert_eq!(ids(&list).len(), 3);
    assert!(list.text.contains("rotation lost"), "{}", list.text);
    assert!(!list.json.to_string().contains("canary"), "{}", list.json);
    assert_eq!(room.running.engine.count("Scan"), 0);
    let some = run(&room, &["list", "--health", "needs_reauthorisation"]).await;
    assert_eq!(ids(&some), [id(&key("p", "ada"))]);
    assert_eq!(
        some.json["connections"][0]["health"],
        "needs_reauthorisation"
    );
    let first = run(&room, &["list", "--limit", "1"]).await;
    assert_eq!(
        (ids(&first).len(), &first.json["truncated"]),
        (1, &json!(true))
    );
}

#[tokio::test]
async fn one_connection_is_shown_in_full_and_without_its_tokens() {
    let room = Room::new().await;
    let ada = key("p", "ada");
    put(&room, &ada, None).await;
    for id in [id(&ada), ada.pk()] {
        let shown = run(&room, &["show", &id]).await;
        assert_eq!(shown.json["connection"]["passport"], "p");
        assert_eq!(shown.json["connection"]["health"], "connected");
        assert!(!shown.text.contains("canary") && !shown.json.to_string().contains("canary"));
    }
    for (wrong, says) in [
        ("p#nobody", "There is no connection"),
        ("nonsense", "is no id"),
    ] {
        let refused = run(&room, &["show", wrong]).await;
        assert_eq!(refused.outcome, Outcome::Refused);
        assert!(refused.text.contains(says), "{}", refused.text);
        assert_eq!(refused.json["field"], "id");
    }
    assert_eq!(
        run(&room, &["refresh", "p#nobody"]).await.outcome,
        Outcome::Refused
    );
}

#[tokio::test]
async fn a_whole_passport_is_given_up_after_a_dry_run_that_changed_nothing() {
    let room = Room::new().await;
    let theirs: Vec<ConnectionKey> = (0..40).map(|user| key("p", &format!("u{user}"))).collect();
    for one in &theirs {
        put(&room, one, None).await;
    }
    // Another passport whose id begins like it.
    let other = key("p2", "u1");
    put(&room, &other, None).await;
    let before = room.items().await;
    let dry = run(&room, &["revoke", "--passport", "p", "--dry-run"]).await;
    assert_eq!((&dry.json["count"], ids(&dry).len()), (&json!(40), 40));
    assert_eq!(room.items().await, before);

    let done = run(&room, &["revoke", "--passport", "p"]).await;
    assert_eq!(done.json["count"], 40);
    for one in &theirs {
        assert_eq!(health(&room, one).await, Health::Disconnected);
    }
    assert_eq!(health(&room, &other).await, Health::Connected);
    let revoking = run(&room, &["list", "--health", "revoking"]).await;
    assert_eq!(ids(&revoking).len(), 40);
    let again = run(&room, &["revoke", "--passport", "p"]).await;
    assert_eq!(again.json["count"], 0);
}

#[tokio::test]
async fn an_owners_connections_are_found_by_their_keys() {
    let room = Room::new().await;
    let path = super::room::fixture("my-saas");
    let imported = room.import(&path, |arguments| arguments.widget = Some("w".to_owned()));
    let imported = imported.await;
    let passport = imported.json["passports"][0]["id"].as_str().unwrap();
    let ada = key(passport, "ada");
    put(&room, &ada, None).await;
    room.running.engine.clear();
    let done = run(&room, &["revoke", "--owner", ada.owner.as_str()]).await;
    assert_eq!(
        (&done.json["count"], room.running.engine.count("Scan")),
        (&json!(1), 0)
    );
    assert_eq!(health(&room, &ada).await, Health::Disconnected);
}

#[test]
fn what_is_to_be_revoked_has_to_be_said_and_only_once() {
    for line in [
        &["consulate", "connections", "revoke"][..],
        &[
            "consulate",
            "connections",
            "revoke",
            "--passport",
            "p",
            "--owner",
            "o",
        ],
        &["consulate", "connections", "list", "--health", "connected"],
        &["consulate", "connections", "list", "--limit", "0"],
    ] {
        assert!(Arguments::try_parse_from(line).is_err(), "{line:?}");
    }
    let revoke =
        Arguments::try_parse_from(["consulate", "connections", "revoke", "--owner", "o"]).unwrap();
    assert!(matches!(
        revoke.command,
        Command::Connections(ConnectionsCommand::Revoke(_))
    ));
}
