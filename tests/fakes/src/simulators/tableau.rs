//! Tableau Cloud. No OAuth: a sign-in with a personal access token for a session of four hours, XML unless JSON is
//! asked for. A further sign-in with the same token ends the session before; a token unused for 15 days is gone.
//!
//! A token is registered with [`Simulators::register_pat`], or as a [`ServiceAccount`] whose 15 days then begin with
//! its first sign-in.
//!
//! Sources: Tableau REST API help "Signing In and Signing Out", "Handling Errors"; Tableau Cloud help "Personal
//! Access Tokens"; Salesforce help article 001496614.

mod xml;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::{Ending, Grant};
use super::call::{Call, Params, answer};
use super::denial::Denial;
use super::desk::{Caller, Desk};
use super::levers::{self, adjusted, throttled};
use super::plain::with_header;
use super::{Family, ServiceAccount, Simulators, flow};
use crate::provider::ACCOUNTS;
use crate::random::{equal_in_constant_time, sha256_base64url};

/// Tableau.
pub(super) struct Tableau;

const RULES: Rules = Rules {
    name: "Tableau",
    prefix: "tableau|",
    access_seconds: Some(4 * 3_600),
    rotation: Rotation::None,
    ..Rules::USUAL
};

/// The greatest age of a personal access token, by the site's setting.
const GREATEST_AGE_SECONDS: &str = "tableau: greatest age of a token";
/// A personal access token that was not used for longer is removed.
const UNUSED_MS: i64 = 15 * 86_400_000;

impl Simulators {
    /// Creates a personal access token of Ada's for the site with this content URL.
    pub fn register_pat(&self, name: &str, secret: &str, site: &str) {
        let Some(family) = self.family("tableau") else {
            return;
        };
        let pat = ServiceAccount {
            id: name.to_owned(),
            secret: secret.to_owned(),
            tenant: site.to_owned(),
        };
        // Its age counts from a sign-in that nobody made.
        let mut made = session(&family.desk, &pat, "");
        made.ending = Ending::Superseded;
        family.desk.begin_service_grant(made);
        family.desk.register_service(pat);
    }
}

impl Family {
    /// Tableau: the site lets personal access tokens live this long from their making (where they were only registered:
    /// from their first sign-in), however often they are used.
    pub fn set_greatest_token_age(&self, seconds: i64) {
        levers::set(&self.desk, GREATEST_AGE_SECONDS, seconds.to_string());
    }
}

impl Behaviour for Tableau {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        host.strip_suffix(".online.tableau.com")
            .is_some_and(|pod| !pod.is_empty() && pod.bytes().all(allowed))
    }

    fn endpoint(&self, _host: &str, path: &str) -> Option<Endpoint> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["api", version, rest @ ..] if is_version(version) => match rest {
                ["auth", "signin"] => Some(Endpoint::Token),
                ["auth", "signout"] => Some(Endpoint::Revoke),
                ["sites", ..] => Some(Endpoint::Api),
                _ => None,
            },
            _ => None,
        }
    }

    /// The token's name as the client, its secret left out.
    fn token_params(&self, call: &Call) -> Params {
        let body = call.json();
        let text = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "personal_access_token")
            .append_pair(
                "client_id",
                member(&body, "personalAccessTokenName").unwrap_or(""),
            )
            .finish();
        Params::parse(text.as_bytes())
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match sign_in(desk, call) {
            Ok(body) => say(call, 200, &body),
            Err(error) => refuse(call, error),
        }
    }

    /// Signing out.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        if call.method != Method::POST {
            return self.not_found(call);
        }
        match caller(desk, call) {
            Ok(caller) => {
                desk.revoke_grant(&caller.grant);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(error) => refuse(call, error),
        }
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let caller = match caller(desk, call) {
            Ok(caller) => caller,
            Err(error) => return refuse(call, error),
        };
        if let Some(seconds) = throttled(desk) {
            return with_header(refuse(call, TOO_MANY), "retry-after", seconds);
        }
        match read(&caller, call) {
            Ok(body) => say(call, 200, &body),
            Err(error) => refuse(call, error),
        }
    }

    fn not_found(&self, call: &Call) -> Response {
        refuse(call, NO_RESOURCE)
    }
}

/// `3.26`.
fn is_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(major, minor)| number(major) && number(minor))
}

/// An error: its code, whose first digits are the status, its summary and its detail.
type Error = (&'static str, &'static str, &'static str);

const BAD_REQUEST: Error = (
    "400000",
    "Bad Request",
    "Payload is either malformed or incomplete",
);
const NO_CREDENTIALS: Error = (
    "401000",
    "Unauthorized Access",
    "No authentication credentials were provided",
);
const BAD_SIGN_IN: Error = (
    "401001",
    "Signin Error",
    "Error signing in to Tableau Server",
);
const BAD_SESSION: Error = (
    "401002",
    "Unauthorized Access",
    "Invalid authentication credentials were provided",
);
const NO_SITE: Error = ("404000", "Resource Not Found", "Site could not be found.");
const NO_RESOURCE: Error = (
    "404000",
    "Resource Not Found",
    "Unknown resource specified in URI.",
);
const NO_USER: Error = ("404002", "Resource Not Found", "User could not be found.");
const BAD_METHOD: Error = (
    "405000",
    "Invalid Request Method",
    "Request type was not allowed for this resource",
);
const TOO_MANY: Error = (
    "429000",
    "Too Many Requests",
    "Too many requests for this resource",
);
const INTERNAL: Error = (
    "500000",
    "Internal Server Error",
    "The server met an unexpected condition",
);

fn refuse(call: &Call, (code, summary, detail): Error) -> Response {
    let status = code.get(..3).and_then(|status| status.parse().ok());
    let body = json!({ "error": { "summary": summary, "detail": detail, "code": code } });
    say(call, status.unwrap_or(500), &body)
}

/// JSON for those who ask for it, XML for everybody else.
fn say(call: &Call, status: u16, body: &Value) -> Response {
    let wants_json = call
        .header("accept")
        .is_some_and(|accept| accept.contains("application/json"));
    if wants_json {
        answer(status, body)
    } else {
        xml::answer_xml(status, body)
    }
}

/// A text within the credentials of a sign-in.
fn member<'a>(body: &'a Value, path: &str) -> Option<&'a str> {
    body.pointer(&format!("/credentials/{path}"))?.as_str()
}

fn sign_in(desk: &Desk, call: &Call) -> Result<Value, Error> {
    if call.method != Method::POST {
        return Err(BAD_METHOD);
    }
    let is_json = call
        .header("content-type")
        .is_some_and(|media_type| media_type.starts_with("application/json"));
    let body = call.json();
    let (Some(name), Some(secret), Some(site)) = (
        member(&body, "personalAccessTokenName"),
        member(&body, "personalAccessTokenSecret"),
        member(&body, "site/contentUrl"),
    ) else {
        return Err(BAD_REQUEST);
    };
    if !is_json {
        return Err(BAD_REQUEST);
    }
    let pat = desk.service(name).filter(|pat| {
        let right = equal_in_constant_time(&pat.secret, secret);
        right && !secret.is_empty() && pat.tenant == site
    });
    let pat = pat.ok_or(BAD_SIGN_IN)?;
    let grant = session(desk, &pat, &call.host);
    let greatest_age: Option<i64> =
        levers::get(desk, GREATEST_AGE_SECONDS).and_then(|seconds| seconds.parse().ok());
    let mut book = desk.book();
    let uses: Vec<i64> = book
        .grants
        .values()
        .filter(|used| used.client_id == grant.client_id)
        .map(|used| used.begun_at)
        .collect();
    let is_unused = uses
        .iter()
        .max()
        .is_some_and(|at| is_gone(*at, grant.begun_at));
    let is_old = uses.iter().min().is_some_and(|made| {
        greatest_age.is_some_and(|seconds| grant.begun_at - made >= seconds * 1_000)
    });
    if is_unused || is_old {
        return Err(BAD_SIGN_IN);
    }
    // One session per token: the one before ends here.
    book.end_all(&grant.client_id, grant.account, None, Ending::Superseded);
    let grant = book.begin(grant);
    drop(book);
    let rules = adjusted(desk, &RULES);
    let token = flow::issue_access(desk, &rules, &grant, "", &call.host, &grant.scopes)
        .map_err(|_: Denial| INTERNAL)?;
    desk.observed.count(|seen| seen.exchanges += 1);
    Ok(json!({
        "credentials": {
            "site": { "id": site_id(site), "contentUrl": site },
            "user": { "id": grant.account.id },
            "token": token,
            "estimatedTimeToExpiration": clock_time(rules.access_seconds.unwrap_or(0)),
        },
    }))
}

/// Whether a token last used at `then` is gone at `now`.
fn is_gone(then: i64, now: i64) -> bool {
    now.saturating_sub(then) > UNUSED_MS
}

/// A session that begins now. The grant's client is the token itself, its secret included: one that was made anew
/// under the old name is another.
fn session(desk: &Desk, pat: &ServiceAccount, host: &str) -> Grant {
    let [owner, _] = ACCOUNTS;
    Grant {
        id: 0,
        client_id: format!("{} {}", pat.id, sha256_base64url(&pat.secret)),
        account: owner,
        scopes: vec![pat.tenant.clone()],
        host: host.to_owned(),
        asked: Params::default(),
        begun_at: desk.now(),
        ending: Ending::None,
    }
}

/// `04:00:00`.
fn clock_time(seconds: i64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{:02}:{:02}:{:02}", minutes / 60, minutes % 60, seconds)
}

/// A site's id, made from its content URL.
fn site_id(content_url: &str) -> String {
    sha256_base64url(content_url).chars().take(24).collect()
}

/// The caller behind `X-Tableau-Auth`, on the pod that it signed in to. Nothing else will do.
fn caller(desk: &Desk, call: &Call) -> Result<Caller, Error> {
    let token = call.header("x-tableau-auth");
    let missing = token.is_none();
    let caller = desk
        .present(token)
        .map_err(|_| if missing { NO_CREDENTIALS } else { BAD_SESSION })?;
    if caller.access.audience == call.host {
        Ok(caller)
    } else {
        desk.count_unauthorized();
        Err(BAD_SESSION)
    }
}

fn read(caller: &Caller, call: &Call) -> Result<Value, Error> {
    if call.method != Method::GET {
        return Err(BAD_METHOD);
    }
    let account = caller.account;
    let own_site = caller.grant.scopes.first().map(|site| site_id(site));
    let segments = call.segments();
    let ["api", _, "sites", site, path @ ..] = segments.as_slice() else {
        return Err(NO_RESOURCE);
    };
    if own_site.as_deref() != Some(*site) {
        return Err(NO_SITE);
    }
    let page = json!({ "pageNumber": "1", "pageSize": "100", "totalAvailable": "1" });
    let owner = json!({ "id": account.id, "name": account.email });
    match path {
        ["users", id] if *id == account.id => Ok(json!({
            "user": {
                "id": account.id,
                "name": account.email,
                "email": account.email,
                "fullName": account.name,
                "siteRole": "Explorer",
                "authSetting": "TableauIDWithMFA",
            },
        })),
        ["users", _] => Err(NO_USER),
        ["workbooks"] => Ok(json!({
            "pagination": page,
            "workbooks": { "workbook": [
                { "id": "wb-1", "name": format!("Figures of {}", account.name), "contentUrl": "Figures", "owner": owner },
            ] },
        })),
        ["views"] => Ok(json!({
            "pagination": page,
            "views": { "view": [
                { "id": "view-1", "name": "Overview", "contentUrl": "Figures/sheets/Overview", "owner": owner },
            ] },
        })),
        _ => Err(NO_RESOURCE),
    }
}
