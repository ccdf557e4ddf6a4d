//! `passports` and `apis` of `consulate.json`.

use consulate_core::definition::{
    AnswerMatch, ClientAuthentication, Credential, Inject, PinnedKind, RefreshRotation,
    RevocationStyle,
};
use consulate_core::passport::ThrottleScope;

use super::*;

const SETTINGS: &str = "/passports/my-saas-connector";

fn settings(key: &str, value: Value) -> Case {
    Case::my_saas().with(CONSULATE, &format!("{SETTINGS}/{key}"), value)
}

fn settled(key: &str, value: Value) -> consulate_core::definition::Passport {
    settings(key, value).accepted().passports.remove(0)
}

#[test]
fn every_setting_reaches_the_passport() {
    let passport = Case::my_saas()
        .with(
            CONSULATE,
            SETTINGS,
            json!({
                "client_id": "c-1", "client_authentication": "basic", "refresh_rotation": "reusable",
                "revocation_url": "https://auth.my-saas.com/r", "revocation_cascades": true, "revocation_per_user": true,
                "issuer": "https://auth.my-saas.com", "scopes": ["a"], "scope_separator": ",", "pkce": "off",
                "pkce_off_because": "the provider refuses it", "authorize_params": {"prompt": "consent"},
                "scope_on_refresh": true, "access_lifetime_default_seconds": 900, "reserved_params": ["access_token", "method"],
                "browser_delivery": true, "revocation_style": "token_only", "token_params": {"resource": "r"},
                "renew_ahead_seconds": 60, "refresh_interval_seconds": 3600, "refresh_idle_seconds": 86400,
                "refresh_absolute_seconds": 864000, "token_calls_per_second": 5, "token_calls_at_once": 2, "throttle_reset_header": "X-Rate-Limit-Reset",
                "throttle_scope": "organisation",
                "scope_aliases": {"email": "https://x.example/email"}
            }),
        )
        .accepted()
        .passports
        .remove(0);
    assert_eq!(passport.client_id, "c-1");
    assert_eq!(passport.client_authentication, ClientAuthentication::Basic);
    assert_eq!(passport.refresh_rotation, RefreshRotation::Reusable);
    assert_eq!(
        passport.revocation_url.as_deref(),
        Some("https://auth.my-saas.com/r")
    );
    assert!(
        passport.revocation_cascades && passport.revocation_per_user && passport.scope_on_refresh
    );
    assert_eq!(passport.issuer.as_deref(), Some("https://auth.my-saas.com"));
    assert_eq!(
        (passport.scopes, passport.scope_separator.as_str()),
        (vec!["a".to_owned()], ",")
    );
    assert_eq!(
        passport.pkce_off_because.as_deref(),
        Some("the provider refuses it")
    );
    assert_eq!(passport.authorize_params["prompt"], "consent");
    assert_eq!(passport.access_lifetime_default_seconds, Some(900));
    assert_eq!(passport.reserved_params, ["access_token", "method"]);
    assert!(passport.browser_delivery);
    assert_eq!(passport.revocation_style, RevocationStyle::TokenOnly);
    assert_eq!(passport.token_params["resource"], "r");
    assert_eq!(passport.renew_ahead_seconds, Some(60));
    assert_eq!(passport.refresh_interval_seconds, Some(3_600));
    assert_eq!(passport.refresh_idle_seconds, Some(86_400));
    assert_eq!(passport.refresh_absolute_seconds, Some(864_000));
    assert_eq!(
        (
            passport.token_calls_per_second,
            passport.token_calls_at_once
        ),
        (Some(5), Some(2))
    );
    assert_eq!(
        passport.throttle_reset_header.as_deref(),
        Some("x-rate-limit-reset")
    );
    assert_eq!(passport.throttle_scope, ThrottleScope::Organisation);
    assert_eq!(passport.scope_aliases["email"], "https://x.example/email");
}

#[test]
fn a_setting_with_an_unknown_value_or_of_the_wrong_type_is_refused() {
    for (key, value, code) in [
        ("client_authentication", json!("header"), "value_unknown"),
        ("refresh_rotation", json!("none"), "value_unknown"),
        ("pkce", json!("plain"), "value_unknown"),
        ("pkce", json!("off"), "pkce_off_unexplained"),
        (
            "authorize_params",
            json!({"redirect_uri": "https://evil.example"}),
            "param_reserved",
        ),
        ("authorize_params", json!({"State": "x"}), "param_reserved"),
        ("scope_separator", json!("and"), "scope_separator_invalid"),
        ("access_lifetime_default_seconds", json!(-1), "field_type"),
        ("browser_delivery", json!("yes"), "field_type"),
        ("issuer", json!("auth.my-saas.com"), "url_invalid"),
    ] {
        assert_eq!(settings(key, value).refused(code).file, CONSULATE, "{key}");
    }
    settings("revocation_uri", json!("https://x.example")).warned("field_unknown");
}

#[test]
fn plain_pkce_is_refused_with_the_field_named() {
    let finding = settings("pkce", json!("plain")).refused("value_unknown");
    assert!(
        finding
            .message
            .contains("$.passports.my-saas-connector.pkce is \"plain\""),
        "{finding:?}"
    );
    assert!(finding.line.is_some() && finding.cure.contains("s256"));
}

#[test]
fn a_token_request_is_consulates_own() {
    for name in [
        "client_secret",
        "Refresh_Token",
        "code",
        "client_assertion",
        "Client_Assertion_Type",
    ] {
        settings("token_params", json!({name: "x"})).refused("param_reserved");
    }
    let own_grant = |grant: &str| {
        settings(
            "token_params",
            json!({"grant_type": grant, "account_id": "a"}),
        )
    };
    let finding = own_grant("account_credentials").refused("grant_type_refused");
    assert!(finding.message.contains("client_credentials") && finding.file == CONSULATE);
    let minted = |case: Case| {
        case.with(
            CONSULATE,
            &format!("{SETTINGS}/credential"),
            json!("client_credentials"),
        )
    };
    let passport = minted(own_grant("account_credentials"))
        .accepted()
        .passports
        .remove(0);
    assert_eq!(passport.token_params.len(), 2);
    let finding = minted(own_grant("Password")).refused("grant_type_refused");
    assert!(finding.message.contains("password"));
}

#[test]
fn a_number_of_seconds_has_bounds() {
    for (key, value) in [
        ("access_lifetime_default_seconds", json!(0)),
        ("renew_ahead_seconds", json!(0)),
        ("refresh_idle_seconds", json!(999_999_999_999_u64)),
        ("refresh_absolute_seconds", json!(0)),
        ("refresh_interval_seconds", json!(59)),
        ("refresh_interval_seconds", json!(2_592_001)),
    ] {
        let finding = settings(key, value).refused("seconds_out_of_bounds");
        assert!(finding.message.contains(key));
    }
    settings("refresh_idle_seconds", json!(1.5)).refused("field_type");
}

#[test]
fn client_credentials_need_no_authorization_endpoint_and_no_profile() {
    let case = settings("credential", json!("client_credentials"))
        .with(
            PASSPORT,
            "/customApplicationInfo/metadata/authenticationUrl",
            json!(null),
        )
        .with(
            PASSPORT,
            "/customApplicationInfo/metadata/profileUrl",
            json!(null),
        );
    let import = case.accepted();
    assert_eq!(
        import.passports[0].credential,
        Credential::ClientCredentials
    );
    assert_eq!(import.passports[0].authorize_url, "");
    assert!(!codes(&import).contains(&"profile_missing"));
    case.with(
        PASSPORT,
        "/customApplicationInfo/metadata/tokenUrl",
        json!(null),
    )
    .refused("field_missing");
    for credential in ["api_key", "basic", "personal_access_token"] {
        settings("credential", json!(credential)).refused("value_unknown");
    }
}

#[test]
fn a_credential_may_stand_in_a_header_or_in_the_query() {
    for (value, inject) in [
        (
            json!({"header": "X-Api-Token"}),
            Inject::Header {
                header: "X-Api-Token".to_owned(),
                scheme: None,
            },
        ),
        (
            json!({"header": "Authorization", "scheme": "Token"}),
            Inject::Header {
                header: "Authorization".to_owned(),
                scheme: Some("Token".to_owned()),
            },
        ),
        (
            json!({"query": "api_key"}),
            Inject::Query {
                query: "api_key".to_owned(),
            },
        ),
    ] {
        assert_eq!(settled("inject", value).inject, inject);
    }
    for value in [
        json!({}),
        json!({"header": "Host"}),
        json!({"header": "Cookie"}),
        json!({"header": "X_Forwarded_For"}),
        json!({"header": "a b"}),
        json!({"header": "A", "query": "a"}),
        json!({"header": "A", "scheme": "a b"}),
        json!({"header": "A", "scheme": ""}),
        json!({"query": "a=b&c"}),
        json!({"query": "", "scheme": "x"}),
        json!({"scheme": "Bearer"}),
    ] {
        settings("inject", value.clone()).refused("inject_invalid");
    }
    settings("inject", json!("header")).refused("field_type");
}

#[test]
fn fields_of_the_token_reply_are_kept_by_name_and_pointer() {
    let passport = settled(
        "pinned",
        json!([{"name": "instance_url", "at": "/instance_url", "kind": "origin"}, {"name": "team", "at": "/team/0/id~1x"}]),
    );
    assert_eq!(passport.pinned[0].kind, PinnedKind::Origin);
    assert_eq!(passport.pinned[1].kind, PinnedKind::Text);
    assert_eq!(passport.pinned[1].at, "/team/0/id~1x");
    for value in [
        json!([{"name": "A", "at": "/a"}]),
        json!([{"name": "a.b", "at": "/a"}]),
        json!([{"name": "a", "at": "a"}]),
        json!([{"name": "a", "at": "/a~2"}]),
        json!([{"name": "a", "at": "/a~"}]),
        json!([{"name": "a", "at": "/a"}, {"name": "a", "at": "/b"}]),
    ] {
        settings("pinned", value.clone()).refused("pinned_invalid");
    }
    for at in [
        "/access_token",
        "/a/Refresh_Token",
        "/id_token",
        "/token",
        "/CLIENT_SECRET",
    ] {
        let finding =
            settings("pinned", json!([{"name": "a", "at": at}])).refused("pinned_credential");
        assert!(finding.message.contains("pinned[0].at"), "{finding:?}");
    }
    settings("pinned", json!([{"name": "a", "at": ""}])).refused("field_missing");
    Case::my_saas()
        .with(
            PASSPORT,
            "/customApplicationInfo/metadata",
            json!({"clientId": "c", "inheritFrom": "slack"}),
        )
        .with(
            CONSULATE,
            SETTINGS,
            json!({"pinned": [{"name": "user", "at": "/authed_user"}]}),
        )
        .refused("pinned_credential");
    settings("pinned", json!([{"name": "a"}])).refused("field_missing");
    settings("pinned", json!([{"name": "a", "at": "/a", "kind": "url"}])).refused("value_unknown");
}

#[test]
fn patterns_of_hosts_name_the_providers_own_domain() {
    let passport = settled(
        "host_patterns",
        json!(["*.My-SaaS.com", "*.eu.my-saas.com"]),
    );
    assert_eq!(
        passport.host_patterns,
        ["*.my-saas.com", "*.eu.my-saas.com"]
    );
    for pattern in [
        "*",
        "*.",
        "*.com",
        "my-saas.com",
        "*my-saas.com",
        "*.*.com",
        "*.my-saas.com/x",
        "*.my-saas.com:8443",
        "https://*.my-saas.com",
        "*.-a.com",
        "*.a_b.com",
        "",
    ] {
        settings("host_patterns", json!([pattern])).refused("host_pattern_invalid");
    }
    for pattern in [
        "*.corp.internal",
        "*.printer.local",
        "*.0.0.1",
        "*.app.localhost",
    ] {
        let findings = settings("host_patterns", json!([pattern]))
            .import()
            .unwrap_err();
        assert!(
            ["url_private", "host_pattern_invalid"].contains(&findings[0].code),
            "{pattern}: {findings:?}"
        );
    }
}

#[test]
fn an_answer_is_told_from_others_or_the_match_is_refused() {
    for key in ["expired_when", "throttled_when"] {
        settings(key, json!([{"status": [403, 500]}])).accepted();
        settings(key, json!([{"contains": "INVALID_SESSION"}])).accepted();
        settings(
            key,
            json!([{"status": [200], "at": "/error", "is": ["token_expired"]}]),
        )
        .accepted();
        for value in [
            json!([{}]),
            json!([{"status": [200]}]),
            json!([{"status": [200, 401]}]),
            json!([{"at": "/error"}]),
            json!([{"is": ["x"]}]),
            json!([{"at": "error", "is": ["x"]}]),
            json!([{"at": "error", "is": ["x"], "contains": "x"}]),
            json!([{"contains": ""}]),
        ] {
            settings(key, value).refused("answer_match_invalid");
        }
        for value in [
            json!([{"status": 403}]),
            json!([{"status": ["403"]}]),
            json!([{"status": [99]}]),
            json!([{"status": [70_000]}]),
        ] {
            settings(key, value).refused("field_type");
        }
    }
    // A connection ends by it: a status alone is too little.
    settings("refused_when", json!([{"status": [400]}])).refused("answer_match_invalid");
    let passport = settled("refused_when", json!([{"at": "/error", "is": ["dead"]}]));
    assert_eq!(
        passport.refused_when,
        [AnswerMatch {
            at: Some("/error".to_owned()),
            is: vec!["dead".to_owned()],
            ..AnswerMatch::default()
        }]
    );
}

#[test]
fn a_header_that_tells_when_calls_are_welcome_is_a_header() {
    settings("throttle_reset_header", json!("a b")).refused("header_invalid");
}

#[test]
fn an_api_takes_its_scopes_its_repeatability_and_its_slot() {
    let api = Case::my_saas()
        .with(
            CONSULATE,
            "/apis/createTask",
            json!({"scopes": ["write:data"], "idempotent": true}),
        )
        .accepted();
    let api = api.widget.api("createTask").unwrap();
    assert!(api.idempotent && api.scopes == ["write:data"] && api.token_slot.is_empty());
    let finding = Case::my_saas()
        .with(CONSULATE, "/apis/createTask/token_slot", json!("user"))
        .refused("token_slot_unknown");
    assert!(finding.cure.contains("one token"), "{finding:?}");
}

#[test]
fn a_slot_is_one_of_the_providers() {
    let slack = |slot: &str| {
        let mut case = Case::graph();
        case.files = vec![
            (
                SCHEMA,
                json!({
                    "authentications": [{"authenticationType": "passport", "authKey": "s", "metadata": {"passportProvider": "slack"}}],
                    "authenticatedApis": [{"label": "l", "name": "list", "url": "https://slack.com/api/conversations.list", "method": "GET", "authenticationKey": "s"}]
                }),
            ),
            (
                CONSULATE,
                json!({"widget": "w", "apis": {"list": {"token_slot": slot}}}),
            ),
        ];
        case
    };
    assert_eq!(slack("user").accepted().widget.apis[0].token_slot, "user");
    let finding = slack("bot").refused("token_slot_unknown");
    assert!(finding.cure.contains("user"));
}
