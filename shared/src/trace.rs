//! The trace an invocation is part of. Whoever starts work puts a [`Trace`] around it; every log line written inside says it, and
//! an invoke of the custodian passes it on. It goes to AWS and to our own functions, never to a provider or an API: an id that
//! repeats would let two of them see that one person is behind two requests.

use std::future::Future;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// AWS X-Ray's header (X-Ray developer guide, "Tracing header"). The Lambda runtime puts it on every HTTP event.
pub const XRAY_HEADER: &str = "x-amzn-trace-id";
/// W3C Trace Context, section 3.2.
const TRACEPARENT: &str = "traceparent";
/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`, with room for a lineage.
const XRAY_LONGEST: usize = 256;

tokio::task_local! {
    static TRACE: Trace;
}

/// Ids only, of documented shapes: some come from whoever calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// X-Ray's trace header; set by AWS.
    #[serde(skip)]
    pub xray: Option<String>,
    /// What the caller's `traceparent` said, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The HTTP request it all began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<String>,
}

impl Trace {
    /// Of the HTTP request `request_id`.
    pub fn of(headers: &HeaderMap, request_id: &str) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            xray: text(XRAY_HEADER)
                .filter(|text| is_xray(text))
                .map(str::to_owned),
            traceparent: text(TRACEPARENT)
                .filter(|text| is_traceparent(text))
                .map(str::to_owned),
            caused_by: Some(request_id.to_owned()),
        }
    }

    /// Of an invoke: what the event carries, with the header Lambda was invoked with.
    #[must_use]
    pub fn of_invoke(carried: Option<Self>, xray: Option<&str>) -> Self {
        let carried = carried.unwrap_or_default();
        Self {
            xray: xray.filter(|text| is_xray(text)).map(str::to_owned),
            traceparent: carried.traceparent.filter(|text| is_traceparent(text)),
            caused_by: carried.caused_by.filter(|text| is_id(text)),
        }
    }

    /// Runs `work` as part of this trace.
    pub async fn around<F: Future>(self, work: F) -> F::Output {
        // Boxed: what runs inside is deep, and a scope would hold it once more.
        TRACE.scope(self, Box::pin(work)).await
    }
}

/// The trace of whatever runs now; empty outside of any.
pub fn current() -> Trace {
    TRACE.try_with(Clone::clone).unwrap_or_default()
}

/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`: version 00, ids in lower case and not all zero.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.split('-');
    parts.next() == Some("00")
        && parts.next().is_some_and(|part| is_id(part, 32))
        && parts.next().is_some_and(|part| is_id(part, 16))
        && parts.next().is_some_and(|part| is_hex(part, 2))
        && parts.next().is_none()
}

/// `NAME=VALUE` with `;` between them, of the characters X-Ray uses.
fn is_xray(text: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'|')
            })
    };
    text.len() <= XRAY_LONGEST
        && text.split(';').all(|pair| {
            pair.split_once('=')
                .is_some_and(|(name, value)| is_plain(name) && is_plain(value))
        })
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'.'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn both_headers_are_taken_as_they_are() {
        let trace = Trace::of(&headers(&[(TRACEPARENT, PARENT), (XRAY_HEADER, XRAY)]), "r");
        assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
        assert_eq!(trace.xray.as_deref(), Some(XRAY));
        // As the developer guide shows it, once several services were passed.
        let passed = format!("{XRAY};Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2");
        let trace = Trace::of(&headers(&[(XRAY_HEADER, &passed)]), "r");
        assert_eq!(trace.xray, Some(passed));
    }

    #[test]
    fn what_is_no_trace_id_reaches_no_log() {
        for text in [
            "",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjp7fX0.secret",
        ] {
            let trace = Trace::of(&headers(&[(TRACEPARENT, text)]), "r");
            assert_eq!(trace.traceparent, None, "{text}");
        }
        for text in ["Root", "Root=a b", "Root=;Parent=a", &"a=b;".repeat(100)] {
            let trace = Trace::of(&headers(&[(XRAY_HEADER, text)]), "r");
            assert_eq!(trace.xray, None, "{text}");
        }
    }

    #[tokio::test]
    async fn inside_of_it_is_the_current_one() {
        let trace = Trace::of(&headers(&[(TRACEPARENT, PARENT)]), "r");
        let seen = trace.clone().around(async { current() }).await;
        assert_eq!(seen, trace);
        assert_eq!(current(), Trace::default());
    }

    #[test]
    fn an_invoke_carries_ids_of_the_documented_shapes_only() {
        let carried: Trace = serde_json::from_value(serde_json::json!({
            "traceparent": PARENT, "caused_by": "two words", "xray": "Root=1-a",
        }))
        .unwrap();
        let trace = Trace::of_invoke(Some(carried), Some(XRAY));
        assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
        assert_eq!((trace.caused_by, trace.xray.as_deref()), (None, Some(XRAY)));
    }
}
