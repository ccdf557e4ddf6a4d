//! PURE. `schema.json`: the part of an Appspace bundle that says what a widget may call.
//!
//! Source: the Appspace guide, "Schema Configuration for Authentication" and "Troubleshooting".

use std::collections::BTreeMap;

use consulate_core::egress::LoopbackExceptions;

use super::document::{Document, Object};
use super::finding::{Findings, Place};
use super::named_api::{self, DeclaredApi};
use super::source::inside;

/// What Appspace reads from the file and Consulate has no use for.
const APPSPACE_FIELDS: [&str; 14] = [
    "$schema",
    "templateKey",
    "version",
    "description",
    "icon",
    "author",
    "widgetType",
    "allowMultiple",
    "supportedSpaceTypes",
    "ui",
    "configuration",
    "appspaceApis",
    "analyticsEvents",
    "name",
];
const LONGEST_KEY: usize = 64;

const NO_AUTHENTICATION: &str = "the bundle declares no authentication: nothing can be connected";
const ADD_AUTHENTICATION: &str =
    "Ensure the authentications array exists in schema.json with at least one entry.";
const NO_API: &str = "the bundle declares no API: the widget can call nothing";
const ADD_API: &str = "Add an authenticatedApis array to schema.json with an entry for each call.";

/// What `schema.json` says.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// Display name of the widget.
    pub name: Option<String>,
    /// The bundled passport's file, normalised, and where it is named.
    pub passport: Option<(String, Place)>,
    /// `authentications[]`, in the file's order.
    pub authentications: Vec<DeclaredAuthentication>,
    /// `authenticatedApis[]`, in the file's order.
    pub apis: Vec<DeclaredApi>,
}

/// An entry of `authentications[]` and where it is.
#[derive(Debug)]
pub(super) struct DeclaredAuthentication {
    /// Its key, letters, digits, hyphen and underscore.
    pub auth_key: String,
    /// Shown to people.
    pub label: String,
    /// `metadata.passportProvider`.
    pub provider: Option<String>,
    /// Where it is.
    pub place: Place,
    /// Where its provider is named.
    pub provider_place: Place,
}

/// Reads the file.
pub(super) fn read(
    document: &Document,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Schema {
    let Some(root) = document.object(findings) else {
        return Schema::default();
    };
    let schema = Schema {
        name: root.string("name", findings),
        passport: passport(&root, findings),
        authentications: authentications(&root, findings),
        apis: apis(&root, exceptions, findings),
    };
    judge_lists(&root, findings);
    root.warn_unknown(&APPSPACE_FIELDS, findings);
    schema
}

/// Both lists are needed together. A widget that has neither, and no passport, may have no use for them.
fn judge_lists(root: &Object<'_>, findings: &mut Findings) {
    let is_empty = |key: &str| {
        // A value of another type has its finding already.
        root.value(key)
            .is_none_or(|value| value.as_array().is_some_and(|items| items.is_empty()))
    };
    let (no_authentications, no_apis) =
        (is_empty("authentications"), is_empty("authenticatedApis"));
    let uses_passports = root.has("passport") || !no_authentications || !no_apis;
    let place = root.place("authentications");
    match (no_authentications, uses_passports) {
        (true, true) => findings.error(
            "authentications_missing",
            place,
            NO_AUTHENTICATION,
            ADD_AUTHENTICATION,
        ),
        (true, false) => findings.warning(
            "authentications_missing",
            place,
            NO_AUTHENTICATION,
            ADD_AUTHENTICATION,
        ),
        (false, _) => {}
    }
    let place = root.place("authenticatedApis");
    match (no_apis, uses_passports) {
        (true, true) => findings.error("apis_missing", place, NO_API, ADD_API),
        (true, false) => findings.warning("apis_missing", place, NO_API, ADD_API),
        (false, _) => {}
    }
}

fn passport(root: &Object<'_>, findings: &mut Findings) -> Option<(String, Place)> {
    let passport = root.object("passport", findings)?;
    let path = passport.required("filePath", findings);
    passport.warn_unknown(&[], findings);
    let path = path?;
    let place = passport.place("filePath");
    let normal = inside(&path);
    if normal.is_none() {
        findings.error(
            "bundle_path_escape",
            place.clone(),
            format!("passport.filePath \"{path}\" points outside the bundle"),
            "Name a file of the bundle, relative to its root, such as passport/my-connector.json.",
        );
    }
    Some((normal?, place))
}

fn authentications(root: &Object<'_>, findings: &mut Findings) -> Vec<DeclaredAuthentication> {
    let entries = root
        .objects("authentications", findings)
        .unwrap_or_default();
    let mut read: Vec<DeclaredAuthentication> = Vec::new();
    let mut first_lines = BTreeMap::new();
    for entry in entries {
        let Some(declared) = authentication(&entry, findings) else {
            continue;
        };
        if let Some(first) = first_lines.insert(declared.auth_key.clone(), declared.place.line) {
            findings.error(
                "auth_key_duplicate",
                entry.place("authKey"),
                format!(
                    "the authKey \"{}\" is declared twice{}",
                    declared.auth_key,
                    first_seen(first)
                ),
                "Give every entry of authentications its own authKey.",
            );
            continue;
        }
        read.push(declared);
    }
    read
}

fn authentication(entry: &Object<'_>, findings: &mut Findings) -> Option<DeclaredAuthentication> {
    let kind = entry.required("authenticationType", findings);
    let auth_key = entry.required("authKey", findings);
    let label = entry.string("label", findings);
    let metadata = entry.object("metadata", findings);
    entry.warn_unknown(&[], findings);
    let mut provider = None;
    let mut provider_place = entry.here();
    if let Some(metadata) = metadata {
        provider = metadata.string("passportProvider", findings);
        provider_place = metadata.place("passportProvider");
        metadata.warn_unknown(&["passportType", "requiresSitePermissions"], findings);
    }
    if let Some(kind) = kind.filter(|kind| kind != "passport") {
        findings.error(
            "authentication_type",
            entry.place("authenticationType"),
            format!("authenticationType is \"{kind}\""),
            "Verify authenticationType is \"passport\" (not \"custom\").",
        );
    }
    let auth_key = auth_key?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if auth_key.len() > LONGEST_KEY || !auth_key.bytes().all(plain) {
        findings.error(
            "auth_key_invalid",
            entry.place("authKey"),
            format!("the authKey \"{auth_key}\" cannot stand in a placeholder or an address"),
            "Use letters, digits, hyphen and underscore, at most 64 characters.",
        );
    }
    Some(DeclaredAuthentication {
        label: label.unwrap_or_else(|| auth_key.clone()),
        place: entry.place("authKey"),
        auth_key,
        provider: provider
            .map(|provider| provider.trim().to_owned())
            .filter(|provider| !provider.is_empty()),
        provider_place,
    })
}

fn apis(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Vec<DeclaredApi> {
    let mut read: Vec<DeclaredApi> = Vec::new();
    let mut first_lines = BTreeMap::new();
    let entries = root.objects("authenticatedApis", findings);
    for entry in entries.unwrap_or_default() {
        let Some(declared) = named_api::read(&entry, exceptions, findings) else {
            continue;
        };
        let place = entry.place("name");
        if let Some(first) = first_lines.insert(declared.api.name.clone(), place.line) {
            findings.error(
                "api_name_duplicate",
                place,
                format!(
                    "the API name \"{}\" is declared twice{}",
                    declared.api.name,
                    first_seen(first)
                ),
                "Give every entry of authenticatedApis its own name.",
            );
            continue;
        }
        read.push(declared);
    }
    read
}

fn first_seen(line: Option<u32>) -> String {
    line.map(|line| format!(", first on line {line}"))
        .unwrap_or_default()
}
