//! From a grant to a connection: sealed for its rows and activated in one transaction, or held in its flow until the right
//! caller completes it, or given up.

use std::sync::Arc;

use consulate_core::connection::{Health, RevocationResult};
use consulate_core::connections::{NewGrant, NewTokens};
use consulate_core::custody::Answer;
use consulate_core::flow::{self, Flow, Stage, WaitingGrant, WaitingTokens, flow_pk};
use consulate_core::passport::Passport;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::vault::{self, Field, Home};

use crate::Run;
use crate::exchange::{sealing, unavailable};
use crate::grant::{Grant, SlotTokens};

/// How often an activation starts anew because a row changed under it.
const ACTIVATION_TRIES: usize = 5;

impl Run<'_> {
    /// Seals the grant for the connection's rows and makes it the connection's. A superseded grant is revoked upstream.
    pub(crate) async fn activate(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        grant: Grant,
        stage: Stage,
    ) -> Result<Answer, Answer> {
        let key = &flow.ask.key;
        let new = NewGrant {
            grant_id: random::id().map_err(|_| Answer::Unavailable)?,
            tokens: Vec::new(),
            config_version: flow.config_version.clone(),
            details: grant.details,
        };
        let live = revocable(passport, &grant.tokens);
        let new = NewGrant {
            tokens: self
                .sealed(flow, passport, &new.grant_id, grant.tokens)
                .await?,
            ..new
        };
        let mut former = Vec::new();
        for _ in 0..ACTIVATION_TRIES {
            let mut seen = Vec::new();
            let slots = self.state.connections.slot_names(key, passport).await;
            for slot in slots.map_err(unavailable)? {
                let key = key.in_slot(&slot);
                let row = self.state.connections.read(&key, true).await;
                seen.push((key.slot, row.map_err(unavailable)?));
            }
            // Ours already: a former try of this very loop was applied and its acknowledgement lost.
            let rows = seen.iter().filter_map(|(_, row)| row.as_ref());
            let ours = rows.clone().any(|row| row.grant_id == new.grant_id);
            if !ours {
                former = seen;
            }
            let now = self.state.clock.now();
            let activated = ours
                || crate::patience::until(self.deadline, || {
                    self.state
                        .connections
                        .activate(key, &former, &new, (&flow.id, stage), now)
                })
                .await
                .map_err(unavailable)?;
            if activated {
                for row in former.into_iter().filter_map(|(_, row)| row) {
                    self.revoke_superseded(&row, passport, &live).await;
                }
                return Ok(Answer::Connected);
            }
        }
        Err(Answer::Unavailable)
    }

    async fn sealed(
        &self,
        flow: &Flow,
        passport: &Passport,
        grant_id: &str,
        tokens: Vec<SlotTokens>,
    ) -> Result<Vec<NewTokens>, Answer> {
        let secrets = &self.state.secrets;
        let mut sealed = Vec::with_capacity(tokens.len());
        for tokens in tokens {
            let home = Home {
                item_key: flow.ask.key.in_slot(&tokens.slot).pk(),
                grant_id: grant_id.to_owned(),
                token_url: passport.token_url.clone(),
            };
            let refresh_token = match &tokens.refresh_token {
                Some(plain) => Some(
                    vault::seal_refresh(secrets, &home, plain)
                        .await
                        .map_err(sealing)?,
                ),
                None => None,
            };
            sealed.push(NewTokens {
                access_token: vault::seal(secrets, &home, Field::AccessToken, &tokens.access_token)
                    .await
                    .map_err(sealing)?,
                refresh_token,
                slot: tokens.slot,
                expires_at: tokens.expires_at,
                lifetime_seconds: tokens.lifetime_seconds,
                refresh_expires_at: tokens.refresh_expires_at,
                fields: tokens.fields,
            });
        }
        Ok(sealed)
    }

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
        let held = crate::patience::until(self.deadline, || {
            self.state.flows.hold(&flow.id, &waiting, now)
        });
        match held.await.map_err(unavailable)? {
            true => Ok(Answer::AwaitingCompletion),
            false => Err(Answer::FlowSpent),
        }
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

    /// Revokes the grant of a flow that connect has marked as burned, then forgets it.
    pub(crate) async fn abandon(&mut self, flow_id: &str) -> Answer {
        match self.waiting(flow_id, Stage::Burned).await {
            Ok((flow, passport, grant)) => {
                let live = match self.state.connections.read(&flow.ask.key, true).await {
                    Ok(row) => row.is_some_and(|row| row.health == Health::Connected),
                    Err(error) => return unavailable(error),
                };
                // Where a revocation is of all a person's grants, it would end the connection that lives.
                let tokens = match passport.revocation_per_user && live {
                    true => &[][..],
                    false => &grant.tokens,
                };
                for tokens in tokens {
                    let result = self
                        .revoke_tokens(
                            &passport,
                            tokens.refresh_token.as_ref(),
                            Some(&tokens.access_token),
                        )
                        .await;
                    self.fields.add("revocation", result);
                    if result == RevocationResult::Pending {
                        // It stays burned: of no use to anybody, and still on record for revoking.
                        return Answer::Revoked { receipt: None };
                    }
                }
                match self.state.flows.finish(flow_id, Stage::Burned).await {
                    Ok(_) => Answer::Revoked { receipt: None },
                    Err(error) => unavailable(error),
                }
            }
            Err(answer) => answer,
        }
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
        self.fields.add("widget", &flow.ask.widget);
        self.fields.add("auth_key", &flow.ask.auth_key);
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

/// Tokens whose revocation would end the grant they are of.
fn revocable(passport: &Passport, tokens: &[SlotTokens]) -> Vec<SecretText> {
    let mut live = Vec::new();
    for tokens in tokens {
        live.push(tokens.access_token.clone());
        // What stands in place of a refresh token is the same at every connecting.
        let is_token = passport.credential.is_consented();
        live.extend(tokens.refresh_token.clone().filter(|_| is_token));
    }
    live
}

/// Each slot has a place of its own in the flow's row.
fn flow_home(flow: &Flow, passport: &Passport, slot: &str, grant_id: &str) -> Home {
    let pk = flow_pk(&flow.id);
    Home {
        item_key: match slot {
            "" => pk,
            slot => format!("{pk}#{slot}"),
        },
        grant_id: grant_id.to_owned(),
        token_url: passport.token_url.clone(),
    }
}
