//! EDGE. Asks Qrvey for a security token, and judges what comes back. The API key goes into one header of one request.
//!
//! Neither errors nor the lifetime are part of Qrvey's answer as documented: what is no success with a usable `token` is an
//! error by its status alone, and its body is never repeated.

use std::time::Duration;

use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::egress::{self, Egress};
use consulate_core::secret::SecretText;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;

use crate::render::Rendered;

/// Qrvey's header for the API key.
const API_KEY: &str = "x-api-key";
/// The longest Qrvey may take.
const TIME: Duration = Duration::from_secs(10);
/// Longest security token: an answer carries it twice and must fit into a Lambda reply (6 MB).
const TOKEN_LIMIT: usize = 3_000_000;
/// An answer of Qrvey's has little beside the token.
const ANSWER_LIMIT: usize = TOKEN_LIMIT + 64 * 1024;
/// The longest wait that is believed, seconds.
const LONGEST_WAIT: i64 = 300;
/// The wait where Qrvey names none, seconds.
const USUAL_WAIT: i64 = 5;

/// No security token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Qrvey does not accept the API key, or not this template.
    #[error("Qrvey refused")]
    Refused { status: u16 },
    /// Asked too often. Nobody asks again before `seconds` are over.
    #[error("Qrvey was asked too often")]
    Throttled { seconds: u64 },
    /// No connection, or an error of the server's.
    #[error("Qrvey is unavailable")]
    Unavailable { status: Option<u16> },
    /// No answer in time.
    #[error("Qrvey did not answer in time")]
    TimedOut,
    /// The token cannot be passed on.
    #[error("the security token is too large")]
    TooLarge,
    /// A success without a usable token.
    #[error("Qrvey's answer has no usable token")]
    Malformed,
    /// The request cannot be made: an operator's to repair.
    #[error("the request cannot be made")]
    NotSendable,
}

impl Error {
    /// Whether it says nothing about the tokens there are: an outage, not a refusal.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::TimedOut => true,
            Self::Malformed | Self::TooLarge => true,
            Self::Refused { .. } | Self::NotSendable => false,
        }
    }

    /// Whether it may be the API key that is refused: which of the two statuses says so is not documented.
    pub fn is_about_the_key(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403 })
    }
}

/// Asks once.
pub(crate) async fn ask(
    egress: &Egress,
    rendered: &Rendered,
    api_key: &SecretText,
    now: Timestamp,
) -> Result<SecretText, Error> {
    let mut key = HeaderValue::try_from(api_key.expose()).map_err(|_| Error::NotSendable)?;
    key.set_sensitive(true);
    let json = HeaderValue::from_static("application/json");
    let request = Request::post(rendered.url.as_str())
        .header(API_KEY, key)
        .header(CONTENT_TYPE, json.clone())
        .header(ACCEPT, json)
        .body(Bytes::from(rendered.body.clone()))
        .map_err(|_| Error::NotSendable)?;
    let answer = egress.send(request, TIME, ANSWER_LIMIT).await;
    judge(&answer.map_err(Error::from)?, now)
}

impl From<egress::Error> for Error {
    fn from(error: egress::Error) -> Self {
        match error {
            egress::Error::Refused(_) => Self::NotSendable,
            egress::Error::NotSent | egress::Error::Cut => Self::Unavailable { status: None },
            egress::Error::TimedOut => Self::TimedOut,
            egress::Error::TooLarge => Self::TooLarge,
        }
    }
}

/// PURE. The token in an answer.
fn judge(answer: &Response<Bytes>, now: Timestamp) -> Result<SecretText, Error> {
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = wait(answer.headers(), now);
        return Err(Error::Throttled { seconds });
    }
    let status = status.as_u16();
    match status {
        200..=299 => {}
        408 | 500.. => {
            return Err(Error::Unavailable {
                status: Some(status),
            });
        }
        // A redirect too: the API key goes where the template says and nowhere else.
        _ => return Err(Error::Refused { status }),
    }
    let Ok(Value::Object(mut members)) = serde_json::from_slice(answer.body()) else {
        return Err(Error::Malformed);
    };
    let Some(Value::String(text)) = members.remove("token") else {
        return Err(Error::Malformed);
    };
    if text.len() > TOKEN_LIMIT {
        return Err(Error::TooLarge);
    }
    // The widget sends it in a header.
    let sendable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if text.is_empty() || !text.bytes().all(sendable) {
        return Err(Error::Malformed);
    }
    Ok(SecretText::new(text))
}

/// `Retry-After` (RFC 9110 section 10.2.3) in seconds, within reason.
fn wait(headers: &HeaderMap, now: Timestamp) -> u64 {
    let text = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = text
        .map(str::trim)
        .and_then(|text| match text.parse::<i64>() {
            Ok(seconds) => Some(seconds),
            Err(_) => Some(
                Timestamp::parse_http_date(text)?
                    .since(now)
                    .div_euclid(1_000)
                    + 1,
            ),
        });
    let seconds = seconds.unwrap_or(USUAL_WAIT).clamp(1, LONGEST_WAIT);
    u64::try_from(seconds).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> Result<String, Error> {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(Bytes::from(body.to_owned())).unwrap();
        judge(&answer, NOW).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_success_with_a_token_is_one() {
        assert_eq!(judged(200, &[], r#"{"token":"eyJ.a"}"#), Ok("eyJ.a".into()));
        assert_eq!(
            judged(201, &[], r#"{"token":"x","more":1}"#),
            Ok("x".into())
        );
    }

    #[test]
    fn a_success_without_a_usable_token_is_malformed() {
        for body in [
            "",
            "<!doctype html>",
            "[]",
            "null",
            "{}",
            r#"{"token":null}"#,
            r#"{"token":""}"#,
            r#"{"token":7}"#,
            r#"{"token":"a b"}"#,
            r#"{"token":"a\r\nx: y"}"#,
            r#"{"Token":"x"}"#,
        ] {
            assert_eq!(judged(200, &[], body), Err(Error::Malformed), "{body}");
        }
    }

    #[test]
    fn other_answers_are_told_apart_by_status() {
        for status in [301, 302, 400, 401, 403, 404, 422] {
            assert_eq!(
                judged(status, &[], r#"{"token":"x"}"#),
                Err(Error::Refused { status })
            );
        }
        for status in [500, 502, 503, 504] {
            let unavailable = Error::Unavailable {
                status: Some(status),
            };
            assert_eq!(judged(status, &[], ""), Err(unavailable));
        }
    }

    #[test]
    fn a_wait_is_believed_within_reason() {
        let waits = |headers: &[(&str, &str)]| match judged(429, headers, "") {
            Err(Error::Throttled { seconds }) => seconds,
            other => panic!("{other:?}"),
        };
        assert_eq!(waits(&[]), 5);
        assert_eq!(waits(&[("retry-after", "7")]), 7);
        assert_eq!(waits(&[("retry-after", "-7")]), 1);
        assert_eq!(waits(&[("retry-after", "99999999")]), 300);
        let date = NOW.plus_seconds(20).http_date();
        assert_eq!(waits(&[("retry-after", date.as_str())]), 21);
        assert_eq!(waits(&[("retry-after", "soon")]), 5);
    }
}
