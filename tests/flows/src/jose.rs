//! npm's jose as a child process: caller JWTs made by a library that is not ours.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The child. It ends when this is dropped.
pub struct Jose {
    lines: Lines<BufReader<ChildStdout>>,
    stdin: ChildStdin,
    _child: Child,
}

impl Jose {
    /// Starts it. Needs `npm ci` in `tests/node`.
    pub fn start() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../node");
        let mut child = Command::new("node")
            .arg("sign-jwt.mjs")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("node is needed");
        Self {
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            stdin: child.stdin.take().unwrap(),
            _child: child,
        }
    }

    /// A compact JWT with exactly these claims. `secret` is for the HS algorithms; RS256 and ES256 sign with a key of the
    /// child, `none` does not sign.
    pub async fn sign(&mut self, alg: &str, secret: &str, claims: &Value) -> String {
        let request =
            json!({"alg": alg, "secret": secret, "claims": claims, "header": {"typ": "JWT"}});
        self.ask(&request).await
    }

    /// The public half of the child's key for `alg`, as PEM.
    pub async fn public_key(&mut self, alg: &str) -> String {
        let answer = self.ask(&json!({ "public_key": alg })).await;
        serde_json::from_str(&answer).unwrap()
    }

    /// A JWT signed with the child's key `key` for `alg`, with further members of its header.
    pub async fn sign_by(
        &mut self,
        alg: &str,
        key: &str,
        header: &Value,
        claims: &Value,
    ) -> String {
        let request = json!({"alg": alg, "key": key, "claims": claims, "header": header});
        self.ask(&request).await
    }

    /// The public half of the child's key `key` for `alg`, as a JWK whose `kid` is `key`.
    pub async fn jwk(&mut self, alg: &str, key: &str) -> Value {
        let answer = self.ask(&json!({"jwk": alg, "key": key})).await;
        serde_json::from_str(&answer).unwrap()
    }

    async fn ask(&mut self, request: &Value) -> String {
        let line = format!("{request}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        let answer = self.lines.next_line().await.unwrap();
        answer.expect("sign-jwt ended: run `npm ci` in tests/node")
    }
}
