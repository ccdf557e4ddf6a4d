//! A token endpoint that rotates: it knows each connection's refresh token by number and generation, takes the latest one only,
//! and counts what was presented again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::plan::{LIFETIME_SECONDS, Plan};

/// Where it answers.
pub const PATH: &str = "/token";

/// The token endpoint.
#[derive(Clone)]
pub struct Provider(Arc<Shared>);

struct Shared {
    plan: Plan,
    generations: Vec<AtomicU32>,
    answered: AtomicU64,
    refused: AtomicU64,
}

#[derive(Deserialize)]
struct Asked {
    grant_type: String,
    refresh_token: String,
}

impl Provider {
    /// For the connections of `plan`.
    pub fn new(plan: Plan) -> Self {
        let generations = (0..plan.connections).map(|_| AtomicU32::new(0));
        Self(Arc::new(Shared {
            plan,
            generations: generations.collect(),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// `POST /token`.
    pub fn router(&self) -> Router {
        Router::new()
            .route(PATH, post(token))
            .with_state(self.clone())
    }

    /// How many calls brought tokens, and how many were refused.
    pub fn counted(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.0.answered), count(&self.0.refused))
    }
}

async fn token(State(provider): State<Provider>, Form(asked): Form<Asked>) -> Response {
    let Shared {
        plan,
        generations,
        answered,
        refused,
    } = provider.0.as_ref();
    let known = numbers_of(&asked.refresh_token)
        .filter(|_| asked.grant_type == "refresh_token")
        .and_then(|(number, generation)| {
            let latest = generations.get(number as usize)?;
            let next = generation.checked_add(1)?;
            let order = Ordering::SeqCst;
            let spent = latest.compare_exchange(generation, next, order, order);
            spent.ok().map(|_| (number, next))
        });
    let Some((number, generation)) = known else {
        refused.fetch_add(1, Ordering::Relaxed);
        let refusal = Json(json!({ "error": "invalid_grant" }));
        return (StatusCode::BAD_REQUEST, refusal).into_response();
    };
    answered.fetch_add(1, Ordering::Relaxed);
    let tokens = Json(json!({
        "access_token": access_token(number, generation, plan.access_bytes),
        "refresh_token": refresh_token(number, generation, plan.refresh_bytes),
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
    }));
    tokens.into_response()
}

/// The access token of a connection, `bytes` long.
pub fn access_token(number: u32, generation: u32, bytes: usize) -> String {
    padded(format!("at.{number}.{generation}."), bytes)
}

/// The refresh token of a connection, `bytes` long.
pub fn refresh_token(number: u32, generation: u32, bytes: usize) -> String {
    padded(format!("rt.{number}.{generation}."), bytes)
}

fn padded(mut text: String, bytes: usize) -> String {
    let missing = bytes.saturating_sub(text.len());
    text.extend(std::iter::repeat_n('x', missing));
    text
}

/// Number and generation that a refresh token names.
fn numbers_of(refresh_token: &str) -> Option<(u32, u32)> {
    let mut parts = refresh_token.strip_prefix("rt.")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
