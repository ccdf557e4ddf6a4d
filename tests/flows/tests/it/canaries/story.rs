//! The whole story against a server process, every answer and every address kept under a name.

use std::path::PathBuf;
use std::time::Duration;

use consulate_core::clock::Clock;
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Settings};
use consulate_fakes::serve::Served;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, PASSPORT, RETURN_TO, WIDGET};
use consulate_flows::stack::{form_token, sign};
use consulate_flows::walk::{fragment, query};
use consulate_flows::wire::{Answer, Wire};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Server, run};
use super::search::Search;

/// The widget's host secrets: the current one and the next.
pub const HOST_SECRETS: [&str; 2] = [
    "canary-host-secret-current-0123456789",
    "canary-host-secret-next-0123456789",
];
/// With every character that a form, a header or a URL treats in its own way.
pub const CLIENT_SECRET: &str = "canary/client+secret:0123456789%&=";
/// Access tokens end after this; the process has the machine's clock.
const ACCESS_SECONDS: u64 = 2;

/// A server, the provider it talks to, and everything that was said.
pub struct Story {
    /// The server's data folder is `data` in it.
    pub folder: TempDir,
    pub provider: Provider,
    provider_url: String,
    _provider_served: Served,
    pub base_url: String,
    pub search: Search,
    wire: Wire,
}

impl Story {
    /// Starts a provider and a server with the widget imported, its secrets set by command.
    pub async fn begin() -> (Self, Server) {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("http://127.0.0.1:0");
        settings.access_seconds = ACCESS_SECONDS;
        let (provider, served) = Provider::start(settings, 0).await.unwrap();
        let bundle = Bundle::new(&served.url()).write(&folder.path().join("bundle"));
        let allow = served.addr.to_string();
        let bundle = bundle.to_str().unwrap();
        let flags = [
            "--no-demo",
            "--port",
            "0",
            "--allow",
            &allow,
            "--import",
            bundle,
        ];
        let server = Server::start(&folder.path().join("data"), &flags);
        let mut story = Self {
            provider_url: served.url(),
            base_url: server.base_url.clone(),
            folder,
            provider,
            _provider_served: served,
            search: Search::default(),
            wire: Wire::default(),
        };
        story.register(CLIENT_SECRET);
        let hosts = json!({"host_secrets": HOST_SECRETS}).to_string();
        story.command(&["secret", "set", &format!("widgets/{WIDGET}")], &hosts);
        let client = json!({"client_secret": CLIENT_SECRET}).to_string();
        story.command(
            &["secret", "set", &format!("passports/{PASSPORT}")],
            &client,
        );
        (story, server)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes the provider expect `secret` of our client.
    pub fn register(&self, secret: &str) {
        self.provider.register(Client {
            id: "test-client".to_owned(),
            secret: Some(secret.to_owned()),
            authentication: ClientAuthentication::Basic,
            redirect_uris: vec![format!("{}/v1/callback/{PASSPORT}", self.base_url)],
        });
    }

    /// Runs a command against the server; what it says is kept.
    pub fn command(&mut self, arguments: &[&str], input: &str) -> String {
        let data = self.data();
        let mut all = arguments.to_vec();
        all.extend(["--dev", data.to_str().unwrap()]);
        let output = run(&all, input);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{said}");
        self.search
            .sink(format!("command: {}", arguments[0]), said.clone());
        said
    }

    /// A caller JWT; it, and its signature alone, are secrets from now on.
    pub fn jwt(&mut self, user: &str, email: &str, secret: &str) -> String {
        let now = Clock::system().now().seconds();
        let user = json!({"id": user, "primaryEmail": email});
        let jwt = sign(
            &json!({"exp": now + 300, "user": user, "organisation": {"id": "o1"}}),
            secret,
        );
        self.search.secret("caller JWT", jwt.clone());
        self.search
            .secret("caller JWT", jwt.rsplit('.').next().unwrap());
        jwt
    }

    fn keep(&mut self, name: &str, url: &str, answer: &Answer) {
        self.search.sink(format!("url: {name}"), url);
        let mut content = format!("{}\n", answer.status).into_bytes();
        for (header, value) in &answer.headers {
            content.extend_from_slice(header.as_str().as_bytes());
            content.extend_from_slice(b": ");
            content.extend_from_slice(value.as_bytes());
            content.push(b'\n');
        }
        content.extend_from_slice(&answer.body);
        self.search.sink(format!("answer: {name}"), content);
    }

    /// Calls a widget route.
    pub async fn widget(
        &mut self,
        name: &str,
        method: Method,
        path: &str,
        jwt: &str,
        body: &Value,
    ) -> Answer {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.base_url);
        let bearer = format!("Bearer {jwt}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.wire.call(method, &url, &headers, body).await;
        self.keep(name, &url, &answer);
        answer
    }

    /// Calls a named API.
    pub async fn api(&mut self, jwt: &str, name: &str, params: Value) -> Answer {
        let body = json!({"params": params});
        self.widget("api", Method::POST, &format!("apis/{name}"), jwt, &body)
            .await
    }

    pub async fn disconnect(&mut self, jwt: &str, auth_key: &str) -> Answer {
        let path = format!("connections/{auth_key}");
        self.widget("disconnect", Method::DELETE, &path, jwt, &Value::Null)
            .await
    }

    /// Lets every access token expire.
    pub async fn expire(&self) {
        tokio::time::sleep(Duration::from_secs(ACCESS_SECONDS)).await;
    }

    /// A browser opens an address of the server.
    pub async fn open(
        &mut self,
        browser: &mut Browser,
        name: &str,
        url: &str,
        from: From,
    ) -> Answer {
        let answer = browser.get(url, from).await;
        self.keep(name, url, &answer);
        self.cookies(name, &answer);
        answer
    }

    fn cookies(&mut self, name: &str, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let (key, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let kind = match name {
                _ if value.is_empty() || key.ends_with("-said") => continue,
                "handshake page" => "ticket cookie",
                _ => "flow cookie",
            };
            self.search.secret(kind, value);
        }
    }

    /// Asks for a link; its ticket is a secret from now on.
    pub async fn ask(&mut self, jwt: &str, auth_key: &str, mode: &str) -> String {
        let body = match mode {
            "popup" => json!({"mode": mode}),
            _ => json!({"mode": mode, "return_to": RETURN_TO}),
        };
        let path = format!("connections/{auth_key}/connect");
        let answer = self
            .widget("connect link", Method::POST, &path, jwt, &body)
            .await
            .expect(201);
        let link = answer.json()["connect_url"].as_str().unwrap().to_owned();
        self.search
            .secret("ticket", link.rsplit('/').next().unwrap());
        link
    }

    /// From the link to the provider's door: answers the authorize address; its state is a secret from now on.
    pub async fn depart(
        &mut self,
        browser: &mut Browser,
        jwt: &str,
        auth_key: &str,
        mode: &str,
    ) -> String {
        let link = self.ask(jwt, auth_key, mode).await;
        let answer = if mode == "popup" {
            let page = self
                .open(browser, "handshake page", &link, From::Here)
                .await
                .expect(200);
            let token = form_token(&page.text());
            self.search.secret("form token", token.clone());
            let fields = [("caller_jwt", jwt), ("form_token", token.as_str())];
            let answer = browser.post_form(&link, From::Here, &fields).await;
            self.keep("departure", &link, &answer);
            self.cookies("departure", &answer);
            answer
        } else {
            self.open(browser, "departure", &link, From::Here).await
        };
        let authorize = answer.expect(303).header("location").to_owned();
        self.search
            .secret("state", query(&authorize, "state").unwrap());
        self.verifiers().await;
        authorize
    }

    /// The PKCE verifiers that lie in the table now.
    async fn verifiers(&mut self) {
        let target = consulate::operator::target::Target::new(Some(&self.data()))
            .await
            .unwrap();
        let scan = target.dynamodb.scan().table_name(&target.table);
        let flows = scan.filter_expression("begins_with(pk, :f) AND attribute_exists(cv)");
        let flows = flows.expression_attribute_values(":f", consulate_core::table::s("FLOW#"));
        for item in flows.send().await.unwrap().items() {
            self.search
                .secret("PKCE verifier", item["cv"].as_s().unwrap().as_str());
        }
    }

    /// Says yes or no at the provider, and comes back: answers the callback's answer.
    pub async fn come_back(
        &mut self,
        browser: &mut Browser,
        authorize: &str,
        decision: &str,
    ) -> Answer {
        let page = browser
            .get(authorize, From::ElsewhereTopLevel)
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
        let answer = browser
            .post_form(&url, From::Here, &fields)
            .await
            .expect(303);
        let callback = answer.header("location").to_owned();
        let answer = self
            .open(browser, "callback", &callback, From::ElsewhereTopLevel)
            .await
            .expect(303);
        let next = answer.header("location").to_owned();
        if next.starts_with(&self.base_url) {
            self.open(browser, "result page", &next, From::Here).await;
        }
        answer
    }

    /// Connects in popup mode.
    pub async fn connect(&mut self, jwt: &str, auth_key: &str) {
        let mut browser = Browser::default();
        let authorize = self.depart(&mut browser, jwt, auth_key, "popup").await;
        self.come_back(&mut browser, &authorize, "allow").await;
        self.connected(jwt, auth_key).await;
    }

    /// Redirect mode up to the widget's address: answers the completion, a secret from now on.
    pub async fn reach_completion(&mut self, jwt: &str, auth_key: &str) -> String {
        let mut browser = Browser::default();
        let authorize = self.depart(&mut browser, jwt, auth_key, "redirect").await;
        let answer = self.come_back(&mut browser, &authorize, "allow").await;
        let completion = fragment(answer.header("location"), "consulate_completion");
        self.search
            .secret("completion", completion.split('.').nth(1).unwrap());
        completion
    }

    pub async fn complete(&mut self, jwt: &str, auth_key: &str, completion: &str) -> Answer {
        let path = format!("connections/{auth_key}/complete");
        let body = json!({"completion": completion});
        self.widget("complete", Method::POST, &path, jwt, &body)
            .await
    }

    /// Asserts that the account is connected.
    pub async fn connected(&mut self, jwt: &str, auth_key: &str) {
        let path = format!("connections/{auth_key}");
        let status = self
            .widget("status", Method::GET, &path, jwt, &Value::Null)
            .await
            .expect(200)
            .json();
        assert_eq!(status["status"], "connected", "{status}");
    }
}
