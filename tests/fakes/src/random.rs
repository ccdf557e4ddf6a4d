//! Random values, digests and comparison in constant time. Touches the operating system's random source only.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// `prefix` followed by 32 random bytes in base64url (43 characters, all unreserved in URLs).
pub(crate) fn random_value(prefix: &str) -> anyhow::Result<String> {
    let mut bytes = [0u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow!("the operating system's random source failed"))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// SHA-256 of `text` in base64url: how a credential is named in a state file, and PKCE's S256 (RFC 7636 section 4.2).
pub(crate) fn sha256_base64url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// SHA-256 of `text` in hex.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// MD5 of `text` in hex, for the checksums that SQS still has in that form.
pub(crate) fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A UUID (RFC 9562, version 8) that is the same for the same `text`: a run that is repeated repeats its ids.
pub(crate) fn uuid_of(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bits = digest
        .as_ref()
        .iter()
        .take(16)
        .fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xfff,
        bits >> 48 & 0x3fff | 0x8000,
        bits & 0xffff_ffff_ffff,
    )
}

/// Whether `left` equals `right`, without telling by its duration where they differ.
pub(crate) fn equal_in_constant_time(left: &str, right: &str) -> bool {
    // Digests first, so that neither length shows.
    let (left, right) = (
        digest(&SHA256, left.as_bytes()),
        digest(&SHA256, right.as_bytes()),
    );
    let difference = left
        .as_ref()
        .iter()
        .zip(right.as_ref())
        .fold(0u8, |difference, (left, right)| difference | (left ^ right));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_looks_at_every_byte_and_the_length() {
        assert!(equal_in_constant_time("abc", "abc"));
        assert!(!equal_in_constant_time("abc", "abd"));
        assert!(!equal_in_constant_time("abc", "abcd"));
        assert!(!equal_in_constant_time("", "a"));
    }

    #[test]
    fn md5_is_the_example_of_rfc_1321() {
        assert_eq!(
            md5_hex("message digest"),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
    }

    #[test]
    fn the_same_text_has_the_same_uuid() {
        assert_eq!(uuid_of("message 1"), uuid_of("message 1"));
        assert_ne!(uuid_of("message 1"), uuid_of("message 2"));
        let uuid = uuid_of("message 1");
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }

    #[test]
    fn s256_is_the_example_of_rfc_7636_appendix_b() {
        assert_eq!(
            sha256_base64url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
