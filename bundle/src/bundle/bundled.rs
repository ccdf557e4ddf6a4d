//! PURE. The passport a bundle brings: its file, what it inherits, and what `consulate.json` adds, as one record and at
//! most one secret. The file's fields win over the inherited ones, `consulate.json` wins over both.

use std::collections::BTreeSet;

use consulate_core::definition::{ClientAuthentication, Passport, Profile};

use super::BundledSecret;
use super::finding::{Findings, Place};
use super::inherit;
use super::oauth_metadata::{Endpoint, OauthMetadata};
use super::passport_file::BundledFile;
use super::passport_settings::PassportSettings;
use super::placeholder::is_placeholder;
use super::source::SCHEMA;
use crate::catalogue::{Catalogue, limits};

/// Query names that no caller may set where a bundled passport declares none (RFC 6750 section 2.3).
const RESERVED_BY_DEFAULT: &str = "access_token";

/// The passport and its secret, as the bundle brings them.
pub(super) struct Bundled {
    pub passport: Passport,
    pub secret: Option<BundledSecret>,
    /// What the operator may want to know, and nothing to be done about.
    pub note: Option<String>,
}

/// Puts the passport `id` together. `hosts` are those of the APIs that use it.
pub(super) fn passport(
    file: BundledFile,
    id: &str,
    mut settings: PassportSettings,
    hosts: Vec<String>,
    catalogue: &Catalogue,
    findings: &mut Findings,
) -> Option<Bundled> {
    let BundledFile {
        name,
        display_name,
        oauth,
    } = file;
    let mut passport = match &oauth.inherit_from {
        Some((provider, place)) => inherit::from(provider, place, catalogue, findings)?,
        None => Passport {
            scope_separator: " ".to_owned(),
            ..Passport::default()
        },
    };
    passport.id = id.to_owned();
    passport.name = display_name;
    passport.provider = format!("custom:{name}");
    passport.client_id = client_id(&oauth, &mut settings, id, findings);
    passport.browser_delivery = false;
    let hosts: BTreeSet<String> = hosts
        .into_iter()
        .chain(std::mem::take(&mut settings.api_hosts))
        .collect();
    passport.api_hosts = hosts.into_iter().collect();
    if !passport
        .reserved_params
        .iter()
        .any(|name| name == RESERVED_BY_DEFAULT)
    {
        passport
            .reserved_params
            .push(RESERVED_BY_DEFAULT.to_owned());
    }
    let dropped = inherit::drop_foreign(&mut passport, oauth.token_url.url.as_deref());
    write_file(&mut passport, &oauth);
    let settings_place = settings.place.clone();
    settings.apply(&mut passport);
    inherit::warn_dropped(&dropped, &passport, &oauth, findings);

    judge_endpoints(&passport, &oauth, findings);
    judge_whole(&passport, &settings_place, findings);
    if passport.api_hosts.is_empty() && passport.host_patterns.is_empty() {
        findings.warning(
            "api_hosts_missing",
            Place::file(SCHEMA),
            "no API uses the bundled passport: its credential can be sent nowhere",
            "Declare an API that uses it, or \"api_hosts\" in consulate.json.",
        );
    }
    if passport.profile.is_none() && passport.credential.is_consented() {
        findings.warning(
            "profile_missing",
            oauth.profile_url.place.clone(),
            "the passport has no profileUrl: connected accounts are shown without a name",
            "Add profileUrl and profileAccountIdPath, if the provider has a profile address.",
        );
    }
    let note = oauth.is_refresh_off.then(|| {
        format!(
            "The passport {id} switches its refresh interval off: tokens are renewed before they end, and no more often."
        )
    });
    let secret = secret(oauth, &passport, findings);
    Some(Bundled {
        passport,
        secret,
        note,
    })
}

fn client_id(
    oauth: &OauthMetadata,
    settings: &mut PassportSettings,
    id: &str,
    findings: &mut Findings,
) -> String {
    let client_id = settings
        .client_id
        .take()
        .or_else(|| oauth.client_id.clone())
        .unwrap_or_default();
    if is_placeholder(&client_id) {
        findings.warning(
            "client_id_placeholder",
            oauth.client_id_place.clone(),
            "the passport has no real client id: nobody can connect",
            format!("Add \"client_id\" to passports in consulate.json, and register the redirect URI of {id}."),
        );
    }
    client_id
}

/// What the file says wins over what it inherits.
fn write_file(passport: &mut Passport, oauth: &OauthMetadata) {
    let own = [&oauth.authorize_url.url, &oauth.token_url.url];
    if own.iter().any(|url| url.is_some()) {
        // Endpoints of the bundle's own were nowhere before: what the provider's gave does not open for them.
        passport.former.clear();
    }
    if let Some(url) = &oauth.authorize_url.url {
        passport.authorize_url.clone_from(url);
    }
    if let Some(url) = &oauth.token_url.url {
        passport.token_url.clone_from(url);
    }
    if let Some(scopes) = &oauth.scopes {
        passport.scopes.clone_from(scopes);
        // Further tokens of the inherited provider are asked for only where its own scopes are.
        for slot in &mut passport.slots {
            slot.scopes.clear();
        }
    }
    if let Some(separator) = &oauth.scope_separator {
        passport.scope_separator.clone_from(separator);
    }
    passport.refresh_interval_seconds = oauth.refresh_interval_seconds;
    passport.profile = profile(oauth, passport.profile.take());
}

/// A profile of the file's own takes its own paths; paths alone describe the inherited one.
fn profile(oauth: &OauthMetadata, inherited: Option<Profile>) -> Option<Profile> {
    let (id, email, name) = (
        oauth.profile_id_path.clone(),
        oauth.profile_email_path.clone(),
        oauth.profile_name_path.clone(),
    );
    if let Some(url) = &oauth.profile_url.url {
        return Some(Profile {
            url: url.clone(),
            id_path: id,
            email_path: email,
            name_path: name,
            scopes_path: None,
        });
    }
    let inherited = inherited?;
    Some(Profile {
        url: inherited.url,
        id_path: id.or(inherited.id_path),
        email_path: email.or(inherited.email_path),
        name_path: name.or(inherited.name_path),
        scopes_path: inherited.scopes_path,
    })
}

/// An address that was refused has its finding already; one that is nowhere is missing.
fn judge_endpoints(passport: &Passport, oauth: &OauthMetadata, findings: &mut Findings) {
    let mut demand = |url: &str, declared: &Endpoint| {
        if url.is_empty() && !declared.is_declared {
            findings.error(
                "field_missing",
                declared.place.clone(),
                format!("{} is missing", declared.path),
                "Ensure authenticationUrl and tokenUrl are valid endpoints, or name a built-in provider in inheritFrom.",
            );
        }
    };
    if passport.credential.is_consented() {
        demand(&passport.authorize_url, &oauth.authorize_url);
    }
    demand(&passport.token_url, &oauth.token_url);
}

/// What only the passport as a whole tells, with what it inherits.
fn judge_whole(passport: &Passport, settings: &Place, findings: &mut Findings) {
    if let Some(name) = limits::pinned_credential(passport) {
        findings.error(
            "pinned_credential",
            settings.clone(),
            format!("\"pinned\" keeps \"{name}\", which is a whole answer with its tokens"),
            "Pin the one field that is needed: what is pinned is kept in the clear.",
        );
    }
    for (name, value) in &passport.token_params {
        if let Some(fault) = limits::grant_type_fault(passport.credential, name, value) {
            findings.error(
                "grant_type_refused",
                settings.clone(),
                format!("\"{name}\" in token_params {fault}"),
                "Take it out; a grant of the provider's own needs \"credential\": \"client_credentials\".",
            );
        }
    }
}

fn secret(
    oauth: OauthMetadata,
    passport: &Passport,
    findings: &mut Findings,
) -> Option<BundledSecret> {
    let id = &passport.id;
    if passport.client_authentication == ClientAuthentication::PrivateKeyJwt {
        signing_client(&oauth, id, findings);
        return None;
    }
    let public = passport.client_authentication == ClientAuthentication::None;
    let secret = oauth
        .client_secret
        .filter(|_| !public)
        .map(|client_secret| BundledSecret {
            passport: id.clone(),
            client_secret,
        });
    if secret.is_some() {
        findings.warning(
            "client_secret_in_bundle",
            oauth.client_secret_place,
            "the bundle carries a real client secret; it goes to the secret store, never to the table",
            "Take it out of the bundle, and replace it at the provider if the bundle was ever passed on.",
        );
    } else if !public {
        findings.warning(
            "client_secret_missing",
            oauth.client_secret_place,
            "the bundle carries no real client secret",
            format!("Run `consulate secret set passports/{id}`, or declare \"client_authentication\": \"none\"."),
        );
    }
    secret
}

/// A client that signs has a key, which a bundle cannot carry, and no secret, which would take the key's place.
fn signing_client(oauth: &OauthMetadata, id: &str, findings: &mut Findings) {
    let place = oauth.client_secret_place.clone();
    if oauth.client_secret.is_some() {
        findings.error(
            "client_secret_beside_key",
            place,
            "the bundle carries a real client secret, and its client signs with a private key",
            "Take clientSecret out of the passport file, or \"client_authentication\": \"private_key_jwt\" out of consulate.json.",
        );
    } else {
        findings.warning(
            "private_key_missing",
            place,
            "the client signs, and its private key is no part of a bundle",
            format!("Run `consulate secret set passports/{id}` with {{\"private_key\":\"PEM\",\"key_id\":\"…\"}}, unless it is set."),
        );
    }
}
