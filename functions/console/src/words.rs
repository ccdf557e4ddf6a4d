//! PURE. Small pieces that pages are made of: pills, times, facts, addresses.

use consulate_core::browser::escape;
use consulate_core::clock::Timestamp;

use crate::page::Tone;

/// A coloured word.
pub(crate) fn pill(tone: Option<Tone>, text: &str) -> String {
    let class = tone.map_or("", Tone::class);
    format!("<span class=\"pill {class}\">{}</span>", escape(text))
}

/// An instant, for people and for programs; a dash where there is none.
pub(crate) fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(dash, |at| instant_text(&at.rfc3339()))
}

/// As [`instant`], of RFC 3339 text.
pub(crate) fn instant_text(text: &str) -> String {
    let shown = match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text.to_owned(),
    };
    format!(
        "<time datetime=\"{}\">{}</time>",
        escape(text),
        escape(&shown)
    )
}

/// Nothing to tell.
pub(crate) fn dash() -> String {
    "<span class=\"soft\">–</span>".to_owned()
}

/// One row of a list of facts; `value` is HTML.
pub(crate) fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{}</dt><dd>{value}</dd></div>", escape(name))
}

/// `text` as a segment of one of our addresses. Ids are of letters, digits, hyphen, dot and underscore; what else an auth key
/// has is percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                segment.push(char::from(byte))
            }
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

/// `text` as HTML, with what stands between backticks as code.
pub(crate) fn prose(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let pieces = pieces.map(|(number, piece)| match number % 2 {
        0 => escape(piece),
        _ => format!("<code>{}</code>", escape(piece)),
    });
    pieces.collect()
}

/// The first `most` characters, and a sign that there is more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let first: String = characters.by_ref().take(most).collect();
    match characters.next() {
        Some(_) => first + "…",
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one_and_times_read_as_such() {
        assert_eq!(segment("a/../b?c"), "a%2F..%2Fb%3Fc");
        assert!(instant_text("2026-11-28T09:05:00Z").contains(">2026-11-28 09:05 UTC<"));
        assert_eq!(
            prose("Run `a <b>` & go."),
            "Run <code>a &lt;b&gt;</code> &amp; go."
        );
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc…");
    }
}
