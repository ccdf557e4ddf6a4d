//! Renewing an access token: one flight, fenced, crash-safe.
//!
//! Read strongly, decide; claim: lease, epoch and write-ahead record in one conditional update; POST once. Then, with tokens:
//! save over the very token that was spent. Refused: mark, after a second look. Not sent: close. Unknown: a single-use
//! token's attempt stays open, and is recovered when its holder must be dead, by presenting the old token once more: the
//! only case in which a refresh token is presented twice, and the only way to learn what happened.
//!
//! Whoever loses a claim sends nothing and is told to poll the row.

use std::time::{Duration, Instant};

use consulate_core::clock::Timestamp;
use consulate_core::connection::{Attempt, Connection};
use consulate_core::connections::{Claim, Claimed, Closing, SaveOutcome, Tokens};
use consulate_core::custody::Answer;
use consulate_core::definition::{Passport, RefreshRotation};
use consulate_core::problem::Reason;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use consulate_core::vault::{self, Field, Home};

use crate::exchange::{lifetime_seconds, sealing, unavailable, unusable};
use crate::outcome::Outcome;
use crate::patience::until;
use crate::token_endpoint::{self, Client, POST_TIMEOUT};
use crate::token_reply::Reply;
use crate::{FUNCTION_TIMEOUT, Run};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(20);
/// A clock further off AWS's than this claims nothing: two workers would disagree about whose lease holds. The half
/// second is the resolution of the `Date` it is compared with.
const SKEW_LIMIT_MILLIS: i64 = 2_500;
/// How long a claim of unknown fate is tried to be given back.
const UNCLAIM_TIME: Duration = Duration::from_secs(10);
/// Waits before the token endpoint is asked again, seconds.
const AFTER_NOT_SENT: i64 = 5;
const AFTER_UNKNOWN: i64 = 15;
const AFTER_MISCONFIGURED: i64 = 30;
const AFTER_UNCLEAR_REFUSAL: i64 = 3_600;
/// This many unclear refusals, an hour apart, are a refusal.
const UNCLEAR_REFUSALS: i64 = 3;

/// A claimed refresh on its way.
struct Flight<'a> {
    seen: &'a Connection,
    passport: &'a Passport,
    claimed: Claimed,
    spent: Vec<u8>,
    refresh_token: SecretText,
    /// The open attempt this one asks about: its single-use token may have been spent already.
    recovery: Option<Attempt>,
}

impl Run<'_> {
    /// Renews the access token of `key`, whose `version` the caller found wanting.
    pub(crate) async fn refresh(
        &mut self,
        key: &ConnectionKey,
        version: i64,
        rejected: bool,
    ) -> Answer {
        self.refresh_inner(key, version, rejected)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn refresh_inner(
        &mut self,
        key: &ConnectionKey,
        version: i64,
        rejected: bool,
    ) -> Result<Answer, Answer> {
        let passport = self.passport(&key.passport).await?;
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
        seen.usable(&passport.config_version()).map_err(required)?;
        let wanted = if rejected {
            seen.may_force(now)
        } else {
            !seen.is_fresh(now)
        };
        if seen.version > version || !wanted {
            return Ok(Answer::Refreshed {
                version: seen.version,
            });
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
            self.fields.add("recovery", true);
        }
        let (Some(sealed), Some(spent)) = (&seen.refresh_token, &seen.fingerprint) else {
            // The provider gave no refresh token, so the end of the access token is the end of the grant.
            return Err(required(Reason::ProviderRefused));
        };
        self.check_clock()?;

        // Everything that can fail without consequences comes before the claim.
        let client = Client::of(&passport, &self.state.secrets)
            .await
            .map_err(unusable)?;
        let home = Home::of(&seen, &passport.token_url);
        let refresh_token = vault::open(&self.state.secrets, &home, Field::RefreshToken, sealed)
            .await
            .map_err(sealing)?;
        let request = client.refresh(&refresh_token).await.map_err(unusable)?;
        vault::check(&self.state.secrets).await.map_err(sealing)?;
        let owner = format!(
            "{}.{}",
            self.state.instance,
            random::id().map_err(|_| Answer::Unavailable)?
        );

        let claimed_at = Instant::now();
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
            seen: &seen,
            passport: &passport,
            claimed,
            spent: spent.clone(),
            refresh_token,
            recovery: recovery.cloned(),
        };
        if claimed_at.elapsed() + POST_TIMEOUT >= LEASE {
            return Err(self.not_sent(&flight, AFTER_NOT_SENT).await);
        }
        let asked_at = self.state.clock.now();
        let (outcome, status) = token_endpoint::call(&self.state.egress, request, asked_at).await;
        self.fields.add("provider_status", status);
        self.conclude(&flight, outcome, asked_at).await
    }

    /// When an open attempt may be taken over: when its holder must be dead.
    fn recovery_due(&self, attempt: &Attempt) -> Timestamp {
        let ours = attempt
            .owner
            .starts_with(&format!("{}.", self.state.instance));
        if self.state.earlier_processes_are_dead && !ours {
            return attempt.started_at;
        }
        attempt
            .started_at
            .plus_millis(FUNCTION_TIMEOUT.as_millis() as i64)
    }

    fn check_clock(&mut self) -> Result<(), Answer> {
        let skew = self.state.skew.millis();
        if skew.abs() > SKEW_LIMIT_MILLIS {
            self.fields.add("clock_skew_ms", skew);
            return Err(Answer::Unavailable);
        }
        Ok(())
    }

    async fn conclude(
        &mut self,
        flight: &Flight<'_>,
        outcome: Outcome,
        asked_at: Timestamp,
    ) -> Result<Answer, Answer> {
        match outcome {
            Outcome::Tokens(reply) => self.save(flight, reply, asked_at).await,
            Outcome::Refused(error) => {
                self.fields.add("provider_error", error);
                self.refused(flight).await
            }
            Outcome::Misconfigured(error) => {
                // Ours to repair: the connection is as it was. An alarm watches for this field.
                self.fields.add("misconfigured", error);
                drop(self.not_sent(flight, AFTER_MISCONFIGURED).await);
                Err(Answer::Misconfigured)
            }
            Outcome::NotSent => {
                self.fields.add("provider", "not_sent");
                Err(self.not_sent(flight, AFTER_NOT_SENT).await)
            }
            Outcome::Throttled(seconds) => {
                self.fields.add("provider", "throttled");
                Err(self
                    .not_sent(flight, i64::try_from(seconds).unwrap_or(AFTER_UNKNOWN))
                    .await)
            }
            Outcome::Unknown { unclear_refusal } => {
                self.fields.add("provider", "unknown");
                self.unknown(flight, unclear_refusal).await
            }
        }
    }

    async fn save(
        &mut self,
        flight: &Flight<'_>,
        reply: Reply,
        asked_at: Timestamp,
    ) -> Result<Answer, Answer> {
        let seen = flight.seen;
        let home = Home::of(seen, &flight.passport.token_url);
        let secrets = &self.state.secrets;
        // A provider that does not rotate may repeat the token it was given: that is no new one.
        let rotated = reply
            .refresh_token
            .as_ref()
            .filter(|plain| plain.expose() != flight.refresh_token.expose());
        let lifetime = lifetime_seconds(flight.passport, &reply);
        let tokens = Tokens {
            access_token: vault::seal(secrets, &home, Field::AccessToken, &reply.access_token)
                .await
                .map_err(sealing)?,
            refresh_token: match rotated {
                Some(plain) => Some(
                    vault::seal_refresh(secrets, &home, plain)
                        .await
                        .map_err(sealing)?,
                ),
                None => None,
            },
            expires_at: lifetime.map(|seconds| asked_at.plus_seconds(seconds)),
            lifetime_seconds: lifetime,
        };
        let connections = &self.state.connections;
        let now = self.state.clock.now();
        let saved = until(self.deadline, || {
            connections.save(seen, &flight.spent, &flight.claimed, &tokens, now)
        });
        match saved.await {
            Ok(SaveOutcome::Saved(version)) => {
                self.fields.add("version", version);
                self.fields.add("rotated", rotated.is_some());
                Ok(Answer::Refreshed { version })
            }
            Ok(SaveOutcome::Superseded) => {
                self.fields.add("superseded_by", "same_grant");
                self.release(flight).await;
                self.second_look(seen).await
            }
            Ok(SaveOutcome::FencedOut) => {
                self.fields.add("fenced_out", true);
                self.drop_unwanted(flight, &reply).await;
                self.release(flight).await;
                self.second_look(seen).await
            }
            Err(error) => {
                // The tokens are lost with this process unless they do not rotate: named, so that it can be counted.
                self.fields.add("lost", "save_failed_until_deadline");
                Err(unavailable(error))
            }
        }
    }

    /// Fresh tokens that have no row to go to: the connection was made anew or given up meanwhile. They are revoked, not
    /// dropped.
    async fn drop_unwanted(&mut self, flight: &Flight<'_>, reply: &Reply) {
        if flight.passport.revocation_per_user {
            // Revoking these would end the grant that replaced them.
            return;
        }
        let result = self
            .revoke_tokens(
                flight.passport,
                reply.refresh_token.as_ref(),
                Some(&reply.access_token),
            )
            .await;
        self.fields.add("revocation", result);
    }

    async fn refused(&mut self, flight: &Flight<'_>) -> Result<Answer, Answer> {
        let seen = flight.seen;
        let connections = &self.state.connections;
        let current = until(self.deadline, || connections.read(&seen.key, true))
            .await
            .map_err(unavailable)?;
        let changed = current.is_none_or(|current| {
            current.grant_id != seen.grant_id || current.fingerprint.as_ref() != Some(&flight.spent)
        });
        if !changed {
            let reason = match flight.recovery {
                Some(_) => Reason::RotationLost,
                None => Reason::ProviderRefused,
            };
            let now = self.state.clock.now();
            let marked = until(self.deadline, || {
                connections.refuse(seen, &flight.claimed, reason, now)
            });
            if marked.await.map_err(unavailable)? {
                return Err(required(reason));
            }
        }
        self.release(flight).await;
        self.second_look(seen).await
    }

    /// What the row says now, after something happened to it under our hands.
    async fn second_look(&mut self, seen: &Connection) -> Result<Answer, Answer> {
        let read = self
            .state
            .connections
            .read(&seen.key, true)
            .await
            .map_err(unavailable)?;
        let current = read.ok_or(required(Reason::NotConnected))?;
        current.usable(&current.config_version).map_err(required)?;
        if current.version > seen.version {
            return Ok(Answer::Refreshed {
                version: current.version,
            });
        }
        Err(Answer::InProgress)
    }

    /// The grant is as it was: give the claim back. A recovery's question stays open all the same.
    async fn not_sent(&mut self, flight: &Flight<'_>, wait_seconds: i64) -> Answer {
        let now = self.state.clock.now();
        let again = now.plus_seconds(wait_seconds);
        let closing = match flight.recovery {
            Some(_) => Closing::Unknown(again),
            None => Closing::BackOff(again),
        };
        self.close(flight, closing).await;
        back_off(again, now)
    }

    async fn unknown(
        &mut self,
        flight: &Flight<'_>,
        unclear_refusal: bool,
    ) -> Result<Answer, Answer> {
        let now = self.state.clock.now();
        if flight.passport.refresh_rotation == RefreshRotation::Reusable {
            let again = now.plus_seconds(AFTER_UNKNOWN);
            self.close(flight, Closing::BackOff(again)).await;
            return Err(back_off(again, now));
        }
        let Some(former) = &flight.recovery else {
            // The attempt stays open. Its holder, this invocation, is surely dead one timeout from now.
            let again = now.plus_millis(FUNCTION_TIMEOUT.as_millis() as i64);
            self.close(flight, Closing::Unknown(again)).await;
            return Err(back_off(again, now));
        };
        if !unclear_refusal {
            let again = now.plus_millis(FUNCTION_TIMEOUT.as_millis() as i64);
            self.close(flight, Closing::Unknown(again)).await;
            return Err(back_off(again, now));
        }
        if former.refusals + 1 >= UNCLEAR_REFUSALS {
            return self.refused(flight).await;
        }
        let again = now.plus_seconds(AFTER_UNCLEAR_REFUSAL);
        self.close(flight, Closing::UnclearRefusal(again)).await;
        Err(back_off(again, now))
    }

    /// Gives the claim back, if it is still there: whoever comes next need not wait.
    async fn release(&mut self, flight: &Flight<'_>) {
        let now = self.state.clock.now();
        self.close(flight, Closing::BackOff(now)).await;
    }

    async fn close(&mut self, flight: &Flight<'_>, closing: Closing) {
        let connections = &self.state.connections;
        let closed = until(self.deadline, || {
            connections.close(flight.seen, &flight.claimed, closing)
        })
        .await;
        if closed.is_err() {
            // The lease lapses by itself; the attempt is then recovered.
            self.fields.add("left_open", true);
        }
    }
}

/// PURE. The open attempt that has to be recovered. None where the refresh token can be presented as often as one likes,
/// and where the attempt was about a token that is not the stored one any more.
fn recovery<'a>(seen: &'a Connection, passport: &Passport) -> Option<&'a Attempt> {
    seen.attempt.as_ref().filter(|attempt| {
        passport.refresh_rotation == RefreshRotation::SingleUse
            && seen.fingerprint.as_ref() == Some(&attempt.fingerprint)
    })
}

fn required(reason: Reason) -> Answer {
    Answer::AuthenticationRequired { reason }
}

fn back_off(until: Timestamp, now: Timestamp) -> Answer {
    let seconds = u64::try_from(until.since(now).max(0))
        .unwrap_or_default()
        .div_ceil(1000);
    Answer::BackOff {
        retry_after: seconds.max(1),
    }
}

#[cfg(test)]
mod tests;
