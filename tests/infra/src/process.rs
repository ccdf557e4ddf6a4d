//! Child processes of the gate's test: the two node servers, cargo-lambda's runtime API, the built functions. Each ends with its handle.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts `command`, its two outputs appended to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// A node server that says `ready PORT` and ends when its standard input does.
pub struct Node {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _child: tokio::process::Child,
}

impl Node {
    /// Starts `script` with its configuration, and waits until it listens.
    ///
    /// # Errors
    /// It ends before it listens, or says nothing for half a minute.
    pub async fn start(
        script: &Path,
        config: &serde_json::Value,
        file: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::write(file, config.to_string())?;
        let mut child = tokio::process::Command::new("node")
            .arg(script)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start node")?;
        let said = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(said).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line())
            .await
            .with_context(|| format!("{} does not get ready", script.display()))??;
        let line = line.with_context(|| format!("{} ended", script.display()))?;
        let port = line
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok());
        Ok(Self {
            port: port.with_context(|| format!("{} says {line}", script.display()))?,
            _child: child,
        })
    }
}
