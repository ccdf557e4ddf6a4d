//! `GET` and `POST /v1/connect/{ticket}`: the browser opens its ticket.
//!
//! Popup mode: a copied link must be worth nothing, so the page asks the window that opened it for the caller's JWT, and
//! the form that brings it must come from this very page in this very browser. Without that tie a foreign page could
//! post the attacker's own JWT from the victim's browser. Nothing is used up until everything holds.
//!
//! Redirect mode: the ticket is used up here; the proof is asked for at the end (`complete.rs`).

use axum::extract::{self, Path};
use axum::response::Response;
use consulate_core::browser::{is_own_form, same};
use consulate_core::caller;
use consulate_core::definition::{Passport, Widget};
use consulate_core::digest;
use consulate_core::flow::{Ask, Mode, TICKET_SECONDS};
use consulate_core::http::Bounded;
use consulate_core::problem::{Code, Problem};
use consulate_core::random;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use crate::authorize::{authorize_origin, prepare};
use crate::cookies::{self, SameSite};
use crate::pages::{Page, Refusal, escape, fill};
use crate::target::asked_by;
use crate::{State, assets, logged, texts};

const SPENT: Refusal = Refusal::new(Code::TicketSpent, texts::TICKET_SPENT);
const REFUSED: Refusal = Refusal::new(Code::HandshakeRefused, texts::HANDSHAKE_REFUSED);
const NOT_SET_UP: Refusal = Refusal::new(Code::Unavailable, texts::NOT_SET_UP);

/// `GET /v1/connect/{ticket}`.
pub(crate) async fn open(
    extract::State(state): extract::State<State>,
    Path(ticket): Path<String>,
) -> Response {
    match opened(&state, &ticket).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_answer(&state.base_url),
    }
}

async fn opened(state: &State, ticket: &str) -> Result<Response, Refusal> {
    let now = state.clock.now();
    let ask = state.flows.read_ticket(ticket, now).await?.ok_or(SPENT)?;
    let fields = ask.fields();
    match ask.mode {
        // No ticket is ever made for it: the console's flows begin by invoke.
        Mode::Console => Err(SPENT),
        Mode::Popup => Ok(logged(
            page(state, ticket, &ask).await?,
            fields.with("outcome", "handshake"),
        )),
        Mode::Redirect => {
            let departure = prepare(state, ask).await?;
            state.flows.take_ticket(ticket, now).await?.ok_or(SPENT)?;
            Ok(logged(
                departure.depart(state, now).await?,
                fields.with("outcome", "departed"),
            ))
        }
    }
}

async fn page(state: &State, ticket: &str, ask: &Ask) -> Result<Response, Refusal> {
    let widget = state
        .definitions
        .widget(&ask.widget)
        .await?
        .ok_or(NOT_SET_UP)?;
    let passport = state
        .definitions
        .passport(&ask.key.passport)
        .await?
        .ok_or(NOT_SET_UP)?;
    let cookie = random::secret_text()?;
    let address = format!("{}/v1/connect/{ticket}", state.base_url);
    let title = texts::CONNECT.replace("{passport}", &passport.name);
    let origins = serde_json::to_string(&widget.origins).map_err(|_| NOT_SET_UP)?;
    let page = Page {
        status: StatusCode::OK,
        title: &title,
        script: Some(&assets::HANDSHAKE),
        data: &[("origins", &origins)],
        form_action: &form_action(state, &passport)?,
        main: &form(
            ask,
            &widget,
            &passport,
            &address,
            &form_token(&cookie, ticket),
        ),
    };
    let mut response = page.into_answer(&state.base_url);
    let headers = response.headers_mut();
    // Under `no-referrer` browsers post our own form with `Origin: null`; this one keeps the address from others too.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    if let Some(cookie) = cookies::set(
        &cookies::ticket_cookie(ticket),
        &cookie,
        SameSite::Strict,
        TICKET_SECONDS,
    ) {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn form(
    ask: &Ask,
    widget: &Widget,
    passport: &Passport,
    address: &str,
    form_token: &str,
) -> String {
    let name = if widget.name.is_empty() {
        &widget.id
    } else {
        &widget.name
    };
    let asked_by = [
        ("user", ask.user.as_str()),
        ("organisation", &ask.organisation),
        ("widget", name),
    ];
    format!(
        "<h1>{heading}</h1>\n<p>{asked_by}</p>\n<p>{only_if_you}</p>\n\
         <form method=\"post\" action=\"{address}\" autocomplete=\"off\">\
         <input type=\"hidden\" name=\"caller_jwt\" value=\"\">\
         <input type=\"hidden\" name=\"form_token\" value=\"{form_token}\">\
         <p><button type=\"submit\" disabled>{proceed}</button></p></form>\n\
         <p id=\"waiting\" role=\"status\">{waiting}</p>\n<p id=\"alone\" role=\"alert\" hidden>{alone}</p>\n\
         <noscript><p>{needs_script}</p></noscript>",
        heading = fill(texts::CONNECT, &[("passport", &passport.name)]),
        asked_by = fill(texts::ASKED_BY, &asked_by),
        only_if_you = escape(texts::ONLY_IF_YOU),
        address = escape(address),
        form_token = escape(form_token),
        proceed = escape(texts::CONTINUE),
        waiting = escape(texts::WAITING),
        alone = escape(texts::ALONE),
        needs_script = escape(texts::NEEDS_SCRIPT),
    )
}

/// Where the form may lead. Chromium holds every redirect after a form post against `form-action`, and many providers go
/// on to another origin of theirs (or of the customer's own sign-in) before showing anything: any https one is allowed,
/// besides the provider's own, which is plain http only on loopback.
fn form_action(state: &State, passport: &Passport) -> Result<String, Refusal> {
    let origin = authorize_origin(state, passport).map_err(|_| NOT_SET_UP)?;
    Ok(format!("'self' {origin} https:"))
}

/// `POST /v1/connect/{ticket}`, a form: `caller_jwt`, `form_token`.
pub(crate) async fn confirm(
    extract::State(state): extract::State<State>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    body: Result<Bounded, Problem>,
) -> Response {
    match confirmed(&state, &ticket, &headers, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_answer(&state.base_url),
    }
}

async fn confirmed(
    state: &State,
    ticket: &str,
    headers: &HeaderMap,
    body: Result<Bounded, Problem>,
) -> Result<Response, Refusal> {
    let now = state.clock.now();
    let Bounded(body) = body.map_err(|_| REFUSED)?;
    if !is_own_form(headers, &state.base_url) {
        return Err(REFUSED);
    }
    let ask = state.flows.read_ticket(ticket, now).await?.ok_or(SPENT)?;
    let name = cookies::ticket_cookie(ticket);
    let cookie = cookies::read(headers, &name).ok_or(REFUSED)?;
    let sent = Form::parse(&body).ok_or(REFUSED)?;
    if ask.mode != Mode::Popup || !same(&sent.form_token, &form_token(cookie, ticket)) {
        return Err(REFUSED);
    }
    let who = match state
        .callers
        .verify(&ask.widget, Some(&sent.caller_jwt))
        .await
    {
        Ok(who) => who,
        Err(caller::Error::Unavailable) => {
            return Err(Refusal::new(Code::Unavailable, texts::UNAVAILABLE));
        }
        Err(_) => return Err(REFUSED),
    };
    if !asked_by(&ask, &who.caller) || !who.may_change(ask.owner_mode) {
        return Err(REFUSED);
    }
    let fields = ask.fields();
    let departure = prepare(state, ask).await?;
    // Last: what is refused for anything else uses no JWT up.
    match state.callers.use_up(&who).await {
        Ok(()) => {}
        Err(caller::Error::Unavailable) => {
            return Err(Refusal::new(Code::Unavailable, texts::UNAVAILABLE));
        }
        Err(_) => return Err(REFUSED),
    }
    state.flows.take_ticket(ticket, now).await?.ok_or(SPENT)?;
    let mut response = departure.depart(state, now).await?;
    if let Some(cookie) = cookies::end(&name) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(logged(response, fields.with("outcome", "departed")))
}

/// The hidden value that goes with a cookie and a ticket: nothing has to be stored to recognise it.
fn form_token(cookie: &str, ticket: &str) -> String {
    digest::text([&b"handshake form"[..], cookie.as_bytes(), ticket.as_bytes()])
}

struct Form {
    caller_jwt: String,
    form_token: String,
}

impl Form {
    /// PURE. Each field exactly once.
    fn parse(body: &[u8]) -> Option<Self> {
        let (mut caller_jwt, mut form_token) = (None, None);
        for (name, value) in form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "caller_jwt" => &mut caller_jwt,
                "form_token" => &mut form_token,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self {
            caller_jwt: caller_jwt?,
            form_token: form_token?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_value_fits_one_cookie_and_one_ticket() {
        let value = form_token("cookie", "ticket");
        assert!(same(&value, &form_token("cookie", "ticket")));
        assert!(!same(&value, &form_token("other", "ticket")));
        assert!(!same(&value, &form_token("cookie", "other")));
        assert!(!same(&value, &form_token("cookiet", "icket")));
        assert!(!same("", &value));
    }

    #[test]
    fn a_form_has_each_field_once() {
        let form = Form::parse(b"caller_jwt=a.b.c&form_token=t&other=1").unwrap();
        assert_eq!(
            (form.caller_jwt.as_str(), form.form_token.as_str()),
            ("a.b.c", "t")
        );
        assert!(Form::parse(b"caller_jwt=a&caller_jwt=b&form_token=t").is_none());
        assert!(Form::parse(b"caller_jwt=a").is_none());
        assert!(Form::parse(b"").is_none());
    }
}
