//! The EventBridge rule `rate(1 minute)` with one function as its target, on an injected clock.
//!
//! A minute that passed while nobody looked (a process that was suspended, a clock that jumped) is not made up for, as
//! a real rule's outage is not: catching up is the function's task. Touches the clock and the functions it is given.
//! Sources: EventBridge user guide, "Creating a scheduled rule (legacy)", and "Troubleshooting": "My rule ran more than
//! once in response to one event".

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

pub use crate::clock::Clock;

use crate::aws_json::{ACCOUNT, REGION};
use crate::clock::rfc3339;
use crate::held::held;
use crate::lambda::{FunctionError, Functions};
use crate::random::uuid_of;

const MINUTE_MILLIS: i64 = 60_000;
/// Nobody tells a rule that a clock moved: it looks this often.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A rule that is running. Dropping it stops it; a handler under way goes on.
#[derive(Debug)]
pub struct Schedule {
    target: Arc<Target>,
    ticking: JoinHandle<()>,
}

struct Target {
    functions: Functions,
    function: String,
    rule: String,
    fired: AtomicU64,
    latest: Mutex<Option<Bytes>>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} -> {}", self.rule, self.function)
    }
}

impl Schedule {
    /// Invokes `function` whenever `clock` has come to a new minute, first at the next one.
    pub fn start(
        functions: &Functions,
        rule: impl Into<String>,
        function: impl Into<String>,
        clock: Clock,
    ) -> Self {
        let target = Arc::new(Target {
            functions: functions.clone(),
            function: function.into(),
            rule: rule.into(),
            fired: AtomicU64::new(0),
            latest: Mutex::default(),
        });
        let from = clock().div_euclid(MINUTE_MILLIS);
        let ticking = tokio::spawn(tick(target.clone(), clock, from));
        Self { target, ticking }
    }

    /// Fires now, with an event for the time `at` (milliseconds since the epoch), and waits for the function.
    ///
    /// # Errors
    /// What the function failed with, or why it could not be invoked.
    pub async fn fire(&self, at: i64) -> Result<Bytes, FunctionError> {
        self.target.fire(at).await
    }

    /// Delivers the latest event once more, under the same id, and waits for the function; `None` before the first.
    pub async fn deliver_again(&self) -> Option<Result<Bytes, FunctionError>> {
        let event = held(&self.target.latest).clone()?;
        Some(self.target.deliver(event).await)
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl Target {
    async fn fire(&self, at: i64) -> Result<Bytes, FunctionError> {
        let number = self.fired.fetch_add(1, Ordering::SeqCst);
        let id = uuid_of(&format!("{} {at} {number}", self.rule));
        let event = Bytes::from(scheduled_event(&self.rule, &id, at).to_string());
        *held(&self.latest) = Some(event.clone());
        self.deliver(event).await
    }

    async fn deliver(&self, event: Bytes) -> Result<Bytes, FunctionError> {
        self.functions.invoke(&self.function, event).await
    }
}

async fn tick(target: Arc<Target>, clock: Clock, from: i64) {
    let (mut minute, mut running) = (from, JoinSet::new());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        while running.try_join_next().is_some() {}
        let now = clock().div_euclid(MINUTE_MILLIS);
        if now <= minute {
            continue;
        }
        minute = now;
        // The next minute does not wait for a slow function.
        let target = target.clone();
        running.spawn(async move { target.fire(minute * MINUTE_MILLIS).await });
    }
}

/// What a rule on a schedule sends its target for the time `at` (milliseconds since the epoch).
pub fn scheduled_event(rule: &str, id: &str, at: i64) -> Value {
    json!({
        "version": "0",
        "id": id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": rfc3339(at),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}")],
        "detail": {},
    })
}
