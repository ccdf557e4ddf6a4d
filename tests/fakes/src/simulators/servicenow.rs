//! ServiceNow. One host per customer, a revocation that asks for nobody's credentials, a redirect that falls back to
//! the first registered address.
//!
//! Sources: ServiceNow product documentation "OAuth API request parameters", "Manage OAuth tokens", "Revoke OAuth
//! tokens", "Create an OAuth API endpoint for external clients", Table API reference. The words of a refused token
//! request are as reported from the field: one answer for nearly everything.

mod table;

use axum::response::Response;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::authorization::{self, Fault};
use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::Pending;
use super::call::{Call, answer};
use super::denial::Denial;
use super::desk::Desk;
use super::flow;
use super::levers::throttled;
use super::plain::{missing_page, text, with_header};

/// ServiceNow.
pub(super) struct ServiceNow;

const RULES: Rules = Rules {
    name: "ServiceNow",
    prefix: "sn-",
    default_scopes: &["useraccount"],
    known_scope: |scope| {
        scope
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
    },
    access_seconds: Some(1_800),
    rotation: Rotation::Repeated,
    absolute_seconds: Some(8_640_000),
    ..Rules::USUAL
};

impl Behaviour for ServiceNow {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        host.strip_suffix(".service-now.com")
            .is_some_and(|instance| !instance.is_empty() && instance.bytes().all(allowed))
    }

    fn endpoint(&self, _host: &str, path: &str) -> Option<Endpoint> {
        match path {
            "/oauth_auth.do" => Some(Endpoint::Authorize),
            "/oauth_token.do" => Some(Endpoint::Token),
            "/oauth_revoke_token.do" => Some(Endpoint::Revoke),
            path if path.starts_with("/api/now/") => Some(Endpoint::Api),
            _ => None,
        }
    }

    /// A redirect address that is not registered is no error: the first registered one takes its place.
    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        let asked = call.query_params();
        let app = asked.get("client_id").and_then(|id| desk.app(id));
        let redirect_uri = asked.get("redirect_uri").unwrap_or("");
        let first = app
            .filter(|app| !app.redirect_uris.iter().any(|known| known == redirect_uri))
            .and_then(|app| app.redirect_uris.into_iter().next());
        let Some(first) = first else {
            return authorization::authorize(desk, &RULES, call);
        };
        let others = form_urlencoded::parse(call.query.as_bytes())
            .filter(|(name, _)| name != "redirect_uri");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("redirect_uri", &first)
            .finish();
        let redirected = Call {
            method: call.method.clone(),
            host: call.host.clone(),
            path: call.path.clone(),
            query,
            headers: call.headers.clone(),
            body: call.body.clone(),
        };
        let mut pending = authorization::authorize(desk, &RULES, &redirected)?;
        pending.asked = asked;
        Ok(pending)
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match prepare(desk, call) {
            Ok(()) => flow::respond(self, desk, call),
            Err(denial) => self.deny(&denial),
        }
    }

    /// Whatever is wrong with a client, a code or a refresh token, this is all one learns.
    fn deny(&self, denial: &Denial) -> Response {
        match denial.code() {
            "invalid_client" | "invalid_grant" => answer(
                401,
                &json!({ "error_description": "access_denied", "error": "server_error" }),
            ),
            _ => denial.standard(),
        }
    }

    /// GET, the token in the URL, no authentication. A refresh token takes its access tokens along.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        if call.method != Method::GET {
            return missing_page();
        }
        let params = call.query_params();
        let token = params.get("token").unwrap_or("");
        let grant = desk.grant_of(token);
        let Some(grant) = grant.filter(|grant| grant.host == call.host) else {
            let body = json!({ "error": "invalid_request", "error_description": "invalid token" });
            return answer(400, &body);
        };
        let is_refresh = desk.book().refresh.contains_key(token);
        if is_refresh {
            desk.revoke_grant(&grant);
        } else {
            desk.revoke_access(token);
        }
        text(200, "text/plain; charset=utf-8", "")
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        let caller = flow::bearer(desk, call).ok();
        let Some(caller) = caller.filter(|caller| caller.grant.host == call.host) else {
            let refused = fault(
                401,
                "User Not Authenticated",
                "Required to provide Auth information",
            );
            let challenge = HeaderValue::from_static("BASIC realm=\"Service-now\"");
            return with_header(refused, "www-authenticate", challenge);
        };
        if let Some(seconds) = throttled(desk) {
            let refused = fault(
                429,
                "Rate limit exceeded",
                "The rate limit of this user was exceeded",
            );
            return with_header(refused, "retry-after", seconds);
        }
        table::read(&caller, call)
    }

    fn not_found(&self, _call: &Call) -> Response {
        missing_page()
    }
}

/// Codes and refresh tokens belong to their instance; and a code is bound to the address that was asked for, even
/// where the redirect fell back to another.
fn prepare(desk: &Desk, call: &Call) -> Result<(), Denial> {
    let params = call.form()?;
    let grant = params
        .get("refresh_token")
        .and_then(|token| desk.grant_of(token));
    if grant.is_some_and(|grant| grant.host != call.host) {
        return Err(Denial::UnknownRefresh);
    }
    let mut book = desk.book();
    let code = params.get("code").unwrap_or("");
    if let Some(code) = book.codes.get_mut(code) {
        if code.pending.host != call.host {
            return Err(Denial::UnknownCode);
        }
        if let Some(asked) = code.pending.asked.get("redirect_uri") {
            code.pending.redirect_uri = asked.to_owned();
        }
    }
    Ok(())
}

/// An error of the REST API.
fn fault(status: u16, message: &str, detail: impl Into<Value>) -> Response {
    let error = json!({ "message": message, "detail": detail.into() });
    answer(status, &json!({ "error": error, "status": "failure" }))
}
