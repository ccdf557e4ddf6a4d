//! What a person sees: one frame for all pages, with the strictest headers each allows, and the page that refuses.
//!
//! No inline script or style, no image, no frame. Everything that is not a constant goes through [`escape`].

use axum::body::Body;
use axum::response::Response;
pub(crate) use consulate_core::browser::{escape, fill};
use consulate_core::http::Asset;
use consulate_core::log::Fields;
use consulate_core::problem::Code;
use consulate_core::random::NoEntropy;
use consulate_core::table;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

use crate::assets::{self, STYLE};
use crate::texts::{self, Language, Text};

/// One page.
pub(crate) struct Page<'a> {
    pub(crate) language: Language,
    pub(crate) status: StatusCode,
    /// Window title, plain text.
    pub(crate) title: &'a str,
    pub(crate) script: Option<&'static Asset>,
    /// `data-` attributes of the body: what the script has to know. Plain text.
    pub(crate) data: &'a [(&'static str, &'a str)],
    /// CSP sources forms may be sent to.
    pub(crate) form_action: &'a str,
    /// HTML of the main element, escaped where it has to be.
    pub(crate) main: &'a str,
}

impl Page<'_> {
    /// The answer.
    pub(crate) fn into_answer(self, base_url: &str) -> Response {
        let data: String = self
            .data
            .iter()
            .map(|(name, value)| format!(" data-{name}=\"{}\"", escape(value)))
            .collect();
        let folder = assets::folder(base_url);
        let script = self.script.map_or_else(String::new, |script| {
            format!(
                "<script src=\"{}\" defer></script>",
                escape(&script.address(&folder))
            )
        });
        let html = format!(
            "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <link rel=\"stylesheet\" href=\"{style}\">{script}</head>\n<body{data}><main>\n{main}\n</main></body></html>\n",
            language = self.language.tag(),
            title = escape(self.title),
            style = escape(&STYLE.address(&folder)),
            main = self.main,
        );
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = self.status;
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; form-action {}; frame-ancestors 'none'; base-uri 'none'",
            self.form_action
        );
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::VARY, "Accept-Language"),
            (HeaderName::from_static("x-robots-tag"), "noindex"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// Why a browser route does not go on: a page for the person, a code for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    code: Code,
    why: Text,
}

impl Refusal {
    /// `why` is one of the texts.
    pub(crate) const fn new(code: Code, why: Text) -> Self {
        Self { code, why }
    }

    /// What a person is told, in English: the console, which asks, speaks nothing else.
    pub(crate) fn why(self) -> &'static str {
        self.why.in_language(Language::English)
    }

    /// Its code.
    pub(crate) fn code(self) -> Code {
        self.code
    }

    /// The answer.
    pub(crate) fn into_answer(self, base_url: &str, language: Language) -> Response {
        let title = texts::NOT_POSSIBLE.in_language(language);
        let why = self.why.in_language(language);
        let main = format!("<h1>{}</h1><p>{}</p>", escape(title), escape(why));
        let page = Page {
            language,
            status: self.code.status(),
            title,
            script: None,
            data: &[],
            form_action: "'none'",
            main: &main,
        };
        let mut response = page.into_answer(base_url);
        response
            .extensions_mut()
            .insert(Fields::new().with("code", self.code));
        response
    }
}

impl From<table::Error> for Refusal {
    fn from(_: table::Error) -> Self {
        Self::new(Code::Unavailable, texts::UNAVAILABLE)
    }
}

impl From<NoEntropy> for Refusal {
    fn from(_: NoEntropy) -> Self {
        Self::new(Code::Unavailable, texts::UNAVAILABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_only_our_own_files_and_cannot_be_framed() {
        let page = Page {
            language: Language::English,
            status: StatusCode::OK,
            title: "</title><script>",
            script: None,
            data: &[("origins", "[\"https://a.example\"]\"><script>")],
            form_action: "'none'",
            main: "",
        };
        let response = page.into_answer("https://c.example");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        );
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
    }
}
