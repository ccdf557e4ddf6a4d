//! What `lint` and an import find in a bundle, as a card.

use consulate_bundle::bundle::{Finding, Severity};
use consulate_core::browser::escape;

use crate::defining_texts as texts;
use crate::page::Tone;
use crate::words::{pill, prose};

/// A card with findings, errors first as they come.
pub(crate) fn findings(findings: &[Finding]) -> String {
    let rows: String = findings.iter().map(finding).collect();
    let body = match rows.is_empty() {
        true => format!("<p class=\"soft\">{}</p>", escape(texts::NO_FINDINGS)),
        false => format!("<ul class=\"findings\">{rows}</ul>"),
    };
    let of = |severity| {
        let found = findings.iter();
        found.filter(|finding| finding.severity == severity).count()
    };
    let counted = match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => pill(Some(Tone::Good), texts::CLEAN),
        (0, warnings) => pill(Some(Tone::Warn), &format!("{warnings} {}", texts::WARNINGS)),
        (errors, _) => pill(Some(Tone::Bad), &format!("{errors} {}", texts::ERRORS)),
    };
    format!(
        "<section class=\"card\"><div class=\"title\"><h2>{}</h2>{counted}</div>{body}</section>",
        escape(texts::FINDINGS)
    )
}

fn finding(finding: &Finding) -> String {
    let (tone, word) = match finding.severity {
        Severity::Error => (Tone::Bad, texts::ERROR),
        Severity::Warning => (Tone::Warn, texts::WARNING),
    };
    let place = match finding.line {
        Some(line) => format!("{}:{line}", finding.file),
        None => finding.file.clone(),
    };
    format!(
        "<li><div class=\"found\">{pill}<code class=\"soft\">{place}</code></div><p>{message}</p><p class=\"soft small\">{cure}</p></li>",
        pill = pill(Some(tone), word),
        place = escape(&place),
        message = prose(&finding.message),
        cure = prose(&finding.cure),
    )
}
