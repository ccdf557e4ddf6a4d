//! Replies that a test puts in the way: how real providers misbehave, one request each.
//!
//! Those marked *not processed* answer before anything happened at the provider; the others happen after it has done
//! its work, which is what makes an outcome unknowable to the client.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::held::held;
use crate::serve::{cut_in_half, hang_up};

/// One scripted reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The real reply: lets one request pass, so that a later one can be hit.
    Pass,
    /// Status, body and content type. Not processed.
    Status(u16, String, String),
    /// 429 with `Retry-After` in seconds. Not processed.
    RetryAfter(u64),
    /// 200 with an HTML page. Not processed.
    Html,
    /// 200 with this many bytes of JSON that never make sense. Not processed.
    Huge(usize),
    /// 200 with an empty body. Not processed.
    Empty,
    /// 200 with `{"ok":false,"error":CODE}`, Slack's way. Not processed.
    ErrorWith200(String),
    /// 400 with `{"error":CODE}` (401 for `invalid_client`), as in RFC 6749 section 5.2. Not processed.
    OauthError(String),
    /// Closes the connection without a byte. Not processed.
    Drop,
    /// Never answers. Not processed.
    Hang,
    /// The real reply, this much later. Processed after the wait, even if the client has gone.
    SlowBy(Duration),
    /// Processed at once; the real reply comes this much later.
    ProcessThenSlow(Duration),
    /// Processed; half of the real reply, then the connection is closed.
    CutMidBody,
    /// Processed; the connection is closed without a byte.
    ProcessThenDrop,
    /// Processed; never answered.
    ProcessThenHang,
    /// Processed; 502 with an HTML page, as a gateway in front would send.
    ProcessThenBadGateway,
    /// The real reply without `refresh_token`, although one was issued.
    OmitRefreshToken,
    /// The real reply with `expires_in` as a string.
    StringExpiresIn,
    /// The real reply without `expires_in`.
    OmitExpiresIn,
    /// The real reply without `scope`.
    OmitScope,
    /// The real reply with these members set.
    Merge(Map<String, Value>),
    /// The real reply as a form instead of JSON, labelled `text/plain`.
    FormEncoded,
}

/// Where a scripted reply of this provider applies.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Token,
    Revoke,
    Api,
}

/// Replies waiting for their requests, by endpoint.
pub(crate) struct Scripts<E>(Mutex<HashMap<E, VecDeque<Reply>>>);

impl<E> Default for Scripts<E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<E: Eq + Hash> Scripts<E> {
    pub(crate) fn push(&self, endpoint: E, reply: Reply) {
        held(&self.0).entry(endpoint).or_default().push_back(reply);
    }

    pub(crate) fn next(&self, endpoint: E) -> Reply {
        held(&self.0)
            .get_mut(&endpoint)
            .and_then(VecDeque::pop_front)
            .unwrap_or(Reply::Pass)
    }
}

/// The answer to one request whose real answer is `work`.
pub(crate) async fn perform(
    reply: Reply,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    match reply {
        Reply::Pass => work.await,
        Reply::Status(status, body, content_type) => canned(status, &content_type, body),
        Reply::RetryAfter(seconds) => {
            let mut response = canned(
                429,
                "application/json",
                json!({ "error": "rate_limited" }).to_string(),
            );
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Reply::Html => canned(
            200,
            "text/html; charset=utf-8",
            "<!doctype html><title>Sign in</title>".to_owned(),
        ),
        Reply::Huge(bytes) => huge(bytes, "application/json"),
        Reply::Empty => canned(200, "application/json", String::new()),
        Reply::ErrorWith200(code) => canned(
            200,
            "application/json",
            json!({ "ok": false, "error": code }).to_string(),
        ),
        Reply::OauthError(code) => {
            let status = if code == "invalid_client" { 401 } else { 400 };
            canned(
                status,
                "application/json",
                json!({ "error": code }).to_string(),
            )
        }
        Reply::Drop => hang_up(),
        Reply::Hang => std::future::pending().await,
        Reply::SlowBy(wait) => {
            let later = tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                work.await
            });
            later
                .await
                .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        Reply::ProcessThenSlow(wait) => {
            let reply = work.await;
            tokio::time::sleep(wait).await;
            reply
        }
        Reply::CutMidBody => cut_in_half(work.await).await,
        Reply::ProcessThenDrop => {
            work.await;
            hang_up()
        }
        Reply::ProcessThenHang => {
            work.await;
            std::future::pending().await
        }
        Reply::ProcessThenBadGateway => {
            work.await;
            canned(
                502,
                "text/html",
                "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
            )
        }
        Reply::OmitRefreshToken => without(work.await, "refresh_token").await,
        Reply::OmitExpiresIn => without(work.await, "expires_in").await,
        Reply::OmitScope => without(work.await, "scope").await,
        Reply::StringExpiresIn => {
            edited(work.await, |reply| {
                if let Some(expires_in) = reply.get_mut("expires_in") {
                    *expires_in = Value::from(expires_in.to_string());
                }
            })
            .await
        }
        Reply::Merge(members) => edited(work.await, |reply| reply.extend(members)).await,
        Reply::FormEncoded => form_encoded(work.await).await,
    }
}

/// `bytes` bytes that begin like JSON, streamed so that they need no memory here.
pub(super) fn huge(bytes: usize, content_type: &str) -> Response {
    const CHUNK: usize = 64 * 1024;
    let chunks = stream::unfold(bytes, |left| async move {
        let size = left.min(CHUNK);
        (size > 0).then(|| {
            (
                Ok::<_, std::io::Error>(Bytes::from(vec![b'['; size])),
                left - size,
            )
        })
    });
    let mut response = Response::new(Body::from_stream(chunks));
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn canned(status: u16, content_type: &str, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body).into_response();
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    response
}

async fn without(response: Response, member: &'static str) -> Response {
    edited(response, move |reply| {
        reply.remove(member);
    })
    .await
}

/// `response` with its JSON object edited; anything else stays as it is.
async fn edited(response: Response, edit: impl FnOnce(&mut Map<String, Value>)) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(Value::Object(mut reply)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    edit(&mut reply);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(Value::Object(reply).to_string()))
}

async fn form_encoded(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let reply: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &reply {
        form.append_pair(
            name,
            &value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        );
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    Response::from_parts(parts, Body::from(form.finish()))
}
