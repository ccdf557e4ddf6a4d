//! The Lambda invoke API over handlers registered in this process. Touches nothing but the handlers it is given.
//!
//! A handler runs in a task of its own: like the real service, it goes on when the caller goes away.
//! Source: AWS Lambda API reference, "Invoke".

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::aws_json;
use crate::held::held;

/// Both payloads of a synchronous invoke are limited to 6 MB.
const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// What is run for one function: the event's bytes in, the answer's bytes out.
pub type Handler =
    Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes, FunctionError>> + Send + Sync>;

/// A handler's failure, as the runtime reports it: HTTP 200 with `x-amz-function-error: Unhandled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType` of the answer.
    pub error_type: String,
    /// `errorMessage` of the answer.
    pub message: String,
}

impl FunctionError {
    /// A failure of kind `error_type`.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
        }
    }
}

/// The functions that can be invoked.
#[derive(Clone, Default)]
pub struct Functions {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    handlers: Mutex<HashMap<String, Handler>>,
    invocations: Mutex<HashMap<String, u64>>,
    outage: AtomicBool,
}

impl Functions {
    /// No function yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `handler` answer invokes of `name`, instead of an earlier one.
    pub fn register(&self, name: impl Into<String>, handler: Handler) {
        held(&self.shared.handlers).insert(name.into(), handler);
    }

    /// How often `name` was invoked and found.
    pub fn invocations(&self, name: &str) -> u64 {
        held(&self.shared.invocations)
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    /// While true, every invoke is answered 503 `ServiceException` and reaches no handler.
    pub fn outage(&self, on: bool) {
        self.shared.outage.store(on, Ordering::SeqCst);
    }

    /// Invokes `name` (or its ARN) in process and waits for the answer, as an event source or a rule does.
    ///
    /// # Errors
    /// What the handler failed with; for an invoke that is refused, the API's error code as its type
    /// (`ResourceNotFoundException`, `ServiceException`, …).
    pub async fn invoke(&self, name: &str, payload: Bytes) -> Result<Bytes, FunctionError> {
        match self.admit(name, payload) {
            Ok(admitted) => self.run(admitted).await,
            Err(Refused(_, code, message)) => Err(FunctionError::new(code, message)),
        }
    }

    fn admit(&self, name: &str, payload: Bytes) -> Result<Admitted, Refused> {
        if self.shared.outage.load(Ordering::SeqCst) {
            return Err(Refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceException",
                "scripted outage",
            ));
        }
        let name = bare_name(name).to_owned();
        let Some(handler) = held(&self.shared.handlers).get(&name).cloned() else {
            return Err(Refused(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                "Function not found",
            ));
        };
        if payload.len() > PAYLOAD_LIMIT {
            return Err(Refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLargeException",
                "payload above 6 MB",
            ));
        }
        // An invoke without a payload gives the function an empty object; anything else must be JSON.
        let payload = if payload.is_empty() {
            Bytes::from_static(b"{}")
        } else {
            payload
        };
        if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
            return Err(Refused(
                StatusCode::BAD_REQUEST,
                "InvalidRequestContentException",
                "the payload is not JSON",
            ));
        }
        Ok(Admitted {
            name,
            handler,
            payload,
        })
    }

    async fn run(&self, admitted: Admitted) -> Result<Bytes, FunctionError> {
        count(self, &admitted.name);
        let running = tokio::spawn((admitted.handler)(admitted.payload));
        let outcome = running.await.unwrap_or_else(|_| {
            Err(FunctionError::new(
                "Runtime.ExitError",
                "RequestId: unknown Error: Runtime exited",
            ))
        });
        match outcome {
            Ok(answer) if answer.len() > PAYLOAD_LIMIT => Err(FunctionError::new(
                "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            )),
            other => other,
        }
    }

    /// `POST /2015-03-31/functions/{name}/invocations`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .fallback(|| async {
                refused(
                    StatusCode::NOT_FOUND,
                    "UnknownOperationException",
                    "no such operation",
                )
            })
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let handlers = held(&self.shared.handlers);
        formatter.debug_set().entries(handlers.keys()).finish()
    }
}

/// Why an invoke reaches no handler.
struct Refused(StatusCode, &'static str, &'static str);

/// An invoke that was let in.
struct Admitted {
    name: String,
    handler: Handler,
    payload: Bytes,
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let admitted = match functions.admit(&name, payload) {
        Ok(admitted) => admitted,
        Err(Refused(status, code, message)) => return refused(status, code, message),
    };
    let kind = headers
        .get("x-amz-invocation-type")
        .map_or("RequestResponse", |kind| kind.to_str().unwrap_or(""));
    match kind {
        "RequestResponse" => functions
            .run(admitted)
            .await
            .map_or_else(|error| failed(&error), executed),
        "Event" => {
            count(&functions, &admitted.name);
            tokio::spawn((admitted.handler)(admitted.payload));
            StatusCode::ACCEPTED.into_response()
        }
        "DryRun" => StatusCode::NO_CONTENT.into_response(),
        _ => refused(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            "unknown invocation type",
        ),
    }
}

fn count(functions: &Functions, name: &str) {
    *held(&functions.shared.invocations)
        .entry(name.to_owned())
        .or_default() += 1;
}

/// The function's name in `NAME`, `NAME:QUALIFIER` or `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
fn bare_name(given: &str) -> &str {
    let mut parts = given.split(':');
    if given.starts_with("arn:") {
        parts.nth(6).unwrap_or("")
    } else {
        parts.next().unwrap_or("")
    }
}

fn failed(error: &FunctionError) -> Response {
    let body = json!({ "errorType": error.error_type, "errorMessage": error.message });
    let mut response = executed(Bytes::from(body.to_string()));
    response.headers_mut().insert(
        "x-amz-function-error",
        HeaderValue::from_static("Unhandled"),
    );
    response
}

fn executed(body: Bytes) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("x-amz-executed-version", "$LATEST"),
    ];
    (StatusCode::OK, headers, body).into_response()
}

fn refused(status: StatusCode, code: &'static str, message: &str) -> Response {
    aws_json::error(status, "application/json", code, message)
}
