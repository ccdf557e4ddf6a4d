//! Webex. Fourteen days and ninety, both told and both for an organization to shorten; the refresh token comes again.
//!
//! Sources: developer.webex.com "Integrations", "Login with Webex", "API basics" and the REST reference.

use axum::response::Response;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::call::{Call, answer};
use super::denial::Denial;
use super::desk::{Caller, Desk};
use super::flow::{self, Issued};
use super::levers;

/// Webex.
pub(super) struct Webex;

const DAY: i64 = 86_400;

const RULES: Rules = Rules {
    name: "Webex",
    prefix: "webex-",
    known_scope,
    access_seconds: Some(14 * DAY),
    rotation: Rotation::Repeated,
    idle_seconds: Some(90 * DAY),
    ..Rules::USUAL
};

/// What the integration is registered for; anything else fails outright.
fn known_scope(scope: &str) -> bool {
    matches!(
        scope,
        "openid"
            | "email"
            | "profile"
            | "spark:all"
            | "spark:kms"
            | "spark:people_read"
            | "spark:rooms_read"
            | "spark:rooms_write"
            | "spark:messages_read"
            | "spark:messages_write"
            | "spark:memberships_read"
            | "spark:memberships_write"
            | "spark:teams_read"
            | "meeting:schedules_read"
            | "meeting:schedules_write"
            | "meeting:participants_read"
            | "meeting:recordings_read"
            | "meeting:preferences_read"
    )
}

impl Behaviour for Webex {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        host == "webexapis.com"
    }

    fn endpoint(&self, _host: &str, path: &str) -> Option<Endpoint> {
        match path {
            "/v1/authorize" => Some(Endpoint::Authorize),
            "/v1/access_token" => Some(Endpoint::Token),
            path if path.starts_with("/v1/") => Some(Endpoint::Api),
            _ => None,
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        flow::respond(self, desk, call)
    }

    fn reply(&self, issued: &Issued) -> Value {
        let mut reply = issued.standard();
        if let Some(reply) = reply.as_object_mut() {
            reply.insert(
                "refresh_token_expires_in".to_owned(),
                Value::from(issued.refresh_seconds),
            );
        }
        reply
    }

    /// The members of RFC 6749 next to those of every other Webex error.
    fn deny(&self, denial: &Denial) -> Response {
        let status = if denial.code() == "invalid_client" {
            401
        } else {
            400
        };
        let mut body = failure(&denial.text());
        if let Some(body) = body.as_object_mut() {
            body.insert("error".to_owned(), Value::from(denial.code()));
            body.insert("error_description".to_owned(), Value::from(denial.text()));
        }
        answer(status, &body)
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let Ok(caller) = flow::bearer(desk, call) else {
            let message = "The request requires a valid access token set in the Authorization request header.";
            return answer(401, &failure(message));
        };
        if let Some(seconds) = levers::throttled(desk) {
            let message = "The maximum number of requests was exceeded; wait for the time given in Retry-After.";
            let mut response = answer(429, &failure(message));
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        let Some((scope, body)) = find(&caller, call) else {
            return self.not_found(call);
        };
        let granted = caller
            .access
            .scopes
            .iter()
            .any(|own| own == scope || (own == "spark:all" && scope.starts_with("spark:")));
        if !granted {
            let message = "The request could not be authorized: the call requires one of the following scopes.";
            return answer(403, &failure(&format!("{message} {scope}")));
        }
        body.map_or_else(
            |missing| answer(400, &failure(missing)),
            |body| answer(200, &body),
        )
    }

    fn not_found(&self, _call: &Call) -> Response {
        answer(404, &failure("The requested resource could not be found."))
    }
}

/// An error of Webex's APIs.
fn failure(message: &str) -> Value {
    json!({
        "message": message,
        "errors": [{ "description": message }],
        "trackingId": "ROUTER_SIMULATED",
    })
}

/// The scope that a resource needs, and what it holds or what it misses.
fn find(caller: &Caller, call: &Call) -> Option<(&'static str, Result<Value, &'static str>)> {
    let account = caller.account;
    let (first, last) = account.name.split_once(' ').unwrap_or((account.name, ""));
    let person = json!({
        "id": account.id,
        "emails": [account.email],
        "phoneNumbers": [],
        "displayName": account.name,
        "nickName": first,
        "firstName": first,
        "lastName": last,
        "orgId": "webex-org",
        "type": "person",
    });
    let items = |item: Value| Ok(json!({ "items": [item], "query": call.query_pairs() }));
    let room =
        json!({ "id": "room-1", "title": format!("Room of {}", account.name), "type": "group" });
    let meeting = json!({
        "id": "meeting-1",
        "title": format!("Meeting of {}", account.name),
        "hostUserId": account.id,
        "hostEmail": account.email,
        "start": "2026-11-16T09:30:00Z",
        "end": "2026-11-16T10:00:00Z",
        "webLink": "https://acme.webex.com/meet/1",
    });
    let recording =
        json!({ "id": "recording-1", "topic": format!("Recording of {}", account.name) });
    let message = |text: Value| {
        json!({
            "id": "message-1",
            "roomId": "room-1",
            "personEmail": account.email,
            "text": text,
        })
    };
    let team = json!({ "id": "team-1", "name": format!("Team of {}", account.name) });
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::GET, ["v1", "people", "me"]) => Some(("spark:people_read", Ok(person))),
        (&Method::GET, ["v1", "people", id]) if *id == account.id => {
            Some(("spark:people_read", Ok(person)))
        }
        (&Method::GET, ["v1", "people"]) => Some(("spark:people_read", items(person))),
        (&Method::GET, ["v1", "rooms"]) => Some(("spark:rooms_read", items(room))),
        (&Method::GET, ["v1", "rooms", "room-1"]) => Some(("spark:rooms_read", Ok(room))),
        (&Method::GET, ["v1", "teams"]) => Some(("spark:teams_read", items(team))),
        (&Method::GET, ["v1", "messages"]) => Some((
            "spark:messages_read",
            match call.query_params().get("roomId") {
                Some(_) => items(message(json!(format!("Hello from {}", account.name)))),
                None => Err("roomId cannot be null"),
            },
        )),
        (&Method::POST, ["v1", "messages"]) => {
            let text = call.json().get("text").cloned().unwrap_or(Value::Null);
            Some(("spark:messages_write", Ok(message(text))))
        }
        (&Method::GET, ["v1", "meetings"]) => Some(("meeting:schedules_read", items(meeting))),
        (&Method::POST, ["v1", "meetings"]) => Some(("meeting:schedules_write", Ok(meeting))),
        (&Method::GET, ["v1", "recordings"]) => Some(("meeting:recordings_read", items(recording))),
        _ => None,
    }
}
