//! PURE. One request to a simulator, as the provider would have seen it, and its parameters.

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::denial::Denial;
use crate::aws_json::only;

/// A request to `https://{host}{path}?{query}`.
pub(super) struct Call {
    pub(super) method: Method,
    /// The provider's host, in lower case.
    pub(super) host: String,
    /// The path below the host, as it came: it begins with a slash.
    pub(super) path: String,
    /// The query as it came, without the question mark; empty where there is none.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// A header that is there exactly once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        only(&self.headers, name)
    }

    /// The parameters of the URL.
    pub(super) fn query_params(&self) -> Params {
        Params::parse(self.query.as_bytes())
    }

    /// The parameters of a form, which is all that a token endpoint takes: nothing twice, nothing in the URL.
    pub(super) fn form(&self) -> Result<Params, Denial> {
        if self.method != Method::POST {
            return Err(Denial::Method);
        }
        let params = self.form_fields()?;
        if !self.query.is_empty() {
            return Err(Denial::InUrl);
        }
        Ok(params)
    }

    /// As [`Call::form`], whatever the method and the URL.
    pub(super) fn form_fields(&self) -> Result<Params, Denial> {
        let media_type = self.header("content-type").unwrap_or("");
        let media_type = media_type.split(';').next().unwrap_or("").trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Denial::NotAForm);
        }
        let params = Params::parse(&self.body);
        match params.repeated() {
            Some(name) => Err(Denial::Repeated(name.to_owned())),
            None => Ok(params),
        }
    }

    /// The body as JSON; `null` where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The query as `[[name, value], …]` in its order, for answers that show what arrived.
    pub(super) fn query_pairs(&self) -> Value {
        form_urlencoded::parse(self.query.as_bytes())
            .map(|(name, value)| json!([name, value]))
            .collect()
    }

    /// The path's segments.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }
}

/// Form or query parameters in their order.
#[derive(Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of `name`; one without a value counts as left out (RFC 6749 section 3.2).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let own = self.0.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| value.as_str())
            .find(|value| !value.is_empty())
    }

    /// Every value of `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether `name` is there at all, be it without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The names that are there, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// A name that was sent twice.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.0
            .iter()
            .enumerate()
            .find(|(at, (name, _))| self.0.iter().skip(at + 1).any(|(later, _)| later == name))
            .map(|(_, (name, _))| name.as_str())
    }
}

/// A JSON answer that nobody may keep.
pub(super) fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
    ];
    (status, headers, body.to_string()).into_response()
}
