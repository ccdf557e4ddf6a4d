//! Who is calling: verifies the host's JWT and hands the handler a [`WidgetCaller`], which nothing else can make.
//!
//! Happeo widget JWTs: HS256 with the widget's shared secret, claims `user.id`, `user.primaryEmail`, `organisation.id`
//! (Happeo developer page "Advanced usage"). The JWT names no widget, so the widget's own secret is the only binding: it
//! is chosen by the widget in the path, never by trying the secrets of others. A new secret works beside the current
//! one, so that rotating needs no downtime.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::acting::Person;
use crate::clock::{Clock, Timestamp};
use crate::definition::{Host, HostKind, OwnerMode, Widget};
use crate::definitions::Definitions;
use crate::secret::SecretText;
use crate::secrets::{self, Secrets};
use crate::table;

/// How far a host's clock may be off ours.
const LEEWAY_SECONDS: i64 = 30;
/// A longer caller JWT is not looked at.
const JWT_LIMIT: usize = 8 * 1024;
/// A longer id is not an id.
const ID_LIMIT: usize = 256;

/// The verified user behind a request. Outside this crate only [`Callers::verify`] makes one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Id of the host that vouches.
    pub host: String,
    /// Organisation id.
    pub organisation: String,
    /// User id.
    pub user: String,
    /// E-mail, where the host gives one it vouches for.
    pub email: Option<String>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Caller")
            .field("host", &self.host)
            .field("organisation", &self.organisation)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A verified caller on a widget: the argument every protected handler takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WidgetCaller {
    /// The widget named in the path.
    pub widget: Arc<Widget>,
    /// Who calls it.
    pub caller: Caller,
    /// Whether an administrator acts in the caller's place, through the console.
    in_place_of: bool,
}

impl WidgetCaller {
    /// Whether this caller may connect, replace or disconnect what belongs to `mode`.
    pub fn may_change(&self, mode: OwnerMode) -> bool {
        match mode {
            _ if self.in_place_of => true,
            OwnerMode::User => true,
            OwnerMode::Organisation => self.widget.admins.iter().any(|admin| {
                let by_user = admin.user.as_ref() == Some(&self.caller.user);
                let by_email = match (&admin.email, &self.caller.email) {
                    (Some(admin), Some(caller)) => admin.eq_ignore_ascii_case(caller),
                    _ => false,
                };
                admin.organisation == self.caller.organisation && (by_user || by_email)
            }),
        }
    }
}

/// Why there is no verified caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No widget of that id.
    #[error("no widget of that id is imported")]
    WidgetUnknown,
    /// The JWT does not identify a caller; says why, never with its content.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The JWT lacks a claim, or has it in another shape.
    #[error("the caller JWT lacks a usable claim `{0}`")]
    ClaimMissing(&'static str),
    /// A caller of an organisation the host does not list.
    #[error("the caller's organisation is not one this widget's host accepts")]
    OrganisationNotListed,
    /// The widget has no host, or its secret is not set: an operator's to repair.
    #[error("{0}")]
    NotSetUp(&'static str),
    /// The table or Secrets Manager does not answer.
    #[error("callers cannot be verified at the moment")]
    Unavailable,
}

impl From<table::Error> for Error {
    fn from(_: table::Error) -> Self {
        Self::Unavailable
    }
}

/// Verifies callers.
#[derive(Clone, Debug)]
pub struct Callers {
    definitions: Definitions,
    secrets: Secrets,
    clock: Clock,
}

/// `widgets/{widget}`: `{"host_secrets":[current, next…]}`.
#[derive(Deserialize)]
struct HostSecrets {
    host_secrets: Vec<SecretText>,
}

/// Members are looked up by name: derived structs would also take lists for objects.
type HappeoClaims = serde_json::Map<String, serde_json::Value>;

impl Callers {
    /// Over the definitions and secrets of a function.
    pub fn new(definitions: Definitions, secrets: Secrets, clock: Clock) -> Self {
        crate::jwt::install();
        Self {
            definitions,
            secrets,
            clock,
        }
    }

    /// Verifies `jwt` as a caller JWT for the widget `widget_id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn verify(&self, widget_id: &str, jwt: Option<&str>) -> Result<WidgetCaller, Error> {
        let widget = self
            .definitions
            .widget(widget_id)
            .await?
            .ok_or(Error::WidgetUnknown)?;
        let jwt = jwt.ok_or(Error::Unauthenticated("no caller JWT was sent"))?;
        let host_id = widget.host.as_deref().ok_or(Error::NotSetUp(
            "this widget has no host yet, so it has no callers",
        ))?;
        let host = self
            .definitions
            .host(host_id)
            .await?
            .ok_or(Error::NotSetUp("this widget's host is not set up"))?;
        let caller = match host.kind {
            HostKind::Happeo => self.verify_happeo(&widget.id, &host, jwt).await?,
        };
        accepted(&host, &caller)?;
        Ok(WidgetCaller {
            widget,
            caller,
            in_place_of: false,
        })
    }

    /// Somebody whom an administrator acts for. Nothing is verified here: for what comes by IAM invoke from the console,
    /// never for what comes from an address.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::ClaimMissing`] names the part of `person` that is not one.
    pub async fn in_place_of(
        &self,
        widget_id: &str,
        person: &Person,
    ) -> Result<WidgetCaller, Error> {
        let (widget, host) = self.under(widget_id).await?;
        let is_id = |text: &str| !text.is_empty() && text.len() <= ID_LIMIT;
        if !is_id(&person.organisation) {
            return Err(Error::ClaimMissing("organisation.id"));
        }
        if !is_id(&person.user) {
            return Err(Error::ClaimMissing("user.id"));
        }
        let caller = Caller {
            host: host.id.clone(),
            organisation: person.organisation.clone(),
            user: person.user.clone(),
            email: person.email.clone(),
        };
        accepted(&host, &caller)?;
        Ok(WidgetCaller {
            widget,
            caller,
            in_place_of: true,
        })
    }

    /// The widget `widget_id` and the host it stands under.
    async fn under(&self, widget_id: &str) -> Result<(Arc<Widget>, Arc<Host>), Error> {
        let widget = self.definitions.widget(widget_id).await?;
        let widget = widget.ok_or(Error::WidgetUnknown)?;
        let host_id = widget.host.as_deref().ok_or(Error::NotSetUp(
            "this widget has no host yet, so it has no callers",
        ))?;
        let host = self.definitions.host(host_id).await?;
        let host = host.ok_or(Error::NotSetUp("this widget's host is not set up"))?;
        Ok((widget, host))
    }

    async fn verify_happeo(
        &self,
        widget_id: &str,
        host: &Host,
        jwt: &str,
    ) -> Result<Caller, Error> {
        if jwt.len() > JWT_LIMIT {
            return Err(Error::Unauthenticated("the caller JWT is too long"));
        }
        let header = jsonwebtoken::decode_header(jwt).map_err(|_| {
            Error::Unauthenticated("the caller JWT is malformed or not signed with HS256")
        })?;
        if header.alg != Algorithm::HS256 {
            return Err(Error::Unauthenticated(
                "the caller JWT is not signed with HS256",
            ));
        }
        // RFC 7515 section 4.1.11: what must be understood is not understood here.
        if header.crit.is_some() {
            return Err(Error::Unauthenticated(
                "the caller JWT has a critical header parameter",
            ));
        }
        let name = format!("widgets/{widget_id}");
        let claims = match check_signature(jwt, &self.secrets.get(&name).await?) {
            Ok(claims) => claims,
            // The host may have started signing with a secret that was set a moment ago.
            Err(Error::Unauthenticated(_)) => {
                check_signature(jwt, &self.secrets.reload(&name).await?)?
            }
            Err(error) => return Err(error),
        };
        happeo_caller(host, &claims, self.clock.now())
    }
}

/// Whether the host takes callers of this one's organisation.
fn accepted(host: &Host, caller: &Caller) -> Result<(), Error> {
    match &host.organisations {
        Some(listed) if !listed.contains(&caller.organisation) => Err(Error::OrganisationNotListed),
        _ => Ok(()),
    }
}

impl From<secrets::Error> for Error {
    fn from(error: secrets::Error) -> Self {
        match error {
            secrets::Error::Missing => Self::NotSetUp("this widget's host secret is not set"),
            secrets::Error::Unavailable => Self::Unavailable,
        }
    }
}

fn check_signature(jwt: &str, secrets: &SecretText) -> Result<HappeoClaims, Error> {
    let secrets: HostSecrets = serde_json::from_str(secrets.expose())
        .map_err(|_| Error::NotSetUp("this widget's host secret is not of the documented shape"))?;
    // Times are judged by us, on our own clock; the signature is all that is asked of the library.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    for secret in secrets
        .host_secrets
        .iter()
        .filter(|secret| !secret.expose().is_empty())
    {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        match jsonwebtoken::decode::<HappeoClaims>(jwt, &key, &validation) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) => match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(_) => {
                    return Err(Error::Unauthenticated(
                        "the caller JWT's claims are not of a known shape",
                    ));
                }
                _ => continue,
            },
        }
    }
    Err(Error::Unauthenticated(
        "the caller JWT's signature does not match",
    ))
}

/// PURE. Claims whose signature holds, judged at `now`.
fn happeo_caller(host: &Host, claims: &HappeoClaims, now: Timestamp) -> Result<Caller, Error> {
    let seconds = |value: &serde_json::Value, name: &'static str| {
        value.as_f64().ok_or(Error::ClaimMissing(name))
    };
    let given = |name: &str| claims.get(name).filter(|value| !value.is_null());
    match given("exp") {
        Some(exp) if seconds(exp, "exp")? <= (now.seconds() - LEEWAY_SECONDS) as f64 => {
            return Err(Error::Unauthenticated("the caller JWT has expired"));
        }
        Some(_) => {}
        None if host.require_exp => return Err(Error::ClaimMissing("exp")),
        None => {}
    }
    if let Some(nbf) = given("nbf")
        && seconds(nbf, "nbf")? > (now.seconds() + LEEWAY_SECONDS) as f64
    {
        return Err(Error::Unauthenticated("the caller JWT is not valid yet"));
    }
    let text = |object: &str, member: &str| {
        let value = claims.get(object)?.get(member)?.as_str();
        value.filter(|text| !text.is_empty() && text.len() <= ID_LIMIT)
    };
    let id = |object: &str, name: &'static str| {
        let id = text(object, "id").ok_or(Error::ClaimMissing(name))?;
        Ok::<_, Error>(id.to_owned())
    };
    Ok(Caller {
        host: host.id.clone(),
        organisation: id("organisation", "organisation.id")?,
        user: id("user", "user.id")?,
        email: text("user", "primaryEmail").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Admin;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn host() -> Host {
        Host {
            id: "h".into(),
            kind: HostKind::Happeo,
            organisations: None,
            require_exp: true,
        }
    }

    fn judge(host: &Host, claims: serde_json::Value) -> Result<Caller, Error> {
        happeo_caller(host, &serde_json::from_value(claims).unwrap(), NOW)
    }

    fn claims(exp: i64) -> serde_json::Value {
        serde_json::json!({"exp": exp, "user": {"id": "u1", "primaryEmail": "a@b.example"}, "organisation": {"id": "o1"}})
    }

    #[test]
    fn a_caller_has_host_organisation_user_and_perhaps_an_email() {
        let caller = judge(&host(), claims(NOW.seconds() + 60)).unwrap();
        assert_eq!(
            (
                caller.host.as_str(),
                caller.organisation.as_str(),
                caller.user.as_str()
            ),
            ("h", "o1", "u1")
        );
        assert_eq!(caller.email.as_deref(), Some("a@b.example"));
        assert!(!format!("{caller:?}").contains("a@b.example"));
    }

    #[test]
    fn expiry_counts_with_half_a_minute_of_leeway() {
        assert!(judge(&host(), claims(NOW.seconds() - 29)).is_ok());
        assert!(judge(&host(), claims(NOW.seconds() - 30)).is_err());
    }

    #[test]
    fn exp_may_be_missing_only_where_the_operator_says_so() {
        let mut without = claims(0);
        without.as_object_mut().unwrap().remove("exp");
        assert_eq!(
            judge(&host(), without.clone()).unwrap_err(),
            Error::ClaimMissing("exp")
        );
        let lenient = Host {
            require_exp: false,
            ..host()
        };
        assert!(judge(&lenient, without).is_ok());
        assert!(judge(&lenient, claims(NOW.seconds() - 60)).is_err());
    }

    #[test]
    fn user_and_organisation_are_required_as_text() {
        for (pointer, name) in [
            ("/user/id", "user.id"),
            ("/organisation/id", "organisation.id"),
        ] {
            for value in [
                serde_json::json!(null),
                serde_json::json!(7),
                serde_json::json!(""),
                serde_json::json!({"a":1}),
            ] {
                let mut claims = claims(NOW.seconds() + 60);
                *claims.pointer_mut(pointer).unwrap() = value;
                assert_eq!(
                    judge(&host(), claims).unwrap_err(),
                    Error::ClaimMissing(name)
                );
            }
        }
    }

    #[test]
    fn an_administrator_is_one_of_this_organisation() {
        let admin = |organisation: &str, user: Option<&str>, email: Option<&str>| Admin {
            organisation: organisation.into(),
            user: user.map(Into::into),
            email: email.map(Into::into),
        };
        let may = |admin: Admin| {
            let widget: Widget = serde_json::from_value(serde_json::json!({"id": "w"})).unwrap();
            let caller = judge(&host(), claims(NOW.seconds() + 60)).unwrap();
            let widget = Arc::new(Widget {
                admins: vec![admin],
                ..widget
            });
            WidgetCaller {
                widget,
                caller,
                in_place_of: false,
            }
            .may_change(OwnerMode::Organisation)
        };
        assert!(may(admin("o1", Some("u1"), None)));
        assert!(may(admin("o1", None, Some("A@b.example"))));
        assert!(!may(admin("o2", Some("u1"), None)));
        assert!(!may(admin("o1", Some("u2"), None)));
        assert!(!may(admin("o1", None, None)));
    }
}
