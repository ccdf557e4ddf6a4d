//! PURE. A JSON file of a bundle, read field by field: what is missing, of the wrong type or unknown becomes a finding
//! that names the JSON path and the line.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::finding::{Findings, Place};
use super::json;
use super::near::did_you_mean;

/// One parsed file.
#[derive(Debug)]
pub(super) struct Document {
    file: String,
    root: Value,
    lines: BTreeMap<String, u32>,
}

impl Document {
    /// Parses `bytes`; what stops that is a finding.
    pub fn parse(file: &str, bytes: &[u8], findings: &mut Findings) -> Option<Self> {
        let (code, line, error) = match json::parse(bytes) {
            Ok((root, lines)) => {
                return Some(Self {
                    file: file.to_owned(),
                    root,
                    lines,
                });
            }
            Err(error @ json::Error::Encoding) => ("json_broken", None, error),
            Err(error @ json::Error::Syntax { line, .. }) => ("json_broken", line, error),
            Err(error @ json::Error::DuplicateKey { line, .. }) => {
                ("json_duplicate_key", line, error)
            }
        };
        let cure = match code {
            "json_duplicate_key" => {
                "Keep one of the two: readers of this file would disagree about which one counts."
            }
            _ => "Save the file as valid JSON in UTF-8.",
        };
        let place = Place {
            file: file.to_owned(),
            line,
        };
        findings.error(code, place, format!("{file} cannot be read: {error}"), cure);
        None
    }

    /// The object the file consists of.
    pub fn object(&self, findings: &mut Findings) -> Option<Object<'_>> {
        let object = self
            .root
            .as_object()
            .map(|map| Object::new(self, "$".to_owned(), map));
        if object.is_none() {
            wrong_type(findings, self.place("$"), "$", "an object");
        }
        object
    }

    fn place(&self, path: &str) -> Place {
        Place {
            file: self.file.clone(),
            line: self.lines.get(path).copied(),
        }
    }
}

/// One object of a document. It remembers which fields were asked for; the others are unknown.
#[derive(Debug)]
pub(super) struct Object<'d> {
    document: &'d Document,
    path: String,
    map: &'d Map<String, Value>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'d> Object<'d> {
    fn new(document: &'d Document, path: String, map: &'d Map<String, Value>) -> Self {
        Self {
            document,
            path,
            map,
            asked: RefCell::default(),
        }
    }

    /// Where `key` is, or the object itself where it is not.
    pub fn place(&self, key: &str) -> Place {
        let place = self.document.place(&self.path_of(key));
        if place.line.is_some() {
            place
        } else {
            self.here()
        }
    }

    /// Where the object is.
    pub fn here(&self) -> Place {
        self.document.place(&self.path)
    }

    /// JSON path of the object.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// JSON path of `key`.
    pub fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// The keys, in the file's order.
    pub fn keys(&self) -> impl Iterator<Item = &'d str> {
        self.map.keys().map(String::as_str)
    }

    /// True where `key` is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// The value of `key`; null counts as absent.
    pub fn value(&self, key: &str) -> Option<&'d Value> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        findings: &mut Findings,
        read: impl FnOnce(&'d Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let typed = read(value);
        if typed.is_none() {
            wrong_type(findings, self.place(key), &self.path_of(key), expected);
        }
        typed
    }

    /// A string.
    pub fn string(&self, key: &str, findings: &mut Findings) -> Option<String> {
        self.typed(key, "a string", findings, |value| {
            value.as_str().map(str::to_owned)
        })
    }

    /// A string that must be there and not be blank.
    pub fn required(&self, key: &str, findings: &mut Findings) -> Option<String> {
        let there = self.has(key);
        let text = self.string(key, findings);
        if !there || text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            self.missing(key, findings);
            return None;
        }
        text
    }

    /// Says that `key` must be there.
    pub fn missing(&self, key: &str, findings: &mut Findings) {
        findings.error(
            "field_missing",
            self.place(key),
            format!("{} is missing or empty", self.path_of(key)),
            format!("Add \"{key}\": it is required."),
        );
    }

    /// A boolean.
    pub fn boolean(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        self.typed(key, "true or false", findings, Value::as_bool)
    }

    /// A whole number, zero or more.
    pub fn whole_number(&self, key: &str, findings: &mut Findings) -> Option<u64> {
        self.typed(key, "a whole number", findings, Value::as_u64)
    }

    /// A whole number, or a text that is one: a form may have exported it.
    pub fn number_or_text(&self, key: &str, findings: &mut Findings) -> Option<u64> {
        self.typed(key, "a whole number", findings, |value| {
            let text = value.as_str().map(str::trim);
            value.as_u64().or_else(|| text?.parse().ok())
        })
    }

    /// A boolean, or a text that is one: a form may have exported it.
    pub fn boolean_or_text(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        self.typed(key, "true or false", findings, |value| {
            let text = value.as_str().map(|text| text.trim().to_ascii_lowercase());
            value.as_bool().or_else(|| text?.parse().ok())
        })
    }

    /// The one of several spellings of a field that is there, the first of `names` where none is. Two that say different
    /// things are a finding.
    pub fn spelling(&self, names: &[&'static str], findings: &mut Findings) -> &'static str {
        let mut present = names.iter().filter(|name| self.value(name).is_some());
        let Some(first) = present.next() else {
            return names.first().copied().unwrap_or_default();
        };
        for other in present.filter(|other| self.map.get(**other) != self.map.get(*first)) {
            findings.error(
                "field_twice",
                self.place(other),
                format!(
                    "{} and {} mean the same field and say different things",
                    self.path_of(first),
                    self.path_of(other)
                ),
                format!(
                    "Keep one of the two; \"{}\" is its name.",
                    names.first().unwrap_or(first)
                ),
            );
        }
        first
    }

    /// An object.
    pub fn object(&self, key: &str, findings: &mut Findings) -> Option<Object<'d>> {
        let map = self.typed(key, "an object", findings, Value::as_object)?;
        Some(Object::new(self.document, self.path_of(key), map))
    }

    /// A list of objects; an item of another type is a finding and is left out.
    pub fn objects(&self, key: &str, findings: &mut Findings) -> Option<Vec<Object<'d>>> {
        let items = self.typed(key, "a list of objects", findings, Value::as_array)?;
        let mut objects = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item.as_object() {
                Some(map) => objects.push(Object::new(self.document, path, map)),
                None => wrong_type(findings, self.document.place(&path), &path, "an object"),
            }
        }
        Some(objects)
    }

    /// A list of strings, each with its place; an item of another type is a finding and is left out.
    pub fn strings(&self, key: &str, findings: &mut Findings) -> Option<Vec<(String, Place)>> {
        let items = self.typed(key, "a list of strings", findings, Value::as_array)?;
        let mut strings = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item.as_str() {
                Some(text) => strings.push((text.to_owned(), self.document.place(&path))),
                None => wrong_type(findings, self.document.place(&path), &path, "a string"),
            }
        }
        Some(strings)
    }

    /// An object whose values are strings; a value of another type is a finding and is left out.
    pub fn string_map(
        &self,
        key: &str,
        findings: &mut Findings,
    ) -> Option<BTreeMap<String, String>> {
        let object = self.object(key, findings)?;
        let mut map = BTreeMap::new();
        for name in object.keys() {
            if let Some(text) = object.string(name, findings) {
                map.insert(name.to_owned(), text);
            } else if !object.has(name) {
                wrong_type(
                    findings,
                    object.place(name),
                    &object.path_of(name),
                    "a string",
                );
            }
        }
        Some(map)
    }

    /// Warns about every field nobody asked for and `known` does not name.
    pub fn warn_unknown(&self, known: &[&str], findings: &mut Findings) {
        let asked = self.asked.borrow();
        for key in self.keys() {
            if !known.contains(&key) && !asked.contains(key) {
                let all = known
                    .iter()
                    .copied()
                    .chain(asked.iter().map(String::as_str));
                let meant = did_you_mean(key, all.filter(|name| !self.has(name)));
                findings.warning(
                    "field_unknown",
                    self.place(key),
                    format!(
                        "{} is not a field Consulate knows; it has no effect",
                        self.path_of(key)
                    ),
                    format!(
                        "Check the spelling, or ignore this if another system reads the field.{meant}"
                    ),
                );
            }
        }
    }
}

fn wrong_type(findings: &mut Findings, place: Place, path: &str, expected: &str) {
    findings.error(
        "field_type",
        place,
        format!("{path} must be {expected}"),
        format!("Write {expected} here."),
    );
}
