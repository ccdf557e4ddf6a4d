//! `consulate passports`: passports on providers of the catalogue, made by the operator and bound to widgets at import.

use consulate_core::definition::Passport;
use consulate_core::table;
use serde_json::{Value, json};

use super::arguments::PassportArguments;
use super::records::Records;
use super::report::{self, Report};
use super::target::Target;
use crate::bundle::{ID_RULE, is_id};
use crate::catalogue::Catalogue;

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
    let catalogue = Catalogue::built_in()?;
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
    if arguments.client_id.trim().is_empty() {
        return Ok(refused("The client id is empty.", "client_id"));
    }
    let scopes = arguments
        .scopes
        .iter()
        .flat_map(|scopes| scopes.split_whitespace().map(str::to_owned));
    let passport = entry.passport(
        id,
        &arguments.client_id,
        scopes.collect(),
        arguments.name.as_deref(),
    );

    let records = Records::of(target);
    let stored = records.read::<Passport>(table::passport_pk(id)).await?;
    let differences = stored
        .as_ref()
        .map(|stored| differences(&stored.definition, &passport))
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
    let redirect_uri = target.redirect_uri(id);
    let text = format!(
        "Passport {id} on {}.\n  redirect URI to register  {redirect_uri}\n  credentials go to         {}\n\n\
         Next: give {{\"client_secret\":\"…\"}} to `consulate secret set passports/{id}`,\n      \
         then `consulate import BUNDLE --bind AUTHKEY={id}`.",
        entry.name,
        passport.api_hosts.join(", "),
    );
    Ok(Report::done(text, shown(target, &passport)))
}

/// Every passport.
///
/// # Errors
/// The table cannot be asked.
pub async fn list(target: &Target) -> anyhow::Result<Report> {
    let records = Records::of(target);
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
        "api_hosts": passport.api_hosts,
        "redirect_uri": target.redirect_uri(&passport.id),
    })
}

/// What would change, one line for each field.
fn differences(before: &Passport, after: &Passport) -> Vec<String> {
    let (before, after) = (json!(before), json!(after));
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return Vec::new();
    };
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let show = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            format!(
                "{name}: {} -> {}",
                show(before.get(name)),
                show(after.get(name))
            )
        })
        .collect()
}

fn refused(text: &str, field: &str) -> Report {
    Report::refused(text, json!({ "field": field }))
}
