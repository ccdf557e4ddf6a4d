//! PURE. A rendered request, and the credential put into it last.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use percent_encoding::utf8_percent_encode;

use super::render::ENCODED;
use crate::passport::Inject;

/// A rendered request that still lacks its credential.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) host: String,
    pub(super) host_is_pinned: bool,
    pub(super) is_complete: bool,
    pub(super) headers: Vec<(HeaderName, Vec<Value>)>,
    pub(super) body: Option<Bytes>,
}

/// A rendered piece of a header value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Credential,
}

/// The credential cannot be put into the request: it cannot stand in a header, or the connection's fields are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential cannot be put into the request")]
pub struct BadCredential;

impl Rendered {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The address, without a credential: the one a log may show.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host of the address, read back from it: lower case, with its port unless that is the scheme's own.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host comes from the connection, not from the definition.
    pub fn is_host_pinned(&self) -> bool {
        self.host_is_pinned
    }

    /// The request, with the credential put in last: into the headers that name it, else as `inject` says. There it
    /// replaces what the definition may have written. `added` are further query pairs.
    ///
    /// # Errors
    /// [`BadCredential`]: nothing can be sent. Also where the template needs the connection and was rendered without
    /// ([`Fields::Unknown`](super::Fields::Unknown)).
    pub fn to_request(
        &self,
        credential: &str,
        inject: &Inject,
        added: &[(&str, &str)],
    ) -> Result<Request<Bytes>, BadCredential> {
        if !self.is_complete {
            return Err(BadCredential);
        }
        let mut request = Request::new(self.body.clone().unwrap_or_default());
        *request.method_mut() = self.method.clone();
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, */*;q=0.5"),
        );
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("consulate/", env!("CARGO_PKG_VERSION"))),
        );
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut is_named = false;
        for (name, pieces) in &self.headers {
            let mut text = String::new();
            let mut sensitive = false;
            for piece in pieces {
                match piece {
                    Value::Text(value) => text.push_str(value),
                    Value::Credential => {
                        text.push_str(credential);
                        sensitive = true;
                    }
                }
            }
            let mut value = HeaderValue::try_from(text).map_err(|_| BadCredential)?;
            value.set_sensitive(sensitive);
            is_named |= sensitive;
            headers.insert(name.clone(), value);
        }
        let mut pairs = added.to_vec();
        match inject {
            _ if is_named => {}
            Inject::Header { header, scheme } => {
                let text = match scheme {
                    Some(scheme) => format!("{scheme} {credential}"),
                    None => credential.to_owned(),
                };
                let name = HeaderName::try_from(header).map_err(|_| BadCredential)?;
                let mut value = HeaderValue::try_from(text).map_err(|_| BadCredential)?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            Inject::Query { query } => pairs.push((query, credential)),
        }
        *request.uri_mut() = self.uri_with(&pairs)?;
        Ok(request)
    }

    fn uri_with(&self, pairs: &[(&str, &str)]) -> Result<Uri, BadCredential> {
        if pairs.is_empty() {
            return Ok(self.uri.clone());
        }
        let mut url = self.uri.to_string();
        let mut separator = if self.uri.query().is_some() { '&' } else { '?' };
        for (name, value) in pairs {
            url.push(separator);
            separator = '&';
            url.extend(utf8_percent_encode(name, ENCODED));
            url.push('=');
            url.extend(utf8_percent_encode(value, ENCODED));
        }
        url.parse().map_err(|_| BadCredential)
    }
}
