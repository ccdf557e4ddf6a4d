//! Provider set-ups shared by the provider's tests: one client, one connected account.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Settings, consent_id};
use consulate_fakes::serve::Served;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;

use crate::client::{Answer, form, get, post_form};

pub const REDIRECT: &str = "http://127.0.0.1:8700/v1/callback/acme?fixed=1";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Characters that a client must form-encode before Basic.
pub const SECRET: &str = "s:cr+t/%&=\u{e9}";

/// A provider on its own server, with the clients `basic`, `body` and `public`, and a clock that tests move.
pub struct Stage {
    pub provider: Provider,
    pub served: Served,
    clock: Arc<AtomicI64>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(AtomicI64::new(1_790_000_000_000));
        let reading = clock.clone();
        let mut settings = Settings::new("");
        settings.clock = Arc::new(move || reading.load(Ordering::SeqCst));
        settings.clients = [
            ("basic", Some(SECRET), ClientAuthentication::Basic),
            ("body", Some(SECRET), ClientAuthentication::Body),
            ("public", None, ClientAuthentication::None),
        ]
        .map(|(id, secret, authentication)| Client {
            id: id.to_owned(),
            secret: secret.map(str::to_owned),
            authentication,
            redirect_uris: vec![REDIRECT.to_owned()],
        })
        .to_vec();
        change(&mut settings);
        let (provider, served) = Provider::start(settings, 0).await.unwrap();
        Self {
            provider,
            served,
            clock,
        }
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.url())
    }

    /// `GET /authorize` with the good parameters of `client`, each of `changes` replaced, or left out when empty.
    pub async fn authorize(&self, client: &str, changes: &[(&str, &str)]) -> Answer {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("state", "state-1"),
            ("scope", "profile events.read"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for change in changes {
            fields.retain(|(name, _)| name != &change.0);
            fields.push(*change);
        }
        fields.retain(|(_, value)| !value.is_empty());
        get(&self.url(&format!("/authorize?{}", form(&fields))), &[]).await
    }

    /// Answers a consent page; the redirect it ends in.
    pub async fn decide(&self, page: &Answer, decision: &str) -> Answer {
        let consent = consent_id(page.text()).expect("a consent page");
        let fields = [
            ("consent", consent),
            ("account", "acme-1906"),
            ("decision", decision),
        ];
        post_form(&self.url("/consent"), &[], &fields)
            .await
            .unwrap()
    }

    /// A code for `client`, through the consent page.
    pub async fn code(&self, client: &str) -> String {
        let page = self.authorize(client, &[]).await;
        let redirect = self.decide(&page, "allow").await;
        query(&redirect, "code").expect("a code")
    }

    /// `POST /token` in the name of `client`, authenticated in its own style.
    pub async fn token(&self, client: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
        self.post("/token", client, fields).await
    }

    pub async fn post(
        &self,
        path: &str,
        client: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let mut fields = fields.to_vec();
        let basic = basic(client, SECRET);
        let mut headers = Vec::new();
        match client {
            "basic" => headers.push(("authorization", basic.as_str())),
            "body" => fields.extend([("client_id", client), ("client_secret", SECRET)]),
            _ => fields.push(("client_id", client)),
        }
        post_form(&self.url(path), &headers, &fields).await
    }

    pub async fn exchange(&self, client: &str, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, &fields).await.unwrap()
    }

    pub async fn refresh(&self, client: &str, refresh_token: &str) -> Answer {
        self.try_refresh(client, refresh_token).await.unwrap()
    }

    pub async fn try_refresh(&self, client: &str, refresh_token: &str) -> Result<Answer, String> {
        self.token(
            client,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token),
            ],
        )
        .await
    }

    /// Access and refresh token of a fresh grant to `client`.
    pub async fn connected(&self, client: &str) -> (String, String) {
        let code = self.code(client).await;
        tokens(&self.exchange(client, &code).await)
    }

    pub async fn api(&self, path: &str, access_token: &str) -> Answer {
        get(
            &self.url(path),
            &[("authorization", &format!("Bearer {access_token}"))],
        )
        .await
    }
}

pub fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}

pub fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let reply = answer.json();
    let own = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
    (own("access_token"), own("refresh_token"))
}

/// The OAuth error code of an answer.
pub fn error(answer: &Answer) -> (u16, String) {
    let reply: Value = answer.json();
    (
        answer.status.as_u16(),
        reply["error"].as_str().unwrap_or_default().to_owned(),
    )
}

/// A query parameter of the address redirected to.
pub fn query(redirect: &Answer, name: &str) -> Option<String> {
    assert_eq!(redirect.status, 303, "{}", redirect.text());
    let target = Url::parse(redirect.header("location")).unwrap();
    target
        .query_pairs()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}
