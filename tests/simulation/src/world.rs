//! What one seed's world consists of, under one lock: chance, provider, queues, rows as last seen, invocations, story.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use consulate_core::clock::Clock;
use consulate_core::seal::Keyring;
use consulate_fakes::dynamodb::Engine;
use http::request::Parts;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::faults::{Outage, fault_name};
use crate::mutants::Mutant;
use crate::provider::{Provider, Said};
use crate::queue::Queues;
use crate::tally::Tally;
use crate::watch::Row;
use crate::wire::{Fault, From};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    Table,
    Secrets,
    Queue,
    Provider,
}

impl Hop {
    pub fn of(host: &str) -> Self {
        match host {
            "table.sim" => Self::Table,
            "secrets.sim" => Self::Secrets,
            "sqs.sim" => Self::Queue,
            _ => Self::Provider,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Secrets => "secrets",
            Self::Queue => "queue",
            Self::Provider => "provider",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Table | Self::Queue => "application/x-amz-json-1.0",
            Self::Secrets => "application/x-amz-json-1.1",
            Self::Provider => "application/json",
        }
    }
}

/// A request that arrived.
pub(crate) struct Asked {
    pub hop: Hop,
    pub from: From,
    pub invocation: u64,
    /// The operation, or the path.
    pub what: String,
    pub body: String,
    pub form: Vec<(String, String)>,
    /// The family a token call is about.
    pub family: Option<usize>,
}

/// One invocation's record.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    pub dead: bool,
    pub frozen: bool,
    /// It went on behind the function's timeout, as nothing on Lambda does: what it does then is counted by itself.
    pub outlived: bool,
    /// The provider has issued tokens in its name.
    pub answered: bool,
    pub notes: BTreeSet<String>,
}

pub(crate) struct Inner {
    pub chance: Chance,
    pub calm: bool,
    /// Holders may outlive their timeout in this world.
    pub overdue: bool,
    /// The table goes away just behind answers of the provider.
    pub stormy: bool,
    /// Faults in a thousand requests.
    pub heat: u64,
    pub outages: Vec<Outage>,
    pub provider: Provider,
    pub queues: Queues,
    pub rows: BTreeMap<String, Row>,
    pub invocations: BTreeMap<u64, Invocation>,
    /// When an invocation died, was frozen, or could not close its claim; or a write came so late that closing it came first.
    pub troubles: Vec<u64>,
    pub tally: Tally,
    pub broken: Vec<String>,
    pub lifetimes: Vec<u64>,
    pub mutant: Option<Mutant>,
    pub story: Option<Vec<String>>,
    names: Vec<String>,
}

pub(crate) struct World {
    pub start: Instant,
    pub clock: Clock,
    pub engine: Engine,
    pub keyring: Keyring,
    inner: Mutex<Inner>,
}

pub(crate) type Shared = Arc<World>;

/// Instances from this number on are not the custodian's and meet no faults.
pub(crate) const STAGE_HAND: usize = 100;

impl World {
    pub fn new(engine: Engine, clock: Clock, keyring: Keyring, inner: Inner) -> Shared {
        Arc::new(Self {
            start: Instant::now(),
            clock,
            engine,
            keyring,
            inner: Mutex::new(inner),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or_default()
    }

    pub fn tell(&self, who: &str, what: impl FnOnce() -> String) {
        let now = self.now();
        self.lock().tell(now, who, what);
    }

    pub fn broken(&self, what: String) {
        let now = self.now();
        let mut inner = self.lock();
        inner.tell(now, "invariant", || format!("BROKEN: {what}"));
        inner.broken.push(what);
    }

    /// As every answer of the table has it.
    pub fn date(&self, hop: Hop) -> Option<String> {
        let stripped = self.lock().mutant == Some(Mutant::Clock);
        (!stripped || hop == Hop::Provider).then(|| self.clock.now().http_date())
    }

    pub fn fault_at_dial(&self, hop: Hop, from: From) -> bool {
        let now = self.now();
        let mut inner = self.lock();
        if from.instance >= STAGE_HAND {
            return false;
        }
        let out = hop == Hop::Table && inner.outage(now).is_some_and(|outage| outage.manner == 0);
        let heat = if inner.calm { 0 } else { inner.heat / 2 };
        let refused = out || inner.chance.odds(heat);
        if refused {
            inner.tally.add(&fault_name(hop, Fault::NotDialled), 1);
            let who = inner.who(from, from.invocation);
            inner.tell(now, &who, || format!("{} not reached", hop.name()));
        }
        refused
    }

    pub fn asked(&self, hop: Hop, from: From, head: &Parts, body: Bytes) -> Asked {
        let target = head.headers.get("x-amz-target");
        let target = target
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let what = match hop {
            Hop::Provider => head.uri.path().to_owned(),
            _ => target.rsplit('.').next().unwrap_or_default().to_owned(),
        };
        let form = match hop {
            Hop::Provider => form_urlencoded::parse(&body).into_owned().collect(),
            _ => Vec::new(),
        };
        let family = match what.as_str() {
            "/token" => self.lock().provider.family_of(&form),
            _ => None,
        };
        Asked {
            hop,
            from,
            invocation: from.invocation,
            what,
            body: String::from_utf8_lossy(&body).into_owned(),
            form,
            family,
        }
    }

    /// What befalls `asked`.
    pub fn fault(&self, hop: Hop, asked: &Asked) -> Fault {
        let now = self.now();
        let mut inner = self.lock();
        if asked.from.instance >= STAGE_HAND {
            return Fault::Nothing;
        }
        let fault = match (hop, inner.outage(now)) {
            (Hop::Table, Some(outage)) => match outage.manner {
                1 => Fault::Refused(500),
                2 => Fault::LateAnswer(outage.until - now),
                _ => Fault::AfterSend,
            },
            _ => inner.draw(hop),
        };
        if hop == Hop::Table && matches!(fault, Fault::Late(_)) {
            inner.troubles.push(now);
        }
        if let Some(family) = asked.family {
            inner.provider.families[family].sent_at = Some(now);
        }
        if fault != Fault::Nothing {
            inner.tally.add(&fault_name(hop, fault), 1);
        }
        inner.tally.add("requests", 1);
        let who = inner.who(asked.from, asked.invocation);
        inner.tell(now, &who, || {
            let befell = match fault {
                Fault::Nothing => String::new(),
                fault => format!(" [{fault:?}]"),
            };
            format!("{} {}{befell}", hop.name(), asked.what)
        });
        fault
    }

    /// How long a request is on its way, milliseconds.
    pub fn latency(&self, asked: &Asked) -> u64 {
        let mut inner = self.lock();
        match asked.hop {
            Hop::Provider => inner.chance.between(20, 400),
            _ => inner.chance.between(1, 25),
        }
    }

    pub fn apply(&self, asked: Asked) -> Said {
        match asked.hop {
            Hop::Table => self.table(asked),
            Hop::Secrets => crate::stage::secret(&asked.body),
            Hop::Queue => {
                let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
                let now = self.now();
                let mut inner = self.lock();
                if body["MessageGroupId"].is_string() {
                    inner.tally.add("salvage messages", 1);
                }
                let said = inner.queues.serve(&asked.what, &body, now);
                drop(inner);
                self.look_at_message(&body);
                Said::plain(200, said)
            }
            Hop::Provider => self.provider(&asked),
        }
    }

    pub fn begun(&self, number: u64) {
        self.lock()
            .invocations
            .insert(number, Invocation::default());
    }

    pub fn died(&self, number: u64, how: &str) {
        let now = self.now();
        let mut inner = self.lock();
        inner.tally.add(&format!("invocations that {how}"), 1);
        inner.troubles.push(now);
        if let Some(invocation) = inner.invocations.get_mut(&number) {
            invocation.dead = true;
        }
        inner.tell(now, &format!("#{number}"), || how.to_owned());
    }

    /// Whether the provider has issued tokens in the name of an invocation.
    pub fn has_answered(&self, number: u64) -> bool {
        let inner = self.lock();
        let invocation = inner.invocations.get(&number);
        invocation.is_some_and(|invocation| invocation.answered)
    }

    pub fn outlived(&self, number: u64) {
        let now = self.now();
        let mut inner = self.lock();
        let Some(invocation) = inner.invocations.get_mut(&number) else {
            return;
        };
        if !std::mem::replace(&mut invocation.outlived, true) {
            inner
                .tally
                .add("invocations that outlived their timeout", 1);
            inner.tell(now, &format!("#{number}"), || {
                "outlives its timeout".to_owned()
            });
        }
    }

    pub fn frozen(&self, number: u64, time: Duration) {
        let now = self.now();
        let mut inner = self.lock();
        inner.tally.add("invocations frozen", 1);
        inner.troubles.push(now);
        if let Some(invocation) = inner.invocations.get_mut(&number) {
            invocation.frozen = true;
        }
        inner.tell(now, &format!("#{number}"), || {
            format!("frozen for {time:?}")
        });
    }

    /// A line of the custodian's log.
    pub fn logged(&self, line: &str) {
        let Ok(serde_json::Value::Object(mut line)) = serde_json::from_str(line) else {
            return;
        };
        line.remove("time");
        let now = self.now();
        let number = line
            .get("request_id")
            .and_then(|id| id.as_str()?.parse().ok());
        let mut inner = self.lock();
        for note in ["recovery", "fenced_out", "superseded_by", "left_open"] {
            if line.contains_key(note) {
                inner.tally.add(&format!("log: {note}"), 1);
            }
        }
        if ["left_open", "claim_left_open"]
            .iter()
            .any(|note| line.contains_key(*note))
        {
            inner.troubles.push(now);
        }
        if let Some(invocation) = number.and_then(|id: u64| inner.invocations.get_mut(&id)) {
            let keys = line.iter().map(|(name, value)| match value.as_str() {
                Some(value) => format!("{name}={value}"),
                None => name.clone(),
            });
            invocation.notes.extend(keys);
        }
        let text = serde_json::Value::Object(line).to_string();
        inner.tell(now, "log", || text);
    }
}

impl Inner {
    pub fn new(
        chance: Chance,
        heat: u64,
        outages: Vec<Outage>,
        lifetimes: Vec<u64>,
        mutant: Option<Mutant>,
        story: bool,
        names: Vec<String>,
    ) -> Self {
        Self {
            chance,
            calm: true,
            overdue: false,
            stormy: false,
            heat,
            outages,
            provider: Provider::default(),
            queues: Queues::default(),
            rows: BTreeMap::new(),
            invocations: BTreeMap::new(),
            troubles: Vec::new(),
            tally: Tally::default(),
            broken: Vec::new(),
            lifetimes,
            mutant,
            story: story.then(Vec::new),
            names,
        }
    }

    pub fn tell(&mut self, now: u64, who: &str, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!(
                "{:>9}.{:03} {who}: {}",
                now / 1_000,
                now % 1_000,
                what()
            ));
        }
    }

    pub fn who(&self, from: From, invocation: u64) -> String {
        let name = self
            .names
            .get(from.instance)
            .map_or("stage", String::as_str);
        format!("{name} #{invocation}")
    }
}
