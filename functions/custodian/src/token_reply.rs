//! PURE. Reads what token endpoints really answer, which is often not what RFC 6749 section 5 says: form bodies, numbers
//! as text, `expires_on`, scopes in an array, errors with status 200. Nothing is used unless the whole reply could be read.

use consulate_core::clock::Timestamp;
use consulate_core::secret::SecretText;
use serde_json::{Map, Value};

/// A longer reply is not read.
pub(crate) const REPLY_LIMIT: usize = 64 * 1024;
/// A longer token is not one.
const TOKEN_LIMIT: usize = 16 * 1024;
/// A shorter secret would be found within a text by chance.
const FOUND_FROM: usize = 6;
/// The members in which tokens stand.
const TOKENS: [&str; 4] = ["access_token", "refresh_token", "id_token", "token"];

/// Tokens as a provider gave them.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub access_token: SecretText,
    /// `None` when missing or empty: the stored one stays.
    pub refresh_token: Option<SecretText>,
    /// Seconds from now; `None` when the reply does not say, or says zero.
    pub expires_in: Option<i64>,
    /// Seconds from now until the refresh token ends, where the reply says so.
    pub refresh_expires_in: Option<i64>,
    /// `None` when the reply does not say: as asked for.
    pub scopes: Option<Vec<String>>,
    /// The whole document: fields to keep, and the tokens of other slots. Never printed: it holds them all.
    pub document: Document,
}

/// A reply's JSON, which holds tokens.
#[derive(Clone)]
pub(crate) struct Document {
    value: Value,
    /// What stands between scopes, besides spaces and commas.
    scope_separator: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl Document {
    /// What stands at a JSON pointer (RFC 6901).
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// Whether `text` is, or holds, a token of any slot.
    pub fn shows_a_token(&self, text: &str) -> bool {
        shows_a_token_of(&self.value, text)
    }

    /// The tokens at `pointer`; `None` where there are none, or not wholly usable ones.
    pub fn tokens_at(&self, pointer: &str, now: Timestamp) -> Option<Reply> {
        let members = self.at(pointer)?.as_object()?;
        tokens(members, now, self)
    }
}

/// Whether `text` is `secret`, or holds one that is not so short that it is there by chance.
pub(crate) fn shows(text: &str, secret: &str) -> bool {
    text == secret || (secret.len() >= FOUND_FROM && text.contains(secret))
}

/// Whether a token of any kind, wherever it stands in `value`, is shown by `text`.
fn shows_a_token_of(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| match value {
            Value::String(token) if TOKENS.contains(&name.as_str()) => {
                !token.is_empty() && shows(text, token)
            }
            value => shows_a_token_of(value, text),
        }),
        Value::Array(values) => values.iter().any(|value| shows_a_token_of(value, text)),
        _ => false,
    }
}

/// What a body turned out to be.
#[derive(Debug)]
pub(crate) enum Read {
    Tokens(Box<Reply>),
    /// An OAuth error code (RFC 6749 section 5.2), or a provider's own.
    Refused(String),
    Unreadable,
}

/// Reads a reply's body, whose tokens stand at the JSON pointer `at`, or at the top all the same. `now` turns absolute
/// expiries into seconds.
pub(crate) fn read(body: &[u8], now: Timestamp, at: &str, scope_separator: &str) -> Read {
    let Some(members) = members(body) else {
        return Read::Unreadable;
    };
    if let Some(code) = error_code(&members) {
        return Read::Refused(code);
    }
    let document = Document {
        value: Value::Object(members),
        scope_separator: scope_separator.to_owned(),
    };
    let tokens = document
        .tokens_at(at, now)
        .or_else(|| document.tokens_at("", now));
    match tokens {
        Some(reply) => Read::Tokens(Box::new(reply)),
        None => Read::Unreadable,
    }
}

fn members(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => return Some(unwrapped(members)),
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

/// `{"data":[{…}]}` is the one document in it (Instagram).
fn unwrapped(mut members: Map<String, Value>) -> Map<String, Value> {
    let single = match members.get_mut("data") {
        Some(Value::Array(values)) if values.len() == 1 => values.pop(),
        _ => None,
    };
    match single {
        Some(Value::Object(inner)) if inner.contains_key("access_token") => inner,
        Some(other) => {
            members.insert("data".to_owned(), Value::Array(vec![other]));
            members
        }
        None => members,
    }
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

fn tokens(members: &Map<String, Value>, now: Timestamp, document: &Document) -> Option<Reply> {
    // Tableau calls it `token`.
    let access_token = members
        .get("access_token")
        .or_else(|| members.get("token"))?;
    let access_token = token(access_token)?;
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
        refresh_expires_in: members
            .get("refresh_token_expires_in")
            .and_then(number)
            .filter(|seconds| *seconds > 0)
            .map(bounded),
        // Instagram calls them permissions.
        scopes: members
            .get("scope")
            .or_else(|| members.get("permissions"))
            .and_then(|value| scopes(value, &document.scope_separator)),
        document: document.clone(),
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
    let clock = || clock(members.get("estimatedTimeToExpiration")?.as_str()?);
    relative
        .or_else(absolute)
        .or_else(clock)
        .filter(|seconds| *seconds > 0)
        .map(bounded)
}

/// Ten years bounds what may later be multiplied.
fn bounded(seconds: i64) -> i64 {
    seconds.min(315_360_000)
}

/// Seconds of `HH:MM:SS` (Tableau); hours are not bounded by a day.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text
        .split(':')
        .map(|part| part.parse::<u32>().ok().map(i64::from));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let whole = parts.next().is_none() && minutes < 60 && seconds < 60;
    whole.then_some(hours * 3_600 + minutes * 60 + seconds)
}

fn number(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number as i64)
}

fn scopes(value: &Value, separator: &str) -> Option<Vec<String>> {
    let split = |text: &str| {
        let text = match separator {
            "" => text.to_owned(),
            separator => text.replace(separator, " "),
        };
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
mod tests;
