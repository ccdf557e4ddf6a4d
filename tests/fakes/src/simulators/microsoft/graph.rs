//! Microsoft Graph: people, calendars, presence, sites, Teams, meetings. Each resource needs a scope of its kind.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::scopes::allow;
use crate::provider::Account;
use crate::simulators::call::{Call, answer};
use crate::simulators::desk::Caller;

const USER: &[&str] = &[
    "User.Read",
    "User.ReadWrite",
    "User.Read.All",
    "User.ReadBasic.All",
];
const USERS: &[&str] = &["User.Read.All", "User.ReadBasic.All", "Directory.Read.All"];
const CALENDAR: &[&str] = &[
    "Calendars.Read",
    "Calendars.ReadBasic",
    "Calendars.ReadWrite",
    "Calendars.Read.Shared",
    "Calendars.ReadWrite.Shared",
];
const SHARED_CALENDAR: &[&str] = &["Calendars.Read.Shared", "Calendars.ReadWrite.Shared"];
const PRESENCE: &[&str] = &["Presence.Read", "Presence.Read.All", "Presence.ReadWrite"];
const PRESENCE_OF_ALL: &[&str] = &["Presence.Read.All"];
const SITES: &[&str] = &["Sites.Read.All", "Sites.ReadWrite.All", "Sites.Selected"];
const FILES: &[&str] = &[
    "Files.Read",
    "Files.Read.All",
    "Files.ReadWrite",
    "Files.ReadWrite.All",
    "Sites.Read.All",
    "Sites.ReadWrite.All",
];
const MAIL: &[&str] = &["Mail.Read"];
const TEAMS: &[&str] = &["Team.ReadBasic.All", "Group.Read.All"];
const CHANNELS: &[&str] = &["Channel.ReadBasic.All", "Group.Read.All"];
const READ_CHANNEL: &[&str] = &["ChannelMessage.Read.All", "Group.Read.All"];
const POST_TO_CHANNEL: &[&str] = &["ChannelMessage.Send"];
const MEETINGS: &[&str] = &["OnlineMeetings.Read", "OnlineMeetings.ReadWrite"];
const MAKE_MEETINGS: &[&str] = &["OnlineMeetings.ReadWrite"];
/// A signed-in person needs no more.
const ANY: &[&str] = &[];

/// An error as Graph writes it.
pub(super) fn fault(status: u16, code: &str, message: &str) -> Response {
    answer(
        status,
        &json!({ "error": {
            "code": code,
            "message": message,
            "innerError": {
                "request-id": "00000000-0000-4000-8000-000000000002",
                "client-request-id": "00000000-0000-4000-8000-000000000002",
            },
        } }),
    )
}

/// 404.
pub(super) fn not_found(call: &Call) -> Response {
    let segments = call.segments();
    let last = segments.last().copied().unwrap_or("");
    fault(
        404,
        "ResourceNotFound",
        &format!("Resource not found for the segment '{last}'."),
    )
}

/// Answers a caller whose token is for Graph.
pub(super) fn answer_call(caller: &Caller, call: &Call) -> Response {
    let Some((scopes, body)) = find(caller, call) else {
        return not_found(call);
    };
    if !scopes.is_empty() && !allow(&caller.access.scopes, scopes) {
        let message = "Access is denied. Check credentials and try again.";
        return fault(403, "ErrorAccessDenied", message);
    }
    let status = if call.method == Method::POST && body.get("value").is_none() {
        201
    } else {
        200
    };
    answer(status, &body)
}

/// The scopes of which one is needed, and what the resource holds.
fn find(caller: &Caller, call: &Call) -> Option<(&'static [&'static str], Value)> {
    let account = caller.account;
    let is_get = call.method == Method::GET;
    let segments = call.segments();
    if is_get && segments.as_slice() == ["oidc", "userinfo"] {
        return Some((ANY, userinfo(caller)));
    }
    let ["v1.0" | "beta", rest @ ..] = segments.as_slice() else {
        return None;
    };
    let list = |kind: &str, entries: Vec<Value>| {
        json!({
            "@odata.context": format!("https://graph.microsoft.com/v1.0/$metadata#{kind}"),
            "value": entries,
            "query": call.query_pairs(),
        })
    };
    let found = match (is_get, rest) {
        (true, ["me"]) => (USER, user(account)),
        (true, ["me", rest @ ..]) => own(account, rest, &list)?,
        (true, ["users"]) => (USERS, list("users", vec![user(account)])),
        (true, ["users", _]) => (USERS, user(account)),
        (true, ["users", _, "manager"]) => (USERS, user(account)),
        (true, ["users", _, "directReports"]) => {
            (USERS, list("directoryObjects", vec![user(account)]))
        }
        (true, ["users", _, "presence"]) => (PRESENCE_OF_ALL, presence(account.id)),
        (true, ["users", _, "calendar", "events" | "calendarView"])
        | (true, ["users", _, "events" | "calendarView" | "calendarview"]) => {
            (SHARED_CALENDAR, list("events", events(account)))
        }
        (true, ["sites"]) => (SITES, list("sites", vec![site(account)])),
        (true, ["sites", _]) => (SITES, site(account)),
        (true, ["sites", _, "lists" | "pages" | "drives"])
        | (true, ["sites", _, "lists", _, "items"]) => {
            let entry = json!({ "id": "1", "name": "Notes", "createdBy": { "user": { "displayName": account.name } } });
            (SITES, list("sites", vec![entry]))
        }
        (true, ["teams", _, "channels"]) => {
            let channel =
                json!({ "id": "channel-1", "displayName": "General", "description": account.name });
            (CHANNELS, list("channels", vec![channel]))
        }
        (true, ["teams", _, "channels", _, "messages"]) => (
            READ_CHANNEL,
            list("messages", vec![message(account, &Value::Null)]),
        ),
        (false, ["teams", _, "channels", _, "messages"]) if call.method == Method::POST => {
            (POST_TO_CHANNEL, message(account, &call.json()))
        }
        (false, ["me", "onlineMeetings"]) if call.method == Method::POST => {
            (MAKE_MEETINGS, meeting(account, &call.json()))
        }
        (false, ["communications", "getPresencesByUserId"]) if call.method == Method::POST => {
            let asked = call.json();
            let ids = asked.get("ids").and_then(Value::as_array)?;
            let presences = ids.iter().filter_map(Value::as_str).map(presence).collect();
            (PRESENCE_OF_ALL, list("presences", presences))
        }
        _ => return None,
    };
    Some(found)
}

/// What is below `/me`.
fn own(
    account: Account,
    rest: &[&str],
    list: &dyn Fn(&str, Vec<Value>) -> Value,
) -> Option<(&'static [&'static str], Value)> {
    let found = match rest {
        ["events" | "calendarView" | "calendarview"]
        | ["calendar", "events" | "calendarView" | "calendarview"] => {
            (CALENDAR, list("events", events(account)))
        }
        ["calendars"] => {
            let calendar = json!({
                "id": "calendar-1",
                "name": "Calendar",
                "owner": { "name": account.name, "address": account.email },
            });
            (CALENDAR, list("calendars", vec![calendar]))
        }
        ["messages"] => {
            let mail = json!({ "id": "mail-1", "subject": format!("To {}", account.name) });
            (MAIL, list("messages", vec![mail]))
        }
        ["drive", "root", "children"] => {
            let file = json!({ "id": "file-1", "name": format!("Notes of {}.docx", account.name) });
            (FILES, list("driveItems", vec![file]))
        }
        ["presence"] => (PRESENCE, presence(account.id)),
        ["manager"] => (USERS, user(account)),
        ["joinedTeams"] => {
            let team =
                json!({ "id": "team-1", "displayName": format!("Team of {}", account.name) });
            (TEAMS, list("teams", vec![team]))
        }
        ["onlineMeetings"] => (
            MEETINGS,
            list("onlineMeetings", vec![meeting(account, &Value::Null)]),
        ),
        _ => return None,
    };
    Some(found)
}

/// `sub` always, the rest as consented to.
fn userinfo(caller: &Caller) -> Value {
    let account = caller.account;
    let has = |scope: &str| caller.access.scopes.iter().any(|own| own == scope);
    let mut profile = json!({ "sub": account.id });
    if let Some(profile) = profile.as_object_mut() {
        if has("profile") {
            let (given, family) = account.name.split_once(' ').unwrap_or((account.name, ""));
            profile.insert("name".to_owned(), Value::from(account.name));
            profile.insert("given_name".to_owned(), Value::from(given));
            profile.insert("family_name".to_owned(), Value::from(family));
        }
        if has("email") {
            profile.insert("email".to_owned(), Value::from(account.email));
        }
    }
    profile
}

fn user(account: Account) -> Value {
    json!({
        "id": account.id,
        "displayName": account.name,
        "mail": account.email,
        "userPrincipalName": account.email,
        "jobTitle": "Engineer",
    })
}

fn events(account: Account) -> Vec<Value> {
    let event = |id: &str, from: &str, to: &str| {
        json!({
            "id": id,
            "subject": format!("Meeting of {}", account.name),
            "start": { "dateTime": format!("2026-11-16T{from}:00.0000000"), "timeZone": "UTC" },
            "end": { "dateTime": format!("2026-11-16T{to}:00.0000000"), "timeZone": "UTC" },
            "organizer": { "emailAddress": { "name": account.name, "address": account.email } },
        })
    };
    vec![
        event("event-1", "09:30", "10:00"),
        event("event-2", "11:00", "12:30"),
    ]
}

fn presence(id: &str) -> Value {
    json!({ "id": id, "availability": "Available", "activity": "Available" })
}

fn site(account: Account) -> Value {
    json!({
        "id": "acme.sharepoint.com,1,2",
        "displayName": format!("Site of {}", account.name),
        "webUrl": "https://acme.sharepoint.com/sites/notes",
    })
}

fn message(account: Account, sent: &Value) -> Value {
    json!({
        "id": "message-1",
        "from": { "user": { "id": account.id, "displayName": account.name } },
        "body": sent.get("body"),
    })
}

fn meeting(account: Account, sent: &Value) -> Value {
    json!({
        "id": "meeting-1",
        "subject": sent.get("subject"),
        "joinWebUrl": "https://teams.microsoft.com/l/meetup-join/1",
        "participants": { "organizer": {
            "upn": account.email,
            "identity": { "user": { "displayName": account.name } },
        } },
    })
}
