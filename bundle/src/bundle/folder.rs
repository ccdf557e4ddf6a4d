//! EDGE. A bundle in a directory: which folder it is, what that holds, and the files that are read. Reads only.
//!
//! A link may stay inside the bundle; one that leaves it is never followed.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::contents;
use super::page;
use super::source::{
    CONSULATE, Depth, Error, LARGEST_DEFINITION, LARGEST_FILE, MOST_ENTRIES, PASSPORT_FOLDER,
    SCHEMA, Source, always_read, bounded,
};

/// Most entries that are looked at, those left out included.
const MOST_LISTED: usize = 20_000;

/// One entry of a folder, by its path from the root, with forward slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Listed {
    /// A file, or a link to a file.
    File(String),
    /// A folder that is not looked into, and why.
    Folder(String, &'static str),
    /// Something whose name is no text, or that is neither file nor folder.
    Odd(String),
}

/// Reads the bundle in the directory `path`.
pub(super) fn read(path: &Path, shown: &str, depth: Depth) -> Result<Source, Error> {
    let root = root(path, shown)?;
    let mut source = Source::default();
    source.is_folder = true;
    // Names serve hints only: a folder too large for them is still imported.
    let (listed, _) = list(&root);
    let names: Vec<String> = listed
        .into_iter()
        .filter_map(|entry| match entry {
            Listed::File(path) => Some(path),
            Listed::Folder(..) | Listed::Odd(_) => None,
        })
        .collect();
    for name in [SCHEMA, CONSULATE] {
        add(&mut source, &root, name, LARGEST_DEFINITION)?;
    }
    let mut passports: Vec<String> = entries(&root.join(PASSPORT_FOLDER))
        .into_iter()
        .filter_map(|entry| Some(format!("{PASSPORT_FOLDER}{}", entry.file_name()?.to_str()?)))
        .filter(|name| always_read(name))
        .collect();
    passports.sort();
    if passports.len() > MOST_ENTRIES {
        return Err(Error::TooLarge {
            what: PASSPORT_FOLDER.to_owned(),
            limit: format!("the {MOST_ENTRIES} files"),
        });
    }
    passports.extend(source.named_passport());
    for name in passports {
        add(&mut source, &root, &name, LARGEST_DEFINITION)?;
    }
    if depth == Depth::Code {
        let loaded = loaded(&root, &names);
        for name in names.iter().filter(|name| contents::is_code(name)) {
            if contents::belongs(name, None, &loaded).is_err() {
                continue;
            }
            match add(&mut source, &root, name, LARGEST_FILE) {
                Ok(()) => {}
                Err(Error::TooLarge { .. } | Error::PathEscape { .. }) => {
                    source.unread.push(name.clone());
                }
                Err(error) => return Err(error),
            }
        }
    }
    names.into_iter().for_each(|name| source.note(name));
    Ok(source)
}

/// The folder that holds `schema.json`, without links in its path: the one given, or its only folder.
pub(super) fn root(given: &Path, shown: &str) -> Result<PathBuf, Error> {
    let given = std::fs::canonicalize(given).map_err(|error| Error::unreadable(shown, error))?;
    if given.join(SCHEMA).exists() {
        return Ok(given);
    }
    let mut folders = entries(&given)
        .into_iter()
        .filter(|entry| entry.is_dir() && !entry.is_symlink());
    match (folders.next(), folders.next()) {
        (Some(only), None) if only.join(SCHEMA).exists() => Ok(only),
        _ => Err(Error::NoSchema {
            path: shown.to_owned(),
        }),
    }
}

/// What is under `root`, sorted by path; false where there is more than is looked at.
pub(super) fn list(root: &Path) -> (Vec<Listed>, bool) {
    let mut listed = Vec::new();
    let mut open = vec![String::new()];
    let mut seen = 0_usize;
    while let Some(folder) = open.pop() {
        for entry in entries(&root.join(&folder)) {
            seen += 1;
            if seen > MOST_LISTED {
                listed.sort();
                return (listed, false);
            }
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                let shown = entry.strip_prefix(root).unwrap_or(&entry);
                listed.push(Listed::Odd(shown.display().to_string()));
                continue;
            };
            let path = match folder.is_empty() {
                true => name.to_owned(),
                false => format!("{folder}/{name}"),
            };
            listed.extend(match kind(&entry) {
                Kind::File => Some(Listed::File(path)),
                Kind::Folder => match contents::closed(name) {
                    Some(reason) => Some(Listed::Folder(path, reason)),
                    None => {
                        open.push(path);
                        None
                    }
                },
                Kind::LinkedFolder => Some(Listed::Folder(path, "a link to a folder")),
                Kind::Odd => Some(Listed::Odd(path)),
            });
        }
    }
    listed.sort();
    (listed, true)
}

/// Which of the files `names` under `root` the widget's own pages, styles and scripts name, and what those name in turn. A
/// file that cannot be read names nothing.
pub(super) fn loaded(root: &Path, names: &[String]) -> BTreeSet<String> {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut loaded = BTreeSet::new();
    let mut open: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| contents::may_name_files(name))
        .collect();
    // What is named may open files that were passed over before.
    loop {
        let (read, passed): (Vec<&str>, Vec<&str>) = open
            .into_iter()
            .partition(|name| contents::belongs(name, None, &loaded).is_ok());
        if read.is_empty() {
            return loaded;
        }
        for name in read {
            if let Ok(Some(bytes)) = bytes(root, name, LARGEST_FILE) {
                let named = page::named(name, &String::from_utf8_lossy(&bytes));
                loaded.extend(
                    named
                        .into_iter()
                        .filter(|path| known.contains(path.as_str())),
                );
            }
        }
        open = passed;
    }
}

/// The bytes of `name` under `root`, which holds no link; `None` where there is no such file. A link that leaves the
/// bundle is refused.
pub(super) fn bytes(root: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let path = root.join(name);
    if !path.exists() && !path.is_symlink() {
        return Ok(None);
    }
    let real = std::fs::canonicalize(&path).map_err(|error| Error::unreadable(name, error))?;
    if !real.starts_with(root) {
        return Err(Error::PathEscape {
            entry: name.to_owned(),
        });
    }
    if !real.is_file() {
        return Ok(None);
    }
    let file = File::open(&real).map_err(|error| Error::unreadable(name, error))?;
    bounded(file, limit, name).map(Some)
}

fn add(source: &mut Source, root: &Path, name: &str, limit: u64) -> Result<(), Error> {
    match bytes(root, name, limit)? {
        Some(bytes) => source.add(name.to_owned(), bytes),
        None => Ok(()),
    }
}

enum Kind {
    File,
    Folder,
    LinkedFolder,
    Odd,
}

fn kind(entry: &Path) -> Kind {
    let linked = entry.is_symlink();
    // A broken link is listed as a file: reading it says what is wrong.
    if entry.is_file() || (linked && !entry.exists()) {
        Kind::File
    } else if !entry.is_dir() {
        Kind::Odd
    } else if linked {
        Kind::LinkedFolder
    } else {
        Kind::Folder
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}
