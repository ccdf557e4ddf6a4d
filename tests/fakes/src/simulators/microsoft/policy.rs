//! Policies of a tenant as levers: what Conditional Access refuses, which app must name its scopes, when an API asks for
//! another sign-in. What asks for a newer sign-in is satisfied by a consent that comes after it.
//!
//! Sources: Microsoft Entra "Authentication and authorization error codes", "Continuous access evaluation", "Claims
//! challenges"; Azure/azure-cli issue 23822 (the reply to 70043).

use super::errors::Refusal;
use crate::simulators::Family;
use crate::simulators::book::Grant;
use crate::simulators::desk::Desk;
use crate::simulators::levers;

/// The latest grant that is too old for each policy, or `always`.
const SIGN_IN_FREQUENCY: &str = "microsoft: too old for the sign-in frequency";
const MULTI_FACTOR: &str = "microsoft: too old for multi-factor authentication";
const BLOCKED: &str = "microsoft: blocked";
const CHALLENGED: &str = "microsoft: challenged at the API";
/// The app that must name its scopes on refresh.
const EXACTING_APP: &str = "microsoft: app that must name its scopes on refresh";

/// What a Conditional Access policy finds wrong with a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalAccess {
    /// It is longer ago than the sign-in frequency allows (AADSTS70043).
    SignInFrequency,
    /// Its second factor is too old (AADSTS50078).
    MultiFactor,
    /// Nothing: from here nobody gets a token, however new the sign-in (AADSTS53003).
    Blocked,
}

impl Family {
    /// Microsoft: a policy that every sign-in so far falls short of.
    pub fn set_conditional_access(&self, policy: ConditionalAccess) {
        let lever = match policy {
            ConditionalAccess::SignInFrequency => SIGN_IN_FREQUENCY,
            ConditionalAccess::MultiFactor => MULTI_FACTOR,
            ConditionalAccess::Blocked => BLOCKED,
        };
        self.outdate(lever);
    }

    /// Microsoft: tokens of every sign-in so far are answered 401 with `claims`, freshly renewed ones included.
    pub fn challenge_for_claims(&self) {
        self.outdate(CHALLENGED);
    }

    /// Microsoft: this app's set-up answers AADSTS90009 to a refresh without `scope`.
    pub fn require_scope_on_refresh(&self, app: &str) {
        levers::set(&self.desk, EXACTING_APP, app.to_owned());
    }

    fn outdate(&self, lever: &'static str) {
        let latest = self.desk.book().latest_grant();
        levers::set(&self.desk, lever, latest.to_string());
    }
}

fn is_outdated(desk: &Desk, lever: &str, grant: &Grant) -> bool {
    let latest: Option<u64> = levers::get(desk, lever).and_then(|id| id.parse().ok());
    latest.is_some_and(|latest| grant.id <= latest)
}

/// Whether tokens may be issued at all.
pub(super) fn admit(desk: &Desk) -> Result<(), Refusal> {
    match levers::get(desk, BLOCKED) {
        Some(_) => Err(Refusal::policy(ConditionalAccess::Blocked)),
        None => Ok(()),
    }
}

/// Whether the sign-in behind a refresh token is still good enough.
pub(super) fn admit_refresh(desk: &Desk, grant: &Grant) -> Result<(), Refusal> {
    for (lever, policy) in [
        (SIGN_IN_FREQUENCY, ConditionalAccess::SignInFrequency),
        (MULTI_FACTOR, ConditionalAccess::MultiFactor),
    ] {
        if is_outdated(desk, lever, grant) {
            return Err(Refusal::policy(policy));
        }
    }
    Ok(())
}

/// Whether an API asks for a newer sign-in than the one behind a token.
pub(super) fn is_challenged(desk: &Desk, grant: &Grant) -> bool {
    is_outdated(desk, CHALLENGED, grant)
}

/// Whether `app` must name its scopes on refresh.
pub(super) fn is_exacting(desk: &Desk, app: &str) -> bool {
    levers::get(desk, EXACTING_APP).as_deref() == Some(app)
}
