//! Revoking what rows say is disconnected, with a receipt.
//!
//! One attempt per visit. What is not confirmed stays `pending`, with the tokens sealed and a growing back-off, and is
//! visited again by the one-minute cohort; whoever asks for it in person need not wait for that.

use std::time::Duration;

use consulate_core::connection::{Connection, Health, Receipt, RevocationResult};
use consulate_core::custody::Answer;
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::table::ConnectionKey;
use tokio::time::Instant;

use crate::Run;
use crate::announce::Happening;
use crate::exchange::unavailable;
use crate::giving_back::Lying;
use crate::patience::until;

/// How long the lease of a revocation holds: three calls and their writes.
const LEASE: Duration = Duration::from_secs(30);
/// How long a refresh in flight is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often a receipt is stored anew over tokens that came late.
const STORE_TRIES: usize = 3;
const POLL: Duration = Duration::from_millis(150);

/// Who wants a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Somebody asks, or it has only just been given up: at once.
    Hurried,
    /// The row's turn has come: not before its back-off.
    Due,
}

impl Run<'_> {
    /// Revokes the tokens of a connection whose row says it is disconnected, and stores the receipt.
    pub(crate) async fn revoke(&mut self, key: &ConnectionKey, urgency: Urgency) -> Answer {
        self.revoke_inner(key, urgency)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn revoke_inner(
        &mut self,
        key: &ConnectionKey,
        urgency: Urgency,
    ) -> Result<Answer, Answer> {
        let passport = self.revoker(&key.passport).await.map_err(unavailable)?;
        self.fields.add("owner", key.owner.as_str());
        let owner = format!(
            "{}.{}",
            self.state.instance,
            random::id().map_err(|_| Answer::Unavailable)?
        );
        let patience_ends = Instant::now() + PATIENCE;
        let seen = loop {
            let read = self.read(key).await?;
            let Some(seen) = read.filter(|seen| seen.health == Health::Disconnected) else {
                // Connected anew meanwhile, or never: the row is the truth, there is nothing to revoke.
                return Ok(Answer::Revoked { receipt: None });
            };
            if let Some(receipt) = seen
                .receipt
                .clone()
                .filter(|receipt| receipt.result != RevocationResult::Pending)
            {
                return Ok(Answer::Revoked {
                    receipt: Some(receipt),
                });
            }
            let now = self.state.clock.now();
            let waits = seen.backoff_until.is_some_and(|until| until > now);
            if urgency == Urgency::Due && (waits || seen.held_lease(now).is_some()) {
                return Ok(Answer::NotDue);
            }
            let until = now.plus_millis(LEASE.as_millis() as i64);
            let claimed = self
                .state
                .connections
                .claim_revocation(&seen, &owner, now, until)
                .await;
            if claimed.map_err(unavailable)? {
                // Read after the claim: a refresh that ended a moment ago has stored the tokens that are to be revoked.
                let read = self.read(key).await?;
                // Connected anew between the two: that grant is alive, and the claim went with the row it was made on.
                let same = |row: &Connection| {
                    row.health == Health::Disconnected && row.grant_id == seen.grant_id
                };
                let Some(row) = read.filter(same) else {
                    return Ok(Answer::Revoked { receipt: None });
                };
                break row;
            }
            if Instant::now() >= patience_ends {
                return Ok(Answer::Revoked {
                    receipt: seen.receipt,
                });
            }
            tokio::time::sleep(POLL).await;
        };
        self.revoke_claimed(seen, &owner, passport.as_deref()).await
    }

    /// Gives back what a claimed row holds, and stores the receipt over exactly that.
    async fn revoke_claimed(
        &mut self,
        mut seen: Connection,
        owner: &str,
        passport: Option<&Passport>,
    ) -> Result<Answer, Answer> {
        // Pressing again while the provider is away does not use up the attempts that are to outlast its absence.
        let now = self.state.clock.now();
        let early = seen.backoff_until.filter(|until| *until > now);
        for _ in 0..STORE_TRIES {
            let given_back = self
                .give_back(&mut Lying::Row(&mut seen, owner), passport)
                .await;
            let now = self.state.clock.now();
            let is_attempt = passport.is_none_or(|passport| passport.revocation_url.is_some());
            let waits = given_back.result == RevocationResult::Pending;
            let attempts = seen.receipt.as_ref().map_or(0, |receipt| receipt.attempts)
                + i64::from(is_attempt && !(early.is_some() && waits));
            let receipt = Receipt {
                result: given_back.after(attempts),
                at: now.rfc3339(),
                attempts,
            };
            self.fields.add("revocation", receipt.result);
            let again = match early {
                Some(until) => until.max(given_back.asked(now)),
                None => given_back.again(attempts, now),
            };
            let connections = &self.state.connections;
            let stored = until(self.deadline, || {
                connections.store_receipt(&seen, owner, &receipt, now, again)
            });
            let stored = stored.await.map_err(unavailable)?;
            let receipt = match stored {
                true => receipt,
                // A refresh that was late stored its tokens under our hands: they are to be revoked too. Or our own write
                // was applied and its acknowledgement lost; or the row is another's by now.
                false => match self.read(&seen.key).await? {
                    Some(row)
                        if row.health == Health::Disconnected && row.grant_id == seen.grant_id =>
                    {
                        let ours = |lease: &consulate_core::connection::Lease| lease.owner == owner;
                        if row.lease.as_ref().is_some_and(ours) {
                            seen = row;
                            continue;
                        }
                        match row.receipt {
                            Some(stored) => stored,
                            None => return Ok(Answer::Revoked { receipt: None }),
                        }
                    }
                    _ => return Ok(Answer::Revoked { receipt: None }),
                },
            };
            if receipt.result == RevocationResult::GaveUp
                && given_back.result != RevocationResult::GaveUp
            {
                self.lost("revocation_gave_up");
            }
            self.announce_receipt(&seen.key, receipt.result).await;
            if receipt.result != RevocationResult::Pending
                && seen.key.slot.is_empty()
                && let Some(subject) = &seen.subject
            {
                self.leave(&seen.key.passport, subject, &seen.key.pk())
                    .await;
            }
            return Ok(Answer::Revoked {
                receipt: Some(receipt),
            });
        }
        Ok(Answer::Revoked {
            receipt: seen.receipt,
        })
    }

    async fn read(&self, key: &ConnectionKey) -> Result<Option<Connection>, Answer> {
        let connections = &self.state.connections;
        connections.read(key, true).await.map_err(unavailable)
    }

    /// Says that a revocation is over, once it is.
    async fn announce_receipt(&mut self, key: &ConnectionKey, result: RevocationResult) {
        if result == RevocationResult::Pending {
            return;
        }
        self.announce(key, Happening::Disconnected(result)).await;
        if result == RevocationResult::GaveUp {
            self.announce(key, Happening::RevocationGaveUp).await;
        }
    }
}
