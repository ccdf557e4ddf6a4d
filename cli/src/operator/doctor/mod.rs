//! `consulate doctor`: looks at a deployment, or at a running `consulate dev`, and says what is wrong with it, each with its cure. It
//! reads and asks; it changes nothing.
//!
//! `account` (who acts, the table, the custodian, clocks, the schedule), `keyrings`, `widgets` and `passports` look, each at its own
//! part; `notes` collects. What cannot be looked at is a finding too, and the looking goes on.

mod account;
mod keyrings;
mod notes;
mod passports;
mod widgets;

use std::path::Path;

use consulate_core::definition::Widget;
use consulate_core::passport::Passport;
use consulate_core::table;
use serde_json::json;

use self::notes::Notes;
use super::arguments::DoctorArguments;
use super::report::{self, Report};
use super::secret_store::SecretStore;
use super::target::Target;
use crate::bundle::Severity;

/// Looks at the server that runs on `dev`, else at AWS.
///
/// # Errors
/// None: what cannot be looked at is a finding.
pub async fn run(dev: Option<&Path>, arguments: &DoctorArguments) -> anyhow::Result<Report> {
    match Target::new(dev).await {
        Ok(target) => Ok(examine(&target, arguments).await),
        Err(error) => {
            let mut notes = Notes::default();
            notes.error(
                "target_unknown",
                "environment",
                &format!("{error:#}"),
                "Set what it names (the stack's outputs have it; `consulate --help` lists what is read), or start `consulate dev`.",
            );
            Ok(told(notes, Vec::new()))
        }
    }
}

/// What was set up, as far as it can be read.
struct Setup {
    widgets: Vec<Widget>,
    passports: Vec<Passport>,
}

/// Looks at `target`.
pub async fn examine(target: &Target, arguments: &DoctorArguments) -> Report {
    let mut notes = Notes::default();
    let mut redirect_uris = Vec::new();
    account::identity(target, &mut notes).await;
    if account::table(target, &mut notes).await {
        account::schedule(target, &mut notes).await;
        let store = SecretStore::of(target);
        keyrings::look(&store, &mut notes).await;
        match setup(target, &mut notes).await {
            Ok(setup) => {
                widgets::look(&store, &setup, target, &mut notes).await;
                passports::look(&store, &setup, target, &mut notes).await;
                if !arguments.offline {
                    passports::reach(&setup, target, &mut notes).await;
                }
                let uris = setup
                    .passports
                    .iter()
                    .filter(|passport| passport.credential.is_consented());
                redirect_uris.extend(
                    uris.map(|passport| (passport.id.clone(), target.redirect_uri(&passport.id))),
                );
            }
            Err(error) => notes.unreadable("the table", &error),
        }
    }
    account::custodian(target, &mut notes).await;
    account::address(target, &mut notes);
    told(notes, redirect_uris)
}

async fn setup(target: &Target, notes: &mut Notes) -> anyhow::Result<Setup> {
    let records = target.records();
    let registry = records.registry().await?;
    let mut setup = Setup {
        widgets: Vec::new(),
        passports: Vec::new(),
    };
    let mut gone = |kind: &str, id: &str| {
        notes.error(
            "definition_missing",
            &format!("{kind} {id}"),
            "It is listed, and its definition is gone.",
            "Import it, or add it, again; or restore the table.",
        );
    };
    for id in registry.widgets {
        match records.read(table::widget_pk(&id)).await? {
            Some(record) => setup.widgets.push(record.definition),
            None => gone("widget", &id),
        }
    }
    for id in registry.passports {
        match records.read(table::passport_pk(&id)).await? {
            Some(record) => setup.passports.push(record.definition),
            None => gone("passport", &id),
        }
    }
    Ok(setup)
}

fn told(notes: Notes, redirect_uris: Vec<(String, String)>) -> Report {
    let findings = notes.into_findings();
    let count = |severity| {
        let of = findings
            .iter()
            .filter(|finding| finding.severity == severity);
        of.count()
    };
    let mut text = if findings.is_empty() {
        "Nothing is wrong.".to_owned()
    } else {
        report::list(&findings)
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    text.push_str(&format!("\n\n{errors} error(s), {warnings} warning(s)."));
    if !redirect_uris.is_empty() {
        text.push_str("\n\nRedirect URIs, to be registered with the providers as they are:");
        for (passport, uri) in &redirect_uris {
            text.push_str(&format!("\n  {passport}  {uri}"));
        }
    }
    let uris = redirect_uris
        .iter()
        .map(|(passport, uri)| json!({ "passport": passport, "redirect_uri": uri }));
    let json = json!({ "findings": findings, "redirect_uris": uris.collect::<Vec<_>>() });
    Report::judged(errors > 0, text, json)
}
