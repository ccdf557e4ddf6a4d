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

use crate::target::{Change, Target};
use crate::{State, logged};

/// `{"status":"disconnected","revocation":{…}}` or `{"status":"not_connected","revocation":null}`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(crate) struct Disconnected {
    status: &'static str,
    revocation: Option<Receipt>,
}

/// The handler.
pub(crate) async fn disconnect(
    extract::State(state): extract::State<State>,
    Change(target): Change,
) -> Response {
    let done = revoked(&state, &target).await;
    let fields = target.fields();
    match done {
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
    let Some(passport) = target.bound(state).await? else {
        return Ok(NOTHING);
    };
    let main = target.connection_key(&passport);
    let slots = state.connections.slot_names(&main, &passport).await?;
    let mut given_up = Vec::with_capacity(slots.len());
    // Every slot is unusable before the provider is told of any: that can take longer than this request lives. The main
    // one goes first, as no other is used without it.
    for slot in slots.iter().rev() {
        let key = main.in_slot(slot);
        if let Some(receipt) = given_up_before(state, &key, now).await? {
            given_up.push((key, receipt));
        }
    }
    let mut receipts = Vec::with_capacity(given_up.len());
    for (key, receipt) in given_up.into_iter().rev() {
        receipts.push(match receipt {
            Some(receipt) => receipt,
            None => revoke(state, &key, now).await,
        });
    }
    Ok(match receipts.into_iter().max_by_key(weight) {
        Some(receipt) => Disconnected {
            status: "disconnected",
            revocation: Some(receipt),
        },
        None => NOTHING,
    })
}

/// Marks one slot as disconnected: answers its receipt where there is nothing left to be revoked, and `None` where the
/// slot is not there.
async fn given_up_before(
    state: &State,
    key: &ConnectionKey,
    now: Timestamp,
) -> Result<Option<Option<Receipt>>, Problem> {
    let Some(seen) = state.connections.read(key, true).await? else {
        return Ok(None);
    };
    if seen.health == Health::Disconnected {
        let is_final = |receipt: &Receipt| receipt.result != RevocationResult::Pending;
        return Ok(Some(seen.receipt.filter(is_final)));
    }
    // False when somebody else was quicker: revoking what the row says is disconnected is right all the same.
    state.connections.disconnect(key, now).await?;
    Ok(Some(None))
}

/// PURE. Of several slots' receipts the one that says most about what may be left at the provider.
fn weight(receipt: &Receipt) -> u8 {
    match receipt.result {
        RevocationResult::Pending => 4,
        RevocationResult::GaveUp => 3,
        RevocationResult::ProviderHasNone => 2,
        RevocationResult::Revoked => 1,
        RevocationResult::AlreadyGone => 0,
    }
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
