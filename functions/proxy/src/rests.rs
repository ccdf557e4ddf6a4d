//! PURE. Who is left alone: an API that said "too many calls" and for how long is not called again before. Remembered in this
//! process; another one learns it from its own first call.
//!
//! How much rests with an API is the passport's to say ([`ThrottleScope`]): a limit is counted by whoever sets it, and nobody
//! is held back by what others have used up of theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use consulate_core::caller::WidgetCaller;
use consulate_core::clock::Timestamp;
use consulate_core::passport::{Passport, ThrottleScope};
use consulate_core::table::ConnectionKey;

/// More are not remembered.
const KEPT: usize = 4_096;
/// Longer than this nobody is believed without being asked again, seconds.
const LONGEST: u64 = 3_600;

/// What rests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resting {
    /// One named API of a widget, for one connection.
    Api {
        key: ConnectionKey,
        widget: String,
        api: String,
    },
    /// Every call with one connection.
    Connection(ConnectionKey),
    /// Every call by one passport for one organisation.
    Organisation {
        passport: String,
        host: String,
        organisation: String,
    },
}

impl Resting {
    /// What rests when `api`, called by `who` with the connection `key`, says "too many calls".
    pub fn of(passport: &Passport, who: &WidgetCaller, api: &str, key: &ConnectionKey) -> Self {
        match passport.throttle_scope {
            ThrottleScope::Api => Self::Api {
                key: key.clone(),
                widget: who.widget.id.clone(),
                api: api.to_owned(),
            },
            ThrottleScope::Connection => Self::Connection(key.clone()),
            ThrottleScope::Organisation => Self::Organisation {
                passport: passport.id.clone(),
                host: who.caller.host.clone(),
                organisation: who.caller.organisation.clone(),
            },
        }
    }
}

/// Until when each rests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rests(Arc<Mutex<HashMap<Resting, Timestamp>>>);

impl Rests {
    /// From `now` on `whom` rests for `seconds`.
    pub fn rest(&self, whom: Resting, seconds: u64, now: Timestamp) {
        let seconds = i64::try_from(seconds.min(LONGEST)).unwrap_or_default();
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.len() >= KEPT {
            rests.retain(|_, until| *until > now);
        }
        if rests.len() < KEPT {
            rests.insert(whom, now.plus_seconds(seconds));
        }
    }

    /// Seconds `whom` still rests, at least one; `None` where it does not. Asked before every call: who it is about is made up
    /// only where anything rests.
    pub fn left(&self, whom: impl Fn() -> Resting, now: Timestamp) -> Option<u64> {
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_empty() {
            return None;
        }
        let whom = whom();
        let millis = rests.get(&whom)?.since(now);
        // A clock that was set back must not make it longer.
        if millis <= 0 || millis > LONGEST as i64 * 1_000 {
            rests.remove(&whom);
            return None;
        }
        u64::try_from(millis)
            .ok()
            .map(|millis| millis.div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn organisation(id: &str) -> Resting {
        Resting::Organisation {
            passport: "p".into(),
            host: "h".into(),
            organisation: id.into(),
        }
    }

    #[test]
    fn a_rest_ends_and_is_nobody_elses() {
        let rests = Rests::default();
        rests.rest(organisation("o1"), 30, NOW);
        assert_eq!(rests.left(|| organisation("o1"), NOW), Some(30));
        assert_eq!(
            rests.left(|| organisation("o1"), NOW.plus_millis(29_001)),
            Some(1)
        );
        assert_eq!(rests.left(|| organisation("o2"), NOW), None);
        assert_eq!(
            rests.left(|| organisation("o1"), NOW.plus_seconds(30)),
            None
        );
    }

    #[test]
    fn nobody_rests_for_ever() {
        let rests = Rests::default();
        rests.rest(organisation("o1"), 86_400, NOW);
        assert_eq!(rests.left(|| organisation("o1"), NOW), Some(3_600));
        assert_eq!(
            rests.left(|| organisation("o1"), NOW.plus_seconds(-10)),
            None
        );
        for number in 0..=KEPT {
            rests.rest(organisation(&number.to_string()), 5, NOW);
        }
        assert_eq!(
            rests.left(|| organisation(&KEPT.to_string()), NOW),
            None,
            "there is no more room"
        );
        rests.rest(organisation("later"), 5, NOW.plus_seconds(6));
        assert!(
            rests
                .left(|| organisation("later"), NOW.plus_seconds(6))
                .is_some()
        );
    }
}
