//! For all values. The reference parser is the `url` crate (WHATWG URL), which the code under test does not use.

mod address;
mod content;
mod credential;
mod host;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What has been used to get out of a position, and what encoders get wrong.
const NASTY: [&str; 46] = [
    ".",
    "..",
    "%2e",
    "%2E",
    "%252e",
    "%",
    "%00",
    "%zz",
    "/",
    "%2f",
    "\\",
    "%5c",
    "?",
    "#",
    "@",
    "&",
    ";",
    "=",
    "+",
    ":",
    "//",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "<",
    ">",
    "|",
    " ",
    "\r",
    "\n",
    "\0",
    "\t",
    "\u{7f}",
    "\u{85}",
    "\u{e9}",
    "\u{202e}",
    "\u{ff0e}",
    "\u{2215}",
    "\u{1f600}",
    "{param.y}",
    "{userId}",
    "a",
    "v1",
];

fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Any text: of nasty pieces, of any characters, or of both.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(&NASTY[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A text that nothing is wrong with, delimiters and all: it must be taken.
fn good_text() -> impl Strategy<Value = String> {
    let good: Vec<char> = "aZ09-_~/\\?#@&;=+:[]{}<>|\"'é😀 ,!$()*".chars().collect();
    prop::collection::vec(select(good), 1..12).prop_map(String::from_iter)
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn decoded(text: &str) -> String {
    let bytes = percent_encoding::percent_decode_str(text);
    bytes.decode_utf8().unwrap().into_owned()
}
