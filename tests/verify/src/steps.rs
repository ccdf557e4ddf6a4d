//! The table of steps: what each one runs, what it needs, how its outcome is counted.
//!
//! Cheap ones first, so that a slip is known in seconds. A step that is not a test suite counts as one check. Security advisories
//! (`cargo deny check advisories`) are not among them: they need a database fetched over the network, and a verdict that changes
//! without a commit has no place in a gate.

use std::process::Command;

use crate::children::{Finished, Room};
use crate::infra;
use crate::node;
use crate::sources;
use crate::tally::{self, Tally};
use crate::tools::{self, Tool};

/// The crates that run on Lambda.
pub const FUNCTIONS: [&str; 6] = [
    "consulate-connect",
    "consulate-console",
    "consulate-custodian",
    "consulate-proxy",
    "consulate-qrvey-token",
    "consulate-settings",
];

/// What must not be linked into a function, as the start of a line of `cargo tree`, and why. `cargo deny` bans most of it for the
/// workspace; this asks about each function built alone, as it is for Lambda, with the features it then has.
const UNLINKED: [(&str, &str); 16] = [
    ("aws-lc-", "a second crypto library; ring is the one"),
    ("native-tls ", "a second TLS library; rustls is the one"),
    ("openssl", "a second TLS library; rustls is the one"),
    (
        "rustls v0.21.",
        "an old TLS stack that some SDK features bring",
    ),
    (
        "hyper v0.14.",
        "an old HTTP stack that some SDK features bring",
    ),
    (
        "rustls-native-certs ",
        "reads certificate files at start; roots are compiled in",
    ),
    (
        "reqwest ",
        "a second HTTP client; the one in consulate-core is guarded",
    ),
    (
        "aws-config ",
        "credential and endpoint chains that a function does not need",
    ),
    ("regex v", "1.5 MB that serde_json_path brings by default"),
    ("clap ", "belongs to the command"),
    (
        "utoipa ",
        "belongs to the OpenAPI document, which is checked in",
    ),
    ("dynoxide-rs ", "the engine is for loopback"),
    ("consulate v", "functions do not depend on the command"),
    (
        "consulate-fakes ",
        "functions do not depend on test servers",
    ),
    (
        "consulate-core feature \"simulation\"",
        "a function's random bytes come from the operating system",
    ),
    (
        "tokio feature \"full\"",
        "a function's tokio has the features it names",
    ),
];

/// One check or test suite.
pub struct Step {
    /// What is typed after `cargo verify`.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Made ready before it runs; without them it fails.
    pub needs: &'static [Tool],
    /// Does it.
    pub run: fn(&Room) -> Outcome,
}

/// How a step went.
#[derive(Default)]
pub struct Outcome {
    /// Its checks or tests.
    pub tally: Tally,
    /// What to show when one of them failed.
    pub output: String,
    /// What to show however it went, line by line.
    pub notes: Vec<String>,
}

/// Every step, in the order of a full run.
pub const STEPS: &[Step] = &[
    Step {
        name: "sources",
        about: "no file too long, no mark of unfinished work, no address in a lock file",
        needs: &[],
        run: |room| Outcome::one(sources::check(room)),
    },
    Step {
        name: "fmt",
        about: "cargo fmt --all --check",
        needs: &[],
        run: |room| {
            Outcome::one(cargo(
                room,
                "fmt",
                &["fmt", "--all", "--check", "--", "--color", "never"],
            ))
        },
    },
    Step {
        name: "tree",
        about: "what each function links when built alone",
        needs: &[],
        run: |room| Outcome::one(tree(room)),
    },
    Step {
        name: "node",
        about: "node --check on every script",
        needs: &[Tool::NodePackages],
        run: |room| Outcome::one(node::syntax(room)),
    },
    Step {
        name: "widget",
        about: "the browser client: tsc, types, node --test on widget/tests (size, built files)",
        needs: &[Tool::WidgetPackages],
        run: node::widget,
    },
    Step {
        name: "infra",
        about: "the deployment template: cfn-lint, sam validate --lint, checkov",
        needs: &[Tool::PythonPackages],
        run: infra::lint,
    },
    Step {
        name: "deploy",
        about: "the template deployed to moto on loopback; roles against what is promised",
        needs: &[Tool::PythonPackages],
        run: infra::deploy,
    },
    Step {
        name: "deny",
        about: "cargo deny check bans licenses sources",
        needs: &[Tool::CargoDeny],
        run: |room| Outcome::one(deny(room)),
    },
    Step {
        name: "clippy",
        about: "cargo clippy on all targets, warnings denied",
        needs: &[],
        run: |room| {
            // "All" leaves out what `cargo test` leaves out: the gate.
            let all = clippy(room, &["--all-targets"]);
            let all = if all.success {
                clippy(room, &["--test", "*"])
            } else {
                all
            };
            Outcome::one(all)
        },
    },
    Step {
        name: "doc",
        about: "cargo doc with private items, warnings denied",
        needs: &[],
        run: |room| Outcome::one(doc(room)),
    },
    Step {
        name: "test",
        about: "cargo test --workspace, journeys against other people's parts included",
        needs: &[Tool::NodePackages],
        run: |room| {
            room.fresh_log("test");
            let mut cargo = Command::new("cargo");
            cargo.args("test --workspace --locked --no-fail-fast".split(' '));
            // Journeys mostly wait, for a provider's delay or a token's end: two for each core keep the cores busy.
            if std::env::var_os("RUST_TEST_THREADS").is_none() {
                let cores = std::thread::available_parallelism().map_or(2, usize::from);
                cargo.env("RUST_TEST_THREADS", (2 * cores).to_string());
            }
            let finished = room.run("test", cargo);
            Outcome::suites(tally::cargo_tests(&finished.output), finished)
        },
    },
    Step {
        name: "contract",
        about: "schemathesis against `consulate dev`: nothing that openapi.json does not say",
        needs: &[Tool::Schemathesis],
        run: |room| Outcome::one(contract(room)),
    },
    Step {
        name: "browser",
        about: "node --test on tests/browser, in a real Chromium",
        needs: &[Tool::NodePackages, Tool::Chromium],
        run: node::browser,
    },
    Step {
        name: "lambda",
        about: "cargo lambda build --release of every function, with its zipped size",
        needs: &[Tool::PythonPackages],
        run: infra::lambda,
    },
    Step {
        name: "upload",
        about: "cargo lambda deploy of a function to moto on loopback",
        needs: &[Tool::PythonPackages],
        run: infra::upload,
    },
    Step {
        name: "gate",
        about: "the built functions behind a gate of their deployed policies; needs `deploy` and `lambda` before it",
        needs: &[Tool::PythonPackages, Tool::InfraPackages],
        run: infra::gate,
    },
];

impl Outcome {
    /// One check.
    pub fn one(finished: Finished) -> Self {
        Self {
            tally: Tally::of(finished.success),
            output: finished.output,
            notes: Vec::new(),
        }
    }

    /// Test suites, as they were counted.
    pub fn suites(tally: Tally, finished: Finished) -> Self {
        Self {
            tally: tally.checked(finished.success),
            output: finished.output,
            notes: Vec::new(),
        }
    }
}

fn cargo(room: &Room, step: &str, words: &[&str]) -> Finished {
    room.fresh_log(step);
    room.cargo(step, words)
}

fn clippy(room: &Room, targets: &[&str]) -> Finished {
    let words = ["clippy", "--workspace", "--locked"];
    let strict = ["--", "-D", "warnings"];
    cargo(room, "clippy", &[&words, targets, &strict].concat())
}

fn deny(room: &Room) -> Finished {
    room.fresh_log("deny");
    let mut command = Command::new(tools::cargo_deny_path(room));
    command.args("--workspace --locked check bans licenses sources".split(' '));
    room.run("deny", command)
}

fn doc(room: &Room) -> Finished {
    room.fresh_log("doc");
    let mut command = Command::new("cargo");
    command.args("doc --workspace --no-deps --document-private-items --locked".split(' '));
    command.env("RUSTDOCFLAGS", "-D warnings");
    room.run("doc", command)
}

/// Looks at each function alone: `--workspace` would answer for features that the command and the tests add.
fn tree(room: &Room) -> Finished {
    room.fresh_log("tree");
    let mut all = Finished {
        success: true,
        output: String::new(),
    };
    for function in FUNCTIONS {
        let words = [
            "tree",
            "--locked",
            "--package",
            function,
            "--edges",
            "normal,features",
            "--prefix",
            "none",
        ];
        let finished = room.cargo("tree", &words);
        let complaints = if finished.success {
            linked(function, &finished.output)
        } else {
            vec![finished.output]
        };
        all.success &= complaints.is_empty();
        for complaint in complaints {
            all.output.push_str(&complaint);
            all.output.push('\n');
        }
    }
    all
}

/// What a function's tree holds and should not, one sentence each.
fn linked(function: &str, tree: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (unwanted, why) in UNLINKED {
        if let Some(line) = tree.lines().find(|line| line.starts_with(unwanted)) {
            complaints.push(format!("{function} links {line}: {why}"));
        }
    }
    for other in FUNCTIONS.iter().filter(|other| **other != function) {
        if tree.lines().any(|line| line.starts_with(other)) {
            complaints.push(format!(
                "{function} depends on {other}: functions never depend on each other"
            ));
        }
    }
    complaints
}

/// Builds the command the way the test step does, and asks it for everything that its OpenAPI document says.
fn contract(room: &Room) -> Finished {
    room.fresh_log("contract");
    let built = room.cargo("contract", &["test", "--workspace", "--locked", "--no-run"]);
    if !built.success {
        return built;
    }
    let mut python = Command::new(tools::contract_python(room));
    python.arg("tests/contract/ask.py").arg(room.binary());
    room.run("contract", python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_tree_raises_no_complaint() {
        let tree = "consulate-proxy v0.1.0 (/x)\nhyper v1.12.0\nrustls v0.23.46\nring v0.17.14\ntokio feature \"rt\"";
        assert_eq!(linked("consulate-proxy", tree), Vec::<String>::new());
    }

    #[test]
    fn an_unwanted_crate_is_named_with_the_reason() {
        let complaints = linked("consulate-proxy", "hyper v0.14.32\naws-lc-sys v0.30.0");
        assert_eq!(complaints.len(), 2);
        assert!(
            complaints
                .iter()
                .any(|line| line.contains("aws-lc-sys v0.30.0")),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_function_that_depends_on_another_is_named() {
        let complaints = linked(
            "consulate-proxy",
            "consulate-proxy v0.1.0 (/x)\nconsulate-connect v0.1.0 (/x)",
        );
        assert_eq!(complaints.len(), 1);
    }
}
