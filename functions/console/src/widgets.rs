//! `GET /console`: every widget with its authentications, and whether a passport is bound to each.

use std::future::ready;

use axum::extract;
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::definition::{OwnerMode, Widget};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::page::{self, Page, Refusal, Section, Tone};
use crate::session::Signed;
use crate::words::{pill, segment};
use crate::{AT_ONCE, State, importing, texts};

/// The page.
pub(crate) async fn page(extract::State(state): extract::State<State>, signed: Signed) -> Response {
    match main(&state).await {
        Ok(main) => Page::new(Section::Widgets, texts::WIDGETS, &main).into_answer(&signed),
        Err(refusal) => page::refusal(refusal),
    }
}

async fn main(state: &State) -> Result<String, Refusal> {
    let ids = stream::iter(state.store.registry().await?.widgets);
    let reads = ids.map(|id| async move { state.definitions.widget(&id).await });
    let reads = reads.buffered(AT_ONCE);
    let cards = reads.try_filter_map(|read| ready(Ok(read.map(|widget| card(&widget)))));
    let cards: String = cards.try_collect().await?;
    let cards = match cards.is_empty() {
        true => format!(
            "<div class=\"card empty\"><p>{}</p><p><a class=\"button main\" href=\"{}\">{}</a></p></div>",
            escape(texts::NO_WIDGETS),
            importing::ADDRESS,
            escape(texts::IMPORT)
        ),
        false => format!("<div class=\"cards\">{cards}</div>"),
    };
    let act = match cards.contains("class=\"cards\"") {
        true => format!(
            "<a class=\"button\" href=\"{}\">{}</a>",
            importing::ADDRESS,
            escape(texts::IMPORT)
        ),
        false => String::new(),
    };
    Ok(format!(
        "<div class=\"head with-act\"><h1>{}</h1><p class=\"soft\">{}</p>{act}</div>{cards}",
        escape(texts::WIDGETS),
        escape(texts::WIDGETS_ABOUT)
    ))
}

fn card(widget: &Widget) -> String {
    let name = display_name(widget);
    let rows: String = widget
        .authentications
        .iter()
        .map(|authentication| {
            let owner = match authentication.owner {
                OwnerMode::User => texts::OWNER_USER,
                OwnerMode::Organisation => texts::OWNER_ORGANISATION,
            };
            let label = match authentication.label.is_empty() {
                true => &authentication.auth_key,
                false => &authentication.label,
            };
            let bound = match &authentication.passport {
                Some(passport) => format!("<code>{}</code>", escape(passport)),
                None => pill(Some(Tone::Warn), texts::NOT_BOUND),
            };
            format!(
                "<li><span><strong>{}</strong> <span class=\"soft\">{}</span></span>{bound}</li>",
                escape(label),
                escape(owner)
            )
        })
        .collect();
    let host = match &widget.host {
        Some(host) => format!("{} <code>{}</code>", escape(texts::HOST), escape(host)),
        None => pill(Some(Tone::Warn), texts::NO_HOST),
    };
    let rows = match rows.is_empty() {
        true => format!(
            "<p class=\"soft\">{}</p>",
            escape(texts::NO_AUTHENTICATIONS)
        ),
        false => format!("<ul class=\"rows\">{rows}</ul>"),
    };
    format!(
        "<section class=\"card\"><h2><a href=\"/console/widgets/{}\">{}</a></h2><p class=\"soft small\"><code>{}</code> · {host} · {}: {}</p>{rows}</section>",
        segment(&widget.id),
        escape(name),
        escape(&widget.id),
        escape(texts::NAMED_APIS),
        widget.apis.len(),
    )
}

/// The widget's name, or its id.
pub(crate) fn display_name(widget: &Widget) -> &str {
    match widget.name.is_empty() {
        true => &widget.id,
        false => &widget.name,
    }
}
