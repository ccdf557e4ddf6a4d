//! Google. Refresh tokens with the first consent only, scopes that people may leave out, one fate per user and app.
//!
//! Sources: Google Identity "Using OAuth 2.0 for Web Server Applications" and "OpenID Connect"; Calendar, Drive and Meet
//! API references.

mod apis;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::Family;
use super::authorization::{self, Fault};
use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::{Ending, Grant, Pending};
use super::call::{Call, answer};
use super::claim::Accepts;
use super::denial::Denial;
use super::desk::{Desk, Stranger};
use super::flow::{self, Issued};
use super::levers;

/// Google.
pub(super) struct Google;

const DAY: i64 = 86_400;
/// Beyond this many live refresh tokens of one user and app, the oldest dies without a word.
const LIVE_GRANTS: usize = 100;
/// After how many seconds a person has to sign in again, by the rule of their Workspace.
const SESSION_SECONDS: &str = "google: session seconds";
/// What is granted to an app whose consent screen is in testing ends after seven days.
const TESTING: &str = "google: consent screen in testing";

const RULES: Rules = Rules {
    name: "Google",
    prefix: "google-",
    client: Accepts::Either,
    known_scope,
    scope_fault_on_page: true,
    granular: true,
    rotation: Rotation::Reusable,
    idle_seconds: Some(182 * DAY),
    ..Rules::USUAL
};

fn known_scope(scope: &str) -> bool {
    const API: [&str; 17] = [
        "userinfo.email",
        "userinfo.profile",
        "calendar",
        "calendar.readonly",
        "calendar.events",
        "calendar.events.readonly",
        "calendar.calendarlist.readonly",
        "calendar.freebusy",
        "drive",
        "drive.file",
        "drive.readonly",
        "drive.metadata.readonly",
        "meetings.space.created",
        "meetings.space.readonly",
        "gmail.readonly",
        "gmail.send",
        "gmail.modify",
    ];
    matches!(scope, "openid" | "email" | "profile" | FULL_MAIL)
        || scope
            .strip_prefix("https://www.googleapis.com/auth/")
            .is_some_and(|name| API.contains(&name))
}

/// Gmail as a whole, the one scope of another form.
const FULL_MAIL: &str = "https://mail.google.com/";

fn is_of_mail(scope: &str) -> bool {
    scope == FULL_MAIL || scope.starts_with("https://www.googleapis.com/auth/gmail.")
}

/// `email` and `profile` are granted under their full names.
fn full_name(scope: &str) -> String {
    match scope {
        "email" | "profile" => format!("https://www.googleapis.com/auth/userinfo.{scope}"),
        other => other.to_owned(),
    }
}

impl Family {
    /// Google: the app's consent screen is in *Testing*; refresh tokens issued from now on die after seven days.
    pub fn set_testing_mode(&self) {
        levers::set(&self.desk, TESTING, String::new());
    }

    /// Google: an administrator limits sessions; this long after a consent, its refresh token is refused (`invalid_rapt`)
    /// until the person signs in again.
    pub fn limit_sessions(&self, seconds: i64) {
        levers::set(&self.desk, SESSION_SECONDS, seconds.to_string());
    }

    /// Google: this person changed their password. What holds a scope of Gmail ends, everything else goes on.
    pub fn change_password(&self, account: &str) {
        self.desk.book().end_where(Ending::Revoked, |grant| {
            grant.account.id == account && grant.scopes.iter().any(|scope| is_of_mail(scope))
        });
    }
}

fn rules(desk: &Desk) -> Rules {
    let mut rules = levers::adjusted(desk, &RULES);
    if levers::get(desk, TESTING).is_some() {
        rules.absolute_seconds = Some(7 * DAY);
    }
    rules
}

impl Behaviour for Google {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        matches!(
            host,
            "accounts.google.com"
                | "oauth2.googleapis.com"
                | "openidconnect.googleapis.com"
                | "www.googleapis.com"
                | "meet.googleapis.com"
        )
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        match (host, path) {
            ("accounts.google.com", "/o/oauth2/v2/auth") => Some(Endpoint::Authorize),
            ("oauth2.googleapis.com", "/token") => Some(Endpoint::Token),
            ("oauth2.googleapis.com", "/revoke") => Some(Endpoint::Revoke),
            ("openidconnect.googleapis.com", "/v1/userinfo") => Some(Endpoint::Api),
            ("www.googleapis.com" | "meet.googleapis.com", _) => Some(Endpoint::Api),
            _ => None,
        }
    }

    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        let pending = authorization::authorize(desk, &RULES, call)?;
        match pending.asked.get("access_type") {
            None | Some("online" | "offline") => Ok(pending),
            Some(other) => Err(Fault::page(format!(
                "Error 400: invalid_request. Invalid parameter value for access_type: {other}"
            ))),
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match issue(desk, call) {
            Ok(issued) => answer(200, &reply(desk, &issued)),
            Err(Refusal::Denied(denial)) => self.deny(&denial),
            Err(Refusal::SessionOver) => answer(
                400,
                &json!({
                    "error": "invalid_grant",
                    "error_description": "reauth related error (invalid_rapt)",
                    "error_subtype": "invalid_rapt",
                    "error_uri": "https://support.google.com/a/answer/9368756",
                }),
            ),
        }
    }

    fn deny(&self, denial: &Denial) -> Response {
        let (status, error, description) = match denial {
            Denial::UnknownClient => (401, "invalid_client", "The OAuth client was not found."),
            Denial::WrongSecret | Denial::WrongStyle => (401, "invalid_client", "Unauthorized"),
            Denial::UnknownCode | Denial::UsedCode | Denial::ExpiredCode => {
                (400, "invalid_grant", "Malformed auth code.")
            }
            Denial::WrongRedirect => (400, "redirect_uri_mismatch", "Bad Request"),
            Denial::WrongVerifier => (400, "invalid_grant", "Invalid code verifier."),
            Denial::UnknownRefresh => (400, "invalid_grant", "Bad Request"),
            Denial::UsedRefresh | Denial::ExpiredRefresh | Denial::Ended(_) => {
                (400, "invalid_grant", "Token has been expired or revoked.")
            }
            Denial::UnsupportedGrant => (400, "unsupported_grant_type", "Invalid grant_type"),
            Denial::Scope(_) => (400, "invalid_scope", "Some requested scopes were invalid."),
            other => return other.standard(),
        };
        answer(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// Anybody who has a token may end everything that its user granted the app; a dead token is an error.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        if call.method != Method::POST {
            return self.not_found(call);
        }
        let in_form = call.form_fields().unwrap_or_default();
        let in_url = call.query_params();
        let token = in_form.get("token").or_else(|| in_url.get("token"));
        let Some(token) = token else {
            return answer(
                400,
                &json!({ "error": "invalid_request", "error_description": "Bad Request" }),
            );
        };
        let now = desk.now();
        let ended = {
            let mut book = desk.book();
            let is_live = book
                .access
                .get(token)
                .is_none_or(|access| access.expires_at.is_none_or(|end| end > now));
            let grant = book
                .grant_of(token)
                .filter(|grant| is_live && grant.ending == Ending::None);
            if let Some(grant) = &grant {
                book.end_all(&grant.client_id, grant.account, None, Ending::Revoked);
            }
            grant.is_some()
        };
        if !ended {
            let description = "Token expired or revoked";
            return answer(
                400,
                &json!({ "error": "invalid_token", "error_description": description }),
            );
        }
        desk.observed.count(|seen| seen.revoked += 1);
        answer(200, &json!({}))
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let caller = match flow::bearer(desk, call) {
            Ok(caller) => caller,
            Err(stranger) => return unauthenticated(call, stranger),
        };
        if levers::throttled(desk).is_some() {
            return apis::fault(
                403,
                "Rate Limit Exceeded",
                "usageLimits",
                "rateLimitExceeded",
                None,
            );
        }
        apis::answer_call(&caller, call).unwrap_or_else(|| self.not_found(call))
    }

    fn not_found(&self, _call: &Call) -> Response {
        apis::fault(404, "Not Found", "global", "notFound", Some("NOT_FOUND"))
    }
}

fn unauthenticated(call: &Call, stranger: Stranger) -> Response {
    if call.host == "openidconnect.googleapis.com" {
        let description = "Invalid Credentials";
        return answer(
            401,
            &json!({ "error": "invalid_request", "error_description": description }),
        );
    }
    let (message, reason) = match stranger {
        Stranger::Missing => ("Login Required.", "required"),
        _ => (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
             valid authentication credential.",
            "authError",
        ),
    };
    apis::fault(401, message, "global", reason, Some("UNAUTHENTICATED"))
}

/// Why a token request is refused.
enum Refusal {
    Denied(Denial),
    /// The person has to sign in again first.
    SessionOver,
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

fn issue(desk: &Desk, call: &Call) -> Result<Issued, Refusal> {
    let rules = &rules(desk);
    let params = call.form()?;
    match params.get("grant_type") {
        None => Err(Denial::Missing("grant_type").into()),
        Some("authorization_code") => {
            let app = flow::client(desk, rules, call, &params)?;
            let mut grant = flow::redeem_code(desk, &app, &params)?;
            // Granted under full names, in an order of Google's own.
            grant.scopes = grant.scopes.iter().map(|scope| full_name(scope)).collect();
            grant.scopes.sort();
            grant.scopes.dedup();
            if let Some(kept) = desk.book().grants.get_mut(&grant.id) {
                kept.scopes.clone_from(&grant.scopes);
            }
            let offline = wants_refresh_token(desk, &grant);
            Ok(flow::issue_first(desk, rules, grant, offline)?)
        }
        Some("refresh_token") => {
            let app = flow::client(desk, rules, call, &params)?;
            let presented = params.get("refresh_token").unwrap_or("");
            if desk
                .grant_of(presented)
                .is_some_and(|grant| is_over(desk, &grant))
            {
                return Err(Refusal::SessionOver);
            }
            Ok(flow::refresh(desk, rules, &app, &params)?)
        }
        Some(_) => Err(Denial::UnsupportedGrant.into()),
    }
}

/// Whether the session that a standing grant was made in is longer ago than [`Family::limit_sessions`] allows.
fn is_over(desk: &Desk, grant: &Grant) -> bool {
    let limit: Option<i64> =
        levers::get(desk, SESSION_SECONDS).and_then(|seconds| seconds.parse().ok());
    grant.ending == Ending::None
        && limit.is_some_and(|limit| desk.now() - grant.begun_at >= limit.saturating_mul(1_000))
}

/// `access_type=offline`, and either the first consent of this user to this app or `prompt=consent`. One too many ends
/// the oldest.
fn wants_refresh_token(desk: &Desk, grant: &Grant) -> bool {
    if grant.asked.get("access_type") != Some("offline") {
        return false;
    }
    let mut book = desk.book();
    let earlier: Vec<u64> = book
        .grants
        .values()
        .filter(|other| {
            other.client_id == grant.client_id
                && other.account == grant.account
                && other.id != grant.id
                && other.ending == Ending::None
        })
        .map(|other| other.id)
        .collect();
    let asks_again = grant
        .asked
        .get("prompt")
        .is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent"));
    let offline = earlier.is_empty() || asks_again;
    if offline {
        let holders: Vec<u64> = earlier
            .into_iter()
            .filter(|id| book.refresh.values().any(|refresh| refresh.grant == *id))
            .collect();
        if holders.len() >= LIVE_GRANTS
            && let Some(oldest) = holders.first()
        {
            book.end(*oldest, Ending::Superseded);
        }
    }
    offline
}

fn reply(desk: &Desk, issued: &Issued) -> Value {
    let mut reply = issued.standard();
    // Told for grants with an end only.
    if let (Some(_), Some(seconds), Some(reply)) = (
        rules(desk).absolute_seconds,
        issued.refresh_seconds,
        reply.as_object_mut(),
    ) {
        reply.insert("refresh_token_expires_in".to_owned(), Value::from(seconds));
    }
    reply
}
