//! Levers that tests pull at single families, beyond what all of them share.

use super::Family;
use super::behaviour::Rules;
use super::desk::Desk;

/// Until when the API is throttled, in epoch milliseconds.
const THROTTLED_UNTIL: &str = "throttled until";
/// What a policy leaves of an access token's life, in seconds.
const ACCESS_SECONDS: &str = "access seconds";
/// What a policy leaves of a refresh token's life, in seconds.
const REFRESH_SECONDS: &str = "refresh seconds";

impl Family {
    /// Throttles the API for `seconds` of the provider's clock, in the provider's own words and headers.
    pub fn throttle_for(&self, seconds: i64) {
        self.desk
            .set_note(THROTTLED_UNTIL, self.desk.after(seconds).to_string());
    }

    /// Tokens issued from now on live this long, as an administrator's policy (Webex, ServiceNow) or a session setting
    /// (Salesforce) may say.
    pub fn set_lives(&self, access_seconds: i64, refresh_seconds: i64) {
        self.desk
            .set_note(ACCESS_SECONDS, access_seconds.to_string());
        self.desk
            .set_note(REFRESH_SECONDS, refresh_seconds.to_string());
    }
}

/// How many seconds the API stays throttled; `None` where it is not.
pub(super) fn throttled(desk: &Desk) -> Option<i64> {
    let until: i64 = get(desk, THROTTLED_UNTIL)?.parse().ok()?;
    let left = until.saturating_sub(desk.now());
    (left > 0).then_some((left + 999) / 1_000)
}

/// `rules` with the lives of [`Family::set_lives`]. [`flow::respond`](super::flow::respond) does this by itself.
pub(super) fn adjusted(desk: &Desk, rules: &Rules) -> Rules {
    let seconds = |lever| get(desk, lever).and_then(|text| text.parse().ok());
    Rules {
        access_seconds: seconds(ACCESS_SECONDS).or(rules.access_seconds),
        idle_seconds: seconds(REFRESH_SECONDS).or(rules.idle_seconds),
        ..*rules
    }
}

/// Remembers `value` for `lever`.
pub(super) fn set(desk: &Desk, lever: &'static str, value: String) {
    desk.set_note(lever, value);
}

/// What was last remembered for `lever`.
pub(super) fn get(desk: &Desk, lever: &str) -> Option<String> {
    desk.note(lever)
}
