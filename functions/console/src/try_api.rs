//! `GET` and `POST /console/widgets/{widget}/apis/{name}`: a named API with a form for its params; the envelope as the widget
//! would get it. The proxy makes the call, in the place of whom the session acts for.

use axum::extract::{self, Path};
use axum::response::Response;
use consulate_core::acting::{Event, ProxyAct};
use consulate_core::browser::escape;
use consulate_core::definition::{NamedApi, OwnerMode, Widget};
use serde_json::{Map, Value};

use crate::page::{self, Page, Refusal, Section, Tone, said, token};
use crate::session::{Fields, Form, Signed};
use crate::widget::{acts_for, names_a_user};
use crate::widgets::display_name;
use crate::words::{cut, pill, segment};
use crate::{State, texts};

/// More of an answer is not shown, characters.
const SHOWN: usize = 60_000;

/// The form.
pub(crate) async fn page(
    extract::State(state): extract::State<State>,
    Path((widget, name)): Path<(String, String)>,
    signed: Signed,
) -> Response {
    match found(&state, &widget, &name).await {
        Ok((widget, api)) => answer(&widget, &api, &signed, &Fields::parse(b""), ""),
        Err(refusal) => page::refusal(refusal),
    }
}

/// The form, and what came of a call.
pub(crate) async fn call(
    extract::State(state): extract::State<State>,
    Path((widget, name)): Path<(String, String)>,
    Form { signed, fields }: Form,
) -> Response {
    let (widget, api) = match found(&state, &widget, &name).await {
        Ok(found) => found,
        Err(refusal) => return page::refusal(refusal),
    };
    let result = called(&state, &widget, &api, &signed, &fields).await;
    answer(&widget, &api, &signed, &fields, &result)
}

async fn found(state: &State, widget: &str, name: &str) -> Result<(Widget, NamedApi), Refusal> {
    let widget = state.definitions.widget(widget).await?;
    let widget = widget.ok_or(Refusal::NOTHING_HERE)?;
    let api = widget.api(name).ok_or(Refusal::NOTHING_HERE)?.clone();
    Ok((Widget::clone(&widget), api))
}

async fn called(
    state: &State,
    widget: &Widget,
    api: &NamedApi,
    signed: &Signed,
    fields: &Fields,
) -> String {
    let authentication = widget.authentication(&api.authentication_key);
    let own = authentication.is_some_and(|authentication| authentication.owner == OwnerMode::User);
    let person = acts_for(signed).filter(|_| !own || names_a_user(signed));
    let Some(person) = person else {
        return said(
            Tone::Warn,
            if own {
                texts::CHOOSE_A_USER
            } else {
                texts::CHOOSE_SOMEBODY
            },
        );
    };
    let params = match params(api, fields) {
        Ok(params) => params,
        Err(text) => return said(Tone::Warn, text),
    };
    let event = Event {
        widget: widget.id.clone(),
        person,
        act: ProxyAct::Call {
            api: api.name.clone(),
            params: Value::Object(params),
        },
    };
    let answer = match state.deputies.proxy(&event).await {
        Ok(answer) => answer,
        Err(_) => return said(Tone::Bad, texts::UNAVAILABLE),
    };
    let on = format!("{} {}", widget.id, api.name);
    state
        .note(signed, "called", &on, &answer.status.to_string())
        .await;
    let text = serde_json::to_string_pretty(&answer.body).unwrap_or_default();
    let (tone, word) = match answer.body.get("statusCode").and_then(Value::as_u64) {
        Some(code) if answer.body.get("isSuccess") == Some(&Value::Bool(true)) => {
            (Tone::Good, format!("{} {code}", texts::API_ANSWERED))
        }
        Some(code) => (Tone::Warn, format!("{} {code}", texts::API_ANSWERED)),
        None => (
            Tone::Bad,
            format!("{} {}", texts::NOT_CALLED, answer.status),
        ),
    };
    format!(
        "<section class=\"card\" aria-live=\"polite\"><div class=\"title\"><h2>{}</h2>{}</div><pre class=\"envelope\" tabindex=\"0\">{}</pre></section>",
        escape(texts::ENVELOPE),
        pill(Some(tone), &word),
        escape(&cut(&text, SHOWN))
    )
}

/// What was typed; empty fields are left out, as a widget would leave them out.
fn params(api: &NamedApi, fields: &Fields) -> Result<Map<String, Value>, &'static str> {
    let further = fields.text("further").trim();
    let mut params = match further {
        "" => Map::new(),
        text => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object,
            _ => return Err(texts::FURTHER_UNUSABLE),
        },
    };
    for name in placeholders(api) {
        let value = fields.text(&format!("param.{name}"));
        if !value.is_empty() {
            params.insert(name, value.into());
        }
    }
    Ok(params)
}

/// PURE. Names in `{param.NAME}` of the definition, each once, in the order they come in.
fn placeholders(api: &NamedApi) -> Vec<String> {
    let mut texts = vec![api.url.clone()];
    texts.extend(api.headers.values().cloned());
    texts.extend(api.body.as_ref().map(Value::to_string));
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        for piece in text.split("{param.").skip(1) {
            if let Some((name, _)) = piece.split_once('}')
                && names.iter().all(|known| known != name)
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn answer(
    widget: &Widget,
    api: &NamedApi,
    signed: &Signed,
    fields: &Fields,
    result: &str,
) -> Response {
    let inputs: String = placeholders(api)
        .iter()
        .map(|name| {
            let field = format!("param.{name}");
            format!(
                "<label><code>{}</code><input name=\"{}\" value=\"{}\" autocomplete=\"off\"></label>",
                escape(name),
                escape(&field),
                escape(fields.text(&field))
            )
        })
        .collect();
    let acting = match &signed.session.acts_for {
        Some(person) => format!(
            "{} <code>{}</code> <code>{}</code>",
            escape(texts::ACTING_FOR),
            escape(&person.organisation),
            escape(&person.user)
        ),
        None => format!(
            "<a href=\"/console/widgets/{}\">{}</a>",
            segment(&widget.id),
            escape(texts::CHOOSE_SOMEBODY)
        ),
    };
    let main = format!(
        "<p class=\"crumbs\"><a href=\"/console\">{widgets}</a> / <a href=\"/console/widgets/{id}\">{widget_name}</a></p>\
         <div class=\"head\"><h1>{heading}</h1><p class=\"soft\">{acting}</p></div>\
         <div class=\"stack\"><section class=\"card\"><p class=\"address\"><span class=\"method\">{method}</span> <code>{url}</code></p>\
         <form method=\"post\" action=\"/console/widgets/{id}/apis/{segment}\" class=\"fields\">{token}{inputs}\
         <label>{further} <span class=\"soft\">{further_about}</span><textarea name=\"further\" rows=\"3\" spellcheck=\"false\" placeholder=\"{{&quot;limit&quot;: 10}}\">{further_value}</textarea></label>\
         <button class=\"main\" type=\"submit\">{call}</button></form></section>{result}</div>",
        widgets = escape(texts::WIDGETS),
        id = segment(&widget.id),
        widget_name = escape(display_name(widget)),
        heading = escape(&api.name),
        method = escape(&api.method),
        url = escape(&api.url),
        segment = segment(&api.name),
        token = token(signed),
        further = escape(texts::FURTHER),
        further_about = escape(texts::FURTHER_ABOUT),
        further_value = escape(fields.text("further")),
        call = escape(texts::CALL),
    );
    Page::new(Section::Widgets, &api.name, &main).into_answer(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_those_the_definition_names_and_those_typed_beside_it() {
        let api: NamedApi = serde_json::from_value(serde_json::json!({
            "name": "n", "method": "POST", "url": "https://a.example/{param.path}?q={param.q}", "authentication_key": "k",
            "headers": {"X": "{param.h}"}, "body": {"title": "Note {param.title}"},
        }))
        .unwrap();
        assert_eq!(placeholders(&api), ["path", "q", "h", "title"]);
        let typed = |body: &str| params(&api, &Fields::parse(body.as_bytes()));
        let sent = typed("param.path=a%2Fb&param.q=&param.other=1&further=%7B%22limit%22%3A10%7D")
            .unwrap();
        assert_eq!(
            Value::Object(sent),
            serde_json::json!({"limit": 10, "path": "a/b"})
        );
        assert!(typed("further=%5B1%5D").is_err());
    }
}
