//! `consulate keys`: the keyrings that tokens and settings are sealed with.
//!
//! `init` makes them, once; never overwritten, because what was sealed under a lost key is lost. `list` shows ids. `rotate` publishes a
//! key, waits until every function has it, promotes it. `reseal` moves values over, and `retire` takes a key out that
//! nothing needs any more.
//!
//! Who can write a keyring knows the keys in it, so these commands open nothing that their operator could not open anyway.

use std::time::Duration;

use anyhow::Context as _;
use consulate_core::seal::Keyring;
use serde_json::{Value, json};

use super::arguments::{KeysCommand, RetireArguments, RotateArguments};
use super::keyring::Document;
use super::progress;
use super::report::{self, Report};
use super::reseal::{self, Use};
use super::secret_store::SecretStore;
use super::target::Target;

/// The keyrings that something is sealed with.
pub(super) const SEALING: [&str; 3] = ["keys/access", "keys/refresh", "keys/settings"];

/// Every keyring, by name of its secret. Nothing is sealed with `keys/fingerprint`: what it makes has to stay comparable, so it is not
/// rotated.
pub const KEYRINGS: [&str; 4] = [
    "keys/access",
    "keys/refresh",
    "keys/settings",
    "keys/fingerprint",
];

/// Runs one of the commands.
///
/// # Errors
/// Secrets Manager or the table cannot be asked.
pub async fn run(target: &Target, command: &KeysCommand) -> anyhow::Result<Report> {
    match command {
        KeysCommand::Init => init(target).await,
        KeysCommand::List => list(target).await,
        KeysCommand::Rotate(arguments) => rotate(target, arguments).await,
        KeysCommand::Reseal => reseal::reseal(target).await,
        KeysCommand::Retire(arguments) => retire(target, arguments).await,
    }
}

/// Makes the keyrings that are missing; refused when none is.
async fn init(target: &Target) -> anyhow::Result<Report> {
    let created = create_missing(target).await?;
    if created.is_empty() {
        let text = "The keyrings are there already, and were left as they are.";
        return Ok(Report::refused(text, json!({ "created": [] })));
    }
    let text = format!("Made {}.", created.join(", "));
    Ok(Report::done(text, json!({ "created": created })))
}

/// Makes the keyrings that are missing, and answers which.
///
/// # Errors
/// Secrets Manager cannot be asked.
pub async fn create_missing(target: &Target) -> anyhow::Result<Vec<&'static str>> {
    let store = SecretStore::of(target);
    let mut created = Vec::new();
    for name in KEYRINGS {
        let keyring = Document::new(target.clock.now())?.text()?;
        if store.create(name, &keyring).await? {
            created.push(name);
        }
    }
    Ok(created)
}

/// A keyring as it is stored.
///
/// # Errors
/// It is not there, or is none.
pub(super) async fn read(store: &SecretStore, name: &str) -> anyhow::Result<Document> {
    let text = store.get(name).await?;
    let text = text.with_context(|| format!("{name} is not set: consulate keys init"))?;
    Document::parse(&text).with_context(|| format!("{name} is not a keyring"))
}

/// As the functions use it.
pub(super) fn opened(document: &Document) -> anyhow::Result<Keyring> {
    Ok(Keyring::parse(&document.text()?)?)
}

async fn list(target: &Target) -> anyhow::Result<Report> {
    let store = SecretStore::of(target);
    let mut shown = Vec::new();
    let mut rows = Vec::new();
    for name in KEYRINGS {
        let document = read(&store, name).await?;
        let pending = document.pending();
        rows.push([
            name.to_owned(),
            document.primary.clone(),
            document.ids().join(", "),
            pending.clone().unwrap_or_default(),
        ]);
        shown.push(json!({
            "keyring": name, "primary": document.primary, "keys": document.ids(), "published": pending,
        }));
    }
    let text = report::table(["keyring", "primary", "keys", "published only"], &rows);
    Ok(Report::done(text, json!({ "keyrings": shown })))
}

/// Publishes, waits, promotes, waits: after that every function seals with the new key, and opens with either. Begun again after it was
/// interrupted, it goes on with the key it had published.
async fn rotate(target: &Target, arguments: &RotateArguments) -> anyhow::Result<Report> {
    let store = SecretStore::of(target);
    let wait = Duration::from_secs(arguments.wait_seconds);
    let mut rotated = Vec::new();
    for name in SEALING {
        let mut document = read(&store, name).await?;
        let former = document.primary.clone();
        let id = match document.pending() {
            Some(id) => id,
            None => {
                let id = document.publish(target.clock.now())?;
                store.put(name, &document.text()?).await?;
                id
            }
        };
        rotated.push((name, former, id));
    }
    pause(wait, "Until every function has the new keys").await;
    for (name, _, id) in &rotated {
        // Read again: somebody else may have written meanwhile.
        let mut document = read(&store, name).await?;
        if !document.promote(id) {
            anyhow::bail!("{name} has no key {id} any more: somebody else changed it");
        }
        store.put(name, &document.text()?).await?;
    }
    pause(wait, "Until nobody seals with the former ones").await;
    let shown: Vec<Value> = rotated
        .iter()
        .map(|(name, former, id)| json!({ "keyring": name, "primary": id, "former": former }))
        .collect();
    let lines = rotated
        .iter()
        .map(|(name, former, id)| format!("{name}: {id} (was {former})"));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push_str(
        "\n\nThe former keys still open what was sealed with them. Next: consulate keys reseal",
    );
    Ok(Report::done(text, json!({ "rotated": shown })))
}

/// Takes a key out of the keyrings that have it, where nothing is sealed with it any more. Looks twice, a function's lifetime
/// apart: what one had read before the first look is written by then.
async fn retire(target: &Target, arguments: &RetireArguments) -> anyhow::Result<Report> {
    let id = &arguments.id;
    let store = SecretStore::of(target);
    let mut having = Vec::new();
    for name in SEALING {
        let document = read(&store, name).await?;
        if document.primary == *id {
            let text = format!("{id} is what {name} seals with. Rotate first.");
            return Ok(Report::refused(
                text,
                json!({ "key": id, "primary_of": name }),
            ));
        }
        if document.pending().as_ref() == Some(id) {
            let text = format!("{id} is published in {name} and about to be promoted.");
            return Ok(Report::refused(
                text,
                json!({ "key": id, "published_in": name }),
            ));
        }
        if document.ids().contains(id) {
            having.push(name);
        }
    }
    if having.is_empty() {
        let text = format!("No keyring has a key {id}. `consulate keys list` shows them.");
        return Ok(Report::refused(text, json!({ "key": id })));
    }
    for look in 0..2 {
        if look > 0 {
            let wait = Duration::from_secs(arguments.wait_seconds);
            pause(wait, "Until whatever was read before is written").await;
        }
        match target.answers_wait_to_land().await? {
            Some(false) => {}
            None if arguments.no_salvage_queue => {}
            None => {
                let text = "Which queue answers may wait in is not said, and one of them may need the key. Set CONSULATE_SALVAGE_QUEUE_URL (the stack's output has it), or say --no-salvage-queue where there is none.";
                return Ok(Report::refused(text, json!({ "key": id, "salvage": null })));
            }
            Some(true) => {
                let text = "Answers wait in the salvage queue, sealed with nobody knows which key. Try again when it is empty.";
                return Ok(Report::refused(text, json!({ "key": id, "salvage": true })));
            }
        }
        let used = reseal::uses(target, id).await?;
        if used.count > 0 {
            return Ok(in_use(id, &used));
        }
    }
    for name in &having {
        let mut document = read(&store, name).await?;
        if document.retire(id) {
            store.put(name, &document.text()?).await?;
        }
    }
    let text = format!("{id} is gone from {}.", having.join(", "));
    Ok(Report::done(
        text,
        json!({ "retired": id, "keyrings": having }),
    ))
}

fn in_use(id: &str, used: &Use) -> Report {
    let mut text = format!(
        "{} value(s) are still sealed with {id}. Nothing was changed. Run `consulate keys reseal` first; grants that wait to be completed or revoked take some minutes.",
        used.count
    );
    for pk in &used.some {
        text.push_str(&format!("\n  {pk}"));
    }
    Report::refused(
        text,
        json!({ "key": id, "in_use": used.count, "rows": used.some }),
    )
}

/// Waits, and shows for how long.
async fn pause(wait: Duration, what: &'static str) {
    let bar = progress::bar(wait.as_secs(), what);
    for _ in 0..wait.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
}
