//! Importing: what is written, what is refused, and that a refusal changes nothing.

use consulate::operator::add_passport;
use consulate::operator::arguments::PassportArguments;
use consulate::operator::report::{Outcome, Report};
use consulate_core::definition::{Host, Passport, Widget};
use consulate_core::table;
use serde_json::{Value, json};

use crate::room::{Bundle, Room, fixture};

#[track_caller]
fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
}

async fn graph_passport(room: &Room) {
    let arguments = PassportArguments {
        id: "graph".into(),
        provider: "microsoft".into(),
        client_id: Some("client-1".into()),
        ..PassportArguments::default()
    };
    done(
        &add_passport(&room.running.target, &arguments)
            .await
            .unwrap(),
    );
}

async fn document<T: serde::de::DeserializeOwned>(room: &Room, pk: String) -> T {
    let target = &room.running.target;
    let asked = target
        .dynamodb
        .get_item()
        .table_name(&target.table)
        .key("pk", table::s(pk));
    let item = asked.send().await.unwrap().item.unwrap();
    serde_json::from_str(&table::get_s(&item, "doc").unwrap()).unwrap()
}

/// Imports and expects a refusal that leaves table and secrets as they were.
async fn refused(room: &Room, bundle: &Bundle, join_host: bool, accept: bool) -> Report {
    let before = (
        room.items().await,
        std::fs::read(room.running.data_dir.join("secrets.json")).unwrap(),
    );
    let report = room
        .import(bundle.path(), |arguments| {
            (arguments.join_host, arguments.accept) = (join_host, accept)
        })
        .await;
    let after = (
        room.items().await,
        std::fs::read(room.running.data_dir.join("secrets.json")).unwrap(),
    );
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert!(before == after, "a refusal changed something");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_writes_widget_host_passport_and_registry_at_once() {
    let room = Room::new().await;
    room.running.engine.clear();
    let report = room.import(&fixture("my-saas"), |_| {}).await;
    done(&report);
    assert_eq!(room.running.engine.count("TransactWriteItems"), 1);
    assert_eq!(room.running.engine.count("PutItem"), 0);
    let widget: Widget = document(&room, table::widget_pk("my-saas")).await;
    assert_eq!(
        widget.authentications[0].passport.as_deref(),
        Some("my-saas.my-saas-connector")
    );
    let host: Host = document(&room, table::host_pk("acme-happeo")).await;
    assert_eq!(host.id, "acme-happeo");
    let passport: Passport = document(&room, table::passport_pk("my-saas.my-saas-connector")).await;
    assert_eq!(passport.token_url, "https://auth.my-saas.com/oauth/token");
    let redirect_uri = format!(
        "{}/v1/callback/my-saas.my-saas-connector",
        room.running.base_url
    );
    assert_eq!(report.json["passports"][0]["redirect_uri"], redirect_uri);
    assert_eq!(
        report.json["passports"][0]["api_hosts"],
        json!(passport.api_hosts)
    );
    assert!(report.text.contains(&redirect_uri));
    let registry = &room.items().await[table::REGISTRY];
    for id in ["my-saas", "acme-happeo", "my-saas.my-saas-connector"] {
        assert!(registry.contains(&format!("\"{id}\"")), "{registry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_with_errors_is_refused_and_named_by_field_and_line() {
    let room = Room::new().await;
    let bundle = Bundle::of("my-saas");
    bundle.set(
        "schema.json",
        "/authenticatedApis/0/authenticationKey",
        json!("nobody"),
    );
    let report = refused(&room, &bundle, false, true).await;
    let findings = report.json["findings"].as_array().unwrap();
    let dangling = findings
        .iter()
        .find(|finding| finding["code"] == "authentication_key_dangling")
        .unwrap();
    assert!(
        dangling["line"].is_number() && report.text.contains("nobody"),
        "{}",
        report.text
    );
    std::fs::write(bundle.path().join("schema.json"), "{\n \"name\": ").unwrap();
    let report = refused(&room, &bundle, false, true).await;
    assert_eq!(report.json["findings"][0]["file"], "schema.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_agreed_to_changes_only_with_consent() {
    let room = Room::new().await;
    let bundle = Bundle::of("my-saas");
    done(&room.import(bundle.path(), |_| {}).await);
    // The same again needs no word.
    done(&room.import(bundle.path(), |_| {}).await);
    bundle.set(
        "schema.json",
        "/authenticatedApis/0/url",
        json!("https://elsewhere.my-saas.com/v1/projects"),
    );
    bundle.set(
        "consulate.json",
        "/origins",
        json!(["https://evil.example"]),
    );
    let report = refused(&room, &bundle, false, false).await;
    let differences = report.json["differences"].to_string();
    assert!(
        differences.contains("elsewhere.my-saas.com")
            && differences.contains("https://evil.example")
    );
    let report = room
        .import(bundle.path(), |arguments| arguments.accept = true)
        .await;
    done(&report);
    assert_eq!(report.json["differences"].to_string(), differences);
    let widget: Widget = document(&room, table::widget_pk("my-saas")).await;
    assert_eq!(widget.origins, ["https://evil.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_another_widget_is_joined_only_on_demand_and_as_it_is() {
    let room = Room::new().await;
    done(&room.import(&fixture("my-saas"), |_| {}).await);
    let bundle = Bundle::of("happeo-channels");
    let report = refused(&room, &bundle, false, true).await;
    assert!(
        report.text.contains("--join-host") && report.text.contains("my-saas"),
        "{}",
        report.text
    );
    bundle.set("consulate.json", "/host/organisations", json!(["o1"]));
    let report = refused(&room, &bundle, true, true).await;
    assert!(report.text.contains("differently"), "{}", report.text);
    let report = room
        .import(&fixture("happeo-channels"), |arguments| {
            arguments.join_host = true
        })
        .await;
    done(&report);
    // From now on the host concerns both.
    let report = refused(&room, &bundle, false, false).await;
    assert!(
        report.json["differences"].to_string().contains("my-saas"),
        "{}",
        report.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_by_flag_needs_a_passport_of_that_provider_and_is_kept() {
    let room = Room::new().await;
    let bundle = Bundle::of("graph-calendar");
    let bind = |passport: &str| {
        let bind = ("msGraph".to_owned(), passport.to_owned());
        move |arguments: &mut consulate::operator::arguments::ImportArguments| {
            arguments.binds = vec![bind]
        }
    };
    let before = room.items().await;
    let report = room.import(bundle.path(), bind("graph")).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(
        report
            .text
            .contains("passports add graph --provider microsoft"),
        "{}",
        report.text
    );
    assert_eq!(room.items().await, before);

    graph_passport(&room).await;
    done(&room.import(bundle.path(), bind("graph")).await);
    let bound = || document::<Widget>(&room, table::widget_pk("calendar"));
    assert_eq!(
        bound().await.authentications[0].passport.as_deref(),
        Some("graph")
    );
    done(&room.import(bundle.path(), |_| {}).await);
    assert_eq!(
        bound().await.authentications[0].passport.as_deref(),
        Some("graph")
    );

    let arguments = PassportArguments {
        id: "happeo".into(),
        provider: "happeo".into(),
        client_id: Some("client-2".into()),
        ..PassportArguments::default()
    };
    done(
        &add_passport(&room.running.target, &arguments)
            .await
            .unwrap(),
    );
    let report = room.import(bundle.path(), bind("happeo")).await;
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
}

/// The widget declares it, the operator's passport has to allow it, and some passports never can.
#[tokio::test(flavor = "multi_thread")]
async fn browser_delivery_asks_the_operators_passport() {
    let room = Room::new().await;
    let bundle = Bundle::of("graph-calendar");
    let settings = json!({"owner": "user", "delivery": "browser"});
    bundle.set("consulate.json", "/authentications/msGraph", settings);
    let bind = |passport: &str| {
        let bind = ("msGraph".to_owned(), passport.to_owned());
        move |arguments: &mut consulate::operator::arguments::ImportArguments| {
            (arguments.binds, arguments.accept) = (vec![bind], true);
        }
    };
    graph_passport(&room).await;
    let report = room.import(bundle.path(), bind("graph")).await;
    done(&report);
    assert!(
        report.text.contains("--browser-delivery"),
        "{}",
        report.text
    );
    let allowed = PassportArguments {
        id: "graph".into(),
        provider: "microsoft".into(),
        client_id: Some("client-1".into()),
        browser_delivery: true,
        accept: true,
        ..PassportArguments::default()
    };
    let target = &room.running.target;
    let made = add_passport(target, &allowed).await.unwrap();
    done(&made);
    assert!(made.text.contains("browser delivery"), "{}", made.text);
    let report = room.import(bundle.path(), bind("graph")).await;
    done(&report);
    assert!(
        !report.text.contains("--browser-delivery"),
        "{}",
        report.text
    );

    // Meta's access tokens renew themselves.
    let meta = PassportArguments {
        id: "page".into(),
        provider: "facebook".into(),
        client_id: Some("client-2".into()),
        browser_delivery: true,
        ..PassportArguments::default()
    };
    done(&add_passport(target, &meta).await.unwrap());
    bundle.set(
        "schema.json",
        "/authentications/0/metadata/passportProvider",
        json!("facebook"),
    );
    let url = json!("https://graph.facebook.com/me");
    bundle.set("schema.json", "/authenticatedApis/0/url", url);
    let before = room.items().await;
    let report = room.import(bundle.path(), bind("page")).await;
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert!(report.text.contains("renews itself"), "{}", report.text);
    assert_eq!(room.items().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_cannot_reach_for_the_passport_of_another() {
    let room = Room::new().await;
    done(&room.import(&fixture("my-saas"), |_| {}).await);
    let bundle = Bundle::of("graph-calendar");
    bundle.set("consulate.json", "/host/id", json!("another-host"));
    let reach = json!({"passport": "my-saas.my-saas-connector"});
    bundle.set("consulate.json", "/authentications/msGraph", reach);
    let report = refused(&room, &bundle, false, true).await;
    assert_eq!(
        report.json["findings"][0]["code"],
        "passport_of_another_widget"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_of_a_bundle_goes_to_secrets_manager_and_nowhere_else() {
    let room = Room::new().await;
    let bundle = Bundle::of("my-saas");
    let pointer = "/customApplicationInfo/metadata/clientSecret";
    bundle.set(
        "passport/my-saas-connector.json",
        pointer,
        json!("canary-client-secret-1"),
    );
    let report = room.import(bundle.path(), |_| {}).await;
    done(&report);
    assert!(!format!("{report:?}").contains("canary"));
    let stored = || {
        let text = room
            .running
            .secrets
            .get("consulate/passports/my-saas.my-saas-connector")
            .unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let expected = json!({
        "client_secret": "canary-client-secret-1",
        "endpoints": ["https://auth.my-saas.com/oauth/revoke", "https://auth.my-saas.com/oauth/token"],
    });
    assert_eq!(stored(), expected);
    // What the audit log is told of; see `operator::audit`.
    let written = json!(["passports/my-saas.my-saas-connector"]);
    assert_eq!(report.json["secrets"], written);
    let report = room.import(bundle.path(), |_| {}).await;
    assert_eq!(report.json["secrets"], json!([]), "the same again");
    for (pk, item) in room.items().await {
        assert!(!item.contains("canary"), "{pk}");
    }

    // A bundle may be older than the secret that is stored: replacing it takes consent.
    bundle.set(
        "passport/my-saas-connector.json",
        pointer,
        json!("canary-client-secret-2"),
    );
    let report = refused(&room, &bundle, false, false).await;
    assert!(
        report.text.contains("client secret") && !report.text.contains("canary"),
        "{}",
        report.text
    );
    done(
        &room
            .import(bundle.path(), |arguments| arguments.accept = true)
            .await,
    );
    assert_eq!(stored()["client_secret"], "canary-client-secret-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_the_table_does_not_take_leaves_the_secrets_as_they_were() {
    use consulate_fakes::dynamodb::Fault;

    let room = Room::new().await;
    let bundle = Bundle::of("my-saas");
    let pointer = "/customApplicationInfo/metadata/clientSecret";
    bundle.set(
        "passport/my-saas-connector.json",
        pointer,
        json!("canary-client-secret-1"),
    );
    done(&room.import(bundle.path(), |_| {}).await);
    bundle.set(
        "passport/my-saas-connector.json",
        pointer,
        json!("canary-client-secret-2"),
    );
    let items = room.items().await;
    for _ in 0..3 {
        room.running
            .engine
            .fail_next("TransactWriteItems", Fault::Unavailable);
    }
    let arguments = consulate::operator::arguments::ImportArguments {
        path: bundle.path().to_owned(),
        accept: true,
        ..Default::default()
    };
    let error = consulate::operator::import(&room.running.target, &arguments)
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("canary"));
    assert_eq!(room.items().await, items);
    let stored = room
        .running
        .secrets
        .get("consulate/passports/my-saas.my-saas-connector")
        .unwrap();
    assert!(stored.contains("canary-client-secret-1"));
}
