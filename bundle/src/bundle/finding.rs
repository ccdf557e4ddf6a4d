//! PURE. What is wrong with a bundle, in the shape `lint --json` prints, and the list that collects it.
//!
//! A finding names a file, a line where one is known, and what cures it. It never holds a value that may be a secret.

use serde::{Deserialize, Serialize};

/// Characters of a message that are shown.
const LONGEST_TEXT: usize = 600;

/// One thing an operator should know about a bundle.
///
/// ```json
/// {"code":"provider_unknown","severity":"error","file":"schema.json","line":7,"message":"…","cure":"…"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the rule.
    pub code: &'static str,
    /// Whether it stops the import.
    pub severity: Severity,
    /// The file inside the bundle, or the flag (`--bind`), it is about.
    pub file: String,
    /// Line in that file, from 1.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

impl Finding {
    /// A finding whose texts a terminal may show.
    pub(super) fn new(
        code: &'static str,
        severity: Severity,
        place: Place,
        message: &str,
        cure: &str,
    ) -> Self {
        Self {
            code,
            severity,
            file: printable(&place.file),
            line: place.line,
            message: printable(message),
            cure: printable(cure),
        }
    }
}

/// Whether a finding stops the import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The bundle is refused.
    Error,
    /// The bundle imports, with a gap the operator should know of.
    Warning,
}

/// Where in a bundle a finding points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// File inside the bundle, or a flag.
    pub file: String,
    /// Line, from 1.
    pub line: Option<u32>,
}

impl Place {
    /// The whole of `file`.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
        }
    }
}

/// Findings in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds an error.
    pub fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(code, Severity::Error, place, message.into(), cure.into());
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(code, Severity::Warning, place, message.into(), cure.into());
    }

    fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        place: Place,
        message: String,
        cure: String,
    ) {
        self.0
            .push(Finding::new(code, severity, place, &message, &cure));
    }

    /// How many of them refuse the import.
    pub fn errors(&self) -> usize {
        let errors = |finding: &&Finding| finding.severity == Severity::Error;
        self.0.iter().filter(errors).count()
    }

    /// Everything found, errors first.
    pub fn into_vec(self) -> Vec<Finding> {
        let (mut errors, warnings): (Vec<_>, Vec<_>) = self
            .0
            .into_iter()
            .partition(|finding| finding.severity == Severity::Error);
        errors.extend(warnings);
        errors
    }
}

/// `text` as a terminal may show it: names come from the bundle, and could carry escape sequences or be megabytes long.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(LONGEST_TEXT) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(LONGEST_TEXT).is_some() {
        shown.push('…');
    }
    shown
}
