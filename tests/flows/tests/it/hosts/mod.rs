//! Hosts: OpenID Connect issuers as well as Happeo, JWTs that change something once, and what keeps callers of one space out
//! of another (checklist S-103, S-104; RFC 8725).

mod fenced;
mod keys;
mod once;
mod signed_in;
mod vectors;

use consulate_fakes::issuer::Issuer;
use consulate_flows::jose::Jose;
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

const AUDIENCE: &str = "notes-web";

/// Consulate with an issuer as the widget's host, and npm's jose signing for it.
struct Hosted {
    stack: Stack,
    issuer: Issuer,
    jose: Jose,
}

impl Hosted {
    /// The issuer publishes one key of each kind: `k1`.
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With another declaration of the host.
    async fn start_with(change: impl FnOnce(&mut Value)) -> Self {
        let mut jose = Jose::start();
        let mut keys = Vec::new();
        for alg in ["RS256", "ES256", "EdDSA"] {
            let mut key = jose.jwk(alg, "k1").await;
            key["kid"] = format!("{alg}-k1").into();
            keys.push(key);
        }
        let issuer = Issuer::start(keys).await.unwrap();
        let mut host = json!({"type": "oidc", "id": "acme", "issuer": issuer.url, "audience": AUDIENCE,
            "claims": {"user": "$.sub", "organisation": "$.org_id", "email": "$.email"}});
        change(&mut host);
        let address = issuer.url.trim_start_matches("http://").to_owned();
        let stack = Stack::start_with(
            |bundle| {
                bundle.consulate["host"] = host;
                bundle.allow.push(address);
            },
            |_| {},
        )
        .await;
        Self {
            stack,
            issuer,
            jose,
        }
    }

    /// Claims of an ID token of `ada` in `o1`, good for a minute.
    fn claims(&self) -> Value {
        let now = self.stack.dev.clock.now().seconds();
        json!({"iss": self.issuer.url, "aud": AUDIENCE, "sub": "ada", "org_id": "o1", "iat": now, "exp": now + 60,
               "email": "ada@example.com", "email_verified": true})
    }

    /// The same with the member `name` replaced; null takes it out.
    fn but(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        claims
    }

    /// A JWT of these claims, signed with `k1` of this kind.
    async fn sign(&mut self, alg: &str, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "kid": format!("{alg}-k1")});
        self.jose.sign_by(alg, "k1", &header, claims).await
    }

    /// A good JWT.
    async fn jwt(&mut self) -> String {
        let claims = self.claims();
        self.sign("RS256", &claims).await
    }

    /// What a route that reads says to `jwt`.
    async fn ask(&self, jwt: &str) -> Answer {
        self.stack.widget(Method::GET, "connections", jwt, "").await
    }
}
