//! What every HTTP function does around its handlers: request id, CORS, security headers, the problem document, the one
//! log line. Also the typed extractors. Only this room, `problem.rs` and `caller.rs`'s extractor know axum.

mod asset;
mod audit;
#[cfg(feature = "openapi")]
pub mod contract;
mod preconditions;
mod routes;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::caller::{Callers, WidgetCaller};
use crate::definition::OwnerMode;
use crate::definitions::Definitions;
use crate::log::{self, Fields, Level};
use crate::owner::OwnerKey;
use crate::problem::{Code, Problem};
use crate::random;
use crate::trace::Trace;

pub use self::asset::Asset;
pub use self::preconditions::{Preconditions, Reading, entity_tag};
pub use self::routes::{Route, Routes};

/// A longer request body is refused.
pub const BODY_LIMIT: usize = 256 * 1024;

/// The platform's id of a request: API Gateway's where there is one, else a random one. Put into the request's
/// extensions by whoever runs the router.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Who a request turned out to be from, for its log line: a digest, nobody's name. The extractor fills it in.
#[derive(Clone, Default)]
struct Who(Arc<OnceLock<OwnerKey>>);

#[derive(Clone)]
struct Edge {
    function: &'static str,
    definitions: Definitions,
}

/// The response with more for its log line. Fields it has already stay.
pub fn logged(mut response: Response, mut fields: Fields) -> Response {
    let extensions = response.extensions_mut();
    fields.extend(extensions.remove::<Fields>().unwrap_or_default());
    extensions.insert(fields);
    response
}

/// Puts the edge around a function's routes. `function` names it in the log.
pub fn edge(routes: Router, function: &'static str, definitions: Definitions) -> Router {
    let edge = Edge {
        function,
        definitions,
    };
    routes
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "Another method is needed here.")
        })
        .fallback(async || Problem::new(Code::NotFound, "No route of this address."))
        .layer(middleware::from_fn_with_state(edge, around))
}

async fn around(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let request_id = match request.extensions().get::<RequestId>() {
        Some(RequestId(id)) => id.clone(),
        None => random::id().unwrap_or_default(),
    };
    let trace = Trace::of(request.headers(), &request_id);
    trace
        .around(answered(edge, request_id, request, next))
        .await
}

async fn answered(edge: Edge, request_id: String, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    request
        .extensions_mut()
        .insert(RequestId(request_id.clone()));
    let who = Who::default();
    request.extensions_mut().insert(who.clone());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let widget = widget_of(request.uri().path()).map(str::to_owned);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let cors = edge.cors(widget.as_deref(), origin.as_ref()).await;

    let response = if method == Method::OPTIONS && widget.is_some() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let audit = route
        .as_deref()
        .and_then(|route| audit::name(&method, route));
    let fields = Fields::new()
        .with("request_id", &request_id)
        .with("audit", audit)
        .with("method", method.as_str())
        .with("route", route)
        .with("widget", widget)
        .with("caller", who.0.get().map(OwnerKey::as_str));
    let (mut response, level, fields) = concluded(response, fields, &request_id, started);
    log::write(level, edge.function, "request", fields);

    let headers = response.headers_mut();
    set_default(headers, header::CACHE_CONTROL, "no-store");
    set_default(headers, header::REFERRER_POLICY, "no-referrer");
    set_default(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers.extend(cors);
    response
}

/// A response as it goes out, a problem with the id of its request; and what its log line says, after `fields`.
pub(crate) fn concluded(
    mut response: Response,
    mut fields: Fields,
    request_id: &str,
    started: Instant,
) -> (Response, Level, Fields) {
    let mut level = Level::Info;
    let extensions = response.extensions_mut();
    let problem = extensions.remove::<Problem>();
    let theirs = extensions.remove::<Fields>().unwrap_or_default();
    if let Some(problem) = problem {
        fields.add("code", problem.code());
        if problem.code().status().is_server_error() {
            level = Level::Error;
        }
        response = problem.into_answer(request_id);
    }
    fields.extend(theirs);
    fields.add("status", response.status().as_u16());
    if !fields.has("outcome") {
        let outcome = fields.text("code").unwrap_or("ok").to_owned();
        fields.add("outcome", outcome);
    }
    fields.add("duration_ms", started.elapsed().as_millis() as u64);
    (response, level, fields)
}

impl Edge {
    /// CORS headers of an answer: for the widget's exact origins, never `*`, never a reflected one.
    async fn cors(&self, widget: Option<&str>, origin: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some(widget) = widget else {
            return headers;
        };
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.and_then(|origin| origin.to_str().ok()) else {
            return headers;
        };
        let Ok(Some(widget)) = self.definitions.widget(widget).await else {
            return headers;
        };
        let Some(allowed) = widget
            .origin(origin)
            .and_then(|origin| HeaderValue::from_str(origin).ok())
        else {
            return headers;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        for (name, value) in [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, PUT, DELETE",
            ),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, if-match, if-none-match",
            ),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "etag, retry-after"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}

/// The widget a path names: `/v1/widgets/{widget}/…`.
fn widget_of(path: &str) -> Option<&str> {
    let (widget, rest) = path.strip_prefix("/v1/widgets/")?.split_once('/')?;
    (!widget.is_empty() && !rest.is_empty()).then_some(widget)
}

impl<S> FromRequestParts<S> for WidgetCaller
where
    S: Send + Sync,
    Callers: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let widget = widget_of(parts.uri.path())
            .ok_or(Problem::new(Code::NotFound, "The path names no widget."))?;
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let jwt = values
            .next()
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, jwt)| jwt.trim());
        if values.next().is_some() {
            return Err(Problem::new(
                Code::CallerUnauthenticated,
                "More than one Authorization header.",
            )
            .field("authorization"));
        }
        let caller = Callers::from_ref(state).verify(widget, jwt).await?;
        if let Some(Who(who)) = parts.extensions.get() {
            // A handler may take the caller twice; it is the same one.
            let _same = who.set(OwnerKey::of(&caller.caller, OwnerMode::User));
        }
        Ok(caller)
    }
}

/// The request's body, at most [`BODY_LIMIT`] bytes.
pub struct Bounded(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Bounded {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        axum::body::to_bytes(request.into_body(), BODY_LIMIT)
            .await
            .map(Self)
            .map_err(|_| {
                Problem::new(
                    Code::RequestMalformed,
                    "The body cannot be read, or is over 256 KiB.",
                )
                .field("body")
            })
    }
}

/// A JSON object as the request's body.
pub struct JsonObject(serde_json::Map<String, Value>);

impl From<serde_json::Map<String, Value>> for JsonObject {
    fn from(members: serde_json::Map<String, Value>) -> Self {
        Self(members)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Bounded(bytes) = Bounded::from_request(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(serde_json::Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(
                Problem::new(Code::RequestMalformed, "The body must be a JSON object.")
                    .field("body"),
            ),
            Err(error) => {
                let detail = format!(
                    "The body is not JSON: line {}, column {}.",
                    error.line(),
                    error.column()
                );
                Err(Problem::new(Code::RequestMalformed, detail).field("body"))
            }
        }
    }
}

impl JsonObject {
    /// Refuses members other than `known`.
    ///
    /// # Errors
    /// 422 naming the first unknown member.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Problem::new(
                Code::RequestInvalid,
                "The body has an unknown member.",
            )
            .field(name.as_str())),
            None => Ok(()),
        }
    }

    /// The text of the member `name`; `None` when absent or null.
    ///
    /// # Errors
    /// 422 when it is not text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => {
                Err(Problem::new(Code::RequestInvalid, "The member must be text.").field(name))
            }
        }
    }
}

impl JsonObject {
    /// The object of the member `name`; `None` when absent or null.
    ///
    /// # Errors
    /// 422 when it is not an object.
    pub fn object(&self, name: &str) -> Result<Option<&serde_json::Map<String, Value>>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => {
                Err(Problem::new(Code::RequestInvalid, "The member must be an object.").field(name))
            }
        }
    }
}

/// A JSON answer.
pub fn json(status: StatusCode, document: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(document) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            response
        }
        Err(_) => Problem::new(Code::Unavailable, "The answer cannot be written.").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_widget_is_named_only_by_widget_routes() {
        assert_eq!(
            widget_of("/v1/widgets/calendar/connections"),
            Some("calendar")
        );
        assert_eq!(widget_of("/v1/widgets/calendar"), None);
        assert_eq!(widget_of("/v1/widgets//connections"), None);
        assert_eq!(widget_of("/v1/connect/ticket"), None);
    }
}
