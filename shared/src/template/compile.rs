//! PURE. Compiles a named API's URL, headers and body; everything that can be wrong with a definition is wrong here.

use http::header::HeaderName;
use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{ApiTemplate, Body, Piece, host_of};
use crate::definition::NamedApi;

/// Query names that never come from a caller: they carry credentials, or change what the request is.
const RESERVED: [&str; 8] = [
    "access_token",
    "refresh_token",
    "client_secret",
    "method",
    "_method",
    "_httpmethod",
    "callback",
    "oauth_token",
];

/// Headers a definition may not set: framing, routing, cookies, and what the proxy decides.
const FORBIDDEN_HEADERS: [&str; 16] = [
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "forwarded",
    "via",
    "accept-encoding",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
];

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct CompileError {
    /// `method`, `url`, `headers.NAME`, `body.PATH`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

fn error<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, CompileError> {
    Err(CompileError {
        field: field.into(),
        message: message.into(),
    })
}

impl ApiTemplate {
    /// Compiles `api`. `reserved_params` are the provider's own reserved query names.
    ///
    /// # Errors
    /// [`CompileError`] naming the field.
    pub fn compile(api: &NamedApi, reserved_params: &[String]) -> Result<Self, CompileError> {
        let method = match api.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return error("method", "must be GET, POST, PUT, PATCH or DELETE"),
        };
        let (origin, path, query) = split(&api.url)?;
        let uri: Uri = match origin.parse() {
            Ok(uri) => uri,
            Err(_) => return error("url", "its host is not usable"),
        };
        let Some(host) = host_of(&uri) else {
            return error("url", "names no host");
        };
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let pieces = pieces(segment, "url")?;
            if let [Piece::Literal(text)] = pieces.as_slice()
                && is_dots(text)
            {
                return error("url", "has a `.` or `..` segment");
            }
            refuse_bad_literals(&pieces)?;
            segments.push(pieces);
        }
        let mut parts = Vec::new();
        let mut taken: Vec<String> = RESERVED.iter().map(|name| (*name).to_owned()).collect();
        taken.extend(reserved_params.iter().map(|name| fold(name)));
        for part in query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|part| !part.is_empty())
        {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(pieces(value, "url")?)),
                None => (part, None),
            };
            if name.contains(['{', '}']) {
                return error("url", "has a placeholder in a query name");
            }
            for pieces in value.iter() {
                refuse_bad_literals(pieces)?;
            }
            taken.push(fold(
                &percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy(),
            ));
            parts.push((vec![Piece::Literal(name.to_owned())], value));
        }
        let mut headers = Vec::new();
        for (name, value) in &api.headers {
            headers.push(header(api, name, value)?);
        }
        let body = match &api.body {
            None | Some(Value::Null) => None,
            Some(_) if method == Method::GET => return error("body", "a GET request has none"),
            Some(value) => Some(body(value, "body")?),
        };
        let mut template = Self {
            method,
            origin: origin.to_owned(),
            host,
            segments,
            query: parts,
            headers,
            body,
            taken,
            used: Vec::new(),
        };
        template.used = template.placeholders();
        Ok(template)
    }

    fn placeholders(&self) -> Vec<String> {
        let mut used = Vec::new();
        let mut note = |pieces: &[Piece]| {
            for piece in pieces {
                if let Piece::Param(name) = piece {
                    used.push(name.clone());
                }
            }
        };
        self.segments.iter().for_each(|pieces| note(pieces));
        self.query
            .iter()
            .filter_map(|(_, value)| value.as_ref())
            .for_each(|pieces| note(pieces));
        self.headers.iter().for_each(|(_, pieces)| note(pieces));
        if let Some(body) = &self.body {
            body.visit(&mut note);
        }
        used.sort();
        used.dedup();
        used
    }
}

impl Body {
    fn visit(&self, note: &mut impl FnMut(&[Piece])) {
        match self {
            Self::Text(pieces) => note(pieces),
            Self::Fixed(_) => {}
            Self::List(values) => values.iter().for_each(|value| value.visit(note)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.visit(note)),
        }
    }
}

/// `https://host[:port]`, path (starting with `/`), query.
fn split(url: &str) -> Result<(&str, &str, Option<&str>), CompileError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return error("url", "is not absolute");
    };
    if scheme != "https" && scheme != "http" {
        return error("url", "must start with https://");
    }
    if url.contains('#') {
        return error("url", "has a fragment");
    }
    if url
        .chars()
        .any(|char| char.is_control() || char.is_whitespace() || char == '\\' || !char.is_ascii())
    {
        return error("url", "has a character that has to be percent-encoded");
    }
    let authority_len = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest_of) = rest.split_at(authority_len);
    if authority.contains('@') {
        return error("url", "carries user information");
    }
    if authority.contains(['{', '}']) {
        return error("url", "has a placeholder in its host or port");
    }
    if authority.is_empty() {
        return error("url", "names no host");
    }
    let origin = url
        .get(..scheme.len() + 3 + authority_len)
        .unwrap_or_default();
    let (path, query) = match rest_of.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest_of, None),
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    Ok((origin, path, query))
}

fn header(
    api: &NamedApi,
    name: &str,
    value: &str,
) -> Result<(HeaderName, Vec<Piece>), CompileError> {
    let field = format!("headers.{name}");
    let folded = name.to_ascii_lowercase().replace('_', "-");
    if FORBIDDEN_HEADERS.contains(&folded.as_str()) || folded.starts_with("x-forwarded-") {
        return error(field, "is not a header a definition may set");
    }
    let Ok(name) = HeaderName::try_from(name) else {
        return error(field, "is not a header name");
    };
    if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return error(field, "has a character that cannot stand in a header");
    }
    let mut pieces = Vec::new();
    for piece in raw_pieces(value, &field)? {
        pieces.push(match piece {
            Raw::Literal(text) => Piece::Literal(text.to_owned()),
            Raw::Placeholder(name) => match credential_of(name) {
                Some(auth_key) if auth_key == api.authentication_key => Piece::Credential,
                Some(_) => return error(field, "names the credential of another authentication"),
                None => placeholder(name, &field)?,
            },
        });
    }
    Ok((name, pieces))
}

fn body(value: &Value, field: &str) -> Result<Body, CompileError> {
    Ok(match value {
        // Braces that are none of our placeholders stay as they are: GraphQL is full of them.
        Value::String(text) => Body::Text(body_pieces(text, field)?),
        Value::Array(values) => {
            let values = values.iter().enumerate();
            Body::List(
                values
                    .map(|(index, value)| body(value, &format!("{field}.{index}")))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members
                .map(|(name, value)| Ok((name.clone(), body(value, &format!("{field}.{name}"))?)));
            Body::Object(members.collect::<Result<_, CompileError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Body::Fixed(value.clone()),
    })
}

fn body_pieces(text: &str, field: &str) -> Result<Vec<Piece>, CompileError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        let known = from.find('}').and_then(|end| {
            let name = from.get(1..end)?;
            Some((name, from.get(end + 1..)?))
        });
        literal.push_str(before);
        match known {
            Some((name, _)) if credential_of(name).is_some() => {
                return error(field, "has the credential outside of a header");
            }
            Some((name, after)) if placeholder(name, field).is_ok() => {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                pieces.push(placeholder(name, field)?);
                rest = after;
            }
            _ => {
                literal.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    literal.push_str(rest);
    pieces.push(Piece::Literal(literal));
    Ok(pieces)
}

enum Raw<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

fn raw_pieces<'a>(text: &'a str, field: &str) -> Result<Vec<Raw<'a>>, CompileError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(start);
        let Some((name, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}'))
        else {
            return error(field, "has an unbalanced brace");
        };
        if !before.is_empty() {
            pieces.push(Raw::Literal(before));
        }
        pieces.push(Raw::Placeholder(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Raw::Literal(rest));
    }
    Ok(pieces)
}

fn pieces(text: &str, field: &str) -> Result<Vec<Piece>, CompileError> {
    raw_pieces(text, field)?
        .into_iter()
        .map(|piece| match piece {
            Raw::Literal(text) => Ok(Piece::Literal(text.to_owned())),
            Raw::Placeholder(name) if credential_of(name).is_some() => {
                error(field, "has the credential outside of a header")
            }
            Raw::Placeholder(name) => placeholder(name, field),
        })
        .collect()
}

fn credential_of(name: &str) -> Option<&str> {
    name.strip_prefix("authorization.")?.strip_suffix(".token")
}

fn placeholder(name: &str, field: &str) -> Result<Piece, CompileError> {
    match name {
        "user.id" | "userId" => Ok(Piece::UserId),
        "user.email" => Ok(Piece::UserEmail),
        "organisation.id" => Ok(Piece::OrganisationId),
        _ => match name.strip_prefix("param.") {
            Some(param) if is_param_name(param) => Ok(Piece::Param(param.to_owned())),
            _ => error(field, format!("has an unknown placeholder `{{{name}}}`")),
        },
    }
}

fn is_param_name(name: &str) -> bool {
    let usable =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@');
    !name.is_empty() && name.len() <= super::params::NAME_LIMIT && name.bytes().all(usable)
}

/// What a definition writes into a path or query must already be encoded.
fn refuse_bad_literals(pieces: &[Piece]) -> Result<(), CompileError> {
    for piece in pieces {
        if let Piece::Literal(text) = piece
            && text.contains(['"', '<', '>', '^', '`', '|'])
        {
            return error("url", "has a character that has to be percent-encoded");
        }
    }
    Ok(())
}

/// A segment that decodes more often than this is refused: nobody means it, and each round costs its length.
const DECODINGS: usize = 8;

/// Whether a path segment means "here" or "up", however often it is decoded: some servers decode twice, and some split
/// at an encoded slash, or drop what follows a `;`, only afterwards.
pub(super) fn is_dots(segment: &str) -> bool {
    let mut text = segment.to_owned();
    for _ in 0..DECODINGS {
        let mut parts = text.split(['/', '\\']);
        if parts.any(|part| matches!(part.split(';').next(), Some("." | ".."))) {
            return true;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    true
}

/// A query name as it is compared: decoded, without case, and without the `[…]` that some frameworks put behind it.
pub(super) fn fold(name: &str) -> String {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = name.trim();
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    name.to_ascii_lowercase()
}
