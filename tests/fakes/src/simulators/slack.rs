//! Slack. HTTP 200 for refusals, two tokens per consent with refresh tokens and lives of their own, commas.
//!
//! The bot is the app's in the workspace, not a person's: where nothing rotates every consent answers the same bot token,
//! and revoking one takes the bot out of the workspace, whoever consented.
//!
//! The last words of an app's id choose what differs between apps: `-static` has token rotation off (no `expires_in`,
//! no refresh token), `-uneven` gives user tokens half the life of bot tokens, `-org` installs for a whole
//! organisation.
//!
//! Sources: docs.slack.dev "Installing with OAuth", "Using token rotation", "Using PKCE", "Rate limits"; method pages
//! of `oauth.v2.access`, `auth.revoke`, `auth.test`.

mod methods;

use axum::response::Response;
use http::Method;
use serde_json::{Map, Value, json};

use super::App;
use super::authorization::{self, Fault, split_scopes};
use super::behaviour::{Behaviour, Endpoint, Pkce, Rotation, Rules};
use super::book::{Access, Ending, Grant, Pending, Refresh};
use super::call::{Call, Params, answer};
use super::claim::Accepts;
use super::denial::Denial;
use super::desk::Desk;
use super::plain::missing_page;
use super::{flow, levers};

/// Slack.
pub(super) struct Slack;

const RULES: Rules = Rules {
    name: "Slack",
    prefix: "slack-",
    // A challenge would turn the app into a public client, for good.
    pkce: Pkce::Refused,
    client: Accepts::Either,
    separators: ",",
    // So that `user_scope` may come alone: `authorize` checks both parameters itself.
    default_scopes: &["identify"],
    known_scope,
    scope_fault_on_page: true,
    code_seconds: 600,
    access_seconds: Some(43_200),
    rotation: Rotation::SingleUse,
    ..Rules::USUAL
};

/// The two kinds of token: the slot, the parameter its scopes are asked for with, and how its tokens begin.
const KINDS: [Kind; 2] = [
    Kind {
        slot: "bot",
        param: "scope",
        rotating: "xoxe.xoxb-1-",
        lasting: "xoxb-",
    },
    Kind {
        slot: "user",
        param: "user_scope",
        rotating: "xoxe.xoxp-1-",
        lasting: "xoxp-",
    },
];

#[derive(Clone, Copy)]
struct Kind {
    slot: &'static str,
    param: &'static str,
    rotating: &'static str,
    lasting: &'static str,
}

impl Kind {
    fn scopes(&self, grant: &Grant) -> Vec<String> {
        split_scopes(grant.asked.get(self.param).unwrap_or(""), RULES.separators)
    }
}

/// Whether one of the last two words of an app's id is `word`.
fn is_marked(app_id: &str, word: &str) -> bool {
    app_id.rsplit('-').take(2).any(|last| last == word)
}

/// `chat:write`, `users:read.email`, `openid`: words of small letters.
fn known_scope(scope: &str) -> bool {
    scope.split([':', '.', '_']).all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

impl Behaviour for Slack {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        host == "slack.com"
    }

    fn endpoint(&self, _host: &str, path: &str) -> Option<Endpoint> {
        match path {
            "/oauth/v2/authorize" => Some(Endpoint::Authorize),
            "/api/oauth.v2.access" => Some(Endpoint::Token),
            "/api/auth.revoke" => Some(Endpoint::Revoke),
            path if path.starts_with("/api/") => Some(Endpoint::Api),
            _ => None,
        }
    }

    /// `scope` is what the bot may do, `user_scope` what the person's own token may do; one of them is enough.
    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        let mut pending = authorization::authorize(desk, &RULES, call)?;
        let asked = KINDS.map(|kind| pending.asked.get(kind.param).unwrap_or("").to_owned());
        pending.scopes = split_scopes(&asked.join(","), RULES.separators);
        if pending.scopes.is_empty() {
            return Err(Fault::page("invalid_scope: no scope was requested"));
        }
        match pending.scopes.iter().find(|scope| !known_scope(scope)) {
            Some(unknown) => Err(Fault::page(format!(
                "invalid_scope: the scope {unknown} is not known"
            ))),
            None => Ok(pending),
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match issue(desk, call) {
            Ok(reply) => answer(200, &reply),
            Err(denial) => refuse(wording(&denial)),
        }
    }

    /// `auth.revoke` with one token as Bearer: that token and its refresh token end, the other kind stays. A bot's token
    /// stands for the bot, which has one place in the workspace however many consented to it.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        let caller = match methods::caller(desk, call) {
            Ok(caller) => caller,
            Err(error) => return refuse(error),
        };
        if caller.access.slot == "bot" {
            for grant in grants_of(desk, &caller.grant.client_id) {
                end_kind(desk, grant, "bot");
            }
        } else {
            end_kind(desk, caller.grant.id, caller.access.slot);
        }
        desk.observed.count(|seen| seen.revoked += 1);
        answer(200, &json!({ "ok": true, "revoked": true }))
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        methods::answer_method(desk, call)
    }

    fn not_found(&self, _call: &Call) -> Response {
        missing_page()
    }
}

/// A refusal: HTTP 200, and the truth in the body.
fn refuse(error: &str) -> Response {
    answer(200, &json!({ "ok": false, "error": error }))
}

fn wording(denial: &Denial) -> &'static str {
    match denial {
        Denial::UnknownClient => "invalid_client_id",
        Denial::WrongSecret | Denial::WrongStyle => "bad_client_secret",
        Denial::UnknownCode | Denial::ExpiredCode | Denial::WrongVerifier => "invalid_code",
        Denial::UsedCode => "code_already_used",
        Denial::WrongRedirect => "bad_redirect_uri",
        Denial::UnknownRefresh
        | Denial::UsedRefresh
        | Denial::ExpiredRefresh
        | Denial::Ended(_) => "invalid_refresh_token",
        Denial::UnsupportedGrant => "invalid_grant_type",
        Denial::NotAForm => "invalid_form_data",
        Denial::Internal => "internal_error",
        _ => "invalid_arguments",
    }
}

fn issue(desk: &Desk, call: &Call) -> Result<Value, Denial> {
    let params = call.form()?;
    let app = flow::client(desk, &RULES, call, &params)?;
    match params.get("grant_type") {
        None | Some("authorization_code") => exchange(desk, &app, &params),
        Some("refresh_token") => refresh(desk, &app, &params),
        Some(_) => Err(Denial::UnsupportedGrant),
    }
}

/// One token for each kind that was asked for: the bot's on top, the person's in `authed_user`.
fn exchange(desk: &Desk, app: &App, params: &Params) -> Result<Value, Denial> {
    let grant = flow::redeem_code(desk, app, params)?;
    let mut reply = installation(&grant);
    let mut authed_user = Map::new();
    authed_user.insert("id".to_owned(), Value::from(grant.account.id));
    for kind in KINDS {
        if kind.scopes(&grant).is_empty() {
            continue;
        }
        let members = tokens(desk, &grant, kind)?;
        if kind.slot == "bot" {
            reply.extend(members);
            reply.insert("bot_user_id".to_owned(), Value::from(methods::BOT_ID));
        } else {
            authed_user.extend(members);
        }
    }
    reply.insert("authed_user".to_owned(), Value::Object(authed_user));
    Ok(Value::Object(reply))
}

/// Where the app was installed.
fn installation(grant: &Grant) -> Map<String, Value> {
    let is_org_wide = is_marked(&grant.client_id, "org");
    let team = json!({ "id": methods::TEAM_ID, "name": "Acme" });
    let enterprise = json!({ "id": "E0ACME", "name": "Acme Group" });
    let members = [
        ("ok", json!(true)),
        ("app_id", json!("A0SIMULATED")),
        ("team", if is_org_wide { Value::Null } else { team }),
        (
            "enterprise",
            if is_org_wide { enterprise } else { Value::Null },
        ),
        ("is_enterprise_install", json!(is_org_wide)),
    ];
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// A fresh token of one kind, with its refresh token where rotation is on, as members of a reply.
fn tokens(desk: &Desk, grant: &Grant, kind: Kind) -> Result<Map<String, Value>, Denial> {
    let scopes = kind.scopes(grant);
    let is_rotating = !is_marked(&grant.client_id, "static");
    let seconds = levers::adjusted(desk, &RULES)
        .access_seconds
        .filter(|_| is_rotating)
        .map(|seconds| {
            let is_halved = kind.slot == "user" && is_marked(&grant.client_id, "uneven");
            if is_halved { seconds / 2 } else { seconds }
        });
    let prefix = if is_rotating {
        kind.rotating
    } else {
        kind.lasting
    };
    let kept = if kind.slot == "bot" && !is_rotating {
        take_over_bot(desk, grant, &scopes)
    } else {
        None
    };
    let (access_token, scopes) = match kept {
        Some(kept) => kept,
        None => (desk.mint(prefix)?, scopes),
    };
    let mut members = Map::new();
    members.insert("access_token".to_owned(), Value::from(&*access_token));
    members.insert("token_type".to_owned(), Value::from(kind.slot));
    members.insert("scope".to_owned(), Value::from(scopes.join(",")));
    let access = Access {
        grant: grant.id,
        slot: kind.slot,
        audience: String::new(),
        scopes,
        issued_at: desk.now(),
        expires_at: seconds.map(|seconds| desk.after(seconds)),
        revoked: false,
    };
    desk.add_access(&access_token, access);
    if let Some(seconds) = seconds {
        let refresh_token = desk.mint("xoxe-1-")?;
        members.insert("refresh_token".to_owned(), Value::from(&*refresh_token));
        members.insert("expires_in".to_owned(), Value::from(seconds));
        let refresh = Refresh {
            grant: grant.id,
            slot: kind.slot,
            expires_at: None,
            spent: false,
        };
        desk.add_refresh(&refresh_token, refresh);
    }
    Ok(members)
}

/// The bot token that an earlier consent to this app left in the workspace, now the newer consent's too, and the scopes of
/// both: Slack's scopes add up.
fn take_over_bot(desk: &Desk, grant: &Grant, scopes: &[String]) -> Option<(String, Vec<String>)> {
    let earlier = grants_of(desk, &grant.client_id);
    let mut book = desk.book();
    let standing = |id: &u64| {
        let grant = book.grants.get(id);
        grant.is_some_and(|grant| grant.ending == Ending::None)
    };
    let earlier: Vec<u64> = earlier.into_iter().filter(standing).collect();
    let (token, access) = book.access.iter_mut().find(|(_, access)| {
        access.slot == "bot" && !access.revoked && earlier.contains(&access.grant)
    })?;
    access.grant = grant.id;
    let added = scopes.iter().filter(|scope| !access.scopes.contains(scope));
    let added: Vec<String> = added.cloned().collect();
    access.scopes.extend(added);
    Some((token.clone(), access.scopes.clone()))
}

/// Every consent to an app, ended ones included.
fn grants_of(desk: &Desk, client_id: &str) -> Vec<u64> {
    let book = desk.book();
    let theirs = book.grants.values();
    theirs
        .filter(|grant| grant.client_id == client_id)
        .map(|grant| grant.id)
        .collect()
}

/// A refresh of one kind; the reply has it on top, whichever it is. A used refresh token ends its kind only.
fn refresh(desk: &Desk, app: &App, params: &Params) -> Result<Value, Denial> {
    let presented = params
        .get("refresh_token")
        .ok_or(Denial::Missing("refresh_token"))?;
    let (grant, slot) = spend(desk, app, presented)?;
    let kind = KINDS.into_iter().find(|kind| kind.slot == slot);
    let mut reply = installation(&grant);
    reply.extend(tokens(desk, &grant, kind.ok_or(Denial::UnknownRefresh)?)?);
    if slot == "bot" {
        reply.insert("bot_user_id".to_owned(), Value::from(methods::BOT_ID));
    } else {
        reply.insert("user_id".to_owned(), Value::from(grant.account.id));
    }
    desk.observed.count(|seen| seen.refreshes += 1);
    Ok(Value::Object(reply))
}

fn spend(desk: &Desk, app: &App, presented: &str) -> Result<(Grant, &'static str), Denial> {
    let mut book = desk.book();
    let refresh = book.refresh.get(presented).cloned();
    let refresh = refresh.ok_or(Denial::UnknownRefresh)?;
    let grant = book
        .grants
        .get(&refresh.grant)
        .filter(|grant| grant.client_id == app.id);
    let grant = grant.cloned().ok_or(Denial::UnknownRefresh)?;
    if grant.ending != Ending::None {
        return Err(Denial::Ended(grant.ending));
    }
    if refresh.spent {
        drop(book);
        end_kind(desk, grant.id, refresh.slot);
        desk.observed.count(|seen| seen.reuse_detected += 1);
        return Err(Denial::UsedRefresh);
    }
    if let Some(refresh) = book.refresh.get_mut(presented) {
        refresh.spent = true;
    }
    Ok((grant, refresh.slot))
}

/// Ends every token of one kind within a grant.
fn end_kind(desk: &Desk, grant: u64, slot: &str) {
    let mut book = desk.book();
    for access in book.access.values_mut() {
        access.revoked |= access.grant == grant && access.slot == slot;
    }
    for refresh in book.refresh.values_mut() {
        refresh.spent |= refresh.grant == grant && refresh.slot == slot;
    }
}

/// The arguments of a method: of the URL, a form, or JSON.
fn arguments(call: &Call) -> Map<String, Value> {
    let is_json = call
        .header("content-type")
        .is_some_and(|media_type| media_type.starts_with("application/json"));
    if let (true, Value::Object(body)) = (is_json && call.method == Method::POST, call.json()) {
        return body;
    }
    let mut text = call.query.clone().into_bytes();
    text.push(b'&');
    text.extend_from_slice(&call.body);
    form_urlencoded::parse(&text)
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect()
}
