//! The `consulate` binary as a child process: the server, its streams, and commands against it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// The binary: the one `CONSULATE_BIN` names, else built as this test was.
pub fn consulate() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(binary) = std::env::var_os("CONSULATE_BIN") {
            return PathBuf::from(binary);
        }
        // target/PROFILE/deps/it-…
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "consulate",
            "--bin",
            "consulate",
        ]);
        if folder.file_name().unwrap() == "release" {
            cargo.arg("--release");
        }
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        // What cargo set for this test is not true for the build below it, and ring's build script watches these.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "cargo could not build the command");
        folder.join("consulate")
    })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(consulate());
    command.args(arguments);
    for name in [
        "CONSULATE_TABLE",
        "CONSULATE_BASE_URL",
        "CONSULATE_SECRETS_PREFIX",
    ] {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments).spawn().unwrap();
    // A command that reads nothing may have ended already.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

type Reading = JoinHandle<Vec<u8>>;

/// A running `consulate dev`. Killed with its handle.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub base_url: String,
    /// Standard output and standard error, each read to its end by a thread.
    streams: Option<(Reading, Reading)>,
}

/// What a server left behind.
pub struct Ended {
    /// Exit code.
    pub code: Option<i32>,
    /// Everything it wrote on standard output.
    pub stdout: Vec<u8>,
    /// Everything it wrote on standard error.
    pub stderr: Vec<u8>,
}

impl Server {
    /// Started on the data folder `folder`, with more flags; answers when it is ready.
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        let mut child = command(&["dev", "--data-dir", folder.to_str().unwrap()])
            .args(flags)
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            text
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let Some(base_url) = first.trim_end().strip_prefix("ready ").map(str::to_owned) else {
            let _ended = child.kill();
            panic!(
                "{first:?} {}",
                String::from_utf8_lossy(&stderr.join().unwrap())
            );
        };
        let stdout = std::thread::spawn(move || {
            let mut text = first.into_bytes();
            stdout.read_to_end(&mut text).unwrap();
            text
        });
        Self {
            child,
            base_url,
            streams: Some((stdout, stderr)),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal (`TERM`, `INT`) and waits for the end.
    pub fn stop(mut self, signal: &str) -> Ended {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        let code = self.child.wait().unwrap().code();
        let (stdout, stderr) = self.streams.take().unwrap();
        Ended {
            code,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
