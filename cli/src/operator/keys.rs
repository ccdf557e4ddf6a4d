//! `consulate keys init`: the keyrings that tokens and settings are sealed with. Made once; never overwritten, because
//! what was sealed under a lost key is lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::clock::Timestamp;
use consulate_core::random;
use consulate_core::secret::SecretText;
use serde_json::json;

use super::report::Report;
use super::secret_store::SecretStore;
use super::target::Target;

/// Every keyring, by name of its secret.
pub const KEYRINGS: [&str; 4] = [
    "keys/access",
    "keys/refresh",
    "keys/settings",
    "keys/fingerprint",
];

/// Makes the keyrings that are missing; refused when none is.
///
/// # Errors
/// Secrets Manager cannot be asked.
pub async fn init(target: &Target) -> anyhow::Result<Report> {
    let created = create_missing(target).await?;
    if created.is_empty() {
        let text = "The keyrings are there already, and were left as they are.";
        return Ok(Report::refused(text, json!({ "created": [] })));
    }
    let text = format!("Made {}.", created.join(", "));
    Ok(Report::done(text, json!({ "created": created })))
}

/// Makes the keyrings that are missing, and answers which.
///
/// # Errors
/// Secrets Manager cannot be asked.
pub async fn create_missing(target: &Target) -> anyhow::Result<Vec<&'static str>> {
    let store = SecretStore::of(target);
    let mut created = Vec::new();
    for name in KEYRINGS {
        if store.create(name, &keyring(target.clock.now())?).await? {
            created.push(name);
        }
    }
    Ok(created)
}

/// A keyring of one random key, named after the month it was made in.
fn keyring(now: Timestamp) -> anyhow::Result<SecretText> {
    let id: String = now.rfc3339().chars().take("2026-11".len()).collect();
    let key = STANDARD.encode(random::bytes::<32>()?);
    Ok(SecretText::new(
        json!({ "primary": id, "keys": { &id: key } }).to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use consulate_core::seal::Keyring;

    use super::*;

    #[test]
    fn a_new_keyring_is_of_the_shape_the_functions_read() {
        let now = Timestamp::from_seconds(1_795_244_400);
        let keyring = keyring(now).unwrap();
        Keyring::parse(&keyring).unwrap();
        assert!(keyring.expose().contains(r#""primary":"2026-11""#));
    }
}
