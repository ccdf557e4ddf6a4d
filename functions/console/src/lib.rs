//! The administrator's console. It opens nothing: it reads connections without what is sealed (a projection), writes client
//! secrets and reads none, and acts on connections by asking connect, proxy and custodian, which judge for themselves.
//!
//! `sign_in` (the one-time link), `session` (who is signed in, and that a form is their own), then a room for each page:
//! `widgets` (the list), `widget` (one, with `authentication` for each of its accounts), `acts` (connect, disconnect, bind …),
//! `try_api`, `importing` (with `upload`, `uploaded`, `carried`, `findings` and `review`), `health`, `passports` (with `secrets`), `new_passport` (with
//! `passport_form`), `activity`. `page` is the frame around them, `texts`, `defining_texts` and `words` what they say, `assets` their
//! script and style.
//!
//! Pages are made here and need no script; forms are posted and answered 303. Nothing is fetched from elsewhere.

mod activity;
mod acts;
mod assets;
mod authentication;
mod carried;
mod defining_texts;
mod findings;
mod health;
mod importing;
mod new_passport;
mod page;
mod passport_form;
mod passports;
mod review;
mod secrets;
mod session;
mod sign_in;
mod texts;
mod try_api;
mod upload;
mod uploaded;
mod widget;
mod widgets;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use consulate_bundle::records::Records;
use consulate_core::acting::Deputies;
use consulate_core::bindings::Bindings;
use consulate_core::clock::Clock;
use consulate_core::config;
use consulate_core::connections::Connections;
use consulate_core::console::{Act, ConsoleRecords};
use consulate_core::custody::Custodian;
use consulate_core::definitions::Definitions;
use consulate_core::foundation::Foundation;
use consulate_core::http::Routes;
use consulate_core::log;
use consulate_core::secret_writer::SecretWriter;

/// Reads of one page that are under way at the same time.
const AT_ONCE: usize = 16;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct State {
    base_url: Arc<str>,
    clock: Clock,
    records: ConsoleRecords,
    /// Uncached: whoever changes something sees it changed.
    definitions: Definitions,
    bindings: Bindings,
    connections: Connections,
    /// Widgets and passports, as those who define them read and write them.
    store: Records,
    /// Loopback `HOST:PORT` pairs of `consulate dev` that bundles may name.
    allow: Arc<[String]>,
    deputies: Deputies,
    custodian: Custodian,
    secrets: SecretWriter,
}

impl State {
    /// On a function's foundation.
    ///
    /// # Errors
    /// The settings do not name connect and proxy.
    pub fn new(foundation: &Foundation) -> Result<Self, config::Error> {
        let Foundation { config, aws, .. } = foundation;
        let missing = |name| config::Error {
            name,
            problem: "is not set",
        };
        let connect = config.connect.as_deref();
        let connect = connect.ok_or_else(|| missing("CONSULATE_CONNECT"))?;
        let proxy = config.proxy.as_deref();
        let proxy = proxy.ok_or_else(|| missing("CONSULATE_PROXY"))?;
        Ok(Self {
            base_url: Arc::from(config.base_url.as_str()),
            clock: foundation.clock.clone(),
            records: ConsoleRecords::new(aws.dynamodb(), &config.table),
            definitions: Definitions::new(aws.dynamodb(), &config.table, Duration::ZERO),
            bindings: Bindings::new(aws.dynamodb(), &config.table),
            connections: foundation.connections.clone(),
            store: Records::new(aws.dynamodb(), &config.table),
            allow: foundation.leniency.loopback.pairs().into(),
            deputies: Deputies::new(aws.lambda(), connect, proxy),
            custodian: foundation.custodian(),
            secrets: SecretWriter::new(aws.secrets_manager(), &config.secrets_prefix),
        })
    }

    /// Keeps what was done, for the page of activity and in the audit log. An act that cannot be kept was done all the same, so
    /// nobody is told otherwise.
    async fn note(&self, signed: &session::Signed, what: &str, on: &str, detail: &str) {
        let act = Act {
            at: self.clock.now().millis(),
            by: signed.session.name.clone(),
            what: what.to_owned(),
            on: on.to_owned(),
            detail: detail.to_owned(),
        };
        let line = log::Fields::new()
            .with("what", format!("console.{what}"))
            .with("subject", on)
            .with("by", &act.by);
        log::write(log::Level::Info, "console", "audit", line);
        let _unnoted = self.records.note(&act).await;
    }
}

/// The function's routes.
pub fn routes() -> Routes<State> {
    const SIGN_IN: &str = "/console/sign-in";
    const API: &str = "/console/widgets/{widget}/apis/{name}";
    Routes::new()
        .get("/console", widgets::page)
        .get(SIGN_IN, sign_in::page)
        .post(SIGN_IN, sign_in::sign_in)
        .post("/console/sign-out", sign_in::sign_out)
        .get("/console/assets/{file}", assets::file)
        .get("/console/widgets/{widget}", widget::page)
        .post("/console/widgets/{widget}/person", acts::choose_person)
        .post(
            "/console/widgets/{widget}/host-secret",
            secrets::host_secret,
        )
        .post(
            "/console/widgets/{widget}/connections/{auth_key}/bind",
            acts::bind,
        )
        .post(
            "/console/widgets/{widget}/connections/{auth_key}/connect",
            acts::connect,
        )
        .post(
            "/console/widgets/{widget}/connections/{auth_key}/type",
            acts::type_credential,
        )
        .post(
            "/console/widgets/{widget}/connections/{auth_key}/disconnect",
            acts::disconnect,
        )
        .get(API, try_api::page)
        .post(API, try_api::call)
        .get(importing::ADDRESS, importing::page)
        .post(importing::ADDRESS, importing::post)
        .get("/console/passports", passports::page)
        .post("/console/passports", new_passport::make)
        .get(new_passport::ADDRESS, new_passport::page)
        .post(
            "/console/passports/{passport}/secret",
            secrets::client_secret,
        )
        .get("/console/health", health::page)
        .post("/console/health/renew", health::renew)
        .get("/console/activity", activity::page)
        .get("/console/{*rest}", page::nothing_here)
}

/// The same, with the edge around them.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    let router = routes().with_state(state);
    consulate_core::http::edge(router, "console", definitions)
}
