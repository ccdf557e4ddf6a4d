//! `{connection.KEY.FIELD}`: which fields there are, and which hosts they may make. Where a provider takes its credential.

use super::*;

const KEY: &str = "auth";

/// A bundle with one API on a built-in provider.
fn built_in(provider: &str, url: &str) -> Case {
    let mut case = Case::graph();
    case.files = vec![
        (
            SCHEMA,
            json!({
                "authentications": [{"authenticationType": "passport", "authKey": KEY, "metadata": {"passportProvider": provider}}],
                "authenticatedApis": [{"label": "l", "name": "call", "url": url, "method": "POST", "authenticationKey": KEY}]
            }),
        ),
        (CONSULATE, json!({"widget": "w"})),
    ];
    case
}

fn my_saas(url: &str) -> Case {
    Case::my_saas().with(SCHEMA, "/authenticatedApis/0/url", json!(url))
}

fn settings(case: Case, key: &str, value: Value) -> Case {
    case.with(
        CONSULATE,
        &format!("/passports/my-saas-connector/{key}"),
        value,
    )
}

#[test]
fn a_field_of_the_provider_may_stand_in_path_query_header_body_and_host() {
    let url = "{connection.auth.instance_url}/services/data/{connection.auth.instance_url}?from={connection.auth.login_host}";
    let api = "/authenticatedApis/0";
    let import = built_in("salesforce", url)
        .with(
            SCHEMA,
            &format!("{api}/headers"),
            json!({"X-From": "{connection.auth.instance_url}"}),
        )
        .with(
            SCHEMA,
            &format!("{api}/body"),
            json!({"deep": ["{connection.auth.instance_url}"]}),
        )
        .accepted();
    assert_eq!(import.widget.apis[0].url, url);
    for url in [
        "https://{connection.auth.host}/api/{connection.auth.api_version}/sites/{connection.auth.site_id}",
        "https://{connection.auth.HOST}/",
    ] {
        let result = built_in("tableau", url).import();
        assert_eq!(result.is_ok(), !url.contains("HOST"), "{url}: {result:?}");
    }
    built_in("servicenow", "https://{connection.auth.instance}/api/now").accepted();
    built_in("servicenow", "https://acme.service-now.com/api/now").accepted();
    built_in(
        "servicenow",
        "https://{connection.auth.instance}.service-now.com/api",
    )
    .accepted();
    // That an operator may agree to any host lets a bundle put none behind it.
    built_in(
        "servicenow",
        "https://{connection.auth.instance}.evil.example/",
    )
    .refused("api_host_foreign");
}

#[test]
fn a_field_the_provider_does_not_have_is_refused_with_those_it_has() {
    let finding = built_in("salesforce", "{connection.auth.instance_uri}/x")
        .refused("connection_field_unknown");
    assert!(
        finding.cure.contains("instance_url, login_host"),
        "{finding:?}"
    );
    assert!(finding.cure.contains("Did you mean \"instance_url\"?"));
    assert!(finding.line.is_some());
    let finding = built_in(
        "google",
        "https://www.googleapis.com/{connection.auth.tenant}",
    )
    .refused("connection_field_unknown");
    assert!(finding.cure.contains("has none"), "{finding:?}");
    let url = "https://api.my-saas.com/{connection.mySaas.region}";
    my_saas(url).refused("connection_field_unknown");
    settings(
        my_saas(url),
        "pinned",
        json!([{"name": "region", "at": "/region"}]),
    )
    .accepted();
}

#[test]
fn the_connection_of_another_authentication_is_out_of_reach() {
    built_in("salesforce", "{connection.other.instance_url}/x").refused("template_invalid");
}

#[test]
fn nothing_but_the_connection_stands_in_a_host() {
    for url in [
        "{param.base}/x",
        "{user.id}/x",
        "{authorization.auth.token}/x",
        "https://{param.tenant}.salesforce.com/x",
        "https://{connection.auth.instance_url}.{param.x}.salesforce.com/x",
        "https://login.salesforce.com:{connection.auth.instance_url}/x",
        "{connection.auth.instance_url}://login.salesforce.com/x",
        "https://{connection.auth.instance_url/x",
        "https://connection.auth.instance_url}/x",
        "https://{{connection.auth.instance_url}}/x",
    ] {
        let findings = built_in("salesforce", url).import().unwrap_err();
        assert!(
            findings.iter().any(|finding| [
                "url_placeholder",
                "template_invalid",
                "authorization_outside_headers"
            ]
            .contains(&finding.code)),
            "{url}: {findings:?}"
        );
    }
    for url in [
        "{connection.auth.instance_url}x/y",
        "{connection.auth.instance_url}:8443/x",
        "{connection.auth.instance_url}.evil.example/x",
        "{connection.auth.instance_url}@evil.example/x",
        "http://{connection.auth.instance_url}/x",
        "https://user@{connection.auth.instance_url}/x",
        "{connection.auth.instance_url}/x#y",
        "{connection.auth.instance_url}/a b",
    ] {
        let result = built_in("salesforce", url).import();
        assert!(result.is_err(), "{url}: {result:?}");
    }
}

#[test]
fn a_host_from_the_connection_must_be_able_to_be_one_of_the_providers() {
    let tenant = |ending: &str| {
        built_in(
            "salesforce",
            &format!("https://{{connection.auth.login_host}}{ending}/x"),
        )
    };
    tenant(".my.salesforce.com").accepted();
    let finding = tenant(".evil.example").refused("api_host_foreign");
    assert!(finding.cure.contains("*.salesforce.com"), "{finding:?}");
    tenant(".salesforce.com.evil.example").refused("api_host_foreign");
}

#[test]
fn a_bundled_passport_needs_patterns_for_hosts_from_the_connection() {
    let url = "{connection.mySaas.instance_url}/v1";
    let pinned = json!([{"name": "instance_url", "at": "/instance_url", "kind": "origin"}]);
    let only = |case: Case| {
        let api = json!({"label": "l", "name": "call", "url": url, "method": "GET", "authenticationKey": "mySaas"});
        case.with(SCHEMA, "/authenticatedApis", json!([api]))
            .with(CONSULATE, "/apis", json!({}))
    };
    let case = settings(only(Case::my_saas()), "pinned", pinned);
    let finding = case.refused("api_host_foreign");
    assert!(finding.cure.contains("host_patterns"), "{finding:?}");
    let case = settings(case, "host_patterns", json!(["*.my-saas.com"]));
    let import = case.accepted();
    assert_eq!(import.passports[0].host_patterns, ["*.my-saas.com"]);
    assert!(import.passports[0].api_hosts.is_empty());
    assert!(!codes(&import).contains(&"api_hosts_missing"));
}

#[test]
fn a_bearer_header_is_warned_about_where_the_provider_takes_its_credential_elsewhere() {
    let bearer = |case: Case, key: &str| {
        case.with(
            SCHEMA,
            "/authenticatedApis/0/headers",
            json!({"authorization": format!("bearer {{authorization.{key}.token}}")}),
        )
    };
    let tableau = "https://{connection.auth.host}/api/3.26/sites";
    let warning = bearer(built_in("tableau", tableau), KEY).warned("credential_scheme");
    assert!(
        warning
            .message
            .contains("X-Tableau-Auth: {authorization.auth.token}"),
        "{warning:?}"
    );
    assert!(warning.line.is_some() && warning.cure.contains("Take the header out"));
    let own = built_in("tableau", tableau).with(
        SCHEMA,
        "/authenticatedApis/0/headers",
        json!({"X-Tableau-Auth": "{authorization.auth.token}"}),
    );
    assert!(!codes(&own.accepted()).contains(&"credential_scheme"));
    let google = bearer(built_in("google", "https://www.googleapis.com/x"), KEY);
    assert!(!codes(&google.accepted()).contains(&"credential_scheme"));

    for (inject, shown) in [
        (json!({"query": "api_key"}), "query parameter api_key"),
        (
            json!({"header": "Authorization", "scheme": "Basic"}),
            "Authorization: Basic {authorization.mySaas.token}",
        ),
    ] {
        let case = settings(bearer(Case::my_saas(), "mySaas"), "inject", inject);
        let warning = case.warned("credential_scheme");
        assert!(warning.message.contains(shown), "{warning:?}");
    }
}

#[test]
fn a_retired_provider_is_refused_with_its_reason() {
    let finding =
        built_in("workplace", "https://graph.workplace.com/me").refused("provider_retired");
    assert!(
        finding.message.contains("Meta deleted Workplace"),
        "{finding:?}"
    );
    assert!(finding.line.is_some());
}
