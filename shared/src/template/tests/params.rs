//! Where a caller's values go, and which are refused.

use super::*;

#[test]
fn placeholders_are_filled_and_leftover_params_become_the_query() {
    assert_eq!(
        url(
            "https://api.example.com/users/{param.id}/posts?page={param.page}",
            &[("id", "42"), ("page", "2"), ("sort", "a b")]
        )
        .unwrap(),
        "https://api.example.com/users/42/posts?page=2&sort=a%20b"
    );
    assert_eq!(
        url("https://api.example.com", &[("q", "1")]).unwrap(),
        "https://api.example.com/?q=1"
    );
    assert_eq!(
        url("https://api.example.com/{userId}/{organisation.id}", &[]).unwrap(),
        "https://api.example.com/u1/o1"
    );
}

#[test]
fn lists_repeat_in_the_query() {
    let tags = Param::Many(vec!["a".into(), "7".into(), "true".into()]);
    let lists = Params(vec![
        ("tag[]".into(), tags),
        ("none".into(), Param::Many(Vec::new())),
    ]);
    let rendered = compile("https://h.example/x")
        .render(&lists, CALLER, Fields::Unknown)
        .unwrap();
    assert_eq!(
        rendered.uri().query(),
        Some("tag%5B%5D=a&tag%5B%5D=7&tag%5B%5D=true")
    );
}

#[test]
fn a_list_is_refused_in_every_placeholder() {
    let mut in_path = api("https://h.example/{param.tag}");
    let mut in_query = api("https://h.example/?t={param.tag}");
    let mut in_header = api("https://h.example/");
    in_header
        .headers
        .insert("X-Tag".into(), "{param.tag}".into());
    let mut in_body = api("https://h.example/");
    in_body.body = Some(serde_json::json!({"tags": ["{param.tag}"]}));
    for api in [&mut in_path, &mut in_query, &mut in_header, &mut in_body] {
        api.method = "POST".into();
        let template = ApiTemplate::compile(api, &[]).unwrap();
        for values in [vec![], vec!["a".into()], vec!["a".into(), "b".into()]] {
            let many = Params(vec![("tag".into(), Param::Many(values))]);
            let refused = template.render(&many, CALLER, Fields::Unknown).unwrap_err();
            assert_eq!(refused.param(), Some("tag"), "{api:?}");
        }
    }
}

#[test]
fn a_value_cannot_leave_its_position() {
    assert_eq!(
        url(
            "https://h.example/a/{param.x}/b?q={param.y}",
            &[("x", "@evil.example/?#\\%2f"), ("y", "1&admin=true#x")]
        )
        .unwrap(),
        "https://h.example/a/%40evil.example%2F%3F%23%5C%252f/b?q=1%26admin%3Dtrue%23x"
    );
}

#[test]
fn dots_control_characters_and_missing_or_empty_params_are_refused_by_name() {
    for value in [
        ".",
        "..",
        "%2e",
        "%2e%2e",
        "%2E.",
        "%252e%252e",
        "",
        "a\r\nb",
        "a\0",
        "\u{7f}",
        "\u{85}",
    ] {
        let name = blamed("https://h.example/{param.x}/b", &[("x", value)]);
        assert_eq!(name, "x", "{value:?}");
    }
    assert_eq!(blamed("https://h.example/{param.x}", &[]), "x");
    let both = [("a", "."), ("b", ".")];
    assert_eq!(blamed("https://h.example/{param.a}{param.b}", &both), "b");
    assert_eq!(blamed("https://h.example/", &[("q", "a\nb")]), "q");
}

#[test]
fn a_refusal_is_a_sentence_without_the_value() {
    let refused = url("https://h.example/{param.x}", &[("x", "../secret")]).unwrap_err();
    assert_eq!(refused.to_string(), "The param would change the path.");
    let refused = url("https://h.example/{param.x}", &[]).unwrap_err();
    assert_eq!(refused.to_string(), "The param is missing.");
}

#[test]
fn names_the_address_fixes_cannot_be_given_again_in_any_spelling() {
    let template = "https://h.example/?api%5Fkey=1&Format=json&list%5B%5D=1&k+s=1";
    for name in [
        "api_key",
        "API_KEY",
        "api%5fkey",
        "api.key",
        "api key",
        "api[key",
        " format",
        "format[]",
        "format[x]",
        "list",
        "list[]",
        "k s",
        "\u{212a} \u{17f}",
        "access_token",
        "_HttpMethod",
        "callback",
    ] {
        assert_eq!(blamed(template, &[(name, "x")]), name);
    }
    for name in ["apikey", "formats", "key"] {
        assert!(url(template, &[(name, "x")]).is_ok(), "{name}");
    }
}

#[test]
fn names_that_the_proxy_adds_with_the_credential_are_reserved() {
    let reserved = ["Alt".to_owned(), "appsecret_proof".to_owned()];
    let template = ApiTemplate::compile(&api("https://h.example/"), &reserved).unwrap();
    for name in ["alt", "ALT[]", "appsecret_proof", "AppSecret%5Fproof"] {
        let refused = render(&template, &[(name, "x")]).unwrap_err();
        assert_eq!(refused.param(), Some(name));
    }
}

#[test]
fn oversized_and_odd_params_are_refused() {
    let template = "https://h.example/";
    assert_eq!(blamed(template, &[("x", &"v".repeat(64 * 1024))]), "x");
    assert_eq!(blamed(template, &[("", "v")]), "");
    assert_eq!(blamed(template, &[("x", "1"), ("x", "2")]), "x");
    let many: Vec<_> = (0..101).map(|n| format!("p{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(blamed(template, &many), "p100");
    let (long, longer) = ("x".repeat(5_000), "y".repeat(5_001));
    assert_eq!(blamed(template, &[("a", &long), ("b", &longer)]), "b");
}

#[test]
fn a_value_is_never_a_template() {
    let rendered = url(
        "https://h.example/{param.a}",
        &[("a", "{param.b}"), ("b", "secret")],
    )
    .unwrap();
    assert_eq!(rendered, "https://h.example/%7Bparam.b%7D?b=secret");
}

#[test]
fn dots_behind_an_encoded_slash_or_a_path_parameter_are_refused() {
    for value in [
        "../admin",
        "a/../b",
        "..\\admin",
        "..%2fadmin",
        "a%2F%2e%2e",
        "..;x",
        "./x",
        "a/..",
        "%252e%252e%252fx",
    ] {
        let name = blamed("https://h.example/{param.x}/b", &[("x", value)]);
        assert_eq!(name, "x", "{value:?}");
    }
    for value in [
        "a/b",
        "...",
        "..a",
        "a..",
        "v1.2",
        "ada@example.com",
        "100%",
        "a;b",
        "..,x",
    ] {
        assert!(
            url("https://h.example/{param.x}/b", &[("x", value)]).is_ok(),
            "{value:?}"
        );
    }
}

#[test]
fn a_value_that_could_be_decoded_for_ever_is_refused() {
    let value = format!("%{}2e", "25".repeat(2_000));
    assert_eq!(blamed("https://h.example/{param.x}", &[("x", &value)]), "x");
}

#[test]
fn an_answer_repeats_no_endless_name() {
    let name = "n\u{7}".repeat(10_000);
    assert_eq!(
        blamed("https://h.example/", &[(&name, "x")]),
        "n".repeat(128)
    );
    let template = "https://h.example/?alt=1";
    assert_eq!(blamed(template, &[("%61lt", "x")]), "%61lt");
}
