//! PURE. What this function's routes take and answer, for the OpenAPI document.

use consulate_core::http::contract::{Describe, Described, describe, text};
use consulate_core::problem::Code;
use http::{Method, StatusCode};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::begin::Link;
use crate::disconnect::Disconnected;
use crate::status::{Document, List};

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Every route of [`crate::routes`].
pub fn described() -> Vec<Described> {
    let mut all = open_to_anybody();
    all.extend(for_callers());
    all.extend(for_browsers());
    all
}

fn object(builder: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(builder.build()))
}

/// A file that is compiled in: [`consulate_core::http::Asset`].
fn file(path: &'static str, id: &'static str, summary: &'static str) -> Describe {
    describe(Method::GET, path, id, summary)
        .query(
            "v",
            text(),
            "The version meant; kept for good where it is the present one.",
        )
        .header("If-None-Match", "RFC 9110 section 13.1.2")
        .answers_empty(StatusCode::NOT_MODIFIED, "As If-None-Match says.")
}

fn open_to_anybody() -> Vec<Described> {
    let health = object(
        ObjectBuilder::new()
            .property("status", text())
            .required("status"),
    );
    let script = |path, id, summary| {
        file(path, id, summary)
            .answers_with(StatusCode::OK, JAVASCRIPT, text(), "The script.")
            .done()
    };
    vec![
        describe(Method::GET, "/v1/health", "health", "Whether it answers.")
            .answers_with(StatusCode::OK, "application/json", health, "It does.")
            .done(),
        file("/v1/openapi.json", "openapi", "This document.")
            .answers_with(
                StatusCode::OK,
                "application/json",
                object(ObjectBuilder::new().schema_type(Type::Object)),
                "OpenAPI 3.1.",
            )
            .done(),
        script(
            "/v1/consulate.js",
            "clientModule",
            "The browser client, a module.",
        ),
        script(
            "/v1/consulate.classic.js",
            "clientScript",
            "The browser client, a classic script.",
        ),
        script(
            "/v1/consulate.credentials.js",
            "clientCredentialsModule",
            "The browser client's form for typed credentials, a module.",
        ),
    ]
}

fn for_callers() -> Vec<Described> {
    const ONE: &str = "/v1/widgets/{widget}/connections/{auth_key}";
    let one = |method, path, id, summary| {
        describe(method, path, id, summary)
            .by_callers()
            .problems(&[Code::RequestMalformed, Code::AuthenticationUnknown])
    };
    let status = |answer: Describe, about| answer.answers::<Document>(StatusCode::OK, about);
    let typed = ObjectBuilder::new()
        .description(Some("The fields that the connection's `credential` names."))
        .additional_properties(Some(RefOr::T(Schema::Object(text()))));
    let mode = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["popup", "redirect"]));
    let begin = ObjectBuilder::new()
        .property("mode", mode)
        .property("return_to", text())
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let completion = ObjectBuilder::new()
        .property("completion", text())
        .required("completion")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    vec![
        describe(
            Method::GET,
            "/v1/widgets/{widget}/connections",
            "listConnections",
            "How the widget's connections stand, for the caller.",
        )
        .by_callers()
        .answers::<List>(StatusCode::OK, "In the bundle's order.")
        .done(),
        status(
            one(Method::GET, ONE, "getConnection", "How one stands."),
            "As it stands now.",
        )
        .problems(&[Code::AuthenticationRequired])
        .done(),
        status(
            one(
                Method::PUT,
                ONE,
                "putCredential",
                "Connects with what the owner types. Write-only.",
            )
            .takes("application/json", object(typed), Required::True),
            "Connected.",
        )
        .problems(&[Code::RequestInvalid, Code::AuthenticationRequired])
        .done(),
        one(
            Method::DELETE,
            ONE,
            "disconnect",
            "Disconnects and revokes.",
        )
        .answers::<Disconnected>(StatusCode::OK, "The receipt.")
        .done(),
        one(
            Method::POST,
            "/v1/widgets/{widget}/connections/{auth_key}/connect",
            "connect",
            "Begins connecting: a one-time link.",
        )
        .takes("application/json", object(begin), Required::False)
        .answers::<Link>(StatusCode::CREATED, "Good for five minutes and one use.")
        .problems(&[Code::RequestInvalid, Code::AuthenticationRequired])
        .done(),
        status(
            one(
                Method::POST,
                "/v1/widgets/{widget}/connections/{auth_key}/complete",
                "complete",
                "Completes connecting in redirect mode.",
            )
            .takes("application/json", object(completion), Required::True),
            "Connected.",
        )
        .problems(&[
            Code::RequestInvalid,
            Code::CompletionForbidden,
            Code::CompletionSpent,
            Code::AuthenticationRequired,
        ])
        .done(),
    ]
}

/// Pages for people; what is wrong is told in HTML, with the status of its code.
fn for_browsers() -> Vec<Described> {
    const TICKET: &str = "/v1/connect/{ticket}";
    const CALLBACK: &str = "/v1/callback/{passport}";
    let page = |answer: Describe, status, about| answer.answers_with(status, HTML, text(), about);
    let away = |answer: Describe| {
        answer
            .answers_empty(StatusCode::SEE_OTHER, "The browser goes on.")
            .with_header("Location", "Where to.")
    };
    let nothing = |path, id| {
        describe(Method::HEAD, path, id, "Uses nothing up.")
            .answers_empty(StatusCode::NO_CONTENT, "Nothing happens.")
            .done()
    };
    let open = describe(
        Method::GET,
        TICKET,
        "openTicket",
        "The page a connect link opens.",
    );
    let open = away(page(open, StatusCode::OK, "The page (popup mode)."));
    let open = page(open, Code::TicketSpent.status(), "Used, or expired.");
    let open = page(open, Code::Unavailable.status(), "Not now.");
    let form = ObjectBuilder::new()
        .property("caller_jwt", text())
        .property("form_token", text())
        .required("caller_jwt")
        .required("form_token");
    let confirm = describe(Method::POST, TICKET, "confirmTicket", "The page's form.").takes(
        "application/x-www-form-urlencoded",
        object(form),
        Required::True,
    );
    let confirm = page(
        away(confirm),
        Code::HandshakeRefused.status(),
        "Not by who asked.",
    );
    let confirm = page(confirm, Code::TicketSpent.status(), "Used, or expired.");
    let confirm = page(confirm, Code::Unavailable.status(), "Not now.");
    let callback = describe(
        Method::GET,
        CALLBACK,
        "callback",
        "Where providers send browsers back to (RFC 6749 section 4.1.2).",
    );
    let callback = ["state", "code", "iss", "error", "error_description"]
        .into_iter()
        .fold(callback, |callback, name| {
            callback.query(name, text(), "As the provider says it.")
        });
    let callback = page(
        away(callback),
        StatusCode::BAD_REQUEST,
        "Not of this browser.",
    );
    let callback = page(callback, StatusCode::SERVICE_UNAVAILABLE, "Not now.");
    let result = describe(
        Method::GET,
        "/v1/connected",
        "connected",
        "Where popups end.",
    );
    let result = ["status", "code", "widget", "auth_key"]
        .into_iter()
        .fold(result, |result, name| {
            result.query(name, text(), "Fixed words.")
        });
    let asset = file(
        "/v1/connect/assets/{file}",
        "asset",
        "Scripts and style of these pages.",
    );
    let mut script = asset.answers_with(StatusCode::OK, JAVASCRIPT, text(), "The file.");
    script = script.or_as("text/css; charset=utf-8", text());
    vec![
        open.done(),
        confirm.done(),
        nothing(TICKET, "lookAtTicket"),
        script.problems(&[Code::NotFound]).done(),
        callback.done(),
        nothing(CALLBACK, "lookAtCallback"),
        page(result, StatusCode::OK, "How it went.").done(),
    ]
}
