//! The administrator's console. It opens nothing: it reads connections without what is sealed (a projection), writes client
//! secrets and reads none, and acts on connections by asking connect, proxy and custodian, which judge for themselves.
//!
//! `sign_in` (the one-time link), `session` (who is signed in, and that a form is their own), then a room for each page:
//! `widgets` (the list), `widget` (one, with `authentication` for each of its accounts), `acts` (connect, disconnect, bind …),
//! `try_api`, `health`, `passports` (with `secrets`), `activity`. `page` is the frame around them, `texts` and `words` what they
//! say, `assets` their script and style.
//!
//! Pages are made here and need no script; forms are posted and answered 303. Nothing is fetched from elsewhere.

mod activity;
mod acts;
mod assets;
mod authentication;
mod health;
mod page;
mod passports;
mod secrets;
mod session;
mod sign_in;
mod texts;
mod try_api;
mod widget;
mod widgets;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use consulate_core::acting::Deputies;
use consulate_core::bindings::Bindings;
use consulate_core::clock::Clock;
use consulate_core::config;
use consulate_core::connections::Connections;
use consulate_core::console::{Act, ConsoleRecords};
use consulate_core::custody::Custodian;
use consulate_core::definitions::Definitions;
use consulate_core::foundation::Foundation;
use consulate_core::secret_writer::SecretWriter;

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
            deputies: Deputies::new(aws.lambda(), connect, proxy),
            custodian: foundation.custodian(),
            secrets: SecretWriter::new(aws.secrets_manager(), &config.secrets_prefix),
        })
    }

    /// Keeps what was done. An act that cannot be noted was done all the same, so nobody is told otherwise.
    async fn note(&self, signed: &session::Signed, what: &str, on: &str, detail: &str) {
        let act = Act {
            at: self.clock.now().millis(),
            by: signed.session.name.clone(),
            what: what.to_owned(),
            on: on.to_owned(),
            detail: detail.to_owned(),
        };
        let _unnoted = self.records.note(&act).await;
    }
}

/// The function's routes.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    let routes = Router::new()
        .route("/console", get(widgets::page))
        .route(
            "/console/sign-in",
            get(sign_in::page).post(sign_in::sign_in),
        )
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/assets/{file}", get(assets::file))
        .route("/console/widgets/{widget}", get(widget::page))
        .route(
            "/console/widgets/{widget}/person",
            post(acts::choose_person),
        )
        .route(
            "/console/widgets/{widget}/host-secret",
            post(secrets::host_secret),
        )
        .route(
            "/console/widgets/{widget}/connections/{auth_key}/bind",
            post(acts::bind),
        )
        .route(
            "/console/widgets/{widget}/connections/{auth_key}/connect",
            post(acts::connect),
        )
        .route(
            "/console/widgets/{widget}/connections/{auth_key}/type",
            post(acts::type_credential),
        )
        .route(
            "/console/widgets/{widget}/connections/{auth_key}/disconnect",
            post(acts::disconnect),
        )
        .route(
            "/console/widgets/{widget}/apis/{name}",
            get(try_api::page).post(try_api::call),
        )
        .route("/console/passports", get(passports::page))
        .route(
            "/console/passports/{passport}/secret",
            post(secrets::client_secret),
        )
        .route("/console/health", get(health::page))
        .route("/console/health/renew", post(health::renew))
        .route("/console/activity", get(activity::page))
        .route("/console/{*rest}", get(page::nothing_here))
        .with_state(state);
    consulate_core::http::edge(routes, "console", definitions)
}
