//! `consulate dev` as a process: starts, says where, and runs until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use super::{Options, start};
use crate::operator::arguments::DevArguments;
use crate::operator::output;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// See [`start`].
pub async fn run(arguments: &DevArguments) -> anyhow::Result<()> {
    // Before anything is started: a signal that comes meanwhile must not leave half a start behind.
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let running = tokio::select! {
        running = start(Options::from(arguments)) => running?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    for note in &running.notes {
        output::note(note);
    }
    output::note(&format!(
        "The console: `consulate console --dev {}` prints a link to it.",
        running.data_dir.display()
    ));
    output::ready(&running.base_url);
    if let Some(address) = running.demo_address() {
        output::demo(address);
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await
}
