//! Unguessable values, from the operating system through ring.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system gave no random bytes: nothing can be made or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// `N` random bytes.
///
/// # Errors
/// [`NoEntropy`]: answer 503, nothing was changed.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// 256 random bits as unpadded base64url: 43 characters.
///
/// # Errors
/// [`NoEntropy`]: answer 503, nothing was changed.
pub fn secret_text() -> Result<String, NoEntropy> {
    bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// 128 random bits as unpadded base64url: 22 characters. For ids.
///
/// # Errors
/// [`NoEntropy`]: answer 503, nothing was changed.
pub fn id() -> Result<String, NoEntropy> {
    bytes::<16>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}
