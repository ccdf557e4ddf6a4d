//! PURE. From an entry and an operator's settings to a passport: variables put in, whatever needs an unset one left out.

use std::collections::BTreeMap;

use consulate_core::passport::{
    ClientAuthentication, FormerEndpoints, Passport, Profile, Slot, TokenExchange,
};

use super::entry::{Entry, Variable};
use super::host;
use super::placeholder::{Piece, pieces};

/// Longest value of a variable: as a DNS name.
const LONGEST_VALUE: usize = 253;

/// What an operator decides about a passport.
#[derive(Clone, Debug, Default)]
pub struct PassportSettings {
    /// The passport's id.
    pub id: String,
    /// OAuth client id; empty where the credential has no client.
    pub client_id: String,
    /// How the client proves itself; the entry's way where none is given.
    pub client_authentication: Option<ClientAuthentication>,
    /// Scopes to ask for; the entry's where there are none.
    pub scopes: Vec<String>,
    /// Scopes of further token slots, by slot; the entry's where a slot is not named.
    pub slot_scopes: BTreeMap<String, Vec<String>>,
    /// Display name; the entry's where there is none.
    pub name: Option<String>,
    /// Values of the entry's variables.
    pub variables: BTreeMap<String, String>,
    /// Whether the operator agrees to hosts of their own domains.
    pub accept: bool,
}

/// Settings of which no passport can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What is wrong: `client_id`, `client_authentication`, `provider`, the name of a variable or a slot.
    pub field: String,
    /// Why, and the cure.
    pub message: String,
}

pub(super) fn refused<T>(field: &str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        field: field.to_owned(),
        message: message.into(),
    })
}

impl Entry {
    /// A passport of this provider.
    ///
    /// # Errors
    /// [`Refused`] naming the setting, with the cure.
    pub fn passport(&self, settings: &PassportSettings) -> Result<Passport, Refused> {
        if let Some(because) = self.retired() {
            return refused("provider", format!("{} is retired: {because}", self.name));
        }
        self.judge_client_id(&settings.client_id)?;
        let client_authentication = self.client_authentication(settings)?;
        self.judge_slot_names(settings)?;
        let variables = self.values(settings)?;
        let filler = Filler {
            entry: self,
            values: &variables,
        };
        let slots = self.resolved_slots(settings, &filler)?;
        let api_hosts = filler.all(&self.api_hosts);
        let profile = match &self.profile {
            Some(profile) => Some(Profile {
                url: filler.whole("profile.url", &profile.url)?,
                ..profile.clone()
            }),
            None => None,
        };
        let scopes = match settings.scopes.is_empty() {
            true => filler.all(&self.scopes),
            false => settings.scopes.clone(),
        };
        // Every field is named: a new one of the record is a decision to be made here.
        let passport = Passport {
            id: settings.id.clone(),
            name: settings.name.clone().unwrap_or_else(|| self.name.clone()),
            provider: self.id.clone(),
            credential: self.credential,
            client_id: settings.client_id.clone(),
            client_authentication,
            authorize_url: filler.whole("authorize_url", &self.authorize_url)?,
            token_url: filler.whole("token_url", &self.token_url)?,
            former: filler.former(&self.former)?,
            revocation_url: filler.maybe("revocation_url", self.revocation_url.as_ref())?,
            revocation_style: self.revocation_style,
            revocation_cascades: self.revocation_cascades,
            revocation_per_user: self.revocation_per_user,
            shared_account: self.shared_account,
            profile,
            scopes,
            scope_separator: self.scope_separator.clone(),
            scope_aliases: self.scope_aliases.clone(),
            pkce_off_because: self.pkce_off_because.clone(),
            issuer: filler.maybe("issuer", self.issuer.as_ref())?,
            authorize_params: filler.map("authorize_params", &self.authorize_params)?,
            token_params: filler.map("token_params", &self.token_params)?,
            scope_on_refresh: self.scope_on_refresh,
            refresh_rotation: self.refresh_rotation,
            reply_at: self.reply_at.clone(),
            long_lived: filler.exchange("long_lived.url", self.long_lived.as_ref())?,
            renewal: filler.exchange("renewal.url", self.renewal.as_ref())?,
            access_lifetime_default_seconds: self.access_lifetime_default_seconds,
            renew_ahead_seconds: self.renew_ahead_seconds,
            refresh_interval_seconds: None,
            refresh_idle_seconds: self.refresh_idle_seconds,
            refresh_absolute_seconds: self.refresh_absolute_seconds,
            token_calls_per_second: self.token_calls_per_second,
            token_calls_at_once: self.token_calls_at_once,
            slots,
            pinned: self.pinned.clone(),
            api_hosts,
            host_patterns: filler.all(&self.host_patterns),
            inject: self.inject.clone(),
            appsecret_proof: self.appsecret_proof,
            expired_when: self.expired_when.clone(),
            refused_when: self.refused_when.clone(),
            throttled_when: self.throttled_when.clone(),
            throttle_reset_header: self.throttle_reset_header.clone(),
            throttle_scope: self.throttle_scope,
            reserved_params: self.reserved_params.clone(),
            browser_delivery: false,
            variables,
        };
        host::judge(&passport)?;
        Ok(passport)
    }

    fn judge_client_id(&self, client_id: &str) -> Result<(), Refused> {
        match (self.credential.has_client(), client_id.trim().is_empty()) {
            (true, true) => refused(
                "client_id",
                format!(
                    "{} needs the client id of an app registered there: give --client-id.",
                    self.name
                ),
            ),
            (false, false) => refused(
                "client_id",
                format!("{} has no OAuth client: leave --client-id out.", self.name),
            ),
            _ => Ok(()),
        }
    }

    fn client_authentication(
        &self,
        settings: &PassportSettings,
    ) -> Result<ClientAuthentication, Refused> {
        let field = "client_authentication";
        let Some(chosen) = settings.client_authentication else {
            return Ok(self.client_authentication);
        };
        if !self.credential.has_client() {
            return refused(
                field,
                format!(
                    "{} has no OAuth client: leave --client-authentication out.",
                    self.name
                ),
            );
        }
        let mut exchanges = [&self.long_lived, &self.renewal].into_iter().flatten();
        let takes_secret = self.appsecret_proof || exchanges.any(|exchange| exchange.client_secret);
        let has_secret = matches!(
            chosen,
            ClientAuthentication::Body | ClientAuthentication::Basic
        );
        if takes_secret && !has_secret {
            return refused(
                field,
                format!(
                    "{} needs the client secret itself: leave --client-authentication out.",
                    self.name
                ),
            );
        }
        Ok(chosen)
    }

    fn judge_slot_names(&self, settings: &PassportSettings) -> Result<(), Refused> {
        let known: Vec<&str> = self.slots.iter().map(|slot| slot.name.as_str()).collect();
        let unknown = settings
            .slot_scopes
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) if known.is_empty() => refused(
                name,
                format!(
                    "{} has no further token slots, so none is named \"{name}\".",
                    self.name
                ),
            ),
            Some(name) => refused(
                name,
                format!(
                    "{} has no token slot \"{name}\"; it has: {}.",
                    self.name,
                    known.join(", ")
                ),
            ),
        }
    }

    /// A value for every variable that has one.
    fn values(&self, settings: &PassportSettings) -> Result<BTreeMap<String, String>, Refused> {
        let known = || {
            let names = self.variables.iter().map(|variable| variable.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        if let Some(name) = settings
            .variables
            .keys()
            .find(|name| self.variable(name).is_none())
        {
            let message = match self.variables.is_empty() {
                true => format!(
                    "{} has no variables, so \"{name}\" cannot be set.",
                    self.name
                ),
                false => format!(
                    "{} has no variable \"{name}\"; it has: {}.",
                    self.name,
                    known()
                ),
            };
            return refused(name, message);
        }
        let mut values = BTreeMap::new();
        for variable in &self.variables {
            let given = settings.variables.get(&variable.name);
            match given.or(variable.default.as_ref()) {
                Some(value) => {
                    judge_value(variable, value, settings.accept)?;
                    values.insert(variable.name.clone(), value.clone());
                }
                None if variable.optional => {}
                None => {
                    return refused(
                        &variable.name,
                        format!(
                            "{} is not known: give --set {}.",
                            variable.label,
                            shown(variable)
                        ),
                    );
                }
            }
        }
        Ok(values)
    }

    fn resolved_slots(
        &self,
        settings: &PassportSettings,
        filler: &Filler<'_>,
    ) -> Result<Vec<Slot>, Refused> {
        let mut slots = Vec::new();
        for slot in &self.slots {
            let scopes = settings.slot_scopes.get(&slot.name);
            let hosts: Option<Vec<String>> = slot
                .api_hosts
                .iter()
                .map(|host| filler.text(host))
                .collect();
            let own: Option<Vec<String>> =
                slot.scopes.iter().map(|scope| filler.text(scope)).collect();
            match (hosts, own) {
                (Some(api_hosts), Some(own)) => slots.push(Slot {
                    scopes: scopes.cloned().unwrap_or(own),
                    api_hosts,
                    ..slot.clone()
                }),
                _ if scopes.is_some() => {
                    return refused(
                        &slot.name,
                        format!(
                            "the token slot \"{}\" is left out while a variable it needs has no value: give --set.",
                            slot.name
                        ),
                    );
                }
                _ => {}
            }
        }
        Ok(slots)
    }
}

/// `NAME=EXAMPLE`.
fn shown(variable: &Variable) -> String {
    format!("{}={}", variable.name, variable.example)
}

/// A value fits its pattern, or is a host the operator agrees to. Whatever a pattern says, a value is one plain word:
/// it cannot leave the place it is put into.
fn judge_value(variable: &Variable, value: &str, accept: bool) -> Result<(), Refused> {
    let plain = (1..=LONGEST_VALUE).contains(&value.len())
        && value.trim_matches('.') == value
        && !value.contains("..")
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if plain && variable.fits(value) {
        return Ok(());
    }
    let other = variable.accept_other && host::is_name(value);
    match (other, accept) {
        (true, true) => Ok(()),
        (true, false) => refused(
            &variable.name,
            format!(
                "{} \"{value}\" is not one of the provider's own (such as {}). If credentials may go there, agree with --accept.",
                variable.label, variable.example
            ),
        ),
        (false, _) => refused(
            &variable.name,
            format!(
                "{} is not what it should be (such as {}): {} must match {}.",
                variable.label, variable.example, variable.name, variable.pattern
            ),
        ),
    }
}

/// Puts values in.
struct Filler<'e> {
    entry: &'e Entry,
    values: &'e BTreeMap<String, String>,
}

impl Filler<'_> {
    /// `text` with the values in it; `None` where one is unset. What is no variable stays: a pinned field.
    fn text(&self, text: &str) -> Option<String> {
        let put = |piece| match piece {
            Piece::Text(text) => Some(text.to_owned()),
            Piece::Name(name) => match self.values.get(name) {
                Some(value) => Some(value.clone()),
                None if self.entry.variable(name).is_none() => Some(format!("{{{name}}}")),
                None => None,
            },
        };
        pieces(text).into_iter().map(put).collect()
    }

    fn whole(&self, field: &str, text: &str) -> Result<String, Refused> {
        match self.text(text) {
            Some(text) => Ok(text),
            None => refused(
                field,
                format!("{field} needs a variable that has no value: give --set."),
            ),
        }
    }

    fn former(&self, former: &[FormerEndpoints]) -> Result<Vec<FormerEndpoints>, Refused> {
        let filled = former.iter().map(|former| {
            Ok(FormerEndpoints {
                authorize_url: self.maybe("former.authorize_url", former.authorize_url.as_ref())?,
                token_url: self.maybe("former.token_url", former.token_url.as_ref())?,
            })
        });
        filled.collect()
    }

    fn maybe(&self, field: &str, text: Option<&String>) -> Result<Option<String>, Refused> {
        text.map(|text| self.whole(field, text)).transpose()
    }

    /// Those whose variables all have values, each once.
    fn all(&self, texts: &[String]) -> Vec<String> {
        let mut filled: Vec<String> = Vec::new();
        for text in texts.iter().filter_map(|text| self.text(text)) {
            if !filled.contains(&text) {
                filled.push(text);
            }
        }
        filled
    }

    fn map(
        &self,
        field: &str,
        params: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Refused> {
        params
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.whole(field, value)?)))
            .collect()
    }

    fn exchange(
        &self,
        field: &str,
        exchange: Option<&TokenExchange>,
    ) -> Result<Option<TokenExchange>, Refused> {
        let Some(exchange) = exchange else {
            return Ok(None);
        };
        Ok(Some(TokenExchange {
            url: self.whole(field, &exchange.url)?,
            ..exchange.clone()
        }))
    }
}
