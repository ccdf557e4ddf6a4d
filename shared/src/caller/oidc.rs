//! JWTs of an OpenID Connect issuer: ID tokens, or access tokens in JWT form (RFC 9068).
//!
//! The issuer, the audience and the keys are the host's; nothing of them is taken from the JWT. The kind of a key fixes its
//! algorithm: RSA is RS256, P-256 is ES256, Ed25519 is EdDSA (RFC 8725 section 3.1). Source: OpenID Connect Core section
//! 3.1.3.7.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::claims::{self, Claims};
use super::{Caller, Error};
use crate::host::{Host, OidcHost};
use crate::issuers::{self, Issuers, KeySet};

const ACCEPTED: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
const NO_KEY: &str = "the caller JWT is signed with a key its issuer does not publish";

/// The claims of a JWT that the issuer signed.
pub(super) async fn verify(issuers: &Issuers, oidc: &OidcHost, jwt: &str) -> Result<Claims, Error> {
    let refusal = "the caller JWT is malformed or not signed with RS256, ES256 or EdDSA";
    let header = claims::header(jwt, &ACCEPTED, refusal)?;
    if !is_caller_type(header.typ.as_deref()) {
        return Err(Error::Unauthenticated(
            "the JWT is of another type than an ID or access token",
        ));
    }
    let kid = header.kid.as_deref();
    let keys = issuers.keys(&oidc.issuer).await?;
    match check_signature(jwt, kid, header.alg, &keys) {
        // The issuer may have rotated its keys a moment ago.
        Err(Error::Unauthenticated(_)) => {
            let newer = issuers.reload(&oidc.issuer, &keys).await?;
            if Arc::ptr_eq(&newer, &keys) {
                return Err(Error::Unauthenticated(NO_KEY));
            }
            check_signature(jwt, kid, header.alg, &newer)
        }
        judged => judged,
    }
}

/// What is signed by the same keys for another purpose is no proof of who calls: logout tokens, security events, request
/// objects (RFC 8725 section 3.11). Without a type it is an ID token of an older issuer.
fn is_caller_type(typ: Option<&str>) -> bool {
    let Some(typ) = typ.map(str::to_ascii_lowercase) else {
        return true;
    };
    let short = typ.strip_prefix("application/").unwrap_or(&typ);
    matches!(short, "jwt" | "at+jwt")
}

fn check_signature(
    jwt: &str,
    kid: Option<&str>,
    algorithm: Algorithm,
    keys: &KeySet,
) -> Result<Claims, Error> {
    for key in keys.candidates(kid, algorithm) {
        if let Some(claims) = claims::signed(jwt, key, algorithm)? {
            return Ok(claims);
        }
    }
    Err(Error::Unauthenticated(NO_KEY))
}

/// PURE. Who calls.
pub(super) fn caller(host: &Host, oidc: &OidcHost, claims: &Claims) -> Result<Caller, Error> {
    if claims.get("iss").and_then(Value::as_str) != Some(oidc.issuer.as_str()) {
        return Err(Error::Unauthenticated(
            "the caller JWT is of another issuer",
        ));
    }
    let for_us = |audience: &Value| audience.as_str() == Some(oidc.audience.as_str());
    let fits = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(for_us),
        Some(audience) => for_us(audience),
        None => false,
    };
    if !fits {
        return Err(Error::Unauthenticated(
            "the caller JWT is for another audience",
        ));
    }
    // A security event or logout token whose header does not say so (RFC 8417 section 2.2).
    if claims.contains_key("events") {
        return Err(Error::Unauthenticated(
            "the JWT reports an event: it names no caller",
        ));
    }
    let id = |path: &crate::host::ClaimPath| {
        // Somebody who types another's address at the issuer must not become them.
        let counts = !path.is_email() || path.is_verified(claims);
        let id = claims::id(path.find(claims)).filter(|_| counts);
        id.map(str::to_owned)
            .ok_or_else(|| Error::missing(path.to_string()))
    };
    let organisation = match (&oidc.organisation, &oidc.claims.organisation) {
        (Some(fixed), _) => fixed.clone(),
        (None, Some(path)) => id(path)?,
        (None, None) => return Err(Error::NotSetUp("this widget's host names no organisation")),
    };
    let email = &oidc.claims.email;
    Ok(Caller {
        host: host.id.clone(),
        organisation,
        user: id(&oidc.claims.user)?,
        email: claims::id(email.find(claims))
            .filter(|_| email.is_verified(claims))
            .map(str::to_owned),
    })
}

impl From<issuers::Error> for Error {
    fn from(error: issuers::Error) -> Self {
        match error {
            issuers::Error::Misconfigured(why) => Self::NotSetUp(why),
            issuers::Error::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::HostKind;

    fn host(organisation: Option<&str>) -> (Host, OidcHost) {
        let claim = organisation.is_none().then_some(json!(["org_id"]));
        let host: Host = serde_json::from_value(json!({
            "id": "h", "type": "oidc", "issuer": "https://id.example.com", "audience": "widgets", "organisation": organisation,
            "claims": {"user": ["sub"], "organisation": claim, "email": ["email"]},
        }))
        .unwrap();
        let HostKind::Oidc(oidc) = host.kind.clone() else {
            panic!("an oidc host");
        };
        (host, oidc)
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example.com", "aud": "widgets", "sub": "u1", "org_id": "o1", "email": "a@b.example", "email_verified": true})
    }

    fn judge(fixed: Option<&str>, change: impl FnOnce(&mut Value)) -> Result<Caller, Error> {
        let (host, oidc) = host(fixed);
        let mut claims = claims();
        change(&mut claims);
        caller(&host, &oidc, claims.as_object().unwrap())
    }

    #[test]
    fn an_email_counts_only_where_the_issuer_says_true() {
        assert_eq!(
            judge(None, |_| {}).unwrap().email.as_deref(),
            Some("a@b.example")
        );
        for verified in [
            json!(false),
            json!(null),
            json!("true"),
            json!(1),
            json!({}),
        ] {
            let caller = judge(None, |claims| claims["email_verified"] = verified).unwrap();
            assert_eq!((caller.user.as_str(), caller.email), ("u1", None));
        }
    }

    #[test]
    fn nobody_is_an_address_they_did_not_prove() {
        let (host, mut oidc) = host(None);
        oidc.claims.user = crate::host::ClaimPath::parse("$.email").unwrap();
        let mut said = claims();
        let judged = |said: &Value| caller(&host, &oidc, said.as_object().unwrap());
        assert_eq!(judged(&said).unwrap().user, "a@b.example");
        said["email_verified"] = json!(false);
        assert_eq!(judged(&said).unwrap_err(), Error::missing("email"));
    }

    #[test]
    fn issuer_and_audience_are_compared_byte_for_byte() {
        for aud in [json!("widgets"), json!(["other", "widgets"])] {
            assert!(judge(None, |claims| claims["aud"] = aud).is_ok());
        }
        for aud in [
            json!("widget"),
            json!(["other"]),
            json!([]),
            json!(null),
            json!({"widgets": 1}),
            json!([["widgets"]]),
        ] {
            assert!(
                judge(None, |claims| claims["aud"] = aud.clone()).is_err(),
                "{aud}"
            );
        }
        for iss in [
            json!("https://id.example.com/"),
            json!("HTTPS://id.example.com"),
            json!(["https://id.example.com"]),
            json!(null),
        ] {
            assert!(
                judge(None, |claims| claims["iss"] = iss.clone()).is_err(),
                "{iss}"
            );
        }
    }

    #[test]
    fn an_organisation_is_claimed_as_text_or_fixed_by_the_host() {
        for organisation in [
            json!(null),
            json!(""),
            json!(7),
            json!(["o1"]),
            json!({"id": "o1"}),
        ] {
            let refused = judge(None, |claims| claims["org_id"] = organisation.clone());
            assert_eq!(
                refused.unwrap_err(),
                Error::missing("org_id"),
                "{organisation}"
            );
        }
        let caller = judge(Some("acme"), |claims| claims["org_id"] = json!("evil")).unwrap();
        assert_eq!(caller.organisation, "acme");
    }

    #[test]
    fn what_is_signed_for_another_purpose_names_no_caller() {
        for typ in [
            None,
            Some("JWT"),
            Some("jwt"),
            Some("at+jwt"),
            Some("application/at+jwt"),
        ] {
            assert!(is_caller_type(typ), "{typ:?}");
        }
        for typ in [
            "logout+jwt",
            "secevent+jwt",
            "dpop+jwt",
            "oauth-authz-req+jwt",
            "token-introspection+jwt",
            "JOSE",
            "",
        ] {
            assert!(!is_caller_type(Some(typ)), "{typ}");
        }
        assert!(judge(None, |claims| claims["events"] = json!({})).is_err());
    }
}
