//! Which addresses a bundle may name.

use super::*;

fn with_url(url: &str) -> Case {
    Case::graph().with(SCHEMA, "/authenticatedApis/0/url", json!(url))
}

#[test]
fn an_api_url_is_https_to_a_host_that_is_written_out() {
    let cases = [
        ("http://graph.microsoft.com/v1.0", "url_not_https"),
        ("ftp://graph.microsoft.com/", "url_not_https"),
        ("graph.microsoft.com/v1.0", "url_invalid"),
        ("/v1.0/me", "url_invalid"),
        ("https:///v1.0", "url_invalid"),
        ("https://user@graph.microsoft.com/", "url_userinfo"),
        ("https://graph.microsoft.com@evil.example/", "url_userinfo"),
        ("https://graph.microsoft.com/#part", "url_fragment"),
        ("https://graph.microsoft.com/?a={param.a}#x", "url_fragment"),
        ("https://{param.host}/v1.0", "url_placeholder"),
        (
            "https://graph.microsoft.com{param.rest}/v1.0",
            "url_placeholder",
        ),
        (
            "https://graph.microsoft.com:{param.port}/v1.0",
            "url_placeholder",
        ),
        ("{param.scheme}://graph.microsoft.com/", "url_placeholder"),
        (
            "https://graph.microsoft.com\\@evil.example/",
            "url_userinfo",
        ),
        ("https://graph.microsoft.com/a b", "url_invalid"),
        ("https://graph.microsoft.com/a\r\nHost: evil", "url_invalid"),
        ("https://graph.microsoft.com\\v1.0", "url_invalid"),
    ];
    for (url, code) in cases {
        let findings = with_url(url).import().unwrap_err();
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert_eq!(errors.len(), 1, "{url}: {errors:?}");
        assert!(
            errors[0].code == code || (url.contains('\\') && errors[0].code == "url_invalid"),
            "{url}: {errors:?}"
        );
        assert!(errors[0].line.is_some());
    }
}

#[test]
fn placeholders_may_fill_path_and_query() {
    let import = with_url(
        "https://graph.microsoft.com/v1.0/users/{user.id}/events/{param.id}?top={param.top}",
    )
    .accepted();
    assert!(import.widget.apis[0].url.ends_with("?top={param.top}"));
}

#[test]
fn the_host_of_an_api_on_a_built_in_passport_belongs_to_its_provider() {
    let finding =
        with_url("https://graph.microsoft.com.evil.example/v1.0").refused("api_host_foreign");
    assert!(
        finding.message.contains("graph.microsoft.com.evil.example")
            && finding.cure.contains("graph.microsoft.com")
    );
    with_url("https://graph.microsoft.com:8443/v1.0").refused("api_host_foreign");
    with_url("https://GRAPH.microsoft.com/v1.0").accepted();
    with_url("https://graph.microsoft.com:443/v1.0").accepted();
}

#[test]
fn the_hosts_of_a_bundled_passport_are_in_lower_case_and_with_a_port_where_it_is_unusual() {
    let import = Case::my_saas()
        .with(
            SCHEMA,
            "/authenticatedApis/0/url",
            json!("https://API.My-SaaS.com:443/v1/projects"),
        )
        .with(
            SCHEMA,
            "/authenticatedApis/1/url",
            json!("https://files.my-saas.com:8443/{param.projectId}"),
        )
        .with(
            CONSULATE,
            "/passports/my-saas-connector/api_hosts",
            json!(["EU.my-saas.com", "files.my-saas.com:8443"]),
        )
        .accepted();
    assert_eq!(
        import.passports[0].api_hosts,
        [
            "api.my-saas.com",
            "eu.my-saas.com",
            "files.my-saas.com:8443"
        ]
    );
}

#[test]
fn an_entry_of_api_hosts_is_a_host_and_nothing_else() {
    for entry in [
        "https://api.my-saas.com",
        "api.my-saas.com/v1",
        "*.my-saas.com",
        "a@b",
        "a b",
        "",
        "{param.h}",
    ] {
        Case::my_saas()
            .with(
                CONSULATE,
                "/passports/my-saas-connector/api_hosts",
                json!([entry]),
            )
            .refused("api_host_invalid");
    }
}

#[test]
fn plain_http_is_accepted_for_a_loopback_address_that_is_allowed_and_for_nothing_else() {
    let case = |url: &str, allow: &str| {
        let mut case = Case::my_saas().with(SCHEMA, "/authenticatedApis/0/url", json!(url));
        case.options.allow = vec![allow.to_owned()];
        case
    };
    let import = case("http://127.0.0.1:9000/api", "127.0.0.1:9000").accepted();
    assert_eq!(
        import.passports[0].api_hosts,
        ["127.0.0.1:9000", "api.my-saas.com"]
    );
    case("http://localhost:9000/api", "localhost:9000").accepted();
    case("http://127.0.0.1:9001/api", "127.0.0.1:9000").refused("url_not_https");
    case("http://localhost:9000/api", "127.0.0.1:9000").refused("url_not_https");
    case("http://api.my-saas.com:80/api", "api.my-saas.com:80").refused("url_not_https");
    Case::my_saas()
        .with(
            SCHEMA,
            "/authenticatedApis/0/url",
            json!("http://127.0.0.1:9000/api"),
        )
        .refused("url_not_https");
}

#[test]
fn an_endpoint_is_https_without_placeholder_or_fragment() {
    for (value, code) in [
        ("http://auth.my-saas.com/oauth/token", "url_not_https"),
        (
            "https://{tenant}.my-saas.com/oauth/token",
            "url_placeholder",
        ),
        ("https://auth.my-saas.com/oauth/token#x", "url_fragment"),
        (
            "https://id:secret@auth.my-saas.com/oauth/token",
            "url_userinfo",
        ),
        ("auth.my-saas.com/oauth/token", "url_invalid"),
    ] {
        for key in ["tokenUrl", "authenticationUrl", "profileUrl"] {
            let pointer = format!("/customApplicationInfo/metadata/{key}");
            let findings = Case::my_saas()
                .with(PASSPORT, &pointer, json!(value))
                .import()
                .unwrap_err();
            assert!(
                findings.iter().any(|finding| finding.code == code),
                "{key} {value}: {findings:?}"
            );
        }
        Case::my_saas()
            .with(
                CONSULATE,
                "/passports/my-saas-connector/revocation_url",
                json!(value),
            )
            .refused(code);
    }
    let mut case = Case::my_saas().with(
        PASSPORT,
        "/customApplicationInfo/metadata/tokenUrl",
        json!("http://127.0.0.1:9000/token"),
    );
    case.options.allow = vec!["127.0.0.1:9000".to_owned()];
    assert_eq!(
        case.accepted().passports[0].token_url,
        "http://127.0.0.1:9000/token"
    );
}

#[test]
fn an_origin_is_exactly_what_a_browser_sends() {
    for origin in [
        "https://app.happeo.com",
        "https://app.happeo.com:8443",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
    ] {
        let import = Case::graph()
            .with(CONSULATE, "/origins", json!([origin]))
            .accepted();
        assert_eq!(import.widget.origins, [origin]);
    }
    for origin in [
        "*",
        "null",
        "https://*.happeo.com",
        "https://app.happeo.com/",
        "https://app.happeo.com/x",
        "https://App.happeo.com",
        "https://app.happeo.com:443",
        "app.happeo.com",
        "https://u@app.happeo.com",
        "",
    ] {
        Case::graph()
            .with(CONSULATE, "/origins", json!([origin]))
            .refused("origin_inexact");
    }
    Case::graph()
        .with(CONSULATE, "/origins", json!(["http://app.happeo.com"]))
        .refused("url_not_https");
    Case::graph()
        .with(CONSULATE, "/origins", json!([1]))
        .refused("field_type");
}

#[test]
fn a_return_address_is_https_or_loopback_without_a_fragment() {
    for address in [
        "https://app.happeo.com/done?x=1",
        "http://localhost:3000/done",
        "http://127.0.0.1:1/",
    ] {
        Case::graph()
            .with(CONSULATE, "/return_urls", json!([address]))
            .accepted();
    }
    for (address, code) in [
        ("http://app.happeo.com/done", "url_not_https"),
        ("https://app.happeo.com/done#x", "url_fragment"),
        ("https://u:p@app.happeo.com/done", "url_userinfo"),
        ("/done", "url_invalid"),
        ("javascript:alert(1)", "url_not_https"),
    ] {
        Case::graph()
            .with(CONSULATE, "/return_urls", json!([address]))
            .refused(code);
    }
}

/// Private, loopback, link-local and reserved addresses in the notations URL readers take.
const PRIVATE: [&str; 26] = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "0",
    "255.255.255.255",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "%31%32%37.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[fc00::1]",
    "[fe80::1]",
    "localhost",
    "LOCALHOST.",
];

#[test]
fn a_private_address_is_refused_wherever_it_stands_and_however_it_is_spelled() {
    let names = [
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "nas.home.arpa",
    ];
    for host in PRIVATE.iter().chain(&names) {
        let url = format!("https://{host}/v1");
        let fields = [
            (SCHEMA, "/authenticatedApis/0/url".to_owned()),
            (
                CONSULATE,
                "/passports/my-saas-connector/revocation_url".to_owned(),
            ),
            (CONSULATE, "/passports/my-saas-connector/issuer".to_owned()),
            (
                PASSPORT,
                "/customApplicationInfo/metadata/tokenUrl".to_owned(),
            ),
            (
                PASSPORT,
                "/customApplicationInfo/metadata/authenticationUrl".to_owned(),
            ),
            (
                PASSPORT,
                "/customApplicationInfo/metadata/profileUrl".to_owned(),
            ),
        ];
        for (file, pointer) in fields {
            let finding = Case::my_saas()
                .with(file, &pointer, json!(url))
                .import()
                .unwrap_err()
                .remove(0);
            assert_eq!(finding.code, "url_private", "{url} {pointer}: {finding:?}");
            let key = pointer.rsplit('/').next().unwrap();
            assert!(finding.message.contains(key) && finding.line.is_some());
        }
        let finding = Case::my_saas()
            .with(
                CONSULATE,
                "/passports/my-saas-connector/api_hosts",
                json!([host]),
            )
            .import()
            .unwrap_err()
            .remove(0);
        assert!(
            ["url_private", "api_host_invalid"].contains(&finding.code),
            "{host}: {finding:?}"
        );
        assert!(finding.message.contains("api_hosts"));
    }
}

#[test]
fn a_public_address_that_looks_private_is_none() {
    for host in [
        "8.8.8.8",
        "localhost.example.com",
        "internal.example.com",
        "notlocalhost",
        "1.example",
    ] {
        let case = Case::my_saas().with(
            SCHEMA,
            "/authenticatedApis/0/url",
            json!(format!("https://{host}/v1")),
        );
        assert!(
            case.accepted().passports[0]
                .api_hosts
                .contains(&host.to_owned()),
            "{host}"
        );
    }
}
