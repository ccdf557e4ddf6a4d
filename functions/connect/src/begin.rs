//! `POST …/connect`: a verified caller asks to connect an account and gets a one-time link.

use axum::extract;
use axum::response::{IntoResponse, Response};
use consulate_core::definition::Widget;
use consulate_core::flow::{Ask, Mode, TICKET_SECONDS};
use consulate_core::http::{JsonObject, json};
use consulate_core::problem::{Code, Problem};
use consulate_core::random;
use http::StatusCode;
use serde::Serialize;

use crate::target::{Change, Target};
use crate::{State, logged};

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ConnectLink))]
#[derive(Serialize)]
pub(crate) struct Link {
    connect_url: String,
    expires_at: consulate_core::clock::Timestamp,
}

/// 201 `{"connect_url","expires_at"}`.
pub(crate) async fn begin(
    extract::State(state): extract::State<State>,
    Change(target): Change,
    body: JsonObject,
) -> Response {
    let done = ticket(&state, &target, &body).await;
    let fields = target.fields();
    match done {
        Ok((link, mode)) => logged(
            json(StatusCode::CREATED, &link),
            fields.with("mode", mode).with("outcome", "ticket"),
        ),
        Err(problem) => logged(problem.into_response(), fields),
    }
}

async fn ticket(
    state: &State,
    target: &Target,
    body: &JsonObject,
) -> Result<(Link, Mode), Problem> {
    target.may_change()?;
    let passport = target.passport(state).await?;
    target.is_consented(&passport)?;
    body.only(&["mode", "return_to"])?;
    let (mode, return_to) = way_back(
        &target.who.widget,
        body.text("mode")?,
        body.text("return_to")?,
    )?;
    let caller = &target.who.caller;
    let ask = Ask {
        widget: target.who.widget.id.clone(),
        auth_key: target.authentication.auth_key.clone(),
        key: target.connection_key(&passport),
        owner_mode: target.authentication.owner,
        host: caller.host.clone(),
        organisation: caller.organisation.clone(),
        user: caller.user.clone(),
        mode,
        return_to,
    };
    let ticket = random::secret_text()?;
    let expires_at = state.clock.now().plus_seconds(TICKET_SECONDS);
    state.flows.put_ticket(&ticket, &ask, expires_at).await?;
    let connect_url = format!("{}/v1/connect/{ticket}", state.base_url);
    Ok((
        Link {
            connect_url,
            expires_at,
        },
        mode,
    ))
}

/// PURE. How the browser comes back: an address is taken from the widget's list or not at all.
fn way_back(
    widget: &Widget,
    mode: Option<&str>,
    return_to: Option<&str>,
) -> Result<(Mode, Option<String>), Problem> {
    let refuse =
        |field: &str, detail: &str| Err(Problem::new(Code::RequestInvalid, detail).field(field));
    match (mode.unwrap_or("popup"), return_to) {
        ("popup", None) => Ok((Mode::Popup, None)),
        ("popup", Some(_)) => refuse(
            "return_to",
            "Popup mode comes back by itself: `return_to` is for redirect mode.",
        ),
        ("redirect", _) if widget.return_urls.is_empty() => refuse(
            "return_to",
            "Redirect mode is off: the widget has no `return_urls`.",
        ),
        ("redirect", None) => refuse("return_to", "Redirect mode needs `return_to`."),
        ("redirect", Some(wanted)) => {
            match widget.return_urls.iter().find(|listed| *listed == wanted) {
                Some(listed) => Ok((Mode::Redirect, Some(listed.clone()))),
                None => refuse(
                    "return_to",
                    "`return_to` must be exactly one of the widget's `return_urls`.",
                ),
            }
        }
        _ => refuse("mode", "`mode` is `popup` or `redirect`."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widget(return_urls: &[&str]) -> Widget {
        serde_json::from_value(serde_json::json!({"id": "w", "return_urls": return_urls})).unwrap()
    }

    #[test]
    fn popup_is_the_default_and_takes_no_address() {
        let widget = widget(&["https://app.example/back"]);
        assert_eq!(way_back(&widget, None, None).unwrap(), (Mode::Popup, None));
        assert!(way_back(&widget, Some("popup"), Some("https://app.example/back")).is_err());
    }

    #[test]
    fn redirect_comes_back_to_a_listed_address_byte_for_byte() {
        let widget = widget(&["https://app.example/back"]);
        let back = way_back(&widget, Some("redirect"), Some("https://app.example/back")).unwrap();
        assert_eq!(
            back,
            (Mode::Redirect, Some("https://app.example/back".to_owned()))
        );
        for elsewhere in [
            "https://app.example/back/",
            "https://app.example/back?x",
            "https://app.example/back#x",
            "https://APP.example/back",
            "https://app.example/back/../other",
            "https://evil.example/",
            "//app.example/back",
            "https://app.example/back@evil.example",
            "javascript:alert(1)",
            "",
        ] {
            assert!(
                way_back(&widget, Some("redirect"), Some(elsewhere)).is_err(),
                "{elsewhere}"
            );
        }
    }

    #[test]
    fn redirect_is_off_without_a_list() {
        assert!(
            way_back(
                &widget(&[]),
                Some("redirect"),
                Some("https://app.example/back")
            )
            .is_err()
        );
        assert!(way_back(&widget(&["https://a.example"]), Some("redirect"), None).is_err());
        assert!(way_back(&widget(&["https://a.example"]), Some("tab"), None).is_err());
    }
}
