//! `consulate passports`: passports on providers of the catalogue, made by the operator and bound to widgets at import.

use std::collections::BTreeMap;

use consulate_core::passport::{ClientAuthentication, Passport};
use consulate_core::table;
use serde_json::{Value, json};

use super::arguments::PassportArguments;
use super::providers;
use super::report::{self, Report};
use super::target::Target;
use crate::bundle::{ID_RULE, is_id};
use crate::catalogue::{Entry, PassportSettings};
use consulate_bundle::changes::changes;

/// Makes or, with consent, changes a passport.
///
/// # Errors
/// The table cannot be asked.
pub async fn add(target: &Target, arguments: &PassportArguments) -> anyhow::Result<Report> {
    let id = &arguments.id;
    if !is_id(id) {
        return Ok(refused(
            &format!("\"{id}\" cannot be the id of a passport. {ID_RULE}"),
            "id",
        ));
    }
    let catalogue = providers::catalogue(target).await?;
    let Some(entry) = catalogue.get(&arguments.provider) else {
        let close = catalogue.suggest(&arguments.provider);
        let close = close
            .map(|id| format!(" Did you mean \"{id}\"?"))
            .unwrap_or_default();
        let text = format!(
            "The provider \"{}\" is not known.{close} `consulate providers` lists all.",
            arguments.provider
        );
        return Ok(refused(&text, "provider"));
    };
    let passport = match entry.passport(&settings(arguments)) {
        Ok(passport) => Passport {
            browser_delivery: arguments.browser_delivery,
            ..passport
        },
        Err(error) => return Ok(refused(&error.message, &error.field)),
    };

    let records = target.records();
    let stored = records.read::<Passport>(table::passport_pk(id)).await?;
    let differences = stored
        .as_ref()
        .map(|stored| changes(&stored.definition, &passport))
        .unwrap_or_default();
    if !differences.is_empty() && !arguments.accept {
        let text = format!(
            "There is a passport \"{id}\" already, and it differs. Nothing was changed.\n\n  {}\n\nAgree with --accept.",
            differences.join("\n  ")
        );
        return Ok(Report::refused(text, json!({ "differences": differences })));
    }
    let mut change = records.change();
    change.passport(id, &passport, stored.as_ref())?;
    if !change.commit().await? {
        return Ok(Report::refused(
            "The passport was changed by somebody else meanwhile. Run this again.",
            json!({}),
        ));
    }
    Ok(Report::done(
        made(target, entry, &passport),
        shown(target, &passport),
    ))
}

/// What an operator reads when a passport was made: what to register, where credentials go, what comes next.
fn made(target: &Target, entry: &Entry, passport: &Passport) -> String {
    let id = &passport.id;
    let mut lines = vec![format!("Passport {id} on {}.", entry.name)];
    if passport.credential.is_consented() {
        let redirect_uri = target.redirect_uri(id);
        lines.push(format!("  redirect URI to register  {redirect_uri}"));
    }
    let hosts = passport.api_hosts.iter().chain(&passport.host_patterns);
    let hosts: Vec<&str> = hosts.map(String::as_str).collect();
    lines.push(format!("  credentials go to         {}", hosts.join(", ")));
    if passport.browser_delivery {
        lines.push("  browser delivery          allowed".to_owned());
    }
    let idle = passport.slots.iter().filter(|slot| slot.scopes.is_empty());
    for slot in idle {
        lines.push(format!(
            "  token slot {} is not asked for: give --slot-scope {}=SCOPE if it should be",
            slot.name, slot.name
        ));
    }
    if !entry.setup.is_empty() {
        lines.push(format!("\n{}", entry.setup));
    }
    let import = format!("`consulate import BUNDLE --bind AUTHKEY={id}`.");
    let wanted = match passport.client_authentication {
        ClientAuthentication::PrivateKeyJwt => r#"{"private_key":"PEM","key_id":"…"}"#,
        _ => r#"{"client_secret":"…"}"#,
    };
    lines.push(match passport.has_client_secret() {
        true => format!(
            "\nNext: give {wanted} to `consulate secret set passports/{id}`,\n      then {import}"
        ),
        false => format!("\nNext: {import}"),
    });
    lines.join("\n")
}

/// What was typed, as the catalogue takes it. The last value of a variable counts; scopes add up.
fn settings(arguments: &PassportArguments) -> PassportSettings {
    let words = |text: &str| {
        let words = text.split_whitespace().map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    let mut slot_scopes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (slot, scopes) in &arguments.slot_scopes {
        slot_scopes
            .entry(slot.clone())
            .or_default()
            .extend(words(scopes));
    }
    PassportSettings {
        id: arguments.id.clone(),
        client_id: arguments.client_id.clone().unwrap_or_default(),
        client_authentication: arguments.client_authentication,
        scopes: arguments
            .scopes
            .iter()
            .flat_map(|scopes| words(scopes))
            .collect(),
        slot_scopes,
        name: arguments.name.clone(),
        variables: arguments.variables.iter().cloned().collect(),
        accept: arguments.accept,
    }
}

/// Every passport.
///
/// # Errors
/// The table cannot be asked.
pub async fn list(target: &Target) -> anyhow::Result<Report> {
    let records = target.records();
    let mut passports = Vec::new();
    for id in records.registry().await?.passports {
        passports.extend(
            records
                .read::<Passport>(table::passport_pk(&id))
                .await?
                .map(|record| record.definition),
        );
    }
    let json: Vec<Value> = passports
        .iter()
        .map(|passport| shown(target, passport))
        .collect();
    let json = json!({ "passports": json });
    if passports.is_empty() {
        return Ok(Report::done("No passport yet.", json));
    }
    let row = |passport: &Passport| {
        let Passport {
            id,
            provider,
            client_id,
            scopes,
            api_hosts,
            ..
        } = passport;
        [
            id.clone(),
            provider.clone(),
            client_id.clone(),
            scopes.join(" "),
            api_hosts.join(" "),
        ]
    };
    let rows: Vec<_> = passports.iter().map(row).collect();
    let text = report::table(["ID", "PROVIDER", "CLIENT ID", "SCOPES", "HOSTS"], &rows);
    Ok(Report::done(text, json))
}

/// A passport as `--json` shows it.
fn shown(target: &Target, passport: &Passport) -> Value {
    json!({
        "id": passport.id,
        "name": passport.name,
        "provider": passport.provider,
        "client_id": passport.client_id,
        "scopes": passport.scopes,
        "slots": passport.slots,
        "variables": passport.variables,
        "credential": passport.credential,
        "client_authentication": passport.credential.has_client().then_some(passport.client_authentication),
        "browser_delivery": passport.browser_delivery,
        "api_hosts": passport.api_hosts,
        "host_patterns": passport.host_patterns,
        "redirect_uri": passport.credential.is_consented().then(|| target.redirect_uri(&passport.id)),
    })
}

fn refused(text: &str, field: &str) -> Report {
    Report::refused(text, json!({ "field": field }))
}
