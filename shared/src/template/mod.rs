//! PURE. Templates of named APIs: compiled once, rendered per call.
//!
//! ```text
//! {param.NAME}                    path segment, query value, header value, text in a static JSON body
//! {user.id} {userId} {user.email} {organisation.id}        likewise, from the verified caller
//! {authorization.AUTHKEY.token}   header values only, and only of the API's own authentication
//! ```
//!
//! Rendered in one pass, every value encoded by its position: a value is never itself a template, and can neither change
//! the path's shape nor add a query parameter, a header or a member. There is no placeholder in scheme, host or port. Params that
//! fill no placeholder become query parameters (Appspace advanced guide, "Making authenticated API calls").

mod compile;
mod params;
mod render;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

pub use self::compile::CompileError;
pub use self::params::{Param, Params, Scalar};
pub use self::render::RenderError;

/// A named API, ready to be rendered.
#[derive(Clone, Debug)]
pub struct ApiTemplate {
    method: Method,
    /// `https://host[:port]`, as written.
    origin: String,
    host: String,
    segments: Vec<Vec<Piece>>,
    query: Vec<(Vec<Piece>, Option<Vec<Piece>>)>,
    headers: Vec<(HeaderName, Vec<Piece>)>,
    body: Option<Body>,
    /// Query names the caller may not set: fixed ones, and reserved ones; folded.
    taken: Vec<String>,
    /// Params that fill a placeholder.
    used: Vec<String>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(String),
    Param(String),
    UserId,
    UserEmail,
    OrganisationId,
    Credential,
}

/// A static JSON body.
#[derive(Clone, Debug)]
enum Body {
    Text(Vec<Piece>),
    Fixed(serde_json::Value),
    List(Vec<Body>),
    Object(Vec<(String, Body)>),
}

/// What the verified caller contributes.
#[derive(Clone, Copy, Debug)]
pub struct CallerValues<'a> {
    /// The caller's user id.
    pub user_id: &'a str,
    /// The caller's e-mail, where the host vouches for one.
    pub user_email: Option<&'a str>,
    /// The caller's organisation id.
    pub organisation_id: &'a str,
}

impl ApiTemplate {
    /// The host requests go to: lower case, with its port unless that is the scheme's own.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// A rendered request that still lacks its credential.
#[derive(Clone, Debug)]
pub struct Rendered {
    method: Method,
    uri: Uri,
    host: String,
    headers: Vec<(HeaderName, Vec<Value>)>,
    body: Option<Bytes>,
}

/// A rendered piece of a header value.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Credential,
}

/// The credential cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential cannot stand in a header")]
pub struct BadCredential;

impl Rendered {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host of the address, read back from it: as [`ApiTemplate::host`] writes it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The request, with the credential put in last. Where no header names it, it goes into `Authorization: Bearer`.
    ///
    /// # Errors
    /// [`BadCredential`]: nothing can be sent.
    pub fn to_request(&self, access_token: &str) -> Result<Request<Bytes>, BadCredential> {
        let mut request = Request::new(self.body.clone().unwrap_or_default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json, */*;q=0.5"),
        );
        headers.insert(
            http::header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        headers.insert(
            http::header::USER_AGENT,
            HeaderValue::from_static(concat!("consulate/", env!("CARGO_PKG_VERSION"))),
        );
        if self.body.is_some() {
            headers.insert(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        let mut injected = false;
        for (name, pieces) in &self.headers {
            let mut text = String::new();
            let mut sensitive = false;
            for piece in pieces {
                match piece {
                    Value::Text(value) => text.push_str(value),
                    Value::Credential => {
                        text.push_str(access_token);
                        sensitive = true;
                    }
                }
            }
            let mut value = HeaderValue::try_from(text).map_err(|_| BadCredential)?;
            value.set_sensitive(sensitive);
            injected |= sensitive;
            headers.insert(name.clone(), value);
        }
        if !injected {
            let mut value = HeaderValue::try_from(format!("Bearer {access_token}"))
                .map_err(|_| BadCredential)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// Host and, where it is not the scheme's own, port.
fn host_of(uri: &Uri) -> Option<String> {
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

#[cfg(test)]
mod tests;
