//! The schedule: every minute, what lies in the slots whose turn it is, handed out by the hundred.
//!
//! The record goes forward only *after* what it stands for was handed out, so a tick that dies is gone on from where it was,
//! and nothing is skipped; at worst a share is handed out twice, and whoever works on it finds nothing due. After an
//! outage each slot that was missed is visited once, however often its turn came, and as many as fit before the deadline.

use consulate_core::clock::Timestamp;
use consulate_core::cohort::Cycle;
use consulate_core::connections::Page;
use consulate_core::log::{self, Fields, Level};
use consulate_core::schedule::{Place, Progress};
use consulate_core::table;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attend::{self, BATCH, Work};
use crate::{SKEW_LIMIT_MILLIS, State, deadline};

/// First pages asked for ahead.
const AHEAD: usize = 16;
/// Rows of one page.
const PAGE: i32 = 1_000;
/// An event this far ahead of the clock is not believed.
const EARLY_MILLIS: i64 = 60_000;

/// Why a tick stopped before its minute was done.
#[derive(Debug)]
enum Stop {
    /// The time is up; the next tick goes on.
    Deadline,
    /// Another tick goes on from the same place.
    Overtaken,
    /// The table or the queue does not answer.
    Unavailable,
}

impl From<table::Error> for Stop {
    fn from(_: table::Error) -> Self {
        Self::Unavailable
    }
}

/// Hands out everything due up to the minute of `time`, and answers how far it came.
pub(crate) async fn tick(state: &State, time: Timestamp, request_id: &str) -> Value {
    let started = Instant::now();
    let mut ticking = Ticking {
        state,
        request_id,
        deadline: deadline(),
        rows: 0,
        minutes: 0,
    };
    let result = ticking.run(time).await;
    let stopped = match &result {
        Ok(()) => None,
        Err(Stop::Deadline) => Some("deadline"),
        Err(Stop::Overtaken) => Some("overtaken"),
        Err(Stop::Unavailable) => Some("unavailable"),
    };
    let fields = Fields::new()
        .with("request_id", request_id)
        .with("minutes", ticking.minutes)
        .with("rows", ticking.rows)
        .with("stopped", stopped)
        .with("duration_ms", started.elapsed().as_millis() as u64);
    let level = match result {
        Err(Stop::Unavailable) => Level::Error,
        Ok(()) | Err(Stop::Deadline | Stop::Overtaken) => Level::Info,
    };
    log::write(level, "custodian", "tick", fields);
    json!({ "minutes": ticking.minutes, "rows": ticking.rows, "stopped": stopped })
}

struct Ticking<'a> {
    state: &'a State,
    request_id: &'a str,
    deadline: Instant,
    rows: usize,
    minutes: usize,
}

impl Ticking<'_> {
    async fn run(&mut self, time: Timestamp) -> Result<(), Stop> {
        let state = self.state;
        if !state.regions.is_home() {
            return Err(Stop::Unavailable);
        }
        let now = state.clock.now();
        let latest = now.plus_millis(EARLY_MILLIS);
        let target = minute_of(time.min(latest));
        let mut progress = state.schedule.read(target).await?;
        // Only now: its answer says how far the clock is off, and one that was read late must not stop the schedule for good.
        if state.skew.millis().abs() > SKEW_LIMIT_MILLIS {
            return Err(Stop::Unavailable);
        }
        while progress.done < target {
            let (minute, from) = match &progress.at {
                Some(place) => (place.minute, progress.at.clone()),
                None => (next_minute(progress.done, target), None),
            };
            progress = self.minute(progress, minute, target, from).await?;
            self.minutes += 1;
        }
        Ok(())
    }

    /// Everything of one minute whose slot does not come round again by `target`.
    async fn minute(
        &mut self,
        mut progress: Progress,
        minute: i64,
        target: i64,
        from: Option<Place>,
    ) -> Result<Progress, Stop> {
        let mut from = from;
        let rows = self.rows;
        for cycle in Cycle::all() {
            if let Some(place) = &from
                && place.cycle != cycle.text()
            {
                continue;
            }
            let place = from.take();
            if target - minute >= i64::from(cycle.minutes()) {
                continue;
            }
            progress = self.slot(progress, minute, cycle, place).await?;
        }
        // Catching up, minutes in which nothing lay are written down by the hour: going through one twice costs a few reads.
        if minute < target && self.rows == rows && minute % 60 != 0 {
            progress.done = minute;
            progress.at = None;
            return Ok(progress);
        }
        self.advance(&progress, minute, None).await
    }

    /// One slot: its partitions in order, their first pages asked for ahead.
    async fn slot(
        &mut self,
        mut progress: Progress,
        minute: i64,
        cycle: Cycle,
        from: Option<Place>,
    ) -> Result<Progress, Stop> {
        let connections = &self.state.connections;
        let partitions = connections.due_partitions(cycle, minute);
        let (first, after) = match from {
            Some(place) => (place.partition, place.after),
            None => (0, None),
        };
        let mut asked: Vec<BoxFuture<'_, Result<(usize, Page), table::Error>>> = Vec::new();
        for (number, partition) in partitions.iter().enumerate().skip(first) {
            let after = after.clone().filter(|_| number == first);
            asked.push(Box::pin(async move {
                let page = connections
                    .due_page(partition, after.as_deref(), PAGE)
                    .await;
                Ok((number, page?))
            }));
        }
        let mut pages = futures_util::stream::iter(asked).buffered(AHEAD);
        while let Some((number, mut page)) = pages.try_next().await? {
            loop {
                let last = page.pks.last().cloned();
                self.hand_out(minute, cycle, page.pks).await?;
                if let Some(last) = last {
                    let place = Place {
                        minute,
                        cycle: cycle.text(),
                        partition: number,
                        after: Some(last),
                    };
                    progress = self.advance(&progress, progress.done, Some(place)).await?;
                }
                let Some(next) = page.next else {
                    break;
                };
                let Some(partition) = partitions.get(number) else {
                    break;
                };
                page = connections.due_page(partition, Some(&next), PAGE).await?;
            }
        }
        Ok(progress)
    }

    /// To the queue by the hundred, or done here where there is none.
    async fn hand_out(&mut self, minute: i64, cycle: Cycle, pks: Vec<String>) -> Result<(), Stop> {
        let shares = pks.chunks(BATCH).map(|pks| Work {
            minute,
            cycle: cycle.text(),
            pks: pks.to_vec(),
        });
        self.rows += pks.len();
        match &self.state.work {
            Some(queue) => {
                let messages: Vec<String> = shares.map(|work| work.message()).collect();
                let sent = queue.send_all(&messages).await;
                sent.map_err(|_| Stop::Unavailable)
            }
            None => {
                for work in shares {
                    // A share is begun only if it can be ended: two calls and their writes for each of its two halves.
                    if Instant::now() + SHARE_TIME > self.deadline {
                        return Err(Stop::Deadline);
                    }
                    attend::all(self.state, &work, self.request_id, self.deadline).await;
                }
                Ok(())
            }
        }
    }

    async fn advance(
        &self,
        progress: &Progress,
        done: i64,
        at: Option<Place>,
    ) -> Result<Progress, Stop> {
        let advanced = self.state.schedule.advance(progress, done, at).await?;
        advanced.ok_or(Stop::Overtaken)
    }
}

/// Time for a share done inline.
const SHARE_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Minutes since the epoch.
fn minute_of(time: Timestamp) -> i64 {
    time.millis().div_euclid(60_000)
}

/// PURE. The next minute after `done` in which any slot is visited: after a long outage the early ones have none left.
fn next_minute(done: i64, target: i64) -> i64 {
    let longest = i64::from(Cycle::LONGEST.minutes());
    (done + 1).max(target - longest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_outage_no_minute_is_gone_through_in_which_every_slot_comes_round_again() {
        assert_eq!(next_minute(99, 100), 100);
        assert_eq!(next_minute(0, 100_000), 100_000 - 41_760 + 1);
    }
}
