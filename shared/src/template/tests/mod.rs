//! What the rooms of templates promise together.

mod connection;
mod definition;
mod hosts;
mod params;
mod properties;
mod request;

use std::collections::BTreeMap;

use super::*;
use crate::definition::NamedApi;
use crate::passport::Inject;

const CALLER: CallerValues<'_> = CallerValues {
    user_id: "u1",
    user_email: Some("ada@example.com"),
    organisation_id: "o1",
};

fn api(url: &str) -> NamedApi {
    let api =
        serde_json::json!({"name": "a", "method": "GET", "url": url, "authentication_key": "auth"});
    serde_json::from_value(api).unwrap()
}

fn compile(url: &str) -> ApiTemplate {
    ApiTemplate::compile(&api(url), &[]).unwrap()
}

fn params(pairs: &[(&str, &str)]) -> Params {
    let pairs = pairs.iter();
    Params(
        pairs
            .map(|(name, value)| ((*name).to_owned(), Param::One((*value).to_owned())))
            .collect(),
    )
}

/// Renders without a connection.
fn render(template: &ApiTemplate, pairs: &[(&str, &str)]) -> Result<Rendered, RenderError> {
    template.render(&params(pairs), CALLER, Fields::Unknown)
}

/// Renders over a connection that has these fields.
fn render_with(
    template: &ApiTemplate,
    pairs: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Result<Rendered, RenderError> {
    let fields: BTreeMap<&str, &str> = fields.iter().copied().collect();
    let look_up = |name: &str| fields.get(name).copied();
    template.render(&params(pairs), CALLER, Fields::Known(&look_up))
}

fn url(template: &str, pairs: &[(&str, &str)]) -> Result<String, RenderError> {
    Ok(render(&compile(template), pairs)?.uri().to_string())
}

/// The param that `url` blames.
fn blamed(template: &str, pairs: &[(&str, &str)]) -> String {
    let error = url(template, pairs).unwrap_err();
    error.param().unwrap().to_owned()
}
