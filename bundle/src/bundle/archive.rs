//! PURE. The files of a ZIP archive in memory, judged entry by entry before anything is inflated.
//!
//! Source: the ZIP application note (central directory, end record). What is read and how much: `source.rs`.

use std::collections::BTreeMap;
use std::io::Cursor;

use zip::ZipArchive;

use super::contents;
use super::source::{
    CONSULATE, Depth, Error, LARGEST_DEFINITION, LARGEST_FILE, LARGEST_TOTAL, MOST_ENTRIES, SCHEMA,
    Source, always_read, bounded, inside,
};

/// What an archive on a Mac carries besides the files.
const MAC_FOLDER: &str = "__MACOSX/";
/// The end record's signature, and the offset of its total number of entries.
const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_TOTAL: usize = 10;

type Archive<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// Reads the bundle in `bytes`; `shown` names the archive in errors.
pub(super) fn read(bytes: &[u8], shown: &str, depth: Depth) -> Result<Source, Error> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| Error::unreadable(shown, error))?;
    let too_many = || Error::TooLarge {
        what: shown.to_owned(),
        limit: format!("the {MOST_ENTRIES} entries"),
    };
    if archive.len() > MOST_ENTRIES {
        return Err(too_many());
    }
    if stated_entries(bytes).is_some_and(|stated| stated != archive.len()) {
        return Err(Error::unreadable(shown, "it names a file twice"));
    }
    let entries = judge(&mut archive, shown)?;
    let prefix = root(&entries).ok_or_else(|| Error::NoSchema {
        path: shown.to_owned(),
    })?;

    let mut source = Source::default();
    source.nested = prefix.strip_suffix('/').map(str::to_owned);
    for (name, index) in under(&entries, &prefix).filter(|(name, _)| always_read(name)) {
        let inflated = inflate(&mut archive, index, name, LARGEST_DEFINITION)?;
        source.add(name.to_owned(), inflated)?;
    }
    let named = source
        .named_passport()
        .filter(|name| source.file(name).is_none());
    if let Some((name, index)) =
        named.and_then(|name| Some((name.clone(), *entries.get(&format!("{prefix}{name}"))?)))
    {
        let inflated = inflate(&mut archive, index, &name, LARGEST_DEFINITION)?;
        source.add(name, inflated)?;
    }
    for (name, index) in under(&entries, &prefix) {
        if depth == Depth::Code && contents::is_code(name) && contents::refused(name).is_none() {
            let inflated = inflate(&mut archive, index, name, LARGEST_FILE)?;
            source.add(name.to_owned(), inflated)?;
        }
        source.note(name.to_owned());
    }
    Ok(source)
}

/// The entries that are files, by path: every name and every stated size is judged, nothing is inflated.
fn judge(archive: &mut Archive<'_>, shown: &str) -> Result<BTreeMap<String, usize>, Error> {
    let mut entries = BTreeMap::new();
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| Error::unreadable(shown, error))?;
        let name = entry.name().to_owned();
        if name == "./" {
            continue;
        }
        let raw_nul = entry.name_raw().contains(&0);
        let path = inside(&name).filter(|_| !raw_nul && !entry.is_symlink());
        let path = path.ok_or_else(|| Error::PathEscape {
            entry: name.clone(),
        })?;
        if entry.size() > LARGEST_FILE {
            return Err(Error::too_large(name, LARGEST_FILE));
        }
        total = total.saturating_add(entry.size());
        if total > LARGEST_TOTAL {
            return Err(Error::too_large(shown, LARGEST_TOTAL));
        }
        if entry.is_dir() || path.starts_with(MAC_FOLDER) {
            continue;
        }
        if entries.insert(path, index).is_some() {
            return Err(Error::unreadable(shown, format!("it names {name} twice")));
        }
    }
    Ok(entries)
}

/// The folder that holds `schema.json`, with its slash: the archive's root, or its only folder.
fn root(entries: &BTreeMap<String, usize>) -> Option<String> {
    if entries.contains_key(SCHEMA) {
        return Some(String::new());
    }
    let mut folders: Vec<&str> = entries
        .keys()
        .filter_map(|path| path.split_once('/').map(|(folder, _)| folder))
        .collect();
    folders.dedup();
    let [only] = folders.as_slice() else {
        return None;
    };
    let prefix = format!("{only}/");
    let alone = !entries.contains_key(CONSULATE);
    (alone && entries.contains_key(&format!("{prefix}{SCHEMA}"))).then_some(prefix)
}

fn under<'e>(
    entries: &'e BTreeMap<String, usize>,
    prefix: &'e str,
) -> impl Iterator<Item = (&'e str, usize)> {
    entries
        .iter()
        .filter_map(move |(path, index)| Some((path.strip_prefix(prefix)?, *index)))
}

fn inflate(
    archive: &mut Archive<'_>,
    index: usize,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, Error> {
    let entry = archive
        .by_index(index)
        .map_err(|error| Error::unreadable(name, error))?;
    bounded(entry, limit, name)
}

/// How many entries the end record states; the reader itself keeps one of two entries with the same name.
fn stated_entries(bytes: &[u8]) -> Option<usize> {
    let end = bytes
        .windows(END_RECORD.len())
        .rposition(|window| window == END_RECORD)?;
    let low = *bytes.get(end + END_RECORD_TOTAL)?;
    let high = *bytes.get(end + END_RECORD_TOTAL + 1)?;
    // 0xFFFF points to the ZIP64 record; an archive that large has been refused by its number of entries.
    Some(usize::from(u16::from_le_bytes([low, high])))
        .filter(|stated| *stated != usize::from(u16::MAX))
}
