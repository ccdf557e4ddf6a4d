//! `GET /console/passports`: every passport, whether its client secret is set, and a field that only takes a new one.

use axum::extract::{self, Query};
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::definition::{ClientAuthentication, Passport};

use crate::page::{self, Page, Refusal, Section, Tone, token};
use crate::secrets::{CERTIFICATE_THUMBPRINT, KEY_ID, PRIVATE_KEY, expiry_field};
use crate::session::Signed;
use crate::widget::passports;
use crate::words::{dash, fact, pill, prose, segment};
use crate::{State, new_passport, texts};

/// The page.
pub(crate) async fn page(
    extract::State(state): extract::State<State>,
    Query(query): Query<std::collections::HashMap<String, String>>,
    signed: Signed,
) -> Response {
    let all = match passports(&state).await {
        Ok(all) => all,
        Err(refusal) => return page::refusal(refusal),
    };
    let mut cards = String::new();
    for passport in &all {
        let is_set = match passport.has_client_secret() {
            true => match state
                .secrets
                .is_set(&format!("passports/{}", passport.id))
                .await
            {
                Ok(is_set) => Some(is_set),
                Err(_) => return page::refusal(Refusal::UNAVAILABLE),
            },
            false => None,
        };
        cards.push_str(&card(&state, passport, is_set, &signed));
    }
    if cards.is_empty() {
        cards = format!(
            "<div class=\"card empty\"><p>{}</p></div>",
            prose(texts::NO_PASSPORTS)
        );
    }
    let main = format!(
        "<div class=\"head with-act\"><h1>{}</h1><p class=\"soft\">{}</p><a class=\"button\" href=\"{}\">{}</a></div>{}<div class=\"cards\">{cards}</div>",
        escape(texts::PASSPORTS),
        prose(texts::PASSPORTS_ABOUT),
        new_passport::ADDRESS,
        escape(texts::NEW_PASSPORT),
        page::notice(query.get("done").map_or("", String::as_str)),
    );
    Page::new(Section::Passports, texts::PASSPORTS, &main).into_answer(&signed)
}

fn card(state: &State, passport: &Passport, is_set: Option<bool>, signed: &Signed) -> String {
    let code = |text: &str| format!("<code>{}</code>", escape(text));
    let hosts: Vec<String> = passport
        .api_hosts
        .iter()
        .chain(&passport.host_patterns)
        .map(|host| code(host))
        .collect();
    let mut facts = fact(texts::PROVIDER, &code(&passport.provider));
    if passport.credential.has_client() {
        facts.push_str(&fact(texts::CLIENT_ID, &code(&passport.client_id)));
    }
    if passport.credential.is_consented() {
        let redirect_uri = format!("{}/v1/callback/{}", state.base_url, segment(&passport.id));
        facts.push_str(&fact(texts::REDIRECT_URI, &code(&redirect_uri)));
    }
    facts.push_str(&fact(
        texts::SENT_TO,
        &if hosts.is_empty() {
            dash()
        } else {
            hosts.join("<br>")
        },
    ));
    let state_of_it = match is_set {
        Some(true) => pill(Some(Tone::Good), texts::SECRET_SET),
        Some(false) => pill(Some(Tone::Warn), texts::SECRET_MISSING),
        None => pill(None, texts::NO_SECRET_NEEDED),
    };
    let form = is_set.map_or_else(String::new, |is_set| secret_form(passport, is_set, signed));
    format!(
        "<section class=\"card\" id=\"{}\"><div class=\"title\"><h2>{}</h2>{state_of_it}</div><p class=\"soft small\">{}</p><dl class=\"facts\">{facts}</dl>{form}</section>",
        segment(&passport.id),
        escape(&passport.name),
        code(&passport.id),
    )
}

fn secret_form(passport: &Passport, is_set: bool, signed: &Signed) -> String {
    let optional = |name: &str, label: &str| {
        format!(
            "<label>{} <span class=\"soft\">{}</span><input name=\"{name}\" maxlength=\"4096\" autocomplete=\"off\" spellcheck=\"false\"></label>",
            escape(label),
            escape(texts::OPTIONAL)
        )
    };
    let fields = match passport.client_authentication {
        ClientAuthentication::PrivateKeyJwt => format!(
            "<label>{}<textarea name=\"{PRIVATE_KEY}\" rows=\"3\" required spellcheck=\"false\" autocomplete=\"off\"></textarea></label>{}{}{}",
            escape(texts::PRIVATE_KEY),
            optional(KEY_ID, texts::KEY_ID),
            optional(CERTIFICATE_THUMBPRINT, texts::CERTIFICATE_THUMBPRINT),
            expiry_field(""),
        ),
        _ => format!(
            "<label>{}<input type=\"password\" name=\"client_secret\" required maxlength=\"4096\" autocomplete=\"off\" spellcheck=\"false\"></label>{}",
            escape(texts::CLIENT_SECRET),
            expiry_field(""),
        ),
    };
    format!(
        "<details{}><summary>{}</summary><form method=\"post\" action=\"/console/passports/{}/secret\" class=\"fields\" autocomplete=\"off\">{}{fields}<p class=\"soft small\">{}</p><button type=\"submit\">{}</button></form></details>",
        if is_set { "" } else { " open" },
        escape(if is_set {
            texts::REPLACE_SECRET
        } else {
            texts::SET_SECRET
        }),
        segment(&passport.id),
        token(signed),
        escape(texts::WRITE_ONLY),
        escape(texts::SAVE),
    )
}
