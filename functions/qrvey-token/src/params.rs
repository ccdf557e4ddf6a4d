//! PURE. What a caller may say: `{"params":{"region":"emea"}}`, each param one the template declares and each value one it
//! lists. Everything else about a security token is the template's and the verified caller's.

use std::collections::BTreeMap;

use consulate_core::definition::QrveyTemplate;
use consulate_core::http::JsonObject;
use consulate_core::problem::{Code, Problem};
use serde_json::Value;

/// As much of a name as an answer repeats, in characters.
const NAME_SHOWN: usize = 128;

/// What the caller chose, by param.
pub(crate) type Chosen = BTreeMap<String, String>;

/// Reads a request's body for `template`.
pub(crate) fn read(body: &JsonObject, template: &QrveyTemplate) -> Result<Chosen, Problem> {
    body.only(&["params"])?;
    let mut chosen = Chosen::new();
    for (name, value) in body.object("params")?.into_iter().flatten() {
        let refuse = |detail: &str| {
            let shown: String = name
                .chars()
                .filter(|c| !c.is_control())
                .take(NAME_SHOWN)
                .collect();
            Problem::new(Code::ParamsInvalid, detail).param(shown)
        };
        let listed = template
            .params
            .get(name)
            .ok_or_else(|| refuse("The template declares no param of this name."))?;
        let Value::String(value) = value else {
            return Err(refuse("The param must be text."));
        };
        if !listed.contains(value) {
            return Err(refuse(
                "The param is none of the values the template lists.",
            ));
        }
        chosen.insert(name.clone(), value.clone());
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(body: Value) -> Result<Chosen, Problem> {
        let template = json!({"domain": "https://q.example", "expires_in": "10m",
                              "params": {"region": ["emea", "apac"]}});
        let Value::Object(body) = body else {
            panic!("an object")
        };
        read(&body.into(), &serde_json::from_value(template).unwrap())
    }

    #[test]
    fn a_listed_value_of_a_declared_param_is_taken() {
        let chosen = judged(json!({"params": {"region": "apac"}})).unwrap();
        assert_eq!(chosen["region"], "apac");
        assert!(judged(json!({})).unwrap().is_empty());
        assert!(judged(json!({"params": null})).unwrap().is_empty());
    }

    #[test]
    fn everything_else_is_refused() {
        for (body, code) in [
            (json!({"params": {"region": "*"}}), Code::ParamsInvalid),
            (json!({"params": {"region": "EMEA"}}), Code::ParamsInvalid),
            (json!({"params": {"region": ["emea"]}}), Code::ParamsInvalid),
            (json!({"params": {"clientid": "x"}}), Code::ParamsInvalid),
            (json!({"params": ["region"]}), Code::RequestInvalid),
            (json!({"userid": "x"}), Code::RequestInvalid),
            (json!({"configOverride": {}}), Code::RequestInvalid),
        ] {
            assert_eq!(judged(body.clone()).unwrap_err().code(), code, "{body}");
        }
    }
}
