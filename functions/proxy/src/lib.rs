//! The proxy: a widget names an API and its params, the credential is injected here, the answer goes back in the Appspace
//! envelope. It opens access tokens and nothing else, and never talks to a token endpoint.
//!
//! One request: `params` reads the body, `consulate_core::template` renders the request, `access_token` brings a token
//! that can be used now, `call` sends it and judges the answer, `guards` and `echo_guard` remove the credential should it
//! come back; `acting` takes the console's calls; `envelope`, `throttle` and `response_headers` shape what the widget sees; `rests` leaves alone who asked for it.
//!
//! Beside it: `deliver` hands an access token to the widget itself, where that is declared and allowed.

mod access_token;
mod acting;
mod call;
#[cfg(feature = "openapi")]
pub mod contract;
mod deliver;
pub mod echo_guard;
pub mod envelope;
pub mod guards;
pub mod params;
pub mod response_headers;
mod rests;
pub mod throttle;

pub use acting::act;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::FromRef;
use consulate_core::caller::Callers;
use consulate_core::clock::Clock;
use consulate_core::definition::{NamedApi, Passport, Widget};
use consulate_core::definitions::Definitions;
use consulate_core::egress::Egress;
use consulate_core::foundation::Foundation;
use consulate_core::http::Routes;
use consulate_core::template::{ApiTemplate, CompileError};

use crate::access_token::AccessTokens;
use crate::rests::Rests;

/// More compiled templates are not kept.
const TEMPLATES: usize = 1_024;

/// What the proxy works with.
#[derive(Clone)]
pub struct State {
    callers: Callers,
    definitions: Definitions,
    access_tokens: AccessTokens,
    egress: Egress,
    templates: Templates,
    rests: Rests,
    clock: Clock,
}

/// Compiled templates by widget and API. An entry counts only for the very definitions it was compiled from.
type Templates = Arc<Mutex<HashMap<(String, String), Compiled>>>;

#[derive(Clone)]
struct Compiled {
    widget: Arc<Widget>,
    passport: Arc<Passport>,
    template: Arc<ApiTemplate>,
}

impl State {
    /// On a function's foundation.
    pub fn new(foundation: &Foundation) -> Self {
        Self {
            callers: foundation.callers(),
            definitions: foundation.definitions.clone(),
            access_tokens: AccessTokens::new(
                foundation.clock.clone(),
                foundation.connections.clone(),
                foundation.secrets.clone(),
                foundation.custodian(),
            ),
            egress: Egress::upstream(foundation.tls.clone(), foundation.leniency.loopback.clone()),
            templates: Templates::default(),
            rests: Rests::default(),
            clock: foundation.clock.clone(),
        }
    }

    fn template(
        &self,
        widget: &Arc<Widget>,
        passport: &Arc<Passport>,
        api: &NamedApi,
    ) -> Result<Arc<ApiTemplate>, CompileError> {
        let key = (widget.id.clone(), api.name.clone());
        let mut templates = self
            .templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = templates.get(&key)
            && Arc::ptr_eq(&compiled.widget, widget)
            && Arc::ptr_eq(&compiled.passport, passport)
        {
            return Ok(compiled.template.clone());
        }
        let mut reserved = passport.reserved_params.clone();
        reserved.extend(passport.credential_param().map(str::to_owned));
        reserved.extend(passport.appsecret_proof.then(|| call::PROOF.to_owned()));
        let template = Arc::new(ApiTemplate::compile(api, &reserved)?);
        if templates.len() >= TEMPLATES {
            templates.clear();
        }
        let compiled = Compiled {
            widget: widget.clone(),
            passport: passport.clone(),
            template: template.clone(),
        };
        templates.insert(key, compiled);
        Ok(template)
    }
}

impl FromRef<State> for Callers {
    fn from_ref(state: &State) -> Self {
        state.callers.clone()
    }
}

/// The proxy's routes.
pub fn routes() -> Routes<State> {
    Routes::new()
        .post("/v1/widgets/{widget}/apis/{name}", call::call)
        .get(
            "/v1/widgets/{widget}/connections/{auth_key}/access-token",
            deliver::deliver,
        )
}

/// The same, with the edge around them.
pub fn router(state: State) -> Router {
    let definitions = state.definitions.clone();
    consulate_core::http::edge(routes().with_state(state), "proxy", definitions)
}
