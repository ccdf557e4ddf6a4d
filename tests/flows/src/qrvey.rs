//! A running `consulate dev` with a strict Qrvey that stands in for `https://acme.qrveyapp.com`, and a widget with templates.
//! Time can be moved; the log is kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use consulate::dev::{Options, Running, start};
use consulate::operator::arguments::ImportArguments;
use consulate::operator::import::import;
use consulate::operator::report::Report;
use consulate::operator::set_secret;
use consulate_core::clock::Clock;
use consulate_core::secret::SecretText;
use consulate_fakes::qrvey::{Qrvey, Settings};
use consulate_fakes::serve::Served;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bundle::ORIGIN;
use crate::own::done;
use crate::stack::{HOST_SECRET, sign};
use crate::wire::{Answer, Wire};

/// The widget's id.
pub const WIDGET: &str = "board";
/// The instance.
pub const DOMAIN: &str = "https://acme.qrveyapp.com";
/// Its API key.
pub const API_KEY: &str = "qrvey-api-key-of-the-acme-instance/0123456789";

/// The stack.
pub struct Board {
    /// Consulate.
    pub dev: Running,
    /// Qrvey.
    pub qrvey: Qrvey,
    /// Everything logged so far.
    pub log: Arc<Mutex<Vec<String>>>,
    /// A client.
    pub wire: Wire,
    /// Where everything lies.
    pub folder: TempDir,
    _served: Served,
}

/// The template most tests use: each sees rows of their own.
pub fn sales() -> Value {
    json!({
        "domain": DOMAIN, "userid": "izfZIkc", "appid": "59VShVtjM", "clientid": "{user.email}", "expiresIn": "10m",
        "permissions": [{"dataset_id": "sales", "record_permissions": [
            {"security_name": "owner", "values": ["{user.email}"], "validation_type": "EQUAL"}
        ]}],
    })
}

impl Board {
    /// With [`sales`].
    pub async fn start() -> Self {
        Self::with(json!({"sales": sales()})).await
    }

    /// With these templates, on the instance of the samples.
    pub async fn with(templates: Value) -> Self {
        Self::on(Settings::default(), templates).await
    }

    /// With these templates, on an instance of this kind.
    pub async fn on(settings: Settings, templates: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let theirs = clock.clone();
        let settings = Settings {
            api_keys: vec![API_KEY.to_owned()],
            clock: Arc::new(move || theirs.now().millis()),
            ..settings
        };
        let (qrvey, served) = Qrvey::start(settings, 0).await.unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        let mut options = Options::new(folder.path().join("data"));
        options.demo = false;
        options.schedule = false;
        options.port = Some(0);
        options.clock = clock;
        options.stand_ins = ["acme.qrveyapp.com", "evil.example"]
            .map(|host| (host.to_owned(), served.addr.port()))
            .to_vec();
        options.listener = Some(Arc::new(move |line: &str| {
            crate::contract::check(line);
            kept.lock().unwrap().push(line.to_owned())
        }));
        let board = Self {
            dev: start(options).await.unwrap(),
            qrvey,
            log,
            wire: Wire::default(),
            folder,
            _served: served,
        };
        done(&board.import(&board.consulate(&templates), true).await);
        for name in templates.as_object().unwrap().keys() {
            board.set_api_key(name, API_KEY).await;
        }
        let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
        let name = format!("consulate/widgets/{WIDGET}");
        board.dev.secrets.put(&name, &host).unwrap();
        board
    }

    /// `consulate.json` with these templates.
    pub fn consulate(&self, templates: &Value) -> Value {
        json!({
            "widget": WIDGET, "host": {"type": "happeo", "id": "acme"}, "origins": [ORIGIN],
            "admins": [{"organisation": "o1", "user": "admin"}, {"organisation": "o2", "user": "boss"}],
            "qrvey": templates,
        })
    }

    /// Imports a bundle with this `consulate.json`, as the command does.
    pub async fn import(&self, consulate: &Value, accept: bool) -> Report {
        let arguments = ImportArguments {
            path: self.write(consulate),
            accept,
            join_host: true,
            ..ImportArguments::default()
        };
        import(&self.dev.target, &arguments).await.unwrap()
    }

    fn write(&self, consulate: &Value) -> PathBuf {
        let bundle = self.folder.path().join("bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        let schema = json!({"name": "Board", "authentications": [], "authenticatedApis": []});
        std::fs::write(bundle.join("schema.json"), schema.to_string()).unwrap();
        std::fs::write(bundle.join("consulate.json"), consulate.to_string()).unwrap();
        std::fs::write(bundle.join("widget.html"), "<!doctype html>").unwrap();
        bundle
    }

    /// `consulate secret set qrvey/board/NAME`.
    pub async fn set_api_key(&self, template: &str, key: &str) {
        let value = SecretText::new(json!({ "api_key": key }).to_string());
        let name = format!("qrvey/{WIDGET}/{template}");
        done(&set_secret(&self.dev.target, &name, &value).await.unwrap());
    }

    /// A caller JWT of somebody in `o1`, with an e-mail, good for five minutes from now.
    pub fn jwt(&self, user: &str) -> String {
        self.jwt_of(user, "o1", Some(&format!("{user}@acme.example")))
    }

    /// A caller JWT of anybody.
    pub fn jwt_of(&self, user: &str, organisation: &str, email: Option<&str>) -> String {
        let exp = self.dev.clock.now().seconds() + 300;
        let mut claims =
            json!({"exp": exp, "user": {"id": user}, "organisation": {"id": organisation}});
        if let Some(email) = email {
            claims["user"]["primaryEmail"] = email.into();
        }
        sign(&claims, HOST_SECRET)
    }

    /// Asks for a security token.
    pub async fn ask(&self, jwt: &str, template: &str, body: &Value) -> Answer {
        self.ask_at(jwt, &format!("qrvey/{template}"), &[], body)
            .await
    }

    /// The same at any path behind `/v1/widgets/board/`, with further headers.
    pub async fn ask_at(
        &self,
        jwt: &str,
        path: &str,
        further: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.dev.base_url);
        let bearer = format!("Bearer {jwt}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(further);
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.wire.call(Method::POST, &url, &headers, body).await
    }

    /// The answer for `user`, which must be a token.
    pub async fn minted(&self, user: &str, template: &str) -> Value {
        let answer = self.ask(&self.jwt(user), template, &Value::Null).await;
        answer.expect(200).json()
    }

    /// The security token in an answer.
    pub fn token_of(answer: &Value) -> &str {
        answer["qvToken"].as_str().unwrap()
    }

    /// How often Qrvey was asked.
    pub fn calls(&self) -> usize {
        self.qrvey.calls().len()
    }

    /// Lets `seconds` pass, for Consulate and Qrvey alike.
    pub fn wait(&self, seconds: i64) {
        self.dev.clock.advance_millis(seconds * 1000);
    }

    /// The log lines of the function.
    pub fn log_lines(&self) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        let lines = log
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["function"] == "qrvey-token")
            .collect()
    }
}
