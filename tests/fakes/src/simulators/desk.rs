//! One provider's state behind its lock: registered apps, the book of grants, the clock, and what was observed.
//!
//! Every method locks by itself and holds no lock when it returns.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::behaviour::Endpoint;
use super::book::{Access, Book, Ending, Grant, Refresh};
use super::denial::Denial;
use super::observed::Observed;
use super::{App, ServiceAccount};
use crate::held::held;
use crate::provider::script::Scripts;
use crate::provider::{Account, Clock};
use crate::random::{equal_in_constant_time, random_value};

/// What an access token stands for at an API.
pub(super) struct Caller {
    pub(super) account: Account,
    pub(super) grant: Grant,
    pub(super) access: Access,
}

/// Why an API turns a caller away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// No credential where it belongs.
    Missing,
    /// The token is past its time.
    Expired,
    /// The token was withdrawn, its grant has ended, or it was never issued.
    Unknown,
}

/// One provider.
pub(super) struct Desk {
    clock: Clock,
    apps: Mutex<Vec<App>>,
    services: Mutex<Vec<ServiceAccount>>,
    book: Mutex<Book>,
    notes: Mutex<HashMap<&'static str, String>>,
    pub(super) observed: Observed,
    pub(super) scripts: Scripts<Endpoint>,
}

impl Desk {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            apps: Mutex::default(),
            services: Mutex::default(),
            book: Mutex::default(),
            notes: Mutex::default(),
            observed: Observed::default(),
            scripts: Scripts::default(),
        }
    }

    /// Epoch milliseconds.
    pub(super) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// `seconds` from now, in epoch milliseconds.
    pub(super) fn after(&self, seconds: i64) -> i64 {
        self.now().saturating_add(seconds.saturating_mul(1_000))
    }

    /// The book itself, for steps that must be one. Call no other method of the desk while holding it.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        held(&self.book)
    }

    pub(super) fn register(&self, app: App) {
        let mut apps = held(&self.apps);
        apps.retain(|known| known.id != app.id);
        apps.push(app);
    }

    pub(super) fn register_service(&self, service: ServiceAccount) {
        let mut services = held(&self.services);
        services.retain(|known| known.id != service.id);
        services.push(service);
    }

    pub(super) fn app(&self, id: &str) -> Option<App> {
        held(&self.apps).iter().find(|app| app.id == id).cloned()
    }

    pub(super) fn service(&self, id: &str) -> Option<ServiceAccount> {
        held(&self.services)
            .iter()
            .find(|service| service.id == id)
            .cloned()
    }

    /// The service account with this secret, whatever its id.
    pub(super) fn service_with(&self, secret: &str) -> Option<ServiceAccount> {
        held(&self.services)
            .iter()
            .find(|service| equal_in_constant_time(&service.secret, secret))
            .cloned()
    }

    /// Remembers what a lever was set to.
    pub(super) fn set_note(&self, lever: &'static str, value: String) {
        held(&self.notes).insert(lever, value);
    }

    /// What a lever was last set to.
    pub(super) fn note(&self, lever: &str) -> Option<String> {
        held(&self.notes).get(lever).cloned()
    }

    /// A fresh credential, remembered for [`Family::issued_secrets`](super::Family::issued_secrets).
    pub(super) fn mint(&self, prefix: &str) -> Result<String, Denial> {
        let value = random_value(prefix).map_err(|_| Denial::Internal)?;
        self.observed.issue(&value);
        Ok(value)
    }

    /// Opens a grant that no consent page led to (a service account).
    pub(super) fn begin_service_grant(&self, grant: Grant) -> Grant {
        self.book().begin(grant)
    }

    pub(super) fn add_access(&self, token: &str, access: Access) {
        self.book().access.insert(token.to_owned(), access);
    }

    pub(super) fn add_refresh(&self, token: &str, refresh: Refresh) {
        self.book().refresh.insert(token.to_owned(), refresh);
    }

    /// The grant of any token of this provider, ended or not.
    pub(super) fn grant_of(&self, token: &str) -> Option<Grant> {
        self.book().grant_of(token)
    }

    /// Ends one grant by request; counts it if it stood.
    pub(super) fn revoke_grant(&self, grant: &Grant) {
        let now = self.now();
        let mut book = self.book();
        let stood = book.stands(grant, now);
        book.end(grant.id, Ending::Revoked);
        drop(book);
        if stood {
            self.observed.count(|seen| seen.revoked += 1);
        }
    }

    /// Withdraws one access token and leaves the rest of its grant. False if it is not a live one.
    pub(super) fn revoke_access(&self, token: &str) -> bool {
        let withdrawn = match self.book().access.get_mut(token) {
            Some(access) => !std::mem::replace(&mut access.revoked, true),
            None => false,
        };
        if withdrawn {
            self.observed.count(|seen| seen.revoked += 1);
        }
        withdrawn
    }

    /// What an API makes of an access token. Counts refusals.
    pub(super) fn present(&self, token: Option<&str>) -> Result<Caller, Stranger> {
        let outcome = self.look_up(token);
        if outcome.is_err() {
            self.count_unauthorized();
        }
        outcome
    }

    fn look_up(&self, token: Option<&str>) -> Result<Caller, Stranger> {
        let now = self.now();
        let token = token.ok_or(Stranger::Missing)?;
        let book = self.book();
        let access = book.access.get(token).ok_or(Stranger::Unknown)?;
        let grant = book.grants.get(&access.grant).ok_or(Stranger::Unknown)?;
        if access.revoked || grant.ending != Ending::None {
            return Err(Stranger::Unknown);
        }
        if access.expires_at.is_some_and(|end| end <= now) {
            return Err(Stranger::Expired);
        }
        Ok(Caller {
            account: grant.account,
            grant: grant.clone(),
            access: access.clone(),
        })
    }

    /// Counts an API call that is turned away for its credential, where [`Desk::present`] had accepted it.
    pub(super) fn count_unauthorized(&self) {
        self.observed.count(|seen| seen.api_unauthorized += 1);
    }

    pub(super) fn live_grants(&self) -> usize {
        let now = self.now();
        let book = self.book();
        book.grants
            .values()
            .filter(|grant| book.stands(grant, now))
            .count()
    }

    pub(super) fn revoke_grants(&self) {
        self.book().end_where(Ending::Revoked, |_| true);
    }

    pub(super) fn expire_access_tokens(&self) {
        let now = self.now();
        for access in self.book().access.values_mut() {
            access.expires_at = Some(access.expires_at.map_or(now, |end| end.min(now)));
        }
    }

    pub(super) fn revoke_access_tokens(&self) {
        for access in self.book().access.values_mut() {
            access.revoked = true;
        }
    }
}
