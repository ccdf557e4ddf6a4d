//! Giving one slot's tokens back to the provider, wherever they lie: in a row that was given up, or on record as stray.
//!
//! RFC 7009: the refresh token first, then the access token unless the provider cascades. Where only a live access token is
//! taken and the one at hand has ended, the refresh token is spent for another, which is stored before it is shown.

use consulate_core::clock::Timestamp;
use consulate_core::connection::{Connection, RevocationResult};
use consulate_core::connections::Tokens;
use consulate_core::grants::StrayRecord;
use consulate_core::passport::{Credential, Passport, RefreshRotation};
use consulate_core::secret::SecretText;
use consulate_core::table::Error;
use consulate_core::vault::{self, Field, Home};

use crate::Run;
use crate::grant::SlotTokens;
use crate::outcome::{Outcome, Revocation};
use crate::patience::until;
use crate::revocation;
use crate::subject::Permit;
use crate::token_endpoint::{self, Client};

/// After so many attempts a grant is left to its own end.
pub(crate) const ATTEMPTS: i64 = 24;
const FIRST_WAIT_SECONDS: i64 = 60;
const LONGEST_WAIT_SECONDS: i64 = 6 * 3_600;

/// Where the tokens lie.
pub(crate) enum Lying<'a> {
    /// In a given-up row, whose lease is held under this name.
    Row(&'a mut Connection, &'a str),
    /// On record.
    Record(&'a mut StrayRecord),
}

/// What became of giving them back, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenBack {
    pub result: RevocationResult,
    /// How long the provider asks to be left alone.
    pub wait_seconds: Option<u64>,
}

impl From<RevocationResult> for GivenBack {
    fn from(result: RevocationResult) -> Self {
        Self {
            result,
            wait_seconds: None,
        }
    }
}

impl GivenBack {
    /// PURE. What it comes to after `attempts`, this one included.
    pub fn after(self, attempts: i64) -> RevocationResult {
        if self.result == RevocationResult::Pending && attempts >= ATTEMPTS {
            RevocationResult::GaveUp
        } else {
            self.result
        }
    }

    /// PURE. Not again before.
    pub fn again(self, attempts: i64, now: Timestamp) -> Timestamp {
        let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(20);
        let own = (FIRST_WAIT_SECONDS << doublings).min(LONGEST_WAIT_SECONDS);
        now.plus_seconds(own).max(self.asked(now))
    }

    /// PURE. Until when the provider asks to be left alone.
    pub fn asked(self, now: Timestamp) -> Timestamp {
        let seconds = self.wait_seconds.map(i64::try_from);
        now.plus_seconds(seconds.and_then(Result::ok).unwrap_or_default())
    }
}

impl Lying<'_> {
    fn home(&self, passport: &Passport) -> Home {
        match self {
            Self::Row(row, _) => Home::of(row, passport),
            Self::Record(record) => {
                let stray = &record.stray;
                Home::at(stray.home.clone(), &stray.grant_id, passport)
            }
        }
    }

    fn slot(&self) -> String {
        match self {
            Self::Row(row, _) => row.key.slot.clone(),
            Self::Record(record) => record.stray.slot.clone(),
        }
    }

    fn subject(&self) -> Option<String> {
        match self {
            Self::Row(row, _) => row.subject.clone(),
            Self::Record(record) => record.stray.subject.clone(),
        }
    }

    fn sealed(&self) -> [(Field, Option<Vec<u8>>); 2] {
        let (refresh_token, access_token) = match self {
            Self::Row(row, _) => (&row.refresh_token, &row.access_token),
            Self::Record(record) => (&record.stray.refresh_token, &record.stray.access_token),
        };
        [
            (Field::RefreshToken, refresh_token.clone()),
            (Field::AccessToken, access_token.clone()),
        ]
    }

    fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Row(row, _) => row.expires_at,
            Self::Record(record) => record.stray.expires_at,
        }
    }

    /// Whether the refresh token was presented by somebody who never heard what came of it.
    fn may_be_spent(&self) -> bool {
        match self {
            Self::Row(row, _) => row
                .attempt
                .as_ref()
                .is_some_and(|attempt| row.fingerprint.as_ref() == Some(&attempt.fingerprint)),
            Self::Record(record) => record.may_be_spent,
        }
    }
}

impl Run<'_> {
    /// Tries once to give back what lies there, unless that would end a grant that lives. Without a passport nobody knows
    /// where to.
    pub(crate) async fn give_back(
        &mut self,
        lying: &mut Lying<'_>,
        passport: Option<&Passport>,
    ) -> GivenBack {
        let Some(passport) = passport else {
            return RevocationResult::Pending.into();
        };
        if passport.revocation_url.is_none() {
            return RevocationResult::ProviderHasNone.into();
        }
        let given_up = matches!(lying, Lying::Row(..));
        let subject = lying.subject();
        let held = match self.permit(passport, subject.as_deref(), given_up).await {
            Ok(Permit::Granted(held)) => held,
            Ok(Permit::Withheld) => {
                self.fields.add("revocation_withheld", true);
                return RevocationResult::ProviderHasNone.into();
            }
            Ok(Permit::Busy) | Err(_) => return RevocationResult::Pending.into(),
        };
        let given_back = self.present(lying, passport).await;
        if let Some(held) = held {
            self.end_permit(held).await;
        }
        given_back
    }

    async fn present(&mut self, lying: &mut Lying<'_>, passport: &Passport) -> GivenBack {
        let home = lying.home(passport);
        let mut opened = [None, None];
        for (plain, (field, sealed)) in opened.iter_mut().zip(lying.sealed()) {
            if let Some(sealed) = sealed {
                match vault::open(&self.state.secrets, &home, field, &sealed).await {
                    Ok(text) => *plain = Some(text),
                    // Sealed for endpoints the passport no longer has: nobody can give it back any more.
                    Err(vault::Error::DoesNotOpen) => {
                        self.lost("does_not_open");
                        return RevocationResult::GaveUp.into();
                    }
                    Err(vault::Error::Unavailable) => return RevocationResult::Pending.into(),
                }
            }
        }
        let [refresh_token, access_token] = &opened;
        let now = self.state.clock.now();
        let ended = lying.expires_at().is_some_and(|end| end <= now);
        let renewable = passport.credential == Credential::Oauth2 && passport.renewal.is_none();
        match refresh_token {
            // Only a live access token is taken, and this one has ended: what lives on is the refresh token.
            Some(refresh_token)
                if ended && renewable && !passport.revocation_style.takes_refresh_tokens() =>
            {
                self.revoke_renewed(lying, passport, &home, refresh_token)
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
        lying: &mut Lying<'_>,
        passport: &Passport,
        home: &Home,
        refresh_token: &SecretText,
    ) -> GivenBack {
        let pending = GivenBack::from(RevocationResult::Pending);
        let slot = lying.slot();
        let Ok(client) = Client::of(passport, &self.state.secrets, self.state.clock.now()).await
        else {
            return pending;
        };
        let Ok(request) = client.renewal(refresh_token, &slot).await else {
            return pending;
        };
        if vault::check(&self.state.secrets).await.is_err() {
            return pending;
        }
        let used_up = passport.rotation() == RefreshRotation::SingleUse;
        let unknown_before = used_up && lying.may_be_spent();
        if used_up && !self.note_spending(lying, true).await {
            return pending;
        }
        let asked_at = self.state.clock.now();
        let (outcome, _) =
            token_endpoint::call(&self.state.egress, request, passport, &slot, asked_at).await;
        let wait_seconds = match outcome {
            Outcome::Tokens(reply) => {
                let new = SlotTokens::of(&client, &slot, &reply, asked_at);
                let stored = self.store_renewed(lying, home, refresh_token, &new).await;
                let access_token = Some(&new.access_token);
                let given_back = self.revoke_tokens(passport, None, access_token).await;
                if given_back.result == RevocationResult::Pending && !stored && used_up {
                    self.lost("renewed_to_revoke_and_not_stored");
                    return RevocationResult::GaveUp.into();
                }
                return given_back;
            }
            Outcome::Refused(_) if unknown_before => {
                // It was spent by a call whose answer never came: what that brought lives on somewhere.
                self.lost("answer_never_arrived");
                return RevocationResult::GaveUp.into();
            }
            Outcome::Refused(_) => return RevocationResult::AlreadyGone.into(),
            Outcome::Unknown { .. } | Outcome::OtherSlotsOnly => return pending,
            Outcome::Throttled(seconds) => Some(seconds),
            Outcome::Misconfigured(_) | Outcome::NotSent => None,
        };
        if used_up && !unknown_before {
            self.note_spending(lying, false).await;
        }
        GivenBack {
            wait_seconds,
            ..pending
        }
    }

    /// Writes down that the refresh token is about to be presented, or that it was not spent after all.
    async fn note_spending(&mut self, lying: &Lying<'_>, may_be_spent: bool) -> bool {
        let now = self.state.clock.now();
        let (connections, grants) = (&self.state.connections, &self.state.grants);
        let noted = until(self.deadline, || async {
            match lying {
                Lying::Row(row, owner) => {
                    let fingerprint = row.fingerprint.as_deref().filter(|_| may_be_spent);
                    connections
                        .note_spending(row, owner, fingerprint, now)
                        .await
                }
                Lying::Record(record) => grants.note_spending(&record.pk, may_be_spent).await,
            }
        });
        noted.await == Ok(true)
    }

    /// Stores what a refresh token was spent for where that one lay.
    async fn store_renewed(
        &mut self,
        lying: &mut Lying<'_>,
        home: &Home,
        spent: &SecretText,
        new: &SlotTokens,
    ) -> bool {
        let Ok(tokens) = self.sealed_anew(home, spent, new).await else {
            return false;
        };
        let now = self.state.clock.now();
        let (connections, grants) = (&self.state.connections, &self.state.grants);
        match lying {
            Lying::Row(row, owner) => {
                let seen: &Connection = row;
                let stored = until(self.deadline, || {
                    connections.renewed_to_revoke(seen, owner, &tokens, now)
                });
                let Ok(Some(version)) = stored.await else {
                    return false;
                };
                row.version = version;
                row.access_token = Some(tokens.access_token);
                if let Some((sealed, fingerprint)) = tokens.refresh_token {
                    (row.refresh_token, row.fingerprint) = (Some(sealed), Some(fingerprint));
                }
                (row.expires_at, row.attempt) = (tokens.expires_at, None);
                true
            }
            Lying::Record(record) => {
                let stored = until(self.deadline, || grants.renewed(&record.pk, &tokens));
                stored.await == Ok(true)
            }
        }
    }

    async fn sealed_anew(
        &self,
        home: &Home,
        spent: &SecretText,
        new: &SlotTokens,
    ) -> Result<Tokens, vault::Error> {
        let secrets = &self.state.secrets;
        let rotated = new.refresh_token.as_ref();
        let rotated = rotated.filter(|plain| plain.expose() != spent.expose());
        Ok(Tokens {
            access_token: vault::seal(secrets, home, Field::AccessToken, &new.access_token).await?,
            refresh_token: match rotated {
                Some(plain) => Some(vault::seal_refresh(secrets, home, plain).await?),
                None => None,
            },
            expires_at: new.expires_at,
            lifetime_seconds: new.lifetime_seconds,
            refresh_expires_at: new.refresh_expires_at,
            fields: None,
            due: None,
            used_at: None,
        })
    }

    /// Presents tokens for revocation, each once.
    async fn revoke_tokens(
        &mut self,
        passport: &Passport,
        refresh_token: Option<&SecretText>,
        access_token: Option<&SecretText>,
    ) -> GivenBack {
        let Ok(client) = Client::of(passport, &self.state.secrets, self.state.clock.now()).await
        else {
            return RevocationResult::Pending.into();
        };
        let mut answers = Vec::new();
        let mut wait_seconds = None;
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
                Err(_) => return RevocationResult::Pending.into(),
            };
            let now = self.state.clock.now();
            let (answer, wait) =
                revocation::send(&self.state.egress, request, passport, self.deadline, now).await;
            answers.push(answer);
            wait_seconds = wait;
            let ended = matches!(answer, Revocation::Done | Revocation::AlreadyGone);
            if answer == Revocation::Failed || (ended && passport.revocation_cascades) {
                break;
            }
        }
        GivenBack {
            result: result_of(&answers),
            wait_seconds,
        }
    }

    /// Whether and how a passport's grants are given back; `None` where there is no such passport (any more).
    pub(crate) async fn revoker(
        &mut self,
        id: &str,
    ) -> Result<Option<std::sync::Arc<Passport>>, Error> {
        self.fields.add("passport", id);
        let read = self.state.definitions.passport(id).await;
        let passport = read.map_err(|_| Error::Unavailable)?;
        let provider = passport.as_ref().map(|passport| &passport.provider);
        self.fields.add("provider", provider);
        Ok(passport)
    }
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
mod tests;
