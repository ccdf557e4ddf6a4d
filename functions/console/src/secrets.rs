//! Secrets that an administrator types: they go to Secrets Manager and are never shown again. This function may write them and
//! ask whether they are set; it cannot read one.

use axum::extract::{self, Path};
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::definition::{ClientAuthentication, HostKind, Passport, Widget};
use consulate_core::secret::SecretText;
use serde_json::json;

use crate::page::{self, Refusal, Tone, token};
use crate::session::{Fields, Form, Signed, back_to};
use crate::words::{pill, segment};
use crate::{State, texts};

/// A shorter host secret is not one, characters; the same as the command takes.
const SHORTEST_HOST_SECRET: usize = 16;
/// Longest secret that can be typed, bytes.
const LONGEST: usize = 16 * 1024;

/// `POST /console/passports/{passport}/secret`.
pub(crate) async fn client_secret(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    Form { signed, fields }: Form,
) -> Response {
    let passport = match state.definitions.passport(&id).await {
        Ok(Some(passport)) => passport,
        Ok(None) => return page::refusal(Refusal::NOTHING_HERE),
        Err(_) => return page::refusal(Refusal::UNAVAILABLE),
    };
    let Some(value) = document(&passport, &fields) else {
        return back_to("/console/passports", "secret_unusable");
    };
    if state
        .secrets
        .put(&format!("passports/{id}"), &value)
        .await
        .is_err()
    {
        return page::refusal(Refusal::UNAVAILABLE);
    }
    state.note(&signed, "secret_set", &id, "").await;
    back_to("/console/passports", "secret_set")
}

/// PURE. What is stored, as `consulate secret set` stores it: with the endpoints it may be sent to.
pub(crate) fn document(passport: &Passport, fields: &Fields) -> Option<SecretText> {
    if !passport.has_client_secret() {
        return None;
    }
    let endpoints = passport.secret_endpoints();
    let document = match passport.client_authentication {
        ClientAuthentication::PrivateKeyJwt => {
            let key = fields.text("private_key");
            let is_pem = key.contains("-----BEGIN PRIVATE KEY-----")
                && key.contains("-----END PRIVATE KEY-----");
            if !is_pem || key.len() > LONGEST {
                return None;
            }
            let mut document = json!({ "private_key": key, "endpoints": endpoints });
            let key_id = fields.text("key_id").trim();
            if let (Some(document), false) = (document.as_object_mut(), key_id.is_empty()) {
                document.insert("key_id".to_owned(), key_id.into());
            }
            document
        }
        _ => return client_document(passport, &SecretText::new(fields.text("client_secret"))),
    };
    Some(SecretText::new(document.to_string()))
}

/// PURE. The same of a client secret alone; `None` where the passport has no such.
pub(crate) fn client_document(passport: &Passport, secret: &SecretText) -> Option<SecretText> {
    let takes_one = passport.has_client_secret()
        && passport.client_authentication != ClientAuthentication::PrivateKeyJwt;
    usable(secret.expose(), 1).filter(|_| takes_one)?;
    Some(client_secret_document(secret, passport))
}

/// PURE. A client secret with the addresses it may be sent to.
pub(crate) fn client_secret_document(secret: &SecretText, passport: &Passport) -> SecretText {
    let document =
        json!({ "client_secret": secret.expose(), "endpoints": passport.secret_endpoints() });
    SecretText::new(document.to_string())
}

/// `POST /console/widgets/{widget}/host-secret`: the secret now, and the next one while the host changes over.
pub(crate) async fn host_secret(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    Form { signed, fields }: Form,
) -> Response {
    let back = format!("/console/widgets/{}", segment(&id));
    let signs = match state.definitions.widget(&id).await {
        Ok(Some(widget)) => host_signs(&state, &widget).await,
        Ok(None) => Ok(false),
        Err(_) => Err(Refusal::UNAVAILABLE),
    };
    match signs {
        Ok(true) => {}
        Ok(false) => return page::refusal(Refusal::NOTHING_HERE),
        Err(refusal) => return page::refusal(refusal),
    }
    let mut secrets = Vec::new();
    for name in ["current", "next"] {
        match (
            fields.text(name),
            usable(fields.text(name), SHORTEST_HOST_SECRET),
        ) {
            ("", _) if name == "next" => {}
            (_, Some(secret)) => secrets.push(secret),
            (_, None) => return back_to(&back, "secret_unusable"),
        }
    }
    let value = SecretText::new(json!({ "host_secrets": secrets }).to_string());
    if state
        .secrets
        .put(&format!("widgets/{id}"), &value)
        .await
        .is_err()
    {
        return page::refusal(Refusal::UNAVAILABLE);
    }
    state.note(&signed, "host_secret_set", &id, "").await;
    back_to(&back, "secret_set")
}

fn usable(text: &str, shortest: usize) -> Option<&str> {
    let fits = text.chars().count() >= shortest && text.len() <= LONGEST && text.trim() == text;
    fits.then_some(text)
}

/// Whether the widget's host signs with a secret that it shares: an issuer has published keys, and no secret here.
pub(crate) async fn host_signs(state: &State, widget: &Widget) -> Result<bool, Refusal> {
    let Some(id) = &widget.host else {
        return Ok(false);
    };
    let host = state.definitions.host(id).await?;
    Ok(host.is_some_and(|host| host.kind == HostKind::Happeo))
}

/// The form on a widget's page.
pub(crate) async fn host_secret_form(state: &State, widget: &str, signed: &Signed) -> String {
    let is_set = state.secrets.is_set(&format!("widgets/{widget}")).await;
    let stands = match is_set {
        Ok(true) => pill(Some(Tone::Good), texts::SECRET_SET),
        Ok(false) => pill(Some(Tone::Warn), texts::SECRET_MISSING),
        Err(_) => pill(Some(Tone::Bad), texts::UNKNOWN),
    };
    let summary = if matches!(is_set, Ok(true)) {
        texts::REPLACE_SECRET
    } else {
        texts::SET_SECRET
    };
    let field = |name: &str, label: &str, required: &str| {
        format!(
            "<label>{}<input type=\"password\" name=\"{name}\"{required} minlength=\"16\" maxlength=\"4096\" autocomplete=\"off\" spellcheck=\"false\"></label>",
            escape(label)
        )
    };
    format!(
        "<section class=\"card\"><div class=\"title\"><h2>{}</h2>{stands}</div><details><summary>{}</summary><form method=\"post\" action=\"/console/widgets/{}/host-secret\" class=\"fields\" autocomplete=\"off\">{}{}{}<p class=\"soft small\">{}</p><button type=\"submit\">{}</button></form></details></section>",
        escape(texts::HOST_SECRET),
        escape(summary),
        segment(widget),
        token(signed),
        field("current", texts::CURRENT_SECRET, " required"),
        field("next", texts::NEXT_SECRET, ""),
        escape(texts::WRITE_ONLY),
        escape(texts::SAVE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_is_stored_with_where_it_may_be_sent() {
        let passport: Passport = serde_json::from_value(json!({
            "id": "p", "name": "P", "provider": "p", "client_id": "c", "api_hosts": [],
            "authorize_url": "https://a.example/authorize", "token_url": "https://a.example/token",
        }))
        .unwrap();
        let stored = |form: &str| document(&passport, &Fields::parse(form.as_bytes()));
        let document = stored("client_secret=s%26x").unwrap();
        assert_eq!(
            document.expose(),
            r#"{"client_secret":"s&x","endpoints":["https://a.example/token"]}"#
        );
        for unusable in [
            "",
            "client_secret=",
            "client_secret=+s",
            "client_secret=a&client_secret=b",
        ] {
            assert!(stored(unusable).is_none(), "{unusable}");
        }
    }
}
