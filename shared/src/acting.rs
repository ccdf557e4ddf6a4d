//! What the console asks of connect and proxy, in the place of somebody its administrator chose: typed events over
//! synchronous Lambda invokes. IAM says who may invoke; no address leads to the other side of this.
//!
//! An answer is what the same request over HTTP would have been answered: a status and a JSON document.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::log::{self, Fields, Level};
use crate::problem::{Code, Problem};

/// Somebody of a widget's host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Organisation id.
    pub organisation: String,
    /// User id.
    pub user: String,
    /// E-mail, for APIs that ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// An act on one widget.
///
/// ```json
/// {"widget":"calendar","person":{"organisation":"o1","user":"u1"},"act":{"type":"disconnect","auth_key":"acme"}}
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Event<A> {
    /// Widget id.
    pub widget: String,
    /// In whose place.
    pub person: Person,
    /// What.
    pub act: A,
}

/// What connect is asked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ConnectAct {
    /// How all of the widget's connections stand.
    List,
    /// Begin a flow: answers `{"authorize_url"}`.
    Begin {
        /// Which authentication.
        auth_key: String,
        /// What the flow is bound to: see [`crate::console::flow_tie`].
        tie: String,
    },
    /// Connect with what was typed.
    Type {
        /// Which authentication.
        auth_key: String,
        /// The fields of the passport's credential. They pass through once.
        typed: BTreeMap<String, String>,
    },
    /// Disconnect.
    Disconnect {
        /// Which authentication.
        auth_key: String,
    },
}

/// What the proxy is asked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ProxyAct {
    /// Call a named API.
    Call {
        /// Its name.
        api: String,
        /// Its params.
        params: Value,
    },
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The document; null where there is none.
    pub body: Value,
}

impl Answer {
    /// Whether the act was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A response as an answer, with the log line of an invocation. `request_id` goes into the problem document.
    pub async fn of(
        mut response: Response,
        function: &'static str,
        act: &'static str,
        request_id: &str,
    ) -> Self {
        let mut fields = Fields::new()
            .with("request_id", request_id)
            .with("act", act);
        let extensions = response.extensions_mut();
        fields.extend(extensions.remove::<Fields>().unwrap_or_default());
        let mut level = Level::Info;
        if let Some(problem) = extensions.remove::<Problem>() {
            fields.add("code", problem.code());
            if problem.code().status().is_server_error() {
                level = Level::Error;
            }
            response = problem.into_answer(request_id);
        }
        let status = response.status().as_u16();
        fields.add("status", status);
        log::write(level, function, "act", fields);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let body = body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        Self {
            status,
            body: body.unwrap_or_default(),
        }
    }

    /// The answer to an event that cannot be read.
    pub async fn malformed(function: &'static str, request_id: &str) -> Self {
        let problem = Problem::new(
            Code::RequestMalformed,
            "The event is none this function knows.",
        );
        let response = axum::response::IntoResponse::into_response(problem);
        Self::of(response, function, "malformed", request_id).await
    }
}

/// A function that does not answer. It may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function does not answer")]
pub struct NoAnswer;

/// Invokes connect and proxy.
#[derive(Clone, Debug)]
pub struct Deputies {
    client: Client,
    connect: String,
    proxy: String,
}

impl Deputies {
    /// `connect` and `proxy`: names or ARNs.
    pub fn new(client: Client, connect: &str, proxy: &str) -> Self {
        Self {
            client,
            connect: connect.to_owned(),
            proxy: proxy.to_owned(),
        }
    }

    /// Asks connect, and waits for the answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn connect(&self, event: &Event<ConnectAct>) -> Result<Answer, NoAnswer> {
        self.ask(&self.connect, event).await
    }

    /// Asks the proxy, and waits for the answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn proxy(&self, event: &Event<ProxyAct>) -> Result<Answer, NoAnswer> {
        self.ask(&self.proxy, event).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        function: &str,
        event: &impl Serialize,
    ) -> Result<T, NoAnswer> {
        let payload = serde_json::to_vec(event).map_err(|_| NoAnswer)?;
        let invoke = self.client.invoke().function_name(function);
        let output = invoke.payload(Blob::new(payload)).send().await;
        let output = output.map_err(|_| NoAnswer)?;
        let payload = match output.function_error {
            None => output.payload.ok_or(NoAnswer)?,
            Some(_) => return Err(NoAnswer),
        };
        serde_json::from_slice(payload.as_ref()).map_err(|_| NoAnswer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_travel_as_documented() {
        let text = r#"{"widget":"calendar","person":{"organisation":"o1","user":"u1"},"act":{"type":"disconnect","auth_key":"acme"}}"#;
        let event: Event<ConnectAct> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert!(serde_json::from_str::<Event<ProxyAct>>(text).is_err());
    }
}
