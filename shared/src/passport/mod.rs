//! PURE. Passports: a provider of the catalogue plus this operator's settings, resolved. The functions never read the
//! catalogue; what makes a provider different is data of this record, not code that knows its name.
//!
//! Rooms: this one (the record), `quirks` (the shapes a provider can differ in), `judge` (what an answer, a host or a
//! scope means under a passport), `delivery` (whether the browser may have an access token).
//!
//! Sources: RFC 6749, RFC 7009, RFC 7636, RFC 9207, RFC 9535; the Appspace advanced guide, "OAuth Metadata Fields".

mod delivery;
mod judge;
mod quirks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::delivery::DeliveryRefused;
pub use self::judge::{Verdict, WrongSlot, host_matches};
pub use self::quirks::{
    AnswerMatch, Credential, CredentialField, FormerEndpoints, Inject, PinnedField, PinnedKind,
    RevocationStyle, SharedAccount, Slot, ThrottleScope, TokenExchange,
};

/// One passport, as stored. Every optional field has a default; an unknown one is ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Passport {
    /// The passport's id; `{widget}.{name}` for a bundled one.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Catalogue id, or `custom:<name>`.
    pub provider: String,
    /// What an account is connected with.
    #[serde(default)]
    pub credential: Credential,
    /// OAuth client id; empty where there is no client.
    #[serde(default)]
    pub client_id: String,
    /// How the client authenticates at the token endpoint (RFC 6749 section 2.3).
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// Authorization endpoint; empty where nobody is sent to one.
    #[serde(default)]
    pub authorize_url: String,
    /// Token or sign-in endpoint; empty where the credential is used as it was typed.
    #[serde(default)]
    pub token_url: String,
    /// Where the two were before, the oldest first: what was granted there is good here, and what was sealed there opens. The
    /// catalogue's word only: whoever may say it says that two endpoints are one provider's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerEndpoints>,
    /// Revocation endpoint, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_url: Option<String>,
    /// How it is called.
    #[serde(default)]
    pub revocation_style: RevocationStyle,
    /// True where revoking the refresh token ends its access tokens too.
    #[serde(default)]
    pub revocation_cascades: bool,
    /// True where revoking one grant ends every grant of that user and client (Google).
    #[serde(default)]
    pub revocation_per_user: bool,
    /// What is done when an account is connected a second time, for another owner.
    #[serde(default)]
    pub shared_account: SharedAccount,
    /// Called once after connecting, to name the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Scopes asked for, in the main slot.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Joins scopes in the authorize URL.
    #[serde(default = "one_space")]
    pub scope_separator: String,
    /// Other names under which a provider grants a scope, by the name it is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope_aliases: BTreeMap<String, String>,
    /// Why PKCE is left off; `None` sends it (RFC 7636, S256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce_off_because: Option<String>,
    /// The provider's issuer identifier. When set, a callback without the same `iss` is refused (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Fixed extra parameters of the authorize URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authorize_params: BTreeMap<String, String>,
    /// Fixed extra parameters of the token request (code and client credentials). With client credentials, `grant_type`
    /// replaces the standard one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_params: BTreeMap<String, String>,
    /// True where the scopes are repeated when refreshing (Microsoft).
    #[serde(default)]
    pub scope_on_refresh: bool,
    /// What using a refresh token does to it.
    #[serde(default)]
    pub refresh_rotation: RefreshRotation,
    /// Where the main slot's tokens stand in a code's reply, as a JSON pointer (RFC 6901); empty: at the top.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply_at: String,
    /// A call that turns the code's short-lived token into a long-lived one (Meta).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_lived: Option<TokenExchange>,
    /// A call that renews an access token by presenting it while it is good (Meta). `None`: RFC 6749 section 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<TokenExchange>,
    /// Lifetime of an access token, seconds, where the provider's reply does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_lifetime_default_seconds: Option<u64>,
    /// Renew this long before the end instead of the common margin, seconds: where an ended token cannot be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_ahead_seconds: Option<u64>,
    /// Renew a token older than this although it has not ended, seconds (Appspace's refresh interval).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval_seconds: Option<u64>,
    /// A refresh token unused for this long is dead, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_idle_seconds: Option<u64>,
    /// A grant older than this is dead however often it was renewed, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_absolute_seconds: Option<u64>,
    /// Token calls a second that the schedule makes at most, over all workers; see [`Passport::token_calls_per_second`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_calls_per_second: Option<u32>,
    /// Token calls that one worker of the schedule makes at once at most; see [`Passport::token_calls_at_once`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_calls_at_once: Option<u32>,
    /// Further tokens of the same consent, each renewed on its own (Slack's user token, SharePoint's own resource).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
    /// Fields of the token reply that are kept for `{connection.AUTHKEY.FIELD}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<PinnedField>,
    /// This operator's values of the entry's variables (`instance`, `tenant`), also for `{connection.AUTHKEY.FIELD}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Hosts a credential of this passport may be sent to: `host` or `host:port`, lower case.
    pub api_hosts: Vec<String>,
    /// Further hosts, for addresses whose host is a pinned field and for nothing else: `*.example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_patterns: Vec<String>,
    /// Where the credential stands in a request whose definition does not say.
    #[serde(default)]
    pub inject: Inject,
    /// True where calls carry a proof that whoever bears the token knows the client secret (Meta, `appsecret_proof`).
    #[serde(default)]
    pub appsecret_proof: bool,
    /// Answers that mean: the access token has ended. 401 always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired_when: Vec<AnswerMatch>,
    /// Answers of the token endpoint that mean the grant is refused, where a provider says it in words of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_when: Vec<AnswerMatch>,
    /// Answers that mean: too many calls. 429 always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttled_when: Vec<AnswerMatch>,
    /// A header that says when calls are welcome again, beside `Retry-After`: seconds, or an instant in epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle_reset_header: Option<String>,
    /// What else is left alone then.
    #[serde(default)]
    pub throttle_scope: ThrottleScope,
    /// Query names only the provider or the proxy may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved_params: Vec<String>,
    /// Whether browser delivery is permitted at all.
    #[serde(default)]
    pub browser_delivery: bool,
}

impl Passport {
    /// Identifies what a stored grant was made with: a change of client or endpoints means connecting again, a change
    /// of the client secret does not, and neither does a variable that stands in no host and no slot. Compared on read, so
    /// no connection has to be rewritten. Endpoints that moved count as those they were at first.
    pub fn config_version(&self) -> String {
        let former = self.counted_former();
        let authorize_url = former.iter().find_map(|one| one.authorize_url.as_ref());
        let token_url = former.iter().find_map(|one| one.token_url.as_ref());
        let mut parts = vec![
            &self.client_id,
            authorize_url.unwrap_or(&self.authorize_url),
            token_url.unwrap_or(&self.token_url),
        ];
        // What is typed has no client, and perhaps no endpoint: it is of one kind, and for one provider.
        let kind;
        if !self.credential.has_client() {
            kind = serde_json::to_string(&self.credential).unwrap_or_default();
            parts.extend([&kind, &self.provider]);
        }
        // Another tenant's host takes tokens of that tenant.
        let slots = self.slots.iter();
        let places: Vec<&String> = slots
            .flat_map(|slot| slot.api_hosts.iter().chain(&slot.scopes))
            .chain(&self.api_hosts)
            .collect();
        for (name, value) in &self.variables {
            if !value.is_empty() && places.iter().any(|place| place.contains(value)) {
                parts.extend([name, value]);
            }
        }
        crate::digest::short(parts.iter().map(|part| part.as_bytes()))
    }

    /// Token endpoints that its sealed values may come from beside the present one.
    pub fn former_token_urls(&self) -> Vec<String> {
        let former = self.counted_former().iter();
        let urls = former.filter_map(|one| one.token_url.clone());
        urls.filter(|url| *url != self.token_url).collect()
    }

    /// Former endpoints that count: none for a public client. Only a client secret, which lies apart with the addresses it may be
    /// sent to, vouches for the present endpoint against whoever can write the table.
    fn counted_former(&self) -> &[FormerEndpoints] {
        match self.has_client_secret() {
            true => &self.former,
            false => &[],
        }
    }

    /// The addresses a client secret of this passport is sent to.
    pub fn secret_endpoints(&self) -> Vec<String> {
        let mut endpoints = vec![self.token_url.clone()];
        let exchanges = [&self.long_lived, &self.renewal].into_iter().flatten();
        endpoints.extend(
            exchanges
                .filter(|exchange| exchange.client_secret)
                .map(|exchange| exchange.url.clone()),
        );
        if self.revocation_style.authenticates_the_client() {
            endpoints.extend(self.revocation_url.clone());
        }
        endpoints.sort();
        endpoints.dedup();
        endpoints
    }

    /// Token calls a second that the schedule makes at most, over all workers.
    pub fn token_calls_per_second(&self) -> u32 {
        self.token_calls_per_second.unwrap_or(50).max(1)
    }

    /// Token calls that one worker of the schedule makes at once at most.
    pub fn token_calls_at_once(&self) -> u32 {
        self.token_calls_at_once.unwrap_or(50).max(1)
    }

    /// Whether there is a client secret, or a private key, to be set.
    pub fn has_client_secret(&self) -> bool {
        self.credential.has_client() && self.client_authentication != ClientAuthentication::None
    }

    /// What presenting the stored renewal credential does to it. Only OAuth refresh tokens can be used up.
    pub fn rotation(&self) -> RefreshRotation {
        if self.credential == Credential::Oauth2 && self.renewal.is_none() {
            self.refresh_rotation
        } else {
            RefreshRotation::Reusable
        }
    }

    /// The value of `{connection.AUTHKEY.name}`: what the connection has kept, else this operator's variable.
    pub fn connection_field<'a>(
        &'a self,
        kept: &'a BTreeMap<String, String>,
        name: &str,
    ) -> Option<&'a str> {
        let known = self.pinned.iter().any(|field| field.name == name);
        let kept = kept.get(name).filter(|_| known);
        kept.or_else(|| self.variables.get(name))
            .map(String::as_str)
    }

    /// The slot `name`; the empty name is the main one, which is no entry of `slots`.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// The names of every slot a grant of this passport can have; the main one, `""`, comes last.
    pub fn slot_names(&self) -> impl Iterator<Item = &str> {
        let named = self.slots.iter().map(|slot| slot.name.as_str());
        named.chain(std::iter::once(""))
    }
}

/// Where an account's name comes from: an address and JSONPaths (RFC 9535) into its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Called with the new access token, as the passport injects it. May hold `{FIELD}` of a pinned field or variable.
    pub url: String,
    /// Path of the account's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_path: Option<String>,
    /// Path of the account's e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_path: Option<String>,
    /// Path of the account's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_path: Option<String>,
    /// Path of the scopes that were granted, where the token reply does not say (Facebook).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_path: Option<String>,
}

/// Client authentication at the token endpoint (RFC 6749 section 2.3). Fixed per passport, never probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the form body.
    #[default]
    Body,
    /// HTTP Basic.
    Basic,
    /// A public client: `client_id` in the body, no secret.
    None,
    /// A JWT signed with the client's private key (RFC 7523 section 2.2, OpenID Connect Core section 9).
    PrivateKeyJwt,
}

/// What presenting a refresh token does to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshRotation {
    /// It dies on use. The safe reading where nothing is declared.
    #[default]
    SingleUse,
    /// It can be presented again.
    Reusable,
}

fn one_space() -> String {
    " ".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passport(fields: serde_json::Value) -> Passport {
        let mut passport = serde_json::json!({
            "id": "p", "name": "P", "provider": "p", "client_id": "c", "api_hosts": ["graph.example.com"],
            "authorize_url": "https://login.example.com/authorize", "token_url": "https://login.example.com/token",
        });
        for (name, value) in fields.as_object().unwrap() {
            passport[name] = value.clone();
        }
        serde_json::from_value(passport).unwrap()
    }

    #[test]
    fn a_version_without_variables_in_hosts_and_slots_is_what_it_was() {
        let plain = passport(serde_json::json!({})).config_version();
        assert_eq!(plain, "fOfZ2gXady_GGusA");
        let elsewhere = serde_json::json!({
            "variables": {"tenant": "organizations", "empty": ""}, "slots": [{"name": "user", "scopes": ["s"]}],
        });
        assert_eq!(passport(elsewhere).config_version(), plain);
    }

    #[test]
    fn endpoints_that_moved_are_the_same_and_others_are_not() {
        let plain = passport(serde_json::json!({})).config_version();
        let moved = |former: serde_json::Value| {
            passport(serde_json::json!({
                "authorize_url": "https://id.example.com/authorize", "token_url": "https://id.example.com/token", "former": former,
            }))
        };
        let first = serde_json::json!({"authorize_url": "https://login.example.com/authorize", "token_url": "https://login.example.com/token"});
        let then = serde_json::json!({"token_url": "https://auth.example.com/token"});
        assert_eq!(moved(serde_json::json!([first])).config_version(), plain);
        let twice = moved(serde_json::json!([first, then]));
        assert_eq!(twice.config_version(), plain);
        assert_eq!(
            twice.former_token_urls(),
            [
                "https://login.example.com/token",
                "https://auth.example.com/token"
            ]
        );
        let public = Passport {
            client_authentication: ClientAuthentication::None,
            ..twice
        };
        assert!(public.former_token_urls().is_empty());
        assert_ne!(
            public.config_version(),
            plain,
            "it asks to be connected again"
        );
        for other in [serde_json::json!([]), serde_json::json!([then])] {
            assert_ne!(moved(other).config_version(), plain);
        }
    }

    #[test]
    fn another_tenant_in_a_host_or_a_slot_means_connecting_again() {
        let plain = passport(serde_json::json!({})).config_version();
        let with_tenant = |tenant: &str| {
            let host = format!("{tenant}.sharepoint.example.com");
            let hosts = serde_json::json!({"variables": {"t": tenant}, "api_hosts": [host]});
            let scope = format!("https://{host}/.default");
            let slots = serde_json::json!({"variables": {"t": tenant}, "slots": [{"name": "s", "scopes": [scope]}]});
            [hosts, slots].map(|fields| passport(fields).config_version())
        };
        let [acme, other] = [with_tenant("acme"), with_tenant("other")];
        assert_eq!(acme[0], acme[1]);
        assert_eq!(other[0], other[1]);
        assert!(acme[0] != plain && acme[0] != other[0]);
    }
}
