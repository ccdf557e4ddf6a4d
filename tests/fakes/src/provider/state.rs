//! Grants: families of tokens, and the codes and consents that lead to them. Time comes in as an argument.
//!
//! Credentials are kept as SHA-256 only, in memory and on the file, so that the file gives nothing away. A family is
//! one consent: all tokens that descend from it die together.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::private_file;
use crate::random::{random_value, sha256_base64url};

/// A consent page may stay open this long.
const CONSENT_MS: i64 = 10 * 60_000;
/// Pages that were opened and left are forgotten beyond this many.
const CONSENT_LIMIT: usize = 1_000;
/// Expired access tokens, used refresh tokens and ended families are forgotten after this long: until then a second use
/// is noticed, after that they are unknown.
const FORGET_MS: i64 = 24 * 3_600_000;

/// One consent and everything that came of it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) client_id: String,
    pub(super) account_id: String,
    /// Separated by spaces.
    pub(super) scope: String,
    pub(super) alive: bool,
    touched_at: i64,
}

impl Family {
    pub(super) fn new(client_id: &str, account_id: &str, scope: &str, now: i64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            account_id: account_id.to_owned(),
            scope: scope.to_owned(),
            alive: true,
            touched_at: now,
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Access {
    family: String,
    /// Epoch milliseconds.
    expires_at: i64,
    revoked: bool,
}

#[derive(Clone, Serialize, Deserialize)]
struct Refresh {
    family: String,
    /// Epoch milliseconds of its one use.
    spent_at: Option<i64>,
}

/// An authorization code and what it is bound to (RFC 6749 section 4.1.3, RFC 7636 section 4.4).
#[derive(Clone)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) account_id: String,
    pub(super) expires_at: i64,
    /// The family made from it: set by its first use.
    pub(super) family: Option<String>,
}

/// A consent page that is open in somebody's browser.
#[derive(Clone)]
pub(super) struct PendingConsent {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) state: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) opened_at: i64,
}

/// What an access token stands for at the API.
pub(super) enum Presented {
    /// Accepted, for this family.
    Valid(Family),
    /// Known, and past its time.
    Expired,
    /// Withdrawn, or never issued.
    Unknown,
}

/// The persistent part.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    families: BTreeMap<String, Family>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
}

/// All grants. One mutex around it makes every step atomic.
pub(super) struct Grants {
    kept: Kept,
    codes: HashMap<String, Code>,
    consents: HashMap<String, PendingConsent>,
    file: Option<PathBuf>,
}

impl Grants {
    /// The grants on `file`; none where there is no such file.
    pub(super) fn load(file: Option<PathBuf>) -> anyhow::Result<Self> {
        let content = match &file {
            Some(path) => private_file::read(path)?,
            None => None,
        };
        let kept = match content {
            Some(content) => serde_json::from_slice(&content)
                .context("the provider's state file is not readable")?,
            None => Kept::default(),
        };
        Ok(Self {
            kept,
            codes: HashMap::new(),
            consents: HashMap::new(),
            file,
        })
    }

    /// Forgets what is long over and writes the file.
    pub(super) fn save(&mut self, now: i64) -> anyhow::Result<()> {
        let kept = &mut self.kept;
        kept.families
            .retain(|_, family| family.alive || family.touched_at + FORGET_MS > now);
        kept.access.retain(|_, access| {
            access.expires_at + FORGET_MS > now && kept.families.contains_key(&access.family)
        });
        kept.refresh.retain(|_, refresh| {
            let recent = refresh.spent_at.is_none_or(|at| at + FORGET_MS > now);
            recent && kept.families.contains_key(&refresh.family)
        });
        self.codes
            .retain(|_, code| code.expires_at + FORGET_MS > now);
        match &self.file {
            Some(file) => private_file::write(file, &serde_json::to_vec(&self.kept)?),
            None => Ok(()),
        }
    }

    /// Remembers a family; answers its id.
    pub(super) fn begin(&mut self, family: Family) -> anyhow::Result<String> {
        let id = random_value("")?;
        self.kept.families.insert(id.clone(), family);
        Ok(id)
    }

    pub(super) fn family(&self, id: &str) -> Option<&Family> {
        self.kept.families.get(id)
    }

    /// Ends a family: none of its tokens works any more. False if it had ended before.
    pub(super) fn end(&mut self, id: &str, now: i64) -> bool {
        match self.kept.families.get_mut(id) {
            Some(family) => {
                family.touched_at = now;
                std::mem::replace(&mut family.alive, false)
            }
            None => false,
        }
    }

    pub(super) fn add_access(&mut self, token: &str, family: &str, now: i64, seconds: u64) {
        let life = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let access = Access {
            family: family.to_owned(),
            expires_at: now.saturating_add(life),
            revoked: false,
        };
        self.kept.access.insert(sha256_base64url(token), access);
    }

    pub(super) fn add_refresh(&mut self, token: &str, family: &str, now: i64) {
        if let Some(family) = self.kept.families.get_mut(family) {
            family.touched_at = now;
        }
        let refresh = Refresh {
            family: family.to_owned(),
            spent_at: None,
        };
        self.kept.refresh.insert(sha256_base64url(token), refresh);
    }

    /// The family of a refresh token, and whether the token was used before.
    pub(super) fn refresh(&self, token: &str) -> Option<(String, bool)> {
        let refresh = self.kept.refresh.get(&sha256_base64url(token))?;
        Some((refresh.family.clone(), refresh.spent_at.is_some()))
    }

    pub(super) fn spend_refresh(&mut self, token: &str, now: i64) {
        if let Some(refresh) = self.kept.refresh.get_mut(&sha256_base64url(token)) {
            refresh.spent_at = Some(now);
        }
    }

    /// The family of an access token, whatever has become of either.
    pub(super) fn family_of_access(&self, token: &str) -> Option<String> {
        self.kept
            .access
            .get(&sha256_base64url(token))
            .map(|access| access.family.clone())
    }

    /// Withdraws one access token. False if it was withdrawn before.
    pub(super) fn revoke_one_access(&mut self, token: &str) -> bool {
        match self.kept.access.get_mut(&sha256_base64url(token)) {
            Some(access) => !std::mem::replace(&mut access.revoked, true),
            None => false,
        }
    }

    /// What the API makes of an access token.
    pub(super) fn present(&self, token: &str, now: i64) -> Presented {
        let Some(access) = self.kept.access.get(&sha256_base64url(token)) else {
            return Presented::Unknown;
        };
        match self.kept.families.get(&access.family) {
            Some(family) if family.alive && !access.revoked => {
                if access.expires_at > now {
                    Presented::Valid(family.clone())
                } else {
                    Presented::Expired
                }
            }
            _ => Presented::Unknown,
        }
    }

    pub(super) fn active_access(&self, now: i64) -> usize {
        let alive = |access: &&Access| {
            self.kept
                .families
                .get(&access.family)
                .is_some_and(|family| family.alive)
        };
        self.kept
            .access
            .values()
            .filter(|access| !access.revoked && access.expires_at > now)
            .filter(alive)
            .count()
    }

    pub(super) fn expire_access(&mut self, now: i64) {
        for access in self.kept.access.values_mut() {
            access.expires_at = access.expires_at.min(now);
        }
    }

    pub(super) fn revoke_access(&mut self) {
        for access in self.kept.access.values_mut() {
            access.revoked = true;
        }
    }

    pub(super) fn is_family_alive(&self, credential: &str) -> bool {
        let by_refresh = self.refresh(credential).map(|(family, _)| family);
        let family = by_refresh.or_else(|| self.family_of_access(credential));
        family
            .and_then(|id| self.family(&id))
            .is_some_and(|family| family.alive)
    }

    pub(super) fn add_code(&mut self, code: &str, bound: Code) {
        self.codes.insert(sha256_base64url(code), bound);
    }

    pub(super) fn code(&self, code: &str) -> Option<Code> {
        self.codes.get(&sha256_base64url(code)).cloned()
    }

    /// Marks a code as used for `family`; a second use is then seen as theft.
    pub(super) fn spend_code(&mut self, code: &str, family: &str) {
        if let Some(code) = self.codes.get_mut(&sha256_base64url(code)) {
            code.family = Some(family.to_owned());
        }
    }

    /// Forgets a code that was presented with a wrong proof.
    pub(super) fn burn_code(&mut self, code: &str) {
        self.codes.remove(&sha256_base64url(code));
    }

    /// Remembers an open consent page; answers its one-time id.
    pub(super) fn open_consent(&mut self, pending: PendingConsent) -> anyhow::Result<String> {
        let now = pending.opened_at;
        self.consents
            .retain(|_, open| open.opened_at + CONSENT_MS > now);
        if self.consents.len() >= CONSENT_LIMIT {
            self.consents.clear();
        }
        let id = random_value("")?;
        self.consents.insert(id.clone(), pending);
        Ok(id)
    }

    /// The open consent page `id`, once.
    pub(super) fn take_consent(&mut self, id: &str, now: i64) -> Option<PendingConsent> {
        self.consents
            .remove(id)
            .filter(|open| open.opened_at + CONSENT_MS > now)
    }
}
