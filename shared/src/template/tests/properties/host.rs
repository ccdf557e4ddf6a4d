//! No field of a connection makes a host anything but a plain DNS name.

use url::Url;

use super::*;

const PIECES: [&str; 36] = [
    "https://",
    "http://",
    "//",
    "a",
    "A",
    "acme",
    "evil.example",
    "my",
    "-",
    "--",
    ".",
    "..",
    "xn--",
    ":",
    ":443",
    ":8443",
    "@",
    "u:p@",
    "/",
    "?",
    "#",
    "\\",
    "%2e",
    "%00",
    "0x7f",
    "127.0.0.1",
    "1",
    "[::1]",
    "_",
    "*",
    " ",
    "\u{e9}",
    "\u{3002}",
    "\u{ad}",
    "\u{212a}",
    "\n",
];

/// A field's value: mostly of what hosts are made of, and attacks on them.
fn value() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(select(&PIECES[..]), 0..4);
    prop_oneof![
        4 => pieces.prop_map(|pieces| pieces.concat()),
        1 => any_text(),
    ]
}

fn label() -> impl Strategy<Value = String> {
    let inside: Vec<char> = "abzABZ019-".chars().collect();
    let label = prop::collection::vec(select(inside), 1..20).prop_map(String::from_iter);
    label.prop_filter("a label", |label: &String| {
        !label.starts_with('-')
            && !label.ends_with('-')
            && !label.to_ascii_lowercase().starts_with("xn--")
    })
}

/// Templates over the fields `a` and `b`: what stands before, between and behind them in the host, and the port.
const TEMPLATES: [(&str, [&str; 3], Option<u16>); 4] = [
    (
        "https://{connection.auth.a}.example.com/x/{connection.auth.b}",
        ["", ".example.com", ""],
        None,
    ),
    (
        "https://t-{connection.auth.a}.{connection.auth.b}.Example.com:8443/x",
        ["t-", ".", ".Example.com"],
        Some(8443),
    ),
    (
        "https://{connection.auth.a}{connection.auth.b}?q=1",
        ["", "", ""],
        None,
    ),
    (
        "https://10.0.0.{connection.auth.a}.{connection.auth.b}:443",
        ["10.0.0.", ".", ""],
        None,
    ),
];

fn is_plain(host: &str) -> bool {
    let plain = |label: &str| {
        let chars = label.chars();
        !label.is_empty()
            && label.trim_matches('-') == label
            && chars
                .filter(|char| !matches!(char, 'a'..='z' | '0'..='9' | '-'))
                .count()
                == 0
    };
    host.split('.').all(plain)
}

/// What a rendered address must be whose host is `expected`.
fn judge(rendered: &Rendered, expected: &str, port: Option<u16>) {
    let text = rendered.uri().to_string();
    let url = Url::parse(&text).unwrap();
    let expected = expected.to_ascii_lowercase();
    assert!(is_plain(&expected), "{text}");
    assert_eq!(url.domain(), Some(expected.as_str()), "{text}");
    assert_eq!((url.scheme(), url.port()), ("https", port));
    assert_eq!(
        (url.username(), url.password(), url.fragment()),
        ("", None, None)
    );
    let with_port = port.map_or(expected.clone(), |port| format!("{expected}:{port}"));
    assert_eq!(rendered.host(), with_port);
    assert!(rendered.is_host_pinned());
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn what_is_accepted_as_an_origin_is_its_plain_host(value in value()) {
        let template = compile("{connection.auth.a}/x?q=1");
        match render_with(&template, &[], &[("a", &value)]) {
            Ok(rendered) => {
                let host = value.strip_prefix("https://").unwrap_or(&value);
                judge(&rendered, host, None);
                prop_assert_eq!(rendered.uri().path_and_query().unwrap().as_str(), "/x?q=1");
            }
            Err(error) => prop_assert!(
                matches!(&error, RenderError::Field { field, .. } if field == "a"),
                "{error:?}"
            ),
        }
    }

    #[test]
    fn what_is_accepted_as_parts_is_exactly_their_concatenation(
        (template, [before, between, behind], port) in select(&TEMPLATES[..]),
        a in value(),
        b in value(),
    ) {
        match render_with(&compile(template), &[], &[("a", &a), ("b", &b)]) {
            Ok(rendered) => {
                let in_path = template.contains("/x/");
                let b = if in_path { "" } else { &b };
                judge(&rendered, &format!("{before}{a}{between}{b}{behind}"), port);
            }
            Err(error) => prop_assert!(
                matches!(&error, RenderError::Field { field, .. } if field == "a" || field == "b"),
                "{error:?}"
            ),
        }
    }

    #[test]
    fn every_plain_name_is_accepted(
        labels in prop::collection::vec(label(), 1..4),
        scheme in select(&["", "https://"][..]),
    ) {
        let host = format!("{}.example", labels.join("."));
        let whole = compile("{connection.auth.a}/x");
        let rendered = render_with(&whole, &[], &[("a", &format!("{scheme}{host}"))]).unwrap();
        judge(&rendered, &host, None);
        let part = compile("https://{connection.auth.a}.sharepoint.com/x");
        let rendered = render_with(&part, &[], &[("a", &host)]).unwrap();
        judge(&rendered, &format!("{host}.sharepoint.com"), None);
    }
}
