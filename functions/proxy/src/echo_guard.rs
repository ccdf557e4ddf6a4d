//! PURE. Removes the injected credential from what an API answers, should it echo it: as it is, percent-encoded, in base64
//! at any alignment, and hidden behind JSON's string escapes. Everything else stays byte for byte.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands where a credential stood.
pub const REMOVED: &str = "[credential removed]";
/// A shorter token is searched for as it is only: its encodings are too short to mean anything.
const ENCODED_FROM: usize = 8;
/// A shorter piece of base64 may occur by chance.
const BASE64_FROM: usize = 16;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Knows one access token in all its spellings.
pub struct EchoGuard {
    needles: Vec<Vec<u8>>,
}

impl EchoGuard {
    /// For one call's access token.
    pub fn new(access_token: &str) -> Self {
        let mut needles = vec![access_token.as_bytes().to_vec()];
        if access_token.len() >= ENCODED_FROM {
            let encoded = utf8_percent_encode(access_token, UNRESERVED).to_string();
            needles.push(lower_hex(&encoded).into_bytes());
            needles.push(encoded.into_bytes());
            for before in 0..3 {
                for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let bytes: Vec<u8> = std::iter::repeat_n(0, before)
                        .chain(access_token.bytes())
                        .collect();
                    let encoded = engine.encode(&bytes);
                    // The characters that only this token decides, whatever stands before and after it.
                    let from = (before * 8).div_ceil(6);
                    let to = bytes.len() * 8 / 6;
                    needles.extend(
                        encoded
                            .get(from..to)
                            .map(|needle| needle.as_bytes().to_vec()),
                    );
                }
            }
            needles.retain(|needle| needle.len() >= BASE64_FROM.min(access_token.len()));
        }
        needles.sort();
        needles.dedup();
        // The longest first: percent-encoded text may contain shorter spellings.
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        Self { needles }
    }

    /// Bytes without the credential, and how often it stood there.
    pub fn scrub_bytes<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        self.scrub(bytes, |_| true)
    }

    /// Text without the credential, and how often it stood there.
    pub fn scrub_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        let (bytes, count) = self.scrub(text.as_bytes(), |_| true);
        (as_text(text, bytes), count)
    }

    /// JSON text without the credential, and how often it stood there. Only string literals that hold it are rewritten.
    pub fn scrub_json<'a>(&self, json: &'a str) -> (Cow<'a, str>, usize) {
        // A spelling with a quote or backslash cannot stand in JSON as it is, and must not match across literals.
        let (plain, count) = self.scrub(json.as_bytes(), |needle| {
            !needle.contains(&b'"') && !needle.contains(&b'\\')
        });
        let plain = as_text(json, plain);
        if !plain.contains('\\') {
            return (plain, count);
        }
        match self.scrub_escaped(&plain) {
            Some((scrubbed, more)) => (Cow::Owned(scrubbed), count + more),
            None => (plain, count),
        }
    }

    fn scrub<'a>(&self, bytes: &'a [u8], counts: impl Fn(&[u8]) -> bool) -> (Cow<'a, [u8]>, usize) {
        let mut scrubbed = Cow::Borrowed(bytes);
        let mut count = 0;
        for needle in self
            .needles
            .iter()
            .filter(|needle| !needle.is_empty() && counts(needle))
        {
            let found: Vec<usize> = memmem::find_iter(&scrubbed, needle).collect();
            if found.is_empty() {
                continue;
            }
            count += found.len();
            let mut without = Vec::with_capacity(scrubbed.len());
            let mut from = 0;
            for at in found {
                without.extend_from_slice(scrubbed.get(from..at).unwrap_or_default());
                without.extend_from_slice(REMOVED.as_bytes());
                from = at + needle.len();
            }
            without.extend_from_slice(scrubbed.get(from..).unwrap_or_default());
            scrubbed = Cow::Owned(without);
        }
        (scrubbed, count)
    }

    /// `None` when no escaped literal holds the credential.
    fn scrub_escaped(&self, json: &str) -> Option<(String, usize)> {
        let mut scrubbed = String::new();
        let mut count = 0;
        let mut copied = 0;
        let mut rest = 0;
        while let Some(start) = json.get(rest..)?.find('"').map(|at| rest + at) {
            let Some(end) = literal_end(json.as_bytes(), start) else {
                break;
            };
            let inside = json.get(start + 1..end - 1)?;
            if inside.contains('\\') {
                let text = unescaped(inside);
                let (clean, found) = self.scrub_text(&text);
                if found > 0 {
                    count += found;
                    scrubbed.push_str(json.get(copied..start)?);
                    scrubbed.push_str(&serde_json::Value::from(clean.into_owned()).to_string());
                    copied = end;
                }
            }
            rest = end;
        }
        scrubbed.push_str(json.get(copied..)?);
        (count > 0).then_some((scrubbed, count))
    }
}

/// Replacing ASCII by ASCII leaves text text.
fn as_text<'a>(original: &'a str, scrubbed: Cow<'a, [u8]>) -> Cow<'a, str> {
    match scrubbed {
        Cow::Borrowed(_) => Cow::Borrowed(original),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Index behind the closing quote of the literal that opens at `start`.
fn literal_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// JSON's escapes undone; a lone surrogate, which text cannot hold, becomes the replacement character.
fn unescaped(literal: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(literal.len());
    let mut chars = literal.chars();
    while let Some(char) = chars.next() {
        let mut push = |char: char| units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
        if char != '\\' {
            push(char);
            continue;
        }
        match chars.next() {
            Some('n') => push('\n'),
            Some('t') => push('\t'),
            Some('r') => push('\r'),
            Some('b') => push('\u{8}'),
            Some('f') => push('\u{c}'),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&hex, 16).unwrap_or(0xfffd));
            }
            Some(other) => push(other),
            None => {}
        }
    }
    String::from_utf16_lossy(&units)
}

fn lower_hex(encoded: &str) -> String {
    let mut lower = String::with_capacity(encoded.len());
    let mut hex = 0;
    for char in encoded.chars() {
        if char == '%' {
            hex = 3;
        }
        lower.push(if hex > 0 {
            char.to_ascii_lowercase()
        } else {
            char
        });
        hex = usize::saturating_sub(hex, 1);
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ya29.A0+secret/token~with=signs_0123456789";

    fn guard() -> EchoGuard {
        EchoGuard::new(TOKEN)
    }

    #[test]
    fn every_spelling_is_removed_from_text() {
        let percent = utf8_percent_encode(TOKEN, UNRESERVED).to_string();
        let mut spellings = vec![TOKEN.to_owned(), lower_hex(&percent), percent];
        for around in ["", "B", "Be", "Bearer ", "a:b:"] {
            spellings.push(STANDARD_NO_PAD.encode(format!("{around}{TOKEN}{around}")));
            spellings.push(URL_SAFE_NO_PAD.encode(format!("{around}{TOKEN}{around}")));
        }
        for spelling in spellings {
            let text = format!("before {spelling} after {spelling}");
            let (clean, count) = guard().scrub_text(&text);
            assert_eq!(count, 2, "{spelling}");
            assert!(
                clean.starts_with("before ")
                    && clean.contains(" after ")
                    && clean.contains(REMOVED),
                "{clean}"
            );
            assert!(
                !clean.contains("c2VjcmV0L3Rva2Vu") && !clean.contains("secret"),
                "{clean}"
            );
        }
    }

    #[test]
    fn json_is_untouched_where_the_credential_is_not() {
        let json = r#"{"n":12345678901234567890123,"f":1.0,"n":1, "s":"a\u0041\/\"b"}"#;
        let (clean, count) = guard().scrub_json(json);
        assert!(matches!(clean, Cow::Borrowed(_)));
        assert_eq!((clean.as_ref(), count), (json, 0));
    }

    #[test]
    fn a_credential_behind_json_escapes_is_removed_and_the_rest_stays() {
        let hidden = TOKEN.replace('/', "\\/").replace("ya", "\\u0079\\u0061");
        let json = format!(r#"{{"n":1.0,"t":"x {hidden} \ud800","s":"a\u0041"}}"#);
        let (clean, count) = guard().scrub_json(&json);
        assert_eq!(count, 1);
        assert!(
            clean.starts_with(r#"{"n":1.0,"t":"x [credential removed] "#),
            "{clean}"
        );
        assert!(clean.ends_with(r#"","s":"a\u0041"}"#), "{clean}");
        assert!(serde_json::from_str::<serde_json::Value>(&clean).is_ok());
    }

    #[test]
    fn a_member_name_is_no_hiding_place() {
        let json = format!(r#"{{"{TOKEN}":1,"\u0079{}":2}}"#, &TOKEN[1..]);
        let (clean, count) = guard().scrub_json(&json);
        assert_eq!(count, 2);
        assert!(!clean.contains("secret"));
    }

    #[test]
    fn bytes_are_searched_too() {
        let bytes = [b"\xff\x00", TOKEN.as_bytes(), b"\xfe"].concat();
        let (clean, count) = guard().scrub_bytes(&bytes);
        assert_eq!(count, 1);
        assert_eq!(
            clean.as_ref(),
            [b"\xff\x00", REMOVED.as_bytes(), b"\xfe"].concat()
        );
    }

    #[test]
    fn a_token_with_quotes_does_not_match_across_literals() {
        let guard = EchoGuard::new(r#"abcdefgh","ijklmnop"#);
        let json = r#"["abcdefgh","ijklmnop"]"#;
        assert_eq!(guard.scrub_json(json).0, json);
        let (clean, count) = guard.scrub_json(r#"["x abcdefgh\",\"ijklmnop"]"#);
        assert_eq!(
            (clean.as_ref(), count),
            (r#"["x [credential removed]"]"#, 1)
        );
    }

    #[test]
    fn broken_json_and_unterminated_literals_do_not_panic() {
        for json in [
            "\"\\",
            "\"\\u12",
            "\"abc",
            "\\",
            "{\"a\":\"\\\"",
            "\"\\ud83d\\",
        ] {
            guard().scrub_json(json);
        }
    }
}
