//! EDGE. Passports: whether anybody uses them, whether their client secrets are there, for the right endpoints and not about to end,
//! and whether their providers can be reached and agree about the time.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::definition::ClientAuthentication;
use consulate_core::dial;
use consulate_core::egress::{Egress, LoopbackExceptions};
use consulate_core::passport::Passport;
use http::{Request, Uri, header};
use serde_json::{Map, Value};

use super::super::secret_store::SecretStore;
use super::super::target::Target;
use super::Setup;
use super::notes::Notes;

/// A client secret that ends sooner should have a successor.
const AHEAD_DAYS: i64 = 30;
const DAY_MILLIS: i64 = 86_400_000;
/// Client assertions and expiries suffer beyond it; `Date` is cut to the second.
const SKEW_LIMIT_MILLIS: i64 = 10_000;
const TIME: Duration = Duration::from_secs(10);
const LONGEST_ANSWER: usize = 1024 * 1024;

pub(super) async fn look(store: &SecretStore, setup: &Setup, target: &Target, notes: &mut Notes) {
    for passport in &setup.passports {
        let about = format!("passport {}", passport.id);
        let is_bound = setup.widgets.iter().any(|widget| {
            let mut keys = widget.authentications.iter();
            keys.any(|key| key.passport.as_deref() == Some(passport.id.as_str()))
        });
        if !is_bound {
            notes.warning(
                "passport_orphaned",
                &about,
                "No widget is bound to it. Its connections, if there are any, are renewed all the same.",
                &format!(
                    "Bind it (import --bind), or give its connections up: consulate connections revoke --passport {}",
                    passport.id
                ),
            );
        }
        if passport.has_client_secret() {
            client_secret(store, passport, target.clock.now(), notes).await;
        }
    }
}

async fn client_secret(
    store: &SecretStore,
    passport: &Passport,
    now: Timestamp,
    notes: &mut Notes,
) {
    let name = format!("passports/{}", passport.id);
    let about = format!("secret {name}");
    let cure = format!("consulate secret set {name}");
    let text = match store.get(&name).await {
        Ok(Some(text)) => text,
        Ok(None) => {
            return notes.error(
                "client_secret_missing",
                &about,
                "Nobody can connect or be renewed with this passport.",
                &cure,
            );
        }
        Err(error) => return notes.unreadable(&about, &error),
    };
    let Ok(document) = serde_json::from_str::<Map<String, Value>>(text.expose()) else {
        return notes.error(
            "client_secret_malformed",
            &about,
            "It is not a JSON object.",
            &cure,
        );
    };
    let needed = match passport.client_authentication {
        ClientAuthentication::PrivateKeyJwt => "private_key",
        _ => "client_secret",
    };
    let there = document.get(needed).and_then(Value::as_str);
    if there.is_none_or(str::is_empty) {
        return notes.error(
            "client_secret_malformed",
            &about,
            &format!("It holds no `{needed}`, by which this passport's client proves itself."),
            &cure,
        );
    }
    let endpoints = document.get("endpoints").and_then(Value::as_array);
    let known: BTreeSet<&str> = endpoints
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let missing: Vec<String> = passport
        .secret_endpoints()
        .into_iter()
        .filter(|endpoint| !known.contains(endpoint.as_str()))
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "It was set for other addresses than the passport has now, and is not sent to {}.",
            missing.join(", ")
        );
        notes.error(
            "client_secret_elsewhere",
            &about,
            &message,
            &format!("Make sure that these addresses are the provider's, then: {cure}"),
        );
    }
    let ends = document.get("expires_at").and_then(Value::as_str);
    if let Some(ends) = ends.and_then(Timestamp::parse_rfc3339) {
        let days = ends.since(now).div_euclid(DAY_MILLIS);
        if ends.since(now) <= 0 {
            notes.error(
                "client_secret_expired",
                &about,
                &format!("It ended at {}.", ends.rfc3339()),
                &format!("Make a new one at the provider, then: {cure}"),
            );
        } else if days < AHEAD_DAYS {
            notes.warning(
                "client_secret_expires",
                &about,
                &format!("It ends in {days} days, at {}.", ends.rfc3339()),
                &format!("Make a new one at the provider, then: {cure}"),
            );
        }
    }
}

/// Asks every token endpoint once, without any credential: that it answers is what counts, and when it thinks it is.
pub(super) async fn reach(setup: &Setup, target: &Target, notes: &mut Notes) {
    let tls = match dial::tls(target.extra_ca.as_deref()) {
        Ok(tls) => tls,
        Err(error) => return notes.unreadable("TLS", &error.into()),
    };
    let exceptions = LoopbackExceptions::new(target.allow.iter().map(String::as_str));
    let egress = Egress::token_endpoints(tls, exceptions);
    let mut asked = BTreeSet::new();
    for passport in &setup.passports {
        let Ok(uri) = passport.token_url.parse::<Uri>() else {
            continue;
        };
        let Some(authority) = uri.authority().map(ToString::to_string) else {
            continue;
        };
        if !asked.insert(authority.clone()) {
            continue;
        }
        let about = format!("provider {authority}");
        let Ok(request) = Request::get(uri).body(Bytes::new()) else {
            continue;
        };
        match egress.send(request, TIME, LONGEST_ANSWER).await {
            Ok(answer) => {
                let date = answer.headers().get(header::DATE);
                let date = date.and_then(|date| date.to_str().ok());
                if let Some(date) = date.and_then(Timestamp::parse_http_date) {
                    time(&about, target.clock.now().since(date), notes);
                }
            }
            Err(error) => {
                let message = format!(
                    "Its token endpoint cannot be reached from here: {error}. Passport {} needs it.",
                    passport.id
                );
                let cure = "Look at the name, the provider's status page and this network's way out. The custodian has a network of its own.";
                notes.warning("provider_unreachable", &about, &message, cure);
            }
        }
    }
}

/// PURE. The provider's clock against this one.
fn time(about: &str, ahead_millis: i64, notes: &mut Notes) {
    if ahead_millis.abs() > SKEW_LIMIT_MILLIS {
        let message = format!(
            "Its clock and this one are {} s apart.",
            ahead_millis.abs() / 1_000
        );
        notes.warning(
            "provider_clock_skew",
            about,
            &message,
            "Set this clock (NTP); where it is right, tell the provider: expiries and signed assertions depend on it.",
        );
    }
}
