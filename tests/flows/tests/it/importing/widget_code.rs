//! A widget's own JavaScript in node, as a child process.

use std::path::PathBuf;
use std::process::Stdio;

use consulate_flows::stack::Stack;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::fixtures::fixture;

/// The widget code of the Appspace guide's first example, as the guide has it.
pub(super) const GUIDES: &str = include_str!("appspace-example.js");

/// The code that a fixture's page loads.
pub(super) fn code_of(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(fixture(name)).join("js/widget.js")).unwrap()
}

/// Runs `code` as `widget`, for whoever holds `jwt`: answers what it logged, what it listed, and the status of each call.
pub(super) async fn run_code(stack: &Stack, widget: &str, jwt: &str, code: &str) -> Value {
    let apis = format!("{}/v1/widgets/{widget}/apis", stack.dev.base_url);
    let input = json!({"code": code, "apis": apis, "jwt": jwt}).to_string();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../node");
    let mut child = Command::new("node")
        .arg("run-widget.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .expect("node is needed");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "the widget's code threw");
    serde_json::from_slice(&output.stdout).unwrap()
}
