//! The demo of `consulate dev`: an intranet page that embeds two widgets, and beside them what the server did, step by step.
//!
//! It plays the parts Consulate does not: the host application that vouches for its users (`POST /demo/caller-jwt` is
//! what `getJWT()` is in a real host) and the widgets that are written against Consulate with its browser client. It calls none of
//! Consulate's functions; its pages do, over HTTP, from another site, like any widget. Host page and widgets have a port each, and
//! a host name that is not the API's. What it gets from outside is in [`Demo`].

mod pages;
mod steps;

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

pub use pages::bundle;
pub use steps::{Step, Steps};

use pages::Page;

/// Signs a caller JWT for a demo user (`ada` or `grace`): the JWT and its expiry (RFC 3339), or why there is none.
pub type Mint = Arc<dyn Fn(&str) -> Result<(String, String), String> + Send + Sync>;

/// What the demo is made of.
#[derive(Clone)]
pub struct Demo {
    /// Where Consulate is: `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// The host page's origin: `http://localhost:PORT`, a port of its own.
    pub host_origin: String,
    /// The widgets' origin: `http://localhost:PORT`, a third port.
    pub widget_origin: String,
    /// The Qrvey instance: `http://127.0.0.1:PORT`, a port of its own.
    pub qrvey: String,
    /// Vouches for the demo's users, as a host application does.
    pub mint: Mint,
    /// The functions' log lines.
    pub steps: Arc<Steps>,
}

/// The demo's routers, one for each origin.
#[derive(Clone, Debug)]
pub struct Routers {
    /// Beside the functions' own: leads who opens Consulate's bare address to the host page.
    pub at_base: Router,
    /// The host page.
    pub host: Router,
    /// The widgets.
    pub widgets: Router,
}

/// The demo's routes.
pub fn routers(demo: Demo) -> Routers {
    let host = Router::new()
        .route("/", get(host_page))
        .route("/demo/caller-jwt", post(caller_jwt))
        .route("/demo/steps", get(read_steps))
        .route("/demo/assets/{file}", get(asset))
        .layer(from_fn_with_state(demo.clone(), only_as_host));
    let widgets = Router::new()
        .route("/demo/widget", get(widget_page))
        .route("/demo/widget/connected", get(connected_page))
        .route("/demo/dashboard", get(dashboard_page))
        .route("/demo/assets/{file}", get(asset))
        .layer(from_fn_with_state(demo.clone(), only_as_widgets));
    let at_base = Router::new().route("/", get(to_host_page));
    Routers {
        at_base: at_base.with_state(demo.clone()),
        host: host.with_state(demo.clone()),
        widgets: widgets.with_state(demo),
    }
}

/// The host page, what mints caller JWTs and what shows the log answer under the host page's name only: a name that
/// merely resolves to this machine (DNS rebinding) gets nothing.
async fn only_as_host(State(demo): State<Demo>, request: Request, next: Next) -> Response {
    let host = host_of(request.headers());
    if is_at(&demo.host_origin, host) {
        return finish(next.run(request).await);
    }
    // Somebody typed the number: as a foreign site to the API, the page needs the name.
    let number = demo.host_origin.replace("//localhost:", "//127.0.0.1:");
    if is_at(&number, host) && request.method() == Method::GET && request.uri().path() == "/" {
        return finish(to_host_page(State(demo)).await);
    }
    finish(misdirected())
}

async fn only_as_widgets(State(demo): State<Demo>, request: Request, next: Next) -> Response {
    if is_at(&demo.widget_origin, host_of(request.headers())) {
        return finish(next.run(request).await);
    }
    finish(misdirected())
}

async fn to_host_page(State(demo): State<Demo>) -> Response {
    Redirect::to(&format!("{}/", demo.host_origin)).into_response()
}

fn is_at(origin: &str, host: &str) -> bool {
    origin.strip_prefix("http://") == Some(host)
}

fn host_of(headers: &HeaderMap) -> &str {
    text(headers, HOST.as_str()).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn misdirected() -> Response {
    refusal(
        StatusCode::MISDIRECTED_REQUEST,
        "Not served under this host name",
    )
}

fn refusal(status: StatusCode, title: &str) -> Response {
    let problem = json!({ "type": "about:blank", "title": title, "status": status.as_u16() });
    let content_type = [("content-type", "application/problem+json")];
    (status, content_type, problem.to_string()).into_response()
}

fn finish(mut response: Response) -> Response {
    response.headers_mut().extend(pages::common_headers());
    response
}

async fn host_page(State(demo): State<Demo>) -> Response {
    Page::Host.response(&demo)
}

async fn widget_page(State(demo): State<Demo>) -> Response {
    Page::Widget.response(&demo)
}

async fn dashboard_page(State(demo): State<Demo>) -> Response {
    Page::Dashboard.response(&demo)
}

async fn connected_page(State(demo): State<Demo>) -> Response {
    Page::Connected.response(&demo)
}

async fn asset(State(demo): State<Demo>, Path(file): Path<String>) -> Response {
    pages::asset(&demo, &file)
}

/// Who is signed in to the intranet. A real host knows from its own session; the demo is told by a switch.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum User {
    Ada,
    Grace,
}

#[derive(Debug, Deserialize)]
struct SignIn {
    user: User,
}

/// `{"user":"ada"}` → `{"jwt","expires_at"}`, for the host page itself and for nobody else: browsers send `Origin`
/// with every POST, so a request without the right one is not the page's.
async fn caller_jwt(
    State(demo): State<Demo>,
    headers: HeaderMap,
    sign_in: Result<Json<SignIn>, JsonRejection>,
) -> Response {
    if text(&headers, ORIGIN.as_str()) != Some(demo.host_origin.as_str())
        || !same_origin_if_told(&headers)
    {
        return refusal(
            StatusCode::FORBIDDEN,
            "Only the host page may ask for a caller JWT",
        );
    }
    let user = match sign_in {
        Ok(Json(SignIn { user: User::Ada })) => "ada",
        Ok(Json(SignIn { user: User::Grace })) => "grace",
        Err(_) => {
            return refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "user must be ada or grace",
            );
        }
    };
    match (demo.mint)(user) {
        Ok((jwt, expires_at)) => {
            Json(json!({ "jwt": jwt, "expires_at": expires_at })).into_response()
        }
        Err(reason) => refusal(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct After {
    after: u64,
}

/// What the server did since step `after`: a JSON array of [`Step`]. Same-origin reads carry no `Origin`; one that
/// does, or that says it comes from elsewhere, is refused.
async fn read_steps(
    State(demo): State<Demo>,
    headers: HeaderMap,
    Query(query): Query<After>,
) -> Response {
    let foreign = text(&headers, ORIGIN.as_str()).is_some_and(|origin| origin != demo.host_origin);
    if foreign || !same_origin_if_told(&headers) {
        return refusal(
            StatusCode::FORBIDDEN,
            "Only the host page may read the steps",
        );
    }
    Json(demo.steps.after(query.after)).into_response()
}

/// `Sec-Fetch-Site` is the browser's own word; where it is missing there is no browser, or an old one.
fn same_origin_if_told(headers: &HeaderMap) -> bool {
    text(headers, "sec-fetch-site").is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests;
