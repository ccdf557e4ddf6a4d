//! What a bundle may say, rule by rule. Every case starts from a fixture that imports and changes one thing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod addresses;
mod archives;
mod bindings;
mod connection_fields;
mod consulate_json;
mod differences;
mod documented;
mod examples;
mod fixtures;
mod hostile;
mod hosts;
mod inheritance;
mod linting;
mod named_apis;
mod packing;
mod passport_files;
mod qrvey;
mod schemas;
mod settings;
mod spellings;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::source::{CONSULATE, SCHEMA, Source};
use super::{Finding, Import, Options, Severity, import};
use crate::catalogue::Catalogue;

const PASSPORT: &str = "passport/my-saas-connector.json";

/// The folder of a fixture.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/bundles"
    ))
    .join(name)
}

fn fixture_json(bundle: &str, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(bundle).join(file)).unwrap()).unwrap()
}

/// A bundle to be changed before it is imported.
struct Case {
    files: Vec<(&'static str, Value)>,
    options: Options,
}

impl Case {
    /// The fixture with a bundled passport.
    fn my_saas() -> Self {
        Self::of("my-saas", &[SCHEMA, PASSPORT, CONSULATE])
    }

    /// The fixture on a built-in passport.
    fn graph() -> Self {
        Self::of("graph-calendar", &[SCHEMA, CONSULATE])
    }

    fn of(bundle: &str, files: &[&'static str]) -> Self {
        Self {
            files: files
                .iter()
                .map(|file| (*file, fixture_json(bundle, file)))
                .collect(),
            options: Options::default(),
        }
    }

    /// Sets what is at `pointer` of `file`; null counts as taking it out.
    fn with(mut self, file: &str, pointer: &str, value: Value) -> Self {
        let (_, document) = self
            .files
            .iter_mut()
            .find(|(name, _)| *name == file)
            .unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(map) => {
                map.insert(key.replace("~1", "/"), value);
            }
            Value::Array(list) => match key.parse::<usize>() {
                Ok(index) => list[index] = value,
                Err(_) => list.push(value),
            },
            other => panic!("{pointer} of {other}"),
        }
        self
    }

    fn without(mut self, file: &str) -> Self {
        self.files.retain(|(name, _)| *name != file);
        self
    }

    fn bind(mut self, key: &str, passport: &str) -> Self {
        self.options
            .binds
            .push((key.to_owned(), passport.to_owned()));
        self
    }

    fn import(&self) -> Result<Import, Vec<Finding>> {
        self.import_from(&Catalogue::built_in().unwrap())
    }

    fn import_from(&self, catalogue: &Catalogue) -> Result<Import, Vec<Finding>> {
        let mut source = Source::default();
        for (file, value) in &self.files {
            let bytes = serde_json::to_vec_pretty(value).unwrap();
            source.add((*file).to_owned(), bytes).unwrap();
        }
        import(&source, &self.options, catalogue)
    }

    #[track_caller]
    fn accepted(&self) -> Import {
        self.import()
            .unwrap_or_else(|findings| panic!("refused: {findings:#?}"))
    }

    /// The finding that refuses the bundle, which must be the only error.
    #[track_caller]
    fn refused(&self, code: &str) -> Finding {
        let findings = self
            .import()
            .err()
            .unwrap_or_else(|| panic!("imported, without {code}"));
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(
            errors.len() == 1 && errors[0].code == code,
            "wanted {code}: {errors:#?}"
        );
        errors[0].clone()
    }

    /// The warning `code` of a bundle that imports.
    #[track_caller]
    fn warned(&self, code: &str) -> Finding {
        let findings = self.accepted().findings;
        let found = findings.iter().find(|finding| finding.code == code);
        found
            .unwrap_or_else(|| panic!("wanted {code}: {findings:#?}"))
            .clone()
    }
}

fn codes(import: &Import) -> Vec<&str> {
    import.findings.iter().map(|finding| finding.code).collect()
}

/// A source whose files are `files`, byte for byte.
fn source_of(files: &[(&str, &str)]) -> Source {
    let mut source = Source::default();
    for (name, text) in files {
        source
            .add((*name).to_owned(), text.as_bytes().to_vec())
            .unwrap();
    }
    source
}

fn import_text(files: &[(&str, &str)]) -> Result<Import, Vec<Finding>> {
    import(
        &source_of(files),
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    )
}

/// One API of a case on Microsoft Graph.
fn api(name: &str, url: &str) -> Value {
    json!({
        "label": name, "name": name, "url": url, "method": "GET", "authenticationKey": "msGraph",
        "headers": {"Authorization": "Bearer {authorization.msGraph.token}"}
    })
}
