//! The one public port: what API Gateway is to the deployed functions. Sends each request to the function whose path it
//! is, and nothing to anybody whose `Host` is not this machine (DNS rebinding makes a foreign name point here).

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use consulate_core::problem::{Code, Problem};
use http::StatusCode;
use http::header::HOST;
use http::uri::Authority;
use serde_json::json;
use tower_service::Service as _;

/// The functions that listen.
#[derive(Clone, Debug)]
pub(super) struct Functions {
    pub connect: Router,
    pub proxy: Router,
    pub console: Router,
    pub qrvey_token: Router,
    pub settings: Router,
}

/// Which function answers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Connect,
    Proxy,
    Console,
    QrveyToken,
    Settings,
}

/// The router of the public port. `demo`'s routes come first.
///
/// The functions are called, not merged: each brings its own fallback and edge, and must see what Lambda would give it.
pub(super) fn router(functions: Functions, demo: Router) -> Router {
    demo.fallback(move |request: Request| dispatch(functions.clone(), request))
        .layer(from_fn(only_this_machine))
}

async fn dispatch(functions: Functions, request: Request) -> Response {
    let mut router = match function_of(request.uri().path()) {
        Some(Function::Connect) => functions.connect,
        Some(Function::Proxy) => functions.proxy,
        Some(Function::Console) => functions.console,
        Some(Function::QrveyToken) => functions.qrvey_token,
        Some(Function::Settings) => functions.settings,
        None => return Problem::new(Code::NotFound, "No route of this address.").into_response(),
    };
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn function_of(path: &str) -> Option<Function> {
    if path == "/console" || path.starts_with("/console/") {
        return Some(Function::Console);
    }
    let mut segments = path.strip_prefix("/v1/")?.split('/');
    if segments.next() != Some("widgets") {
        return Some(Function::Connect);
    }
    let _widget = segments.next();
    let function = match (segments.next(), segments.next(), segments.next()) {
        (Some("apis"), ..) | (Some("connections"), Some(_), Some("access-token")) => {
            Function::Proxy
        }
        (Some("qrvey"), ..) => Function::QrveyToken,
        (Some("settings"), ..) => Function::Settings,
        _ => Function::Connect,
    };
    Some(function)
}

async fn only_this_machine(request: Request, next: Next) -> Response {
    if is_for_this_machine(&request) {
        return next.run(request).await;
    }
    let status = StatusCode::MISDIRECTED_REQUEST;
    let problem = json!({
        "type": "about:blank", "title": "Not served under this host name", "status": status.as_u16(),
    });
    (
        status,
        [("content-type", "application/problem+json")],
        problem.to_string(),
    )
        .into_response()
}

/// Whether every name the request gives for its target is a loopback name.
fn is_for_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host
            .to_str()
            .ok()
            .and_then(|host| host.parse::<Authority>().ok()),
        _ => None,
    };
    host.is_some_and(|host| is_loopback(&host)) && request.uri().authority().is_none_or(is_loopback)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    !authority.as_str().contains('@')
        && (matches!(host, "127.0.0.1" | "[::1]") || host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn each_path_belongs_to_one_function() {
        for (path, function) in [
            ("/v1/widgets/w/apis/listEvents", Some(Function::Proxy)),
            (
                "/v1/widgets/w/connections/acme/access-token",
                Some(Function::Proxy),
            ),
            ("/v1/widgets/w/qrvey/sales", Some(Function::QrveyToken)),
            ("/v1/widgets/w/settings/user", Some(Function::Settings)),
            (
                "/v1/widgets/w/settings/organisation/a.b",
                Some(Function::Settings),
            ),
            ("/v1/widgets/w/connections", Some(Function::Connect)),
            ("/v1/widgets/w/connections/acme", Some(Function::Connect)),
            (
                "/v1/widgets/w/connections/acme/connect",
                Some(Function::Connect),
            ),
            ("/v1/connect/ticket", Some(Function::Connect)),
            ("/v1/callback/demo.acme-cloud", Some(Function::Connect)),
            ("/v1/health", Some(Function::Connect)),
            ("/console", Some(Function::Console)),
            ("/console/widgets/w", Some(Function::Console)),
            ("/consoles", None),
            ("/v2/health", None),
            ("/favicon.ico", None),
        ] {
            assert_eq!(function_of(path), function, "{path}");
        }
    }

    #[test]
    fn a_name_that_merely_points_here_is_not_served() {
        let served = |hosts: &[&str]| {
            let mut request = Request::new(Body::empty());
            for host in hosts {
                request.headers_mut().append(HOST, host.parse().unwrap());
            }
            is_for_this_machine(&request)
        };
        for host in [
            "127.0.0.1:8700",
            "localhost:8700",
            "LOCALHOST",
            "[::1]:8700",
        ] {
            assert!(served(&[host]), "{host}");
        }
        for host in [
            "evil.example:8700",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a@127.0.0.1",
            "",
        ] {
            assert!(!served(&[host]), "{host}");
        }
        assert!(!served(&[]));
        assert!(!served(&["127.0.0.1", "evil.example"]));
    }
}
