//! Salesforce's identity services: introspection, `userinfo` and the `id` URL.

use axum::response::Response;
use serde_json::{Value, json};

use super::{ORG_ID, RULES, identity_url, instance};
use crate::simulators::book::Ending;
use crate::simulators::call::{Call, Params, answer};
use crate::simulators::denial::Denial;
use crate::simulators::desk::{Desk, Stranger};
use crate::simulators::flow;
use crate::simulators::plain::text;

/// Token introspection (RFC 7662), for the app that the token was issued to.
pub(super) fn introspect(desk: &Desk, call: &Call) -> Result<Value, Denial> {
    let params: Params = call.form()?;
    let app = flow::client(desk, &RULES, call, &params)?;
    let token = params.get("token").ok_or(Denial::Missing("token"))?;
    let now = desk.now();
    let book = desk.book();
    let access = book
        .access
        .get(token)
        .filter(|access| !access.revoked && access.expires_at.is_none_or(|end| end > now));
    let grant = access.and_then(|access| book.grants.get(&access.grant));
    let live = grant.filter(|grant| grant.client_id == app.id && grant.ending == Ending::None);
    let (Some(access), Some(grant)) = (access, live) else {
        return Ok(json!({ "active": false }));
    };
    Ok(json!({
        "active": true,
        "scope": access.scopes.join(" "),
        "client_id": grant.client_id,
        "username": grant.account.email,
        "sub": identity_url(grant),
        "token_type": "access_token",
        "exp": access.expires_at.map(|end| end / 1_000),
        "iat": access.issued_at / 1_000,
        "nbf": access.issued_at / 1_000,
    }))
}

/// `userinfo` and the `id` URL. They refuse in one word of plain text, with 403.
pub(super) fn answer_identity(desk: &Desk, call: &Call) -> Response {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let caller = match flow::bearer(desk, call) {
        Ok(caller) => caller,
        Err(Stranger::Missing) => return text(403, PLAIN, "Missing_OAuth_Token"),
        Err(_) => return text(403, PLAIN, "Bad_OAuth_Token"),
    };
    let account = caller.account;
    let id = identity_url(&caller.grant);
    if call.path.starts_with("/id/") && !id.ends_with(&call.path) {
        return text(403, PLAIN, "Wrong_Org");
    }
    let instance = instance(desk, &caller.grant.host);
    let (given_name, family_name) = account.name.split_once(' ').unwrap_or((account.name, ""));
    answer(
        200,
        &json!({
            "sub": id,
            "id": id,
            "user_id": account.id,
            "organization_id": ORG_ID,
            "preferred_username": account.email,
            "nickname": given_name.to_lowercase(),
            "name": account.name,
            "display_name": account.name,
            "given_name": given_name,
            "family_name": family_name,
            "email": account.email,
            "email_verified": true,
            "active": true,
            "urls": { "rest": format!("https://{instance}/services/data/v{{version}}/") },
        }),
    )
}
