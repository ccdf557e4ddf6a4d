//! `POST …/complete {"completion"}`: redirect mode's last step. The person who comes back must be the caller who asked:
//! whoever else holds the completion burns it, and the grant is revoked. A guess burns nothing.

use axum::extract;
use axum::response::{IntoResponse, Response};
use consulate_core::custody::{Answer, Event};
use consulate_core::flow::{Ask, Stage, completion_is_live, completion_matches, stored_digest};
use consulate_core::http::{JsonObject, json};
use consulate_core::problem::{Code, Problem, Reason};
use http::StatusCode;

use crate::target::{Change, Target, asked_by};
use crate::{State, logged, status};

/// Kind of digest a completion is stored as.
pub(crate) const COMPLETION: &str = "completion";

/// 200 with the connection's status.
pub(crate) async fn complete(
    extract::State(state): extract::State<State>,
    Change(target): Change,
    body: JsonObject,
) -> Response {
    let done = completed(&state, &target, &body).await;
    let fields = target.fields();
    match done {
        Ok(response) => logged(response, fields.with("outcome", "connected")),
        Err(problem) => logged(problem.into_response(), fields),
    }
}

async fn completed(state: &State, target: &Target, body: &JsonObject) -> Result<Response, Problem> {
    body.only(&[COMPLETION])?;
    let completion = body.text(COMPLETION)?.ok_or_else(|| {
        Problem::new(Code::RequestInvalid, "`completion` is required.").field(COMPLETION)
    })?;
    let now = state.clock.now();
    let spent = || target.may_change().err().unwrap_or_else(spent);
    let (id, _) = completion.split_once('.').ok_or_else(&spent)?;
    let (flow, stage, item) = state.flows.read(id).await?.ok_or_else(&spent)?;
    let awaiting = stage == Stage::Awaiting.text();
    // A completing flow is one whose custodian was not heard of: the same caller may ask again.
    if !awaiting && stage != Stage::Completing.text() {
        return Err(spent());
    }
    if !completion_matches(&item, &stored_digest(COMPLETION, completion)) {
        return Err(spent());
    }
    if !is_for(&flow.ask, target) {
        burn(state, id, awaiting).await?;
        let detail =
            "It was made for another caller or another authentication. It cannot be used any more.";
        return Err(Problem::new(Code::CompletionForbidden, detail).field(COMPLETION));
    }
    if !target.who.may_change(flow.ask.owner_mode) {
        burn(state, id, awaiting).await?;
        target.may_change()?;
        return Err(Problem::new(
            Code::CallerForbidden,
            "Only an administrator may complete this.",
        )
        .field("auth_key"));
    }
    if awaiting {
        if !completion_is_live(&item, now) {
            burn(state, id, awaiting).await?;
            return Err(spent());
        }
        if !state
            .flows
            .advance(id, Stage::Awaiting, Stage::Completing)
            .await?
        {
            return Err(spent());
        }
    }
    match state
        .custodian
        .ask(&Event::Complete {
            flow: id.to_owned(),
        })
        .await?
    {
        Answer::Connected => Ok(json(StatusCode::OK, &status::of(state, target).await?)),
        Answer::FlowSpent => Err(spent()),
        Answer::ProviderRefused { .. } => {
            Err(target.authentication_required(Reason::ProviderRefused))
        }
        Answer::AuthenticationRequired { reason } => Err(target.authentication_required(reason)),
        _ => Err(Problem::new(
            Code::Unavailable,
            "The account cannot be connected at the moment.",
        )
        .retry_after(2)),
    }
}

fn spent() -> Problem {
    Problem::new(Code::CompletionSpent, "Connect again to get a new one.").field(COMPLETION)
}

fn is_for(ask: &Ask, target: &Target) -> bool {
    asked_by(ask, &target.who.caller)
        && ask.widget == target.who.widget.id
        && ask.auth_key == target.authentication.auth_key
}

/// Makes sure nobody can complete the flow any more, then has its grant revoked. Where the custodian cannot be reached the
/// flow stays burned: unusable, and still on record for revoking.
async fn burn(state: &State, id: &str, awaiting: bool) -> Result<(), Problem> {
    if awaiting
        && state
            .flows
            .advance(id, Stage::Awaiting, Stage::Burned)
            .await?
    {
        let event = Event::Abandon {
            flow: id.to_owned(),
        };
        drop(state.custodian.ask(&event).await);
    }
    Ok(())
}
