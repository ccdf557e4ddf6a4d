//! Qrvey security tokens: a widget names a template, the template is filled in for the verified caller, Qrvey is asked with
//! the API key, and the browser gets the short-lived token. It opens no connection and never sees a provider's tokens.
//!
//! One request: `params` reads what the caller chose, `look_up` reads the settings the template names, `render` fills it in and refuses what
//! would show too much, `held` serves what was minted for the very same request, `endpoint` asks Qrvey, `mint` puts them together.
//!
//! Source: Qrvey, "Embedding Widgets Using a Security Token".

#[cfg(feature = "openapi")]
pub mod contract;
mod endpoint;
mod held;
mod look_up;
mod mint;
mod params;
pub mod render;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::FromRef;
use consulate_core::caller::Callers;
use consulate_core::clock::{Clock, Timestamp};
use consulate_core::definitions::Definitions;
use consulate_core::egress::Egress;
use consulate_core::foundation::Foundation;
use consulate_core::http::Routes;
use consulate_core::secrets::Secrets;
use consulate_core::settings::Settings;

use crate::held::Held;

/// What the function works with.
#[derive(Clone)]
pub struct State {
    callers: Callers,
    definitions: Definitions,
    secrets: Secrets,
    settings: Settings,
    egress: Egress,
    held: Held,
    welcome_again: WelcomeAgain,
    clock: Clock,
}

/// When an instance that was asked too often may be asked again, by instance and API key.
type WelcomeAgain = Arc<Mutex<HashMap<String, Timestamp>>>;

impl State {
    /// On a function's foundation.
    pub fn new(foundation: &Foundation) -> Self {
        Self {
            callers: foundation.callers(),
            definitions: foundation.definitions.clone(),
            secrets: foundation.secrets.clone(),
            settings: Settings::new(
                foundation.aws.dynamodb(),
                &foundation.config.table,
                foundation.secrets.clone(),
            ),
            egress: Egress::upstream(foundation.tls.clone(), foundation.leniency.loopback.clone()),
            held: Held::default(),
            welcome_again: WelcomeAgain::default(),
            clock: foundation.clock.clone(),
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
    Routes::new().post("/v1/widgets/{widget}/qrvey/{name}", mint::mint)
}

/// The same, with the edge around them.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    let router = routes().with_state(state);
    consulate_core::http::edge(router, "qrvey-token", definitions)
}
