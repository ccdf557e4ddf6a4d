//! PURE. When a row is looked at ahead of time: static cohorts.
//!
//! Every row that anything will ever be due for carries one attribute, `d`, the partition of the sparse index `due` it
//! lies in: `{cycle}#{slot}#{shards}.{shard}`. Slot and shard are hashes of the row's key, so they never change; the
//! cycle is a step of a ladder just under common lifetimes. The tick of minute *m* asks slot *m mod cycle* of every cycle.
//! A renewal therefore does not move the index, and costs two writes; only a token whose lifetime belongs to another step,
//! or a connection that fell idle, moves.
//!
//! Source of the figures: docs/capacity.md.

use ring::digest::{SHA256, digest};

use crate::clock::Timestamp;
use crate::connection::{Connection, margin_millis};
use crate::passport::Passport;

/// Ticks are a minute apart.
const TICK_SECONDS: i64 = 60;
/// From the minute a row is due to the end of the run that renews it, at worst: enqueued, waited for, called, saved.
const WORST_RUN_SECONDS: i64 = 180;
/// A connection unused for this long is idle: only what keeps its refresh token alive is done for it.
const IDLE_AFTER_MILLIS: i64 = 3 * 86_400_000;
/// Shorter lifetimes are not renewed ahead of time: every tick would renew them, and a call renews them as well.
const SHORTEST_SECONDS: i64 = 600;
/// A person is told to consent again this long before they must, or one visit ahead where visits are further apart.
const SOON_MILLIS: i64 = 7 * 86_400_000;

/// How often a row is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cycle {
    /// Every minute: what waits for being revoked.
    Revoke,
    /// Every so many minutes.
    Minutes(u32),
}

/// The steps, in minutes.
const LADDER: [u32; 9] = [10, 25, 55, 110, 360, 1_380, 8_640, 18_720, 41_760];

impl Cycle {
    /// The step of rows that nothing is to be kept alive for: looked at for the operator's idle limit only.
    pub const LONGEST: Self = Self::Minutes(41_760);

    /// Every cycle, the most urgent first.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Revoke).chain(LADDER.into_iter().map(Self::Minutes))
    }

    /// Minutes between two looks.
    pub fn minutes(self) -> u32 {
        match self {
            Self::Revoke => 1,
            Self::Minutes(minutes) => minutes,
        }
    }

    fn seconds(self) -> i64 {
        i64::from(self.minutes()) * 60
    }

    /// Minutes after the epoch to the slot whose turn it is.
    pub fn slot_of(self, minute: i64) -> u32 {
        let slot = minute.rem_euclid(i64::from(self.minutes()));
        u32::try_from(slot).unwrap_or_default()
    }

    /// As partitions and messages name it.
    pub fn text(self) -> String {
        match self {
            Self::Revoke => "revoke".to_owned(),
            Self::Minutes(minutes) => minutes.to_string(),
        }
    }

    /// The longest step of at most `seconds`; the shortest where none is.
    fn within(seconds: i64) -> Self {
        let fits = LADDER
            .into_iter()
            .rev()
            .map(Self::Minutes)
            .find(|cycle| cycle.seconds() <= seconds);
        let [shortest, ..] = LADDER;
        fits.unwrap_or(Self::Minutes(shortest))
    }

    /// The cycle of `connection` once it has these tokens: that of its lifetime while it is used, that of its idle limit
    /// while it is not.
    pub fn of(connection: &Connection, passport: &Passport, now: Timestamp) -> Self {
        match ahead(connection, passport, now) {
            Some(cycle) => cycle,
            None => keep_alive(passport),
        }
    }

    /// The cycle of tokens that have just been issued to somebody, `lifetime` in seconds.
    pub fn of_new(renewable: bool, lifetime: Option<i64>, passport: &Passport) -> Self {
        let ahead = renewable.then(|| step(lifetime, passport)).flatten();
        ahead.unwrap_or_else(|| keep_alive(passport))
    }

    /// The cycle a partition name belongs to.
    pub fn of_partition(partition: &str) -> Option<Self> {
        let (cycle, _) = partition.split_once('#')?;
        Self::of_text(cycle)
    }

    /// Reads [`text`](Self::text).
    pub fn of_text(text: &str) -> Option<Self> {
        Self::all().find(|known| known.text() == text)
    }
}

/// The step at which `connection` is renewed ahead of time; `None` where it is only kept alive.
fn ahead(connection: &Connection, passport: &Passport, now: Timestamp) -> Option<Cycle> {
    if connection.refresh_token.is_none() || is_idle(connection, now) {
        return None;
    }
    step(connection.lifetime_seconds, passport)
}

fn step(lifetime: Option<i64>, passport: &Passport) -> Option<Cycle> {
    let interval = passport.refresh_interval_seconds.map(seconds);
    let by_lifetime = lifetime
        .filter(|lifetime| *lifetime >= SHORTEST_SECONDS)
        .map(|lifetime| {
            let margin = margin_millis(Some(lifetime)) / 1_000;
            Cycle::within(lifetime - margin - TICK_SECONDS - WORST_RUN_SECONDS)
        });
    match (by_lifetime, interval.map(Cycle::within)) {
        // What ends sooner than its interval is renewed before it ends all the same.
        (Some(lifetime), Some(interval)) => Some(lifetime.min(interval)),
        (by_lifetime, by_interval) => by_lifetime.or(by_interval),
    }
}

/// The step that looks at an idle connection at least twice in the time its refresh token lives unused.
fn keep_alive(passport: &Passport) -> Cycle {
    let own_end = passport
        .renewal
        .as_ref()
        .and(passport.access_lifetime_default_seconds);
    let limits = [passport.refresh_idle_seconds, own_end];
    match limits.into_iter().flatten().min() {
        Some(limit) => Cycle::within(seconds(limit) / 2),
        None => Cycle::LONGEST,
    }
}

fn is_idle(connection: &Connection, now: Timestamp) -> bool {
    let used_at = connection.used_at.unwrap_or(connection.connected_at);
    now.since(used_at) > IDLE_AFTER_MILLIS
}

/// A row's slot, whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The cycle the row lies on.
    pub cycle: Cycle,
    /// The minute of the slot.
    pub at: Timestamp,
}

/// What a tick finds to do for a connected row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing before its next slot.
    Nothing,
    /// Its tokens do not outlive its next slot.
    Renewal,
    /// Nobody has used it for longer than the operator allows: to be revoked.
    IdleLimit,
}

/// What `connection`, whose `turn` it is, needs at `now` before that slot comes round again.
pub fn due(
    connection: &Connection,
    passport: &Passport,
    turn: Turn,
    now: Timestamp,
    idle_limit_days: i64,
) -> Due {
    let Turn { cycle, at } = turn;
    let used_at = connection.used_at.unwrap_or(connection.connected_at);
    if now.since(used_at) > idle_limit_days.saturating_mul(86_400_000) {
        return Due::IdleLimit;
    }
    // What was saved after the slot's minute outlives the next one: the same share handed out twice is done once.
    if connection.refresh_token.is_none() || connection.saved_at > at {
        return Due::Nothing;
    }
    let next = at.plus_seconds(cycle.seconds() + TICK_SECONDS + WORST_RUN_SECONDS);
    let ends = !connection.is_fresh(next, passport);
    let is_due = match ahead(connection, passport, now) {
        Some(_) => ends,
        // It has fallen idle: renewed once more, for only a save moves it to the step of idle ones.
        None if cycle < keep_alive(passport) && is_idle(connection, now) => ends,
        // One look in reserve: a renewal that fails must not be the last chance.
        None => kept_until(connection, passport)
            .is_some_and(|end| end <= next.plus_seconds(cycle.seconds())),
    };
    if is_due { Due::Renewal } else { Due::Nothing }
}

/// When the grant of an idle connection dies unless it is renewed.
fn kept_until(connection: &Connection, passport: &Passport) -> Option<Timestamp> {
    let unused = passport
        .refresh_idle_seconds
        .map(|idle| connection.saved_at.plus_seconds(seconds(idle)));
    // A token that is renewed by presenting itself ends the grant when it ends.
    let itself = passport.renewal.as_ref().and(connection.expires_at);
    let ends = [unused, connection.refresh_expires_at, itself];
    ends.into_iter().flatten().min()
}

/// The end of the grant that a person should be told of at `now`: one that no renewal moves, in good time; one that a renewal
/// would have moved, where none has and no further look comes before it. Both are among those of
/// [`Connection::reauthorise_by`].
pub fn soon(
    connection: &Connection,
    passport: &Passport,
    cycle: Cycle,
    now: Timestamp,
) -> Option<Timestamp> {
    let last_look = (cycle.seconds() + TICK_SECONDS) * 1_000;
    let within = |end: Option<Timestamp>, ahead: i64| end.filter(|end| end.since(now) <= ahead);
    let ends = connection.ends(passport);
    let fixed = within(ends.fixed, SOON_MILLIS.max(last_look));
    let moving = within(ends.moving, last_look);
    let end = [fixed, moving].into_iter().flatten().min();
    end.filter(|end| connection.reminded_for != Some(*end))
}

/// Shards of the due index. A growing deployment reads several numbers and writes the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards(Vec<u16>);

impl Default for Shards {
    /// 64: 10 million connections of an hour need 87 index writes a second and shard at most.
    fn default() -> Self {
        Self(vec![64])
    }
}

impl Shards {
    /// Reads `64`, or `64,256`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u16>> = text
            .split(',')
            .map(|number| number.trim().parse().ok())
            .collect();
        let numbers = numbers?;
        let all_fit = numbers.iter().all(|number| (1..=1_024).contains(number));
        (all_fit && !numbers.is_empty()).then_some(Self(numbers))
    }

    fn written(&self) -> u16 {
        self.0.last().copied().unwrap_or(1)
    }

    /// The partition of the due index in which the row `pk` lies in `cycle`.
    pub fn partition(&self, cycle: Cycle, pk: &str) -> String {
        let (slot, shard) = hashes(pk);
        let slot = slot % u64::from(cycle.minutes());
        let shards = self.written();
        let shard = shard % u64::from(shards);
        format!("{}#{slot}#{shards}.{shard}", cycle.text())
    }

    /// The partition of the index `unhealthy` in which the row `pk` lies for `ailment`.
    pub fn ailing(&self, ailment: &str, pk: &str) -> String {
        let (_, shard) = hashes(pk);
        let shards = self.written();
        format!("{ailment}#{shards}.{}", shard % u64::from(shards))
    }

    /// Every partition of the index `unhealthy` for `ailment`.
    pub fn all_ailing(&self, ailment: &str) -> Vec<String> {
        let each = self
            .each()
            .map(|(shards, shard)| format!("{ailment}#{shards}.{shard}"));
        each.collect()
    }

    /// Every partition of a slot of `cycle`, in a fixed order.
    pub fn slot(&self, cycle: Cycle, slot: u32) -> Vec<String> {
        let each = self
            .each()
            .map(|(shards, shard)| format!("{}#{slot}#{shards}.{shard}", cycle.text()));
        each.collect()
    }

    fn each(&self) -> impl Iterator<Item = (u16, u16)> {
        let numbers = self.0.iter();
        numbers.flat_map(|shards| (0..*shards).map(|shard| (*shards, shard)))
    }
}

/// Two independent hashes of a row's key, the same in every version.
fn hashes(pk: &str) -> (u64, u64) {
    let digest = digest(&SHA256, pk.as_bytes());
    let mut halves = digest.as_ref().chunks_exact(8).map(|chunk| {
        chunk
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    });
    (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    )
}

fn seconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
