//! What the console asks, in the place of somebody its administrator chose. Comes by IAM invoke only: no route leads here,
//! and `main.rs` hands over nothing that came from an address.

use std::collections::HashMap;

use axum::extract::{self, Path};
use axum::response::IntoResponse as _;
use consulate_core::acting::{Answer, Event, Invoke, ProxyAct, whose};
use consulate_core::http::{Bounded, logged};
use consulate_core::problem::Problem;
use serde_json::json;

use crate::{State, call};

/// Does what the event of an invoke asks.
pub async fn act(state: &State, invoke: Invoke<'_>) -> Answer {
    let done = |event: Event<ProxyAct>| async move {
        let ProxyAct::Call { api, params } = event.act;
        let who = state.callers.in_place_of(&event.widget, &event.person);
        match who.await {
            Ok(who) => {
                let whose = whose(&who);
                let path = Path(HashMap::from([("name".to_owned(), api)]));
                let body = Bounded(json!({ "params": params }).to_string().into());
                let called = call::call(extract::State(state.clone()), who, path, body);
                logged(called.await, whose)
            }
            Err(error) => Problem::from(error).into_response(),
        }
    };
    invoke.answered("proxy", done).await
}
