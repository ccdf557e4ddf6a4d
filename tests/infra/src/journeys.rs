//! Journeys that together use every permission of every role. Each stands by itself, with a person of its own, and fails when
//! something it is about did not happen: what the functions do at best effort is looked for where it should have left a trace.

use anyhow::{Context as _, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use consulate_core::clock::Clock;
use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::{MINE, PASSPORT};
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde_json::{Value, json};

use crate::admin::{Admin, NOTES};
use crate::api::{Answer, Browser};
use crate::widget::{FREE, FREE_PASSPORT, Person};
use crate::world::{World, access_key};

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

/// Every page of the console, with an unhealthy connection to show; a form of its own for each act; signing out.
async fn console_pages(world: &World, person: Person) -> anyhow::Result<()> {
    // What is noted has to be this journey's own.
    for act in world.items("CONSOLE_ACTIVITY")? {
        world.table("DeleteItem", json!({"Key": {"pk": act["pk"]}}))?;
    }
    world.connect(&person).await?;
    world.expire(&person)?;
    world
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    ensure!(
        world.call(&person).await.is_err(),
        "called with a dead token"
    );
    let mut admin = Admin::signed_in(world).await?;
    admin.page("/console").await?;
    admin.page(NOTES).await?;
    admin.page("/console/passports").await?;
    let health = admin.page("/console/health").await?;
    ensure!(
        health.contains(&person.0),
        "the health page does not name {person:?}"
    );
    let activity = admin.page("/console/activity").await?;
    ensure!(
        activity.contains("Signed in"),
        "nothing was noted: {activity}"
    );
    admin.post("/console/sign-out", &[]).await?;
    ensure!(admin.page("/console").await.is_err(), "still signed in");
    Ok(())
}

/// Acting for somebody: connect asks connect, trying asks proxy, renewing asks the custodian; binding writes the widget.
async fn console_acts(world: &World, person: Person) -> anyhow::Result<()> {
    world.connect(&person).await?;
    let mut admin = Admin::signed_in(world).await?;
    admin
        .post(
            &format!("{NOTES}/person"),
            &[("organisation", "o1"), ("user", &person.0)],
        )
        .await?;
    let page = admin.page(NOTES).await?;
    ensure!(
        page.contains("Reconnect"),
        "the account is not shown: {page}"
    );
    let tried = admin
        .post("/console/widgets/notes/apis/echoAll", &[])
        .await?;
    ensure!(
        tried.text.contains("The API answered 200"),
        "{}",
        tried.text
    );
    let pk = world.pk_of(&person)?;
    let renewed = admin
        .post("/console/health/renew", &[("connection", &pk)])
        .await?;
    ensure!(
        renewed.location()?.ends_with("done=renewed"),
        "{:?}",
        renewed.location()
    );
    let bound = admin
        .post(
            &format!("{NOTES}/connections/{FREE}/bind"),
            &[("passport", FREE_PASSPORT)],
        )
        .await?;
    ensure!(
        bound.location()?.ends_with("done=bound"),
        "{:?}",
        bound.location()
    );
    let path = format!("{NOTES}/connections/{MINE}/disconnect");
    let gone = admin.post(&path, &[]).await?;
    ensure!(
        gone.location()?.ends_with("done=disconnected"),
        "{:?}",
        gone.location()
    );
    world.stands(&person, "disconnected").await
}

/// Secrets written: one that is there already, and one that is not.
async fn console_secrets(world: &World, _: Person) -> anyhow::Result<()> {
    let mut admin = Admin::signed_in(world).await?;
    let set = |answer: Answer| {
        let location = answer.location().map(str::to_owned);
        location.and_then(|location| {
            ensure!(location.ends_with("done=secret_set"), "{location}");
            Ok(())
        })
    };
    set(admin
        .post(
            &format!("/console/passports/{PASSPORT}/secret"),
            &[("client_secret", CLIENT_SECRET)],
        )
        .await?)?;
    set(admin
        .post(&format!("{NOTES}/host-secret"), &[("current", HOST_SECRET)])
        .await?)?;
    let page = admin.page("/console/passports").await?;
    ensure!(page.contains("Set") || page.contains("Replace"), "{page}");
    Ok(())
}

/// One minute of the schedule, and the work it handed out.
async fn tick(world: &World) -> anyhow::Result<()> {
    // As if the last one had been three minutes ago, so that this one finds a minute to go through.
    if !world.items("TICK")?.is_empty() {
        let now = Clock::system().now().seconds() / 60;
        world.table("UpdateItem", json!({"Key": {"pk": {"S": "TICK"}}, "UpdateExpression": "SET m = :m REMOVE #at",
            "ExpressionAttributeNames": {"#at": "at"}, "ExpressionAttributeValues": {":m": {"N": (now - 3).to_string()}}}))?;
    }
    let event = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "123456789012",
        "time": Clock::system().now().rfc3339(), "region": "eu-central-1", "resources": [], "detail": {},
    });
    let told = world.invoke("custodian", &event).await?;
    ensure!(told["stopped"].is_null(), "{told}");
    drain(world, "consulate-work").await?;
    Ok(())
}

/// What Lambda does to feed a queue to the custodian, in the name of its role and through the gate: how many messages were done.
async fn drain(world: &World, queue: &str) -> anyhow::Result<usize> {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("eu-central-1"))
        .credentials_provider(aws_sdk_sqs::config::Credentials::new(
            access_key("custodian"),
            "of-this-role",
            None,
            None,
            "gate",
        ))
        .endpoint_url(&world.gate)
        .http_client(consulate_core::aws::sdk_http(
            consulate_core::dial::tls(None)?,
            Clock::system(),
        ));
    let client = aws_sdk_sqs::Client::from_conf(config.build());
    let url = world.queue_url(queue);
    let mut done = 0;
    client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await?;
    loop {
        let received = client
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(1)
            .send()
            .await?;
        let Some(message) = received.messages.unwrap_or_default().into_iter().next() else {
            return Ok(done);
        };
        let event = json!({"Records": [{
            "messageId": message.message_id(), "body": message.body(), "eventSource": "aws:sqs", "attributes": {}, "messageAttributes": {},
        }]});
        let told = world.invoke("custodian", &event).await?;
        ensure!(told["batchItemFailures"] == json!([]), "{told}");
        let handle = message.receipt_handle().context("no handle")?;
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
            .await?;
        done += 1;
    }
}
