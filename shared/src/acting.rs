//! What the console asks of connect and proxy, in the place of somebody its administrator chose: typed events over
//! synchronous Lambda invokes. IAM says who may invoke; no address leads to the other side of this.
//!
//! An answer is what the same request over HTTP would have been answered: a status and a JSON document.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Instant;

use aws_sdk_lambda::Client;
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::WidgetCaller;
use crate::definition::OwnerMode;
use crate::http::concluded;
use crate::invoke;
use crate::log::{self, Fields};
use crate::owner::OwnerKey;
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
}

/// An invoke that has come.
#[derive(Clone, Copy, Debug)]
pub struct Invoke<'a> {
    /// The event's bytes.
    pub payload: &'a [u8],
    /// Lambda's id of it.
    pub request_id: &'a str,
    /// X-Ray's trace header, as Lambda was invoked with it.
    pub xray: Option<&'a str>,
}

/// What can be asked of a function in somebody's place.
pub trait Act: DeserializeOwned {
    /// What it is to an auditor, in the words of the widget routes' log lines; `None` where it only looks.
    fn audit(&self) -> Option<&'static str>;
}

impl Act for ConnectAct {
    fn audit(&self) -> Option<&'static str> {
        match self {
            Self::List => None,
            Self::Begin { .. } => Some("connect"),
            Self::Type { .. } => Some("sign_in"),
            Self::Disconnect { .. } => Some("disconnect"),
        }
    }
}

impl Act for ProxyAct {
    fn audit(&self) -> Option<&'static str> {
        match self {
            Self::Call { .. } => Some("call"),
        }
    }
}

impl Invoke<'_> {
    /// Has the event done, as part of the trace it comes with; the answer, and the one log line of it: event `act`, of the members
    /// that the line of a request has. `done` puts the person's digest into the response's fields: see [`whose`].
    pub async fn answered<A: Act, F: Future<Output = Response>>(
        self,
        function: &'static str,
        done: impl FnOnce(Event<A>) -> F,
    ) -> Answer {
        let trace = invoke::trace_of(self.payload, self.xray);
        trace.around(self.done(function, done)).await
    }

    async fn done<A: Act, F: Future<Output = Response>>(
        self,
        function: &'static str,
        done: impl FnOnce(Event<A>) -> F,
    ) -> Answer {
        let started = Instant::now();
        let mut fields = Fields::new().with("request_id", self.request_id);
        let response = match serde_json::from_slice::<Event<A>>(self.payload) {
            Ok(event) => {
                fields.add("audit", event.act.audit());
                fields.add("widget", &event.widget);
                done(event).await
            }
            Err(_) => {
                let detail = "The event is none this function knows.";
                Problem::new(Code::RequestMalformed, detail).into_response()
            }
        };
        let (response, level, fields) = concluded(response, fields, self.request_id, started);
        log::write(level, function, "act", fields);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let body = body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        Answer {
            status,
            body: body.unwrap_or_default(),
        }
    }
}

/// In whose place something is done, for its log line: a digest, nobody's name.
pub fn whose(who: &WidgetCaller) -> Fields {
    let caller = OwnerKey::of(&who.caller, OwnerMode::User);
    Fields::new().with("caller", caller.as_str())
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
        let answer = invoke::ask(&self.client, function, event).await;
        answer.map_err(|_| NoAnswer)
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
