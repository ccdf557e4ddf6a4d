//! PURE. Strict JSON: text in, a value and the line of every path in it out.
//!
//! Stricter than the parser alone in one point: a key that appears twice in one object is refused, because two readers
//! of the same bundle could then see two different definitions. Paths look like `$.authentications[0].metadata`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Longest path a line is remembered for: hostile nesting must not multiply long keys into gigabytes.
const LONGEST_PATH: usize = 300;

/// Why a text is not a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    Encoding,
    /// One object holds a key twice.
    #[error("{message}")]
    DuplicateKey {
        /// Which key.
        message: String,
        /// Where the second one is.
        line: Option<u32>,
    },
    /// Not JSON.
    #[error("{message}")]
    Syntax {
        /// The parser's words.
        message: String,
        /// Where it stopped.
        line: Option<u32>,
    },
}

/// A value and the line of every path in it.
pub(super) type Parsed = (Value, BTreeMap<String, u32>);

/// Parses `bytes`; a leading byte order mark is skipped.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Strict(value) = serde_json::from_str(text).map_err(|error| {
        let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
        let message = error.to_string();
        if error.is_data() {
            Error::DuplicateKey { message, line }
        } else {
            Error::Syntax { message, line }
        }
    })?;
    Ok((value, lines(text)))
}

/// A value whose objects hold every key once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key \"{key}\" appears twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// The line of every path in `text`, which must be valid JSON.
fn lines(text: &str) -> BTreeMap<String, u32> {
    let mut scan = Scan {
        text,
        at: 0,
        line: 1,
        found: BTreeMap::new(),
    };
    scan.value("$");
    scan.found
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    found: BTreeMap<String, u32>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek().filter(u8::is_ascii_whitespace) {
            self.line += u32::from(byte == b'\n');
            self.at += 1;
        }
    }

    fn record(&mut self, path: &str) {
        if !path.is_empty() {
            self.found.entry(path.to_owned()).or_insert(self.line);
        }
    }

    /// Walks one value. An empty `path` is one too long to remember.
    fn value(&mut self, path: &str) {
        self.space();
        self.record(path);
        match self.peek() {
            Some(b'{') => self.members(path),
            Some(b'[') => self.items(path),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self.peek().is_some_and(|byte| {
                    !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace()
                }) {
                    self.at += 1;
                }
            }
        }
    }

    fn members(&mut self, path: &str) {
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    let key = self.string();
                    let child = child(path, &format!(".{key}"));
                    self.record(&child);
                    self.space();
                    self.at += 1;
                    self.value(&child);
                }
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.at += 1;
    }

    fn items(&mut self, path: &str) {
        self.at += 1;
        let mut index = 0_usize;
        loop {
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') | None => break,
                Some(_) => {
                    self.value(&child(path, &format!("[{index}]")));
                    index += 1;
                }
            }
        }
        self.at += 1;
    }

    /// Walks one string and answers what it says.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }
}

/// `path` with `step` behind it; empty where that is too long to remember.
fn child(path: &str, step: &str) -> String {
    if path.is_empty() || path.len() + step.len() > LONGEST_PATH {
        String::new()
    } else {
        format!("{path}{step}")
    }
}
