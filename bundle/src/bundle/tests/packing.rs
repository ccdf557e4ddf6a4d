//! What `pack` puts into the archive.

use std::path::Path;

use super::super::pack::{Packed, pack};
use super::super::source::Error;
use super::super::{contents, lint};
use super::*;

fn write(folder: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn packed(folder: &Path) -> Result<Packed, Error> {
    pack(folder, &Source::read(folder).unwrap())
}

fn paths(packed: &Packed) -> Vec<&str> {
    packed.files.iter().map(|file| file.path.as_str()).collect()
}

fn reason(packed: &Packed, path: &str) -> Option<&'static str> {
    let left = packed.left_out.iter().find(|left| left.path == path)?;
    Some(left.reason)
}

const UNKNOWN_FOLDER: &str = "no folder a widget's page loads from, and no page names it";

/// A copy of the fixture that its makers work in.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        SCHEMA,
        CONSULATE,
        PASSPORT,
        "widget.html",
        "widget.css",
        "js/widget.js",
    ] {
        write(
            folder.path(),
            file,
            std::fs::read(fixture("my-saas").join(file)).unwrap(),
        );
    }
    folder
}

#[test]
fn a_bundle_is_packed_without_what_does_not_belong() {
    let folder = project();
    let kept = [
        "fonts/a.woff2",
        "fonts/OFL.txt",
        "images/icon.svg",
        "js/data/de.json",
        "js/todo.js",
    ];
    let left = [
        ("README.md", "about the project"),
        ("readme.txt", "about the project"),
        ("package.json", "of the build, or of another tool"),
        ("vite.config.js", "of the build, or of another tool"),
        ("data.json", "of the build, or of another tool"),
        (".env", "a hidden file"),
        ("js/.eslintrc.json", "a hidden file"),
        ("js/widget.js.map", "a source map"),
        ("js/widget.test.js", "tests"),
        ("js/widget.ts", "no file a widget's page loads"),
        ("old.zip", "an archive"),
        ("passport/other.json", "schema.json does not name it"),
        ("secrets.json", "it looks like a secret"),
        ("notes.pdf", "about the project"),
        ("prices.csv", "no file a widget's page loads"),
        ("server/index.js", UNKNOWN_FOLDER),
        ("server/config.json", UNKNOWN_FOLDER),
        ("src/app.js", UNKNOWN_FOLDER),
        ("config/db.json", UNKNOWN_FOLDER),
        ("backend/a.html", UNKNOWN_FOLDER),
        (
            "build/pack.js",
            "of the build: no page loads from this folder",
        ),
        ("js/credentials.json", "it looks like a secret"),
        (CONSULATE, "the operator's own, for import"),
    ];
    let closed = [
        (".git/config", ".git/"),
        ("node_modules/a/index.js", "node_modules/"),
        ("tests/a.js", "tests/"),
        ("js/__tests__/a.js", "js/__tests__/"),
        ("scripts/package-widget.js", "scripts/"),
    ];
    for path in kept.iter().chain(left.iter().map(|(path, _)| path)) {
        if *path != CONSULATE {
            write(folder.path(), path, "x");
        }
    }
    for (path, _) in closed {
        write(folder.path(), path, "x");
    }
    let packed = packed(folder.path()).unwrap();
    assert_eq!(
        paths(&packed),
        [
            "fonts/OFL.txt",
            "fonts/a.woff2",
            "images/icon.svg",
            "js/data/de.json",
            "js/todo.js",
            "js/widget.js",
            PASSPORT,
            SCHEMA,
            "widget.css",
            "widget.html"
        ]
    );
    for (path, why) in left {
        assert_eq!(reason(&packed, path), Some(why), "{path}");
    }
    for (_, folder) in closed {
        assert!(
            reason(&packed, folder).is_some(),
            "{folder}: {:?}",
            packed.left_out
        );
    }
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let (one, other) = (project(), project());
    write(other.path(), "js/a.js", "x");
    let first = packed(one.path()).unwrap().archive;
    write(one.path(), "js/a.js", "x");
    // Times and the order of creation differ between the two.
    let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(one.path().join(SCHEMA))
        .unwrap();
    file.set_modified(later).unwrap();
    assert_eq!(
        packed(one.path()).unwrap().archive,
        packed(other.path()).unwrap().archive
    );
    assert_ne!(packed(one.path()).unwrap().archive, first);
}

#[test]
fn the_archive_imports_as_the_folder_does_and_lints_without_errors() {
    for name in ["my-saas", "graph-calendar", "happeo-channels"] {
        let folder = Source::read(&fixture(name)).unwrap();
        let packed = pack(&fixture(name), &folder).unwrap();
        let target = tempfile::tempdir().unwrap();
        let path = target.path().join("widget.zip");
        std::fs::write(&path, &packed.archive).unwrap();
        let catalogue = Catalogue::built_in().unwrap();
        let alone = Source::read_with_code(&path).unwrap();
        let findings = lint(&alone, &Options::default(), &catalogue);
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning),
            "{name}: {findings:#?}"
        );
        assert!(alone.nested.is_none());

        std::fs::copy(fixture(name).join(CONSULATE), target.path().join(CONSULATE)).unwrap();
        let beside = Source::read(&path).unwrap();
        let from_archive = import(&beside, &Options::default(), &catalogue).unwrap();
        let from_folder = import(&folder, &Options::default(), &catalogue).unwrap();
        assert_eq!(from_archive.widget, from_folder.widget, "{name}");
        assert_eq!(from_archive.passports, from_folder.passports, "{name}");
        assert!(from_archive.notes[0].contains("beside the archive"));
        assert!(from_folder.notes.is_empty());
    }
}

#[test]
fn a_consulate_json_in_the_archive_is_taken_before_one_beside_it() {
    let target = tempfile::tempdir().unwrap();
    let path = target.path().join("widget.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in [(SCHEMA, "{}"), (CONSULATE, "{\"widget\":\"inside\"}")] {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    std::fs::write(target.path().join(CONSULATE), "{\"widget\":\"beside\"}").unwrap();
    let source = Source::read(&path).unwrap();
    let import = import(
        &source,
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    )
    .unwrap();
    assert_eq!(import.widget.id, "inside");
}

#[test]
fn an_archive_with_everything_in_one_folder_is_said_to_be_so() {
    let packed = packed(&fixture("my-saas")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(packed.archive)).unwrap();
    let target = tempfile::tempdir().unwrap();
    let path = target.path().join("widget.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).unwrap();
        let name = format!("my-widget/{}", file.name());
        writer.raw_copy_file_rename(file, name).unwrap();
    }
    writer.finish().unwrap();
    let findings = lint(
        &Source::read_with_code(&path).unwrap(),
        &Options::default(),
        &Catalogue::built_in().unwrap(),
    );
    let nested = findings
        .iter()
        .find(|finding| finding.code == "bundle_nested")
        .unwrap();
    assert!(nested.message.contains("my-widget/") && nested.severity == Severity::Warning);
}

#[cfg(unix)]
#[test]
fn a_link_brings_in_nothing_from_outside_and_nothing_that_is_left_out() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "private.svg", "private");
    write(outside.path(), "more/a.svg", "private");
    let folder = project();
    write(folder.path(), ".env", "SECRET=1");
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    symlink(outside.path().join("private.svg"), images.join("out.svg")).unwrap();
    symlink(outside.path().join("more"), folder.path().join("linked")).unwrap();
    symlink(folder.path().join(".env"), images.join("env.svg")).unwrap();
    symlink(folder.path().join(CONSULATE), images.join("c.json")).unwrap();
    symlink(folder.path().join("js/widget.js"), images.join("w.js")).unwrap();
    symlink(folder.path().join("nowhere"), images.join("broken.svg")).unwrap();
    symlink(folder.path(), images.join("round")).unwrap();
    let packed = packed(folder.path()).unwrap();
    for (path, why) in [
        ("images/out.svg", "a link that leaves the folder"),
        ("linked/", "a link to a folder"),
        ("images/round/", "a link to a folder"),
        ("images/env.svg", "a link to what is left out"),
        ("images/c.json", "a link to what is left out"),
        ("images/broken.svg", "a link to nothing"),
    ] {
        assert_eq!(
            reason(&packed, path),
            Some(why),
            "{path}: {:?}",
            packed.left_out
        );
    }
    assert!(paths(&packed).contains(&"images/w.js"));
    let archive = String::from_utf8_lossy(&packed.archive).into_owned();
    assert!(!archive.contains("private") && !archive.contains("SECRET"));
}

#[cfg(unix)]
#[test]
fn a_name_that_cannot_stand_in_an_archive_is_left_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = project();
    write(folder.path(), "js/a\\b.js", "x");
    write(folder.path(), "js/a\nb.js", "x");
    let odd = std::ffi::OsStr::from_bytes(b"js/\xff.js");
    std::fs::write(folder.path().join(odd), "x").unwrap();
    let packed = packed(folder.path()).unwrap();
    assert!(reason(&packed, "js/a\\b.js").is_some() && reason(&packed, "js/a\nb.js").is_some());
    assert_eq!(packed.left_out.len(), 4, "{:?}", packed.left_out);
}

#[test]
fn limits_are_named() {
    let folder = project();
    let large = std::fs::File::create(folder.path().join("large.png")).unwrap();
    large.set_len(5 * 1024 * 1024 + 1).unwrap();
    let finding = packed(folder.path()).unwrap_err().finding();
    assert_eq!(
        (finding.code, finding.file.as_str()),
        ("bundle_too_large", "large.png")
    );

    let folder = project();
    for number in 0..2_000 {
        write(folder.path(), &format!("images/{number}.svg"), "");
    }
    let finding = packed(folder.path()).unwrap_err().finding();
    assert!(finding.message.contains("2000 files"), "{finding:?}");

    let folder = project();
    for number in 0..11 {
        let file = std::fs::File::create(folder.path().join(format!("{number}.png"))).unwrap();
        file.set_len(5 * 1024 * 1024).unwrap();
    }
    assert!(
        packed(folder.path())
            .unwrap_err()
            .finding()
            .message
            .contains("50 MiB")
    );
}

#[test]
fn a_passport_file_in_a_folder_that_is_otherwise_left_out_goes_in() {
    let folder = project();
    write(
        folder.path(),
        "types/c.json",
        std::fs::read(folder.path().join(PASSPORT)).unwrap(),
    );
    let mut schema = fixture_json("my-saas", SCHEMA);
    schema["passport"]["filePath"] = json!("types/c.json");
    write(folder.path(), SCHEMA, schema.to_string());
    let packed = packed(folder.path()).unwrap();
    assert!(paths(&packed).contains(&"types/c.json") && !paths(&packed).contains(&PASSPORT));
    assert!(paths(&packed).is_sorted());
}

#[test]
fn what_a_page_names_goes_in_with_what_that_names_in_turn() {
    let folder = project();
    let page = "<link rel=manifest href=\"manifest.json\"><link href=\"theme/a.css\"><script src='dist/app.js'></script>\
                <a href=\"help/index.html\">?</a><script src=\"js/secrets.js\"></script><img src=\"gone/a.png\">";
    write(folder.path(), "widget.html", page);
    write(
        folder.path(),
        "help/index.html",
        "<img src=\"../shots/a.png\">",
    );
    write(
        folder.path(),
        "theme/a.css",
        "@import \"b.css\"; a { background: url( '../pics/a.svg?v=1' ) } b { src: url(c.woff2) }",
    );
    write(
        folder.path(),
        "js/widget.js",
        "import { a } from '../modules/a.mjs';",
    );
    write(folder.path(), "modules/a.mjs", "await import(\"./b.mjs\");");
    let named = [
        "manifest.json",
        "theme/b.css",
        "theme/c.woff2",
        "pics/a.svg",
        "shots/a.png",
        "modules/b.mjs",
        "dist/app.js",
    ];
    for path in named.into_iter().chain([
        "dist/chunk-7.js",
        "dist/app.js.map",
        "theme/unused.css",
        "pics/unused.svg",
        "js/secrets.js",
    ]) {
        write(folder.path(), path, "");
    }
    let packed = packed(folder.path()).unwrap();
    for path in named.into_iter().chain([
        "help/index.html",
        "theme/a.css",
        "modules/a.mjs",
        // A build splits what its entry loads.
        "dist/chunk-7.js",
    ]) {
        assert!(paths(&packed).contains(&path), "{path}: {packed:?}");
    }
    for (path, why) in [
        ("theme/unused.css", UNKNOWN_FOLDER),
        ("pics/unused.svg", UNKNOWN_FOLDER),
        ("js/secrets.js", "it looks like a secret"),
        ("dist/app.js.map", "a source map"),
    ] {
        assert_eq!(reason(&packed, path), Some(why), "{path}");
    }
}

#[test]
fn what_no_page_names_is_decided_by_its_own_name_alone() {
    let none = std::collections::BTreeSet::new();
    for path in [
        "schema.json",
        "widget.html",
        "Assets/b/c.JS",
        "assets/SECTION.svg",
        "js/src.js",
        "js/arc.js",
        "locales/de.json",
        "arrow.svg",
    ] {
        assert_eq!(contents::belongs(path, None, &none), Ok(()), "{path}");
    }
    for path in [
        "a",
        "a.json",
        "a.txt",
        "a/b/c.js",
        "a/js/c.js",
        "dist/a.js",
        "a.exe",
        ".well-known/a.json",
        "a/.b/c.js",
        "Tests/a.js",
        "TSCONFIG.json",
        "js/tsconfig.app.json",
    ] {
        assert!(contents::belongs(path, None, &none).is_err(), "{path}");
    }
}
