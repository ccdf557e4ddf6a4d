//! PURE. The hot record of a connection, and every judgement about it: fresh, usable, forced, recoverable.

use crate::clock::Timestamp;
use crate::problem::Reason;
use crate::table::ConnectionKey;

/// An access token is renewed this long before it ends at most.
const MARGIN_LIMIT_MILLIS: i64 = 60_000;

/// A passport connected for one owner, as stored. Tokens are sealed.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Which connection.
    pub key: ConnectionKey,
    /// One consent; every connect makes a new one.
    pub grant_id: String,
    /// Sealed access token; gone once revoked.
    pub access_token: Option<Vec<u8>>,
    /// Sealed refresh token, where the provider gave one.
    pub refresh_token: Option<Vec<u8>>,
    /// HMAC fingerprint of the stored refresh token.
    pub fingerprint: Option<Vec<u8>>,
    /// When the access token ends, as the provider said; no margin.
    pub expires_at: Option<Timestamp>,
    /// How long the access token lived when it was issued, seconds.
    pub lifetime_seconds: Option<i64>,
    /// Rises with every stored access token.
    pub version: i64,
    /// Rises with every claim.
    pub epoch: i64,
    /// Who may call the token endpoint, until when.
    pub lease: Option<Lease>,
    /// A refresh that was begun and whose outcome is not stored.
    pub attempt: Option<Attempt>,
    /// When tokens were last stored.
    pub saved_at: Timestamp,
    /// When it was last noted as used.
    pub used_at: Option<Timestamp>,
    /// Usable, or why not.
    pub health: Health,
    /// No token call before.
    pub backoff_until: Option<Timestamp>,
    /// The passport's configuration the grant was made with.
    pub config_version: String,
    /// When the account was connected (each connect anew).
    pub connected_at: Timestamp,
    /// Outcome of the revocation, once disconnected.
    pub receipt: Option<Receipt>,
}

/// The right to call the token endpoint for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Names one claim, not one process: `{instance}.{random}`.
    pub owner: String,
    /// When it lapses.
    pub until: Timestamp,
}

/// Write-ahead record of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The claim that made it.
    pub epoch: i64,
    /// Fingerprint of the refresh token being spent.
    pub fingerprint: Vec<u8>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// Unclear refusals recoveries have met so far.
    pub refusals: i64,
    /// The claim's lease owner.
    pub owner: String,
}

/// Usable, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Usable.
    Connected,
    /// The person has to connect again.
    NeedsReauthorisation(Reason),
    /// Given up by its owner.
    Disconnected,
}

/// What became of a revocation, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// The outcome.
    pub result: RevocationResult,
    /// When it was reached, RFC 3339.
    pub at: String,
    /// Calls made so far.
    pub attempts: i64,
}

/// Outcome of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationResult {
    /// The provider confirmed it.
    Revoked,
    /// The provider did not know the token any more.
    AlreadyGone,
    /// The provider offers no revocation: the person removes the consent there.
    ProviderHasNone,
    /// Tried often enough.
    GaveUp,
    /// Not confirmed yet.
    Pending,
}

impl Connection {
    /// How long before its end an access token is no longer handed out: 10 % of its lifetime, a minute at most. The one
    /// place where a margin is applied; what is stored is what the provider said.
    pub fn margin_millis(&self) -> i64 {
        match self.lifetime_seconds {
            Some(seconds) => (seconds.saturating_mul(100)).clamp(0, MARGIN_LIMIT_MILLIS),
            None => MARGIN_LIMIT_MILLIS,
        }
    }

    /// Whether the access token can be used at `now`. One without expiry always can.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at
            .is_none_or(|expires_at| now.plus_millis(self.margin_millis()) < expires_at)
    }

    /// Whether the record can serve calls under the passport's present configuration.
    ///
    /// # Errors
    /// Why the account has to be connected (again).
    pub fn usable(&self, config_version: &str) -> Result<(), Reason> {
        match self.health {
            Health::Disconnected => Err(Reason::Disconnected),
            Health::NeedsReauthorisation(reason) => Err(reason),
            Health::Connected if self.config_version != config_version => {
                Err(Reason::ConfigChanged)
            }
            Health::Connected => Ok(()),
        }
    }

    /// Whether an API's 401 may force a refresh: only if the last save is older than a minute or half the lifetime,
    /// whichever is shorter. A 401 right after a refresh has another cause.
    pub fn may_force(&self, now: Timestamp) -> bool {
        let half_life = self
            .lifetime_seconds
            .map_or(i64::MAX, |seconds| seconds.saturating_mul(500));
        now.since(self.saved_at) > half_life.min(60_000)
    }

    /// Whether its use should be noted: that is done every six hours at most, idle limits being counted in days.
    pub fn use_is_worth_noting(&self, now: Timestamp) -> bool {
        self.used_at
            .is_none_or(|used_at| now.since(used_at) > 6 * 3_600_000)
    }

    /// The lease, while it holds.
    pub fn held_lease(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.until > now)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::caller::Caller;
    use crate::definition::OwnerMode;
    use crate::owner::OwnerKey;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    pub(crate) fn connection(lifetime_seconds: Option<i64>) -> Connection {
        let caller = Caller {
            host: "h".into(),
            organisation: "o".into(),
            user: "u".into(),
            email: None,
        };
        Connection {
            key: ConnectionKey {
                passport: "p".into(),
                owner: OwnerKey::of(&caller, OwnerMode::User),
            },
            grant_id: "g1".into(),
            access_token: Some(vec![1]),
            refresh_token: Some(vec![2]),
            fingerprint: Some(vec![3]),
            expires_at: lifetime_seconds.map(|seconds| NOW.plus_seconds(seconds)),
            lifetime_seconds,
            version: 1,
            epoch: 1,
            lease: None,
            attempt: None,
            saved_at: NOW,
            used_at: Some(NOW),
            health: Health::Connected,
            backoff_until: None,
            config_version: "c1".into(),
            connected_at: NOW,
            receipt: None,
        }
    }

    #[test]
    fn the_margin_is_a_tenth_of_the_lifetime_and_a_minute_at_most() {
        assert_eq!(connection(Some(12)).margin_millis(), 1_200);
        assert_eq!(connection(Some(600)).margin_millis(), 60_000);
        assert_eq!(connection(Some(86_400)).margin_millis(), 60_000);
    }

    #[test]
    fn an_access_token_is_fresh_until_its_margin() {
        let connection = connection(Some(3_600));
        assert!(connection.is_fresh(NOW.plus_seconds(3_539)));
        assert!(!connection.is_fresh(NOW.plus_seconds(3_540)));
    }

    #[test]
    fn an_access_token_without_expiry_stays_fresh() {
        assert!(connection(None).is_fresh(NOW.plus_seconds(1_000_000_000)));
    }

    #[test]
    fn a_clock_five_minutes_fast_only_renews_early_and_one_five_minutes_slow_serves_what_the_margin_allows()
     {
        let connection = connection(Some(3_600));
        assert!(!connection.is_fresh(NOW.plus_seconds(3_300 + 300)));
        assert!(connection.is_fresh(NOW.plus_seconds(3_600 - 300)));
    }

    #[test]
    fn a_401_forces_a_refresh_only_when_the_token_is_not_brand_new() {
        assert!(!connection(Some(3_600)).may_force(NOW.plus_seconds(60)));
        assert!(connection(Some(3_600)).may_force(NOW.plus_seconds(61)));
        assert!(!connection(Some(12)).may_force(NOW.plus_seconds(6)));
        assert!(connection(Some(12)).may_force(NOW.plus_seconds(7)));
    }

    #[test]
    fn a_changed_configuration_asks_for_a_new_connection() {
        assert_eq!(connection(None).usable("c1"), Ok(()));
        assert_eq!(connection(None).usable("c2"), Err(Reason::ConfigChanged));
    }
}
