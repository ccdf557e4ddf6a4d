//! Answers of providers that the table did not take at once: they go to a queue, sealed as for their row, and are stored from
//! there under the very condition of the first try. So they outlive the process that got them.
//!
//! Messages: `{"type":"salvage", …}` is the answer to a refresh, `{"type":"stray", …}` a grant for the record of strays. FIFO
//! by row; the deduplication id is a digest of the sealed token, so sending one again is harmless.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::clock::Timestamp;
use consulate_core::connection::Connection;
use consulate_core::connections::{Claimed, SaveOutcome, Tokens};
use consulate_core::digest;
use consulate_core::grants::Stray;
use consulate_core::log::{self, Level};
use consulate_core::table::{ConnectionKey, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::announce::Happening;
use crate::patience::until;
use crate::stray::Kept;
use crate::{Run, State};

/// Bytes as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let decoded = STANDARD.decode(text).map(Self);
        decoded.map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// The answer to a refresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Salvage {
    key: ConnectionKey,
    grant: String,
    spent: Bytes,
    epoch: i64,
    access_token: Bytes,
    refresh_token: Option<Bytes>,
    fingerprint: Option<Bytes>,
    expires_at: Option<i64>,
    lifetime_seconds: Option<i64>,
    refresh_expires_at: Option<i64>,
    fields: Option<BTreeMap<String, String>>,
    due: Option<String>,
    used_at: Option<i64>,
    subject: Option<String>,
    asked_at: i64,
}

/// A grant that no connection has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StrayMessage {
    passport: String,
    home: String,
    grant: String,
    slot: String,
    access_token: Option<Bytes>,
    refresh_token: Option<Bytes>,
    expires_at: Option<i64>,
    lifetime_seconds: Option<i64>,
    subject: Option<String>,
    created_at: i64,
}

impl Salvage {
    pub fn new(
        seen: &Connection,
        spent: &[u8],
        claimed: &Claimed,
        tokens: &Tokens,
        asked_at: Timestamp,
    ) -> Self {
        let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
        let (refresh_token, fingerprint) = tokens.refresh_token.clone().unzip();
        Self {
            key: seen.key.clone(),
            grant: seen.grant_id.clone(),
            spent: Bytes(spent.to_vec()),
            epoch: claimed.epoch,
            access_token: Bytes(tokens.access_token.clone()),
            refresh_token: refresh_token.map(Bytes),
            fingerprint: fingerprint.map(Bytes),
            expires_at: millis(tokens.expires_at),
            lifetime_seconds: tokens.lifetime_seconds,
            refresh_expires_at: millis(tokens.refresh_expires_at),
            fields: tokens.fields.clone(),
            due: tokens.due.clone(),
            used_at: millis(tokens.used_at),
            subject: seen.subject.clone(),
            asked_at: asked_at.millis(),
        }
    }

    fn tokens(&self) -> Tokens {
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let refresh_token = self.refresh_token.clone().zip(self.fingerprint.clone());
        Tokens {
            access_token: self.access_token.0.clone(),
            refresh_token: refresh_token.map(|(sealed, fingerprint)| (sealed.0, fingerprint.0)),
            expires_at: time(self.expires_at),
            lifetime_seconds: self.lifetime_seconds,
            refresh_expires_at: time(self.refresh_expires_at),
            fields: self.fields.clone(),
            due: self.due.clone(),
            used_at: time(self.used_at),
        }
    }

    /// The grant it is where no row takes it.
    fn stray(self, now: Timestamp) -> Stray {
        Stray {
            passport: self.key.passport.clone(),
            home: self.key.pk(),
            grant_id: self.grant,
            slot: self.key.slot,
            access_token: Some(self.access_token.0),
            refresh_token: self.refresh_token.map(|sealed| sealed.0),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            lifetime_seconds: self.lifetime_seconds,
            subject: self.subject,
            created_at: now,
        }
    }
}

impl From<&Stray> for StrayMessage {
    fn from(stray: &Stray) -> Self {
        Self {
            passport: stray.passport.clone(),
            home: stray.home.clone(),
            grant: stray.grant_id.clone(),
            slot: stray.slot.clone(),
            access_token: stray.access_token.clone().map(Bytes),
            refresh_token: stray.refresh_token.clone().map(Bytes),
            expires_at: stray.expires_at.map(Timestamp::millis),
            lifetime_seconds: stray.lifetime_seconds,
            subject: stray.subject.clone(),
            created_at: stray.created_at.millis(),
        }
    }
}

impl From<StrayMessage> for Stray {
    fn from(message: StrayMessage) -> Self {
        Self {
            passport: message.passport,
            home: message.home,
            grant_id: message.grant,
            slot: message.slot,
            access_token: message.access_token.map(|sealed| sealed.0),
            refresh_token: message.refresh_token.map(|sealed| sealed.0),
            expires_at: message.expires_at.map(Timestamp::from_millis),
            lifetime_seconds: message.lifetime_seconds,
            subject: message.subject,
            created_at: Timestamp::from_millis(message.created_at),
        }
    }
}

/// Sends the answer to a refresh; false where nothing takes it.
pub(crate) async fn send(state: &State, salvage: &Salvage) -> bool {
    let digest = digest::text([salvage.access_token.0.as_slice()]);
    dispatch(state, "salvage", &salvage.key.pk(), &digest, salvage).await
}

/// Sends a grant for the record of strays; false where nothing takes it.
pub(crate) async fn send_stray(state: &State, stray: &Stray) -> bool {
    let digest = digest::text([stray.pk().as_bytes()]);
    let message = StrayMessage::from(stray);
    dispatch(state, "stray", &stray.home, &digest, &message).await
}

async fn dispatch(
    state: &State,
    kind: &str,
    group: &str,
    digest: &str,
    message: &impl Serialize,
) -> bool {
    let Some(queue) = &state.salvage else {
        return false;
    };
    let Ok(Value::Object(mut message)) = serde_json::to_value(message) else {
        return false;
    };
    message.insert("type".to_owned(), kind.into());
    // A group's id has 128 characters at most.
    let group = digest::text([group.as_bytes()]);
    let body = Value::Object(message).to_string();
    queue.send_ordered(&group, digest, &body).await.is_ok()
}

/// Lands the answer to a refresh in its row. False: not now, the queue is to keep it.
pub(crate) async fn land(
    state: &State,
    salvage: Salvage,
    request_id: &str,
    deadline: Instant,
) -> bool {
    let mut run = Run::new(state, request_id, deadline);
    run.fields.add("passport", &salvage.key.passport);
    let now = state.clock.now();
    let age = now.since(Timestamp::from_millis(salvage.asked_at));
    run.fields.add("age_ms", age);
    // Boxed: the future is deep, and rarely needed.
    let landed = Box::pin(run.land(salvage, now)).await;
    let level = match landed {
        Ok(outcome) => {
            run.fields.add("landed", outcome);
            Level::Info
        }
        Err(_) => Level::Warn,
    };
    log::write(level, "custodian", "salvage", run.fields);
    landed.is_ok()
}

/// Lands a grant on the record of strays, and tries to give it back. False: not now, the queue is to keep it.
pub(crate) async fn land_stray(
    state: &State,
    message: StrayMessage,
    request_id: &str,
    deadline: Instant,
) -> bool {
    let mut run = Run::new(state, request_id, deadline);
    let stray = Stray::from(message);
    let put = until(deadline, || state.grants.put(&stray)).await.is_ok();
    let level = if put { Level::Info } else { Level::Warn };
    if put {
        run.fields.add("landed", "stray");
        run.try_stray(stray, Kept::InTable).await;
    }
    log::write(level, "custodian", "salvage", run.fields);
    put
}

impl Run<'_> {
    async fn land(&mut self, salvage: Salvage, now: Timestamp) -> Result<&'static str, Error> {
        // The table may still be away: handing the message back costs a whole visibility timeout.
        let deadline = self.deadline;
        let connections = &self.state.connections;
        let row = until(deadline, || connections.read(&salvage.key, true)).await?;
        let outcome = match row {
            Some(row) => {
                // What is written is bound to the message's grant, whatever the row has.
                let seen = Connection {
                    grant_id: salvage.grant.clone(),
                    ..row
                };
                let claimed = Claimed {
                    epoch: salvage.epoch,
                };
                let tokens = salvage.tokens();
                let spent = &salvage.spent.0;
                let save = || connections.save(&seen, spent, &claimed, &tokens, now);
                until(deadline, save).await?
            }
            None => SaveOutcome::FencedOut,
        };
        match outcome {
            SaveOutcome::Saved(_) => Ok("saved"),
            SaveOutcome::Revived(_) => {
                self.announce(&salvage.key, Happening::Recovered).await;
                Ok("revived")
            }
            SaveOutcome::Superseded => Ok("superseded"),
            SaveOutcome::FencedOut => {
                let stray = salvage.stray(now);
                until(deadline, || self.state.grants.put(&stray)).await?;
                self.try_stray(stray, Kept::InTable).await;
                Ok("fenced_out")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salvage() -> Salvage {
        Salvage {
            key: serde_json::from_str(r#"{"passport":"p","owner":"o","slot":"s"}"#).unwrap(),
            grant: "g".into(),
            spent: Bytes(vec![1]),
            epoch: 7,
            access_token: Bytes(vec![2, 255]),
            refresh_token: Some(Bytes(vec![3])),
            fingerprint: Some(Bytes(vec![4])),
            expires_at: Some(1_000),
            lifetime_seconds: Some(1),
            refresh_expires_at: None,
            fields: None,
            due: Some("55#1#64.1".into()),
            used_at: None,
            subject: Some("who".into()),
            asked_at: 5,
        }
    }

    #[test]
    fn a_message_brings_back_what_was_put_into_it() {
        let text = serde_json::to_string(&salvage()).unwrap();
        let read: Salvage = serde_json::from_str(&text).unwrap();
        assert_eq!(read, salvage());
        let tokens = read.tokens();
        assert_eq!(tokens.access_token, [2, 255]);
        assert_eq!(tokens.refresh_token, Some((vec![3], vec![4])));
    }

    #[test]
    fn a_stray_message_brings_back_the_very_grant() {
        let stray = salvage().stray(Timestamp::from_millis(9));
        let text = serde_json::to_string(&StrayMessage::from(&stray)).unwrap();
        let read: StrayMessage = serde_json::from_str(&text).unwrap();
        assert_eq!(Stray::from(read), stray);
        assert_eq!(stray.home, "CONNECTION#p#o#s");
    }
}
