//! PURE. Tableau's XML: what its JSON says, scalars as attributes and objects as elements.

use axum::response::Response;
use serde_json::Value;

use crate::simulators::plain::text;

/// The answer `body` in XML, as `tsResponse`.
pub(super) fn answer_xml(status: u16, body: &Value) -> Response {
    let mut xml = "<?xml version='1.0' encoding='UTF-8'?>\
                   <tsResponse xmlns=\"http://tableau.com/api\">"
        .to_owned();
    for (name, value) in body.as_object().into_iter().flatten() {
        element(&mut xml, name, value);
    }
    xml.push_str("</tsResponse>");
    text(status, "application/xml;charset=UTF-8", xml)
}

fn element(xml: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| element(xml, name, entry)),
        Value::Object(members) => {
            // An error's texts are elements of their own.
            let as_attribute = |member: &str, value: &Value| {
                !(value.is_object()
                    || value.is_array()
                    || name == "error" && matches!(member, "summary" | "detail"))
            };
            xml.push_str(&format!("<{name}"));
            for (member, value) in members {
                if as_attribute(member, value) {
                    xml.push_str(&format!(" {member}=\"{}\"", escaped(value)));
                }
            }
            xml.push('>');
            for (member, value) in members {
                if !as_attribute(member, value) {
                    element(xml, member, value);
                }
            }
            xml.push_str(&format!("</{name}>"));
        }
        scalar => xml.push_str(&format!("<{name}>{}</{name}>", escaped(scalar))),
    }
}

fn escaped(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
