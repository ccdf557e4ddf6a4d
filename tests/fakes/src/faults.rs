//! What befalls the requests of an AWS-shaped server, as a test scripts it. Touches nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::held::held;

/// What befalls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: lets one request of the operation pass, so that a later one can be hit.
    Pass,
    /// Answered with a server error; nothing was applied.
    Unavailable,
    /// Applied, then the connection is closed without an answer: the caller cannot know.
    LostAck,
    /// Applied this much later.
    Slow(Duration),
}

/// The script: faults queued for each operation, and the outage.
#[derive(Default)]
pub(crate) struct Faults {
    queued: Mutex<HashMap<String, VecDeque<Fault>>>,
    outage: AtomicBool,
}

impl Faults {
    /// Queues `fault` for the next request of `operation` that has none yet.
    pub(crate) fn push(&self, operation: &str, fault: Fault) {
        held(&self.queued)
            .entry(operation.to_owned())
            .or_default()
            .push_back(fault);
    }

    /// While true, every request meets [`Fault::Unavailable`]; queued faults stay queued.
    pub(crate) fn outage(&self, on: bool) {
        self.outage.store(on, Ordering::SeqCst);
    }

    /// The fault of the request of `operation` that has just come.
    pub(crate) fn next(&self, operation: &str) -> Fault {
        if self.outage.load(Ordering::SeqCst) {
            return Fault::Unavailable;
        }
        held(&self.queued)
            .get_mut(operation)
            .and_then(VecDeque::pop_front)
            .unwrap_or(Fault::Pass)
    }
}
