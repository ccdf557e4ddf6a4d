//! The OpenAPI 3.1 document of the widget routes: made of what each function says beside its handlers (feature `openapi`), checked in
//! as `openapi.json` and served by connect. One test says whether the file is what the code says; journeys (tests/flows) say, by the log,
//! whether what was answered is in it; schemathesis says whether the server keeps to it.

use consulate_core::http::Route;
use consulate_core::http::contract::{CALLER_JWT, Described, problem};
use serde_json::Value;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa::openapi::{PathItem, PathsBuilder, ServerBuilder};

/// What every function says, with the routes its router has.
pub fn functions() -> Vec<(&'static str, Vec<Described>, Vec<Route>)> {
    vec![
        (
            "connect",
            consulate_connect::contract::described(),
            consulate_connect::routes().listed().to_vec(),
        ),
        (
            "proxy",
            consulate_proxy::contract::described(),
            consulate_proxy::routes().listed().to_vec(),
        ),
        (
            "qrvey-token",
            consulate_qrvey_token::contract::described(),
            consulate_qrvey_token::routes().listed().to_vec(),
        ),
        (
            "settings",
            consulate_settings::contract::described(),
            consulate_settings::routes().listed().to_vec(),
        ),
    ]
}

/// The document, as it is checked in.
///
/// # Errors
/// It cannot be written as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write(&serde_json::to_value(openapi())?, 0, &mut text);
    text.push('\n');
    Ok(text)
}

/// Members of objects this deep stand on lines of their own; what is deeper stands on one line. Differences can be read, and a
/// function carries no spaces.
const LINES_TO: usize = 5;

fn write(value: &Value, depth: usize, text: &mut String) {
    let Value::Object(members) = value else {
        text.push_str(&value.to_string());
        return;
    };
    if depth >= LINES_TO || members.is_empty() {
        text.push_str(&value.to_string());
        return;
    }
    for (number, (name, member)) in members.iter().enumerate() {
        text.push_str(if number == 0 { "{\n" } else { ",\n" });
        text.push_str(&" ".repeat(depth + 1));
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push_str(": ");
        write(member, depth + 1, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(depth));
    text.push('}');
}

fn openapi() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new().schema_from_named(problem());
    for (function, described, _) in functions() {
        for one in described {
            let Some(method) = method(&one.method) else {
                continue;
            };
            let mut operation = one.operation;
            operation.tags = Some(vec![function.to_owned()]);
            paths = paths.path(one.path, PathItem::new(method, operation));
            for named in one.schemas {
                components = components.schema_from_named(named);
            }
        }
    }
    let jwt = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The caller JWT of the widget's host: Happeo's, or an OpenID Connect issuer's.",
        ))
        .build();
    let info = InfoBuilder::new()
        .title("Consulate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What widgets and their users' browsers ask. Errors are RFC 9457 problem documents with a stable `code`.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .paths(paths.build())
        .components(Some(
            components
                .security_scheme(CALLER_JWT, SecurityScheme::Http(jwt))
                .build(),
        ))
        .build()
}

fn method(method: &http::Method) -> Option<HttpMethod> {
    Some(match method.as_str() {
        "GET" => HttpMethod::Get,
        "HEAD" => HttpMethod::Head,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => return None,
    })
}

/// [`ComponentsBuilder`] takes names and schemas apart.
trait Named {
    fn schema_from_named(self, named: consulate_core::http::contract::Named) -> Self;
}

impl Named for ComponentsBuilder {
    fn schema_from_named(self, (name, schema): consulate_core::http::contract::Named) -> Self {
        self.schema(name, schema)
    }
}
