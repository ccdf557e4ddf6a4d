//! `GET /console/passports/new` and `POST /console/passports`: a passport of a provider of the catalogue, by the rules of
//! `consulate passports add`. A client secret typed beside it goes to Secrets Manager and is never shown again.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{self, Query};
use axum::response::Response;
use consulate_bundle::bundle::is_id;
use consulate_bundle::catalogue::{Catalogue, Entry, PassportSettings, Refused, Variable};
use consulate_bundle::changes::changes;
use consulate_core::bindings::Bound;
use consulate_core::browser::escape;
use consulate_core::definition::{ClientAuthentication, Passport};
use consulate_core::secret::SecretText;
use consulate_core::table;

use crate::importing::agreement;
use crate::page::{self, Page, Refusal, Section, Tone, said};
use crate::passport_form::{self, Shown};
use crate::session::{Fields, Form, Signed, back_to};
use crate::words::segment;
use crate::{State, defining_texts as texts, secrets};

/// Where the form is.
pub(crate) const ADDRESS: &str = "/console/passports/new";
/// Name of the field that carries a typed client secret, sealed, to the next page.
pub(crate) const KEPT_SECRET: &str = "kept_secret";
const YES: &str = "yes";

/// The form; without a provider, the choice of one.
pub(crate) async fn page(
    extract::State(state): extract::State<State>,
    Query(query): Query<HashMap<String, String>>,
    signed: Signed,
) -> Response {
    let catalogue = match state.store.catalogue().await {
        Ok(catalogue) => catalogue,
        Err(_) => return page::refusal(Refusal::UNAVAILABLE),
    };
    let fields = Fields::of(query.into_iter().collect());
    let provider = fields.text("provider");
    let news = match provider {
        "" => String::new(),
        _ => match usable(&catalogue, provider) {
            Ok(entry) => return form(&state, entry, &fields, &Again::default(), &signed),
            Err(why) => said(Tone::Warn, &why),
        },
    };
    let main = passport_form::choice(&catalogue, &fields, &news);
    Page::new(Section::Passports, texts::NEW_PASSPORT, &main).into_answer(&signed)
}

fn usable<'c>(catalogue: &'c Catalogue, provider: &str) -> Result<&'c Entry, String> {
    let entry = catalogue.get(provider);
    let entry = entry.ok_or_else(|| texts::UNKNOWN_PROVIDER.to_owned())?;
    match entry.retired() {
        None => Ok(entry),
        Some(because) => Err(texts::RETIRED
            .replace("{provider}", &entry.name)
            .replace("{because}", because)),
    }
}

/// What the form is shown again with.
#[derive(Default)]
struct Again<'a> {
    /// HTML of why.
    news: String,
    /// How what is stored would change.
    differences: &'a [String],
    /// The client secret that was typed, sealed; empty where none was.
    kept_secret: &'a str,
}

fn form(
    state: &State,
    entry: &Entry,
    fields: &Fields,
    again: &Again<'_>,
    signed: &Signed,
) -> Response {
    let shown = Shown {
        entry,
        fields,
        base_url: &state.base_url,
        news: &again.news,
        differences: again.differences,
        agreement: &agreement(again.differences),
        kept_secret: again.kept_secret,
        signed,
    };
    let title = texts::NEW_PASSPORT_OF.replace("{provider}", &entry.name);
    let main = shown.page(&title);
    Page::new(Section::Passports, &title, &main).into_answer(signed)
}

/// `POST /console/passports`.
pub(crate) async fn make(
    extract::State(state): extract::State<State>,
    Form { signed, fields }: Form,
) -> Response {
    made(&state, &signed, &fields)
        .await
        .unwrap_or_else(page::refusal)
}

async fn made(state: &State, signed: &Signed, fields: &Fields) -> Result<Response, Refusal> {
    let catalogue = state.store.catalogue().await?;
    let entry = match usable(&catalogue, fields.text("provider")) {
        Ok(entry) => entry,
        Err(why) => {
            let main = passport_form::choice(&catalogue, fields, &said(Tone::Warn, &why));
            let page = Page::new(Section::Passports, texts::NEW_PASSPORT, &main);
            return Ok(page.into_answer(signed));
        }
    };
    let typed = typed_secret(signed, fields);
    let kept_secret = match &typed {
        Some(typed) => signed.seal(KEPT_SECRET, typed)?,
        None => String::new(),
    };
    let again = |why: &str, differences: &[String]| {
        let again = Again {
            news: said(Tone::Bad, why),
            differences,
            kept_secret: &kept_secret,
        };
        form(state, entry, fields, &again, signed)
    };
    let id = fields.text("id").trim();
    if !is_id(id) {
        return Ok(again(&texts::ID_UNUSABLE.replace("{id}", id), &[]));
    }
    let settings = settings(entry, fields);
    let passport = match entry.passport(&settings) {
        Ok(passport) => Passport {
            browser_delivery: fields.text("browser_delivery") == YES,
            ..passport
        },
        Err(refused) => return Ok(again(&words(entry, &settings, &refused), &[])),
    };
    let secret = match &typed {
        None => None,
        Some(typed) => match secrets::client_document(&passport, typed, fields) {
            Ok(document) => Some(document),
            // What is refused is not kept: the field is empty again.
            Err(refusal) => {
                let again = Again {
                    news: page::notice(secrets::news_of(&refusal)),
                    ..Again::default()
                };
                return Ok(form(state, entry, fields, &again, signed));
            }
        },
    };
    let stored = state.store.read::<Passport>(table::passport_pk(id)).await?;
    let mut differences = stored
        .as_ref()
        .map(|stored| changes(&stored.definition, &passport))
        .unwrap_or_default();
    let differs = !differences.is_empty();
    let secret_name = format!("passports/{id}");
    if secret.is_some() && state.secrets.is_set(&secret_name).await? {
        differences.push(texts::TYPED_SECRET_REPLACES.to_owned());
    }
    let agrees =
        fields.text("change") == YES && fields.text("agreement") == agreement(&differences);
    if !differences.is_empty() && !agrees {
        let why = match differs {
            true => texts::ALREADY_THERE,
            false => texts::SECRET_ALREADY_THERE,
        };
        return Ok(again(&why.replace("{id}", id), &differences));
    }
    let mut change = state.store.change();
    change.passport(id, &passport, stored.as_ref())?;
    if !change.commit().await? {
        return Ok(again(texts::CHANGED_MEANWHILE, &[]));
    }
    state.note(signed, "passport_made", id, &entry.id).await;
    let is_stored = match &secret {
        None => true,
        Some(secret) => match state.secrets.put(&secret_name, secret).await {
            Ok(()) => {
                state.note(signed, "secret_set", id, "").await;
                true
            }
            Err(_) => false,
        },
    };
    let news = match (is_stored, fields.text("widget"), fields.text("auth_key")) {
        (false, ..) => "passport_made_without_secret",
        (true, "", _) | (true, _, "") => "passport_made",
        (true, widget, auth_key) => return Ok(used(state, signed, widget, auth_key, id).await),
    };
    Ok(back_to("/console/passports", news))
}

/// The client secret that was typed: now, or on the page before, which carries it sealed.
fn typed_secret(signed: &Signed, fields: &Fields) -> Option<SecretText> {
    match fields.text("client_secret") {
        "" => signed.open(KEPT_SECRET, fields.text(KEPT_SECRET)),
        typed => Some(SecretText::new(typed)),
    }
}

/// Gives the passport to the account it was made for.
async fn used(state: &State, signed: &Signed, widget: &str, auth_key: &str, id: &str) -> Response {
    let back = format!("/console/widgets/{}", segment(widget));
    match state.bindings.bind(widget, auth_key, id).await {
        Ok(Bound::Done) => {
            let on = format!("{widget} {auth_key}");
            state.note(signed, "bound", &on, id).await;
            back_to(&back, "passport_made_bound")
        }
        _ => back_to("/console/passports", "passport_made"),
    }
}

/// PURE. What was typed, as the catalogue takes it: empty fields are not given.
fn settings(entry: &Entry, fields: &Fields) -> PassportSettings {
    let text = |name: &str| Some(fields.text(name).trim()).filter(|text| !text.is_empty());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let typed = |prefix| {
        let typed = fields.under(prefix);
        typed.filter(|(_, value)| !value.trim().is_empty())
    };
    let slot_scopes: BTreeMap<String, Vec<String>> = typed("slot.")
        .map(|(slot, scopes)| (slot.to_owned(), words(scopes)))
        .collect();
    PassportSettings {
        id: fields.text("id").trim().to_owned(),
        client_id: text("client_id").unwrap_or_default().to_owned(),
        client_authentication: client_authentication(fields.text("client_authentication"))
            .filter(|_| entry.credential.has_client()),
        scopes: text("scopes").map(words).unwrap_or_default(),
        slot_scopes,
        name: text("name").map(str::to_owned),
        variables: typed("set.")
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        accept: fields.text("own_domain") == YES,
    }
}

/// The ways a client proves itself, as forms name them.
pub(crate) const CLIENT_AUTHENTICATIONS: [(&str, ClientAuthentication); 4] = [
    ("body", ClientAuthentication::Body),
    ("basic", ClientAuthentication::Basic),
    ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
    ("none", ClientAuthentication::None),
];

fn client_authentication(text: &str) -> Option<ClientAuthentication> {
    let mut known = CLIENT_AUTHENTICATIONS.into_iter();
    known.find(|(name, _)| *name == text).map(|(_, way)| way)
}

/// PURE. Why no passport can be made of that, in the words of the form.
fn words(entry: &Entry, settings: &PassportSettings, refused: &Refused) -> String {
    let Some(variable) = entry.variable(&refused.field) else {
        return match refused.field.as_str() {
            "client_id" => texts::CLIENT_ID_NEEDED.to_owned(),
            _ => refused.message.clone(),
        };
    };
    let Variable { label, example, .. } = variable;
    let agreeing = PassportSettings {
        accept: true,
        ..settings.clone()
    };
    let would_do = !settings.accept
        && entry
            .passport(&agreeing)
            .err()
            .is_none_or(|other| other.field != refused.field);
    let text = match settings.variables.get(&variable.name) {
        None => texts::VARIABLE_NEEDED,
        Some(_) if would_do => texts::VARIABLE_OTHER,
        Some(_) => texts::VARIABLE_UNUSABLE,
    };
    text.replace("{label}", label).replace("{example}", example)
}

/// The link that makes a passport for an account of a widget.
pub(crate) fn address_for(provider: &str, widget: &str, auth_key: &str) -> String {
    let query = [
        ("provider", provider),
        ("widget", widget),
        ("auth_key", auth_key),
    ];
    let query: Vec<String> = query
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", segment(value)))
        .collect();
    escape(&format!("{ADDRESS}?{}", query.join("&")))
}
