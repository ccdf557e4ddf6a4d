//! How a connect can end, and where the browser ends: a result page on a clean address (popup mode), or the widget's own
//! address with the news in its fragment (redirect mode).
//!
//! What travels in addresses and messages is of fixed words. The provider's own words go by a short-lived cookie to the
//! result page and are shown there as text.

use axum::body::Body;
use axum::extract;
use axum::response::Response;
use consulate_core::flow::{Ask, Mode};
use consulate_core::log::Fields;
use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, Uri};

use crate::cookies::{self, SAID, SameSite};
use crate::pages::{Page, escape};
use crate::texts::{Language, Text};
use crate::{State, assets, logged, texts};

/// The provider's words live this long.
const SAID_SECONDS: i64 = 60;
/// More of the provider's words is not shown.
const SAID_CHARACTERS: usize = 200;
/// More of the provider's error code is not shown.
const ERROR_CHARACTERS: usize = 64;

/// Why a connect ended without a connection. The codes are public: widgets and pages know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    AccessDenied,
    ProviderRefused,
    ProviderUnavailable,
    Misconfigured,
    Unavailable,
    CallbackMalformed,
    CookieMissing,
    StateSpent,
    WrongPassport,
    IssuerMismatch,
    ConfigChanged,
}

impl Failure {
    const ALL: [Self; 11] = [
        Self::AccessDenied,
        Self::ProviderRefused,
        Self::ProviderUnavailable,
        Self::Misconfigured,
        Self::Unavailable,
        Self::CallbackMalformed,
        Self::CookieMissing,
        Self::StateSpent,
        Self::WrongPassport,
        Self::IssuerMismatch,
        Self::ConfigChanged,
    ];

    /// As in addresses, messages and the log.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ProviderRefused => "provider_refused",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::CallbackMalformed => "callback_malformed",
            Self::CookieMissing => "cookie_missing",
            Self::StateSpent => "state_spent",
            Self::WrongPassport => "wrong_passport",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::ConfigChanged => "config_changed",
        }
    }

    fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.code() == code)
    }

    fn text(self) -> Text {
        match self {
            Self::AccessDenied => texts::ACCESS_DENIED,
            Self::ProviderRefused => texts::PROVIDER_REFUSED,
            Self::ProviderUnavailable => texts::PROVIDER_UNAVAILABLE,
            Self::Misconfigured => texts::NOT_SET_UP,
            Self::Unavailable => texts::UNAVAILABLE,
            Self::CallbackMalformed => texts::CALLBACK_MALFORMED,
            Self::CookieMissing => texts::COOKIE_MISSING,
            Self::StateSpent => texts::STATE_SPENT,
            Self::WrongPassport => texts::WRONG_PASSPORT,
            Self::IssuerMismatch => texts::ISSUER_MISMATCH,
            Self::ConfigChanged => texts::CONFIG_CHANGED,
        }
    }
}

/// How a connect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The account is connected.
    Connected,
    /// The grant waits for this completion (redirect mode).
    Completion(String),
    /// It is not connected; the provider's words, if it had any.
    Failed(Failure, Option<Said>),
}

impl Outcome {
    /// A failure about which the provider said nothing.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self::Failed(failure, None)
    }

    /// For the log.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Completion(_) => "awaiting_completion",
            Self::Failed(failure, _) => failure.code(),
        }
    }
}

/// What a provider said when it refused: its error code, perhaps with a description. Capped; to be escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    error: String,
    description: String,
}

impl Said {
    /// Without control characters and not too long.
    pub(crate) fn new(error: &str, description: &str) -> Self {
        let cut = |text: &str, characters: usize| -> String {
            let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            printable.take(characters).collect()
        };
        Self {
            error: cut(error, ERROR_CHARACTERS),
            description: cut(description, SAID_CHARACTERS),
        }
    }

    fn cookie(&self) -> Option<HeaderValue> {
        let value = form_urlencoded::Serializer::new(String::new())
            .append_pair("error", &self.error)
            .append_pair("description", &self.description)
            .finish();
        cookies::set(SAID, &value, SameSite::Lax, SAID_SECONDS)
    }

    fn from_cookie(headers: &HeaderMap) -> Option<Self> {
        let value = cookies::read(headers, SAID)?.as_bytes();
        let field = |name: &str| {
            let mut pairs = form_urlencoded::parse(value);
            pairs
                .find(|(known, _)| known == name)
                .map(|(_, text)| text.into_owned())
        };
        Some(Self::new(
            &field("error")?,
            &field("description").unwrap_or_default(),
        ))
    }
}

/// 303 to where the browser of `ask` ends.
pub(crate) fn leave(base_url: &str, ask: &Ask, outcome: &Outcome) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let address = match (&ask.mode, &ask.return_to) {
        (Mode::Redirect, Some(return_to)) => returning(return_to, &ask.auth_key, outcome),
        (Mode::Console, _) => to_the_console(base_url, ask, outcome),
        (Mode::Redirect, None) | (Mode::Popup, _) => clean(base_url, ask, outcome),
    };
    let headers = response.headers_mut();
    if let Ok(address) = HeaderValue::from_str(&address) {
        headers.insert(header::LOCATION, address);
    }
    if let (Mode::Popup, Outcome::Failed(_, Some(said))) = (ask.mode, outcome)
        && let Some(cookie) = said.cookie()
    {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The listed address, with the news in the fragment: fragments reach neither servers nor `Referer`.
fn returning(return_to: &str, auth_key: &str, outcome: &Outcome) -> String {
    let mut news = form_urlencoded::Serializer::new(String::new());
    match outcome {
        Outcome::Completion(completion) => news.append_pair("consulate_completion", completion),
        Outcome::Connected => news.append_pair("consulate_error", Failure::Unavailable.code()),
        Outcome::Failed(failure, _) => news.append_pair("consulate_error", failure.code()),
    };
    let news = news.append_pair("consulate_auth_key", auth_key).finish();
    let joint = if return_to.contains('#') { '&' } else { '#' };
    format!("{return_to}{joint}{news}")
}

/// The console's page of the widget, which says in its own words how it went.
fn to_the_console(base_url: &str, ask: &Ask, outcome: &Outcome) -> String {
    let news = form_urlencoded::Serializer::new(String::new())
        .append_pair("auth_key", &ask.auth_key)
        .append_pair("outcome", outcome.code())
        .finish();
    format!("{base_url}/console/widgets/{}?{news}", ask.widget)
}

fn clean(base_url: &str, ask: &Ask, outcome: &Outcome) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    match outcome {
        Outcome::Connected => query.append_pair("status", "connected"),
        Outcome::Completion(_) => query
            .append_pair("status", "failed")
            .append_pair("code", Failure::Unavailable.code()),
        Outcome::Failed(failure, _) => query
            .append_pair("status", "failed")
            .append_pair("code", failure.code()),
    };
    let query = query
        .append_pair("widget", &ask.widget)
        .append_pair("auth_key", &ask.auth_key)
        .finish();
    format!("{base_url}/v1/connected?{query}")
}

/// A callback that is not provably of this browser's own flow: nothing is told to anybody, and the address is cleaned.
pub(crate) fn refused(base_url: &str, failure: Failure, language: Language) -> Response {
    let main = main(texts::NOT_CONNECTED, Some(failure.text()), None, language);
    let page = Page {
        language,
        status: match failure {
            Failure::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        },
        title: texts::NOT_CONNECTED.in_language(language),
        script: Some(&assets::RESULT),
        data: &[("clean", "")],
        form_action: "'none'",
        main: &main,
    };
    logged(
        page.into_answer(base_url),
        Fields::new().with("code", failure.code()),
    )
}

/// `GET /v1/connected?status&code&widget&auth_key`: what it says is of fixed words, whoever wrote the address; a widget
/// believes its connection's status, not this.
pub(crate) async fn result_page(
    extract::State(state): extract::State<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let query = |name: &str| {
        let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    let widget = match query("widget") {
        // Without the definition nobody is told; the person still reads how it went.
        Some(id) => state.definitions.widget(&id).await.ok().flatten(),
        None => None,
    };
    let auth_key = query("auth_key").filter(|key| {
        widget
            .as_ref()
            .is_some_and(|w| w.authentication(key).is_some())
    });
    let origins = widget
        .and_then(|widget| serde_json::to_string(&widget.origins).ok())
        .unwrap_or_else(|| "[]".into());
    let failure = query("code").and_then(|code| Failure::parse(&code));
    let (title, text, status, code) = match (query("status").as_deref(), failure) {
        (Some("connected"), _) => (texts::CONNECTED, None, "connected", ""),
        (Some("failed"), Some(failure)) => (
            texts::NOT_CONNECTED,
            Some(failure.text()),
            "failed",
            failure.code(),
        ),
        _ => (texts::NOTHING_HERE, None, "", ""),
    };
    let said = Said::from_cookie(&headers);
    let language = Language::of(&headers);
    let told = said.as_ref().filter(|_| status == "failed");
    let main = main(title, text, told, language);
    let mut data = vec![("origins", origins.as_str())];
    data.extend(
        [("status", status), ("code", code)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty()),
    );
    data.extend(auth_key.as_deref().map(|key| ("auth-key", key)));
    let page = Page {
        language,
        status: StatusCode::OK,
        title: title.in_language(language),
        script: Some(&assets::RESULT),
        data: &data,
        form_action: "'none'",
        main: &main,
    };
    let mut response = page.into_answer(&state.base_url);
    if said.is_some()
        && let Some(cookie) = cookies::end(SAID)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn main(title: Text, text: Option<Text>, said: Option<&Said>, language: Language) -> String {
    let say = |text: Text| escape(text.in_language(language));
    let mut main = format!("<h1>{}</h1>\n", say(title));
    if let Some(text) = text {
        main.push_str(&format!("<p>{}</p>\n", say(text)));
    }
    if let Some(Said { error, description }) = said {
        let joint = if description.is_empty() { "" } else { ": " };
        let said = format!("{error}{joint}{description}");
        main.push_str(&format!(
            "<p>{}</p>\n<blockquote>{}</blockquote>\n",
            say(texts::PROVIDER_SAID),
            escape(&said)
        ));
    }
    main.push_str(&format!(
        "<p>{}</p>\n<button type=\"button\" hidden>{}</button>",
        say(texts::CLOSE_WINDOW),
        say(texts::CLOSE)
    ));
    main
}

#[cfg(test)]
mod tests;
