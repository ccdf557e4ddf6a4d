//! PURE. A bundled passport: the nested form of the Appspace guide, and the flat one of its Console.
//!
//! Source: the Appspace guide, "Custom Passport JSON Reference" and "Troubleshooting"; for the flat form, the Console's
//! reference of custom passports.

use consulate_core::egress::LoopbackExceptions;

use super::document::{Document, Object};
use super::finding::Findings;
use super::id::{is_passport_name, kebab};
use super::oauth_metadata::{self, INHERIT_FROM, OauthMetadata};

/// What a passport may be filed under.
pub(super) const CATEGORIES: [&str; 10] = [
    "Custom",
    "Publishing",
    "Delegations",
    "Calendar",
    "Library",
    "Social",
    "Dashboard",
    "Conferencing",
    "People",
    "Places",
];

/// What the file says.
#[derive(Debug)]
pub(super) struct BundledFile {
    /// `customApplicationInfo.name`.
    pub name: String,
    /// Shown to people.
    pub display_name: String,
    /// The OAuth settings.
    pub oauth: OauthMetadata,
}

/// Reads the file; `None` where it cannot be used, with the reasons among the findings.
pub(super) fn read(
    document: &Document,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let root = document.object(findings)?;
    if is_flat(&root) {
        flat(&root, exceptions, findings)
    } else {
        nested(&root, exceptions, findings)
    }
}

fn is_flat(root: &Object<'_>) -> bool {
    let settings = ["authenticationUrl", "tokenUrl", "clientId"];
    !root.has("customApplicationInfo")
        && (settings.iter().any(|key| root.has(key))
            || INHERIT_FROM.iter().any(|key| root.has(key)))
}

fn flat(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let display_name = root.string("displayName", findings);
    let name = passport_name(root, display_name.as_deref(), findings);
    must_be_oauth(root, findings);
    category(root, findings);
    let oauth = oauth_metadata::read(root, exceptions, findings);
    unread_metadata(root, findings);
    root.warn_unknown(
        &[
            "description",
            "applicationName",
            "isCustomApplication",
            "parentName",
        ],
        findings,
    );
    file(name, display_name, oauth)
}

fn nested(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<BundledFile> {
    let title = root.required("name", findings);
    must_be_custom(root, "applicationName", findings);
    must_be_oauth(root, findings);
    must_say_it_is_custom(root, findings);
    missed_by_appspace(root, &["metadata"], findings);
    if !root.has("customApplicationInfo") {
        root.missing("customApplicationInfo", findings);
    }
    let application = root.object("customApplicationInfo", findings);
    unread_metadata(root, findings);
    root.warn_unknown(&[], findings);
    let application = application?;

    let display_name = application.string("displayName", findings);
    let shown = display_name.as_deref().or(title.as_deref());
    let name = passport_name(&application, shown, findings);
    must_be_custom(&application, "parentName", findings);
    must_match(root, &application, findings);
    category(&application, findings);
    missed_by_appspace(
        &application,
        &["displayName", "description", "categoryType"],
        findings,
    );
    if !application.has("metadata") {
        application.missing("metadata", findings);
    }
    let metadata = application.object("metadata", findings);
    application.warn_unknown(&["description"], findings);
    let metadata = metadata?;
    let oauth = oauth_metadata::read(&metadata, exceptions, findings);
    metadata.warn_unknown(&[], findings);
    file(name, display_name.or(title), oauth)
}

/// `metadata` beside the settings: Appspace wants it there, and nothing in it is read.
fn unread_metadata(root: &Object<'_>, findings: &mut Findings) {
    let Some(metadata) = root.object("metadata", findings) else {
        return;
    };
    for key in metadata.keys().filter(|key| metadata.has(key)) {
        let path = metadata.path_of(key);
        if oauth_metadata::is_setting(key) {
            findings.warning(
                "field_unused",
                metadata.place(key),
                format!("{path} has no effect where it stands"),
                "Move it to customApplicationInfo.metadata; in the flat form, beside \"name\".",
            );
        } else {
            findings.warning(
                "field_unknown",
                metadata.place(key),
                format!("{path} is not a field Consulate knows; it has no effect"),
                "Ignore this if another system reads the field.",
            );
        }
    }
}

fn file(
    name: Option<String>,
    display_name: Option<String>,
    oauth: OauthMetadata,
) -> Option<BundledFile> {
    let name = name?;
    Some(BundledFile {
        display_name: display_name
            .filter(|shown| !shown.trim().is_empty())
            .unwrap_or_else(|| name.clone()),
        name,
        oauth,
    })
}

/// `applicationName` and `parentName`. The latter is not the provider a passport inherits from.
fn must_be_custom(object: &Object<'_>, key: &str, findings: &mut Findings) {
    let there = object.has(key);
    let text = object.string(key, findings);
    if text.as_deref() != Some("custom") && (text.is_some() || !there) {
        findings.error(
            "passport_not_custom",
            object.place(key),
            format!("{} must be \"custom\"", object.path_of(key)),
            "Check that applicationName and parentName are both \"custom\".",
        );
    }
}

fn must_be_oauth(object: &Object<'_>, findings: &mut Findings) {
    let key = "authenticationType";
    let there = object.has(key);
    let text = object.string(key, findings);
    if text.as_deref() != Some("OAuth") && (text.is_some() || !there) {
        findings.error(
            "passport_authentication_type",
            object.place(key),
            format!("{} must be \"OAuth\"", object.path_of(key)),
            "Write \"authenticationType\": \"OAuth\"; it is the only method a bundled passport can have.",
        );
    }
}

/// The text "true" is a mistake of its own: forms export it.
fn must_say_it_is_custom(root: &Object<'_>, findings: &mut Findings) {
    let key = "isCustomApplication";
    let value = root.value(key);
    if value.and_then(serde_json::Value::as_bool) == Some(true) {
        return;
    }
    let what = match value {
        None => "is missing",
        Some(serde_json::Value::String(_)) => "is a text",
        Some(_) => "is not true",
    };
    findings.error(
        "passport_is_custom",
        root.place(key),
        format!("{} {what}; it must be true", root.path_of(key)),
        "Verify isCustomApplication: true is set in the passport JSON, without quotes.",
    );
}

fn must_match(root: &Object<'_>, application: &Object<'_>, findings: &mut Findings) {
    let key = "authenticationType";
    let there = application.has(key);
    let inner = application.string(key, findings);
    let outer = root.value(key).and_then(serde_json::Value::as_str);
    if (inner.is_some() || !there) && inner.as_deref() != outer {
        findings.error(
            "passport_authentication_differs",
            application.place(key),
            format!(
                "{} is not the same as {}",
                application.path_of(key),
                root.path_of(key)
            ),
            "Write \"authenticationType\": \"OAuth\" in both places.",
        );
    }
}

/// What the guide lists as required and Consulate can do without.
fn missed_by_appspace(object: &Object<'_>, keys: &[&str], findings: &mut Findings) {
    for key in keys.iter().filter(|key| !object.has(key)) {
        findings.warning(
            "passport_field_missing",
            object.place(key),
            format!("{} is missing; Appspace requires it", object.path_of(key)),
            format!("Add \"{key}\" if the bundle is uploaded to Appspace too."),
        );
    }
}

fn category(object: &Object<'_>, findings: &mut Findings) {
    let Some(category) = object.string("categoryType", findings) else {
        return;
    };
    if !CATEGORIES.contains(&category.as_str()) {
        findings.warning(
            "passport_category",
            object.place("categoryType"),
            format!("{} is \"{category}\"", object.path_of("categoryType")),
            format!("Write one of: {}.", CATEGORIES.join(", ")),
        );
    }
}

fn passport_name(
    object: &Object<'_>,
    display_name: Option<&str>,
    findings: &mut Findings,
) -> Option<String> {
    let name = object.required("name", findings)?;
    if is_passport_name(&name) {
        return Some(name);
    }
    let example = [Some(name.as_str()), display_name]
        .into_iter()
        .flatten()
        .map(kebab)
        .find(|id| is_passport_name(id))
        .unwrap_or_else(|| "my-saas-connector".to_owned());
    findings.error(
        "passport_name_invalid",
        object.place("name"),
        format!("the passport name \"{name}\" cannot be part of an id"),
        format!("Use letters, digits and hyphens, at most 63 characters, such as {example}."),
    );
    None
}
