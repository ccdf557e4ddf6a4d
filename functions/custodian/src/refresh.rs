//! Renewing an access token: one flight, fenced, crash-safe.
//!
//! Read strongly, decide; claim: lease, epoch and write-ahead record in one conditional update; POST once. Then, with tokens:
//! save over the very token that was spent. Refused: mark, after a second look. Not sent: close. Unknown: a single-use
//! token's attempt stays open, and is recovered when its holder must be dead, by presenting the old token once more: the
//! only case in which a refresh token is presented twice, and the only way to learn what happened.
//!
//! Whoever loses a claim sends nothing and is told to poll the row.

mod conclude;

use std::time::Duration;

use consulate_core::clock::Timestamp;
use consulate_core::cohort::{self, Due, Turn};
use consulate_core::connection::{Attempt, Connection, Health};
use consulate_core::connections::{Claim, Claimed};
use consulate_core::custody::Answer;
use consulate_core::passport::{Passport, RefreshRotation};
use consulate_core::problem::Reason;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use consulate_core::vault::{self, Field, Home};
use tokio::time::Instant;

use crate::announce::Happening;
use crate::exchange::{sealing, unavailable, unusable};
use crate::patience::until;
use crate::revoke::Urgency;
use crate::token_endpoint::{self, Client, POST_TIMEOUT};
use crate::{FUNCTION_TIMEOUT, Run, SKEW_LIMIT_MILLIS};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(20);
/// How long a claim of unknown fate is tried to be given back.
const UNCLAIM_TIME: Duration = Duration::from_secs(10);
/// How long a salvaged answer may take to land.
const SALVAGE_TIME: Duration = Duration::from_secs(120);
/// Waits before the token endpoint is asked again, seconds.
const AFTER_NOT_SENT: i64 = 5;
const AFTER_UNKNOWN: i64 = 15;
const AFTER_MISCONFIGURED: i64 = 30;
const AFTER_UNCLEAR_REFUSAL: i64 = 3_600;
/// Wait before a recovery looks again whether answers are still to land, seconds.
const WHILE_LANDING: i64 = 30;
/// This many unclear refusals, an hour apart, are a refusal.
const UNCLEAR_REFUSALS: i64 = 3;

/// Why a renewal is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A call found `version` wanting; `rejected` where an API answered 401 to it.
    Call { version: i64, rejected: bool },
    /// It is the turn of the row's slot.
    Schedule { turn: Turn },
    /// An operator wants it.
    Operator,
}

/// A claimed refresh on its way.
struct Flight<'a> {
    wanted: Wanted,
    seen: &'a Connection,
    client: &'a Client<'a>,
    claimed: Claimed,
    spent: Vec<u8>,
    refresh_token: SecretText,
    /// The open attempt this one asks about: its single-use token may have been spent already.
    recovery: Option<Attempt>,
}

impl Run<'_> {
    /// Renews the access token of `key`.
    pub(crate) async fn refresh(&mut self, key: &ConnectionKey, wanted: Wanted) -> Answer {
        self.refresh_inner(key, wanted)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn refresh_inner(
        &mut self,
        key: &ConnectionKey,
        wanted: Wanted,
    ) -> Result<Answer, Answer> {
        let passport = self.passport(&key.passport).await?;
        self.fields.add("owner", key.owner.as_str());
        self.fields
            .add("slot", Some(&key.slot).filter(|slot| !slot.is_empty()));
        self.look_ahead(&passport).await;
        let read = self
            .state
            .connections
            .read(key, true)
            .await
            .map_err(unavailable)?;
        let Some(seen) = read else {
            return Err(required(Reason::NotConnected));
        };
        let now = self.state.clock.now();
        match wanted {
            Wanted::Call { version, rejected } => {
                seen.usable(&passport.config_version()).map_err(required)?;
                let wanting = if rejected {
                    seen.may_force(now)
                } else {
                    !seen.is_fresh(now, &passport)
                };
                if seen.version > version || !wanting {
                    return Ok(Answer::Refreshed {
                        version: seen.version,
                    });
                }
            }
            Wanted::Schedule { turn } => {
                if let Some(answer) = self.looked_at(&seen, &passport, turn, now).await? {
                    return Ok(answer);
                }
            }
            Wanted::Operator => seen.usable(&passport.config_version()).map_err(required)?,
        }
        if let Some(until) = seen.backoff_until.filter(|until| *until > now) {
            return Err(back_off(until, now));
        }
        if seen.held_lease(now).is_some() {
            return Err(Answer::InProgress);
        }
        let recovery = recovery(&seen, &passport);
        if let Some(attempt) = recovery {
            let due = self.recovery_due(attempt);
            if due > now {
                return Err(back_off(due, now));
            }
            if !self.everything_landed().await {
                return Err(back_off(now.plus_seconds(WHILE_LANDING), now));
            }
            self.fields.add("recovery", true);
        }
        let (Some(sealed), Some(spent)) = (&seen.refresh_token, &seen.fingerprint) else {
            // The provider gave no refresh token, so the end of the access token is the end of the grant.
            if matches!(wanted, Wanted::Call { rejected: true, .. }) {
                return self.ended(&seen, now).await;
            }
            return Err(required(Reason::ProviderRefused));
        };
        self.check_clock()?;
        self.hold_back(&passport, wanted).await?;

        // Everything that can fail without consequences comes before the claim.
        let client = Client::of(&passport, &self.state.secrets, self.state.clock.now())
            .await
            .map_err(unusable)?;
        let home = Home::of(&seen, &passport);
        let refresh_token = vault::open(&self.state.secrets, &home, Field::RefreshToken, sealed)
            .await
            .map_err(sealing)?;
        let request = client
            .renewal(&refresh_token, &key.slot)
            .await
            .map_err(unusable)?;
        vault::check(&self.state.secrets).await.map_err(sealing)?;
        let _place = self.turn(&passport, wanted).await?;
        self.try_circuit(&passport).await?;
        let owner = format!(
            "{}.{}",
            self.state.instance,
            random::id().map_err(|_| Answer::Unavailable)?
        );

        let claimed_at = Instant::now();
        // After a freeze: an answer that comes this late could not be waited for, and not be saved with patience.
        if claimed_at + LEASE >= self.deadline {
            return Err(Answer::Unavailable);
        }
        let now = self.state.clock.now();
        let claim = Claim {
            seen: &seen,
            owner: &owner,
            fingerprint: spent,
            now,
            until: now.plus_millis(LEASE.as_millis() as i64),
        };
        let claimed = match self.state.connections.claim(claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                // It may have been applied all the same: a claim that sends nothing must not stay.
                let connections = &self.state.connections;
                let soon = Instant::now() + UNCLAIM_TIME;
                let unclaimed = until(soon, || connections.unclaim(&seen, &owner)).await;
                self.fields
                    .add("claim_left_open", unclaimed.err().map(|_| true));
                return Err(unavailable(error));
            }
        };
        let Some(claimed) = claimed else {
            return Err(Answer::InProgress);
        };
        self.fields.add("epoch", claimed.epoch);
        let flight = Flight {
            wanted,
            seen: &seen,
            client: &client,
            claimed,
            spent: spent.clone(),
            refresh_token,
            recovery: recovery.cloned(),
        };
        if claimed_at.elapsed() + POST_TIMEOUT >= LEASE {
            return Err(self.not_sent(&flight, AFTER_NOT_SENT).await);
        }
        let asked_at = self.state.clock.now();
        let egress = &self.state.egress;
        let (outcome, status, rest) =
            token_endpoint::call_and_rest(egress, request, &passport, &key.slot, asked_at).await;
        self.fields.add("provider_status", status);
        if let Some(seconds) = rest {
            self.endpoint_rests(&passport, seconds).await;
        }
        self.conclude(&flight, outcome, asked_at).await
    }

    /// What the schedule does with a row besides renewing it; `None` where it is to be renewed.
    async fn looked_at(
        &mut self,
        seen: &Connection,
        passport: &Passport,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Option<Answer>, Answer> {
        if seen.health == Health::Disconnected {
            return Ok(Some(Answer::NotDue));
        }
        let due = cohort::due(seen, passport, turn, now, self.state.idle_limit_days);
        if due == Due::IdleLimit {
            let reason = Some(Reason::IdleRevoked);
            let given_up = self.state.connections.give_up(&seen.key, reason, now).await;
            self.fields
                .add("idle_limit", given_up.map_err(unavailable)?);
            // A revocation does not wait for a row that a run is about: this one holds nothing of it.
            let revoked = Box::pin(self.revoke(&seen.key, Urgency::Hurried));
            return Ok(Some(revoked.await));
        }
        if seen.usable(&passport.config_version()).is_err() {
            return Ok(Some(Answer::NotDue));
        }
        if let Some(end) = cohort::soon(seen, passport, turn.cycle, now) {
            // Noted first: told at most once, rather than in every slot while the note cannot be stored.
            let noted = self.state.connections.note_reminder(seen, end).await;
            if noted.map_err(unavailable)? {
                self.announce(&seen.key, Happening::ReauthoriseSoon(end))
                    .await;
            }
        }
        Ok((due == Due::Nothing).then_some(Answer::NotDue))
    }

    /// Marks a connection whose access token an API rejected and nothing can replace: nobody is to try it at every call.
    async fn ended(&mut self, seen: &Connection, now: Timestamp) -> Result<Answer, Answer> {
        let reason = Reason::ProviderRefused;
        match self.state.connections.end(seen, reason, now).await {
            Ok(false) => self.second_look(seen).await,
            // Best effort: the next call marks it otherwise.
            Ok(true) | Err(_) => Err(required(reason)),
        }
    }

    /// When an open attempt may be taken over: when its holder must be dead.
    fn recovery_due(&self, attempt: &Attempt) -> Timestamp {
        let ours = attempt
            .owner
            .starts_with(&format!("{}.", self.state.instance));
        if self.state.earlier_processes_are_dead && !ours {
            return attempt.started_at;
        }
        self.settled_after(attempt.started_at)
    }

    /// Whether no answer waits in the salvage queue. The one a recovery is about may be among them: whoever was landing it
    /// may have died, and it comes again when its visibility timeout is over, or lies with the dead letters in the end.
    async fn everything_landed(&mut self) -> bool {
        let Some(salvage) = &self.state.salvage else {
            return true;
        };
        let landed = salvage.is_empty().await == Ok(true);
        self.fields
            .add("answers_to_land", (!landed).then_some(true));
        landed
    }

    /// When an attempt begun at `started_at` can change nothing any more: its holder is dead, and where there is a salvage
    /// queue, what it was answered has landed from there.
    fn settled_after(&self, started_at: Timestamp) -> Timestamp {
        let landing = match self.state.salvage {
            Some(_) => SALVAGE_TIME,
            None => Duration::ZERO,
        };
        let wait = FUNCTION_TIMEOUT + landing;
        started_at.plus_millis(wait.as_millis() as i64)
    }

    /// A clock that is off claims nothing, and says of no token when it ends.
    pub(crate) fn check_clock(&mut self) -> Result<(), Answer> {
        let skew = self.state.skew.millis();
        if skew.abs() > SKEW_LIMIT_MILLIS {
            self.fields.add("clock_skew_ms", skew);
            return Err(Answer::Unavailable);
        }
        Ok(())
    }
}

/// PURE. The open attempt that has to be recovered. None where the refresh token can be presented as often as one likes,
/// and where the attempt was about a token that is not the stored one any more.
fn recovery<'a>(seen: &'a Connection, passport: &Passport) -> Option<&'a Attempt> {
    seen.attempt.as_ref().filter(|attempt| {
        passport.rotation() == RefreshRotation::SingleUse
            && seen.fingerprint.as_ref() == Some(&attempt.fingerprint)
    })
}

fn required(reason: Reason) -> Answer {
    Answer::AuthenticationRequired { reason }
}

pub(crate) fn back_off(until: Timestamp, now: Timestamp) -> Answer {
    let seconds = u64::try_from(until.since(now).max(0))
        .unwrap_or_default()
        .div_ceil(1000);
    Answer::BackOff {
        retry_after: seconds.max(1),
    }
}

#[cfg(test)]
mod tests;
