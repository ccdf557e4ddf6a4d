//! What the console asks, in the place of somebody its administrator chose. Comes by IAM invoke only: no route leads here,
//! and `main.rs` hands over nothing that came from an address.
//!
//! The same handlers do it as for a widget's own callers; what differs is who says who the caller is.

use axum::extract;
use axum::response::{IntoResponse as _, Response};
use consulate_core::acting::{Answer, ConnectAct, Event, Invoke, whose};
use consulate_core::caller::WidgetCaller;
use consulate_core::flow::{Ask, Mode};
use consulate_core::http::{JsonObject, json};
use consulate_core::problem::Problem;
use http::StatusCode;
use serde_json::Value;

use crate::authorize::prepare;
use crate::target::{Change, Target};
use crate::{State, disconnect, logged, status, typed};

/// Does what the event of an invoke asks.
pub async fn act(state: &State, invoke: Invoke<'_>) -> Answer {
    let done = |event: Event<ConnectAct>| async {
        let response = done(state, event).await;
        response.unwrap_or_else(|problem| problem.into_response())
    };
    invoke.answered("connect", done).await
}

async fn done(state: &State, event: Event<ConnectAct>) -> Result<Response, Problem> {
    let who = state.callers.in_place_of(&event.widget, &event.person);
    let who = who.await?;
    let whose = whose(&who);
    let response = asked(state, who, event.act).await;
    let response = response.unwrap_or_else(|problem| problem.into_response());
    Ok(logged(response, whose))
}

async fn asked(state: &State, who: WidgetCaller, act: ConnectAct) -> Result<Response, Problem> {
    let the_state = extract::State(state.clone());
    match act {
        ConnectAct::List => status::list(the_state, who).await,
        ConnectAct::Begin { auth_key, tie } => {
            begin(state, Target::of(who, &auth_key)?, &tie).await
        }
        ConnectAct::Type { auth_key, typed } => {
            let typed = typed
                .into_iter()
                .map(|(name, text)| (name, Value::from(text)));
            let body = JsonObject::from(serde_json::Map::from_iter(typed));
            Ok(typed::put(the_state, Change(Target::of(who, &auth_key)?), body).await)
        }
        ConnectAct::Disconnect { auth_key } => {
            Ok(disconnect::disconnect(the_state, Change(Target::of(who, &auth_key)?)).await)
        }
    }
}

/// 200 `{"authorize_url"}`: a flow is stored, bound to the console's session instead of a cookie of its own.
async fn begin(state: &State, target: Target, tie: &str) -> Result<Response, Problem> {
    let passport = target.passport(state).await?;
    let fields = target.fields();
    target.is_consented(&passport)?;
    let key = target.connection_key(&passport);
    let WidgetCaller { widget, caller, .. } = target.who;
    let ask = Ask {
        widget: widget.id.clone(),
        auth_key: target.authentication.auth_key,
        key,
        owner_mode: target.authentication.owner,
        host: caller.host,
        organisation: caller.organisation,
        user: caller.user,
        mode: Mode::Console,
        return_to: None,
    };
    let departure = match prepare(state, ask).await {
        Ok(departure) => departure.tied(tie),
        Err(refusal) => return Err(Problem::new(refusal.code(), refusal.why())),
    };
    let authorize_url = departure.begin(state, state.clock.now()).await?;
    let answer = json(
        StatusCode::OK,
        &serde_json::json!({ "authorize_url": authorize_url }),
    );
    Ok(logged(answer, fields.with("outcome", "departed")))
}
