//! A running `consulate dev` in a folder of its own, the fake provider beside it, the widget `notes` imported and its
//! secrets set. Time can be moved; the log is kept.

use std::sync::{Arc, Mutex};

use consulate::dev::{Options, Running, start};
use consulate::operator::arguments::ImportArguments;
use consulate::operator::import::import;
use consulate_core::clock::Clock;
use consulate_core::passport::{FormerEndpoints, Passport};
use consulate_core::table;
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Settings};
use consulate_fakes::serve::{Served, serve};
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::browser::{Browser, From};
use crate::bundle::{Bundle, MINE, PASSPORT, WIDGET};
use crate::wire::{Answer, Wire};

/// The widget's host secret.
pub const HOST_SECRET: &str = "host-secret-of-the-notes-widget-0123456789";
/// The client secret.
pub const CLIENT_SECRET: &str = "client-secret/with+odd:characters%";

/// The stack.
pub struct Stack {
    /// Consulate.
    pub dev: Running,
    /// The provider.
    pub provider: Provider,
    /// Its address.
    pub provider_url: String,
    /// Everything logged so far.
    pub log: Arc<Mutex<Vec<String>>>,
    /// A client.
    pub wire: Wire,
    /// Where everything lies.
    pub folder: TempDir,
    provider_served: Option<Served>,
}

impl Stack {
    /// With the bundle and the provider as they are.
    pub async fn start() -> Self {
        Self::start_with(|_| {}, |_| {}).await
    }

    /// With a changed bundle, or changed provider settings.
    pub async fn start_with(
        change: impl FnOnce(&mut Bundle),
        settings: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::start_all(change, settings, |_| {}).await
    }

    /// With a changed bundle, or a server started otherwise.
    pub async fn start_over(
        change: impl FnOnce(&mut Bundle),
        start_otherwise: impl FnOnce(&mut Options),
    ) -> Self {
        Self::start_all(change, |_| {}, start_otherwise).await
    }

    async fn start_all(
        change: impl FnOnce(&mut Bundle),
        settings: impl FnOnce(&mut Settings),
        start_otherwise: impl FnOnce(&mut Options),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let mut provider_settings = Settings::new("http://127.0.0.1:0");
        let provider_clock = clock.clone();
        provider_settings.clock = Arc::new(move || provider_clock.now().millis());
        settings(&mut provider_settings);
        let (provider, served) = Provider::start(provider_settings, 0).await.unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut options = options(&folder, &served.url(), clock, &log);
        options.port = Some(0);
        start_otherwise(&mut options);
        let mut bundle = Bundle::new(&served.url());
        change(&mut bundle);
        options.allow.append(&mut bundle.allow);
        options.simulate.append(&mut bundle.simulate);
        options.stand_ins.append(&mut bundle.stand_ins);
        options.imports.append(&mut bundle.imports);
        let dev = start(options).await.unwrap();
        let stack = Self {
            provider_url: served.url(),
            provider_served: Some(served),
            dev,
            provider,
            log,
            wire: Wire::default(),
            folder,
        };
        let authentication =
            match bundle.consulate["passports"]["test-cloud"]["client_authentication"].as_str() {
                Some("body") | None => ClientAuthentication::Body,
                Some("none") => ClientAuthentication::None,
                _ => ClientAuthentication::Basic,
            };
        stack.provider.register(Client {
            id: "test-client".to_owned(),
            secret: (authentication != ClientAuthentication::None)
                .then(|| CLIENT_SECRET.to_owned()),
            authentication,
            redirect_uris: vec![stack.redirect_uri()],
        });
        stack.import(&bundle).await;
        let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
        stack
            .dev
            .secrets
            .put(&format!("consulate/widgets/{WIDGET}"), &host)
            .unwrap();
        let endpoints = [
            format!("{}/token", stack.provider_url),
            format!("{}/revoke", stack.provider_url),
        ];
        let client = json!({"client_secret": CLIENT_SECRET, "endpoints": endpoints}).to_string();
        stack
            .dev
            .secrets
            .put(&format!("consulate/passports/{PASSPORT}"), &client)
            .unwrap();
        stack
    }

    /// Stops Consulate and starts it again on its folder, as a process of its own would: with nothing in memory. The
    /// provider, the log and the clock go on.
    pub async fn restart(self) -> Self {
        let Self {
            dev,
            provider,
            provider_url,
            log,
            wire: _,
            folder,
            provider_served,
        } = self;
        let clock = dev.clock.clone();
        dev.stop().await.unwrap();
        let dev = start(options(&folder, &provider_url, clock, &log))
            .await
            .unwrap();
        // Its connections went with the old process.
        Self {
            dev,
            provider,
            provider_url,
            log,
            wire: Wire::default(),
            folder,
            provider_served,
        }
    }

    /// As [`restart`](Self::restart), but ended like a killed process: nothing under way is finished.
    pub async fn crash(self) -> Self {
        let Self {
            dev,
            provider,
            provider_url,
            log,
            wire: _,
            folder,
            provider_served,
        } = self;
        let clock = dev.clock.clone();
        drop(dev);
        let dev = start(options(&folder, &provider_url, clock, &log))
            .await
            .unwrap();
        Self {
            dev,
            provider,
            provider_url,
            log,
            wire: Wire::default(),
            folder,
            provider_served,
        }
    }

    /// Closes the provider's port: connections to it are refused.
    pub fn provider_down(&mut self) {
        self.provider_served = None;
    }

    /// Opens the provider's port again.
    pub async fn provider_up(&mut self) {
        let port = url::Url::parse(&self.provider_url).unwrap().port().unwrap();
        self.provider_served = Some(serve(self.provider.router(), port).await.unwrap());
    }

    /// Imports a bundle through the command's own code, differences accepted.
    pub async fn import(&self, bundle: &Bundle) {
        let path = bundle.write(&self.folder.path().join("bundle"));
        let arguments = ImportArguments {
            path,
            widget: None,
            binds: Vec::new(),
            join_host: false,
            accept: true,
        };
        import(&self.dev.target, &arguments).await.unwrap();
    }

    /// The redirect URI of the bundled passport.
    pub fn redirect_uri(&self) -> String {
        format!("{}/v1/callback/{PASSPORT}", self.dev.base_url)
    }

    /// A caller JWT of organisation `o1`, valid for five minutes.
    pub fn jwt(&self, user: &str) -> String {
        self.jwt_of(user, "o1", None)
    }

    /// The caller JWT of an administrator of `o1`.
    pub fn admin_jwt(&self) -> String {
        self.jwt_of("admin", "o1", Some("IT@example.com"))
    }

    /// A caller JWT of any organisation.
    pub fn jwt_of(&self, user: &str, organisation: &str, email: Option<&str>) -> String {
        let exp = self.dev.clock.now().seconds() + 300;
        let mut claims =
            json!({"exp": exp, "user": {"id": user}, "organisation": {"id": organisation}});
        if let Some(email) = email {
            claims["user"]["primaryEmail"] = email.into();
        }
        sign(&claims, HOST_SECRET)
    }

    /// Calls a widget route, `path` behind `/v1/widgets/notes/`.
    pub async fn widget(&self, method: Method, path: &str, jwt: &str, body: &str) -> Answer {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.dev.base_url);
        let bearer = format!("Bearer {jwt}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.wire
            .call(method, &url, &headers, body.to_owned())
            .await
    }

    /// Calls a named API.
    pub async fn api(&self, jwt: &str, name: &str, params: serde_json::Value) -> Answer {
        let body = json!({"params": params}).to_string();
        self.widget(Method::POST, &format!("apis/{name}"), jwt, &body)
            .await
    }

    /// Status of one connection.
    pub async fn status(&self, jwt: &str, auth_key: &str) -> serde_json::Value {
        let path = format!("connections/{auth_key}");
        self.widget(Method::GET, &path, jwt, "")
            .await
            .expect(200)
            .json()
    }

    /// A connect link in popup mode.
    pub async fn connect_url(&self, jwt: &str, auth_key: &str) -> String {
        self.ask_connect(jwt, auth_key, &json!({"mode": "popup"}))
            .await
    }

    /// A connect link for any body.
    pub async fn ask_connect(&self, jwt: &str, auth_key: &str, body: &serde_json::Value) -> String {
        let path = format!("connections/{auth_key}/connect");
        let answer = self
            .widget(Method::POST, &path, jwt, &body.to_string())
            .await
            .expect(201)
            .json();
        answer["connect_url"].as_str().unwrap().to_owned()
    }

    /// Opens a popup's connect link and confirms the handshake: answers the 303 to the provider.
    pub async fn handshake(&self, browser: &mut Browser, connect_url: &str, jwt: &str) -> Answer {
        let page = browser
            .get(connect_url, From::Here)
            .await
            .expect(200)
            .text();
        let form_token = form_token(&page);
        let fields = [("caller_jwt", jwt), ("form_token", form_token.as_str())];
        browser.post_form(connect_url, From::Here, &fields).await
    }

    /// Says yes at the provider: answers the callback address the browser is sent to.
    pub async fn consent(
        &self,
        browser: &mut Browser,
        authorize_url: &str,
        decision: &str,
    ) -> String {
        let page = browser
            .get(authorize_url, From::ElsewhereTopLevel)
            .await
            .expect(200)
            .text();
        let consent = consulate_fakes::provider::consent_id(&page)
            .unwrap()
            .to_owned();
        let fields = [
            ("consent", consent.as_str()),
            ("account", "acme-1815"),
            ("decision", decision),
        ];
        let url = format!("{}/consent", self.provider_url);
        browser
            .post_form(&url, From::Here, &fields)
            .await
            .expect(303)
            .header("location")
            .to_owned()
    }

    /// Connects an account in popup mode, from the button to the callback's answer.
    pub async fn connect(&self, jwt: &str, auth_key: &str) -> Answer {
        let mut browser = Browser::default();
        let link = self.connect_url(jwt, auth_key).await;
        let to_provider = self.handshake(&mut browser, &link, jwt).await.expect(303);
        let callback = self
            .consent(&mut browser, to_provider.header("location"), "allow")
            .await;
        browser.get(&callback, From::ElsewhereTopLevel).await
    }

    /// A stack with `user`'s account connected to `mine`; answers the caller JWT.
    pub async fn connected(&self, user: &str) -> String {
        let jwt = self.jwt(user);
        self.connect(&jwt, MINE).await;
        assert_eq!(self.status(&jwt, MINE).await["status"], "connected");
        jwt
    }

    /// The provider moves its token endpoint, and the catalogue says where it was: the passport as `passports add` would write it
    /// again, with the client secret for the new address. The functions start anew.
    pub async fn with_moved_token_endpoint(self) -> Self {
        let records = self.dev.target.records();
        let pk = table::passport_pk(PASSPORT);
        let stored = records.read::<Passport>(pk).await.unwrap().unwrap();
        let mut passport = stored.definition.clone();
        passport.former = vec![FormerEndpoints {
            token_url: Some(passport.token_url),
            authorize_url: None,
        }];
        passport.token_url = format!("{}/token/v2", self.provider_url);
        let document =
            json!({"client_secret": CLIENT_SECRET, "endpoints": passport.secret_endpoints()});
        let mut change = records.change();
        change.passport(PASSPORT, &passport, Some(&stored)).unwrap();
        assert!(change.commit().await.unwrap());
        let name = format!("consulate/passports/{PASSPORT}");
        self.dev.secrets.put(&name, &document.to_string()).unwrap();
        self.restart().await
    }

    /// Every log line so far.
    pub fn log_lines(&self) -> Vec<serde_json::Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn options(
    folder: &TempDir,
    provider_url: &str,
    clock: Clock,
    log: &Arc<Mutex<Vec<String>>>,
) -> Options {
    let kept = log.clone();
    let mut options = Options::new(folder.path().join("data"));
    options.demo = false;
    options.schedule = false;
    options.allow = vec![provider_url.trim_start_matches("http://").to_owned()];
    options.clock = clock;
    options.listener = Some(Arc::new(move |line: &str| {
        crate::contract::check(line);
        kept.lock().unwrap().push(line.to_owned())
    }));
    options
}

/// Signs claims as Happeo does.
pub fn sign(claims: &serde_json::Value, secret: &str) -> String {
    sign_with_header(&json!({"alg": "HS256", "typ": "JWT"}), claims, secret)
}

/// Signs with HS256 whatever the header says.
pub fn sign_with_header(
    header: &serde_json::Value,
    claims: &serde_json::Value,
    secret: &str,
) -> String {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let message = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    format!(
        "{message}.{}",
        encode(ring::hmac::sign(&key, message.as_bytes()).as_ref())
    )
}

/// The hidden form value of a handshake page.
pub fn form_token(page: &str) -> String {
    let at = page
        .find("name=\"form_token\"")
        .unwrap_or_else(|| panic!("no form_token in {page}"));
    let value = page[at..].split("value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}
