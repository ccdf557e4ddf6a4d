//! The provider's pages: consent, errors, their style sheet. No script, no inline style, everything escaped.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use super::{ACCOUNTS, Provider};

/// Nothing but our own style sheet may load, nobody may frame the page. `form-action` names schemes rather than
/// origins: browsers apply it to the redirects that follow the form as well, and where the client's redirect address
/// sends the person next is not ours to know.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self' http: https:; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The consent page for `client_id` asking for `scope` (separated by spaces); `consent` is the form's one-time id.
pub(super) fn consent(
    provider: &Provider,
    client_id: &str,
    scope: &str,
    consent: &str,
) -> Response {
    let scopes: String = scope
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .map(|scope| {
            format!(
                "<li>{} <code>{}</code></li>\n",
                escape(meaning(scope)),
                escape(scope)
            )
        })
        .collect();
    let accounts: String = ACCOUNTS
        .iter()
        .enumerate()
        .map(|(position, account)| {
            let checked = if position == 0 { " checked" } else { "" };
            format!(
                "<label class=\"account\"><input type=\"radio\" name=\"account\" value=\"{id}\"{checked}>\n\
                 <span><strong>{name}</strong><br>{email}</span></label>\n",
                id = escape(account.id),
                name = escape(account.name),
                email = escape(account.email),
            )
        })
        .collect();
    let client = escape(client_id);
    let consent = escape(consent);
    let content = format!(
        "<h1>Allow <q>{client}</q> to use your account?</h1>\n\
         <p>It would be able to:</p>\n<ul>\n{scopes}</ul>\n\
         <form method=\"post\" action=\"consent\">\n\
         <input type=\"hidden\" name=\"consent\" value=\"{consent}\">\n\
         <fieldset><legend>Your account</legend>\n{accounts}</fieldset>\n\
         <p class=\"buttons\">\n\
         <button class=\"primary\" type=\"submit\" name=\"decision\" value=\"allow\">Allow</button>\n\
         <button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>\n</p>\n</form>\n\
         <p class=\"note\">Acme Cloud is a demonstration. There is no password and no real account.</p>"
    );
    page(provider, StatusCode::OK, "Allow access", &content)
}

/// A page that says what went wrong and leads nowhere.
pub(super) fn error(provider: &Provider, status: StatusCode, message: &str) -> Response {
    let content = format!(
        "<h1>We cannot go on</h1>\n<p role=\"alert\">{}</p>",
        escape(message)
    );
    page(provider, status, "Error", &content)
}

fn page(provider: &Provider, status: StatusCode, title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Acme Cloud</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n\
         <header>Acme Cloud</header>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if provider.shared.settings.coop {
        headers.insert(
            "cross-origin-opener-policy",
            HeaderValue::from_static("same-origin"),
        );
    }
    response
}

/// `GET /style.css`.
pub(super) async fn style(State(_): State<Provider>) -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// What a demo scope lets an app do, in a person's words.
fn meaning(scope: &str) -> &'static str {
    match scope {
        "profile" => "See your name and address",
        "events.read" => "See your calendar",
        "files.read" => "See your files",
        _ => "Use",
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
            escaped
        },
    )
}

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8a8f98; --accent: #0b57d0; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --accent: #a8c7fa; --on-accent: #062e6f; } }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; }
header { padding: 1rem 1.5rem; font-weight: 700; border-bottom: 1px solid var(--line); }
main { max-width: 28rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.35rem; line-height: 1.3; }
q { overflow-wrap: anywhere; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; }
.account { display: flex; gap: .75rem; align-items: center; padding: .5rem 0; cursor: pointer; }
.buttons { display: flex; gap: .75rem; }
button { font: inherit; padding: .6rem 1.4rem; border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.note { font-size: .875rem; }
";
