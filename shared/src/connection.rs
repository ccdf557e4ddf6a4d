//! PURE. The hot record of a connection, and every judgement about it: fresh, usable, forced, recoverable.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::passport::Passport;
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
    /// When the refresh token ends, where the provider said so.
    pub refresh_expires_at: Option<Timestamp>,
    /// What was kept of the token reply: pinned fields, by name.
    pub fields: BTreeMap<String, String>,
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
    /// Why it was given up, where nobody asked for it.
    pub given_up_because: Option<Reason>,
    /// Outcome of the revocation, once disconnected.
    pub receipt: Option<Receipt>,
    /// Partition of the due index the row lies in.
    pub due: Option<String>,
    /// Keyed digest of the account at the provider, where it is known.
    pub subject: Option<String>,
    /// The end of the grant that its person has been told of.
    pub reminded_for: Option<Timestamp>,
    /// When its health last changed.
    pub health_since: Option<Timestamp>,
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// The outcome.
    pub result: RevocationResult,
    /// When it was reached, RFC 3339.
    pub at: String,
    /// Calls made so far.
    pub attempts: i64,
}

/// When a grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Whatever is renewed until then.
    pub fixed: Option<Timestamp>,
    /// Unless it is renewed before, which moves it.
    pub moving: Option<Timestamp>,
}

/// Outcome of a revocation.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
        margin_millis(self.lifetime_seconds)
    }

    /// Whether the access token is to be used at `now` rather than renewed. One without expiry always is, unless the
    /// passport has an interval of its own. What cannot be renewed is used until its margin.
    pub fn is_fresh(&self, now: Timestamp, passport: &Passport) -> bool {
        let renewable = self.refresh_token.is_some();
        let ahead = passport.renew_ahead_seconds.filter(|_| renewable);
        let margin = ahead.map_or(0, millis).max(self.margin_millis());
        // A token that lives shorter than that would never be fresh.
        let margin = match self.lifetime_seconds {
            Some(lifetime) => margin.min(lifetime.saturating_mul(500)),
            None => margin,
        };
        let interval = passport.refresh_interval_seconds.filter(|_| renewable);
        self.expires_at
            .is_none_or(|expires_at| now.plus_millis(margin) < expires_at)
            && interval.is_none_or(|interval| now.since(self.saved_at) < millis(interval))
    }

    /// Whether the access token has not ended at `now`: good enough where it cannot be renewed at the moment.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// By when the person has to consent again whatever is renewed until then: the earliest of what the provider said
    /// and what is known of its idle and absolute limits. `None` where no end is known.
    pub fn reauthorise_by(&self, passport: &Passport) -> Option<Timestamp> {
        let ends = self.ends(passport);
        [ends.fixed, ends.moving].into_iter().flatten().min()
    }

    /// When the grant ends, as far as that is known.
    pub fn ends(&self, passport: &Passport) -> Ends {
        if self.refresh_token.is_none() {
            return Ends {
                fixed: self.expires_at,
                moving: None,
            };
        }
        let after = |since: Timestamp, seconds: Option<u64>| {
            seconds.map(|seconds| since.plus_millis(millis(seconds)))
        };
        let absolute = after(self.connected_at, passport.refresh_absolute_seconds);
        let idle = after(self.saved_at, passport.refresh_idle_seconds);
        // A token that is renewed by presenting itself ends the grant when it ends.
        let itself = passport.renewal.as_ref().and(self.expires_at);
        Ends {
            fixed: [self.refresh_expires_at, absolute]
                .into_iter()
                .flatten()
                .min(),
            moving: [idle, itself].into_iter().flatten().min(),
        }
    }

    /// Whether the record can serve calls under the passport's present configuration.
    ///
    /// # Errors
    /// Why the account has to be connected (again).
    pub fn usable(&self, config_version: &str) -> Result<(), Reason> {
        match self.health {
            Health::Disconnected => Err(self.given_up_because.unwrap_or(Reason::Disconnected)),
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

/// [`Connection::margin_millis`] of a lifetime in seconds.
pub(crate) fn margin_millis(lifetime_seconds: Option<i64>) -> i64 {
    match lifetime_seconds {
        Some(seconds) => (seconds.saturating_mul(100)).clamp(0, MARGIN_LIMIT_MILLIS),
        None => MARGIN_LIMIT_MILLIS,
    }
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1000)
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
            key: ConnectionKey::new("p", OwnerKey::of(&caller, OwnerMode::User)),
            grant_id: "g1".into(),
            access_token: Some(vec![1]),
            refresh_token: Some(vec![2]),
            fingerprint: Some(vec![3]),
            expires_at: lifetime_seconds.map(|seconds| NOW.plus_seconds(seconds)),
            lifetime_seconds,
            refresh_expires_at: None,
            fields: BTreeMap::new(),
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
            given_up_because: None,
            receipt: None,
            due: None,
            subject: None,
            reminded_for: None,
            health_since: Some(NOW),
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
        assert!(connection.is_fresh(NOW.plus_seconds(3_539), &passport()));
        assert!(!connection.is_fresh(NOW.plus_seconds(3_540), &passport()));
        assert!(connection.is_alive(NOW.plus_seconds(3_599)));
        assert!(!connection.is_alive(NOW.plus_seconds(3_600)));
    }

    #[test]
    fn an_access_token_without_expiry_stays_fresh() {
        assert!(connection(None).is_fresh(NOW.plus_seconds(1_000_000_000), &passport()));
    }

    #[test]
    fn a_clock_five_minutes_fast_only_renews_early_and_one_five_minutes_slow_serves_what_the_margin_allows()
     {
        let connection = connection(Some(3_600));
        assert!(!connection.is_fresh(NOW.plus_seconds(3_300 + 300), &passport()));
        assert!(connection.is_fresh(NOW.plus_seconds(3_600 - 300), &passport()));
    }

    #[test]
    fn what_must_be_renewed_while_it_is_good_is_renewed_ahead_but_not_at_once() {
        let days = 86_400;
        let mut passport = passport();
        passport.renew_ahead_seconds = Some(10 * 86_400);
        let long = connection(Some(60 * days));
        assert!(long.is_fresh(NOW.plus_seconds(49 * days), &passport));
        assert!(!long.is_fresh(NOW.plus_seconds(50 * days), &passport));
        let short = connection(Some(3_600));
        assert!(short.is_fresh(NOW.plus_seconds(1_799), &passport));
        assert!(!short.is_fresh(NOW.plus_seconds(1_800), &passport));
        let mut once = connection(Some(60 * days));
        once.refresh_token = None;
        assert!(once.is_fresh(NOW.plus_seconds(59 * days), &passport));
    }

    #[test]
    fn a_passports_own_interval_renews_what_has_not_ended() {
        let mut passport = passport();
        passport.refresh_interval_seconds = Some(600);
        for lifetime in [Some(3_600), None] {
            let connection = connection(lifetime);
            assert!(connection.is_fresh(NOW.plus_seconds(599), &passport));
            assert!(!connection.is_fresh(NOW.plus_seconds(600), &passport));
        }
    }

    #[test]
    fn consent_is_due_at_the_earliest_end_that_is_known() {
        let mut passport = passport();
        let mut connection = connection(Some(3_600));
        assert_eq!(connection.reauthorise_by(&passport), None);
        passport.refresh_absolute_seconds = Some(1_000_000);
        assert_eq!(
            connection.reauthorise_by(&passport),
            Some(NOW.plus_seconds(1_000_000))
        );
        passport.refresh_idle_seconds = Some(10_000);
        connection.saved_at = NOW.plus_seconds(5);
        assert_eq!(
            connection.reauthorise_by(&passport),
            Some(NOW.plus_seconds(10_005))
        );
        connection.refresh_expires_at = Some(NOW.plus_seconds(7));
        assert_eq!(
            connection.reauthorise_by(&passport),
            Some(NOW.plus_seconds(7))
        );
        connection.refresh_token = None;
        assert_eq!(connection.reauthorise_by(&passport), connection.expires_at);
    }

    fn passport() -> Passport {
        Passport::default()
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
