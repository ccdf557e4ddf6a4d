//! PURE. The OAuth settings of a passport file: `customApplicationInfo.metadata`, or the flat form's own members.
//!
//! The guide names the first nine fields and describes four more; for those, every name a form or an export may use is
//! accepted. Source: the Appspace guide, "OAuth Metadata Fields".

use consulate_core::egress::LoopbackExceptions;
use consulate_core::secret::SecretText;
use serde_json_path::JsonPath;

use super::address;
use super::document::Object;
use super::finding::{Findings, Place};
use super::placeholder::is_placeholder;

/// A field with several accepted names, the one Consulate writes first.
type Names = &'static [&'static str];

/// What joins scopes.
pub(super) const SCOPE_SEPARATOR: Names = &[
    "scopeSeparator",
    "scopesSeparator",
    "scopeDelimiter",
    "scopesDelimiter",
    "separator",
];
/// The built-in provider whose OAuth settings are taken where the file leaves them out.
pub(super) const INHERIT_FROM: Names = &[
    "inheritFrom",
    "inheritsFrom",
    "inheritFromProvider",
    "inheritOAuthUrls",
    "inheritOAuthUrlsFrom",
    "inheritUrlsFrom",
    "baseProvider",
    "parentProvider",
];
/// Whether tokens are renewed at an interval.
pub(super) const REFRESH_ENABLED: Names = &[
    "refreshEnabled",
    "isRefreshEnabled",
    "enableRefresh",
    "autoRefresh",
    "autoRefreshEnabled",
    "refreshTokenEnabled",
];
/// The interval, in minutes.
pub(super) const REFRESH_INTERVAL: Names = &[
    "refreshInterval",
    "refreshIntervalMinutes",
    "refreshIntervalInMinutes",
    "refreshTokenInterval",
    "tokenRefreshInterval",
];

/// Settings that have one name.
const PLAIN: Names = &[
    "clientId",
    "clientSecret",
    "authenticationUrl",
    "tokenUrl",
    "profileUrl",
    "profileAccountIdPath",
    "profileAccountEmailPath",
    "profileAccountNamePath",
    "scope",
];

/// Whether `key` is a setting that is read here, by any of its names.
pub(super) fn is_setting(key: &str) -> bool {
    let families = [
        PLAIN,
        SCOPE_SEPARATOR,
        INHERIT_FROM,
        REFRESH_ENABLED,
        REFRESH_INTERVAL,
    ];
    families.iter().any(|names| names.contains(&key))
}

/// Thirty days: no provider's refresh tokens last longer without use.
const LONGEST_INTERVAL: u64 = 43_200;

/// What the settings say. The client secret is kept apart from what is stored in the table.
#[derive(Debug)]
pub(super) struct OauthMetadata {
    /// OAuth client id; may be a placeholder, or missing where `consulate.json` has it.
    pub client_id: Option<String>,
    /// A real client secret, if the file holds one.
    pub client_secret: Option<SecretText>,
    /// Authorization endpoint.
    pub authorize_url: Endpoint,
    /// Token endpoint.
    pub token_url: Endpoint,
    /// Where the account's name comes from.
    pub profile_url: Endpoint,
    /// JSONPath of the account's id.
    pub profile_id_path: Option<String>,
    /// JSONPath of its e-mail.
    pub profile_email_path: Option<String>,
    /// JSONPath of its display name.
    pub profile_name_path: Option<String>,
    /// Scopes asked for, where the file says.
    pub scopes: Option<Vec<String>>,
    /// Joins scopes in the authorize URL.
    pub scope_separator: Option<String>,
    /// The provider whose settings are taken, and where it is named.
    pub inherit_from: Option<(String, Place)>,
    /// How often tokens are renewed although they have not ended.
    pub refresh_interval_seconds: Option<u64>,
    /// Whether an interval is declared and switched off.
    pub is_refresh_off: bool,
    /// Where the client id is.
    pub client_id_place: Place,
    /// Where the client secret is.
    pub client_secret_place: Place,
}

/// An address, where the file says one, and where it says so.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The address; `None` where there is none, or one that was refused.
    pub url: Option<String>,
    /// Whether the field is there.
    pub is_declared: bool,
    /// Its place, or that of the object it is missing from.
    pub place: Place,
    /// Its JSON path.
    pub path: String,
}

/// Reads the settings, wherever they stand.
pub(super) fn read(
    object: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> OauthMetadata {
    let mut address = |key: &str| Endpoint {
        url: endpoint(object, key, exceptions, findings),
        is_declared: object.has(key),
        place: object.place(key),
        path: object.path_of(key),
    };
    let authorize_url = address("authenticationUrl");
    let token_url = address("tokenUrl");
    let profile_url = address("profileUrl");
    let client_id = object.string("clientId", findings);
    let client_secret = object.string("clientSecret", findings);
    let separator = object.spelling(SCOPE_SEPARATOR, findings);
    let scope_separator = scope_separator(object, separator, findings);
    let (refresh_interval_seconds, is_refresh_off) = refresh_interval(object, findings);
    OauthMetadata {
        client_id: client_id.filter(|id| !id.trim().is_empty()),
        client_secret: client_secret
            .filter(|secret| !is_placeholder(secret))
            .map(SecretText::new),
        authorize_url,
        token_url,
        profile_url,
        profile_id_path: json_path(object, "profileAccountIdPath", findings),
        profile_email_path: json_path(object, "profileAccountEmailPath", findings),
        profile_name_path: json_path(object, "profileAccountNamePath", findings),
        scopes: scopes(object, scope_separator.as_deref(), findings),
        scope_separator,
        inherit_from: inherit_from(object, findings),
        refresh_interval_seconds,
        is_refresh_off,
        client_id_place: object.place("clientId"),
        client_secret_place: object.place("clientSecret"),
    }
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

fn inherit_from(object: &Object<'_>, findings: &mut Findings) -> Option<(String, Place)> {
    let key = object.spelling(INHERIT_FROM, findings);
    let named = object.string(key, findings)?;
    let named = named.trim();
    (!named.is_empty()).then(|| (named.to_owned(), object.place(key)))
}

/// The interval in seconds, and whether it is switched off.
fn refresh_interval(object: &Object<'_>, findings: &mut Findings) -> (Option<u64>, bool) {
    let switch = object.spelling(REFRESH_ENABLED, findings);
    let enabled = object.boolean_or_text(switch, findings).unwrap_or(true);
    let key = object.spelling(REFRESH_INTERVAL, findings);
    let Some(minutes) = object.number_or_text(key, findings) else {
        return (None, false);
    };
    if !(1..=LONGEST_INTERVAL).contains(&minutes) {
        findings.error(
            "refresh_interval_invalid",
            object.place(key),
            format!("{} is {minutes} minutes", object.path_of(key)),
            format!("Write 1 to {LONGEST_INTERVAL} minutes, or leave it out: tokens are renewed before they end."),
        );
        return (None, !enabled);
    }
    (Some(minutes * 60).filter(|_| enabled), !enabled)
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

fn scopes(
    object: &Object<'_>,
    separator: Option<&str>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let text = object.string("scope", findings)?;
    let scopes = split_scopes(&text, separator);
    let joined = scopes
        .iter()
        .find(|scope| scope.contains([',', ';', '+']) || scope.contains("%20"));
    if let Some(joined) = joined {
        findings.warning(
            "scope_joined",
            object.place("scope"),
            format!("\"{joined}\" is read as one scope; it looks like several"),
            "Put spaces between scopes; if the provider wants another separator, name it in scopeSeparator.",
        );
    }
    Some(scopes)
}

/// The guide writes scopes with spaces; where a separator is declared, it may stand between them already.
fn split_scopes(scopes: &str, separator: Option<&str>) -> Vec<String> {
    let separator = separator.map(str::trim).filter(|text| !text.is_empty());
    scopes
        .split(char::is_whitespace)
        .flat_map(|part| part.split(separator.unwrap_or(" ")))
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}
