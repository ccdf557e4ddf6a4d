//! PURE. Which hosts and addresses an entry may name: public DNS names over https, in their one spelling.

use consulate_core::passport::Passport;
use url::{Host, Url};

use super::resolve::{Refused, refused};

/// Endings of names that never leave a machine or a house (RFC 6761, RFC 6762, and the reserved `.internal`).
const PRIVATE: [&str; 3] = ["localhost", "local", "internal"];

/// Whether `text` is a plain lower-case DNS name of two labels or more that is no address and no private name.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && last.bytes().any(|byte| byte.is_ascii_lowercase())
        && !PRIVATE.contains(&last)
        // What some readers take for an address: 127.0.0.0x1.
        && Url::parse(&format!("https://{text}/"))
            .is_ok_and(|url| matches!(url.host(), Some(Host::Domain(name)) if name == text))
}

/// Whether `text` is such a name, perhaps with a port other than 443: an entry of `api_hosts`.
pub(super) fn is_api_host(text: &str) -> bool {
    match text.split_once(':') {
        None => is_name(text),
        Some((name, port)) => {
            is_name(name)
                && port
                    .parse::<u16>()
                    .is_ok_and(|number| number > 0 && number != 443 && number.to_string() == port)
        }
    }
}

/// What is wrong with an address; `None` where nothing is. `query`: whether it may have one.
pub(super) fn fault(address: &str, query: bool) -> Option<&'static str> {
    let Some(rest) = address.strip_prefix("https://") else {
        return Some("must begin with https://");
    };
    if address.contains(['\\', '#', '"', '<', '>'])
        || address.contains(|char: char| !('!'..='~').contains(&char))
    {
        return Some("holds a fragment, or a character that belongs percent-encoded");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if !is_api_host(authority) {
        return Some(
            "must name its host by a public DNS name, in lower case, without user name: no address, no private name",
        );
    }
    if !query && address.contains('?') {
        return Some("must have no query");
    }
    let path = rest.split('?').next().unwrap_or_default();
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Some("has a `.` or `..` segment");
    }
    Url::parse(address).err().map(|_| "is not a URL")
}

/// The last look, at what the functions will read: nothing but https on public names, whatever the patterns let in.
pub(super) fn judge(passport: &Passport) -> Result<(), Refused> {
    let exchanges = [
        ("long_lived.url", &passport.long_lived),
        ("renewal.url", &passport.renewal),
    ];
    let exchanges = exchanges
        .into_iter()
        .filter_map(|(field, exchange)| Some((field, exchange.as_ref()?.url.as_str())));
    let addresses = [
        ("authorize_url", Some(passport.authorize_url.as_str())),
        ("token_url", Some(passport.token_url.as_str())),
        ("revocation_url", passport.revocation_url.as_deref()),
        ("issuer", passport.issuer.as_deref()),
    ];
    let addresses = addresses
        .into_iter()
        .filter_map(|(field, address)| Some((field, address.filter(|text| !text.is_empty())?)));
    let former = passport.former.iter().flat_map(|former| {
        [
            ("former.authorize_url", &former.authorize_url),
            ("former.token_url", &former.token_url),
        ]
    });
    let former = former.filter_map(|(field, address)| Some((field, address.as_deref()?)));
    for (field, address) in addresses.chain(exchanges).chain(former) {
        if let Some(fault) = fault(address, field.ends_with("authorize_url")) {
            return refused(field, format!("{field} {fault}: {address}"));
        }
    }
    match passport.api_hosts.iter().find(|host| !is_api_host(host)) {
        Some(host) => refused("api_hosts", format!("\"{host}\" is not a public host name")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_public_name_in_lower_case() {
        for host in ["api.example.com", "a-1.b.example", "api.example.com:8443"] {
            assert!(is_api_host(host), "{host}");
        }
        for host in [
            "",
            "example",
            "localhost",
            "localhost:80",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.1",
            "0x7f.0x1",
            "10.0.0.0x1",
            "169.254.169.254",
            "[::1]",
            "API.example.com",
            "ä.example.com",
            "api.example.com.",
            "-a.example.com",
            "a_b.example.com",
            "a@api.example.com",
            "api.example.com/x",
            "api.example.com:443",
            "api.example.com:0",
            "api.example.com:080",
            "api.example.com:",
            "*.example.com",
        ] {
            assert!(!is_api_host(host), "{host}");
        }
    }

    #[test]
    fn an_address_is_https_on_a_public_name_and_holds_nothing_odd() {
        assert_eq!(fault("https://api.example.com/v1/token", false), None);
        assert_eq!(
            fault("https://api.example.com/me?fields=id,name", true),
            None
        );
        for address in [
            "",
            "api.example.com/token",
            "http://api.example.com/token",
            "HTTPS://api.example.com/token",
            "https:api.example.com/token",
            "https://127.0.0.1/token",
            "https://[::1]/token",
            "https://10.0.0.7/token",
            "https://localhost/token",
            "https://user@api.example.com/token",
            "https://api.example.com/token#x",
            "https://api.example.com/../token",
            "https://api.example.com\\@evil.example/token",
            "https://api.example.com/a b",
            "https://api.example.com/token?x=1",
        ] {
            assert!(fault(address, false).is_some(), "{address}");
        }
    }
}
