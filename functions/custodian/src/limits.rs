//! What holds token calls back: the rest an endpoint asked for, a passport's circuit, and, for the schedule's calls, the
//! endpoint's rate and the number of calls at once. Calls of widgets wait for no permit: they are never starved.
//!
//! Rest and circuit are read together and believed for two seconds; while either holds, nothing is claimed, written or
//! sent. Permits are taken just before the claim, several rows' at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use consulate_core::clock::Timestamp;
use consulate_core::custody::Answer;
use consulate_core::limits::{Circuit, Limits, Standing};
use consulate_core::passport::Passport;
use consulate_core::table::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::Run;
use crate::attend::BATCH;
use crate::exchange::unavailable;
use crate::refresh::{Wanted, back_off};
use crate::token_endpoint::POST_TIMEOUT;

/// What was read is believed for so long.
const BELIEVED: Duration = Duration::from_secs(2);
/// Passports and endpoints remembered.
const KEPT: usize = 1_024;
/// Rows that come to their call within this time take their permits together.
const GATHER: Duration = Duration::from_millis(20);
/// Time for the writes after a token call.
const WRITES_TIME: Duration = Duration::from_secs(5);
/// A row without a permit is looked at again in its next slot; nothing waits for this.
const NEXT_SLOT_SECONDS: i64 = 60;

/// The limits, and what this process remembers of them.
#[derive(Clone)]
pub(crate) struct Gates {
    limits: Limits,
    known: Arc<Mutex<HashMap<String, Known>>>,
    /// By token endpoint.
    at_once: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

/// How a passport stood. Its age is counted on both clocks: neither a stopped environment nor a stepped wall clock makes
/// it younger.
struct Known {
    token_url: String,
    read_at: (Instant, Timestamp),
    standing: Standing,
}

impl Gates {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            known: Arc::default(),
            at_once: Arc::default(),
        }
    }

    async fn standing(&self, passport: &Passport, now: Timestamp) -> Result<Standing, Error> {
        if let Some(standing) = self.known(passport, now) {
            return Ok(standing);
        }
        let read = self.limits.standing(&passport.token_url, &passport.id);
        let standing = read.await?;
        self.learn(passport, standing.clone(), now);
        Ok(standing)
    }

    fn known(&self, passport: &Passport, now: Timestamp) -> Option<Standing> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&passport.id)?;
        let (instant, timestamp) = known.read_at;
        let age = now.since(timestamp);
        let young = instant.elapsed() < BELIEVED && (0..BELIEVED.as_millis() as i64).contains(&age);
        (young && known.token_url == passport.token_url).then(|| known.standing.clone())
    }

    fn learn(&self, passport: &Passport, standing: Standing, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        let entry = Known {
            token_url: passport.token_url.clone(),
            read_at: (Instant::now(), now),
            standing,
        };
        known.insert(passport.id.clone(), entry);
    }

    /// Changes what is remembered of a passport's circuit, however old; it gets no younger.
    fn learn_circuit(&self, passport: &Passport, circuit: Option<Circuit>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(&passport.id) {
            known.standing.circuit = circuit;
        }
    }

    /// The circuit as it was when it was last looked at.
    fn circuit(&self, passport: &Passport) -> Option<Circuit> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&passport.id)?.standing.circuit.clone()
    }

    fn forget(&self, passport: &Passport) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&passport.id);
    }

    fn semaphore(&self, passport: &Passport) -> Arc<Semaphore> {
        let mut at_once = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        if at_once.len() >= KEPT {
            at_once.clear();
        }
        let calls = passport.token_calls_at_once() as usize;
        at_once
            .entry(passport.token_url.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(calls)))
            .clone()
    }
}

impl Run<'_> {
    /// Reads what [`hold_back`](Self::hold_back) will need. Before the row is read: the less time lies between its reading and
    /// its claim, the fewer callers spend a write on losing one.
    pub(crate) async fn look_ahead(&self, passport: &Passport) {
        let now = self.state.clock.now();
        drop(self.state.gates.standing(passport, now).await);
    }

    /// Stops a token call that the endpoint's rest or the passport's circuit forbids. An operator may try an open circuit:
    /// who else would find that the repair worked.
    pub(crate) async fn hold_back(
        &mut self,
        passport: &Passport,
        wanted: Wanted,
    ) -> Result<(), Answer> {
        let now = self.state.clock.now();
        let standing = self.state.gates.standing(passport, now).await;
        let standing = standing.map_err(unavailable)?;
        if let Some(until) = standing.rests_until.filter(|until| *until > now) {
            return Err(self.held_back("endpoint_rests", until, now));
        }
        let open = standing.circuit.map(|circuit| circuit.open_until);
        match open.filter(|until| *until > now) {
            Some(until) if wanted != Wanted::Operator => {
                Err(self.held_back("circuit_open", until, now))
            }
            _ => Ok(()),
        }
    }

    fn held_back(&mut self, why: &'static str, until: Timestamp, now: Timestamp) -> Answer {
        self.fields.add("held_back", why);
        self.held_back = true;
        back_off(until, now)
    }

    /// Waits for the schedule's turn at the endpoint: its rate, then a place among the calls at once, which is held until the
    /// answer is dropped. `None` for everybody who does not wait.
    pub(crate) async fn turn(
        &mut self,
        passport: &Passport,
        wanted: Wanted,
    ) -> Result<Option<OwnedSemaphorePermit>, Answer> {
        let Some(permits) = self
            .permits
            .filter(|_| matches!(wanted, Wanted::Schedule { .. }))
        else {
            return Ok(None);
        };
        let state = self.state;
        // Later ones could not be concluded in time.
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = left.saturating_sub(POST_TIMEOUT + WRITES_TIME).as_millis() as i64;
        let latest = state.clock.now().plus_millis(left);
        let taken = permits.take(state, passport, latest).await?;
        let Some(at) = taken.filter(|at| *at <= latest) else {
            let now = state.clock.now();
            return Err(self.held_back("no_permit", now.plus_seconds(NEXT_SLOT_SECONDS), now));
        };
        let wait = u64::try_from(at.since(state.clock.now())).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let place = state.gates.semaphore(passport).acquire_owned().await.ok();
        if Instant::now() + POST_TIMEOUT + WRITES_TIME > self.deadline {
            let now = state.clock.now();
            return Err(self.held_back("no_permit", now.plus_seconds(NEXT_SLOT_SECONDS), now));
        }
        // Somebody may have been turned away meanwhile.
        self.hold_back(passport, wanted).await?;
        Ok(place)
    }

    /// Takes the right to try a circuit that has opened. Nothing is written where none has.
    pub(crate) async fn try_circuit(&mut self, passport: &Passport) -> Result<(), Answer> {
        let gates = &self.state.gates;
        let Some(seen) = gates.circuit(passport) else {
            return Ok(());
        };
        let now = self.state.clock.now();
        let tried = gates.limits.try_circuit(&passport.id, &seen, now).await;
        match tried.map_err(unavailable)? {
            Some(circuit) => {
                gates.learn_circuit(passport, Some(circuit.clone()));
                self.tried = Some(circuit);
                self.fields.add("circuit", "tried");
                Ok(())
            }
            None => {
                gates.forget(passport);
                Err(self.held_back("circuit_open", now.plus_seconds(1), now))
            }
        }
    }

    /// The provider does not accept our client: nobody calls for a while. The line of this run is the alarm. False when the
    /// table did not take it.
    pub(crate) async fn open_circuit(&mut self, passport: &Passport) -> bool {
        let gates = &self.state.gates;
        let now = self.state.clock.now();
        // Of many calls that come back refused, only the first opens it: the others had found none either.
        let seen = self.tried.take();
        let opened = gates
            .limits
            .open_circuit(&passport.id, seen.as_ref(), now)
            .await;
        match opened {
            Ok(Some(circuit)) => {
                gates.learn_circuit(passport, Some(circuit));
                self.fields.add("circuit", "opened");
                true
            }
            // Another's call came back a moment before.
            Ok(None) => {
                gates.forget(passport);
                true
            }
            Err(_) => false,
        }
    }

    /// The provider accepted our client: a circuit that was open is closed. Best effort; the next success does it otherwise.
    pub(crate) async fn client_accepted(&mut self, passport: &Passport) {
        let gates = &self.state.gates;
        if self.tried.is_none() && gates.circuit(passport).is_none() {
            return;
        }
        if gates.limits.close_circuit(&passport.id).await.is_ok() {
            gates.learn_circuit(passport, None);
            self.fields.add("circuit", "closed");
        }
    }

    /// As [`client_accepted`](Self::client_accepted), by an account that was connected: whoever has repaired a passport
    /// mostly tries it so.
    pub(crate) async fn client_accepted_anew(&mut self, passport: &Passport) {
        if passport.credential.has_client() {
            self.look_ahead(passport).await;
            self.client_accepted(passport).await;
        }
    }

    /// The endpoint asked to be left alone. Best effort: the row that met it rests in any case.
    pub(crate) async fn endpoint_rests(&mut self, passport: &Passport, seconds: u64) {
        let gates = &self.state.gates;
        let now = self.state.clock.now();
        let until = now.plus_seconds(i64::try_from(seconds).unwrap_or_default());
        let written = gates.limits.rest(&passport.token_url, until).await;
        self.fields
            .add("endpoint_rests_seconds", written.ok().map(|()| seconds));
        let mut known = gates.known.lock().unwrap_or_else(PoisonError::into_inner);
        for known in known.values_mut() {
            if known.token_url == passport.token_url {
                known.standing.rests_until = known.standing.rests_until.max(Some(until));
            }
        }
    }
}

/// Permits of one batch of the schedule's rows, by token endpoint.
pub(crate) struct Permits {
    /// Rows not yet begun, by passport.
    left: Mutex<HashMap<String, usize>>,
    pools: Mutex<HashMap<String, Arc<Pool>>>,
}

#[derive(Default)]
struct Pool {
    waiting: AtomicUsize,
    granted: tokio::sync::Mutex<Granted>,
}

#[derive(Default)]
struct Granted {
    instants: VecDeque<Timestamp>,
    taken: usize,
    /// Up to when the rate is given out, as far as we know.
    until: Option<Timestamp>,
    /// There is no rate left before the deadline.
    spent: bool,
}

impl Permits {
    /// For rows of `passports`, one for each row.
    pub fn of<'a>(passports: impl IntoIterator<Item = &'a str>) -> Self {
        let mut left = HashMap::new();
        for passport in passports {
            *left.entry(passport.to_owned()).or_default() += 1;
        }
        Self {
            left: Mutex::new(left),
            pools: Mutex::default(),
        }
    }

    /// A row of `passport` is begun.
    pub fn begin(&self, passport: &str) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = left.get_mut(passport) {
            *left = left.saturating_sub(1);
        }
    }

    fn left(&self, passport: &str) -> usize {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.get(passport).copied().unwrap_or_default()
    }

    /// When the next call of the passport's endpoint may be made; `None` where that is too late.
    async fn take(
        &self,
        state: &crate::State,
        passport: &Passport,
        latest: Timestamp,
    ) -> Result<Option<Timestamp>, Answer> {
        let pool = {
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            let pool = pools.entry(passport.token_url.clone()).or_default();
            pool.clone()
        };
        pool.waiting.fetch_add(1, Ordering::Relaxed);
        let mut granted = pool.granted.lock().await;
        let taken = if granted.instants.is_empty() && !granted.spent {
            self.lease(state, passport, latest, &pool, &mut granted)
                .await
        } else {
            Ok(())
        };
        pool.waiting.fetch_sub(1, Ordering::Relaxed);
        taken.map(|()| granted.instants.pop_front())
    }

    async fn lease(
        &self,
        state: &crate::State,
        passport: &Passport,
        latest: Timestamp,
        pool: &Pool,
        granted: &mut Granted,
    ) -> Result<(), Answer> {
        tokio::time::sleep(GATHER).await;
        let waiting = pool.waiting.load(Ordering::Relaxed);
        let wanted = chunk(waiting, granted.taken, self.left(&passport.id));
        let now = state.clock.now();
        let lease = state.gates.limits.lease(
            &passport.token_url,
            (wanted, passport.token_calls_per_second()),
            (now, latest),
            granted.until,
        );
        match lease.await.map_err(unavailable)? {
            Some(lease) => {
                granted.taken += wanted as usize;
                granted.until = Some(lease.until());
                granted.instants.extend(lease.instants());
            }
            None => granted.spent = true,
        }
        Ok(())
    }
}

/// PURE. How many permits to take: one for each row that waits, and once rows have turned out to need some, as many ahead
/// as were taken so far. So a hundred rows take two writes, and a row among many that need nothing takes one permit.
fn chunk(waiting: usize, taken: usize, left: usize) -> u32 {
    let ahead = taken.min(left);
    u32::try_from(waiting.max(ahead).clamp(1, BATCH)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_rows_take_their_permits_in_two_writes_and_a_single_one_takes_one() {
        assert_eq!(chunk(50, 0, 50), 50);
        assert_eq!(chunk(1, 50, 49), 49);
        assert_eq!(chunk(1, 0, 99), 1);
        assert_eq!(chunk(1, 1, 98), 1);
        assert_eq!(chunk(0, 0, 0), 1);
        assert_eq!(chunk(500, 0, 0), 100);
    }
}
