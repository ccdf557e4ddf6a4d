//! The only room that asks what time it is. A request or run takes `now` once, at its top, and hands it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::{Serialize, Serializer};

/// An instant: milliseconds since the Unix epoch. Serialises as RFC 3339 in UTC, whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant, `seconds` later (or earlier).
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// This instant, `millis` later (or earlier).
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when this is the earlier one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `Sat, 21 Nov 2026 07:00:00 GMT` (RFC 9110 section 5.6.7).
    pub fn http_date(self) -> String {
        DateTime::from_secs(self.seconds())
            .fmt(Format::HttpDate)
            .unwrap_or_default()
    }

    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::HttpDate).ok()?;
        time.to_millis().ok().map(Self)
    }

    /// Reads RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
        time.to_millis().ok().map(Self)
    }

    /// `2026-11-21T07:00:00Z`.
    pub fn rfc3339(self) -> String {
        DateTime::from_secs(self.seconds())
            .fmt(Format::DateTime)
            .unwrap_or_default()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::{KnownFormat, SchemaFormat, schema::ObjectBuilder, schema::Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .build()
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Timestamp {}

/// Where `now` comes from. Clones share their offset, which only tests move.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    source: Source,
    offset_millis: Arc<AtomicI64>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Source {
    #[default]
    System,
    /// The time of the tokio runtime, whose start was at `base` milliseconds since the epoch.
    Runtime {
        start: tokio::time::Instant,
        base: i64,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The tokio runtime's time, `base` now: it stands and is advanced with the runtime's. For simulations.
    pub fn of_runtime(base: Timestamp) -> Self {
        let source = Source::Runtime {
            start: tokio::time::Instant::now(),
            base: base.millis(),
        };
        Self {
            source,
            offset_millis: Arc::default(),
        }
    }

    /// The same time with an offset of its own: the clock of another machine.
    pub fn apart(&self, offset_millis: i64) -> Self {
        let offset = self.offset_millis.load(Ordering::Relaxed) + offset_millis;
        Self {
            source: self.source,
            offset_millis: Arc::new(AtomicI64::new(offset)),
        }
    }

    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn now(&self) -> Timestamp {
        let source = match self.source {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_millis() as i64),
            Source::Runtime { start, base } => base + start.elapsed().as_millis() as i64,
        };
        Timestamp(source + self.offset_millis.load(Ordering::Relaxed))
    }

    /// Moves this clock and its clones. Only tests do.
    pub fn advance_millis(&self, millis: i64) {
        self.offset_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_in_whole_seconds() {
        let time = Timestamp::from_millis(1_795_244_400_987);
        assert_eq!(time.rfc3339(), "2026-11-21T07:00:00Z");
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            "\"2026-11-21T07:00:00Z\""
        );
    }

    #[test]
    fn a_clone_of_a_clock_moves_with_it() {
        let clock = Clock::system();
        let before = clock.clone().now();
        clock.advance_millis(60_000);
        assert!(clock.clone().now().since(before) >= 60_000);
    }
}
