//! EDGE. `consulate pack`: the ZIP of a widget's folder that is uploaded. Judges the bundle first, and writes one file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::arguments::{LintArguments, PackArguments};
use super::lint::{Judged, judge};
use super::report::{self, Report};
use crate::bundle::pack::{LeftOut, PackedFile, pack as pack_folder};
use crate::bundle::{Finding, Severity};

/// Packs the folder at `arguments.path`. An error of the bundle is a refusal, and writes nothing.
///
/// # Errors
/// The catalogue cannot be read, or the archive cannot be written.
pub fn pack(arguments: &PackArguments, dev: Option<&Path>) -> anyhow::Result<Report> {
    let folder = &arguments.path;
    if !folder.is_dir() {
        let text = format!(
            "{} is no folder. Nothing was packed.\nGive the folder that holds schema.json.",
            folder.display()
        );
        return Ok(Report::refused(text, json!({ "field": "path" })));
    }
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => default_output(folder)?,
    };
    if let Some(refusal) = judge_output(&output) {
        return Ok(refusal);
    }
    let lint = LintArguments {
        path: folder.clone(),
        widget: arguments.widget.clone(),
        catalogue: arguments.catalogue.clone(),
    };
    let Judged {
        source,
        mut findings,
    } = judge(&lint, dev)?;
    let is_refused = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    let Some(source) = source.filter(|_| !is_refused) else {
        return Ok(refused_for(&findings));
    };
    let packed = match pack_folder(folder, &source) {
        Ok(packed) => packed,
        Err(error) => {
            findings.insert(0, error.finding());
            return Ok(refused_for(&findings));
        }
    };
    write(&output, &packed.archive)
        .with_context(|| format!("{} cannot be written", output.display()))?;
    let warning = secret_warning(&mut findings);

    let sha256 = hex(digest(&SHA256, &packed.archive).as_ref());
    let mut text = format!(
        "Packed {}: {} files, {} bytes, SHA-256 {sha256}.\n\n{}",
        output.display(),
        packed.files.len(),
        packed.archive.len(),
        files_table(&packed.files),
    );
    if !packed.left_out.is_empty() {
        text.push_str("\n\nLeft out:\n");
        text.push_str(&left_out_table(&packed.left_out));
    }
    if !findings.is_empty() {
        text.push_str("\n\n");
        text.push_str(&report::list(&findings));
    }
    if let Some(warning) = warning {
        text = format!("{warning}\n\n{text}\n\n{warning}");
    }
    let json = json!({
        "archive": output.display().to_string(),
        "size": packed.archive.len(),
        "sha256": sha256,
        "files": packed.files,
        "left_out": packed.left_out,
        "findings": findings,
    });
    Ok(Report::done(text, json))
}

/// `NAME.zip` in the working folder, after the folder that is packed; not hidden, even where that is.
fn default_output(folder: &Path) -> anyhow::Result<PathBuf> {
    let real = folder
        .canonicalize()
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let name = match name.trim_start_matches('.') {
        "" => "widget",
        name => name,
    };
    Ok(PathBuf::from(format!("{name}.zip")))
}

/// Only an archive is ever overwritten.
fn judge_output(output: &Path) -> Option<Report> {
    let is_zip = output
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let why = if !is_zip {
        "does not end with .zip"
    } else if output.is_dir() {
        "is a folder"
    } else {
        return None;
    };
    let text = format!(
        "{} {why}. Nothing was packed.\nGive --output FILE.zip.",
        output.display()
    );
    Some(Report::refused(text, json!({ "field": "output" })))
}

fn refused_for(findings: &[Finding]) -> Report {
    let text = format!("Nothing was packed.\n\n{}", report::list(findings));
    Report::refused(text, json!({ "findings": findings }))
}

/// Whole or not at all: a reader never sees half an archive.
fn write(output: &Path, archive: &[u8]) -> std::io::Result<()> {
    let mut part = output.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = std::fs::write(&part, archive).and_then(|()| std::fs::rename(&part, output));
    if written.is_err() {
        // Nothing is lost where it was not even there.
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// A secret that travels in an upload is said aloud; the finding's words for an import would play it down.
fn secret_warning(findings: &mut [Finding]) -> Option<String> {
    let finding = findings
        .iter_mut()
        .find(|finding| finding.code == "client_secret_in_bundle")?;
    finding.code = "client_secret_packed";
    finding.message =
        "the archive carries a real client secret: whoever gets the archive has it".to_owned();
    finding.cure = "Put a placeholder into the passport file, pack again, and set the secret where the widget is imported. Replace it at the provider if this archive is passed on.".to_owned();
    Some(format!(
        "WARNING: THE ARCHIVE CARRIES A REAL CLIENT SECRET ({}). Do not pass it on.",
        finding.file
    ))
}

fn files_table(files: &[PackedFile]) -> String {
    let row = |file: &PackedFile| [file.path.clone(), file.size.to_string()];
    report::table(
        ["FILE", "BYTES"],
        &files.iter().map(row).collect::<Vec<_>>(),
    )
}

fn left_out_table(left_out: &[LeftOut]) -> String {
    let row = |left: &LeftOut| [left.path.clone(), left.reason.to_owned()];
    report::table(
        ["PATH", "WHY"],
        &left_out.iter().map(row).collect::<Vec<_>>(),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
