//! PURE. What a text of a definition consists of: literals and placeholders.

use serde_json::Value;

use super::compile::{CompileError, error};
use super::params::NAME_LIMIT;

/// Longest name of a connection's field.
const FIELD_LIMIT: usize = 64;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    Param(String),
    UserId,
    UserEmail,
    OrganisationId,
    /// A field of the connection.
    Field(String),
    /// In headers only.
    Credential,
}

/// A static JSON body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Text(Vec<Piece>),
    Fixed(Value),
    List(Vec<Body>),
    Object(Vec<(String, Body)>),
}

impl Body {
    pub(super) fn visit(&self, note: &mut dyn FnMut(&[Piece])) {
        match self {
            Self::Text(pieces) => note(pieces),
            Self::Fixed(_) => {}
            Self::List(values) => values.iter().for_each(|value| value.visit(note)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.visit(note)),
        }
    }
}

/// Reads texts of an API whose `authenticationKey` is `auth_key`; `field` is what an error names.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) auth_key: &'a str,
    pub(super) field: &'a str,
}

impl Reader<'_> {
    /// A header's value: the only place for the credential.
    pub(super) fn header(self, text: &str) -> Result<Vec<Piece>, CompileError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(start);
            let Some((name, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}'))
            else {
                return error(self.field, "has an unbalanced brace");
            };
            if !before.is_empty() {
                pieces.push(Piece::Literal(before.to_owned()));
            }
            pieces.push(self.placeholder(name)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(pieces)
    }

    /// A part of an address.
    pub(super) fn address(self, text: &str) -> Result<Vec<Piece>, CompileError> {
        let pieces = self.header(text)?;
        if pieces.contains(&Piece::Credential) {
            return error(self.field, "has the credential outside of a header");
        }
        Ok(pieces)
    }

    /// A member's name in a body: it is written out.
    pub(super) fn member(self, name: &str) -> Result<(), CompileError> {
        let mut rest = name;
        while let Some((_, from)) = rest.split_once('{') {
            let inner = from.split_once('}').map_or("", |(inner, _)| inner);
            if is_meant(inner) || self.placeholder(inner).is_ok() {
                return error(self.field, "has a placeholder in the name of a member");
            }
            rest = from;
        }
        Ok(())
    }

    /// A text of a body. Braces that are none of our placeholders stay as they are: GraphQL is full of them.
    pub(super) fn body(self, text: &str) -> Result<Vec<Piece>, CompileError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let (before, from) = rest.split_at(start);
            literal.push_str(before);
            let named = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            match named.map(|(name, after)| (self.placeholder(name), name, after)) {
                Some((Ok(Piece::Credential), ..)) => {
                    return error(self.field, "has the credential outside of a header");
                }
                Some((Ok(piece), _, after)) => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(piece);
                    rest = after;
                }
                Some((Err(error), name, _)) if is_meant(name) => return Err(error),
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

    /// The placeholder `{name}`.
    pub(super) fn placeholder(self, name: &str) -> Result<Piece, CompileError> {
        let unknown = || {
            let message = format!("has an unknown placeholder `{{{name}}}`");
            error(self.field, message)
        };
        match name {
            "user.id" | "userId" => return Ok(Piece::UserId),
            "user.email" => return Ok(Piece::UserEmail),
            "organisation.id" => return Ok(Piece::OrganisationId),
            _ => {}
        }
        match name.split_once('.') {
            Some(("param", param)) if is_param_name(param) => Ok(Piece::Param(param.to_owned())),
            Some(("authorization", rest)) => match rest.strip_suffix(".token") {
                Some(auth_key) if auth_key == self.auth_key => Ok(Piece::Credential),
                Some(_) => error(self.field, "names the credential of another authentication"),
                None => unknown(),
            },
            Some(("connection", rest)) => match rest.rsplit_once('.') {
                Some((auth_key, _)) if auth_key != self.auth_key => {
                    error(self.field, "names the connection of another authentication")
                }
                Some((_, field)) if is_field_name(field) => Ok(Piece::Field(field.to_owned())),
                _ => unknown(),
            },
            _ => unknown(),
        }
    }
}

/// Whether a text between braces can only be meant as a placeholder, however it is spelled.
fn is_meant(name: &str) -> bool {
    const ROOTS: [&str; 7] = [
        "param.",
        "params.",
        "authorization.",
        "connection.",
        "user.",
        "organisation.",
        "organization.",
    ];
    let begins_with = |root: &&str| {
        let start = name.get(..root.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(root))
    };
    name.eq_ignore_ascii_case("userId") || ROOTS.iter().any(begins_with)
}

fn is_param_name(name: &str) -> bool {
    let usable =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@');
    !name.is_empty() && name.len() <= NAME_LIMIT && name.bytes().all(usable)
}

fn is_field_name(name: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.len() <= FIELD_LIMIT && name.bytes().all(usable)
}
