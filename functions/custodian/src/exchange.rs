//! From a consumed flow to a grant: the exchange of a code, or of what the owner typed. The flow is claimed once, which is
//! what makes a repeated invoke harmless.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::custody::Answer;
use consulate_core::flow::{Flow, Mode, Stage};
use consulate_core::grants::Stray;
use consulate_core::log::Fields;
use consulate_core::passport::{Credential, Passport};
use consulate_core::secret::SecretText;
use consulate_core::vault::{self, Field};
use consulate_core::{random, table};
use tokio::time::Instant;

use crate::Run;
use crate::grant::{Grant, SlotTokens, details};
use crate::held::flow_home;
use crate::outcome::Outcome;
use crate::profile::{self, Named};
use crate::token_endpoint::{Client, POST_TIMEOUT, Unusable};
use crate::token_reply::Reply;

/// What stands in place of a refresh token where the client's own credentials are presented anew: nothing secret, but a
/// claim writes down the fingerprint of what it spends.
const CLIENT_CREDENTIALS: &str = "client_credentials";

impl Run<'_> {
    /// Exchanges the code of a consumed flow, once.
    pub(crate) async fn exchange(&mut self, flow_id: &str, code: String) -> Answer {
        self.exchange_inner(flow_id, code)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn exchange_inner(&mut self, flow_id: &str, code: String) -> Result<Answer, Answer> {
        let (flow, verifier, passport) = self.claim(flow_id).await?;
        if passport.credential != Credential::Oauth2 {
            return Err(Answer::Misconfigured);
        }
        let client = Client::of(&passport, &self.state.secrets, self.state.clock.now())
            .await
            .map_err(unusable)?;
        vault::check(&self.state.secrets).await.map_err(sealing)?;
        let verifier = passport.pkce_off_because.is_none().then_some(verifier);
        let request = client
            .exchange(code, flow.redirect_uri.clone(), verifier)
            .await
            .map_err(unusable)?;
        // After a freeze: a grant that comes this late could not be stored with patience.
        if Instant::now() + POST_TIMEOUT * 2 >= self.deadline {
            return Err(Answer::Unavailable);
        }
        let asked_at = self.state.clock.now();
        let reply = self.tokens(request, &passport, "", asked_at).await?;
        let begun = (reply.access_token.clone(), reply.refresh_token.clone());
        let grant = match self.grant(&flow, &client, reply, asked_at).await {
            Ok(grant) => grant,
            Err(answer) => {
                // What the code brought is no connection without the rest of it, and is not left lying about.
                let (access_token, refresh_token) = begun;
                self.cast_off_begun(&flow, &passport, &access_token, refresh_token.as_ref())
                    .await;
                return Err(answer);
            }
        };
        match flow.ask.mode {
            Mode::Popup | Mode::Console => {
                let activated = self
                    .activate(&flow, &passport, grant, Stage::Exchanging)
                    .await;
                if activated.is_err() {
                    // Whether it was stored is not known, so it must not be revoked: named, so that it can be counted.
                    self.fields.add("lost", "activation_failed");
                }
                activated
            }
            Mode::Redirect => self.hold(&flow, &passport, grant).await,
        }
    }

    async fn cast_off_begun(
        &mut self,
        flow: &Flow,
        passport: &Passport,
        access_token: &SecretText,
        refresh_token: Option<&SecretText>,
    ) {
        let secrets = &self.state.secrets;
        let now = self.state.clock.now();
        let sealed = async {
            let grant_id = random::id().map_err(|_| vault::Error::Unavailable)?;
            let home = flow_home(flow, passport, "", &grant_id);
            let access_token =
                vault::seal(secrets, &home, Field::AccessToken, access_token).await?;
            let refresh_token = match refresh_token {
                Some(plain) => Some(vault::seal(secrets, &home, Field::RefreshToken, plain).await?),
                None => None,
            };
            Ok::<_, vault::Error>(Stray {
                passport: passport.id.clone(),
                home: home.item_key,
                grant_id,
                slot: String::new(),
                access_token: Some(access_token),
                refresh_token,
                expires_at: None,
                lifetime_seconds: None,
                subject: None,
                created_at: now,
            })
        };
        match sealed.await {
            Ok(stray) => self.cast_off(stray).await,
            Err(_) => self.lost("grant_not_sealed"),
        }
    }

    /// Connects with what the owner typed, once. What is typed is tried where that is possible, and kept sealed.
    pub(crate) async fn sign_in(
        &mut self,
        flow_id: &str,
        typed: BTreeMap<String, String>,
    ) -> Answer {
        self.sign_in_inner(flow_id, typed)
            .await
            .unwrap_or_else(|answer| answer)
    }

    async fn sign_in_inner(
        &mut self,
        flow_id: &str,
        typed: BTreeMap<String, String>,
    ) -> Result<Answer, Answer> {
        let (flow, _, passport) = self.claim(flow_id).await?;
        let client = Client::of(&passport, &self.state.secrets, self.state.clock.now())
            .await
            .map_err(unusable)?;
        vault::check(&self.state.secrets).await.map_err(sealing)?;
        let text = |name: &str| typed.get(name).cloned().ok_or(Answer::FlowSpent);
        let mut granted = None;
        let main = match passport.credential {
            // There is no code without a consent.
            Credential::Oauth2 => return Err(Answer::FlowSpent),
            Credential::ApiKey => SlotTokens::typed(text("api_key")?),
            Credential::Basic => {
                // RFC 7617 section 2.
                let pair = format!("{}:{}", text("username")?, text("password")?);
                SlotTokens::typed(STANDARD.encode(pair))
            }
            Credential::ClientCredentials => {
                let stored = SecretText::new(CLIENT_CREDENTIALS);
                self.minted(&client, stored, &mut granted).await?
            }
            Credential::PersonalAccessToken => {
                let stored = serde_json::to_string(&typed).map_err(|_| Answer::Unavailable)?;
                let stored = SecretText::new(stored);
                self.minted(&client, stored, &mut granted).await?
            }
        };
        let account = match profile::read(&self.state.egress, &client, &main).await {
            Named::As(account, _) => Some(account),
            Named::Nobody => None,
            // For what came from a token endpoint, that endpoint has vouched.
            Named::Refused if passport.credential.has_token_endpoint() => None,
            // Tried, and not accepted: nothing is kept of it.
            Named::Refused => {
                return Err(Answer::ProviderRefused {
                    error: "credential_refused".to_owned(),
                });
            }
        };
        self.fields.add("account_named", account.is_some());
        let grant = Grant {
            tokens: vec![main],
            details: consulate_core::connections::Details {
                account,
                scopes: granted.unwrap_or_else(|| passport.scopes.clone()),
                ..details(&flow)
            },
        };
        self.activate(&flow, &passport, grant, Stage::Exchanging)
            .await
    }

    /// The first access token that `stored` brings, and the scopes the reply names.
    async fn minted(
        &mut self,
        client: &Client<'_>,
        stored: SecretText,
        granted: &mut Option<Vec<String>>,
    ) -> Result<SlotTokens, Answer> {
        let request = client.renewal(&stored, "").await.map_err(unusable)?;
        let asked_at = self.state.clock.now();
        let reply = self.tokens(request, client.passport, "", asked_at).await?;
        granted.clone_from(&reply.scopes);
        Ok(SlotTokens {
            refresh_token: Some(stored),
            ..SlotTokens::of(client, "", &reply, asked_at)
        })
    }

    /// Takes a consumed flow, once, under the configuration it was begun with.
    async fn claim(&mut self, flow_id: &str) -> Result<(Flow, String, Arc<Passport>), Answer> {
        // Known from an earlier answer: then the flow is left to another environment.
        self.check_clock()?;
        let claimed = self.state.flows.claim_exchange(flow_id).await;
        let Some((flow, verifier)) = claimed.map_err(unavailable)? else {
            return Err(Answer::FlowSpent);
        };
        self.fields.extend(flow.ask.fields());
        // What it would store of a token's end would be wrong.
        self.check_clock()?;
        let passport = self.passport(&flow.ask.key.passport).await?;
        if passport.config_version() != flow.config_version {
            return Err(Answer::ProviderRefused {
                error: "config_changed".to_owned(),
            });
        }
        Ok((flow, verifier, passport))
    }

    pub(crate) async fn passport(&mut self, id: &str) -> Result<Arc<Passport>, Answer> {
        self.fields.add("passport", id);
        match self
            .state
            .definitions
            .passport(id)
            .await
            .map_err(unavailable)?
        {
            Some(passport) => {
                self.fields.add("provider", &passport.provider);
                Ok(passport)
            }
            None => Err(Answer::Misconfigured),
        }
    }
}

/// The tokens of a token call made while connecting; anything else ends the connecting.
pub(crate) fn token_answer(outcome: Outcome, fields: &mut Fields) -> Result<Reply, Answer> {
    match outcome {
        Outcome::Tokens(reply) => Ok(*reply),
        Outcome::Refused(error) => Err(Answer::ProviderRefused { error }),
        Outcome::OtherSlotsOnly => Err(Answer::ProviderRefused {
            error: "missing_scopes".to_owned(),
        }),
        Outcome::Misconfigured(error) => {
            fields.add("provider_error", error);
            Err(Answer::Misconfigured)
        }
        Outcome::NotSent | Outcome::Throttled(_) => Err(Answer::ProviderUnavailable),
        Outcome::Unknown { .. } => {
            // A code works once: if it brought tokens, nobody will ever hold them.
            fields.add("lost", "answer_never_arrived");
            Err(Answer::ProviderUnavailable)
        }
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
