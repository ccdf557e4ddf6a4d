//! The steps of the deployment: the template linted and deployed to moto on loopback, the functions built as for Lambda.
//!
//! Their programs are Python packages, installed into `.tools/python` (`tools.rs`). Touches `target/lambda` and `target/infra`.

use std::fs;
use std::path::PathBuf;

use crate::children::{Finished, Room};
use crate::steps::{FUNCTIONS, Outcome};
use crate::tally::{self, Tally};
use crate::tools;

const TEMPLATE: &str = "infra/template.yaml";

/// cfn-lint, SAM's own validation and checkov, each one check.
pub fn lint(room: &Room) -> Outcome {
    room.fresh_log("infra");
    let programs: [(&str, &[&str]); 3] = [
        ("cfn-lint", &[TEMPLATE]),
        ("sam", &["validate", "--lint", "--template", TEMPLATE]),
        (
            "checkov",
            &[
                "--file",
                TEMPLATE,
                "--framework",
                "cloudformation",
                "--compact",
                "--quiet",
                "--skip-download",
            ],
        ),
    ];
    let mut outcome = Outcome::default();
    for (program, words) in programs {
        let mut command = tools::python_program(room, program);
        command.args(words);
        let finished = room.run("infra", command);
        outcome.tally.add(&Tally::of(finished.success));
        outcome.output.push_str(&finished.output);
    }
    outcome
}

/// The template through SAM's translator and CloudFormation, on moto; what stands there then is judged, and kept for the gate.
pub fn deploy(room: &Room) -> Outcome {
    room.fresh_log("deploy");
    let mut python = tools::python_program(room, "python");
    python
        .arg("tests/infra/deploy.py")
        .arg(room.target().join("infra/deployed.json"));
    Outcome::one(room.run("deploy", python))
}

/// Builds every function as it is deployed, for this machine's processor, and says how large they are zipped.
pub fn lambda(room: &Room) -> Outcome {
    room.fresh_log("lambda");
    let build = |format: &str| {
        let mut cargo = tools::python_program(room, "cargo-lambda");
        cargo.args([
            "lambda",
            "build",
            "--release",
            "--locked",
            "--output-format",
            format,
        ]);
        room.run("lambda", cargo)
    };
    // Twice: the gate runs the binaries, Lambda gets the archives. The second compiles nothing.
    let built = build("binary");
    if !built.success {
        return Outcome::one(built);
    }
    let zipped = build("zip");
    let mut outcome = Outcome::one(Finished {
        success: zipped.success,
        output: zipped.output,
    });
    for function in FUNCTIONS {
        match fs::metadata(archive(room, function)) {
            Ok(file) => outcome
                .notes
                .push(format!("{function}: {} KiB zipped", file.len() / 1024)),
            Err(error) => {
                outcome.tally = Tally::failure();
                outcome.output.push_str(&format!("{function}: {error}\n"));
            }
        }
    }
    outcome
}

fn archive(room: &Room, function: &str) -> PathBuf {
    let folder = room.target().join("lambda").join(function);
    folder.join("bootstrap.zip")
}

/// `cargo lambda deploy` of one function, with its own settings, to a function of that name: on moto.
pub fn upload(room: &Room) -> Outcome {
    room.fresh_log("upload");
    let mut python = tools::python_program(room, "python");
    python
        .arg("tests/infra/upload.py")
        .arg(room.target().join("lambda"));
    Outcome::one(room.run("upload", python))
}

/// The built functions behind the gate: journeys, and every permission taken away in turn.
pub fn gate(room: &Room) -> Outcome {
    room.fresh_log("gate");
    let words = ["test", "--workspace", "--locked", "--test", "gate"];
    let finished = room.cargo("gate", &words);
    Outcome::suites(tally::cargo_tests(&finished.output), finished)
}
