//! Sealing: what lies in the table can be opened only in its own place, by who holds the keyring.
//!
//! ```text
//! sealed value = format version (1 byte, 1) | key id length (1) | key id | salt (32) | nonce (12) | ciphertext and tag
//! data key     = HKDF-SHA-256(keyring key, salt, info "consulate sealed value 1")      (RFC 5869)
//! cipher       = AES-256-GCM, associated data = format version and the value's Place, each part length-prefixed
//! ```
//!
//! A data key per value: one static key with random nonces would pass its safe limit at ten million connections.
//! Swapping rows, fields, grants or endpoints fails to open.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::random::{self, NoEntropy};
use crate::secret::SecretText;

const FORMAT: u8 = 1;
const SALT_LEN: usize = 32;
const KEY_LEN: usize = 32;
const INFO: &[u8] = b"consulate sealed value 1";

/// A value cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The secret is not a keyring: the operator has to repair it.
    #[error("the keyring is not of the documented shape")]
    MalformedKeyring,
    /// The value names a key the keyring does not hold: reload the keyring once, then give up.
    #[error("the keyring holds no key of that id")]
    UnknownKey,
    /// The value was changed, or lies in another place than it was sealed for.
    #[error("the value does not open here")]
    DoesNotOpen,
    /// No random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// Where a sealed value lies. Bound to it as associated data.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Partition key of the item.
    pub item_key: &'a str,
    /// The grant the value came from.
    pub grant_id: &'a str,
    /// Field name: `access_token`, `refresh_token`.
    pub field: &'a str,
    /// The token endpoint the value came from and may go back to.
    pub token_url: &'a str,
}

impl Place<'_> {
    fn associated_data(&self) -> [u8; 32] {
        crate::digest::sha256([
            &[FORMAT][..],
            self.item_key.as_bytes(),
            self.grant_id.as_bytes(),
            self.field.as_bytes(),
            &crate::digest::sha256([self.token_url.as_bytes()]),
        ])
    }
}

/// `{"primary":"2026-11","keys":{"2026-11":"<base64, 32 bytes>"}}`: seals with the primary, opens with any.
pub struct Keyring {
    primary: String,
    keys: BTreeMap<String, Zeroizing<[u8; KEY_LEN]>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringDocument {
    primary: String,
    keys: BTreeMap<String, SecretText>,
}

impl Keyring {
    /// From the secret's JSON.
    ///
    /// # Errors
    /// [`Error::MalformedKeyring`].
    pub fn parse(text: &SecretText) -> Result<Self, Error> {
        let document: KeyringDocument =
            serde_json::from_str(text.expose()).map_err(|_| Error::MalformedKeyring)?;
        let mut keys = BTreeMap::new();
        for (id, key) in document.keys {
            let bytes = Zeroizing::new(
                STANDARD
                    .decode(key.expose())
                    .map_err(|_| Error::MalformedKeyring)?,
            );
            let key: [u8; KEY_LEN] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| Error::MalformedKeyring)?;
            if id.is_empty() || id.len() > 64 {
                return Err(Error::MalformedKeyring);
            }
            keys.insert(id, Zeroizing::new(key));
        }
        if !keys.contains_key(&document.primary) {
            return Err(Error::MalformedKeyring);
        }
        Ok(Self {
            primary: document.primary,
            keys,
        })
    }

    /// Seals `plain` for `place`.
    ///
    /// # Errors
    /// [`Error::NoEntropy`]; the others do not occur with a parsed keyring.
    pub fn seal(&self, plain: &SecretText, place: Place<'_>) -> Result<Vec<u8>, Error> {
        let key = self.keys.get(&self.primary).ok_or(Error::UnknownKey)?;
        let salt = random::bytes::<SALT_LEN>()?;
        let nonce = random::bytes::<NONCE_LEN>()?;
        let mut sealed = Vec::with_capacity(
            2 + self.primary.len() + SALT_LEN + NONCE_LEN + plain.expose().len() + 16,
        );
        sealed.push(FORMAT);
        sealed.push(u8::try_from(self.primary.len()).map_err(|_| Error::MalformedKeyring)?);
        sealed.extend_from_slice(self.primary.as_bytes());
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(&nonce);
        let mut text = Zeroizing::new(plain.expose().as_bytes().to_vec());
        let tag = data_key(key, &salt)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.associated_data()),
                text.as_mut_slice(),
            )
            .map_err(|_| Error::DoesNotOpen)?;
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] where another version of the keyring may help; [`Error::DoesNotOpen`] where nothing will.
    pub fn open(&self, sealed: &[u8], place: Place<'_>) -> Result<SecretText, Error> {
        let (&format, rest) = sealed.split_first().ok_or(Error::DoesNotOpen)?;
        if format != FORMAT {
            return Err(Error::DoesNotOpen);
        }
        let (&id_len, rest) = rest.split_first().ok_or(Error::DoesNotOpen)?;
        let (id, rest) = rest
            .split_at_checked(usize::from(id_len))
            .ok_or(Error::DoesNotOpen)?;
        let (salt, rest) = rest.split_at_checked(SALT_LEN).ok_or(Error::DoesNotOpen)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(Error::DoesNotOpen)?;
        let id = std::str::from_utf8(id).map_err(|_| Error::DoesNotOpen)?;
        let key = self.keys.get(id).ok_or(Error::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::DoesNotOpen)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let plain = data_key(key, salt)?
            .open_in_place(
                nonce,
                Aad::from(place.associated_data()),
                text.as_mut_slice(),
            )
            .map_err(|_| Error::DoesNotOpen)?;
        std::str::from_utf8(plain)
            .map(SecretText::new)
            .map_err(|_| Error::DoesNotOpen)
    }

    /// HMAC-SHA-256 of `text` under the primary key, cut to 128 bits: tells secrets apart without being one. With a
    /// keyring of its own (`keys/fingerprint`), which is not rotated with the sealing keys, it survives resealing.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] does not occur with a parsed keyring.
    pub fn fingerprint(&self, text: &SecretText) -> Result<Vec<u8>, Error> {
        let key = self.keys.get(&self.primary).ok_or(Error::UnknownKey)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_slice());
        let tag = hmac::sign(&key, text.expose().as_bytes());
        Ok(tag.as_ref().iter().copied().take(16).collect())
    }
}

/// Id of the key that a sealed value is sealed under; `None` where it is none.
pub fn key_id(sealed: &[u8]) -> Option<&str> {
    let [FORMAT, id_len, rest @ ..] = sealed else {
        return None;
    };
    std::str::from_utf8(rest.get(..usize::from(*id_len))?).ok()
}

fn data_key(key: &[u8; KEY_LEN], salt: &[u8]) -> Result<LessSafeKey, Error> {
    let derived = Salt::new(HKDF_SHA256, salt).extract(key);
    let expanded = derived
        .expand(&[INFO], &AES_256_GCM)
        .map_err(|_| Error::DoesNotOpen)?;
    Ok(LessSafeKey::new(UnboundKey::from(expanded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        item_key: "CONNECTION#p#o",
        grant_id: "g1",
        field: "refresh_token",
        token_url: "https://login.example.com/token",
    };

    fn keyring(ids: &[&str], primary: &str) -> Keyring {
        let keys: BTreeMap<_, _> = ids
            .iter()
            .map(|id| (*id, STANDARD.encode([id.len() as u8; 32])))
            .collect();
        let text = serde_json::json!({"primary": primary, "keys": keys}).to_string();
        Keyring::parse(&SecretText::new(text)).unwrap()
    }

    #[test]
    fn a_value_opens_in_its_place() {
        let keyring = keyring(&["2026-11"], "2026-11");
        let sealed = keyring.seal(&SecretText::new("rt-1"), PLACE).unwrap();
        assert_eq!(keyring.open(&sealed, PLACE).unwrap().expose(), "rt-1");
    }

    #[test]
    fn a_value_moved_to_another_row_field_grant_or_endpoint_does_not_open() {
        let keyring = keyring(&["k"], "k");
        let sealed = keyring.seal(&SecretText::new("rt-1"), PLACE).unwrap();
        let elsewhere = [
            Place {
                item_key: "CONNECTION#p#other",
                ..PLACE
            },
            Place {
                grant_id: "g2",
                ..PLACE
            },
            Place {
                field: "access_token",
                ..PLACE
            },
            Place {
                token_url: "https://evil.example/token",
                ..PLACE
            },
        ];
        for place in elsewhere {
            assert_eq!(
                keyring.open(&sealed, place).unwrap_err(),
                Error::DoesNotOpen
            );
        }
    }

    #[test]
    fn a_changed_or_shortened_value_does_not_open_and_does_not_panic() {
        let keyring = keyring(&["k"], "k");
        let sealed = keyring.seal(&SecretText::new("rt-1"), PLACE).unwrap();
        for length in 0..sealed.len() {
            assert!(keyring.open(&sealed[..length], PLACE).is_err());
        }
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keyring.open(&changed, PLACE).is_err(), "byte {index}");
        }
    }

    #[test]
    fn a_value_under_the_former_primary_opens_after_rotation() {
        let sealed = keyring(&["old"], "old")
            .seal(&SecretText::new("rt-1"), PLACE)
            .unwrap();
        let rotated = keyring(&["old", "newer"], "newer");
        assert_eq!(rotated.open(&sealed, PLACE).unwrap().expose(), "rt-1");
        let retired = keyring(&["newer"], "newer");
        assert_eq!(retired.open(&sealed, PLACE).unwrap_err(), Error::UnknownKey);
    }

    #[test]
    fn a_value_names_the_key_it_is_sealed_under() {
        let sealed = keyring(&["2026-11"], "2026-11")
            .seal(&SecretText::new("rt-1"), PLACE)
            .unwrap();
        assert_eq!(key_id(&sealed), Some("2026-11"));
        assert_eq!(
            (key_id(&[]), key_id(&[2, 1, b'k']), key_id(&[1, 9, b'k'])),
            (None, None, None)
        );
    }

    #[test]
    fn the_same_text_is_never_sealed_to_the_same_bytes() {
        let keyring = keyring(&["k"], "k");
        let text = SecretText::new("rt-1");
        assert_ne!(
            keyring.seal(&text, PLACE).unwrap(),
            keyring.seal(&text, PLACE).unwrap()
        );
    }

    #[test]
    fn a_keyring_of_another_shape_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"primary":"a","keys":{}}"#,
            r#"{"primary":"a","keys":{"a":"AAAA"}}"#,
            r#"{"primary":"a","keys":{"a":"!"},"extra":1}"#,
        ] {
            assert!(Keyring::parse(&SecretText::new(text)).is_err(), "{text}");
        }
    }
}
