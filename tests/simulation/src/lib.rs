//! Deterministic simulation of renewing and revoking. One seed is one world: the custodian's real code in several
//! instances, HTTP bytes over in-memory streams, tokio's paused time, seeded chance; the embedded engine as the table, a
//! strict provider with a ledger, queues; faults on every hop, crashes at any await, frozen environments, clocks that are
//! off. Whatever happens is judged as it happens, and once more when all has calmed down.
//!
//! | room | is |
//! |---|---|
//! | `world` | what a world consists of; `chance` its one source of chance |
//! | `wire` | the way to everything outside an instance, and what breaks on it (`faults`) |
//! | `watch` | the table's hop, and the eye on every row |
//! | `durable` | tokens in records and messages |
//! | `provider`, `queue` | played strictly, with a ledger; `calls` the eye on token calls |
//! | `invocation` | a future that crashes and freezes |
//! | `stage`, `play` | the set, and the schedule of a seed |
//! | `verdict` | what became of every connection and token |
//! | `mutants` | guards broken one at a time |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that cannot go on ends"
)]

mod calls;
mod chance;
mod durable;
mod faults;
mod invocation;
mod mutants;
mod play;
mod provider;
mod queue;
mod stage;
mod tally;
mod verdict;
mod watch;
mod wire;
mod world;

use std::cell::RefCell;
use std::sync::Once;

use consulate_core::clock::{Clock, Timestamp};
use consulate_core::seal::Keyring;
use consulate_core::{log, random};

pub use crate::mutants::Mutant;
pub use crate::tally::Tally;

use crate::chance::Chance;
use crate::faults::Outage;
use crate::play::{Action, Cast};
use crate::stage::{Environment, Queues};
use crate::world::{Inner, STAGE_HAND, Shared, World};

/// What came of one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Its counts.
    pub tally: Tally,
    /// Invariants that did not hold.
    pub broken: Vec<String>,
    /// What happened, line by line, where it was asked for.
    pub story: Vec<String>,
}

thread_local! {
    static LISTENING: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// Plays one seed, with a guard broken where `mutant` says so. The same seed always plays the same.
pub fn play(seed: u64, mutant: Option<Mutant>, story: bool) -> Played {
    static LOG: Once = Once::new();
    LOG.call_once(|| {
        log::set_sink(|line| {
            let world = LISTENING.with_borrow(Clone::clone);
            if let Some(world) = world {
                world.logged(line);
            }
        });
    });
    let mut bytes = Chance::new(seed ^ 0xB17E5);
    random::simulated::set(Some(Box::new(move |buffer| bytes.fill(buffer))));
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    let world = local.block_on(&runtime, played(seed, mutant, story));
    drop(local);
    drop(runtime);
    LISTENING.set(None);
    random::simulated::set(None);
    let mut inner = world.lock();
    inner.tally.add("seeds", 1);
    Played {
        tally: inner.tally.clone(),
        broken: inner.broken.clone(),
        story: inner.story.take().unwrap_or_default(),
    }
}

async fn played(seed: u64, mutant: Option<Mutant>, story: bool) -> Shared {
    let mut chance = Chance::new(seed);
    let engine = stage::table().expect("a table");
    let clock = Clock::of_runtime(Timestamp::from_seconds(1_795_244_400));
    let keyring = Keyring::parse(&stage::keyring_text()).expect("a keyring");
    let queues = Queues {
        work: chance.odds(400),
        salvage: chance.odds(500),
    };
    let mut environments = environments(&mut chance, queues);
    if let Some(mutant) = mutant {
        broken_environments(mutant, &mut environments);
    }
    let heat = [0, 10, 30, 60, 120][chance.index(5)];
    let length = chance.between(120, 900) * 1_000;
    let outages = outages(&mut chance, length);
    let lifetimes = (0..3)
        .map(|_| [120, 300, 900, 3_600][chance.index(4)])
        .collect();
    let connections = 1 + chance.index(3);
    let keys: Vec<_> = (0..connections)
        .map(|number| stage::key(number, chance.odds(750)))
        .collect();
    let schedule = schedule(&mut chance, length, connections);
    let overdue = chance.odds(150);
    let stormy = chance.odds(300);
    let names = (0..environments.len()).map(|number| format!("custodian-{number}"));
    let names = names.chain(["connect".to_owned()]).collect();
    let mut inner = Inner::new(chance, heat, outages, lifetimes, mutant, story, names);
    inner.overdue = overdue;
    inner.stormy = stormy;
    let world = World::new(engine, clock, keyring, inner);
    LISTENING.set(Some(world.clone()));
    world.tell("stage", || {
        format!("seed {seed}, heat {heat}, overdue {overdue}, {environments:?}")
    });

    let custodians = environments
        .iter()
        .enumerate()
        .map(|(number, environment)| stage::custodian(&world, number, environment));
    let custodians = custodians.collect();
    let good = environments
        .iter()
        .map(|environment| environment.trusted)
        .collect();
    let home = Environment::at_home(0, queues);
    let connect = stage::foundation(&world, environments.len(), &home).connections;
    let flows = stage::foundation(&world, STAGE_HAND, &home).flows;
    let mut cast = Cast::new(
        world.clone(),
        custodians,
        good,
        keys.clone(),
        connect,
        flows,
    );
    // Everybody connects in calm.
    for connection in 0..connections {
        cast.connect(connection, 0, invocation::Fate::default())
            .await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    world.lock().calm = false;
    cast.play(&schedule).await;
    let settled = cast.settle().await;
    let pks: Vec<String> = keys.iter().map(|key| key.pk()).collect();
    world.judge(settled, &pks);
    world
}

/// The first is always good: it is who looks after everything in the end.
fn environments(chance: &mut Chance, queues: Queues) -> Vec<Environment> {
    let mut environments = vec![Environment::at_home(0, queues)];
    for _ in 0..chance.between(1, 3) {
        let off = i64::try_from(chance.between(0, 3_600)).unwrap_or_default() - 1_800;
        environments.push(Environment::at_home(off, queues));
    }
    if chance.odds(300) {
        let off = if chance.odds(500) { 300_000 } else { -300_000 };
        let mut environment = Environment::at_home(off, queues);
        environment.trusted = false;
        environments.push(environment);
    }
    if chance.odds(300) {
        environments.push(Environment::elsewhere(queues));
    }
    environments
}

fn broken_environments(mutant: Mutant, environments: &mut [Environment]) {
    for environment in environments.iter_mut().skip(1) {
        match mutant {
            Mutant::RecoveryWait => environment.takes_over_at_once = true,
            Mutant::Margin => environment.clock_off_millis = -45_000,
            Mutant::Clock => environment.clock_off_millis = 300_000,
            _ => {}
        }
    }
}

fn outages(chance: &mut Chance, length: u64) -> Vec<Outage> {
    let count = [0, 0, 1, 1, 2][chance.index(5)];
    let outages = (0..count).map(|_| {
        let from = chance.between(2_000, length);
        let lasts = if chance.odds(300) {
            chance.between(20_000, 70_000)
        } else {
            chance.between(500, 20_000)
        };
        Outage {
            from,
            until: from + lasts,
            manner: chance.between(0, 3),
        }
    });
    outages.collect()
}

fn schedule(chance: &mut Chance, length: u64, connections: usize) -> Vec<(u64, Action)> {
    let mut schedule = Vec::new();
    let ticks = chance.odds(500);
    for _ in 0..chance.between(8, 40) {
        let mut at = chance.between(2_500, length);
        let connection = chance.index(connections);
        let crowd = if chance.odds(300) {
            chance.between(2, 5)
        } else {
            1
        };
        for _ in 0..crowd {
            let action = match chance.between(0, 100) {
                0..35 => Action::Now { connection },
                35..60 => Action::Call {
                    connection,
                    rejected: chance.odds(400),
                },
                60..70 => Action::Connect { connection },
                70..80 => Action::Disconnect { connection },
                80..85 => Action::Revoke { connection },
                _ if ticks => Action::Tick {
                    minutes_ago: [0, 0, 0, 1, 5][chance.index(5)],
                    twice: chance.odds(200),
                },
                _ => Action::Now { connection },
            };
            schedule.push((at, action));
            // While one is frozen, or its outcome not known, somebody asks again.
            if chance.odds(250) {
                let later = at + chance.between(20_000, 120_000);
                schedule.push((later, Action::Now { connection }));
            }
            at += chance.between(0, 400);
        }
    }
    schedule.sort_by_key(|(at, _)| *at);
    schedule
}

#[cfg(test)]
mod tests;
