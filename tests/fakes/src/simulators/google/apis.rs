//! Google's APIs: OpenID userinfo, Calendar, Drive and Meet, a handful of reads each.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use crate::simulators::call::{Call, answer};
use crate::simulators::desk::Caller;

/// An error in the shape of Google's APIs; the newer ones add `status`.
pub(super) fn fault(
    code: u16,
    message: &str,
    domain: &str,
    reason: &str,
    status: Option<&str>,
) -> Response {
    let mut error = json!({
        "code": code,
        "message": message,
        "errors": [{ "message": message, "domain": domain, "reason": reason }],
    });
    if let (Some(status), Some(error)) = (status, error.as_object_mut()) {
        error.insert("status".to_owned(), Value::from(status));
    }
    answer(code, &json!({ "error": error }))
}

/// The answer to a caller with a live token; `None` where nothing is served.
pub(super) fn answer_call(caller: &Caller, call: &Call) -> Option<Response> {
    let (family, body) = find(caller, call)?;
    let granted = caller
        .access
        .scopes
        .iter()
        .any(|scope| scope_is_of(scope, family));
    if !granted {
        return Some(fault(
            403,
            "Request had insufficient authentication scopes.",
            "global",
            "insufficientPermissions",
            Some("PERMISSION_DENIED"),
        ));
    }
    Some(answer(200, &body))
}

fn scope_is_of(scope: &str, family: &str) -> bool {
    match family {
        "openid" => scope == "openid" || scope.contains("/auth/userinfo."),
        family => scope
            .strip_prefix("https://www.googleapis.com/auth/")
            .is_some_and(|name| name.split('.').next() == Some(family)),
    }
}

/// Which kind of scope a resource needs, and what it holds.
fn find(caller: &Caller, call: &Call) -> Option<(&'static str, Value)> {
    let segments = call.segments();
    match (call.host.as_str(), &call.method, segments.as_slice()) {
        ("openidconnect.googleapis.com", &Method::GET, ["v1", "userinfo"]) => {
            Some(("openid", userinfo(caller)))
        }
        ("www.googleapis.com", method, ["calendar", "v3", rest @ ..]) => {
            Some(("calendar", calendar(caller, call, method, rest)?))
        }
        ("www.googleapis.com", &Method::GET, ["drive", "v3", rest @ ..]) => {
            Some(("drive", drive(caller, call, rest)?))
        }
        ("meet.googleapis.com", method, ["v2", rest @ ..]) => {
            Some(("meetings", meet(caller, call, method, rest)?))
        }
        _ => None,
    }
}

fn userinfo(caller: &Caller) -> Value {
    let account = caller.account;
    let has = |name: &str| {
        let scope = format!("https://www.googleapis.com/auth/userinfo.{name}");
        caller.access.scopes.contains(&scope)
    };
    let mut profile = json!({ "sub": account.id });
    if let Some(profile) = profile.as_object_mut() {
        if has("email") {
            profile.insert("email".to_owned(), Value::from(account.email));
            profile.insert("email_verified".to_owned(), Value::from(true));
        }
        if has("profile") {
            let (given, family) = account.name.split_once(' ').unwrap_or((account.name, ""));
            profile.insert("name".to_owned(), Value::from(account.name));
            profile.insert("given_name".to_owned(), Value::from(given));
            profile.insert("family_name".to_owned(), Value::from(family));
        }
    }
    profile
}

fn calendar(caller: &Caller, call: &Call, method: &Method, rest: &[&str]) -> Option<Value> {
    let account = caller.account;
    match (method, rest) {
        (&Method::GET, ["users", "me", "calendarList"]) => Some(json!({
            "kind": "calendar#calendarList",
            "items": [{
                "kind": "calendar#calendarListEntry",
                "id": account.email,
                "summary": account.name,
                "primary": true,
                "accessRole": "owner",
            }],
            "query": call.query_pairs(),
        })),
        (&Method::GET, ["calendars", id]) => Some(json!({
            "kind": "calendar#calendar",
            "id": id,
            "summary": account.name,
            "timeZone": "UTC",
            "query": call.query_pairs(),
        })),
        (&Method::GET, ["calendars", _, "events"]) => Some(json!({
            "kind": "calendar#events",
            "summary": account.name,
            "timeZone": "UTC",
            "accessRole": "owner",
            "items": [event(caller, "event-1", "09:30", "10:00"), event(caller, "event-2", "11:00", "12:30")],
            "query": call.query_pairs(),
        })),
        (&Method::GET, ["calendars", _, "events", id]) => Some(event(caller, id, "09:30", "10:00")),
        (&Method::POST, ["freeBusy"]) => Some(json!({
            "kind": "calendar#freeBusy",
            "calendars": { account.email: {
                "busy": [{ "start": "2026-11-16T09:30:00Z", "end": "2026-11-16T10:00:00Z" }],
            } },
        })),
        _ => None,
    }
}

fn event(caller: &Caller, id: &str, from: &str, to: &str) -> Value {
    let account = caller.account;
    json!({
        "kind": "calendar#event",
        "id": id,
        "status": "confirmed",
        "summary": format!("Meeting of {}", account.name),
        "organizer": { "email": account.email, "displayName": account.name, "self": true },
        "start": { "dateTime": format!("2026-11-16T{from}:00Z"), "timeZone": "UTC" },
        "end": { "dateTime": format!("2026-11-16T{to}:00Z"), "timeZone": "UTC" },
    })
}

fn drive(caller: &Caller, call: &Call, rest: &[&str]) -> Option<Value> {
    let account = caller.account;
    let user = json!({ "kind": "drive#user", "displayName": account.name, "emailAddress": account.email, "me": true });
    let file = |id: &str| {
        json!({
            "kind": "drive#file",
            "id": id,
            "name": format!("Notes of {}", account.name),
            "mimeType": "application/vnd.google-apps.document",
            "owners": [user.clone()],
        })
    };
    match rest {
        // Drive answers this one to those who say which members they want.
        ["about"] if call.query_params().get("fields").is_none() => None,
        ["about"] => {
            Some(json!({ "kind": "drive#about", "user": user, "query": call.query_pairs() }))
        }
        ["files"] => Some(json!({
            "kind": "drive#fileList",
            "incompleteSearch": false,
            "files": [file("file-1"), file("file-2")],
            "query": call.query_pairs(),
        })),
        ["files", id] => Some(file(id)),
        _ => None,
    }
}

fn meet(caller: &Caller, call: &Call, method: &Method, rest: &[&str]) -> Option<Value> {
    let space = |name: &str| {
        json!({
            "name": format!("spaces/{name}"),
            "meetingUri": format!("https://meet.google.com/{name}"),
            "meetingCode": name,
            "config": { "accessType": "TRUSTED", "entryPointAccess": "ALL" },
        })
    };
    match (method, rest) {
        (&Method::POST, ["spaces"]) => Some(space("abc-mnop-xyz")),
        (&Method::GET, ["spaces", name]) => Some(space(name)),
        (&Method::GET, ["conferenceRecords"]) => Some(json!({
            "conferenceRecords": [{
                "name": "conferenceRecords/1",
                "space": "spaces/abc-mnop-xyz",
                "startTime": "2026-11-16T09:30:00Z",
            }],
            "organizer": caller.account.name,
            "query": call.query_pairs(),
        })),
        _ => None,
    }
}
