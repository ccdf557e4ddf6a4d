//! Directories and ZIP archives, made in the test.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

use super::super::source::Error;
use super::*;

const MINIMAL: &[u8] = br#"{"name":"Minimal"}"#;

/// An archive of `files` on disk; the folder goes with the returned value.
fn archive(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    write_archive(|writer| {
        for (name, bytes) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
    })
}

fn write_archive(
    fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>),
) -> (tempfile::TempDir, PathBuf) {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut writer);
    on_disk(&writer.finish().unwrap().into_inner())
}

fn on_disk(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.zip");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn code(result: Result<Source, Error>) -> &'static str {
    result.unwrap_err().finding().code
}

#[test]
fn an_archive_may_hold_the_bundle_at_its_root_or_in_its_only_folder() {
    for prefix in ["", "./", "my-widget/", "my-widget-1.0.0/"] {
        let names = [
            format!("{prefix}schema.json"),
            format!("{prefix}passport/a.json"),
            format!("{prefix}widget.html"),
        ];
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), MINIMAL)).collect();
        let (_folder, path) = archive(&files);
        let source = Source::read(&path).unwrap();
        assert_eq!(source.file("schema.json"), Some(MINIMAL), "{prefix}");
        assert_eq!(
            source.passport_files().collect::<Vec<_>>(),
            ["passport/a.json"],
            "{prefix}"
        );
        assert_eq!(source.file("widget.html"), None, "pages are never read");
    }
}

#[test]
fn what_a_mac_adds_to_an_archive_is_passed_over() {
    let (_folder, path) = archive(&[
        ("w/schema.json", MINIMAL),
        ("__MACOSX/w/._schema.json", b"\0\x05"),
    ]);
    assert!(Source::read(&path).unwrap().file("schema.json").is_some());
}

#[test]
fn an_archive_without_a_schema_is_refused() {
    for files in [
        &["widget.html"][..],
        &["a/schema.json", "b/schema.json"],
        &["a/b/schema.json"],
        &["passport/schema.json.txt"],
    ] {
        let files: Vec<_> = files.iter().map(|name| (*name, MINIMAL)).collect();
        let (_folder, path) = archive(&files);
        assert_eq!(code(Source::read(&path)), "schema_missing", "{files:?}");
    }
}

#[test]
fn a_name_that_leaves_the_bundle_is_refused_whatever_system_it_is_meant_for() {
    let names = [
        "../schema.json",
        "passport/../../etc/passwd",
        "a/..",
        "/etc/passwd",
        "C:/windows/system.ini",
        "c:secret",
        "passport\\..\\..\\evil.json",
        "passport/a.json\0.png",
    ];
    for name in names {
        let (_folder, path) = archive(&[("schema.json", MINIMAL), (name, MINIMAL)]);
        assert_eq!(code(Source::read(&path)), "bundle_path_escape", "{name:?}");
    }
}

#[test]
fn a_link_in_an_archive_is_refused() {
    let (_folder, path) = write_archive(|writer| {
        writer
            .start_file("schema.json", SimpleFileOptions::default())
            .unwrap();
        writer.write_all(MINIMAL).unwrap();
        writer
            .add_symlink(
                "passport/a.json",
                "/etc/passwd",
                SimpleFileOptions::default(),
            )
            .unwrap();
    });
    assert_eq!(code(Source::read(&path)), "bundle_path_escape");
}

#[test]
fn a_decompression_bomb_is_refused_by_the_size_it_states() {
    let zeros = vec![0_u8; 60 * 1024 * 1024];
    for files in [
        &[("schema.json", zeros.as_slice())][..],
        &[
            ("schema.json", MINIMAL),
            ("images/big.bin", zeros.as_slice()),
        ],
    ] {
        let (_folder, path) = archive(files);
        let packed = std::fs::metadata(&path).unwrap().len();
        assert!(packed < 1024 * 1024, "it is small on disk");
        assert_eq!(code(Source::read(&path)), "bundle_too_large");
    }
}

#[test]
fn a_decompression_bomb_that_lies_about_its_size_is_refused_while_inflating() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("schema.json", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&vec![b' '; 60 * 1024 * 1024]).unwrap();
    let mut bytes = writer.finish().unwrap().into_inner();
    // The uncompressed size, in the local header and in the central directory: now 64 bytes.
    let size = u32::to_le_bytes(60 * 1024 * 1024);
    for at in (0..bytes.len() - 4).rev() {
        if bytes[at..at + 4] == size {
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(64));
        }
    }
    let (_folder, path) = on_disk(&bytes);
    assert_eq!(code(Source::read(&path)), "bundle_too_large");
}

#[test]
fn many_files_that_are_small_alone_are_refused_for_their_sum() {
    let file = vec![b' '; 5 * 1024 * 1024];
    let names: Vec<String> = (0..11)
        .map(|number| format!("images/{number}.bin"))
        .collect();
    let mut files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), file.as_slice()))
        .collect();
    files.push(("schema.json", MINIMAL));
    let (_folder, path) = archive(&files);
    assert_eq!(code(Source::read(&path)), "bundle_too_large");
}

#[test]
fn more_than_two_thousand_entries_are_refused() {
    let names: Vec<String> = (0..2_000).map(|number| format!("js/{number}.js")).collect();
    let mut files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files.push(("schema.json", MINIMAL));
    let (_folder, path) = archive(&files);
    assert_eq!(code(Source::read(&path)), "bundle_too_large");
    files.remove(0);
    let (_folder, path) = archive(&files);
    assert!(Source::read(&path).is_ok());
}

#[test]
fn an_archive_larger_than_twenty_mebibytes_is_not_even_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.zip");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(20 * 1024 * 1024 + 1)
        .unwrap();
    assert_eq!(code(Source::read(&path)), "bundle_too_large");
}

#[test]
fn an_archive_that_names_a_file_twice_is_refused() {
    let (_folder, path) = archive(&[("schema.json", MINIMAL), ("schemb.json", b"{}")]);
    let mut bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() - 6 {
        if &bytes[at..at + 6] == b"schemb" {
            bytes[at + 5] = b'a';
        }
    }
    let (_folder, path) = on_disk(&bytes);
    assert_eq!(code(Source::read(&path)), "bundle_unreadable");
    let (_folder, path) = archive(&[("schema.json", MINIMAL), ("./schema.json", b"{}")]);
    assert_eq!(code(Source::read(&path)), "bundle_unreadable");
}

#[test]
fn what_is_neither_folder_nor_archive_is_refused() {
    let (_folder, path) = on_disk(b"no archive");
    assert_eq!(code(Source::read(&path)), "bundle_unreadable");
    assert_eq!(
        code(Source::read(&path.with_file_name("absent"))),
        "bundle_unreadable"
    );
}

#[test]
fn a_folder_may_hold_the_bundle_one_level_down() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("dist/passport")).unwrap();
    std::fs::write(folder.path().join("dist/schema.json"), MINIMAL).unwrap();
    std::fs::write(folder.path().join("dist/passport/a.json"), MINIMAL).unwrap();
    std::fs::write(folder.path().join("dist/passport/notes.txt"), "x").unwrap();
    let source = Source::read(folder.path()).unwrap();
    assert_eq!(
        source.passport_files().collect::<Vec<_>>(),
        ["passport/a.json"]
    );
}

#[test]
fn a_folder_without_a_schema_is_refused() {
    assert_eq!(
        code(Source::read(tempfile::tempdir().unwrap().path())),
        "schema_missing"
    );
}

#[cfg(unix)]
#[test]
fn a_link_may_stay_inside_a_folder_but_not_leave_it() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.json"), MINIMAL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let passport = folder.path().join("passport");
    std::fs::create_dir(&passport).unwrap();
    std::fs::write(folder.path().join("schema.json"), MINIMAL).unwrap();
    std::fs::write(passport.join("a.json"), MINIMAL).unwrap();
    std::os::unix::fs::symlink(passport.join("a.json"), passport.join("b.json")).unwrap();
    assert_eq!(
        Source::read(folder.path())
            .unwrap()
            .passport_files()
            .count(),
        2
    );
    std::os::unix::fs::symlink(outside.path().join("secret.json"), passport.join("c.json"))
        .unwrap();
    assert_eq!(code(Source::read(folder.path())), "bundle_path_escape");
}

#[cfg(unix)]
#[test]
fn a_passport_folder_that_is_a_link_out_of_the_bundle_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.json"), MINIMAL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schema.json"), MINIMAL).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("passport")).unwrap();
    assert_eq!(code(Source::read(folder.path())), "bundle_path_escape");
}

#[test]
fn a_file_larger_than_five_mebibytes_is_refused_in_a_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("schema.json")).unwrap();
    file.set_len(5 * 1024 * 1024 + 1).unwrap();
    assert_eq!(code(Source::read(folder.path())), "bundle_too_large");
}

#[test]
fn the_passport_file_may_stand_outside_the_passport_folder_but_not_outside_the_bundle() {
    let schema = br#"{"passport":{"filePath":"./auth/connector.json"}}"#;
    let (_folder, path) = archive(&[("schema.json", schema), ("auth/connector.json", MINIMAL)]);
    assert_eq!(
        Source::read(&path).unwrap().file("auth/connector.json"),
        Some(MINIMAL)
    );
    for escape in [
        "../outside.json",
        "/etc/passwd",
        "passport\\\\..\\\\x.json",
        "C:/x.json",
    ] {
        let finding = Case::my_saas()
            .with(SCHEMA, "/passport/filePath", json!(escape))
            .import()
            .unwrap_err()
            .remove(0);
        assert_eq!(finding.code, "bundle_path_escape", "{escape}");
    }
}
