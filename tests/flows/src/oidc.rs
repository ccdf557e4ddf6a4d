//! npm's oidc-provider as a child process: an authorization server nobody here wrote.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::wire::Wire;

/// The child. It ends when this is dropped.
pub struct Oidc {
    /// `http://127.0.0.1:PORT`.
    pub issuer: String,
    /// Address of the API behind its access tokens.
    pub api: String,
    wire: Wire,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: ChildStdin,
    _child: Child,
}

impl Oidc {
    /// Starts it with this configuration (`tests/node/oidc-provider.mjs` says what it takes). Needs `npm ci` in `tests/node`.
    pub async fn start(config: &Value) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../node");
        let mut child = Command::new("node")
            .arg("oidc-provider.mjs")
            .current_dir(&folder)
            .env("OIDC_CONFIG", config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("node is needed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("oidc-provider ended: run `npm ci` in tests/node");
        let ready: Value = serde_json::from_str(line.strip_prefix("ready ").unwrap()).unwrap();
        Self {
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
            api: ready["api"].as_str().unwrap().to_owned(),
            wire: Wire::default(),
            lines,
            stdin: child.stdin.take().unwrap(),
            _child: child,
        }
    }

    /// Registers clients, once, where the configuration named none: a redirect URI often needs this provider's address
    /// first.
    pub async fn register(&mut self, clients: &Value) {
        self.stdin
            .write_all(format!("{clients}\n").as_bytes())
            .await
            .unwrap();
        let line = self.lines.next_line().await.unwrap();
        assert_eq!(line.as_deref(), Some("registered"));
    }

    /// Gives it another signing key; the old one is published no longer.
    pub async fn rotate(&mut self) {
        self.stdin.write_all(b"\"rotate\"\n").await.unwrap();
        let line = self.lines.next_line().await.unwrap();
        assert_eq!(line.as_deref(), Some("rotated"));
    }

    /// What it has seen: counts by kind.
    pub async fn seen(&self) -> Value {
        let url = format!("{}/__seen", self.issuer);
        self.wire
            .call(http::Method::GET, &url, &[], "")
            .await
            .expect(200)
            .json()
    }
}
