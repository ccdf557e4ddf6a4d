//! The token endpoint as most providers have it (RFC 6749, RFC 7636), in steps that a family may take alone.

use axum::response::Response;
use serde_json::{Value, json};

use super::App;
use super::authorization::split_scopes;
use super::behaviour::{Behaviour, Rotation, Rules};
use super::book::{Access, Ending, Grant, Refresh};
use super::call::{Call, Params, answer};
use super::claim::Claim;
use super::denial::Denial;
use super::desk::{Caller, Desk, Stranger};
use super::levers;
use crate::random::{equal_in_constant_time, sha256_base64url};

/// What a token request led to.
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) seconds: Option<i64>,
    /// What is left of the refresh token's life.
    pub(super) refresh_seconds: Option<i64>,
    pub(super) scopes: Vec<String>,
}

impl Issued {
    /// The reply of RFC 6749 section 5.1.
    pub(super) fn standard(&self) -> Value {
        let mut reply = json!({
            "access_token": self.access_token,
            "token_type": "Bearer",
            "scope": self.scopes.join(" "),
        });
        if let Some(reply) = reply.as_object_mut() {
            if let Some(seconds) = self.seconds {
                reply.insert("expires_in".to_owned(), Value::from(seconds));
            }
            if let Some(refresh_token) = &self.refresh_token {
                reply.insert(
                    "refresh_token".to_owned(),
                    Value::from(refresh_token.as_str()),
                );
            }
        }
        reply
    }
}

/// Answers a token request of the two standard kinds in the family's shapes.
pub(super) fn respond(behaviour: &dyn Behaviour, desk: &Desk, call: &Call) -> Response {
    match token(behaviour, desk, call) {
        Ok(issued) => answer(200, &behaviour.reply(&issued)),
        Err(denial) => behaviour.deny(&denial),
    }
}

/// A token request of the two standard kinds.
pub(super) fn token(behaviour: &dyn Behaviour, desk: &Desk, call: &Call) -> Result<Issued, Denial> {
    let params = call.form()?;
    let rules = &levers::adjusted(desk, behaviour.rules());
    match params.get("grant_type") {
        None => Err(Denial::Missing("grant_type")),
        Some("authorization_code") => {
            let app = client(desk, rules, call, &params)?;
            let grant = redeem_code(desk, &app, &params)?;
            behaviour.begun(desk, &grant);
            let offline = behaviour.offline(desk, &grant);
            issue_first(desk, rules, grant, offline)
        }
        Some("refresh_token") if rules.rotation != Rotation::None => {
            let app = client(desk, rules, call, &params)?;
            refresh(desk, rules, &app, &params)
        }
        Some(_) => Err(Denial::UnsupportedGrant),
    }
}

/// The app behind a token request, its proof checked.
pub(super) fn client(
    desk: &Desk,
    rules: &Rules,
    call: &Call,
    params: &Params,
) -> Result<App, Denial> {
    Claim::read(call, params).verify(desk, rules.client)
}

/// A code's checks (known, this app's, unused, in time, redirect address, verifier); it is spent and becomes a grant.
pub(super) fn redeem_code(desk: &Desk, app: &App, params: &Params) -> Result<Grant, Denial> {
    let presented = params.get("code").ok_or(Denial::Missing("code"))?;
    let now = desk.now();
    let mut book = desk.book();
    let code = book
        .codes
        .get(presented)
        .filter(|code| code.pending.client_id == app.id);
    let code = code.cloned().ok_or(Denial::UnknownCode)?;
    if let Some(grant) = code.grant {
        book.end(grant, Ending::Reused);
        drop(book);
        desk.observed.count(|seen| seen.reuse_detected += 1);
        return Err(Denial::UsedCode);
    }
    if code.expires_at <= now {
        return Err(Denial::ExpiredCode);
    }
    let verifier = params.get("code_verifier");
    let proven = match (&code.pending.challenge, verifier) {
        (Some(challenge), Some(verifier)) => {
            is_verifier(verifier) && equal_in_constant_time(&sha256_base64url(verifier), challenge)
        }
        (None, None) => true,
        _ => false,
    };
    let right_address = params.get("redirect_uri") == Some(&code.pending.redirect_uri);
    if !proven || !right_address {
        // Whoever holds the code is not whom it was issued to.
        book.codes.remove(presented);
        return Err(if right_address {
            Denial::WrongVerifier
        } else {
            Denial::WrongRedirect
        });
    }
    let grant = book.begin(Grant {
        id: 0,
        client_id: app.id.clone(),
        account: code.account,
        scopes: code.pending.scopes,
        host: code.pending.host,
        asked: code.pending.asked,
        begun_at: now,
        ending: Ending::None,
    });
    if let Some(code) = book.codes.get_mut(presented) {
        code.grant = Some(grant.id);
    }
    drop(book);
    desk.observed.count(|seen| seen.exchanges += 1);
    Ok(grant)
}

/// 43 to 128 unreserved characters (RFC 7636 section 4.1).
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// The first tokens of a grant.
pub(super) fn issue_first(
    desk: &Desk,
    rules: &Rules,
    grant: Grant,
    offline: bool,
) -> Result<Issued, Denial> {
    let access_token = issue_access(desk, rules, &grant, "", "", &grant.scopes)?;
    let refresh_token = if offline && rules.rotation != Rotation::None {
        Some(issue_refresh(desk, rules, &grant, "")?)
    } else {
        None
    };
    Ok(Issued {
        refresh_seconds: refresh_token
            .as_ref()
            .and_then(|_| refresh_seconds(desk, rules, &grant)),
        scopes: grant.scopes,
        access_token,
        refresh_token,
        seconds: rules.access_seconds,
    })
}

/// A refresh by the rules, for the scopes granted or fewer.
pub(super) fn refresh(
    desk: &Desk,
    rules: &Rules,
    app: &App,
    params: &Params,
) -> Result<Issued, Denial> {
    let presented = params
        .get("refresh_token")
        .ok_or(Denial::Missing("refresh_token"))?;
    let asked = params
        .get("scope")
        .map(|scope| split_scopes(scope, rules.separators));
    if let (Some(asked), Some(grant)) = (&asked, desk.grant_of(presented))
        && let Some(wide) = asked.iter().find(|scope| !grant.scopes.contains(scope))
    {
        return Err(Denial::Scope(wide.clone()));
    }
    let (grant, slot) = redeem_refresh(desk, rules, app, presented)?;
    let scopes = asked.unwrap_or_else(|| grant.scopes.clone());
    let access_token = issue_access(desk, rules, &grant, slot, "", &scopes)?;
    let refresh_token = next_refresh(desk, rules, &grant, slot, presented)?;
    Ok(Issued {
        access_token,
        refresh_token,
        seconds: rules.access_seconds,
        refresh_seconds: refresh_seconds(desk, rules, &grant),
        scopes,
    })
}

/// A refresh token's checks; it is spent or prolonged as the rules say. Answers its grant and its slot.
pub(super) fn redeem_refresh(
    desk: &Desk,
    rules: &Rules,
    app: &App,
    presented: &str,
) -> Result<(Grant, &'static str), Denial> {
    let now = desk.now();
    let mut book = desk.book();
    let refresh = book.refresh.get(presented).cloned();
    let refresh = refresh.ok_or(Denial::UnknownRefresh)?;
    let grant = book
        .grants
        .get(&refresh.grant)
        .filter(|grant| grant.client_id == app.id);
    let grant = grant.cloned().ok_or(Denial::UnknownRefresh)?;
    if refresh.spent {
        if rules.rotation == Rotation::SingleUse {
            book.end(grant.id, Ending::Reused);
        }
        drop(book);
        desk.observed.count(|seen| seen.reuse_detected += 1);
        return Err(Denial::UsedRefresh);
    }
    if grant.ending != Ending::None {
        return Err(Denial::Ended(grant.ending));
    }
    if refresh.expires_at.is_some_and(|end| end <= now) {
        return Err(Denial::ExpiredRefresh);
    }
    if let Some(refresh) = book.refresh.get_mut(presented) {
        match rules.rotation {
            Rotation::SingleUse | Rotation::Replaced => refresh.spent = true,
            Rotation::Reusable | Rotation::Repeated => {
                refresh.expires_at = refresh_end(rules, &grant, now);
            }
            Rotation::None | Rotation::Renewed => {}
        }
    }
    drop(book);
    desk.observed.count(|seen| seen.refreshes += 1);
    Ok((grant, refresh.slot))
}

/// The refresh token that a refresh reply carries, if it carries one.
pub(super) fn next_refresh(
    desk: &Desk,
    rules: &Rules,
    grant: &Grant,
    slot: &'static str,
    presented: &str,
) -> Result<Option<String>, Denial> {
    match rules.rotation {
        Rotation::None | Rotation::Reusable => Ok(None),
        Rotation::Repeated => Ok(Some(presented.to_owned())),
        Rotation::Renewed | Rotation::Replaced | Rotation::SingleUse => {
            issue_refresh(desk, rules, grant, slot).map(Some)
        }
    }
}

/// A fresh access token of `grant` with the rules' prefix and life.
pub(super) fn issue_access(
    desk: &Desk,
    rules: &Rules,
    grant: &Grant,
    slot: &'static str,
    audience: &str,
    scopes: &[String],
) -> Result<String, Denial> {
    let token = desk.mint(&format!("{}access-", rules.prefix))?;
    let access = Access {
        grant: grant.id,
        slot,
        audience: audience.to_owned(),
        scopes: scopes.to_vec(),
        issued_at: desk.now(),
        expires_at: rules.access_seconds.map(|seconds| desk.after(seconds)),
        revoked: false,
    };
    desk.add_access(&token, access);
    Ok(token)
}

/// A fresh refresh token of `grant` with the rules' prefix and limits.
pub(super) fn issue_refresh(
    desk: &Desk,
    rules: &Rules,
    grant: &Grant,
    slot: &'static str,
) -> Result<String, Denial> {
    let token = desk.mint(&format!("{}refresh-", rules.prefix))?;
    let refresh = Refresh {
        grant: grant.id,
        slot,
        expires_at: refresh_end(rules, grant, desk.now()),
        spent: false,
    };
    desk.add_refresh(&token, refresh);
    Ok(token)
}

/// When a refresh token issued or prolonged now ends.
fn refresh_end(rules: &Rules, grant: &Grant, now: i64) -> Option<i64> {
    let from = |start: i64, seconds: i64| start.saturating_add(seconds.saturating_mul(1_000));
    let idle = rules.idle_seconds.map(|seconds| from(now, seconds));
    let absolute = rules
        .absolute_seconds
        .map(|seconds| from(grant.begun_at, seconds));
    match (idle, absolute) {
        (Some(idle), Some(absolute)) => Some(idle.min(absolute)),
        (end, None) | (None, end) => end,
    }
}

/// What is left of a refresh token issued now, in seconds.
fn refresh_seconds(desk: &Desk, rules: &Rules, grant: &Grant) -> Option<i64> {
    let now = desk.now();
    refresh_end(rules, grant, now).map(|end| (end - now) / 1_000)
}

/// The caller behind `Authorization: Bearer`, spelled exactly so.
pub(super) fn bearer(desk: &Desk, call: &Call) -> Result<Caller, Stranger> {
    desk.present(
        call.header("authorization")
            .and_then(|value| value.strip_prefix("Bearer ")),
    )
}
