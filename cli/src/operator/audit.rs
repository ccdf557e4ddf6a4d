//! EDGE. Tells the custodian what the operator did, for the audit log. Afterwards and as a courtesy: what was done stays done
//! where nobody takes the note, and the command says that nobody did.

use std::path::Path;
use std::time::Duration;

use consulate_core::custody::{Answer, Deed, Event};

use super::arguments::{Command, KeysCommand, PassportsCommand, ProvidersCommand, SecretCommand};
use super::output;
use super::report::{Outcome, Report};
use super::target::Target;

/// The custodian has so long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Notes what `command` did, where it did anything that an auditor asks for.
pub(super) async fn note(dev: Option<&Path>, command: &Command, report: &Report) {
    if report.outcome != Outcome::Done {
        return;
    }
    for (deed, subject) in deeds(command, report) {
        if let Err(error) = send(dev, deed, subject).await {
            output::note(&format!("not in the audit log: {error:#}"));
            return;
        }
    }
}

async fn send(dev: Option<&Path>, deed: Deed, subject: String) -> anyhow::Result<()> {
    let target = Target::new(dev).await?;
    let custodian = target.custodian()?;
    let by = target.access_key_id().await;
    let event = Event::Note { deed, subject, by };
    match tokio::time::timeout(TIMEOUT, custodian.ask(&event)).await {
        Ok(Ok(Answer::Noted)) => Ok(()),
        Ok(Ok(_)) => anyhow::bail!("the custodian takes no notes"),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => anyhow::bail!("the custodian does not answer in time"),
    }
}

/// PURE. What was done, and to what.
fn deeds(command: &Command, report: &Report) -> Vec<(Deed, String)> {
    let text = |name: &str| {
        let text = report.json.get(name).and_then(|value| value.as_str());
        text.unwrap_or_default().to_owned()
    };
    let all = |name: &str| {
        let texts = report.json.get(name).and_then(|value| value.as_array());
        let texts = texts.into_iter().flatten().filter_map(|text| text.as_str());
        texts.map(str::to_owned)
    };
    match command {
        Command::Import(_) => std::iter::once((Deed::WidgetImported, text("widget")))
            .chain(all("secrets").map(|name| (Deed::SecretSet, name)))
            .collect(),
        Command::Passports(PassportsCommand::Add(passport)) => {
            vec![(Deed::PassportAdded, passport.id.clone())]
        }
        Command::Secret(SecretCommand::Set { name }) => vec![(Deed::SecretSet, name.clone())],
        Command::Keys(command) => match command {
            KeysCommand::List => Vec::new(),
            KeysCommand::Init => vec![(Deed::KeysMade, String::new())],
            KeysCommand::Rotate(_) => vec![(Deed::KeysRotated, String::new())],
            KeysCommand::Reseal => vec![(Deed::KeysResealed, String::new())],
            KeysCommand::Retire(retire) => vec![(Deed::KeyRetired, retire.id.clone())],
        },
        Command::Providers(providers) => match &providers.command {
            Some(ProvidersCommand::Add { .. }) => {
                let added = all("providers");
                added.map(|id| (Deed::ProviderAdded, id)).collect()
            }
            Some(ProvidersCommand::Remove { id }) => vec![(Deed::ProviderRemoved, id.clone())],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::super::arguments::Arguments;
    use super::*;

    #[test]
    fn an_import_notes_each_secret_that_it_wrote() {
        let command = Arguments::parse_from(["consulate", "import", "bundle"]).command;
        let report = Report::done("", json!({"widget": "w", "secrets": ["passports/w.p"]}));
        let expected = [
            (Deed::WidgetImported, "w".to_owned()),
            (Deed::SecretSet, "passports/w.p".to_owned()),
        ];
        assert_eq!(deeds(&command, &report), expected);
        let report = Report::done("", json!({"widget": "w", "secrets": []}));
        assert_eq!(deeds(&command, &report), expected[..1]);
    }
}
