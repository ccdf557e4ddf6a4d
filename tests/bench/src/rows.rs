//! Connections as the custodian stores them, each last renewed in its own slot, so that what a slot holds is due in it.
//!
//! The attribute names are those of `shared/src/connections`, which reads these rows: a wrong one ends the smoke test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::cohort::{Cycle, Shards};
use consulate_core::definition::OwnerMode;
use consulate_core::owner::OwnerKey;
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::seal::{Keyring, Place};
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use serde_json::{Value, json};

use crate::plan::{LIFETIME_SECONDS, PASSPORT, Plan, cycle};
use crate::provider;

const MINUTE_MILLIS: i64 = 60_000;

/// Makes rows.
pub struct Rows<'a> {
    plan: Plan,
    passport: &'a Passport,
    config_version: String,
    cycle: Cycle,
    shards: Shards,
    keyring: &'a Keyring,
}

impl<'a> Rows<'a> {
    /// Sealed under `keyring`, for the access and for the refresh token alike.
    pub fn new(plan: Plan, passport: &'a Passport, keyring: &'a Keyring) -> Self {
        Self {
            plan,
            passport,
            config_version: passport.config_version(),
            cycle: cycle(passport),
            shards: Shards::default(),
            keyring,
        }
    }

    /// Connection number `number`, in DynamoDB JSON.
    ///
    /// # Errors
    /// No random bytes.
    pub fn row(&self, number: u32) -> anyhow::Result<Value> {
        let owner = OwnerKey::of_record("bench", "org", &number.to_string(), OwnerMode::User);
        let pk = ConnectionKey::new(PASSPORT, owner).pk();
        let grant = random::id()?;
        let place = |field| Place {
            item_key: &pk,
            grant_id: &grant,
            field,
            token_url: &self.passport.token_url,
        };
        let access = SecretText::new(provider::access_token(number, 0, self.plan.access_bytes));
        let refresh = SecretText::new(provider::refresh_token(number, 0, self.plan.refresh_bytes));
        let binary = |bytes: Vec<u8>| json!({ "B": STANDARD.encode(bytes) });
        let time = |millis: i64| json!({ "N": millis.to_string() });
        let due = self.shards.partition(self.cycle, &pk);
        let saved_at = self.last_turn(&due) * MINUTE_MILLIS;
        Ok(json!({
            "pk": { "S": pk },
            "g": { "S": grant },
            "a": binary(self.keyring.seal(&access, place("access_token"))?),
            "r": binary(self.keyring.seal(&refresh, place("refresh_token"))?),
            "f": binary(self.keyring.fingerprint(&refresh)?),
            "v": { "N": "1" },
            "e": { "N": "1" },
            "h": { "S": "connected" },
            "hs": time(saved_at),
            "c": time(saved_at),
            "sv": time(saved_at),
            "us": time(self.plan.first_minute * MINUTE_MILLIS),
            "x": time(saved_at + LIFETIME_SECONDS * 1_000),
            "l": { "N": LIFETIME_SECONDS.to_string() },
            "cv": { "S": self.config_version },
            "d": { "S": due },
        }))
    }

    /// The minute before the measured ones in which it was this partition's turn.
    fn last_turn(&self, partition: &str) -> i64 {
        let slot = partition.split('#').nth(1);
        let slot: i64 = slot.and_then(|slot| slot.parse().ok()).unwrap_or_default();
        let period = i64::from(self.cycle.minutes());
        let ahead = (slot - self.plan.first_minute).rem_euclid(period);
        self.plan.first_minute + ahead - period
    }
}
