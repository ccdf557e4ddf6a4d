//! EDGE. An operator's own file of entries: read and checked, so that nothing faulty is ever resolved or stored.

use std::io::Read as _;
use std::path::Path;

use super::checks::{self, Fault};
use super::{Catalogue, Entry, Error, File};

/// A longer file is none of entries.
const LONGEST: u64 = 256 * 1024;

/// The entries of the file at `path`.
///
/// # Errors
/// The file cannot be read, is not in the format, or an entry says what none may say; the last names every fault.
pub fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let file = path.display().to_string();
    let unreadable = |reason: String| Error::Unreadable {
        file: file.clone(),
        reason,
    };
    let opened = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    opened
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(unreadable("it is longer than 256 KiB".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not text".to_owned()))?;
    parse(&file, &text)
}

/// PURE. The entries in `text`.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Entry>, Error> {
    let (_, entries) = File::parse(file, text)?;
    let faults: Vec<Fault> = entries
        .iter()
        .flat_map(|entry| checks::faults(file, entry))
        .collect();
    if !faults.is_empty() {
        return Err(Error::Faulty(faults));
    }
    // No name twice, neither among them nor with what is compiled in.
    Catalogue::built_in()?.with_own(entries.clone())?;
    Ok(entries)
}
