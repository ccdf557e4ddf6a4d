//! `consulate lint`: judges a bundle, without a table.

use std::path::Path;

use super::arguments::LintArguments;
use super::dev_file::DevFile;
use super::report::Report;
use crate::bundle::{self, Finding, Options, Source};
use crate::catalogue::Catalogue;

/// What a bundle holds and what there is to say about it.
pub(super) struct Judged {
    /// `None` where it cannot be read at all.
    pub source: Option<Source>,
    /// Errors first.
    pub findings: Vec<Finding>,
}

/// What an import would say about a bundle, and what its own code gets wrong. `dev`: accept what the server of that data
/// folder allows.
///
/// # Errors
/// A file of the catalogue or the data folder's file cannot be read.
pub fn lint(arguments: &LintArguments, dev: Option<&Path>) -> anyhow::Result<Report> {
    Ok(Report::findings(&judge(arguments, dev)?.findings))
}

/// Reads and judges the bundle.
pub(super) fn judge(arguments: &LintArguments, dev: Option<&Path>) -> anyhow::Result<Judged> {
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
    let catalogue = match &arguments.catalogue {
        Some(file) => Catalogue::with_file(file)?,
        None => Catalogue::built_in()?,
    };
    Ok(match Source::read_with_code(&arguments.path) {
        Ok(source) => Judged {
            findings: bundle::lint(&source, &options, &catalogue),
            source: Some(source),
        },
        Err(error) => Judged {
            source: None,
            findings: vec![error.finding()],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::report::Outcome;

    #[test]
    fn a_bundle_that_is_not_there_is_a_finding() {
        let arguments = LintArguments {
            path: "/nowhere/at/all".into(),
            widget: None,
            catalogue: None,
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
            catalogue: None,
        };
        assert_eq!(lint(&arguments, None).unwrap().outcome, Outcome::Done);
    }
}
