//! `GET /v1/callback/{passport}`: the browser comes back from the provider (RFC 6749 section 4.1.2, RFC 9207).
//!
//! The state is used up first, by one conditional delete, whatever else is wrong with a query that can be read. A callback
//! that is not provably of this browser's own flow is refused with a page and goes no further; one that is ends on a clean
//! address.

use axum::extract::rejection::PathRejection;
use axum::extract::{self, Path};
use axum::response::Response;
use consulate_core::console;
use consulate_core::custody::{Answer, Event};
use consulate_core::flow::{Flow, Mode, stored_digest};
use consulate_core::log::Fields;
use consulate_core::random;
use http::Uri;
use http::header::{self, HeaderMap};
use url::Url;

use crate::authorize::FLOW_COOKIE;
use crate::complete::COMPLETION;
use crate::outcome::{Failure, Outcome, Said, leave, refused};
use crate::{State, cookies, logged};

/// The handler.
pub(crate) async fn callback(
    extract::State(state): extract::State<State>,
    passport: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let passport = passport.map(|Path(passport)| passport).unwrap_or_default();
    let Some(query) = Query::parse(uri.query().unwrap_or_default()) else {
        return refused(&state.base_url, Failure::CallbackMalformed);
    };
    let now = state.clock.now();
    let flow = match state.flows.take_state(&query.state, now).await {
        Ok(Some(flow)) => flow,
        Ok(None) => return refused(&state.base_url, Failure::StateSpent),
        Err(_) => return refused(&state.base_url, Failure::Unavailable),
    };
    let fields = flow.ask.fields();
    if flow.ask.key.passport != passport {
        forget(&state, &flow).await;
        return logged(refused(&state.base_url, Failure::WrongPassport), fields);
    }
    let name = cookies::flow_cookie(&flow.id);
    let tie = match flow.ask.mode {
        Mode::Console => cookies::read(&headers, console::COOKIE).map(console::flow_tie),
        Mode::Popup | Mode::Redirect => {
            cookies::read(&headers, &name).map(|value| stored_digest(FLOW_COOKIE, value))
        }
    };
    if tie.as_ref() != Some(&flow.cookie) {
        forget(&state, &flow).await;
        return logged(
            refused(&state.base_url, Failure::CookieMissing),
            fetch_metadata(&headers, fields),
        );
    }
    let outcome = finish(&state, &flow, &query).await;
    if matches!(outcome, Outcome::Failed(..)) {
        forget(&state, &flow).await;
    }
    let mut response = leave(&state.base_url, &flow.ask, &outcome);
    if flow.ask.mode != Mode::Console
        && let Some(cookie) = cookies::end(&name)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    logged(response, fields.with("outcome", outcome.code()))
}

/// Best effort: the state is used up, so nobody can come back to the flow anyway, and it expires.
async fn forget(state: &State, flow: &Flow) {
    let _best_effort = state.flows.forget(&flow.id).await;
}

/// From here on the browser is the one that began the flow.
async fn finish(state: &State, flow: &Flow, query: &Query) -> Outcome {
    let passport = match state.definitions.passport(&flow.ask.key.passport).await {
        Ok(Some(passport)) => passport,
        Ok(None) => return Outcome::failed(Failure::ConfigChanged),
        Err(_) => return Outcome::failed(Failure::Unavailable),
    };
    if !issuer_fits(
        flow.issuer.as_deref(),
        &passport.authorize_url,
        query.iss.as_deref(),
    ) {
        return Outcome::failed(Failure::IssuerMismatch);
    }
    if flow.config_version != passport.config_version() {
        return Outcome::failed(Failure::ConfigChanged);
    }
    let code = match (&query.error, &query.code) {
        (Some(error), _) => {
            return provider_said_no(
                error,
                query.error_description.as_deref().unwrap_or_default(),
            );
        }
        (None, None) => return Outcome::failed(Failure::CallbackMalformed),
        (None, Some(code)) => code.clone(),
    };
    let completion = match flow.ask.mode {
        Mode::Popup | Mode::Console => None,
        Mode::Redirect => match random::secret_text() {
            Ok(secret) => Some(format!("{}.{secret}", flow.id)),
            Err(_) => return Outcome::failed(Failure::Unavailable),
        },
    };
    let stored = completion
        .as_deref()
        .map(|completion| stored_digest(COMPLETION, completion));
    match state.flows.consume(&flow.id, stored.as_deref()).await {
        Ok(true) => {}
        Ok(false) => return Outcome::failed(Failure::StateSpent),
        Err(_) => return Outcome::failed(Failure::Unavailable),
    }
    let event = Event::Exchange {
        flow: flow.id.clone(),
        code,
    };
    match (state.custodian.ask(&event).await, completion) {
        (Ok(answer), completion) => exchanged(answer, completion),
        (Err(_), _) => Outcome::failed(Failure::Unavailable),
    }
}

/// PURE. What the custodian's answer means for the browser.
fn exchanged(answer: Answer, completion: Option<String>) -> Outcome {
    match (answer, completion) {
        (Answer::Connected, None) => Outcome::Connected,
        (Answer::AwaitingCompletion, Some(completion)) => Outcome::Completion(completion),
        (Answer::ProviderRefused { error }, _) => {
            Outcome::Failed(Failure::ProviderRefused, Some(Said::new(&error, "")))
        }
        (Answer::ProviderUnavailable, _) => Outcome::failed(Failure::ProviderUnavailable),
        (Answer::Misconfigured, _) => Outcome::failed(Failure::Misconfigured),
        (Answer::FlowSpent, _) => Outcome::failed(Failure::StateSpent),
        _ => Outcome::failed(Failure::Unavailable),
    }
}

/// PURE. RFC 6749 section 4.1.2.1.
fn provider_said_no(error: &str, description: &str) -> Outcome {
    let failure = match error {
        "access_denied" => Failure::AccessDenied,
        "server_error" | "temporarily_unavailable" => Failure::ProviderUnavailable,
        _ => Failure::ProviderRefused,
    };
    Outcome::Failed(failure, Some(Said::new(error, description)))
}

/// PURE. RFC 9207: a promised issuer must be there and equal. One that comes uninvited must still be of the provider that
/// was asked; without a known issuer its origin is what can be compared.
fn issuer_fits(promised: Option<&str>, authorize_url: &str, iss: Option<&str>) -> bool {
    let origin = |address: &str| {
        Url::parse(address)
            .ok()
            .map(|url| url.origin())
            .filter(url::Origin::is_tuple)
    };
    match (promised, iss) {
        (Some(promised), Some(iss)) => promised == iss,
        (Some(_), None) => false,
        (None, None) => true,
        (None, Some(iss)) => origin(iss).is_some_and(|iss| origin(authorize_url) == Some(iss)),
    }
}

/// So that an operator can tell a frame, a script and a forwarding server apart as the cause of a missing cookie.
fn fetch_metadata(headers: &HeaderMap, mut fields: Fields) -> Fields {
    for (name, field) in [
        ("sec-fetch-site", "sec_fetch_site"),
        ("sec-fetch-mode", "sec_fetch_mode"),
        ("sec-fetch-dest", "sec_fetch_dest"),
    ] {
        let word = headers.get(name).and_then(|value| value.to_str().ok());
        // Words of the specification only: anybody can send anything here.
        let word = word.filter(|word| {
            word.len() <= 20 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
        fields.add(field, word.unwrap_or("absent"));
    }
    fields
}

/// What the provider sent, each parameter at most once (RFC 6749 section 3.1).
#[derive(Default)]
struct Query {
    state: String,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Query {
    /// PURE. `None` where a parameter is repeated, or there is no state.
    fn parse(query: &str) -> Option<Self> {
        let mut parsed = Self::default();
        let mut state = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match name.as_ref() {
                "state" => &mut state,
                "code" => &mut parsed.code,
                "iss" => &mut parsed.iss,
                "error" => &mut parsed.error,
                "error_description" => &mut parsed.error_description,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        parsed.state = state.filter(|state| !state.is_empty())?;
        parsed.code = parsed.code.filter(|code| !code.is_empty());
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_or_a_missing_state_is_refused() {
        assert!(Query::parse("state=s&code=c&iss=i&other=1&other=2").is_some());
        for query in [
            "state=s&state=s&code=c",
            "state=s&code=c&code=d",
            "state=s&code=c&iss=a&iss=b",
            "code=c",
            "state=",
            "",
        ] {
            assert!(Query::parse(query).is_none(), "{query}");
        }
    }

    #[test]
    fn a_promised_issuer_must_be_there_and_equal() {
        let fits = |iss| {
            issuer_fits(
                Some("https://login.example.com"),
                "https://login.example.com/authorize",
                iss,
            )
        };
        assert!(fits(Some("https://login.example.com")));
        for other in [
            None,
            Some(""),
            Some("https://login.example.com/"),
            Some("https://evil.example"),
        ] {
            assert!(!fits(other), "{other:?}");
        }
    }

    #[test]
    fn an_uninvited_issuer_must_be_of_the_provider_that_was_asked() {
        let fits = |iss| issuer_fits(None, "https://login.example.com/oauth/authorize", iss);
        assert!(fits(None));
        assert!(fits(Some("https://login.example.com")));
        assert!(fits(Some("https://login.example.com/tenant")));
        for other in [
            "",
            "https://evil.example",
            "http://login.example.com",
            "login.example.com",
            "data:x",
        ] {
            assert!(!fits(Some(other)), "{other}");
        }
    }

    #[test]
    fn only_the_answer_that_fits_the_mode_counts_as_success() {
        assert_eq!(exchanged(Answer::Connected, None), Outcome::Connected);
        let completion = exchanged(Answer::AwaitingCompletion, Some("c".to_owned()));
        assert_eq!(completion, Outcome::Completion("c".to_owned()));
        assert_eq!(
            exchanged(Answer::AwaitingCompletion, None),
            Outcome::failed(Failure::Unavailable)
        );
        assert_eq!(
            exchanged(Answer::Connected, Some("c".to_owned())),
            Outcome::failed(Failure::Unavailable)
        );
    }

    #[test]
    fn a_refusal_keeps_its_reason() {
        assert_eq!(
            provider_said_no("access_denied", "").code(),
            "access_denied"
        );
        assert_eq!(
            provider_said_no("temporarily_unavailable", "").code(),
            "provider_unavailable"
        );
        assert_eq!(provider_said_no("<script>", "").code(), "provider_refused");
    }
}
