//! PURE. What a bundled passport takes from a provider of the catalogue: everything its file and `consulate.json` leave
//! out, endpoints first of all. Its client, its name and the hosts of its APIs stay its own.
//!
//! Tokens go only where they came from: once the file names another token endpoint, nothing of the provider's that takes
//! or names a token is inherited.

use consulate_core::passport::{Passport, RevocationStyle};
use url::Url;

use super::finding::{Findings, Place};
use super::oauth_metadata::OauthMetadata;
use crate::catalogue::{Catalogue, Entry, PassportSettings, Refused};

/// The entry's settings, with its variables at their defaults; `None` where it has none to give, which is an error.
pub(super) fn from(
    provider: &str,
    place: &Place,
    catalogue: &Catalogue,
    findings: &mut Findings,
) -> Option<Passport> {
    let Some(entry) = catalogue.get(provider) else {
        let cure = match catalogue.suggest(provider) {
            Some(close) => format!("Did you mean \"{close}\"? `consulate providers` lists all."),
            None => "`consulate providers` lists all; or write the URLs out.".to_owned(),
        };
        findings.error(
            "provider_unknown",
            place.clone(),
            format!("the passport inherits from \"{provider}\", which is not known"),
            cure,
        );
        return None;
    };
    if let Some(reason) = entry.retired() {
        retired(entry, reason, place.clone(), findings);
        return None;
    }
    if !entry.credential.has_client() {
        findings.error(
            "inherit_unsuitable",
            place.clone(),
            format!(
                "the passport inherits from {}, which has no OAuth URLs",
                entry.name
            ),
            format!(
                "Take the passport file out, and use \"{}\" as passportProvider.",
                entry.id
            ),
        );
        return None;
    }
    let settings = PassportSettings {
        // Its own client is put in later; an entry makes no passport without one.
        client_id: "bundled".to_owned(),
        ..PassportSettings::default()
    };
    match entry.passport(&settings) {
        Ok(passport) => Some(passport),
        Err(refused) => {
            unresolved(entry, &refused, place, findings);
            None
        }
    }
}

/// Takes out of the inherited `passport` what would carry tokens of the endpoint `own` to the provider's, or read them as
/// the provider's, where the two are of different origins. Answers what was there.
pub(super) fn drop_foreign(passport: &mut Passport, own: Option<&str>) -> Vec<Dropped> {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    let inherited = origin(&passport.token_url);
    if inherited.is_none() || own.is_none_or(|own| origin(own) == inherited) {
        return Vec::new();
    }
    let there = DROPPABLE.into_iter().filter(|field| field.is_in(passport));
    let dropped = there.collect();
    passport.profile = None;
    passport.revocation_url = None;
    passport.revocation_style = RevocationStyle::default();
    passport.revocation_cascades = false;
    passport.revocation_per_user = false;
    passport.long_lived = None;
    passport.renewal = None;
    passport.slots.clear();
    passport.issuer = None;
    dropped
}

/// Says what of the provider's was left behind and not stated anew.
pub(super) fn warn_dropped(
    dropped: &[Dropped],
    passport: &Passport,
    oauth: &OauthMetadata,
    findings: &mut Findings,
) {
    let missed: Vec<&str> = dropped
        .iter()
        .filter(|field| !field.is_in(passport))
        .map(|field| field.name())
        .collect();
    if missed.is_empty() {
        return;
    }
    let missed = missed.join(", ");
    findings.warning(
        "inherit_other_origin",
        oauth.token_url.place.clone(),
        format!("tokenUrl is at another origin than the inherited one, so these are not inherited: {missed}"),
        "Take tokenUrl out, or state what the service has: profileUrl in the passport file, revocation_url and issuer in consulate.json.",
    );
}

/// What is inherited only together with the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    Profile,
    Revocation,
    LongLived,
    Renewal,
    Slots,
    Issuer,
}

const DROPPABLE: [Dropped; 6] = [
    Dropped::Profile,
    Dropped::Revocation,
    Dropped::LongLived,
    Dropped::Renewal,
    Dropped::Slots,
    Dropped::Issuer,
];

impl Dropped {
    fn is_in(self, passport: &Passport) -> bool {
        match self {
            Self::Profile => passport.profile.is_some(),
            Self::Revocation => passport.revocation_url.is_some(),
            Self::LongLived => passport.long_lived.is_some(),
            Self::Renewal => passport.renewal.is_some(),
            Self::Slots => !passport.slots.is_empty(),
            Self::Issuer => passport.issuer.is_some(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Profile => "the profile",
            Self::Revocation => "revocation",
            Self::LongLived => "the long-lived token",
            Self::Renewal => "its way of renewing",
            Self::Slots => "further token slots",
            Self::Issuer => "the issuer",
        }
    }
}

/// Says that a provider takes no more connections.
pub(super) fn retired(entry: &Entry, reason: &str, place: Place, findings: &mut Findings) {
    findings.error(
        "provider_retired",
        place,
        format!("{} is retired: {reason}", entry.name),
        "Take it out of the bundle, or bind it to another service.",
    );
}

fn unresolved(entry: &Entry, refused: &Refused, place: &Place, findings: &mut Findings) {
    let Some(variable) = entry.variable(&refused.field) else {
        findings.error(
            "inherit_unsuitable",
            place.clone(),
            format!(
                "the passport cannot inherit from {}: {}",
                entry.name, refused.message
            ),
            "Write authenticationUrl and tokenUrl out, and take the inheritance out.",
        );
        return;
    };
    findings.error(
        "inherit_variable",
        place.clone(),
        format!(
            "the passport inherits from {}, whose addresses need \"{}\" ({}), which a bundle cannot say",
            entry.name, variable.name, variable.label
        ),
        format!(
            "Write authenticationUrl and tokenUrl out, or use \"{}\" as passportProvider and set {} when the passport is made.",
            entry.id, variable.name
        ),
    );
}
