//! What a page of one session hands to the next page of the same session in a form, without keeping it here: sealed under a key
//! that only the session's cookie makes. A bundle may bring a client secret, and one may be typed; so it stands in no page that can be read, and what
//! comes back is what was sent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consulate_core::digest;
use consulate_core::seal::{Error, Keyring, Place};
use consulate_core::secret::SecretText;
use serde_json::json;

/// Where what is sealed stands: in one field of a form, and in no other.
fn place(field: &str) -> Place<'_> {
    Place {
        item_key: "console form",
        grant_id: "",
        field,
        token_url: "",
    }
}

fn key(cookie: &str) -> Result<Keyring, Error> {
    let key = digest::sha256([&b"console form key"[..], cookie.as_bytes()]);
    let document = json!({ "primary": "session", "keys": { "session": STANDARD.encode(key) } });
    Keyring::parse(&SecretText::new(document.to_string()))
}

/// `plain` as text for the hidden field `field`.
pub(crate) fn seal(cookie: &str, field: &str, plain: &SecretText) -> Result<String, Error> {
    let sealed = key(cookie)?.seal(plain, place(field))?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// What [`seal`] made for this field of this session; `None` for anything else.
pub(crate) fn open(cookie: &str, field: &str, text: &str) -> Option<SecretText> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    key(cookie).ok()?.open(&sealed, place(field)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_session_that_sealed_it_opens_it_and_only_in_its_place() {
        let sealed = seal("a-cookie", "f", &SecretText::new("a secret")).unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(open("a-cookie", "f", &sealed).unwrap().expose(), "a secret");
        assert!(open("another", "f", &sealed).is_none());
        assert!(open("a-cookie", "g", &sealed).is_none());
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 5;
        changed[last] ^= 1;
        assert!(open("a-cookie", "f", &String::from_utf8(changed).unwrap()).is_none());
        assert!(open("a-cookie", "f", "").is_none());
    }
}
