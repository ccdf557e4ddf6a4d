//! Where the functions' log lines go in this process: standard error, and whoever listens.
//!
//! The core's log has one sink per process; several servers may run in one process (tests do that), so this room hands
//! every line to every listener that is still there.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Gets every log line of this process.
pub type Listener = Arc<Hear>;

type Hear = dyn Fn(&str) + Send + Sync;

static LISTENERS: Mutex<Vec<Weak<Hear>>> = Mutex::new(Vec::new());

/// Lets `listener` hear every line for as long as somebody else holds it.
pub(super) fn listen(listener: &Listener) {
    consulate_core::log::set_sink(hear);
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners.retain(|listener| listener.strong_count() > 0);
    listeners.push(Arc::downgrade(listener));
}

fn hear(line: &str) {
    // A log that cannot be written must not fail the request it describes.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
    let listeners: Vec<Listener> = {
        let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().filter_map(Weak::upgrade).collect()
    };
    for listener in listeners {
        listener(line);
    }
}
