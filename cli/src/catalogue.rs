//! PURE. The providers Consulate knows: what each third-party service needs so that an account of it can be connected.
//!
//! Data, not code: one TOML file per family in `cli/catalogue/`, compiled in. The functions never read it; an entry and
//! an operator's settings are resolved into a [`Passport`] when one is made.
//!
//! A file holds `family = "…"` and any number of `[[provider]]` tables. Their keys are the fields of [`Entry`]; an
//! unknown key is an error. Required are `id`, `name`, `authorize_url`, `token_url`, `api_hosts`, `confidence` and
//! `sources`. What an entry does not declare takes the safe reading: single-use refresh tokens, the client secret in the
//! body, PKCE sent, nothing to revoke at.

use std::collections::BTreeMap;

use consulate_core::definition::{ClientAuthentication, Passport, Profile, RefreshRotation};
use serde::{Deserialize, Serialize};

const FILES: [(&str, &str); 3] = [
    ("google.toml", include_str!("../catalogue/google.toml")),
    ("happeo.toml", include_str!("../catalogue/happeo.toml")),
    (
        "microsoft.toml",
        include_str!("../catalogue/microsoft.toml"),
    ),
];

/// How far a misspelled id may be from the one it is taken for.
const FARTHEST_SUGGESTION: usize = 3;

/// Why the catalogue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not in the format above.
    #[error("the catalogue file {file} cannot be read: {reason}")]
    Format {
        /// The file.
        file: String,
        /// Where and why.
        reason: String,
    },
    /// Two entries answer to the same id or alias.
    #[error("the catalogue has two providers named {0}")]
    Ambiguous(String),
}

/// Every known provider.
#[derive(Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

/// What is known about one provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What `passportProvider` and `passports add --provider` say.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// The family; taken from the file.
    #[serde(skip)]
    pub family: String,
    /// Other ids it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What an account is connected with.
    #[serde(default)]
    pub credential: Credential,
    /// Authorization endpoint.
    pub authorize_url: String,
    /// Token endpoint.
    pub token_url: String,
    /// Revocation endpoint (RFC 7009).
    #[serde(default)]
    pub revocation_url: Option<String>,
    /// True where revoking the refresh token ends its access tokens too.
    #[serde(default)]
    pub revocation_cascades: bool,
    /// True where revoking one grant ends every grant of that user and client.
    #[serde(default)]
    pub revocation_per_user: bool,
    /// Where the account's name comes from.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Scopes asked for where the operator names none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Joins scopes in the authorize URL.
    #[serde(default = "one_space")]
    pub scope_separator: String,
    /// Client authentication at the token endpoint.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// Why PKCE is left off.
    #[serde(default)]
    pub pkce_off_because: Option<String>,
    /// The issuer a callback must name (RFC 9207); only for providers that are known to send it.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Fixed extra parameters of the authorize URL.
    #[serde(default)]
    pub authorize_params: BTreeMap<String, String>,
    /// True where the scopes are repeated when refreshing.
    #[serde(default)]
    pub scope_on_refresh: bool,
    /// What using a refresh token does to it.
    #[serde(default)]
    pub refresh_rotation: RefreshRotation,
    /// Lifetime of an access token, seconds, where the reply does not say.
    #[serde(default)]
    pub access_lifetime_default_seconds: Option<u64>,
    /// Hosts a credential may be sent to: `host` or `host:port`, lower case.
    pub api_hosts: Vec<String>,
    /// Query names only the provider or the proxy may set.
    #[serde(default)]
    pub reserved_params: Vec<String>,
    /// How well established the weakest fact of the entry is.
    pub confidence: Confidence,
    /// Where the facts come from.
    pub sources: Vec<String>,
}

/// What an account is connected with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// OAuth 2.0 authorization code (RFC 6749 section 4.1).
    #[default]
    Oauth2,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: String,
    provider: Vec<Entry>,
}

impl Catalogue {
    /// The catalogue compiled in.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse(FILES)
    }

    fn parse<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        for (file, text) in files {
            let File { family, provider } =
                toml::from_str(text).map_err(|error| Error::Format {
                    file: file.to_owned(),
                    reason: error.to_string(),
                })?;
            for mut entry in provider {
                entry.family.clone_from(&family);
                let known = |name: &&str| entries.iter().any(|other| other.answers_to(name));
                if let Some(name) = entry.names().find(known) {
                    return Err(Error::Ambiguous(name.to_owned()));
                }
                entries.push(entry);
            }
        }
        entries.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Self { entries })
    }

    /// The entry with this id or alias, whatever its case.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.answers_to(id))
    }

    /// The id somebody may have meant.
    pub fn suggest(&self, id: &str) -> Option<&str> {
        let lower = id.to_ascii_lowercase();
        let asked = lower.as_str();
        self.entries
            .iter()
            .flat_map(|entry| {
                entry
                    .names()
                    .map(move |name| (distance(asked, name), entry))
            })
            .filter(|(far, _)| *far <= FARTHEST_SUGGESTION && *far < asked.chars().count())
            .min_by_key(|(far, _)| *far)
            .map(|(_, entry)| entry.id.as_str())
    }

    /// Every entry, by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Entry {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    fn answers_to(&self, id: &str) -> bool {
        self.names().any(|name| name.eq_ignore_ascii_case(id))
    }

    /// A passport of this provider. Without `scopes` it asks for the entry's; without a `name` it takes the entry's.
    pub fn passport(
        &self,
        id: &str,
        client_id: &str,
        scopes: Vec<String>,
        name: Option<&str>,
    ) -> Passport {
        Passport {
            id: id.to_owned(),
            name: name.unwrap_or(&self.name).to_owned(),
            provider: self.id.clone(),
            client_id: client_id.to_owned(),
            client_authentication: self.client_authentication,
            authorize_url: self.authorize_url.clone(),
            token_url: self.token_url.clone(),
            revocation_url: self.revocation_url.clone(),
            revocation_cascades: self.revocation_cascades,
            revocation_per_user: self.revocation_per_user,
            profile: self.profile.clone(),
            scopes: if scopes.is_empty() {
                self.scopes.clone()
            } else {
                scopes
            },
            scope_separator: self.scope_separator.clone(),
            pkce_off_because: self.pkce_off_because.clone(),
            issuer: self.issuer.clone(),
            authorize_params: self.authorize_params.clone(),
            scope_on_refresh: self.scope_on_refresh,
            refresh_rotation: self.refresh_rotation,
            access_lifetime_default_seconds: self.access_lifetime_default_seconds,
            api_hosts: self.api_hosts.clone(),
            reserved_params: self.reserved_params.clone(),
            browser_delivery: false,
        }
    }
}

fn one_space() -> String {
    " ".to_owned()
}

/// Levenshtein distance: insertions, deletions and replacements.
fn distance(one: &str, other: &str) -> usize {
    let mut above: Vec<usize> = (0..=other.chars().count()).collect();
    for (row, left) in one.chars().enumerate() {
        let mut current = row + 1;
        let mut below = vec![current];
        for ((right, diagonal), over) in other.chars().zip(&above).zip(above.iter().skip(1)) {
            current = (diagonal + usize::from(left != right))
                .min(over + 1)
                .min(current + 1);
            below.push(current);
        }
        above = below;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
