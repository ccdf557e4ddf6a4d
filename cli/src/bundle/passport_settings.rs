//! PURE. `passports` of `consulate.json`: what the Appspace format has no word for, added to a bundled passport.
//!
//! What is not declared takes the safe reading: single-use refresh tokens, the client secret in the body, PKCE sent, no
//! browser delivery.

use std::collections::BTreeMap;

use consulate_core::definition::{ClientAuthentication, Passport, RefreshRotation};
use consulate_core::egress::LoopbackExceptions;

use super::address;
use super::document::Object;
use super::finding::{Findings, Place};
use super::passport_file::{endpoint, scope_separator};

/// What Consulate itself writes into an authorize URL (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
const OWN_AUTHORIZE_PARAMS: [&str; 7] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

/// The fields of one entry; `None` where it does not say.
#[derive(Debug, Default)]
pub(super) struct PassportSettings {
    /// Where the entry is.
    pub place: Place,
    /// OAuth client id, in place of the one in the passport file.
    pub client_id: Option<String>,
    /// Further hosts a credential may be sent to.
    pub api_hosts: Vec<String>,
    client_authentication: Option<ClientAuthentication>,
    revocation_url: Option<String>,
    revocation_cascades: Option<bool>,
    revocation_per_user: Option<bool>,
    refresh_rotation: Option<RefreshRotation>,
    issuer: Option<String>,
    scopes: Option<Vec<String>>,
    scope_separator: Option<String>,
    pkce_off_because: Option<String>,
    authorize_params: Option<BTreeMap<String, String>>,
    scope_on_refresh: Option<bool>,
    access_lifetime_default_seconds: Option<u64>,
    reserved_params: Option<Vec<String>>,
    browser_delivery: Option<bool>,
}

impl PassportSettings {
    /// Writes what is declared into `passport`; `api_hosts` and the client id are the caller's.
    pub fn apply(self, passport: &mut Passport) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(
            &mut passport.client_authentication,
            self.client_authentication,
        );
        set(&mut passport.revocation_cascades, self.revocation_cascades);
        set(&mut passport.revocation_per_user, self.revocation_per_user);
        set(&mut passport.refresh_rotation, self.refresh_rotation);
        set(&mut passport.scopes, self.scopes);
        set(&mut passport.scope_separator, self.scope_separator);
        set(&mut passport.authorize_params, self.authorize_params);
        set(&mut passport.scope_on_refresh, self.scope_on_refresh);
        set(&mut passport.reserved_params, self.reserved_params);
        set(&mut passport.browser_delivery, self.browser_delivery);
        passport.revocation_url = self.revocation_url;
        passport.issuer = self.issuer;
        passport.pkce_off_because = self.pkce_off_because;
        passport.access_lifetime_default_seconds = self.access_lifetime_default_seconds;
    }
}

/// Reads one entry.
pub(super) fn read(
    entry: &Object<'_>,
    place: Place,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> PassportSettings {
    let settings = PassportSettings {
        place,
        client_id: entry
            .string("client_id", findings)
            .filter(|id| !id.trim().is_empty()),
        api_hosts: api_hosts(entry, findings),
        client_authentication: one_of(
            entry,
            "client_authentication",
            &CLIENT_AUTHENTICATIONS,
            findings,
        ),
        revocation_url: endpoint(entry, "revocation_url", exceptions, findings),
        revocation_cascades: entry.boolean("revocation_cascades", findings),
        revocation_per_user: entry.boolean("revocation_per_user", findings),
        refresh_rotation: one_of(entry, "refresh_rotation", &REFRESH_ROTATIONS, findings),
        issuer: endpoint(entry, "issuer", exceptions, findings),
        scopes: strings(entry, "scopes", findings),
        scope_separator: scope_separator(entry, "scope_separator", findings),
        pkce_off_because: pkce(entry, findings),
        authorize_params: authorize_params(entry, findings),
        scope_on_refresh: entry.boolean("scope_on_refresh", findings),
        access_lifetime_default_seconds: entry
            .whole_number("access_lifetime_default_seconds", findings),
        reserved_params: strings(entry, "reserved_params", findings),
        browser_delivery: entry.boolean("browser_delivery", findings),
    };
    entry.warn_unknown(&[], findings);
    settings
}

const CLIENT_AUTHENTICATIONS: [(&str, ClientAuthentication); 3] = [
    ("body", ClientAuthentication::Body),
    ("basic", ClientAuthentication::Basic),
    ("none", ClientAuthentication::None),
];
const REFRESH_ROTATIONS: [(&str, RefreshRotation); 2] = [
    ("single_use", RefreshRotation::SingleUse),
    ("reusable", RefreshRotation::Reusable),
];
const PKCE: [(&str, bool); 2] = [("s256", true), ("off", false)];

/// A string out of a fixed set.
pub(super) fn one_of<T: Copy>(
    entry: &Object<'_>,
    key: &str,
    allowed: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let text = entry.string(key, findings)?;
    let chosen = allowed
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value);
    if chosen.is_none() {
        let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
        findings.error(
            "value_unknown",
            entry.place(key),
            format!("{} is \"{text}\"", entry.path_of(key)),
            format!("Write one of: {}.", names.join(", ")),
        );
    }
    chosen
}

/// A list of strings, without their places.
pub(super) fn strings(
    entry: &Object<'_>,
    key: &str,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let strings = entry.strings(key, findings)?;
    Some(strings.into_iter().map(|(text, _)| text).collect())
}

fn api_hosts(entry: &Object<'_>, findings: &mut Findings) -> Vec<String> {
    let mut hosts = Vec::new();
    for (text, place) in entry.strings("api_hosts", findings).unwrap_or_default() {
        match address::api_host(&text) {
            Ok(host) => hosts.push(host),
            Err(fault) => {
                let message = format!(
                    "the entry \"{text}\" of {} {}",
                    entry.path_of("api_hosts"),
                    fault.message
                );
                findings.error(fault.code, place, message, fault.cure);
            }
        }
    }
    hosts
}

fn pkce(entry: &Object<'_>, findings: &mut Findings) -> Option<String> {
    let pkce = one_of(entry, "pkce", &PKCE, findings);
    let because = entry
        .string("pkce_off_because", findings)
        .filter(|because| !because.trim().is_empty());
    if pkce == Some(false) && because.is_none() {
        findings.error(
            "pkce_off_unexplained",
            entry.place("pkce"),
            format!("{} is off without a reason", entry.path_of("pkce")),
            "Add \"pkce_off_because\" with the provider's own words, or leave PKCE on.",
        );
    }
    because.filter(|_| pkce == Some(false))
}

fn authorize_params(
    entry: &Object<'_>,
    findings: &mut Findings,
) -> Option<BTreeMap<String, String>> {
    let params = entry.string_map("authorize_params", findings)?;
    for name in params
        .keys()
        .filter(|name| OWN_AUTHORIZE_PARAMS.contains(&name.to_ascii_lowercase().as_str()))
    {
        findings.error(
            "authorize_param_reserved",
            entry.place("authorize_params"),
            format!("authorize_params sets \"{name}\", which Consulate sets itself"),
            "Take it out.",
        );
    }
    Some(params)
}
