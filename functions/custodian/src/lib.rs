//! The custodian: the only function that opens refresh tokens and reads client secrets. It has no HTTP side; it is
//! invoked with [`Event`]s, and does what the rows say.
//!
//! One conversation per room: `exchange` (a code, or what was typed, to a grant), `activation` (a grant to a connection),
//! `refresh`, `revoke`. Beneath them `token_endpoint`, `sign_in` and `revocation` say how providers are called,
//! `token_reply` reads their answers, `outcome` says what they mean, `grant` what is kept of them, `profile` names the
//! account, `patience` repeats writes.

mod activation;
mod client_assertion;
mod exchange;
mod grant;
mod outcome;
mod patience;
mod profile;
mod refresh;
mod revocation;
mod revoke;
mod sign_in;
mod token_endpoint;
mod token_reply;

use std::sync::Arc;
use std::time::{Duration, Instant};

use consulate_core::aws::Skew;
use consulate_core::clock::Clock;
use consulate_core::connections::Connections;
use consulate_core::custody::{Answer, Event};
use consulate_core::definitions::Definitions;
use consulate_core::egress::Egress;
use consulate_core::flow::Flows;
use consulate_core::foundation::Foundation;
use consulate_core::log::{self, Fields, Level};
use consulate_core::random::{self, NoEntropy};
use consulate_core::secrets::Secrets;

/// The function's timeout: after this, whoever held an attempt is dead.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(90);
/// Work ends this long before the function's timeout.
const CLEARANCE: Duration = Duration::from_secs(5);

/// What the custodian works with.
#[derive(Clone)]
pub struct State {
    clock: Clock,
    connections: Connections,
    definitions: Definitions,
    flows: Flows,
    secrets: Secrets,
    egress: Egress,
    skew: Skew,
    /// Names this process in leases.
    instance: Arc<str>,
    earlier_processes_are_dead: bool,
}

impl State {
    /// On a function's foundation.
    ///
    /// # Errors
    /// [`NoEntropy`]: the cold start stops.
    pub fn new(foundation: &Foundation) -> Result<Self, NoEntropy> {
        let egress =
            Egress::token_endpoints(foundation.tls.clone(), foundation.leniency.loopback.clone());
        Ok(Self {
            clock: foundation.clock.clone(),
            connections: foundation.connections.clone(),
            definitions: foundation.definitions.clone(),
            flows: foundation.flows.clone(),
            secrets: foundation.secrets.clone(),
            egress,
            skew: foundation.aws.skew(),
            instance: Arc::from(random::id()?),
            earlier_processes_are_dead: foundation.leniency.earlier_processes_are_dead,
        })
    }
}

/// One invocation: what it may still do, and what will be said about it in the log.
struct Run<'a> {
    state: &'a State,
    deadline: Instant,
    fields: Fields,
}

/// Does what `event` asks, as far as the rows agree, and writes one log line.
pub async fn run(state: &State, event: Event, request_id: &str) -> Answer {
    let started = Instant::now();
    let mut run = Run {
        state,
        deadline: started + FUNCTION_TIMEOUT - CLEARANCE,
        fields: Fields::new().with("request_id", request_id),
    };
    let (name, answer) = match event {
        Event::Exchange { flow, code } => ("exchange", run.exchange(&flow, code).await),
        Event::SignIn { flow, typed } => ("sign_in", run.sign_in(&flow, typed).await),
        Event::Complete { flow } => ("complete", run.complete(&flow).await),
        Event::Abandon { flow } => ("abandon", run.abandon(&flow).await),
        Event::Refresh {
            key,
            version,
            rejected,
        } => ("refresh", run.refresh(&key, version, rejected).await),
        Event::Revoke { key } => ("revoke", run.revoke(&key).await),
    };
    let level = match &answer {
        Answer::Misconfigured | Answer::Unavailable => Level::Error,
        Answer::ProviderUnavailable | Answer::AuthenticationRequired { .. } => Level::Warn,
        Answer::Connected
        | Answer::AwaitingCompletion
        | Answer::FlowSpent
        | Answer::ProviderRefused { .. }
        | Answer::Refreshed { .. }
        | Answer::InProgress
        | Answer::BackOff { .. }
        | Answer::Revoked { .. } => Level::Info,
    };
    let mut fields = run.fields;
    fields.add("answer", &answer);
    fields.add("duration_ms", started.elapsed().as_millis() as u64);
    log::write(level, "custodian", name, fields);
    answer
}
