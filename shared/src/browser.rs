//! PURE. What routes for browsers need, whichever function serves them: cookies, forms of our own pages, HTML text.

use http::Uri;
use http::header::{self, HeaderMap, HeaderValue};

use crate::digest;

/// When a browser sends a cookie along.
#[derive(Clone, Copy, Debug)]
pub enum SameSite {
    /// Only for requests our own pages make.
    Strict,
    /// Also for a top-level GET from elsewhere: coming back from the provider is one.
    Lax,
}

/// `Set-Cookie` for `value`, which is of cookie characters; `None` if it is not.
pub fn set_cookie(
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
pub fn end_cookie(name: &str) -> Option<HeaderValue> {
    set_cookie(name, "", SameSite::Lax, 0)
}

/// The cookie `name` of a request; `None` when absent, and when sent more than once: which one is ours cannot be told.
pub fn read_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
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

/// PURE. Whether the browser says that our own page posts a form. What it does not say is not held against it: the form
/// value decides.
pub fn is_own_form(headers: &HeaderMap, base_url: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.map(|value| value.to_str().unwrap_or_default());
    let is_form = kind
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    is_form && is_from_own_page(headers, base_url)
}

/// Whether what the browser says of where a request comes from, if it says anything, is our own page. For forms of other
/// kinds, whose bodies the caller judges.
pub fn is_from_own_page(headers: &HeaderMap, base_url: &str) -> bool {
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let own_origin = origin_of(base_url);
    let from_own_site = text(header::HeaderName::from_static("sec-fetch-site"))
        .is_none_or(|site| site == "same-origin");
    let from_own_origin =
        text(header::ORIGIN).is_none_or(|origin| own_origin.is_some_and(|own| own == origin));
    from_own_site && from_own_origin
}

/// The origin of an address, as browsers write it: without the scheme's own port (RFC 6454 section 6.2).
fn origin_of(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    Some(match (scheme, uri.port_u16()) {
        (_, None) | ("https", Some(443)) | ("http", Some(80)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

/// Compares digests, so that how long it takes says nothing about the values.
pub fn same(a: &str, b: &str) -> bool {
    digest::sha256([a.as_bytes()]) == digest::sha256([b.as_bytes()])
}

/// `text` as HTML text or as the value of a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The escaped `text` with each `{name}` replaced by its escaped value. One pass: a value is never itself a template.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(&escape(before));
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled.push_str(&escape(value));
        }
        rest = tail;
    }
    filled.push_str(&escape(rest));
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies_of(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_header() {
        let sent = cookies_of(&["a=1; __Host-x=secret;b=2", "c=3==; d"]);
        assert_eq!(read_cookie(&sent, "__Host-x"), Some("secret"));
        assert_eq!(read_cookie(&sent, "c"), Some("3=="));
        assert_eq!(read_cookie(&sent, "__Host-"), None);
        assert_eq!(read_cookie(&sent, "d"), None);
    }

    #[test]
    fn a_cookie_sent_twice_or_empty_counts_as_missing() {
        assert_eq!(read_cookie(&cookies_of(&["x=1; x=2"]), "x"), None);
        assert_eq!(read_cookie(&cookies_of(&["x=1", "x=1"]), "x"), None);
        assert_eq!(read_cookie(&cookies_of(&["x="]), "x"), None);
    }

    const BASE: &str = "https://consulate.example";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    #[test]
    fn a_form_of_our_own_page_is_one_whether_the_browser_says_much_or_little() {
        assert!(is_own_form(&headers(&[FORM]), BASE));
        assert!(is_own_form(
            &headers(&[FORM, ("sec-fetch-site", "same-origin"), ("origin", BASE)]),
            BASE
        ));
        assert!(is_own_form(
            &headers(&[(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8"
            )]),
            BASE
        ));
    }

    #[test]
    fn a_form_from_elsewhere_is_not_ours() {
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(
                !is_own_form(&headers(&[FORM, ("sec-fetch-site", site)]), BASE),
                "{site}"
            );
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://consulate.example",
            "https://consulate.example:8443",
        ] {
            assert!(
                !is_own_form(&headers(&[FORM, ("origin", origin)]), BASE),
                "{origin}"
            );
        }
        assert!(!is_own_form(
            &headers(&[("content-type", "text/plain")]),
            BASE
        ));
        assert!(!is_own_form(&headers(&[]), BASE));
    }

    #[test]
    fn nothing_can_leave_the_text_or_attribute_it_is_put_in() {
        assert_eq!(
            escape("<script>alert('x')</script>&\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"
        );
    }

    #[test]
    fn a_value_is_escaped_and_never_a_template() {
        assert_eq!(
            fill("User {user} of {o}.", &[("user", "{o}<b>"), ("o", "acme")]),
            "User {o}&lt;b&gt; of acme."
        );
        assert_eq!(fill("{unknown}!", &[]), "!");
    }
}
