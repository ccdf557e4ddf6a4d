//! What happened to a connection: a line of the audit log always, an event on the bus where there is one. Said after the
//! write that makes it true, and never in the way of the work: a process that dies between the two says nothing, and a bus
//! that does not answer is noted and passed over.
//!
//! ```json
//! {"passport":"demo.acme-cloud","owner":"…","slot":"","reason":"provider_refused","at":"2026-11-21T07:00:00.000Z"}
//! ```

use std::time::Duration;

use consulate_core::clock::Timestamp;
use consulate_core::connection::RevocationResult;
use consulate_core::custody::{Answer, Deed};
use consulate_core::log::{self, Fields, Level};
use consulate_core::problem::Reason;
use consulate_core::table::ConnectionKey;
use serde_json::{Value, json};

use crate::Run;

/// The bus has so long.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// An account was connected, or connected again; `shared_account` where another connection lives on the same account, so
    /// that giving one of them up may end the other.
    Connected { shared_account: bool },
    /// Its person has to connect again.
    NeedsReauthorisation(Reason),
    /// A refresh whose outcome was unknown has come to a good end.
    Recovered,
    /// It was given up, and this is what became of its grant.
    Disconnected(RevocationResult),
    /// The provider never confirmed the end of a grant that was given up.
    RevocationGaveUp,
    /// Its person will have to connect again at this instant.
    ReauthoriseSoon(Timestamp),
}

impl Happening {
    /// As events and lines name it.
    fn name(self) -> &'static str {
        match self {
            Self::Connected { .. } => "connection.connected",
            Self::NeedsReauthorisation(_) => "connection.needs_reauthorisation",
            Self::Recovered => "connection.recovered",
            Self::Disconnected(_) => "connection.disconnected",
            Self::RevocationGaveUp => "connection.revocation_gave_up",
            Self::ReauthoriseSoon(_) => "connection.reauthorise_soon",
        }
    }

    /// PURE. The event's detail. Nobody's name or address is in it: the owner's key is a digest.
    fn detail(self, key: &ConnectionKey, now: Timestamp) -> Value {
        let (member, value) = match self {
            Self::NeedsReauthorisation(reason) => ("reason", json!(reason)),
            Self::Disconnected(result) => ("revocation", json!(result)),
            Self::ReauthoriseSoon(by) => ("reauthorise_by", json!(by.rfc3339())),
            Self::Connected {
                shared_account: true,
            } => ("shared_account", json!(true)),
            Self::Connected { .. } | Self::Recovered | Self::RevocationGaveUp => {
                ("reason", Value::Null)
            }
        };
        let mut detail = json!({
            "passport": key.passport, "owner": key.owner.as_str(), "slot": key.slot, "at": now.rfc3339(),
        });
        if let (Some(detail), false) = (detail.as_object_mut(), value.is_null()) {
            detail.insert(member.to_owned(), value);
        }
        detail
    }
}

impl Run<'_> {
    /// Says what happened to `key`.
    pub(crate) async fn announce(&mut self, key: &ConnectionKey, what: Happening) {
        let detail = what.detail(key, self.state.clock.now());
        let mut line = Fields::new()
            .with("request_id", &self.request_id)
            .with("what", what.name())
            .with("passport", &key.passport)
            .with("owner", key.owner.as_str())
            .with("slot", &key.slot);
        for name in ["reason", "revocation", "reauthorise_by", "shared_account"] {
            line.add(name, detail.get(name));
        }
        log::write(Level::Info, "custodian", "audit", line);
        let put = self.state.bus.put(what.name(), &detail);
        let taken = tokio::time::timeout(BUS_TIMEOUT, put).await;
        if taken != Ok(true) {
            self.fields.add("not_on_the_bus", what.name());
        }
    }
}

/// Longer ids and names there are not.
const SUBJECT_LONGEST: usize = 128;

/// Writes what an operator says to have done into the audit log.
pub(crate) fn note(request_id: &str, deed: Deed, subject: &str, by: Option<&str>) -> Answer {
    let subject: String = subject.chars().take(SUBJECT_LONGEST).collect();
    let is_key_id = |text: &&str| {
        text.len() <= SUBJECT_LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let line = Fields::new()
        .with("request_id", request_id)
        .with("what", deed.what())
        .with("subject", subject)
        .with("by", by.filter(is_key_id));
    log::write(Level::Info, "custodian", "audit", line);
    Answer::Noted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_which_connection_and_why_and_nothing_about_people() {
        let key = serde_json::from_str(r#"{"passport":"p","owner":"o"}"#).unwrap();
        let now = Timestamp::from_seconds(1_800_000_000);
        let what = Happening::NeedsReauthorisation(Reason::RotationLost);
        assert_eq!(what.name(), "connection.needs_reauthorisation");
        assert_eq!(
            what.detail(&key, now),
            json!({"passport": "p", "owner": "o", "slot": "", "reason": "rotation_lost", "at": now.rfc3339()})
        );
        let connected = |shared_account| Happening::Connected { shared_account };
        let detail = connected(false).detail(&key, now);
        assert_eq!(detail.as_object().unwrap().len(), 4);
        assert_eq!(connected(true).detail(&key, now)["shared_account"], true);
    }
}
