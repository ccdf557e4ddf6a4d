//! PURE. What one provider remembers: open consent pages, codes, grants and their tokens. Time comes in as an argument.

use std::collections::{BTreeMap, HashMap};

use super::call::Params;
use crate::provider::Account;

/// A consent page may stay open this long.
const CONSENT_MS: i64 = 10 * 60_000;
/// Beyond this many, what is dead is forgotten: a simulator may run for weeks.
const LIST_LIMIT: usize = 10_000;

/// Whether a grant stands, and what ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It stands.
    None,
    /// Revoked by request.
    Revoked,
    /// A code or a single-use refresh token came back.
    Reused,
    /// A newer authorization took its place.
    Superseded,
    /// Whoever consented has no account any more.
    UserGone,
    /// An administrator disabled the app.
    AppDisabled,
}

/// An authorization request that passed every check.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) scopes: Vec<String>,
    /// The provider's host that was asked.
    pub(super) host: String,
    /// Its path.
    pub(super) path: String,
    /// Every parameter of the request.
    pub(super) asked: Params,
    pub(super) opened_at: i64,
}

/// An authorization code and what it is bound to.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) pending: Pending,
    pub(super) account: Account,
    pub(super) expires_at: i64,
    /// The grant made from it: set by its first use.
    pub(super) grant: Option<u64>,
}

/// One consent and everything that came of it.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) id: u64,
    pub(super) client_id: String,
    pub(super) account: Account,
    pub(super) scopes: Vec<String>,
    pub(super) host: String,
    /// The parameters of the authorization request; none for a grant without one.
    pub(super) asked: Params,
    pub(super) begun_at: i64,
    pub(super) ending: Ending,
}

/// An access token.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) grant: u64,
    /// Which of several tokens of one grant this is (Slack: `bot`, `user`); empty elsewhere.
    pub(super) slot: &'static str,
    /// The resource it was made for; empty where a provider has only one.
    pub(super) audience: String,
    pub(super) scopes: Vec<String>,
    pub(super) issued_at: i64,
    /// Epoch milliseconds; `None` never ends by itself.
    pub(super) expires_at: Option<i64>,
    pub(super) revoked: bool,
}

/// A refresh token.
#[derive(Clone)]
pub(super) struct Refresh {
    pub(super) grant: u64,
    pub(super) slot: &'static str,
    /// Epoch milliseconds; `None` never ends by itself.
    pub(super) expires_at: Option<i64>,
    pub(super) spent: bool,
}

/// Everything one provider remembers.
#[derive(Default)]
pub(super) struct Book {
    pub(super) consents: HashMap<String, Pending>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) grants: BTreeMap<u64, Grant>,
    pub(super) access: HashMap<String, Access>,
    pub(super) refresh: HashMap<String, Refresh>,
    last_grant: u64,
}

impl Book {
    pub(super) fn open_consent(&mut self, id: String, pending: Pending) {
        let now = pending.opened_at;
        self.consents
            .retain(|_, open| open.opened_at.saturating_add(CONSENT_MS) > now);
        if self.consents.len() < LIST_LIMIT {
            self.consents.insert(id, pending);
        }
    }

    /// The open consent page `id`, once.
    pub(super) fn take_consent(&mut self, id: &str, now: i64) -> Option<Pending> {
        self.consents
            .remove(id)
            .filter(|open| open.opened_at.saturating_add(CONSENT_MS) > now)
    }

    /// Opens a grant; its id is set here.
    pub(super) fn begin(&mut self, mut grant: Grant) -> Grant {
        self.sweep(grant.begun_at);
        self.last_grant += 1;
        grant.id = self.last_grant;
        self.grants.insert(grant.id, grant.clone());
        grant
    }

    pub(super) fn end(&mut self, grant: u64, ending: Ending) {
        if let Some(grant) = self.grants.get_mut(&grant)
            && grant.ending == Ending::None
        {
            grant.ending = ending;
        }
    }

    /// Ends every grant of this client and person but `except`.
    pub(super) fn end_all(
        &mut self,
        client_id: &str,
        account: Account,
        except: Option<u64>,
        ending: Ending,
    ) {
        let theirs = self.grants.values_mut().filter(|grant| {
            grant.client_id == client_id && grant.account == account && Some(grant.id) != except
        });
        for grant in theirs {
            if grant.ending == Ending::None {
                grant.ending = ending;
            }
        }
    }

    /// Ends every grant that stands and `is_meant`.
    pub(super) fn end_where(&mut self, ending: Ending, is_meant: impl Fn(&Grant) -> bool) {
        for grant in self.grants.values_mut() {
            if grant.ending == Ending::None && is_meant(grant) {
                grant.ending = ending;
            }
        }
    }

    /// The id of the latest grant; 0 before the first.
    pub(super) fn latest_grant(&self) -> u64 {
        self.last_grant
    }

    /// The grant that a token (access or refresh, dead ones included) belongs to, ended or not.
    pub(super) fn grant_of(&self, token: &str) -> Option<Grant> {
        let by_access = self.access.get(token).map(|access| access.grant);
        let by_refresh = || self.refresh.get(token).map(|refresh| refresh.grant);
        let grant = by_access.or_else(by_refresh)?;
        self.grants.get(&grant).cloned()
    }

    /// Whether `grant` still has a token that works now.
    pub(super) fn stands(&self, grant: &Grant, now: i64) -> bool {
        let in_time = |expires_at: Option<i64>| expires_at.is_none_or(|end| end > now);
        let access = || {
            self.access.values().any(|access| {
                access.grant == grant.id && !access.revoked && in_time(access.expires_at)
            })
        };
        let refresh = || {
            self.refresh.values().any(|refresh| {
                refresh.grant == grant.id && !refresh.spent && in_time(refresh.expires_at)
            })
        };
        grant.ending == Ending::None && (refresh() || access())
    }

    /// Forgets what no longer matters once there is a lot of it.
    fn sweep(&mut self, now: i64) {
        if self.access.len() + self.refresh.len() + self.codes.len() < LIST_LIMIT {
            return;
        }
        let dead = |expires_at: Option<i64>| expires_at.is_some_and(|end| end <= now);
        self.access.retain(|_, access| !dead(access.expires_at));
        self.codes.retain(|_, code| code.expires_at > now);
        self.refresh.retain(|_, refresh| !refresh.spent);
    }
}
