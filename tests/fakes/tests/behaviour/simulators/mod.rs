//! The simulators of real providers, over real HTTP: a stage for the journey, and what all families share.

mod r#box;
mod google;
mod happeo;
mod meta;
mod microsoft;
mod microsoft_resources;
mod salesforce;
mod servicenow;
mod shared;
mod slack;
mod tableau;
mod webex;
mod x;
mod zoom;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use consulate_fakes::provider::consent_id;
use consulate_fakes::serve::Served;
use consulate_fakes::simulators::{App, Family, Simulators};
use http::Method;
use serde_json::Value;

use crate::client::{Answer, form, get, post_form, send};
use crate::grants::{VERIFIER, basic, query};

/// Where the apps are registered to be answered; the query must survive.
pub const REDIRECT: &str = "http://127.0.0.1:8700/v1/callback?passport=p1";
pub const SECRET: &str = "app-secret";
/// S256 of [`VERIFIER`].
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const DAY: i64 = 86_400;

/// How a client speaks to one provider, on real addresses without `https://`.
#[derive(Clone, Copy)]
pub struct Ways {
    pub family: &'static str,
    pub authorize: &'static str,
    pub token: &'static str,
    pub scope: &'static str,
    /// Further parameters of the authorization request.
    pub extra: &'static [(&'static str, &'static str)],
    pub pkce: bool,
    /// Client authentication by header rather than in the form.
    pub basic: bool,
    /// Further parameters of a refresh.
    pub on_refresh: &'static [(&'static str, &'static str)],
}

/// One family at work, with the apps `app`, `other` (confidential) and `public`, on a clock that the test moves.
pub struct Stage {
    pub ways: Ways,
    pub simulators: Simulators,
    pub family: Family,
    pub served: Served,
    now: Arc<AtomicI64>,
}

impl Stage {
    pub async fn new(ways: Ways) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = Arc::clone(&now);
        let (simulators, served) =
            Simulators::start(Arc::new(move || clock.load(Ordering::SeqCst)), 0)
                .await
                .unwrap();
        for (id, secret) in [
            ("app", Some(SECRET)),
            ("other", Some(SECRET)),
            ("public", None),
        ] {
            let app = App {
                id: id.to_owned(),
                secret: secret.map(str::to_owned),
                redirect_uris: vec![REDIRECT.to_owned()],
            };
            simulators.register(ways.family, app);
        }
        let family = simulators.family(ways.family).unwrap();
        Self {
            ways,
            simulators,
            family,
            served,
            now,
        }
    }

    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Epoch seconds.
    pub fn seconds(&self) -> i64 {
        self.now.load(Ordering::SeqCst) / 1_000
    }

    /// `host/path?query` as the simulators serve it.
    pub fn url(&self, real: &str) -> String {
        format!("{}/{real}", self.served.url())
    }

    /// The authorization request of `client`; changes replace or add parameters, a blank value leaves one out.
    pub async fn authorize(&self, client: &str, changes: &[(&str, &str)]) -> Answer {
        let mut params = vec![
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", "state-1"),
            ("scope", self.ways.scope),
        ];
        if self.ways.pkce {
            params.push(("code_challenge", CHALLENGE));
            params.push(("code_challenge_method", "S256"));
        }
        params.extend_from_slice(self.ways.extra);
        for change in changes {
            params.retain(|(name, _)| name != &change.0);
            params.push(*change);
        }
        params.retain(|(_, value)| !value.is_empty());
        get(
            &self.url(&format!("{}?{}", self.ways.authorize, form(&params))),
            &[],
        )
        .await
    }

    /// Answers a consent page.
    pub async fn decide(&self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let id = consent_id(page.text()).expect("a consent page");
        let mut all = vec![("consent", id)];
        all.extend_from_slice(fields);
        post_form(&format!("{}/consent", self.served.url()), &[], &all)
            .await
            .unwrap()
    }

    /// A code for Ada.
    pub async fn code(&self, client: &str, changes: &[(&str, &str)]) -> String {
        let page = self.authorize(client, changes).await;
        assert_eq!(
            page.status,
            200,
            "{}{}",
            page.text(),
            page.header("location")
        );
        let redirect = self
            .decide(&page, &[("account", "acme-1815"), ("decision", "allow")])
            .await;
        query(&redirect, "code").expect("a code")
    }

    /// A token request; `client` authenticates in the family's way, `public` and unknown ones by their id alone.
    pub async fn token(&self, client: &str, fields: &[(&str, &str)]) -> Answer {
        let header = basic(client, SECRET);
        let mut all = fields.to_vec();
        let mut headers = Vec::new();
        if client == "public" {
            all.push(("client_id", client));
        } else if self.ways.basic {
            headers.push(("authorization", header.as_str()));
        } else {
            all.extend([("client_id", client), ("client_secret", SECRET)]);
        }
        post_form(&self.url(self.ways.token), &headers, &all)
            .await
            .unwrap()
    }

    /// A code for tokens; changes replace or add fields, a blank value leaves one out.
    pub async fn exchange_with(
        &self,
        client: &str,
        code: &str,
        changes: &[(&str, &str)],
    ) -> Answer {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
        ];
        if self.ways.pkce {
            fields.push(("code_verifier", VERIFIER));
        }
        for change in changes {
            fields.retain(|(name, _)| name != &change.0);
            fields.push(*change);
        }
        fields.retain(|(_, value)| !value.is_empty());
        self.token(client, &fields).await
    }

    pub async fn exchange(&self, client: &str, code: &str) -> Answer {
        self.exchange_with(client, code, &[]).await
    }

    pub async fn refresh(&self, client: &str, refresh_token: &str) -> Answer {
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        fields.extend_from_slice(self.ways.on_refresh);
        self.token(client, &fields).await
    }

    /// The token reply of Ada's consent to `app`.
    pub async fn connected(&self) -> Value {
        let code = self.code("app", &[]).await;
        let answer = self.exchange("app", &code).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// `GET` with a Bearer token.
    pub async fn api(&self, real: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        get(&self.url(real), &[("authorization", &bearer)]).await
    }

    /// `POST` of JSON with a Bearer token.
    pub async fn post(&self, real: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        send(Method::POST, &self.url(real), &headers, body)
            .await
            .unwrap()
    }
}

/// A member of a reply as text; empty where it is missing.
pub fn text<'a>(reply: &'a Value, member: &str) -> &'a str {
    reply[member].as_str().unwrap_or("")
}

/// Status and `error` of a refusal.
pub fn refusal(answer: &Answer) -> (u16, String) {
    (
        answer.status.as_u16(),
        text(&answer.json(), "error").to_owned(),
    )
}
