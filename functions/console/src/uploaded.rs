//! PURE. A bundle under review, and what of it travels to the next page: its definitions, and what its code was found to get
//! wrong, as the code itself stays behind.

use std::collections::BTreeMap;

use consulate_bundle::bundle::{self, Finding, Severity, Source};
use consulate_core::secret::SecretText;
use serde::{Deserialize, Serialize};

use crate::upload::File;

/// A bundle that was uploaded, now or a page before.
pub(crate) struct Uploaded {
    pub(crate) source: Source,
    /// What its pages and scripts get wrong.
    pub(crate) code: Vec<Finding>,
}

/// What a form carries of it.
#[derive(Deserialize, Serialize)]
struct Carried {
    definitions: BTreeMap<String, String>,
    code: Vec<CarriedFinding>,
}

/// A finding without its code: nobody asks for the code of one that travels.
#[derive(Deserialize, Serialize)]
struct CarriedFinding {
    severity: Severity,
    file: String,
    line: Option<u32>,
    message: String,
    cure: String,
}

impl Uploaded {
    /// The archive among `files`, and the `consulate.json` that came with it; `None` where there is no archive.
    pub(crate) fn of_files(files: &[File]) -> Option<Result<Self, bundle::Error>> {
        let is_json = |file: &&File| file.name.to_ascii_lowercase().ends_with(".json");
        let archive = files.iter().find(|file| !is_json(file))?;
        let name = match archive.name.as_str() {
            "" => "the archive",
            name => name,
        };
        let source = Source::of_archive(&archive.bytes, name);
        let source = match files.iter().find(is_json) {
            Some(settings) => source.and_then(|source| source.beside(&settings.bytes)),
            None => source,
        };
        Some(source.map(|source| Self {
            code: bundle::of_code(&source),
            source,
        }))
    }

    /// What [`Self::carried`] made.
    pub(crate) fn of_carried(text: &SecretText) -> Option<Result<Self, bundle::Error>> {
        let Carried { definitions, code } = serde_json::from_str(text.expose()).ok()?;
        let files = definitions
            .into_iter()
            .map(|(path, text)| (path, text.into_bytes()));
        let code = code.into_iter().map(|finding| Finding {
            code: "code",
            severity: finding.severity,
            file: finding.file,
            line: finding.line,
            message: finding.message,
            cure: finding.cure,
        });
        let source = Source::of_definitions(files.collect());
        Some(source.map(|source| Self {
            source,
            code: code.collect(),
        }))
    }

    /// The same for the next page. What is no text stays none: it was found faulty.
    pub(crate) fn carried(&self) -> SecretText {
        let definitions = self.source.definitions();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let code = self.code.iter().cloned().map(|finding| CarriedFinding {
            severity: finding.severity,
            file: finding.file,
            line: finding.line,
            message: finding.message,
            cure: finding.cure,
        });
        let carried = Carried {
            definitions: definitions
                .map(|(path, bytes)| (path.to_owned(), text(bytes)))
                .collect(),
            code: code.collect(),
        };
        SecretText::new(serde_json::to_string(&carried).unwrap_or_default())
    }
}
