//! PURE. The cookies of browser routes: all `__Host-`, `Secure`, `HttpOnly`, `Path=/` (RFC 6265bis section 4.1.3.2), so that
//! neither a neighbouring subdomain nor a script can set or read one. Widget routes use none.

use consulate_core::digest;
use http::header::{self, HeaderMap, HeaderValue};

/// What a provider said when it refused, on the way to the result page.
pub(crate) const SAID: &str = "__Host-consulate-said";

/// When a browser sends a cookie along.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SameSite {
    /// Only for requests our own pages make.
    Strict,
    /// Also for a top-level GET from elsewhere: coming back from the provider is one.
    Lax,
}

/// Name of the cookie that ties a handshake page to its browser. One per ticket.
pub(crate) fn ticket_cookie(ticket: &str) -> String {
    let digest = digest::text([&b"ticket cookie"[..], ticket.as_bytes()]);
    format!("__Host-consulate-ticket-{}", first(&digest, 12))
}

/// Name of the cookie that ties a flow to its browser. One per flow, so that two tabs work.
pub(crate) fn flow_cookie(flow: &str) -> String {
    format!("__Host-consulate-flow-{}", first(flow, 16))
}

fn first(text: &str, characters: usize) -> &str {
    text.get(..characters).unwrap_or(text)
}

/// `Set-Cookie` for `value`, which is of cookie characters; `None` if it is not.
pub(crate) fn set(
    name: &str,
    value: &str,
    same_site: SameSite,
    seconds: i64,
) -> Option<HeaderValue> {
    let same_site = match same_site {
        SameSite::Strict => "Strict",
        SameSite::Lax => "Lax",
    };
    if value
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b';' | b',' | b'"' | b'\\'))
    {
        return None;
    }
    let cookie = format!(
        "{name}={value}; Secure; HttpOnly; SameSite={same_site}; Path=/; Max-Age={seconds}"
    );
    HeaderValue::from_str(&cookie).ok()
}

/// `Set-Cookie` that ends the cookie `name`.
pub(crate) fn end(name: &str) -> Option<HeaderValue> {
    set(name, "", SameSite::Lax, 0)
}

/// The cookie `name` of a request; `None` when absent, and when sent more than once: which one is ours cannot be told.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(sent, _)| *sent == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values
        .next()
        .is_none()
        .then_some(value)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_header() {
        let headers = headers(&["a=1; __Host-x=secret;b=2", "c=3==; d"]);
        assert_eq!(read(&headers, "__Host-x"), Some("secret"));
        assert_eq!(read(&headers, "c"), Some("3=="));
        assert_eq!(read(&headers, "__Host-"), None);
        assert_eq!(read(&headers, "d"), None);
    }

    #[test]
    fn a_cookie_sent_twice_or_empty_counts_as_missing() {
        assert_eq!(read(&headers(&["x=1; x=2"]), "x"), None);
        assert_eq!(read(&headers(&["x=1", "x=1"]), "x"), None);
        assert_eq!(read(&headers(&["x="]), "x"), None);
    }

    #[test]
    fn every_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let cookie = set(
            &flow_cookie("AAAAAAAAAAAAAAAAAAAAAA"),
            "v",
            SameSite::Lax,
            600,
        )
        .unwrap();
        assert_eq!(
            cookie.to_str().unwrap(),
            "__Host-consulate-flow-AAAAAAAAAAAAAAAA=v; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"
        );
        assert!(set("x", "a\r\nb", SameSite::Lax, 1).is_none());
        assert!(set("x", "a; Domain=evil.example", SameSite::Lax, 1).is_none());
    }

    #[test]
    fn two_tickets_have_two_cookies_and_neither_shows_its_ticket() {
        assert_ne!(ticket_cookie("one"), ticket_cookie("two"));
        assert!(!ticket_cookie("abcdefghijklmnop").contains("abcdef"));
    }
}
