//! What a refresh does with its answer: save, mark, give back, or leave open.

use consulate_core::clock::Timestamp;
use consulate_core::cohort::Cycle;
use consulate_core::connection::Connection;
use consulate_core::connections::{Closing, SaveOutcome, Tokens};
use consulate_core::custody::Answer;
use consulate_core::grants::Stray;
use consulate_core::passport::{Credential, RefreshRotation};
use consulate_core::problem::Reason;
use consulate_core::table;
use consulate_core::vault::{self, Field, Home};

use super::{
    AFTER_MISCONFIGURED, AFTER_NOT_SENT, AFTER_UNCLEAR_REFUSAL, AFTER_UNKNOWN, Flight,
    UNCLEAR_REFUSALS, Wanted, back_off, required,
};
use crate::Run;
use crate::announce::Happening;
use crate::exchange::{sealing, unavailable};
use crate::grant::SlotTokens;
use crate::outcome::Outcome;
use crate::patience::until;
use crate::salvage::{self, Salvage};
use crate::token_reply::Reply;

impl Run<'_> {
    pub(super) async fn conclude(
        &mut self,
        flight: &Flight<'_>,
        outcome: Outcome,
        asked_at: Timestamp,
    ) -> Result<Answer, Answer> {
        match outcome {
            Outcome::Tokens(reply) => self.save(flight, &reply, asked_at).await,
            Outcome::Refused(error) => {
                self.fields.add("provider_error", error);
                self.refused(flight).await
            }
            Outcome::Misconfigured(error) => {
                // Ours to repair: the connection is as it was.
                self.fields.add("misconfigured", error);
                if !self.open_circuit(flight.client.passport).await {
                    drop(self.not_sent(flight, AFTER_MISCONFIGURED).await);
                    return Err(Answer::Misconfigured);
                }
                let closing = match flight.recovery {
                    Some(_) => Closing::Unknown(self.state.clock.now()),
                    None => Closing::Released,
                };
                self.close(flight, closing).await;
                Err(Answer::Misconfigured)
            }
            Outcome::NotSent => {
                self.fields.add("provider_answer", "not_sent");
                Err(self.not_sent(flight, AFTER_NOT_SENT).await)
            }
            Outcome::Throttled(seconds) => {
                self.fields.add("provider_answer", "throttled");
                Err(self
                    .not_sent(flight, i64::try_from(seconds).unwrap_or(AFTER_UNKNOWN))
                    .await)
            }
            Outcome::OtherSlotsOnly => {
                self.fields.add("provider_answer", "other_slots_only");
                self.unknown(flight, false).await
            }
            Outcome::Unknown { unclear_refusal } => {
                self.fields.add("provider_answer", "unknown");
                self.unknown(flight, unclear_refusal).await
            }
        }
    }

    async fn save(
        &mut self,
        flight: &Flight<'_>,
        reply: &Reply,
        asked_at: Timestamp,
    ) -> Result<Answer, Answer> {
        let seen = flight.seen;
        let passport = flight.client.passport;
        let home = Home::of(seen, passport);
        let secrets = &self.state.secrets;
        let new = SlotTokens::of(flight.client, &seen.key.slot, reply, asked_at);
        // A provider that does not rotate may repeat the token it was given: that is no new one. What was typed stays.
        let rotated = new
            .refresh_token
            .as_ref()
            .filter(|_| passport.credential == Credential::Oauth2)
            .filter(|plain| plain.expose() != flight.refresh_token.expose());
        // A field the reply does not repeat stays as it was.
        let mut fields = seen.fields.clone();
        fields.extend(new.fields);
        let now = self.state.clock.now();
        let by_call = matches!(flight.wanted, Wanted::Call { .. });
        // As it will be: which step it belongs on follows from its new lifetime, and from whether anybody uses it.
        let after = Connection {
            lifetime_seconds: new.lifetime_seconds,
            used_at: if by_call { Some(now) } else { seen.used_at },
            ..seen.clone()
        };
        let connections = &self.state.connections;
        let cycle = Cycle::of(&after, passport, now);
        let sealed = async {
            let access_token = vault::seal(secrets, &home, Field::AccessToken, &new.access_token);
            let refresh_token = match rotated {
                Some(plain) => Some(vault::seal_refresh(secrets, &home, plain).await?),
                None => None,
            };
            Ok((access_token.await?, refresh_token))
        };
        let sealed = match sealed.await {
            Ok(sealed) => sealed,
            Err(error) => {
                // The keyrings were there when the claim was made.
                self.lost("answer_not_sealed");
                return Err(sealing(error));
            }
        };
        let tokens = Tokens {
            access_token: sealed.0,
            refresh_token: sealed.1,
            expires_at: new.expires_at,
            lifetime_seconds: new.lifetime_seconds,
            refresh_expires_at: new.refresh_expires_at,
            fields: (fields != seen.fields).then_some(fields),
            due: connections.moved(seen, cycle),
            used_at: by_call.then_some(now),
        };
        let save = || connections.save(seen, &flight.spent, &flight.claimed, &tokens, now);
        let mut saved = save().await;
        let mut salvaged = false;
        if saved == Err(table::Error::Unavailable) {
            // This process may not live until the table is back: the answer goes where it outlives it.
            let salvage = Salvage::new(seen, &flight.spent, &flight.claimed, &tokens, asked_at);
            salvaged = salvage::send(self.state, &salvage).await;
            saved = until(self.deadline, save).await;
        }
        self.fields.add("salvaged", salvaged.then_some(true));
        match saved {
            Ok(outcome @ (SaveOutcome::Saved(version) | SaveOutcome::Revived(version))) => {
                self.fields.add("version", version);
                self.fields.add("rotated", rotated.is_some());
                self.client_accepted(passport).await;
                if flight.recovery.is_some() || outcome == SaveOutcome::Revived(version) {
                    self.announce(&seen.key, Happening::Recovered).await;
                }
                Ok(Answer::Refreshed { version })
            }
            Ok(SaveOutcome::Superseded) => {
                self.fields.add("superseded_by", "same_grant");
                self.release(flight).await;
                self.second_look(seen).await
            }
            Ok(SaveOutcome::FencedOut) => {
                self.fields.add("fenced_out", true);
                self.drop_unwanted(flight, tokens).await;
                self.release(flight).await;
                self.second_look(seen).await
            }
            Err(error) => {
                if !salvaged {
                    self.lost("save_failed_until_deadline");
                }
                Err(unavailable(error))
            }
        }
    }

    /// Fresh tokens that have no row to go to: the connection was made anew or given up meanwhile. They are put on record and
    /// revoked, not dropped.
    async fn drop_unwanted(&mut self, flight: &Flight<'_>, tokens: Tokens) {
        let seen = flight.seen;
        let stray = Stray {
            passport: seen.key.passport.clone(),
            home: seen.key.pk(),
            grant_id: seen.grant_id.clone(),
            slot: seen.key.slot.clone(),
            access_token: Some(tokens.access_token),
            refresh_token: tokens.refresh_token.map(|(sealed, _)| sealed),
            expires_at: tokens.expires_at,
            lifetime_seconds: tokens.lifetime_seconds,
            subject: seen.subject.clone(),
            created_at: self.state.clock.now(),
        };
        self.cast_off(stray).await;
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
                if flight.recovery.is_some() {
                    self.lost("answer_never_arrived");
                }
                let what = Happening::NeedsReauthorisation(reason);
                self.announce(&seen.key, what).await;
                return Err(required(reason));
            }
        }
        self.release(flight).await;
        self.second_look(seen).await
    }

    /// What the row says now, after something happened to it under our hands.
    pub(super) async fn second_look(&mut self, seen: &Connection) -> Result<Answer, Answer> {
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
    pub(super) async fn not_sent(&mut self, flight: &Flight<'_>, wait_seconds: i64) -> Answer {
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
        if flight.client.passport.rotation() == RefreshRotation::Reusable {
            let again = now.plus_seconds(AFTER_UNKNOWN);
            self.close(flight, Closing::BackOff(again)).await;
            return Err(back_off(again, now));
        }
        let Some(former) = &flight.recovery else {
            // The attempt stays open until its holder, this invocation, can change nothing any more.
            let again = self.settled_after(now);
            self.close(flight, Closing::Unknown(again)).await;
            return Err(back_off(again, now));
        };
        if !unclear_refusal {
            let again = self.settled_after(now);
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
        self.close(flight, Closing::Released).await;
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
