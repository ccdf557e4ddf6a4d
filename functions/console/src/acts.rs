//! What is done on a widget's page. Each act is a form, asked of the function whose it is, noted, and answered 303.

use std::collections::BTreeMap;

use axum::extract::{self, Path};
use axum::response::Response;
use consulate_core::acting::{Answer, ConnectAct, Event, Person};
use consulate_core::bindings::Bound;
use serde_json::Value;

use crate::page::{self, Refusal};
use crate::session::{Form, Signed, back_to};
use crate::words::{cut, segment};
use crate::{State, widget};

/// Longest id that is one.
const ID_LIMIT: usize = 256;

fn address(widget: &str) -> String {
    format!("/console/widgets/{}", segment(widget))
}

/// `POST …/person`: in whose place the session acts from now on.
pub(crate) async fn choose_person(
    extract::State(state): extract::State<State>,
    Path(widget): Path<String>,
    Form { signed, fields }: Form,
) -> Response {
    let field =
        |name: &str| Some(fields.text(name).trim().to_owned()).filter(|text| !text.is_empty());
    let person = Person {
        organisation: field("organisation").unwrap_or_default(),
        user: field("user").unwrap_or_default(),
        email: field("email"),
    };
    let parts = [
        &person.organisation,
        &person.user,
        person.email.as_ref().unwrap_or(&person.user),
    ];
    let unusable = |text: &&String| text.len() > ID_LIMIT || text.chars().any(char::is_control);
    if person.organisation.is_empty() || parts.iter().any(unusable) {
        return back_to(&address(&widget), "person_unusable");
    }
    match state.records.act_for(&signed.session, &person).await {
        Ok(true) => {
            let who = format!("{} {}", person.organisation, person.user);
            state
                .note(&signed, "acts_for", &widget, &cut(&who, 120))
                .await;
            back_to(&address(&widget), "person_chosen")
        }
        Ok(false) => page::refusal(Refusal::NOT_SIGNED_IN),
        Err(_) => page::refusal(Refusal::UNAVAILABLE),
    }
}

/// `POST …/bind`: gives an authentication a passport.
pub(crate) async fn bind(
    extract::State(state): extract::State<State>,
    Path((widget, auth_key)): Path<(String, String)>,
    Form { signed, fields }: Form,
) -> Response {
    let passport = fields.text("passport");
    let news = match state.bindings.bind(&widget, &auth_key, passport).await {
        Ok(Bound::Done) => {
            let on = format!("{widget} {auth_key}");
            state.note(&signed, "bound", &on, passport).await;
            "bound"
        }
        Ok(Bound::Unknown) => "bind_unknown",
        Ok(Bound::OtherProvider) => "bind_other_provider",
        Ok(Bound::Bundled) => "bind_bundled",
        Ok(Bound::NotForBrowsers) => "bind_not_for_browsers",
        Ok(Bound::Changed) => "bind_changed",
        Err(_) => return page::refusal(Refusal::UNAVAILABLE),
    };
    back_to(&address(&widget), news)
}

/// `POST …/connect`: begins a flow, and leaves for the provider.
pub(crate) async fn connect(
    extract::State(state): extract::State<State>,
    Path((widget, auth_key)): Path<(String, String)>,
    Form { signed, .. }: Form,
) -> Response {
    let act = ConnectAct::Begin {
        auth_key: auth_key.clone(),
        tie: signed.flow_tie(),
    };
    let answer = match ask(&state, &signed, &widget, act).await {
        Ok(answer) => answer,
        Err(response) => return response,
    };
    let there = answer.body.get("authorize_url").and_then(Value::as_str);
    let Some(there) = there.filter(|_| answer.is_success()) else {
        return back_to(&address(&widget), news_of(&answer));
    };
    state
        .note(
            &signed,
            "connect_begun",
            &format!("{widget} {auth_key}"),
            "",
        )
        .await;
    let name = passport_name(&state, &widget, &auth_key).await;
    page::departing(there, &name)
}

/// `POST …/type`: connects with what was typed, which passes through once.
pub(crate) async fn type_credential(
    extract::State(state): extract::State<State>,
    Path((widget, auth_key)): Path<(String, String)>,
    Form { signed, fields }: Form,
) -> Response {
    let typed: BTreeMap<String, String> = fields
        .under("typed.")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let act = ConnectAct::Type {
        auth_key: auth_key.clone(),
        typed,
    };
    let answer = match ask(&state, &signed, &widget, act).await {
        Ok(answer) => answer,
        Err(response) => return response,
    };
    if !answer.is_success() {
        return back_to(&address(&widget), news_of(&answer));
    }
    state
        .note(&signed, "connected", &format!("{widget} {auth_key}"), "")
        .await;
    back_to(&address(&widget), "connected")
}

/// `POST …/disconnect`.
pub(crate) async fn disconnect(
    extract::State(state): extract::State<State>,
    Path((widget, auth_key)): Path<(String, String)>,
    Form { signed, .. }: Form,
) -> Response {
    let act = ConnectAct::Disconnect {
        auth_key: auth_key.clone(),
    };
    let answer = match ask(&state, &signed, &widget, act).await {
        Ok(answer) => answer,
        Err(response) => return response,
    };
    if !answer.is_success() {
        return back_to(&address(&widget), news_of(&answer));
    }
    let result = answer
        .body
        .pointer("/revocation/result")
        .and_then(Value::as_str);
    let on = format!("{widget} {auth_key}");
    state
        .note(&signed, "disconnected", &on, result.unwrap_or_default())
        .await;
    back_to(&address(&widget), "disconnected")
}

/// Asks connect in the place of whom the session acts for.
async fn ask(
    state: &State,
    signed: &Signed,
    widget: &str,
    act: ConnectAct,
) -> Result<Answer, Response> {
    let Some(person) = widget::acts_for(signed) else {
        return Err(back_to(&address(widget), "person_missing"));
    };
    let auth_key = match &act {
        ConnectAct::Begin { auth_key, .. }
        | ConnectAct::Type { auth_key, .. }
        | ConnectAct::Disconnect { auth_key } => auth_key,
        ConnectAct::List => "",
    };
    let definition = state.definitions.widget(widget).await;
    let definition = definition.map_err(|_| page::refusal(Refusal::UNAVAILABLE))?;
    let authentication = definition
        .as_ref()
        .and_then(|widget| widget.authentication(auth_key));
    let Some(authentication) = authentication else {
        return Err(page::refusal(Refusal::NOTHING_HERE));
    };
    let own = authentication.owner == consulate_core::definition::OwnerMode::User;
    if own && !widget::names_a_user(signed) {
        return Err(back_to(&address(widget), "person_missing"));
    }
    let event = Event {
        widget: widget.to_owned(),
        person,
        act,
    };
    let answer = state.deputies.connect(&event).await;
    answer.map_err(|_| back_to(&address(widget), "unavailable"))
}

/// Our word for why connect did not do it.
fn news_of(answer: &Answer) -> &'static str {
    match answer.body.get("code").and_then(Value::as_str) {
        Some("authentication_required") => "not_bound",
        Some("request_invalid") => "credential_refused",
        Some("caller_forbidden") => "organisation_not_listed",
        Some("caller_unauthenticated") => "person_unusable",
        Some("authentication_unknown" | "widget_unknown") => "bind_unknown",
        _ => "unavailable",
    }
}

async fn passport_name(state: &State, widget: &str, auth_key: &str) -> String {
    let widget = state.definitions.widget(widget).await.ok().flatten();
    let bound = widget
        .as_ref()
        .and_then(|widget| widget.authentication(auth_key)?.passport.clone());
    let Some(bound) = bound else {
        return String::new();
    };
    let passport = state.definitions.passport(&bound).await.ok().flatten();
    passport.map_or(bound, |passport| passport.name.clone())
}
