//! PURE. The passport a bundle brings: its file and what `consulate.json` adds, as one record and at most one secret.

use std::collections::BTreeSet;

use consulate_core::definition::{ClientAuthentication, Passport};

use super::BundledSecret;
use super::finding::{Findings, Place};
use super::passport_file::{BundledFile, is_placeholder};
use super::passport_settings::PassportSettings;
use super::source::SCHEMA;

/// Query names that no caller may set where a bundled passport declares none (RFC 6750 section 2.3).
const RESERVED_BY_DEFAULT: &str = "access_token";

/// Puts the passport `id` together. `hosts` are those of the APIs that use it.
pub(super) fn passport(
    file: BundledFile,
    id: &str,
    mut settings: PassportSettings,
    hosts: Vec<String>,
    findings: &mut Findings,
) -> (Passport, Option<BundledSecret>) {
    if file.profile.is_none() {
        findings.warning(
            "profile_missing",
            file.profile_place,
            "the passport has no profileUrl: connected accounts are shown without a name",
            "Add profileUrl and profileAccountIdPath, if the provider has a profile address.",
        );
    }
    let client_id = settings
        .client_id
        .take()
        .or(file.client_id)
        .unwrap_or_default();
    if is_placeholder(&client_id) {
        findings.warning(
            "client_id_placeholder",
            file.client_id_place,
            "the passport has no real client id: nobody can connect",
            format!("Add \"client_id\" to passports in consulate.json, and register the redirect URI of {id}."),
        );
    }
    let hosts: BTreeSet<String> = hosts
        .into_iter()
        .chain(std::mem::take(&mut settings.api_hosts))
        .collect();
    if hosts.is_empty() {
        findings.warning(
            "api_hosts_missing",
            Place::file(SCHEMA),
            "no API uses the bundled passport: its credential can be sent nowhere",
            "Declare an API that uses it, or \"api_hosts\" in consulate.json.",
        );
    }
    let mut passport = Passport {
        id: id.to_owned(),
        name: file.display_name,
        provider: format!("custom:{}", file.name),
        client_id,
        client_authentication: ClientAuthentication::Body,
        authorize_url: file.authorize_url,
        token_url: file.token_url,
        revocation_url: None,
        revocation_cascades: false,
        revocation_per_user: false,
        profile: file.profile,
        scopes: file.scopes,
        scope_separator: file.scope_separator.unwrap_or_else(|| " ".to_owned()),
        pkce_off_because: None,
        issuer: None,
        authorize_params: Default::default(),
        scope_on_refresh: false,
        refresh_rotation: Default::default(),
        access_lifetime_default_seconds: None,
        api_hosts: hosts.into_iter().collect(),
        reserved_params: vec![RESERVED_BY_DEFAULT.to_owned()],
        browser_delivery: false,
    };
    settings.apply(&mut passport);
    let public = passport.client_authentication == ClientAuthentication::None;
    let secret = file
        .client_secret
        .filter(|_| !public)
        .map(|client_secret| BundledSecret {
            passport: id.to_owned(),
            client_secret,
        });
    if secret.is_some() {
        findings.warning(
            "client_secret_in_bundle",
            file.client_secret_place,
            "the bundle carries a real client secret; it goes to the secret store, never to the table",
            "Take it out of the bundle, and replace it at the provider if the bundle was ever passed on.",
        );
    } else if !public {
        findings.warning(
            "client_secret_missing",
            file.client_secret_place,
            "the bundle carries no real client secret",
            format!("Run `consulate secret set passports/{id}`, or declare \"client_authentication\": \"none\"."),
        );
    }
    (passport, secret)
}
