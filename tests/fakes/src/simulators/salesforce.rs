//! Salesforce. No `expires_in`, an `instance_url` that may move, array bodies, SOAP's 500.
//!
//! Refresh tokens go on; those of apps whose id ends in `-rotating` are single-use. A session lasts two hours unless
//! [`Family::set_lives`] says otherwise. `login` leads to `https://acme.my.salesforce.com`, `test` to a sandbox, a My
//! Domain to itself, until [`Family::move_instance`].
//!
//! Sources: help.salesforce.com "OAuth 2.0 Web Server Flow", "OAuth 2.0 Refresh Token Flow", "Revoke OAuth Tokens",
//! "OpenID Connect Token Introspection", article 000381864; REST API guide "Status Codes and Error Responses".

mod data;
mod identity;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Endpoint, Rotation, Rules};
use super::book::{Ending, Grant};
use super::call::{Call, answer};
use super::claim::Accepts;
use super::denial::Denial;
use super::desk::Desk;
use super::plain::{missing_page, text};
use super::{App, Family, flow, levers};

/// Salesforce.
pub(super) struct Salesforce;

const RULES: Rules = Rules {
    name: "Salesforce",
    prefix: "00D-",
    client: Accepts::Either,
    default_scopes: &["api", "id"],
    known_scope: |scope| SCOPES.contains(&scope) || scope.starts_with("cdp_"),
    code_seconds: 900,
    access_seconds: Some(7_200),
    rotation: Rotation::Reusable,
    ..Rules::USUAL
};

const ROTATING: Rules = Rules {
    rotation: Rotation::SingleUse,
    ..RULES
};

const SCOPES: [&str; 16] = [
    "address",
    "api",
    "chatter_api",
    "content",
    "custom_permissions",
    "eclair_api",
    "email",
    "full",
    "id",
    "offline_access",
    "openid",
    "phone",
    "profile",
    "refresh_token",
    "wave_api",
    "web",
];

/// A person may approve one app this often; a further approval ends the oldest.
const APPROVALS: usize = 5;

/// Where the org has moved to.
const INSTANCE: &str = "salesforce instance";

const ORG_ID: &str = "00DACME00000001";

impl Family {
    /// Salesforce: moves the org to `https://{name}.my.salesforce.com`. Sessions stay behind; a refresh leads there.
    pub fn move_instance(&self, name: &str) {
        levers::set(&self.desk, INSTANCE, format!("{name}.my.salesforce.com"));
    }
}

/// Whether `host` is a My Domain, a sandbox's included: `acme.my.salesforce.com`,
/// `acme--dev.sandbox.my.salesforce.com`.
fn is_my_domain(host: &str) -> bool {
    let Some(name) = host.strip_suffix(".my.salesforce.com") else {
        return false;
    };
    let name = [".sandbox", ".develop", ".scratch"]
        .iter()
        .find_map(|kind| name.strip_suffix(kind))
        .unwrap_or(name);
    is_label(name)
}

fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(allowed)
}

/// The host of the org that a grant at `host` belongs to, at present.
fn instance(desk: &Desk, host: &str) -> String {
    levers::get(desk, INSTANCE).unwrap_or_else(|| match host {
        "login.salesforce.com" => "acme.my.salesforce.com".to_owned(),
        "test.salesforce.com" => "acme--dev.sandbox.my.salesforce.com".to_owned(),
        my_domain => my_domain.to_owned(),
    })
}

fn rules(app: &App) -> &'static Rules {
    if app.id.ends_with("-rotating") {
        &ROTATING
    } else {
        &RULES
    }
}

impl Behaviour for Salesforce {
    fn rules(&self) -> &Rules {
        &RULES
    }

    /// The pages of Lightning are Salesforce's, too; there is no OAuth and no API.
    fn serves(&self, host: &str) -> bool {
        let is_lightning = host
            .strip_suffix(".lightning.force.com")
            .is_some_and(is_label);
        matches!(host, "login.salesforce.com" | "test.salesforce.com")
            || is_my_domain(host)
            || is_lightning
    }

    fn endpoint(&self, host: &str, path: &str) -> Option<Endpoint> {
        if host.ends_with(".lightning.force.com") {
            return None;
        }
        match path {
            "/services/oauth2/authorize" => Some(Endpoint::Authorize),
            "/services/oauth2/token" => Some(Endpoint::Token),
            "/services/oauth2/revoke" => Some(Endpoint::Revoke),
            "/services/oauth2/userinfo" | "/services/oauth2/introspect" => Some(Endpoint::Api),
            path if path.starts_with("/id/") => Some(Endpoint::Api),
            path if is_my_domain(host)
                && (path.starts_with("/services/data/v")
                    || path.starts_with("/services/Soap/u/")) =>
            {
                Some(Endpoint::Api)
            }
            _ => None,
        }
    }

    fn token(&self, desk: &Desk, call: &Call) -> Response {
        match issue(desk, call) {
            Ok(reply) => answer(200, &reply),
            Err(denial) => self.deny(&denial),
        }
    }

    /// Everything is a 400.
    fn deny(&self, denial: &Denial) -> Response {
        let (error, description) = match denial {
            Denial::UnknownClient => ("invalid_client_id", "client identifier invalid".to_owned()),
            Denial::WrongSecret | Denial::WrongStyle => {
                ("invalid_client", "invalid client credentials".to_owned())
            }
            Denial::UnknownCode | Denial::UsedCode => {
                ("invalid_grant", "invalid authorization code".to_owned())
            }
            Denial::ExpiredCode => ("invalid_grant", "expired authorization code".to_owned()),
            Denial::WrongVerifier => ("invalid_grant", "invalid code verifier".to_owned()),
            Denial::WrongRedirect => (
                "redirect_uri_mismatch",
                "redirect_uri must match configuration".to_owned(),
            ),
            Denial::UnknownRefresh
            | Denial::UsedRefresh
            | Denial::ExpiredRefresh
            | Denial::Ended(_) => ("invalid_grant", "expired access/refresh token".to_owned()),
            Denial::UnsupportedGrant => (
                "unsupported_grant_type",
                "grant type not supported".to_owned(),
            ),
            other => (other.code(), other.text()),
        };
        answer(
            400,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// POST a form, or GET with a query; no client authentication. A refresh token takes its sessions along, an access
    /// token ends alone.
    fn revoke(&self, desk: &Desk, call: &Call) -> Response {
        let params = if call.method == Method::POST {
            call.form_fields()
        } else if call.method == Method::GET {
            Ok(call.query_params())
        } else {
            Err(Denial::Method)
        };
        let params = match params {
            Ok(params) => params,
            Err(denial) => return self.deny(&denial),
        };
        if end(desk, params.get("token").unwrap_or("")) {
            return text(200, "text/plain; charset=utf-8", "");
        }
        answer(
            400,
            &json!({
                "error": "unsupported_token_type",
                "error_description": "this token type is not supported",
            }),
        )
    }

    fn api(&self, desk: &Desk, call: &Call) -> Response {
        match call.path.as_str() {
            "/services/oauth2/introspect" => match identity::introspect(desk, call) {
                Ok(body) => answer(200, &body),
                Err(denial) => self.deny(&denial),
            },
            path if path == "/services/oauth2/userinfo" || path.starts_with("/id/") => {
                identity::answer_identity(desk, call)
            }
            _ => data::answer_data(desk, call),
        }
    }

    fn not_found(&self, _call: &Call) -> Response {
        missing_page()
    }
}

fn issue(desk: &Desk, call: &Call) -> Result<Value, Denial> {
    let params = call.form()?;
    let app = flow::client(desk, &RULES, call, &params)?;
    match params.get("grant_type") {
        None => Err(Denial::Missing("grant_type")),
        Some("authorization_code") => {
            let grant = flow::redeem_code(desk, &app, &params)?;
            end_oldest(desk, &grant);
            let rules = rules(&app);
            let is_offline = grant
                .scopes
                .iter()
                .any(|scope| scope == "refresh_token" || scope == "offline_access");
            let refresh_token = if is_offline {
                Some(flow::issue_refresh(
                    desk,
                    &levers::adjusted(desk, rules),
                    &grant,
                    "",
                )?)
            } else {
                None
            };
            reply(desk, &app, &grant, refresh_token.as_deref())
        }
        Some("refresh_token") => {
            let presented = params
                .get("refresh_token")
                .ok_or(Denial::Missing("refresh_token"))?;
            let rules = levers::adjusted(desk, rules(&app));
            let (grant, slot) = flow::redeem_refresh(desk, &rules, &app, presented)?;
            let next = flow::next_refresh(desk, &rules, &grant, slot, presented)?;
            reply(desk, &app, &grant, next.as_deref())
        }
        Some(_) => Err(Denial::UnsupportedGrant),
    }
}

/// The oldest approvals of this person for this app give way.
fn end_oldest(desk: &Desk, grant: &Grant) {
    let mut book = desk.book();
    let standing: Vec<u64> = book
        .grants
        .values()
        .filter(|other| other.client_id == grant.client_id && other.account == grant.account)
        .filter(|other| other.ending == Ending::None)
        .map(|other| other.id)
        .collect();
    let surplus = standing.len().saturating_sub(APPROVALS);
    for oldest in standing.into_iter().take(surplus) {
        book.end(oldest, Ending::Superseded);
    }
}

/// A fresh session on the present instance. The reply never says how long it lasts.
fn reply(
    desk: &Desk,
    app: &App,
    grant: &Grant,
    refresh_token: Option<&str>,
) -> Result<Value, Denial> {
    let instance = instance(desk, &grant.host);
    let rules = levers::adjusted(desk, &RULES);
    let access_token = flow::issue_access(desk, &rules, grant, "", &instance, &grant.scopes)?;
    let id = identity_url(grant);
    let issued_at = desk.now().to_string();
    let secret = app.secret.as_deref().unwrap_or("");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()));
    let mut reply = json!({
        "access_token": access_token,
        "signature": signature,
        "scope": grant.scopes.join(" "),
        "instance_url": format!("https://{instance}"),
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let (Some(reply), Some(refresh_token)) = (reply.as_object_mut(), refresh_token) {
        reply.insert("refresh_token".to_owned(), Value::from(refresh_token));
    }
    Ok(reply)
}

fn identity_url(grant: &Grant) -> String {
    let host = if grant.host == "test.salesforce.com" {
        "test.salesforce.com"
    } else {
        "login.salesforce.com"
    };
    format!("https://{host}/id/{ORG_ID}/{}", grant.account.id)
}

/// Ends what `token` stands for; false where it stands for nothing any more.
fn end(desk: &Desk, token: &str) -> bool {
    let now = desk.now();
    let Some(grant) = desk.grant_of(token) else {
        return false;
    };
    if grant.ending != Ending::None {
        return false;
    }
    let book = desk.book();
    let in_time = |end: Option<i64>| end.is_none_or(|end| end > now);
    let refresh = book.refresh.get(token);
    let is_refresh = refresh.is_some_and(|refresh| !refresh.spent && in_time(refresh.expires_at));
    let access = book.access.get(token);
    let is_access = access.is_some_and(|access| !access.revoked && in_time(access.expires_at));
    drop(book);
    if is_refresh {
        desk.revoke_grant(&grant);
        return true;
    }
    is_access && desk.revoke_access(token)
}
