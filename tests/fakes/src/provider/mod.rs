//! "Acme Cloud": a strict OAuth 2 authorization server and the API behind it, for the demo and for the tests.
//!
//! Strict where the RFCs allow it: exact redirect addresses, PKCE with S256 required, codes once, refresh tokens once
//! with the whole family ended on reuse, exactly the configured client authentication. Scriptable where real providers
//! misbehave ([`Reply`]), and observable ([`Seen`]). Touches its state file and nothing else.
//!
//! Sources: RFC 6749, RFC 6750, RFC 7009, RFC 7636, RFC 8414, RFC 9207, RFC 9700.

mod api;
mod authorize;
mod client_authentication;
mod metadata;
mod page;
mod params;
pub(crate) mod script;
mod seen;
mod state;
mod token;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;

pub use crate::clock::Clock;
pub use authorize::consent_id;
pub use script::Reply;
pub use seen::{Seen, TokenRequest};

use crate::clock::system_clock;
use crate::held::held;
use crate::random::random_value;
use crate::serve::{Served, serve_on};
use script::Scripts;
use seen::Observations;
use state::{Family, Grants};

/// How a client proves itself at the token and revocation endpoints (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `Authorization: Basic`, id and secret form-encoded first.
    Basic,
    /// `client_id` and `client_secret` in the form.
    Body,
    /// A public client: `client_id` in the form, nothing to prove.
    None,
}

/// A registered client.
#[derive(Clone)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None` for public clients.
    pub secret: Option<String>,
    /// The one style accepted from this client.
    pub authentication: ClientAuthentication,
    /// Redirect addresses, compared byte for byte.
    pub redirect_uris: Vec<String>,
}

/// What happens to a refresh token when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It dies and the reply carries the next one; presenting it again ends the family.
    SingleUse,
    /// It goes on, and the reply carries none.
    Reusable,
}

/// How the provider behaves. Start from [`Settings::new`] and change what matters.
#[derive(Clone)]
pub struct Settings {
    /// Where the router is mounted, without a trailing slash; also the issuer identifier.
    pub base_url: String,
    /// Registered clients; [`Provider::register`] adds more.
    pub clients: Vec<Client>,
    /// Life of an access token.
    pub access_seconds: u64,
    /// Life of an authorization code.
    pub code_seconds: u64,
    /// What becomes of used refresh tokens.
    pub rotation: Rotation,
    /// Scopes that may be asked for; also granted when none is asked for.
    pub scopes: Vec<String>,
    /// Whether authorization responses carry `iss` (RFC 9207).
    pub sends_iss: bool,
    /// Whether the consent page sends `Cross-Origin-Opener-Policy: same-origin`, which cuts `window.opener`.
    pub coop: bool,
    /// Where grants survive a restart: SHA-256 of each credential and metadata, mode 0600.
    pub state_file: Option<PathBuf>,
    /// The provider's idea of now.
    pub clock: Clock,
}

impl Settings {
    /// The demo's behaviour: 60-second access tokens, single-use refresh tokens, `iss`, no client yet.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            clients: Vec::new(),
            access_seconds: 60,
            code_seconds: 60,
            rotation: Rotation::SingleUse,
            scopes: ["profile", "events.read", "files.read"]
                .map(str::to_owned)
                .to_vec(),
            sends_iss: true,
            coop: false,
            state_file: None,
            clock: Arc::new(system_clock),
        }
    }
}

/// One of the demo accounts of the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Stable id, `$.id` of the profile.
    pub id: &'static str,
    /// Display name.
    pub name: &'static str,
    /// Address, `$.email` of the profile.
    pub email: &'static str,
}

/// Everybody who has an account at Acme Cloud.
pub const ACCOUNTS: [Account; 2] = [
    Account {
        id: "acme-1815",
        name: "Ada Lovelace",
        email: "ada@acme.example",
    },
    Account {
        id: "acme-1906",
        name: "Grace Hopper",
        email: "grace@acme.example",
    },
];

/// Credentials issued without the browser dance, for tests that start from a connected account.
#[derive(Clone)]
pub struct Granted {
    /// A fresh access token.
    pub access_token: String,
    /// A fresh refresh token.
    pub refresh_token: String,
}

/// The provider. Clones are handles on the same one.
#[derive(Clone)]
pub struct Provider {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    clients: Mutex<Vec<Client>>,
    grants: Mutex<Grants>,
    scripts: Scripts<script::Endpoint>,
    observations: Observations,
}

impl Provider {
    /// A provider with the grants of its state file, if it has one.
    ///
    /// # Errors
    /// The state file is there but cannot be read.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let grants = Grants::load(settings.state_file.clone())?;
        let shared = Shared {
            clients: Mutex::new(settings.clients.clone()),
            grants: Mutex::new(grants),
            scripts: Scripts::default(),
            observations: Observations::default(),
            settings,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// A provider on a server of its own; its `base_url` becomes that server's address. Port 0 takes a free one.
    ///
    /// # Errors
    /// As [`Provider::new`]; or the port is taken.
    pub async fn start(mut settings: Settings, port: u16) -> anyhow::Result<(Self, Served)> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        settings.base_url = format!("http://{}", listener.local_addr()?);
        let provider = Self::new(settings)?;
        let served = serve_on(listener, provider.router())?;
        Ok((provider, served))
    }

    /// All endpoints, relative to `base_url`: `/authorize`, `/consent`, `/style.css`, `/token`, `/revoke`, `/api/…`,
    /// `/.well-known/oauth-authorization-server`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/authorize", get(authorize::authorize))
            .route("/consent", post(authorize::consent))
            .route("/style.css", get(page::style))
            .route("/token", post(token::token))
            // Where a token endpoint may have moved to.
            .route("/token/v2", post(token::token))
            .route("/revoke", post(token::revoke))
            .route(
                "/.well-known/oauth-authorization-server",
                get(metadata::metadata),
            )
            .merge(api::router(self))
            .layer(DefaultBodyLimit::max(1024 * 1024))
            .with_state(self.clone())
    }

    /// Registers `client`, or replaces the one with its id.
    pub fn register(&self, client: Client) {
        let mut clients = held(&self.shared.clients);
        clients.retain(|known| known.id != client.id);
        clients.push(client);
    }

    /// The issuer identifier and prefix of every endpoint.
    pub fn base_url(&self) -> &str {
        &self.shared.settings.base_url
    }

    /// A grant of `account_id` to `client_id`, as if consented to just now.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub fn grant(&self, client_id: &str, account_id: &str, scope: &str) -> anyhow::Result<Granted> {
        let now = self.now();
        let mut grants = held(&self.shared.grants);
        let family = grants.begin(Family::new(client_id, account_id, scope, now))?;
        let granted = Granted {
            access_token: self.new_access_token()?,
            refresh_token: self.new_refresh_token()?,
        };
        grants.add_access(
            &granted.access_token,
            &family,
            now,
            self.shared.settings.access_seconds,
        );
        grants.add_refresh(&granted.refresh_token, &family, now);
        grants.save(now)?;
        Ok(granted)
    }

    /// Answers the next `/token` request that has no scripted reply yet by `reply`.
    pub fn script_token(&self, reply: Reply) {
        self.shared.scripts.push(script::Endpoint::Token, reply);
    }

    /// As [`script_token`](Self::script_token), for `/revoke`.
    pub fn script_revoke(&self, reply: Reply) {
        self.shared.scripts.push(script::Endpoint::Revoke, reply);
    }

    /// As [`script_token`](Self::script_token), for whatever is called below `/api`.
    pub fn script_api(&self, reply: Reply) {
        self.shared.scripts.push(script::Endpoint::Api, reply);
    }

    /// What happened so far.
    pub fn seen(&self) -> Seen {
        self.shared.observations.seen()
    }

    /// Every `/token` request so far, credentials left out.
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        self.shared.observations.token_requests()
    }

    /// Every code, access token and refresh token issued by this process: what a canary search looks for.
    pub fn issued_secrets(&self) -> Vec<String> {
        self.shared.observations.issued()
    }

    /// How many access tokens the API would accept now.
    pub fn active_access_tokens(&self) -> usize {
        held(&self.shared.grants).active_access(self.now())
    }

    /// Lets every access token expire now; refresh tokens stay.
    pub fn expire_access_tokens(&self) {
        held(&self.shared.grants).expire_access(self.now());
    }

    /// Withdraws every access token although it has not expired; refresh tokens stay.
    pub fn revoke_access_tokens(&self) {
        held(&self.shared.grants).revoke_access();
    }

    /// Whether the grant that `credential` (a refresh or access token, used ones included) came from still stands.
    pub fn is_family_alive(&self, credential: &str) -> bool {
        held(&self.shared.grants).is_family_alive(credential)
    }

    fn now(&self) -> i64 {
        (self.shared.settings.clock)()
    }

    fn client(&self, id: &str) -> Option<Client> {
        held(&self.shared.clients)
            .iter()
            .find(|client| client.id == id)
            .cloned()
    }

    fn new_code(&self) -> anyhow::Result<String> {
        self.issue("acme-code-")
    }

    fn new_access_token(&self) -> anyhow::Result<String> {
        self.issue("acme-access-")
    }

    fn new_refresh_token(&self) -> anyhow::Result<String> {
        self.issue("acme-refresh-")
    }

    fn issue(&self, prefix: &str) -> anyhow::Result<String> {
        let value = random_value(prefix)?;
        self.shared.observations.issue(&value);
        Ok(value)
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Provider")
            .field("base_url", &self.base_url())
            .finish_non_exhaustive()
    }
}

fn account(id: &str) -> Option<Account> {
    ACCOUNTS.into_iter().find(|account| account.id == id)
}
