//! EDGE. The ZIP that is uploaded, out of a widget's folder. Reads files, writes none.
//!
//! The same files make the same bytes: entries are sorted, times and permissions are fixed, nothing tells of the machine.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::path::Path;

use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::contents;
use super::folder::{self, Listed};
use super::source::{
    Error, LARGEST_ARCHIVE, LARGEST_FILE, LARGEST_TOTAL, MOST_ENTRIES, Source, inside,
};

/// What a packed file may be done with: read by everybody, as a browser does.
const PERMISSIONS: u32 = 0o644;

/// An archive and what is in it.
#[derive(Debug)]
pub struct Packed {
    /// The ZIP.
    pub archive: Vec<u8>,
    /// What went in, in its order.
    pub files: Vec<PackedFile>,
    /// What did not, by path.
    pub left_out: Vec<LeftOut>,
}

/// A file that went in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackedFile {
    /// Its path in the archive.
    pub path: String,
    /// Its size, bytes.
    pub size: usize,
}

/// A file or folder that did not go in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Its path in the folder; that of a folder ends with a slash.
    pub path: String,
    /// Why.
    pub reason: &'static str,
}

/// Packs the folder `path`, whose definitions are in `source`.
///
/// # Errors
/// A file cannot be read, or a limit is passed.
pub fn pack(path: &Path, source: &Source) -> Result<Packed, Error> {
    let shown = path.display().to_string();
    let root = folder::root(path, &shown)?;
    let (listed, complete) = folder::list(&root);
    if !complete {
        return Err(Error::TooLarge {
            what: shown,
            limit: "the 20,000 entries".to_owned(),
        });
    }
    let passport = source
        .named_passport()
        .filter(|path| source.file(path).is_some());
    let names: Vec<String> = listed
        .iter()
        .filter_map(|entry| match entry {
            Listed::File(path) => Some(path.clone()),
            Listed::Folder(..) | Listed::Odd(_) => None,
        })
        .collect();
    let loaded = folder::loaded(&root, &names);
    let mut chosen: Vec<(String, Vec<u8>)> = Vec::new();
    let mut left_out = Vec::new();
    let mut leave = |path: String, reason| left_out.push(LeftOut { path, reason });
    for entry in listed {
        match entry {
            Listed::Folder(path, reason) => leave(format!("{path}/"), reason),
            Listed::Odd(path) => leave(path, "no file, or a name that is no text"),
            Listed::File(path) => match judge(&root, &path, passport.as_deref(), &loaded)? {
                Ok(bytes) => chosen.push((path, bytes)),
                Err(reason) => leave(path, reason),
            },
        }
    }
    // The passport file may stand in a folder that is not looked into otherwise.
    if let Some((path, bytes)) = passport.and_then(|path| {
        let bytes = source.file(&path)?.to_vec();
        Some((path, bytes))
    }) && chosen.iter().all(|(known, _)| *known != path)
    {
        chosen.push((path, bytes));
        chosen.sort();
    }
    left_out.sort();
    judge_sizes(&chosen)?;
    let archive = write(&chosen).map_err(|error| Error::unreadable(&shown, error))?;
    if archive.len() as u64 > LARGEST_ARCHIVE {
        return Err(Error::too_large("the archive", LARGEST_ARCHIVE));
    }
    let files = chosen.into_iter().map(|(path, bytes)| PackedFile {
        path,
        size: bytes.len(),
    });
    Ok(Packed {
        archive,
        files: files.collect(),
        left_out,
    })
}

/// The bytes of a file that belongs into the archive, or why it does not.
fn judge(
    root: &Path,
    path: &str,
    passport: Option<&str>,
    loaded: &BTreeSet<String>,
) -> Result<Result<Vec<u8>, &'static str>, Error> {
    if let Err(reason) = contents::belongs(path, passport, loaded) {
        return Ok(Err(reason));
    }
    let plain = !path.contains(char::is_control) && inside(path).as_deref() == Some(path);
    if !plain {
        return Ok(Err("its name cannot stand in an archive"));
    }
    let Ok(real) = std::fs::canonicalize(root.join(path)) else {
        return Ok(Err("a link to nothing"));
    };
    // A link is what it leads to: it must not bring in by another name what is left out.
    let Some(target) = real
        .strip_prefix(root)
        .ok()
        .and_then(|target| target.to_str())
    else {
        return Ok(Err("a link that leaves the folder"));
    };
    let target = target.replace(std::path::MAIN_SEPARATOR, "/");
    if target != path && contents::belongs(&target, passport, loaded).is_err() {
        return Ok(Err("a link to what is left out"));
    }
    Ok(folder::bytes(root, path, LARGEST_FILE)?.ok_or("no file"))
}

fn judge_sizes(chosen: &[(String, Vec<u8>)]) -> Result<(), Error> {
    if chosen.len() > MOST_ENTRIES {
        return Err(Error::TooLarge {
            what: format!("the bundle, with {} files,", chosen.len()),
            limit: format!("the {MOST_ENTRIES} files"),
        });
    }
    let total: usize = chosen.iter().map(|(_, bytes)| bytes.len()).sum();
    if total as u64 > LARGEST_TOTAL {
        return Err(Error::too_large(
            "the sum of the bundle's files",
            LARGEST_TOTAL,
        ));
    }
    Ok(())
}

fn write(files: &[(String, Vec<u8>)]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(PERMISSIONS);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(path.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}
