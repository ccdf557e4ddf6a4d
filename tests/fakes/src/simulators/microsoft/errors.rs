//! PURE. Errors of Microsoft's token endpoint: an OAuth code, an AADSTS number, and `error_codes[]`.

use axum::response::Response;
use serde_json::json;

use super::policy::ConditionalAccess;
use crate::simulators::book::Ending;
use crate::simulators::call::answer;
use crate::simulators::denial::Denial;

/// A refusal with its AADSTS number.
pub(super) struct Refusal {
    status: u16,
    pub(super) error: &'static str,
    number: u32,
    text: String,
    suberror: Option<&'static str>,
    /// What a sign-in that satisfies the policy would have to ask for.
    claims: Option<&'static str>,
}

/// The claims that an unmet policy asks for.
pub(super) const CLAIMS: &str = r#"{"access_token":{"capolids":{"essential":true,"values":["00000000-0000-4000-8000-000000000003"]}}}"#;

impl Refusal {
    fn new(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self {
            status,
            error,
            number,
            text: text.into(),
            suberror: None,
            claims: None,
        }
    }

    /// `AADSTS<number>: …`.
    pub(super) fn description(&self) -> String {
        format!("AADSTS{}: {}", self.number, self.text)
    }

    /// A policy of the tenant is not met.
    pub(super) fn policy(policy: ConditionalAccess) -> Self {
        let (number, text, suberror, claims) = match policy {
            ConditionalAccess::SignInFrequency => (
                70_043,
                "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
                "token_expired",
                None,
            ),
            ConditionalAccess::MultiFactor => (
                50_078,
                "Presented multi-factor authentication has expired due to policies configured by your administrator, \
                 you must refresh your multi-factor authentication to access the resource.",
                "basic_action",
                Some(CLAIMS),
            ),
            ConditionalAccess::Blocked => (
                53_003,
                "Access has been blocked by Conditional Access policies. The access policy does not allow token \
                 issuance.",
                "message_only",
                Some(CLAIMS),
            ),
        };
        Self {
            suberror: Some(suberror),
            claims,
            ..Self::new(400, "invalid_grant", number, text)
        }
    }

    pub(super) fn scope_missing() -> Self {
        let text = "Application is requesting a token for itself. This scenario is supported only if resource is \
                    specified using the GUID based App Identifier.";
        Self::new(400, "invalid_request", 90_009, text)
    }

    pub(super) fn secret_missing() -> Self {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        Self::new(401, "invalid_client", 7_000_218, text)
    }

    pub(super) fn public_with_secret() -> Self {
        let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        Self::new(401, "invalid_client", 700_025, text)
    }

    pub(super) fn default_mixed(scope: &str) -> Self {
        let text = format!(
            "The provided value for the input parameter 'scope' is not valid. .default scope can't be combined with \
             resource-specific scopes: {scope}."
        );
        Self::new(400, "invalid_scope", 70_011, text)
    }

    pub(super) fn two_resources(scope: &str) -> Self {
        let text = format!(
            "Provided value for the input parameter scope is not valid because it contains more than one resource. \
             Scope {scope} is not valid."
        );
        Self::new(400, "invalid_request", 28_000, text)
    }

    pub(super) fn not_consented(scope: &str) -> Self {
        let text = format!(
            "The user or administrator has not consented to use the application: {scope}. Send an interactive \
             authorization request for this user and resource."
        );
        Self {
            suberror: Some("consent_required"),
            ..Self::new(400, "invalid_grant", 65_001, text)
        }
    }

    pub(super) fn unknown_scope(scope: &str) -> Self {
        let text = format!(
            "The application asked for scope '{scope}' that doesn't exist on the resource. Contact the app vendor."
        );
        Self::new(400, "invalid_client", 650_053, text)
    }

    pub(super) fn unknown_resource(scope: &str) -> Self {
        let text = format!("The resource principal of '{scope}' was not found in the tenant.");
        Self::new(400, "invalid_resource", 500_011, text)
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        let (status, error, number) = match &denial {
            Denial::UnknownClient => (400, "unauthorized_client", 700_016),
            Denial::WrongSecret | Denial::WrongStyle => (401, "invalid_client", 7_000_215),
            Denial::UnknownCode => (400, "invalid_grant", 70_000),
            Denial::ExpiredCode => (400, "invalid_grant", 70_008),
            Denial::UsedCode => (400, "invalid_grant", 54_005),
            Denial::WrongRedirect => (400, "invalid_client", 500_112),
            Denial::WrongVerifier => (400, "invalid_grant", 501_481),
            Denial::UnknownRefresh => (400, "invalid_grant", 70_000),
            Denial::ExpiredRefresh => (400, "invalid_grant", 700_082),
            Denial::Ended(Ending::Revoked) => (400, "invalid_grant", 50_173),
            Denial::Ended(_) | Denial::UsedRefresh => (400, "invalid_grant", 70_000),
            Denial::UnsupportedGrant => (400, "unsupported_grant_type", 70_003),
            Denial::Scope(_) => (400, "invalid_scope", 70_011),
            Denial::Internal => (500, "server_error", 90_033),
            Denial::Method
            | Denial::NotAForm
            | Denial::InUrl
            | Denial::Repeated(_)
            | Denial::Missing(_) => (400, "invalid_request", 900_144),
        };
        let text = match &denial {
            Denial::Missing(name) => {
                format!("The request body must contain the following parameter: '{name}'.")
            }
            Denial::ExpiredRefresh => {
                "The refresh token has expired due to inactivity, or the session is over."
                    .to_owned()
            }
            other => other.text(),
        };
        Self::new(status, error, number, text)
    }
}

/// The answer to a token request that is refused at `now` (epoch milliseconds).
pub(super) fn refuse(now: i64, refusal: &Refusal) -> Response {
    const TRACE: &str = "00000000-0000-4000-8000-000000000001";
    let mut body = json!({
        "error": refusal.error,
        "error_description": format!(
            "{} Trace ID: {TRACE} Correlation ID: {TRACE} Timestamp: {now}",
            refusal.description()
        ),
        "error_codes": [refusal.number],
        "timestamp": now.to_string(),
        "trace_id": TRACE,
        "correlation_id": TRACE,
        "error_uri": format!("https://login.microsoftonline.com/error?code={}", refusal.number),
    });
    if let (Some(suberror), Some(body)) = (refusal.suberror, body.as_object_mut()) {
        body.insert("suberror".to_owned(), suberror.into());
    }
    if let (Some(claims), Some(body)) = (refusal.claims, body.as_object_mut()) {
        body.insert("claims".to_owned(), claims.into());
    }
    answer(refusal.status, &body)
}
