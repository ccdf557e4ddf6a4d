//! `cargo verify`: every check and every test of Consulate, and all that CI runs.
//!
//! This room starts other programs, counts what they report and prints a verdict; it checks nothing by itself except what no tool
//! checks for us (`sources.rs`). It may install tools into folders of the project and, as root, Chromium from the distribution.
//!
//! `cargo verify` runs everything, `cargo verify fmt clippy` only those steps, `cargo verify --help` lists them. `-v` shows the
//! output of every step as it comes; without it a failing step's output is shown in full at its end, and every step's output
//! is in `target/verify/STEP.log` while it runs. The last line is always `N passed, N failed`; the exit status is 0 only for `0 failed`.

#![expect(clippy::print_stdout, reason = "a command's output is its purpose")]
#![expect(
    clippy::disallowed_methods,
    reason = "the runner reads the environment that it hands to the tools"
)]

mod ahead;
mod children;
mod infra;
mod node;
mod sources;
mod steps;
mod tally;
mod tools;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ahead::Ahead;
use children::Room;
use steps::{STEPS, Step};
use tally::Tally;

/// What the words after `cargo verify` ask for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// Names of the steps to run, empty for all of them.
    Run {
        names: Vec<String>,
        live: bool,
    },
    Help,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            println!("{}", help());
            ExitCode::SUCCESS
        }
        Ok(Request::Run { names, live }) => run(&names, live),
        Err(complaint) => {
            println!("{complaint}\n\n{}", help());
            ExitCode::from(2)
        }
    }
}

/// Reads the command line; an unknown step is misuse rather than a run that checks nothing.
fn parse(words: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut names = Vec::new();
    let mut live = false;
    for word in words {
        match word.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "-v" | "--verbose" => live = true,
            name if STEPS.iter().any(|step| step.name == name) => names.push(word),
            _ => return Err(format!("There is no step or option `{word}`.")),
        }
    }
    Ok(Request::Run { names, live })
}

/// The usage text, made from the table of steps so that it cannot fall behind.
fn help() -> String {
    let mut text = String::from(
        "Usage: cargo verify [-v] [STEP]...\n\nWithout a STEP, all of them run, in this order:\n",
    );
    for step in STEPS {
        text.push_str(&format!("\n  {:<8} {}", step.name, step.about));
    }
    text.push_str("\n\n  -v       show the output of every step as it comes (always in target/verify/STEP.log)");
    text
}

/// Runs the chosen steps in order, tools first where a step needs one, and prints the verdict.
fn run(names: &[String], live: bool) -> ExitCode {
    // Known at compile time: this crate sits two folders below the root, and a moved clone is compiled again.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut room = match Room::open(root, live) {
        Ok(room) => room,
        Err(error) => {
            println!(
                "Cannot open {}: {error}\n0 passed, 1 failed",
                root.display()
            );
            return ExitCode::FAILURE;
        }
    };
    let started = Instant::now();
    let mut total = Tally::default();
    let is_chosen = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    let chosen = || STEPS.iter().filter(is_chosen);
    let mut ahead = Ahead::start(root, chosen().flat_map(|step| step.needs));
    for step in chosen() {
        total.add(&equip(&mut room, step, &mut ahead));
        total.add(&perform(&room, step));
    }
    println!("\nAll of it took {}.", seconds(started.elapsed()));
    if total.ignored > 0 {
        println!("{} ignored by their own suites.", total.ignored);
    }
    println!("{total}");
    if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Makes sure that the tools of `step` are there. One that is counts nothing; one that cannot be had is a failure, once.
fn equip(room: &mut Room, step: &Step, ahead: &mut Ahead) -> Tally {
    let mut tally = Tally::default();
    for tool in step.needs {
        if room.has(*tool) || room.lacks(*tool) {
            continue;
        }
        let started = announce(tool.name());
        match ahead.provide(*tool, room) {
            Ok(note) => {
                room.keep(*tool);
                println!("ready {} {note}", seconds(started.elapsed()));
            }
            Err(reason) => {
                room.give_up(*tool);
                println!("MISSING {}\n{reason}", seconds(started.elapsed()));
                tally.failed += 1;
            }
        }
    }
    tally
}

/// Runs one step and prints how it went.
fn perform(room: &Room, step: &Step) -> Tally {
    let started = announce(step.name);
    if let Some(tool) = step.needs.iter().find(|tool| room.lacks(**tool)) {
        println!("NOT RUN: it needs {}", tool.name());
        return Tally::failure();
    }
    let outcome = (step.run)(room);
    let verdict = if outcome.tally.failed == 0 {
        "ok"
    } else {
        "FAILED"
    };
    println!(
        "{verdict} {} ({})",
        seconds(started.elapsed()),
        outcome.tally
    );
    for note in &outcome.notes {
        println!("             {note}");
    }
    if outcome.tally.failed > 0 && !room.live() {
        println!(
            "{}\n{}\n{}",
            "-".repeat(80),
            outcome.output.trim_end(),
            "-".repeat(80)
        );
    }
    outcome.tally
}

/// Prints the name of what starts now, so that a long step is seen to be running.
fn announce(name: &str) -> Instant {
    print!("{name:<12} ");
    // A closed standard output only costs the reader the name; the steps run all the same.
    let _ = std::io::stdout().flush();
    Instant::now()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tools::Tool;

    fn words(line: &str) -> impl Iterator<Item = String> {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn no_words_mean_everything() {
        assert_eq!(
            parse(words("")),
            Ok(Request::Run {
                names: vec![],
                live: false
            })
        );
    }

    #[test]
    fn named_steps_are_the_only_ones_asked_for() {
        let request = Request::Run {
            names: vec!["fmt".into(), "test".into()],
            live: true,
        };
        assert_eq!(parse(words("fmt -v test")), Ok(request));
    }

    #[test]
    fn an_unknown_step_is_refused_by_name() {
        assert_eq!(
            parse(words("fmt tset")),
            Err("There is no step or option `tset`.".to_owned())
        );
    }

    #[test]
    fn the_help_names_every_step() {
        let text = help();
        for step in STEPS {
            assert!(text.contains(step.name), "{} is missing", step.name);
        }
    }

    #[test]
    fn a_tool_that_cannot_be_had_fails_once_and_keeps_its_steps_from_running() {
        let folder = std::env::temp_dir().join(format!("consulate-verify-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut room = Room::open(&folder, false).unwrap();
        room.give_up(Tool::Chromium);
        let step = Step {
            name: "needy",
            about: "",
            needs: &[Tool::Chromium],
            run: |_| unreachable!("the step must not run"),
        };
        assert_eq!(
            equip(&mut room, &step, &mut Ahead::default()),
            Tally::default()
        );
        assert_eq!(perform(&room, &step), Tally::failure());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
