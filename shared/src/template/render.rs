//! PURE. Renders a compiled template: one pass, each value encoded by its position.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::compile::is_dots;
use super::origin::host_of;
use super::params::{COUNT_LIMIT, NAME_LIMIT, readings};
use super::pieces::{Body, Piece};
use super::request::Value;
use super::values::{Blame, Values, check, error};
use super::{ApiTemplate, CallerValues, Fields, Param, Params, RenderError, Rendered};
use crate::passport::Passport;

/// A longer address is refused.
const URL_LIMIT: usize = 8_000;

/// All but RFC 3986's unreserved characters: nothing a value contains can be a delimiter.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl ApiTemplate {
    /// The host requests go to under `passport`, as [`host`](Self::host) writes it: with what the connection has `kept`,
    /// or, without one, as far as the passport alone knows. `None` where a field is missing or unusable.
    pub fn host_under(
        &self,
        passport: &Passport,
        kept: Option<&BTreeMap<String, String>>,
    ) -> Option<String> {
        if let Some(host) = self.host() {
            return Some(host.to_owned());
        }
        let is_pinned = |name: &str| passport.pinned.iter().any(|field| field.name == name);
        let look_up = |name: &str| match kept {
            Some(kept) => passport.connection_field(kept, name),
            // The connection may have another value than the operator's.
            None if is_pinned(name) => None,
            None => passport.variables.get(name).map(String::as_str),
        };
        let values = Values {
            params: &Params::default(),
            caller: CallerValues {
                user_id: "",
                user_email: None,
                organisation_id: "",
            },
            fields: Fields::Known(&look_up),
        };
        let origin = self.origin.render(&values).ok()?;
        host_of(&origin.parse().ok()?)
    }

    /// Renders a request for these params.
    ///
    /// # Errors
    /// [`RenderError`] naming the param or the connection's field.
    pub fn render(
        &self,
        params: &Params,
        caller: CallerValues<'_>,
        fields: Fields<'_>,
    ) -> Result<Rendered, RenderError> {
        check_params(params)?;
        let values = Values {
            params,
            caller,
            fields,
        };
        let mut url = self.origin.render(&values)?;
        for segment in &self.segments {
            url.push('/');
            url.push_str(&path_segment(segment, &values)?);
        }
        let mut separator = '?';
        for (name, value) in &self.query {
            url.push(separator);
            separator = '&';
            url.push_str(name);
            if let Some(value) = value {
                url.push('=');
                push_encoded(&mut url, value, &values)?;
            }
        }
        for (name, param) in &params.0 {
            if self.used.contains(name) {
                continue;
            }
            if readings(name).iter().any(|name| self.taken.contains(name)) {
                return error(name, "The param has a name that is fixed or reserved.");
            }
            for value in param.values() {
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
            let longest = longest.map_or("", |(name, _)| name.as_str());
            return error(longest, "The address becomes too long.");
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
            host_is_pinned: self.host().is_none(),
            is_complete: !self.needs_connection() || matches!(fields, Fields::Known(_)),
            uri,
            headers,
            body,
        })
    }
}

fn length(param: &Param) -> usize {
    param.values().iter().map(String::len).sum()
}

/// What no param may be, whatever it fills.
fn check_params(params: &Params) -> Result<(), RenderError> {
    if let Some((name, _)) = params.0.get(COUNT_LIMIT) {
        return error(name, "There are too many params.");
    }
    for (index, (name, param)) in params.0.iter().enumerate() {
        if name.is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
            return error(name, "The param's name is not usable.");
        }
        let mut earlier = params.0.iter().take(index);
        if earlier.any(|(earlier, _)| earlier == name) {
            return error(name, "The param is given twice.");
        }
        for value in param.values() {
            check(value, Blame::Param(name))?;
        }
    }
    Ok(())
}

fn path_segment(pieces: &[Piece], values: &Values<'_, '_>) -> Result<String, RenderError> {
    let mut segment = String::new();
    let mut blamed = None;
    for piece in pieces {
        let (text, blame) = values.of(piece)?;
        match blame {
            Blame::Definition => segment.push_str(text),
            Blame::Param(_) | Blame::Field(_) => {
                segment.extend(utf8_percent_encode(text, ENCODED));
                // Where both have a part in it, it is the caller who can do something about it.
                if !matches!((blamed, blame), (Some(Blame::Param(_)), Blame::Field(_))) {
                    blamed = Some(blame);
                }
            }
        }
    }
    match blamed {
        Some(blame) if segment.is_empty() => blame.refuse("must not be empty here"),
        Some(blame) if is_dots(&segment) => blame.refuse("would change the path"),
        _ => Ok(segment),
    }
}

fn push_encoded(
    url: &mut String,
    pieces: &[Piece],
    values: &Values<'_, '_>,
) -> Result<(), RenderError> {
    for piece in pieces {
        let (text, blame) = values.of(piece)?;
        match blame {
            Blame::Definition => url.push_str(text),
            Blame::Param(_) | Blame::Field(_) => url.extend(utf8_percent_encode(text, ENCODED)),
        }
    }
    Ok(())
}

fn header_value(pieces: &[Piece], values: &Values<'_, '_>) -> Result<Vec<Value>, RenderError> {
    let mut rendered = Vec::with_capacity(pieces.len());
    let mut ends = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let (text, blame) = values.of(piece)?;
        if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return blame.refuse("has a character that cannot stand in a header");
        }
        if *piece == Piece::Credential {
            rendered.push(Value::Credential);
            ends.push(("credential", blame));
        } else {
            rendered.push(Value::Text(text.to_owned()));
            ends.push((text, blame));
        }
    }
    // Space around a header's value is no part of it (RFC 9110 section 5.5): what was given would not arrive.
    ends.retain(|(text, _)| !text.is_empty());
    let first = ends.first().filter(|(text, _)| text.starts_with(' '));
    let last = ends.last().filter(|(text, _)| text.ends_with(' '));
    for (_, blame) in first.into_iter().chain(last) {
        if !matches!(blame, Blame::Definition) {
            return blame.refuse("must not begin or end a header with a space");
        }
    }
    Ok(rendered)
}

fn json(body: &Body, values: &Values<'_, '_>) -> Result<serde_json::Value, RenderError> {
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
