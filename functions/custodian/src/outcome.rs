//! PURE. What an answer of a token or revocation endpoint means. The one room that knows error codes: those of RFC 6749
//! section 5.2 and RFC 7009 section 2.2.1, and the names providers have of their own.

use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::passport::{Passport, RevocationStyle, Verdict};
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
    Tokens(Box<Reply>),
    /// Answered with tokens of further slots and none of the main one (Slack, where only user scopes were granted).
    OtherSlotsOnly,
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

/// What an answer of a token endpoint means. The tokens of `slot` stand where the passport says.
pub(crate) fn judge(
    response: &Response<Bytes>,
    passport: &Passport,
    slot: &str,
    now: Timestamp,
) -> Outcome {
    let status = response.status();
    let at = match passport.slot(slot) {
        Some(slot) => slot.reply_at.as_deref().unwrap_or_default(),
        None => &passport.reply_at,
    };
    let read_at = |at| token_reply::read(response.body(), now, at, &passport.scope_separator);
    let throttled = || Outcome::Throttled(retry_after(response, now).unwrap_or(THROTTLED));
    // Tokens are tokens, whatever else an answer looks like: a matcher for an API's answers must not lose them.
    let read = match read_at(at) {
        Read::Tokens(reply) if status.is_success() => return Outcome::Tokens(reply),
        read => read,
    };
    if status == StatusCode::TOO_MANY_REQUESTS {
        return throttled();
    }
    // What broke is no refusal in anybody's words, and may have spent the grant before it broke.
    if status.is_server_error() {
        return Outcome::Unknown {
            unclear_refusal: false,
        };
    }
    // The likes of `invalid_request` may be a provider's own way to refuse a grant (X).
    let read = match read {
        Read::Refused(code) if is_about_the_client(&code) => return Outcome::Misconfigured(code),
        read => read,
    };
    let verdict = passport.verdict(response);
    if verdict == Verdict::Throttled {
        return throttled();
    }
    // Where a token is renewed by presenting itself, or a session by signing in, the API's own words for "ended" or
    // "wrong" are the refusal.
    let own_words = !passport.credential.has_client() || passport.renewal.is_some();
    if (own_words && verdict == Verdict::Expired) || passport.refuses_the_grant(response) {
        return Outcome::Refused(status.as_u16().to_string());
    }
    match read {
        Read::Refused(code) => match code.as_str() {
            "unsupported_grant_type" | "invalid_scope" | "invalid_request" => {
                Outcome::Misconfigured(code)
            }
            "temporarily_unavailable" | "slow_down" | "ratelimited" | "rate_limited" => throttled(),
            // Something broke on the way: whether before or after the grant was spent is not said (Slack's names, too).
            "server_error"
            | "internal_error"
            | "fatal_error"
            | "request_timeout"
            | "service_unavailable" => Outcome::Unknown {
                // 401 is about who asks, whatever it is called (ServiceNow).
                unclear_refusal: status == StatusCode::UNAUTHORIZED,
            },
            "invalid_grant" => Outcome::Refused(code),
            // A code of the provider's own is an answer, but not a clear one.
            _ if status.is_success() => Outcome::Refused(code),
            _ => Outcome::Unknown {
                unclear_refusal: true,
            },
        },
        Read::Unreadable
            if status.is_success()
                && slot.is_empty()
                && passport
                    .slots
                    .iter()
                    .filter_map(|slot| slot.reply_at.as_deref())
                    .any(|at| matches!(read_at(at), Read::Tokens(_))) =>
        {
            Outcome::OtherSlotsOnly
        }
        Read::Tokens(_) | Read::Unreadable => Outcome::Unknown {
            unclear_refusal: status.is_client_error()
                && status != StatusCode::REQUEST_TIMEOUT
                && status != StatusCode::TOO_EARLY,
        },
    }
}

/// An error code that can only be about our client, so that the grant is as it was.
fn is_about_the_client(code: &str) -> bool {
    matches!(
        code,
        "invalid_client"
            | "unauthorized_client"
            // GitHub's and Slack's names for a wrong client.
            | "incorrect_client_credentials"
            | "bad_client_secret"
            | "invalid_client_id"
    )
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(response: &Response<Bytes>, now: Timestamp) -> Option<u64> {
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
pub(crate) fn judge_revocation(response: &Response<Bytes>, passport: &Passport) -> Revocation {
    let style = passport.revocation_style;
    // Where the token is its own authentication, "ended" is the answer to a token that is gone.
    let is_shown = !style.takes_refresh_tokens();
    if is_shown && passport.verdict(response) == Verdict::Expired {
        return Revocation::AlreadyGone;
    }
    match token_reply::read(response.body(), Timestamp::default(), "", " ") {
        Read::Refused(code) => match code.as_str() {
            "invalid_token" | "invalid_grant" => Revocation::AlreadyGone,
            // Salesforce's answer to any token it does not know.
            "unsupported_token_type" if style == RevocationStyle::TokenOnly => {
                Revocation::AlreadyGone
            }
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
        judge(
            &response(status, body),
            &Passport::default(),
            "",
            Timestamp::default(),
        )
    }

    #[test]
    fn a_refusal_in_a_providers_own_words_is_one() {
        let passport: Passport = serde_json::from_value(serde_json::json!({
            "id": "p", "name": "P", "provider": "p", "api_hosts": [],
            "refused_when": [{"status": [401], "at": "/error_description", "is": ["access_denied"]}],
        }))
        .unwrap();
        let judged =
            |status, body| judge(&response(status, body), &passport, "", Timestamp::default());
        let theirs = r#"{"error":"server_error","error_description":"access_denied"}"#;
        assert!(matches!(judged(401, theirs), Outcome::Refused(_)));
        assert!(matches!(judged(500, theirs), Outcome::Unknown { .. }));
    }

    #[test]
    fn words_of_an_api_never_outrank_tokens_and_never_make_a_refusal_of_what_broke() {
        let judged = |matchers: serde_json::Value, status, body| {
            let mut passport =
                serde_json::json!({"id": "p", "name": "P", "provider": "p", "api_hosts": []});
            for (name, value) in matchers.as_object().unwrap() {
                passport[name] = value.clone();
            }
            let passport = serde_json::from_value(passport).unwrap();
            judge(&response(status, body), &passport, "", Timestamp::default())
        };
        let throttled = || serde_json::json!({"throttled_when": [{"contains": "rate"}]});
        let tokens = r#"{"access_token":"at","scope":"generate"}"#;
        assert!(matches!(
            judged(throttled(), 200, tokens),
            Outcome::Tokens(_)
        ));
        assert!(matches!(
            judged(throttled(), 400, r#"{"error":"rate"}"#),
            Outcome::Throttled(30)
        ));
        assert!(matches!(
            judged(throttled(), 401, r#"{"error":"invalid_client","x":"rate"}"#),
            Outcome::Misconfigured(_)
        ));
        let refused = || serde_json::json!({"refused_when": [{"contains": "gone"}]});
        assert!(matches!(
            judged(refused(), 200, r#"{"access_token":"gone"}"#),
            Outcome::Tokens(_)
        ));
        assert!(matches!(
            judged(refused(), 400, "gone"),
            Outcome::Refused(_)
        ));
        let down = serde_json::json!({"throttled_when": [{"status": [503]}]});
        for (matchers, status) in [(refused(), 500), (throttled(), 502), (down, 503)] {
            assert!(
                matches!(
                    judged(matchers, status, "gone: rate"),
                    Outcome::Unknown {
                        unclear_refusal: false
                    }
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn a_401_that_calls_itself_an_error_of_the_server_is_an_unclear_refusal() {
        assert!(matches!(
            answer(401, r#"{"error":"server_error"}"#),
            Outcome::Unknown {
                unclear_refusal: true
            }
        ));
    }

    #[test]
    fn tokens_of_another_slot_alone_are_told_from_what_cannot_be_read() {
        let passport: Passport = serde_json::from_value(serde_json::json!({
            "id": "p", "name": "P", "provider": "p", "api_hosts": [],
            "slots": [{"name": "user", "reply_at": "/authed_user"}],
        }))
        .unwrap();
        let judged =
            |body, slot| judge(&response(200, body), &passport, slot, Timestamp::default());
        let theirs = r#"{"ok":true,"authed_user":{"access_token":"user"}}"#;
        assert!(matches!(judged(theirs, ""), Outcome::OtherSlotsOnly));
        assert!(matches!(judged(theirs, "user"), Outcome::Tokens(_)));
        let nobody = r#"{"ok":true,"authed_user":{"id":"U1"}}"#;
        assert!(matches!(judged(nobody, ""), Outcome::Unknown { .. }));
    }

    #[test]
    fn where_a_token_is_shown_to_renew_or_revoke_it_the_apis_own_words_count() {
        let passport: Passport = serde_json::from_value(serde_json::json!({
            "id": "p", "name": "P", "provider": "p", "api_hosts": [], "revocation_style": "delete_permissions",
            "renewal": {"url": "https://g.example/x", "grant_type": "x", "token_param": "t"},
            "expired_when": [{"at": "/error/code", "is": ["190"]}],
        }))
        .unwrap();
        let ended = response(400, r#"{"error":{"code":190}}"#);
        assert!(matches!(
            judge(&ended, &passport, "", Timestamp::default()),
            Outcome::Refused(_)
        ));
        assert_eq!(judge_revocation(&ended, &passport), Revocation::AlreadyGone);
        let other = response(400, r#"{"error":{"code":2}}"#);
        assert!(matches!(
            judge(&other, &passport, "", Timestamp::default()),
            Outcome::Unknown { .. }
        ));
        assert_eq!(judge_revocation(&other, &passport), Revocation::Failed);
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
                judge_revocation(&response(status, body), &Passport::default()),
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
            let now = Timestamp::from_seconds(784_111_777);
            match judge(&response, &Passport::default(), "", now) {
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
