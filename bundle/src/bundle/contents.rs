//! PURE. What belongs into the ZIP that is uploaded: the files a browser loads, `schema.json` and the one passport file.
//!
//! Appspace unpacks the archive and serves it, so whatever a project folder holds besides would be published. Hence only what
//! is named here goes in, or what a page that goes in names itself; and of that, nothing that is plainly not for a browser.

use std::collections::BTreeSet;

use super::source::{CONSULATE, PASSPORT_FOLDER, SCHEMA};

/// Endings of what lies beside `widget.html`: pages, scripts, styles, images, fonts.
const AT_ROOT: [&str; 20] = [
    "html", "htm", "css", "js", "mjs", "svg", "png", "jpg", "jpeg", "gif", "webp", "avif", "ico",
    "bmp", "apng", "woff", "woff2", "ttf", "otf", "eot",
];

/// Folders at the root that pages load from, in lower case.
const FOLDERS: [&str; 31] = [
    "js",
    "javascript",
    "javascripts",
    "css",
    "style",
    "styles",
    "stylesheets",
    "image",
    "images",
    "img",
    "imgs",
    "icon",
    "icons",
    "svg",
    "font",
    "fonts",
    "webfonts",
    "asset",
    "assets",
    "static",
    "media",
    "audio",
    "sounds",
    "video",
    "videos",
    "locale",
    "locales",
    "i18n",
    "lang",
    "lib",
    "libs",
];

/// Folders that a build writes or that build it: pages load from them, or nothing of them goes in.
const OUTPUTS: [&str; 2] = ["dist", "build"];

/// Endings of what a widget's page loads.
const LOADED: [&str; 36] = [
    "html", "htm", "css", "js", "mjs", "json", "wasm", "svg", "png", "jpg", "jpeg", "gif", "webp",
    "avif", "ico", "bmp", "apng", "woff", "woff2", "ttf", "otf", "eot", "mp3", "mp4", "m4a", "m4v",
    "ogg", "ogv", "oga", "wav", "webm", "vtt", "xml", "csv", "txt", "pdf",
];

/// Folders of a project that no page loads from, in lower case.
const CLOSED: [(&str, &str); 19] = [
    ("node_modules", "packages of the build"),
    ("bower_components", "packages of the build"),
    ("test", "tests"),
    ("tests", "tests"),
    ("__tests__", "tests"),
    ("__mocks__", "tests"),
    ("__snapshots__", "tests"),
    ("spec", "tests"),
    ("e2e", "tests"),
    ("cypress", "tests"),
    ("coverage", "reports of tests"),
    ("scripts", "scripts of the build"),
    ("docs", "documentation"),
    ("doc", "documentation"),
    ("examples", "examples"),
    ("typings", "types of the build"),
    ("types", "types of the build"),
    ("tmp", "temporary files"),
    ("__macosx", "what a Mac adds to archives"),
];

/// Texts about the project, in lower case, without ending. Licences stay: those of fonts must go along.
const PROJECT: [&str; 7] = [
    "readme",
    "changelog",
    "contributing",
    "security",
    "authors",
    "notes",
    "todo",
];
const TEXTS: [&str; 5] = ["", "md", "txt", "rst", "pdf"];

/// What configures a build.
const BUILD_FILES: [&str; 12] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "composer.json",
    "bower.json",
    "deno.json",
    "jsconfig.json",
    "lerna.json",
    "turbo.json",
    "vercel.json",
    "gulpfile.js",
    "gruntfile.js",
];

const NOT_LOADED: &str = "no file a widget's page loads";

/// Why a folder of this name is left out whole; `None` where it is looked into.
pub(super) fn closed(name: &str) -> Option<&'static str> {
    if name.starts_with('.') {
        return Some("a hidden folder");
    }
    let lower = name.to_ascii_lowercase();
    CLOSED
        .iter()
        .find(|(closed, _)| *closed == lower)
        .map(|(_, reason)| *reason)
}

/// Whether the file at `path` belongs into the archive, or why not. `passport`: the file `schema.json` names; `loaded`: what
/// the widget's own pages, styles and scripts name.
pub(super) fn belongs(
    path: &str,
    passport: Option<&str>,
    loaded: &BTreeSet<String>,
) -> Result<(), &'static str> {
    if path == SCHEMA || passport == Some(path) {
        return Ok(());
    }
    if let Some(reason) = refused(path) {
        return Err(reason);
    }
    if loaded.contains(path) {
        return Ok(());
    }
    let lower = path.to_ascii_lowercase();
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    let Some((folder, _)) = lower.split_once('/') else {
        return match ending {
            "json" => Err("of the build, or of another tool"),
            _ if AT_ROOT.contains(&ending) => Ok(()),
            _ => Err(NOT_LOADED),
        };
    };
    if OUTPUTS.contains(&folder) {
        let opened = loaded.iter().any(|known| {
            let start = known.split_once('/').map_or("", |(start, _)| start);
            start.eq_ignore_ascii_case(folder)
        });
        if !opened {
            return Err("of the build: no page loads from this folder");
        }
    } else if !FOLDERS.contains(&folder) {
        return Err("no folder a widget's page loads from, and no page names it");
    }
    match LOADED.contains(&ending) {
        true => Ok(()),
        false => Err(NOT_LOADED),
    }
}

/// Why the file at `path` stays out even where a page names it.
pub(super) fn refused(path: &str) -> Option<&'static str> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    if path == CONSULATE {
        return Some("the operator's own, for import");
    }
    if let Some(reason) = folders
        .split('/')
        .filter(|folder| !folder.is_empty())
        .find_map(closed)
    {
        return Some(reason);
    }
    if name.starts_with('.') {
        return Some("a hidden file");
    }
    let lower = name.to_ascii_lowercase();
    let (stem, ending) = lower.rsplit_once('.').unwrap_or((lower.as_str(), ""));
    if path.starts_with(PASSPORT_FOLDER) {
        return Some("schema.json does not name it");
    }
    if is_secret(&lower) {
        return Some("it looks like a secret");
    }
    if ending == "map" {
        return Some("a source map");
    }
    if ending == "zip" {
        return Some("an archive");
    }
    if PROJECT.contains(&stem) && TEXTS.contains(&ending) {
        return Some("about the project");
    }
    if is_test(stem) {
        return Some("tests");
    }
    is_build_file(&lower, stem, ending).then_some("of the build, or of another tool")
}

/// Whether what a file says can name other files: pages, styles and scripts.
pub(super) fn may_name_files(path: &str) -> bool {
    is_code(path) || path.to_ascii_lowercase().ends_with(".css")
}

/// Whether a file is a page or a script.
pub(super) fn is_code(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [".js", ".mjs", ".html", ".htm"]
        .iter()
        .any(|ending| lower.ends_with(ending))
}

fn is_secret(lower: &str) -> bool {
    ["secret", "credential", "private-key", "private_key"]
        .iter()
        .any(|word| lower.starts_with(word))
}

fn is_test(stem: &str) -> bool {
    [".test", ".spec", ".stories", "_test"]
        .iter()
        .any(|mark| stem.ends_with(mark))
}

fn is_build_file(lower: &str, stem: &str, ending: &str) -> bool {
    let configures = stem.ends_with(".config") || stem.ends_with(".conf");
    BUILD_FILES.contains(&lower)
        || (stem.starts_with("tsconfig") && ending == "json")
        || (configures && matches!(ending, "js" | "mjs" | "json"))
}
