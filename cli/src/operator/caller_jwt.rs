//! `consulate token`: a caller JWT as the widget's host makes it, for trying out a widget without its host.
//!
//! HS256 with the widget's current host secret; claims `user.id`, `user.primaryEmail`, `organisation.id`, `iat`, `exp`
//! (Happeo developer page "Advanced usage"), and `jti` where the host's JWTs change something once only. An OIDC host's JWTs are
//! its issuer's to sign: nobody else can.

use anyhow::{Context as _, bail};
use consulate_core::clock::Timestamp;
use consulate_core::definition::{Host, HostKind, Widget};
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_core::table;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::json;

use super::arguments::TokenArguments;
use super::report::Report;
use super::secret_store::SecretStore;
use super::target::Target;

/// `widgets/{widget}`, as far as signing needs it.
#[derive(Deserialize)]
struct HostSecrets {
    host_secrets: Vec<SecretText>,
}

/// Signs a caller JWT.
///
/// # Errors
/// The widget or its host secret is missing.
pub async fn token(target: &Target, arguments: &TokenArguments) -> anyhow::Result<Report> {
    let id = &arguments.widget;
    let records = target.records();
    let Some(widget) = records.read::<Widget>(table::widget_pk(id)).await? else {
        bail!("no widget \"{id}\" is imported");
    };
    let host = match widget.definition.host {
        Some(host) => records.read::<Host>(table::host_pk(&host)).await?,
        None => None,
    };
    let host = host.map(|record| record.definition);
    let Some(host) = host else {
        bail!(
            "the widget \"{id}\" has no host, so it has no callers: add \"host\" to its consulate.json"
        );
    };
    if let HostKind::Oidc(oidc) = &host.kind {
        let text = format!(
            "The callers of \"{id}\" come from {}, which alone can sign their JWTs: sign in there, for the audience \"{}\".\n\
             To try the widget without it, import it into a `consulate dev` of its own with \"host\": {{\"type\": \"happeo\"}}.",
            oidc.issuer, oidc.audience
        );
        let json = json!({ "host": host.id, "issuer": oidc.issuer, "audience": oidc.audience });
        return Ok(Report::refused(text, json));
    }
    let secret = SecretStore::of(target)
        .get(&format!("widgets/{id}"))
        .await?;
    let secret = secret.with_context(|| {
        format!("the host secret of \"{id}\" is not set: give {{\"host_secrets\":[…]}} to `consulate secret set widgets/{id}`")
    })?;
    let (jwt, expires_at) = sign(&secret, arguments, host.one_time_jwt, target.clock.now())?;
    Ok(Report::done(
        jwt.as_str(),
        json!({ "token": jwt, "expires_at": expires_at }),
    ))
}

/// Signs with the first of the secret's `host_secrets`; `one_time` gives the JWT a `jti`.
///
/// # Errors
/// The secret is not of the documented shape.
pub fn sign(
    host_secrets: &SecretText,
    arguments: &TokenArguments,
    one_time: bool,
    now: Timestamp,
) -> anyhow::Result<(String, Timestamp)> {
    consulate_core::jwt::install();
    let shape = "the host secret is not of the shape {\"host_secrets\":[…]}";
    let secrets: HostSecrets =
        serde_json::from_str(host_secrets.expose()).map_err(|_| anyhow::anyhow!(shape))?;
    let secret = secrets.host_secrets.first().context(shape)?;
    let expires_at = now.plus_seconds(i64::from(arguments.expires_in));
    let mut claims = json!({
        "user": { "id": arguments.user },
        "organisation": { "id": arguments.organisation },
        "iat": now.seconds(),
        "exp": expires_at.seconds(),
    });
    if let (Some(email), Some(user)) = (&arguments.email, claims.get_mut("user")) {
        *user = json!({ "id": arguments.user, "primaryEmail": email });
    }
    if let (true, Some(claims)) = (one_time, claims.as_object_mut()) {
        claims.insert("jti".to_owned(), random::id()?.into());
    }
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    let jwt = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?;
    Ok((jwt, expires_at))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn the_jwt_is_signed_with_the_current_secret_and_says_who_calls() {
        let arguments = TokenArguments {
            user: "u1".into(),
            organisation: "o1".into(),
            email: Some("u@example.com".into()),
            expires_in: 60,
            ..TokenArguments::default()
        };
        let secret =
            SecretText::new(r#"{"host_secrets":["current-secret-16","next-secret-16-16"]}"#);
        let (jwt, expires_at) =
            sign(&secret, &arguments, false, Timestamp::from_seconds(1_000)).unwrap();
        assert_eq!(expires_at, Timestamp::from_seconds(1_060));
        let mut parts = jwt.split('.');
        let signed = format!("{}.{}", parts.next().unwrap(), parts.next().unwrap());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"current-secret-16");
        let signature = URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap();
        ring::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(signed.split('.').nth(1).unwrap())
            .unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let expected = json!({
            "user": {"id": "u1", "primaryEmail": "u@example.com"},
            "organisation": {"id": "o1"}, "iat": 1_000, "exp": 1_060
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn a_secret_of_another_shape_is_refused_without_being_quoted() {
        for text in [
            "canary",
            "{}",
            r#"{"host_secrets":[]}"#,
            r#"{"host_secrets":"canary"}"#,
        ] {
            let error = sign(
                &SecretText::new(text),
                &TokenArguments::default(),
                true,
                Timestamp::default(),
            )
            .unwrap_err();
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
