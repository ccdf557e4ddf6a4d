//! Journeys of an administrator in the console.

use anyhow::{Context as _, ensure};
use consulate::operator::arguments::PackArguments;
use consulate::operator::pack;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::{Bundle, MINE, PASSPORT};
use consulate_flows::own::HEADER;
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET};
use serde_json::json;

use crate::admin::{Admin, NOTES};
use crate::api::Answer;
use crate::widget::{FREE, FREE_PASSPORT, OWN_PROVIDERS, Person};
use crate::world::{PROVIDER, World};

/// Every page of the console, with an unhealthy connection to show; a form of its own for each act; signing out.
///
/// # Errors
/// A step fails.
pub async fn console_pages(world: &World, person: Person) -> anyhow::Result<()> {
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
///
/// # Errors
/// A step fails.
pub async fn console_acts(world: &World, person: Person) -> anyhow::Result<()> {
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
    // The same act in a request's body is none: the gateway's events say what they are, and no route is of that path.
    let somebody = json!({"organisation": "o1", "user": person.0});
    let act = json!({"type": "disconnect", "auth_key": MINE});
    let act = json!({"widget": "notes", "person": somebody, "act": act}).to_string();
    for function in ["connect", "proxy"] {
        let request = world.through_gateway(
            function,
            "/events",
            "POST",
            "/events",
            &[],
            &[],
            act.as_bytes(),
        );
        request.await?.expect(404)?;
    }
    let path = format!("{NOTES}/connections/{MINE}/disconnect");
    let gone = admin.post(&path, &[]).await?;
    ensure!(
        gone.location()?.ends_with("done=disconnected"),
        "{:?}",
        gone.location()
    );
    world.stands(&person, "disconnected").await
}

/// Secrets written: those that are there already, and one that is not.
///
/// # Errors
/// A step fails.
pub async fn console_secrets(world: &World, _: Person) -> anyhow::Result<()> {
    let secrets = &world.target.secrets_manager;
    let gone = secrets
        .delete_secret()
        .secret_id(format!("consulate/passports/{FREE_PASSPORT}"))
        .force_delete_without_recovery(true);
    // The first time there is nothing to delete.
    let _was_there = gone.send().await;
    let mut admin = Admin::signed_in(world).await?;
    let set = |answer: Answer| {
        let location = answer.location().map(str::to_owned);
        location.and_then(|location| {
            ensure!(location.ends_with("done=secret_set"), "{location}");
            Ok(())
        })
    };
    for passport in [PASSPORT, FREE_PASSPORT] {
        let path = format!("/console/passports/{passport}/secret");
        set(admin
            .post(&path, &[("client_secret", CLIENT_SECRET)])
            .await?)?;
    }
    set(admin
        .post(&format!("{NOTES}/host-secret"), &[("current", HOST_SECRET)])
        .await?)?;
    let page = admin.page("/console/passports").await?;
    ensure!(page.contains("Set") || page.contains("Replace"), "{page}");
    Ok(())
}

/// Definitions written: a passport of the operator's own provider, and a bundle that brings a host and a passport and is bound to the
/// other.
///
/// # Errors
/// A step fails.
pub async fn console_definitions(world: &World, _: Person) -> anyhow::Result<()> {
    const OWN: &str = "gate-own";
    let mut admin = Admin::signed_in(world).await?;
    let made = admin
        .post("/console/passports", &[("provider", HEADER), ("id", OWN)])
        .await?;
    ensure!(made.location()?.ends_with("done=passport_made"), "{made:?}");
    let mut bundle = Bundle::new(PROVIDER);
    if let Some(authentications) = bundle.schema["authentications"].as_array_mut() {
        authentications.push(
            json!({"label": "Own", "authenticationType": "passport", "authKey": "own",
                                    "metadata": {"passportProvider": HEADER}}),
        );
    }
    bundle.consulate["widget"] = json!("gate");
    bundle.consulate["host"]["id"] = json!("gate");
    // `consulate pack` leaves consulate.json out: it is the operator's, not the widget's.
    let consulate = bundle.consulate.to_string().into_bytes();
    let scratch = tempfile::tempdir()?;
    let output = scratch.path().join("gate.zip");
    let packing = PackArguments {
        path: bundle.write(&scratch.path().join("gate")),
        output: Some(output.clone()),
        widget: None,
        catalogue: Some(world.folder.path().join(OWN_PROVIDERS)),
    };
    let packed = pack(&packing, None)?;
    let archive = std::fs::read(&output).with_context(|| packed.text)?;
    let fields = [("act", "import"), ("bind.own", OWN)];
    let imported = admin.upload(&fields, &archive, &consulate).await?;
    ensure!(
        imported.location()?.ends_with("done=imported"),
        "{imported:?}"
    );
    let page = admin.page("/console/widgets/gate").await?;
    ensure!(page.contains(OWN), "it is not bound: {page}");
    Ok(())
}
