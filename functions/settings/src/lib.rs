//! Private settings: what a widget must remember and no page viewer may read in the page's own data. JSON values under
//! keys, for each user or for the organisation, as the widget's operator allows.
//!
//! `shelf` says whose settings a request means and whether its caller may; `one` reads, puts and deletes a setting; `list`
//! pages through them; `value` is what may be put. Storing and sealing
//! are the core's ([`consulate_core::settings`]).

#[cfg(feature = "openapi")]
pub mod contract;
mod list;
mod one;
mod shelf;
mod value;

use axum::Router;
use axum::extract::FromRef;
use consulate_core::caller::Callers;
use consulate_core::clock::Clock;
use consulate_core::definitions::Definitions;
use consulate_core::foundation::Foundation;
use consulate_core::http::{Routes, logged};
use consulate_core::settings::Settings;

/// What the handlers share. Made once, at the cold start.
#[derive(Clone, Debug)]
pub struct State {
    clock: Clock,
    callers: Callers,
    definitions: Definitions,
    settings: Settings,
}

impl State {
    /// On a function's foundation.
    pub fn new(foundation: &Foundation) -> Self {
        Self {
            clock: foundation.clock.clone(),
            callers: foundation.callers(),
            definitions: foundation.definitions.clone(),
            settings: foundation.settings(),
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
    const SETTING: &str = "/v1/widgets/{widget}/settings/{scope}/{key}";
    Routes::new()
        .get("/v1/widgets/{widget}/settings/{scope}", list::list)
        .get(SETTING, one::get)
        .put(SETTING, one::put)
        .delete(SETTING, one::delete)
}

/// The same, with the edge around them.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    let router = routes().with_state(state);
    consulate_core::http::edge(router, "settings", definitions)
}
