//! Nothing secret appears anywhere (S-07): recognisable values of every kind of secret go through the real binary, and
//! every output is searched for each of them. And the process itself: what it prints, how it stops, what it keeps.

pub mod process;
mod search;
mod story;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_fakes::provider::Reply;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{MINE, OURS};
use http::Method;
use serde_json::{Value, json};

use process::{Server, run};
use story::{CLIENT_SECRET, HOST_SECRETS, Story};

/// Where a secret may be, and has to be found: with its owner, in the address that carries it by its nature, or in the one
/// file that holds it. Whatever is not listed is clean.
const EXPECTED: &[(&str, &str)] = &[
    // The link is made for whoever asks for it; the page repeats it in its form's address and ties a cookie and a hidden
    // value to it.
    ("answer: connect link", "ticket"),
    ("answer: handshake page", "ticket"),
    ("answer: handshake page", "ticket cookie"),
    ("answer: handshake page", "form token"),
    ("url: handshake page", "ticket"),
    ("url: departure", "ticket"),
    // To the provider: the state in the address, the cookie beside it.
    ("answer: departure", "state"),
    ("answer: departure", "flow cookie"),
    // Back from the provider (RFC 6749 section 4.1.2). Nothing of it is in the answer.
    ("url: callback", "code"),
    ("url: callback", "state"),
    // Redirect mode: in the fragment, which no server sees.
    ("answer: callback", "completion"),
    // Stored as it is; useless without the code, which is never stored.
    ("file: table", "PKCE verifier"),
    // Who is connected is shown to the account's owner, and kept for that.
    ("answer: status", "account e-mail"),
    ("answer: list", "account e-mail"),
    ("answer: complete", "account e-mail"),
    ("answer: api", "account e-mail"),
    ("file: table", "account e-mail"),
    // `admins` of the widget's definition.
    ("file: table", "administrator's e-mail"),
    // How commands find and may use the server: its owner's file.
    ("file: dev.json", "access key"),
    // What the command is for.
    ("command: token", "minted caller JWT"),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_appears_anywhere() {
    let (mut story, server) = Story::begin().await;
    seed(&mut story);
    good_days(&mut story).await;
    bad_days(&mut story).await;
    last_days(&mut story).await;

    let ended = server.stop("TERM");
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        format!("ready {}\n", story.base_url)
    );
    let lines = String::from_utf8_lossy(&ended.stderr)
        .lines()
        .filter(|line| line.starts_with('{'))
        .count();
    assert!(lines > 50, "the log was not read: {lines} lines");
    story.search.sink("stdout", ended.stdout);
    story.search.sink("stderr", ended.stderr);
    files(&mut story);
    for issued in story.provider.issued_secrets() {
        let kind = match issued.split('-').nth(1) {
            Some("code") => "code",
            Some("access") => "access token",
            _ => "refresh token",
        };
        story.search.secret(kind, issued);
    }
    for (kind, least) in [
        ("host secret", 2),
        ("client secret", 1),
        ("keyring key", 8),
        ("access key", 1),
        ("caller JWT", 8),
        ("ticket", 6),
        ("ticket cookie", 3),
        ("form token", 3),
        ("state", 6),
        ("flow cookie", 6),
        ("PKCE verifier", 6),
        ("code", 4),
        ("access token", 6),
        ("refresh token", 6),
        ("completion", 2),
    ] {
        assert!(
            story.search.known(kind) >= least,
            "{kind}: {}",
            story.search.known(kind)
        );
    }
    let found = story.search.found();
    let expected: BTreeSet<(String, &str)> = EXPECTED
        .iter()
        .map(|(sink, kind)| ((*sink).to_owned(), *kind))
        .collect();
    let leaks: Vec<_> = found.difference(&expected).collect();
    assert!(
        leaks.is_empty(),
        "secrets where they must not be: {leaks:#?}"
    );
    // A search that does not find what is there proves nothing.
    let missed: Vec<_> = expected.difference(&found).collect();
    assert!(missed.is_empty(), "expected and not found: {missed:#?}");
}

/// What is secret before anything happens.
fn seed(story: &mut Story) {
    for secret in HOST_SECRETS {
        story.search.secret("host secret", secret);
    }
    story.search.secret("client secret", CLIENT_SECRET);
    let data = story.data();
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(data.join(name)).unwrap()).unwrap()
    };
    let secrets = read("secrets.json");
    for (name, secret) in secrets.as_object().unwrap() {
        let value: Value = serde_json::from_str(secret["value"].as_str().unwrap()).unwrap();
        for (_, key) in value["keys"].as_object().into_iter().flatten() {
            assert!(name.starts_with("consulate/keys/"), "{name}");
            let key = key.as_str().unwrap();
            story.search.secret("keyring key", key);
            story
                .search
                .secret("keyring key", STANDARD.decode(key).unwrap());
        }
    }
    story.search.secret(
        "access key",
        read("dev.json")["access_key_id"].as_str().unwrap(),
    );
    story
        .search
        .secret("caller's e-mail", "canary.ada@mail.example");
    story
        .search
        .secret("caller's e-mail", "canary.bob@mail.example");
    story
        .search
        .secret("administrator's e-mail", "it@example.com");
    story.search.secret("account e-mail", "ada@acme.example");
    story.search.secret("provider's words", PROVIDERS_WORDS);
}

const PROVIDERS_WORDS: &str = "canary-what-the-provider-said-0123456789";

async fn good_days(story: &mut Story) {
    let ada = story.jwt("ada", "canary.ada@mail.example", HOST_SECRETS[0]);
    story.api(&ada, "whoAmI", json!({})).await.expect(424);
    story.connect(&ada, MINE).await;
    for _ in 0..2 {
        for name in ["whoAmI", "echoAll", "leak", "text", "cookie", "redirect"] {
            story.api(&ada, name, json!({})).await.expect(200);
        }
        for form in ["raw", "base64", "base64url", "percent"] {
            story
                .api(&ada, "leak", json!({"form": form}))
                .await
                .expect(200);
        }
        story
            .api(&ada, "echo", json!({"path": "a", "q": "b"}))
            .await
            .expect(200);
        story
            .api(&ada, "create", json!({"list": "a", "title": "b"}))
            .await
            .expect(200);
        story.expire().await;
    }
    assert!(story.provider.seen().refreshes >= 1);
    let admin = story.jwt("admin", "it@example.com", HOST_SECRETS[1]);
    story.connect(&admin, OURS).await;
    story.api(&admin, "ourEcho", json!({})).await.expect(200);
    // Redirect mode, to the end.
    let bob = story.jwt("bob", "canary.bob@mail.example", HOST_SECRETS[0]);
    let completion = story.reach_completion(&bob, MINE).await;
    story.complete(&bob, MINE, &completion).await.expect(200);
    story.api(&bob, "whoAmI", json!({})).await.expect(200);
    let minted = story.command(
        &[
            "token",
            "--widget",
            "notes",
            "--user",
            "u",
            "--organisation",
            "o1",
        ],
        "",
    );
    story.search.secret("minted caller JWT", minted.trim());
    story.command(&["passports", "list"], "");
    let bundle = story.folder.path().join("bundle");
    story.command(&["import", bundle.to_str().unwrap()], "");
}

async fn bad_days(story: &mut Story) {
    let ada = story.jwt("ada", "canary.ada@mail.example", HOST_SECRETS[0]);
    let bob = story.jwt("bob", "canary.bob@mail.example", HOST_SECRETS[1]);
    let forged = story.jwt(
        "ada",
        "canary.ada@mail.example",
        "canary-another-secret-0123456789",
    );
    story.api(&forged, "whoAmI", json!({})).await.expect(401);
    story
        .api(&format!("{ada}x"), "whoAmI", json!({}))
        .await
        .expect(401);
    story
        .api(&ada, "echo", json!({"path": {"a": 1}}))
        .await
        .expect(422);
    // The wrong person comes back: the completion is burnt.
    let completion = story.reach_completion(&bob, MINE).await;
    story.complete(&ada, MINE, &completion).await.expect(403);
    story.complete(&bob, MINE, &completion).await.expect(410);
    // A link that is opened twice; a refused consent; a callback without its cookie, and one that is repeated.
    let mut browser = Browser::default();
    let authorize = story.depart(&mut browser, &ada, MINE, "redirect").await;
    story.come_back(&mut browser, &authorize, "deny").await;
    let authorize = story.depart(&mut browser, &ada, MINE, "popup").await;
    browser.clear_cookies();
    let state = consulate_flows::walk::query(&authorize, "state").unwrap();
    let callback = format!(
        "{}/v1/callback/notes.test-cloud?code=guessed&state={state}",
        story.base_url
    );
    for _ in 0..2 {
        story
            .open(&mut browser, "callback", &callback, From::ElsewhereTopLevel)
            .await;
    }
    // The provider misbehaves, and says what must not be repeated.
    let words = json!({"error": "invalid_grant", "error_description": PROVIDERS_WORDS, "x": PROVIDERS_WORDS}).to_string();
    for (status, kind) in [(503, "application/json"), (403, "text/html")] {
        story.expire().await;
        story
            .provider
            .script_token(Reply::Status(status, words.clone(), kind.to_owned()));
        let user = if status == 503 { &ada } else { &bob };
        story.api(user, "whoAmI", json!({})).await;
    }
    let mut browser = Browser::default();
    let authorize = story.depart(&mut browser, &ada, MINE, "popup").await;
    story.provider.script_token(Reply::Status(
        400,
        words.clone(),
        "application/json".to_owned(),
    ));
    story.come_back(&mut browser, &authorize, "allow").await;
    story.connect(&ada, MINE).await;
    // The provider refuses our client, with its secret in hand.
    story.expire().await;
    story.register("another");
    story.api(&ada, "whoAmI", json!({})).await.expect(503);
    story.register(CLIENT_SECRET);
    story.api(&ada, "whoAmI", json!({})).await.expect(503);
}

async fn last_days(story: &mut Story) {
    let ada = story.jwt("ada", "canary.ada@mail.example", HOST_SECRETS[0]);
    story.provider.script_revoke(Reply::Status(
        503,
        PROVIDERS_WORDS.to_owned(),
        "text/plain".to_owned(),
    ));
    let receipt = story.disconnect(&ada, MINE).await.expect(200).json();
    assert_eq!(receipt["revocation"]["result"], "pending");
    let receipt = story.disconnect(&ada, MINE).await.expect(200).json();
    assert_eq!(receipt["revocation"]["result"], "revoked");
    story.api(&ada, "whoAmI", json!({})).await.expect(424);
    story
        .widget("list", Method::GET, "connections", &ada, &Value::Null)
        .await
        .expect(200);
    // Again, so that the table's file ends with a grant in it; and with a flow under way.
    story.connect(&ada, MINE).await;
    story
        .depart(&mut Browser::default(), &ada, MINE, "popup")
        .await;
}

/// Every file of the data folder but the one that holds the secrets.
fn files(story: &mut Story) {
    let entries = std::fs::read_dir(story.data()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.iter().any(|name| name == "table.sqlite"), "{names:?}");
    for name in names.into_iter().filter(|name| name != "secrets.json") {
        let content = std::fs::read(story.data().join(&name)).unwrap();
        // The table's journal is the table.
        let sink = if name.starts_with("table.sqlite") {
            "table"
        } else {
            &name
        };
        story.search.sink(format!("file: {sink}"), content);
    }
}

#[track_caller]
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_goes_on_where_it_was() {
    let (mut story, server) = Story::begin().await;
    let ada = story.jwt("ada", "ada@mail.example", HOST_SECRETS[0]);
    story.connect(&ada, MINE).await;
    let data = story.data();
    for name in ["secrets.json", "dev.json"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&data), 0o700);

    let second = run(
        &[
            "dev",
            "--no-demo",
            "--port",
            "0",
            "--data-dir",
            data.to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains(&format!("process {}", server.id())), "{told}");
    // The first one was not disturbed.
    story.api(&ada, "whoAmI", json!({})).await.expect(200);

    let ended = server.stop("TERM");
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        format!("ready {}\n", story.base_url)
    );

    story.expire().await;
    let allow = story
        .provider
        .base_url()
        .trim_start_matches("http://")
        .to_owned();
    let again = Server::start(&data, &["--no-demo", "--allow", &allow]);
    assert_eq!(
        again.base_url, story.base_url,
        "providers know this address"
    );
    let refreshes = story.provider.seen().refreshes;
    let envelope = story
        .api(&ada, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(story.provider.seen().refreshes, refreshes + 1);
    for name in ["secrets.json", "dev.json"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(again.stop("INT").code, Some(0));
}

/// With the demo: its host secret, its provider's client secret and the keyrings are in one file.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_keeps_its_secrets_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--port", "0"]);
    let page = consulate_flows::wire::Wire::default()
        .call(Method::GET, &server.base_url, &[], "")
        .await;
    let ended = server.stop("TERM");
    assert_eq!(ended.code, Some(0));
    let mut search = search::Search::default();
    let secrets: Value =
        serde_json::from_slice(&std::fs::read(data.join("secrets.json")).unwrap()).unwrap();
    for secret in secrets.as_object().unwrap().values() {
        let value: Value = serde_json::from_str(secret["value"].as_str().unwrap()).unwrap();
        let texts = value["host_secrets"].as_array().into_iter().flatten();
        let texts = texts.chain(
            value["keys"]
                .as_object()
                .into_iter()
                .flat_map(|keys| keys.values()),
        );
        for text in texts.chain(value.get("client_secret")) {
            search.secret("secret", text.as_str().unwrap());
        }
    }
    assert!(search.known("secret") >= 6);
    search.sink("page", page.body);
    search.sink("stdout", ended.stdout);
    search.sink("stderr", ended.stderr);
    for entry in std::fs::read_dir(&data).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        search.sink(name.clone(), std::fs::read(data.join(name)).unwrap());
    }
    let found: Vec<_> = search.found().into_iter().map(|(sink, _)| sink).collect();
    assert_eq!(found, ["secrets.json"]);
}
