//! What a simulator observed: counters, token requests without their credentials, and every credential issued.

use std::sync::Mutex;

use super::call::Params;
use super::claim::{Claim, Style};
use crate::held::held;
use crate::provider::Seen;

/// Lists stop growing here, for a `consulate dev` that runs for weeks; counters go on.
const LIST_LIMIT: usize = 50_000;

/// How a token request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A scripted reply stood in the way, or the provider is still at it.
    Unprocessed,
    /// Tokens were issued.
    Granted,
    /// Refused, with the provider's own error code.
    Refused(String),
}

/// One request to a token endpoint: how it was made, not what it proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// `grant_type`; empty where missing.
    pub grant_type: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The style of client authentication that arrived, whatever the provider wants.
    pub client_authentication: Style,
    /// The client id, from wherever it came.
    pub client_id: Option<String>,
    /// Whether a PKCE verifier came along.
    pub has_verifier: bool,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// The real host that was asked.
    pub host: String,
    /// The path at that host.
    pub path: String,
    /// Names of the parameters, sorted.
    pub fields: Vec<String>,
}

impl TokenRequest {
    pub(super) fn of(host: &str, path: &str, params: &Params, claim: &Claim) -> Self {
        let own = |name: &str| params.get(name).map(str::to_owned);
        Self {
            grant_type: own("grant_type").unwrap_or_default(),
            outcome: Outcome::Unprocessed,
            client_authentication: claim.style,
            client_id: claim.client_id.clone(),
            has_verifier: params.get("code_verifier").is_some(),
            redirect_uri: own("redirect_uri"),
            scope: own("scope"),
            host: host.to_owned(),
            path: path.to_owned(),
            fields: params.names(),
        }
    }
}

#[derive(Default)]
pub(super) struct Observed {
    seen: Mutex<Seen>,
    requests: Mutex<Vec<TokenRequest>>,
    issued: Mutex<Vec<String>>,
    under_way: Mutex<u64>,
}

impl Observed {
    pub(super) fn seen(&self) -> Seen {
        held(&self.seen).clone()
    }

    pub(super) fn token_requests(&self) -> Vec<TokenRequest> {
        held(&self.requests).clone()
    }

    pub(super) fn issued(&self) -> Vec<String> {
        held(&self.issued).clone()
    }

    pub(super) fn count(&self, step: impl FnOnce(&mut Seen)) {
        step(&mut held(&self.seen));
    }

    pub(super) fn issue(&self, credential: &str) {
        let mut issued = held(&self.issued);
        if issued.len() < LIST_LIMIT {
            issued.push(credential.to_owned());
        }
    }

    /// Notes a token request; the number is for [`Observed::conclude`].
    pub(super) fn token_request(&self, request: TokenRequest) -> usize {
        self.count(|seen| {
            *seen
                .token_by_grant
                .entry(request.grant_type.clone())
                .or_default() += 1;
        });
        let mut requests = held(&self.requests);
        let number = requests.len();
        if number < LIST_LIMIT {
            requests.push(request);
        }
        number
    }

    /// Notes what came of a token request.
    pub(super) fn conclude(&self, number: usize, outcome: Outcome) {
        if let Some(request) = held(&self.requests).get_mut(number) {
            request.outcome = outcome;
        }
    }

    /// Counts a token request as under way until the answer is dropped.
    pub(super) fn enter_token_call(&self) -> InTokenCall<'_> {
        let mut under_way = held(&self.under_way);
        *under_way += 1;
        let now = *under_way;
        self.count(|seen| {
            seen.max_concurrent_token_calls = seen.max_concurrent_token_calls.max(now);
        });
        InTokenCall(self)
    }
}

/// A token request under way.
pub(super) struct InTokenCall<'a>(&'a Observed);

impl Drop for InTokenCall<'_> {
    fn drop(&mut self) {
        *held(&self.0.under_way) -= 1;
    }
}
