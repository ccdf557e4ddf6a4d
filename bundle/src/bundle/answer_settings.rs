//! PURE. The parts of a passport's settings that have parts of their own: where a credential stands in a request, what is
//! kept of a token reply, and what an API's answer means.

use consulate_core::definition::{AnswerMatch, Inject, PinnedField, PinnedKind};
use http::{HeaderName, StatusCode};

use super::document::Object;
use super::finding::Findings;
use super::named_api::is_forbidden;
use super::passport_settings::{one_of, strings};
use crate::catalogue::limits::is_credential;

const KINDS: [(&str, PinnedKind); 2] = [("text", PinnedKind::Text), ("origin", PinnedKind::Origin)];
/// Longest name of a pinned field.
const LONGEST_FIELD: usize = 64;

/// `inject`: `{"header", "scheme"}` or `{"query"}`.
pub(super) fn inject(entry: &Object<'_>, findings: &mut Findings) -> Option<Inject> {
    let object = entry.object("inject", findings)?;
    let header = object.string("header", findings);
    let scheme = object.string("scheme", findings);
    let query = object.string("query", findings);
    object.warn_unknown(&[], findings);
    let inject = match (header, query) {
        (Some(header), None) if may_carry(&header) && scheme.as_deref().is_none_or(is_token) => {
            Some(Inject::Header { header, scheme })
        }
        (None, Some(query)) if is_token(&query) && scheme.is_none() => {
            Some(Inject::Query { query })
        }
        _ => None,
    };
    if inject.is_none() {
        findings.error(
            "inject_invalid",
            entry.place("inject"),
            format!("{} does not say where the credential stands", entry.path_of("inject")),
            "Write {\"header\": \"Authorization\", \"scheme\": \"Bearer\"}, a header of the provider's own, or {\"query\": \"api_key\"}.",
        );
    }
    inject
}

/// `pinned`: fields of the token reply that are kept for `{connection.AUTHKEY.NAME}`.
pub(super) fn pinned(entry: &Object<'_>, findings: &mut Findings) -> Option<Vec<PinnedField>> {
    let mut fields: Vec<PinnedField> = Vec::new();
    for object in entry.objects("pinned", findings)? {
        let name = object.required("name", findings);
        let at = object.required("at", findings);
        let kind = one_of(&object, "kind", &KINDS, findings);
        object.warn_unknown(&[], findings);
        let (Some(name), Some(at)) = (name, at) else {
            continue;
        };
        if !is_field(&name) || !is_pointer(&at) || fields.iter().any(|field| field.name == name) {
            findings.error(
                "pinned_invalid",
                object.here(),
                format!("{} is no field of a token reply", object.path()),
                "Give each a name of its own in lower case, digits and underscore, and \"at\" as a JSON pointer such as /instance_url.",
            );
            continue;
        }
        if is_credential(&at) {
            findings.error(
                "pinned_credential",
                object.place("at"),
                format!("{} is \"{at}\", which leads to a credential", object.path_of("at")),
                "Take the entry out: what is pinned is kept in the clear, and {authorization.KEY.token} is where a credential comes from.",
            );
            continue;
        }
        fields.push(PinnedField {
            name,
            at,
            kind: kind.unwrap_or_default(),
        });
    }
    Some(fields)
}

/// What it takes to tell one answer from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// A status of an error is enough.
    Status,
    /// Something of the body: a connection ends by it.
    Body,
}

/// `expired_when`, `refused_when` and `throttled_when`.
pub(super) fn answers(
    entry: &Object<'_>,
    key: &str,
    telling: Telling,
    findings: &mut Findings,
) -> Option<Vec<AnswerMatch>> {
    let mut answers = Vec::new();
    for object in entry.objects(key, findings)? {
        let wanted = AnswerMatch {
            status: statuses(&object, findings),
            at: object.string("at", findings),
            is: strings(&object, "is", findings).unwrap_or_default(),
            contains: object.string("contains", findings),
        };
        object.warn_unknown(&[], findings);
        if is_telling(&wanted, telling) {
            answers.push(wanted);
            continue;
        }
        findings.error(
            "answer_match_invalid",
            object.here(),
            format!("{} matches too many answers, or none", object.path()),
            match telling {
                Telling::Status => "Give \"at\" (a JSON pointer) with \"is\", or \"contains\", or \"status\" with error statuses.",
                Telling::Body => "Give \"at\" (a JSON pointer) with \"is\", or \"contains\".",
            },
        );
    }
    Some(answers)
}

/// `throttle_reset_header`.
pub(super) fn reset_header(entry: &Object<'_>, findings: &mut Findings) -> Option<String> {
    let key = "throttle_reset_header";
    let name = entry.string(key, findings)?;
    if HeaderName::from_bytes(name.as_bytes()).is_ok() {
        return Some(name.to_ascii_lowercase());
    }
    findings.error(
        "header_invalid",
        entry.place(key),
        format!("{} is not a header name", entry.path_of(key)),
        "Use a header name such as x-rate-limit-reset.",
    );
    None
}

fn statuses(object: &Object<'_>, findings: &mut Findings) -> Vec<u16> {
    let items = object.value("status").and_then(|value| value.as_array());
    let read: Option<Vec<u16>> = items.map_or_else(
        || (!object.has("status")).then(Vec::new),
        |items| {
            let status = |item: &serde_json::Value| {
                let status = u16::try_from(item.as_u64()?).ok()?;
                StatusCode::from_u16(status).ok().map(|_| status)
            };
            items.iter().map(status).collect()
        },
    );
    read.unwrap_or_else(|| {
        findings.error(
            "field_type",
            object.place("status"),
            format!(
                "{} must be a list of HTTP statuses",
                object.path_of("status")
            ),
            "Write a list of HTTP statuses here, such as [200, 403].",
        );
        // Not empty, or the match would be judged twice.
        vec![StatusCode::UNAUTHORIZED.as_u16()]
    })
}

/// Whether a match can tell one answer from another. Statuses of success alone would make every answer an error.
fn is_telling(wanted: &AnswerMatch, telling: Telling) -> bool {
    let errors = telling == Telling::Status
        && !wanted.status.is_empty()
        && wanted.status.iter().all(|status| *status >= 400);
    let contains = wanted
        .contains
        .as_deref()
        .is_some_and(|text| !text.is_empty());
    match &wanted.at {
        Some(at) => is_pointer(at) && !wanted.is.is_empty(),
        None => wanted.is.is_empty() && (errors || contains),
    }
}

fn may_carry(header: &str) -> bool {
    HeaderName::from_bytes(header.as_bytes()).is_ok()
        && !is_forbidden(&header.to_ascii_lowercase().replace('_', "-"))
}

/// RFC 9110 section 5.6.2, without what would have to be encoded in a query.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_field(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_FIELD).contains(&name.len()) && name.bytes().all(plain)
}

/// RFC 6901 section 3, of at least one member.
fn is_pointer(at: &str) -> bool {
    at.starts_with('/')
        && at
            .split('~')
            .skip(1)
            .all(|part| part.starts_with(['0', '1']))
}
