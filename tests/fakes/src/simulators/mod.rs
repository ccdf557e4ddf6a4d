//! Simulators of the providers in the catalogue: one loopback server that plays all of them, each with its quirks.
//!
//! `https://HOST/PATH?QUERY` of a provider is served at `http://127.0.0.1:PORT/HOST/PATH?QUERY`: the first path segment
//! is the real host. Hosts, paths, answers and limits are the providers' own, not taken from the catalogue, so that the
//! two check each other; whatever a provider does not serve is answered 404. All state is in memory, on one clock.
//!
//! | room | holds |
//! |---|---|
//! | `behaviour` | what a family is: rules as data, functions for what is odd |
//! | `dispatch` | from a request to its family, the consent form |
//! | `authorization`, `flow`, `claim`, `denial` | the code flow as most have it, in steps |
//! | `desk`, `book` | one family's state, and the grants in it |
//! | `observed`, `levers` | what was seen, what tests set |
//! | one file per family | the family |

mod authorization;
mod behaviour;
mod book;
mod call;
mod claim;
mod denial;
mod desk;
mod dispatch;
mod flow;
mod levers;
mod observed;
mod page;
mod plain;

#[path = "box.rs"]
mod box_com;
mod google;
mod happeo;
mod meta;
mod microsoft;
mod salesforce;
mod servicenow;
mod slack;
mod tableau;
mod webex;
mod x;
mod zoom;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use claim::Style;
pub use microsoft::ConditionalAccess;
pub use observed::{Outcome, TokenRequest};

use crate::provider::{Clock, Reply, Seen};
use crate::serve::{Served, serve};
use behaviour::{Behaviour, Endpoint};
use desk::Desk;

/// Every family and what plays it, by name.
const REGISTRY: [(&str, &'static dyn Behaviour); 12] = [
    ("box", &box_com::BoxCom),
    ("google", &google::Google),
    ("happeo", &happeo::Happeo),
    ("meta", &meta::Meta),
    ("microsoft", &microsoft::Microsoft),
    ("salesforce", &salesforce::Salesforce),
    ("servicenow", &servicenow::ServiceNow),
    ("slack", &slack::Slack),
    ("tableau", &tableau::Tableau),
    ("webex", &webex::Webex),
    ("x", &x::X),
    ("zoom", &zoom::Zoom),
];

const NAMES: [&str; REGISTRY.len()] = {
    let mut names = [""; REGISTRY.len()];
    let (mut left, mut registered): (&mut [&str], &[_]) = (&mut names, &REGISTRY);
    while let ([name, others @ ..], [(known, _), rest @ ..]) = (left, registered) {
        *name = known;
        (left, registered) = (others, rest);
    }
    names
};

/// `==`, which constants do not have yet.
const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([one, more @ ..], [other, rest @ ..]) = (left, right) {
        if *one != *other {
            return false;
        }
        (left, right) = (more, rest);
    }
    left.is_empty() && right.is_empty()
}

/// An app registered at a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None` for a public client.
    pub secret: Option<String>,
    /// Redirect addresses, compared byte for byte.
    pub redirect_uris: Vec<String>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("App")
            .field("id", &self.id)
            .field("is_public", &self.secret.is_none())
            .field("redirect_uris", &self.redirect_uris)
            .finish_non_exhaustive()
    }
}

/// A credential that needs no person: a Zoom server-to-server app, a Tableau personal access token.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Zoom: `client_id`. Tableau: the token's name.
    pub id: String,
    /// Zoom: `client_secret`. Tableau: the token's secret.
    pub secret: String,
    /// Where it holds. Zoom: `account_id`. Tableau: the site's content URL.
    pub tenant: String,
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ServiceAccount")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// All simulators. Clones are handles on the same ones.
#[derive(Clone)]
pub struct Simulators {
    families: Arc<Vec<(&'static str, Family)>>,
}

impl Simulators {
    /// The names of the families, as the catalogue's files spell them.
    pub const FAMILIES: &[&str] = &NAMES;

    /// Whether a family of this name is played. For assertions at compile time.
    pub const fn plays(family: &str) -> bool {
        let mut rest: &[&str] = Self::FAMILIES;
        while let [name, others @ ..] = rest {
            if is_same(name.as_bytes(), family.as_bytes()) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// Simulators without apps, all on one clock.
    pub fn new(clock: Clock) -> Self {
        let families = REGISTRY.map(|(name, behaviour)| {
            let desk = Arc::new(Desk::new(Arc::clone(&clock)));
            (name, Family { behaviour, desk })
        });
        Self {
            families: Arc::new(families.to_vec()),
        }
    }

    /// Everything; mount it at the root of its server.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/consent", post(dispatch::consent))
            .route("/style.css", get(async || page::style()))
            .fallback(dispatch::dispatch)
            .with_state(self.clone())
    }

    /// Simulators on a server of their own. Port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(clock: Clock, port: u16) -> anyhow::Result<(Self, Served)> {
        let simulators = Self::new(clock);
        let served = serve(simulators.router(), port).await?;
        Ok((simulators, served))
    }

    /// The family that plays this real host.
    pub fn family_of_host(host: &str) -> Option<&'static str> {
        let host = host.to_ascii_lowercase();
        REGISTRY
            .iter()
            .find(|(_, behaviour)| behaviour.serves(&host))
            .map(|(name, _)| *name)
    }

    /// Registers `app` with a family, or replaces the one with its id. Unknown families have no apps.
    pub fn register(&self, family: &str, app: App) {
        if let Some(family) = self.family(family) {
            family.desk.register(app);
        }
    }

    /// Registers a credential that needs no person, or replaces the one with its id.
    pub fn register_service(&self, family: &str, service: ServiceAccount) {
        if let Some(family) = self.family(family) {
            family.desk.register_service(service);
        }
    }

    /// A handle on one family, for tests.
    pub fn family(&self, family: &str) -> Option<Family> {
        self.families
            .iter()
            .find(|(name, _)| *name == family)
            .map(|(_, family)| family.clone())
    }

    fn families(&self) -> impl Iterator<Item = Family> {
        self.families.iter().map(|(_, family)| family.clone())
    }

    fn of_host(&self, host: &str) -> Option<Family> {
        self.families().find(|family| family.behaviour.serves(host))
    }
}

impl std::fmt::Debug for Simulators {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Simulators").finish_non_exhaustive()
    }
}

/// One family at work: what it saw, and levers for tests.
#[derive(Clone)]
pub struct Family {
    behaviour: &'static dyn Behaviour,
    desk: Arc<Desk>,
}

impl Family {
    /// What happened so far.
    pub fn seen(&self) -> Seen {
        self.desk.observed.seen()
    }

    /// Every token request so far, credentials left out.
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        self.desk.observed.token_requests()
    }

    /// Lets every access token expire now; refresh tokens stay.
    pub fn expire_access_tokens(&self) {
        self.desk.expire_access_tokens();
    }

    /// Withdraws every access token although it has not expired; refresh tokens stay.
    pub fn revoke_access_tokens(&self) {
        self.desk.revoke_access_tokens();
    }

    /// Ends every grant, as a person or an administrator does on the provider's own pages.
    pub fn revoke_grants(&self) {
        self.desk.revoke_grants();
    }

    /// Every code, access token and refresh token issued: what a canary search looks for.
    pub fn issued_secrets(&self) -> Vec<String> {
        self.desk.observed.issued()
    }

    /// Grants that were not ended and still have a token that works: none after a disconnect, where the provider has
    /// a revocation.
    pub fn live_grants(&self) -> usize {
        self.desk.live_grants()
    }

    /// Answers the next API request that has no scripted reply yet by `reply`.
    pub fn script_api(&self, reply: Reply) {
        self.desk.scripts.push(Endpoint::Api, reply);
    }

    /// As [`script_api`](Self::script_api), for the token endpoint.
    pub fn script_token(&self, reply: Reply) {
        self.desk.scripts.push(Endpoint::Token, reply);
    }

    /// As [`script_api`](Self::script_api), for the revocation endpoint.
    pub fn script_revoke(&self, reply: Reply) {
        self.desk.scripts.push(Endpoint::Revoke, reply);
    }
}

impl std::fmt::Debug for Family {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Family")
            .field("name", &self.behaviour.rules().name)
            .finish_non_exhaustive()
    }
}
