//! A `consulate dev` of one test's own, and what a test looks at: the table's items, HTTP answers, bundles to change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use consulate::dev::{Options, Running, start};
use consulate::operator::arguments::ImportArguments;
use consulate::operator::report::Report;
use consulate::operator::{import, set_secret};
use consulate_core::secret::SecretText;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const HOST_SECRET: &str = "a-host-secret-of-32-characters--";

/// A server without a demo, on a folder that goes with it.
pub struct Room {
    pub running: Running,
    pub folder: TempDir,
}

impl Room {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = start(options(folder.path())).await.unwrap();
        Self { running, folder }
    }

    pub async fn import(&self, path: &Path, change: impl FnOnce(&mut ImportArguments)) -> Report {
        let mut arguments = ImportArguments {
            path: path.to_owned(),
            ..ImportArguments::default()
        };
        change(&mut arguments);
        import(&self.running.target, &arguments).await.unwrap()
    }

    pub async fn set_secret(&self, name: &str, value: &Value) -> Report {
        let value = SecretText::new(value.to_string());
        set_secret(&self.running.target, name, &value)
            .await
            .unwrap()
    }

    /// Every item of the table, by partition key, as text that compares.
    pub async fn items(&self) -> BTreeMap<String, String> {
        let target = &self.running.target;
        let scan = target
            .dynamodb
            .scan()
            .table_name(&target.table)
            .send()
            .await
            .unwrap();
        scan.items()
            .iter()
            .map(|item| {
                let sorted: BTreeMap<_, _> = item.iter().collect();
                (item["pk"].as_s().unwrap().clone(), format!("{sorted:?}"))
            })
            .collect()
    }
}

/// No demo, any port.
pub fn options(folder: &Path) -> Options {
    Options {
        port: Some(0),
        demo: false,
        schedule: false,
        ..Options::new(folder.join("data"))
    }
}

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/bundles"
    ))
    .join(name)
}

/// A copy of a fixture's JSON files, to be changed.
pub struct Bundle(TempDir);

impl Bundle {
    pub fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("passport")).unwrap();
        for file in [
            "schema.json",
            "consulate.json",
            "passport/my-saas-connector.json",
        ] {
            if fixture(name).join(file).exists() {
                std::fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
            }
        }
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Sets what is at `pointer` of `file`.
    pub fn set(&self, file: &str, pointer: &str, value: Value) {
        let path = self.path().join(file);
        let mut document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value;
        std::fs::write(path, document.to_string()).unwrap();
    }
}

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.body);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// A header's text.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    /// The cookies it sets, as a browser sends them back.
    pub fn cookies(&self) -> String {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        let pairs: Vec<&str> = set
            .filter_map(|(_, value)| value.split(';').next())
            .collect();
        pairs.join("; ")
    }
}

/// One request on a connection of its own. `host` is what the `Host` header says.
pub async fn get(base_url: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let address = base_url.strip_prefix("http://").unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n");
    exchange(address, head, headers, "").await
}

/// One request to a whole address.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let length = body.len();
    let head =
        format!("{method} /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
    exchange(address, head, headers, body).await
}

async fn exchange(
    address: &str,
    mut request: String,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("connection: close\r\n\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}
