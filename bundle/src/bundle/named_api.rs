//! PURE. One entry of `authenticatedApis[]`: its address, method, headers and body.
//!
//! Source: the Appspace guide, "The authenticatedApis array"; RFC 9110 section 7.6.1 for hop-by-hop headers.

use std::collections::{BTreeMap, BTreeSet};

use consulate_core::definition::NamedApi;
use consulate_core::egress::LoopbackExceptions;
use consulate_core::template::ApiTemplate;
use serde_json::Value;

use super::address::{self, Target};
use super::document::Object;
use super::finding::{Findings, Place};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const LONGEST_NAME: usize = 128;

/// Headers that belong to the connection or to whoever forwards, never to a bundle.
const FORBIDDEN_HEADERS: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
const FORBIDDEN_PREFIXES: [&str; 2] = ["proxy-", "x-forwarded-"];

/// A named API and where the bundle says so.
#[derive(Debug)]
pub(super) struct DeclaredApi {
    /// The record; scopes and idempotency come from `consulate.json`.
    pub api: NamedApi,
    /// Where its requests go; `None` where the URL was refused.
    pub target: Option<Target>,
    /// The connection's fields that its placeholders take; empty where the template was refused.
    pub fields: Vec<String>,
    /// Where its headers are.
    pub headers_place: Place,
    /// Where its URL is.
    pub url_place: Place,
    /// Where its `authenticationKey` is.
    pub key_place: Place,
}

/// Reads one entry. What is wrong is a finding; an entry without a name cannot be spoken of and is left out.
pub(super) fn read(
    entry: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<DeclaredApi> {
    let before = findings.errors();
    let name = entry.required("name", findings);
    let url = entry.required("url", findings);
    let method = entry
        .required("method", findings)
        .map(|method| method.to_ascii_uppercase());
    let key = entry.required("authenticationKey", findings);
    let label = entry.string("label", findings);
    let headers = entry.string_map("headers", findings).unwrap_or_default();
    let body = entry
        .value("body")
        .filter(|body| !is_empty(body) || method.as_deref() != Some("GET"))
        .cloned();
    entry.warn_unknown(&[], findings);

    if label.is_none() && !entry.has("label") {
        findings.warning(
            "label_missing",
            entry.here(),
            format!(
                "{} is missing; the name is shown instead",
                entry.path_of("label")
            ),
            "Add \"label\": the Appspace format requires it.",
        );
    }
    if let Some(name) = name.as_deref().filter(|name| !is_api_name(name)) {
        findings.error(
            "api_name_invalid",
            entry.place("name"),
            format!("the API name \"{name}\" cannot stand in an address"),
            "Use letters, digits, hyphen, underscore and dot, at most 128 characters.",
        );
    }
    if let Some(method) = method.as_deref().filter(|method| !METHODS.contains(method)) {
        findings.error(
            "method_unknown",
            entry.place("method"),
            format!("{} is \"{method}\"", entry.path_of("method")),
            "Use GET, POST, PUT, PATCH or DELETE.",
        );
    }
    let target = url
        .as_deref()
        .and_then(|url| judge_url(entry, url, exceptions, findings));
    if let Some(own) = key.as_deref() {
        judge_headers(entry, &headers, own, findings);
    }
    judge_body(entry, body.as_ref(), method.as_deref(), findings);

    let name = name?;
    let mut declared = DeclaredApi {
        target,
        fields: Vec::new(),
        headers_place: entry.place("headers"),
        url_place: entry.place("url"),
        key_place: entry.place("authenticationKey"),
        api: NamedApi {
            label: label.unwrap_or_else(|| name.clone()),
            name,
            method: method.unwrap_or_default(),
            url: url.unwrap_or_default(),
            authentication_key: key.unwrap_or_default(),
            headers,
            body,
            idempotent: false,
            scopes: Vec::new(),
            token_slot: String::new(),
        },
    };
    if findings.errors() == before {
        judge_template(entry, &mut declared, findings);
    }
    Some(declared)
}

/// What the proxy will do with the definition, done once here: a template that does not compile is never stored, and
/// the host judged at import is the host the proxy compares.
fn judge_template(entry: &Object<'_>, declared: &mut DeclaredApi, findings: &mut Findings) {
    let judged = match &declared.target {
        Some(Target::Host(host)) => Some(host.as_str()),
        Some(Target::Connection(_)) | None => None,
    };
    // The provider's reserved names bear on what a caller may send, not on whether the definition is sound.
    match ApiTemplate::compile(&declared.api, &[]) {
        Ok(template) if judged == template.host() => {
            declared.fields = template.connection_fields().map(str::to_owned).collect();
        }
        Ok(_) => findings.error(
            "url_invalid",
            entry.place("url"),
            format!("{} spells its host in an unusual way", entry.path_of("url")),
            "Write the host plainly, without percent-encoding or unusual numbers.",
        ),
        Err(error) => {
            let field = error.field.split('.').next().unwrap_or_default();
            findings.error(
                "template_invalid",
                entry.place(field),
                format!("{}.{} {}", entry.path(), error.field, error.message),
                "Use {param.NAME}, {user.id}, {user.email}, {organisation.id} and {connection.KEY.FIELD}, and {authorization.KEY.token} in headers; KEY is the API's own authenticationKey.",
            );
        }
    }
}

/// `{}` and `[]`: some bundles write them where there is no body.
fn is_empty(body: &Value) -> bool {
    body.as_object().is_some_and(|members| members.is_empty())
        || body.as_array().is_some_and(|items| items.is_empty())
}

fn is_api_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= LONGEST_NAME && name.bytes().all(plain) && !name.bytes().all(|byte| byte == b'.')
}

fn judge_url(
    entry: &Object<'_>,
    url: &str,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<Target> {
    if placeholders(url).any(|inner| inner.starts_with("authorization.")) {
        authorization_outside_headers(entry, "url", findings);
    }
    match address::api_url(url, exceptions) {
        Ok(target) => Some(target),
        Err(fault) => {
            let message = format!("{} {}", entry.path_of("url"), fault.message);
            findings.error(fault.code, entry.place("url"), message, fault.cure);
            None
        }
    }
}

fn judge_headers(
    entry: &Object<'_>,
    headers: &BTreeMap<String, String>,
    own: &str,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    let mut literal = false;
    for (name, value) in headers {
        // Some servers read an underscore as a hyphen.
        let lower = name.to_ascii_lowercase().replace('_', "-");
        let mut refuse = |code, message: String, cure: &str| {
            findings.error(code, entry.place("headers"), message, cure)
        };
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            refuse(
                "header_invalid",
                format!("\"{name}\" is not a header name"),
                "Use a header name such as Accept.",
            );
        } else if is_forbidden(&lower) {
            refuse(
                "header_forbidden",
                format!("the header {name} is not a bundle's to set"),
                "Take it out: the proxy sets what the connection needs.",
            );
        }
        if !seen.insert(lower.clone()) {
            refuse(
                "header_duplicate",
                format!("the header {name} is there twice"),
                "Keep one: case makes no difference.",
            );
        }
        if !value
            .chars()
            .all(|character| matches!(character, ' '..='~'))
        {
            refuse(
                "header_invalid",
                format!(
                    "the value of the header {name} holds a line break, a control character or a letter outside ASCII"
                ),
                "Write the value in printable ASCII on one line.",
            );
        }
        for inner in placeholders(value).filter(|inner| inner.starts_with("authorization.")) {
            if inner != format!("authorization.{own}.token") {
                refuse(
                    "authorization_foreign",
                    format!(
                        "the header {name} asks for {{{inner}}}, but this API's authenticationKey is \"{own}\""
                    ),
                    "Use {authorization.KEY.token} with the API's own authenticationKey.",
                );
            }
        }
        literal |= lower == "authorization" && !value.contains("{authorization.");
    }
    if literal {
        findings.warning(
            "credential_literal",
            entry.place("headers"),
            "the Authorization header is written out: whoever has the bundle has the credential",
            "Use \"Bearer {authorization.KEY.token}\" and let the credential be injected.",
        );
    }
}

/// Whether a header, in lower case, is not a bundle's to set.
pub(super) fn is_forbidden(lower: &str) -> bool {
    FORBIDDEN_HEADERS.contains(&lower)
        || FORBIDDEN_PREFIXES
            .iter()
            .any(|prefix| lower.starts_with(prefix))
}

fn judge_body(
    entry: &Object<'_>,
    body: Option<&Value>,
    method: Option<&str>,
    findings: &mut Findings,
) {
    let Some(body) = body else { return };
    if !body.is_object() && !body.is_array() {
        findings.error(
            "field_type",
            entry.place("body"),
            format!("{} must be an object or a list", entry.path_of("body")),
            "Write the JSON body itself, not text that holds it.",
        );
    } else if method == Some("GET") {
        findings.error(
            "body_on_get",
            entry.place("body"),
            "a GET request has a body",
            "Take the body out, or use another method.",
        );
    }
    let text = body.to_string();
    if placeholders(&text).any(|inner| inner.starts_with("authorization.")) {
        authorization_outside_headers(entry, "body", findings);
    }
}

fn authorization_outside_headers(entry: &Object<'_>, key: &str, findings: &mut Findings) {
    findings.error(
        "authorization_outside_headers",
        entry.place(key),
        format!(
            "{} asks for a credential; it may stand in headers only",
            entry.path_of(key)
        ),
        "Move {authorization.KEY.token} into a header: addresses and bodies end up in logs.",
    );
}

/// What stands between braces, innermost first: `a{b{c}` names `c`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('}')
        .filter_map(|before| before.rsplit_once('{').map(|(_, inner)| inner))
}
