//! PURE. Templates of named APIs: compiled once, rendered per call.
//!
//! ```text
//! {param.NAME}                    path segment, query value, header value, text in a static JSON body
//! {user.id} {userId} {user.email} {organisation.id}        likewise, from the verified caller
//! {connection.AUTHKEY.FIELD}      likewise, from the connection; and in the host, see `origin`
//! {authorization.AUTHKEY.token}   header values only
//! ```
//!
//! AUTHKEY is the API's own `authenticationKey`. Rendered in one pass, every value encoded by its position: a value is
//! never itself a template, and can neither change the path's shape nor add a query parameter, a header or a member.
//! Nothing of the caller's stands in scheme, host or port. Params that fill no placeholder become query parameters
//! (Appspace advanced guide, "Making authenticated API calls").
//!
//! Rooms: `compile` over `pieces` (placeholders in a text) and `origin` (scheme, host, port); `render` over `values` (what
//! fills a placeholder, and who is to blame for it); `request` puts the credential in.

mod compile;
mod origin;
mod params;
mod pieces;
mod render;
mod request;
mod values;

use http::Method;
use http::header::HeaderName;

use self::origin::Origin;
use self::pieces::{Body, Piece};

pub use self::compile::CompileError;
pub use self::params::{Param, Params, Scalar};
pub use self::request::{BadCredential, Rendered};
pub use self::values::{CallerValues, Fields, RenderError};

/// A named API, ready to be rendered.
#[derive(Clone, Debug)]
pub struct ApiTemplate {
    method: Method,
    origin: Origin,
    segments: Vec<Vec<Piece>>,
    query: Vec<(String, Option<Vec<Piece>>)>,
    headers: Vec<(HeaderName, Vec<Piece>)>,
    body: Option<Body>,
    /// Query names the caller may not set: fixed ones, and reserved ones; folded.
    taken: Vec<String>,
    /// Params that fill a placeholder.
    used: Vec<String>,
    /// Fields of the connection that fill a placeholder.
    fields: Vec<String>,
}

impl ApiTemplate {
    /// The host requests go to: lower case, with its port unless that is the scheme's own. `None`: it comes from the
    /// connection, and [`Rendered::host`] has it.
    pub fn host(&self) -> Option<&str> {
        self.origin.host()
    }

    /// Whether a placeholder takes a field of the connection, wherever it stands.
    pub fn needs_connection(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The fields of the connection that placeholders take, each once.
    pub fn connection_fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
