//! The pages a person sees at a simulator: consent, errors, their style sheet. No script, everything escaped.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use super::behaviour::Rules;
use super::book::Pending;
use crate::provider::ACCOUNTS;

/// Nothing but our own style sheet may load, nobody may frame the page. `form-action` names schemes rather than
/// origins: browsers apply it to the redirects that follow the form as well.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self' http: https:; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The consent page; `consent` is the form's one-time id.
pub(super) fn consent(rules: &Rules, pending: &Pending, consent: &str) -> Response {
    let scopes: String = pending
        .scopes
        .iter()
        .map(|scope| {
            let scope = escape(scope);
            if rules.granular {
                format!(
                    "<li><code>{scope}</code> <label><input type=\"checkbox\" name=\"without\" value=\"{scope}\"> \
                     leave out</label></li>\n"
                )
            } else {
                format!("<li><code>{scope}</code></li>\n")
            }
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
    let content = format!(
        "<h1>Allow <q>{client}</q> to use your {provider} account?</h1>\n\
         <form method=\"post\" action=\"/consent\">\n\
         <p>It would be able to use:</p>\n<ul>\n{scopes}</ul>\n\
         <input type=\"hidden\" name=\"consent\" value=\"{consent}\">\n\
         <fieldset><legend>Your account</legend>\n{accounts}</fieldset>\n\
         <p class=\"buttons\">\n\
         <button class=\"primary\" type=\"submit\" name=\"decision\" value=\"allow\">Allow</button>\n\
         <button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>\n</p>\n</form>\n\
         <p class=\"note\">This page plays <code>https://{host}</code> on your own machine. There is no password and \
         no real account.</p>",
        client = escape(&pending.client_id),
        provider = escape(rules.name),
        consent = escape(consent),
        host = escape(&pending.host),
    );
    page(rules.name, StatusCode::OK, "Allow access", &content)
}

/// A page that says what went wrong and leads nowhere.
pub(super) fn error(provider: &str, message: &str) -> Response {
    let content = format!(
        "<h1>We cannot go on</h1>\n<p role=\"alert\">{}</p>",
        escape(message)
    );
    page(provider, StatusCode::BAD_REQUEST, "Error", &content)
}

fn page(provider: &str, status: StatusCode, title: &str, content: &str) -> Response {
    let provider = escape(provider);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Simulated {provider}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n\
         <body>\n<header>Simulated {provider}</header>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
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
    response
}

/// The style sheet.
pub(super) fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
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
header { padding: 1rem 1.5rem; font-weight: 700; border-bottom: .25rem dashed var(--line); }
main { max-width: 28rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.35rem; line-height: 1.3; }
q, code { overflow-wrap: anywhere; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; }
.account { display: flex; gap: .75rem; align-items: center; padding: .5rem 0; cursor: pointer; }
.buttons { display: flex; gap: .75rem; }
button { font: inherit; padding: .6rem 1.4rem; border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.note { font-size: .875rem; }
";
