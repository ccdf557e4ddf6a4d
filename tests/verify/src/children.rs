//! The room of one run: where it is, which tools it has, and how it starts other programs.
//!
//! Every program runs in the project's root with the same environment, its two outputs merged in order, copied to a log file while
//! it runs and kept to be shown when it fails. Touches `target/verify/*.log` and nothing else on disk.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::Tool;

/// How long a finished program's leftover children may keep its output open before the run goes on without them.
const LEFTOVERS: Duration = Duration::from_secs(3);

/// How long a program may take. None comes near it, from a clean clone on two busy cores either; one that hangs fails the run
/// while somebody can still read why.
const LIMIT: Duration = Duration::from_secs(40 * 60);
/// How often a program is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// One run of `cargo verify`: the project's root, the log folder, the tools found so far.
pub struct Room {
    root: PathBuf,
    logs: PathBuf,
    live: bool,
    ready: BTreeSet<Tool>,
    missing: BTreeSet<Tool>,
    limit: Duration,
}

/// How a program ended and everything it said.
pub struct Finished {
    /// Whether its exit status was 0.
    pub success: bool,
    /// Standard output and standard error, interleaved as they came.
    pub output: String,
}

impl Room {
    /// Opens the project at `root`; `live` copies every output to the terminal as it comes.
    pub fn open(root: &Path, live: bool) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let logs = root.join(target).join("verify");
        fs::create_dir_all(&logs)?;
        Ok(Self {
            root,
            logs,
            live,
            ready: BTreeSet::new(),
            missing: BTreeSet::new(),
            limit: LIMIT,
        })
    }

    /// The project's root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.root.join(target)
    }

    /// The command as `cargo test` builds it. Tests that start it are told where it lies, so that nobody builds it again with
    /// other features.
    pub fn binary(&self) -> PathBuf {
        self.target().join("debug/consulate")
    }

    /// Whether outputs are shown as they come, so that a failing one need not be repeated.
    pub fn live(&self) -> bool {
        self.live
    }

    /// Whether `tool` was made ready in this run.
    pub fn has(&self, tool: Tool) -> bool {
        self.ready.contains(&tool)
    }

    /// Whether `tool` could not be had in this run.
    pub fn lacks(&self, tool: Tool) -> bool {
        self.missing.contains(&tool)
    }

    /// Remembers that `tool` is ready.
    pub fn keep(&mut self, tool: Tool) {
        self.ready.insert(tool);
    }

    /// Remembers that `tool` cannot be had.
    pub fn give_up(&mut self, tool: Tool) {
        self.missing.insert(tool);
    }

    /// Runs cargo with `words`, as the toolchain file says.
    pub fn cargo(&self, log: &str, words: &[&str]) -> Finished {
        let mut command = Command::new("cargo");
        command.args(words);
        self.run(log, command)
    }

    /// Runs `command` to its end and gives back what it said. A program that cannot be started has failed with that sentence, and so
    /// has one that does not end: it is killed, which its own children may outlive.
    pub fn run(&self, log: &str, mut command: Command) -> Finished {
        command.current_dir(&self.root);
        // The counting reads plain text, whatever the caller's terminal or settings say.
        command
            .env("CARGO_TERM_COLOR", "never")
            .env("NO_COLOR", "1")
            .env("CONSULATE_BIN", self.binary())
            .env_remove("FORCE_COLOR");
        // What `cargo run` set for this runner is not true for the cargo below it, and build scripts that watch these
        // variables (ring's does) would build again each time the two take turns.
        for (name, _) in std::env::vars_os() {
            if set_by_cargo_run(&name) {
                command.env_remove(name);
            }
        }
        let program = command.get_program().to_string_lossy().into_owned();
        self.follow(log, command).unwrap_or_else(|error| Finished {
            success: false,
            output: format!("cannot run {program}: {error}"),
        })
    }

    fn follow(&self, log: &str, mut command: Command) -> io::Result<Finished> {
        let (mut reader, writer) = io::pipe()?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.logs.join(format!("{log}.log")))?;
        let mut child = command.spawn()?;
        // The command holds our ends of the pipe: without this the reader would never see its end.
        drop(command);

        let said = Arc::new(Mutex::new(Vec::new()));
        let (done, finished) = mpsc::channel();
        let (kept, live) = (Arc::clone(&said), self.live);
        thread::spawn(move || {
            let mut chunk = [0_u8; 8192];
            while let Ok(length @ 1..) = reader.read(&mut chunk) {
                let chunk = chunk.get(..length).unwrap_or_default();
                // The log and the terminal are conveniences; a full disk must not change a verdict.
                let _ = file.write_all(chunk);
                if live {
                    let _ = io::stdout().write_all(chunk);
                }
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(chunk);
            }
            let _ = done.send(());
        });
        let status = self.ended(&mut child)?;
        let _ = finished.recv_timeout(LEFTOVERS);
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = String::from_utf8_lossy(&said).into_owned();
        if status.is_none() {
            output.push_str(&format!(
                "\nKilled: it had not ended after {:?}.\n",
                self.limit
            ));
        }
        Ok(Finished {
            success: status.is_some_and(|status| status.success()),
            output,
        })
    }

    /// How it ended; `None` where it had to be killed.
    fn ended(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() >= self.limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// Empties the log of a step, so that it holds this run only.
    pub fn fresh_log(&self, log: &str) {
        // A log that cannot be removed is appended to, which its reader can tell.
        let _ = fs::remove_file(self.logs.join(format!("{log}.log")));
    }
}

/// Whether `cargo run` gave this variable to the program it ran.
fn set_by_cargo_run(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(
            &*name,
            "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        Room::open(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")),
            false,
        )
        .unwrap()
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_kept_in_the_order_they_came() {
        let finished = room().run("unit-order", shell("echo one; echo two >&2; echo three"));
        assert!(finished.success);
        assert_eq!(finished.output, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_status_other_than_zero_is_a_failure() {
        assert!(!room().run("unit-status", shell("exit 3")).success);
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_and_what_it_said_is_kept() {
        let mut room = room();
        room.limit = Duration::from_millis(300);
        let finished = room.run("unit-hangs", shell("echo begun; exec sleep 60"));
        assert!(!finished.success);
        assert!(
            finished.output.starts_with("begun\n"),
            "{}",
            finished.output
        );
        assert!(
            finished.output.contains("had not ended"),
            "{}",
            finished.output
        );
    }

    #[test]
    fn a_program_that_is_not_there_fails_with_its_name() {
        let finished = room().run("unit-absent", Command::new("/nonexistent/program"));
        assert!(!finished.success);
        assert!(
            finished.output.contains("/nonexistent/program"),
            "{}",
            finished.output
        );
    }

    #[test]
    fn what_cargo_run_says_about_the_runner_is_not_passed_on() {
        let finished = room().run(
            "unit-scrub",
            shell("echo \"${CARGO_PKG_NAME:-absent} ${CARGO_TERM_COLOR}\""),
        );
        assert_eq!(finished.output, "absent never\n");
    }
}
