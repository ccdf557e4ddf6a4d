//! Secrets that an administrator types: they go to Secrets Manager and are never shown again. This function may write them and
//! ask whether they are set; it cannot read one.

use axum::extract::{self, Path};
use axum::response::Response;
use consulate_bundle::secret_shape::{self, EXPIRES_AT};
use consulate_core::browser::escape;
use consulate_core::definition::{ClientAuthentication, HostKind, Passport, Widget};
use consulate_core::secret::SecretText;
use serde_json::{Value, json};

use crate::page::{self, Refusal, Tone, token};
use crate::session::{Fields, Form, Signed, back_to};
use crate::words::{pill, segment};
use crate::{State, texts};

/// Longest secret that can be typed, bytes.
const LONGEST: usize = 16 * 1024;
// Names of the fields, which are those of the secret's members.
pub(crate) const CLIENT_SECRET: &str = "client_secret";
pub(crate) const PRIVATE_KEY: &str = "private_key";
pub(crate) const KEY_ID: &str = "key_id";
pub(crate) const CERTIFICATE_THUMBPRINT: &str = "certificate_thumbprint";

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
    let value = match document(&passport, &fields) {
        Ok(value) => value,
        Err(refusal) => return back_to("/console/passports", news_of(&refusal)),
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

/// PURE. What is stored of what was typed, as `consulate secret set` judges and stores it.
fn document(passport: &Passport, fields: &Fields) -> Result<SecretText, secret_shape::Refusal> {
    if passport.client_authentication != ClientAuthentication::PrivateKeyJwt {
        let secret = SecretText::new(fields.text(CLIENT_SECRET));
        return client_document(passport, &secret, fields);
    }
    let mut typed = json!({ PRIVATE_KEY: fields.text(PRIVATE_KEY) });
    for name in [KEY_ID, CERTIFICATE_THUMBPRINT] {
        put(&mut typed, name, fields.text(name).trim());
    }
    put(&mut typed, EXPIRES_AT, &ends(fields));
    secret_shape::passport(&bounded(&typed)?, passport)
}

/// PURE. The same of a client secret, which may have been typed a page before.
pub(crate) fn client_document(
    passport: &Passport,
    secret: &SecretText,
    fields: &Fields,
) -> Result<SecretText, secret_shape::Refusal> {
    let mut typed = json!({ CLIENT_SECRET: secret.expose() });
    put(&mut typed, EXPIRES_AT, &ends(fields));
    secret_shape::passport(&bounded(&typed)?, passport)
}

/// What was typed, as text to be judged.
fn bounded(typed: &Value) -> Result<SecretText, secret_shape::Refusal> {
    let text = SecretText::new(typed.to_string());
    match text.expose().len() <= LONGEST {
        true => Ok(text),
        false => Err(secret_shape::Refusal {
            field: None,
            problem: "what was typed is longer than 16 KiB".to_owned(),
        }),
    }
}

fn put(document: &mut Value, name: &str, text: &str) {
    if !text.is_empty() {
        document[name] = text.into();
    }
}

/// When the secret ends, as secrets say it: a browser's date field names a day.
fn ends(fields: &Fields) -> String {
    match fields.text(EXPIRES_AT).trim() {
        day if day.len() == "2027-06-30".len() => format!("{day}T00:00:00Z"),
        other => other.to_owned(),
    }
}

/// Our word for why what was typed is no secret.
pub(crate) fn news_of(refusal: &secret_shape::Refusal) -> &'static str {
    match refusal.field.as_deref() {
        Some(EXPIRES_AT) => "expiry_unusable",
        _ => "secret_unusable",
    }
}

/// The field for the day a secret ends, with what was typed into it before.
pub(crate) fn expiry_field(typed: &str) -> String {
    format!(
        "<label>{} <span class=\"soft\">{}</span><input type=\"date\" name=\"{EXPIRES_AT}\" value=\"{}\" autocomplete=\"off\"></label>",
        escape(texts::EXPIRES_AT),
        escape(texts::OPTIONAL),
        escape(typed)
    )
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
    let typed = ["current", "next"].map(|name| fields.text(name));
    let secrets: Vec<&str> = match typed {
        [current, ""] => vec![current],
        both => both.to_vec(),
    };
    let typed = bounded(&json!({ "host_secrets": secrets }));
    let value = match typed.and_then(|typed| secret_shape::widget(&typed)) {
        Ok(value) => value,
        Err(refusal) => return back_to(&back, news_of(&refusal)),
    };
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
            assert!(stored(unusable).is_err(), "{unusable}");
        }
    }
}
