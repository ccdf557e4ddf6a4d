//! `consulate dev`: all of Consulate in one process on loopback, over the same functions as on Lambda.
//!
//! `folder` (the data folder), `port`, `simulators` (DynamoDB, Secrets Manager, Lambda, SQS, EventBridge), `gateway` (the public port),
//! `imports`, `demo_parts` and `simulated` (what is set up at start), `log`, `command` (until a signal comes). [`start`]
//! puts them together; the command and the tests call the same one.

pub mod command;
mod demo_parts;
mod folder;
mod gateway;
mod imports;
mod log;
mod port;
pub mod simulated;
mod simulators;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use consulate_core::clock::Clock;
use consulate_core::egress::LoopbackExceptions;
use consulate_core::foundation::{Foundation, Leniency};
use consulate_core::secrets;
use consulate_fakes::dynamodb::Engine;
use consulate_fakes::event_source::EventSource;
use consulate_fakes::eventbridge::EventBridge;
use consulate_fakes::gate::AccessGate;
use consulate_fakes::lambda::Functions;
use consulate_fakes::provider::Provider;
use consulate_fakes::qrvey::Qrvey;
use consulate_fakes::schedule::Schedule;
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve_on};
use consulate_fakes::sqs::Queues;
use tokio::task::JoinHandle;

pub use log::Listener;

use crate::demo::Steps;
use crate::operator::arguments::DevArguments;
use crate::operator::dev_file::DevFile;
use crate::operator::keys;
use crate::operator::target::{Target, dev_config};
use demo_parts::Dashboards;
use folder::DataFolder;
use simulated::Simulation;
use simulators::Simulators;

/// Name of the table.
const TABLE: &str = "consulate";
/// What somebody changes should be seen at once by whoever changed it.
const DEFINITIONS_FRESH_FOR: Duration = Duration::from_secs(1);
/// How often expired items are deleted; DynamoDB takes its time too.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long requests under way may take to finish.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Log lines the demo page can still read.
const STEPS: usize = 500;

/// How to start. [`Options::new`] is what `consulate dev` does without flags.
#[derive(Clone)]
pub struct Options {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The public port; `None` takes the last run's, else 8700, else a free one. `Some(0)` takes a free one.
    pub port: Option<u16>,
    /// Whether there is a demo.
    pub demo: bool,
    /// Bundles to import.
    pub imports: Vec<PathBuf>,
    /// `HOST:PORT` pairs on loopback that are callable over plain http.
    pub allow: Vec<String>,
    /// Providers to simulate: families, or ids of the catalogue.
    pub simulate: Vec<String>,
    /// Real hosts that a server on this loopback port stands in for.
    pub stand_ins: Vec<(String, u16)>,
    /// Whether the schedule runs every minute; else only when it is fired by hand.
    pub schedule: bool,
    /// Time, for the functions, the simulators and the demo's provider.
    pub clock: Clock,
    /// How old a secret in a function's memory may be.
    pub secrets_fresh_for: Duration,
    /// Hears every log line.
    pub listener: Option<Listener>,
}

impl Options {
    /// On the data folder `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            demo: true,
            imports: Vec::new(),
            allow: Vec::new(),
            simulate: Vec::new(),
            stand_ins: Vec::new(),
            schedule: true,
            clock: Clock::system(),
            secrets_fresh_for: secrets::FRESH_FOR,
            listener: None,
        }
    }
}

impl From<&DevArguments> for Options {
    fn from(arguments: &DevArguments) -> Self {
        Self {
            port: arguments.port,
            demo: !arguments.no_demo,
            imports: arguments.imports.clone(),
            allow: arguments.allow.clone(),
            simulate: arguments.simulate.clone(),
            stand_ins: arguments.stand_ins.clone(),
            ..Self::new(&arguments.data_dir)
        }
    }
}

/// A running `consulate dev`. Dropping it ends everything at once.
pub struct Running {
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// Where everything is kept: what `--dev` takes.
    pub data_dir: PathBuf,
    /// Time, for the functions and the demo's provider.
    pub clock: Clock,
    /// The table.
    pub engine: Engine,
    /// The secrets.
    pub secrets: SecretsManager,
    /// What can be invoked: `custodian`.
    pub functions: Functions,
    /// The custodian's queues.
    pub queues: Queues,
    /// What happened to connections, as the event bus has it.
    pub event_bus: EventBridge,
    /// The rule that ticks, where it runs.
    pub schedule: Option<Schedule>,
    /// The demo's provider, where there is a demo.
    pub provider: Option<Provider>,
    dashboards: Option<Dashboards>,
    /// The simulated providers, where there are any.
    pub simulation: Option<Simulation>,
    /// The log, as the demo page reads it.
    pub steps: Arc<Steps>,
    /// What the functions stand on.
    pub foundation: Foundation,
    /// Where the operator's commands act.
    pub target: Target,
    /// What the person who started this should know.
    pub notes: Vec<String>,
    dev_file: DevFile,
    public: Vec<Served>,
    simulated: [Served; 5],
    sweeping: Task,
    _event_sources: [EventSource; 2],
    _listeners: Vec<Listener>,
    // Last: nobody else may have the folder before everything above is gone.
    folder: DataFolder,
}

/// A task that ends with its handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts everything, and answers when it serves.
///
/// # Errors
/// The data folder or the port is taken or unusable, or a bundle of `--import` is refused.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    let folder = DataFolder::open(&options.data_dir)?;
    let former = DevFile::read(folder.path())?;
    let listening = port::listen(options.port, former.as_ref().and_then(DevFile::port)).await?;
    let gate = match &former {
        Some(former) => AccessGate::new(&former.access_key_id),
        None => AccessGate::random()?,
    };
    let (steps, listeners) = listen(options.listener);
    let simulators = Simulators::start(&folder, &gate, &options.clock).await?;
    let mut allow = options.allow;
    let dashboards = match options.demo {
        true => Some(Dashboards::start(&options.clock).await?),
        false => None,
    };
    if let Some(dashboards) = &dashboards {
        allow.push(format!("127.0.0.1:{}", listening.port));
        allow.push(dashboards.served.addr.to_string());
    }
    let dev_file = DevFile {
        base_url: format!("http://127.0.0.1:{}", listening.port),
        dynamodb: simulators.dynamodb.url(),
        secrets_manager: simulators.secrets_manager.url(),
        lambda: simulators.lambda.url(),
        sqs: Some(simulators.sqs.url()),
        eventbridge: Some(simulators.eventbridge.url()),
        access_key_id: gate.access_key_id,
        table: TABLE.to_owned(),
        allow: allow.clone(),
        pid: Some(std::process::id()),
    };
    let mut simulation = Simulation::start(&options.simulate, &options.clock).await?;
    let loopback = LoopbackExceptions::new(allow.iter().map(String::as_str));
    let loopback = loopback.simulating(played(&options.stand_ins, simulation.as_ref()));
    let leniency = Leniency {
        loopback,
        definitions_fresh_for: DEFINITIONS_FRESH_FOR,
        secrets_fresh_for: options.secrets_fresh_for,
        earlier_processes_are_dead: true,
    };
    let foundation = Foundation::new(dev_config(&dev_file), options.clock.clone(), leniency)?;
    let target = Target::of_function(
        &foundation.config,
        &foundation.aws,
        allow,
        options.clock.clone(),
    );
    simulators::make_table(&target.dynamodb, TABLE).await?;
    foundation
        .connections
        .release_the_dead()
        .await
        .context("what an earlier process left behind cannot be cleared")?;
    keys::create_missing(&target).await?;
    let custodian = consulate_custodian::State::new(&foundation)?;
    simulators.functions.register(
        &foundation.config.custodian,
        simulators::custodian_handler(custodian),
    );

    let event_sources = simulators::event_sources(
        &simulators.queues,
        &simulators.functions,
        &foundation.config.custodian,
    )?;

    let mut notes: Vec<String> = listening.note.into_iter().collect();
    let (provider, demo) = if let Some(dashboards) = &dashboards {
        let ground = demo_parts::Ground {
            target: &target,
            secrets: &simulators.secrets,
            base_url: &dev_file.base_url,
            port: listening.port,
            state_file: &folder.file("demo-provider.json"),
            clock: &options.clock,
            steps: &steps,
            dashboards,
        };
        let (provider, routes) = demo_parts::set_up(ground)
            .await
            .context("the demo cannot be set up")?;
        (Some(provider), routes)
    } else {
        (None, Router::new())
    };
    if let Some(simulation) = &mut simulation {
        notes.extend(simulation.make_passports(&target).await?);
    }
    for bundle in &options.imports {
        let simulation = simulation.as_ref();
        notes.push(imports::import_bundle(&target, &simulators.secrets, bundle, simulation).await?);
    }

    let connect = consulate_connect::State::new(&foundation);
    let proxy = consulate_proxy::State::new(&foundation);
    let (on_connect, on_proxy) = (
        simulators::connect_handler(connect.clone()),
        simulators::proxy_handler(proxy.clone()),
    );
    simulators.functions.register("connect", on_connect);
    simulators.functions.register("proxy", on_proxy);
    let functions = gateway::Functions {
        connect: consulate_connect::router(connect),
        proxy: consulate_proxy::router(proxy),
        console: consulate_console::router(consulate_console::State::new(&foundation)?),
        qrvey_token: consulate_qrvey_token::router(consulate_qrvey_token::State::new(&foundation)),
        settings: consulate_settings::router(consulate_settings::State::new(&foundation)),
    };
    let router = gateway::router(functions, demo);
    let serve = |listener| serve_on(listener, router.clone());
    let public = listening
        .listeners
        .into_iter()
        .map(serve)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let clock = options.clock;
    // Written last: who finds a process id in it finds a server that answers.
    dev_file.write(folder.path())?;
    Ok(Running {
        base_url: dev_file.base_url.clone(),
        data_dir: options.data_dir,
        clock: clock.clone(),
        sweeping: Task(tokio::spawn(sweep(simulators.engine.clone()))),
        engine: simulators.engine,
        secrets: simulators.secrets,
        schedule: options.schedule.then(|| {
            Schedule::start(
                &simulators.functions,
                "tick",
                foundation.config.custodian.clone(),
                simulators::millis_of(&clock),
            )
        }),
        functions: simulators.functions,
        queues: simulators.queues,
        event_bus: simulators.event_bus,
        provider,
        dashboards,
        simulation,
        steps,
        foundation,
        target,
        notes,
        dev_file,
        public,
        simulated: [
            simulators.lambda,
            simulators.sqs,
            simulators.eventbridge,
            simulators.dynamodb,
            simulators.secrets_manager,
        ],
        _event_sources: event_sources,
        _listeners: listeners,
        folder,
    })
}

impl Running {
    /// The demo's Qrvey instance, where there is a demo.
    pub fn qrvey(&self) -> Option<&Qrvey> {
        self.dashboards.as_ref().map(|dashboards| &dashboards.qrvey)
    }

    /// Stops: requests under way may finish for two seconds. The data folder is free afterwards.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.sweeping);
        let finish = async {
            futures_util::future::join_all(self.public.into_iter().map(Served::stop)).await;
            // Only then: requests under way need these.
            futures_util::future::join_all(self.simulated.map(Served::stop)).await;
            if let Some(simulation) = self.simulation {
                simulation.stop().await;
            }
            if let Some(dashboards) = self.dashboards {
                dashboards.served.stop().await;
            }
        };
        let _in_time = tokio::time::timeout(STOP_WITHIN, finish).await;
        let stopped = DevFile {
            pid: None,
            ..self.dev_file
        };
        stopped.write(self.folder.path())
    }
}

/// Where a real host is played: by a stand-in of the developer's own, else by a simulator.
fn played(
    stand_ins: &[(String, u16)],
    simulation: Option<&Simulation>,
) -> impl Fn(&str) -> Option<String> + Send + Sync + 'static {
    let stand_ins = stand_ins.to_vec();
    let simulated = simulation.map(Simulation::base_of);
    move |host| {
        let mut stand_ins = stand_ins.iter();
        match stand_ins.find(|(known, _)| known == host) {
            Some((_, port)) => Some(format!("http://127.0.0.1:{port}")),
            None => simulated.as_ref()?(host),
        }
    }
}

/// The steps of the demo page and who else listens, hearing from now on.
fn listen(other: Option<Listener>) -> (Arc<Steps>, Vec<Listener>) {
    let steps = Arc::new(Steps::new(STEPS));
    let into = steps.clone();
    let push: Listener = Arc::new(move |line: &str| into.push(line));
    let listeners: Vec<Listener> = std::iter::once(push).chain(other).collect();
    listeners.iter().for_each(log::listen);
    (steps, listeners)
}

async fn sweep(engine: Engine) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        // The next sweep tries again.
        let _failed = engine.sweep_ttl().await;
    }
}
