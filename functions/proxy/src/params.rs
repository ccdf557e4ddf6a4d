//! PURE. Reads a call's body, `{"params":{…}}`, strictly: what is not a param has no business here.

use std::fmt;

use consulate_core::problem::{Code, Problem};
use consulate_core::template::{Param, Params};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// As much of a name as an answer repeats, in characters.
const NAME_SHOWN: usize = 128;

/// A body that is not a call's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not an object of the known shape.
    #[error("{detail}")]
    Malformed {
        /// The member at fault, or `body`.
        field: String,
        /// What is wrong.
        detail: String,
    },
    /// A param that is no scalar and no list of scalars.
    #[error("{problem}")]
    Param {
        /// Its name.
        param: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Malformed { field, .. } => {
                Self::new(Code::RequestMalformed, detail).field(field)
            }
            Error::Param { param, .. } => Self::new(Code::ParamsInvalid, detail).param(param),
        }
    }
}

/// Members of an object in order, repeated ones included.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

#[derive(Default)]
struct Call {
    params: Option<Members>,
    /// The first member that is not `params`, or `params` given twice.
    unknown: Option<String>,
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Known;
        impl<'de> Visitor<'de> for Known {
            type Value = Call;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Call, A::Error> {
                let mut call = Call::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "params" && call.params.is_none() {
                        call.params = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        call.unknown.get_or_insert(name);
                    }
                }
                Ok(call)
            }
        }
        deserializer.deserialize_map(Known)
    }
}

/// Reads the body of a call; an empty one has no params.
///
/// # Errors
/// See [`Error`]; it names the member or the param, never a value.
pub fn parse(body: &[u8]) -> Result<Params, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Params::default());
    }
    let call: Call = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::Malformed {
            field: "body".to_owned(),
            detail: match error.classify() {
                serde_json::error::Category::Data => {
                    "The body must be {\"params\": {…}}.".to_owned()
                }
                _ => format!("The body is not JSON: line {line}, column {column}."),
            },
        }
    })?;
    if let Some(field) = call.unknown {
        let detail =
            "Only `params` may be sent: method, address, headers and body are the definition's."
                .to_owned();
        return Err(Error::Malformed {
            field: shown(&field),
            detail,
        });
    }
    let mut params = Vec::new();
    for (name, value) in call.params.map(|members| members.0).unwrap_or_default() {
        let param = if value.get().starts_with('[') {
            let values: Vec<Box<RawValue>> =
                serde_json::from_str(value.get()).map_err(|_| unusable(&name))?;
            let values = values.iter().map(|value| scalar(&name, value));
            Param::Many(values.collect::<Result<_, _>>()?)
        } else {
            Param::One(scalar(&name, &value)?)
        };
        params.push((name, param));
    }
    Ok(Params(params))
}

/// A number stays the text it was sent as: reading it would round identifiers of more than 53 bits.
fn scalar(name: &str, value: &RawValue) -> Result<String, Error> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map_err(|_| unusable(name)),
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(text.to_owned()),
        _ => Err(unusable(name)),
    }
}

fn unusable(name: &str) -> Error {
    Error::Param {
        param: shown(name),
        problem: "The param must be text, a number, true or false, or a list of these.",
    }
}

/// A caller's name as an answer may repeat it.
fn shown(name: &str) -> String {
    let visible = name.chars().filter(|char| !char.is_control());
    visible.take(NAME_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_keep_their_order_and_become_text() {
        let params = parse(br#"{"params":{"b":"x","a":7,"c":true,"d":[1,"y"]}}"#).unwrap();
        let one = |text: &str| Param::One(text.to_owned());
        let expected = [
            ("b", one("x")),
            ("a", one("7")),
            ("c", one("true")),
            ("d", Param::Many(vec!["1".into(), "y".into()])),
        ];
        assert_eq!(
            params.0,
            expected.map(|(name, param)| (name.to_owned(), param))
        );
    }

    #[test]
    fn a_call_without_a_body_has_no_params() {
        for body in ["", " \n", "{}", r#"{"params":{}}"#] {
            assert_eq!(parse(body.as_bytes()).unwrap(), Params::default(), "{body}");
        }
    }

    #[test]
    fn what_a_widget_must_not_send_is_named() {
        for field in ["method", "headers", "body", "url", "anything"] {
            let body = format!(r#"{{"params":{{}},"{field}":{{"x":"secret"}}}}"#);
            match parse(body.as_bytes()).unwrap_err() {
                Error::Malformed {
                    field: named,
                    detail,
                } => {
                    assert_eq!(named, field);
                    assert!(!detail.contains("secret"));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_object_null_or_nested_list_is_no_param() {
        let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
        for value in [
            r#"{"x":1}"#,
            "null",
            "[[1]]",
            "[null]",
            r#""\ud800""#,
            &deep,
        ] {
            let body = format!(r#"{{"params":{{"p":{value}}}}}"#);
            assert!(
                matches!(parse(body.as_bytes()).unwrap_err(), Error::Param { param, .. } if param == "p"),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_not_a_call_is_malformed() {
        for body in [
            "[]",
            "null",
            "\"x\"",
            "{",
            r#"{"params":[]}"#,
            r#"{"params":7}"#,
            "\u{feff}{}",
        ] {
            assert!(
                matches!(parse(body.as_bytes()).unwrap_err(), Error::Malformed { .. }),
                "{body:.30}"
            );
        }
    }

    #[test]
    fn numbers_keep_the_text_they_were_sent_as() {
        for number in ["12345678901234567890123", "1.0", "-0", "1E400"] {
            let params = parse(format!(r#"{{"params":{{"id":{number}}}}}"#).as_bytes()).unwrap();
            assert_eq!(params.0, [("id".to_owned(), Param::One(number.to_owned()))]);
        }
    }

    #[test]
    fn an_answer_repeats_no_endless_name() {
        let name = "n".repeat(10_000);
        for body in [
            format!(r#"{{"{name}":1}}"#),
            format!(r#"{{"params":{{"{name}":null}}}}"#),
        ] {
            match parse(body.as_bytes()).unwrap_err() {
                Error::Malformed { field: named, .. } | Error::Param { param: named, .. } => {
                    assert_eq!(named.len(), NAME_SHOWN);
                }
            }
        }
    }
}
