//! The providers Consulate knows: what each third-party service needs so that an account of it can be connected.
//!
//! Data, not code: one TOML file per family in `bundle/catalogue/`, compiled in, in the format of `docs/catalogue.md`. The
//! functions never read it; an entry and an operator's settings are resolved into a passport when one is made. An operator
//! adds entries, or replaces built-in ones, by files of the same format.
//!
//! Rooms: `entry` (what is known), `placeholder` and `resolve` (to a passport), `host` and `checks` (what an entry may
//! say), `limits` (what bundles may not say either), `markdown` (the table in the docs), `near` (spelling), all pure; `own`
//! reads an operator's file.

mod checks;
mod entry;
mod host;
pub(crate) mod limits;
mod markdown;
mod near;
mod own;
mod placeholder;
mod resolve;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

pub use self::checks::Fault;
pub use self::entry::{Confidence, Entry, Probe, Status, Variable};
pub use self::own::read as read_own;
pub use self::resolve::{PassportSettings, Refused};

macro_rules! files {
    ($($family:literal),*) => {
        [$(($family, include_str!(concat!("../../catalogue/", $family, ".toml")))),*]
    };
}

/// The files compiled in, by family.
const FILES: [(&str, &str); 12] = files![
    "box",
    "google",
    "happeo",
    "meta",
    "microsoft",
    "salesforce",
    "servicenow",
    "slack",
    "tableau",
    "webex",
    "x",
    "zoom"
];

/// How far a misspelled id may be from the one it is taken for.
const FARTHEST_SUGGESTION: usize = 3;

/// Why a catalogue cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read at all.
    #[error("the catalogue file {file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file is not in the documented format.
    #[error("the catalogue file {file} is not in the format of docs/catalogue.md: {reason}")]
    Format {
        /// The file.
        file: String,
        /// Where and why.
        reason: String,
    },
    /// Entries of a file say what no entry may say.
    #[error("{}", lines(.0))]
    Faulty(Vec<Fault>),
    /// Two entries answer to the same id or alias.
    #[error(
        "two providers are named \"{0}\"; if one of them is your own, rename it or take it out with `consulate providers remove`"
    )]
    Ambiguous(String),
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

/// Every known provider.
#[derive(Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
    families: Vec<Family>,
    own: BTreeSet<String>,
}

/// What the entries of one file have in common.
#[derive(Clone, Debug)]
struct Family {
    id: String,
    name: String,
    notes: Vec<String>,
}

/// A file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    notes: Vec<String>,
    /// What every entry says that does not say otherwise, or `false`: then it has none.
    #[serde(default)]
    common: toml::Table,
    provider: Vec<toml::Table>,
}

impl File {
    fn parse(file: &str, text: &str) -> Result<(Self, Vec<Entry>), Error> {
        let failed = |reason: String| Error::Format {
            file: file.to_owned(),
            reason,
        };
        let parsed: Self = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
        let mut entries = Vec::new();
        for (index, table) in parsed.provider.iter().enumerate() {
            let id = match table.get("id").and_then(toml::Value::as_str) {
                Some(id) => id.to_owned(),
                None => format!("provider {}", index + 1),
            };
            if table.contains_key("family") || parsed.common.contains_key("family") {
                return Err(failed(format!(
                    "{id}: family: stands at the head of the file, for all its entries"
                )));
            }
            let mut table = table.clone();
            for (key, value) in &parsed.common {
                let own = table.entry(key).or_insert_with(|| value.clone());
                if *own == toml::Value::Boolean(false) {
                    table.remove(key);
                }
            }
            let mut entry: Entry = table
                .try_into()
                .map_err(|error: toml::de::Error| failed(format!("{id}: {}", error.message())))?;
            entry.family.clone_from(&parsed.family);
            entries.push(entry);
        }
        Ok((parsed, entries))
    }
}

impl Catalogue {
    /// The catalogue compiled in.
    ///
    /// # Errors
    /// A file compiled in is not in the format, or ambiguous: never, the tests say.
    pub fn built_in() -> Result<Self, Error> {
        let mut catalogue = Self {
            entries: Vec::new(),
            families: Vec::new(),
            own: BTreeSet::new(),
        };
        for (family, text) in FILES {
            let (file, entries) = File::parse(&format!("{family}.toml"), text)?;
            catalogue.families.push(Family {
                name: file.name.unwrap_or_else(|| file.family.clone()),
                id: file.family,
                notes: file.notes,
            });
            for entry in entries {
                catalogue.add(entry)?;
            }
        }
        catalogue.sort();
        Ok(catalogue)
    }

    /// The catalogue compiled in and an operator's file, for use without a table.
    ///
    /// # Errors
    /// The file cannot be read or is faulty.
    pub fn with_file(path: &Path) -> Result<Self, Error> {
        Self::built_in()?.with_own(own::read(path)?)
    }

    /// With an operator's entries; one replaces the entry that has its id.
    ///
    /// # Errors
    /// An id or alias is another entry's too.
    pub fn with_own(mut self, own: Vec<Entry>) -> Result<Self, Error> {
        self.entries
            .retain(|known| own.iter().all(|entry| entry.id != known.id));
        for entry in own {
            self.own.insert(entry.id.clone());
            self.add(entry)?;
        }
        self.sort();
        Ok(self)
    }

    /// The entry with this id or alias, whatever its case.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.answers_to(id))
    }

    /// The id somebody may have meant.
    pub fn suggest(&self, id: &str) -> Option<&str> {
        let lower = id.to_ascii_lowercase();
        let asked = lower.as_str();
        self.entries
            .iter()
            .flat_map(|entry| {
                entry
                    .names()
                    .map(move |name| (near::distance(asked, name), entry))
            })
            .filter(|(far, _)| *far <= FARTHEST_SUGGESTION && *far < asked.chars().count())
            .min_by_key(|(far, _)| *far)
            .map(|(_, entry)| entry.id.as_str())
    }

    /// Every entry, by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the entry `id` is an operator's, not compiled in.
    pub fn is_own(&self, id: &str) -> bool {
        self.own.contains(id)
    }

    fn add(&mut self, entry: Entry) -> Result<(), Error> {
        let known = |name: &&str| self.get(name).is_some();
        if let Some(name) = entry.names().find(known) {
            return Err(Error::Ambiguous(name.to_owned()));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn sort(&mut self) {
        self.entries.sort_by(|one, other| one.id.cmp(&other.id));
    }
}

#[cfg(test)]
mod tests;
