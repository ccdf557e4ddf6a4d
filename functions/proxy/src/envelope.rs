//! PURE. The Appspace envelope around an API's answer:
//!
//! ```json
//! {"statusCode":200,"body":…,"headers":{…},"contentType":"application/json","isSuccess":true}
//! ```
//!
//! `body` is the API's JSON, byte for byte (numbers are not read, let alone rounded); a string for text, and for an empty
//! body; base64 with `"isBase64Encoded":true` for anything else. `isSuccess` is a 2xx of the API. An answer that means "too
//! many calls", in whatever words of the provider's, carries `"isThrottled":true` and, where known, `retryAfterSeconds`.
//! Source: Appspace advanced guide, "Making authenticated API calls".

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use crate::guards::Guards;

/// Lambda's reply limit is 6 MB; the envelope travels inside a JSON string of it, beside headers and status.
const REPLY_LIMIT: usize = 6_291_556 - 64 * 1024;
/// A longer answer cannot fit whatever it holds: reading it stops here.
pub const UPSTREAM_BODY_LIMIT: usize = REPLY_LIMIT;

/// The envelope would not fit into a Lambda reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the envelope is too large")]
pub struct TooLarge;

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<'a> {
    status_code: u16,
    /// The API's JSON as it is, text, or base64.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    body: Shown<'a>,
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, String>))]
    headers: Headers<'a>,
    content_type: Option<&'a str>,
    is_success: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_base64_encoded: bool,
    #[serde(flatten)]
    throttled: Option<Throttled>,
}

/// What an envelope says beside Appspace's members when the API was called too often.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttled {
    /// Always true.
    pub is_throttled: bool,
    /// Seconds until the API wants to be called again, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

struct Headers<'a>(&'a [(String, String)]);

impl Serialize for Headers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The envelope's bytes, and how many echoes of the credential were removed. `shown` are the headers a widget may see.
///
/// # Errors
/// [`TooLarge`], judged on the bytes as they will lie in the Lambda reply.
pub fn build(
    status: StatusCode,
    headers: &HeaderMap,
    mut shown: Vec<(String, String)>,
    body: &[u8],
    guard: &Guards,
    throttled: Option<Throttled>,
) -> Result<(Vec<u8>, usize), TooLarge> {
    let mut echoes = 0;
    for (_, value) in &mut shown {
        let (clean, count) = guard.scrub_text(value);
        if let (Cow::Owned(clean), 1..) = (clean, count) {
            echoes += count;
            *value = clean;
        }
    }
    let content_type = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let clean_type = content_type.map(|text| guard.scrub_text(text).0);
    let text = std::str::from_utf8(body)
        .ok()
        .filter(|_| is_text(content_type));
    let scrubbed;
    let mut is_base64_encoded = false;
    // RFC 8259 section 8.1 lets a reader skip a byte order mark; browsers do, and some servers send one.
    let json = text
        .filter(|_| is_json(content_type))
        .map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
        .filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    let body = match json.or(text) {
        Some(json_text) if json.is_some() => {
            let (clean, count) = guard.scrub_json(json_text);
            echoes += count;
            scrubbed = clean;
            match serde_json::from_str(&scrubbed) {
                Ok(raw) => Shown::Json(raw),
                Err(_) => Shown::Text(Cow::Borrowed(&scrubbed)),
            }
        }
        Some(text) => {
            let (clean, count) = guard.scrub_text(text);
            echoes += count;
            Shown::Text(clean)
        }
        None => {
            let (clean, count) = guard.scrub_bytes(body);
            echoes += count;
            is_base64_encoded = true;
            Shown::Text(Cow::Owned(STANDARD.encode(&clean)))
        }
    };
    let envelope = Envelope {
        status_code: status.as_u16(),
        body,
        headers: Headers(&shown),
        content_type: clean_type.as_deref(),
        is_success: status.is_success(),
        is_base64_encoded,
        throttled,
    };
    let document = serde_json::to_vec(&envelope).map_err(|_| TooLarge)?;
    if encoded_len(&document) > REPLY_LIMIT {
        return Err(TooLarge);
    }
    Ok((document, echoes))
}

/// Bytes of `text` once it lies in a JSON string, as the runtime puts a text body into its reply.
pub fn encoded_len(text: &[u8]) -> usize {
    text.iter()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..0x20 => 6,
            _ => 1,
        })
        .sum()
}

fn essence(content_type: &str) -> String {
    let essence = content_type
        .split_once(';')
        .map_or(content_type, |(essence, _)| essence);
    essence.trim().to_ascii_lowercase()
}

fn is_json(content_type: Option<&str>) -> bool {
    content_type.map(essence).is_some_and(|essence| {
        essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
    })
}

/// Without a content type, bytes that are UTF-8 count as text.
fn is_text(content_type: Option<&str>) -> bool {
    let Some(essence) = content_type.map(essence) else {
        return true;
    };
    const TEXT: [&str; 5] = [
        "application/xml",
        "application/javascript",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "application/graphql",
    ];
    is_json(Some(&essence))
        || essence.starts_with("text/")
        || essence.ends_with("+xml")
        || TEXT.contains(&essence.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(content_type: Option<&str>, body: &[u8]) -> Result<String, TooLarge> {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(http::header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let guard = Guards::new("a-token-nobody-sends");
        let (document, _) = build(StatusCode::OK, &headers, Vec::new(), body, &guard, None)?;
        Ok(String::from_utf8(document).unwrap())
    }

    #[test]
    fn json_is_embedded_byte_for_byte() {
        let body = br#"{"id":12345678901234567890123,"f":1.0,"b":1,"a":2,"a":3}"#;
        let document = envelope(Some("application/json; charset=utf-8"), body).unwrap();
        assert_eq!(
            document,
            r#"{"statusCode":200,"body":{"id":12345678901234567890123,"f":1.0,"b":1,"a":2,"a":3},"headers":{},"contentType":"application/json; charset=utf-8","isSuccess":true}"#
        );
    }

    #[test]
    fn a_byte_order_mark_does_not_turn_json_into_text() {
        let document = envelope(Some("application/json"), b"\xef\xbb\xbf{\"a\":1}").unwrap();
        assert!(document.contains(r#""body":{"a":1}"#), "{document}");
    }

    #[test]
    fn text_broken_json_and_nothing_are_strings() {
        assert!(
            envelope(Some("text/plain"), b"a\"b")
                .unwrap()
                .contains(r#""body":"a\"b""#)
        );
        assert!(
            envelope(Some("application/json"), b"{broken")
                .unwrap()
                .contains(r#""body":"{broken""#)
        );
        assert!(
            envelope(Some("application/json"), b"")
                .unwrap()
                .contains(r#""body":"""#)
        );
        assert!(
            envelope(None, b"x")
                .unwrap()
                .contains(r#""body":"x","headers":{},"contentType":null"#)
        );
    }

    #[test]
    fn anything_else_is_base64() {
        for (content_type, body) in [
            (Some("image/png"), &b"\x89PNG"[..]),
            (Some("text/plain"), b"\xff\xfe"),
            (None, b"\xff"),
        ] {
            let document = envelope(content_type, body).unwrap();
            assert!(
                document.contains(&format!(r#""body":"{}""#, STANDARD.encode(body))),
                "{document}"
            );
            assert!(
                document.ends_with(r#""isSuccess":true,"isBase64Encoded":true}"#),
                "{document}"
            );
        }
    }

    #[test]
    fn size_is_judged_as_encoded_in_the_reply() {
        assert_eq!(encoded_len(b"a\"\\\n\x01"), 1 + 2 + 2 + 2 + 6);
        let quotes = "\"".repeat(3_000_000);
        assert_eq!(
            envelope(Some("text/plain"), quotes.as_bytes()).unwrap_err(),
            TooLarge
        );
        assert!(envelope(Some("text/plain"), "x".repeat(6_000_000).as_bytes()).is_ok());
    }

    #[test]
    fn an_echo_in_a_header_or_body_is_removed_and_counted() {
        let guard = Guards::new("at-secret-value");
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            "application/json".parse().unwrap(),
        );
        let shown = vec![(
            "location".to_owned(),
            "https://x.example/?t=at-secret-value".to_owned(),
        )];
        let (document, echoes) = build(
            StatusCode::CREATED,
            &headers,
            shown,
            br#"{"t":"at-secret-value"}"#,
            &guard,
            None,
        )
        .unwrap();
        assert_eq!(echoes, 2);
        assert!(!String::from_utf8(document).unwrap().contains("at-secret"));
    }
}
