//! Methods of Slack's Web API: who calls, what they need, what they answer.

use axum::response::Response;
use http::Method;
use serde_json::{Map, Value, json};

use super::{arguments, refuse};
use crate::provider::{ACCOUNTS, Account};
use crate::simulators::call::{Call, answer};
use crate::simulators::desk::{Caller, Desk, Stranger};
use crate::simulators::flow;
use crate::simulators::levers::throttled;
use crate::simulators::plain::with_header;

/// The app's bot user.
pub(super) const BOT_ID: &str = "U0BOT";
/// The workspace.
pub(super) const TEAM_ID: &str = "T0ACME";

const CHANNEL_ID: &str = "C0GENERAL";

/// The methods there are, and the scope each one needs; none: any token will do.
const METHODS: [(&str, Option<&str>); 6] = [
    ("auth.test", None),
    ("chat.postMessage", Some("chat:write")),
    ("conversations.list", Some("channels:read")),
    ("openid.connect.userInfo", Some("openid")),
    ("users.info", Some("users:read")),
    ("users.profile.get", Some("users.profile:read")),
];

/// The caller behind `Authorization: Bearer`, spelled exactly so, or the error of that name.
pub(super) fn caller(desk: &Desk, call: &Call) -> Result<Caller, &'static str> {
    flow::bearer(desk, call).map_err(|stranger| match stranger {
        Stranger::Missing if call.headers.contains_key("authorization") => "invalid_auth",
        Stranger::Missing => "not_authed",
        Stranger::Expired => "token_expired",
        Stranger::Unknown => {
            let token = call.header("authorization").unwrap_or("");
            let token = token.strip_prefix("Bearer ").unwrap_or("");
            if desk.book().access.contains_key(token) {
                "token_revoked"
            } else {
                "invalid_auth"
            }
        }
    })
}

/// Any method but `auth.revoke`.
pub(super) fn answer_method(desk: &Desk, call: &Call) -> Response {
    let name = call.path.strip_prefix("/api/").unwrap_or("");
    let Some((name, needed)) = METHODS.into_iter().find(|(known, _)| *known == name) else {
        let body = json!({ "ok": false, "error": "unknown_method", "req_method": name });
        return answer(200, &body);
    };
    let caller = match caller(desk, call) {
        Ok(caller) => caller,
        Err(error) => return refuse(error),
    };
    if let Some(seconds) = throttled(desk) {
        let body = json!({ "ok": false, "error": "ratelimited" });
        return with_header(answer(429, &body), "retry-after", seconds);
    }
    if name == "openid.connect.userInfo" && caller.access.slot != "user" {
        return refuse("not_allowed_token_type");
    }
    let scopes = &caller.access.scopes;
    if let Some(needed) = needed
        && !scopes.iter().any(|scope| scope == needed)
    {
        let provided = scopes.join(",");
        let body = json!({
            "ok": false,
            "error": "missing_scope",
            "needed": needed,
            "provided": provided,
        });
        return answer(200, &body);
    }
    let said = match name {
        "auth.test" => Ok(auth_test(desk, &caller)),
        "chat.postMessage" => post_message(desk, &caller, call),
        "conversations.list" => Ok(json!({
            "channels": [{ "id": CHANNEL_ID, "name": "general", "is_channel": true, "is_member": true }],
            "response_metadata": { "next_cursor": "" },
            "query": call.query_pairs(),
        })),
        "users.info" => user_info(&caller, call),
        "users.profile.get" => Ok(json!({ "profile": profile(&caller, caller.account) })),
        _ => Ok(open_id(&caller)),
    };
    match said {
        Ok(Value::Object(members)) => {
            let mut body = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
            body.extend(members);
            answer(200, &Value::Object(body))
        }
        Ok(_) => refuse("internal_error"),
        Err(error) => refuse(error),
    }
}

fn auth_test(desk: &Desk, caller: &Caller) -> Value {
    let (user, user_id) = if caller.access.slot == "bot" {
        ("acme_bot".to_owned(), BOT_ID)
    } else {
        (handle(caller.account), caller.account.id)
    };
    let mut body = json!({
        "url": "https://acme.slack.com/",
        "team": "Acme",
        "user": user,
        "team_id": TEAM_ID,
        "user_id": user_id,
        "is_enterprise_install": super::is_marked(&caller.grant.client_id, "org"),
    });
    if let Some(body) = body.as_object_mut() {
        if caller.access.slot == "bot" {
            body.insert("bot_id".to_owned(), Value::from("B0BOT"));
        }
        if let Some(end) = caller.access.expires_at {
            let left = end.saturating_sub(desk.now()) / 1_000;
            body.insert("expires_in".to_owned(), Value::from(left));
        }
    }
    body
}

/// Arguments in a form or in JSON.
fn post_message(desk: &Desk, caller: &Caller, call: &Call) -> Result<Value, &'static str> {
    if call.method != Method::POST {
        return Err("invalid_post_type");
    }
    let arguments = arguments(call);
    let argument = |name| arguments.get(name).and_then(Value::as_str);
    let channel = argument("channel").filter(|channel| !channel.is_empty());
    let channel = channel.ok_or("channel_not_found")?;
    let text = argument("text").filter(|text| !text.is_empty());
    let text = text.ok_or("no_text")?;
    let now = desk.now();
    let ts = format!("{}.{:06}", now / 1_000, (now % 1_000) * 1_000);
    let author = if caller.access.slot == "bot" {
        BOT_ID
    } else {
        caller.account.id
    };
    Ok(json!({
        "channel": channel,
        "ts": ts,
        "message": { "type": "message", "text": text, "user": author, "ts": ts },
    }))
}

fn user_info(caller: &Caller, call: &Call) -> Result<Value, &'static str> {
    let arguments = arguments(call);
    let wanted = arguments.get("user").and_then(Value::as_str).unwrap_or("");
    let account = ACCOUNTS.into_iter().find(|account| account.id == wanted);
    let account = account.ok_or("user_not_found")?;
    Ok(json!({
        "user": {
            "id": account.id,
            "team_id": TEAM_ID,
            "name": handle(account),
            "real_name": account.name,
            "deleted": false,
            "profile": profile(caller, account),
        },
    }))
}

/// A profile; the address needs a scope of its own.
fn profile(caller: &Caller, account: Account) -> Value {
    let mut profile = json!({ "real_name": account.name, "display_name": handle(account) });
    let scopes = &caller.access.scopes;
    if let Some(profile) = profile.as_object_mut()
        && scopes.iter().any(|scope| scope == "users:read.email")
    {
        profile.insert("email".to_owned(), Value::from(account.email));
    }
    profile
}

fn open_id(caller: &Caller) -> Value {
    let account = caller.account;
    let mut body = json!({
        "sub": account.id,
        "https://slack.com/user_id": account.id,
        "https://slack.com/team_id": TEAM_ID,
    });
    let has = |wanted: &str| caller.access.scopes.iter().any(|scope| scope == wanted);
    if let Some(body) = body.as_object_mut() {
        if has("email") {
            body.insert("email".to_owned(), Value::from(account.email));
            body.insert("email_verified".to_owned(), Value::Bool(true));
        }
        if has("profile") {
            body.insert("name".to_owned(), Value::from(account.name));
        }
    }
    body
}

/// `ada.lovelace`.
fn handle(account: Account) -> String {
    account.name.to_lowercase().replace(' ', ".")
}
