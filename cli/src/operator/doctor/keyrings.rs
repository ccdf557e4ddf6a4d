//! EDGE. Whether what tokens and settings are sealed with is there and of the right shape.

use super::super::keyring::Document;
use super::super::keys::KEYRINGS;
use super::super::secret_store::SecretStore;
use super::notes::Notes;

pub(super) async fn look(store: &SecretStore, notes: &mut Notes) {
    for name in KEYRINGS {
        let about = format!("secret {name}");
        let text = match store.get(name).await {
            Ok(text) => text,
            Err(error) => {
                notes.unreadable(&about, &error);
                continue;
            }
        };
        let Some(text) = text else {
            notes.error(
                "keyring_missing",
                &about,
                "It is not set: nothing can be sealed or opened with it.",
                "New deployment: consulate keys init. Otherwise restore the secret; what was sealed under a lost key is lost.",
            );
            continue;
        };
        match Document::parse(&text) {
            None => notes.error(
                "keyring_malformed",
                &about,
                "It is not a keyring: {\"primary\":ID,\"keys\":{ID:BASE64 of 32 bytes}}.",
                "Put its former version back (Secrets Manager keeps it as AWSPREVIOUS).",
            ),
            Some(document) => {
                if let Some(pending) = document.pending() {
                    let message = format!("Key {pending} is published and was not promoted.");
                    notes.warning(
                        "rotation_unfinished",
                        &about,
                        &message,
                        "Run consulate keys rotate again: it goes on with that key.",
                    );
                }
            }
        }
    }
}
