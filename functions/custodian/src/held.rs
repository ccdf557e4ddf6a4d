//! Grants that wait in their flow until the right caller completes it: held, activated, or given up.
//!
//! A flow that holds a grant lies in the one-minute cohort until it is over, so what connect or an invocation leaves behind
//! is found: not completed in time, burned, or completing with nobody at it.

use std::sync::Arc;

use consulate_core::connections::Details;
use consulate_core::custody::Answer;
use consulate_core::flow::{self, Flow, Stage, WaitingGrant, WaitingTokens, flow_pk};
use consulate_core::grants::Stray;
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::vault::{self, Field, Home};

use crate::exchange::{sealing, unavailable};
use crate::grant::{Grant, SlotTokens};
use crate::patience::until;
use crate::stray::Kept;
use crate::{FUNCTION_TIMEOUT, Run};

/// What was completed and cannot be activated for so long is given back.
const COMPLETING_SECONDS: i64 = 3_600;

impl Run<'_> {
    /// Keeps the grant sealed in the flow's own row until the right caller completes it.
    pub(crate) async fn hold(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        grant: Grant,
    ) -> Result<Answer, Answer> {
        let grant_id = random::id().map_err(|_| Answer::Unavailable)?;
        let secrets = &self.state.secrets;
        let mut waiting = Vec::with_capacity(grant.tokens.len());
        for tokens in grant.tokens {
            let home = flow_home(flow, passport, &tokens.slot, &grant_id);
            let seal = async |field, plain| {
                vault::seal(secrets, &home, field, plain)
                    .await
                    .map_err(sealing)
            };
            waiting.push(WaitingTokens {
                access_token: seal(Field::AccessToken, &tokens.access_token).await?,
                refresh_token: match &tokens.refresh_token {
                    Some(plain) => Some(seal(Field::RefreshToken, plain).await?),
                    None => None,
                },
                slot: tokens.slot,
                expires_at: tokens.expires_at,
                lifetime_seconds: tokens.lifetime_seconds,
                refresh_expires_at: tokens.refresh_expires_at,
                fields: tokens.fields,
            });
        }
        let waiting = WaitingGrant {
            grant_id,
            tokens: waiting,
            details: serde_json::to_string(&grant.details).map_err(|_| Answer::Unavailable)?,
        };
        let now = self.state.clock.now();
        let held = until(self.writing_ends(), || {
            self.state.flows.hold(&flow.id, &waiting, now)
        });
        match held.await {
            Ok(true) => Ok(Answer::AwaitingCompletion),
            Ok(false) => {
                for stray in self.strays(flow, &waiting).await? {
                    self.cast_off(stray).await;
                }
                Err(Answer::FlowSpent)
            }
            Err(error) => {
                for stray in self.strays(flow, &waiting).await? {
                    self.keep_for_later(&stray).await;
                }
                Err(unavailable(error))
            }
        }
    }

    /// What a flow's grant is once nobody can complete it.
    async fn strays(&self, flow: &Flow, waiting: &WaitingGrant) -> Result<Vec<Stray>, Answer> {
        let details: Details =
            serde_json::from_str(&waiting.details).map_err(|_| Answer::Unavailable)?;
        let passport = &flow.ask.key.passport;
        let subject = match details.account.and_then(|account| account.id) {
            Some(id) => {
                let subject = self.subject_of(passport, &id).await.map_err(sealing)?;
                Some(subject.digest)
            }
            None => None,
        };
        let strays = waiting.tokens.iter().map(|tokens| Stray {
            passport: passport.clone(),
            home: flow_home_key(flow, &tokens.slot),
            grant_id: waiting.grant_id.clone(),
            slot: tokens.slot.clone(),
            access_token: Some(tokens.access_token.clone()),
            refresh_token: tokens.refresh_token.clone(),
            expires_at: tokens.expires_at,
            lifetime_seconds: tokens.lifetime_seconds,
            subject: subject.clone(),
            created_at: self.state.clock.now(),
        });
        Ok(strays.collect())
    }

    /// Activates the grant of a flow that connect has marked as completed.
    pub(crate) async fn complete(&mut self, flow_id: &str) -> Answer {
        match self.waiting(flow_id, Stage::Completing).await {
            Ok((flow, passport, grant)) => self
                .activate(&flow, &passport, grant, Stage::Completing)
                .await
                .unwrap_or_else(|answer| answer),
            Err(answer) => answer,
        }
    }

    /// Puts the grant of a flow that connect has marked as burned on record as stray, ends the flow, and tries to give it
    /// back.
    pub(crate) async fn abandon(&mut self, flow_id: &str) -> Answer {
        self.abandon_inner(flow_id)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn abandon_inner(&mut self, flow_id: &str) -> Result<Answer, Answer> {
        let read = self.state.flows.read(flow_id).await.map_err(unavailable)?;
        let Some((flow, _, item)) = read.filter(|(_, at, _)| at == Stage::Burned.text()) else {
            return Err(Answer::FlowSpent);
        };
        self.fields.extend(flow.ask.fields());
        let waiting = flow::waiting_grant(&item).map_err(unavailable)?;
        let strays = self.strays(&flow, &waiting).await?;
        for stray in &strays {
            if self.keep(stray).await == Kept::Nowhere {
                // It stays burned: of no use to anybody, and still on record for another try.
                return Err(Answer::Unavailable);
            }
        }
        let flows = &self.state.flows;
        let finished = until(self.deadline, || flows.finish(flow_id, Stage::Burned));
        finished.await.map_err(unavailable)?;
        for stray in strays {
            self.try_stray(stray, Kept::InTable).await;
        }
        Ok(Answer::Revoked { receipt: None })
    }

    /// Attends to a flow that holds a grant: what is left behind is completed or burned.
    pub(crate) async fn attend_flow(&mut self, flow_id: &str) -> Answer {
        self.attend_flow_inner(flow_id)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn attend_flow_inner(&mut self, flow_id: &str) -> Result<Answer, Answer> {
        let read = self.state.flows.read(flow_id).await.map_err(unavailable)?;
        let Some((_, stage, item)) = read else {
            return Ok(Answer::NotDue);
        };
        // How long ago the completion ended; it was used before, if it was.
        let ends = flow::completion_ends(&item).unwrap_or_default();
        let past = self.state.clock.now().since(ends);
        let burned_from = if stage == Stage::Burned.text() {
            None
        } else if stage == Stage::Awaiting.text() && past >= 0 {
            Some(Stage::Awaiting)
        } else if stage == Stage::Completing.text() && past >= COMPLETING_SECONDS * 1_000 {
            Some(Stage::Completing)
        } else if stage == Stage::Completing.text() && past >= FUNCTION_TIMEOUT.as_millis() as i64 {
            return Ok(self.complete(flow_id).await);
        } else {
            return Ok(Answer::NotDue);
        };
        if let Some(from) = burned_from {
            let burned = self.state.flows.advance(flow_id, from, Stage::Burned).await;
            if !burned.map_err(unavailable)? {
                return Ok(Answer::NotDue);
            }
        }
        self.abandon_inner(flow_id).await
    }

    async fn waiting(
        &mut self,
        flow_id: &str,
        stage: Stage,
    ) -> Result<(Flow, Arc<Passport>, Grant), Answer> {
        let read = self.state.flows.read(flow_id).await.map_err(unavailable)?;
        let Some((flow, _, item)) = read.filter(|(_, at, _)| at == stage.text()) else {
            return Err(Answer::FlowSpent);
        };
        self.fields.extend(flow.ask.fields());
        let passport = self.passport(&flow.ask.key.passport).await?;
        let waiting = flow::waiting_grant(&item).map_err(unavailable)?;
        let secrets = &self.state.secrets;
        let mut tokens = Vec::with_capacity(waiting.tokens.len());
        for sealed in waiting.tokens {
            let home = flow_home(&flow, &passport, &sealed.slot, &waiting.grant_id);
            let open = async |field, sealed: &[u8]| {
                vault::open(secrets, &home, field, sealed)
                    .await
                    .map_err(sealing)
            };
            tokens.push(SlotTokens {
                access_token: open(Field::AccessToken, &sealed.access_token).await?,
                refresh_token: match &sealed.refresh_token {
                    Some(sealed) => Some(open(Field::RefreshToken, sealed).await?),
                    None => None,
                },
                slot: sealed.slot,
                expires_at: sealed.expires_at,
                lifetime_seconds: sealed.lifetime_seconds,
                refresh_expires_at: sealed.refresh_expires_at,
                fields: sealed.fields,
            });
        }
        let grant = Grant {
            tokens,
            details: serde_json::from_str(&waiting.details).map_err(|_| Answer::Unavailable)?,
        };
        Ok((flow, passport, grant))
    }
}

/// Each slot has a place of its own in the flow's row.
pub(crate) fn flow_home(flow: &Flow, passport: &Passport, slot: &str, grant_id: &str) -> Home {
    Home::at(flow_home_key(flow, slot), grant_id, passport)
}

fn flow_home_key(flow: &Flow, slot: &str) -> String {
    let pk = flow_pk(&flow.id);
    match slot {
        "" => pk,
        slot => format!("{pk}#{slot}"),
    }
}
