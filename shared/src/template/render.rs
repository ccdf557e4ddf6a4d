//! PURE. Renders a compiled template: one pass, each value encoded by its position.

use bytes::Bytes;
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::compile::{fold, is_dots};
use super::params::{COUNT_LIMIT, NAME_LIMIT, VALUE_LIMIT};
use super::{ApiTemplate, Body, CallerValues, Param, Params, Piece, Rendered, Value, host_of};

/// A longer address is refused.
const URL_LIMIT: usize = 8_000;

/// All but RFC 3986's unreserved characters: nothing a value contains can be a delimiter.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A param that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct RenderError {
    /// Its name; `user.email` where the caller lacks one.
    pub param: String,
    /// What is wrong. Never its value.
    pub problem: &'static str,
}

/// A name is shown as far as a usable one goes: an unusable one may be long, or hold control characters.
fn error<T>(param: &str, problem: &'static str) -> Result<T, RenderError> {
    let shown = param.chars().filter(|char| !char.is_control());
    Err(RenderError {
        param: shown.take(NAME_LIMIT).collect(),
        problem,
    })
}

struct Values<'a> {
    params: &'a Params,
    caller: CallerValues<'a>,
}

impl<'a> Values<'a> {
    /// The value of a placeholder, and the name to blame for it.
    fn of(&self, piece: &'a Piece) -> Result<(&'a str, &'a str), RenderError> {
        match piece {
            Piece::Literal(text) => Ok((text, "")),
            Piece::Param(name) => match self.params.get(name) {
                None => error(name, "The param is missing."),
                Some(Param::Many(_)) => {
                    error(name, "The param must be a single value, not a list.")
                }
                Some(Param::One(value)) => Ok((value, name)),
            },
            Piece::UserId => Ok((self.caller.user_id, "user.id")),
            Piece::OrganisationId => Ok((self.caller.organisation_id, "organisation.id")),
            Piece::UserEmail => match self.caller.user_email {
                Some(email) => Ok((email, "user.email")),
                None => error("user.email", "The caller has no e-mail address."),
            },
            // Compiled into headers only, where it is not asked for here.
            Piece::Credential => Ok(("", "")),
        }
    }
}

impl ApiTemplate {
    /// Renders a request for these params.
    ///
    /// # Errors
    /// [`RenderError`] naming the param.
    pub fn render(
        &self,
        params: &Params,
        caller: CallerValues<'_>,
    ) -> Result<Rendered, RenderError> {
        check(params)?;
        let values = Values { params, caller };
        let mut url = self.origin.clone();
        for segment in &self.segments {
            url.push('/');
            url.push_str(&path_segment(segment, &values)?);
        }
        let mut separator = '?';
        for (name, value) in &self.query {
            url.push(separator);
            separator = '&';
            push_encoded(&mut url, name, &values)?;
            if let Some(value) = value {
                url.push('=');
                push_encoded(&mut url, value, &values)?;
            }
        }
        for (name, param) in &params.0 {
            if self.used.contains(name) {
                continue;
            }
            if self.taken.contains(&fold(name)) {
                return error(name, "The param has a name that is fixed or reserved.");
            }
            let all = match param {
                Param::One(value) => std::slice::from_ref(value),
                Param::Many(all) => all,
            };
            for value in all {
                url.push(separator);
                separator = '&';
                url.extend(utf8_percent_encode(name, ENCODED));
                url.push('=');
                url.extend(utf8_percent_encode(value, ENCODED));
            }
        }
        if url.len() > URL_LIMIT {
            let longest = params
                .0
                .iter()
                .max_by_key(|(name, param)| name.len() + length(param));
            return error(
                longest.map_or("", |(name, _)| name.as_str()),
                "The address becomes too long.",
            );
        }
        let Ok(uri) = url.parse::<Uri>() else {
            return error("", "The address cannot be built.");
        };
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, pieces) in &self.headers {
            headers.push((name.clone(), header_value(pieces, &values)?));
        }
        let body = match &self.body {
            Some(body) => Some(Bytes::from(json(body, &values)?.to_string())),
            None => None,
        };
        Ok(Rendered {
            method: self.method.clone(),
            host: host_of(&uri).unwrap_or_default(),
            uri,
            headers,
            body,
        })
    }
}

fn length(param: &Param) -> usize {
    match param {
        Param::One(value) => value.len(),
        Param::Many(values) => values.iter().map(String::len).sum(),
    }
}

/// What no param may be, whatever it fills.
fn check(params: &Params) -> Result<(), RenderError> {
    if let Some((name, _)) = params.0.get(COUNT_LIMIT) {
        return error(name, "There are too many params.");
    }
    for (index, (name, param)) in params.0.iter().enumerate() {
        if name.is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
            return error(name, "The param's name is not usable.");
        }
        if params
            .0
            .iter()
            .take(index)
            .any(|(earlier, _)| earlier == name)
        {
            return error(name, "The param is given twice.");
        }
        let values = match param {
            Param::One(value) => std::slice::from_ref(value),
            Param::Many(values) => values,
        };
        for value in values {
            if value.len() > VALUE_LIMIT {
                return error(name, "The param is too long.");
            }
            if value.chars().any(char::is_control) {
                return error(name, "The param contains a control character.");
            }
        }
    }
    Ok(())
}

fn path_segment(pieces: &[Piece], values: &Values<'_>) -> Result<String, RenderError> {
    let mut segment = String::new();
    let mut blamed = "";
    for piece in pieces {
        let (text, name) = values.of(piece)?;
        if let Piece::Literal(literal) = piece {
            segment.push_str(literal);
        } else {
            blamed = name;
            segment.extend(utf8_percent_encode(text, ENCODED));
        }
    }
    let filled = !pieces
        .iter()
        .all(|piece| matches!(piece, Piece::Literal(_)));
    if filled && segment.is_empty() {
        return error(blamed, "The param must not be empty here.");
    }
    if filled && is_dots(&segment) {
        return error(blamed, "The param would change the path.");
    }
    Ok(segment)
}

fn push_encoded(
    url: &mut String,
    pieces: &[Piece],
    values: &Values<'_>,
) -> Result<(), RenderError> {
    for piece in pieces {
        let (text, _) = values.of(piece)?;
        match piece {
            Piece::Literal(literal) => url.push_str(literal),
            _ => url.extend(utf8_percent_encode(text, ENCODED)),
        }
    }
    Ok(())
}

fn header_value(pieces: &[Piece], values: &Values<'_>) -> Result<Vec<Value>, RenderError> {
    pieces
        .iter()
        .map(|piece| {
            if *piece == Piece::Credential {
                return Ok(Value::Credential);
            }
            let (text, name) = values.of(piece)?;
            if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                return error(
                    name,
                    "The param has a character that cannot stand in a header.",
                );
            }
            Ok(Value::Text(text.to_owned()))
        })
        .collect()
}

fn json(body: &Body, values: &Values<'_>) -> Result<serde_json::Value, RenderError> {
    Ok(match body {
        Body::Fixed(value) => value.clone(),
        Body::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                text.push_str(values.of(piece)?.0);
            }
            text.into()
        }
        Body::List(list) => list
            .iter()
            .map(|value| json(value, values))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Body::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.clone(), json(value, values)?)));
            serde_json::Value::Object(members.collect::<Result<_, RenderError>>()?)
        }
    })
}
