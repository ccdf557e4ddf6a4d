//! Meta: Facebook Login and Instagram Login, behind one name. Neither has refresh tokens: a short-lived token is
//! exchanged for one of 60 days, and that one again while it is valid.
//!
//! An app id's ending chooses what differs between apps; see [`facebook`] and [`instagram`].
//!
//! Sources: developers.facebook.com "Long-Lived Access Tokens", "Securing Graph API Requests", "Handling Errors",
//! "Rate Limits"; Instagram "Business Login", `access_token` and `refresh_access_token` reference.

mod facebook;
mod instagram;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::authorization::Fault;
use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::{Ending, Pending};
use super::call::{Call, Params, answer};
use super::desk::{Caller, Desk};
use super::plain::missing_page;
use crate::provider::Account;

/// Meta.
pub(super) struct Meta;

/// What Facebook and Instagram have in common; each changes what is its own.
const RULES: Rules = Rules {
    name: "Meta",
    prefix: "meta-",
    separators: ",",
    scope_fault_on_page: true,
    granular: true,
    code_seconds: 600,
    rotation: Rotation::None,
    ..Rules::USUAL
};

/// Life of a long-lived token.
const LONG_SECONDS: i64 = 60 * 86_400;
/// The slot of tokens that came straight from a code.
const SHORT: &str = "short";
/// The slot of tokens that came from an exchange.
const LONG: &str = "long";

impl Behaviour for Meta {
    fn rules(&self) -> &Rules {
        &RULES
    }

    fn serves(&self, host: &str) -> bool {
        facebook::serves(host) || instagram::serves(host)
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        if instagram::serves(host) {
            instagram::endpoint(host, path)
        } else {
            facebook::endpoint(host, path)
        }
    }

    fn authorize(&self, desk: &Desk, call: &Call) -> Result<Pending, Fault> {
        if instagram::serves(&call.host) {
            instagram::authorize(desk, call)
        } else {
            facebook::authorize(desk, call)
        }
    }

    fn redirect_tail(&self, pending: &Pending) -> &'static str {
        if instagram::serves(&pending.host) {
            "#_"
        } else {
            "#_=_"
        }
    }

    fn redirect_extras(&self, _desk: &Desk, pending: &Pending) -> Vec<(&'static str, String)> {
        if facebook::serves(&pending.host) {
            facebook::redirect_extras(pending)
        } else {
            Vec::new()
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        if instagram::serves(&call.host) {
            instagram::token(desk, call)
        } else {
            facebook::token(desk, call)
        }
    }

    fn token_params(&self, call: &Call) -> Params {
        params(call)
    }

    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        facebook::permissions(desk, call)
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        if instagram::serves(&call.host) {
            instagram::api(desk, call)
        } else {
            facebook::api(desk, call)
        }
    }

    fn not_found(&self, call: &Call) -> Response {
        if !call.host.starts_with("graph.") {
            return missing_page();
        }
        let message = format!("Unknown path components: {}", call.path);
        GraphError::new(404, &message, 2500).respond()
    }
}

/// The parameters of the URL and, where the body is a form, of the body.
fn params(call: &Call) -> Params {
    let is_form = call.header("content-type").is_some_and(|media_type| {
        media_type
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    });
    let body = if is_form { &call.body[..] } else { &[] };
    let mut text = call.query.clone().into_bytes();
    text.push(b'&');
    text.extend_from_slice(body);
    Params::parse(&text)
}

/// Path segments behind the version (`v22.0`), which may be left out.
fn unversioned<'a>(segments: &'a [&'a str]) -> &'a [&'a str] {
    match segments {
        [first, rest @ ..] if is_version(first) => rest,
        all => all,
    }
}

/// Whether `segment` is a version of the Graph API: `v22.0`.
fn is_version(segment: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    segment
        .strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| number(major) && number(minor))
}

/// A person's numeric id within the app: digits in a string, too many for a 64-bit float.
fn node_id(account: Account) -> String {
    let digits: String = account.id.chars().filter(char::is_ascii_digit).collect();
    format!("1784140579318{digits}")
}

/// What is wrong with an access token.
enum Trouble {
    Missing,
    Unknown,
    Expired,
    /// It was withdrawn by itself, as by a changed password.
    Withdrawn,
    /// The person removed the app.
    Ended,
    /// The person has stayed away for too long: the token stands, their data are closed.
    Away,
}

impl Trouble {
    /// The answer to an API call, or to an exchange, with such a token.
    fn error(&self) -> GraphError {
        let refused = |message: &str, subcode| GraphError {
            subcode,
            ..GraphError::new(400, message, 190)
        };
        match self {
            Self::Missing => GraphError::new(
                400,
                "An active access token must be used to query information about the current user.",
                2500,
            ),
            Self::Unknown => refused(
                "Invalid OAuth access token - Cannot parse access token",
                None,
            ),
            Self::Expired => refused(
                "Error validating access token: Session has expired.",
                Some(463),
            ),
            Self::Withdrawn => refused(
                "Error validating access token: The session has been invalidated because the user changed their \
                 password.",
                Some(460),
            ),
            Self::Ended => refused(
                "Error validating access token: The user has not authorized application.",
                Some(458),
            ),
            Self::Away => refused(
                "The access token is invalid since the user hasn't engaged the app in longer than 90 days.",
                Some(493),
            ),
        }
    }
}

/// Whom an access token stands for.
fn look_up(desk: &Desk, token: Option<&str>) -> Result<Caller, Trouble> {
    let now = desk.now();
    let token = token.ok_or(Trouble::Missing)?;
    let book = desk.book();
    let access = book.access.get(token).ok_or(Trouble::Unknown)?;
    let grant = book.grants.get(&access.grant).ok_or(Trouble::Unknown)?;
    if grant.ending != Ending::None {
        return Err(Trouble::Ended);
    }
    if access.revoked {
        return Err(Trouble::Withdrawn);
    }
    if access.expires_at.is_some_and(|end| end <= now) {
        return Err(Trouble::Expired);
    }
    Ok(Caller {
        account: grant.account,
        grant: grant.clone(),
        access: access.clone(),
    })
}

/// The token an API call brings: `Authorization: Bearer`, or the parameter `access_token`.
fn presented<'a>(call: &'a Call, params: &'a Params) -> Option<&'a str> {
    call.header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .or_else(|| params.get("access_token"))
}

/// An error as the Graph API words it.
struct GraphError {
    status: u16,
    message: String,
    kind: &'static str,
    code: u32,
    subcode: Option<u32>,
}

impl GraphError {
    fn new(status: u16, message: &str, code: u32) -> Self {
        Self {
            status,
            message: message.to_owned(),
            kind: "OAuthException",
            code,
            subcode: None,
        }
    }

    fn respond(&self) -> Response {
        let mut error = json!({ "message": self.message, "type": self.kind, "code": self.code });
        if let Some(error) = error.as_object_mut() {
            if let Some(subcode) = self.subcode {
                error.insert("error_subcode".to_owned(), Value::from(subcode));
            }
            error.insert("fbtrace_id".to_owned(), Value::from("AbCdEfGhIjKlMnOp"));
        }
        answer(self.status, &json!({ "error": error }))
    }
}

/// The members of `node` that `fields` names (`id` always comes along). A name that `node` has not is an error; one
/// that is `null` is left out, as for want of a permission.
fn select(node: &Value, fields: &str) -> Result<Value, GraphError> {
    let mut selected = Map::new();
    for field in top_level(fields) {
        match node.get(field) {
            Some(Value::Null) => {}
            Some(value) => {
                selected.insert(field.to_owned(), value.clone());
            }
            None => {
                let message = format!(
                    "(#100) Tried accessing nonexisting field ({field}) on node type (User)"
                );
                return Err(GraphError::new(400, &message, 100));
            }
        }
    }
    if let Some(id) = node.get("id") {
        selected.insert("id".to_owned(), id.clone());
    }
    Ok(Value::Object(selected))
}

/// The names in a field list, without what is asked of them: `id,picture{url,width}` is `id` and `picture`.
fn top_level(fields: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    fields
        .split(|character| {
            match character {
                '{' | '(' => depth += 1,
                '}' | ')' => depth -= 1,
                _ => {}
            }
            character == ',' && depth == 0
        })
        .map(|field| field.split(['{', '.', '(']).next().unwrap_or("").trim())
        .filter(|field| !field.is_empty())
        .collect()
}
