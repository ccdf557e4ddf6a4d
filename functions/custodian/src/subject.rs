//! Accounts that several connections share: who lives on one, and whether something may be revoked there.

use std::time::Duration;

use consulate_core::connection::Health;
use consulate_core::passport::{Credential, Passport};
use consulate_core::random;
use consulate_core::subjects::{Subject, SubjectKey};
use consulate_core::table::Error;
use consulate_core::vault;

use crate::Run;
use crate::grant::Grant;
use crate::patience::until;

/// How long the lease of a revocation holds on an account: two calls and their writes.
const LEASE: Duration = Duration::from_secs(25);

/// Whether a grant may be revoked upstream.
pub(crate) enum Permit {
    /// Nobody else is hit. Given back afterwards, where something was taken for it.
    Granted(Option<Held>),
    /// Another connection lives on the account: it would end too.
    Withheld,
    /// Somebody is revoking there, or has joined just now.
    Busy,
}

/// The lease of an account.
pub(crate) struct Held {
    key: SubjectKey,
    owner: String,
}

impl Run<'_> {
    /// The account a new grant is of; `None` where the provider does not say.
    pub(crate) async fn subject(
        &self,
        passport: &Passport,
        grant: &Grant,
    ) -> Result<Option<SubjectKey>, vault::Error> {
        let main = grant.tokens.iter().find(|tokens| tokens.slot.is_empty());
        let typed = main.and_then(|main| main.refresh_token.as_ref());
        let id = match passport.credential {
            // What ends the other's session is the same token, not the same person.
            Credential::PersonalAccessToken => typed.map(|typed| typed.expose()),
            Credential::Oauth2
            | Credential::ApiKey
            | Credential::Basic
            | Credential::ClientCredentials => {
                let account = grant.details.account.as_ref();
                account.and_then(|account| account.id.as_deref())
            }
        };
        match id {
            Some(id) => self.subject_of(&passport.id, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The account `id` at a passport's provider.
    pub(crate) async fn subject_of(
        &self,
        passport: &str,
        id: &str,
    ) -> Result<SubjectKey, vault::Error> {
        let digest = vault::account_digest(&self.state.secrets, passport, id).await?;
        Ok(SubjectKey::new(passport, &digest))
    }

    /// Whether a connection other than `own` lives on the account. Who is in the set and does not is taken out on the way.
    pub(crate) async fn is_shared(
        &self,
        key: &SubjectKey,
        seen: &Subject,
        own: Option<&str>,
    ) -> Result<bool, Error> {
        for holder in &seen.holders {
            if own == Some(holder) {
                continue;
            }
            let row = self.state.connections.read_pk(holder).await?;
            let lives = row.is_some_and(|row| {
                row.health == Health::Connected && row.subject.as_ref() == Some(&key.digest)
            });
            if lives {
                return Ok(true);
            }
            self.state.subjects.take_out(key, seen, holder).await?;
        }
        Ok(seen.crowded)
    }

    /// Asks whether a grant of the account may be revoked. Where the account is not known, what a person gave up is, and
    /// what merely was left over is not.
    pub(crate) async fn permit(
        &self,
        passport: &Passport,
        digest: Option<&str>,
        given_up: bool,
    ) -> Result<Permit, Error> {
        if !passport.revocation_per_user {
            return Ok(Permit::Granted(None));
        }
        let Some(digest) = digest else {
            return Ok(match given_up {
                true => Permit::Granted(None),
                false => Permit::Withheld,
            });
        };
        let key = SubjectKey::new(&passport.id, digest);
        let seen = self.state.subjects.read(&key).await?;
        if self.is_shared(&key, &seen, None).await? {
            return Ok(Permit::Withheld);
        }
        let owner = random::id().map_err(|_| Error::Unavailable)?;
        let owner = format!("{}.{owner}", self.state.instance);
        let now = self.state.clock.now();
        let lapses = now.plus_millis(LEASE.as_millis() as i64);
        let subjects = &self.state.subjects;
        Ok(
            match subjects.take(&key, &seen, &owner, now, lapses).await? {
                true => Permit::Granted(Some(Held { key, owner })),
                false => Permit::Busy,
            },
        )
    }

    /// Ends what a permit stood for.
    pub(crate) async fn end_permit(&mut self, held: Held) {
        let now = self.state.clock.now();
        let subjects = &self.state.subjects;
        let given_back = until(self.deadline, || {
            subjects.give_back(&held.key, &held.owner, now)
        });
        // It lapses by itself.
        self.fields
            .add("subject_left_open", given_back.await.err().map(|_| true));
    }

    /// Takes a connection out of an account it does not live on any more. Whoever meets it there later does the same.
    pub(crate) async fn leave(&mut self, passport: &str, digest: &str, holder: &str) {
        let key = SubjectKey::new(passport, digest);
        let subjects = &self.state.subjects;
        let left = async {
            let seen = subjects.read(&key).await?;
            subjects.leave(&key, &seen, holder).await
        };
        self.fields
            .add("subject_left_stale", left.await.err().map(|_| true));
    }
}
