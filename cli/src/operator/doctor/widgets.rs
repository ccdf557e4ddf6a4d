//! EDGE. Whether widgets can verify their callers and find their passports, and whether rotated host secrets were rotated to the end.

use consulate_bundle::secret_shape::is_api_key_for;
use consulate_core::clock::Timestamp;
use consulate_core::host::{Host, HostKind};
use consulate_core::secret::SecretText;
use consulate_core::table;
use serde_json::{Map, Value};

use super::super::secret_store::SecretStore;
use super::super::target::Target;
use super::Setup;
use super::notes::Notes;

/// A rotation is done in days: hosts and widgets are told the new secret, then the old one is taken out.
const ROTATION_DAYS: i64 = 7;
const DAY_SECONDS: i64 = 86_400;

pub(super) async fn look(store: &SecretStore, setup: &Setup, target: &Target, notes: &mut Notes) {
    let records = target.records();
    for widget in &setup.widgets {
        let about = format!("widget {}", widget.id);
        for authentication in &widget.authentications {
            match &authentication.passport {
                None => notes.warning(
                    "not_bound",
                    &about,
                    &format!(
                        "{} is bound to no passport: every call of it is refused.",
                        authentication.auth_key
                    ),
                    "Import it again with --bind AUTHKEY=PASSPORT.",
                ),
                Some(id) if !setup.passports.iter().any(|passport| passport.id == *id) => {
                    notes.error(
                        "passport_missing",
                        &about,
                        &format!(
                            "{} is bound to passport {id}, which there is not.",
                            authentication.auth_key
                        ),
                        "Add the passport (consulate passports add), or bind another one.",
                    );
                }
                Some(_) => {}
            }
        }
        for (template, definition) in &widget.qrvey {
            let name = format!("qrvey/{}/{template}", widget.id);
            match store.get(&name).await {
                Ok(Some(stored)) if is_api_key(&stored, &definition.domain) => {}
                Ok(Some(_)) => notes.error(
                    "api_key_unusable",
                    &format!("secret {name}"),
                    &format!("It is not the API key of {}.", definition.domain),
                    &format!("consulate secret set {name}"),
                ),
                Ok(None) => notes.error(
                    "api_key_missing",
                    &format!("secret {name}"),
                    "The template's API key is not set.",
                    &format!("consulate secret set {name}"),
                ),
                Err(error) => notes.unreadable(&format!("secret {name}"), &error),
            }
        }
        let Some(host) = &widget.host else {
            notes.warning(
                "host_missing",
                &about,
                "It has no host: every caller is refused.",
                "Give it one in consulate.json and import it again.",
            );
            continue;
        };
        match records.read::<Host>(table::host_pk(host)).await {
            Ok(Some(host)) => {
                if matches!(host.definition.kind, HostKind::Happeo) {
                    host_secrets(store, &widget.id, target.clock.now(), notes).await;
                }
            }
            Ok(None) => notes.error(
                "host_missing",
                &about,
                &format!("Its host {host} is not there."),
                "Import the widget that brought it again.",
            ),
            Err(error) => notes.unreadable(&about, &error.into()),
        }
    }
}

/// PURE. Whether this is an API key that may be sent to `domain`.
fn is_api_key(stored: &SecretText, domain: &str) -> bool {
    let document: Option<Map<String, Value>> = serde_json::from_str(stored.expose()).ok();
    let key = document.and_then(|document| document.get("api_key")?.as_str().map(str::to_owned));
    key.is_some_and(|key| !key.is_empty()) && is_api_key_for(stored, domain)
}

/// The secret that callers' JWTs are signed with; with more than one in it, a rotation is under way.
async fn host_secrets(store: &SecretStore, widget: &str, now: Timestamp, notes: &mut Notes) {
    let name = format!("widgets/{widget}");
    let about = format!("secret {name}");
    let cure = format!("consulate secret set {name}");
    let text = match store.get(&name).await {
        Ok(Some(text)) => text,
        Ok(None) => {
            return notes.error(
                "host_secret_missing",
                &about,
                "No caller of the widget can be verified.",
                &cure,
            );
        }
        Err(error) => return notes.unreadable(&about, &error),
    };
    let document: Option<Map<String, Value>> = serde_json::from_str(text.expose()).ok();
    let secrets = document.and_then(|document| {
        let secrets = document.get("host_secrets")?.as_array()?.clone();
        secrets.iter().all(Value::is_string).then_some(secrets)
    });
    match secrets {
        Some(secrets) if secrets.len() > 1 => {
            let changed = store.changed_at(&name).await.ok().flatten();
            let age = changed.map_or(0, |changed| now.since(changed) / 1_000 / DAY_SECONDS);
            if age >= ROTATION_DAYS {
                let message = format!(
                    "A rotation was begun {age} days ago and not ended: the old value is still accepted."
                );
                notes.warning(
                    "host_secret_still_old",
                    &about,
                    &message,
                    "Where the host signs with the new secret by now, set it alone.",
                );
            }
        }
        Some(secrets) if !secrets.is_empty() => {}
        _ => notes.error(
            "host_secret_malformed",
            &about,
            "It is not of the form {\"host_secrets\":[\"current\",\"next\"]}.",
            &cure,
        ),
    }
}
