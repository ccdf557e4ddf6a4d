//! What a page of one session hands to the next page of the same session in a form, without keeping it here: sealed under a key
//! that only the session's cookie makes. A bundle may bring a client secret; so it stands in no page that can be read, and what
//! comes back is what was sent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consulate_core::digest;
use consulate_core::seal::{Error, Keyring, Place};
use consulate_core::secret::SecretText;
use serde_json::json;

const PLACE: Place<'static> = Place {
    item_key: "console form",
    grant_id: "",
    field: "definitions",
    token_url: "",
};

fn key(cookie: &str) -> Result<Keyring, Error> {
    let key = digest::sha256([&b"console form key"[..], cookie.as_bytes()]);
    let document = json!({ "primary": "session", "keys": { "session": STANDARD.encode(key) } });
    Keyring::parse(&SecretText::new(document.to_string()))
}

/// `plain` as text for a hidden field.
pub(crate) fn seal(cookie: &str, plain: &SecretText) -> Result<String, Error> {
    let sealed = key(cookie)?.seal(plain, PLACE)?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// What [`seal`] made for this session; `None` for anything else.
pub(crate) fn open(cookie: &str, text: &str) -> Option<SecretText> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    key(cookie).ok()?.open(&sealed, PLACE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_session_that_sealed_it_opens_it() {
        let sealed = seal("a-cookie", &SecretText::new("a secret")).unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(open("a-cookie", &sealed).unwrap().expose(), "a secret");
        assert!(open("another", &sealed).is_none());
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 5;
        changed[last] ^= 1;
        assert!(open("a-cookie", &String::from_utf8(changed).unwrap()).is_none());
        assert!(open("a-cookie", "").is_none());
    }
}
