//! Where the functions' log lines go in this process: standard error, and whoever listens.
//!
//! The core's log has one sink per process; several servers may run in one process (tests do that, each on a runtime of its
//! own), so this room hands a line to the listeners that are still there on the runtime it was written on.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Handle, Id};

/// Gets every log line written on the runtime that its server runs on.
pub type Listener = Arc<Hear>;

type Hear = dyn Fn(&str) + Send + Sync;

static LISTENERS: Mutex<Vec<(Id, Weak<Hear>)>> = Mutex::new(Vec::new());

/// Lets `listener` hear the lines of the present runtime for as long as somebody else holds it.
pub(super) fn listen(listener: &Listener) {
    consulate_core::log::set_sink(hear);
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners.retain(|(_, listener)| listener.strong_count() > 0);
    listeners.push((Handle::current().id(), Arc::downgrade(listener)));
}

fn hear(line: &str) {
    // A log that cannot be written must not fail the request it describes.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
    let Ok(here) = Handle::try_current().map(|runtime| runtime.id()) else {
        return;
    };
    let listeners: Vec<Listener> = {
        let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = listeners.iter().filter(|(runtime, _)| *runtime == here);
        ours.filter_map(|(_, listener)| listener.upgrade())
            .collect()
    };
    for listener in listeners {
        listener(line);
    }
}
