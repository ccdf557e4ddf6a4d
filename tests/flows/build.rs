//! Writes one journey test for every entry of the catalogue, and beside each an assertion that its family is played: an entry
//! of any other does not compile. (A build script cannot ask the simulators themselves.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a build script says what is wrong by failing"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const CATALOGUE: &str = "../../bundle/catalogue";

fn main() {
    println!("cargo::rerun-if-changed={CATALOGUE}");
    let mut files: Vec<_> = fs::read_dir(CATALOGUE)
        .expect("the catalogue's folder")
        .map(|file| file.expect("a file of the catalogue").path())
        .collect();
    files.sort();
    let mut tests = String::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a catalogue file");
        let document: toml::Table = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let family = document["family"].as_str().expect("a family");
        for entry in document["provider"].as_array().expect("providers") {
            let id = entry["id"].as_str().expect("an id");
            let status = entry.get("status").and_then(toml::Value::as_str);
            if status == Some("retired") {
                continue;
            }
            let name = id.replace('-', "_");
            let told = format!("entry {id}: nobody plays the family {family}");
            writeln!(
                tests,
                "const _: () = assert!(super::Simulators::plays({family:?}), {told:?});\n\
                 #[tokio::test]\nasync fn r#{name}() {{\n    super::journey({family:?}, {id:?}).await;\n}}\n"
            )
            .expect("text");
        }
    }
    let out = env::var_os("OUT_DIR").expect("cargo's output folder");
    fs::write(Path::new(&out).join("entries.rs"), tests).expect("the generated tests");
}
