//! Reading and judging a bundle: Appspace's files plus `consulate.json`, in; the records the functions read, out.
//!
//! [`Source::read`] is the only part that touches anything (the file system, reading). The rest is pure, and finds every
//! error of a bundle in one go. Nothing here knows what an earlier import left except [`differences`].
//!
//! One file per thing judged: `source` over `folder` and `archive` (files), `json` and `document` (JSON with lines),
//! `schema`, `named_api`, `passport_file` with `oauth_metadata`, `consulate_file`, `passport_settings` with
//! `answer_settings`, `qrvey` with `qrvey_permissions` and `qrvey_placeholders` (what the files say), `address`, `id`, `near` and `placeholder` (spellings), `named_passport`, `bind`,
//! `inherit`, `bundled`, `call` and `assemble` (cross-checks, records), `difference` with `qrvey_difference` (what a later import changes),
//! `finding`. For `lint` also `lint`, `code` and `page` (the widget's own code); for `pack` also `pack` and `contents`.
//!
//! Source: the Appspace advanced guide on passports.

mod address;
mod answer_settings;
mod archive;
mod assemble;
mod bind;
mod bundled;
mod call;
mod code;
mod consulate_file;
mod contents;
mod difference;
mod document;
mod finding;
mod folder;
mod host;
mod id;
mod inherit;
mod json;
mod lint;
mod named_api;
mod named_passport;
mod near;
mod oauth_metadata;
pub mod pack;
mod page;
mod passport_file;
mod passport_settings;
mod placeholder;
mod qrvey;
mod qrvey_difference;
mod qrvey_permissions;
mod qrvey_placeholders;
mod schema;
mod source;

use std::collections::BTreeSet;

use consulate_core::definition::{Host, Passport, Widget};
use consulate_core::egress::LoopbackExceptions;
use consulate_core::secret::SecretText;

pub use difference::{Stored, differences, keep_bindings, keep_members_until};
pub use finding::{Finding, Severity};
pub use id::{ID_RULE, is_id};
pub use lint::{lint, of_code, with_code};
pub use source::{Error, Source};

use crate::catalogue::Catalogue;
use assemble::Files;
use document::Document;
use finding::{Findings, Place};
use source::{CONSULATE, SCHEMA};

/// What the operator says beside the bundle; it wins over the bundle.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--widget ID`.
    pub widget: Option<String>,
    /// `--bind AUTHKEY=PASSPORT`, as authKey and passport id. The last of two for one authKey counts.
    pub binds: Vec<(String, String)>,
    /// `HOST:PORT` on loopback that a `consulate dev` server allows: plain http is accepted for these.
    pub allow: Vec<String>,
}

/// What an import stores.
#[derive(Debug)]
pub struct Import {
    /// The widget.
    pub widget: Widget,
    /// The host it declares.
    pub host: Option<Host>,
    /// Its bundled passports, with ids `{widget}.{name}`.
    pub passports: Vec<Passport>,
    /// Real client secrets found in the bundle, for the secret store.
    pub secrets: Vec<BundledSecret>,
    /// authKeys that were bound by flag.
    pub flag_bindings: BTreeSet<String>,
    /// What the operator may want to know, and nothing to be done about.
    pub notes: Vec<String>,
    /// Warnings: gaps the operator should know of.
    pub findings: Vec<Finding>,
}

/// A client secret that came with a bundle.
#[derive(Debug)]
pub struct BundledSecret {
    /// Id of its passport.
    pub passport: String,
    /// The secret.
    pub client_secret: SecretText,
}

/// Judges the bundle in `source`. `Err` holds everything found, errors first, at least one of them.
pub fn import(
    source: &Source,
    options: &Options,
    catalogue: &Catalogue,
) -> Result<Import, Vec<Finding>> {
    let mut findings = Findings::default();
    let import = judge(source, options, catalogue, &mut findings);
    match import {
        Some(mut import) if findings.errors() == 0 => {
            if let Some(finding) = too_large_to_store(&import) {
                return Err(vec![finding]);
            }
            if source.beside {
                let note = "consulate.json was read from beside the archive, which holds none.";
                import.notes.push(note.to_owned());
            }
            import.findings = findings.into_vec();
            Ok(import)
        }
        _ => Err(findings.into_vec()),
    }
}

/// A record is one DynamoDB item of at most 400 KB, attribute names included.
fn too_large_to_store(import: &Import) -> Option<Finding> {
    const LARGEST_RECORD: usize = 390_000;
    let fits = |size: usize| size <= LARGEST_RECORD;
    let size = |text: serde_json::Result<Vec<u8>>| text.map_or(usize::MAX, |text| text.len());
    let (what, file) = if !fits(size(serde_json::to_vec(&import.widget))) {
        ("the widget's definition", SCHEMA)
    } else if !import
        .passports
        .iter()
        .all(|passport| fits(size(serde_json::to_vec(passport))))
    {
        ("the bundled passport", CONSULATE)
    } else {
        return None;
    };
    Some(Finding::new(
        "definition_too_large",
        Severity::Error,
        Place::file(file),
        &format!("{what} is larger than a table item can be (400 KB)"),
        "Take out APIs, static bodies and lists the widget does not use.",
    ))
}

fn judge(
    source: &Source,
    options: &Options,
    catalogue: &Catalogue,
    findings: &mut Findings,
) -> Option<Import> {
    let exceptions = LoopbackExceptions::new(options.allow.iter().map(String::as_str));
    let Some(bytes) = source.file(SCHEMA) else {
        let error = Error::NoSchema {
            path: SCHEMA.to_owned(),
        }
        .finding();
        findings.error(error.code, Place::file(SCHEMA), error.message, error.cure);
        return None;
    };
    // Both files are parsed before either is given up on, so that one run shows what is broken in both.
    let schema_document = Document::parse(SCHEMA, bytes, findings);
    let consulate_document = source
        .file(CONSULATE)
        .map(|bytes| Document::parse(CONSULATE, bytes, findings));
    let schema = schema_document.map(|document| schema::read(&document, &exceptions, findings));
    let consulate = match consulate_document {
        Some(document) => {
            document.map(|document| consulate_file::read(&document, &exceptions, findings))
        }
        None => Some(consulate_file::ConsulateFile::default()),
    };
    let schema = schema?;
    let bundled = named_passport::read(source, &schema, &exceptions, findings);
    let files = Files {
        schema,
        consulate: consulate?,
        bundled,
    };
    assemble::assemble(files, options, catalogue, findings)
}

#[cfg(test)]
mod tests;
