//! Happeo widget JWTs: HS256 with the widget's shared secret, claims `user.id`, `user.primaryEmail`, `organisation.id`
//! (Happeo developer page "Advanced usage"). The same JWT comes from a component widget (`getJWT()`, `getOneTimeJWT()`) and from
//! an embedded iframe (`token` in `window.name`, or the answer to a message).
//!
//! The JWT names no widget, so the widget's own secret is the only binding: it is chosen by the widget in the path, never by
//! trying the secrets of others. A new secret works beside the current one, so that rotating needs no downtime.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::claims::{self, Claims};
use super::{Caller, Error};
use crate::secret::SecretText;
use crate::secrets::{self, Secrets};

/// `widgets/{widget}`: `{"host_secrets":[current, next…]}`.
#[derive(Deserialize)]
struct HostSecrets {
    host_secrets: Vec<SecretText>,
}

/// The claims of a JWT that is signed with a secret of the widget's.
pub(super) async fn verify(secrets: &Secrets, widget: &str, jwt: &str) -> Result<Claims, Error> {
    let refusal = "the caller JWT is malformed or not signed with HS256";
    claims::header(jwt, &[Algorithm::HS256], refusal)?;
    let name = format!("widgets/{widget}");
    match check_signature(jwt, &secrets.get(&name).await?) {
        // The host may have started signing with a secret that was set a moment ago.
        Err(Error::Unauthenticated(_)) => check_signature(jwt, &secrets.reload(&name).await?),
        judged => judged,
    }
}

fn check_signature(jwt: &str, secrets: &SecretText) -> Result<Claims, Error> {
    let secrets: HostSecrets = serde_json::from_str(secrets.expose())
        .map_err(|_| Error::NotSetUp("this widget's host secret is not of the documented shape"))?;
    let secrets = secrets.host_secrets.iter().map(SecretText::expose);
    for secret in secrets.filter(|secret| !secret.is_empty()) {
        let key = DecodingKey::from_secret(secret.as_bytes());
        if let Some(claims) = claims::signed(jwt, &key, Algorithm::HS256)? {
            return Ok(claims);
        }
    }
    Err(Error::Unauthenticated(
        "the caller JWT's signature does not match",
    ))
}

/// PURE. Who calls. The vendor prints the claims as objects and names their scopes with a dot; both spellings are read, and
/// where a JWT has both they must agree.
pub(super) fn caller(host: &str, claims: &Claims) -> Result<Caller, Error> {
    let id = |object: &str, name: &'static str| {
        let id = text(claims, object, "id", name)?.ok_or(Error::missing(name))?;
        Ok::<_, Error>(id.to_owned())
    };
    Ok(Caller {
        host: host.to_owned(),
        organisation: id("organisation", "organisation.id")?,
        user: id("user", "user.id")?,
        // Nobody needs one: an unusable one counts as none.
        email: text(claims, "user", "primaryEmail", "user.primaryEmail")
            .unwrap_or_default()
            .map(str::to_owned),
    })
}

fn text<'c>(
    claims: &'c Claims,
    object: &str,
    member: &str,
    dotted: &'static str,
) -> Result<Option<&'c str>, Error> {
    let nested = claims.get(object).and_then(|value| value.get(member));
    let given = |value: &&Value| !value.is_null();
    match (nested.filter(given), claims.get(dotted).filter(given)) {
        (Some(nested), Some(flat)) if nested != flat => Err(Error::missing(dotted)),
        (nested, flat) => Ok(claims::id(nested.or(flat))),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(claims: Value) -> Result<Caller, Error> {
        caller("h", claims.as_object().unwrap())
    }

    fn claims() -> Value {
        json!({"user": {"id": "u1", "primaryEmail": "a@b.example"}, "organisation": {"id": "o1"}})
    }

    #[test]
    fn a_caller_has_host_organisation_user_and_perhaps_an_email() {
        let caller = judge(claims()).unwrap();
        let ids = [&caller.host, &caller.organisation, &caller.user];
        assert_eq!(ids, ["h", "o1", "u1"]);
        assert_eq!(caller.email.as_deref(), Some("a@b.example"));
        assert!(!format!("{caller:?}").contains("a@b.example"));
        // The administrator did not tick the e-mail.
        assert_eq!(
            judge(json!({"user": {"id": "u1"}, "organisation": {"id": "o1"}}))
                .unwrap()
                .email,
            None
        );
    }

    #[test]
    fn the_names_of_the_scopes_are_read_as_claims_too_but_never_against_the_objects() {
        let flat =
            json!({"user.id": "u1", "user.primaryEmail": "a@b.example", "organisation.id": "o1"});
        assert_eq!(judge(flat).unwrap(), judge(claims()).unwrap());
        let mut both = claims();
        both["organisation.id"] = json!("o1");
        assert!(judge(both.clone()).is_ok());
        both["organisation.id"] = json!("o2");
        assert_eq!(judge(both).unwrap_err(), Error::missing("organisation.id"));
        let mut both = claims();
        both["user.primaryEmail"] = json!("other@b.example");
        assert_eq!(judge(both).unwrap().email, None);
    }

    #[test]
    fn user_and_organisation_are_required_as_text() {
        for (pointer, name) in [
            ("/user/id", "user.id"),
            ("/organisation/id", "organisation.id"),
        ] {
            for value in [json!(null), json!(7), json!(""), json!({"a":1})] {
                let mut claims = claims();
                *claims.pointer_mut(pointer).unwrap() = value;
                assert_eq!(judge(claims).unwrap_err(), Error::missing(name));
            }
        }
        // Nothing ticked in the admin panel: an empty JWT.
        assert_eq!(
            judge(json!({})).unwrap_err(),
            Error::missing("organisation.id")
        );
    }
}
