//! PURE. Which passport each authentication of a bundle is bound to, and what may be bound at all.
//!
//! A bundled passport's id is `{widget}.{name}`, and a bundle may name its own only: with a foreign one it would call
//! through accounts that were connected for another widget.

use consulate_core::definition::{Authentication, Delivery, OwnerMode};

use super::consulate_file::{AuthenticationSettings, ConsulateFile};
use super::finding::{Findings, Place};
use super::id::{ID_RULE, is_id};
use super::inherit::retired;
use super::schema::DeclaredAuthentication;
use super::source::CONSULATE;
use crate::catalogue::{Catalogue, Entry};

const PREFIX: &str = "custom:";
const FLAG: &str = "--bind";

/// What a binding is judged against.
pub(super) struct Terms<'t> {
    pub binds: &'t [(String, String)],
    pub consulate: &'t ConsulateFile,
    pub catalogue: &'t Catalogue,
    /// Name and id of the bundle's own passport.
    pub own: Option<(&'t str, &'t str)>,
}

/// An authentication, resolved.
#[derive(Debug)]
pub(super) struct Bound<'t> {
    pub record: Authentication,
    /// Its catalogue entry, where it has one.
    pub entry: Option<&'t Entry>,
    /// True where the operator said so by flag.
    pub by_flag: bool,
}

/// Resolves one authentication.
pub(super) fn bind<'t>(
    declared: &DeclaredAuthentication,
    terms: &Terms<'t>,
    findings: &mut Findings,
) -> Bound<'t> {
    let settings = terms.consulate.authentications.get(&declared.auth_key);
    let (provider, entry, default) = provider(declared, terms, findings);
    let flag = terms
        .binds
        .iter()
        .rev()
        .find(|(key, _)| *key == declared.auth_key);
    let chosen = match (
        flag,
        settings.and_then(|settings| settings.passport.as_ref().zip(Some(&settings.place))),
    ) {
        (Some((_, passport)), _) => Some((passport, Place::file(FLAG))),
        (None, Some((passport, place))) => Some((passport, place.clone())),
        (None, None) => None,
    };
    let passport = match chosen {
        Some((passport, place)) => {
            may_bind(passport, terms, place, findings).then(|| passport.clone())
        }
        None => default,
    };
    if passport.is_none() && chosen_nothing(flag, settings) && provider.is_ok() {
        warn_unbound(declared, entry, findings);
    }
    let owner = settings
        .and_then(|settings| settings.owner)
        .unwrap_or_default();
    let delivery = settings
        .and_then(|settings| settings.delivery)
        .unwrap_or_default();
    if delivery == Delivery::Browser && owner == OwnerMode::Organisation {
        findings.error(
            "delivery_refused",
            settings.map_or_else(|| Place::file(CONSULATE), |settings| settings.place.clone()),
            format!(
                "\"{}\" hands the organisation's access token to every browser",
                declared.auth_key
            ),
            "Use \"owner\": \"user\" with browser delivery, or \"delivery\": \"server\".",
        );
    }
    Bound {
        record: Authentication {
            auth_key: declared.auth_key.clone(),
            label: declared.label.clone(),
            provider: provider.unwrap_or_default(),
            passport,
            owner,
            delivery,
        },
        entry,
        by_flag: flag.is_some(),
    }
}

fn chosen_nothing(
    flag: Option<&(String, String)>,
    settings: Option<&AuthenticationSettings>,
) -> bool {
    flag.is_none() && settings.is_none_or(|settings| settings.passport.is_none())
}

type Resolved<'t> = (Result<String, ()>, Option<&'t Entry>, Option<String>);

/// The provider in its one spelling, its catalogue entry, and the passport it brings along.
fn provider<'t>(
    declared: &DeclaredAuthentication,
    terms: &Terms<'t>,
    findings: &mut Findings,
) -> Resolved<'t> {
    let Some(named) = declared.provider.as_deref() else {
        findings.warning(
            "provider_missing",
            declared.place.clone(),
            format!(
                "\"{}\" names no provider: hosts are judged only when a call is made",
                declared.auth_key
            ),
            "Add \"metadata\": {\"passportProvider\": \"…\"}.",
        );
        return (Ok(String::new()), None, None);
    };
    let Some(name) = named.strip_prefix(PREFIX) else {
        let entry = terms.catalogue.get(named);
        match entry.map(|entry| (entry, entry.retired())) {
            None => unknown_provider(named, terms, declared.provider_place.clone(), findings),
            Some((entry, Some(reason))) => {
                retired(entry, reason, declared.provider_place.clone(), findings);
                return (Err(()), None, None);
            }
            Some((_, None)) => {}
        }
        return (entry.map(|entry| entry.id.clone()).ok_or(()), entry, None);
    };
    match terms.own {
        Some((own, id)) if own == name => (Ok(named.to_owned()), None, Some(id.to_owned())),
        Some((own, _)) => {
            findings.error(
                "passport_name_mismatch",
                declared.provider_place.clone(),
                format!("passportProvider is \"{named}\", but the bundled passport is named \"{own}\""),
                format!("Write \"{PREFIX}{own}\": it must match customApplicationInfo.name in the passport JSON file."),
            );
            (Err(()), None, None)
        }
        None => {
            findings.error(
                "passport_not_bundled",
                declared.provider_place.clone(),
                format!("passportProvider is \"{named}\", but the bundle brings no usable passport"),
                "Verify passport.filePath in schema.json points to a valid JSON file, and that the passport/ directory is in the bundle.",
            );
            (Err(()), None, None)
        }
    }
}

fn unknown_provider(named: &str, terms: &Terms<'_>, place: Place, findings: &mut Findings) {
    let cure = match (terms.catalogue.suggest(named), terms.own) {
        (Some(close), _) => format!("Did you mean \"{close}\"? `consulate providers` lists all."),
        (None, Some((own, _))) if own == named => {
            format!("Write \"{PREFIX}{own}\" for the bundled passport.")
        }
        _ => "`consulate providers` lists all; bundle a passport for any other.".to_owned(),
    };
    findings.error(
        "provider_unknown",
        place,
        format!("the provider \"{named}\" is not known"),
        cure,
    );
}

fn may_bind(passport: &str, terms: &Terms<'_>, place: Place, findings: &mut Findings) -> bool {
    if terms.own.is_some_and(|(_, id)| id == passport) || is_id(passport) {
        return true;
    }
    if passport.contains('.') {
        foreign_passport(passport, place, findings);
    } else {
        let message = format!("\"{passport}\" is not the id of a passport");
        findings.error("passport_id_invalid", place, message, ID_RULE);
    }
    false
}

/// Says that a bundle reaches for a passport that another one brought.
pub(super) fn foreign_passport(passport: &str, place: Place, findings: &mut Findings) {
    findings.error(
        "passport_of_another_widget",
        place,
        format!("\"{passport}\" is the bundled passport of another widget"),
        "A bundled passport serves its own widget only. Make one for both with `consulate passports add`, and bind that.",
    );
}

fn warn_unbound(declared: &DeclaredAuthentication, entry: Option<&Entry>, findings: &mut Findings) {
    let key = &declared.auth_key;
    let provider = entry.map_or("PROVIDER", |entry| entry.id.as_str());
    findings.warning(
        "authentication_unbound",
        declared.place.clone(),
        format!("\"{key}\" is bound to no passport: calls answer not_bound"),
        format!(
            "Run `consulate passports add ID --provider {provider} --client-id C`, then import with --bind {key}=ID."
        ),
    );
}
