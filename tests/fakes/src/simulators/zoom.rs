//! Zoom. Basic only, single-use refresh tokens, one authorization per user and app, `reason` next to `error`.
//!
//! Sources: Zoom "OAuth 2.0", "Server-to-Server OAuth", token life cycle and OAuth error pages; Zoom API reference.

use axum::response::Response;
use serde_json::{Value, json};

use super::Family;
use super::behaviour::{Behaviour, Endpoint, Rules};
use super::book::{Ending, Grant};
use super::call::{Call, Params, answer};
use super::claim::{Accepts, Claim};
use super::denial::Denial;
use super::desk::{Caller, Desk, Stranger};
use super::flow::{self, Issued};
use super::levers;
use crate::provider::ACCOUNTS;

/// Zoom.
pub(super) struct Zoom;

/// What the app's registration asks for.
const REGISTERED: &[&str] = &[
    "user:read:user",
    "meeting:read:list_meetings",
    "meeting:write:meeting",
];

const DAY: i64 = 86_400;
/// The region whose API address token replies name.
const REGION: &str = "zoom: region";
/// A server-to-server app has one token at a time.
const SINGLE_SERVER_TOKEN: &str = "zoom: one server token";

const RULES: Rules = Rules {
    name: "Zoom",
    prefix: "zoom-",
    client: Accepts::Basic,
    // Either is seen in the field.
    separators: ", ",
    default_scopes: REGISTERED,
    known_scope,
    scope_fault_on_page: true,
    code_seconds: 300,
    access_seconds: Some(3_600),
    idle_seconds: Some(90 * DAY),
    ..Rules::USUAL
};

/// Granular (`meeting:read:meeting`) and classic (`meeting:read`) scopes alike.
fn known_scope(scope: &str) -> bool {
    let mut parts = scope.split(':');
    let resource = parts.next().unwrap_or("");
    let action = parts.next().unwrap_or("");
    matches!(
        resource,
        "user" | "meeting" | "webinar" | "calendar" | "team_chat" | "recording" | "cloud_recording"
    ) && matches!(action, "read" | "write" | "update" | "delete")
        && parts.all(|part| !part.is_empty())
}

impl Family {
    /// Zoom: the accounts are of this region (`eu`); token replies from now on name its API address.
    pub fn set_region(&self, region: &str) {
        levers::set(&self.desk, REGION, region.to_owned());
    }

    /// Zoom: a newer token of a server-to-server app ends the ones before, as it does where an account's app has one
    /// token index.
    pub fn set_single_server_token(&self) {
        levers::set(&self.desk, SINGLE_SERVER_TOKEN, String::new());
    }

    /// Zoom: this person left the account (4735).
    pub fn remove_user(&self, account: &str) {
        let mut book = self.desk.book();
        book.end_where(Ending::UserGone, |grant| grant.account.id == account);
    }

    /// Zoom: the account's administrator disabled the app (4738).
    pub fn disable_app(&self, client_id: &str) {
        let mut book = self.desk.book();
        book.end_where(Ending::AppDisabled, |grant| grant.client_id == client_id);
    }
}

/// The API, or one of its regional addresses: `api-eu.zoom.us`.
fn is_api(host: &str) -> bool {
    let region = host
        .strip_prefix("api-")
        .and_then(|rest| rest.strip_suffix(".zoom.us"));
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    host == "api.zoom.us"
        || region.is_some_and(|region| !region.is_empty() && region.bytes().all(plain))
}

/// `bearer` in lower case, and the API's address.
fn reply(desk: &Desk, issued: &Issued) -> Value {
    let api_url = match levers::get(desk, REGION) {
        Some(region) => format!("https://api-{region}.zoom.us"),
        None => "https://api.zoom.us".to_owned(),
    };
    let mut reply = issued.standard();
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("token_type".to_owned(), Value::from("bearer"));
        reply.insert("api_url".to_owned(), Value::from(api_url));
    }
    reply
}

impl Behaviour for Zoom {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        host == "zoom.us" || is_api(host)
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        match (host, path) {
            ("zoom.us", "/oauth/authorize") => Some(Endpoint::Authorize),
            ("zoom.us", "/oauth/token") => Some(Endpoint::Token),
            ("zoom.us", "/oauth/revoke") => Some(Endpoint::Revoke),
            (host, path) if is_api(host) && path.starts_with("/v2/") => Some(Endpoint::Api),
            _ => None,
        }
    }

    /// `account_credentials` may come in the query as well as in a form.
    fn token_params(&self, call: &Call) -> Params {
        let query = call.query_params();
        if query.has("grant_type") {
            return query;
        }
        call.form_fields().unwrap_or_default()
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        let params = self.token_params(call);
        let issued = match params.get("grant_type") {
            Some("account_credentials") => account_credentials(desk, call, &params),
            _ => flow::token(self, desk, call),
        };
        match issued {
            Ok(issued) => answer(200, &reply(desk, &issued)),
            Err(denial) => self.deny(&denial),
        }
    }

    /// A newer authorization of the same user ends all earlier ones.
    fn begun(&self, desk: &Desk, grant: &Grant) {
        let except = Some(grant.id);
        desk.book()
            .end_all(&grant.client_id, grant.account, except, Ending::Superseded);
    }

    fn deny(&self, denial: &Denial) -> Response {
        let (status, error, reason) = match denial {
            Denial::UnknownClient | Denial::WrongSecret | Denial::WrongStyle => (
                401,
                "invalid_client",
                "Invalid client_id or client_secret".to_owned(),
            ),
            Denial::UnknownCode | Denial::UsedCode => (
                400,
                "invalid_grant",
                "Invalid authorization code (4734)".to_owned(),
            ),
            Denial::ExpiredCode => (
                400,
                "invalid_grant",
                "The authorization code expired (4733)".to_owned(),
            ),
            Denial::WrongRedirect => (400, "invalid_request", "Redirect URI mismatch.".to_owned()),
            Denial::Ended(Ending::Superseded) => (
                401,
                "invalid_grant",
                "A newer token was issued (4741)".to_owned(),
            ),
            Denial::Ended(Ending::UserGone) => (
                401,
                "invalid_grant",
                "The user does not exist (4735)".to_owned(),
            ),
            Denial::Ended(Ending::AppDisabled) => (
                401,
                "invalid_grant",
                "The app has been disabled by the administrator (4738)".to_owned(),
            ),
            Denial::UnknownRefresh
            | Denial::UsedRefresh
            | Denial::ExpiredRefresh
            | Denial::Ended(_) => (401, "invalid_grant", "Invalid Token! (4737)".to_owned()),
            other => (400, other.code(), other.text()),
        };
        answer(status, &json!({ "reason": reason, "error": error }))
    }

    /// Basic and `token`; the token's whole grant ends.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        let outcome = call.form().and_then(|params| {
            let app = flow::client(desk, &RULES, call, &params)?;
            let token = params.get("token").ok_or(Denial::Missing("token"))?;
            let grant = desk
                .grant_of(token)
                .filter(|grant| grant.client_id == app.id);
            grant.ok_or(Denial::UnknownRefresh)
        });
        match outcome {
            Ok(grant) => {
                desk.revoke_grant(&grant);
                answer(200, &json!({ "status": "success" }))
            }
            Err(denial) => self.deny(&denial),
        }
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let caller = match flow::bearer(desk, call) {
            Ok(caller) => caller,
            Err(Stranger::Expired) => {
                return answer(
                    401,
                    &json!({ "code": 124, "message": "Access token is expired." }),
                );
            }
            Err(_) => {
                return answer(
                    401,
                    &json!({ "code": 124, "message": "Invalid access token." }),
                );
            }
        };
        if levers::throttled(desk).is_some() {
            let message =
                "You have reached the maximum per-second rate limit for this API. Try again later.";
            return answer(429, &json!({ "code": 429, "message": message }));
        }
        read(&caller, call).map_or_else(|| self.not_found(call), |body| answer(200, &body))
    }

    fn not_found(&self, call: &Call) -> Response {
        let message = format!("This API endpoint is not recognized: {}", call.path);
        answer(404, &json!({ "code": 2300, "message": message }))
    }
}

/// A server-to-server app: Basic and its account's id. No token of it is refreshed; whether a newer one ends those before
/// is the app's to say ([`Family::set_single_server_token`]).
fn account_credentials(desk: &Desk, call: &Call, params: &Params) -> Result<Issued, Denial> {
    if call.method != http::Method::POST {
        return Err(Denial::Method);
    }
    if let Some(name) = params.repeated() {
        return Err(Denial::Repeated(name.to_owned()));
    }
    let claim = Claim::read(call, params);
    let id = claim.client_id.as_deref().ok_or(Denial::UnknownClient)?;
    let service = desk.service(id).ok_or(Denial::UnknownClient)?;
    claim.check(Some(&service.secret), RULES.client)?;
    let account_id = params
        .get("account_id")
        .ok_or(Denial::Missing("account_id"))?;
    if account_id != service.tenant {
        return Err(Denial::Missing("account_id"));
    }
    let [owner, _] = ACCOUNTS;
    let grant = desk.begin_service_grant(Grant {
        id: 0,
        client_id: service.id,
        account: owner,
        scopes: REGISTERED.iter().map(|&scope| scope.to_owned()).collect(),
        host: call.host.clone(),
        asked: Params::default(),
        begun_at: desk.now(),
        ending: Ending::None,
    });
    if levers::get(desk, SINGLE_SERVER_TOKEN).is_some() {
        let mut book = desk.book();
        book.end_all(&grant.client_id, owner, Some(grant.id), Ending::Superseded);
    }
    flow::issue_first(desk, &RULES, grant, false)
}

fn read(caller: &Caller, call: &Call) -> Option<Value> {
    if call.method != http::Method::GET {
        return None;
    }
    let account = caller.account;
    let (first_name, last_name) = account.name.split_once(' ').unwrap_or((account.name, ""));
    let me = json!({
        "id": account.id,
        "first_name": first_name,
        "last_name": last_name,
        "display_name": account.name,
        "email": account.email,
        "type": 2,
        "account_id": "zoom-account",
        "status": "active",
    });
    let segments = call.segments();
    match segments.as_slice() {
        ["v2", "users", id] if *id == "me" || *id == account.id => Some(me),
        ["v2", "users", id, "meetings"] if *id == "me" || *id == account.id => Some(json!({
            "page_size": 30,
            "total_records": 1,
            "next_page_token": "",
            "meetings": [meeting(caller, 85_746_065)],
            "query": call.query_pairs(),
        })),
        ["v2", "users", id, "recordings"] if *id == "me" || *id == account.id => Some(json!({
            "page_size": 30,
            "total_records": 1,
            "meetings": [{ "topic": format!("Recording of {}", account.name), "recording_count": 1 }],
            "query": call.query_pairs(),
        })),
        ["v2", "meetings", id] => id.parse().ok().map(|id| {
            let mut meeting = meeting(caller, id);
            if let Some(meeting) = meeting.as_object_mut() {
                meeting.insert("query".to_owned(), call.query_pairs());
            }
            meeting
        }),
        ["v2", "users"] => Some(
            json!({ "page_size": 30, "total_records": 1, "users": [me], "query": call.query_pairs() }),
        ),
        _ => None,
    }
}

fn meeting(caller: &Caller, id: u64) -> Value {
    json!({
        "id": id,
        "topic": format!("Weekly meeting of {}", caller.account.name),
        "host_id": caller.account.id,
        "type": 2,
        "start_time": "2026-11-16T09:30:00Z",
        "duration": 30,
        "timezone": "UTC",
        "join_url": format!("https://zoom.us/j/{id}"),
    })
}
