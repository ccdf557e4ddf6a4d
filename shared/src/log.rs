//! One JSON object per line on standard error. A request or an invoke writes one line, at its end.
//!
//! Never logged, at any level: access and refresh tokens, caller JWTs, codes, tickets, states, completions, client
//! secrets, keys, e-mail addresses, request and response bodies, query strings, and paths (tickets live in paths).

use std::io::Write as _;
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::{metrics, trace};

type Sink = Box<dyn Fn(&str) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Makes lines of this process carry their metrics, under `namespace`: where something reads them, as on Lambda. The first
/// call wins.
pub fn with_metrics(namespace: &str) {
    let _already_set = NAMESPACE.set(namespace.to_owned());
}

/// Sends every line of this process to `sink` instead of standard error. The first call wins.
pub fn set_sink(sink: impl Fn(&str) + Send + Sync + 'static) {
    let _already_set = SINK.set(Box::new(sink));
}

/// How much attention a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What happened.
    Info,
    /// Worth a look: a caller's or provider's failure we coped with.
    Warn,
    /// Ours, or an operator's, to repair.
    Error,
}

impl Level {
    fn text(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Fields gathered while a request runs; a handler leaves them in its response's extensions.
#[derive(Clone, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more field. Absent values (`null`) are left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.add(name, value);
        self
    }

    /// The text of a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Adds another's fields; theirs win.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds one field. Absent values (`null`) are left out.
    pub fn add(&mut self, name: &'static str, value: impl Serialize) {
        match serde_json::to_value(value) {
            Ok(Value::Null) | Err(_) => {}
            Ok(value) => {
                self.0.insert(name.to_owned(), value);
            }
        }
    }
}

/// Writes one line: `{"time","level","function","event", …fields, …trace}`, with its metrics where they are wanted.
pub fn write(level: Level, function: &str, event: &str, fields: Fields) {
    let now = Clock::system().now();
    let mut line = Map::new();
    line.insert("time".to_owned(), now.rfc3339().into());
    line.insert("level".to_owned(), level.text().into());
    line.insert("function".to_owned(), function.into());
    line.insert("event".to_owned(), event.into());
    line.extend(fields.0);
    let trace = trace::current();
    for (name, id) in [
        ("trace_id", trace.xray),
        ("traceparent", trace.traceparent),
        ("caused_by", trace.caused_by),
    ] {
        let id = id.map(Value::from);
        // A request is not its own cause.
        if let Some(id) = id.filter(|id| line.get("request_id") != Some(id)) {
            line.insert(name.to_owned(), id);
        }
    }
    if let Some(namespace) = NAMESPACE.get() {
        metrics::embed(&mut line, namespace, now.millis());
    }
    let line = Value::Object(line).to_string();
    match SINK.get() {
        Some(sink) => sink(&line),
        // A log that cannot be written must not fail the request it describes.
        None => drop(writeln!(std::io::stderr().lock(), "{line}")),
    }
}
