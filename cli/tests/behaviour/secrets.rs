//! Secrets, keyrings and passports as the operator sets them.

use consulate::operator::arguments::{KeysCommand, PassportArguments};
use consulate::operator::report::Outcome;
use consulate::operator::{add_passport, keys, list_passports};
use serde_json::{Value, json};

use crate::room::{HOST_SECRET, Room, fixture};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_set_in_its_shape_and_refused_in_any_other() {
    let room = Room::new().await;
    room.import(&fixture("my-saas"), |_| {}).await;
    let good = json!({"host_secrets": [HOST_SECRET, "the-next-host-secret"]});
    assert_eq!(
        room.set_secret("widgets/my-saas", &good).await.outcome,
        Outcome::Done
    );
    let stored = room
        .running
        .secrets
        .get("consulate/widgets/my-saas")
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), good);

    let bad = json!({"host_secrets": [HOST_SECRET, "canary"]});
    let report = room.set_secret("widgets/my-saas", &bad).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert_eq!(report.json["field"], "host_secrets[1]");
    assert!(!format!("{report:?}").contains("canary"));
    assert_eq!(
        room.running
            .secrets
            .get("consulate/widgets/my-saas")
            .unwrap(),
        stored
    );

    for name in ["keys/access", "consulate/widgets/my-saas", "my-saas"] {
        assert_eq!(
            room.set_secret(name, &good).await.outcome,
            Outcome::Refused,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_is_bound_to_the_endpoints_of_its_passport() {
    let room = Room::new().await;
    let value = json!({"client_secret": "s3cret"});
    let name = "passports/my-saas.my-saas-connector";
    assert_eq!(
        room.set_secret(name, &value).await.outcome,
        Outcome::Refused
    );
    room.import(&fixture("my-saas"), |_| {}).await;
    assert_eq!(room.set_secret(name, &value).await.outcome, Outcome::Done);
    let stored = room
        .running
        .secrets
        .get(&format!("consulate/{name}"))
        .unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(
        stored["endpoints"],
        json!([
            "https://auth.my-saas.com/oauth/revoke",
            "https://auth.my-saas.com/oauth/token"
        ])
    );
    let elsewhere = json!({"client_secret": "s3cret", "endpoints": ["https://evil.example/token"]});
    let report = room.set_secret(name, &elsewhere).await;
    assert_eq!(
        (report.outcome, &report.json["field"]),
        (Outcome::Refused, &json!("endpoints"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keyrings_are_made_once() {
    let room = Room::new().await;
    // The server made them when it started.
    let before: Vec<_> = keys::KEYRINGS
        .map(|name| room.running.secrets.get(&format!("consulate/{name}")))
        .into();
    assert!(before.iter().all(Option::is_some));
    let report = keys::run(&room.running.target, &KeysCommand::Init)
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Refused);
    let after: Vec<_> = keys::KEYRINGS
        .map(|name| room.running.secrets.get(&format!("consulate/{name}")))
        .into();
    assert!(before == after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passport_is_added_listed_and_changed_only_with_consent() {
    let room = Room::new().await;
    let target = &room.running.target;
    assert_eq!(
        list_passports(target).await.unwrap().json,
        json!({"passports": []})
    );
    let mut arguments = PassportArguments {
        id: "graph".into(),
        provider: "office365".into(),
        client_id: Some("client-1".into()),
        scopes: vec!["User.Read offline_access".into(), "Mail.Read".into()],
        ..PassportArguments::default()
    };
    for (id, provider) in [
        ("graph.x", "microsoft"),
        ("Graph", "microsoft"),
        ("graph", "microsft"),
    ] {
        let wrong = PassportArguments {
            id: id.into(),
            provider: provider.into(),
            ..arguments.clone()
        };
        assert_eq!(
            add_passport(target, &wrong).await.unwrap().outcome,
            Outcome::Refused,
            "{id} {provider}"
        );
    }
    let report = add_passport(target, &arguments).await.unwrap();
    assert_eq!(report.outcome, Outcome::Done);
    let redirect_uri = format!("{}/v1/callback/graph", room.running.base_url);
    assert_eq!(report.json["redirect_uri"], redirect_uri);

    arguments.client_id = Some("client-2".into());
    let report = add_passport(target, &arguments).await.unwrap();
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(
        report.text.contains("client-1") && report.text.contains("client-2"),
        "{}",
        report.text
    );
    arguments.accept = true;
    assert_eq!(
        add_passport(target, &arguments).await.unwrap().outcome,
        Outcome::Done
    );
    let listed = list_passports(target).await.unwrap().json;
    assert_eq!(listed["passports"][0]["client_id"], "client-2");
    assert_eq!(listed["passports"][0]["provider"], "microsoft");
    assert_eq!(
        listed["passports"][0]["scopes"],
        json!(["User.Read", "offline_access", "Mail.Read"])
    );
}
