//! Real processes: `consulate dev` is killed with SIGKILL again and again while many people call through it. What it loses is
//! counted, and is only what nobody can save: a process that dies between the provider's answer and its first write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use consulate_core::clock::Clock;
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Reply, Settings};
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT, WIDGET};
use consulate_flows::stack::{form_token, sign};
use consulate_flows::wire::{Answer, Wire};
use http::Method;
use serde_json::{Value, json};

use crate::canaries::process::{Server, run};

const PEOPLE: usize = 24;
const KILLS: usize = 8;
const HOST_SECRET: &str = "host-secret-of-the-killed-process-01";
/// So that every call soon finds its token ended.
const ACCESS_SECONDS: u64 = 2;
/// From the provider's work to its answer: where a death loses a grant.
const ANSWER_TAKES: Duration = Duration::from_millis(40);

fn jwt(user: &str) -> String {
    let exp = Clock::system().now().seconds() + 300;
    let claims = json!({"exp": exp, "user": {"id": user}, "organisation": {"id": "o1"}});
    sign(&claims, HOST_SECRET)
}

struct World {
    base_url: String,
    provider_url: String,
    wire: Wire,
}

impl World {
    async fn widget(&self, method: Method, path: &str, user: &str, body: &str) -> Option<Answer> {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.base_url);
        let bearer = format!("Bearer {}", jwt(user));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.wire
            .try_call(method, &url, &headers, body.to_owned())
            .await
    }

    async fn connect(&self, user: &str) {
        let path = format!("connections/{MINE}/connect");
        let asked = self
            .widget(Method::POST, &path, user, r#"{"mode":"popup"}"#)
            .await;
        let link = asked.unwrap().expect(201).json()["connect_url"].clone();
        let link = link.as_str().unwrap();
        let mut browser = Browser::default();
        let page = browser.get(link, From::Here).await.expect(200).text();
        let token = form_token(&page);
        let caller = jwt(user);
        let fields = [("caller_jwt", caller.as_str()), ("form_token", &token)];
        let to_provider = browser.post_form(link, From::Here, &fields).await;
        let authorize = to_provider.expect(303).header("location").to_owned();
        let page = browser.get(&authorize, From::ElsewhereTopLevel).await;
        let page = page.expect(200).text();
        let consent = consulate_fakes::provider::consent_id(&page).unwrap();
        let fields = [
            ("consent", consent),
            ("account", "acme-1815"),
            ("decision", "allow"),
        ];
        let url = format!("{}/consent", self.provider_url);
        let back = browser
            .post_form(&url, From::Here, &fields)
            .await
            .expect(303);
        let callback = back.header("location").to_owned();
        browser
            .get(&callback, From::ElsewhereTopLevel)
            .await
            .expect(303);
    }

    /// `ok`, or the code and reason of the problem, or `unreachable`.
    async fn call(&self, user: &str) -> String {
        let answer = self.widget(Method::POST, "apis/whoAmI", user, "{}").await;
        match answer {
            None => "unreachable".to_owned(),
            Some(answer) if answer.status == 200 => "ok".to_owned(),
            Some(answer) => {
                let problem = answer.json();
                let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
                format!("{} {}", text("code"), text("reason"))
                    .trim()
                    .to_owned()
            }
        }
    }
}

fn start(folder: &Path, allow: &str, bundle: &str) -> Server {
    let flags = ["--no-demo", "--allow", allow, "--import", bundle];
    // The port of the last run, so that the redirect URI stays.
    Server::start(folder, &flags)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_again_and_again_under_load_loses_only_what_nobody_can_save() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new("http://127.0.0.1:0");
    settings.access_seconds = ACCESS_SECONDS;
    let (provider, served) = Provider::start(settings, 0).await.unwrap();
    let bundle = Bundle::new(&served.url()).write(&folder.path().join("bundle"));
    let (bundle, allow) = (bundle.to_str().unwrap(), served.addr.to_string());
    let data = folder.path().join("data");
    let mut server = Server::start(
        &data,
        &[
            "--no-demo",
            "--port",
            "0",
            "--allow",
            &allow,
            "--import",
            bundle,
        ],
    );
    let world = Arc::new(World {
        base_url: server.base_url.clone(),
        provider_url: served.url(),
        wire: Wire::default(),
    });
    provider.register(Client {
        id: "test-client".to_owned(),
        secret: Some("client-secret".to_owned()),
        authentication: ClientAuthentication::Basic,
        redirect_uris: vec![format!("{}/v1/callback/{PASSPORT}", world.base_url)],
    });
    let dev = data.to_str().unwrap();
    for (name, value) in [
        (
            format!("widgets/{WIDGET}"),
            json!({"host_secrets": [HOST_SECRET]}),
        ),
        (
            format!("passports/{PASSPORT}"),
            json!({"client_secret": "client-secret"}),
        ),
    ] {
        let set = run(&["secret", "set", &name, "--dev", dev], &value.to_string());
        assert!(
            set.status.success(),
            "{}",
            String::from_utf8_lossy(&set.stderr)
        );
    }
    let people: Vec<String> = (0..PEOPLE)
        .map(|number| format!("person-{number}"))
        .collect();
    for person in &people {
        world.connect(person).await;
    }
    for _ in 0..20_000 {
        provider.script_token(Reply::ProcessThenSlow(ANSWER_TAKES));
    }

    let (over, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let load: Vec<_> = people
        .iter()
        .map(|person| {
            let (world, person) = (world.clone(), person.clone());
            let (over, calls) = (over.clone(), calls.clone());
            tokio::spawn(async move {
                let mut said = BTreeMap::<String, u64>::new();
                while !over.load(Ordering::Relaxed) {
                    *said.entry(world.call(&person).await).or_default() += 1;
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                said
            })
        })
        .collect();
    for kill in 0..KILLS {
        // At another point of a token's life each time.
        tokio::time::sleep(Duration::from_millis(1_500 + 137 * kill as u64)).await;
        let ended = tokio::task::spawn_blocking(move || server.stop("KILL")).await;
        assert_eq!(ended.unwrap().code, None);
        let (data, allow, bundle) = (data.clone(), allow.clone(), bundle.to_owned());
        let started = tokio::task::spawn_blocking(move || start(&data, &allow, &bundle)).await;
        server = started.unwrap();
        assert_eq!(server.base_url, world.base_url);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    over.store(true, Ordering::Relaxed);
    let mut said = BTreeMap::<String, u64>::new();
    for person in load {
        for (what, times) in person.await.unwrap() {
            *said.entry(what).or_default() += times;
        }
    }

    // Quiet: what can be recovered is.
    let mut ends = BTreeMap::<String, usize>::new();
    for person in &people {
        let until = Instant::now() + Duration::from_secs(30);
        let end = loop {
            let end = world.call(person).await;
            let is_final = end == "ok" || end.starts_with("authentication_required");
            if is_final || Instant::now() > until {
                break end;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        *ends.entry(end).or_default() += 1;
    }
    let seen = provider.seen();
    println!(
        "{KILLS} kills, {} calls {said:?}, {} refreshes, {} replays at the provider, {PEOPLE} connections ended as {ends:?}",
        calls.load(Ordering::Relaxed),
        seen.refreshes,
        seen.reuse_detected,
    );
    // Conservation: everybody is connected, or was told why not.
    let lost = ends
        .get("authentication_required rotation_lost")
        .copied()
        .unwrap_or(0);
    let connected = ends.get("ok").copied().unwrap_or(0);
    assert_eq!(connected + lost, PEOPLE, "{ends:?}");
    // Nobody is lost but by a recovery whose token the provider refused as spent. One that was killed too presents it again,
    // which ends no family a second time.
    assert_eq!(seen.families_ended, lost as u64);
    assert!(seen.reuse_detected >= seen.families_ended);
    assert!(seen.refreshes > PEOPLE as u64, "{}", seen.refreshes);
    let _stopped: Value = json!(server.stop("TERM").code);
}
