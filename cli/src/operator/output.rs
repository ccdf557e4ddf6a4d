//! EDGE. The command's standard output and standard error. Nothing else here prints.
//!
//! With `--json` standard output carries one JSON document and nothing else.

use std::fmt::Arguments;
use std::io::Write as _;

use serde_json::json;

use super::report::{Outcome, Report};

/// Prints a report; the answer is the exit code.
pub fn report(report: &Report, as_json: bool) -> u8 {
    if as_json {
        say(format_args!("{:#}", report.json));
    } else if report.outcome == Outcome::Refused {
        note(&report.text);
    } else {
        say(format_args!("{}", printable(&report.text)));
    }
    match report.outcome {
        Outcome::Done => 0,
        Outcome::Findings | Outcome::Refused => 1,
    }
}

/// Prints why a command could not do its work; the answer is the exit code.
pub fn failure(error: &anyhow::Error, as_json: bool) -> u8 {
    if as_json {
        say(format_args!(
            "{:#}",
            json!({ "error": format!("{error:#}") })
        ));
    } else {
        note(&format!("error: {error:#}"));
    }
    1
}

/// Says that the server of `consulate dev` answers: the first line it prints on standard output.
pub fn ready(base_url: &str) {
    say(format_args!("ready {base_url}"));
}

/// Says where the demo of `consulate dev` is: the second and last line on standard output.
pub fn demo(address: &str) {
    say(format_args!("demo {address}"));
}

/// A remark for people, on standard error.
pub fn note(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "{}", printable(text));
}

/// A line on standard output. Whoever needs the first ones only (`head`) may have stopped reading: no reason to fail.
fn say(line: Arguments<'_>) {
    let _nobody_reads = writeln!(std::io::stdout(), "{line}");
}

/// Without what a terminal would act on: names in a report come from bundles.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() && character != '\n' {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc\r"), "a [31mb\nc ");
    }
}
