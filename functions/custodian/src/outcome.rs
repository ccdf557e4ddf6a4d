//! PURE. What an answer of a token or revocation endpoint means. The one room that knows error codes: those of RFC 6749
//! section 5.2 and RFC 7009 section 2.2.1, and the names providers have of their own.

use bytes::Bytes;
use consulate_core::clock::Timestamp;
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};

use crate::token_reply::{self, Read, Reply};

/// How long a throttling endpoint that does not say is left alone, seconds.
const THROTTLED: u64 = 30;
/// A longer wait is not taken from a `Retry-After`.
const RETRY_AFTER_LIMIT: u64 = 3_600;

/// What became of a token call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answered with tokens.
    Tokens(Reply),
    /// The grant is refused: `invalid_grant`, or a code that can only be about it.
    Refused(String),
    /// Our client is refused: an operator's to repair, the grant is as it was.
    Misconfigured(String),
    /// Nothing was sent.
    NotSent,
    /// The endpoint asks to wait, seconds. The grant is as it was.
    Throttled(u64),
    /// Sent, and no usable answer: the grant may have been spent.
    Unknown {
        /// A 4xx that is neither an OAuth error nor one of those that mean "again later".
        unclear_refusal: bool,
    },
}

/// What became of one revocation call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// Confirmed (RFC 7009: also for a token the server does not know).
    Done,
    /// The provider says it does not know the token.
    AlreadyGone,
    /// The provider does not revoke this kind of token.
    UnsupportedKind,
    /// Not confirmed.
    Failed,
}

/// What an answer of a token endpoint means.
pub(crate) fn judge(response: &Response<Bytes>, now: Timestamp) -> Outcome {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Outcome::Throttled(retry_after(response, now).unwrap_or(THROTTLED));
    }
    if status.is_server_error() {
        return Outcome::Unknown {
            unclear_refusal: false,
        };
    }
    match token_reply::read(response.body(), now) {
        Read::Tokens(reply) if status.is_success() => Outcome::Tokens(reply),
        Read::Refused(code) => match code.as_str() {
            "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "invalid_scope"
            | "invalid_request"
            // GitHub's and Slack's names for a wrong client.
            | "incorrect_client_credentials"
            | "bad_client_secret"
            | "invalid_client_id" => Outcome::Misconfigured(code),
            "temporarily_unavailable" | "slow_down" | "ratelimited" | "rate_limited" => {
                Outcome::Throttled(retry_after(response, now).unwrap_or(THROTTLED))
            }
            // Something broke on the way: whether before or after the grant was spent is not said (Slack's names, too).
            "server_error" | "internal_error" | "fatal_error" | "request_timeout"
            | "service_unavailable" => Outcome::Unknown {
                unclear_refusal: false,
            },
            "invalid_grant" => Outcome::Refused(code),
            // A code of the provider's own is an answer, but not a clear one.
            _ if status.is_success() => Outcome::Refused(code),
            _ => Outcome::Unknown {
                unclear_refusal: true,
            },
        },
        Read::Tokens(_) | Read::Unreadable => Outcome::Unknown {
            unclear_refusal: status.is_client_error()
                && status != StatusCode::REQUEST_TIMEOUT
                && status != StatusCode::TOO_EARLY,
        },
    }
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(response: &Response<Bytes>, now: Timestamp) -> Option<u64> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let millis = Timestamp::parse_http_date(text)?.since(now);
            u64::try_from(millis).unwrap_or_default().div_ceil(1000)
        }
    };
    Some(seconds.clamp(1, RETRY_AFTER_LIMIT))
}

/// What an answer of a revocation endpoint means. Success needs no body; one that says no all the same is believed.
pub(crate) fn judge_revocation(response: &Response<Bytes>) -> Revocation {
    match token_reply::read(response.body(), Timestamp::default()) {
        Read::Refused(code) => match code.as_str() {
            "invalid_token" | "invalid_grant" => Revocation::AlreadyGone,
            "unsupported_token_type" => Revocation::UnsupportedKind,
            _ => Revocation::Failed,
        },
        Read::Tokens(_) | Read::Unreadable if response.status().is_success() => Revocation::Done,
        Read::Tokens(_) | Read::Unreadable => Revocation::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response<Bytes> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Response::builder().status(status).body(body).unwrap()
    }

    fn answer(status: u16, body: &str) -> Outcome {
        judge(&response(status, body), Timestamp::default())
    }

    #[test]
    fn a_revocation_is_confirmed_by_success_unless_the_body_says_no() {
        for (status, body, meaning) in [
            (200, "", Revocation::Done),
            (204, "", Revocation::Done),
            (200, "<html>", Revocation::Done),
            (200, r#"{"ok":true}"#, Revocation::Done),
            (
                200,
                r#"{"ok":false,"error":"internal_error"}"#,
                Revocation::Failed,
            ),
            (400, r#"{"error":"invalid_token"}"#, Revocation::AlreadyGone),
            (
                400,
                r#"{"error":"unsupported_token_type"}"#,
                Revocation::UnsupportedKind,
            ),
            (401, r#"{"error":"invalid_client"}"#, Revocation::Failed),
            (302, "", Revocation::Failed),
            (503, "", Revocation::Failed),
        ] {
            assert_eq!(
                judge_revocation(&response(status, body)),
                meaning,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_refused_grant_is_told_from_a_refused_client() {
        assert!(matches!(
            answer(400, r#"{"error":"invalid_grant"}"#),
            Outcome::Refused(_)
        ));
        assert!(matches!(
            answer(401, r#"{"error":"invalid_client"}"#),
            Outcome::Misconfigured(_)
        ));
        assert!(matches!(
            answer(400, r#"{"error":"invalid_scope"}"#),
            Outcome::Misconfigured(_)
        ));
        assert!(matches!(
            answer(200, r#"{"ok":false,"error":"token_revoked"}"#),
            Outcome::Refused(_)
        ));
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_never_a_refusal() {
        for (status, body) in [
            (500, r#"{"error":"invalid_grant"}"#),
            (502, "<html>"),
            (200, "<html>"),
            (200, ""),
            (200, r#"{"ok":false,"error":"internal_error"}"#),
            (400, r#"{"error":"server_error"}"#),
            (302, ""),
            (408, ""),
        ] {
            assert!(
                matches!(
                    answer(status, body),
                    Outcome::Unknown {
                        unclear_refusal: false
                    }
                ),
                "{status} {body}"
            );
        }
        assert!(matches!(
            answer(403, "<html>"),
            Outcome::Unknown {
                unclear_refusal: true
            }
        ));
        assert!(matches!(
            answer(400, r#"{"error":"odd"}"#),
            Outcome::Unknown {
                unclear_refusal: true
            }
        ));
    }

    #[test]
    fn a_wrong_client_is_ours_under_every_name_it_goes_by() {
        for code in [
            "incorrect_client_credentials",
            "bad_client_secret",
            "invalid_client_id",
        ] {
            let slack = format!(r#"{{"ok":false,"error":"{code}"}}"#);
            assert!(
                matches!(answer(200, &slack), Outcome::Misconfigured(_)),
                "{code}"
            );
        }
        let throttled = answer(200, r#"{"ok":false,"error":"ratelimited"}"#);
        assert!(matches!(throttled, Outcome::Throttled(30)));
    }

    #[test]
    fn tokens_with_an_error_status_are_not_taken() {
        assert!(matches!(
            answer(400, r#"{"access_token":"at"}"#),
            Outcome::Unknown { .. }
        ));
    }

    #[test]
    fn a_throttling_endpoint_is_waited_for_as_long_as_it_says_within_an_hour() {
        let wait = |value: &'static str| {
            let response = Response::builder()
                .status(429)
                .header(RETRY_AFTER, value)
                .body(Bytes::new())
                .unwrap();
            match judge(&response, Timestamp::from_seconds(784_111_777)) {
                Outcome::Throttled(seconds) => seconds,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            (wait("7"), wait("999999"), wait("0"), wait("soon")),
            (7, 3_600, 1, 30)
        );
        assert_eq!(
            (
                wait("Sun, 06 Nov 1994 08:50:07 GMT"),
                wait("Sun, 06 Nov 1994 08:00:00 GMT")
            ),
            (30, 1)
        );
    }
}
