//! PURE. A bundled passport: the nested form of the Appspace guide, and the flat one of its Console.
//!
//! Source: the Appspace guide, "Custom Passport JSON Reference" and "Troubleshooting".

use consulate_core::definition::Profile;
use consulate_core::egress::LoopbackExceptions;
use consulate_core::secret::SecretText;
use serde_json_path::JsonPath;

use super::address;
use super::document::{Document, Object};
use super::finding::{Findings, Place};
use super::id::is_passport_name;

/// What Appspace knows and Consulate has no use for: access tokens are renewed by their own expiry, and endpoints are
/// written out.
const UNUSED_SETTINGS: [&str; 2] = ["inheritFrom", "refreshInterval"];

/// What the file says. The client secret is kept apart from what is stored in the table.
#[derive(Debug)]
pub(super) struct BundledFile {
    /// `customApplicationInfo.name`.
    pub name: String,
    /// Shown to people.
    pub display_name: String,
    /// OAuth client id; may be a placeholder, or missing where `consulate.json` has it.
    pub client_id: Option<String>,
    /// A real client secret, if the file holds one.
    pub client_secret: Option<SecretText>,
    /// Authorization endpoint.
    pub authorize_url: String,
    /// Token endpoint.
    pub token_url: String,
    /// Where the account's name comes from.
    pub profile: Option<Profile>,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Joins scopes in the authorize URL.
    pub scope_separator: Option<String>,
    /// Where the client id is.
    pub client_id_place: Place,
    /// Where the client secret is.
    pub client_secret_place: Place,
    /// Where a profile address is missing.
    pub profile_place: Place,
}

/// Reads the file; `None` where it cannot be used, with the reasons among the findings.
pub(super) fn read(
    document: &Document,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let root = document.object(findings)?;
    let flat = ["authenticationUrl", "tokenUrl", "clientId"]
        .iter()
        .any(|key| root.has(key));
    if flat && !root.has("customApplicationInfo") {
        let name = passport_name(&root, findings);
        must_be(&root, "authenticationType", "OAuth", findings);
        let display_name = root.string("displayName", findings);
        let file = settings(&root, name, display_name, exceptions, findings);
        root.warn_unknown(
            &[
                "description",
                "categoryType",
                "metadata",
                "applicationName",
                "isCustomApplication",
                "parentName",
            ],
            findings,
        );
        return file;
    }
    nested(&root, exceptions, findings)
}

fn nested(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let title = root.required("name", findings);
    must_be(root, "applicationName", "custom", findings);
    must_be(root, "authenticationType", "OAuth", findings);
    if root.boolean("isCustomApplication", findings) != Some(true) {
        findings.error(
            "passport_literal",
            root.place("isCustomApplication"),
            "$.isCustomApplication must be true",
            "Verify isCustomApplication: true is set in the passport JSON.",
        );
    }
    if !root.has("customApplicationInfo") {
        root.missing("customApplicationInfo", findings);
    }
    let application = root.object("customApplicationInfo", findings);
    root.warn_unknown(&["metadata"], findings);
    let application = application?;

    let name = passport_name(&application, findings);
    must_be(&application, "parentName", "custom", findings);
    must_be(&application, "authenticationType", "OAuth", findings);
    let display_name = application.string("displayName", findings).or(title);
    if !application.has("metadata") {
        application.missing("metadata", findings);
    }
    let metadata = application.object("metadata", findings);
    application.warn_unknown(&["description", "categoryType"], findings);
    let metadata = metadata?;
    let file = settings(&metadata, name, display_name, exceptions, findings);
    metadata.warn_unknown(&[], findings);
    file
}

fn must_be(object: &Object<'_>, key: &str, literal: &str, findings: &mut Findings) {
    let cure = match key {
        "applicationName" | "parentName" => {
            "Check that applicationName and parentName are both \"custom\".".to_owned()
        }
        _ => format!(
            "Write \"{key}\": \"{literal}\"; {literal} is the only method a bundled passport can have."
        ),
    };
    let there = object.has(key);
    let text = object.string(key, findings);
    if text.as_deref() != Some(literal) && (text.is_some() || !there) {
        let message = format!("{} must be \"{literal}\"", object.path_of(key));
        findings.error("passport_literal", object.place(key), message, cure);
    }
}

fn passport_name(object: &Object<'_>, findings: &mut Findings) -> Option<String> {
    let name = object.required("name", findings)?;
    if is_passport_name(&name) {
        return Some(name);
    }
    findings.error(
        "passport_name_invalid",
        object.place("name"),
        format!("the passport name \"{name}\" cannot be part of an id"),
        "Use letters, digits and hyphens, at most 63 characters, such as my-saas-connector.",
    );
    None
}

/// The OAuth settings, wherever they stand.
fn settings(
    object: &Object<'_>,
    name: Option<String>,
    display_name: Option<String>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let client_id = object.string("clientId", findings);
    let client_secret = object.string("clientSecret", findings);
    let authorize_url = required_endpoint(object, "authenticationUrl", exceptions, findings);
    let token_url = required_endpoint(object, "tokenUrl", exceptions, findings);
    let profile = profile(object, exceptions, findings);
    let scopes = object.string("scope", findings).unwrap_or_default();
    let scope_separator = scope_separator(object, "scopeSeparator", findings);
    for key in UNUSED_SETTINGS
        .iter()
        .filter(|key| object.value(key).is_some())
    {
        findings.warning(
            "field_unused",
            object.place(key),
            format!("{} is not used by this version", object.path_of(key)),
            "Nothing to do: endpoints are written out, and access tokens are renewed by their own expiry.",
        );
    }
    let name = name?;
    Some(BundledFile {
        display_name: display_name
            .filter(|shown| !shown.trim().is_empty())
            .unwrap_or_else(|| name.clone()),
        name,
        client_id: client_id.filter(|id| !id.trim().is_empty()),
        client_secret: client_secret
            .filter(|secret| !is_placeholder(secret))
            .map(SecretText::new),
        authorize_url: authorize_url?,
        token_url: token_url?,
        profile,
        scopes: split_scopes(&scopes, scope_separator.as_deref()),
        scope_separator,
        client_id_place: object.place("clientId"),
        client_secret_place: object.place("clientSecret"),
        profile_place: object.place("profileUrl"),
    })
}

fn required_endpoint(
    object: &Object<'_>,
    key: &str,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<String> {
    if !object.has(key) {
        findings.error(
            "field_missing",
            object.place(key),
            format!("{} is missing", object.path_of(key)),
            "Ensure authenticationUrl and tokenUrl are valid endpoints.",
        );
        return None;
    }
    endpoint(object, key, exceptions, findings)
}

/// An endpoint that may be absent.
pub(super) fn endpoint(
    object: &Object<'_>,
    key: &str,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<String> {
    let text = object.string(key, findings)?;
    match address::endpoint(&text, exceptions) {
        Ok(()) => Some(text),
        Err(fault) => {
            let message = format!("{} {}", object.path_of(key), fault.message);
            findings.error(fault.code, object.place(key), message, fault.cure);
            None
        }
    }
}

/// What joins scopes: one to three characters that are not letters or digits.
pub(super) fn scope_separator(
    object: &Object<'_>,
    key: &str,
    findings: &mut Findings,
) -> Option<String> {
    let separator = object.string(key, findings)?;
    let plain = |character: char| character.is_ascii_punctuation() || character == ' ';
    if (1..=3).contains(&separator.len()) && separator.chars().all(plain) {
        return Some(separator);
    }
    findings.error(
        "scope_separator_invalid",
        object.place(key),
        format!("{} is not a separator", object.path_of(key)),
        "Write one space, a comma, or whatever the provider puts between scopes.",
    );
    None
}

fn profile(
    object: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<Profile> {
    let id_path = json_path(object, "profileAccountIdPath", findings);
    let email_path = json_path(object, "profileAccountEmailPath", findings);
    let name_path = json_path(object, "profileAccountNamePath", findings);
    Some(Profile {
        url: endpoint(object, "profileUrl", exceptions, findings)?,
        id_path,
        email_path,
        name_path,
    })
}

fn json_path(object: &Object<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    let path = object
        .string(key, findings)
        .filter(|path| !path.is_empty())?;
    if JsonPath::parse(&path).is_ok() {
        return Some(path);
    }
    findings.error(
        "jsonpath_invalid",
        object.place(key),
        format!("{} is not a JSONPath", object.path_of(key)),
        "Write a path such as $.email (RFC 9535).",
    );
    None
}

/// The guide writes scopes with spaces; where a separator is declared, it may stand between them already.
fn split_scopes(scopes: &str, separator: Option<&str>) -> Vec<String> {
    scopes
        .split(char::is_whitespace)
        .flat_map(|part| {
            part.split(
                separator
                    .map(str::trim)
                    .filter(|separator| !separator.is_empty())
                    .unwrap_or(" "),
            )
        })
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

/// True for what a template or an export puts in place of a value.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let bracketed = [("<", ">"), ("${", "}"), ("{{", "}}"), ("[", "]")]
        .iter()
        .any(|(open, close)| text.starts_with(open) && text.ends_with(close));
    let worded = [
        "your-",
        "your_",
        "your ",
        "yourclient",
        "insert-",
        "insert ",
        "replace-",
        "replace ",
        "enter-",
    ]
    .iter()
    .any(|start| text.starts_with(start));
    let named = [
        "changeme",
        "change-me",
        "placeholder",
        "todo",
        "client-id",
        "client-secret",
    ]
    .contains(&text.as_str());
    let masked = text
        .chars()
        .all(|character| matches!(character, '*' | 'x' | '•' | '.' | '-'));
    text.is_empty() || bracketed || worded || named || masked
}
