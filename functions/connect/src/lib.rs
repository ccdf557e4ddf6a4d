//! Connecting an account. This function opens nothing: it holds no key and reads no client secret. It writes one-time
//! records, moves browsers along, and asks the custodian to do what takes a credential.
//!
//! A walk through one connect, in the order of the rooms:
//!
//! 1. `begin.rs`: a verified caller asks; a ticket is made, good for five minutes and one use.
//! 2. `handshake.rs`: the browser opens the ticket. In popup mode a page asks its opener for the caller's JWT, so that
//!    a copied link is worth nothing; in redirect mode the proof comes last, with the completion.
//! 3. `authorize.rs`: the ticket becomes a flow, and the browser goes to the provider with state and PKCE challenge.
//! 4. `callback.rs`: the browser comes back; state, cookie, passport and issuer are checked; the custodian exchanges.
//! 5. `outcome.rs`: the browser ends on a clean address that carries no code, state or ticket.
//! 6. `complete.rs` (redirect mode): the same caller completes it, or it is burned and revoked.
//!
//! Beside the walk: `typed.rs` takes credentials that are typed rather than consented to, `status.rs` says how things
//! stand, `disconnect.rs` ends a connection. `target.rs` is the extractor
//! of every widget route, `acting.rs` does the same for the console,
//! `pages.rs`, `texts.rs` and `assets.rs` are what people see, `cookies.rs` what browsers keep,
//! `client.rs` the script that widgets load.
//!
//! Browser routes answer people with HTML, also when something is wrong; widget routes answer problem documents.

mod acting;
mod assets;
mod authorize;
mod begin;
mod callback;
mod client;
mod complete;
#[cfg(feature = "openapi")]
pub mod contract;
mod cookies;
mod disconnect;
mod handshake;
mod outcome;
mod pages;
mod status;
mod target;
mod texts;
mod typed;

pub use acting::act;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::response::Response;
use consulate_core::caller::Callers;
use consulate_core::clock::Clock;
use consulate_core::connections::Connections;
use consulate_core::custody::Custodian;
use consulate_core::definitions::Definitions;
use consulate_core::egress::LoopbackExceptions;
use consulate_core::flow::Flows;
use consulate_core::foundation::Foundation;
use consulate_core::http::{Routes, logged};
use http::StatusCode;

/// What the handlers share. Made once, at the cold start.
#[derive(Clone, Debug)]
pub struct State {
    /// Public address, without trailing slash.
    base_url: Arc<str>,
    clock: Clock,
    callers: Callers,
    connections: Connections,
    custodian: Custodian,
    definitions: Definitions,
    flows: Flows,
    /// Providers that `consulate dev` simulates.
    loopback: LoopbackExceptions,
}

impl State {
    /// Over a foundation.
    pub fn new(foundation: &Foundation) -> Self {
        Self {
            base_url: Arc::from(foundation.config.base_url.as_str()),
            clock: foundation.clock.clone(),
            callers: foundation.callers(),
            connections: foundation.connections.clone(),
            custodian: foundation.custodian(),
            definitions: foundation.definitions.clone(),
            flows: foundation.flows.clone(),
            loopback: foundation.leniency.loopback.clone(),
        }
    }
}

impl FromRef<State> for Callers {
    fn from_ref(state: &State) -> Self {
        state.callers.clone()
    }
}

/// The function's routes.
pub fn routes() -> Routes<State> {
    const CONNECTION: &str = "/v1/widgets/{widget}/connections/{auth_key}";
    const TICKET: &str = "/v1/connect/{ticket}";
    const CALLBACK: &str = "/v1/callback/{passport}";
    Routes::new()
        .get("/v1/health", health)
        .get("/v1/openapi.json", client::contract)
        .get("/v1/consulate.js", client::module)
        .get("/v1/consulate.classic.js", client::classic)
        .get("/v1/widgets/{widget}/connections", status::list)
        .get(CONNECTION, status::one)
        .put(CONNECTION, typed::put)
        .delete(CONNECTION, disconnect::disconnect)
        .post(
            "/v1/widgets/{widget}/connections/{auth_key}/connect",
            begin::begin,
        )
        .post(
            "/v1/widgets/{widget}/connections/{auth_key}/complete",
            complete::complete,
        )
        .get(TICKET, handshake::open)
        .post(TICKET, handshake::confirm)
        .head(TICKET, nothing_happens)
        .get("/v1/connect/assets/{file}", assets::file)
        .get(CALLBACK, callback::callback)
        .head(CALLBACK, nothing_happens)
        .get("/v1/connected", outcome::result_page)
}

/// The same, with the edge around them.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    consulate_core::http::edge(routes().with_state(state), "connect", definitions)
}

async fn health() -> Response {
    consulate_core::http::json(StatusCode::OK, &serde_json::json!({"status": "ok"}))
}

/// HEAD of an address whose GET uses something up: link checkers and previews must not.
async fn nothing_happens() -> StatusCode {
    StatusCode::NO_CONTENT
}
