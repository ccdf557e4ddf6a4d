//! An operator's own entries of the catalogue, added by the command; passports made of them, a widget bound to those, and a
//! running `consulate dev` where [`Acme`] stands in for the entries' public addresses.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use consulate::dev::{Options, Running, start};
use consulate::operator::arguments::Arguments;
use consulate::operator::report::{Outcome, Report};
use consulate::operator::target::Target;
use consulate::operator::{run, set_secret};
use consulate_core::clock::Clock;
use consulate_core::custody::{Answer as Said, Event};
use consulate_core::secret::SecretText;
use consulate_custodian as custodian;
use consulate_fakes::qrvey::{Qrvey, Settings};
use consulate_fakes::serve::Served;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::acme::{API, Acme, CLIENT_ID, LOGIN, MOVED};
use crate::bundle::ORIGIN;
use crate::qrvey::{API_KEY, DOMAIN};
use crate::stack::{HOST_SECRET, sign};
use crate::wire::{Answer, Wire};

/// The widget's id.
pub const WIDGET: &str = "desk";
/// The secret of the machine's client.
pub const CLIENT_SECRET: &str = "machine-secret/with+odd:characters%";
/// Entry, passport and authentication each: a key in the header `X-Api-Key`.
pub const HEADER: &str = "acme-header";
/// A key in the query parameter `key`.
pub const QUERY: &str = "acme-query";
/// A user name and password.
pub const BASIC: &str = "acme-basic";
/// Client credentials; the organisation's.
pub const MACHINE: &str = "acme-machine";
/// A key, the organisation's.
pub const SHARED: &str = "acme-shared";
/// OAuth, by consent.
pub const CONSENT: &str = "acme-consent";
/// An authentication that is bound to no passport.
pub const LOOSE: &str = "acme-loose";

/// The entries, as an operator writes them.
pub const ENTRIES: &str = include_str!("acme.toml");

/// Everything.
pub struct Own {
    /// Consulate.
    pub dev: Running,
    /// The provider.
    pub acme: Acme,
    /// Everything logged so far.
    pub log: Arc<Mutex<Vec<String>>>,
    /// Where everything lies.
    pub folder: TempDir,
    /// A Qrvey instance, at [`crate::qrvey::DOMAIN`].
    pub qrvey: Qrvey,
    custodian: custodian::State,
    served: [Served; 2],
    wire: Wire,
}

impl Own {
    /// With [`ENTRIES`], a passport of each and the widget that uses them.
    pub async fn start() -> Self {
        Self::start_with(ENTRIES).await
    }

    /// With other entries of the same ids.
    pub async fn start_with(entries: &str) -> Self {
        let own = Self::bare().await;
        done(&own.add_providers(entries, &[]).await);
        for id in [HEADER, QUERY, BASIC, SHARED] {
            done(&own.add_passport(id, &[]).await);
        }
        for id in [MACHINE, CONSENT] {
            done(&own.add_passport(id, &["--client-id", CLIENT_ID]).await);
            own.set_client_secret(id, CLIENT_SECRET).await;
        }
        own.acme.set_client_secret(CLIENT_SECRET);
        done(&own.import().await);
        own
    }

    /// With a server and a provider, and nothing an operator has done.
    pub async fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::default();
        let clock = Clock::system();
        let (acme, acme_served) = Acme::start(&clock).await;
        let theirs = clock.clone();
        let settings = Settings {
            api_keys: vec![API_KEY.to_owned()],
            clock: Arc::new(move || theirs.now().millis()),
            ..Settings::default()
        };
        let (qrvey, qrvey_served) = Qrvey::start(settings, 0).await.unwrap();
        let served = [acme_served, qrvey_served];
        let dev = start(options(&folder, &served, &clock, &log))
            .await
            .unwrap();
        let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
        let name = format!("consulate/widgets/{WIDGET}");
        dev.secrets.put(&name, &host).unwrap();
        Self {
            custodian: custodian::State::new(&dev.foundation).unwrap(),
            dev,
            acme,
            log,
            folder,
            qrvey,
            served,
            wire: Wire::default(),
        }
    }

    /// Stops Consulate and starts it again on its folder: with nothing in memory.
    pub async fn restart(self) -> Self {
        let clock = self.dev.clock.clone();
        self.dev.stop().await.unwrap();
        let options = options(&self.folder, &self.served, &clock, &self.log);
        let dev = start(options).await.unwrap();
        Self {
            custodian: custodian::State::new(&dev.foundation).unwrap(),
            dev,
            wire: Wire::default(),
            ..self
        }
    }

    /// What `consulate ARGUMENTS --dev DIR` reports.
    pub async fn consulate(&self, arguments: &[&str]) -> Report {
        let dev = self.dev.data_dir.to_str().unwrap();
        let line = [&["consulate"], arguments, &["--dev", dev]].concat();
        let arguments = Arguments::read(line).unwrap();
        run(&arguments).await.unwrap().unwrap()
    }

    /// `consulate providers add` of a file with this content.
    pub async fn add_providers(&self, entries: &str, flags: &[&str]) -> Report {
        let file = self.folder.path().join("entries.toml");
        std::fs::write(&file, entries).unwrap();
        let file = file.to_str().unwrap().to_owned();
        self.consulate(&[&["providers", "add", &file], flags].concat())
            .await
    }

    /// `consulate passports add ID --provider ID`.
    pub async fn add_passport(&self, id: &str, flags: &[&str]) -> Report {
        let arguments = ["passports", "add", id, "--provider", id];
        self.consulate(&[&arguments, flags].concat()).await
    }

    /// `consulate secret set passports/ID`.
    pub async fn set_client_secret(&self, id: &str, secret: &str) {
        let value = SecretText::new(json!({"client_secret": secret}).to_string());
        let name = format!("passports/{id}");
        done(&set_secret(&self.dev.target, &name, &value).await.unwrap());
    }

    /// Imports the widget, each authentication but one bound to the passport of its name.
    pub async fn import(&self) -> Report {
        self.import_as(WIDGET, "acme").await
    }

    /// The same as another widget, under another host: by the same passports.
    pub async fn import_as(&self, widget: &str, host: &str) -> Report {
        let bundle = self.folder.path().join("bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        let (schema, mut consulate) = bundle_documents();
        consulate["widget"] = widget.into();
        consulate["host"]["id"] = host.into();
        std::fs::write(bundle.join("schema.json"), schema.to_string()).unwrap();
        std::fs::write(bundle.join("consulate.json"), consulate.to_string()).unwrap();
        std::fs::write(bundle.join("widget.html"), "<!doctype html>").unwrap();
        let mut arguments = vec!["import".to_owned(), bundle.to_str().unwrap().to_owned()];
        for id in [HEADER, QUERY, BASIC, MACHINE, SHARED, CONSENT] {
            arguments.extend(["--bind".to_owned(), format!("{id}={id}")]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.consulate(&arguments).await
    }

    /// A caller JWT of somebody in `o1`, good for five minutes from now.
    pub fn jwt(&self, user: &str) -> String {
        self.jwt_of(user, "o1")
    }

    /// A caller JWT of anybody. `admin` is an administrator in `o1`, `boss` in `o2`.
    pub fn jwt_of(&self, user: &str, organisation: &str) -> String {
        let exp = self.dev.clock.now().seconds() + 300;
        let claims =
            json!({"exp": exp, "user": {"id": user}, "organisation": {"id": organisation}});
        sign(&claims, HOST_SECRET)
    }

    /// Calls a widget route, `path` behind `/v1/widgets/desk/`.
    pub async fn widget(&self, method: Method, path: &str, jwt: &str, body: String) -> Answer {
        self.widget_of(WIDGET, method, path, jwt, body).await
    }

    /// Calls a route of any widget.
    pub async fn widget_of(
        &self,
        widget: &str,
        method: Method,
        path: &str,
        jwt: &str,
        body: String,
    ) -> Answer {
        let url = format!("{}/v1/widgets/{widget}/{path}", self.dev.base_url);
        let bearer = format!("Bearer {jwt}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.wire.call(method, &url, &headers, body).await
    }

    /// Types a credential.
    pub async fn put(&self, jwt: &str, auth_key: &str, typed: &Value) -> Answer {
        let path = format!("connections/{auth_key}");
        self.widget(Method::PUT, &path, jwt, typed.to_string())
            .await
    }

    /// Types a credential of `user`'s, which must be taken: answers the status.
    pub async fn connected(&self, user: &str, auth_key: &str, typed: &Value) -> Value {
        let status = self.put(&self.jwt(user), auth_key, typed).await;
        let status = status.expect(200).json();
        assert_eq!(status["status"], "connected", "{status}");
        status
    }

    /// Calls the API `echo` of an authentication.
    pub async fn echo(&self, user: &str, auth_key: &str, params: Value) -> Answer {
        let body = json!({ "params": params }).to_string();
        let path = format!("apis/{auth_key}-echo");
        self.widget(Method::POST, &path, &self.jwt(user), body)
            .await
    }

    /// Status of a connection.
    pub async fn status(&self, user: &str, auth_key: &str) -> Value {
        self.status_of(&self.jwt(user), auth_key).await
    }

    /// Status of a connection, for anybody.
    pub async fn status_of(&self, jwt: &str, auth_key: &str) -> Value {
        let path = format!("connections/{auth_key}");
        let status = self.widget(Method::GET, &path, jwt, String::new()).await;
        status.expect(200).json()
    }

    /// Disconnects: answers the receipt.
    pub async fn disconnect(&self, user: &str, auth_key: &str) -> Value {
        let path = format!("connections/{auth_key}");
        self.widget(Method::DELETE, &path, &self.jwt(user), String::new())
            .await
            .expect(200)
            .json()
    }

    /// Asks the custodian directly, as whoever may invoke it can.
    pub async fn ask(&self, event: Event) -> Said {
        custodian::run(&self.custodian, event, "test").await
    }

    /// How often the custodian was invoked.
    pub fn invocations(&self) -> u64 {
        let name = &self.dev.foundation.config.custodian;
        self.dev.functions.invocations(name)
    }

    /// How often the token endpoint was asked.
    pub fn token_calls(&self) -> usize {
        self.acme.seen_at("/oauth/token").len()
    }

    /// Lets `seconds` pass, for Consulate and the provider alike.
    pub fn wait(&self, seconds: i64) {
        self.dev.clock.advance_millis(seconds * 1000);
    }

    /// Every item of the table, by partition key.
    pub async fn items(&self) -> Items {
        items(&self.dev.target).await
    }

    /// The items of connections: rows and details.
    pub async fn connections(&self) -> Items {
        connections(&self.dev.target).await
    }

    /// Where `secret` lies in plain sight, or in a thin disguise: the log, and every file but the one of Secrets Manager.
    pub fn leaks(&self, secret: &str) -> Vec<String> {
        let mut outputs = vec![("log".to_owned(), self.log.lock().unwrap().join("\n").into())];
        for entry in std::fs::read_dir(&self.dev.data_dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("secrets.json") {
                let content = std::fs::read(&path).unwrap();
                outputs.push((path.display().to_string(), content));
            }
        }
        assert!(
            outputs
                .iter()
                .any(|(name, _)| name.contains("table.sqlite"))
        );
        outputs.retain(|(_, content)| reveals(content, secret));
        outputs.into_iter().map(|(name, _)| name).collect()
    }
}

/// The table.
pub type Items = BTreeMap<String, HashMap<String, AttributeValue>>;

/// Every item of a table, by partition key.
pub async fn items(target: &Target) -> Items {
    let scan = target.dynamodb.scan().table_name(&target.table);
    let scan = scan.consistent_read(true).send().await.unwrap();
    assert!(scan.last_evaluated_key().is_none(), "more than one page");
    let items = scan.items().iter();
    items
        .map(|item| (item["pk"].as_s().unwrap().clone(), item.clone()))
        .collect()
}

/// The items of connections: rows and details.
pub async fn connections(target: &Target) -> Items {
    let mut items = items(target).await;
    items.retain(|pk, _| pk.starts_with("CONNECTION#") || pk.starts_with("DETAILS#"));
    items
}

/// Asserts that a command did what it was asked to.
#[track_caller]
pub fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
}

/// Whether `secret` stands in `content`, in plain sight or in a thin disguise.
pub fn reveals(content: &[u8], secret: &str) -> bool {
    let mut forms = forms(secret).into_iter();
    forms.any(|form| content.windows(form.len()).any(|part| part == form))
}

/// Raw, as JSON text, percent-encoded, hexadecimal, and Base64 at each place where it can begin within something longer.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    assert!(secret.len() >= 12, "{secret} would be found by chance");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let json = json!(secret).to_string();
    let mut forms: Vec<Vec<u8>> = [
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        hex.to_uppercase(),
        hex,
        form,
        percent.to_string(),
    ]
    .map(String::into_bytes)
    .to_vec();
    for before in 0..3_usize {
        let shifted = [&vec![0; before], secret.as_bytes()].concat();
        // What the neighbours have a part in is left out at both ends.
        let (first, last) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&shifted).as_bytes()[first..last].to_vec());
        }
    }
    forms
}

fn options(
    folder: &TempDir,
    [acme, qrvey]: &[Served; 2],
    clock: &Clock,
    log: &Arc<Mutex<Vec<String>>>,
) -> Options {
    let kept = log.clone();
    let mut options = Options::new(folder.path().join("data"));
    options.demo = false;
    options.schedule = false;
    options.port = Some(0);
    options.clock = clock.clone();
    options.stand_ins = [API, LOGIN, MOVED]
        .map(|host| (host.to_owned(), acme.addr.port()))
        .to_vec();
    let qrvey_host = DOMAIN.trim_start_matches("https://").to_owned();
    options.stand_ins.push((qrvey_host, qrvey.addr.port()));
    options.listener = Some(Arc::new(move |line: &str| {
        crate::contract::check(line);
        kept.lock().unwrap().push(line.to_owned())
    }));
    options
}

/// `schema.json` and `consulate.json`.
fn bundle_documents() -> (Value, Value) {
    let all = [HEADER, QUERY, BASIC, MACHINE, SHARED, CONSENT, LOOSE];
    let provider = |id: &str| if id == LOOSE { HEADER } else { id }.to_owned();
    let authentications = all.map(|id| {
        json!({"label": id, "authenticationType": "passport", "authKey": id,
               "metadata": {"passportProvider": provider(id)}})
    });
    let apis = all.map(|id| {
        json!({"label": id, "name": format!("{id}-echo"), "method": "GET", "authenticationKey": id,
               "url": format!("https://{API}/v1/echo")})
    });
    let owners = all.map(|id| {
        let owner = if [MACHINE, SHARED].contains(&id) {
            "organisation"
        } else {
            "user"
        };
        (id.to_owned(), json!({ "owner": owner }))
    });
    let owners: serde_json::Map<String, Value> = owners.into_iter().collect();
    let schema =
        json!({"name": "Desk", "authentications": authentications, "authenticatedApis": apis});
    let consulate = json!({
        "widget": WIDGET, "host": {"type": "happeo", "id": "acme"}, "origins": [ORIGIN],
        "admins": [{"organisation": "o1", "user": "admin"}, {"organisation": "o2", "user": "boss"}],
        "authentications": owners,
        "settings": {"user": true, "organisation": "admins"},
        "qrvey": {"sales": {
            "domain": DOMAIN, "userid": "izfZIkc", "appid": "59VShVtjM", "clientid": "{user.id}", "orgId": "{organisation.id}",
        }},
    });
    (schema, consulate)
}
