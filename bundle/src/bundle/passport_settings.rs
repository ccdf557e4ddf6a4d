//! PURE. `passports` of `consulate.json`: what the Appspace format has no word for, added to a bundled passport.
//!
//! What is not declared takes the safe reading: single-use refresh tokens, the client secret in the body, PKCE sent, no
//! browser delivery.

use std::collections::BTreeMap;

use consulate_core::definition::{
    AnswerMatch, ClientAuthentication, Credential, Inject, Passport, PinnedField, RefreshRotation,
    RevocationStyle,
};
use consulate_core::egress::LoopbackExceptions;
use consulate_core::passport::{SharedAccount, ThrottleScope};

use super::address::{self, Fault};
use super::answer_settings::{Telling, answers, inject, pinned, reset_header};
use super::document::Object;
use super::finding::{Findings, Place};
use super::oauth_metadata::{endpoint, scope_separator};
use crate::catalogue::limits::{is_own_authorize_param, is_own_token_param};

/// Ten years: a longer time is a slip.
const LONGEST_SECONDS: u64 = 315_360_000;
/// The bounds of a refresh interval: one minute to thirty days.
const INTERVAL_SECONDS: (u64, u64) = (60, 2_592_000);

/// The fields of one entry; `None` where it does not say.
#[derive(Debug, Default)]
pub(super) struct PassportSettings {
    /// Where the entry is.
    pub place: Place,
    /// OAuth client id, in place of the one in the passport file.
    pub client_id: Option<String>,
    /// Further hosts a credential may be sent to.
    pub api_hosts: Vec<String>,
    host_patterns: Option<Vec<String>>,
    credential: Option<Credential>,
    client_authentication: Option<ClientAuthentication>,
    revocation_url: Option<String>,
    revocation_style: Option<RevocationStyle>,
    revocation_cascades: Option<bool>,
    revocation_per_user: Option<bool>,
    shared_account: Option<SharedAccount>,
    refresh_rotation: Option<RefreshRotation>,
    issuer: Option<String>,
    scopes: Option<Vec<String>>,
    scope_separator: Option<String>,
    scope_aliases: Option<BTreeMap<String, String>>,
    pkce_off_because: Option<String>,
    authorize_params: Option<BTreeMap<String, String>>,
    token_params: Option<BTreeMap<String, String>>,
    scope_on_refresh: Option<bool>,
    access_lifetime_default_seconds: Option<u64>,
    renew_ahead_seconds: Option<u64>,
    refresh_interval_seconds: Option<u64>,
    refresh_idle_seconds: Option<u64>,
    refresh_absolute_seconds: Option<u64>,
    token_calls_per_second: Option<u64>,
    token_calls_at_once: Option<u64>,
    inject: Option<Inject>,
    pinned: Option<Vec<PinnedField>>,
    expired_when: Option<Vec<AnswerMatch>>,
    refused_when: Option<Vec<AnswerMatch>>,
    throttled_when: Option<Vec<AnswerMatch>>,
    throttle_reset_header: Option<String>,
    throttle_scope: Option<ThrottleScope>,
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
        fn set_some<T>(field: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *field = value;
            }
        }
        // Every field is named: a new one is a decision to be made here.
        let Self {
            place: _,
            client_id: _,
            api_hosts: _,
            host_patterns,
            credential,
            client_authentication,
            revocation_url,
            revocation_style,
            revocation_cascades,
            revocation_per_user,
            shared_account,
            refresh_rotation,
            issuer,
            scopes,
            scope_separator,
            scope_aliases,
            pkce_off_because,
            authorize_params,
            token_params,
            scope_on_refresh,
            access_lifetime_default_seconds,
            renew_ahead_seconds,
            refresh_interval_seconds,
            refresh_idle_seconds,
            refresh_absolute_seconds,
            token_calls_per_second,
            token_calls_at_once,
            inject,
            pinned,
            expired_when,
            refused_when,
            throttled_when,
            throttle_reset_header,
            throttle_scope,
            reserved_params,
            browser_delivery,
        } = self;
        set(&mut passport.host_patterns, host_patterns);
        set(&mut passport.credential, credential);
        set(&mut passport.client_authentication, client_authentication);
        set_some(&mut passport.revocation_url, revocation_url);
        set(&mut passport.revocation_style, revocation_style);
        set(&mut passport.revocation_cascades, revocation_cascades);
        set(&mut passport.revocation_per_user, revocation_per_user);
        set(&mut passport.shared_account, shared_account);
        set(&mut passport.refresh_rotation, refresh_rotation);
        set_some(&mut passport.issuer, issuer);
        set(&mut passport.scopes, scopes);
        set(&mut passport.scope_separator, scope_separator);
        set(&mut passport.scope_aliases, scope_aliases);
        set_some(&mut passport.pkce_off_because, pkce_off_because);
        set(&mut passport.authorize_params, authorize_params);
        set(&mut passport.token_params, token_params);
        set(&mut passport.scope_on_refresh, scope_on_refresh);
        set_some(
            &mut passport.access_lifetime_default_seconds,
            access_lifetime_default_seconds,
        );
        set_some(&mut passport.renew_ahead_seconds, renew_ahead_seconds);
        set_some(
            &mut passport.refresh_interval_seconds,
            refresh_interval_seconds,
        );
        set_some(&mut passport.refresh_idle_seconds, refresh_idle_seconds);
        set_some(
            &mut passport.refresh_absolute_seconds,
            refresh_absolute_seconds,
        );
        let number = |calls: Option<u64>| calls.and_then(|calls| calls.try_into().ok());
        set_some(
            &mut passport.token_calls_per_second,
            number(token_calls_per_second),
        );
        set_some(
            &mut passport.token_calls_at_once,
            number(token_calls_at_once),
        );
        set(&mut passport.inject, inject);
        set(&mut passport.pinned, pinned);
        set(&mut passport.expired_when, expired_when);
        set(&mut passport.refused_when, refused_when);
        set(&mut passport.throttled_when, throttled_when);
        set_some(&mut passport.throttle_reset_header, throttle_reset_header);
        set(&mut passport.throttle_scope, throttle_scope);
        set(&mut passport.reserved_params, reserved_params);
        set(&mut passport.browser_delivery, browser_delivery);
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
        api_hosts: hosts(entry, "api_hosts", address::api_host, findings).unwrap_or_default(),
        host_patterns: hosts(entry, "host_patterns", address::host_pattern, findings),
        credential: one_of(entry, "credential", &CREDENTIALS, findings),
        client_authentication: one_of(
            entry,
            "client_authentication",
            &CLIENT_AUTHENTICATIONS,
            findings,
        ),
        revocation_url: endpoint(entry, "revocation_url", exceptions, findings),
        revocation_style: one_of(entry, "revocation_style", &REVOCATION_STYLES, findings),
        revocation_cascades: entry.boolean("revocation_cascades", findings),
        revocation_per_user: entry.boolean("revocation_per_user", findings),
        shared_account: one_of(entry, "shared_account", &SHARED_ACCOUNTS, findings),
        refresh_rotation: one_of(entry, "refresh_rotation", &REFRESH_ROTATIONS, findings),
        issuer: endpoint(entry, "issuer", exceptions, findings),
        scopes: strings(entry, "scopes", findings),
        scope_separator: scope_separator(entry, "scope_separator", findings),
        scope_aliases: entry.string_map("scope_aliases", findings),
        pkce_off_because: pkce(entry, findings),
        authorize_params: params(entry, "authorize_params", is_own_authorize_param, findings),
        token_params: params(entry, "token_params", is_own_token_param, findings),
        scope_on_refresh: entry.boolean("scope_on_refresh", findings),
        access_lifetime_default_seconds: seconds(
            entry,
            "access_lifetime_default_seconds",
            LIFETIME,
            findings,
        ),
        renew_ahead_seconds: seconds(entry, "renew_ahead_seconds", LIFETIME, findings),
        refresh_interval_seconds: seconds(
            entry,
            "refresh_interval_seconds",
            INTERVAL_SECONDS,
            findings,
        ),
        refresh_idle_seconds: seconds(entry, "refresh_idle_seconds", LIFETIME, findings),
        refresh_absolute_seconds: seconds(entry, "refresh_absolute_seconds", LIFETIME, findings),
        token_calls_per_second: number(entry, "token_calls_per_second", TOKEN_CALLS, findings),
        token_calls_at_once: number(entry, "token_calls_at_once", TOKEN_CALLS, findings),
        inject: inject(entry, findings),
        pinned: pinned(entry, findings),
        expired_when: answers(entry, "expired_when", Telling::Status, findings),
        refused_when: answers(entry, "refused_when", Telling::Body, findings),
        throttled_when: answers(entry, "throttled_when", Telling::Status, findings),
        throttle_reset_header: reset_header(entry, findings),
        throttle_scope: one_of(entry, "throttle_scope", &THROTTLE_SCOPES, findings),
        reserved_params: strings(entry, "reserved_params", findings),
        browser_delivery: entry.boolean("browser_delivery", findings),
    };
    entry.warn_unknown(&[], findings);
    settings
}

/// A credential that an owner types has no OAuth client, so no bundled passport has it.
const CREDENTIALS: [(&str, Credential); 2] = [
    ("oauth2", Credential::Oauth2),
    ("client_credentials", Credential::ClientCredentials),
];
const REVOCATION_STYLES: [(&str, RevocationStyle); 6] = [
    ("rfc7009", RevocationStyle::Rfc7009),
    ("token_only", RevocationStyle::TokenOnly),
    ("bearer", RevocationStyle::Bearer),
    ("query", RevocationStyle::Query),
    ("delete_permissions", RevocationStyle::DeletePermissions),
    ("sign_out", RevocationStyle::SignOut),
];
const THROTTLE_SCOPES: [(&str, ThrottleScope); 3] = [
    ("api", ThrottleScope::Api),
    ("connection", ThrottleScope::Connection),
    ("organisation", ThrottleScope::Organisation),
];
const SHARED_ACCOUNTS: [(&str, SharedAccount); 2] = [
    ("warn", SharedAccount::Warn),
    ("refuse", SharedAccount::Refuse),
];
const TOKEN_CALLS: (u64, u64) = (1, 1_000);
const LIFETIME: (u64, u64) = (1, LONGEST_SECONDS);
const CLIENT_AUTHENTICATIONS: [(&str, ClientAuthentication); 4] = [
    ("body", ClientAuthentication::Body),
    ("basic", ClientAuthentication::Basic),
    ("none", ClientAuthentication::None),
    ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
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

/// A list of hosts or patterns; `None` where there is none. An entry that is refused is a finding and is left out.
fn hosts(
    entry: &Object<'_>,
    key: &str,
    judge: fn(&str) -> Result<String, Fault>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let mut hosts = Vec::new();
    for (text, place) in entry.strings(key, findings)? {
        match judge(&text) {
            Ok(host) => hosts.push(host),
            Err(fault) => {
                let message = format!(
                    "the entry \"{text}\" of {} {}",
                    entry.path_of(key),
                    fault.message
                );
                findings.error(fault.code, place, message, fault.cure);
            }
        }
    }
    Some(hosts)
}

/// A number of seconds within bounds.
fn seconds(
    entry: &Object<'_>,
    key: &str,
    (least, most): (u64, u64),
    findings: &mut Findings,
) -> Option<u64> {
    let seconds = entry.whole_number(key, findings)?;
    if (least..=most).contains(&seconds) {
        return Some(seconds);
    }
    findings.error(
        "seconds_out_of_bounds",
        entry.place(key),
        format!("{} is {seconds}", entry.path_of(key)),
        format!("Write {least} to {most} seconds."),
    );
    None
}

fn number(
    entry: &Object<'_>,
    key: &str,
    (least, most): (u64, u64),
    findings: &mut Findings,
) -> Option<u64> {
    let number = entry.whole_number(key, findings)?;
    if (least..=most).contains(&number) {
        return Some(number);
    }
    findings.error(
        "number_out_of_bounds",
        entry.place(key),
        format!("{} is {number}", entry.path_of(key)),
        format!("Write a number from {least} to {most}."),
    );
    None
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

/// Fixed parameters of a request to the provider, without those that are Consulate's to set.
fn params(
    entry: &Object<'_>,
    key: &str,
    is_own: fn(&str) -> bool,
    findings: &mut Findings,
) -> Option<BTreeMap<String, String>> {
    let params = entry.string_map(key, findings)?;
    for name in params.keys().filter(|name| is_own(name)) {
        findings.error(
            "param_reserved",
            entry.place(key),
            format!(
                "{} sets \"{name}\", which Consulate sets itself",
                entry.path_of(key)
            ),
            "Take it out.",
        );
    }
    Some(params)
}
