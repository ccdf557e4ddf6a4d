//! PURE. Compiles a named API's URL, headers and body; everything that can be wrong with a definition is wrong here.

use http::Method;
use http::header::HeaderName;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::ApiTemplate;
use super::origin::Origin;
use super::params::fold;
use super::pieces::{Body, Piece, Reader};
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

pub(super) fn error<T>(
    field: impl Into<String>,
    message: impl Into<String>,
) -> Result<T, CompileError> {
    Err(CompileError {
        field: field.into(),
        message: message.into(),
    })
}

impl ApiTemplate {
    /// Compiles `api`. `reserved_params` are further query names the caller may not set: the provider's own, and those
    /// the proxy adds with the credential.
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
        let reader = Reader {
            auth_key: &api.authentication_key,
            field: "url",
        };
        refuse_bad_characters(&api.url)?;
        let (origin, rest) = Origin::compile(&api.url, reader)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, query),
            None => (rest, ""),
        };
        let query = query_of(query, reader)?;
        let mut taken: Vec<String> = RESERVED.iter().map(|name| fold(name)).collect();
        taken.extend(reserved_params.iter().map(|name| fold(name)));
        taken.extend(query.iter().map(|(name, _)| fold(&name.replace('+', " "))));
        let body = match &api.body {
            None | Some(Value::Null) => None,
            Some(_) if method == Method::GET => return error("body", "a GET request has none"),
            Some(value) => Some(body(value, "body", &api.authentication_key)?),
        };
        let mut template = Self {
            method,
            origin,
            segments: segments(path, reader)?,
            query,
            headers: headers(api)?,
            body,
            taken,
            used: Vec::new(),
            fields: Vec::new(),
        };
        template.note_placeholders();
        Ok(template)
    }

    fn note_placeholders(&mut self) {
        let (mut used, mut fields) = (Vec::new(), Vec::new());
        let mut note = |pieces: &[Piece]| {
            for piece in pieces {
                match piece {
                    Piece::Param(name) => used.push(name.clone()),
                    Piece::Field(name) => fields.push(name.clone()),
                    _ => {}
                }
            }
        };
        self.origin.visit(&mut note);
        self.segments.iter().for_each(|pieces| note(pieces));
        self.query
            .iter()
            .filter_map(|(_, value)| value.as_ref())
            .for_each(|pieces| note(pieces));
        self.headers.iter().for_each(|(_, pieces)| note(pieces));
        if let Some(body) = &self.body {
            body.visit(&mut note);
        }
        for names in [&mut used, &mut fields] {
            names.sort();
            names.dedup();
        }
        (self.used, self.fields) = (used, fields);
    }
}

/// What a definition writes into a URL must already be encoded.
fn refuse_bad_characters(url: &str) -> Result<(), CompileError> {
    if url.contains('#') {
        return error("url", "has a fragment");
    }
    let bad = |byte: u8| {
        !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|')
    };
    if url.bytes().any(bad) {
        return error("url", "has a character that has to be percent-encoded");
    }
    Ok(())
}

fn segments(path: &str, reader: Reader<'_>) -> Result<Vec<Vec<Piece>>, CompileError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut segments = Vec::new();
    for segment in path.split('/') {
        let pieces = reader.address(segment)?;
        if let [Piece::Literal(text)] = pieces.as_slice()
            && is_dots(text)
        {
            return error("url", "has a `.` or `..` segment");
        }
        segments.push(pieces);
    }
    Ok(segments)
}

type Query = Vec<(String, Option<Vec<Piece>>)>;

fn query_of(query: &str, reader: Reader<'_>) -> Result<Query, CompileError> {
    let mut parts = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(reader.address(value)?)),
            None => (part, None),
        };
        if name.contains(['{', '}']) {
            return error("url", "has a placeholder in a query name");
        }
        parts.push((name.to_owned(), value));
    }
    Ok(parts)
}

fn headers(api: &NamedApi) -> Result<Vec<(HeaderName, Vec<Piece>)>, CompileError> {
    let mut headers: Vec<(HeaderName, Vec<Piece>)> = Vec::new();
    for (name, value) in &api.headers {
        let field = format!("headers.{name}");
        let folded = name.to_ascii_lowercase().replace('_', "-");
        if FORBIDDEN_HEADERS.contains(&folded.as_str()) || folded.starts_with("x-forwarded-") {
            return error(field, "is not a header a definition may set");
        }
        let Ok(name) = HeaderName::try_from(name) else {
            return error(field, "is not a header name");
        };
        if headers.iter().any(|(known, _)| *known == name) {
            return error(field, "is there twice: case makes no difference");
        }
        if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return error(field, "has a character that cannot stand in a header");
        }
        let reader = Reader {
            auth_key: &api.authentication_key,
            field: &field,
        };
        headers.push((name, reader.header(value)?));
    }
    Ok(headers)
}

fn body(value: &Value, field: &str, auth_key: &str) -> Result<Body, CompileError> {
    Ok(match value {
        Value::String(text) => Body::Text(Reader { auth_key, field }.body(text)?),
        Value::Array(values) => {
            let values = values.iter().enumerate();
            Body::List(
                values
                    .map(|(index, value)| body(value, &format!("{field}.{index}"), auth_key))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let field = format!("{field}.{name}");
                Reader {
                    auth_key,
                    field: &field,
                }
                .member(name)?;
                let value = body(value, &field, auth_key)?;
                Ok((name.clone(), value))
            });
            Body::Object(members.collect::<Result<_, CompileError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Body::Fixed(value.clone()),
    })
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
