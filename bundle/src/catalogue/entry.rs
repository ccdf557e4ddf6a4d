//! PURE. One provider as the catalogue knows it: the provider's share of a [`Passport`], and what people need to set it up.
//!
//! Members that a passport has too bear its names and mean the same, except that texts may hold `{NAME}` of a variable.
//!
//! [`Passport`]: consulate_core::passport::Passport

use std::collections::BTreeMap;

use consulate_core::passport::{
    AnswerMatch, ClientAuthentication, Credential, FormerEndpoints, Inject, PinnedField, Profile,
    RefreshRotation, RevocationStyle, SharedAccount, Slot, ThrottleScope, TokenExchange,
};
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::host;
use super::placeholder::{Piece, pieces};

/// What is known about one provider. `docs/catalogue.md` describes the file format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What `passportProvider` and `passports add --provider` say.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// The family; taken from the file.
    #[serde(default)]
    pub family: String,
    /// Other ids it answers to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// What widgets use it for: Calendar, Library, Publishing.
    pub category: String,
    /// Whether accounts of it can be connected.
    #[serde(default, skip_serializing_if = "is_default")]
    pub status: Status,
    /// Why not, in a sentence for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retired_because: Option<String>,
    /// What an account is connected with.
    #[serde(default, skip_serializing_if = "is_default")]
    pub credential: Credential,
    /// Client authentication at the token endpoint.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_authentication: ClientAuthentication,
    /// Authorization endpoint; none where nobody is sent to one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authorize_url: String,
    /// Token or sign-in endpoint; none where the credential is used as it was typed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_url: String,
    /// Where the two were before, the oldest first: connections made there go on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub former: Vec<FormerEndpoints>,
    /// Revocation endpoint.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revocation_url: Option<String>,
    /// How it is called.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revocation_style: RevocationStyle,
    /// True where revoking the refresh token ends its access tokens too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revocation_cascades: bool,
    /// True where revoking one grant ends every grant of that user and client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revocation_per_user: bool,
    /// What is done when an account is connected a second time, for another owner.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shared_account: SharedAccount,
    /// Where the account's name comes from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub profile: Option<Profile>,
    /// Scopes asked for where the operator names none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scopes: Vec<String>,
    /// Joins scopes in the authorize URL.
    #[serde(default = "one_space")]
    pub scope_separator: String,
    /// Other names under which a scope is granted, by the name it is asked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope_aliases: BTreeMap<String, String>,
    /// Why PKCE is left off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pkce_off_because: Option<String>,
    /// The issuer a callback must name (RFC 9207); only for providers that are known to send it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub issuer: Option<String>,
    /// Fixed extra parameters of the authorize URL.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authorize_params: BTreeMap<String, String>,
    /// Fixed extra parameters of the token request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_params: BTreeMap<String, String>,
    /// True where the scopes are repeated when refreshing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope_on_refresh: bool,
    /// What using a refresh token does to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_rotation: RefreshRotation,
    /// Where the main slot's tokens stand in a code's reply.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reply_at: String,
    /// The call that turns a short-lived token into a long-lived one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub long_lived: Option<TokenExchange>,
    /// The call that renews an access token by presenting it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renewal: Option<TokenExchange>,
    /// Lifetime of an access token, seconds, where the reply does not say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub access_lifetime_default_seconds: Option<u64>,
    /// Renew this long before the end, seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renew_ahead_seconds: Option<u64>,
    /// A refresh token unused for this long is dead, seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_idle_seconds: Option<u64>,
    /// A grant older than this is dead, seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_absolute_seconds: Option<u64>,
    /// Token calls a second that the schedule makes at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_calls_per_second: Option<u32>,
    /// Token calls that one worker of the schedule makes at once at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_calls_at_once: Option<u32>,
    /// Further tokens of the same consent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slots: Vec<Slot>,
    /// Fields of the token reply that are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pinned: Vec<PinnedField>,
    /// Hosts a credential may be sent to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub api_hosts: Vec<String>,
    /// Further hosts, for addresses whose host is a pinned field.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host_patterns: Vec<String>,
    /// Where the credential stands in a request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inject: Inject,
    /// True where calls carry Meta's proof of the client secret.
    #[serde(default, skip_serializing_if = "is_default")]
    pub appsecret_proof: bool,
    /// Answers that mean: the access token has ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expired_when: Vec<AnswerMatch>,
    /// Answers of the token endpoint that mean: the grant is refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused_when: Vec<AnswerMatch>,
    /// Answers that mean: too many calls.
    #[serde(default, skip_serializing_if = "is_default")]
    pub throttled_when: Vec<AnswerMatch>,
    /// A header that says when calls are welcome again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub throttle_reset_header: Option<String>,
    /// What else is left alone until then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub throttle_scope: ThrottleScope,
    /// Query names only the provider or the proxy may set.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reserved_params: Vec<String>,
    /// What differs between operators: a tenant, an instance.
    #[serde(default, skip_serializing_if = "is_default")]
    pub variables: Vec<Variable>,
    /// A call that proves a connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub probe: Option<Probe>,
    /// What to know when registering the app, in a sentence or two.
    #[serde(default, skip_serializing_if = "is_default")]
    pub setup: String,
    /// How well established the weakest fact of the entry is.
    pub confidence: Confidence,
    /// Where the facts come from.
    pub sources: Vec<String>,
}

/// Something that differs between operators; `{NAME}` stands for its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Lower case, as in `{NAME}` and `--set NAME=VALUE`.
    pub name: String,
    /// Shown to people.
    pub label: String,
    /// What a value looks like: a regular expression that begins with `^` and ends with `$`.
    pub pattern: String,
    /// A value that fits.
    pub example: String,
    /// The value where the operator gives none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub default: Option<String>,
    /// True where it may stay without a value; slots and hosts that need it are then left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// True where any other DNS name is taken too, once the operator agrees: servers on domains of one's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub accept_other: bool,
}

/// A harmless call that proves a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// HTTP method.
    pub method: String,
    /// As a named API writes it; `AUTHKEY` in `{connection.AUTHKEY.FIELD}` stands for the authentication's key.
    pub url: String,
    /// Params it is called with.
    #[serde(default, skip_serializing_if = "is_default")]
    pub params: BTreeMap<String, String>,
    /// The token slot it takes, where it is not the main one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slot: Option<String>,
}

/// Whether accounts can be connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// They can.
    #[default]
    Active,
    /// The service is gone; the entry says so.
    Retired,
}

/// How well established an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The vendor's own documents say so.
    Vendor,
    /// A maintained open-source catalogue says so.
    Catalogue,
    /// Nobody has tried it against a live application.
    Unverified,
}

impl Variable {
    /// Whether `value` fits the pattern. A pattern that cannot be read fits nothing.
    pub fn fits(&self, value: &str) -> bool {
        Regex::new(&format!("^(?:{})$", self.inner())).is_ok_and(|regex| regex.is_match(value))
    }

    /// The pattern without its anchors.
    pub(super) fn inner(&self) -> &str {
        let pattern = self.pattern.strip_prefix('^').unwrap_or(&self.pattern);
        pattern.strip_suffix('$').unwrap_or(pattern)
    }
}

impl Entry {
    /// Its id and aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// Whether it has this id or alias, whatever the case.
    pub fn answers_to(&self, id: &str) -> bool {
        self.names().any(|name| name.eq_ignore_ascii_case(id))
    }

    /// Why no account of it can be connected any more; `None` while one can.
    pub fn retired(&self) -> Option<&str> {
        match self.status {
            Status::Active => None,
            Status::Retired => Some(self.retired_because.as_deref().unwrap_or("It is retired.")),
        }
    }

    /// Whether a bundle may write `host` (lower case, with its port unless that is 443) into the URL of an API: a host
    /// of the entry, or one that a variable can make one of them.
    pub fn may_call(&self, host: &str) -> bool {
        self.api_hosts
            .iter()
            .any(|known| known == host || self.may_become(known, host, true))
    }

    /// The same, without the hosts of their own that operators may agree to.
    pub fn may_call_its_own(&self, host: &str) -> bool {
        self.api_hosts
            .iter()
            .any(|known| known == host || self.may_become(known, host, false))
    }

    /// Whether `{connection.AUTHKEY.field}` has a value with this provider.
    pub fn may_pin(&self, field: &str) -> bool {
        self.variable(field).is_some() || self.pinned.iter().any(|pinned| pinned.name == field)
    }

    /// A value for every variable, with which the entry can be tried: its default, else its example.
    pub fn example_variables(&self) -> BTreeMap<String, String> {
        let value = |variable: &Variable| {
            let value = variable.default.as_ref().unwrap_or(&variable.example);
            (variable.name.clone(), value.clone())
        };
        self.variables.iter().map(value).collect()
    }

    /// The variable `name`.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Whether some values of the variables turn `template` into `host`; `other`: those too that need agreement.
    fn may_become(&self, template: &str, host: &str, other: bool) -> bool {
        let mut pattern = String::from("^");
        for piece in pieces(template) {
            match piece {
                Piece::Text(text) => pattern.push_str(&regex_lite::escape(text)),
                Piece::Name(name) => match self.variable(name) {
                    Some(variable) if other && variable.accept_other && host::is_name(host) => {
                        return true;
                    }
                    Some(variable) => pattern.push_str(&format!("(?:{})", variable.inner())),
                    None => return false,
                },
            }
        }
        pattern.push('$');
        host::is_api_host(host) && Regex::new(&pattern).is_ok_and(|regex| regex.is_match(host))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn one_space() -> String {
    " ".to_owned()
}
