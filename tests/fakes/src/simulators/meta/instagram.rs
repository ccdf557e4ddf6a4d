//! Instagram Login. The first token comes within `data`, or plainly for apps whose id ends in `-plain`. No PKCE: a
//! challenge is taken no notice of. No revocation either.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::{
    GraphError, LONG, LONG_SECONDS, SHORT, Trouble, look_up, node_id, params, presented, select,
    unversioned,
};
use crate::random::equal_in_constant_time;
use crate::simulators::authorization::{self, Fault};
use crate::simulators::behaviour::{Endpoint, Rules};
use crate::simulators::book::{Grant, Pending};
use crate::simulators::call::{Call, Params, answer};
use crate::simulators::denial::Denial;
use crate::simulators::desk::{Caller, Desk};
use crate::simulators::flow;
use crate::simulators::levers::{adjusted, throttled};

/// A token must be this old before it is refreshed.
const REFRESH_AFTER_MS: i64 = 24 * 3_600_000;

const RULES: Rules = Rules {
    name: "Instagram",
    prefix: "IGAA-",
    // The older scopes ended on 27 January 2025.
    known_scope: |scope| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        scope.starts_with("instagram_business_") && scope.bytes().all(allowed)
    },
    access_seconds: Some(3_600),
    ..super::RULES
};

const LONG_RULES: Rules = Rules {
    access_seconds: Some(LONG_SECONDS),
    ..RULES
};

pub(super) fn serves(host: &str) -> bool {
    matches!(
        host,
        "www.instagram.com" | "api.instagram.com" | "graph.instagram.com"
    )
}

pub(super) fn endpoint(host: &str, path: &str) -> Option<Endpoint> {
    match (host, path) {
        ("www.instagram.com", "/oauth/authorize") => Some(Endpoint::Authorize),
        ("api.instagram.com", "/oauth/access_token")
        | ("graph.instagram.com", "/access_token" | "/refresh_access_token") => {
            Some(Endpoint::Token)
        }
        ("graph.instagram.com", _) => Some(Endpoint::Api),
        _ => None,
    }
}

pub(super) fn authorize(desk: &Desk, call: &Call) -> Result<Pending, Fault> {
    let without_pkce = Call {
        method: call.method.clone(),
        host: call.host.clone(),
        path: call.path.clone(),
        query: without(&call.query, &["code_challenge", "code_challenge_method"]),
        headers: call.headers.clone(),
        body: call.body.clone(),
    };
    authorization::authorize(desk, &RULES, &without_pkce)
}

/// Form-encoded `text` without these names.
fn without(text: &str, names: &[&str]) -> String {
    let kept =
        form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| !names.contains(&name.as_ref()));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish()
}

pub(super) fn token(desk: &Desk, call: &Call) -> Response {
    if call.host == "api.instagram.com" {
        return match first(desk, call) {
            Ok(reply) => answer(200, &reply),
            Err(denial) => deny(&denial),
        };
    }
    let later = if call.method != Method::GET {
        Err(GraphError::new(400, "Unsupported request", 100))
    } else if call.path == "/access_token" {
        exchange(desk, &params(call))
    } else {
        refresh(desk, &params(call))
    };
    match later {
        Ok(reply) => answer(200, &reply),
        Err(error) => error.respond(),
    }
}

/// A code for a token of an hour.
fn first(desk: &Desk, call: &Call) -> Result<Value, Denial> {
    call.form()?;
    let body = String::from_utf8_lossy(&call.body);
    let params = Params::parse(without(&body, &["code_verifier"]).as_bytes());
    match params.get("grant_type") {
        Some("authorization_code") => {}
        Some(_) => return Err(Denial::UnsupportedGrant),
        None => return Err(Denial::Missing("grant_type")),
    }
    let app = flow::client(desk, &RULES, call, &params)?;
    let grant = flow::redeem_code(desk, &app, &params)?;
    let rules = adjusted(desk, &RULES);
    let token = flow::issue_access(desk, &rules, &grant, SHORT, "", &grant.scopes)?;
    let user_id = node_id(grant.account);
    let permissions = grant.scopes.join(",");
    if app.id.ends_with("-plain") {
        // A number that a 64-bit float does not hold.
        let user_id: Value = user_id.parse::<u64>().map_or(Value::Null, Value::from);
        return Ok(
            json!({ "access_token": token, "user_id": user_id, "permissions": permissions }),
        );
    }
    Ok(json!({
        "data": [{ "access_token": token, "user_id": user_id, "permissions": permissions }],
    }))
}

/// `ig_exchange_token`: a token of an hour, and the app's secret, for one of 60 days.
fn exchange(desk: &Desk, params: &Params) -> Result<Value, GraphError> {
    if params.get("grant_type") != Some("ig_exchange_token") {
        return Err(GraphError::new(400, "Invalid grant_type", 100));
    }
    let caller = holder(desk, params)?;
    let secret = desk.app(&caller.grant.client_id).and_then(|app| app.secret);
    let presented = params.get("client_secret").unwrap_or("");
    if !secret.is_some_and(|secret| equal_in_constant_time(&secret, presented)) {
        return Err(GraphError::new(400, "Error validating client secret.", 1));
    }
    if caller.access.slot != SHORT {
        return Err(GraphError::new(
            400,
            "Only a short-lived token can be exchanged",
            452,
        ));
    }
    long_lived(desk, &caller.grant, &caller.access.scopes)
}

/// `ig_refresh_token`: a long-lived token, a day old and not expired, for another one of 60 days.
fn refresh(desk: &Desk, params: &Params) -> Result<Value, GraphError> {
    if params.get("grant_type") != Some("ig_refresh_token") {
        return Err(GraphError::new(400, "Invalid grant_type", 100));
    }
    let caller = holder(desk, params)?;
    if caller.access.slot != LONG {
        return Err(GraphError::new(
            400,
            "Only a long-lived token can be refreshed",
            452,
        ));
    }
    if desk.now().saturating_sub(caller.access.issued_at) < REFRESH_AFTER_MS {
        return Err(GraphError::new(
            400,
            "The token must be at least 24 hours old to be refreshed",
            10,
        ));
    }
    desk.observed.count(|seen| seen.refreshes += 1);
    long_lived(desk, &caller.grant, &caller.access.scopes)
}

fn holder(desk: &Desk, params: &Params) -> Result<Caller, GraphError> {
    look_up(desk, params.get("access_token")).map_err(|trouble| trouble.error())
}

fn long_lived(desk: &Desk, grant: &Grant, scopes: &[String]) -> Result<Value, GraphError> {
    let token = flow::issue_access(desk, &LONG_RULES, grant, LONG, "", scopes)
        .map_err(|_| GraphError::new(500, "An unknown error has occurred.", 1))?;
    Ok(json!({ "access_token": token, "token_type": "bearer", "expires_in": LONG_SECONDS }))
}

fn deny(denial: &Denial) -> Response {
    let message = match denial {
        Denial::UnknownClient => "Invalid platform app".to_owned(),
        Denial::WrongSecret | Denial::WrongStyle => "Error validating client secret".to_owned(),
        Denial::UnknownCode => "Invalid authorization code".to_owned(),
        Denial::UsedCode => "This authorization code has been used".to_owned(),
        Denial::ExpiredCode => "This authorization code has expired".to_owned(),
        Denial::WrongRedirect => {
            "Error validating verification code. Please make sure your redirect_uri is identical to the one you used \
             in the OAuth dialog request"
                .to_owned()
        }
        other => other.text(),
    };
    let body = json!({ "error_type": "OAuthException", "code": 400, "error_message": message });
    answer(400, &body)
}

pub(super) fn api(desk: &Desk, call: &Call) -> Response {
    let params = params(call);
    let answered = look_up(desk, presented(call, &params))
        .map_err(|trouble: Trouble| {
            desk.count_unauthorized();
            trouble.error()
        })
        .and_then(|caller| read(desk, &caller, call, &params));
    match answered {
        Ok(body) => answer(200, &body),
        Err(error) => error.respond(),
    }
}

fn read(desk: &Desk, caller: &Caller, call: &Call, params: &Params) -> Result<Value, GraphError> {
    if throttled(desk).is_some() {
        return Err(GraphError::new(
            403,
            "(#4) Application request limit reached",
            4,
        ));
    }
    let scopes = &caller.access.scopes;
    if !scopes
        .iter()
        .any(|scope| scope == "instagram_business_basic")
    {
        return Err(GraphError::new(
            403,
            "(#10) Application does not have permission for this action",
            10,
        ));
    }
    let account = caller.account;
    let id = node_id(account);
    let segments = call.segments();
    let is_own = |who: &str| who == "me" || who == id;
    match unversioned(&segments) {
        [who] if is_own(who) && call.method == Method::GET => {
            let node = json!({
                "id": id,
                "user_id": id,
                "username": account.name.to_lowercase().replace(' ', "."),
                "name": account.name,
                "account_type": "Business",
                "profile_picture_url": format!("https://www.instagram.com/{id}.jpg"),
                "followers_count": 1815,
                "media_count": 1,
            });
            select(&node, params.get("fields").unwrap_or("id"))
        }
        [who, "media"] if is_own(who) && call.method == Method::GET => Ok(json!({
            "data": [{
                "id": format!("{id}_1"),
                "caption": format!("A picture by {}", account.name),
                "media_type": "IMAGE",
                "permalink": "https://www.instagram.com/p/simulated/",
                "timestamp": "2026-11-16T09:30:00+0000",
            }],
            "paging": { "cursors": { "before": "b1", "after": "a1" } },
        })),
        _ => {
            let message = format!("Unknown path components: {}", call.path);
            Err(GraphError::new(404, &message, 2500))
        }
    }
}
