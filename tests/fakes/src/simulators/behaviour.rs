//! PURE. What a family is: its rules as data, and functions for what is odd about it.

use axum::response::Response;
use serde_json::{Value, json};

use super::authorization::{self, Fault};
use super::book::{Grant, Pending};
use super::call::{Call, Params, answer};
use super::claim::Accepts;
use super::denial::Denial;
use super::desk::Desk;
use super::flow::Issued;

/// Which of a provider's doors a request knocks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    /// Where the browser is sent.
    Authorize,
    /// Where tokens come from, in exchange for anything.
    Token,
    /// Where tokens are given back.
    Revoke,
    /// The API, profiles included.
    Api,
}

/// PKCE (RFC 7636). `plain` is refused everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pkce {
    /// No challenge, no code.
    Required,
    /// Checked where a challenge was sent.
    Supported,
    /// A challenge is an error.
    Refused,
}

/// What becomes of a refresh token when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// There are none.
    None,
    /// It goes on, and the reply carries none.
    Reusable,
    /// It goes on, and the reply repeats it.
    Repeated,
    /// The reply carries another one, and the old one goes on.
    Renewed,
    /// The reply carries another one, and the old one is refused from then on.
    Replaced,
    /// As `Replaced`; presenting the old one again ends the grant.
    SingleUse,
}

/// A family as data.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// The provider's name, as people know it.
    pub(super) name: &'static str,
    /// What its tokens begin with.
    pub(super) prefix: &'static str,
    pub(super) pkce: Pkce,
    /// How confidential clients prove themselves.
    pub(super) client: Accepts,
    /// The characters that separate scopes in a request.
    pub(super) separators: &'static str,
    /// What is granted where no scope is asked for; empty: asking for none is an error.
    pub(super) default_scopes: &'static [&'static str],
    /// Whether the provider knows a scope.
    pub(super) known_scope: fn(&str) -> bool,
    /// Whether the person, not the app, is told about a wrong scope.
    pub(super) scope_fault_on_page: bool,
    /// Whether the person may leave out single scopes (`without` in the consent form).
    pub(super) granular: bool,
    pub(super) code_seconds: i64,
    /// Life of an access token; `None` has no end.
    pub(super) access_seconds: Option<i64>,
    pub(super) rotation: Rotation,
    /// Life of a refresh token from its issue (where it goes on: from its last use); `None` has no end.
    pub(super) idle_seconds: Option<i64>,
    /// Life of every refresh token from the consent; `None` has no end.
    pub(super) absolute_seconds: Option<i64>,
}

impl Rules {
    /// Where most agree.
    pub(super) const USUAL: Self = Self {
        name: "",
        prefix: "",
        pkce: Pkce::Supported,
        client: Accepts::Body,
        separators: " ",
        default_scopes: &[],
        known_scope: |_| false,
        scope_fault_on_page: false,
        granular: false,
        code_seconds: 600,
        access_seconds: Some(3_600),
        rotation: Rotation::SingleUse,
        idle_seconds: None,
        absolute_seconds: None,
    };
}

/// A family: data in [`Behaviour::rules`], oddities in the other methods. What has a default follows RFC 6749.
pub(super) trait Behaviour: Send + Sync {
    /// The family as data.
    fn rules(&self) -> &Rules;

    /// Whether this real host (lower case) is the family's.
    fn serves(&self, host: &str) -> bool;

    /// The door at `path` of `host`, whatever the method; `None` is answered 404.
    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint>;

    /// Checks an authorization request.
    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        authorization::authorize(desk, self.rules(), call)
    }

    /// What the provider appends to every address it redirects to.
    fn redirect_tail(&self, _pending: &Pending) -> &'static str {
        ""
    }

    /// Further parameters of the redirect that carries the code.
    fn redirect_extras(&self, _desk: &Desk, _pending: &Pending) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What a redirect carries instead of a code, for consents that are not about tokens.
    fn redirect_instead(&self, _pending: &Pending) -> Option<Vec<(&'static str, String)>> {
        None
    }

    /// Answers a token request: [`flow::respond`] where codes and refresh tokens are all there is.
    ///
    /// [`flow::respond`]: super::flow::respond
    fn token(&self, desk: &Desk, call: &Call) -> Response;

    /// The parameters of a token request, for the record of it.
    fn token_params(&self, call: &Call) -> Params {
        call.form_fields().unwrap_or_default()
    }

    /// Whether this grant comes with a refresh token.
    fn offline(&self, _desk: &Desk, _grant: &Grant) -> bool {
        true
    }

    /// Called when a code has become a grant, before tokens are issued.
    fn begun(&self, _desk: &Desk, _grant: &Grant) {}

    /// The reply that carries tokens.
    fn reply(&self, issued: &Issued) -> Value {
        issued.standard()
    }

    /// A refusal of the token or revocation endpoint, in the provider's words.
    fn deny(&self, denial: &Denial) -> Response {
        denial.standard()
    }

    /// Answers a revocation request. Called for paths that [`Behaviour::endpoint`] says are [`Endpoint::Revoke`].
    fn revoke(&self, _desk: &Desk, call: &Call) -> Response {
        self.not_found(call)
    }

    /// Answers an API request.
    fn api(&self, desk: &Desk, call: &Call) -> Response;

    /// 404, in the provider's words.
    fn not_found(&self, _call: &Call) -> Response {
        answer(404, &json!({ "error": "not_found" }))
    }
}
