//! PURE. What `lint` says about a bundle: what an import would, and what the widget's own pages and scripts get wrong.

use super::code;
use super::contents;
use super::finding::{Finding, Findings, Place, Severity};
use super::json;
use super::page;
use super::source::{SCHEMA, Source};
use super::{Options, import};
use crate::catalogue::Catalogue;

/// The page an Appspace widget consists of.
const PAGE: &str = "widget.html";

/// Judges the bundle in `source`, errors first. Who imports it can still name the widget, so that it has no id yet is no
/// error here.
pub fn lint(source: &Source, options: &Options, catalogue: &Catalogue) -> Vec<Finding> {
    let all = match import(source, options, catalogue) {
        Ok(import) => import.findings,
        Err(findings) => findings,
    };
    with_code(all, of_code(source))
}

/// What the widget's own pages and scripts get wrong, whatever an import finds.
pub fn of_code(source: &Source) -> Vec<Finding> {
    let mut findings = Findings::default();
    judge_page(source, &mut findings);
    judge_code(source, &mut findings);
    findings.into_vec()
}

/// What an import found and what [`of_code`] did, as [`lint`] says it.
pub fn with_code(mut all: Vec<Finding>, code: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut all {
        if finding.code == "widget_id_missing" {
            finding.severity = Severity::Warning;
        }
    }
    all.extend(code);
    // Stable: within errors and within warnings the order of the files stays.
    all.sort_by_key(|finding| finding.severity != Severity::Error);
    all
}

fn judge_page(source: &Source, findings: &mut Findings) {
    if source.file(SCHEMA).is_some() && !source.names().any(|name| name == PAGE) {
        findings.warning(
            "widget_page_missing",
            Place::file(PAGE),
            "there is no widget.html beside schema.json",
            "Add the widget's page, or ignore this if the widget lives elsewhere.",
        );
    }
}

fn judge_code(source: &Source, findings: &mut Findings) {
    for path in &source.unread {
        findings.warning(
            "code_not_scanned",
            Place::file(path),
            format!("{path} is too large, or a link that leaves the bundle; it was not looked at"),
            "Keep files under 5 MiB and inside the bundle: `consulate pack` takes no other.",
        );
    }
    let apis = declared_apis(source);
    for (path, text) in source.code() {
        if let Some(apis) = &apis {
            code::judge_calls(path, text, apis, findings);
        }
        let lower = path.to_ascii_lowercase();
        if lower.ends_with(".html") || lower.ends_with(".htm") {
            judge_references(source, path, &String::from_utf8_lossy(text), findings);
        }
    }
}

/// The names of `authenticatedApis[]`, whatever else is wrong with them; `None` where the file is no JSON.
fn declared_apis(source: &Source) -> Option<Vec<String>> {
    let (schema, _) = json::parse(source.file(SCHEMA)?).ok()?;
    let apis = schema
        .get("authenticatedApis")
        .and_then(|apis| apis.as_array());
    let name = |api: &serde_json::Value| Some(api.get("name")?.as_str()?.to_owned());
    Some(apis.into_iter().flatten().filter_map(name).collect())
}

fn judge_references(source: &Source, path_of_page: &str, text: &str, findings: &mut Findings) {
    for (reference, line) in page::references(text) {
        let Some(path) = page::resolve(path_of_page, reference) else {
            continue;
        };
        let left_out = contents::refused(&path);
        let there = source.names().any(|name| name == path);
        let what = match left_out.filter(|_| source.is_folder) {
            Some(reason) => format!("which is left out of the upload: {reason}"),
            None if !there => "which is not in the bundle".to_owned(),
            None => continue,
        };
        findings.warning(
            "page_reference_missing",
            Place {
                file: path_of_page.to_owned(),
                line: Some(line),
            },
            format!("{path_of_page} loads {path}, {what}"),
            "Put what the widget loads beside widget.html, into js/, css/, images/ or fonts/.",
        );
    }
}
