//! Who is calling: verifies the host's JWT and hands the handler a [`WidgetCaller`], which nothing else can make.
//!
//! `happeo` and `oidc` are the kinds of hosts, `claims` is what their JWTs have in common. Here: which host it is, which
//! organisations it admits, and JWTs that change something once only.

mod claims;
mod happeo;
mod oidc;

use std::borrow::Cow;
use std::sync::Arc;

use crate::acting::Person;
use crate::clock::{Clock, Timestamp};
use crate::definition::{Host, HostKind, OwnerMode, Widget};
use crate::definitions::Definitions;
use crate::issuers::Issuers;
use crate::one_time::OneTimeJwts;
use crate::secrets::Secrets;
use crate::table;

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
    /// What makes the caller's JWT one of a kind, where the host's JWTs change something once only.
    single_use: Option<SingleUse>,
    /// Whether an administrator acts in the caller's place, through the console.
    in_place_of: bool,
}

#[derive(Clone, Debug)]
struct SingleUse {
    jti: Option<String>,
    expires_at: Option<Timestamp>,
}

impl WidgetCaller {
    /// Whether this caller may connect, replace or disconnect what belongs to `mode`.
    pub fn may_change(&self, mode: OwnerMode) -> bool {
        match mode {
            _ if self.in_place_of => true,
            OwnerMode::User => true,
            OwnerMode::Organisation => self.is_admin(),
        }
    }

    /// Whether this caller is one of the widget's administrators, of their own organisation.
    pub fn is_admin(&self) -> bool {
        self.widget.admins.iter().any(|admin| {
            let by_user = admin.user.as_ref() == Some(&self.caller.user);
            let by_email = match (&admin.email, &self.caller.email) {
                (Some(admin), Some(caller)) => admin.eq_ignore_ascii_case(caller),
                _ => false,
            };
            admin.organisation == self.caller.organisation && (by_user || by_email)
        })
    }
}

/// Why there is no verified caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No widget of that id.
    #[error("no widget of that id is imported")]
    WidgetUnknown,
    /// The JWT does not identify a caller; says why, never with its content.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The JWT lacks a claim, or has it in another shape.
    #[error("the caller JWT lacks a usable claim `{0}`")]
    ClaimMissing(Cow<'static, str>),
    /// The JWT changed something before, and its host's JWTs do so once.
    #[error("the caller JWT was used before: get another one for every change")]
    UsedUp,
    /// A caller of an organisation the host does not list.
    #[error("the caller's organisation is not one this widget's host accepts")]
    OrganisationNotListed,
    /// The widget has no host, its secret is not set, or its issuer is not what it declares: an operator's to repair.
    #[error("{0}")]
    NotSetUp(&'static str),
    /// The table, Secrets Manager or the issuer does not answer.
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
    issuers: Issuers,
    one_time: OneTimeJwts,
    clock: Clock,
}

impl Callers {
    /// Over the readers of a function.
    pub fn new(
        definitions: Definitions,
        secrets: Secrets,
        issuers: Issuers,
        one_time: OneTimeJwts,
        clock: Clock,
    ) -> Self {
        crate::jwt::install();
        Self {
            definitions,
            secrets,
            issuers,
            one_time,
            clock,
        }
    }

    /// Verifies `jwt` as a caller JWT for the widget `widget_id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn verify(&self, widget_id: &str, jwt: Option<&str>) -> Result<WidgetCaller, Error> {
        let widget = self.widget(widget_id).await?;
        let jwt = jwt.ok_or(Error::Unauthenticated("no caller JWT was sent"))?;
        let host = self.host_of(&widget).await?;
        let claims = match &host.kind {
            HostKind::Happeo => happeo::verify(&self.secrets, &widget.id, jwt).await?,
            HostKind::Oidc(oidc) => oidc::verify(&self.issuers, oidc, jwt).await?,
        };
        let (caller, require_exp) = match &host.kind {
            HostKind::Happeo => (happeo::caller(&host.id, &claims), host.require_exp),
            HostKind::Oidc(oidc) => (oidc::caller(&host, oidc, &claims), true),
        };
        // Once its keys are there: fetching them may have taken a while.
        let expires_at = claims::judge_times(&claims, require_exp, self.clock.now())?;
        let caller = caller?;
        accepted(&host, &caller)?;
        let single_use = host.one_time_jwt.then(|| SingleUse {
            jti: claims::id(claims.get("jti")).map(str::to_owned),
            expires_at,
        });
        Ok(WidgetCaller {
            widget,
            caller,
            single_use,
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
        let widget = self.widget(widget_id).await?;
        let host = self.host_of(&widget).await?;
        let is_id = |text: &str| !text.is_empty() && text.len() <= claims::ID_LIMIT;
        if !is_id(&person.organisation) {
            return Err(Error::missing("organisation.id"));
        }
        if !is_id(&person.user) {
            return Err(Error::missing("user.id"));
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
            single_use: None,
            in_place_of: true,
        })
    }

    async fn widget(&self, id: &str) -> Result<Arc<Widget>, Error> {
        let widget = self.definitions.widget(id).await?;
        widget.ok_or(Error::WidgetUnknown)
    }

    /// The host that a widget stands under.
    async fn host_of(&self, widget: &Widget) -> Result<Arc<Host>, Error> {
        let id = widget.host.as_deref().ok_or(Error::NotSetUp(
            "this widget has no host yet, so it has no callers",
        ))?;
        let host = self.definitions.host(id).await?;
        host.ok_or(Error::NotSetUp("this widget's host is not set up"))
    }

    /// Uses up the JWT of a caller who is about to change something, where the host's JWTs do so once only. To be asked by
    /// every route of connect that changes something, after [`verify`](Self::verify) and before anything else.
    ///
    /// # Errors
    /// [`Error::UsedUp`], [`Error::ClaimMissing`] where the JWT cannot be told from others, [`Error::Unavailable`].
    pub async fn use_up(&self, who: &WidgetCaller) -> Result<(), Error> {
        let Some(single_use) = &who.single_use else {
            return Ok(());
        };
        let jti = single_use.jti.as_ref().ok_or(Error::missing("jti"))?;
        // Without an end it could never be forgotten.
        let expires_at = single_use.expires_at.ok_or(Error::missing("exp"))?;
        let host = &who.caller.host;
        match self.one_time.use_up(host, jti, expires_at).await? {
            true => Ok(()),
            false => Err(Error::UsedUp),
        }
    }
}

/// Whether the host takes callers of this one's organisation.
fn accepted(host: &Host, caller: &Caller) -> Result<(), Error> {
    match &host.organisations {
        Some(listed) if !listed.contains(&caller.organisation) => Err(Error::OrganisationNotListed),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::Admin;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn judged(claims: serde_json::Value, require_exp: bool) -> Result<Option<Timestamp>, Error> {
        claims::judge_times(claims.as_object().unwrap(), require_exp, NOW)
    }

    #[test]
    fn expiry_counts_with_half_a_minute_of_leeway() {
        let exp = |seconds: i64| judged(json!({"exp": NOW.seconds() + seconds}), true);
        assert_eq!(exp(-29), Ok(Some(NOW.plus_seconds(-29))));
        assert!(exp(-30).is_err());
        assert_eq!(
            judged(json!({"exp": 1e300}), true).unwrap(),
            Some(Timestamp::from_millis(i64::MAX))
        );
        let nbf = |seconds: i64| judged(json!({"nbf": NOW.seconds() + seconds}), false);
        assert!(nbf(30).is_ok());
        assert!(nbf(31).is_err());
    }

    #[test]
    fn exp_may_be_missing_only_where_the_operator_says_so() {
        assert_eq!(judged(json!({}), true), Err(Error::missing("exp")));
        assert_eq!(
            judged(json!({"exp": null}), true),
            Err(Error::missing("exp"))
        );
        assert_eq!(judged(json!({}), false), Ok(None));
        assert!(judged(json!({"exp": NOW.seconds() - 60}), false).is_err());
        assert_eq!(
            judged(json!({"exp": "soon"}), false),
            Err(Error::missing("exp"))
        );
    }

    #[test]
    fn an_administrator_is_one_of_this_organisation() {
        let admin = |organisation: &str, user: Option<&str>, email: Option<&str>| Admin {
            organisation: organisation.into(),
            user: user.map(Into::into),
            email: email.map(Into::into),
        };
        let may = |admin: Admin| {
            let widget: Widget = serde_json::from_value(json!({"id": "w"})).unwrap();
            let caller = Caller {
                host: "h".into(),
                organisation: "o1".into(),
                user: "u1".into(),
                email: Some("a@b.example".into()),
            };
            let widget = Arc::new(Widget {
                admins: vec![admin],
                ..widget
            });
            let who = WidgetCaller {
                widget,
                caller,
                single_use: None,
                in_place_of: false,
            };
            who.may_change(OwnerMode::Organisation)
        };
        assert!(may(admin("o1", Some("u1"), None)));
        assert!(may(admin("o1", None, Some("A@b.example"))));
        assert!(!may(admin("o2", Some("u1"), None)));
        assert!(!may(admin("o1", Some("u2"), None)));
        assert!(!may(admin("o1", None, None)));
    }
}
