//! Box. 30-second codes, single-use refresh tokens for 60 days, no `scope` in replies, revocation ends the pair.
//!
//! Sources: developer.box.com guides on OAuth 2.0, refresh, revoke, client credentials and on API errors; the support
//! thread on codes.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Endpoint, Rules};
use super::book::{Ending, Grant};
use super::call::{Call, Params, answer};
use super::claim::{Accepts, Claim};
use super::denial::Denial;
use super::desk::{Caller, Desk};
use super::flow::{self, Issued};
use super::levers;
use crate::provider::ACCOUNTS;

/// Box.
pub(super) struct BoxCom;

const DAY: i64 = 86_400;

const RULES: Rules = Rules {
    name: "Box",
    prefix: "box-",
    client: Accepts::Body,
    default_scopes: &["root_readonly"],
    known_scope,
    code_seconds: 30,
    idle_seconds: Some(60 * DAY),
    ..Rules::USUAL
};

fn known_scope(scope: &str) -> bool {
    matches!(
        scope,
        "root_readonly"
            | "root_readwrite"
            | "manage_app_users"
            | "manage_managed_users"
            | "manage_groups"
            | "manage_webhook"
            | "manage_enterprise_properties"
            | "manage_data_retention"
            | "sign_requests.readwrite"
            | "item_preview"
            | "item_download"
            | "item_upload"
    )
}

impl Behaviour for BoxCom {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        matches!(host, "account.box.com" | "api.box.com")
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        match (host, path) {
            ("account.box.com", "/api/oauth2/authorize") => Some(Endpoint::Authorize),
            ("api.box.com", "/oauth2/token") => Some(Endpoint::Token),
            ("api.box.com", "/oauth2/revoke") => Some(Endpoint::Revoke),
            ("api.box.com", path) if path.starts_with("/2.0/") => Some(Endpoint::Api),
            _ => None,
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        let params = self.token_params(call);
        if params.get("grant_type") != Some("client_credentials") {
            return flow::respond(self, desk, call);
        }
        match client_credentials(desk, call) {
            Ok(issued) => answer(200, &self.reply(&issued)),
            Err(denial) => self.deny(&denial),
        }
    }

    fn reply(&self, issued: &Issued) -> Value {
        let mut reply = issued.standard();
        if let Some(reply) = reply.as_object_mut() {
            reply.remove("scope");
            reply.insert("token_type".to_owned(), Value::from("bearer"));
            reply.insert("restricted_to".to_owned(), json!([]));
        }
        reply
    }

    fn deny(&self, denial: &Denial) -> Response {
        let (error, description) = match denial {
            Denial::UnknownClient | Denial::WrongSecret | Denial::WrongStyle => {
                ("invalid_client", "The client credentials are invalid")
            }
            Denial::UnknownCode | Denial::UsedCode => (
                "invalid_grant",
                "Auth code doesn't exist or is invalid for the client",
            ),
            Denial::ExpiredCode => ("invalid_grant", "The authorization code has expired"),
            Denial::WrongRedirect => (
                "redirect_uri_mismatch",
                "The redirect URI provided does not match the one of the authorization",
            ),
            Denial::UnknownRefresh | Denial::UsedRefresh | Denial::Ended(_) => {
                ("invalid_grant", "Invalid refresh token")
            }
            Denial::ExpiredRefresh => ("invalid_grant", "Refresh token has expired"),
            Denial::UnsupportedGrant => (
                "unsupported_grant_type",
                "The grant type is unauthorized for this client_id",
            ),
            other => return other.standard(),
        };
        answer(
            400,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// The client's id and secret and either token of the pair: both end.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        let outcome = call.form().and_then(|params| {
            let app = flow::client(desk, &RULES, call, &params)?;
            let token = params.get("token").ok_or(Denial::Missing("token"))?;
            let grant = desk.grant_of(token);
            Ok(grant.filter(|grant| grant.client_id == app.id && grant.ending == Ending::None))
        });
        match outcome {
            Ok(Some(grant)) => {
                desk.revoke_grant(&grant);
                StatusCode::OK.into_response()
            }
            Ok(None) => answer(
                400,
                &json!({ "error": "invalid_token", "error_description": "Invalid token provided" }),
            ),
            Err(denial) => self.deny(&denial),
        }
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let Ok(caller) = flow::bearer(desk, call) else {
            let challenge = "Bearer realm=\"Service\", error=\"invalid_token\", error_description=\"The access token \
                             provided is invalid.\"";
            // Box sends no body here.
            return (
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, challenge)],
            )
                .into_response();
        };
        if let Some(seconds) = levers::throttled(desk) {
            let mut response = fault(429, "rate_limit_exceeded", "Request rate limit exceeded");
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        read(&caller, call).map_or_else(|| self.not_found(call), |body| answer(200, &body))
    }

    fn not_found(&self, _call: &Call) -> Response {
        fault(404, "not_found", "Not Found")
    }
}

/// An error of the API.
fn fault(status: u16, code: &str, message: &str) -> Response {
    let help = "http://developers.box.com/docs/#errors";
    answer(
        status,
        &json!({
            "type": "error",
            "status": status,
            "code": code,
            "help_url": help,
            "message": message,
            "request_id": "simulated",
        }),
    )
}

/// A server app: its secret and whom it acts for. 4,100 seconds, nothing to refresh.
fn client_credentials(desk: &Desk, call: &Call) -> Result<Issued, Denial> {
    let params = call.form()?;
    let claim = Claim::read(call, &params);
    let id = claim.client_id.as_deref().ok_or(Denial::UnknownClient)?;
    let service = desk.service(id).ok_or(Denial::UnknownClient)?;
    claim.check(Some(&service.secret), RULES.client)?;
    let [owner, _] = ACCOUNTS;
    let subject = params
        .get("box_subject_id")
        .ok_or(Denial::Missing("box_subject_id"))?;
    let known = match params.get("box_subject_type") {
        Some("enterprise") => subject == service.tenant,
        Some("user") => subject == owner.id,
        _ => return Err(Denial::Missing("box_subject_type")),
    };
    if !known {
        return Err(Denial::Missing("box_subject_id"));
    }
    let grant = desk.begin_service_grant(Grant {
        id: 0,
        client_id: service.id,
        account: owner,
        scopes: vec!["root_readonly".to_owned()],
        host: call.host.clone(),
        asked: Params::default(),
        begun_at: desk.now(),
        ending: Ending::None,
    });
    let rules = Rules {
        access_seconds: Some(4_100),
        ..RULES
    };
    flow::issue_first(desk, &rules, grant, false)
}

fn read(caller: &Caller, call: &Call) -> Option<Value> {
    if call.method != Method::GET {
        return None;
    }
    let account = caller.account;
    let user =
        json!({ "type": "user", "id": account.id, "name": account.name, "login": account.email });
    let file = |id: &str| {
        json!({
            "type": "file",
            "id": id,
            "name": format!("Notes of {}.txt", account.name),
            "size": 1_815,
            "owned_by": user.clone(),
        })
    };
    let list = |entries: Vec<Value>| {
        json!({
            "total_count": entries.len(),
            "limit": 100,
            "offset": 0,
            "entries": entries,
            "query": call.query_pairs(),
        })
    };
    let segments = call.segments();
    match segments.as_slice() {
        ["2.0", "users", id] if *id == "me" || *id == account.id => Some(user),
        ["2.0", "users"] => Some(list(vec![user])),
        ["2.0", "folders", id] => Some(json!({
            "type": "folder",
            "id": id,
            "name": if *id == "0" { "All Files" } else { "Folder" },
            "owned_by": user,
            "item_collection": list(vec![file("1815")]),
        })),
        ["2.0", "folders", _, "items"] | ["2.0", "search"] => {
            Some(list(vec![file("1815"), file("1843")]))
        }
        ["2.0", "files", id] => Some(file(id)),
        ["2.0", "events"] => Some(json!({
            "chunk_size": 1,
            "next_stream_position": 1,
            "entries": [{ "type": "event", "event_id": "e1", "event_type": "ITEM_CREATE", "created_by": user }],
            "query": call.query_pairs(),
        })),
        _ => None,
    }
}
