//! Journeys that together use every permission of every role. Each stands by itself, with a person of its own, and fails when
//! something it is about did not happen: what the functions do at best effort is looked for where it should have left a trace.

use anyhow::{Context as _, ensure};
use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::MINE;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde_json::{Value, json};

use crate::api::Browser;
use crate::console::{console_acts, console_definitions, console_pages, console_secrets};
use crate::feed::{drain, tick};
use crate::widget::Person;
use crate::world::World;

/// What a journey does.
type Steps = for<'a> fn(&'a World, Person) -> LocalBoxFuture<'a, anyhow::Result<()>>;

macro_rules! journeys {
    ($($name:ident),* $(,)?) => {
        /// Every journey, by name.
        pub const JOURNEYS: &[(&str, Steps)] = &[$((stringify!($name), |world, person| $name(world, person).boxed_local())),*];
    };
}

journeys![
    popup,
    again,
    declined,
    redirect,
    abandoned,
    disconnecting,
    renewing,
    misconfigured,
    throttled,
    recovering,
    salvaging,
    ticking,
    lost_slot,
    settings,
    qrvey,
    console_pages,
    console_acts,
    console_secrets,
    console_definitions,
];

/// Connect, status, a named API, last use, the event on the bus.
async fn popup(world: &World, person: Person) -> anyhow::Result<()> {
    world.bus.clear();
    world.connect(&person).await?;
    let list = world
        .widget(&person, "GET", "connections", &Value::Null)
        .await?
        .expect(200)?;
    ensure!(
        list["connections"][0]["account"]["email"] == "ada@acme.example",
        "{list}"
    );
    let pk = world.pk_of(&person)?;
    world.change(&pk, "SET us = :long")?;
    let before = world.row(&person)?["us"].clone();
    world.call(&person).await?;
    ensure!(world.row(&person)?["us"] != before, "its use was not noted");
    let events = world.bus.events();
    ensure!(
        events
            .iter()
            .any(|event| event.detail_type == "connection.connected"),
        "no event: {events:?}"
    );
    Ok(())
}

/// A second consent: the first grant is given back.
async fn again(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    let strays = || world.items("GRANT#").map(|items| items.len());
    let before = strays()?;
    world
        .provider
        .script_revoke(Reply::Status(503, String::new(), "text/plain".to_owned()));
    world.connect(&person).await?;
    ensure!(strays()? > before, "the first grant is not on record");
    for grant in world.items("GRANT#")? {
        world.change(
            grant["pk"]["S"].as_str().unwrap_or_default(),
            "SET bo = :past",
        )?;
    }
    tick(world).await?;
    ensure!(strays()? == 0, "grants are left on record");
    Ok(())
}

/// No at the provider: the flow is deleted.
async fn declined(world: &World, person: Person) -> anyhow::Result<()> {
    let mut browser = Browser::default();
    let callback = world
        .to_callback(&person, &mut browser, "popup", "deny")
        .await?;
    let flows = world.items("FLOW#")?.len();
    let end = browser.go(world, "GET", &callback, &[]).await?;
    ensure!(end.location()?.contains("code="), "{}", end.text);
    ensure!(
        world.items("FLOW#")?.len() < flows,
        "the flow is still there"
    );
    Ok(())
}

/// Redirect mode, completed.
async fn redirect(world: &World, person: Person) -> anyhow::Result<()> {
    let completion = world.to_completion(&person).await?;
    let path = format!("connections/{MINE}/complete");
    world
        .widget(&person, "POST", &path, &json!({"completion": completion}))
        .await?
        .expect(200)?;
    world.stands(&person, "connected").await
}

/// Redirect mode, never completed: the schedule gives the grant back.
async fn abandoned(world: &World, person: Person) -> anyhow::Result<()> {
    world.to_completion(&person).await?;
    for flow in world
        .items("FLOW#")?
        .iter()
        .filter(|flow| flow["st"]["S"] == "awaiting")
    {
        world.change(
            flow["pk"]["S"].as_str().unwrap_or_default(),
            "SET cx = :long",
        )?;
    }
    tick(world).await?;
    let waiting = |flow: &&Value| flow["st"]["S"] == "awaiting";
    ensure!(
        world.items("FLOW#")?.iter().filter(waiting).count() == 0,
        "a flow still waits"
    );
    Ok(())
}

/// Disconnect with a receipt; the account's record goes with its only connection.
async fn disconnecting(world: &World, person: Person) -> anyhow::Result<()> {
    // Everybody here has one account at the provider: as if nobody had been connected before.
    for subject in world.items("SUBJECT#")? {
        world.table("DeleteItem", json!({"Key": {"pk": subject["pk"]}}))?;
    }
    world.connect(&person).await?;
    let result = world.disconnect(&person).await?;
    ensure!(result == "revoked", "{result}");
    let subjects = world.items("SUBJECT#")?;
    ensure!(
        subjects.is_empty(),
        "its account's record is left: {subjects:?}"
    );
    world.stands(&person, "disconnected").await
}

/// A call after the end of the access token.
async fn renewing(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world.expire(&person)?;
    world.call(&person).await
}

/// Our client is refused: the circuit opens, and closes with the next success.
async fn misconfigured(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world.expire(&person)?;
    world
        .provider
        .script_token(Reply::OauthError("invalid_client".to_owned()));
    ensure!(
        world.call(&person).await.is_err(),
        "called with a dead token"
    );
    let circuits = world.items("CIRCUIT#")?;
    let circuit = circuits.first().context("no circuit")?["pk"]["S"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    world.change(&circuit, "SET o = :past")?;
    world.change(&world.pk_of(&person)?, "REMOVE bo")?;
    world.restart()?;
    world.call(&person).await?;
    ensure!(
        world.items("CIRCUIT#")?.is_empty(),
        "the circuit is still open"
    );
    Ok(())
}

/// The token endpoint asks to be left alone, and is.
async fn throttled(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world.expire(&person)?;
    world.provider.script_token(Reply::RetryAfter(30));
    ensure!(
        world.call(&person).await.is_err(),
        "called with a dead token"
    );
    let limits = world.items("LIMIT#")?;
    let limit = limits
        .iter()
        .find(|limit| limit.get("bo").is_some())
        .context("nothing rests")?;
    let limit = limit["pk"]["S"].as_str().unwrap_or_default().to_owned();
    world.change(&limit, "REMOVE bo")?;
    world.change(&world.pk_of(&person)?, "REMOVE bo")?;
    world.restart()?;
    world.call(&person).await
}

/// An attempt whose holder died: the queue of answers is asked first.
async fn recovering(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world.expire(&person)?;
    let pk = world.pk_of(&person)?;
    world.change(&pk, "SET we = e, wf = f, wt = :past, wo = :dead")?;
    let asked = world.queues.count("GetQueueAttributes");
    world.call(&person).await?;
    ensure!(
        world.queues.count("GetQueueAttributes") > asked,
        "the queue was not asked"
    );
    Ok(())
}

/// The table does not take the answer at once: it goes to the queue, and is landed from there.
async fn salvaging(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world.expire(&person)?;
    // The claim passes; the first save is refused as often as the SDK tries.
    world.engine.fail_next("UpdateItem", Fault::Pass);
    for _ in 0..3 {
        world.engine.fail_next("UpdateItem", Fault::Unavailable);
    }
    let sent = world.queues.count("SendMessage");
    world.call(&person).await?;
    ensure!(
        world.queues.count("SendMessage") > sent,
        "nothing was put aside"
    );
    ensure!(
        drain(world, "consulate-salvage.fifo").await? == 1,
        "the answer did not land"
    );
    Ok(())
}

/// The schedule: what waits for being revoked is handed out and done.
async fn ticking(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    world
        .provider
        .script_revoke(Reply::Status(503, String::new(), "text/plain".to_owned()));
    let result = world.disconnect(&person).await?;
    ensure!(result == "pending", "{result}");
    world.change(&world.pk_of(&person)?, "REMOVE bo")?;
    tick(world).await?;
    let row = world.row(&person)?;
    ensure!(row["rr"]["S"] == "revoked", "{row}");
    Ok(())
}

/// A slot that the passport has lost: the next consent takes its row away.
async fn lost_slot(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    let mut row = world.row(&person)?;
    let pk = format!("{}#extra", world.pk_of(&person)?);
    row["pk"] = json!({"S": pk});
    for sealed in ["a", "r", "f", "d", "sb"] {
        row.as_object_mut().context("a row")?.remove(sealed);
    }
    world.table("PutItem", json!({"Item": row}))?;
    let details = world.pk_of(&person)?.replacen("CONNECTION", "DETAILS", 1);
    let read = world.table("GetItem", json!({"Key": {"pk": {"S": details}}}))?;
    let mut item = read["Item"].clone();
    let mut document: Value = serde_json::from_str(item["doc"]["S"].as_str().unwrap_or_default())?;
    document["slot_scopes"] = json!({"": ["profile"], "extra": ["profile"]});
    item["doc"] = json!({"S": document.to_string()});
    world.table("PutItem", json!({"Item": item}))?;
    world.connect(&person).await?;
    ensure!(
        world.items(&pk)?.is_empty(),
        "the lost slot's row is still there"
    );
    Ok(())
}

/// Private settings: put, read, list, delete.
async fn settings(world: &World, person: Person) -> anyhow::Result<()> {
    let at = |method: &'static str, path: &'static str, body: Value| {
        let person = &person;
        async move { world.widget(person, method, path, &body).await }
    };
    at("PUT", "settings/user/theme", json!({"dark": true}))
        .await?
        .expect(201)?;
    let read = at("GET", "settings/user/theme", Value::Null)
        .await?
        .expect(200)?;
    ensure!(read["dark"] == true, "{read}");
    let list = at("GET", "settings/user", Value::Null).await?.expect(200)?;
    ensure!(list["settings"][0]["key"] == "theme", "{list}");
    at("DELETE", "settings/user/theme", Value::Null)
        .await?
        .expect(204)?;
    at("GET", "settings/user/theme", Value::Null)
        .await?
        .expect(404)?;
    Ok(())
}

/// A Qrvey security token with a look-up in a setting.
async fn qrvey(world: &World, person: Person) -> anyhow::Result<()> {
    let admin = Person("admin".to_owned());
    world
        .widget(&admin, "PUT", "settings/organisation/client", &json!("c-1"))
        .await?;
    let told = world
        .widget(&person, "POST", "qrvey/sales", &json!({}))
        .await?
        .expect(200)?;
    ensure!(
        told["qvToken"]
            .as_str()
            .is_some_and(|token| !token.is_empty()),
        "{told}"
    );
    Ok(())
}
