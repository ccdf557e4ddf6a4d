//! Security tokens in memory, by what they were asked for: one request to Qrvey at a time for each, served until it is time
//! for a newer one. Nothing of it is ever written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use consulate_core::clock::Timestamp;
use consulate_core::secret::SecretText;
use tokio::time::Instant;

use crate::endpoint::Error;

/// As many are kept at most.
const KEPT: usize = 1_024;
/// As many bytes of them are kept at most: a Lambda function has little memory, and Qrvey's tokens may be large.
const BYTES_KEPT: usize = 32 * 1024 * 1024;
/// How long a token that could not be replaced serves before it is tried again, seconds.
const TRY_AGAIN_SECONDS: i64 = 30;

/// A security token and its times.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    pub security_token: Arc<SecretText>,
    /// When it ends, as far as we know: the answer does not say, so it is counted from before the request was sent.
    pub expires_at: Timestamp,
    /// From then on a newer one should be asked for.
    pub refresh_after: Timestamp,
}

impl Minted {
    /// A token asked for at `asked_at` that lives for `seconds`: a fifth of its life is left when a newer one is due.
    pub fn new(security_token: SecretText, asked_at: Timestamp, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self {
            security_token: Arc::new(security_token),
            expires_at: asked_at.plus_seconds(seconds),
            refresh_after: asked_at.plus_seconds(seconds - seconds / 5),
        }
    }
}

/// Where an answer's token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From memory.
    Cache,
    /// From Qrvey, just now.
    Minted,
    /// From memory although a newer one is due: Qrvey does not answer.
    Kept,
}

impl Origin {
    /// As the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Minted => "minted",
            Self::Kept => "kept",
        }
    }
}

#[derive(Default)]
struct Slot {
    minted: Option<Minted>,
    failed: Option<(Instant, Error)>,
}

struct Entry {
    slot: Arc<tokio::sync::Mutex<Slot>>,
    bytes: usize,
    refresh_after: Timestamp,
}

/// The tokens.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<HashMap<String, Entry>>>);

impl Held {
    /// The token for `key`, by `mint` where there is none that serves at `now`. Callers that come while another asks for
    /// the same wait for that one's outcome, be it an error.
    pub async fn get(
        &self,
        key: &str,
        now: Timestamp,
        mint: impl Future<Output = Result<Minted, Error>>,
    ) -> Result<(Minted, Origin), Error> {
        let came_at = Instant::now();
        let slot = self.slot(key, now);
        let mut slot = slot.lock().await;
        if let Some(minted) = &slot.minted
            && now < minted.refresh_after
        {
            return Ok((minted.clone(), Origin::Cache));
        }
        let outcome = match &slot.failed {
            Some((failed_at, error)) if *failed_at >= came_at => Err(error.clone()),
            _ => mint.await,
        };
        match outcome {
            Ok(minted) => {
                self.note(key, &minted);
                *slot = Slot {
                    minted: Some(minted.clone()),
                    failed: None,
                };
                Ok((minted, Origin::Minted))
            }
            Err(error) => {
                let alive = slot.minted.clone();
                slot.failed = Some((Instant::now(), error.clone()));
                match alive.filter(|minted| now < minted.expires_at && error.may_pass()) {
                    Some(minted) => {
                        let soon = now.plus_seconds(TRY_AGAIN_SECONDS);
                        let refresh_after = soon.min(minted.expires_at);
                        let kept = Minted {
                            refresh_after,
                            ..minted
                        };
                        Ok((kept, Origin::Kept))
                    }
                    None => Err(error),
                }
            }
        }
    }

    fn slot(&self, key: &str, now: Timestamp) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = entries.values().map(|entry| entry.bytes).sum();
        if !entries.contains_key(key) && (entries.len() >= KEPT || bytes >= BYTES_KEPT) {
            entries.retain(|_, entry| now < entry.refresh_after);
            let bytes: usize = entries.values().map(|entry| entry.bytes).sum();
            if entries.len() >= KEPT || bytes >= BYTES_KEPT {
                entries.clear();
            }
        }
        let entry = entries.entry(key.to_owned()).or_insert_with(|| Entry {
            slot: Arc::default(),
            bytes: 0,
            // In use, however long Qrvey takes.
            refresh_after: now.plus_seconds(60),
        });
        entry.slot.clone()
    }

    fn note(&self, key: &str, minted: &Minted) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(key) {
            entry.bytes = minted.security_token.expose().len();
            entry.refresh_after = minted.refresh_after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn token(length: usize, seconds: u64) -> Result<Minted, Error> {
        let text = SecretText::new("t".repeat(length));
        Ok(Minted::new(text, NOW, seconds))
    }

    #[tokio::test]
    async fn a_fifth_of_the_life_is_left_when_a_newer_one_is_due() {
        let minted = token(3, 600).unwrap();
        assert_eq!(minted.expires_at, NOW.plus_seconds(600));
        assert_eq!(minted.refresh_after, NOW.plus_seconds(480));
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_replaced_serves_to_its_end_unless_qrvey_said_no() {
        let held = Held::default();
        held.get("k", NOW, async { token(3, 600) }).await.unwrap();
        let due = NOW.plus_seconds(480);
        let down = || async { Err(Error::Unavailable { status: None }) };
        let (kept, origin) = held.get("k", due, down()).await.unwrap();
        assert_eq!(origin, Origin::Kept);
        assert_eq!(kept.refresh_after, due.plus_seconds(30));
        let last = NOW.plus_seconds(590);
        let (kept, _) = held.get("k", last, down()).await.unwrap();
        assert_eq!(kept.refresh_after, kept.expires_at);
        let over = NOW.plus_seconds(600);
        assert!(held.get("k", over, down()).await.is_err());
        let no = async { Err(Error::Refused { status: 403 }) };
        assert!(held.get("k", due, no).await.is_err());
    }

    #[tokio::test]
    async fn memory_is_bounded_by_count_and_by_bytes() {
        let held = Held::default();
        for index in 0..KEPT * 2 {
            let key = index.to_string();
            held.get(&key, NOW, async { token(3, 600) }).await.unwrap();
        }
        assert!(held.0.lock().unwrap().len() <= KEPT);
        for index in 0..100 {
            let key = format!("large {index}");
            held.get(&key, NOW, async { token(1 << 20, 600) })
                .await
                .unwrap();
        }
        let kept: usize = held
            .0
            .lock()
            .unwrap()
            .values()
            .map(|entry| entry.bytes)
            .sum();
        assert!(kept <= BYTES_KEPT + (1 << 20), "{kept}");
    }
}
