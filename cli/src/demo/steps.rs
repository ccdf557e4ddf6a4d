//! PURE. The last log lines of the functions, numbered, for the demo page's "What the server did".
//!
//! Holds what the log holds and nothing more: lines that carry no secret by the log's own rule (see the core's `log`
//! room). Touches no file, no network, no clock.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

/// One log line and its running number: `{"number":12,"line":{"time":…,"function":"proxy","event":"request",…}}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Counts up from 1 for as long as the process lives.
    pub number: u64,
    /// The log line, as it was written.
    pub line: Map<String, Value>,
}

/// A ring of the newest steps.
#[derive(Debug)]
pub struct Steps {
    capacity: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    last_number: u64,
    kept: VecDeque<Step>,
}

impl Steps {
    /// An empty ring that keeps the newest `capacity` steps.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ring: Mutex::default(),
        }
    }

    /// Takes one JSON log line as text. What is not a JSON object is not a log line and is left out.
    pub fn push(&self, line: &str) {
        let Ok(line) = serde_json::from_str::<Map<String, Value>>(line) else {
            return;
        };
        let mut ring = self.ring();
        ring.last_number += 1;
        let number = ring.last_number;
        ring.kept.push_back(Step { number, line });
        while ring.kept.len() > self.capacity {
            ring.kept.pop_front();
        }
    }

    /// The kept steps with a number above `number`, oldest first. A number this process has not reached yet was read
    /// from an earlier process: then all are returned.
    pub fn after(&self, number: u64) -> Vec<Step> {
        let ring = self.ring();
        let from = if number > ring.last_number { 0 } else { number };
        let newer = ring.kept.iter().filter(|step| step.number > from);
        newer.cloned().collect()
    }

    // A panic elsewhere while the ring was locked cannot leave it half written in a way that matters here.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(steps: &[Step]) -> Vec<u64> {
        steps.iter().map(|step| step.number).collect()
    }

    #[test]
    fn steps_are_numbered_from_one_and_read_oldest_first() {
        let steps = Steps::new(10);
        steps.push(r#"{"function":"connect"}"#);
        steps.push(r#"{"function":"proxy","upstream_status":200}"#);
        let all = steps.after(0);
        assert_eq!(numbers(&all), [1, 2]);
        let last = all.last().map(|step| step.line.get("upstream_status"));
        assert_eq!(last, Some(Some(&Value::from(200))));
        assert_eq!(numbers(&steps.after(1)), [2]);
        assert!(steps.after(2).is_empty());
    }

    #[test]
    fn a_full_ring_forgets_the_oldest_and_keeps_counting() {
        let steps = Steps::new(3);
        for _ in 0..5 {
            steps.push("{}");
        }
        assert_eq!(numbers(&steps.after(0)), [3, 4, 5]);
    }

    #[test]
    fn a_number_from_an_earlier_process_reads_everything() {
        let steps = Steps::new(3);
        steps.push("{}");
        assert_eq!(numbers(&steps.after(412)), [1]);
    }

    #[test]
    fn text_that_is_no_json_object_is_left_out() {
        let steps = Steps::new(3);
        for line in ["", "listening", "[1]", "\"x\"", "{\"a\":"] {
            steps.push(line);
        }
        assert!(steps.after(0).is_empty());
    }
}
