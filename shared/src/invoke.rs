//! EDGE. Synchronous invokes of our own functions: a typed event, with the ids of the trace it is part of, and a typed answer.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::trace::{self, Trace};

/// An event under way, with the ids of what it is part of.
#[derive(Serialize)]
struct Sent<'a, E> {
    #[serde(flatten)]
    event: &'a E,
    trace: Trace,
}

/// What an event that has come carries beside itself.
#[derive(Deserialize)]
struct Carried {
    trace: Trace,
}

/// No usable answer. It may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// Asks `function` (a name or an ARN), and waits for the answer.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    function: &str,
    event: &impl Serialize,
) -> Result<T, NoAnswer> {
    let trace = trace::current();
    let xray = trace.xray.as_deref().and_then(|id| id.parse().ok());
    let payload = serde_json::to_vec(&Sent { event, trace }).map_err(|_| NoAnswer)?;
    let invoke = client.invoke().function_name(function);
    let mut invoke = invoke.payload(Blob::new(payload)).customize();
    if let Some(id) = xray {
        let id: http::HeaderValue = id;
        // Lambda reads the trace from the invoke's header (X-Ray developer guide, "Tracing header").
        invoke = invoke.mutate_request(move |request| {
            request.headers_mut().insert(trace::XRAY_HEADER, id.clone());
        });
    }
    let output = invoke.send().await.map_err(|_| NoAnswer)?;
    let payload = match output.function_error {
        None => output.payload.ok_or(NoAnswer)?,
        Some(_) => return Err(NoAnswer),
    };
    serde_json::from_slice(payload.as_ref()).map_err(|_| NoAnswer)
}

/// The trace that the event in `payload` is part of; `xray` as Lambda was invoked with it.
pub(crate) fn trace_of(payload: &[u8], xray: Option<&str>) -> Trace {
    let carried = serde_json::from_slice::<Carried>(payload).ok();
    Trace::of_invoke(carried.map(|carried| carried.trace), xray)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_travels_beside_its_trace_and_without_one_is_part_of_none() {
        let trace = Trace::of_invoke(
            serde_json::from_value(json!({"caused_by": "r"})).unwrap(),
            None,
        );
        let event = json!({"type": "abandon", "flow": "f"});
        let sent = Sent {
            event: &event,
            trace: trace.clone(),
        };
        let sent = serde_json::to_value(sent).unwrap();
        assert_eq!(
            sent,
            json!({"type": "abandon", "flow": "f", "trace": {"caused_by": "r"}})
        );
        assert_eq!(trace_of(sent.to_string().as_bytes(), None), trace);
        for none in ["{}", "", "[]", r#"{"trace":7}"#] {
            assert_eq!(trace_of(none.as_bytes(), None), Trace::default());
        }
    }
}
