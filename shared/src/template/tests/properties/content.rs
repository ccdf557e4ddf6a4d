//! No value adds a header or changes the body's shape.

use serde_json::Value;

use super::*;

/// A part of a text of a body, as the definition writes it and as it must come out.
#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    X,
    Y,
}

/// Anything, lone braces included, but what is a placeholder itself, or can only be meant as one.
fn literal() -> impl Strategy<Value = String> {
    any_text().prop_filter("a placeholder", |text| {
        let lower = text.to_ascii_lowercase();
        let mut meant = [
            "{param",
            "{user",
            "{organi",
            "{connection.",
            "{authorization.",
        ]
        .into_iter();
        !meant.any(|start| lower.contains(start))
    })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => literal().prop_map(Part::Literal),
        1 => Just(Part::X),
        1 => Just(Part::Y),
    ]
}

/// A body and what must become of it, for given `x` and `y`.
fn body(x: String, y: String) -> impl Strategy<Value = (Value, Value)> {
    let text = prop::collection::vec(part(), 0..4).prop_map(move |parts| {
        let (mut written, mut expected) = (String::new(), String::new());
        for part in parts {
            let (template, value) = match &part {
                Part::Literal(text) => (text.as_str(), text),
                Part::X => ("{param.x}", &x),
                Part::Y => ("{param.y}", &y),
            };
            written.push_str(template);
            expected.push_str(value);
        }
        (Value::from(written), Value::from(expected))
    });
    let fixed = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        3 => text,
        1 => fixed.prop_map(|value| (value.clone(), value)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        // Members' names are the definition's as they are.
        let name = prop_oneof![literal(), Just("{x}".to_owned())];
        let object = prop::collection::btree_map(name, inner, 0..4);
        prop_oneof![
            list.prop_map(|list| {
                let (written, expected): (Vec<_>, Vec<_>) = list.into_iter().unzip();
                (Value::from(written), Value::from(expected))
            }),
            object.prop_map(|members| {
                let both = members.into_iter();
                let (written, expected): (Vec<_>, Vec<_>) = both
                    .map(|(name, (written, expected))| ((name.clone(), written), (name, expected)))
                    .unzip();
                (
                    Value::Object(written.into_iter().collect()),
                    Value::Object(expected.into_iter().collect()),
                )
            }),
        ]
    })
}

fn given_and_body() -> impl Strategy<Value = (String, String, (Value, Value))> {
    let values = (any_text(), any_text());
    values.prop_flat_map(|(x, y)| {
        let bodies = body(x.clone(), y.clone());
        (Just(x), Just(y), bodies)
    })
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_body_is_the_definition_s_with_the_texts_replaced(
        (x, y, (written, expected)) in given_and_body(),
    ) {
        let mut api = api("https://h.example/");
        api.method = "POST".into();
        // In an object: a body that is null alone is none.
        api.body = Some(serde_json::json!({"all": written, "x": "{param.x}", "y": "{param.y}"}));
        let template = ApiTemplate::compile(&api, &[]).unwrap();
        match render(&template, &[("x", &x), ("y", &y)]) {
            Ok(rendered) => {
                let request = rendered.to_request("at", &Inject::default(), &[]).unwrap();
                let sent: Value = serde_json::from_slice(request.body()).unwrap();
                prop_assert_eq!(sent, serde_json::json!({"all": expected, "x": x, "y": y}));
                prop_assert_eq!(request.uri().query(), None);
            }
            Err(error) => {
                let refused = if has_control(&x) { &x } else { &y };
                let name = if has_control(&x) { "x" } else { "y" };
                prop_assert!(has_control(refused), "{error:?}");
                prop_assert_eq!(error.param(), Some(name));
            }
        }
    }

    #[test]
    fn a_header_holds_exactly_what_was_given_or_is_refused(
        x in any_text(),
        y in any_text(),
    ) {
        let mut api = api("https://h.example/");
        let headers = [("x-a", "pre {param.x} post"), ("x-b", "{param.x}"), ("x-c", "{param.y}{param.x}")];
        for (name, value) in headers {
            api.headers.insert(name.to_owned(), value.to_owned());
        }
        let template = ApiTemplate::compile(&api, &[]).unwrap();
        let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let kept = |text: &str| plain(text) && text.trim_matches(' ') == text;
        match render(&template, &[("x", &x), ("y", &y)]) {
            Ok(rendered) => {
                let request = rendered.to_request("at", &Inject::default(), &[]).unwrap();
                let expected = [format!("pre {x} post"), x.clone(), format!("{y}{x}")];
                for ((name, _), value) in headers.iter().zip(expected) {
                    let sent: Vec<_> = request.headers().get_all(*name).iter().collect();
                    prop_assert_eq!(&sent, &[value.as_str()]);
                    prop_assert!(kept(&value));
                }
                let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
                names.sort_unstable();
                prop_assert_eq!(
                    names,
                    ["accept", "accept-encoding", "authorization", "user-agent", "x-a", "x-b", "x-c"]
                );
            }
            Err(error) => {
                let named = if error.param() == Some("x") { &x } else { &y };
                prop_assert!(error.param() == Some("x") || error.param() == Some("y"));
                prop_assert!(!kept(named), "{error:?} {named:?}");
            }
        }
    }
}
