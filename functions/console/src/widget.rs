//! `GET /console/widgets/{widget}`: one widget, its accounts as they stand for whom the administrator acts, and its APIs.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use axum::extract::{self, Path, Query};
use axum::response::Response;
use consulate_core::acting::{ConnectAct, Event, Person};
use consulate_core::browser::escape;
use consulate_core::definition::{OwnerMode, Passport, Widget};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::authentication::{self, Shown};
use crate::page::{self, Page, Refusal, Section, Tone, token};
use crate::session::Signed;
use crate::widgets::display_name;
use crate::words::{fact, pill, segment};
use crate::{AT_ONCE, State, secrets, texts};

/// The user in whose name an organisation's account is connected where the administrator named nobody.
pub(crate) const NOBODY: &str = "console";

/// The page.
pub(crate) async fn page(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    signed: Signed,
) -> Response {
    match main(&state, &id, &query, &signed).await {
        Ok((title, main)) => Page::new(Section::Widgets, &title, &main).into_answer(&signed),
        Err(refusal) => page::refusal(refusal),
    }
}

async fn main(
    state: &State,
    id: &str,
    query: &HashMap<String, String>,
    signed: &Signed,
) -> Result<(String, String), Refusal> {
    let widget = state.definitions.widget(id).await?;
    let widget = widget.ok_or(Refusal::NOTHING_HERE)?;
    let passports = passports(state).await?;
    let (standing, trouble) = standing(state, &widget, signed).await;
    let mut sections = String::new();
    for authentication in &widget.authentications {
        let status = standing.iter().find(|status| {
            status.get("auth_key").and_then(Value::as_str) == Some(&authentication.auth_key)
        });
        let bound = authentication.passport.as_ref();
        let bound = bound.and_then(|id| passports.iter().find(|known| known.id == *id));
        let lacks_secret = match bound.filter(|passport| passport.has_client_secret()) {
            Some(passport) => {
                let name = format!("passports/{}", passport.id);
                !state.secrets.is_set(&name).await?
            }
            None => false,
        };
        let shown = Shown {
            lacks_secret,
            widget: &widget,
            authentication,
            passports: &passports,
            status,
            signed,
        };
        sections.push_str(&authentication::card(&shown));
    }
    let title = display_name(&widget);
    let host_secret = match secrets::host_signs(state, &widget).await? {
        true => secrets::host_secret_form(state, &widget.id, signed).await,
        false => String::new(),
    };
    let news = news(query);
    let main = format!(
        "<p class=\"crumbs\"><a href=\"/console\">{crumb}</a></p>\
         <div class=\"head\"><h1>{name}</h1></div>{news}{trouble}\
         <div class=\"columns\"><div class=\"stack\">{sections}{apis}</div><aside class=\"stack\">{person}{facts}{host_secret}</aside></div>",
        crumb = escape(texts::WIDGETS),
        name = escape(title),
        apis = apis(&widget),
        person = person_form(&widget, signed),
        facts = facts(&widget),
    );
    Ok((title.to_owned(), main))
}

/// What the address says has just happened: by a form of ours, or on the way back from a provider.
fn news(query: &HashMap<String, String>) -> String {
    let news = query.get("outcome").or_else(|| query.get("done"));
    news.map_or_else(String::new, |news| page::notice(news))
}

/// Every passport, in the order of their ids.
pub(crate) async fn passports(state: &State) -> Result<Vec<Arc<Passport>>, Refusal> {
    let ids = stream::iter(state.store.registry().await?.passports);
    let reads = ids.map(|id| async move { state.definitions.passport(&id).await });
    Ok(reads
        .buffered(AT_ONCE)
        .try_filter_map(|read| ready(Ok(read)))
        .try_collect()
        .await?)
}

/// Whom the session acts for, as events name them; `None` until somebody is chosen.
pub(crate) fn acts_for(signed: &Signed) -> Option<Person> {
    let mut person = signed.session.acts_for.clone()?;
    if person.user.is_empty() {
        person.user = NOBODY.to_owned();
    }
    Some(person)
}

/// Whether a user was named, and not just an organisation.
pub(crate) fn names_a_user(signed: &Signed) -> bool {
    let person = signed.session.acts_for.as_ref();
    person.is_some_and(|person| !person.user.is_empty())
}

/// The statuses of the widget's connections, or a notice that says why there are none.
async fn standing(state: &State, widget: &Widget, signed: &Signed) -> (Vec<Value>, String) {
    let Some(person) = acts_for(signed).filter(|_| widget.host.is_some()) else {
        return (Vec::new(), String::new());
    };
    let event = Event {
        widget: widget.id.clone(),
        person,
        act: ConnectAct::List,
    };
    let mut answer = match state.deputies.connect(&event).await {
        Ok(answer) => answer,
        Err(_) => return (Vec::new(), page::said(Tone::Bad, texts::UNAVAILABLE)),
    };
    if !answer.is_success() {
        let why = answer.body.get("detail").and_then(Value::as_str);
        return (
            Vec::new(),
            page::said(Tone::Bad, why.unwrap_or(texts::UNAVAILABLE)),
        );
    }
    match answer.body.get_mut("connections").map(Value::take) {
        Some(Value::Array(all)) => (all, String::new()),
        _ => (Vec::new(), page::said(Tone::Bad, texts::UNAVAILABLE)),
    }
}

fn person_form(widget: &Widget, signed: &Signed) -> String {
    let person = signed.session.acts_for.clone().unwrap_or_default();
    let mut organisations: Vec<&str> = widget
        .admins
        .iter()
        .map(|admin| admin.organisation.as_str())
        .collect();
    organisations.sort_unstable();
    organisations.dedup();
    let options: String = organisations
        .iter()
        .map(|id| format!("<option value=\"{}\">", escape(id)))
        .collect();
    // Nothing is chosen yet, and there is one that it will be.
    let organisation = match (person.organisation.as_str(), organisations.as_slice()) {
        ("", [only]) => only,
        (chosen, _) => chosen,
    };
    let needed = widget
        .authentications
        .iter()
        .any(|authentication| authentication.owner == OwnerMode::User);
    format!(
        "<section class=\"card\"><h2>{heading}</h2><p class=\"soft small\">{about}</p>\
         <form method=\"post\" action=\"/console/widgets/{id}/person\" class=\"fields\">{token}\
         <label>{organisation_label}<input name=\"organisation\" list=\"organisations\" required maxlength=\"256\" autocomplete=\"off\" value=\"{organisation}\"></label><datalist id=\"organisations\">{options}</datalist>\
         <label>{user_label} <span class=\"soft\">{user_hint}</span><input name=\"user\" maxlength=\"256\" autocomplete=\"off\" value=\"{user}\"></label>\
         <label>{email_label} <span class=\"soft\">{optional}</span><input name=\"email\" type=\"email\" maxlength=\"256\" autocomplete=\"off\" value=\"{email}\"></label>\
         <button type=\"submit\">{choose}</button></form></section>",
        heading = escape(texts::ACTING_FOR),
        about = escape(texts::ACTING_FOR_ABOUT),
        id = segment(&widget.id),
        token = token(signed),
        organisation_label = escape(texts::ORGANISATION_ID),
        organisation = escape(organisation),
        user_label = escape(texts::USER_ID),
        user_hint = escape(if needed {
            texts::USER_NEEDED
        } else {
            texts::OPTIONAL
        }),
        user = escape(&person.user),
        email_label = escape(texts::EMAIL),
        optional = escape(texts::OPTIONAL),
        email = escape(person.email.as_deref().unwrap_or_default()),
        choose = escape(texts::CHOOSE),
    )
}

fn facts(widget: &Widget) -> String {
    let list = |values: &[String]| match values {
        [] => pill(Some(Tone::Warn), texts::NONE),
        values => values
            .iter()
            .map(|value| format!("<code>{}</code>", escape(value)))
            .collect::<Vec<_>>()
            .join("<br>"),
    };
    let host = match &widget.host {
        Some(host) => format!("<code>{}</code>", escape(host)),
        None => pill(Some(Tone::Warn), texts::NO_HOST),
    };
    format!(
        "<section class=\"card\"><h2>{}</h2><dl class=\"facts\">{}{}{}{}</dl></section>",
        escape(texts::ABOUT_WIDGET),
        fact(texts::ID, &format!("<code>{}</code>", escape(&widget.id))),
        fact(texts::HOST, &host),
        fact(texts::ORIGINS, &list(&widget.origins)),
        fact(texts::RETURN_URLS, &list(&widget.return_urls)),
    )
}

fn apis(widget: &Widget) -> String {
    let rows: String = widget
        .apis
        .iter()
        .map(|api| {
            let name = escape(&api.name);
            format!(
                "<tr><td><code>{name}</code></td><td><span class=\"method\">{method}</span></td><td><code>{key}</code></td>\
                 <td class=\"end\"><a href=\"/console/widgets/{id}/apis/{segment}\" aria-label=\"{try_it} {name}\">{try_it}</a></td></tr>",
                method = escape(&api.method),
                key = escape(&api.authentication_key),
                id = segment(&widget.id),
                segment = segment(&api.name),
                try_it = escape(texts::TRY_IT),
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"card\"><h2>{}</h2><div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th><span class=\"hide\">{}</span></th></tr></thead><tbody>{rows}</tbody></table></div></section>",
        escape(texts::NAMED_APIS),
        escape(texts::NAME),
        escape(texts::METHOD),
        escape(texts::ACCOUNT_KEY),
        escape(texts::TRY_IT),
    )
}
