//! The steps that node runs: every script's syntax, the browser client's tests, the tests in a real Chromium.

use std::path::PathBuf;
use std::process::Command;

use crate::children::{Finished, Room};
use crate::sources;
use crate::steps::Outcome;
use crate::tally;
use crate::tools;

/// What one file of node's tests may take, milliseconds; one of them waits for minutes of expiry.
const FILE_LIMIT: &str = "--test-timeout=600000";

/// `node --check` of every script that is checked in.
pub fn syntax(room: &Room) -> Finished {
    room.fresh_log("node");
    let files = match sources::tracked(room) {
        Ok(files) => files,
        Err(error) => {
            return Finished {
                success: false,
                output: format!("git ls-files: {error}"),
            };
        }
    };
    let mut all = Finished {
        success: true,
        output: String::new(),
    };
    let is_script = |path: &&PathBuf| {
        matches!(
            path.extension().and_then(|end| end.to_str()),
            Some("mjs" | "js")
        )
    };
    for path in files.iter().filter(is_script) {
        let mut node = Command::new("node");
        node.arg("--check").arg(path);
        let finished = room.run("node", node);
        all.success &= finished.success;
        all.output.push_str(&finished.output);
    }
    all
}

/// Compiles the browser client's sources and type tests, then runs its tests: on the built files as they are checked in, of which one
/// test says whether they are what the sources build.
pub fn widget(room: &Room) -> Outcome {
    room.fresh_log("widget");
    let mut npm = Command::new("npm");
    npm.args(["run", "--prefix", "widget", "check"]);
    let checked = room.run("widget", npm);
    if !checked.success {
        return Outcome::one(checked);
    }
    let mut node = Command::new("node");
    // They wait, for retries and polls: node alone would take one file after the other on two cores.
    node.args(["--test", "--test-reporter=tap", "--test-concurrency=4"])
        .arg(FILE_LIMIT)
        .args(tests_in(room, "widget/tests"));
    let finished = room.run("widget", node);
    Outcome::suites(tally::node_tests(&finished.output), finished)
}

/// Runs the browser tests; a folder without any counts nothing.
pub fn browser(room: &Room) -> Outcome {
    room.fresh_log("browser");
    let mut tests = tests_in(room, "tests/browser");
    // As it happens, the last ones by name wait longest, for a minute of expiry: they begin first.
    tests.reverse();
    if tests.is_empty() {
        return Outcome::default();
    }
    // Builds the command the way the test step does, which has done so already in a whole run.
    let built = room.cargo("browser", &["test", "--workspace", "--locked", "--no-run"]);
    if !built.success {
        return Outcome::one(built);
    }
    let mut node = Command::new("node");
    // Pictures and axe are work, tokens and pages are waited for: three at once keep two cores busy.
    node.args(["--test", "--test-reporter=tap", "--test-concurrency=3"])
        .arg(FILE_LIMIT)
        .args(&tests);
    if let Some(chromium) = tools::chromium_path() {
        node.env("CHROMIUM", chromium);
    }
    let finished = room.run("browser", node);
    Outcome::suites(tally::node_tests(&finished.output), finished)
}

/// `*.test.mjs` of a folder, by name.
fn tests_in(room: &Room, folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(room.root().join(folder))
        .into_iter()
        .flatten()
        .flatten();
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut tests: Vec<_> = entries.map(|entry| entry.path()).filter(is_test).collect();
    tests.sort();
    tests
}
