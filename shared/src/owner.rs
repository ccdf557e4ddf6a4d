//! PURE. Whom a connection belongs to, as a key.

use crate::caller::Caller;
use crate::definition::OwnerMode;
use crate::digest;

/// The owner part of a connection's key: a digest, so that no caller-chosen text is ever joined into a key, and no two
/// (host, organisation, user) can meet. 43 characters. Only a verified [`Caller`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct OwnerKey(String);

impl OwnerKey {
    /// The key under which `caller` owns a connection in `mode`.
    pub fn of(caller: &Caller, mode: OwnerMode) -> Self {
        Self::of_record(&caller.host, &caller.organisation, &caller.user, mode)
    }

    /// The key of whoever a stored connection says it was connected by. For the operator's command; a request's key comes
    /// from its verified caller.
    pub fn of_record(host: &str, organisation: &str, user: &str, mode: OwnerMode) -> Self {
        let (kind, user) = match mode {
            OwnerMode::User => ("user", user),
            OwnerMode::Organisation => ("organisation", ""),
        };
        let parts = [kind, host, organisation, user];
        Self(digest::text(parts.iter().map(|part| part.as_bytes())))
    }

    /// A key as the table has it. Never from a caller's text: only [`of`](Self::of) says who may have it.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
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
    fn callers_who_differ_in_any_part_own_different_connections() {
        let key = |host, organisation, user| {
            OwnerKey::of(&caller(host, organisation, user), OwnerMode::User)
        };
        assert_ne!(key("h", "o", "u1"), key("h", "o", "u2"));
        assert_ne!(key("h", "o1", "u"), key("h", "o2", "u"));
        assert_ne!(key("h1", "o", "u"), key("h2", "o", "u"));
        assert_ne!(key("h", "ou", "1"), key("h", "o", "u1"));
    }

    #[test]
    fn an_organisation_shares_one_connection_that_no_user_can_spell() {
        let shared = |user| OwnerKey::of(&caller("h", "o", user), OwnerMode::Organisation);
        assert_eq!(shared("u1"), shared("u2"));
        assert_ne!(
            shared(""),
            OwnerKey::of(&caller("h", "o", ""), OwnerMode::User)
        );
    }
}
