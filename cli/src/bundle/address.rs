//! PURE. Which addresses a bundle may name: API URLs with placeholders, endpoints, origins, hosts.
//!
//! Plain http is accepted for loopback only: for origins and return addresses (RFC 8252 section 7.3), and for API URLs
//! and endpoints where a `consulate dev` server allows that very host and port.

use std::net::IpAddr;

use consulate_core::egress::LoopbackExceptions;
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

/// Judges the URL of a named API, placeholders included; answers the host as `api_hosts` writes it.
pub(super) fn api_url(text: &str, exceptions: &LoopbackExceptions) -> Result<String, Fault> {
    let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if scheme.contains(['{', '}']) || authority.contains(['{', '}']) {
        return Err(fault(
            "url_placeholder",
            "has a placeholder in its scheme, host or port",
            "Write the host out: a caller must never choose where a credential goes.",
        ));
    }
    let origin = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| invalid())?;
    judge(text, &origin, authority.contains('@'), exceptions)?;
    Ok(host(&origin))
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
    Url::parse(&format!("https://{text}/"))
        .map(|url| host(&url))
        .map_err(|_| refused())
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
    let allowed = url.scheme() == "http"
        && url
            .host_str()
            .zip(url.port_or_known_default())
            .is_some_and(|(name, port)| exceptions.allow(name.trim_matches(['[', ']']), port));
    if url.scheme() != "https" && !allowed {
        return Err(fault(
            "url_not_https",
            "does not begin with https://",
            "Use https. Plain http is accepted only for a loopback address that `consulate dev --allow HOST:PORT` names.",
        ));
    }
    if url.host_str().unwrap_or_default().is_empty() {
        return Err(invalid());
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
