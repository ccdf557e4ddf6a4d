//! Code to grant to connection: the exchange after a callback, the activation, and the abandonment of a grant that will
//! never be completed.

use consulate_core::clock::Timestamp;
use consulate_core::connection::RevocationResult;
use consulate_core::connections::{Details, NewGrant};
use consulate_core::custody::Answer;
use consulate_core::definition::Passport;
use consulate_core::flow::{self, Flow, Mode, Stage, WaitingGrant, flow_pk};
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::table;
use consulate_core::vault::{self, Field, Home};

use crate::Run;
use crate::outcome::Outcome;
use crate::profile;
use crate::token_endpoint::{self, Client, Unusable};
use crate::token_reply::Reply;

/// How often an activation starts anew because the row changed under it.
const ACTIVATION_TRIES: usize = 5;

/// A grant in our hands, sealed nowhere yet.
struct Grant {
    access_token: SecretText,
    refresh_token: Option<SecretText>,
    expires_at: Option<Timestamp>,
    lifetime_seconds: Option<i64>,
    details: Details,
}

impl Run<'_> {
    /// Exchanges the code of a consumed flow, once: the claim is what makes a repeated invoke harmless.
    pub(crate) async fn exchange(&mut self, flow_id: &str, code: String) -> Answer {
        self.exchange_inner(flow_id, code)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn exchange_inner(&mut self, flow_id: &str, code: String) -> Result<Answer, Answer> {
        let claimed = self
            .state
            .flows
            .claim_exchange(flow_id)
            .await
            .map_err(unavailable)?;
        let Some((flow, verifier)) = claimed else {
            return Err(Answer::FlowSpent);
        };
        self.fields.add("widget", &flow.ask.widget);
        self.fields.add("auth_key", &flow.ask.auth_key);
        let passport = self.passport(&flow.ask.key.passport).await?;
        if passport.config_version() != flow.config_version {
            return Err(Answer::ProviderRefused {
                error: "config_changed".to_owned(),
            });
        }
        let client = Client::of(&passport, &self.state.secrets)
            .await
            .map_err(unusable)?;
        vault::check(&self.state.secrets).await.map_err(sealing)?;
        let verifier = passport.pkce_off_because.is_none().then_some(verifier);
        let request = client
            .exchange(code, flow.redirect_uri.clone(), verifier)
            .await
            .map_err(unusable)?;
        let asked_at = self.state.clock.now();
        let (outcome, status) = token_endpoint::call(&self.state.egress, request, asked_at).await;
        self.fields.add("provider_status", status);
        let reply = match outcome {
            Outcome::Tokens(reply) => reply,
            Outcome::Refused(error) => return Err(Answer::ProviderRefused { error }),
            Outcome::Misconfigured(error) => {
                self.fields.add("provider_error", error);
                return Err(Answer::Misconfigured);
            }
            Outcome::NotSent | Outcome::Throttled(_) | Outcome::Unknown { .. } => {
                return Err(Answer::ProviderUnavailable);
            }
        };
        let grant = self.grant(&flow, &passport, reply, asked_at).await;
        match flow.ask.mode {
            Mode::Popup => {
                self.activate(&flow, &passport, grant, Stage::Exchanging)
                    .await
            }
            Mode::Redirect => self.hold(&flow, &passport, grant).await,
        }
    }

    async fn grant(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        reply: Reply,
        asked_at: Timestamp,
    ) -> Grant {
        let account = match &passport.profile {
            Some(profile) => profile::read(&self.state.egress, profile, &reply.access_token).await,
            None => None,
        };
        self.fields.add("account_named", account.is_some());
        let lifetime_seconds = lifetime_seconds(passport, &reply);
        Grant {
            expires_at: lifetime_seconds.map(|seconds| asked_at.plus_seconds(seconds)),
            lifetime_seconds,
            details: Details {
                account,
                scopes: reply.scopes.unwrap_or_else(|| flow.scopes.clone()),
                host: flow.ask.host.clone(),
                organisation: flow.ask.organisation.clone(),
                user: flow.ask.user.clone(),
                widget: flow.ask.widget.clone(),
            },
            access_token: reply.access_token,
            refresh_token: reply.refresh_token,
        }
    }

    /// Seals the grant for the connection's row and makes it the connection's. A superseded grant is revoked upstream.
    async fn activate(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        grant: Grant,
        stage: Stage,
    ) -> Result<Answer, Answer> {
        let key = &flow.ask.key;
        let home = Home {
            item_key: key.pk(),
            grant_id: random::id().map_err(|_| Answer::Unavailable)?,
            token_url: passport.token_url.clone(),
        };
        let secrets = &self.state.secrets;
        let access_token = vault::seal(secrets, &home, Field::AccessToken, &grant.access_token)
            .await
            .map_err(sealing)?;
        let refresh_token = match &grant.refresh_token {
            Some(plain) => Some(
                vault::seal_refresh(secrets, &home, plain)
                    .await
                    .map_err(sealing)?,
            ),
            None => None,
        };
        let new = NewGrant {
            grant_id: home.grant_id.clone(),
            access_token,
            refresh_token,
            expires_at: grant.expires_at,
            lifetime_seconds: grant.lifetime_seconds,
            config_version: flow.config_version.clone(),
            details: grant.details,
        };
        let mut former = None;
        for _ in 0..ACTIVATION_TRIES {
            let seen = self
                .state
                .connections
                .read(key, true)
                .await
                .map_err(unavailable)?;
            // Ours already: a former try of this very loop was applied and its acknowledgement lost.
            let ours = seen
                .as_ref()
                .is_some_and(|seen| seen.grant_id == new.grant_id);
            if !ours {
                former = seen;
            }
            let now = self.state.clock.now();
            let activated = ours
                || crate::patience::until(self.deadline, || {
                    self.state.connections.activate(
                        key,
                        former.as_ref(),
                        &new,
                        (&flow.id, stage),
                        now,
                    )
                })
                .await
                .map_err(unavailable)?;
            if activated {
                if let Some(former) = former {
                    self.revoke_superseded(&former, passport).await;
                }
                return Ok(Answer::Connected);
            }
        }
        Err(Answer::Unavailable)
    }

    /// Keeps the grant sealed in the flow's own row until the right caller completes it.
    async fn hold(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        grant: Grant,
    ) -> Result<Answer, Answer> {
        let home = flow_home(
            flow,
            passport,
            random::id().map_err(|_| Answer::Unavailable)?,
        );
        let secrets = &self.state.secrets;
        let waiting = WaitingGrant {
            grant_id: home.grant_id.clone(),
            access_token: vault::seal(secrets, &home, Field::AccessToken, &grant.access_token)
                .await
                .map_err(sealing)?,
            refresh_token: match &grant.refresh_token {
                Some(plain) => Some(
                    vault::seal(secrets, &home, Field::RefreshToken, plain)
                        .await
                        .map_err(sealing)?,
                ),
                None => None,
            },
            expires_at: grant.expires_at,
            lifetime_seconds: grant.lifetime_seconds,
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
            Ok((_, passport, grant)) => {
                let result = self
                    .revoke_tokens(
                        &passport,
                        grant.refresh_token.as_ref(),
                        Some(&grant.access_token),
                    )
                    .await;
                self.fields.add("revocation", result);
                if result == RevocationResult::Pending {
                    // It stays burned: of no use to anybody, and still on record for revoking.
                    return Answer::Revoked { receipt: None };
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
    ) -> Result<(Flow, std::sync::Arc<Passport>, Grant), Answer> {
        let read = self.state.flows.read(flow_id).await.map_err(unavailable)?;
        let Some((flow, _, item)) = read.filter(|(_, at, _)| at == stage.text()) else {
            return Err(Answer::FlowSpent);
        };
        self.fields.add("widget", &flow.ask.widget);
        self.fields.add("auth_key", &flow.ask.auth_key);
        let passport = self.passport(&flow.ask.key.passport).await?;
        let waiting = flow::waiting_grant(&item).map_err(unavailable)?;
        let home = flow_home(&flow, &passport, waiting.grant_id);
        let secrets = &self.state.secrets;
        let access_token = vault::open(secrets, &home, Field::AccessToken, &waiting.access_token)
            .await
            .map_err(sealing)?;
        let refresh_token = match &waiting.refresh_token {
            Some(sealed) => Some(
                vault::open(secrets, &home, Field::RefreshToken, sealed)
                    .await
                    .map_err(sealing)?,
            ),
            None => None,
        };
        let grant = Grant {
            access_token,
            refresh_token,
            expires_at: waiting.expires_at,
            lifetime_seconds: waiting.lifetime_seconds,
            details: serde_json::from_str(&waiting.details).map_err(|_| Answer::Unavailable)?,
        };
        Ok((flow, passport, grant))
    }

    pub(crate) async fn passport(&mut self, id: &str) -> Result<std::sync::Arc<Passport>, Answer> {
        self.fields.add("passport", id);
        match self
            .state
            .definitions
            .passport(id)
            .await
            .map_err(unavailable)?
        {
            Some(passport) => Ok(passport),
            None => Err(Answer::Misconfigured),
        }
    }
}

/// Lifetime of a reply's access token: what it says, else what the passport knows.
pub(crate) fn lifetime_seconds(passport: &Passport, reply: &Reply) -> Option<i64> {
    let default = || {
        passport
            .access_lifetime_default_seconds
            .and_then(|seconds| i64::try_from(seconds).ok())
    };
    reply.expires_in.or_else(default)
}

fn flow_home(flow: &Flow, passport: &Passport, grant_id: String) -> Home {
    Home {
        item_key: flow_pk(&flow.id),
        grant_id,
        token_url: passport.token_url.clone(),
    }
}

pub(crate) fn unavailable(_: table::Error) -> Answer {
    Answer::Unavailable
}

pub(crate) fn sealing(_: vault::Error) -> Answer {
    Answer::Unavailable
}

pub(crate) fn unusable(error: Unusable) -> Answer {
    match error {
        Unusable::Misconfigured => Answer::Misconfigured,
        Unusable::Unavailable => Answer::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_what_the_reply_says_else_what_the_passport_knows() {
        let lifetime = |default: Option<u64>, expires_in| {
            let passport = serde_json::json!({
                "id": "p", "name": "P", "provider": "p", "client_id": "c", "api_hosts": [],
                "authorize_url": "https://login.example.com/authorize",
                "token_url": "https://login.example.com/token", "access_lifetime_default_seconds": default,
            });
            let reply = Reply {
                access_token: SecretText::new("at"),
                refresh_token: None,
                expires_in,
                scopes: None,
            };
            lifetime_seconds(&serde_json::from_value(passport).unwrap(), &reply)
        };
        assert_eq!(lifetime(Some(7_200), Some(60)), Some(60));
        assert_eq!(lifetime(Some(7_200), None), Some(7_200));
        assert_eq!(lifetime(None, None), None);
    }
}
