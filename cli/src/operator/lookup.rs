//! `consulate providers` and `consulate lint`: what can be answered without a table.

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::LintArguments;
use super::dev_file::DevFile;
use super::report::{self, Report};
use crate::bundle::{self, Finding, Options, Source};
use crate::catalogue::{Catalogue, Entry};

/// Every provider of the catalogue.
///
/// # Errors
/// The catalogue cannot be read.
pub fn providers() -> anyhow::Result<Report> {
    let catalogue = Catalogue::built_in()?;
    let entries = catalogue.entries();
    let shown = |entry: &Entry| {
        let Entry {
            id,
            name,
            family,
            credential,
            aliases,
            ..
        } = entry;
        json!({ "id": id, "name": name, "family": family, "credential": credential, "aliases": aliases })
    };
    let row = |entry: &Entry| {
        [
            entry.id.clone(),
            entry.name.clone(),
            entry.family.clone(),
            entry.aliases.join(" "),
        ]
    };
    let text = report::table(
        ["ID", "NAME", "FAMILY", "ALSO"],
        &entries.iter().map(row).collect::<Vec<_>>(),
    );
    let providers: Vec<Value> = entries.iter().map(shown).collect();
    Ok(Report::done(text, json!({ "providers": providers })))
}

/// What an import would say about a bundle. `dev`: accept what the server of that data folder allows.
///
/// # Errors
/// The catalogue or the data folder's file cannot be read.
pub fn lint(arguments: &LintArguments, dev: Option<&Path>) -> anyhow::Result<Report> {
    let allow = match dev {
        Some(folder) => DevFile::read(folder)?
            .map(|file| file.allow)
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let options = Options {
        widget: arguments.widget.clone(),
        binds: Vec::new(),
        allow,
    };
    Ok(Report::findings(&judge(&arguments.path, &options)?))
}

fn judge(path: &Path, options: &Options) -> anyhow::Result<Vec<Finding>> {
    let catalogue = Catalogue::built_in()?;
    let source = match Source::read(path) {
        Ok(source) => source,
        Err(error) => return Ok(vec![error.finding()]),
    };
    Ok(match bundle::import(&source, options, &catalogue) {
        Ok(import) => import.findings,
        Err(findings) => findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::report::Outcome;

    #[test]
    fn every_provider_is_listed_with_its_aliases() {
        let report = providers().unwrap();
        let listed = report.json["providers"].as_array().unwrap();
        let microsoft = listed
            .iter()
            .find(|entry| entry["family"] == "microsoft")
            .unwrap();
        assert_eq!(microsoft["credential"], "oauth2");
        assert!(microsoft["aliases"].is_array());
    }

    #[test]
    fn a_bundle_that_is_not_there_is_a_finding() {
        let arguments = LintArguments {
            path: "/nowhere/at/all".into(),
            widget: None,
        };
        let report = lint(&arguments, None).unwrap();
        assert_eq!(report.outcome, Outcome::Findings);
        assert_eq!(report.json["findings"][0]["code"], "bundle_unreadable");
    }

    #[test]
    fn a_fixture_has_warnings_at_most() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/bundles/my-saas"
        );
        let arguments = LintArguments {
            path: path.into(),
            widget: None,
        };
        assert_eq!(lint(&arguments, None).unwrap().outcome, Outcome::Done);
    }
}
