//! The inside: the custodian as Lambda runs it, on one thread, inline, invoked by the schedule.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use consulate_core::clock::Clock;
use consulate_core::cohort::Shards;
use consulate_core::config::{AwsConfig, Config, IDLE_LIMIT_DAYS};
use consulate_core::egress::LoopbackExceptions;
use consulate_core::foundation::{Foundation, Leniency};
use consulate_core::log;
use consulate_core::secret::SecretText;
use consulate_custodian::{State, incoming};
use consulate_fakes::schedule::scheduled_event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::TABLE;
use crate::shop::Addresses;

/// One clock tick of `/proc`, as Linux has it everywhere.
const TICK_MILLIS: u64 = 10;
/// Invocations a minute may take before something must be wrong.
const INVOCATIONS: u32 = 500;

/// What a minute took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Took {
    /// From the first invocation's start to the last one's end.
    pub wall_millis: u64,
    /// CPU of this process.
    pub cpu_millis: u64,
    /// Invocations: more than one where the deadline came first.
    pub invocations: u32,
    /// Log lines above `info`.
    pub complaints: usize,
    /// Largest resident set of this process so far, KiB.
    pub peak_kib: u64,
}

/// The custodian, warm.
pub struct Worker {
    state: State,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    /// Over the outside at `addresses`.
    ///
    /// # Errors
    /// It cannot start.
    pub fn new(addresses: &Addresses) -> anyhow::Result<Self> {
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let kept = complaints.clone();
        log::set_sink(move |line| {
            if !line.contains(r#""level":"info""#) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(line.to_owned());
            }
        });
        let provider = addresses.provider.trim_start_matches("http://");
        let leniency = Leniency {
            loopback: LoopbackExceptions::new([provider]),
            ..Leniency::default()
        };
        let foundation = Foundation::new(config(addresses), Clock::system(), leniency)?;
        Ok(Self {
            state: State::new(&foundation)?,
            complaints,
        })
    }

    /// The tick of `minute`, and as many more as it takes to be done with it.
    ///
    /// # Errors
    /// A tick stopped for another reason than its deadline.
    pub async fn minute(&self, minute: i64) -> anyhow::Result<Took> {
        let (started, cpu) = (Instant::now(), cpu_millis()?);
        let mut took = Took::default();
        loop {
            took.invocations += 1;
            let event = scheduled_event("tick", "id", minute * 60_000);
            let said = incoming::handle(&self.state, event, "bench").await?;
            match said.get("stopped").and_then(Value::as_str) {
                None => break,
                Some("deadline") if took.invocations < INVOCATIONS => {}
                Some(stopped) => {
                    let complaints = self.complaints();
                    anyhow::bail!("the tick stopped: {stopped}, after {complaints:?}")
                }
            }
        }
        took.wall_millis = millis(started.elapsed());
        took.cpu_millis = cpu_millis()? - cpu;
        took.complaints = self.complaints().len();
        took.peak_kib = peak_kib()?;
        Ok(took)
    }

    /// What the log complained of since this was last asked.
    fn complaints(&self) -> Vec<String> {
        let kept = self.complaints.lock();
        std::mem::take(&mut *kept.unwrap_or_else(PoisonError::into_inner))
    }
}

fn config(addresses: &Addresses) -> Config {
    Config {
        table: TABLE.to_owned(),
        base_url: "https://consulate.example.com".to_owned(),
        secrets_prefix: "consulate/".to_owned(),
        custodian: "custodian".to_owned(),
        connect: None,
        proxy: None,
        queue_url: None,
        salvage_queue_url: None,
        event_bus: None,
        due_shards: Shards::default(),
        idle_limit_days: IDLE_LIMIT_DAYS,
        metrics: None,
        extra_ca: None,
        aws: AwsConfig {
            region: "us-east-1".to_owned(),
            home_region: None,
            access_key_id: "bench".to_owned(),
            secret_access_key: SecretText::new("bench"),
            session_token: None,
            dynamodb_endpoint: Some(addresses.dynamodb.clone()),
            secrets_manager_endpoint: Some(addresses.secrets_manager.clone()),
            lambda_endpoint: None,
            sqs_endpoint: None,
            eventbridge_endpoint: None,
        },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// CPU time of this process, user and system (proc(5), `/proc/self/stat`, fields 14 and 15).
fn cpu_millis() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("/proc/self/stat")?;
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: Result<Vec<u64>, _> = ticks.map(str::parse).collect();
    Ok(ticks?.into_iter().sum::<u64>() * TICK_MILLIS)
}

/// proc(5), `/proc/self/status`, `VmHWM`.
fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    Ok(words.context("no VmHWM in /proc/self/status")?.parse()?)
}
