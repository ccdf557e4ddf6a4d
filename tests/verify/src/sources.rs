//! What no tool checks for us, over every file that git tracks or would: files stay short enough to be one room, nothing marks
//! itself as unfinished, the npm lock file names no download address. Reads the tree, writes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::children::{Finished, Room};

/// Past this a source file is two rooms.
const MOST_LINES: usize = 450;

/// Marks of work left undone, in pieces so that this file does not carry them.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X:"),
    concat!("HA", "CK:"),
];

/// Runs the checks; the output names each finding as `path:line: what`.
pub fn check(room: &Room) -> Finished {
    let files = match tracked(room) {
        Ok(files) if !files.is_empty() => files,
        Ok(_) => {
            return Finished {
                success: false,
                output: "git lists no files here: this check needs a clone".to_owned(),
            };
        }
        Err(error) => {
            return Finished {
                success: false,
                output: format!("git ls-files: {error}"),
            };
        }
    };
    let mut findings = Vec::new();
    for path in files {
        // A file that is not text has no lines to look at.
        if let Ok(text) = std::fs::read_to_string(room.root().join(&path)) {
            findings.extend(look_at(&path, &text));
        }
    }
    Finished {
        success: findings.is_empty(),
        output: findings.join("\n"),
    }
}

/// Paths, from the root, of what git tracks and of new files it does not ignore: a check before the commit sees what comes after.
pub fn tracked(room: &Room) -> io::Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(room.root());
    let listed = git.output()?;
    if !listed.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&listed.stderr).trim().to_owned(),
        ));
    }
    let names = String::from_utf8_lossy(&listed.stdout);
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

/// The findings in one file.
fn look_at(path: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let extension = path
        .extension()
        .and_then(|end| end.to_str())
        .unwrap_or_default();
    let lines = text.lines().count();
    if matches!(extension, "rs" | "mjs" | "js" | "ts") && lines > MOST_LINES {
        findings.push(format!(
            "{}: {lines} lines; {MOST_LINES} is the most for one room",
            path.display()
        ));
    }
    // Lock files hold checksums and other people's names.
    let is_lock = path
        .file_name()
        .is_some_and(|name| name == "package-lock.json" || name == "Cargo.lock");
    for (index, line) in text.lines().enumerate() {
        let found = UNFINISHED
            .iter()
            .find(|mark| !is_lock && holds_word(line, mark));
        if let Some(mark) = found {
            findings.push(format!(
                "{}:{}: {mark} marks unfinished work",
                path.display(),
                index + 1
            ));
        }
        if is_lock && line.trim_start().starts_with("\"resolved\"") {
            findings.push(format!(
                "{}:{}: a download address; install with --omit-lockfile-registry-resolved",
                path.display(),
                index + 1
            ));
        }
    }
    findings
}

/// Whether `word` stands in `line` and is not part of a longer word or of encoded bytes.
fn holds_word(line: &str, word: &str) -> bool {
    let letter = |character: Option<char>| {
        character.is_some_and(|character| character.is_alphanumeric() || "_+/-".contains(character))
    };
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        // A mark that ends in punctuation ends its own word.
        let closed = !word.ends_with(char::is_alphanumeric);
        !letter(before) && (closed || !letter(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
        assert!(look_at(Path::new("a.rs"), &"x\n".repeat(MOST_LINES)).is_empty());
        assert_eq!(
            look_at(Path::new("a.rs"), &"x\n".repeat(MOST_LINES + 1)).len(),
            1
        );
    }

    #[test]
    fn prose_may_be_long() {
        assert!(look_at(Path::new("README.md"), &"x\n".repeat(2 * MOST_LINES)).is_empty());
    }

    #[test]
    fn a_mark_is_found_with_its_line() {
        let text = format!("fn a() {{\n    {}\n}}\n", UNFINISHED[0]);
        let findings = look_at(Path::new("a.rs"), &text);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("a.rs:2:"), "{findings:?}");
    }

    #[test]
    fn a_mark_inside_another_word_or_encoded_bytes_is_none() {
        let mark = UNFINISHED[3];
        for line in [
            format!("MAS{mark}N"),
            format!("ab+{mark}/x=="),
            format!("{mark}S_DONE"),
        ] {
            assert!(look_at(Path::new("a.rs"), &line).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_lock_file_with_an_address_is_found() {
        let text = "  \"resolved\": \"https://registry.example/x.tgz\",";
        assert_eq!(
            look_at(Path::new("tests/node/package-lock.json"), text).len(),
            1
        );
    }
}
