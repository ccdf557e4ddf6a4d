//! The custodian: the only function that opens refresh tokens and reads client secrets. It has no HTTP side; it is
//! invoked with typed [`Event`]s, by the schedule and with the messages of its queues, and does what the rows say.
//!
//! One conversation per room: `exchange` (a code, or what was typed, to a grant), `activation` (a grant to a connection),
//! `held` (a grant that waits in its flow), `refresh`, `revoke` (rows that were given up), `stray` (grants that no row has),
//! `salvage` (answers that could not be stored at once). What drives them: [`incoming`] (what an invocation asks for), `tick`
//! (the schedule), `attend` (one row whose turn it is). `limits` holds token calls back, `announce` says what happened to
//! connections. Beneath them `token_endpoint`,
//! `sign_in` and `revocation` say how providers are called, `token_reply` reads their answers, `outcome` says what they
//! mean, `giving_back` how one slot's tokens are given back, `subject` who shares an account, `grant` what is kept of them, `profile` names the account, `patience` repeats writes.

mod activation;
mod announce;
mod attend;
mod client_assertion;
mod exchange;
mod giving_back;
mod grant;
mod held;
pub mod incoming;
mod limits;
mod outcome;
mod patience;
mod profile;
mod refresh;
mod revocation;
mod revoke;
mod salvage;
mod sign_in;
mod stray;
mod subject;
mod tick;
mod token_endpoint;
mod token_reply;

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{Gates, Permits};
use crate::refresh::Wanted;
use crate::revoke::Urgency;
use consulate_core::aws::Skew;
use consulate_core::bus::Bus;
use consulate_core::clock::Clock;
use consulate_core::connections::Connections;
use consulate_core::custody::{Answer, Event};
use consulate_core::definitions::Definitions;
use consulate_core::egress::Egress;
use consulate_core::flow::Flows;
use consulate_core::foundation::Foundation;
use consulate_core::grants::Grants;
use consulate_core::limits::{Circuit, Limits};
use consulate_core::log::{self, Fields, Level};
use consulate_core::queue::Queue;
use consulate_core::random::{self, NoEntropy};
use consulate_core::schedule::Schedule;
use consulate_core::secrets::Secrets;
use consulate_core::subjects::Subjects;
use tokio::time::Instant;

/// The function's timeout: after this, whoever held an attempt is dead.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(90);
/// A clock further off AWS's than this claims nothing: two workers would disagree about whose lease holds. The half
/// second is the resolution of the `Date` it is compared with.
const SKEW_LIMIT_MILLIS: i64 = 2_500;
/// Work ends this long before the function's timeout.
const CLEARANCE: Duration = Duration::from_secs(5);

/// What the custodian works with.
#[derive(Clone)]
pub struct State {
    clock: Clock,
    connections: Connections,
    grants: Grants,
    subjects: Subjects,
    definitions: Definitions,
    flows: Flows,
    secrets: Secrets,
    egress: Egress,
    skew: Skew,
    schedule: Schedule,
    /// What holds token calls back.
    gates: Gates,
    /// Who wants to know what happens to connections.
    bus: Bus,
    /// Where the work of a tick goes; done inline where there is none.
    work: Option<Queue>,
    /// Where answers go that the table does not take at once.
    salvage: Option<Queue>,
    /// The one region that renews, and this one.
    regions: Regions,
    idle_limit_days: i64,
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
        Self::over(foundation, egress)
    }

    /// As [`new`](Self::new), over any way to providers.
    ///
    /// # Errors
    /// [`NoEntropy`]: the cold start stops.
    pub fn over(foundation: &Foundation, egress: Egress) -> Result<Self, NoEntropy> {
        let Foundation { config, aws, .. } = foundation;
        let queue = |url: &Option<String>| url.as_ref().map(|url| Queue::new(aws.sqs(), url));
        Ok(Self {
            clock: foundation.clock.clone(),
            connections: foundation.connections.clone(),
            grants: Grants::new(aws.dynamodb(), &config.table, config.due_shards.clone()),
            subjects: Subjects::new(aws.dynamodb(), &config.table),
            definitions: foundation.definitions.clone(),
            flows: foundation.flows.clone(),
            secrets: foundation.secrets.clone(),
            egress,
            skew: aws.skew(),
            schedule: Schedule::new(aws.dynamodb(), &config.table),
            gates: Gates::new(Limits::new(aws.dynamodb(), &config.table)),
            bus: Bus::new(aws.eventbridge(), config.event_bus.clone()),
            work: queue(&config.queue_url),
            salvage: queue(&config.salvage_queue_url),
            regions: Regions {
                here: config.aws.region.clone(),
                home: config.aws.home_region.clone(),
            },
            idle_limit_days: config.idle_limit_days,
            instance: Arc::from(random::id()?),
            earlier_processes_are_dead: foundation.leniency.earlier_processes_are_dead,
        })
    }
}

/// Exactly one region renews a connection: two could spend one refresh token.
#[derive(Clone)]
struct Regions {
    here: String,
    home: Option<String>,
}

impl Regions {
    fn is_home(&self) -> bool {
        self.home.as_ref().is_none_or(|home| *home == self.here)
    }
}

/// One invocation: what it may still do, and what will be said about it in the log.
struct Run<'a> {
    state: &'a State,
    deadline: Instant,
    request_id: String,
    fields: Fields,
    /// Where permits for the schedule's calls come from.
    permits: Option<&'a Permits>,
    /// Set where nothing was done about a row because its endpoint or passport is held back.
    held_back: bool,
    /// The circuit this run may try.
    tried: Option<Circuit>,
}

impl<'a> Run<'a> {
    fn new(state: &'a State, request_id: &str, deadline: Instant) -> Self {
        Self {
            state,
            deadline,
            request_id: request_id.to_owned(),
            permits: None,
            held_back: false,
            tried: None,
            fields: Fields::new().with("request_id", request_id),
        }
    }

    /// Counts tokens of a provider that end neither stored nor revoked. An alarm watches for this field.
    fn lost(&mut self, cause: &'static str) {
        self.fields.add("lost", cause);
    }
}

/// When an invocation that starts now has to end.
fn deadline() -> Instant {
    Instant::now() + FUNCTION_TIMEOUT - CLEARANCE
}

/// Does what `event` asks, as far as the rows agree, and writes one log line.
pub async fn run(state: &State, event: Event, request_id: &str) -> Answer {
    let started = Instant::now();
    let mut run = Run::new(state, request_id, deadline());
    if !state.regions.is_home() {
        run.fields.add("not_home_region", true);
        return written(run, "refused", started, Answer::Unavailable);
    }
    let (name, answer) = match event {
        Event::Exchange { flow, code } => ("exchange", run.exchange(&flow, code).await),
        Event::SignIn { flow, typed } => ("sign_in", run.sign_in(&flow, typed).await),
        Event::Complete { flow } => ("complete", run.complete(&flow).await),
        Event::Abandon { flow } => ("abandon", run.abandon(&flow).await),
        Event::Refresh {
            key,
            version,
            rejected,
        } => {
            let wanted = Wanted::Call { version, rejected };
            ("refresh", run.refresh(&key, wanted).await)
        }
        Event::RefreshNow { key } => ("refresh", run.refresh(&key, Wanted::Operator).await),
        Event::Revoke { key } => ("revoke", run.revoke(&key, Urgency::Hurried).await),
        Event::Note { deed, subject, by } => {
            return announce::note(request_id, deed, &subject, by.as_deref());
        }
    };
    run.fields.add("audit", name);
    written(run, name, started, answer)
}

/// Writes the log line of a run.
fn written(run: Run<'_>, name: &str, started: Instant, answer: Answer) -> Answer {
    let level = match &answer {
        Answer::Misconfigured | Answer::Unavailable => Level::Error,
        Answer::ProviderUnavailable | Answer::AuthenticationRequired { .. } => Level::Warn,
        Answer::Connected
        | Answer::AwaitingCompletion
        | Answer::FlowSpent
        | Answer::ProviderRefused { .. }
        | Answer::Refreshed { .. }
        | Answer::NotDue
        | Answer::InProgress
        | Answer::BackOff { .. }
        | Answer::Noted
        | Answer::Revoked { .. } => Level::Info,
    };
    let mut fields = run.fields;
    fields.add("outcome", answer.outcome());
    fields.add("answer", &answer);
    fields.add("duration_ms", started.elapsed().as_millis() as u64);
    log::write(level, "custodian", name, fields);
    answer
}
