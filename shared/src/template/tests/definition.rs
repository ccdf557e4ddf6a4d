//! Definitions that do not compile.

use super::*;

fn refused(api: &NamedApi) -> CompileError {
    ApiTemplate::compile(api, &[]).unwrap_err()
}

#[test]
fn an_address_that_could_move_a_credential_does_not_compile() {
    for url in [
        "https://{param.host}/x",
        "https://h.example:{param.port}/x",
        "{param.scheme}://h.example/",
        "https://user@h.example/",
        "https://h.example/#x",
        "/relative",
        "ftp://h.example/",
        "https://h.example/../x",
        "https://h.example/%2e%2e/x",
        "https://h.example/{param.x",
        "https://h.example/{unknown}",
        "https://h.example/{authorization.auth.token}",
        "https://h.example/{connection.other.f}",
        "https://h.example/?x={connection.auth.F}",
        "https://h.example/{connection.auth}",
        "https://h.example/{connection.auth.}",
        "https://h.example/?{param.x}=1",
        "https://h.example/?{connection.auth.f}=1",
        "https:///x",
        "https://h.example\\@evil.example/",
        "https://h.example/a b",
        "https://h.example/a\"b",
        "https://h.example:99999/",
        "https://h.example:0/",
        "https://h.example:/",
    ] {
        assert_eq!(refused(&api(url)).field, "url", "{url}");
    }
    let long = format!("https://h.example/{{connection.auth.{}}}", "f".repeat(65));
    assert_eq!(refused(&api(&long)).field, "url");
}

#[test]
fn a_host_may_come_from_the_connection_and_from_nowhere_else() {
    for url in [
        "{connection.auth.origin}",
        "{connection.auth.origin}/x",
        "{connection.auth.origin}?x=1",
        "https://{connection.auth.host}",
        "https://{connection.auth.tenant}.example.com/x",
        "https://a-{connection.auth.a}.{connection.auth.b}.example.com:8443?x",
    ] {
        let template = ApiTemplate::compile(&api(url), &[]).unwrap();
        assert_eq!(template.host(), None, "{url}");
        assert!(template.needs_connection(), "{url}");
    }
    for url in [
        "{connection.other.origin}/x",
        "{connection.auth.origin}.evil.example/",
        "{connection.auth.origin}:443/",
        "{connection.auth.origin}@evil.example/",
        "{connection.auth.scheme}://h.example/",
        "{user.id}/x",
        "{authorization.auth.token}/x",
        "http://{connection.auth.tenant}.example.com/",
        "https://{connection.auth.user}@h.example/",
        "https://h.example:{connection.auth.port}/",
        "https://h.example:4{connection.auth.port}/",
        "https://{connection.auth.a}:1:2/",
        "https://{connection.auth.a}:/",
        "https://{connection.auth.a}:0/",
        "https://{connection.auth.a}:+1/",
        "https://{connection.auth.a}:65536/",
        "https://{connection.other.a}.example.com/",
        "https://{connection.auth.a}.{param.b}.example.com/",
        "https://{userId}.example.com/",
        "https://{authorization.auth.token}.example.com/",
        "https://{connection.auth.a}..example.com/",
        "https://{connection.auth.a}.example.com./",
        "https://{connection.auth.a}.-example.com/",
        "https://{connection.auth.a}.ex_ample.com/",
        "https://{connection.auth.a}%2eexample.com/",
        "https://{connection.auth.a}.0x7f/",
        "https://[{connection.auth.a}]/",
        "https://{connection.auth.a.example.com/",
    ] {
        assert_eq!(refused(&api(url)).field, "url", "{url}");
    }
}

#[test]
fn a_header_that_is_not_a_definition_s_to_set_does_not_compile() {
    for (name, value) in [
        ("Host", "x"),
        ("Cookie", "x"),
        ("Content-Length", "1"),
        ("X_Forwarded_For", "1"),
        ("a b", "x"),
        ("X-A", "{authorization.other.token}"),
        ("X-A", "{connection.other.f}"),
        ("X-A", "{connection.auth.F}"),
        ("X-A", "a\r\nb"),
        ("X-A", "{param.x"),
    ] {
        let mut api = api("https://h.example/");
        api.headers.insert(name.into(), value.into());
        assert_eq!(refused(&api).field, format!("headers.{name}"), "{value}");
    }
    let mut api = api("https://h.example/");
    api.headers.insert("X-A".into(), "1".into());
    api.headers.insert("x-a".into(), "2".into());
    assert_eq!(refused(&api).field, "headers.x-a");
}

#[test]
fn a_body_keeps_strange_braces_but_no_misspelt_placeholder() {
    let body = |text: &str| {
        let mut api = api("https://h.example/");
        api.method = "POST".into();
        api.body = Some(serde_json::json!({"a": [text]}));
        ApiTemplate::compile(&api, &[])
    };
    for text in [
        "query { me { id } }",
        "{",
        "}{",
        "{}",
        "{unknown}",
        "{{userId}",
        "{user}",
        "{ user { id } }",
        "{userIdentity}",
        "{users.id}",
    ] {
        assert!(body(text).is_ok(), "{text}");
    }
    for text in [
        "{authorization.auth.token}",
        "{authorization.other.token}",
        "{connection.other.f}",
        "{connection.auth.F}",
        "{param.}",
        "{ {param.a b}",
        "{user.emial}",
        "{User.Id}",
        "{organisation.name}",
        "{organization.id}",
        "{userid}",
        "{USERID}",
        "{params.x}",
        "{Param.x}",
        "{Connection.auth.f}",
    ] {
        assert_eq!(body(text).unwrap_err().field, "body.a.0", "{text}");
    }
}

#[test]
fn a_member_of_a_body_is_named_by_the_definition_alone() {
    let body = |name: &str| {
        let mut api = api("https://h.example/");
        api.method = "POST".into();
        api.body = Some(serde_json::json!({"a": {name: 1}}));
        ApiTemplate::compile(&api, &[])
    };
    for name in ["b", "{", "{x}", "$filter", "}{"] {
        assert!(body(name).is_ok(), "{name}");
    }
    for name in [
        "{param.x}",
        "a{userId}",
        "{userid}",
        "{{user.emial}",
        "{connection.auth.f}",
        "{authorization.auth.token}",
    ] {
        let error = body(name).unwrap_err();
        assert_eq!(error.field, format!("body.a.{name}"));
        assert!(error.message.contains("name of a member"));
    }
}
