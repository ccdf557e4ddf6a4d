//! PURE. Which headers of an API's answer a widget may see. What is not listed stays here: cookies, framing, hop-by-hop
//! headers, security headers of another origin.

use http::HeaderMap;

const ALLOWED: [&str; 23] = [
    "content-type",
    "content-language",
    "content-disposition",
    "etag",
    "last-modified",
    "cache-control",
    "expires",
    "age",
    "date",
    "link",
    "location",
    "retry-after",
    "x-request-id",
    "request-id",
    "client-request-id",
    "x-total-count",
    "x-next-page",
    "x-page",
    "x-per-page",
    "x-total-pages",
    "odata-version",
    "deprecation",
    "sunset",
];

const ALLOWED_PREFIXES: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "ratelimit"];

/// The allowed headers, by lower-case name with `_` as `-`; repeated ones joined by a comma, as RFC 9110 section 5.3 allows.
pub fn allowed(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let name = name.as_str().replace('_', "-");
        let listed = ALLOWED.contains(&name.as_str())
            || ALLOWED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix));
        if !listed || named_by_connection(headers, &name) {
            continue;
        }
        let Ok(value) = value.to_str() else {
            continue;
        };
        match seen.iter_mut().find(|(known, _)| *known == name) {
            Some((_, joined)) => {
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => seen.push((name, value.to_owned())),
        }
    }
    seen
}

/// RFC 9110 section 7.6.1: `Connection` names more headers that end at this hop.
fn named_by_connection(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(http::header::CONNECTION).iter();
    let mut options = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    options.any(|option| option.trim().replace('_', "-").eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                http::HeaderName::try_from(*name).unwrap(),
                value.parse().unwrap(),
            );
        }
        allowed(&headers)
    }

    #[test]
    fn only_listed_headers_pass() {
        let passed = headers(&[
            ("content-type", "text/plain"),
            ("set-cookie", "a=1"),
            ("www-authenticate", "Bearer"),
            ("x-ratelimit-remaining", "7"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("access-control-allow-origin", "*"),
            ("x-debug", "1"),
            ("strict-transport-security", "x"),
            ("proxy-authenticate", "x"),
            ("keep-alive", "x"),
        ]);
        let names: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-ratelimit-remaining"]);
    }

    #[test]
    fn a_header_named_by_connection_ends_here_in_any_spelling() {
        assert!(
            headers(&[("connection", "close, X_Request-Id"), ("x-request-id", "1")]).is_empty()
        );
    }

    #[test]
    fn repeated_headers_are_joined() {
        assert_eq!(
            headers(&[("link", "<a>"), ("link", "<b>")]),
            [("link".to_owned(), "<a>, <b>".to_owned())]
        );
    }
}
