//! Giving grants back to the provider: what the row says is disconnected, and grants that have no row (any more).
//!
//! RFC 7009: the refresh token first, then the access token unless the provider cascades. One attempt per invocation;
//! what is not confirmed stays `pending`, with the tokens sealed, and may be asked for again.

use std::time::{Duration, Instant};

use consulate_core::connection::{Connection, Health, Receipt, RevocationResult};
use consulate_core::custody::Answer;
use consulate_core::passport::{Credential, Passport};
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use consulate_core::vault::{self, Field, Home};

use crate::Run;
use crate::exchange::unavailable;
use crate::outcome::{Outcome, Revocation};
use crate::patience::until;
use crate::revocation;
use crate::token_endpoint::{self, Client};

/// How long the lease of a revocation holds: two calls and their writes.
const LEASE: Duration = Duration::from_secs(30);
/// How long a refresh in flight is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often a receipt is stored anew over tokens that came late.
const STORE_TRIES: usize = 3;
const POLL: Duration = Duration::from_millis(150);

/// What renewal presents, and an access token.
type Opened = [Option<SecretText>; 2];

impl Run<'_> {
    /// Revokes the tokens of a connection whose row says it is disconnected, and stores the receipt.
    pub(crate) async fn revoke(&mut self, key: &ConnectionKey) -> Answer {
        self.revoke_inner(key).await.unwrap_or_else(|answer| answer)
    }

    async fn revoke_inner(&mut self, key: &ConnectionKey) -> Result<Answer, Answer> {
        let passport = self.passport(&key.passport).await?;
        let owner = format!(
            "{}.{}",
            self.state.instance,
            random::id().map_err(|_| Answer::Unavailable)?
        );
        let patience_ends = Instant::now() + PATIENCE;
        let mut seen = loop {
            let read = self
                .state
                .connections
                .read(key, true)
                .await
                .map_err(unavailable)?;
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
            let until = now.plus_millis(LEASE.as_millis() as i64);
            let claimed = self
                .state
                .connections
                .claim_revocation(&seen, &owner, now, until)
                .await;
            if claimed.map_err(unavailable)? {
                // Read after the claim: a refresh that ended a moment ago has stored the tokens that are to be revoked.
                let read = self
                    .state
                    .connections
                    .read(key, true)
                    .await
                    .map_err(unavailable)?;
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
        for _ in 0..STORE_TRIES {
            let result = self.revoke_grant(&seen, &passport).await;
            let now = self.state.clock.now();
            let attempts = seen.receipt.as_ref().map_or(0, |receipt| receipt.attempts)
                + i64::from(passport.revocation_url.is_some());
            let receipt = Receipt {
                result,
                at: now.rfc3339(),
                attempts,
            };
            self.fields.add("revocation", result);
            let connections = &self.state.connections;
            let stored = until(self.deadline, || {
                connections.store_receipt(&seen, &owner, &receipt, now)
            });
            if stored.await.map_err(unavailable)? {
                return Ok(Answer::Revoked {
                    receipt: Some(receipt),
                });
            }
            // A refresh that was late stored its tokens under our hands: they are to be revoked too. Or our own write was
            // applied and its acknowledgement lost; or the row is another's by now.
            let read = self
                .state
                .connections
                .read(key, true)
                .await
                .map_err(unavailable)?;
            match read {
                Some(row)
                    if row.health == Health::Disconnected && row.grant_id == seen.grant_id =>
                {
                    if row.lease.as_ref().is_none_or(|lease| lease.owner != owner) {
                        return Ok(Answer::Revoked {
                            receipt: row.receipt,
                        });
                    }
                    seen = row;
                }
                _ => return Ok(Answer::Revoked { receipt: None }),
            }
        }
        Ok(Answer::Revoked {
            receipt: seen.receipt,
        })
    }

    /// Best effort: a grant that another one, with the tokens `live`, has just replaced is given back, where that does not
    /// end the new one too.
    pub(crate) async fn revoke_superseded(
        &mut self,
        former: &Connection,
        passport: &Passport,
        live: &[SecretText],
    ) {
        if passport.revocation_per_user
            || (former.access_token.is_none() && former.refresh_token.is_none())
        {
            return;
        }
        let result = match self.opened(former, passport).await {
            Ok(opened) if is_shared(&opened, live) => return,
            Ok(opened) => self.revoke_opened(former, passport, &opened).await,
            Err(result) => result,
        };
        self.fields.add("superseded", result);
    }

    async fn revoke_grant(&mut self, seen: &Connection, passport: &Passport) -> RevocationResult {
        match self.opened(seen, passport).await {
            Ok(opened) => self.revoke_opened(seen, passport, &opened).await,
            Err(result) => result,
        }
    }

    /// A grant's tokens: the one renewal presents, and the access token.
    async fn opened(
        &self,
        seen: &Connection,
        passport: &Passport,
    ) -> Result<Opened, RevocationResult> {
        if passport.revocation_url.is_none() {
            return Err(RevocationResult::ProviderHasNone);
        }
        let home = Home::of(seen, &passport.token_url);
        let secrets = &self.state.secrets;
        let mut opened = [None, None];
        let sealed = [
            (Field::RefreshToken, &seen.refresh_token),
            (Field::AccessToken, &seen.access_token),
        ];
        for (slot, (field, sealed)) in opened.iter_mut().zip(sealed) {
            if let Some(sealed) = sealed {
                match vault::open(secrets, &home, field, sealed).await {
                    Ok(plain) => *slot = Some(plain),
                    // Sealed for endpoints the passport no longer has: nobody can give it back any more.
                    Err(vault::Error::DoesNotOpen) => return Err(RevocationResult::GaveUp),
                    Err(vault::Error::Unavailable) => return Err(RevocationResult::Pending),
                }
            }
        }
        Ok(opened)
    }

    async fn revoke_opened(
        &mut self,
        seen: &Connection,
        passport: &Passport,
        opened: &Opened,
    ) -> RevocationResult {
        let [refresh_token, access_token] = opened;
        let ended = !seen.is_alive(self.state.clock.now());
        let renewable = passport.credential == Credential::Oauth2 && passport.renewal.is_none();
        match refresh_token {
            // Only a live access token is taken, and this one has ended: what lives on is the refresh token.
            Some(refresh_token)
                if ended && renewable && !passport.revocation_style.takes_refresh_tokens() =>
            {
                self.revoke_renewed(passport, &seen.key.slot, refresh_token)
                    .await
            }
            _ => {
                // What stands in place of a refresh token is none, and not for this endpoint to see.
                let refresh_token = refresh_token.as_ref().filter(|_| renewable);
                self.revoke_tokens(passport, refresh_token, access_token.as_ref())
                    .await
            }
        }
    }

    /// Spends a refresh token for an access token that can be shown to the provider to end the grant.
    async fn revoke_renewed(
        &mut self,
        passport: &Passport,
        slot: &str,
        refresh_token: &SecretText,
    ) -> RevocationResult {
        let Ok(client) = Client::of(passport, &self.state.secrets, self.state.clock.now()).await
        else {
            return RevocationResult::Pending;
        };
        let Ok(request) = client.renewal(refresh_token, slot).await else {
            return RevocationResult::Pending;
        };
        let now = self.state.clock.now();
        let (outcome, _) =
            token_endpoint::call(&self.state.egress, request, passport, slot, now).await;
        match outcome {
            Outcome::Tokens(reply) => {
                let access_token = Some(&reply.access_token);
                match self.revoke_tokens(passport, None, access_token).await {
                    // The token it was had with is spent: there is no second try.
                    RevocationResult::Pending => RevocationResult::GaveUp,
                    result => result,
                }
            }
            Outcome::Refused(_) => RevocationResult::AlreadyGone,
            Outcome::OtherSlotsOnly
            | Outcome::Misconfigured(_)
            | Outcome::NotSent
            | Outcome::Throttled(_)
            | Outcome::Unknown { .. } => RevocationResult::Pending,
        }
    }

    /// Presents tokens for revocation, each once.
    pub(crate) async fn revoke_tokens(
        &mut self,
        passport: &Passport,
        refresh_token: Option<&SecretText>,
        access_token: Option<&SecretText>,
    ) -> RevocationResult {
        if passport.revocation_url.is_none() {
            return RevocationResult::ProviderHasNone;
        }
        let Ok(client) = Client::of(passport, &self.state.secrets, self.state.clock.now()).await
        else {
            return RevocationResult::Pending;
        };
        let mut answers = Vec::new();
        for (hint, plain) in [
            ("refresh_token", refresh_token),
            ("access_token", access_token),
        ] {
            let Some(plain) = plain else {
                continue;
            };
            let request = match revocation::request(&client, hint, plain) {
                Ok(Some(request)) => request,
                // A kind that this provider is not told about.
                Ok(None) => continue,
                Err(_) => return RevocationResult::Pending,
            };
            let answer =
                revocation::send(&self.state.egress, request, passport, self.deadline).await;
            answers.push(answer);
            let ended = matches!(answer, Revocation::Done | Revocation::AlreadyGone);
            if answer == Revocation::Failed || (ended && passport.revocation_cascades) {
                break;
            }
        }
        result_of(&answers)
    }
}

/// PURE. Whether one of a former grant's tokens is one of the grant that replaced it: some providers repeat theirs at every
/// consent (Slack without rotation), and to revoke it would end both.
fn is_shared(former: &Opened, live: &[SecretText]) -> bool {
    let mut former = former.iter().flatten();
    former.any(|plain| live.iter().any(|live| live.expose() == plain.expose()))
}

/// PURE. One result from the answers to a grant's tokens.
fn result_of(answers: &[Revocation]) -> RevocationResult {
    if answers.contains(&Revocation::Failed) {
        RevocationResult::Pending
    } else if answers.contains(&Revocation::Done) {
        RevocationResult::Revoked
    } else if answers.contains(&Revocation::UnsupportedKind) {
        RevocationResult::ProviderHasNone
    } else {
        RevocationResult::AlreadyGone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_the_new_grant_repeats_is_shared() {
        let secret = |text: &str| Some(SecretText::new(text));
        let live = [SecretText::new("bot"), SecretText::new("new")];
        assert!(is_shared(&[None, secret("bot")], &live));
        assert!(is_shared(&[secret("new"), secret("old")], &live));
        assert!(!is_shared(&[secret("older"), secret("old")], &live));
        assert!(!is_shared(&[None, None], &live));
    }

    #[test]
    fn one_unconfirmed_token_keeps_a_revocation_pending() {
        use Revocation::{AlreadyGone, Done, Failed, UnsupportedKind};
        assert_eq!(result_of(&[Done, Failed]), RevocationResult::Pending);
        assert_eq!(
            result_of(&[UnsupportedKind, Done]),
            RevocationResult::Revoked
        );
        assert_eq!(
            result_of(&[AlreadyGone, AlreadyGone]),
            RevocationResult::AlreadyGone
        );
        assert_eq!(
            result_of(&[UnsupportedKind]),
            RevocationResult::ProviderHasNone
        );
        assert_eq!(result_of(&[]), RevocationResult::AlreadyGone);
    }
}
