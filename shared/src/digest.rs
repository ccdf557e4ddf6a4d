//! PURE. SHA-256 over several parts, without joining them: each part is preceded by its length, so that `("ab","c")`
//! and `("a","bc")` differ. Everything that turns caller-chosen text into a key goes through here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

/// SHA-256 over length-prefixed parts: 32 bytes.
pub fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// [`sha256`] as unpadded base64url: 43 characters.
pub fn text<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    URL_SAFE_NO_PAD.encode(sha256(parts))
}

/// The first 96 bits of [`sha256`] as base64url: 16 characters. For telling versions apart, not for secrets.
pub fn short<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut text = text(parts);
    text.truncate(16);
    text
}

/// Unpadded base64url (RFC 4648 section 5).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads unpadded base64url; `None` where the text is none.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(text([&b"ab"[..], b"c"]), text([&b"a"[..], b"bc"]));
        assert_ne!(text([&b"ab"[..]]), text([&b"ab"[..], b""]));
    }
}
