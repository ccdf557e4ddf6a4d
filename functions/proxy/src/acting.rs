//! What the console asks, in the place of somebody its administrator chose. Comes by IAM invoke only: no route leads here,
//! and `main.rs` hands over nothing that came from an address.

use std::collections::HashMap;

use axum::extract::{self, Path};
use axum::response::IntoResponse as _;
use consulate_core::acting::{Answer, Event, ProxyAct};
use consulate_core::http::Bounded;
use serde_json::json;

use crate::{State, call};

/// Does what the event in `payload` asks.
pub async fn act(state: &State, payload: &[u8], request_id: &str) -> Answer {
    let Ok(event) = serde_json::from_slice::<Event<ProxyAct>>(payload) else {
        return Answer::malformed("proxy", request_id).await;
    };
    let ProxyAct::Call { api, params } = event.act;
    let who = state.callers.in_place_of(&event.widget, &event.person);
    let response = match who.await {
        Ok(who) => {
            let path = Path(HashMap::from([("name".to_owned(), api)]));
            let body = Bounded(json!({ "params": params }).to_string().into());
            call::call(extract::State(state.clone()), who, path, body).await
        }
        Err(error) => consulate_core::problem::Problem::from(error).into_response(),
    };
    Answer::of(response, "proxy", "call", request_id).await
}
