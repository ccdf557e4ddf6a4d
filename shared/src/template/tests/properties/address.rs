//! No value changes scheme, host, port, the path's shape or the query's.

use url::Url;

use super::*;

/// Templates over `x` and `y`; what they write out needs no decoding, but for the segment that is to stay encoded.
const TEMPLATES: [&str; 8] = [
    "https://h.example/a/{param.x}/b{param.y}?q={param.x}&r=1",
    "https://h.example:8443/{param.x}{param.y}",
    "https://h.example/{param.x}/{param.y}/",
    "https://h.example/a%2Fb/v{param.x}.json?q=",
    "https://h.example?q={param.x}&q={param.y}&flag",
    "https://h.example",
    "http://127.0.0.1:9000/x;v=1/{param.x};w={param.y}?a=-{param.x}-{param.y}-",
    "https://h.example/odata/Me('{param.x}')//{param.y}/$value?$filter=name%20eq%20'{param.y}'",
];

/// What a call gives: `x`, `y` and further params, lists among them.
fn given() -> impl Strategy<Value = Params> {
    let value = prop_oneof![
        3 => any_text().prop_map(Param::One),
        1 => prop::collection::vec(any_text(), 0..4).prop_map(Param::Many),
    ];
    let more = prop::collection::vec((any_text(), value), 0..3);
    (any_text(), any_text(), more).prop_map(|(x, y, more)| {
        let mut params = vec![
            ("x".to_owned(), Param::One(x)),
            ("y".to_owned(), Param::One(y)),
        ];
        params.extend(more);
        Params(params)
    })
}

/// `text` with `x` and `y` put in by plain replacement, both at once.
fn filled(text: &str, params: &Params) -> String {
    let value = |name: &str| match params.get(name) {
        Some(Param::One(value)) => value.clone(),
        other => panic!("{other:?}"),
    };
    let halves = text.split("{param.x}");
    let halves = halves.map(|half| {
        half.split("{param.y}")
            .collect::<Vec<_>>()
            .join(&value("y"))
    });
    halves.collect::<Vec<_>>().join(&value("x"))
}

/// Everything that a rendered address must be, by the reference parser.
fn judge(template: &str, params: &Params, rendered: &Rendered) {
    let text = rendered.uri().to_string();
    let url = Url::parse(&text).unwrap();
    let (address, query) = template.split_once('?').unwrap_or((template, ""));
    let (scheme, rest) = address.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    assert_eq!(url.scheme(), scheme);
    assert_eq!(
        url.host_str().unwrap(),
        authority.split(':').next().unwrap()
    );
    let port = authority
        .split_once(':')
        .map(|(_, port)| port.parse().unwrap());
    assert_eq!(url.port(), port);
    assert_eq!(rendered.host(), authority);
    assert_eq!(
        (url.username(), url.password(), url.fragment()),
        ("", None, None)
    );

    let segments: Vec<&str> = url.path_segments().unwrap().collect();
    let written: Vec<&str> = path.split('/').collect();
    assert_eq!(segments.len(), written.len(), "{text}");
    for (segment, written) in segments.iter().zip(written) {
        if written.contains('{') {
            assert_eq!(decoded(segment), filled(written, params), "{text}");
        } else {
            assert_eq!(*segment, written, "{text}");
        }
    }

    let mut expected = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = if value.contains('%') {
            filled(&decoded(value), params)
        } else {
            filled(value, params)
        };
        expected.push((name.to_owned(), value));
    }
    for (name, param) in &params.0 {
        if !template.contains(&format!("{{param.{name}}}")) {
            let values = param.values().iter();
            expected.extend(values.map(|value| (name.clone(), value.clone())));
        }
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs, expected, "{text}");
    // Literally, too: a server that splits at `;` must find no more of them than were written.
    let ends = |text: &str| text.matches(';').count();
    assert_eq!(ends(&text), ends(template), "{text}");
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn whatever_is_accepted_keeps_the_shape_and_decodes_to_what_was_given(
        template in select(&TEMPLATES[..]),
        params in given(),
    ) {
        match compile(template).render(&params, CALLER, Fields::Unknown) {
            Ok(rendered) => judge(template, &params, &rendered),
            Err(error) => {
                let named = error.param().unwrap();
                let shown = |name: &str| name.replace(char::is_control, "");
                prop_assert!(params.0.iter().any(|(name, _)| shown(name) == named), "{error:?}");
            }
        }
    }

    #[test]
    fn what_has_neither_dots_nor_control_characters_is_accepted(
        template in select(&TEMPLATES[..]),
        x in good_text(),
        y in good_text(),
        z in good_text(),
    ) {
        let params = params(&[("x", &x), ("y", &y), ("z", &z)]);
        let rendered = compile(template).render(&params, CALLER, Fields::Unknown).unwrap();
        judge(template, &params, &rendered);
    }

    #[test]
    fn a_control_character_is_refused_wherever_it_stands(
        template in select(&TEMPLATES[..]),
        name in select(&["x", "y", "z"][..]),
        before in good_text(),
        control in prop_oneof![prop::char::range('\0', '\u{1f}'), prop::char::range('\u{7f}', '\u{9f}')],
    ) {
        let mut given = BTreeMap::from([("x", "1".to_owned()), ("y", "1".to_owned())]);
        given.insert(name, format!("{before}{control}"));
        let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        prop_assert_eq!(blamed(template, &given), name);
    }

    #[test]
    fn a_fixed_or_reserved_name_is_refused_in_every_spelling(
        name in select(&["page_size", "alt", "access_token", "_method", "callback"][..]),
        spelling in prop::collection::vec(0..4_u8, 12),
        behind in select(&["", "[]", "[x]", "[0][y]", " "][..]),
    ) {
        let mut spelt = String::new();
        for (char, how) in name.chars().zip(spelling) {
            match how {
                0 => spelt.push(char),
                1 => spelt.push(char.to_ascii_uppercase()),
                2 => spelt.push_str(&format!("%{:02x}", char as u32)),
                _ => spelt.push_str(&format!("%{:02X}", char.to_ascii_uppercase() as u32)),
            }
        }
        spelt.push_str(behind);
        let api = api("https://h.example/?Page%5Fsize=1");
        let template = ApiTemplate::compile(&api, &["Alt".to_owned()]).unwrap();
        let refused = render(&template, &[(&spelt, "1")]).unwrap_err();
        prop_assert_eq!(refused.param(), Some(spelt.as_str()));
    }
}
