//! PURE. Reads what token endpoints really answer, which is often not what RFC 6749 section 5 says: form bodies, numbers
//! as text, `expires_on`, scopes in an array, errors with status 200. Nothing is used unless the whole reply could be read.

use consulate_core::clock::Timestamp;
use consulate_core::secret::SecretText;
use serde_json::{Map, Value};

/// A longer reply is not read.
pub(crate) const REPLY_LIMIT: usize = 64 * 1024;
/// A longer token is not one.
const TOKEN_LIMIT: usize = 16 * 1024;

/// Tokens as a provider gave them.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub access_token: SecretText,
    /// `None` when missing or empty: the stored one stays.
    pub refresh_token: Option<SecretText>,
    /// Seconds from now; `None` when the reply does not say, or says zero.
    pub expires_in: Option<i64>,
    /// `None` when the reply does not say: as asked for.
    pub scopes: Option<Vec<String>>,
}

/// What a body turned out to be.
#[derive(Debug)]
pub(crate) enum Read {
    Tokens(Reply),
    /// An OAuth error code (RFC 6749 section 5.2), or a provider's own.
    Refused(String),
    Unreadable,
}

/// Reads a reply's body. `now` turns absolute expiries into seconds.
pub(crate) fn read(body: &[u8], now: Timestamp) -> Read {
    let Some(members) = members(body) else {
        return Read::Unreadable;
    };
    if let Some(code) = error_code(&members) {
        return Read::Refused(code);
    }
    match tokens(&members, now) {
        Some(reply) => Read::Tokens(reply),
        None => Read::Unreadable,
    }
}

fn members(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => return Some(members),
        Ok(_) => return None,
        Err(_) => {}
    }
    // Not JSON, whatever the content type said: perhaps a form.
    let text = std::str::from_utf8(body).ok()?;
    if text.contains(['<', '{']) || !(text.contains("access_token=") || text.contains("error=")) {
        return None;
    }
    let pairs = form_urlencoded::parse(text.trim().as_bytes());
    Some(
        pairs
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect(),
    )
}

fn error_code(members: &Map<String, Value>) -> Option<String> {
    match members.get("error") {
        None | Some(Value::Null) | Some(Value::Bool(false)) => {
            let denied = members.get("ok") == Some(&Value::Bool(false));
            denied.then(|| "refused".to_owned())
        }
        Some(Value::String(code)) if code.is_empty() => None,
        Some(Value::String(code)) => Some(tame(code)),
        // Facebook: {"error":{"code":190,…}}
        Some(Value::Object(error)) => {
            let code = error.get("code").or_else(|| error.get("type"));
            Some(match code {
                Some(Value::String(code)) => tame(code),
                Some(Value::Number(number)) => number.to_string(),
                _ => "refused".to_owned(),
            })
        }
        Some(_) => Some("refused".to_owned()),
    }
}

/// An error code is a name: what does not look like one is a provider's text, and is not repeated.
fn tame(code: &str) -> String {
    let named = code.len() <= 64
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if named {
        code.to_owned()
    } else {
        "refused".to_owned()
    }
}

fn tokens(members: &Map<String, Value>, now: Timestamp) -> Option<Reply> {
    let access_token = token(members.get("access_token")?)?;
    let refresh_token = match members.get("refresh_token") {
        None | Some(Value::Null) => None,
        Some(Value::String(empty)) if empty.is_empty() => None,
        Some(value) => Some(token(value)?),
    };
    if let Some(Value::String(kind)) = members.get("token_type")
        && (kind.eq_ignore_ascii_case("mac") || kind.eq_ignore_ascii_case("dpop"))
    {
        // Sender-constrained tokens are of no use to a proxy that can only bear them.
        return None;
    }
    Some(Reply {
        access_token,
        refresh_token,
        expires_in: expires_in(members, now),
        scopes: members.get("scope").and_then(scopes),
    })
}

fn token(value: &Value) -> Option<SecretText> {
    let text = value.as_str()?;
    let usable = !text.is_empty()
        && text.len() <= TOKEN_LIMIT
        && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    usable.then(|| SecretText::new(text))
}

fn expires_in(members: &Map<String, Value>, now: Timestamp) -> Option<i64> {
    let relative = members.get("expires_in").and_then(number);
    let absolute = || {
        let value = members
            .get("expires_at")
            .or_else(|| members.get("expires_on"))?;
        let at = match number(value) {
            // Beyond the year 5138 in seconds, so it must be milliseconds.
            Some(millis) if millis > 100_000_000_000 => Timestamp::from_millis(millis),
            Some(seconds) => Timestamp::from_seconds(seconds),
            None => Timestamp::parse_rfc3339(value.as_str()?)?,
        };
        Some(at.since(now) / 1000)
    };
    // Ten years bounds what may later be multiplied.
    relative
        .or_else(absolute)
        .filter(|seconds| *seconds > 0)
        .map(|seconds| seconds.min(315_360_000))
}

fn number(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number as i64)
}

fn scopes(value: &Value) -> Option<Vec<String>> {
    let split = |text: &str| {
        text.split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect()
    };
    match value {
        Value::String(text) => Some(split(text)),
        Value::Array(values) => Some(
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn reply(body: &str) -> Reply {
        match read(body.as_bytes(), NOW) {
            Read::Tokens(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_reply_is_read() {
        let reply = reply(
            r#"{"access_token":"at","token_type":"bearer","expires_in":3600,"refresh_token":"rt","scope":"a b"}"#,
        );
        assert_eq!(reply.access_token.expose(), "at");
        assert_eq!(reply.refresh_token.unwrap().expose(), "rt");
        assert_eq!(reply.expires_in, Some(3600));
        assert_eq!(reply.scopes.unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_form_body_is_read_whatever_its_content_type() {
        let reply = reply("access_token=at&expires_in=60&scope=a%20b");
        assert_eq!(
            (reply.access_token.expose(), reply.expires_in),
            ("at", Some(60))
        );
    }

    #[test]
    fn expiry_is_understood_in_every_spelling() {
        for (member, seconds) in [
            (r#""expires_in":60"#, Some(60)),
            (r#""expires_in":"60""#, Some(60)),
            (r#""expires_in":60.7"#, Some(60)),
            (r#""expires_in":0"#, None),
            (r#""expires_in":-5"#, None),
            (r#""x":1"#, None),
            (r#""expires_at":1800000060"#, Some(60)),
            (r#""expires_on":"1800000060""#, Some(60)),
            (r#""expires_at":1800000060000"#, Some(60)),
            (r#""expires_at":"2027-01-15T08:01:00Z""#, Some(60)),
        ] {
            assert_eq!(
                reply(&format!(r#"{{"access_token":"at",{member}}}"#)).expires_in,
                seconds,
                "{member}"
            );
        }
    }

    #[test]
    fn an_empty_or_missing_refresh_token_keeps_the_stored_one() {
        for member in [
            r#""refresh_token":"""#,
            r#""refresh_token":null"#,
            r#""x":1"#,
        ] {
            assert!(
                reply(&format!(r#"{{"access_token":"at",{member}}}"#))
                    .refresh_token
                    .is_none()
            );
        }
    }

    #[test]
    fn scopes_come_with_spaces_commas_or_in_an_array() {
        for scope in [r#""a b""#, r#""a,b""#, r#"["a","b"]"#] {
            assert_eq!(
                reply(&format!(r#"{{"access_token":"at","scope":{scope}}}"#))
                    .scopes
                    .unwrap(),
                ["a", "b"]
            );
        }
    }

    #[test]
    fn an_error_is_a_refusal_even_beside_a_token_and_even_as_an_object() {
        for (body, code) in [
            (
                r#"{"error":"invalid_grant","access_token":"at"}"#,
                "invalid_grant",
            ),
            (r#"{"ok":false}"#, "refused"),
            (r#"{"error":{"code":190,"message":"x"}}"#, "190"),
            (
                "error=bad_verification_code&error_description=x",
                "bad_verification_code",
            ),
            (r#"{"error":"<script>alert(1)</script>"}"#, "refused"),
        ] {
            match read(body.as_bytes(), NOW) {
                Read::Refused(read) => assert_eq!(read, code),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_wholly_usable_is_not_used() {
        let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(TOKEN_LIMIT + 1));
        for body in [
            "",
            "<html></html>",
            "[]",
            "null",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a b"}"#,
            "{\"access_token\":\"a\\u0000b\"}",
            r#"{"access_token":"at","refresh_token":7}"#,
            r#"{"access_token":"at","token_type":"DPoP"}"#,
            &long,
            r#"{"access_token":"at""#,
        ] {
            assert!(
                matches!(read(body.as_bytes(), NOW), Read::Unreadable),
                "{body:.40}"
            );
        }
    }
}
