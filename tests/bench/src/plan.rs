//! PURE. How much of what is measured.

use consulate_core::cohort::Cycle;
use consulate_core::passport::Passport;
use serde::{Deserialize, Serialize};

/// Access tokens live an hour.
pub const LIFETIME_SECONDS: i64 = 3_600;
/// Name of the table.
pub const TABLE: &str = "consulate";
/// Id of the one passport.
pub const PASSPORT: &str = "bench";

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Connections in the table.
    pub connections: u32,
    /// Bytes of an access token.
    pub access_bytes: usize,
    /// Bytes of a refresh token.
    pub refresh_bytes: usize,
    /// The first minute (since the epoch) whose tick is measured.
    pub first_minute: i64,
    /// How many minutes are.
    pub minutes: u32,
}

impl Plan {
    /// Whether a row stays within the kilobyte that one write unit pays for, a claim's attributes included.
    pub fn is_within_a_unit(&self) -> bool {
        self.access_bytes + self.refresh_bytes <= 440
    }

    /// The minutes, in order.
    pub fn each_minute(&self) -> impl Iterator<Item = i64> + use<> {
        let first = self.first_minute;
        (0..i64::from(self.minutes)).map(move |number| first + number)
    }
}

/// The passport, at `token_url`: rotating refresh tokens, and no rate that would be measured instead of the custodian.
pub fn passport(token_url: &str) -> Passport {
    Passport {
        id: PASSPORT.to_owned(),
        name: "Bench".to_owned(),
        provider: "custom:bench".to_owned(),
        client_id: "bench".to_owned(),
        token_url: token_url.to_owned(),
        scope_separator: " ".to_owned(),
        token_calls_per_second: Some(100_000),
        ..Passport::default()
    }
}

/// The cycle its connections lie on.
pub fn cycle(passport: &Passport) -> Cycle {
    Cycle::of_new(true, Some(LIFETIME_SECONDS), passport)
}
