//! PURE. Which addresses a bundle may name: API URLs with placeholders, endpoints, origins, hosts.
//!
//! Plain http is accepted for loopback only: for origins and return addresses (RFC 8252 section 7.3), and for API URLs
//! and endpoints where a `consulate dev` server allows that very host and port. Private addresses are refused in every
//! spelling (the URL standard reads `0x7f.1`, `2130706433` and `127.0.0.1` alike), as are names that never leave a
//! machine or a house. What a public name resolves to is judged when a connection is opened.

use std::net::IpAddr;

use consulate_core::egress::{LoopbackExceptions, is_public};
use consulate_core::passport::host_matches;
use url::{Host, Url};

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Code of the finding.
    pub code: &'static str,
    /// What is wrong, to be read behind the field's path.
    pub message: &'static str,
    /// What to do.
    pub cure: String,
}

fn fault(code: &'static str, message: &'static str, cure: impl Into<String>) -> Fault {
    Fault {
        code,
        message,
        cure: cure.into(),
    }
}

fn invalid() -> Fault {
    fault(
        "url_invalid",
        "is not an absolute URL",
        "Write the whole address, such as https://api.example.com/v1/items.",
    )
}

/// Names that never leave a machine or a house (RFC 6761, RFC 6762, RFC 8375, and the reserved `.internal`).
const PRIVATE_NAMES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// Where the requests of a named API go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To this host, as `api_hosts` writes it.
    Host(String),
    /// To a host that a field of the connection is, or a part of. What follows its last placeholder is written out.
    Connection(String),
}

/// Judges the URL of a named API, placeholders included.
pub(super) fn api_url(text: &str, exceptions: &LoopbackExceptions) -> Result<Target, Fault> {
    if let Some((name, _)) = text.strip_prefix('{').and_then(|text| text.split_once('}'))
        && is_connection(name)
    {
        clean(text, false)?;
        return Ok(Target::Connection(String::new()));
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| match text.starts_with('{') {
            true => misplaced(),
            false => invalid(),
        })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if scheme.contains(['{', '}']) {
        return Err(misplaced());
    }
    if authority.contains(['{', '}']) {
        return connection_host(text, scheme, authority);
    }
    let origin = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| invalid())?;
    judge(text, &origin, authority.contains('@'), exceptions)?;
    Ok(Target::Host(host(&origin)))
}

fn is_connection(name: &str) -> bool {
    name.starts_with("connection.")
}

fn misplaced() -> Fault {
    fault(
        "url_placeholder",
        "has a placeholder in its scheme, host or port",
        "Write the host out, or take it from {connection.KEY.FIELD}: a caller must never choose where a credential goes.",
    )
}

/// Judges a host that a field of the connection is a part of; its exact shape is the template's to judge.
fn connection_host(text: &str, scheme: &str, authority: &str) -> Result<Target, Fault> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains('}') => (name, port),
        _ => (authority, ""),
    };
    let mut rest = name;
    while let Some((before, opened)) = rest.split_once('{') {
        let (inner, after) = opened.split_once('}').ok_or_else(misplaced)?;
        if !is_connection(inner) || before.contains('}') {
            return Err(misplaced());
        }
        rest = after;
    }
    if rest.contains('}') || port.contains('{') {
        return Err(misplaced());
    }
    clean(text, authority.contains('@'))?;
    if scheme != "https" {
        return Err(not_https());
    }
    Ok(Target::Connection(rest.to_ascii_lowercase()))
}

/// Judges an endpoint of a passport: no placeholder anywhere.
pub(super) fn endpoint(text: &str, exceptions: &LoopbackExceptions) -> Result<(), Fault> {
    if text.contains(['{', '}']) {
        return Err(fault(
            "url_placeholder",
            "has a placeholder",
            "Write the address out.",
        ));
    }
    let url = Url::parse(text).map_err(|_| invalid())?;
    judge(text, &url, has_userinfo(&url), exceptions)
}

/// Judges an address redirect mode may come back to.
pub(super) fn return_url(text: &str) -> Result<(), Fault> {
    let url = Url::parse(text).map_err(|_| invalid())?;
    clean(text, has_userinfo(&url))?;
    secure_or_loopback(&url)
}

/// Judges an origin: exactly what a browser sends in `Origin`.
pub(super) fn origin(text: &str) -> Result<(), Fault> {
    let inexact = |cure: String| {
        fault(
            "origin_inexact",
            "is not an exact origin (scheme, host, port if unusual; no path, no *)",
            cure,
        )
    };
    let url =
        Url::parse(text).map_err(|_| inexact("Write it as https://app.example.com.".to_owned()))?;
    let exact = url.origin().ascii_serialization();
    if text.contains('*') || exact != text {
        return Err(inexact(format!(
            "Write it as {}.",
            if text.contains('*') {
                "https://app.example.com, one entry per host"
            } else {
                &exact
            }
        )));
    }
    secure_or_loopback(&url)
}

/// An entry of `api_hosts` in its one spelling: lower case, with the port where it is not 443.
pub(super) fn api_host(text: &str) -> Result<String, Fault> {
    let refused = || {
        fault(
            "api_host_invalid",
            "is not a host, or host:port",
            "Write api.example.com, or api.example.com:8443; no scheme, no path, no *.",
        )
    };
    if text.contains(['/', '@', '*', '{', '}', '\\', '?', '#'])
        || text.contains(char::is_whitespace)
    {
        return Err(refused());
    }
    let url = Url::parse(&format!("https://{text}/")).map_err(|_| refused())?;
    public(&url)?;
    Ok(host(&url))
}

/// An entry of `host_patterns`: `*.` and a plain DNS name of two labels or more, in lower case.
pub(super) fn host_pattern(text: &str) -> Result<String, Fault> {
    let refused = || {
        fault(
            "host_pattern_invalid",
            "is not a pattern of hosts",
            "Write *. and the provider's own domain, such as *.example.com: no other *, no port, no path.",
        )
    };
    let pattern = text.to_ascii_lowercase();
    let suffix = pattern.strip_prefix("*.").ok_or_else(refused)?;
    // The functions' own reading of a name: plain labels before the suffix of a pattern.
    if !suffix.contains('.') || !host_matches("*.test", &format!("{suffix}.test")) {
        return Err(refused());
    }
    let url = Url::parse(&format!("https://{suffix}/")).map_err(|_| refused())?;
    public(&url)?;
    Ok(pattern)
}

/// The host of `url` as `api_hosts` writes it: the port is left out where it is the scheme's own.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    match url.port() {
        None => name.to_owned(),
        Some(port) => format!("{name}:{port}"),
    }
}

fn judge(
    text: &str,
    url: &Url,
    userinfo: bool,
    exceptions: &LoopbackExceptions,
) -> Result<(), Fault> {
    clean(text, userinfo)?;
    let allowed = matches!(url.scheme(), "http" | "https")
        && url
            .host_str()
            .zip(url.port_or_known_default())
            .is_some_and(|(name, port)| exceptions.allow(name.trim_matches(['[', ']']), port));
    if allowed {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err(not_https());
    }
    if url.host_str().unwrap_or_default().is_empty() {
        return Err(invalid());
    }
    public(url)
}

fn not_https() -> Fault {
    fault(
        "url_not_https",
        "does not begin with https://",
        "Use https. Plain http is accepted only for a loopback address that `consulate dev --allow HOST:PORT` names.",
    )
}

/// Whether the host of `url` may be a public one. The parser has read every notation of an address.
fn public(url: &Url) -> Result<(), Fault> {
    let is_private = match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            PRIVATE_NAMES.iter().any(|private| {
                name.strip_suffix(private)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
        }
        None => false,
    };
    if is_private {
        return Err(fault(
            "url_private",
            "names a private address",
            "Name a public host: credentials are sent to no address inside a network.",
        ));
    }
    Ok(())
}

/// What no address may hold: what URL readers disagree about, and what would never be sent.
fn clean(text: &str, userinfo: bool) -> Result<(), Fault> {
    if text.contains('\\') || text.contains(char::is_whitespace) || text.contains(char::is_control)
    {
        return Err(fault(
            "url_invalid",
            "holds a space, a backslash or a control character",
            "Percent-encode it, or take it out.",
        ));
    }
    if userinfo {
        return Err(fault(
            "url_userinfo",
            "has a user name or password before its host",
            "Take out what stands before the @: credentials are injected by header.",
        ));
    }
    if text.contains('#') {
        return Err(fault(
            "url_fragment",
            "has a fragment",
            "Take out the # and what follows.",
        ));
    }
    Ok(())
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn secure_or_loopback(url: &Url) -> Result<(), Fault> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(());
    }
    Err(fault(
        "url_not_https",
        "does not begin with https://",
        "Use https; plain http is accepted for a loopback address only.",
    ))
}
