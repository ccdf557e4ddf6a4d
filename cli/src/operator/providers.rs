//! `consulate providers`: what the catalogue knows, and an operator's own entries beside it. Own entries lie in the table, so
//! that adding one takes no new build.

use std::path::Path;

use consulate_core::table;
use serde_json::{Value, json};

use super::report::{self, Report};
use super::target::Target;
use crate::catalogue::{self, Catalogue, Entry};
use consulate_bundle::changes::changes;

/// What one transaction of the table holds, beside the list of all ids.
const MOST_AT_ONCE: usize = 99;

/// The catalogue as `target` has it: built-in, with the operator's own entries.
///
/// # Errors
/// The table cannot be asked, or an own entry shares a name with a built-in one.
pub async fn catalogue(target: &Target) -> anyhow::Result<Catalogue> {
    Ok(target.records().catalogue().await?)
}

/// Every provider, own ones included where there is a server or a table to ask.
///
/// # Errors
/// What is there cannot be asked.
pub(super) async fn list_of(dev: Option<&Path>) -> anyhow::Result<Report> {
    match (Target::new(dev).await, dev) {
        (Ok(target), _) => Ok(list(&catalogue(&target).await?)),
        (Err(error), Some(_)) => Err(error),
        (Err(error), None) => {
            let mut report = list(&Catalogue::built_in()?);
            report.text = format!("{}\n\nBuilt-in providers only: {error}", report.text);
            Ok(report)
        }
    }
}

/// Every provider of `catalogue`.
pub fn list(catalogue: &Catalogue) -> Report {
    let row = |entry: &Entry| {
        let mut remarks = Vec::new();
        if catalogue.is_own(&entry.id) {
            remarks.push("own");
        }
        if entry.retired().is_some() {
            remarks.push("retired");
        }
        let variables = entry.variables.iter();
        let variables: Vec<&str> = variables.map(|variable| variable.name.as_str()).collect();
        [
            entry.id.clone(),
            entry.name.clone(),
            entry.family.clone(),
            variables.join(" "),
            remarks.join(" "),
            entry.aliases.join(" "),
        ]
    };
    let entries = catalogue.entries();
    let text = report::table(
        ["ID", "NAME", "FAMILY", "VARIABLES", "", "ALSO"],
        &entries.iter().map(row).collect::<Vec<_>>(),
    );
    let shown = |entry: &Entry| {
        json!({
            "id": entry.id,
            "name": entry.name,
            "family": entry.family,
            "credential": entry.credential,
            "aliases": entry.aliases,
            "category": entry.category,
            "status": entry.status,
            "retired_because": entry.retired_because,
            "variables": entry.variables,
            "scopes": entry.scopes,
            "confidence": entry.confidence,
            "own": catalogue.is_own(&entry.id),
        })
    };
    let providers: Vec<Value> = entries.iter().map(shown).collect();
    Report::done(text, json!({ "providers": providers }))
}

/// The page of the docs.
///
/// # Errors
/// The catalogue cannot be read.
pub(super) fn markdown() -> anyhow::Result<Report> {
    let page = Catalogue::built_in()?.markdown();
    // What prints a report ends it with a line end.
    let text = page.trim_end().to_owned();
    Ok(Report::done(text, json!({ "markdown": page })))
}

/// Stores the entries of the file at `path`: all of them or, where anything is wrong, none.
///
/// # Errors
/// The table cannot be asked.
pub async fn add(target: &Target, path: &Path, accept: bool) -> anyhow::Result<Report> {
    let entries = match catalogue::read_own(path) {
        Ok(entries) => entries,
        Err(error) => return Ok(refused(&error)),
    };
    if entries.is_empty() {
        let text = format!("{} holds no provider. Nothing was stored.", path.display());
        return Ok(Report::refused(text, json!({})));
    }
    if entries.len() > MOST_AT_ONCE {
        let text = format!(
            "{} holds more than {MOST_AT_ONCE} providers. Nothing was stored. Split it.",
            path.display()
        );
        return Ok(Report::refused(text, json!({})));
    }
    let records = target.records();
    let stored = records.own_providers().await?;
    let was = |id: &str| stored.iter().find(|record| record.definition.id == id);

    // What the catalogue would be: the file's entries, and the stored ones they do not replace.
    let others = stored.iter().map(|record| &record.definition);
    let others = others.filter(|known| entries.iter().all(|entry| entry.id != known.id));
    let whole = entries.iter().chain(others).cloned().collect();
    let built_in = Catalogue::built_in()?;
    let replaced = |entry: &&Entry| built_in.entries().iter().any(|known| known.id == entry.id);
    let replaced: Vec<String> = entries
        .iter()
        .filter(replaced)
        .map(|entry| entry.id.clone())
        .collect();
    if let Err(error) = built_in.with_own(whole) {
        return Ok(refused(&error));
    }

    let mut differences = Vec::new();
    let mut change = records.change();
    for entry in &entries {
        let was = was(&entry.id);
        if let Some(was) = was {
            let changed = changes(&was.definition, entry);
            differences.extend(changed.iter().map(|line| format!("{}: {line}", entry.id)));
        }
        change.provider(&entry.id, entry, was)?;
    }
    if !differences.is_empty() && !accept {
        let text = format!(
            "Providers you added before differ. Nothing was stored.\n\n  {}\n\nAgree with --accept.",
            differences.join("\n  ")
        );
        return Ok(Report::refused(text, json!({ "differences": differences })));
    }
    if !change.commit().await? {
        let text = "A provider was changed by somebody else meanwhile. Nothing was stored. Run this again.";
        return Ok(Report::refused(text, json!({})));
    }
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    let mut text = format!("Stored: {}.", ids.join(", "));
    if !replaced.is_empty() {
        text.push_str(&format!(
            "\nIn place of the built-in: {}.",
            replaced.join(", ")
        ));
    }
    text.push_str(
        "\nPassports made before stay as they are; make them anew with `consulate passports add ID … --accept`.",
    );
    let json = json!({ "providers": ids, "replaced": replaced, "differences": differences });
    Ok(Report::done(text, json))
}

/// Takes out the own entry `id`. A built-in one that it replaced is back.
///
/// # Errors
/// The table cannot be asked.
pub async fn remove(target: &Target, id: &str) -> anyhow::Result<Report> {
    let records = target.records();
    let Some(stored) = records.read::<Entry>(table::provider_pk(id)).await? else {
        let text = format!("You have added no provider \"{id}\": there is nothing to remove.");
        return Ok(Report::refused(text, json!({ "field": "id" })));
    };
    let mut change = records.change();
    change.without_provider(id, &stored)?;
    if !change.commit().await? {
        let text = "The provider was changed by somebody else meanwhile. Run this again.";
        return Ok(Report::refused(text, json!({})));
    }
    let text = format!("Removed {id}. Passports made of it stay.");
    Ok(Report::done(text, json!({ "removed": id })))
}

fn refused(error: &catalogue::Error) -> Report {
    let faults = match error {
        catalogue::Error::Faulty(faults) => faults
            .iter()
            .map(|fault| {
                json!({ "file": fault.file, "entry": fault.entry, "field": fault.field, "message": fault.message })
            })
            .collect(),
        _ => Vec::new(),
    };
    Report::refused(
        format!("Nothing was stored.\n{error}"),
        json!({ "refused": error.to_string(), "faults": faults }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_listed_with_what_a_choice_needs() {
        let report = list(&Catalogue::built_in().unwrap());
        let listed = report.json["providers"].as_array().unwrap();
        let find = |id: &str| listed.iter().find(|entry| entry["id"] == id).unwrap();
        let microsoft = find("microsoft");
        assert_eq!(
            (
                &microsoft["family"],
                &microsoft["credential"],
                &microsoft["own"]
            ),
            (&json!("microsoft"), &json!("oauth2"), &json!(false))
        );
        assert_eq!(microsoft["variables"][0]["name"], "tenant");
        assert_eq!(find("tableau")["credential"], "personal_access_token");
        assert_eq!(find("workplace")["status"], "retired");
        assert!(
            find("x")["aliases"]
                .as_array()
                .unwrap()
                .contains(&json!("twitter"))
        );
        assert!(report.text.contains("retired"));
    }

    #[test]
    fn the_page_is_printed_as_the_docs_have_it() {
        let report = markdown().unwrap();
        assert_eq!(
            format!("{}\n", report.text),
            report.json["markdown"].as_str().unwrap()
        );
    }
}
