//! Facebook Login. Apps whose id ends in `-no-expiry` get long-lived tokens without `expires_in`, in `-zero-expiry`
//! with 0; in `-proof` they must send `appsecret_proof` with every API call.

use axum::response::Response;
use http::{HeaderValue, Method};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    GraphError, LONG, LONG_SECONDS, SHORT, Trouble, is_version, look_up, node_id, params,
    presented, select, unversioned,
};
use crate::random::equal_in_constant_time;
use crate::simulators::authorization::{self, Fault, split_scopes};
use crate::simulators::behaviour::{Endpoint, Rules};
use crate::simulators::book::{Ending, Grant, Pending};
use crate::simulators::call::{Call, Params, answer};
use crate::simulators::denial::Denial;
use crate::simulators::desk::{Caller, Desk};
use crate::simulators::flow;
use crate::simulators::levers::{adjusted, throttled};
use crate::simulators::plain::with_header;

/// An app may read a person's data this long after the person was last there, whatever its token's life.
const DATA_ACCESS_MS: i64 = 90 * 86_400_000;
/// Life of a token that came straight from a code.
const SHORT_SECONDS: i64 = 5_400;

const RULES: Rules = Rules {
    name: "Facebook",
    prefix: "EAA-",
    default_scopes: &["public_profile"],
    known_scope: |scope| {
        scope
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    },
    access_seconds: Some(SHORT_SECONDS),
    ..super::RULES
};

const LONG_RULES: Rules = Rules {
    access_seconds: Some(LONG_SECONDS),
    ..RULES
};

pub(super) fn serves(host: &str) -> bool {
    matches!(host, "www.facebook.com" | "graph.facebook.com")
}

pub(super) fn endpoint(host: &str, path: &str) -> Option<Endpoint> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (host, segments.as_slice()) {
        ("www.facebook.com", [version, "dialog", "oauth"]) if is_version(version) => {
            Some(Endpoint::Authorize)
        }
        ("graph.facebook.com", segments) => match unversioned(segments) {
            ["oauth", "access_token"] => Some(Endpoint::Token),
            [_, "permissions"] => Some(Endpoint::Revoke),
            [] | ["" | "oauth", ..] => None,
            _ => Some(Endpoint::Api),
        },
        _ => None,
    }
}

pub(super) fn authorize(desk: &Desk, call: &Call) -> Result<Pending, Fault> {
    authorization::authorize(desk, &RULES, call)
}

/// With `return_scopes=true`, what the person granted and what not.
pub(super) fn redirect_extras(pending: &Pending) -> Vec<(&'static str, String)> {
    if pending.asked.get("return_scopes") != Some("true") {
        return Vec::new();
    }
    let denied = declined(&pending.asked, &pending.scopes);
    vec![
        ("granted_scopes", pending.scopes.join(",")),
        ("denied_scopes", denied.join(",")),
    ]
}

/// What was asked for and is not among `granted`.
fn declined(asked: &Params, granted: &[String]) -> Vec<String> {
    let mut asked = split_scopes(asked.get("scope").unwrap_or(""), RULES.separators);
    asked.retain(|scope| !granted.contains(scope));
    asked
}

/// Why a token request is refused.
enum Refusal {
    Denied(Denial),
    /// The token to be exchanged is no good.
    Token(Trouble),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

pub(super) fn token(desk: &Desk, call: &Call) -> Response {
    match issue(desk, call) {
        Ok(reply) => answer(200, &reply),
        Err(Refusal::Denied(denial)) => deny(&denial).respond(),
        Err(Refusal::Token(trouble)) => trouble.error().respond(),
    }
}

/// GET or POST, parameters in the URL or in the body.
fn issue(desk: &Desk, call: &Call) -> Result<Value, Refusal> {
    if call.method != Method::GET && call.method != Method::POST {
        return Err(Denial::Method.into());
    }
    let params = params(call);
    if let Some(name) = params.repeated() {
        return Err(Denial::Repeated(name.to_owned()).into());
    }
    let app = flow::client(desk, &RULES, call, &params)?;
    match params.get("grant_type") {
        // Older than OAuth 2's final text, the endpoint does not insist on a grant type.
        None | Some("authorization_code") => {
            let grant = flow::redeem_code(desk, &app, &params)?;
            let rules = adjusted(desk, &RULES);
            let token = flow::issue_access(desk, &rules, &grant, SHORT, "", &grant.scopes)?;
            Ok(json!({
                "access_token": token,
                "token_type": "bearer",
                "expires_in": rules.access_seconds,
            }))
        }
        Some("fb_exchange_token") => {
            let presented = params.get("fb_exchange_token");
            let presented = presented.ok_or(Denial::Missing("fb_exchange_token"))?;
            let caller = look_up(desk, Some(presented)).map_err(Refusal::Token)?;
            if caller.grant.client_id != app.id {
                return Err(Refusal::Token(Trouble::Unknown));
            }
            let scopes = &caller.access.scopes;
            let token = flow::issue_access(desk, &LONG_RULES, &caller.grant, LONG, "", scopes)?;
            desk.observed.count(|seen| seen.refreshes += 1);
            Ok(long_lived(&app.id, &token))
        }
        Some(_) => Err(Denial::UnsupportedGrant.into()),
    }
}

fn long_lived(app_id: &str, token: &str) -> Value {
    let mut reply = json!({ "access_token": token, "token_type": "bearer" });
    let expires_in = if app_id.ends_with("-no-expiry") {
        None
    } else if app_id.ends_with("-zero-expiry") {
        Some(0)
    } else {
        Some(LONG_SECONDS)
    };
    if let (Some(reply), Some(expires_in)) = (reply.as_object_mut(), expires_in) {
        reply.insert("expires_in".to_owned(), Value::from(expires_in));
    }
    reply
}

fn deny(denial: &Denial) -> GraphError {
    let code_refused = |message: &str, subcode| GraphError {
        subcode: Some(subcode),
        ..GraphError::new(400, message, 100)
    };
    match denial {
        Denial::UnknownClient => GraphError::new(
            400,
            "Error validating application. Cannot get application info due to a system error.",
            101,
        ),
        Denial::WrongSecret => GraphError::new(400, "Error validating client secret.", 1),
        Denial::WrongStyle => GraphError::new(400, "Missing client_secret parameter.", 1),
        Denial::ExpiredCode => code_refused("This authorization code has expired.", 36_007),
        Denial::UsedCode => code_refused("This authorization code has been used.", 36_009),
        Denial::WrongRedirect => code_refused(
            "Error validating verification code. Please make sure your redirect_uri is identical to the one you used \
             in the OAuth dialog request",
            36_008,
        ),
        Denial::UnknownCode => GraphError::new(400, "Invalid verification code format.", 100),
        Denial::Internal => GraphError {
            kind: "FacebookApiException",
            ..GraphError::new(500, "An unknown error has occurred.", 1)
        },
        other => GraphError::new(400, &other.text(), 100),
    }
}

/// The caller of an API, `appsecret_proof` checked. Counts refusals.
fn admit(desk: &Desk, call: &Call, params: &Params) -> Result<Caller, GraphError> {
    let token = presented(call, params);
    let caller = look_up(desk, token).map_err(|trouble| trouble.error());
    let admitted = caller.and_then(|caller| {
        check_proof(desk, &caller.grant, token.unwrap_or(""), params)?;
        Ok(caller)
    });
    if admitted.is_err() {
        desk.count_unauthorized();
    }
    admitted
}

/// `appsecret_proof`: HMAC-SHA256 of the access token under the app's secret, in hexadecimal.
fn check_proof(desk: &Desk, grant: &Grant, token: &str, params: &Params) -> Result<(), GraphError> {
    let refused = |message| GraphError {
        kind: "GraphMethodException",
        ..GraphError::new(400, message, 100)
    };
    let Some(proof) = params.get("appsecret_proof") else {
        return if grant.client_id.ends_with("-proof") {
            Err(refused(
                "API calls from the server require an appsecret_proof argument",
            ))
        } else {
            Ok(())
        };
    };
    let secret = desk.app(&grant.client_id).and_then(|app| app.secret);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.unwrap_or_default().as_bytes());
    let expected: String = hmac::sign(&key, token.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if equal_in_constant_time(&expected, proof) {
        Ok(())
    } else {
        Err(refused(
            "Invalid appsecret_proof provided in the API argument",
        ))
    }
}

/// Whether the person was sent through the login within 90 days: calls and exchanges by the app are not their presence.
fn is_present(desk: &Desk, grant: &Grant) -> bool {
    let now = desk.now();
    let book = desk.book();
    let mut visits = book.grants.values();
    visits.any(|visit| {
        visit.client_id == grant.client_id
            && visit.account == grant.account
            && now - visit.begun_at < DATA_ACCESS_MS
    })
}

fn refuse(error: &GraphError) -> Response {
    let response = error.respond();
    if error.code == 190 {
        let challenge = HeaderValue::from_static(
            "OAuth \"Facebook Platform\" \"invalid_token\" \"Error validating access token\"",
        );
        return with_header(response, "www-authenticate", challenge);
    }
    response
}

/// `/{user}/permissions`: GET lists them, DELETE removes the app from the person's account, every grant at once.
pub(super) fn permissions(desk: &Desk, call: &Call) -> Response {
    let caller = match admit(desk, call, &params(call)) {
        Ok(caller) => caller,
        Err(error) => return refuse(&error),
    };
    let segments = call.segments();
    if !unversioned(&segments)
        .first()
        .is_some_and(|id| is_own(id, &caller))
    {
        return no_such_object().respond();
    }
    if call.method == Method::GET {
        return answer(200, &permissions_of(&caller));
    }
    if call.method != Method::DELETE {
        return unsupported(call).respond();
    }
    let grant = &caller.grant;
    desk.revoke_grant(grant);
    desk.book()
        .end_all(&grant.client_id, grant.account, None, Ending::Revoked);
    answer(200, &json!({ "success": true }))
}

/// What was asked for, each granted or declined.
fn permissions_of(caller: &Caller) -> Value {
    let status = |status: &'static str| move |scope: &String| json!({ "permission": scope, "status": status });
    let declined = declined(&caller.grant.asked, &caller.grant.scopes);
    let granted = caller.grant.scopes.iter().map(status("granted"));
    let all: Vec<Value> = granted
        .chain(declined.iter().map(status("declined")))
        .collect();
    json!({ "data": all })
}

fn is_own(id: &str, caller: &Caller) -> bool {
    id == "me" || id == node_id(caller.account)
}

fn no_such_object() -> GraphError {
    GraphError {
        kind: "GraphMethodException",
        subcode: Some(33),
        ..GraphError::new(
            400,
            "Unsupported get request. Object does not exist, cannot be loaded due to missing permissions, or does not \
             support this operation.",
            100,
        )
    }
}

fn unsupported(call: &Call) -> GraphError {
    let message = format!(
        "Unsupported {} request.",
        call.method.as_str().to_lowercase()
    );
    GraphError {
        kind: "GraphMethodException",
        ..GraphError::new(400, &message, 100)
    }
}

pub(super) fn api(desk: &Desk, call: &Call) -> Response {
    let params = params(call);
    let caller = match admit(desk, call, &params) {
        Ok(caller) => caller,
        Err(error) => return refuse(&error),
    };
    if !is_present(desk, &caller.grant) {
        desk.count_unauthorized();
        return refuse(&Trouble::Away.error());
    }
    let segments = call.segments();
    let path = unversioned(&segments);
    if throttled(desk).is_some() {
        return limit(path).respond();
    }
    if call.method != Method::GET {
        return unsupported(call).respond();
    }
    match read(&caller, call, &params, path) {
        Ok(body) => answer(200, &body),
        Err(error) => error.respond(),
    }
}

/// Which limit a throttled call meets: the page's, the person's or the app's. None of them says when it ends.
fn limit(path: &[&str]) -> GraphError {
    match path {
        [_, "accounts"] => GraphError::new(400, "(#32) Page request limit reached", 32),
        [_, _, ..] => GraphError::new(400, "(#17) User request limit reached", 17),
        _ => GraphError::new(403, "(#4) Application request limit reached", 4),
    }
}

fn read(caller: &Caller, call: &Call, params: &Params, path: &[&str]) -> Result<Value, GraphError> {
    let has = |scope: &str| caller.access.scopes.iter().any(|own| own == scope);
    let account = caller.account;
    let id = node_id(account);
    // What the person did not permit is an empty list, not an error.
    let list = |permitted: bool, entries: Value| {
        let data = if permitted { entries } else { json!([]) };
        Ok(json!({ "data": data, "query": safe_query(call) }))
    };
    match path {
        [who] if is_own(who, caller) => {
            let (first_name, last_name) =
                account.name.split_once(' ').unwrap_or((account.name, ""));
            let email = has("email").then_some(account.email);
            let node = json!({
                "id": id,
                "name": account.name,
                "first_name": first_name,
                "last_name": last_name,
                "email": email,
                "permissions": permissions_of(caller),
                "picture": { "data": { "url": format!("https://graph.facebook.com/{id}/picture") } },
            });
            select(&node, params.get("fields").unwrap_or("name"))
        }
        [who, "accounts"] if is_own(who, caller) => list(
            has("pages_show_list"),
            json!([{ "id": format!("20{id}"), "name": format!("Page of {}", account.name), "category": "Science" }]),
        ),
        [who, "feed" | "posts"] if is_own(who, caller) => list(
            has("user_posts"),
            json!([{
                "id": format!("{id}_1"),
                "message": format!("A post by {}", account.name),
                "created_time": "2026-11-16T09:30:00+0000",
            }]),
        ),
        [who, "photos"] if is_own(who, caller) => list(
            has("user_photos"),
            json!([{
                "id": format!("{id}_2"),
                "name": format!("A photo of {}", account.name),
                "created_time": "2026-11-16T11:00:00+0000",
            }]),
        ),
        _ => Err(GraphError {
            status: 404,
            ..no_such_object()
        }),
    }
}

/// The query as it came, without the credential that it may carry.
fn safe_query(call: &Call) -> Value {
    form_urlencoded::parse(call.query.as_bytes())
        .filter(|(name, _)| name != "access_token" && name != "appsecret_proof")
        .map(|(name, value)| json!([name, value]))
        .collect()
}
