//! The time. The one place here that reads the system's clock.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch. Tests pass one that they move.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The system's clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn system_clock() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
