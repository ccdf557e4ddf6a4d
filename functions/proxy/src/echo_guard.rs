//! PURE. Removes the injected credential from what an API answers, should it echo it: as it is, percent-encoded, in base64
//! at any alignment, and hidden behind JSON's string escapes. Everything else stays byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::{memchr, memchr2, memmem};

/// What stands where a credential stood.
pub const REMOVED: &str = "[credential removed]";
/// A shorter token is searched for as it is only: its encodings are too short to mean anything.
const ENCODED_FROM: usize = 8;
/// A shorter piece of base64 may occur by chance.
const BASE64_FROM: usize = 16;

/// Knows one access token in all its spellings.
pub struct EchoGuard {
    access_token: Vec<u8>,
    /// The token and its base64 spellings.
    needles: Vec<Vec<u8>>,
}

impl EchoGuard {
    /// For one call's access token.
    pub fn new(access_token: &str) -> Self {
        let mut needles = vec![access_token.as_bytes().to_vec()];
        if access_token.len() >= ENCODED_FROM {
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
        Self {
            access_token: access_token.as_bytes().to_vec(),
            needles,
        }
    }

    /// Bytes without the credential, and how often it stood there.
    pub fn scrub_bytes<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        self.scrub(bytes, false)
    }

    /// Text without the credential, and how often it stood there.
    pub fn scrub_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        let (bytes, count) = self.scrub(text.as_bytes(), false);
        (as_text(text, bytes), count)
    }

    /// JSON text without the credential, and how often it stood there. Only string literals that hold it are rewritten.
    pub fn scrub_json<'a>(&self, json: &'a str) -> (Cow<'a, str>, usize) {
        let (plain, count) = self.scrub(json.as_bytes(), true);
        let plain = as_text(json, plain);
        if !plain.contains('\\') {
            return (plain, count);
        }
        match self.scrub_escaped(&plain) {
            Some((scrubbed, more)) => (Cow::Owned(scrubbed), count + more),
            None => (plain, count),
        }
    }

    /// A quote or backslash cannot stand in a JSON literal as it is, and must not match across literals: `in_json` leaves
    /// them to [`Self::scrub_escaped`].
    fn scrub<'a>(&self, bytes: &'a [u8], in_json: bool) -> (Cow<'a, [u8]>, usize) {
        let mut scrubbed = Cow::Borrowed(bytes);
        let mut count = 0;
        let splits = |needle: &[u8]| in_json && needle.iter().any(|byte| b"\"\\".contains(byte));
        for needle in &self.needles {
            if needle.is_empty() || splits(needle) {
                continue;
            }
            let starts = memmem::find_iter(&scrubbed, needle);
            let found: Vec<_> = starts.map(|at| at..at + needle.len()).collect();
            count += cut(&mut scrubbed, &found);
        }
        if self.access_token.len() >= ENCODED_FROM && memchr(b'%', &scrubbed).is_some() {
            let found = self.percent_encoded(&scrubbed, in_json);
            count += cut(&mut scrubbed, &found);
        }
        (scrubbed, count)
    }

    /// Where the token stands percent-encoded. Encoders differ in which bytes they leave alone, in the case of their digits,
    /// and in how often they are applied, so each byte may stand either way.
    fn percent_encoded(&self, text: &[u8], in_json: bool) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let Some(first) = self.access_token.first() else {
            return found;
        };
        let mut from = 0;
        while let Some(rest) = text.get(from..) {
            let Some(start) = memchr2(*first, b'%', rest) else {
                break;
            };
            let candidate = rest.get(start..).unwrap_or_default();
            let length = self.spelled_at(candidate, in_json);
            if let Some(length) = length {
                found.push(from + start..from + start + length);
            }
            from += start + length.unwrap_or(1);
        }
        found
    }

    /// Length of the token at the start of `text`.
    fn spelled_at(&self, text: &[u8], in_json: bool) -> Option<usize> {
        let mut at = 0;
        for wanted in &self.access_token {
            let rest = text.get(at..)?;
            let next = rest.first()?;
            let encoded = (*next == b'%')
                .then(|| encoded_byte(rest, *wanted))
                .flatten();
            at += match encoded {
                Some(length) => length,
                None if in_json && matches!(next, b'"' | b'\\') => return None,
                None if next == wanted => 1,
                None => return None,
            };
        }
        Some(at)
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

/// Replaces the ranges, which are in order and apart; says how many they were.
fn cut(bytes: &mut Cow<'_, [u8]>, found: &[Range<usize>]) -> usize {
    if found.is_empty() {
        return 0;
    }
    let mut without = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for range in found {
        without.extend_from_slice(bytes.get(copied..range.start).unwrap_or_default());
        without.extend_from_slice(REMOVED.as_bytes());
        copied = range.end;
    }
    without.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    *bytes = Cow::Owned(without);
    found.len()
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

/// The byte `wanted`, percent-encoded once or more often, at the start of `text`: its length there.
fn encoded_byte(text: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        let [high, low] = text.get(at..at + 2)? else {
            return None;
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        match u8::try_from(digit(high)? * 16 + digit(low)?) {
            Ok(byte) if byte == wanted => return Some(at + 2),
            Ok(b'%') => at += 2,
            _ => return None,
        }
    }
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
        // As encodeURIComponent, Python's quote, a form encoder in lower case, and one on top of another write it.
        let component = TOKEN
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        let mut spellings = vec![
            TOKEN.to_owned(),
            TOKEN.replace('+', "%2B").replace('=', "%3D"),
            component
                .to_lowercase()
                .replace("a0", "A0")
                .replace('~', "%7e"),
            component.replace('%', "%25"),
            TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            component,
        ];
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

    /// 5,000 documents with the token in a random spelling behind random neighbours: it is gone however they are read, and
    /// the rest is what it was.
    #[test]
    fn no_mixture_of_spellings_gets_through() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 16) % below
        };
        for _ in 0..5_000 {
            let mut hidden = String::new();
            for char in TOKEN.chars() {
                match random(6) {
                    0 => hidden.push_str(&format!("%{:02x}", char as u32)),
                    1 => hidden.push_str(&format!("%25{:02X}", char as u32)),
                    2 => hidden.push_str(&format!("\\u{:04x}", char as u32)),
                    3 if char == '/' => hidden.push_str("\\/"),
                    _ => hidden.push(char),
                }
            }
            let neighbours = [
                "", "ya29", "%", "%79", "\\\\", "\\n", "\\u0079", "é", "%25", "x y",
            ];
            let before = neighbours[random(10) as usize];
            let after = neighbours[random(10) as usize];
            let json = format!(r#"{{"a":1.0,"t":"{before}{hidden}{after}","b":"\/"}}"#);
            let (clean, count) = guard().scrub_json(&json);
            assert_eq!(count, 1, "{json}");
            let text = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap();
            let value: serde_json::Value = serde_json::from_str(&clean).unwrap();
            assert_eq!(
                value["t"],
                format!("{}{REMOVED}{}", text(before), text(after)),
                "{json}"
            );
            assert!(clean.starts_with(r#"{"a":1.0,"t":""#) && clean.ends_with(r#"","b":"\/"}"#));
        }
    }
}
