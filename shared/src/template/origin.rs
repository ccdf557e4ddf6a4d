//! PURE. Scheme, host and port of a template. Nothing of the caller's stands here; a field of the connection may:
//!
//! ```text
//! https://api.example.com[:port]/…          as written
//! {connection.AUTHKEY.instance_url}/…       the field is `https://host`, or the bare host
//! https://{connection.AUTHKEY.tenant}.example.com[:port]/…       the field is a part of the host
//! ```
//!
//! Rendered, a host from the connection is a plain DNS name in one spelling (RFC 1123 section 2.1): no port, no user
//! information, no IP address in any notation, no IDNA form. Whether a credential may go there is the passport's to say.

use http::Uri;

use super::compile::{CompileError, error};
use super::pieces::{Piece, Reader};
use super::values::{RenderError, Values};

/// RFC 1035 section 2.3.4.
const NAME_LIMIT: usize = 253;
const LABEL_LIMIT: usize = 63;

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// As written, and its host.
    Fixed { text: String, host: String },
    /// A field of the connection.
    Field(String),
    /// https, a host of literals and fields, a literal port.
    Pieces { name: Vec<Piece>, port: Option<u16> },
}

impl Origin {
    /// Splits `url` into its origin and what follows: nothing, or a text that begins with `/` or `?`.
    pub(super) fn compile<'a>(
        url: &'a str,
        reader: Reader<'_>,
    ) -> Result<(Self, &'a str), CompileError> {
        if let Some((name, rest)) = url.strip_prefix('{').and_then(|url| url.split_once('}')) {
            return match reader.placeholder(name)? {
                Piece::Field(field) if rest.is_empty() || rest.starts_with(['/', '?']) => {
                    Ok((Self::Field(field), rest))
                }
                Piece::Field(_) => error(
                    "url",
                    "has something between the connection's field and the path: begin with https:// where the field is a part of the host",
                ),
                _ => error(
                    "url",
                    "begins with a placeholder that is no field of the connection",
                ),
            };
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return error("url", "is not absolute");
        };
        if scheme != "https" && scheme != "http" {
            return error("url", "must start with https://");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return error("url", "carries user information");
        }
        if authority.is_empty() {
            return error("url", "names no host");
        }
        let origin = if authority.contains(['{', '}']) {
            if scheme != "https" {
                return error("url", "must start with https://");
            }
            from_pieces(reader.address(authority)?)?
        } else {
            let text = format!("{scheme}://{authority}");
            let Ok(uri) = text.parse::<Uri>() else {
                return error("url", "its host is not usable");
            };
            let Some(host) = host_of(&uri) else {
                return error("url", "names no host");
            };
            let after_address = authority.rsplit(']').next().unwrap_or_default();
            if after_address.contains(':') && uri.port_u16().is_none_or(|port| port == 0) {
                return error("url", "has an unusable port");
            }
            Self::Fixed { text, host }
        };
        Ok((origin, rest))
    }

    /// The host, where it is written in the definition.
    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Self::Fixed { host, .. } => Some(host),
            Self::Field(_) | Self::Pieces { .. } => None,
        }
    }

    /// The pieces that take a value.
    pub(super) fn visit(&self, note: &mut dyn FnMut(&[Piece])) {
        match self {
            Self::Fixed { .. } => {}
            Self::Field(field) => note(&[Piece::Field(field.clone())]),
            Self::Pieces { name, .. } => note(name),
        }
    }

    /// `scheme://host[:port]`.
    pub(super) fn render(&self, values: &Values<'_, '_>) -> Result<String, RenderError> {
        match self {
            Self::Fixed { text, .. } => Ok(text.clone()),
            Self::Field(field) => {
                let (text, blame) = values.field(field)?;
                let host = text.strip_prefix("https://").unwrap_or(text);
                match plain_name(host) {
                    Some(host) => Ok(format!("https://{host}")),
                    None => blame.refuse("is not `https://` and a plain host name"),
                }
            }
            Self::Pieces { name, port } => {
                let mut host = String::new();
                let mut last = None;
                for piece in name {
                    let (text, blame) = values.of(piece)?;
                    host.push_str(text);
                    if matches!(piece, Piece::Field(_)) {
                        last = Some(blame);
                    }
                }
                match (plain_name(&host), port) {
                    (Some(host), Some(port)) => Ok(format!("https://{host}:{port}")),
                    (Some(host), None) => Ok(format!("https://{host}")),
                    (None, _) => last
                        .unwrap_or_default()
                        .refuse("does not make a plain host name"),
                }
            }
        }
    }
}

fn from_pieces(mut pieces: Vec<Piece>) -> Result<Origin, CompileError> {
    let mut port = None;
    if let Some(Piece::Literal(last)) = pieces.last_mut()
        && let Some((name, number)) = last.split_once(':')
    {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        port = number.parse().ok().filter(|port| digits && *port != 0);
        if port.is_none() {
            return error("url", "has an unusable port");
        }
        *last = name.to_owned();
    }
    let mut sample = String::new();
    for piece in &pieces {
        match piece {
            Piece::Literal(text) if text.contains(':') => {
                return error("url", "has a placeholder in its port");
            }
            Piece::Literal(text) => sample.push_str(text),
            Piece::Field(_) => sample.push('x'),
            _ => {
                return error(
                    "url",
                    "has a placeholder in its host that is no field of the connection",
                );
            }
        }
    }
    if plain_name(&sample).is_none() {
        return error("url", "its host is not a plain DNS name");
    }
    Ok(Origin::Pieces { name: pieces, port })
}

/// `name` in lower case, where it is a plain DNS name.
fn plain_name(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_LIMIT
            && !label.starts_with('-')
            && !label.ends_with('-')
            // The IDNA form of a name: one more spelling, which not everybody reads alike.
            && !label.starts_with("xn--")
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    // A name that ends in a number is an IPv4 address (WHATWG URL, "ends in a number").
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit());
    (name.len() <= NAME_LIMIT && !number && name.split('.').all(label)).then_some(name)
}

/// Host and, where it is not the scheme's own, port.
pub(super) fn host_of(uri: &Uri) -> Option<String> {
    let host = uri.host()?.to_ascii_lowercase();
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    Some(match uri.port_u16() {
        Some(port) if port != default => format!("{host}:{port}"),
        _ => host,
    })
}
