//! `host`: OpenID Connect issuers, JWTs that change something once.

use consulate_core::definition::{ClaimPath, Host, HostKind, OidcHost};
use consulate_core::egress::LoopbackExceptions;

use super::super::{Stored, differences};
use super::*;

fn oidc() -> Value {
    json!({"type": "oidc", "id": "acme", "issuer": "https://id.example.com/", "audience": "widgets",
           "claims": {"user": "$.sub", "organisation": "$.org_id", "email": "$.email"}})
}

fn hosted(host: Value) -> Case {
    Case::graph().with(CONSULATE, "/host", host)
}

/// The issuer's host with the member at `pointer` set; null takes it out.
fn with(pointer: &str, value: Value) -> Case {
    hosted(oidc()).with(CONSULATE, &format!("/host{pointer}"), value)
}

fn declared(case: &Case) -> (Host, OidcHost) {
    let host = case.accepted().host.unwrap();
    let HostKind::Oidc(oidc) = host.kind.clone() else {
        panic!("{host:?}");
    };
    (host, oidc)
}

fn path(text: &str) -> ClaimPath {
    ClaimPath::parse(text).unwrap()
}

#[test]
fn an_issuer_is_a_host() {
    let (host, oidc) = declared(&hosted(oidc()));
    assert_eq!(host.id, "acme");
    assert!(host.require_exp && !host.one_time_jwt);
    assert_eq!(oidc.issuer, "https://id.example.com/");
    assert_eq!(oidc.audience, "widgets");
    assert_eq!(oidc.claims.organisation, Some(path("$.org_id")));
}

#[test]
fn user_and_email_have_their_standard_places_and_the_organisation_has_none() {
    let (_, oidc) = declared(&with(
        "/claims",
        json!({"organisation": "$['https://example.com/org']"}),
    ));
    assert_eq!(
        (oidc.claims.user, oidc.claims.email),
        (path("$.sub"), path("$.email"))
    );
    assert_eq!(
        oidc.claims.organisation,
        Some(path("$['https://example.com/org']"))
    );
    let fixed = with("/claims", json!(null)).with(CONSULATE, "/host/organisation", json!("acme"));
    assert_eq!(declared(&fixed).1.organisation.as_deref(), Some("acme"));
    with("/claims/organisation", json!(null)).refused("host_organisation_unclear");
    with("/claims", json!(null)).refused("host_organisation_unclear");
    with("/organisation", json!("acme")).refused("host_organisation_unclear");
    with("/claims/organisation", json!(null))
        .with(CONSULATE, "/host/organisation", json!(" "))
        .refused("field_missing");
}

#[test]
fn a_wrong_issuer_is_refused_by_name() {
    for (pointer, value, code) in [
        ("/issuer", json!(null), "field_missing"),
        ("/issuer", json!("id.example.com"), "url_invalid"),
        ("/issuer", json!("http://id.example.com"), "url_not_https"),
        ("/issuer", json!("http://127.0.0.1:9000"), "url_not_https"),
        ("/issuer", json!("https://10.0.0.1"), "url_private"),
        ("/issuer", json!("https://a@id.example.com"), "url_userinfo"),
        (
            "/issuer",
            json!("https://id.example.com/#x"),
            "url_fragment",
        ),
        (
            "/issuer",
            json!("https://{tenant}.example.com"),
            "url_placeholder",
        ),
        (
            "/issuer",
            json!("https://id.example.com/?x=1"),
            "issuer_invalid",
        ),
        (
            "/issuer",
            json!("https://id.example.com/.well-known/openid-configuration"),
            "issuer_invalid",
        ),
        ("/audience", json!(null), "field_missing"),
        ("/audience", json!(["widgets"]), "field_type"),
        ("/claims/user", json!("sub"), "claim_path_invalid"),
        ("/claims/user", json!("$.roles[*]"), "claim_path_invalid"),
        ("/claims/email", json!(7), "field_type"),
        (
            "/claims/organisation",
            json!("$..org"),
            "claim_path_invalid",
        ),
        ("/claims", json!([]), "field_type"),
    ] {
        let case = with(pointer, value.clone());
        let findings = case.import().expect_err(pointer);
        assert!(
            findings.iter().any(|finding| finding.code == code),
            "{pointer} {value}: {findings:#?}"
        );
    }
    with("/require_exp", json!(false)).warned("field_unknown");
    with("/claims/organization", json!("$.org")).warned("field_unknown");
}

#[test]
fn an_issuer_on_loopback_takes_a_server_that_allows_it() {
    let mut case = with("/issuer", json!("http://127.0.0.1:9000"));
    case.refused("url_not_https");
    case.options.allow = vec!["127.0.0.1:9000".to_owned()];
    let exceptions = LoopbackExceptions::new(["127.0.0.1:9000"]);
    assert!(exceptions.allow("127.0.0.1", 9000));
    assert_eq!(declared(&case).1.issuer, "http://127.0.0.1:9000");
}

#[test]
fn one_time_jwts_are_for_either_kind_and_must_end() {
    for host in [
        json!({"type": "happeo", "id": "acme", "one_time_jwt": true}),
        {
            let mut host = oidc();
            host["one_time_jwt"] = json!(true);
            host
        },
    ] {
        assert!(hosted(host).accepted().host.unwrap().one_time_jwt);
    }
    hosted(json!({"type": "happeo", "one_time_jwt": true, "require_exp": false}))
        .refused("one_time_jwt_without_exp");
    hosted(json!({"type": "happeo", "one_time_jwt": "yes"})).refused("field_type");
}

#[test]
fn every_change_of_a_host_is_named() {
    let import = hosted(oidc()).accepted();
    let stored = Stored {
        widget: import.widget,
        host: import.host,
        passports: import.passports,
    };
    assert!(differences(&stored, &hosted(oidc()).accepted()).is_empty());
    for (pointer, value) in [
        ("/issuer", json!("https://id.example.com")),
        ("/audience", json!("other")),
        ("/claims/user", json!("$.oid")),
        ("/claims/organisation", json!("$.tid")),
        ("/claims/email", json!("$.upn")),
        ("/one_time_jwt", json!(true)),
        ("/id", json!("other")),
    ] {
        let lines = differences(&stored, &with(pointer, value).accepted());
        assert!(
            lines.len() == 1 && lines[0].starts_with("host: "),
            "{pointer}: {lines:?}"
        );
    }
    let happeo = hosted(json!({"type": "happeo", "id": "acme"})).accepted();
    assert_eq!(
        differences(&stored, &happeo),
        [
            "host: acme (oidc of https://id.example.com/ for widgets; user sub, organisation org_id, email email) -> acme (happeo)"
        ]
    );
}
