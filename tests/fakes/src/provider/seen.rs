//! What the provider observed: counters, token requests without their credentials, and every credential issued.
//!
//! The issued credentials are kept in memory only, for tests that search outputs for them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::HeaderMap;

use super::client_authentication::Attempt;
use super::params::Params;
use crate::held::held;

/// Lists stop growing here, for a `consulate dev` that runs for weeks; counters go on.
const LIST_LIMIT: usize = 50_000;

/// Counters since the provider was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `GET /authorize`, refused ones included.
    pub authorize: u64,
    /// Consents given.
    pub allowed: u64,
    /// Consents denied.
    pub denied: u64,
    /// `/token` requests by `grant_type`, refused and scripted ones included.
    pub token_by_grant: BTreeMap<String, u64>,
    /// Codes exchanged for tokens.
    pub exchanges: u64,
    /// Refresh tokens accepted.
    pub refreshes: u64,
    /// Used codes and used refresh tokens presented again; the first time ends the family.
    pub reuse_detected: u64,
    /// Families that were alive and that such a reuse ended.
    pub families_ended: u64,
    /// `/revoke` requests.
    pub revoke_calls: u64,
    /// Tokens that were live and were revoked by request.
    pub revoked: u64,
    /// Requests below `/api`, refused ones included.
    pub api_calls: u64,
    /// Requests below `/api` answered 401.
    pub api_unauthorized: u64,
    /// The most `/token` requests that were ever under way at once.
    pub max_concurrent_token_calls: u64,
}

/// One `/token` request: how it was made, not what it proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// `grant_type`; empty where missing.
    pub grant_type: String,
    /// The style of client authentication that arrived, whatever the client is configured for.
    pub client_authentication: Attempt,
    /// The client id, from wherever it came.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// Names of the form fields that had a value, sorted.
    pub fields: Vec<String>,
    /// Headers, lower-case names; `authorization` holds its scheme only.
    pub headers: Vec<(String, String)>,
}

impl TokenRequest {
    pub(super) fn of(
        headers: &HeaderMap,
        params: &Params,
        attempt: Attempt,
        client_id: Option<String>,
    ) -> Self {
        let shown = headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = if name == "authorization" {
                value.split(' ').next().unwrap_or("")
            } else {
                &*value
            };
            (name.to_string(), value.to_owned())
        });
        let own = |name: &str| params.get(name).map(str::to_owned);
        Self {
            grant_type: own("grant_type").unwrap_or_default(),
            client_authentication: attempt,
            client_id,
            redirect_uri: own("redirect_uri"),
            scope: own("scope"),
            fields: params.names(),
            headers: shown.collect(),
        }
    }
}

#[derive(Default)]
pub(super) struct Observations {
    seen: Mutex<Seen>,
    token_requests: Mutex<Vec<TokenRequest>>,
    issued: Mutex<Vec<String>>,
    token_calls: Mutex<u64>,
}

impl Observations {
    pub(super) fn seen(&self) -> Seen {
        held(&self.seen).clone()
    }

    pub(super) fn token_requests(&self) -> Vec<TokenRequest> {
        held(&self.token_requests).clone()
    }

    pub(super) fn issued(&self) -> Vec<String> {
        held(&self.issued).clone()
    }

    pub(super) fn count(&self, step: impl FnOnce(&mut Seen)) {
        step(&mut held(&self.seen));
    }

    pub(super) fn issue(&self, credential: &str) {
        push(&self.issued, credential.to_owned());
    }

    pub(super) fn token_request(&self, request: TokenRequest) {
        self.count(|seen| {
            *seen
                .token_by_grant
                .entry(request.grant_type.clone())
                .or_default() += 1
        });
        push(&self.token_requests, request);
    }

    /// Counts a `/token` request as under way until the answer is dropped.
    pub(super) fn enter_token_call(&self) -> InTokenCall<'_> {
        let mut under_way = held(&self.token_calls);
        *under_way += 1;
        let now = *under_way;
        self.count(|seen| {
            seen.max_concurrent_token_calls = seen.max_concurrent_token_calls.max(now)
        });
        InTokenCall(self)
    }
}

/// A `/token` request under way.
pub(super) struct InTokenCall<'a>(&'a Observations);

impl Drop for InTokenCall<'_> {
    fn drop(&mut self) {
        *held(&self.0.token_calls) -= 1;
    }
}

fn push<T>(list: &Mutex<Vec<T>>, entry: T) {
    let mut list = held(list);
    if list.len() < LIST_LIMIT {
        list.push(entry);
    }
}
