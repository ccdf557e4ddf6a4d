//! PURE. Client authentication with a signed JWT (RFC 7523 section 2.2, `private_key_jwt`): RS256 or ES256, whichever the key
//! is for. Made anew for every request, good for a minute, used once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consulate_core::clock::Timestamp;
use consulate_core::random;
use consulate_core::secret::SecretText;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use crate::token_endpoint::Unusable;

/// `client_assertion_type` (RFC 7523 section 2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LIFETIME_SECONDS: i64 = 60;

/// The key a client signs with, as `passports/{passport}` holds it.
#[derive(Clone, Deserialize)]
pub(crate) struct SigningKey {
    /// PKCS#8, PEM.
    private_key: SecretText,
    /// `kid`, where the provider tells keys apart by it.
    #[serde(default)]
    key_id: Option<String>,
    /// `x5t#S256`: base64url of the certificate's SHA-256, where the provider wants one (Microsoft Entra).
    #[serde(default)]
    certificate_thumbprint: Option<String>,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl SigningKey {
    /// The assertion with which `client_id` authenticates at `audience`.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, Unusable> {
        let random = SystemRandom::new();
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.private_key.expose().as_bytes())
            .map_err(|_| Unusable::Misconfigured)?;
        let der = der.secret_pkcs8_der();
        let ecdsa = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random);
        let key = match ecdsa {
            Ok(key) => Key::Ecdsa(key),
            Err(_) => Key::Rsa(RsaKeyPair::from_pkcs8(der).map_err(|_| Unusable::Misconfigured)?),
        };
        let mut header = json!({
            "alg": match key { Key::Rsa(_) => "RS256", Key::Ecdsa(_) => "ES256" },
            "typ": "JWT",
        });
        for (name, value) in [
            ("kid", &self.key_id),
            ("x5t#S256", &self.certificate_thumbprint),
        ] {
            if let (Some(value), Some(members)) = (value, header.as_object_mut()) {
                members.insert(name.to_owned(), json!(value));
            }
        }
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": audience,
            "jti": random::id().map_err(|_| Unusable::Unavailable)?,
            "iat": now.seconds(), "exp": now.seconds() + LIFETIME_SECONDS,
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = match &key {
            Key::Ecdsa(key) => key
                .sign(&random, message.as_bytes())
                .map(|signature| encode(signature.as_ref())),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .map(|()| encode(&signature))
            }
        };
        let signature = signature.map_err(|_| Unusable::Unavailable)?;
        Ok(format!("{message}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    fn key(private_key: String) -> SigningKey {
        SigningKey {
            private_key: SecretText::new(private_key),
            key_id: Some("k1".into()),
            certificate_thumbprint: None,
        }
    }

    #[test]
    fn an_assertion_is_signed_and_says_who_for_whom_and_for_how_long() {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(pkcs8.as_ref())
        );
        let now = Timestamp::from_seconds(1_800_000_000);
        let assertion = key(pem)
            .assertion("client", "https://login.example/token", now)
            .unwrap();
        let (message, signature) = assertion.rsplit_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
            .verify(message.as_bytes(), &decode(signature))
            .unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let header: serde_json::Value = serde_json::from_slice(&decode(header)).unwrap();
        assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
        let claims: serde_json::Value = serde_json::from_slice(&decode(claims)).unwrap();
        assert_eq!(claims["iss"], "client");
        assert_eq!(claims["aud"], "https://login.example/token");
        assert_eq!(claims["exp"], 1_800_000_060);
    }

    #[test]
    fn what_is_no_key_is_an_operators_to_repair() {
        for pem in [
            "",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            let made = key(pem.into()).assertion("c", "a", Timestamp::default());
            assert_eq!(made.unwrap_err(), Unusable::Misconfigured);
        }
    }
}
