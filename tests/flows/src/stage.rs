//! A running `consulate dev --simulate` for one entry of the catalogue, with a widget that calls the entry's probe. The
//! functions stand on the entry's real addresses; the simulators know them from the providers' documentation alone.

use std::sync::{Arc, Mutex};

use consulate::catalogue::{Catalogue, Entry};
use consulate::dev::simulated::SimulatedPassport;
use consulate::dev::{Options, Running, start};
use consulate_core::clock::Clock;
use consulate_core::passport::Passport;
use consulate_fakes::simulators::Family;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::Browser;
use crate::bundle::ORIGIN;
use crate::consent::ADA;
use crate::stack::{HOST_SECRET, sign};
use crate::wire::{Answer, Wire};

/// The widget's id.
pub const WIDGET: &str = "trial";
/// `authKey` of its one authentication.
pub const THEIRS: &str = "theirs";

/// The stage.
pub struct Stage {
    /// Consulate.
    pub dev: Running,
    /// The entry of the catalogue.
    pub entry: Entry,
    /// The simulator of its family.
    pub family: Family,
    /// Everything logged so far.
    pub log: Arc<Mutex<Vec<String>>>,
    wire: Wire,
    folder: TempDir,
}

impl Stage {
    /// For the entry `id` of `family`, with the probe as the API `probe`.
    pub async fn set(family: &str, id: &str) -> Self {
        Self::set_with(family, id, |_, _| {}).await
    }

    /// With further APIs, or another `consulate.json`.
    pub async fn set_with(
        family: &str,
        id: &str,
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> Self {
        let catalogue = Catalogue::built_in().unwrap();
        let entry = catalogue.get(id).unwrap().clone();
        let folder = tempfile::tempdir().unwrap();
        let (mut schema, mut consulate) = bundle(&entry);
        change(&mut schema, &mut consulate);
        let bundle = folder.path().join("bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("schema.json"), schema.to_string()).unwrap();
        std::fs::write(bundle.join("consulate.json"), consulate.to_string()).unwrap();
        std::fs::write(bundle.join("widget.html"), "<!doctype html>").unwrap();

        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        let mut options = Options::new(folder.path().join("data"));
        options.demo = false;
        options.schedule = false;
        options.port = Some(0);
        options.clock = Clock::system();
        options.simulate = vec![id.to_owned()];
        options.imports = vec![bundle];
        options.listener = Some(Arc::new(move |line: &str| {
            crate::contract::check(line);
            kept.lock().unwrap().push(line.to_owned())
        }));
        let dev = start(options).await.unwrap();
        let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
        let name = format!("consulate/widgets/{WIDGET}");
        dev.secrets.put(&name, &host).unwrap();
        let simulation = dev.simulation.as_ref().unwrap();
        Self {
            family: simulation.simulators.family(family).unwrap(),
            dev,
            entry,
            log,
            wire: Wire::default(),
            folder,
        }
    }

    /// Where everything lies.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The passport that `consulate dev` made for the entry.
    pub fn simulated(&self) -> SimulatedPassport {
        let simulation = self.dev.simulation.as_ref().unwrap();
        let mut passports = simulation.passports.iter();
        let found = passports.find(|passport| passport.entry == self.entry.id);
        found.unwrap().clone()
    }

    /// The same, as the functions read it.
    pub async fn passport(&self) -> Arc<Passport> {
        let id = self.simulated().id;
        let definitions = &self.dev.foundation.definitions;
        definitions.passport(&id).await.unwrap().unwrap()
    }

    /// Lets `seconds` pass, for Consulate and the providers alike.
    pub fn wait(&self, seconds: i64) {
        self.dev.clock.advance_millis(seconds * 1000);
    }

    /// A caller JWT of `user`, good for five minutes from now.
    pub fn jwt(&self, user: &str) -> String {
        let exp = self.dev.clock.now().seconds() + 300;
        let claims = json!({"exp": exp, "user": {"id": user}, "organisation": {"id": "o1"}});
        sign(&claims, HOST_SECRET)
    }

    /// Calls a widget route as `user`, `path` behind `/v1/widgets/trial/`.
    pub async fn widget(&self, user: &str, method: Method, path: &str, body: &Value) -> Answer {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.dev.base_url);
        let bearer = format!("Bearer {}", self.jwt(user));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.wire.call(method, &url, &headers, body).await
    }

    /// Calls a named API.
    pub async fn call(&self, user: &str, api: &str, params: Value) -> Answer {
        let body = json!({ "params": params });
        self.widget(user, Method::POST, &format!("apis/{api}"), &body)
            .await
    }

    /// Calls the probe, which must succeed: answers the envelope.
    pub async fn probe(&self, user: &str) -> Value {
        let params = json!(self.entry.probe.as_ref().unwrap().params);
        self.succeed(user, "probe", params).await
    }

    /// Calls a named API, which must succeed, be it in the words of the provider's own (`"ok": false` comes with 200):
    /// answers the envelope.
    pub async fn succeed(&self, user: &str, api: &str, params: Value) -> Value {
        let envelope = self.call(user, api, params).await.expect(200).json();
        let id = &self.entry.id;
        assert_eq!(envelope["isSuccess"], true, "{id}, {api}: {envelope}");
        assert_ne!(envelope["body"]["ok"], false, "{id}, {api}: {envelope}");
        envelope
    }

    /// Status of the connection.
    pub async fn status(&self, user: &str) -> Value {
        let path = format!("connections/{THEIRS}");
        self.widget(user, Method::GET, &path, &Value::Null)
            .await
            .expect(200)
            .json()
    }

    /// Connects `user`'s account, by consent or by typing, whichever the entry is for.
    pub async fn connect(&self, user: &str) {
        let status = if self.entry.credential.is_consented() {
            self.consent(user, "allow").await;
            self.status(user).await
        } else {
            let typed = json!(self.simulated().typed);
            let path = format!("connections/{THEIRS}");
            self.widget(user, Method::PUT, &path, &typed)
                .await
                .expect(200)
                .json()
        };
        assert_eq!(status["status"], "connected", "{}: {status}", self.entry.id);
    }

    /// Goes to the provider's consent page and decides there: answers where the browser ends.
    pub async fn consent(&self, user: &str, decision: &str) -> Answer {
        let mut browser = Browser::default();
        let authorize = self.depart(&mut browser, user).await;
        let callback = self
            .decide(&mut browser, &authorize, ADA, decision, &[])
            .await;
        self.arrive(&mut browser, &callback).await
    }

    /// Disconnects: answers the receipt.
    pub async fn disconnect(&self, user: &str) -> Value {
        let path = format!("connections/{THEIRS}");
        self.widget(user, Method::DELETE, &path, &Value::Null)
            .await
            .expect(200)
            .json()
    }

    /// Every log line so far.
    pub fn log_lines(&self) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// `schema.json` and `consulate.json` of a widget that calls the entry's probe.
fn bundle(entry: &Entry) -> (Value, Value) {
    let probe = entry.probe.as_ref().unwrap();
    let api = json!({
        "label": "Probe", "name": "probe", "method": probe.method, "authenticationKey": THEIRS,
        "url": probe.url.replace("AUTHKEY", THEIRS),
    });
    let schema = json!({
        "name": "Trial",
        "authentications": [{"label": entry.name, "authenticationType": "passport", "authKey": THEIRS,
                             "metadata": {"passportProvider": entry.id}}],
        "authenticatedApis": [api],
    });
    let consulate = json!({
        "widget": WIDGET, "host": {"type": "happeo", "id": "acme"}, "origins": [ORIGIN],
        "authentications": {THEIRS: {"owner": "user"}},
    });
    (schema, consulate)
}
