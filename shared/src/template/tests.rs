use super::*;
use crate::definition::NamedApi;

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

fn url(template: &str, pairs: &[(&str, &str)]) -> Result<String, RenderError> {
    Ok(compile(template)
        .render(&params(pairs), CALLER)?
        .uri()
        .to_string())
}

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
fn lists_repeat_in_the_query_and_are_refused_in_placeholders() {
    let many = Params(vec![(
        "tag".into(),
        Param::Many(vec!["a".into(), "b".into()]),
    )]);
    let rendered = compile("https://h.example/x")
        .render(&many, CALLER)
        .unwrap();
    assert_eq!(rendered.uri().query(), Some("tag=a&tag=b"));
    assert_eq!(
        compile("https://h.example/{param.tag}")
            .render(&many, CALLER)
            .unwrap_err()
            .param,
        "tag"
    );
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
        let refused = url("https://h.example/{param.x}/b", &[("x", value)]).unwrap_err();
        assert_eq!(refused.param, "x", "{value:?}");
    }
    assert_eq!(
        url("https://h.example/{param.x}", &[]).unwrap_err().param,
        "x"
    );
    assert_eq!(
        url(
            "https://h.example/{param.a}{param.b}",
            &[("a", "."), ("b", ".")]
        )
        .unwrap_err()
        .param,
        "b"
    );
    assert_eq!(
        url("https://h.example/", &[("q", "a\nb")])
            .unwrap_err()
            .param,
        "q"
    );
}

#[test]
fn names_the_address_fixes_cannot_be_given_again_in_any_spelling() {
    let template = "https://h.example/?api%5Fkey=1&Format=json&list%5B%5D=1";
    for name in [
        "api_key",
        "API_KEY",
        "format",
        "format[]",
        "format[x]",
        "list",
        "list[]",
        "access_token",
        "_HttpMethod",
        "callback",
    ] {
        assert_eq!(url(template, &[(name, "x")]).unwrap_err().param, name);
    }
    let reserved = ApiTemplate::compile(&api("https://h.example/"), &["Alt".into()]).unwrap();
    assert_eq!(
        reserved
            .render(&params(&[("alt", "media")]), CALLER)
            .unwrap_err()
            .param,
        "alt"
    );
}

#[test]
fn oversized_and_odd_params_are_refused() {
    assert_eq!(
        url("https://h.example/", &[("x", &"v".repeat(64 * 1024))])
            .unwrap_err()
            .param,
        "x"
    );
    assert_eq!(
        url("https://h.example/", &[("", "v")]).unwrap_err().param,
        ""
    );
    assert_eq!(
        url("https://h.example/", &[("x", "1"), ("x", "2")])
            .unwrap_err()
            .param,
        "x"
    );
    let many: Vec<_> = (0..101)
        .map(|n| (format!("p{n}"), Param::One("1".into())))
        .collect();
    assert_eq!(
        compile("https://h.example/")
            .render(&Params(many), CALLER)
            .unwrap_err()
            .param,
        "p100"
    );
    let long = [("a", "x".repeat(5_000)), ("b", "y".repeat(5_001))];
    let long: Vec<_> = long
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(url("https://h.example/", &long).unwrap_err().param, "b");
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
fn the_credential_goes_into_the_headers_that_name_it_and_is_marked_sensitive() {
    let mut api = api("https://h.example/");
    api.headers
        .insert("X-Auth".into(), "token {authorization.auth.token}".into());
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    let request = template
        .render(&Params::default(), CALLER)
        .unwrap()
        .to_request("at-1")
        .unwrap();
    assert_eq!(request.headers()["x-auth"], "token at-1");
    assert!(request.headers()["x-auth"].is_sensitive());
    assert!(!request.headers().contains_key(AUTHORIZATION));
    let plain = compile("https://h.example/")
        .render(&Params::default(), CALLER)
        .unwrap();
    assert_eq!(
        plain.to_request("at-1").unwrap().headers()[AUTHORIZATION],
        "Bearer at-1"
    );
    assert!(plain.to_request("at\r\nx: y").is_err());
}

#[test]
fn header_and_body_values_stay_what_they_are() {
    let mut api = api("https://h.example/");
    api.method = "POST".into();
    api.headers.insert("X-Who".into(), "{user.email}".into());
    api.body = Some(
        serde_json::json!({"text": "Hi {param.name}", "graphql": "query { me { id } }", "n": 1, "l": ["{param.name}"]}),
    );
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    let rendered = template
        .render(&params(&[("name", "\",\"admin\":\"é")]), CALLER)
        .unwrap();
    let request = rendered.to_request("at").unwrap();
    assert_eq!(request.headers()["x-who"], "ada@example.com");
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    let expected = serde_json::json!({"text": "Hi \",\"admin\":\"é", "graphql": "query { me { id } }", "n": 1, "l": ["\",\"admin\":\"é"]});
    assert_eq!(body, expected);
    let nobody = CallerValues {
        user_email: None,
        ..CALLER
    };
    assert_eq!(
        template
            .render(&params(&[("name", "x")]), nobody)
            .unwrap_err()
            .param,
        "user.email"
    );
}

#[test]
fn a_definition_that_could_move_a_credential_does_not_compile() {
    for (url, field) in [
        ("https://{param.host}/x", "url"),
        ("https://h.example:{param.port}/x", "url"),
        ("{param.scheme}://h.example/", "url"),
        ("https://user@h.example/", "url"),
        ("https://h.example/#x", "url"),
        ("/relative", "url"),
        ("ftp://h.example/", "url"),
        ("https://h.example/../x", "url"),
        ("https://h.example/%2e%2e/x", "url"),
        ("https://h.example/{param.x", "url"),
        ("https://h.example/{unknown}", "url"),
        ("https://h.example/{authorization.auth.token}", "url"),
        ("https://h.example/?{param.x}=1", "url"),
        ("https:///x", "url"),
        ("https://h.example\\@evil.example/", "url"),
        ("https://h.example/a b", "url"),
    ] {
        assert_eq!(
            ApiTemplate::compile(&api(url), &[]).unwrap_err().field,
            field,
            "{url}"
        );
    }
    for (name, value) in [
        ("Host", "x"),
        ("Cookie", "x"),
        ("Content-Length", "1"),
        ("X_Forwarded_For", "1"),
        ("a b", "x"),
        ("X-A", "{authorization.other.token}"),
        ("X-A", "a\r\nb"),
        ("X-A", "{param.x"),
    ] {
        let mut api = api("https://h.example/");
        api.headers.insert(name.into(), value.into());
        assert_eq!(
            ApiTemplate::compile(&api, &[]).unwrap_err().field,
            format!("headers.{name}"),
            "{value}"
        );
    }
}

#[test]
fn the_host_is_compared_in_one_spelling() {
    assert_eq!(
        compile("https://API.Example.com:443/x").host(),
        "api.example.com"
    );
    assert_eq!(
        compile("https://api.example.com:8443/x").host(),
        "api.example.com:8443"
    );
    assert_eq!(compile("http://127.0.0.1:9000/x").host(), "127.0.0.1:9000");
    let rendered = compile("https://API.Example.com:443/x")
        .render(&Params::default(), CALLER)
        .unwrap();
    assert_eq!(rendered.host(), "api.example.com");
}

/// 20,000 values from a nasty alphabet: whatever is accepted keeps host, number of segments and query names.
#[test]
fn no_value_changes_the_shape_of_an_address() {
    let alphabet: Vec<char> = "./\\%25eE2fF:@?#&=+;[]{}<> \"'a\u{e9}\u{202e}\u{ff0e}~"
        .chars()
        .collect();
    let template = compile("https://h.example/a/{param.x}/b{param.y}?q={param.x}&r=1");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut text = || {
            let mut text = String::new();
            for _ in 0..5 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                if !seed.is_multiple_of(4) {
                    text.push(alphabet[(seed >> 8) as usize % alphabet.len()]);
                }
            }
            text
        };
        let (x, y, z) = (text(), text(), text());
        let Ok(rendered) = template.render(&params(&[("x", &x), ("y", &y), ("z", &z)]), CALLER)
        else {
            continue;
        };
        accepted += 1;
        let uri = rendered.uri();
        assert_eq!(uri.host(), Some("h.example"));
        let segments: Vec<&str> = uri.path().split('/').collect();
        assert_eq!(segments.len(), 4, "{x:?} {y:?}");
        assert!(
            segments.iter().all(|segment| !compile::is_dots(segment)),
            "{uri}"
        );
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .unwrap()
                .into_owned()
        };
        assert_eq!(decoded(segments[2]), x);
        assert_eq!(decoded(segments[3]), format!("b{y}"));
        let names: Vec<&str> = uri
            .query()
            .unwrap()
            .split('&')
            .map(|part| part.split('=').next().unwrap())
            .collect();
        assert_eq!(names, ["q", "r", "z"]);
        let url = url::Url::parse(&uri.to_string()).unwrap();
        assert_eq!(
            (url.host_str(), url.path_segments().unwrap().count()),
            (Some("h.example"), 3),
            "{uri}"
        );
    }
    assert!(accepted > 10_000, "{accepted}");
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
        let refused = url("https://h.example/{param.x}/b", &[("x", value)]).unwrap_err();
        assert_eq!(refused.param, "x", "{value:?}");
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
    assert_eq!(
        url("https://h.example/{param.x}", &[("x", &value)])
            .unwrap_err()
            .param,
        "x"
    );
}

#[test]
fn an_answer_repeats_no_endless_name() {
    let name = "n\u{7}".repeat(10_000);
    let refused = url("https://h.example/", &[(&name, "x")]).unwrap_err();
    assert_eq!(refused.param, "n".repeat(128));
    assert_eq!(
        url("https://h.example/?alt=1", &[("%61lt", "x")])
            .unwrap_err()
            .param,
        "%61lt"
    );
}
