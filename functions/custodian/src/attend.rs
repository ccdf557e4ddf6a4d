//! Rows whose turn it is: one by one what they need, many at a time.
//!
//! Nothing fails a whole batch: a row that cannot be served now has its back-off in itself, and is looked at again in its
//! next slot.

use consulate_core::clock::Timestamp;
use consulate_core::cohort::{Cycle, Turn};
use consulate_core::flow::flow_id;
use consulate_core::grants::Grants;
use consulate_core::table::ConnectionKey;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::limits::Permits;
use crate::refresh::Wanted;
use crate::revoke::Urgency;
use crate::{Run, State, written};

/// Rows are attended to by the hundred.
pub(crate) const BATCH: usize = 100;
/// So many of them at a time.
const AT_ONCE: usize = 50;

/// A share of a tick's work, as a message has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    /// The minute (since the epoch) whose slot it is of.
    pub minute: i64,
    /// The cycle, as `Cycle::text` has it.
    pub cycle: String,
    /// Partition keys.
    pub pks: Vec<String>,
}

impl Work {
    /// As the body of a message.
    pub fn message(&self) -> String {
        let mut message = serde_json::json!({ "type": "work" });
        if let (Some(message), Ok(serde_json::Value::Object(work))) =
            (message.as_object_mut(), serde_json::to_value(self))
        {
            message.extend(work);
        }
        message.to_string()
    }
}

/// Attends to every row of `work`; false where its cycle is none. What the deadline leaves over waits for its next slot.
pub(crate) async fn all(state: &State, work: &Work, request_id: &str, deadline: Instant) -> bool {
    let Some(cycle) = Cycle::of_text(&work.cycle) else {
        return false;
    };
    let at = Timestamp::from_seconds(work.minute.saturating_mul(60));
    let turn = Turn { cycle, at };
    let keys = work.pks.iter().filter_map(|pk| ConnectionKey::of_pk(pk));
    let passports: Vec<String> = keys.map(|key| key.passport).collect();
    let permits = Permits::of(passports.iter().map(String::as_str));
    let mut rows: Vec<BoxFuture<'_, ()>> = Vec::with_capacity(work.pks.len());
    for pk in &work.pks {
        let mut run = Run::new(state, request_id, deadline);
        run.permits = Some(&permits);
        rows.push(Box::pin(one(run, pk, turn)));
    }
    futures_util::stream::iter(rows)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
    true
}

async fn one(mut run: Run<'_>, pk: &str, turn: Turn) {
    let key = ConnectionKey::of_pk(pk);
    if let (Some(permits), Some(key)) = (run.permits, &key) {
        permits.begin(&key.passport);
    }
    let started = Instant::now();
    // A call that starts later could not be concluded in time.
    if started + crate::token_endpoint::POST_TIMEOUT >= run.deadline {
        return;
    }
    let (work, answer) = match (key, turn.cycle) {
        (Some(key), Cycle::Revoke) => ("revoke", run.revoke(&key, Urgency::Due).await),
        (Some(key), Cycle::Minutes(_)) => {
            let wanted = Wanted::Schedule { turn };
            ("refresh", run.refresh(&key, wanted).await)
        }
        (None, _) if Grants::is_pk(pk) => ("stray", run.attend_stray(pk).await),
        (None, _) => match flow_id(pk) {
            Some(flow) => ("flow", run.attend_flow(flow).await),
            None => return,
        },
    };
    run.fields.add("audit", work);
    // Ten million quiet looks are no news, nor is every row that waits while its provider is left alone.
    if answer != consulate_core::custody::Answer::NotDue && !run.held_back {
        written(run, "attend", started, answer);
    }
}
