//! PURE. Which requests an auditor asks for, by the route's method and path: a request's one log line then says so in `audit`.

use http::Method;

/// `{audit}` of a request's log line; `None` where nothing is done in anybody's name.
pub(super) fn name(method: &Method, route: &str) -> Option<&'static str> {
    let tail = route.rsplit('/').next().unwrap_or_default();
    match (method, route) {
        (&Method::GET, "/v1/callback/{passport}") => return Some("callback"),
        (&Method::POST, "/v1/connect/{ticket}") => return Some("consent"),
        _ => {}
    }
    let (area, _) = route
        .strip_prefix("/v1/widgets/{widget}/")?
        .split_once('/')?;
    match (area, method, tail) {
        ("connections", &Method::POST, "connect") => Some("connect"),
        ("connections", &Method::POST, "complete") => Some("complete"),
        ("connections", &Method::PUT, _) => Some("sign_in"),
        ("connections", &Method::DELETE, _) => Some("disconnect"),
        ("connections", &Method::GET, "access-token") => Some("deliver"),
        ("apis", &Method::POST, _) => Some("call"),
        ("qrvey", &Method::POST, _) => Some("qrvey_token"),
        ("settings", &Method::PUT | &Method::DELETE, _) => Some("setting"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_for_somebody_is_named_and_what_only_looks_is_not() {
        const ONE: &str = "/v1/widgets/{widget}/connections/{auth_key}";
        for (method, route, expected) in [
            (
                Method::POST,
                "/v1/widgets/{widget}/apis/{name}",
                Some("call"),
            ),
            (Method::GET, "/v1/callback/{passport}", Some("callback")),
            (Method::HEAD, "/v1/callback/{passport}", None),
            (Method::DELETE, ONE, Some("disconnect")),
            (Method::PUT, ONE, Some("sign_in")),
            (Method::GET, ONE, None),
            (Method::GET, "/v1/health", None),
            (
                Method::GET,
                "/v1/widgets/{widget}/settings/{scope}/{key}",
                None,
            ),
        ] {
            assert_eq!(name(&method, route), expected, "{method} {route}");
        }
    }
}
