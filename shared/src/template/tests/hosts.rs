//! Which host a request goes to.

use super::*;

/// The host, or the field to blame.
fn host(template: &str, fields: &[(&str, &str)]) -> Result<String, String> {
    match render_with(&compile(template), &[], fields) {
        Ok(rendered) => {
            assert!(rendered.is_host_pinned());
            assert_eq!(rendered.uri().scheme_str(), Some("https"));
            Ok(rendered.host().to_owned())
        }
        Err(RenderError::Field { field, .. }) => Err(field),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_host_is_compared_in_one_spelling() {
    for (url, host) in [
        ("https://API.Example.com:443/x", "api.example.com"),
        ("https://api.example.com:8443/x", "api.example.com:8443"),
        ("http://127.0.0.1:9000/x", "127.0.0.1:9000"),
    ] {
        let template = compile(url);
        assert_eq!(template.host(), Some(host));
        let rendered = render(&template, &[]).unwrap();
        assert_eq!(rendered.host(), host);
        assert!(!rendered.is_host_pinned());
    }
}

#[test]
fn a_field_can_be_the_whole_origin() {
    let template = "{connection.auth.instance_url}/services/data?q=1";
    for origin in [
        "https://acme.my.salesforce.com",
        "https://Acme.My.Salesforce.com",
        "acme.my.salesforce.com",
    ] {
        let rendered = render_with(&compile(template), &[], &[("instance_url", origin)]).unwrap();
        assert_eq!(
            rendered.uri().to_string(),
            "https://acme.my.salesforce.com/services/data?q=1"
        );
        assert_eq!(rendered.host(), "acme.my.salesforce.com");
        assert!(rendered.is_host_pinned());
    }
    for origin in [
        "",
        "https://",
        "http://h.example",
        "HTTPS://h.example",
        "//h.example",
        "https://h.example/",
        "https://h.example/x",
        "https://h.example:443",
        "https://u@h.example",
        "https://h.example?x",
        "https://h.example#x",
        "https://h.example\\x",
        "https://h.example.",
        "https://https://h.example",
        "https://127.0.0.1",
        "https://2130706433",
        "https://a.0x7f",
        "https://[::1]",
        "https://ä.example",
        "https://xn--4ca.example",
        "https://h%2eexample",
        "https://h_.example",
        " h.example",
        "h.example\n",
    ] {
        assert_eq!(
            host(template, &[("instance_url", origin)]),
            Err("instance_url".into()),
            "{origin:?}"
        );
    }
    assert_eq!(host(template, &[]), Err("instance_url".into()));
}

#[test]
fn a_field_can_be_a_part_of_the_host() {
    let template = "https://{connection.auth.tenant}.sharepoint.com/x";
    let port = "https://{connection.auth.tenant}.sharepoint.com:8443/x";
    let own = "https://{connection.auth.tenant}.sharepoint.com:443/x";
    let with = |template, tenant| host(template, &[("tenant", tenant)]);
    assert_eq!(with(template, "Acme"), Ok("acme.sharepoint.com".into()));
    assert_eq!(with(template, "a.b"), Ok("a.b.sharepoint.com".into()));
    assert_eq!(with(port, "acme"), Ok("acme.sharepoint.com:8443".into()));
    assert_eq!(with(own, "acme"), Ok("acme.sharepoint.com".into()));
    for tenant in [
        "",
        ".",
        "-acme",
        "acme-",
        "acme.",
        "evil.example/",
        "evil.example?",
        "evil.example#",
        "evil.example\\",
        "evil.example:443@",
        "u@acme",
        "a b",
        "a%2fb",
        "acme\u{3002}",
        "\u{ff41}cme",
        "xn--cme-8na",
        "https://acme",
    ] {
        assert_eq!(with(template, tenant), Err("tenant".into()), "{tenant:?}");
    }
    let label = "a".repeat(64);
    assert_eq!(with(template, &label), Err("tenant".into()));
    let name = ["a".repeat(60).as_str(); 4].join(".");
    assert_eq!(with(template, &name), Err("tenant".into()));
}

#[test]
fn parts_cannot_make_an_address_together() {
    let template = "https://10.0.0.{connection.auth.a}/";
    assert_eq!(host(template, &[("a", "1")]), Err("a".into()));
    assert_eq!(host(template, &[("a", "com")]), Ok("10.0.0.com".into()));
}
