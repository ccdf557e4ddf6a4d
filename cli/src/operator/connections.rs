//! `consulate connections`: who needs looking at, one connection in full, renewing one, revoking many.
//!
//! Lists read the sparse index of unhealthy rows, never the table. Only revoking a whole passport reads the table once,
//! because nothing else knows its connections; it says how far it is. Marking a row is what revokes it: the custodian's
//! one-minute cohort does the rest.

use consulate_core::connection::{Connection, Health};
use consulate_core::connections::{Ailment, Connections, Details};
use consulate_core::custody::{Answer, Event};
use consulate_core::owner::OwnerKey;
use consulate_core::passport::Passport;
use consulate_core::table::{self, ConnectionKey};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::arguments::{ConnectionsCommand, ListArguments, RevokeArguments};
use super::progress;
use super::report::{self, Report};
use super::target::Target;

/// Index partitions asked for, and rows marked, at a time.
const AT_ONCE: usize = 16;
/// Rows of one page of an index.
const PAGE: i32 = 500;
/// Rows of a `--dry-run` that people are shown; `--json` has all.
const SHOWN: usize = 50;

/// Runs one of the commands.
///
/// # Errors
/// The table or the custodian cannot be asked.
pub async fn run(target: &Target, command: &ConnectionsCommand) -> anyhow::Result<Report> {
    match command {
        ConnectionsCommand::List(arguments) => list(target, arguments).await,
        ConnectionsCommand::Show { id } => show(target, id).await,
        ConnectionsCommand::Refresh { id } => refresh(target, id).await,
        ConnectionsCommand::Revoke(arguments) => revoke(target, arguments).await,
    }
}

async fn list(target: &Target, arguments: &ListArguments) -> anyhow::Result<Report> {
    let connections = target.connections();
    let ailments: Vec<Ailment> = match arguments.health {
        Some(health) => vec![health.ailment()],
        None => Ailment::ALL.to_vec(),
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut partitions = Vec::new();
    for ailment in ailments {
        let named = connections.unhealthy_partitions(ailment);
        partitions.extend(named.into_iter().map(|partition| (ailment, partition)));
    }
    let bar = progress::bar(partitions.len() as u64, "Looking");
    let looks = partitions.into_iter().map(|(ailment, partition)| {
        let connections = connections.clone();
        async move { unhealthy(&connections, ailment, &partition, limit).await }
    });
    let mut looks = futures_util::stream::iter(looks).buffered(AT_ONCE);
    let mut found = Vec::new();
    while let Some(some) = looks.try_next().await? {
        found.extend(some);
        bar.inc(1);
        if found.len() > limit {
            break;
        }
    }
    bar.finish_and_clear();
    let truncated = found.len() > limit;
    found.truncate(limit);
    let keys: Vec<ConnectionKey> = found.iter().map(|(_, key)| key.clone()).collect();
    let known = connections.read_known(&keys).await?;
    let rows = found
        .iter()
        .zip(&known)
        .filter_map(|((ailment, _), known)| known.as_ref().map(|known| (*ailment, known)));
    let rows: Vec<(Ailment, &(Connection, Details))> = rows.collect();
    let json: Vec<Value> = rows
        .iter()
        .map(|(ailment, (connection, details))| shown(connection, details, Some(*ailment)))
        .collect();
    let json = json!({ "connections": json, "truncated": truncated });
    if rows.is_empty() {
        return Ok(Report::done("Nothing to look at.", json));
    }
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|(ailment, (connection, details))| cells(*ailment, connection, details))
        .collect();
    let mut text = report::table(["ID", "HEALTH", "REASON", "SINCE", "ACCOUNT"], &cells);
    if truncated {
        text.push_str("\n\nThere are more: see --limit.");
    }
    Ok(Report::done(text, json))
}

/// The rows of one partition, one more than `limit` at most.
async fn unhealthy(
    connections: &Connections,
    ailment: Ailment,
    partition: &str,
    limit: usize,
) -> anyhow::Result<Vec<(Ailment, ConnectionKey)>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = connections
            .unhealthy_page(partition, after.as_deref(), PAGE)
            .await?;
        let keys = page.pks.iter().filter_map(|pk| ConnectionKey::of_pk(pk));
        found.extend(keys.map(|key| (ailment, key)));
        after = page.next;
        if after.is_none() || found.len() > limit {
            return Ok(found);
        }
    }
}

async fn show(target: &Target, id: &str) -> anyhow::Result<Report> {
    let Some(key) = key_of(id) else {
        return Ok(no_id(id));
    };
    let known = target
        .connections()
        .read_known(std::slice::from_ref(&key))
        .await?;
    let Some((connection, details)) = known.into_iter().flatten().next() else {
        return Ok(unknown(id));
    };
    let json = shown(&connection, &details, None);
    Ok(Report::done(
        described(&json),
        json!({ "connection": json }),
    ))
}

async fn refresh(target: &Target, id: &str) -> anyhow::Result<Report> {
    let Some(key) = key_of(id) else {
        return Ok(no_id(id));
    };
    let connections = target.connections();
    if connections.read(&key, true).await?.is_none() {
        return Ok(unknown(id));
    }
    let answer = target.custodian()?.ask(&Event::RefreshNow { key }).await?;
    let json = json!({ "id": id, "answer": answer });
    let refused = |text: String| Ok(Report::refused(text, json.clone()));
    match &answer {
        Answer::Refreshed { version } => Ok(Report::done(
            format!("Renewed: version {version} is stored."),
            json,
        )),
        Answer::InProgress => refused("Somebody else is renewing it.".to_owned()),
        Answer::BackOff { retry_after } => {
            refused(format!("Not before {retry_after} seconds from now."))
        }
        Answer::AuthenticationRequired { reason } => refused(format!(
            "The account has to be connected again: {}.",
            word(reason)
        )),
        Answer::Misconfigured => refused(
            "The provider refuses the passport's own client. Check its client id and secret."
                .to_owned(),
        ),
        _ => refused("The custodian could not renew it now.".to_owned()),
    }
}

async fn revoke(target: &Target, arguments: &RevokeArguments) -> anyhow::Result<Report> {
    let connections = target.connections();
    let keys = match (&arguments.passport, &arguments.owner) {
        (Some(passport), _) => of_passport(&connections, passport).await?,
        (None, Some(owner)) => of_owner(target, &connections, owner).await?,
        (None, None) => Vec::new(),
    };
    let ids: Vec<String> = keys.iter().map(id_of).collect();
    if arguments.dry_run {
        let mut text = format!("{} would be revoked.", counted(keys.len()));
        for id in ids.iter().take(SHOWN) {
            text.push_str(&format!("\n  {id}"));
        }
        if ids.len() > SHOWN {
            text.push_str(&format!("\n  … and {} more", ids.len() - SHOWN));
        }
        let json = json!({ "dry_run": true, "count": keys.len(), "connections": ids });
        return Ok(Report::done(text, json));
    }
    let given_up = give_up(target, &connections, keys).await?;
    let text = format!(
        "{} given up. The custodian revokes them at the provider, beginning within a minute; `consulate connections list --health revoking` shows what is left.",
        counted(given_up)
    );
    Ok(Report::done(
        text,
        json!({ "dry_run": false, "count": given_up, "connections": ids }),
    ))
}

/// Marks every connection as given up; answers how many were not before.
pub(super) async fn give_up(
    target: &Target,
    connections: &Connections,
    keys: Vec<ConnectionKey>,
) -> anyhow::Result<usize> {
    let bar = progress::bar(keys.len() as u64, "Giving up");
    let marks = keys.into_iter().map(|key| {
        let connections = connections.clone();
        let now = target.clock.now();
        async move { connections.disconnect(&key, now).await }
    });
    let mut marks = futures_util::stream::iter(marks).buffer_unordered(AT_ONCE);
    let mut given_up = 0;
    while let Some(marked) = marks.try_next().await? {
        given_up += usize::from(marked);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(given_up)
}

/// The connections of a passport that are not given up yet.
pub(super) async fn of_passport(
    connections: &Connections,
    passport: &str,
) -> anyhow::Result<Vec<ConnectionKey>> {
    let count = progress::count("Read rows:");
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let (page, read) = connections.swept_page(passport, after.as_deref()).await?;
        count.inc(read);
        found.extend(page.pks.iter().filter_map(|pk| ConnectionKey::of_pk(pk)));
        after = page.next;
        if after.is_none() {
            count.finish_and_clear();
            return Ok(found);
        }
    }
}

/// The connections of an owner: one for each passport and slot, looked up by their keys.
async fn of_owner(
    target: &Target,
    connections: &Connections,
    owner: &str,
) -> anyhow::Result<Vec<ConnectionKey>> {
    let records = target.records();
    let mut keys = Vec::new();
    for id in records.registry().await?.passports {
        let main = ConnectionKey::new(&id, OwnerKey::stored(owner));
        let passport = records.read::<Passport>(table::passport_pk(&id)).await?;
        if let Some(passport) = passport {
            let slots = passport
                .definition
                .slot_names()
                .map(|slot| main.in_slot(slot));
            keys.extend(slots);
        }
    }
    let known = connections.read_known(&keys).await?;
    let alive = known.into_iter().flatten().filter_map(|(connection, _)| {
        (connection.health != Health::Disconnected).then_some(connection.key)
    });
    Ok(alive.collect())
}

/// What `list` calls a connection.
pub(super) fn id_of(key: &ConnectionKey) -> String {
    let pk = key.pk();
    pk.strip_prefix("CONNECTION#").unwrap_or(&pk).to_owned()
}

fn key_of(id: &str) -> Option<ConnectionKey> {
    let id = id.strip_prefix("CONNECTION#").unwrap_or(id);
    ConnectionKey::of_pk(&format!("CONNECTION#{id}"))
}

fn no_id(id: &str) -> Report {
    let text = format!(
        "\"{id}\" is no id of a connection: write PASSPORT#OWNER, as `consulate connections list` shows it."
    );
    Report::refused(text, json!({ "field": "id" }))
}

fn unknown(id: &str) -> Report {
    Report::refused(
        format!("There is no connection \"{id}\"."),
        json!({ "field": "id" }),
    )
}

/// A connection as `--json` shows it. No token, sealed or not.
fn shown(connection: &Connection, details: &Details, ailment: Option<Ailment>) -> Value {
    let (health, reason) = match connection.health {
        Health::Connected => ("connected", None),
        Health::NeedsReauthorisation(reason) => ("needs_reauthorisation", Some(reason)),
        Health::Disconnected => ("disconnected", None),
    };
    let time = |time: Option<consulate_core::clock::Timestamp>| time.map(|time| time.rfc3339());
    json!({
        "id": id_of(&connection.key),
        "passport": connection.key.passport,
        "owner": connection.key.owner.as_str(),
        "slot": connection.key.slot,
        "health": health,
        "listed_as": ailment.map(Ailment::text),
        "reason": reason,
        "since": time(connection.health_since),
        "account": details.account.as_ref(),
        "host": details.host,
        "organisation": details.organisation,
        "user": details.user,
        "widget": details.widget,
        "connected_at": connection.connected_at.rfc3339(),
        "saved_at": connection.saved_at.rfc3339(),
        "used_at": time(connection.used_at),
        "expires_at": time(connection.expires_at),
        "backoff_until": time(connection.backoff_until),
        "version": connection.version,
        "attempt_open_since": time(connection.attempt.as_ref().map(|attempt| attempt.started_at)),
        "cohort": connection.due,
        "revocation": connection.receipt,
    })
}

fn cells(ailment: Ailment, connection: &Connection, details: &Details) -> [String; 5] {
    let reason = match connection.health {
        Health::NeedsReauthorisation(reason) => word(&reason),
        Health::Connected => connection
            .backoff_until
            .map(|until| format!("again {}", until.rfc3339()))
            .unwrap_or_default(),
        Health::Disconnected => connection
            .receipt
            .as_ref()
            .map(|receipt| format!("tried {} times", receipt.attempts))
            .unwrap_or_default(),
    };
    let account = details.account.clone().unwrap_or_default();
    [
        id_of(&connection.key),
        ailment.text().to_owned(),
        reason,
        connection
            .health_since
            .map(|since| since.rfc3339())
            .unwrap_or_default(),
        account
            .email
            .or(account.name)
            .or(account.id)
            .unwrap_or_default(),
    ]
}

/// A JSON object as lines of name and value; what is absent is left out.
fn described(json: &Value) -> String {
    let members = json.as_object().into_iter().flatten();
    let lines = members.filter_map(|(name, value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(format!("{name:20} {text}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn word(reason: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(reason).unwrap_or_default();
    text.as_str().unwrap_or_default().replace('_', " ")
}

fn counted(number: usize) -> String {
    match number {
        1 => "1 connection".to_owned(),
        number => format!("{number} connections"),
    }
}
