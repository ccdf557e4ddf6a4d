//! The binary: exit codes, what goes to which stream, signals.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use consulate::operator::dev_file::DevFile;
use serde_json::{Value, json};

use crate::room::{HOST_SECRET, fixture};

fn consulate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consulate"));
    command.args(arguments);
    for name in [
        "CONSULATE_TABLE",
        "CONSULATE_BASE_URL",
        "CONSULATE_SECRETS_PREFIX",
    ] {
        command.env_remove(name);
    }
    command
}

pub fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = consulate(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended already.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
pub fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// A server in a process of its own; killed with its handle.
pub struct Server(Child);

impl Server {
    /// Started on `folder`, with more flags; answers its address too.
    pub fn start(folder: &Path, flags: &[&str]) -> (Self, String) {
        let folder = folder.to_str().unwrap();
        let mut child = consulate(&["dev", "--data-dir", folder])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base_url = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("{line:?}"))
            .trim_end();
        let server = (Self(child), base_url.to_owned());
        assert!(base_url.starts_with("http://127.0.0.1:"));
        server
    }

    pub fn signal(mut self, name: &str) -> i32 {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn misuse_is_two_findings_are_one_and_done_is_zero() {
    assert_eq!(run(&["frobnicate"], "").status.code(), Some(2));
    assert_eq!(run(&["token", "--widget", "w"], "").status.code(), Some(2));
    assert_eq!(run(&["providers"], "").status.code(), Some(0));
    assert_eq!(run(&["--help"], "").status.code(), Some(0));
    let bundle = fixture("my-saas");
    assert_eq!(
        run(&["lint", bundle.to_str().unwrap()], "").status.code(),
        Some(0)
    );
    let missing = run(&["lint", "/nowhere/at/all", "--json"], "");
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(json_of(&missing)["findings"][0]["severity"], "error");
}

#[test]
fn without_a_server_or_a_table_the_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = run(
        &[
            "passports",
            "list",
            "--dev",
            folder.path().to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(nowhere.stdout.is_empty());
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("consulate dev"));
    let nothing = run(&["passports", "list"], "");
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("CONSULATE_TABLE"));
}

#[test]
fn without_dev_the_command_uses_the_environment_as_every_aws_tool_does() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (_server, _) = Server::start(&data, &[]);
    let file = DevFile::of_running(&data).unwrap();
    let list = |access_key_id: &str| {
        consulate(&["passports", "list", "--json"])
            .envs([
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", access_key_id),
                ("AWS_SECRET_ACCESS_KEY", "any"),
                ("AWS_ENDPOINT_URL_DYNAMODB", &file.dynamodb),
                ("CONSULATE_TABLE", &file.table),
                ("CONSULATE_BASE_URL", "https://consulate.example.com/"),
            ])
            .output()
            .unwrap()
    };
    let listed = list(&file.access_key_id);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let redirect_uri = "https://consulate.example.com/v1/callback/demo.acme-cloud";
    assert_eq!(
        json_of(&listed)["passports"][0]["redirect_uri"],
        redirect_uri
    );
    let refused = list("somebody-else");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        json_of(&refused)["error"]
            .as_str()
            .unwrap()
            .contains("AccessDeniedException")
    );
}

#[test]
fn a_server_is_operated_by_command_line_and_stops_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // A port of its own, so that no other server takes it between the two starts.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let (server, base_url) = Server::start(&data, &["--port", &port]);
    let dev = data.to_str().unwrap();
    let bundle = fixture("my-saas");

    let second = run(&["dev", "--data-dir", dev], "");
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        told.contains(&format!("process {}", server.0.id())),
        "{told}"
    );

    let imported = run(
        &["--json", "import", bundle.to_str().unwrap(), "--dev", dev],
        "",
    );
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let redirect_uri = format!("{base_url}/v1/callback/my-saas.my-saas-connector");
    assert_eq!(
        json_of(&imported)["passports"][0]["redirect_uri"],
        redirect_uri
    );
    let secret = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let set = run(&["secret", "set", "widgets/my-saas", "--dev", dev], &secret);
    assert_eq!(set.status.code(), Some(0), "{set:?}");
    let token = [
        "token",
        "--dev",
        dev,
        "--widget",
        "my-saas",
        "--user",
        "u1",
        "--organisation",
        "o1",
    ];
    let bare = run(&token, "");
    assert_eq!(
        String::from_utf8_lossy(&bare.stdout)
            .trim()
            .split('.')
            .count(),
        3
    );
    let shaped = json_of(&run(&[&token[..], &["--json"]].concat(), ""));
    assert!(shaped["expires_at"].as_str().unwrap().ends_with('Z'));

    assert_eq!(server.signal("TERM"), 0);
    let (server, again) = Server::start(&data, &[]);
    assert_eq!(again, base_url);
    let listed = json_of(&run(&["passports", "list", "--json", "--dev", dev], ""));
    assert_eq!(
        listed["passports"].as_array().unwrap().len(),
        2,
        "the demo's and the bundle's"
    );
    assert_eq!(server.signal("INT"), 0);
}
