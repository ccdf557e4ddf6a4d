//! `GET /console/activity`: what was done in this console, newest first. Nothing else has a store: what happens to connections
//! is in the log and on the event bus, and the page says so.

use axum::extract;
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::clock::Timestamp;
use consulate_core::console::ACTS_KEPT;

use crate::page::{self, Page, Refusal, Section};
use crate::session::Signed;
use crate::words::instant;
use crate::{State, texts};

/// The page.
pub(crate) async fn page(extract::State(state): extract::State<State>, signed: Signed) -> Response {
    let Ok(acts) = state.records.acts(ACTS_KEPT).await else {
        return page::refusal(Refusal::UNAVAILABLE);
    };
    let rows: String = acts
        .iter()
        .map(|act| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
                instant(Some(Timestamp::from_millis(act.at))),
                escape(&act.by),
                escape(texts::act(&act.what)),
                escape(&act.on),
                escape(&act.detail)
            )
        })
        .collect();
    let main = format!(
        "<div class=\"head\"><h1>{0}</h1><p class=\"soft\">{1}</p></div><section class=\"card\"><div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\
         <thead><tr><th>{2}</th><th>{3}</th><th>{4}</th><th>{5}</th><th>{6}</th></tr></thead><tbody>{rows}</tbody></table></div></section>",
        escape(texts::ACTIVITY),
        escape(texts::ACTIVITY_ABOUT),
        escape(texts::WHEN),
        escape(texts::WHO),
        escape(texts::WHAT),
        escape(texts::ON),
        escape(texts::RESULT),
    );
    Page::new(Section::Activity, texts::ACTIVITY, &main).into_answer(&signed)
}
