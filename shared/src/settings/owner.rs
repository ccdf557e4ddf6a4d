//! PURE. Whose settings, under which keys, and how much of it.

use crate::caller::Caller;
use crate::definition::OwnerMode;
use crate::digest;
use crate::owner::OwnerKey;

/// The longest key, bytes.
pub const KEY_LIMIT: usize = 128;

/// What one owner may keep with one widget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Settings.
    pub keys: u32,
    /// Bytes of keys and values together.
    pub bytes: u64,
}

impl Quota {
    /// What an owner of this kind may keep: 100 settings and 1 MiB for a user, 200 and 4 MiB for an organisation.
    pub fn of(mode: OwnerMode) -> Self {
        match mode {
            OwnerMode::User => Self {
                keys: 100,
                bytes: 1024 * 1024,
            },
            OwnerMode::Organisation => Self {
                keys: 200,
                bytes: 4 * 1024 * 1024,
            },
        }
    }
}

/// Whose settings, with which widget: a digest, like [`OwnerKey`]. Only a verified [`Caller`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsOwner {
    pub(super) digest: String,
    mode: OwnerMode,
}

impl SettingsOwner {
    /// The caller's own settings with `widget`, or those of the caller's organisation.
    pub fn of(widget: &str, caller: &Caller, mode: OwnerMode) -> Self {
        let owner = OwnerKey::of(caller, mode);
        let parts = ["settings", widget, owner.as_str()];
        Self {
            digest: digest::text(parts.map(str::as_bytes)),
            mode,
        }
    }

    /// What may be kept.
    pub fn quota(&self) -> Quota {
        Quota::of(self.mode)
    }
}

/// The name of a setting: 1 to 128 of `A-Z a-z 0-9 . _ : -`, the first a letter or a digit. So it is one path segment that no
/// browser rewrites, and never needs encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingKey(String);

impl SettingKey {
    /// `None` where the text is not a key.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        (text.len() <= KEY_LIMIT && first.is_ascii_alphanumeric() && text.bytes().all(usable))
            .then(|| Self(text.to_owned()))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(host: &str, organisation: &str, user: &str) -> Caller {
        Caller {
            host: host.into(),
            organisation: organisation.into(),
            user: user.into(),
            email: None,
        }
    }

    #[test]
    fn owners_who_differ_in_anything_have_settings_of_their_own() {
        let owner = |widget: &str, host, organisation, user, mode| {
            SettingsOwner::of(widget, &caller(host, organisation, user), mode).digest
        };
        let all = [
            owner("w", "h", "o", "u", OwnerMode::User),
            owner("w2", "h", "o", "u", OwnerMode::User),
            owner("w", "h2", "o", "u", OwnerMode::User),
            owner("w", "h", "o2", "u", OwnerMode::User),
            owner("w", "h", "o", "u2", OwnerMode::User),
            owner("w", "h", "o", "u", OwnerMode::Organisation),
            owner("w", "h", "o2", "u", OwnerMode::Organisation),
        ];
        let apart: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(apart.len(), all.len());
        assert_eq!(
            owner("w", "h", "o", "u", OwnerMode::Organisation),
            owner("w", "h", "o", "u2", OwnerMode::Organisation)
        );
    }

    #[test]
    fn a_key_is_one_plain_path_segment() {
        for key in ["a", "0", "theme", "a.b_c:d-e", &"k".repeat(128)] {
            assert_eq!(SettingKey::parse(key).unwrap().as_str(), key);
        }
        let long = "k".repeat(129);
        for text in [
            "", ".", "..", "-a", "_a", "a/b", "a b", "a\nb", "é", "a%2Fb", &long,
        ] {
            assert_eq!(SettingKey::parse(text), None, "{text:?}");
        }
    }
}
