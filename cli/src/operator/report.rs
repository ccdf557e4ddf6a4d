//! PURE. What a command has to say, for people and for programs.

use serde::Serialize;
use serde_json::{Value, json};

use crate::bundle::{Finding, Severity};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: exit code 0.
    Done,
    /// What was asked for is a list of findings, with errors in it: exit code 1.
    Findings,
    /// Refused, and nothing was changed: exit code 1.
    Refused,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// For people.
    pub text: String,
    /// For programs (`--json`).
    pub json: Value,
}

impl Report {
    /// A command that did what it was asked to.
    pub fn done(text: impl Into<String>, json: impl Serialize) -> Self {
        Self::new(Outcome::Done, text, json)
    }

    /// A command that changed nothing, and why: `{"refused":"…", …members}`.
    pub fn refused(text: impl Into<String>, members: Value) -> Self {
        let text = text.into();
        let mut json = json!({ "refused": text.lines().next() });
        if let (Value::Object(json), Value::Object(members)) = (&mut json, members) {
            json.extend(members);
        }
        Self::new(Outcome::Refused, text, json)
    }

    /// A bundle that is refused for its findings.
    pub fn refused_for(findings: &[Finding]) -> Self {
        let text = format!("Nothing was imported.\n\n{}", list(findings));
        Self::refused(text, json!({ "findings": findings }))
    }

    /// What `lint` found.
    pub fn findings(findings: &[Finding]) -> Self {
        let errors = findings
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        let outcome = if errors {
            Outcome::Findings
        } else {
            Outcome::Done
        };
        let text = if findings.is_empty() {
            "Nothing to say.".to_owned()
        } else {
            list(findings)
        };
        Self::new(outcome, text, json!({ "findings": findings }))
    }

    /// A command whose answer is a judgement.
    pub fn judged(is_bad: bool, text: impl Into<String>, json: impl Serialize) -> Self {
        let outcome = if is_bad {
            Outcome::Findings
        } else {
            Outcome::Done
        };
        Self::new(outcome, text, json)
    }

    fn new(outcome: Outcome, text: impl Into<String>, json: impl Serialize) -> Self {
        Self {
            outcome,
            text: text.into(),
            json: serde_json::to_value(json).unwrap_or_default(),
        }
    }
}

/// Findings as people read them, each with its cure.
pub(super) fn list(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let line = finding
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        let Finding {
            code,
            file,
            message,
            cure,
            ..
        } = finding;
        format!("{severity}: {message} ({code})\n  in {file}{line}\n  {cure}")
    };
    findings.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

/// Rows as aligned columns.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows
        .iter()
        .map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(head))
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "b".to_owned()],
            ["longer".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["id", "name"], &rows),
            "id      name\na       b\nlonger"
        );
    }

    #[test]
    fn a_refusal_says_why_in_its_first_line() {
        let report = Report::refused("No.\nBecause.", json!({"differences": []}));
        assert_eq!(report.json, json!({"refused": "No.", "differences": []}));
        assert_eq!(report.outcome, Outcome::Refused);
    }
}
