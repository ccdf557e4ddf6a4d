//! Where the credential goes.

use http::header::AUTHORIZATION;

use super::*;

fn header(name: &str, scheme: Option<&str>) -> Inject {
    Inject::Header {
        header: name.to_owned(),
        scheme: scheme.map(str::to_owned),
    }
}

fn query(name: &str) -> Inject {
    Inject::Query {
        query: name.to_owned(),
    }
}

fn with_header(name: &str, value: &str) -> Rendered {
    let mut api = api("https://h.example/?a=1");
    api.headers.insert(name.into(), value.into());
    render(&ApiTemplate::compile(&api, &[]).unwrap(), &[]).unwrap()
}

#[test]
fn the_credential_goes_into_the_headers_that_name_it_and_nowhere_else() {
    let rendered = with_header("X-Auth", "token {authorization.auth.token}");
    for inject in [
        Inject::default(),
        header("X-Other", None),
        query("access_token"),
    ] {
        let request = rendered.to_request("at-1", &inject, &[]).unwrap();
        assert_eq!(request.headers()["x-auth"], "token at-1");
        assert!(request.headers()["x-auth"].is_sensitive());
        assert!(!request.headers().contains_key(AUTHORIZATION));
        assert!(!request.headers().contains_key("x-other"));
        assert_eq!(request.uri(), rendered.uri());
    }
}

#[test]
fn the_credential_goes_where_the_passport_says() {
    let rendered = with_header("X-Plain", "1");
    for (inject, name, value) in [
        (Inject::default(), "authorization", "Bearer at-1"),
        (header("Authorization", None), "authorization", "at-1"),
        (header("X-Tableau-Auth", None), "x-tableau-auth", "at-1"),
        (
            header("Authorization", Some("Basic")),
            "authorization",
            "Basic at-1",
        ),
    ] {
        let request = rendered.to_request("at-1", &inject, &[]).unwrap();
        assert_eq!(request.headers()[name], value);
        assert!(request.headers()[name].is_sensitive());
        assert!(!request.headers()["x-plain"].is_sensitive());
        assert_eq!(request.uri(), rendered.uri());
        let sensitive = request.headers().values();
        assert_eq!(sensitive.filter(|value| value.is_sensitive()).count(), 1);
    }
}

#[test]
fn a_credential_in_the_query_stands_in_the_request_only() {
    let rendered = with_header("X-Plain", "1");
    let inject = query("api key");
    let added = [("appsecret_proof", "p&q")];
    let request = rendered.to_request("k/1 =", &inject, &added).unwrap();
    assert_eq!(
        request.uri().query(),
        Some("a=1&appsecret_proof=p%26q&api%20key=k%2F1%20%3D")
    );
    assert!(!request.headers().contains_key(AUTHORIZATION));
    assert_eq!(rendered.uri().query(), Some("a=1"));
    let bare = render(&compile("https://h.example"), &[]).unwrap();
    let request = bare.to_request("k", &query("key"), &[]).unwrap();
    assert_eq!(request.uri().to_string(), "https://h.example/?key=k");
}

#[test]
fn further_pairs_are_added_whatever_carries_the_credential() {
    let rendered = with_header("X-Auth", "{authorization.auth.token}");
    let added = [("proof", "1"), ("time", "2")];
    let request = rendered
        .to_request("at", &Inject::default(), &added)
        .unwrap();
    assert_eq!(request.uri().query(), Some("a=1&proof=1&time=2"));
    assert_eq!(request.headers()["x-auth"], "at");
}

#[test]
fn a_written_out_authorization_header_gives_way_to_the_credential() {
    let rendered = with_header("Authorization", "Bearer written-out");
    let request = rendered
        .to_request("at-1", &Inject::default(), &[])
        .unwrap();
    let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer at-1"]);
    assert!(values[0].is_sensitive());
}

#[test]
fn a_credential_that_cannot_stand_in_a_header_is_sent_nowhere() {
    let plain = render(&compile("https://h.example/"), &[]).unwrap();
    let named = with_header("X-Auth", "{authorization.auth.token}");
    for credential in ["at\r\nx: y", "a\0", "a\u{7f}"] {
        for rendered in [&plain, &named] {
            let refused = rendered.to_request(credential, &Inject::default(), &[]);
            assert_eq!(refused.unwrap_err(), BadCredential, "{credential:?}");
        }
    }
    let inject = header("not a name", None);
    assert_eq!(
        plain.to_request("at", &inject, &[]).unwrap_err(),
        BadCredential
    );
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
    let rendered = render(&template, &[("name", "\",\"admin\":\"é")]).unwrap();
    let request = rendered.to_request("at", &Inject::default(), &[]).unwrap();
    assert_eq!(request.headers()["x-who"], "ada@example.com");
    assert_eq!(request.headers()["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    let expected = serde_json::json!({"text": "Hi \",\"admin\":\"é", "graphql": "query { me { id } }", "n": 1, "l": ["\",\"admin\":\"é"]});
    assert_eq!(body, expected);
    let nobody = CallerValues {
        user_email: None,
        ..CALLER
    };
    let refused = template.render(&params(&[("name", "x")]), nobody, Fields::Unknown);
    assert_eq!(refused.unwrap_err().param(), Some("user.email"));
}

#[test]
fn a_header_keeps_no_space_around_it_so_none_is_taken() {
    let mut api = api("https://h.example/");
    api.headers
        .insert("X-A".into(), "{param.a}{param.b}".into());
    api.headers.insert("X-C".into(), "c {param.c}".into());
    let template = ApiTemplate::compile(&api, &[]).unwrap();
    for (a, b, c, blamed) in [
        (" a", "b", "c", Some("a")),
        ("a", "b ", "c", Some("b")),
        ("", " b", "c", Some("b")),
        ("a ", "", "c", Some("a")),
        ("a", "b", " ", Some("c")),
        ("a ", " b", " c", None),
        ("", "", "", None),
    ] {
        let rendered = render(&template, &[("a", a), ("b", b), ("c", c)]);
        let error = rendered.err();
        let named = error.as_ref().and_then(RenderError::param);
        assert_eq!(named, blamed, "{a:?} {b:?} {c:?}");
    }
}
