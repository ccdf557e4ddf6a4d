//! Every route there is, in one table: what it asks, and of whom. Tests put one question to all of them, and one test fails
//! when a function has a route that is not here. A new route is one line.

use http::Method;

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The function it belongs to, by the name of its folder.
    pub function: &'static str,
    /// Its method.
    pub method: &'static str,
    /// Its path with parameters.
    pub path: &'static str,
    /// Who may ask.
    pub asked: Asked,
}

/// Who a route answers.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// A caller of the widget: requests to try, path and body, behind `/v1/widgets/{widget}/`.
    ByCallers(&'static [(&'static str, &'static str)]),
    /// Whoever asks; why that gives nobody anything of somebody's.
    ByAnybody(&'static str),
}

use Asked::{ByAnybody, ByCallers};

const fn row(
    function: &'static str,
    method: &'static str,
    path: &'static str,
    asked: Asked,
) -> Row {
    Row {
        function,
        method,
        path,
        asked,
    }
}

const TICKET: &str = "bound to the caller who asked for the ticket: tests/it/attacks/handshake.rs";
const STATE: &str = "bound to the browser that began the flow: tests/it/attacks/callback.rs";
const SESSION: &str = "asks for a session of the console, or a ticket for one: tests/it/console";
const NOTHING: &str = "holds nothing of anybody's";

/// What callers try stands on the widget of [`crate::own`]: `acme-header` is each user's own, `acme-shared` the organisation's.
#[rustfmt::skip]
pub const ROUTES: &[Row] = &[
    row("connect", "GET", "/v1/health", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/openapi.json", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/consulate.js", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/consulate.classic.js", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/consulate.credentials.js", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/widgets/{widget}/connections", ByCallers(&[("connections", "")])),
    row("connect", "GET", "/v1/widgets/{widget}/connections/{auth_key}", ByCallers(&[("connections/acme-header", ""), ("connections/acme-shared", "")])),
    row("connect", "PUT", "/v1/widgets/{widget}/connections/{auth_key}", ByCallers(&[("connections/acme-header", r#"{"api_key":"a-key-nobody-accepts"}"#), ("connections/acme-shared", r#"{"api_key":"a-key-nobody-accepts"}"#)])),
    row("connect", "DELETE", "/v1/widgets/{widget}/connections/{auth_key}", ByCallers(&[("connections/acme-header", ""), ("connections/acme-shared", "")])),
    row("connect", "POST", "/v1/widgets/{widget}/connections/{auth_key}/connect", ByCallers(&[("connections/acme-consent/connect", "{}"), ("connections/acme-header/connect", "{}")])),
    row("connect", "POST", "/v1/widgets/{widget}/connections/{auth_key}/complete", ByCallers(&[("connections/acme-consent/complete", r#"{"completion":"flow.secret"}"#)])),
    row("connect", "GET", "/v1/connect/{ticket}", ByAnybody(TICKET)),
    row("connect", "POST", "/v1/connect/{ticket}", ByAnybody(TICKET)),
    row("connect", "HEAD", "/v1/connect/{ticket}", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/connect/assets/{file}", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/callback/{passport}", ByAnybody(STATE)),
    row("connect", "HEAD", "/v1/callback/{passport}", ByAnybody(NOTHING)),
    row("connect", "GET", "/v1/connected", ByAnybody(NOTHING)),
    row("settings", "GET", "/v1/widgets/{widget}/settings/{scope}", ByCallers(&[("settings/user", ""), ("settings/organisation", "")])),
    row("settings", "GET", "/v1/widgets/{widget}/settings/{scope}/{key}", ByCallers(&[("settings/user/theme", ""), ("settings/organisation/theme", "")])),
    row("settings", "PUT", "/v1/widgets/{widget}/settings/{scope}/{key}", ByCallers(&[("settings/user/theme", r#"{"dark":true}"#), ("settings/organisation/theme", r#"{"dark":true}"#)])),
    row("settings", "DELETE", "/v1/widgets/{widget}/settings/{scope}/{key}", ByCallers(&[("settings/user/theme", ""), ("settings/organisation/theme", "")])),
    row("qrvey-token", "POST", "/v1/widgets/{widget}/qrvey/{name}", ByCallers(&[("qrvey/sales", "{}")])),
    row("console", "GET", "/console", ByAnybody(SESSION)),
    row("console", "GET", "/console/sign-in", ByAnybody(SESSION)),
    row("console", "POST", "/console/sign-in", ByAnybody(SESSION)),
    row("console", "POST", "/console/sign-out", ByAnybody(SESSION)),
    row("console", "GET", "/console/assets/{file}", ByAnybody(NOTHING)),
    row("console", "GET", "/console/widgets/{widget}", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/person", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/host-secret", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/connections/{auth_key}/bind", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/connections/{auth_key}/connect", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/connections/{auth_key}/type", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/connections/{auth_key}/disconnect", ByAnybody(SESSION)),
    row("console", "GET", "/console/widgets/{widget}/apis/{name}", ByAnybody(SESSION)),
    row("console", "POST", "/console/widgets/{widget}/apis/{name}", ByAnybody(SESSION)),
    row("console", "GET", "/console/import", ByAnybody(SESSION)),
    row("console", "POST", "/console/import", ByAnybody(SESSION)),
    row("console", "GET", "/console/passports", ByAnybody(SESSION)),
    row("console", "POST", "/console/passports", ByAnybody(SESSION)),
    row("console", "GET", "/console/passports/new", ByAnybody(SESSION)),
    row("console", "POST", "/console/passports/{passport}/secret", ByAnybody(SESSION)),
    row("console", "GET", "/console/health", ByAnybody(SESSION)),
    row("console", "POST", "/console/health/renew", ByAnybody(SESSION)),
    row("console", "GET", "/console/activity", ByAnybody(SESSION)),
    row("console", "GET", "/console/{*rest}", ByAnybody(SESSION)),
    row("proxy", "GET", "/v1/widgets/{widget}/connections/{auth_key}/access-token", ByCallers(&[("connections/acme-consent/access-token", ""), ("connections/acme-header/access-token", "")])),
    row("proxy", "POST", "/v1/widgets/{widget}/apis/{name}", ByCallers(&[("apis/acme-header-echo", r#"{"params":{}}"#), ("apis/acme-shared-echo", r#"{"params":{}}"#)])),
];

/// One request a caller may try.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// The route's row.
    pub row: &'static Row,
    /// Path behind `/v1/widgets/{widget}/`.
    pub path: &'static str,
    /// Body.
    pub body: &'static str,
}

impl Try {
    /// The method.
    pub fn method(&self) -> Method {
        self.row.method.parse().unwrap()
    }

    /// The path on another widget, whose one authentication is `auth_key`.
    pub fn path_on(&self, auth_key: &str) -> String {
        let here = ["acme-header", "acme-shared", "acme-consent"];
        here.iter().fold(self.path.to_owned(), |path, known| {
            path.replace(known, auth_key)
        })
    }

    /// Whether it is a route of connect that changes something.
    pub fn changes_connections(&self) -> bool {
        self.row.function == "connect" && self.row.method != "GET"
    }
}

/// Everything a caller can try.
pub fn tries() -> impl Iterator<Item = Try> {
    ROUTES.iter().flat_map(|row| {
        let tries = match row.asked {
            ByCallers(tries) => tries,
            ByAnybody(_) => &[],
        };
        tries
            .iter()
            .map(move |(path, body)| Try { row, path, body })
    })
}
