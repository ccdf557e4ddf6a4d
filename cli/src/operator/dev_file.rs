//! EDGE. `dev.json` in the data folder of `consulate dev`: how the command finds the server that runs on it.
//!
//! Holds the random access key of its AWS-shaped servers, so only its owner may read it (mode 0600).

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// How long a server on this machine may take to accept a connection.
const ACCEPT_WITHIN: Duration = Duration::from_secs(1);

/// The file.
///
/// ```json
/// {"base_url":"http://127.0.0.1:8700","dynamodb":"http://127.0.0.1:39001","secrets_manager":"http://127.0.0.1:39002",
///  "lambda":"http://127.0.0.1:39003","sqs":"http://127.0.0.1:39004","eventbridge":"http://127.0.0.1:39005",
///  "access_key_id":"…","table":"consulate","allow":["127.0.0.1:8700"],"pid":4711}
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct DevFile {
    /// Where Consulate answers.
    pub base_url: String,
    /// Where DynamoDB answers.
    pub dynamodb: String,
    /// Where Secrets Manager answers.
    pub secrets_manager: String,
    /// Where Lambda answers.
    pub lambda: String,
    /// Where SQS answers; absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<String>,
    /// Where EventBridge answers; absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eventbridge: Option<String>,
    /// What requests to these must be signed with.
    pub access_key_id: String,
    /// Name of the table.
    pub table: String,
    /// Loopback `HOST:PORT` pairs callable over plain http.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The running process; absent when it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

impl DevFile {
    /// Where the file is in the data folder `folder`.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("dev.json")
    }

    /// The file of the data folder `folder`; `None` where no server ever ran on it.
    ///
    /// # Errors
    /// It is there but cannot be read.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        // serde_json's message could quote the key: only the place is told.
        let file = serde_json::from_slice(&text).map_err(|error| {
            anyhow::anyhow!(
                "{} is damaged at line {}: take it away and start again",
                path.display(),
                error.line()
            )
        })?;
        Ok(Some(file))
    }

    /// The file of the server that runs on `folder` now.
    ///
    /// # Errors
    /// None runs there.
    pub fn of_running(folder: &Path) -> anyhow::Result<Self> {
        let start = format!(
            "start it with `consulate dev --data-dir {}`",
            folder.display()
        );
        let Some(file) = Self::read(folder)? else {
            bail!(
                "no `consulate dev` ever ran on {}: {start}",
                folder.display()
            );
        };
        // A killed process leaves its pid behind: what counts is that somebody answers.
        if file.pid.is_none() || !accepts(&file.dynamodb) {
            bail!(
                "no `consulate dev` is running on {}: {start}",
                folder.display()
            );
        }
        Ok(file)
    }

    /// Replaces the file of `folder`, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = Self::path(folder);
        let draft = folder.join("dev.json.new");
        let write = || {
            // A draft left by a process that died may be there with any content.
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// The port of `base_url`.
    pub fn port(&self) -> Option<u16> {
        self.base_url.rsplit_once(':')?.1.parse().ok()
    }
}

impl std::fmt::Debug for DevFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DevFile")
            .field("base_url", &self.base_url)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

fn accepts(address: &str) -> bool {
    address
        .strip_prefix("http://")
        .and_then(|address| address.parse::<SocketAddr>().ok())
        .is_some_and(|address| TcpStream::connect_timeout(&address, ACCEPT_WITHIN).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file() -> DevFile {
        DevFile {
            base_url: "http://127.0.0.1:8700".into(),
            dynamodb: "http://127.0.0.1:1".into(),
            secrets_manager: "http://127.0.0.1:1".into(),
            sqs: None,
            eventbridge: None,
            lambda: "http://127.0.0.1:1".into(),
            access_key_id: "canary".into(),
            table: "consulate".into(),
            allow: Vec::new(),
            pid: Some(1),
        }
    }

    #[test]
    fn only_its_owner_may_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        file().write(folder.path()).unwrap();
        file().write(folder.path()).unwrap();
        let mode = fs::metadata(DevFile::path(folder.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = DevFile::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.port(), Some(8700));
        assert!(!format!("{read:?}").contains("canary"));
    }

    #[test]
    fn a_folder_without_a_running_server_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let never = DevFile::of_running(folder.path()).unwrap_err().to_string();
        assert!(never.contains("ever ran"), "{never}");
        // Nobody listens on port 1: the process of that pid was killed.
        file().write(folder.path()).unwrap();
        let killed = DevFile::of_running(folder.path()).unwrap_err().to_string();
        assert!(killed.contains("is running"), "{killed}");
    }
}
