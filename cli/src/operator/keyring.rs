//! PURE. A keyring's secret, `{"primary":"2026-11","keys":{"2026-11":"<base64, 32 bytes>"}}`, and what becomes of it: a key is published
//! beside the primary, promoted to be it, and one day retired. The one that is published and not yet promoted is the one whose
//! id comes after the primary's.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::clock::Timestamp;
use consulate_core::random;
use consulate_core::seal::Keyring;
use consulate_core::secret::SecretText;
use serde::{Deserialize, Serialize};

/// The secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub primary: String,
    keys: BTreeMap<String, KeyText>,
}

/// A key as it is written. Never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct KeyText(String);

impl Document {
    /// One random key, named after the month it is made in.
    pub fn new(now: Timestamp) -> anyhow::Result<Self> {
        let id = month(now);
        Ok(Self {
            keys: BTreeMap::from([(id.clone(), random_key()?)]),
            primary: id,
        })
    }

    /// From the secret's text; `None` where it is no keyring.
    pub fn parse(text: &SecretText) -> Option<Self> {
        Keyring::parse(text).ok()?;
        serde_json::from_str(text.expose()).ok()
    }

    /// The secret's text.
    pub fn text(&self) -> anyhow::Result<SecretText> {
        Ok(SecretText::new(serde_json::to_string(self)?))
    }

    /// Ids of its keys.
    pub fn ids(&self) -> Vec<String> {
        self.keys.keys().cloned().collect()
    }

    /// The key that is published and not yet promoted.
    pub fn pending(&self) -> Option<String> {
        let last = self.keys.keys().next_back()?;
        (*last > self.primary).then(|| last.clone())
    }

    /// With one more key, which nothing is sealed with yet; its id.
    pub fn publish(&mut self, now: Timestamp) -> anyhow::Result<String> {
        let id = next_id(&month(now), &self.primary);
        self.keys.insert(id.clone(), random_key()?);
        Ok(id)
    }

    /// Makes the published key the one that is sealed with. False where there is none of that id.
    pub fn promote(&mut self, id: &str) -> bool {
        let is_there = self.keys.contains_key(id);
        if is_there {
            id.clone_into(&mut self.primary);
        }
        is_there
    }

    /// Takes a key out. False where it is not there, or is the one that is sealed with.
    pub fn retire(&mut self, id: &str) -> bool {
        id != self.primary && self.keys.remove(id).is_some()
    }
}

/// `2026-11`.
fn month(now: Timestamp) -> String {
    now.rfc3339().chars().take("2026-11".len()).collect()
}

/// An id after `primary`: the month, or, in the same one (or should the clock have gone back), with a number behind it.
fn next_id(month: &str, primary: &str) -> String {
    if month > primary {
        return month.to_owned();
    }
    let (stem, number) = match primary.split_once('.') {
        Some((stem, number)) => (stem, number.parse::<u32>().unwrap_or(1)),
        None => (primary, 1),
    };
    format!("{stem}.{:03}", number.saturating_add(1))
}

fn random_key() -> anyhow::Result<KeyText> {
    Ok(KeyText(STANDARD.encode(random::bytes::<32>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_244_400);

    #[test]
    fn a_new_keyring_is_of_the_shape_the_functions_read() {
        let text = Document::new(NOW).unwrap().text().unwrap();
        Keyring::parse(&text).unwrap();
        assert!(text.expose().contains(r#""primary":"2026-11""#));
    }

    #[test]
    fn a_key_is_published_promoted_and_retired_and_never_the_primary() {
        let mut document = Document::new(NOW).unwrap();
        assert_eq!(document.pending(), None);
        let id = document.publish(NOW).unwrap();
        assert_eq!(
            (id.as_str(), document.primary.as_str()),
            ("2026-11.002", "2026-11")
        );
        assert_eq!(document.pending().as_deref(), Some("2026-11.002"));
        assert!(!document.promote("2027-01"));
        assert!(document.promote(&id));
        assert_eq!(document.pending(), None);
        assert!(!document.retire(&id) && !document.retire("2020-01"));
        assert!(document.retire("2026-11"));
        Keyring::parse(&document.text().unwrap()).unwrap();
        assert_eq!(document.ids(), ["2026-11.002"]);
    }

    #[test]
    fn ids_come_one_after_the_other_whatever_the_month() {
        for (month, primary, expected) in [
            ("2026-12", "2026-11", "2026-12"),
            ("2026-12", "2026-11.004", "2026-12"),
            ("2026-11", "2026-11", "2026-11.002"),
            ("2026-11", "2026-11.002", "2026-11.003"),
            ("2026-10", "2026-11", "2026-11.002"),
            ("2026-11", "k", "k.002"),
        ] {
            let id = next_id(month, primary);
            assert_eq!(id, expected);
            assert!(*id > *primary);
        }
    }

    #[test]
    fn what_is_no_keyring_is_not_read() {
        for text in ["", "{}", r#"{"primary":"a","keys":{"a":"AAAA"}}"#] {
            assert!(Document::parse(&SecretText::new(text)).is_none());
        }
    }
}
