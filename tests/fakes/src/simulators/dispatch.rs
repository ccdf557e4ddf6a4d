//! From a request to the family it is for: the first path segment is the real host. Also `/consent` and `/style.css`.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::authorization::Fault;
use super::behaviour::Endpoint;
use super::book::{Code, Pending};
use super::call::{Call, Params};
use super::claim::Claim;
use super::observed::{Outcome, TokenRequest};
use super::{Family, Simulators, page};
use crate::aws_json::only;
use crate::provider::ACCOUNTS;
use crate::provider::script::perform;

/// Larger requests are cut off: no provider takes them.
const BODY_LIMIT: usize = 1024 * 1024;

/// Every request that is not for `/consent` or `/style.css`.
pub(super) async fn dispatch(State(simulators): State<Simulators>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let whole = parts.uri.path().trim_start_matches('/');
    let (host, path) = whole.split_once('/').unwrap_or((whole, ""));
    let call = Call {
        method: parts.method,
        host: host.to_ascii_lowercase(),
        path: format!("/{path}"),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        body,
    };
    let Some(family) = simulators.of_host(&call.host) else {
        return (
            StatusCode::NOT_FOUND,
            "No simulator plays this host: the first path segment is the provider's real host.\n",
        )
            .into_response();
    };
    match family.behaviour.endpoint(&call.host, &call.path) {
        Some(Endpoint::Authorize) if call.method == Method::GET => authorize(&family, &call),
        Some(Endpoint::Token) => token(family, call).await,
        Some(Endpoint::Revoke) => revoke(family, call).await,
        Some(Endpoint::Api) => api(family, call).await,
        _ => family.behaviour.not_found(&call),
    }
}

fn authorize(family: &Family, call: &Call) -> Response {
    let desk = &family.desk;
    let rules = family.behaviour.rules();
    desk.observed.count(|seen| seen.authorize += 1);
    match family.behaviour.authorize(desk, call) {
        Ok(pending) => match crate::random::random_value("") {
            Ok(consent) => {
                let shown = page::consent(rules, &pending, &consent);
                desk.book().open_consent(consent, pending);
                shown
            }
            Err(_) => page::error(rules.name, "Something went wrong here."),
        },
        Err(Fault::Page(message)) => page::error(rules.name, &message),
        Err(Fault::Redirect {
            to,
            error,
            description,
        }) => redirect(
            family,
            &to,
            &[("error", error), ("error_description", &description)],
        ),
    }
}

/// `POST /consent`: 303 to the app's redirect address.
pub(super) async fn consent(
    State(simulators): State<Simulators>,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Response {
    let refused = |message| page::error("provider", message);
    if only(&headers, "content-type") != Some("application/x-www-form-urlencoded") {
        return refused("This page is sent by its own form only.");
    }
    let params = Params::parse(&body);
    let id = params.get("consent").unwrap_or("");
    let opened = simulators.families().find_map(|family| {
        let now = family.desk.now();
        let pending = family.desk.book().take_consent(id, now);
        pending.map(|pending| (family, pending))
    });
    let Some((family, mut pending)) = opened else {
        return refused(
            "This page was answered already, or stood open for too long. Please start again.",
        );
    };
    let desk = &family.desk;
    match params.get("decision") {
        Some("deny") => {
            desk.observed.count(|seen| seen.denied += 1);
            redirect(&family, &pending, &[("error", "access_denied")])
        }
        Some("allow") => {
            let chosen = params.get("account").unwrap_or("");
            let Some(account) = ACCOUNTS.into_iter().find(|account| account.id == chosen) else {
                return refused("Please choose an account.");
            };
            if family.behaviour.rules().granular {
                pending
                    .scopes
                    .retain(|scope| !params.all("without").any(|left_out| left_out == scope));
            }
            if let Some(answer) = family.behaviour.redirect_instead(&pending) {
                desk.observed.count(|seen| seen.allowed += 1);
                let answer: Vec<_> = answer
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                return redirect(&family, &pending, &answer);
            }
            let Ok(code) = desk.mint(&format!("{}code-", family.behaviour.rules().prefix)) else {
                return refused("Something went wrong here.");
            };
            let bound = Code {
                pending: pending.clone(),
                account,
                expires_at: desk.after(family.behaviour.rules().code_seconds),
                grant: None,
            };
            desk.book().codes.insert(code.clone(), bound);
            desk.observed.count(|seen| seen.allowed += 1);
            let extras = family.behaviour.redirect_extras(desk, &pending);
            let mut answer = vec![("code", code.as_str())];
            answer.extend(extras.iter().map(|(name, value)| (*name, value.as_str())));
            redirect(&family, &pending, &answer)
        }
        _ => refused("Please choose Allow or Deny."),
    }
}

/// 303 to a registered redirect address, keeping the query it may have.
fn redirect(family: &Family, pending: &Pending, answer: &[(&str, &str)]) -> Response {
    let broken = || page::error("provider", "The registered redirect address is not a URL.");
    let Ok(mut target) = Url::parse(&pending.redirect_uri) else {
        return broken();
    };
    target.query_pairs_mut().extend_pairs(answer);
    if let Some(state) = &pending.state {
        target.query_pairs_mut().append_pair("state", state);
    }
    let target = format!("{target}{}", family.behaviour.redirect_tail(pending));
    let Ok(location) = HeaderValue::from_str(&target) else {
        return broken();
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn token(family: Family, call: Call) -> Response {
    let desk = Arc::clone(&family.desk);
    let _under_way = desk.observed.enter_token_call();
    let params = family.behaviour.token_params(&call);
    let claim = Claim::read(&call, &params);
    let request = TokenRequest::of(&call.host, &call.path, &params, &claim);
    let number = desk.observed.token_request(request);
    let scripted = desk.scripts.next(Endpoint::Token);
    perform(scripted, async move {
        let (response, outcome) = outcome(family.behaviour.token(&family.desk, &call)).await;
        family.desk.observed.conclude(number, outcome);
        response
    })
    .await
}

/// What a token answer says came of the request: an error status, or a top-level `error` in a JSON body.
async fn outcome(response: Response) -> (Response, Outcome) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let refused = parts.status.is_client_error() || parts.status.is_server_error();
    let outcome = match json.get("error") {
        Some(Value::String(code)) => Outcome::Refused(code.clone()),
        Some(error) => Outcome::Refused(
            error
                .get("code")
                .map_or_else(|| "error".to_owned(), ToString::to_string),
        ),
        None if refused => Outcome::Refused(parts.status.as_u16().to_string()),
        None => Outcome::Granted,
    };
    (Response::from_parts(parts, body.into()), outcome)
}

async fn revoke(family: Family, call: Call) -> Response {
    family.desk.observed.count(|seen| seen.revoke_calls += 1);
    let scripted = family.desk.scripts.next(Endpoint::Revoke);
    perform(scripted, async move {
        family.behaviour.revoke(&family.desk, &call)
    })
    .await
}

async fn api(family: Family, call: Call) -> Response {
    family.desk.observed.count(|seen| seen.api_calls += 1);
    let scripted = family.desk.scripts.next(Endpoint::Api);
    perform(scripted, async move {
        family.behaviour.api(&family.desk, &call)
    })
    .await
}
