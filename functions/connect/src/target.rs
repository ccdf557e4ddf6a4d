//! The authentication a widget route names and the caller who names it: the argument of every handler under
//! `/v1/widgets/{widget}/connections/{auth_key}`.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, Path};
use consulate_core::caller::{Caller, WidgetCaller};
use consulate_core::definition::{Authentication, OwnerMode, Passport};
use consulate_core::flow::Ask;
use consulate_core::log::Fields;
use consulate_core::owner::OwnerKey;
use consulate_core::problem::{Code, Problem, Reason};
use consulate_core::table::ConnectionKey;
use http::request::Parts;

use crate::State;

/// A verified caller at one authentication of the widget.
pub(crate) struct Target {
    /// Who calls which widget.
    pub(crate) who: WidgetCaller,
    /// The authentication named in the path.
    pub(crate) authentication: Authentication,
    /// Of the passport, once it was read: for the log line.
    provider: OnceLock<String>,
}

impl FromRequestParts<State> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let who = WidgetCaller::from_request_parts(parts, state).await?;
        let Path((_, auth_key)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| {
                Problem::new(Code::RequestMalformed, "The path cannot be read.").field("path")
            })?;
        Self::of(who, &auth_key)
    }
}

impl Target {
    /// The authentication `auth_key` of the widget that `who` calls.
    pub(crate) fn of(who: WidgetCaller, auth_key: &str) -> Result<Self, Problem> {
        let authentication = who.widget.authentication(auth_key).cloned();
        let authentication = authentication.ok_or_else(|| {
            let detail = "The widget has no authentication of that key.";
            Problem::new(Code::AuthenticationUnknown, detail).field("auth_key")
        })?;
        Ok(Self {
            who,
            authentication,
            provider: OnceLock::new(),
        })
    }
}

/// A verified caller who is about to change something at one authentication: the argument of every handler that does. Where
/// the host's JWTs change something once only, this one is used up now, whatever becomes of the request.
pub(crate) struct Change(pub(crate) Target);

impl FromRequestParts<State> for Change {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let target = Target::from_request_parts(parts, state).await?;
        state.callers.use_up(&target.who).await?;
        Ok(Self(target))
    }
}

impl Target {
    /// Refuses callers who may not connect, replace or disconnect this authentication's connection.
    pub(crate) fn may_change(&self) -> Result<(), Problem> {
        if self.who.may_change(self.authentication.owner) {
            return Ok(());
        }
        let detail =
            "Only an administrator of the organisation may connect or disconnect this account.";
        Err(Problem::new(Code::CallerForbidden, detail).field("auth_key"))
    }

    /// The passport it is bound to; 424 `not_bound` until an operator binds one.
    pub(crate) async fn passport(&self, state: &State) -> Result<Arc<Passport>, Problem> {
        let bound = self.bound(state).await?;
        bound.ok_or_else(|| self.authentication_required(Reason::NotBound))
    }

    /// The passport it is bound to, if it is.
    pub(crate) async fn bound(&self, state: &State) -> Result<Option<Arc<Passport>>, Problem> {
        let bound = bound_passport(state, &self.authentication).await?;
        if let Some(passport) = &bound {
            // A handler may read it twice; it is the same one.
            let _same = self.provider.set(passport.provider.clone());
        }
        Ok(bound)
    }

    /// 424 for this authentication.
    pub(crate) fn authentication_required(&self, reason: Reason) -> Problem {
        Problem::authentication_required(reason, &self.who.widget.id, &self.authentication.auth_key)
    }

    /// Refuses to send anybody to a provider that has no consent page.
    pub(crate) fn is_consented(&self, passport: &Passport) -> Result<(), Problem> {
        if passport.credential.is_consented() {
            return Ok(());
        }
        let (widget, auth_key) = (&self.who.widget.id, &self.authentication.auth_key);
        let detail = "This account is connected by typing a credential: PUT it to the connection.";
        Err(Problem::new(Code::RequestInvalid, detail)
            .field("auth_key")
            .connect_by_typing(widget, auth_key))
    }

    /// The caller's connection by `passport`.
    pub(crate) fn connection_key(&self, passport: &Passport) -> ConnectionKey {
        connection_key(&self.who.caller, self.authentication.owner, passport)
    }

    /// What every log line about it says, once it was handled.
    pub(crate) fn fields(&self) -> Fields {
        let owner = OwnerKey::of(&self.who.caller, self.authentication.owner);
        Fields::new()
            .with("auth_key", &self.authentication.auth_key)
            .with("passport", &self.authentication.passport)
            .with("provider", self.provider.get())
            .with("owner", owner.as_str())
    }
}

/// The passport `authentication` is bound to; `None` when it is not, or the passport is gone.
pub(crate) async fn bound_passport(
    state: &State,
    authentication: &Authentication,
) -> Result<Option<Arc<Passport>>, Problem> {
    match &authentication.passport {
        Some(id) => Ok(state.definitions.passport(id).await?),
        None => Ok(None),
    }
}

/// The connection `caller` has by `passport`.
pub(crate) fn connection_key(
    caller: &Caller,
    owner: OwnerMode,
    passport: &Passport,
) -> ConnectionKey {
    ConnectionKey::new(&passport.id, OwnerKey::of(caller, owner))
}

/// Whether `caller` is the one who asked.
pub(crate) fn asked_by(ask: &Ask, caller: &Caller) -> bool {
    ask.host == caller.host && ask.organisation == caller.organisation && ask.user == caller.user
}
