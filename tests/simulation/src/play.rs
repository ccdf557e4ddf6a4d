//! The random schedule of one seed: what is asked of which instance when, and what befalls it; then calm, until all is
//! settled.

use std::time::Duration;

use consulate_core::clock::Timestamp;
use consulate_core::connections::Connections;
use consulate_core::custody::{Answer, Event};
use consulate_core::flow::Flows;
use consulate_core::table::ConnectionKey;
use consulate_custodian::{State, incoming};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::invocation::{Fate, Fated, Moment};
use crate::queue;
use crate::world::Shared;

/// Rounds of calm, a minute each, in which everything has to settle.
const ROUNDS: u32 = 60;
/// An access token that is handed out as fresh has at least this left.
const LEFT_MILLIS: u64 = 4_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Call { connection: usize, rejected: bool },
    Now { connection: usize },
    Connect { connection: usize },
    Disconnect { connection: usize },
    Revoke { connection: usize },
    Tick { minutes_ago: i64, twice: bool },
}

/// Who is there.
pub(crate) struct Cast {
    pub world: Shared,
    pub custodians: Vec<State>,
    /// Instances whose clock is good.
    pub good: Vec<bool>,
    pub keys: Vec<ConnectionKey>,
    /// Connect's own way to the rows, under faults; and the stage hands', without.
    pub connect: Connections,
    pub flows: Flows,
    next: u64,
}

impl Cast {
    pub fn new(
        world: Shared,
        custodians: Vec<State>,
        good: Vec<bool>,
        keys: Vec<ConnectionKey>,
        connect: Connections,
        flows: Flows,
    ) -> Self {
        Self {
            world,
            custodians,
            good,
            keys,
            connect,
            flows,
            next: 0,
        }
    }

    fn row_version(&self, connection: usize) -> i64 {
        let inner = self.world.lock();
        let row = self
            .keys
            .get(connection)
            .and_then(|key| inner.rows.get(&key.pk()));
        row.map_or(0, |row| row.version)
    }

    /// Invokes instance `instance`.
    pub fn invoke(
        &mut self,
        instance: usize,
        payload: Value,
        fate: Fate,
    ) -> JoinHandle<Option<Value>> {
        self.next += 1;
        let number = self.next;
        self.world.begun(number);
        let (world, state) = (self.world.clone(), self.custodians[instance].clone());
        self.world
            .tell(&format!("custodian-{instance} #{number}"), || {
                format!("invoked with {payload} {fate:?}")
            });
        let fated = Fated::new(self.world.clone(), number, fate, async move {
            incoming::handle(&state, payload, &number.to_string()).await
        });
        tokio::task::spawn_local(async move {
            let answer = fated.await?.ok();
            world.tell(&format!("#{number}"), || format!("answers {answer:?}"));
            answer
        })
    }

    fn fate(&self) -> Fate {
        let mut inner = self.world.lock();
        if inner.calm {
            return Fate::default();
        }
        let overdue = inner.overdue;
        let chance = &mut inner.chance;
        let last = [10, 25, 45][chance.index(3)];
        let at = u32::try_from(chance.between(1, last)).unwrap_or(1);
        let longest = if overdue { 240 } else { 85 };
        let first = u32::try_from(chance.between(1, 6)).unwrap_or(1);
        let moment = match chance.odds(500) {
            true => Moment::Poll(at),
            false => Moment::Answered(first),
        };
        match chance.between(0, 100) {
            0..16 => Fate {
                crash: Some(moment),
                ..Fate::default()
            },
            16..36 => Fate {
                freeze: Some((moment, Duration::from_secs(chance.between(1, longest)))),
                overdue,
                ..Fate::default()
            },
            _ => Fate::default(),
        }
    }

    fn any_instance(&self) -> usize {
        let mut inner = self.world.lock();
        inner.chance.index(self.custodians.len())
    }

    pub async fn act(&mut self, action: Action) {
        self.world.lock().tally.add("steps", 1);
        let (instance, fate) = (self.any_instance(), self.fate());
        match action {
            Action::Call {
                connection,
                rejected,
            } => {
                let version = self.row_version(connection);
                let payload = event(&Event::Refresh {
                    key: self.keys[connection].clone(),
                    version,
                    rejected,
                });
                let call = self.invoke(instance, payload, fate);
                if !rejected && fate.freeze.is_none() && self.good[instance] {
                    self.judge_freshness(call, connection, version);
                }
            }
            Action::Now { connection } => {
                let key = self.keys[connection].clone();
                self.invoke(instance, event(&Event::RefreshNow { key }), fate);
            }
            Action::Revoke { connection } => {
                let key = self.keys[connection].clone();
                self.invoke(instance, event(&Event::Revoke { key }), fate);
            }
            Action::Disconnect { connection } => {
                let key = self.keys[connection].clone();
                let (connect, now) = (self.connect.clone(), self.world.clock.now());
                let given_up = connect.disconnect(&key, now).await;
                self.world.tell("connect", || {
                    format!("disconnects {connection}: {given_up:?}")
                });
                // Its invoke is only to hurry: at times it is lost.
                if self.world.lock().chance.odds(600) {
                    self.invoke(instance, event(&Event::Revoke { key }), fate);
                }
            }
            Action::Connect { connection } => self.connect(connection, instance, fate).await,
            Action::Tick { minutes_ago, twice } => {
                let payload = tick(self.world.clock.now(), minutes_ago);
                if twice {
                    self.invoke(instance, payload.clone(), Fate::default());
                }
                self.invoke(instance, payload, fate);
            }
        }
    }

    pub async fn connect(&mut self, connection: usize, instance: usize, fate: Fate) {
        let key = self.keys[connection].clone();
        let id = format!("flow-{}-{connection}", self.next);
        let (flow, until) = crate::stage::flow(&id, &key);
        if self.flows.begin_typed(&flow, until).await.is_err() {
            return;
        }
        let code = {
            let mut inner = self.world.lock();
            let lifetime = inner.lifetimes[0];
            inner.tally.add("consents", 1);
            inner.provider.consent(key.passport == "once", lifetime)
        };
        let payload = event(&Event::Exchange { flow: id, code });
        // An invoke may be repeated: the flow is claimed once.
        if fate.crash.is_none() && self.world.lock().chance.odds(100) {
            self.invoke(instance, payload.clone(), Fate::default());
        }
        self.invoke(instance, payload, fate);
    }

    /// What is answered to be good for a call has to be.
    fn judge_freshness(&self, call: JoinHandle<Option<Value>>, connection: usize, version: i64) {
        let world = self.world.clone();
        let pk = self.keys[connection].pk();
        tokio::task::spawn_local(async move {
            let Ok(Some(answer)) = call.await else { return };
            let answered = Answer::Refreshed { version };
            if serde_json::to_value(answered).ok() != Some(answer) {
                return;
            }
            let now = world.now();
            let inner = world.lock();
            let Some(row) = inner.rows.get(&pk) else {
                return;
            };
            let access = row.access.filter(|_| row.version == version);
            let Some(access) = access else { return };
            let left = inner.provider.answers[access]
                .expires_at
                .saturating_sub(now);
            drop(inner);
            if left < LEFT_MILLIS {
                world.broken(format!(
                    "connection {connection}: handed out as fresh with {left} ms left"
                ));
            }
        });
    }

    /// Hands queued messages to instances, as event source mappings do.
    pub fn deliver(&mut self) {
        loop {
            let now = self.world.now();
            let messages = {
                let mut guard = self.world.lock();
                let inner = &mut *guard;
                let twice = if inner.calm { 0 } else { 150 };
                inner.queues.receive(now, &mut inner.chance, twice)
            };
            if messages.is_empty() {
                return;
            }
            let ids: Vec<u64> = messages.iter().map(|message| message.id).collect();
            self.world
                .lock()
                .tally
                .add("messages delivered", ids.len() as u64);
            // Another region's instance hands a message back; in the end its own mapping has it.
            let calm = self.world.lock().calm;
            let instance = if calm { 0 } else { self.any_instance() };
            let fate = self.fate();
            let handling = self.invoke(instance, queue::event(&messages), fate);
            let world = self.world.clone();
            tokio::task::spawn_local(async move {
                let Ok(Some(answer)) = handling.await else {
                    return;
                };
                let failed: Vec<u64> = answer["batchItemFailures"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|failure| failure["itemIdentifier"].as_str()?.parse().ok())
                    .collect();
                let done: Vec<u64> = ids.into_iter().filter(|id| !failed.contains(id)).collect();
                let mut guard = world.lock();
                let inner = &mut *guard;
                let fails = if inner.calm { 0 } else { 50 };
                inner.queues.delete(&done, &mut inner.chance, fails);
            });
        }
    }

    /// Plays `schedule`: milliseconds after the start, and what to do then.
    pub async fn play(&mut self, schedule: &[(u64, Action)]) {
        for (at, action) in schedule {
            sleep_until(self.world.start + Duration::from_millis(*at)).await;
            self.deliver();
            self.act(*action).await;
        }
    }

    /// No faults any more. True once nothing is left to be done.
    pub async fn settle(&mut self) -> bool {
        self.world.lock().calm = true;
        self.world.tell("stage", || "calm".to_owned());
        // Whatever was invoked in the storm ends by itself; so do outages.
        sleep(Duration::from_secs(300)).await;
        for _ in 0..ROUNDS {
            let payload = tick(self.world.clock.now(), 0);
            let ticking = self.invoke(0, payload, Fate::default());
            drop(ticking.await);
            let until = Instant::now() + Duration::from_secs(60);
            while Instant::now() < until {
                self.deliver();
                sleep(Duration::from_secs(10)).await;
            }
            if self.look_after().await {
                return true;
            }
        }
        false
    }

    /// Renews what is connected; true where every row is at rest.
    async fn look_after(&mut self) -> bool {
        let mut at_rest = self.world.lock().queues.messages.is_empty();
        for number in 0..self.keys.len() {
            let key = self.keys[number].clone();
            let pk = key.pk();
            let health = {
                let inner = self.world.lock();
                inner.rows.get(&pk).map(|row| row.health.clone())
            };
            match health.as_deref() {
                Some("connected") => {
                    let asking = self.invoke(0, event(&Event::RefreshNow { key }), Fate::default());
                    let answer = asking.await.ok().flatten().unwrap_or_default();
                    let outcome = answer["outcome"].as_str().unwrap_or_default();
                    at_rest &= matches!(outcome, "refreshed" | "authentication_required");
                }
                Some("disconnected") => {
                    let inner = self.world.lock();
                    at_rest &= inner.rows[&pk].receipt != "pending";
                }
                _ => {}
            }
        }
        at_rest
    }
}

fn event(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

fn tick(now: Timestamp, minutes_ago: i64) -> Value {
    let time = now.plus_seconds(-60 * minutes_ago).rfc3339();
    json!({"detail-type": "Scheduled Event", "source": "aws.events", "time": time})
}
