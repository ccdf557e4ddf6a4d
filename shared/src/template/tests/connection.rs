//! Fields of the connection, where they are values like any other.

use super::*;
use crate::passport::Passport;

#[test]
fn a_field_is_encoded_by_its_position() {
    let mut api = api("https://h.example/{connection.auth.site}/x?c={connection.auth.site}");
    api.method = "POST".into();
    api.headers
        .insert("X-Site".into(), "s={connection.auth.site}".into());
    api.body = Some(serde_json::json!({"site": "<{connection.auth.site}>"}));
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    assert_eq!(template.host(), Some("h.example"));
    let fields = [("site", "a/b?\"&{param.x}"), ("other", "unused")];
    let rendered = render_with(&template, &[("x", "1")], &fields).unwrap();
    assert!(!rendered.is_host_pinned());
    assert_eq!(
        rendered.uri().to_string(),
        "https://h.example/a%2Fb%3F%22%26%7Bparam.x%7D/x?c=a%2Fb%3F%22%26%7Bparam.x%7D&x=1"
    );
    let request = rendered.to_request("at", &Inject::default(), &[]).unwrap();
    assert_eq!(request.headers()["x-site"], "s=a/b?\"&{param.x}");
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body, serde_json::json!({"site": "<a/b?\"&{param.x}>"}));
}

#[test]
fn an_unusable_field_is_told_from_an_unusable_param() {
    let mut api = api("https://h.example/{connection.auth.a}{param.x}");
    api.headers
        .insert("X-B".into(), "{connection.auth.b}".into());
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    let with = |x: &str, a: &str, b: &str| {
        render_with(&template, &[("x", x)], &[("a", a), ("b", b)]).unwrap_err()
    };
    for (a, b, blamed) in [
        ("a\n", "b", "a"),
        ("a", "b\u{e9}", "b"),
        ("a", "b\r\nX: y", "b"),
        ("a", " b", "b"),
    ] {
        let error = with("x", a, b);
        assert_eq!(error.param(), None, "{a:?} {b:?}");
        assert!(
            matches!(&error, RenderError::Field { field, .. } if field == blamed),
            "{error:?}"
        );
        assert!(error.to_string().contains(&format!("`{blamed}`")));
    }
    // Both make the path's dots: the caller's is the one that can be given otherwise.
    assert_eq!(with(".", ".", "b").param(), Some("x"));
    assert_eq!(with("", "..", "b").param(), Some("x"));
    let missing = render_with(&template, &[("x", "1")], &[("a", "1")]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "The connection's field `b` is missing."
    );
    let alone = compile("https://h.example/{connection.auth.a}/x");
    for value in ["", ".", "..", "%2e%2e", "../x"] {
        let error = render_with(&alone, &[], &[("a", value)]).unwrap_err();
        assert_eq!(error.param(), None, "{value:?}");
    }
}

#[test]
fn params_are_judged_before_the_connection_is_known() {
    let template = compile("{connection.auth.origin}/{param.x}?site={connection.auth.site}");
    assert_eq!(render(&template, &[]).unwrap_err().param(), Some("x"));
    let taken = render(&template, &[("x", "1"), ("SITE", "2")]).unwrap_err();
    assert_eq!(taken.param(), Some("SITE"));
    assert!(render(&template, &[("x", "1")]).is_ok());
}

#[test]
fn what_was_rendered_without_a_needed_connection_becomes_no_request() {
    let inject = Inject::default();
    for url in [
        "{connection.auth.f}/x",
        "https://{connection.auth.f}.example.com/",
        "https://h.example/{connection.auth.f}",
        "https://h.example/?f={connection.auth.f}",
    ] {
        let template = compile(url);
        let rendered = render(&template, &[]).unwrap();
        assert!(rendered.to_request("at", &inject, &[]).is_err(), "{url}");
        let rendered = render_with(&template, &[], &[("f", "acme")]).unwrap();
        assert!(rendered.to_request("at", &inject, &[]).is_ok(), "{url}");
    }
    let template = compile("https://h.example/{param.x}");
    assert!(!template.needs_connection());
    let rendered = render(&template, &[("x", "1")]).unwrap();
    assert!(rendered.to_request("at", &inject, &[]).is_ok());
}

#[test]
fn the_fields_a_template_takes_are_listed_once() {
    let mut api = api("https://{connection.auth.b}.example.com/{connection.auth.a}?x={param.x}");
    api.method = "POST".into();
    api.headers.insert(
        "X-C".into(),
        "{connection.auth.c}{connection.auth.a}".into(),
    );
    api.body = Some(serde_json::json!([{"d": "{connection.auth.d}"}]));
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    let fields: Vec<&str> = template.connection_fields().collect();
    assert_eq!(fields, ["a", "b", "c", "d"]);
}

#[test]
fn a_lookup_over_two_maps_is_easy_to_pass() {
    let pinned = BTreeMap::from([("site".to_owned(), "s1".to_owned())]);
    let variables = BTreeMap::from([
        ("site".to_owned(), "s2".to_owned()),
        ("tenant".to_owned(), "acme".to_owned()),
    ]);
    let look_up = |name: &str| {
        let value = pinned.get(name).or_else(|| variables.get(name));
        value.map(String::as_str)
    };
    let template = compile("https://{connection.auth.tenant}.example.com/{connection.auth.site}");
    let rendered = template
        .render(&Params::default(), CALLER, Fields::Known(&look_up))
        .unwrap();
    assert_eq!(rendered.uri().to_string(), "https://acme.example.com/s1");
}

#[test]
fn a_host_is_known_before_the_connection_where_only_the_operator_has_a_part_in_it() {
    let passport: Passport = serde_json::from_value(serde_json::json!({
        "id": "p", "name": "P", "provider": "p", "api_hosts": [],
        "variables": {"tenant": "Acme", "site": "s0"}, "pinned": [{"name": "site", "at": "/site"}]}))
    .unwrap();
    let kept = BTreeMap::from([("site".to_owned(), "s1".to_owned())]);
    for (url, before, after) in [
        (
            "https://h.example/{connection.auth.none}",
            Some("h.example"),
            Some("h.example"),
        ),
        (
            "https://{connection.auth.tenant}.example.com:443/{connection.auth.site}",
            Some("acme.example.com"),
            Some("acme.example.com"),
        ),
        (
            "https://{connection.auth.site}.example.com/",
            None,
            Some("s1.example.com"),
        ),
        ("https://{connection.auth.none}.example.com/", None, None),
    ] {
        let template = compile(url);
        let host = |kept| template.host_under(&passport, kept);
        assert_eq!(host(None).as_deref(), before, "{url}");
        assert_eq!(host(Some(&kept)).as_deref(), after, "{url}");
    }
}
