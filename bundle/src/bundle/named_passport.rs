//! PURE. Which passport file a bundle brings: the one `schema.json` names, if it is where that says.

use consulate_core::egress::LoopbackExceptions;

use super::document::Document;
use super::finding::{Findings, Place};
use super::passport_file::{self, BundledFile};
use super::schema::Schema;
use super::source::{PASSPORT_FOLDER, Source};

/// Reads the passport file that `schema.json` names; others in the folder have no effect.
pub(super) fn read(
    source: &Source,
    schema: &Schema,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    warn_nested(source, findings);
    let named = schema.passport.as_ref();
    let elsewhere = named.and_then(|(path, _)| misplaced(source, path));
    for path in source
        .passport_files()
        .filter(|path| named.is_none_or(|(named, _)| named != path) && elsewhere != Some(*path))
    {
        findings.warning(
            "passport_file_unused",
            Place::file(path),
            format!("schema.json does not name {path}; it has no effect"),
            "Name it in passport.filePath of schema.json, or take it out.",
        );
    }
    let (path, place) = named?;
    let Some(bytes) = source.file(path) else {
        missing(path, place, elsewhere, findings);
        return None;
    };
    if !path.starts_with(PASSPORT_FOLDER) {
        findings.warning(
            "passport_file_elsewhere",
            place.clone(),
            format!("{path} is not in the passport/ directory"),
            "Move it to passport/ at the root of the bundle, where Appspace looks for it, and name it there.",
        );
    }
    let document = Document::parse(path, bytes, findings)?;
    passport_file::read(&document, exceptions, findings)
}

/// The file that was meant: another case, or the same name in another folder.
fn misplaced<'s>(source: &'s Source, path: &str) -> Option<&'s str> {
    if source.file(path).is_some() {
        return None;
    }
    let name = |path: &str| path.rsplit('/').next().map(str::to_ascii_lowercase);
    let same_path = source
        .names()
        .find(|known| known.eq_ignore_ascii_case(path));
    same_path.or_else(|| source.names().find(|known| name(known) == name(path)))
}

fn missing(path: &str, place: &Place, elsewhere: Option<&str>, findings: &mut Findings) {
    match elsewhere {
        Some(known) if known.eq_ignore_ascii_case(path) => findings.error(
            "passport_file_case",
            place.clone(),
            format!("schema.json names {path}; the bundle has {known}"),
            format!("Write passport.filePath as \"{known}\": upper and lower case differ."),
        ),
        _ => findings.error(
            "passport_file_missing",
            place.clone(),
            format!("schema.json names {path}, which is not in the bundle"),
            format!(
                "Verify the passport/ directory is included at the root of the bundle, and that passport.filePath matches the actual file path.{}",
                elsewhere.map(|known| format!(" Did you mean \"{known}\"?")).unwrap_or_default()
            ),
        ),
    }
}

fn warn_nested(source: &Source, findings: &mut Findings) {
    if let Some(folder) = &source.nested {
        findings.warning(
            "bundle_nested",
            Place::file(folder),
            format!("everything in the archive is inside the folder {folder}/; Appspace looks at the root"),
            "Pack the content of the folder, not the folder: `consulate pack DIR` does.",
        );
    }
}
