//! `DELETE …/connections/{auth_key}`: the connection is unusable at once; the custodian then tries to revoke it at the
//! provider. The answer is the receipt, `pending` where that is not known yet; asking again tries again.

use axum::extract;
use axum::response::{IntoResponse, Response};
use consulate_core::clock::Timestamp;
use consulate_core::connection::{Health, Receipt, RevocationResult};
use consulate_core::custody::{Answer, Event};
use consulate_core::http::json;
use consulate_core::problem::Problem;
use consulate_core::table::ConnectionKey;
use http::StatusCode;
use serde::Serialize;

use crate::target::{Target, bound_passport};
use crate::{State, logged};

/// `{"status":"disconnected","revocation":{…}}` or `{"status":"not_connected","revocation":null}`.
#[derive(Serialize)]
struct Disconnected {
    status: &'static str,
    revocation: Option<Receipt>,
}

/// The handler.
pub(crate) async fn disconnect(
    extract::State(state): extract::State<State>,
    target: Target,
) -> Response {
    let fields = target.fields();
    match revoked(&state, &target).await {
        Ok(document) => {
            let fields = fields.with("outcome", document.status).with(
                "revocation",
                document.revocation.as_ref().map(|receipt| receipt.result),
            );
            logged(json(StatusCode::OK, &document), fields)
        }
        Err(problem) => logged(problem.into_response(), fields),
    }
}

async fn revoked(state: &State, target: &Target) -> Result<Disconnected, Problem> {
    const NOTHING: Disconnected = Disconnected {
        status: "not_connected",
        revocation: None,
    };
    target.may_change()?;
    let now = state.clock.now();
    let Some(passport) = bound_passport(state, &target.authentication).await? else {
        return Ok(NOTHING);
    };
    let key = target.connection_key(&passport);
    let Some(seen) = state.connections.read(&key, true).await? else {
        return Ok(NOTHING);
    };
    let is_final = |receipt: &Receipt| receipt.result != RevocationResult::Pending;
    let revocation = match (seen.health, seen.receipt) {
        (Health::Disconnected, Some(receipt)) if is_final(&receipt) => receipt,
        _ => {
            // False when somebody else was quicker: revoking what the row says is disconnected is right all the same.
            state.connections.disconnect(&key, now).await?;
            revoke(state, &key, now).await
        }
    };
    Ok(Disconnected {
        status: "disconnected",
        revocation: Some(revocation),
    })
}

/// One attempt. The row is the truth where the custodian's answer is missing.
async fn revoke(state: &State, key: &ConnectionKey, now: Timestamp) -> Receipt {
    if let Ok(Answer::Revoked {
        receipt: Some(receipt),
    }) = state
        .custodian
        .ask(&Event::Revoke { key: key.clone() })
        .await
    {
        return receipt;
    }
    let stored = state.connections.read(key, true).await.ok().flatten();
    stored
        .and_then(|connection| connection.receipt)
        .unwrap_or(Receipt {
            result: RevocationResult::Pending,
            at: now.rfc3339(),
            attempts: 0,
        })
}
