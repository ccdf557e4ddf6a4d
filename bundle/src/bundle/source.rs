//! EDGE. The files of a bundle that Consulate reads, from a directory or a ZIP. Touches the file system, reading only.
//!
//! Read are `schema.json`, `consulate.json`, the JSON files of `passport/` and the passport file `schema.json` names; for
//! `lint` also the widget's own pages and scripts. Nothing else is ever held in memory. Everything is bounded, and bounded
//! by what was really read: sizes that an archive states about itself are believed only where they make it be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::archive;
use super::contents;
use super::finding::{Finding, Place, Severity};
use super::folder;
use super::json;

/// The bundle's definition.
pub(super) const SCHEMA: &str = "schema.json";
/// What Appspace has no word for.
pub(super) const CONSULATE: &str = "consulate.json";
/// Where passport files live.
pub(super) const PASSPORT_FOLDER: &str = "passport/";

/// Largest archive, bytes.
pub(super) const LARGEST_ARCHIVE: u64 = 20 * MIB;
/// Most entries of an archive.
pub(super) const MOST_ENTRIES: usize = 2_000;
/// Largest file, bytes, inflated.
pub(super) const LARGEST_FILE: u64 = 5 * MIB;
/// Largest JSON file of a definition, bytes: more than a table item can hold of it is of no use.
pub(super) const LARGEST_DEFINITION: u64 = 512 * KIB;
/// Largest sum of all files, bytes, inflated.
pub(super) const LARGEST_TOTAL: u64 = 50 * MIB;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Why a bundle cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path cannot be opened, or what is there cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The path given, or the entry inside the archive.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// An entry points outside the bundle.
    #[error("the entry \"{entry}\" points outside the bundle")]
    PathEscape {
        /// The entry's name.
        entry: String,
    },
    /// A limit is passed.
    #[error("{what} is larger than {limit} allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// There is no `schema.json` where one is looked for.
    #[error("{path} holds no schema.json, neither at its root nor in its only folder")]
    NoSchema {
        /// The path given.
        path: String,
    },
}

impl Error {
    pub(super) fn unreadable(path: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unreadable {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    /// `what` passes `limit` bytes.
    pub(super) fn too_large(what: impl Into<String>, limit: u64) -> Self {
        let limit = match limit < MIB {
            true => format!("the {} KiB", limit / KIB),
            false => format!("the {} MiB", limit / MIB),
        };
        Self::TooLarge {
            what: what.into(),
            limit,
        }
    }

    /// The same as a finding, for `lint --json`.
    pub fn finding(&self) -> Finding {
        let (code, file, cure) = match self {
            Self::Unreadable { path, .. } => (
                "bundle_unreadable",
                path.as_str(),
                "Give the folder of the bundle, or a ZIP of it (stored or deflated, not encrypted).",
            ),
            Self::PathEscape { entry } => (
                "bundle_path_escape",
                entry.as_str(),
                "Do not import this archive: pack the bundle again from its folder, without links.",
            ),
            Self::TooLarge { what, .. } => (
                "bundle_too_large",
                what.as_str(),
                "Pack only what the widget needs: at most 20 MiB and 2,000 files, 5 MiB each and 50 MiB in all; schema.json, consulate.json and passport files at most 512 KiB.",
            ),
            Self::NoSchema { path } => (
                "schema_missing",
                path.as_str(),
                "Put schema.json at the root of the bundle, beside widget.html.",
            ),
        };
        Finding::new(
            code,
            Severity::Error,
            Place::file(file),
            &self.to_string(),
            cure,
        )
    }
}

/// How much of a bundle is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The definitions.
    Definitions,
    /// The widget's pages and scripts too.
    Code,
}

/// The files of one bundle, by path relative to its root.
#[derive(Debug, Default)]
pub struct Source {
    files: BTreeMap<String, Vec<u8>>,
    names: BTreeSet<String>,
    /// Pages and scripts that are too large to be looked at.
    pub(super) unread: Vec<String>,
    /// Whether it is a folder, not an archive.
    pub(super) is_folder: bool,
    /// The only folder of an archive, where that holds the bundle.
    pub(super) nested: Option<String>,
    /// Whether `consulate.json` stood beside the archive, not in it.
    pub(super) beside: bool,
}

impl Source {
    /// Reads the bundle at `path`: a directory or a ZIP, with `schema.json` at its root or in its only folder. For an
    /// archive without a `consulate.json`, as `pack` makes them, the one beside it is taken.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_to(path, Depth::Definitions)
    }

    /// The same, with the widget's pages and scripts, for `lint`.
    pub fn read_with_code(path: &Path) -> Result<Self, Error> {
        Self::read_to(path, Depth::Code)
    }

    /// The bundle in the archive `bytes`, with the widget's pages and scripts; `name` names it in errors.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn of_archive(bytes: &[u8], name: &str) -> Result<Self, Error> {
        if bytes.len() as u64 > LARGEST_ARCHIVE {
            return Err(Error::too_large(name, LARGEST_ARCHIVE));
        }
        archive::read(bytes, name, Depth::Code)
    }

    /// The same, with the `consulate.json` that came beside the archive, where it holds none.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn beside(mut self, consulate_json: &[u8]) -> Result<Self, Error> {
        if consulate_json.len() as u64 > LARGEST_DEFINITION {
            return Err(Error::too_large(CONSULATE, LARGEST_DEFINITION));
        }
        if self.file(CONSULATE).is_none() {
            self.add(CONSULATE.to_owned(), consulate_json.to_vec())?;
            self.beside = true;
        }
        Ok(self)
    }

    /// The definitions alone, by path: all that an import is made of.
    pub fn definitions(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
            .filter(|(path, _)| !contents::is_code(path))
    }

    /// A bundle of [`Self::definitions`] that somebody kept.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn of_definitions(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let mut source = Self::default();
        if files.len() > MOST_ENTRIES {
            return Err(Error::TooLarge {
                what: SCHEMA.to_owned(),
                limit: format!("the {MOST_ENTRIES} files"),
            });
        }
        for (path, bytes) in files {
            let inside = inside(&path).filter(|inside| *inside == path);
            let path = inside.ok_or(Error::PathEscape { entry: path })?;
            if bytes.len() as u64 > LARGEST_DEFINITION {
                return Err(Error::too_large(path, LARGEST_DEFINITION));
            }
            source.add(path, bytes)?;
        }
        Ok(source)
    }

    fn read_to(path: &Path, depth: Depth) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let about = std::fs::metadata(path).map_err(|error| Error::unreadable(&shown, error))?;
        if about.is_dir() {
            return folder::read(path, &shown, depth);
        }
        if about.len() > LARGEST_ARCHIVE {
            return Err(Error::too_large(shown, LARGEST_ARCHIVE));
        }
        let file = File::open(path).map_err(|error| Error::unreadable(&shown, error))?;
        let bytes = bounded(file, LARGEST_ARCHIVE, &shown)?;
        let mut source = archive::read(&bytes, &shown, depth)?;
        if source.file(CONSULATE).is_none() {
            source.add_from_beside(path)?;
        }
        Ok(source)
    }

    fn add_from_beside(&mut self, archive: &Path) -> Result<(), Error> {
        let path = archive.with_file_name(CONSULATE);
        if path.is_file() {
            let file = File::open(&path).map_err(|error| Error::unreadable(CONSULATE, error))?;
            let bytes = bounded(file, LARGEST_DEFINITION, CONSULATE)?;
            self.add(CONSULATE.to_owned(), bytes)?;
            self.beside = true;
        }
        Ok(())
    }

    /// The bytes of `path`, where it was read.
    pub(super) fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Every file of the bundle, read or not; of a very large folder, some.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The JSON files of `passport/`.
    pub(super) fn passport_files(&self) -> impl Iterator<Item = &str> {
        self.files
            .keys()
            .map(String::as_str)
            .filter(|path| path.starts_with(PASSPORT_FOLDER))
    }

    /// The widget's pages and scripts, where they were read.
    pub(super) fn code(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
            .filter(|(path, _)| contents::is_code(path))
    }

    /// Adds a file that was read; the sum of all is bounded.
    pub(super) fn add(&mut self, path: String, bytes: Vec<u8>) -> Result<(), Error> {
        self.note(path.clone());
        self.files.insert(path, bytes);
        let total: usize = self.files.values().map(Vec::len).sum();
        if total as u64 > LARGEST_TOTAL {
            return Err(Error::too_large(
                "the sum of the bundle's files",
                LARGEST_TOTAL,
            ));
        }
        Ok(())
    }

    /// Remembers that there is a file of that name.
    pub(super) fn note(&mut self, path: String) {
        self.names.insert(path);
    }

    /// The passport file that the `schema.json` already read names, where that is a path inside the bundle.
    pub(super) fn named_passport(&self) -> Option<String> {
        let (schema, _) = json::parse(self.file(SCHEMA)?).ok()?;
        inside(schema.pointer("/passport/filePath")?.as_str()?)
    }
}

/// True for the files that are read whatever `schema.json` says.
pub(super) fn always_read(path: &str) -> bool {
    let passport = path.strip_prefix(PASSPORT_FOLDER).is_some_and(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    });
    path == SCHEMA || path == CONSULATE || passport
}

/// `name` as a path inside the bundle, without `.` segments; `None` where it would leave the bundle, on any system.
pub(super) fn inside(name: &str) -> Option<String> {
    let drive = name.as_bytes().get(1) == Some(&b':');
    if drive || name.starts_with('/') || name.contains(['\\', '\0']) {
        return None;
    }
    let mut segments = Vec::new();
    for segment in name.split('/') {
        match segment {
            "" | "." => {}
            ".." => return None,
            other => segments.push(other),
        }
    }
    (!segments.is_empty()).then(|| segments.join("/"))
}

/// Reads all of `from`, and refuses to read more than `limit` bytes.
pub(super) fn bounded(from: impl Read, limit: u64, what: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::unreadable(what, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::too_large(what, limit));
    }
    Ok(bytes)
}
