//! The frame around every page, with the strictest headers it allows, and the pages that refuse.
//!
//! No inline script or style, nothing from elsewhere. Everything that is not a constant goes through [`escape`].

use axum::body::Body;
use axum::extract;
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::log::Fields;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

use crate::assets::{FOLDER, ICON, SCRIPT, STYLE};
use crate::session::{FORM_TOKEN, Signed};
use crate::words::prose;
use crate::{State, texts};

/// The frame's headers. Forms lead to ourselves only: whoever goes to a provider goes by a page of ours (see `acts.rs`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Where a page belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Widgets,
    Passports,
    Health,
    Activity,
}

impl Section {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Widgets, "/console", texts::WIDGETS),
        (Self::Passports, "/console/passports", texts::PASSPORTS),
        (Self::Health, "/console/health", texts::HEALTH),
        (Self::Activity, "/console/activity", texts::ACTIVITY),
    ];
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One page for somebody who is signed in.
pub(crate) struct Page<'a> {
    pub(crate) section: Section,
    /// Window title, plain text.
    pub(crate) title: &'a str,
    /// HTML of the main element.
    pub(crate) main: &'a str,
    pub(crate) status: StatusCode,
}

impl<'a> Page<'a> {
    pub(crate) fn new(section: Section, title: &'a str, main: &'a str) -> Self {
        Self {
            section,
            title,
            main,
            status: StatusCode::OK,
        }
    }

    /// The answer, for `signed`.
    pub(crate) fn into_answer(self, signed: &Signed) -> Response {
        let links: String = Section::ALL
            .iter()
            .map(|(section, address, name)| {
                let current = match *section == self.section {
                    true => " aria-current=\"page\"",
                    false => "",
                };
                format!("<a href=\"{address}\"{current}>{}</a>", escape(name))
            })
            .collect();
        let until = signed.session.until.rfc3339();
        let body = format!(
            "<body><a class=\"skip\" href=\"#main\">{skip}</a>\n<header class=\"top\"><a class=\"brand\" href=\"/console\">\
             <span class=\"mark\" aria-hidden=\"true\"></span>Consulate</a><nav aria-label=\"{sections}\">{links}</nav>\
             <div class=\"who\"><span>{name}</span><span class=\"soft\">{until_word} <time datetime=\"{until}\">{until_shown}</time></span>\
             <form method=\"post\" action=\"/console/sign-out\">{token}<button class=\"quiet\" type=\"submit\">{sign_out}</button></form></div></header>\n\
             <main id=\"main\" tabindex=\"-1\">\n{main}\n</main></body>",
            skip = escape(texts::SKIP),
            sections = escape(texts::SECTIONS),
            name = escape(&signed.session.name),
            until_word = escape(texts::SIGNED_IN_UNTIL),
            until_shown = until.get(11..16).unwrap_or_default().to_owned() + " UTC",
            token = token(signed),
            sign_out = escape(texts::SIGN_OUT),
            main = self.main,
        );
        answer(self.status, self.title, &body)
    }
}

/// The hidden field that every form has.
pub(crate) fn token(signed: &Signed) -> String {
    hidden(FORM_TOKEN, &signed.form_token())
}

/// What just happened, as a notice; empty for a code of nobody's.
pub(crate) fn notice(code: &str) -> String {
    match texts::news(code) {
        Some((tone, text)) => said(tone, text),
        None => String::new(),
    }
}

/// A notice.
pub(crate) fn said(tone: Tone, text: &str) -> String {
    let role = match tone {
        Tone::Good => "status",
        Tone::Warn | Tone::Bad => "alert",
    };
    format!(
        "<p class=\"note {}\" role=\"{role}\">{}</p>",
        tone.class(),
        prose(text)
    )
}

/// A field of a form that nobody sees.
pub(crate) fn hidden(name: &str, value: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
        escape(value)
    )
}

/// A page without navigation: nobody is signed in, or the person is about to leave.
pub(crate) fn plain(status: StatusCode, title: &str, main: &str) -> Response {
    let body = format!(
        "<body class=\"plain\"><main id=\"main\"><p class=\"brand\"><span class=\"mark\" aria-hidden=\"true\"></span>Consulate</p>\n{main}\n</main></body>"
    );
    answer(status, title, &body)
}

/// The page that goes on to `address`, which is a provider's. Not a redirect after a form: Chromium holds those against
/// `form-action`, which would have to name every provider's sign-in.
pub(crate) fn departing(address: &str, passport: &str) -> Response {
    let title = texts::GOING_TO.replace("{passport}", passport);
    let main = format!(
        "<h1>{}</h1><p>{}</p><p><a class=\"button main wide\" href=\"{address}\">{}</a></p>",
        escape(&title),
        escape(texts::GOING_WHY),
        escape(texts::CONTINUE),
        address = escape(address),
    );
    let mut response = plain(StatusCode::OK, &title, &main);
    if let Ok(refresh) = HeaderValue::from_str(&format!("0;url={address}")) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

fn answer(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · Consulate</title>\
         <link rel=\"stylesheet\" href=\"{style}\"><link rel=\"icon\" href=\"{icon}\"><script src=\"{script}\" defer></script></head>\n{body}</html>\n",
        language = texts::LANGUAGE,
        title = escape(title),
        style = STYLE.address(FOLDER),
        icon = ICON.address(FOLDER),
        script = SCRIPT.address(FOLDER),
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Under `no-referrer` browsers post our own forms with `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    why: &'static str,
}

impl Refusal {
    pub(crate) const NOT_SIGNED_IN: Self = Self::new(
        StatusCode::UNAUTHORIZED,
        "not_signed_in",
        texts::SESSION_OVER,
    );
    pub(crate) const FOREIGN_FORM: Self =
        Self::new(StatusCode::FORBIDDEN, "foreign_form", texts::FOREIGN_FORM);
    pub(crate) const TICKET_SPENT: Self =
        Self::new(StatusCode::GONE, "ticket_spent", texts::TICKET_SPENT);
    pub(crate) const UNAVAILABLE: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        texts::UNAVAILABLE,
    );
    pub(crate) const UPLOAD_TOO_LARGE: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "upload_too_large",
        texts::UPLOAD_TOO_LARGE,
    );
    pub(crate) const FORM_TOO_LARGE: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "form_too_large",
        texts::FORM_TOO_LARGE,
    );
    pub(crate) const DEFINITIONS_TOO_LARGE: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "definitions_too_large",
        texts::DEFINITIONS_TOO_LARGE,
    );
    pub(crate) const NOTHING_HERE: Self =
        Self::new(StatusCode::NOT_FOUND, "not_found", texts::NOTHING_HERE);

    const fn new(status: StatusCode, code: &'static str, why: &'static str) -> Self {
        Self { status, code, why }
    }
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(_: E) -> Self {
        Self::UNAVAILABLE
    }
}

/// The page of a refusal.
pub(crate) fn refusal(refusal: Refusal) -> Response {
    let main = format!(
        "<h1>{}</h1><p>{}</p><p><a class=\"button\" href=\"/console\">{}</a></p>",
        escape(texts::NOT_POSSIBLE),
        prose(refusal.why),
        escape(texts::BACK_TO_CONSOLE)
    );
    let mut response = plain(refusal.status, texts::NOT_POSSIBLE, &main);
    let fields = Fields::new().with("code", refusal.code);
    response.extensions_mut().insert(fields);
    response
}

/// Any other address below `/console`.
pub(crate) async fn nothing_here(_: extract::State<State>, _: Signed) -> Response {
    refusal(Refusal::NOTHING_HERE)
}
