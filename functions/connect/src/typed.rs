//! `PUT …/connections/{auth_key}`: connects an account with what its owner types, where there is no consent page: an API
//! key, a user name and password, a personal access token; nothing at all where the client's own credentials do.
//!
//! Write-only: what is typed passes through once to the custodian, which tries it and keeps it sealed. The flow stored
//! here is what the custodian acts on; the event only points to it.

use std::collections::BTreeMap;

use axum::extract;
use axum::response::{IntoResponse, Response};
use consulate_core::custody::{Answer, Event};
use consulate_core::flow::{Ask, Flow, Mode, STATE_SECONDS};
use consulate_core::http::{JsonObject, json};
use consulate_core::passport::{Credential, CredentialField, Passport};
use consulate_core::problem::{Code, Problem};
use consulate_core::random;
use http::StatusCode;

use crate::target::{Change, Target};
use crate::{State, logged, status};

/// Longest thing that can be typed, bytes.
const LONGEST: usize = 4_096;

/// 200 with the connection's status.
pub(crate) async fn put(
    extract::State(state): extract::State<State>,
    Change(target): Change,
    body: JsonObject,
) -> Response {
    let done = connected(&state, &target, &body).await;
    let fields = target.fields();
    match done {
        Ok(response) => logged(response, fields.with("outcome", "connected")),
        Err(problem) => logged(problem.into_response(), fields),
    }
}

async fn connected(state: &State, target: &Target, body: &JsonObject) -> Result<Response, Problem> {
    target.may_change()?;
    let passport = target.passport(state).await?;
    let typed = typed(&passport, body)?;
    let caller = &target.who.caller;
    let flow = Flow {
        id: random::id()?,
        ask: Ask {
            widget: target.who.widget.id.clone(),
            auth_key: target.authentication.auth_key.clone(),
            key: target.connection_key(&passport),
            owner_mode: target.authentication.owner,
            host: caller.host.clone(),
            organisation: caller.organisation.clone(),
            user: caller.user.clone(),
            mode: Mode::Popup,
            return_to: None,
        },
        cookie: String::new(),
        redirect_uri: String::new(),
        issuer: None,
        scopes: passport.scopes.clone(),
        config_version: passport.config_version(),
    };
    let expires_at = state.clock.now().plus_seconds(STATE_SECONDS);
    state.flows.begin_typed(&flow, expires_at).await?;
    let event = Event::SignIn {
        flow: flow.id,
        typed,
    };
    match state.custodian.ask(&event).await {
        Ok(Answer::Connected) => {
            let document = status::of(state, target).await?;
            Ok(json(StatusCode::OK, &document))
        }
        Ok(Answer::ProviderRefused { .. }) => {
            let fields = passport.credential.fields();
            let secret = fields.iter().find(|field| field.secret);
            Err(Problem::new(
                Code::RequestInvalid,
                "The provider does not accept this credential. Nothing was stored.",
            )
            .field(secret.map_or("auth_key", |field| field.name)))
        }
        Ok(Answer::Misconfigured) => Err(Problem::new(
            Code::Unavailable,
            "The provider does not accept this passport's settings: an operator has to look.",
        )
        .retry_after(30)),
        // Whether it was stored after all is told by the status.
        Ok(_) | Err(_) => Err(Problem::new(
            Code::Unavailable,
            "The credential could not be tried at the provider.",
        )
        .retry_after(5)),
    }
}

/// PURE. What was typed: exactly the fields of the passport's credential.
fn typed(passport: &Passport, body: &JsonObject) -> Result<BTreeMap<String, String>, Problem> {
    if passport.credential == Credential::Oauth2 {
        return Err(Problem::new(
            Code::RequestInvalid,
            "This account is connected by consent at the provider: POST to `connect`.",
        )
        .field("auth_key"));
    }
    let fields = passport.credential.fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    body.only(&names)?;
    let mut typed = BTreeMap::new();
    for field in fields {
        let text = body.text(field.name)?.unwrap_or_default();
        judge(field, text)?;
        typed.insert(field.name.to_owned(), text.to_owned());
    }
    Ok(typed)
}

fn judge(field: &CredentialField, text: &str) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::RequestInvalid, detail).field(field.name));
    if text.is_empty() && !field.optional {
        return refuse(format!("`{}` is required.", field.name));
    }
    if text.len() > LONGEST {
        return refuse(format!("`{}` is longer than {LONGEST} bytes.", field.name));
    }
    if text.chars().any(char::is_control) {
        return refuse(format!("`{}` has a control character.", field.name));
    }
    match field.name {
        // It stands in a header or a query as it is.
        "api_key" if !text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) => {
            refuse("`api_key` has a space or a letter outside ASCII.".to_owned())
        }
        // RFC 7617 section 2: the first colon ends the user name.
        "username" if text.contains(':') => refuse("`username` has a colon.".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(
        credential: &str,
        body: serde_json::Value,
    ) -> Result<BTreeMap<String, String>, String> {
        let passport: Passport = serde_json::from_value(json!({
            "id": "p", "name": "P", "provider": "p", "credential": credential, "api_hosts": [],
        }))
        .unwrap();
        let body = JsonObject::from(body.as_object().unwrap().clone());
        typed(&passport, &body).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn each_kind_takes_its_own_fields_and_no_others() {
        assert_eq!(
            judged("api_key", json!({"api_key": "k"})).unwrap()["api_key"],
            "k"
        );
        let basic = judged("basic", json!({"username": "ada", "password": "p:ö x"})).unwrap();
        assert_eq!(basic["password"], "p:ö x");
        assert!(judged("client_credentials", json!({})).unwrap().is_empty());
        let pat = json!({"token_name": "n", "token_secret": "s"});
        assert_eq!(judged("personal_access_token", pat).unwrap()["site"], "");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (credential, body, field) in [
            ("api_key", json!({}), "api_key"),
            ("api_key", json!({"api_key": ""}), "api_key"),
            ("api_key", json!({"api_key": "a b"}), "api_key"),
            ("api_key", json!({"api_key": "ä"}), "api_key"),
            ("api_key", json!({"api_key": 7}), "api_key"),
            ("api_key", json!({"api_key": "k", "x": 1}), "x"),
            (
                "basic",
                json!({"username": "a:b", "password": "p"}),
                "username",
            ),
            ("basic", json!({"username": "a"}), "password"),
            (
                "basic",
                json!({"username": "a", "password": "p\r\nX: y"}),
                "password",
            ),
            (
                "personal_access_token",
                json!({"token_name": "n"}),
                "token_secret",
            ),
            ("client_credentials", json!({"api_key": "k"}), "api_key"),
            ("oauth2", json!({}), "auth_key"),
        ] {
            let refused = judged(credential, body.clone()).unwrap_err();
            let named = format!("\"field\": String(\"{field}\")");
            assert!(refused.contains(&named), "{body}: {refused}");
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(judged("api_key", json!({"api_key": long})).is_err());
    }
}
