//! Grants that no connection has: put on record first, then given back, at once or from the one-minute cohort.

use consulate_core::connection::{Health, RevocationResult};
use consulate_core::custody::Answer;
use consulate_core::flow::{Stage, flow_id};
use consulate_core::grants::{Stray, StrayRecord};
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::table::{ConnectionKey, Error, opt_s};
use consulate_core::vault::{self, Field, Home};
use tokio::time::Instant;

use crate::Run;
use crate::exchange::unavailable;
use crate::giving_back::{GivenBack, Lying};
use crate::patience::until;
use crate::salvage;
use crate::token_endpoint::POST_TIMEOUT;

const WRITTEN_DOWN_NOWHERE: &str = "grant_written_down_nowhere";

impl Run<'_> {
    /// Puts a grant on record and tries to give it back.
    pub(crate) async fn cast_off(&mut self, stray: Stray) {
        let kept = self.keep(&stray).await;
        self.try_stray(stray, kept).await;
    }

    /// Puts a grant on record whose own write may yet be applied: the cohort looks whether it was, and gives it back if not.
    pub(crate) async fn keep_for_later(&mut self, stray: &Stray) {
        if self.keep(stray).await == Kept::Nowhere {
            self.lost(WRITTEN_DOWN_NOWHERE);
        }
    }

    /// Puts a grant on record: in the table, or else in the salvage queue.
    pub(crate) async fn keep(&mut self, stray: &Stray) -> Kept {
        let grants = &self.state.grants;
        let put = until(self.deadline, || grants.put(stray)).await;
        if put.is_ok() {
            return Kept::InTable;
        }
        match salvage::send_stray(self.state, stray).await {
            true => Kept::InQueue,
            false => Kept::Nowhere,
        }
    }

    /// Tries to give back a grant that was put on record a moment ago.
    pub(crate) async fn try_stray(&mut self, stray: Stray, kept: Kept) {
        let record = StrayRecord {
            pk: stray.pk(),
            stray,
            attempts: 0,
            backoff_until: None,
            may_be_spent: false,
        };
        let tried = match kept {
            Kept::InTable => self.try_record(record).await,
            // The queue brings it to the table, and the table has it given back.
            Kept::InQueue => return,
            Kept::Nowhere => Ok(self.try_unrecorded(record).await),
        };
        match tried {
            Ok(Some(result)) => self.fields.add("stray", result),
            Ok(None) => {}
            // It lies on record; its turn comes.
            Err(_) => self.fields.add("stray", RevocationResult::Pending),
        }
    }

    /// Attends to a record whose turn it is.
    pub(crate) async fn attend_stray(&mut self, pk: &str) -> Answer {
        let tried = async {
            let Some(record) = self.state.grants.read(pk).await? else {
                return Ok(None);
            };
            let now = self.state.clock.now();
            if record.backoff_until.is_some_and(|until| until > now) {
                return Ok(None);
            }
            self.try_record(record).await
        };
        match tried.await {
            Ok(Some(result)) => {
                self.fields.add("stray", result);
                Answer::Revoked { receipt: None }
            }
            Ok(None) => Answer::NotDue,
            Err(error) => unavailable(error),
        }
    }

    async fn try_record(
        &mut self,
        mut record: StrayRecord,
    ) -> Result<Option<RevocationResult>, Error> {
        // Three calls, and their writes: what cannot be concluded is not begun.
        if Instant::now() + POST_TIMEOUT * 3 >= self.deadline {
            return Ok(None);
        }
        if self.lives(&record.stray).await? {
            self.fields.add("stray_lives", true);
            self.state.grants.delete(&record.pk).await?;
            return Ok(None);
        }
        let passport = self.revoker(&record.stray.passport).await?;
        if let Some(passport) = &passport
            && self.is_repeated(&record.stray, passport).await?
        {
            self.fields.add("stray_repeated", true);
            self.state.grants.delete(&record.pk).await?;
            return Ok(None);
        }
        let owner = random::id().map_err(|_| Error::Unavailable)?;
        let owner = format!("{}.{owner}", self.state.instance);
        let attempts = record.attempts + 1;
        let lapses =
            GivenBack::from(RevocationResult::Pending).again(attempts, self.state.clock.now());
        let grants = &self.state.grants;
        if !grants.claim(&record, &owner, lapses).await? {
            return Ok(None);
        }
        let given_back = self
            .give_back(&mut Lying::Record(&mut record), passport.as_deref())
            .await;
        let result = given_back.after(attempts);
        let again = given_back.again(attempts, self.state.clock.now());
        let grants = &self.state.grants;
        let written = until(self.deadline, || async {
            match result {
                RevocationResult::Pending => grants.later(&record.pk, again).await,
                RevocationResult::Revoked
                | RevocationResult::AlreadyGone
                | RevocationResult::ProviderHasNone
                | RevocationResult::GaveUp => grants.delete(&record.pk).await,
            }
        });
        written.await?;
        if result == RevocationResult::GaveUp && given_back.result != result {
            self.lost("revocation_gave_up");
        }
        Ok(Some(result))
    }

    /// The last chance of a grant that could be written down nowhere.
    async fn try_unrecorded(&mut self, mut record: StrayRecord) -> Option<RevocationResult> {
        let passport = match self.lives(&record.stray).await {
            Ok(true) => return None,
            Ok(false) => self.revoker(&record.stray.passport).await.ok().flatten(),
            // Whether it is anybody's cannot be told, so it is not ended.
            Err(_) => None,
        };
        let given_back = self
            .give_back(&mut Lying::Record(&mut record), passport.as_deref())
            .await;
        if given_back.result == RevocationResult::Pending {
            self.lost(WRITTEN_DOWN_NOWHERE);
        }
        Some(given_back.result)
    }

    /// Whether the place a grant was sealed for has it: the write that put it there was applied after all, although nobody
    /// was told.
    async fn lives(&self, stray: &Stray) -> Result<bool, Error> {
        if let Some(key) = ConnectionKey::of_pk(&stray.home) {
            let row = self.state.connections.read(&key, true).await?;
            return Ok(row.is_some_and(|row| {
                row.grant_id == stray.grant_id && row.health != Health::Disconnected
            }));
        }
        let Some(id) = flow_id(&stray.home) else {
            return Ok(false);
        };
        let flow = self.state.flows.read(id).await?;
        Ok(flow.is_some_and(|(_, stage, item)| {
            opt_s(&item, "g").as_ref() == Some(&stray.grant_id) && stage != Stage::Burned.text()
        }))
    }
}

impl Run<'_> {
    /// Whether the connection that lives in a stray's place holds one of its very tokens: some providers answer the same
    /// token at every consent (Slack without rotation), and revoking it would end the connection.
    async fn is_repeated(&self, stray: &Stray, passport: &Passport) -> Result<bool, Error> {
        let Some(key) = ConnectionKey::of_pk(&stray.home) else {
            return Ok(false);
        };
        let row = self.state.connections.read(&key, true).await?;
        let Some(row) = row.filter(|row| row.health != Health::Disconnected) else {
            return Ok(false);
        };
        let of_row = [
            (Field::AccessToken, &row.access_token),
            (Field::RefreshToken, &row.refresh_token),
        ];
        let of_stray = [
            (Field::AccessToken, &stray.access_token),
            (Field::RefreshToken, &stray.refresh_token),
        ];
        let home = Home::at(stray.home.clone(), &stray.grant_id, passport);
        for ((field, theirs), (_, ours)) in of_stray.into_iter().zip(of_row) {
            // What stands in place of a refresh token is the same at every connecting.
            let is_token = field == Field::AccessToken || passport.credential.is_consented();
            let (Some(theirs), Some(ours), true) = (theirs, ours, is_token) else {
                continue;
            };
            let secrets = &self.state.secrets;
            let theirs = vault::open(secrets, &home, field, theirs).await;
            let at_row = Home::of(&row, passport);
            let ours = vault::open(secrets, &at_row, field, ours).await;
            match (theirs, ours) {
                (Ok(theirs), Ok(ours)) if theirs.expose() == ours.expose() => return Ok(true),
                (Err(vault::Error::Unavailable), _) | (_, Err(vault::Error::Unavailable)) => {
                    return Err(Error::Unavailable);
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// Where a stray grant is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    InTable,
    InQueue,
    Nowhere,
}
