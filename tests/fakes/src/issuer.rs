//! What an OpenID Connect issuer publishes (Discovery 1.0 section 4, RFC 7517): the discovery document and the key set of whoever
//! signs. It remembers every path that was asked for, and fails as it is told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::serve::{Served, hang_up, serve_on};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/jwks";

/// A way to fail, for every request until another is set.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, with a JSON object.
    Status(u16),
    /// 200 with an HTML page.
    Html,
    /// 200 with JSON that is no object.
    List,
    /// The real answer with so many bytes behind it.
    Padded(usize),
    /// The real answer, this much later.
    Slow(Duration),
    /// No byte.
    Drop,
    /// 302 to this address.
    Redirect(String),
}

#[derive(Default)]
struct Published {
    issuer: String,
    jwks_uri: Value,
    keys: Vec<Value>,
    fault: Option<Fault>,
    seen: Vec<String>,
}

/// The issuer. Dropping it closes its port.
pub struct Issuer {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    published: Arc<Mutex<Published>>,
    _served: Served,
}

impl Issuer {
    /// With these keys, on a free port.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(keys: Vec<Value>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let published = Arc::new(Mutex::new(Published {
            issuer: url.clone(),
            jwks_uri: json!(format!("{url}{JWKS}")),
            keys,
            ..Published::default()
        }));
        let router = Router::new().fallback(answer).with_state(published.clone());
        Ok(Self {
            url,
            published,
            _served: serve_on(listener, router)?,
        })
    }

    /// Publishes other keys.
    pub fn set_keys(&self, keys: Vec<Value>) {
        self.published().keys = keys;
    }

    /// Calls itself something else.
    pub fn set_issuer(&self, issuer: &str) {
        self.published().issuer = issuer.to_owned();
    }

    /// Says that its keys are elsewhere.
    pub fn set_jwks_uri(&self, jwks_uri: Value) {
        self.published().jwks_uri = jwks_uri;
    }

    /// Fails like this from now on; `None` works again.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.published().fault = fault;
    }

    /// The paths asked for so far.
    pub fn seen(&self) -> Vec<String> {
        self.published().seen.clone()
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(published): State<Arc<Mutex<Published>>>, request: Request) -> Response {
    let (document, fault) = {
        let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
        published.seen.push(request.uri().path().to_owned());
        let document = match request.uri().path() {
            DISCOVERY => json!({
                "issuer": published.issuer, "jwks_uri": published.jwks_uri,
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }),
            JWKS => json!({ "keys": published.keys }),
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        (document.to_string(), published.fault.clone())
    };
    let json = |status: StatusCode, text: String| {
        (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    match fault {
        None => json(StatusCode::OK, document),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, document)
        }
        Some(Fault::Html) => {
            ([(header::CONTENT_TYPE, "text/html")], "<!doctype html>").into_response()
        }
        Some(Fault::List) => json(StatusCode::OK, format!("[{document}]")),
        Some(Fault::Padded(bytes)) => {
            json(StatusCode::OK, format!("{document}{}", " ".repeat(bytes)))
        }
        Some(Fault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            json(StatusCode::OK, document)
        }
        Some(Fault::Drop) => hang_up(),
        Some(Fault::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
    }
}
