//! PURE. A JWK set (RFC 7517) as the keys that may verify a caller JWT: each for one algorithm, the one of its kind.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// More keys of one issuer are not kept.
const MOST_KEYS: usize = 100;
/// Bytes of a coordinate of P-256, and of an Ed25519 key, in base64url.
const COORDINATE: usize = 43;

/// An issuer's public keys.
#[derive(Default)]
pub struct KeySet(Vec<Key>);

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys of other kinds, for other uses or algorithms, or that cannot be read, are left out: issuers
    /// publish those too. `None` where there is no list.
    pub fn parse(document: &Map<String, Value>) -> Option<Self> {
        let keys = document.get("keys")?.as_array()?.iter();
        let keys = keys.filter_map(|key| Key::parse(key.as_object()?));
        Some(Self(keys.take(MOST_KEYS).collect()))
    }

    /// The keys that may have signed a JWT whose header says this. Without `kid` it must be clear which one is meant (OpenID
    /// Connect Core section 10.1).
    pub fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let of_kind = move |key: &&Key| key.algorithm == algorithm;
        let is_clear = kid.is_some() || self.0.iter().filter(of_kind).count() == 1;
        let named = move |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let keys = self.0.iter().filter(of_kind).filter(named);
        keys.filter(move |_| is_clear).map(|key| &key.key)
    }
}

impl Key {
    fn parse(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let coordinate = |name: &str| text(name).filter(|value| value.len() == COORDINATE);
        let (algorithm, name, key) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let key = DecodingKey::from_rsa_components(text("n")?, text("e")?);
                (Algorithm::RS256, "RS256", key)
            }
            ("EC", Some("P-256")) => {
                let key = DecodingKey::from_ec_components(coordinate("x")?, coordinate("y")?);
                (Algorithm::ES256, "ES256", key)
            }
            ("OKP", Some("Ed25519")) => {
                let key = DecodingKey::from_ed_components(coordinate("x")?);
                (Algorithm::EdDSA, "EdDSA", key)
            }
            _ => return None,
        };
        let given = |name: &str| jwk.get(name).filter(|value| !value.is_null());
        let says = |value: &Value, word: &str| value.as_str() == Some(word);
        let operations = given("key_ops");
        let verifies = operations.is_none_or(|operations| {
            let operations = operations.as_array();
            operations.is_some_and(|each| each.iter().any(|operation| says(operation, "verify")))
        });
        let fits = given("alg").is_none_or(|alg| says(alg, name))
            && given("use").is_none_or(|purpose| says(purpose, "sig"))
            && verifies;
        Some(Self {
            kid: text("kid").map(str::to_owned),
            algorithm,
            key: key.ok().filter(|_| fits)?,
        })
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("KeySet")
            .field(&self.0.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn coordinate() -> String {
        "A".repeat(COORDINATE)
    }

    fn key(kid: &str, change: Value) -> Value {
        let mut key =
            json!({"kty": "EC", "crv": "P-256", "x": coordinate(), "y": coordinate(), "kid": kid});
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    fn count(keys: &[Value], kid: Option<&str>, algorithm: Algorithm) -> usize {
        let document = json!({ "keys": keys });
        let set = KeySet::parse(document.as_object().unwrap()).unwrap();
        set.candidates(kid, algorithm).count()
    }

    #[test]
    fn a_key_serves_the_one_algorithm_of_its_kind() {
        let keys = [
            key("ec", json!({})),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": coordinate(), "kid": "ed"}),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}),
        ];
        for (kid, algorithm) in [
            ("ec", Algorithm::ES256),
            ("rsa", Algorithm::RS256),
            ("ed", Algorithm::EdDSA),
        ] {
            assert_eq!(count(&keys, Some(kid), algorithm), 1, "{kid}");
            for other in [
                Algorithm::HS256,
                Algorithm::ES384,
                Algorithm::PS256,
                Algorithm::RS384,
            ] {
                assert_eq!(count(&keys, Some(kid), other), 0, "{kid} {other:?}");
            }
        }
        assert_eq!(count(&keys, Some("ec"), Algorithm::RS256), 0);
        assert_eq!(count(&keys, Some("oct"), Algorithm::HS256), 0);
    }

    #[test]
    fn keys_for_other_uses_are_left_out() {
        for change in [
            json!({"use": "enc"}),
            json!({"alg": "ES384"}),
            json!({"alg": "ECDH-ES"}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": "verify"}),
            json!({"crv": "P-384"}),
            json!({"x": "AA"}),
            json!({"x": "!".repeat(COORDINATE)}),
            json!({"y": null}),
        ] {
            assert_eq!(
                count(&[key("k", change.clone())], Some("k"), Algorithm::ES256),
                0,
                "{change}"
            );
        }
        for change in [
            json!({"use": "sig"}),
            json!({"alg": "ES256"}),
            json!({"key_ops": ["verify"]}),
            json!({"use": null, "x5c": ["…"]}),
        ] {
            assert_eq!(
                count(&[key("k", change.clone())], Some("k"), Algorithm::ES256),
                1,
                "{change}"
            );
        }
    }

    #[test]
    fn without_a_kid_it_must_be_clear_which_key_is_meant() {
        let (a, b) = (key("a", json!({})), key("b", json!({})));
        assert_eq!(count(std::slice::from_ref(&a), None, Algorithm::ES256), 1);
        assert_eq!(count(&[a.clone(), b.clone()], None, Algorithm::ES256), 0);
        assert_eq!(count(&[a.clone(), b], Some("b"), Algorithm::ES256), 1);
        assert_eq!(count(&[a.clone(), a], Some("a"), Algorithm::ES256), 2);
        assert_eq!(
            count(
                &[key("a", json!({"kid": null}))],
                Some("a"),
                Algorithm::ES256
            ),
            0
        );
    }

    #[test]
    fn a_set_without_a_list_is_none() {
        for document in [json!({}), json!({"keys": {}}), json!({"keys": null})] {
            assert!(KeySet::parse(document.as_object().unwrap()).is_none());
        }
        assert_eq!(
            count(
                &[json!("x"), json!([]), json!(null)],
                None,
                Algorithm::ES256
            ),
            0
        );
    }
}
