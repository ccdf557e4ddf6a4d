//! Microsoft. One authorization server, many resources: a token is for one of them, and each checks that it is.
//!
//! Every refresh brings another refresh token and leaves the old one; none is ever taken back by request.
//!
//! Sources: Microsoft identity platform "OAuth 2.0 authorization code flow", "Scopes and permissions", "Refresh tokens",
//! "Authentication and authorization error codes"; Graph, Power BI, SharePoint and Yammer REST references.

mod errors;
mod graph;
mod policy;
mod resources;
mod scopes;

use axum::response::Response;
use serde_json::{Value, json};

use super::authorization::{self, Fault};
use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::{Ending, Grant, Pending};
use super::call::{Call, Params, answer};
use super::claim::{Accepts, Claim, Style};
use super::denial::Denial;
use super::desk::Desk;
use super::flow::{self, Issued};
use super::levers;
use super::{App, Family};
use errors::{Refusal, refuse};
pub use policy::ConditionalAccess;
use scopes::Wanted;

/// Microsoft.
pub(super) struct Microsoft;

const DAY: i64 = 86_400;
/// The tenant that everybody here belongs to.
const TENANT: &str = "00000000-0000-4000-8000-000000001815";
/// The redirect addresses are registered as type *Single-page application*.
const SINGLE_PAGE: &str = "microsoft: redirect type SPA";

const RULES: Rules = Rules {
    name: "Microsoft",
    prefix: "microsoft-",
    client: Accepts::Either,
    known_scope: |_| true,
    // Between 60 and 90 minutes.
    access_seconds: Some(4_500),
    rotation: Rotation::Renewed,
    idle_seconds: Some(90 * DAY),
    ..Rules::USUAL
};

fn is_admin_consent(path: &str) -> bool {
    path.ends_with("/v2.0/adminconsent")
}

impl Family {
    /// Microsoft: the redirect addresses are of type *SPA*; refresh tokens issued from now on live 24 hours from the
    /// consent, however often they are used.
    pub fn set_single_page_redirects(&self) {
        levers::set(&self.desk, SINGLE_PAGE, String::new());
    }
}

fn rules(desk: &Desk) -> Rules {
    let mut rules = levers::adjusted(desk, &RULES);
    if levers::get(desk, SINGLE_PAGE).is_some() {
        rules.absolute_seconds = Some(DAY);
    }
    rules
}

/// `organizations`, `common`, `consumers`, a tenant's id or one of its domains.
fn is_tenant(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_guid = segment.len() == 36 && segment.split('-').count() == 5;
    matches!(segment, "organizations" | "common" | "consumers")
        || (segment.bytes().all(plain) && (is_guid || segment.contains('.')))
}

impl Behaviour for Microsoft {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        matches!(
            host,
            "login.microsoftonline.com"
                | "graph.microsoft.com"
                | "api.powerbi.com"
                | "www.yammer.com"
        ) || scopes::sharepoint_tenant(host).is_some()
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        if host != "login.microsoftonline.com" {
            return Some(Endpoint::Api);
        }
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        match rest {
            "oauth2/v2.0/authorize" | "v2.0/adminconsent" if is_tenant(tenant) => {
                Some(Endpoint::Authorize)
            }
            "oauth2/v2.0/token" if is_tenant(tenant) => Some(Endpoint::Token),
            _ => None,
        }
    }

    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        let pending = if is_admin_consent(&call.path) {
            let mut pending = authorization::begin(desk, &RULES, call)?;
            let asked = pending.asked.get("scope").unwrap_or("");
            pending.scopes = authorization::split_scopes(asked, " ");
            pending
        } else {
            authorization::authorize(desk, &RULES, call)?
        };
        match Wanted::read(&pending.scopes) {
            Ok(_) => Ok(pending),
            Err(refusal) => Err(authorization::redirect(
                &pending,
                refusal.error,
                refusal.description(),
            )),
        }
    }

    /// An administrator's consent for a tenant gives no code.
    fn redirect_instead(&self, pending: &Pending) -> Option<Vec<(&'static str, String)>> {
        is_admin_consent(&pending.path).then(|| {
            vec![
                ("admin_consent", "True".to_owned()),
                ("tenant", TENANT.to_owned()),
            ]
        })
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match issue(desk, call) {
            Ok(reply) => answer(200, &reply),
            Err(refusal) => refuse(desk.now(), &refusal),
        }
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        resources::answer_call(desk, call)
    }

    fn not_found(&self, call: &Call) -> Response {
        resources::not_found(call)
    }
}

fn issue(desk: &Desk, call: &Call) -> Result<Value, Refusal> {
    let rules = &rules(desk);
    let params = call.form()?;
    match params.get("grant_type") {
        None => Err(Denial::Missing("grant_type").into()),
        Some("authorization_code") => {
            let app = client(desk, call, &params)?;
            // Before the code is spent: a request for two resources costs nothing.
            let grant = consented(desk, &params);
            let wanted = wanted(&params, grant.as_ref())?;
            policy::admit(desk)?;
            let grant = flow::redeem_code(desk, &app, &params)?;
            wanted.within(&grant.scopes)?;
            let offline = grant.scopes.iter().any(|scope| scope == "offline_access");
            let refresh_token = if offline {
                Some(flow::issue_refresh(desk, rules, &grant, "")?)
            } else {
                None
            };
            reply(desk, rules, &grant, &wanted, refresh_token)
        }
        Some("refresh_token") => {
            let app = client(desk, call, &params)?;
            let presented = params
                .get("refresh_token")
                .ok_or(Denial::Missing("refresh_token"))?;
            if params.get("scope").is_none() && policy::is_exacting(desk, &app.id) {
                return Err(Refusal::scope_missing());
            }
            let held = desk.grant_of(presented);
            let wanted = wanted(&params, held.as_ref().map(|grant| &grant.scopes))?;
            policy::admit(desk)?;
            if let Some(grant) = held.filter(|grant| grant.ending == Ending::None) {
                policy::admit_refresh(desk, &grant)?;
            }
            let (grant, slot) = flow::redeem_refresh(desk, rules, &app, presented)?;
            wanted.within(&grant.scopes)?;
            let next = flow::next_refresh(desk, rules, &grant, slot, presented)?;
            reply(desk, rules, &grant, &wanted, next)
        }
        Some(_) => Err(Denial::UnsupportedGrant.into()),
    }
}

/// The app. Microsoft tells a secret that is missing from one that is wrong, and from one that should not be there.
fn client(desk: &Desk, call: &Call, params: &Params) -> Result<App, Refusal> {
    let claim = Claim::read(call, params);
    let id = claim.client_id.as_deref().ok_or(Denial::UnknownClient)?;
    let app = desk.app(id).ok_or(Denial::UnknownClient)?;
    match (&app.secret, claim.style) {
        (Some(_), Style::None) if !params.has("client_secret") => Err(Refusal::secret_missing()),
        (None, Style::Basic | Style::Body | Style::Both) => Err(Refusal::public_with_secret()),
        _ => {
            claim.check(app.secret.as_deref(), RULES.client)?;
            Ok(app)
        }
    }
}

/// What a code was consented for, without spending it.
fn consented(desk: &Desk, params: &Params) -> Option<Vec<String>> {
    let book = desk.book();
    let code = book.codes.get(params.get("code")?)?;
    Some(code.pending.scopes.clone())
}

/// The scopes a token request is for: its own, or those of the consent.
fn wanted(params: &Params, consented: Option<&Vec<String>>) -> Result<Wanted, Refusal> {
    let scopes = match params.get("scope") {
        Some(scope) => authorization::split_scopes(scope, " "),
        None => consented.cloned().unwrap_or_default(),
    };
    let wanted = Wanted::read(&scopes)?;
    wanted.single_resource()?;
    Ok(wanted)
}

fn reply(
    desk: &Desk,
    rules: &Rules,
    grant: &Grant,
    wanted: &Wanted,
    refresh_token: Option<String>,
) -> Result<Value, Refusal> {
    let scopes = wanted.granted(&grant.scopes);
    let audience = wanted.audience();
    let access_token = flow::issue_access(desk, rules, grant, "", audience, &scopes)?;
    let issued = Issued {
        access_token,
        refresh_token,
        seconds: rules.access_seconds,
        refresh_seconds: None,
        scopes,
    };
    let mut reply = issued.standard();
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("ext_expires_in".to_owned(), json!(rules.access_seconds));
    }
    Ok(reply)
}
