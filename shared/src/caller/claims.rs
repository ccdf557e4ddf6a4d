//! PURE. What every caller JWT has in common: its length, its header, its times, the shape of an id.

use std::borrow::Cow;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde_json::{Map, Value};

use super::Error;
use crate::clock::Timestamp;

/// How far a host's clock may be off ours.
pub(super) const LEEWAY_SECONDS: i64 = 30;
/// A longer caller JWT is not looked at.
const JWT_LIMIT: usize = 8 * 1024;
/// A longer id is not an id.
pub(super) const ID_LIMIT: usize = 256;

/// Members are looked up by name: derived structs would also take lists for objects.
pub(super) type Claims = Map<String, Value>;

/// The header of a JWT that may be looked at, if it is signed with one of `accepted`. `jku`, `jwk`, `x5u` and `x5c` are never
/// followed: a key comes from the host, not from the JWT (RFC 8725 section 3.10).
pub(super) fn header(
    jwt: &str,
    accepted: &[Algorithm],
    refusal: &'static str,
) -> Result<Header, Error> {
    if jwt.len() > JWT_LIMIT {
        return Err(Error::Unauthenticated("the caller JWT is too long"));
    }
    let header = jsonwebtoken::decode_header(jwt).map_err(|_| Error::Unauthenticated(refusal))?;
    if !accepted.contains(&header.alg) {
        return Err(Error::Unauthenticated(refusal));
    }
    // RFC 7515 section 4.1.11: what must be understood is not understood here.
    if header.crit.is_some() {
        return Err(Error::Unauthenticated(
            "the caller JWT has a critical header parameter",
        ));
    }
    Ok(header)
}

/// The claims of `jwt`, if its signature is one of `algorithm` by `key`.
pub(super) fn signed(
    jwt: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<Option<Claims>, Error> {
    // Times and audience are judged by us, on our own clock; the signature is all that is asked of the library.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(jwt, key, &validation) {
        Ok(decoded) => Ok(Some(decoded.claims)),
        Err(error) => match error.kind() {
            jsonwebtoken::errors::ErrorKind::Json(_) => Err(Error::Unauthenticated(
                "the caller JWT's claims are not of a known shape",
            )),
            _ => Ok(None),
        },
    }
}

/// Judges `exp` and `nbf` at `now`; answers `exp` where there is one.
pub(super) fn judge_times(
    claims: &Claims,
    require_exp: bool,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let seconds = |value: &Value, name: &'static str| value.as_f64().ok_or(Error::missing(name));
    let given = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let expires_at = match given("exp") {
        Some(exp) => {
            let exp = seconds(exp, "exp")?;
            if exp <= (now.seconds() - LEEWAY_SECONDS) as f64 {
                return Err(Error::Unauthenticated("the caller JWT has expired"));
            }
            Some(Timestamp::from_seconds(exp as i64))
        }
        None if require_exp => return Err(Error::missing("exp")),
        None => None,
    };
    if let Some(nbf) = given("nbf")
        && seconds(nbf, "nbf")? > (now.seconds() + LEEWAY_SECONDS) as f64
    {
        return Err(Error::Unauthenticated("the caller JWT is not valid yet"));
    }
    Ok(expires_at)
}

/// A value that can be an id, or an e-mail: text, not empty, not endless.
pub(super) fn id(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str();
    text.filter(|text| !text.is_empty() && text.len() <= ID_LIMIT)
}

impl Error {
    pub(super) fn missing(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimMissing(claim.into())
    }
}
