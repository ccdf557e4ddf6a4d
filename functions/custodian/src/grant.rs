//! From a provider's reply to a grant: long-lived tokens where the provider has them, the tokens of further slots, the
//! fields that are kept, the account's name.

use std::collections::BTreeMap;

use consulate_core::clock::Timestamp;
use consulate_core::connections::Details;
use consulate_core::custody::Answer;
use consulate_core::flow::Flow;
use consulate_core::passport::Passport;
use consulate_core::secret::SecretText;

use crate::Run;
use crate::exchange::{token_answer, unusable};
use crate::profile::{self, Named};
use crate::token_endpoint::{self, Client};
use crate::token_reply::Reply;

/// Name of the field in which the proof of a Meta token is kept.
pub(crate) const PROOF: &str = "appsecret_proof";

/// A grant in our hands, sealed nowhere yet.
pub(crate) struct Grant {
    pub tokens: Vec<SlotTokens>,
    pub details: Details,
}

/// One slot's tokens.
pub(crate) struct SlotTokens {
    /// Empty is the main one.
    pub slot: String,
    pub access_token: SecretText,
    /// What renewal presents: a refresh token, or what stands in its place.
    pub refresh_token: Option<SecretText>,
    pub expires_at: Option<Timestamp>,
    pub lifetime_seconds: Option<i64>,
    pub refresh_expires_at: Option<Timestamp>,
    pub fields: BTreeMap<String, String>,
}

impl SlotTokens {
    /// PURE. What a reply brings, with what the passport knows where it says nothing.
    pub fn of(client: &Client<'_>, slot: &str, reply: &Reply, asked_at: Timestamp) -> Self {
        let passport = client.passport;
        let lifetime_seconds = lifetime_seconds(passport, reply);
        let refresh_token = if passport.renewal.is_some() {
            Some(reply.access_token.clone())
        } else {
            reply.refresh_token.clone()
        };
        Self {
            slot: slot.to_owned(),
            access_token: reply.access_token.clone(),
            refresh_token,
            expires_at: lifetime_seconds.map(|seconds| asked_at.plus_seconds(seconds)),
            lifetime_seconds,
            refresh_expires_at: reply
                .refresh_expires_in
                .map(|seconds| asked_at.plus_seconds(seconds)),
            fields: fields(client, slot, reply),
        }
    }

    /// PURE. What the owner typed, as a credential that neither ends nor is renewed.
    pub fn typed(credential: String) -> Self {
        Self {
            slot: String::new(),
            access_token: SecretText::new(credential),
            refresh_token: None,
            expires_at: None,
            lifetime_seconds: None,
            refresh_expires_at: None,
            fields: BTreeMap::new(),
        }
    }
}

impl Run<'_> {
    /// The grant that begins with `reply`, the code's.
    pub(crate) async fn grant(
        &mut self,
        flow: &Flow,
        client: &Client<'_>,
        reply: Reply,
        asked_at: Timestamp,
    ) -> Result<Grant, Answer> {
        let passport = client.passport;
        let (reply, asked_at) = match &passport.long_lived {
            Some(exchange) => {
                let request = client
                    .exchanged(exchange, &reply.access_token)
                    .map_err(unusable)?;
                let asked_at = self.state.clock.now();
                let lengthened = self.tokens(request, passport, "", asked_at).await?;
                // The longer-lived token's reply says nothing of scopes: those of the code's reply count.
                let scopes = lengthened.scopes.clone().or(reply.scopes);
                (
                    Reply {
                        scopes,
                        ..lengthened
                    },
                    asked_at,
                )
            }
            None => (reply, asked_at),
        };
        let main = SlotTokens::of(client, "", &reply, asked_at);
        let mut scopes = reply.scopes.clone().unwrap_or_else(|| flow.scopes.clone());
        let mut slot_scopes = BTreeMap::from([(String::new(), scopes.clone())]);
        let mut tokens = Vec::new();
        for slot in passport.slots.iter().filter(|slot| !slot.scopes.is_empty()) {
            let (theirs, asked_at) = match (&slot.reply_at, &main.refresh_token) {
                (Some(at), _) => match reply.document.tokens_at(at, asked_at) {
                    Some(theirs) => (theirs, asked_at),
                    // Asked for and not granted: that is the person's to decide.
                    None => continue,
                },
                (None, Some(refresh_token)) => {
                    let request = client
                        .renewal(refresh_token, &slot.name)
                        .await
                        .map_err(unusable)?;
                    let asked_at = self.state.clock.now();
                    let mut theirs = self.tokens(request, passport, &slot.name, asked_at).await?;
                    // The same token serves several resources: a reply without one leaves the slot with the main one's.
                    let theirs_or_main = theirs.refresh_token.take();
                    theirs.refresh_token = theirs_or_main.or_else(|| Some(refresh_token.clone()));
                    (theirs, asked_at)
                }
                (None, None) => continue,
            };
            let granted = theirs.scopes.clone().unwrap_or_else(|| slot.scopes.clone());
            scopes.extend(granted.iter().cloned());
            slot_scopes.insert(slot.name.clone(), granted);
            tokens.push(SlotTokens::of(client, &slot.name, &theirs, asked_at));
        }
        let named = match profile::read(&self.state.egress, client, &main).await {
            Named::As(account, granted) => {
                // What the reply says counts more; few providers need to be asked.
                if let Some(granted) = granted.filter(|_| reply.scopes.is_none()) {
                    scopes.retain(|scope| !flow.scopes.contains(scope));
                    scopes.extend(granted.iter().cloned());
                    slot_scopes.insert(String::new(), granted);
                }
                Some(account)
            }
            Named::Nobody | Named::Refused => None,
        };
        self.fields.add("account_named", named.is_some());
        tokens.push(main);
        Ok(Grant {
            tokens,
            details: Details {
                account: named,
                scopes,
                slot_scopes,
                ..details(flow)
            },
        })
    }

    /// Sends a token request of connecting, where anything but tokens ends the connecting.
    pub(crate) async fn tokens(
        &mut self,
        request: http::Request<bytes::Bytes>,
        passport: &Passport,
        slot: &str,
        asked_at: Timestamp,
    ) -> Result<Reply, Answer> {
        let (outcome, status) =
            token_endpoint::call(&self.state.egress, request, passport, slot, asked_at).await;
        self.fields.add("provider_status", status);
        token_answer(outcome, &mut self.fields)
    }
}

/// PURE. Who connected what through which widget.
pub(crate) fn details(flow: &Flow) -> Details {
    Details {
        account: None,
        scopes: Vec::new(),
        slot_scopes: BTreeMap::new(),
        host: flow.ask.host.clone(),
        organisation: flow.ask.organisation.clone(),
        user: flow.ask.user.clone(),
        widget: flow.ask.widget.clone(),
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

/// PURE. What is kept of a reply: the main slot's pinned fields, where they are what they must be.
pub(crate) fn fields(client: &Client<'_>, slot: &str, reply: &Reply) -> BTreeMap<String, String> {
    let passport = client.passport;
    let mut fields = BTreeMap::new();
    if slot.is_empty() {
        for field in &passport.pinned {
            // What is kept is neither sealed nor hidden from widgets.
            let value = reply.document.at(&field.at).filter(|value| {
                let text = value.as_str().unwrap_or_default();
                !reply.document.shows_a_token(text) && !client.is_secret_in(text)
            });
            let kept = value.and_then(|value| passport.pinned_value(field, value));
            fields.extend(kept.map(|kept| (field.name.clone(), kept)));
        }
    }
    if passport.appsecret_proof {
        let proof = client.proof(&reply.access_token);
        fields.extend(proof.map(|proof| (PROOF.to_owned(), proof)));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token_reply::{self, Read};

    /// What the main slot keeps of `body`, with `pinned` at `at`.
    fn kept(body: &str, at: &str) -> Option<String> {
        let passport: Passport = serde_json::from_value(serde_json::json!({
            "id": "p", "name": "P", "provider": "p", "api_hosts": [], "pinned": [{"name": "pinned", "at": at}],
        }))
        .unwrap();
        let client = Client::with_secret(&passport, "canary-client-secret");
        let Read::Tokens(reply) = token_reply::read(body.as_bytes(), Timestamp::default(), "", " ")
        else {
            panic!("{body}");
        };
        fields(&client, "", &reply).remove("pinned")
    }

    #[test]
    fn a_field_that_shows_a_token_of_any_slot_or_the_client_secret_is_not_kept() {
        let body = |odd: &str| {
            serde_json::json!({
                "access_token": "canary-access/", "refresh_token": "canary-refresh", "id_token": "canary-id",
                "authed_user": {"access_token": "canary-user", "list": [{"refresh_token": "canary-deep"}]},
                "odd": odd,
            })
            .to_string()
        };
        for canary in [
            "canary-access/",
            "canary-refresh",
            "canary-id",
            "canary-user",
            "canary-deep",
            "canary-client-secret",
        ] {
            assert_eq!(kept(&body(canary), "/odd"), None, "{canary}");
            let within = format!("https://x.example/?t={canary}&u");
            assert_eq!(kept(&body(&within), "/odd"), None, "{canary}");
        }
        for at in ["/access_token", "/id_token", "/authed_user/access_token"] {
            assert_eq!(kept(&body(""), at), None, "{at}");
        }
        assert_eq!(kept(&body("T0ACME"), "/odd").as_deref(), Some("T0ACME"));
    }

    #[test]
    fn a_lifetime_is_what_the_reply_says_else_what_the_passport_knows() {
        let lifetime = |default: Option<u64>, body: &str| {
            let passport = Passport {
                access_lifetime_default_seconds: default,
                ..Passport::default()
            };
            let Read::Tokens(reply) =
                token_reply::read(body.as_bytes(), Timestamp::default(), "", " ")
            else {
                panic!("{body}");
            };
            lifetime_seconds(&passport, &reply)
        };
        let says = r#"{"access_token":"at","expires_in":60}"#;
        let silent = r#"{"access_token":"at"}"#;
        assert_eq!(lifetime(Some(7_200), says), Some(60));
        assert_eq!(lifetime(Some(7_200), silent), Some(7_200));
        assert_eq!(lifetime(None, silent), None);
    }
}
