//! From a grant to a connection: sealed for its rows and activated in one transaction, which also puts the grant it
//! replaces on record as stray.

use std::time::Duration;

use consulate_core::clock::Timestamp;
use consulate_core::cohort::Cycle;
use consulate_core::connections::{NewGrant, NewTokens};
use consulate_core::custody::Answer;
use consulate_core::flow::{Flow, Stage};
use consulate_core::grants::Stray;
use consulate_core::passport::{Passport, SharedAccount};
use consulate_core::random;
use consulate_core::subjects::{Join, SubjectKey};
use consulate_core::vault::{self, Field, Home};
use tokio::time::Instant;

use crate::Run;
use crate::announce::Happening;
use crate::exchange::{sealing, unavailable, unusable};
use crate::grant::{Grant, SlotTokens};
use crate::patience::until;
use crate::profile::{self, Named};
use crate::stray::Kept;
use crate::token_endpoint::Client;

/// How often an activation starts anew because a row changed under it.
const ACTIVATION_TRIES: usize = 5;
/// How long a revocation in flight on the same account is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(250);
/// A revocation on the same account that ended less than this long ago may have ended the tokens at hand: they were asked
/// for at most so long ago.
const REVOKED_LATELY_SECONDS: i64 = 600;
/// Before the deadline, so much is kept for putting on record what could not be activated.
const RESERVE: Duration = Duration::from_secs(12);

/// The transaction's part in the account, as the account stands.
enum Standing {
    /// It joins; whether another connection lives on it already.
    Joins(Option<Join>, bool),
    /// Another connection lives on it, and this provider bears one only.
    Elsewhere,
}

impl Run<'_> {
    /// Until when a grant in our hands is tried to be written where it belongs.
    pub(crate) fn writing_ends(&self) -> Instant {
        self.deadline.checked_sub(RESERVE).unwrap_or(self.deadline)
    }

    /// Seals the grant for the connection's rows and makes it the connection's. A superseded grant is revoked upstream. What
    /// cannot be activated is not dropped: it stays in its flow, or is put on record as stray.
    pub(crate) async fn activate(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        mut grant: Grant,
        stage: Stage,
    ) -> Result<Answer, Answer> {
        let prepared = async {
            let subject = self.subject(passport, &grant).await?;
            let grant_id = random::id().map_err(|_| vault::Error::Unavailable)?;
            let tokens = self
                .sealed(flow, passport, &grant_id, &grant.tokens)
                .await?;
            Ok((subject, grant_id, tokens))
        };
        let (subject, grant_id, tokens) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => {
                if stage == Stage::Exchanging {
                    // The keyrings were there when the code was exchanged.
                    self.lost("grant_not_sealed");
                }
                return Err(sealing(error));
            }
        };
        let new = NewGrant {
            grant_id,
            tokens,
            config_version: flow.config_version.clone(),
            details: std::mem::take(&mut grant.details),
            join: None,
        };
        let main = grant.tokens.iter().find(|tokens| tokens.slot.is_empty());
        let digest = subject.as_ref().map(|subject| subject.digest.clone());
        let activated = self
            .activate_sealed(flow, passport, &new, subject, main, stage)
            .await;
        match &activated {
            Err(Answer::ProviderRefused { error }) => {
                // At such a provider the consent has ended the other's tokens or will at the next sign-in, and a revocation
                // could end what is left of them: the new ones are left to their own end, and counted.
                if error == ELSEWHERE {
                    self.lost(ELSEWHERE);
                }
                if stage == Stage::Completing {
                    let flows = &self.state.flows;
                    let finished = until(self.deadline, || flows.finish(&flow.id, stage));
                    finished.await.map_err(unavailable)?;
                }
            }
            // A flow that is completing keeps its grant, and its turn comes.
            Err(_) if stage == Stage::Exchanging => {
                for tokens in new.tokens {
                    let stray = stray_of(flow, &new.grant_id, tokens, digest.clone(), self.now());
                    self.keep_for_later(&stray).await;
                }
            }
            Ok(_) | Err(_) => {}
        }
        activated
    }

    fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    async fn activate_sealed(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        new: &NewGrant,
        subject: Option<SubjectKey>,
        main: Option<&SlotTokens>,
        stage: Stage,
    ) -> Result<Answer, Answer> {
        let key = &flow.ask.key;
        let holder = key.in_slot("").pk();
        let mut former = Vec::new();
        for _ in 0..ACTIVATION_TRIES {
            let mut seen = Vec::new();
            let connections = &self.state.connections;
            let slots = until(self.writing_ends(), || {
                connections.slot_names(key, passport)
            })
            .await;
            for slot in slots.map_err(unavailable)? {
                let key = key.in_slot(&slot);
                let row = until(self.writing_ends(), || connections.read(&key, true)).await;
                seen.push((key.slot, row.map_err(unavailable)?));
            }
            // Ours already: a former try of this very loop was applied and its acknowledgement lost.
            let rows = seen.iter().filter_map(|(_, row)| row.as_ref());
            let ours = rows.clone().any(|row| row.grant_id == new.grant_id);
            if !ours {
                former = seen;
            }
            let mut shared_account = false;
            let activated = ours || {
                let standing = self.standing(passport, subject.as_ref(), &holder, main);
                let Standing::Joins(join, shared) = standing.await? else {
                    return Err(Answer::ProviderRefused {
                        error: ELSEWHERE.to_owned(),
                    });
                };
                shared_account = shared;
                let new = NewGrant {
                    join,
                    ..new.clone()
                };
                let now = self.now();
                let connections = &self.state.connections;
                let activated = until(self.writing_ends(), || {
                    connections.activate(key, &former, &new, (&flow.id, stage), now)
                });
                activated.await.map_err(unavailable)?
            };
            if activated {
                let what = Happening::Connected { shared_account };
                self.announce(key, what).await;
                self.client_accepted_anew(passport).await;
                for row in former.iter().filter_map(|(_, row)| row.as_ref()) {
                    let moved = row.key.slot.is_empty().then_some(row.subject.as_ref());
                    let digest = subject.as_ref().map(|subject| &subject.digest);
                    if let Some(left) = moved.flatten().filter(|left| Some(*left) != digest) {
                        self.leave(&passport.id, left, &holder).await;
                    }
                    if let Some(stray) = Stray::of_row(row, self.now()) {
                        self.try_stray(stray, Kept::InTable).await;
                    }
                }
                return Ok(Answer::Connected);
            }
        }
        Err(Answer::Unavailable)
    }

    /// What activating means to the account: waits for a revocation in flight there, and looks whether its tokens outlived it.
    async fn standing(
        &mut self,
        passport: &Passport,
        subject: Option<&SubjectKey>,
        holder: &str,
        main: Option<&SlotTokens>,
    ) -> Result<Standing, Answer> {
        let Some(key) = subject else {
            return Ok(Standing::Joins(None, false));
        };
        let patience_ends = Instant::now() + PATIENCE;
        let subjects = &self.state.subjects;
        let (seen, waited) = loop {
            let read = until(self.writing_ends(), || subjects.read(key)).await;
            let seen = read.map_err(unavailable)?;
            let now = self.state.clock.now();
            if seen.revoking_until.is_none_or(|until| until <= now) {
                let lately = now.plus_seconds(-REVOKED_LATELY_SECONDS);
                let waited = seen.revoked_at.is_some_and(|at| at > lately)
                    // It lapsed: whether its call went through, nobody said.
                    || seen.revoking_until.is_some();
                break (seen, waited);
            }
            if Instant::now() >= patience_ends {
                return Err(Answer::Unavailable);
            }
            tokio::time::sleep(POLL).await;
        };
        if let Some(main) = main.filter(|_| waited) {
            let client = Client::of(passport, &self.state.secrets, self.now())
                .await
                .map_err(unusable)?;
            if profile::read(&self.state.egress, &client, main).await == Named::Refused {
                return Err(Answer::ProviderRefused {
                    error: "revoked_meanwhile".to_owned(),
                });
            }
        }
        let shared = self
            .is_shared(key, &seen, Some(holder))
            .await
            .map_err(unavailable)?;
        if shared {
            self.fields.add("shared_account", true);
            if passport.shared_account == SharedAccount::Refuse {
                return Ok(Standing::Elsewhere);
            }
        }
        // Taken out on the way: who joined last stays the same.
        let join = Join {
            key: key.clone(),
            seen,
            exclusive: passport.shared_account == SharedAccount::Refuse,
        };
        Ok(Standing::Joins(Some(join), shared))
    }

    async fn sealed(
        &self,
        flow: &Flow,
        passport: &Passport,
        grant_id: &str,
        tokens: &[SlotTokens],
    ) -> Result<Vec<NewTokens>, vault::Error> {
        let secrets = &self.state.secrets;
        let mut sealed = Vec::with_capacity(tokens.len());
        for tokens in tokens {
            let item_key = flow.ask.key.in_slot(&tokens.slot).pk();
            let home = Home::at(item_key, grant_id, passport);
            let refresh_token = match &tokens.refresh_token {
                Some(plain) => Some(vault::seal_refresh(secrets, &home, plain).await?),
                None => None,
            };
            sealed.push(NewTokens {
                access_token: vault::seal(secrets, &home, Field::AccessToken, &tokens.access_token)
                    .await?,
                refresh_token,
                cycle: Cycle::of_new(
                    tokens.refresh_token.is_some(),
                    tokens.lifetime_seconds,
                    passport,
                ),
                slot: tokens.slot.clone(),
                expires_at: tokens.expires_at,
                lifetime_seconds: tokens.lifetime_seconds,
                refresh_expires_at: tokens.refresh_expires_at,
                fields: tokens.fields.clone(),
            });
        }
        Ok(sealed)
    }
}

const ELSEWHERE: &str = "account_connected_elsewhere";

/// PURE. Sealed tokens that did not become a connection's.
fn stray_of(
    flow: &Flow,
    grant_id: &str,
    tokens: NewTokens,
    subject: Option<String>,
    now: Timestamp,
) -> Stray {
    Stray {
        passport: flow.ask.key.passport.clone(),
        home: flow.ask.key.in_slot(&tokens.slot).pk(),
        grant_id: grant_id.to_owned(),
        slot: tokens.slot,
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token.map(|(sealed, _)| sealed),
        expires_at: tokens.expires_at,
        lifetime_seconds: tokens.lifetime_seconds,
        subject,
        created_at: now,
    }
}
