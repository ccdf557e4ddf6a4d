//! A clock that only moves when a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use consulate_fakes::sqs::Clock;

/// 2026-11-21T07:00:00Z.
pub const START: i64 = 1_795_244_400_000;

#[derive(Clone)]
pub struct MovedClock(Arc<AtomicI64>);

impl MovedClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START)))
    }

    pub fn clock(&self) -> Clock {
        let now = self.0.clone();
        Arc::new(move || now.load(Ordering::SeqCst))
    }

    pub fn pass_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}
