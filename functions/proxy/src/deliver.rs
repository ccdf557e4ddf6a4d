//! `GET /v1/widgets/{widget}/connections/{auth_key}/access-token`: browser delivery. The widget gets a short-lived access
//! token and its end, and asks again; what renews it never leaves the custodian.
//!
//! Only where the widget's definition and the passport both allow it (`Passport::may_deliver`). It is answered as JSON to
//! whoever shows a caller JWT, never as a cookie. The row is read each time: after a disconnect nothing is handed out any more.

use std::collections::HashMap;

use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use consulate_core::caller::WidgetCaller;
use consulate_core::clock::Timestamp;
use consulate_core::http::{json, logged};
use consulate_core::log;
use consulate_core::owner::OwnerKey;
use consulate_core::passport::DeliveryRefused;
use consulate_core::problem::{Code, Problem};
use consulate_core::table::ConnectionKey;
use http::StatusCode;
use http::header::{HeaderMap, ORIGIN};
use serde::Serialize;

use crate::State;
use crate::call::{bound_passport, problem_of};

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AccessToken))]
#[derive(Serialize)]
pub(crate) struct Delivered<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_at: Timestamp,
}

/// Handles one request.
pub(crate) async fn deliver(
    extract::State(state): extract::State<State>,
    caller: WidgetCaller,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let auth_key = path.get("auth_key").map_or("", String::as_str);
    let mut fields = log::Fields::new();
    let response = match answer(&state, &caller, auth_key, &headers, &mut fields).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    logged(response, fields)
}

async fn answer(
    state: &State,
    caller: &WidgetCaller,
    auth_key: &str,
    headers: &HeaderMap,
    log: &mut log::Fields,
) -> Result<Response, Problem> {
    let widget = &caller.widget;
    let authentication = widget.authentication(auth_key).ok_or_else(|| {
        let detail = "The widget has no authentication of that key.";
        Problem::new(Code::AuthenticationUnknown, detail).field("auth_key")
    })?;
    log.add("auth_key", auth_key);
    for origin in headers.get_all(ORIGIN) {
        // No page but the widget's could read the answer; it does not even come to be.
        let known = origin
            .to_str()
            .ok()
            .and_then(|origin| widget.origin(origin));
        if known.is_none() {
            let detail = "An access token is handed to the widget's own origins only.";
            return Err(Problem::new(Code::DeliveryRefused, detail).field("origin"));
        }
    }
    authentication.may_deliver().map_err(refused)?;
    let passport = bound_passport(state, &widget.id, authentication).await?;
    log.add("passport", &passport.id);
    log.add("provider", &passport.provider);
    passport.may_deliver(authentication).map_err(refused)?;

    let owner = OwnerKey::of(&caller.caller, authentication.owner);
    let key = ConnectionKey::new(&passport.id, owner);
    log.add("owner", key.owner.as_str());
    let opened = state.access_tokens.get_anew(&key, &passport).await;
    let opened =
        opened.map_err(|error| problem_of(error, &widget.id, authentication, &passport))?;
    log.add("source", opened.source);
    log.add("version", opened.row.version);
    let expires_at = opened
        .row
        .expires_at
        .ok_or_else(|| refused(DeliveryRefused::Endless))?;
    log.add("delivered", true);
    let delivered = Delivered {
        access_token: opened.access_token.expose(),
        token_type: "Bearer",
        expires_at,
    };
    Ok(json(StatusCode::OK, &delivered))
}

fn refused(why: DeliveryRefused) -> Problem {
    let mut detail = why.to_string();
    detail.get_mut(..1).map(str::make_ascii_uppercase);
    detail.push('.');
    Problem::new(Code::DeliveryRefused, detail).field(why.field())
}
