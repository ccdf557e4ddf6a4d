//! Signing in by the link that `consulate console` prints, and signing out.
//!
//! The ticket stands in the fragment of the link, which reaches neither servers nor their logs; the page's script puts it into
//! the form. Opening the link uses nothing up, so that a preview of it does no harm; pressing the button does, once.

use axum::extract;
use axum::response::{IntoResponse as _, Redirect, Response};
use consulate_core::browser::{SameSite, end_cookie, escape, is_own_form, set_cookie};
use consulate_core::console::{COOKIE, SESSION_SECONDS};
use consulate_core::http::Bounded;
use consulate_core::problem::Problem;
use consulate_core::random;
use http::header::{self, HeaderMap};

use crate::page::{self, Refusal};
use crate::session::{Fields, Form, SIGN_IN, Signed};
use crate::{State, texts};

/// `GET /console/sign-in#TICKET`.
pub(crate) async fn page() -> Response {
    let main = format!(
        "<h1>{}</h1><p>{}</p><p><code>consulate console</code></p>\
         <form method=\"post\" action=\"{SIGN_IN}\" id=\"sign-in\" hidden><input type=\"hidden\" name=\"ticket\" value=\"\">\
         <button class=\"main wide\" type=\"submit\">{}</button></form><noscript><p class=\"warn note\">{}</p></noscript>",
        escape(texts::SIGN_IN),
        escape(texts::SIGN_IN_HOW),
        escape(texts::SIGN_IN_BUTTON),
        escape(texts::SIGN_IN_NEEDS_SCRIPT),
    );
    page::plain(http::StatusCode::OK, texts::SIGN_IN, &main)
}

/// `POST /console/sign-in`: uses the ticket up and begins a session.
pub(crate) async fn sign_in(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    body: Result<Bounded, Problem>,
) -> Response {
    signed_in(&state, &headers, body)
        .await
        .unwrap_or_else(page::refusal)
}

async fn signed_in(
    state: &State,
    headers: &HeaderMap,
    body: Result<Bounded, Problem>,
) -> Result<Response, Refusal> {
    let Bounded(body) = body.map_err(|_| Refusal::FOREIGN_FORM)?;
    if !is_own_form(headers, &state.base_url) {
        return Err(Refusal::FOREIGN_FORM);
    }
    let now = state.clock.now();
    let fields = Fields::parse(&body);
    let taken = state.records.take_ticket(fields.text("ticket"), now).await;
    let name = taken.map_err(|_| Refusal::UNAVAILABLE)?;
    let name = name.ok_or(Refusal::TICKET_SPENT)?;
    let cookie = random::secret_text().map_err(|_| Refusal::UNAVAILABLE)?;
    let until = now.plus_seconds(SESSION_SECONDS);
    let begun = state.records.begin_session(&cookie, &name, until).await;
    begun.map_err(|_| Refusal::UNAVAILABLE)?;
    let session = state.records.session(&cookie, now).await;
    let session = session.ok().flatten().ok_or(Refusal::UNAVAILABLE)?;
    let signed = Signed::begun(session, &cookie);
    state.note(&signed, "signed_in", "", "").await;
    // Lax, not Strict: the way back from a provider is a navigation that another site causes, and its flow is bound to this.
    let cookie = set_cookie(COOKIE, &cookie, SameSite::Lax, SESSION_SECONDS);
    let mut response = Redirect::to("/console").into_response();
    let cookie = cookie.ok_or(Refusal::UNAVAILABLE)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /console/sign-out`.
pub(crate) async fn sign_out(extract::State(state): extract::State<State>, form: Form) -> Response {
    if state
        .records
        .end_session(&form.signed.session)
        .await
        .is_err()
    {
        return page::refusal(Refusal::UNAVAILABLE);
    }
    let mut response = Redirect::to(SIGN_IN).into_response();
    if let Some(cookie) = end_cookie(COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
