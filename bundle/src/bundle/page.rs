//! PURE. What a page, a style or a script of a widget loads, as far as its text says so.
//!
//! A scan, not a parser: what is computed or absolute is passed over.

use super::source::inside;

/// References that are looked at in one page.
const MOST_REFERENCES: usize = 1_000;
/// Longest address of a reference, characters.
const LONGEST_ADDRESS: usize = 1_024;

/// The addresses that attributes of the page `text` load from, relative ones only, each with its line.
pub(super) fn references(text: &str) -> Vec<(&str, u32)> {
    let mut found = Vec::new();
    let mut line = 1_u32;
    let mut in_comment = false;
    let mut rest = text;
    // One pass over the page, however often the words stand in it.
    while let Some((before, after)) = rest
        .split_once('=')
        .filter(|_| found.len() < MOST_REFERENCES)
    {
        line = line.saturating_add(u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX));
        in_comment = match (before.rfind("<!--"), before.rfind("-->")) {
            (Some(open), Some(close)) => open > close,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => in_comment,
        };
        rest = after;
        let is_loading = ["src", "href"].iter().any(|attribute| {
            let start = before.strip_suffix(attribute);
            start.is_some_and(|start| start.ends_with(char::is_whitespace))
        });
        if is_loading
            && !in_comment
            && let Some(path) = quoted(after).and_then(relative)
        {
            found.push((path, line));
        }
    }
    found
}

/// The files inside the bundle that the file `path`, whose text is `text`, names.
pub(super) fn named(path: &str, text: &str) -> Vec<String> {
    let lower = path.to_ascii_lowercase();
    let references: Vec<&str> = if lower.ends_with(".css") {
        in_style(text)
    } else if lower.ends_with(".html") || lower.ends_with(".htm") {
        let attributes = references(text).into_iter().map(|(path, _)| path);
        attributes
            .chain(in_style(text))
            .chain(in_script(text))
            .collect()
    } else {
        in_script(text)
    };
    references
        .into_iter()
        .filter_map(|reference| resolve(path, reference))
        .collect()
}

/// `reference` of the file `from` as a path inside the bundle; `None` where it leads out.
pub(super) fn resolve(from: &str, reference: &str) -> Option<String> {
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                folders.pop()?;
            }
            other => folders.push(other),
        }
    }
    inside(&folders.join("/"))
}

/// `url(…)` and `@import "…"`.
fn in_style(text: &str) -> Vec<&str> {
    let urls = text.split("url(").skip(1).filter_map(|after| {
        let after = after.trim_start();
        let bare = || after.split(')').next().map(str::trim_end);
        quoted(after).or_else(bare)
    });
    let imports = text.split("@import").skip(1);
    urls.chain(imports.filter_map(|after| quoted(after.trim_start())))
        .filter_map(relative)
        .take(MOST_REFERENCES)
        .collect()
}

/// `from "./…"`, `import "./…"` and `import("./…")`.
fn in_script(text: &str) -> Vec<&str> {
    let addresses = ["from", "import"].into_iter().flat_map(|word| {
        text.split(word).skip(1).filter_map(|after| {
            let after = after.trim_start();
            let after = after.strip_prefix('(').unwrap_or(after).trim_start();
            quoted(after).filter(|address| address.starts_with('.'))
        })
    });
    addresses
        .filter_map(relative)
        .take(MOST_REFERENCES)
        .collect()
}

/// The value of an attribute, in quotes and short.
fn quoted(text: &str) -> Option<&str> {
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))?;
    let mut places = text.char_indices().skip(1).take(LONGEST_ADDRESS);
    let (end, _) = places.find(|(_, character)| *character == quote)?;
    text.get(1..end)
}

/// `address` without query, where it is relative and written out.
fn relative(address: &str) -> Option<&str> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let odd = |character: char| {
        matches!(
            character,
            ':' | '{' | '}' | '$' | '%' | '\\' | '<' | '>' | '+'
        ) || character.is_whitespace()
    };
    (!path.is_empty() && !path.starts_with('/') && !path.contains(odd)).then_some(path)
}
