//! PURE. `consulate.json`: what Appspace has no word for. Who may call, from where, and for whom an account is connected.

use std::collections::BTreeMap;

use consulate_core::definition::{
    Admin, Delivery, OrganisationSettings, OwnerMode, SettingsPolicy,
};
use consulate_core::egress::LoopbackExceptions;
use serde_json::Value;

use super::address::{self, Fault};
use super::document::{Document, Object};
use super::finding::{Findings, Place};
use super::host::{self, DeclaredHost};
use super::passport_settings::{self, PassportSettings, one_of, strings};
use super::qrvey::{self, DeclaredTemplate};

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct ConsulateFile {
    /// The widget's id and where it is.
    pub widget: Option<(String, Place)>,
    /// The space of callers.
    pub host: Option<DeclaredHost>,
    /// Exact origins.
    pub origins: Vec<String>,
    /// Addresses redirect mode may come back to.
    pub return_urls: Vec<String>,
    /// Who may connect organisation-owned connections.
    pub admins: Vec<Admin>,
    /// By authKey.
    pub authentications: BTreeMap<String, AuthenticationSettings>,
    /// By API name.
    pub apis: BTreeMap<String, ApiSettings>,
    /// By passport name.
    pub passports: BTreeMap<String, PassportSettings>,
    /// Qrvey templates, by name.
    pub qrvey: BTreeMap<String, DeclaredTemplate>,
    /// The private settings the widget may keep.
    pub settings: SettingsPolicy,
}

/// What the file says about one authentication.
#[derive(Debug)]
pub(super) struct AuthenticationSettings {
    /// Where it is.
    pub place: Place,
    /// Who a connection belongs to.
    pub owner: Option<OwnerMode>,
    /// Where an access token may go.
    pub delivery: Option<Delivery>,
    /// The passport it is bound to.
    pub passport: Option<String>,
}

/// What the file says about one named API.
#[derive(Debug)]
pub(super) struct ApiSettings {
    /// Where it is.
    pub place: Place,
    /// Scopes the call needs.
    pub scopes: Vec<String>,
    /// True where a repeated call does no harm.
    pub idempotent: bool,
    /// The token slot whose token it takes.
    pub token_slot: Option<String>,
}

const OWNERS: [(&str, OwnerMode); 2] = [
    ("user", OwnerMode::User),
    ("organisation", OwnerMode::Organisation),
];
const ORGANISATION_SETTINGS: [(&str, OrganisationSettings); 3] = [
    ("admins", OrganisationSettings::Admins),
    ("admins_only", OrganisationSettings::AdminsOnly),
    ("members", OrganisationSettings::Members),
];
const DELIVERIES: [(&str, Delivery); 2] =
    [("server", Delivery::Server), ("browser", Delivery::Browser)];

/// Reads the file.
pub(super) fn read(
    document: &Document,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> ConsulateFile {
    let Some(root) = document.object(findings) else {
        return ConsulateFile::default();
    };
    let file = ConsulateFile {
        widget: root
            .string("widget", findings)
            .map(|widget| (widget, root.place("widget"))),
        host: host::read(&root, exceptions, findings),
        origins: addresses(&root, "origins", address::origin, findings),
        return_urls: addresses(&root, "return_urls", address::return_url, findings),
        admins: admins(&root, findings),
        authentications: entries(&root, "authentications", findings, authentication),
        apis: entries(&root, "apis", findings, api),
        passports: entries(&root, "passports", findings, |entry, place, findings| {
            passport_settings::read(entry, place, exceptions, findings)
        }),
        qrvey: qrvey::read(&root, exceptions, findings),
        settings: root
            .object("settings", findings)
            .map(|settings| settings_policy(&settings, findings))
            .unwrap_or_default(),
    };
    root.warn_unknown(&["$schema"], findings);
    file
}

/// The entries of an object of objects, by key.
fn entries<T>(
    root: &Object<'_>,
    key: &str,
    findings: &mut Findings,
    read: impl Fn(&Object<'_>, Place, &mut Findings) -> T,
) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    let Some(object) = root.object(key, findings) else {
        return map;
    };
    for name in object.keys() {
        if let Some(entry) = object.object(name, findings) {
            map.insert(name.to_owned(), read(&entry, object.place(name), findings));
        }
    }
    map
}

fn addresses(
    root: &Object<'_>,
    key: &str,
    judge: fn(&str) -> Result<(), Fault>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut addresses = Vec::new();
    for (text, place) in root.strings(key, findings).unwrap_or_default() {
        if let Err(fault) = judge(&text) {
            let message = format!(
                "the entry \"{text}\" of {} {}",
                root.path_of(key),
                fault.message
            );
            findings.error(fault.code, place, message, fault.cure);
        } else if !addresses.contains(&text) {
            addresses.push(text);
        }
    }
    addresses
}

fn admins(root: &Object<'_>, findings: &mut Findings) -> Vec<Admin> {
    let mut admins = Vec::new();
    for entry in root.objects("admins", findings).unwrap_or_default() {
        let organisation = entry.required("organisation", findings);
        let user = entry
            .string("user", findings)
            .filter(|user| !user.is_empty());
        let email = entry
            .string("email", findings)
            .filter(|email| !email.is_empty());
        entry.warn_unknown(&[], findings);
        if user.is_some() == email.is_some() {
            findings.error(
                "admin_ambiguous",
                entry.here(),
                "an administrator is named by either \"user\" or \"email\"",
                "Give exactly one of the two; write two entries for two ways.",
            );
        } else if let Some(organisation) = organisation {
            admins.push(Admin {
                organisation,
                user,
                email,
            });
        }
    }
    admins
}

fn authentication(
    entry: &Object<'_>,
    place: Place,
    findings: &mut Findings,
) -> AuthenticationSettings {
    let settings = AuthenticationSettings {
        place,
        owner: one_of(entry, "owner", &OWNERS, findings),
        delivery: one_of(entry, "delivery", &DELIVERIES, findings),
        passport: entry.string("passport", findings),
    };
    entry.warn_unknown(&[], findings);
    settings
}

/// `{"user": true, "organisation": "admins"}`; what is left out is not kept.
fn settings_policy(settings: &Object<'_>, findings: &mut Findings) -> SettingsPolicy {
    let none = settings.value("organisation").and_then(Value::as_bool) == Some(false);
    let policy = SettingsPolicy {
        user: settings.boolean("user", findings).unwrap_or_default(),
        organisation: match none {
            true => None,
            false => one_of(settings, "organisation", &ORGANISATION_SETTINGS, findings),
        },
        // What an earlier import left is not the file's to say.
        members_until: None,
    };
    settings.warn_unknown(&[], findings);
    policy
}

fn api(entry: &Object<'_>, place: Place, findings: &mut Findings) -> ApiSettings {
    let settings = ApiSettings {
        place,
        scopes: strings(entry, "scopes", findings).unwrap_or_default(),
        idempotent: entry.boolean("idempotent", findings).unwrap_or_default(),
        token_slot: entry
            .string("token_slot", findings)
            .filter(|slot| !slot.is_empty()),
    };
    entry.warn_unknown(&[], findings);
    settings
}
