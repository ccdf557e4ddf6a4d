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
    #[cfg(feature = "simulation")]
    if simulated::fill(&mut bytes) {
        return Ok(bytes);
    }
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

/// Repeatable bytes instead, on one thread, for simulations. The feature is on in no function: `cargo verify tree` sees to it.
#[cfg(feature = "simulation")]
pub mod simulated {
    use std::cell::RefCell;

    type Source = Box<dyn FnMut(&mut [u8])>;

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    /// From now on this thread's random bytes come from `source`, `None` gives the operating system's back.
    pub fn set(source: Option<Source>) {
        SOURCE.with(|held| *held.borrow_mut() = source);
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        SOURCE.with(|held| match held.borrow_mut().as_mut() {
            Some(source) => {
                source(bytes);
                true
            }
            None => false,
        })
    }
}
