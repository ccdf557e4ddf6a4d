//! PURE. What a named API asks of the passport it is bound to: hosts, fields of the connection, where the credential
//! stands, token slots. Judged against the catalogue's entry or the bundled passport; a passport that the operator binds
//! to an authentication without provider is judged when a call is made.

use std::collections::BTreeMap;

use consulate_core::passport::{Inject, Passport};

use super::address::Target;
use super::bind::Bound;
use super::consulate_file::ApiSettings;
use super::finding::Findings;
use super::named_api::DeclaredApi;
use super::near::did_you_mean;
use crate::catalogue::Entry;

/// What a call may ask for.
struct Offer<'o> {
    entry: Option<&'o Entry>,
    name: &'o str,
    /// `{connection.KEY.FIELD}`.
    fields: Vec<&'o str>,
    /// Hosts, patterns, and hosts with placeholders of variables.
    hosts: Vec<&'o str>,
    inject: &'o Inject,
    slots: Vec<&'o str>,
}

impl<'o> Offer<'o> {
    fn of_entry(entry: &'o Entry) -> Self {
        let variables = entry
            .variables
            .iter()
            .map(|variable| variable.name.as_str());
        let hosts = entry.api_hosts.iter().chain(&entry.host_patterns);
        Self {
            entry: Some(entry),
            name: &entry.name,
            fields: entry
                .pinned
                .iter()
                .map(|field| field.name.as_str())
                .chain(variables)
                .collect(),
            hosts: hosts.map(String::as_str).collect(),
            inject: &entry.inject,
            slots: entry.slots.iter().map(|slot| slot.name.as_str()).collect(),
        }
    }

    fn of_passport(passport: &'o Passport) -> Self {
        let hosts = passport.api_hosts.iter().chain(&passport.host_patterns);
        Self {
            entry: None,
            name: &passport.name,
            fields: passport
                .pinned
                .iter()
                .map(|field| field.name.as_str())
                .chain(passport.variables.keys().map(String::as_str))
                .collect(),
            hosts: hosts.map(String::as_str).collect(),
            inject: &passport.inject,
            slots: passport
                .slots
                .iter()
                .map(|slot| slot.name.as_str())
                .collect(),
        }
    }
}

impl Offer<'_> {
    /// Whether a host that ends so, with something of the connection before it, can be one of these.
    fn may_reach(&self, ending: &str) -> bool {
        if ending.is_empty() {
            return !self.hosts.is_empty();
        }
        // A variable that may be any host is a host of its own: nothing is put behind it.
        let by_variable = self
            .entry
            .is_some_and(|entry| entry.may_call_its_own(&format!("x{ending}")));
        by_variable
            || self.hosts.iter().any(|host| {
                let name = host.split(':').next().unwrap_or_default();
                // What follows the part that differs, or the whole of a host that is written out.
                let (_, known) = name.rsplit_once(['}', '*']).unwrap_or(("", name));
                !known.is_empty() && (known.ends_with(ending) || ending.ends_with(known))
            })
    }
}

/// Judges every API. `own`: the id of the bundle's passport, which is `passport` where it could be put together.
pub(super) fn judge(
    apis: &[DeclaredApi],
    bound: &[Bound<'_>],
    own: Option<&str>,
    passport: Option<&Passport>,
    settings: &BTreeMap<String, ApiSettings>,
    findings: &mut Findings,
) {
    for declared in apis
        .iter()
        .filter(|declared| !declared.api.authentication_key.is_empty())
    {
        let key = &declared.api.authentication_key;
        let Some(authentication) = bound.iter().find(|bound| bound.record.auth_key == *key) else {
            dangling(declared, bound, findings);
            continue;
        };
        let bundled = own.is_some() && authentication.record.passport.as_deref() == own;
        let offer = match (bundled, authentication.entry) {
            (true, _) => passport.map(Offer::of_passport),
            (false, Some(entry)) => {
                fixed_host(declared, entry, findings);
                Some(Offer::of_entry(entry))
            }
            (false, None) => None,
        };
        let Some(offer) = offer else { continue };
        connection_host(declared, &offer, findings);
        fields(declared, &offer, findings);
        scheme(declared, &offer, findings);
        slot(declared, settings.get(&declared.api.name), &offer, findings);
    }
}

fn dangling(declared: &DeclaredApi, bound: &[Bound<'_>], findings: &mut Findings) {
    let key = &declared.api.authentication_key;
    let known = bound.iter().map(|bound| bound.record.auth_key.as_str());
    findings.error(
        "authentication_key_dangling",
        declared.key_place.clone(),
        format!(
            "the API \"{}\" has the authenticationKey \"{key}\", which is no authKey",
            declared.api.name
        ),
        format!(
            "Verify authenticationKey in authenticatedApis matches an authKey in authentications.{}",
            did_you_mean(key, known)
        ),
    );
}

/// A built-in passport's credential stays with its provider.
fn fixed_host(declared: &DeclaredApi, entry: &Entry, findings: &mut Findings) {
    let Some(Target::Host(host)) = &declared.target else {
        return;
    };
    if !entry.may_call(host) {
        findings.error(
            "api_host_foreign",
            declared.url_place.clone(),
            format!(
                "the API \"{}\" calls {host}, which is no host of {}",
                declared.api.name, entry.name
            ),
            format!(
                "Call one of: {}. For another service, bundle a passport.",
                entry.api_hosts.join(", ")
            ),
        );
    }
}

/// A host from the connection must be able to be one of the passport's; which one it is, is judged at every call.
fn connection_host(declared: &DeclaredApi, offer: &Offer<'_>, findings: &mut Findings) {
    let Some(Target::Connection(ending)) = &declared.target else {
        return;
    };
    if offer.may_reach(ending) {
        return;
    }
    let cure = match offer.hosts.is_empty() {
        true => "Name the provider's domain in \"host_patterns\" of this passport in consulate.json, such as [\"*.example.com\"].".to_owned(),
        false => format!("Call one of: {}.", offer.hosts.join(", ")),
    };
    findings.error(
        "api_host_foreign",
        declared.url_place.clone(),
        format!(
            "the API \"{}\" takes its host from the connection, and no such host is one of {}",
            declared.api.name, offer.name
        ),
        cure,
    );
}

fn fields(declared: &DeclaredApi, offer: &Offer<'_>, findings: &mut Findings) {
    let unknown = declared
        .fields
        .iter()
        .filter(|field| !offer.fields.contains(&field.as_str()));
    for field in unknown {
        let known = match offer.fields.is_empty() {
            true => format!("{} has none.", offer.name),
            false => format!("{} has: {}.", offer.name, offer.fields.join(", ")),
        };
        findings.error(
            "connection_field_unknown",
            declared.url_place.clone(),
            format!(
                "the API \"{}\" asks for {{connection.{}.{field}}}, which no connection of {} has",
                declared.api.name, declared.api.authentication_key, offer.name
            ),
            format!(
                "{known}{} A bundled passport keeps what \"pinned\" in consulate.json names.",
                did_you_mean(field, offer.fields.iter().copied())
            ),
        );
    }
}

/// The proxy puts a credential where a header names it; a provider that wants it elsewhere would not find it.
fn scheme(declared: &DeclaredApi, offer: &Offer<'_>, findings: &mut Findings) {
    let placeholder = format!(
        "{{authorization.{}.token}}",
        declared.api.authentication_key
    );
    let bearer = declared.api.headers.values().any(|value| {
        let start = value.get(..7).unwrap_or_default();
        start.eq_ignore_ascii_case("bearer ") && value.contains(&placeholder)
    });
    if !bearer || *offer.inject == Inject::default() {
        return;
    }
    let wanted = match offer.inject {
        Inject::Header {
            header,
            scheme: Some(scheme),
        } => format!("in the header \"{header}: {scheme} {placeholder}\""),
        Inject::Header {
            header,
            scheme: None,
        } => format!("in the header \"{header}: {placeholder}\""),
        Inject::Query { query } => format!("in the query parameter {query}"),
    };
    findings.warning(
        "credential_scheme",
        declared.headers_place.clone(),
        format!(
            "the API \"{}\" sends its credential as Bearer; {} takes it {wanted}",
            declared.api.name, offer.name
        ),
        "Take the header out: the credential is then put where the provider takes it.",
    );
}

fn slot(
    declared: &DeclaredApi,
    settings: Option<&ApiSettings>,
    offer: &Offer<'_>,
    findings: &mut Findings,
) {
    let Some((settings, slot)) = settings.and_then(|all| Some((all, all.token_slot.as_ref()?)))
    else {
        return;
    };
    if offer.slots.contains(&slot.as_str()) {
        return;
    }
    let cure = match offer.slots.is_empty() {
        true => format!("Take token_slot out: {} has one token.", offer.name),
        false => format!("Use one of: {}.", offer.slots.join(", ")),
    };
    findings.error(
        "token_slot_unknown",
        settings.place.clone(),
        format!(
            "the API \"{}\" asks for the token slot \"{slot}\", which {} does not have",
            declared.api.name, offer.name
        ),
        cure,
    );
}
