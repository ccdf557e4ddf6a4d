//! The bundles of the Appspace page and Happeo's own: they import as they are, and their connect links lead to the right
//! provider with the right parameters.

use std::path::PathBuf;

use consulate_flows::browser::Browser;
use consulate_flows::stack::{HOST_SECRET, Stack};
use consulate_flows::walk::query;
use http::Method;
use serde_json::json;

use super::{command, done};

pub(super) fn fixture(name: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/bundles");
    let path = PathBuf::from(fixtures).join(name);
    path.to_str().unwrap().to_owned()
}

/// The authorize address that connecting `auth_key` of `widget` leads to.
async fn authorize_url(stack: &Stack, widget: &str, jwt: &str, auth_key: &str) -> String {
    let secret = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let name = format!("consulate/widgets/{widget}");
    stack.dev.secrets.put(&name, &secret).unwrap();
    let url = format!(
        "{}/v1/widgets/{widget}/connections/{auth_key}/connect",
        stack.dev.base_url
    );
    let bearer = format!("Bearer {jwt}");
    let headers = [("authorization", bearer.as_str())];
    let link = stack.wire.call(Method::POST, &url, &headers, "{}").await;
    let link = link.expect(201).json();
    let link = link["connect_url"].as_str().unwrap();
    let mut browser = Browser::default();
    let departed = stack.handshake(&mut browser, link, jwt).await.expect(303);
    departed.header("location").to_owned()
}

/// What every authorize URL carries, whoever the provider.
#[track_caller]
fn asks_for(
    stack: &Stack,
    url: &str,
    endpoint: &str,
    client_id: &str,
    passport: &str,
    scope: &str,
) {
    let (before, _) = url.split_once('?').unwrap();
    assert_eq!(before, endpoint);
    let param = |name: &str| query(url, name).unwrap_or_default();
    assert_eq!(param("response_type"), "code");
    assert_eq!(param("client_id"), client_id);
    let redirect_uri = format!("{}/v1/callback/{passport}", stack.dev.base_url);
    assert_eq!(param("redirect_uri"), redirect_uri);
    assert_eq!(param("scope"), scope);
    assert_eq!(param("code_challenge_method"), "S256");
    assert_eq!(param("code_challenge").len(), 43);
    assert_eq!(param("state").len(), 43);
    let names: Vec<String> = url::Url::parse(url)
        .unwrap()
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
}

#[tokio::test]
async fn the_graph_calendar_connects_at_microsoft() {
    let stack = Stack::start().await;
    let bundle = fixture("graph-calendar");
    done(
        &command(
            &stack,
            &[
                "passports",
                "add",
                "m365",
                "--provider",
                "microsoft",
                "--client-id",
                "client 1",
            ],
        )
        .await,
    );
    let report = command(&stack, &["import", &bundle, "--bind", "msGraph=m365"]).await;
    done(&report);
    let redirect_uri = format!("{}/v1/callback/m365", stack.dev.base_url);
    assert_eq!(report.json["passports"][0]["redirect_uri"], redirect_uri);
    assert_eq!(
        report.json["passports"][0]["api_hosts"],
        json!(["graph.microsoft.com"])
    );
    let url = authorize_url(&stack, "calendar", &stack.jwt("ada"), "msGraph").await;
    asks_for(
        &stack,
        &url,
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize",
        "client 1",
        "m365",
        "offline_access openid email profile User.Read Calendars.Read",
    );
}

/// A provider of the catalogue whose scopes the operator names.
#[tokio::test]
async fn the_operators_scopes_are_what_is_asked_for() {
    let stack = Stack::start().await;
    let mut add = vec!["passports", "add", "m365", "--provider", "office365"];
    add.extend(["--client-id", "client-1", "--scope", "offline_access"]);
    add.extend(["--scope", "Calendars.Read"]);
    done(&command(&stack, &add).await);
    let bundle = fixture("graph-calendar");
    done(&command(&stack, &["import", &bundle, "--bind", "msGraph=m365"]).await);
    let url = authorize_url(&stack, "calendar", &stack.jwt("ada"), "msGraph").await;
    let scope = query(&url, "scope").unwrap();
    assert_eq!(scope, "offline_access Calendars.Read");
}

#[tokio::test]
async fn happeos_channels_connect_at_happeo() {
    let stack = Stack::start().await;
    let mut add = vec!["passports", "add", "happeo-app", "--provider", "happeo"];
    add.extend(["--client-id", "client-2"]);
    done(&command(&stack, &add).await);
    let bundle = fixture("happeo-channels");
    let bind = "happeoAuth=happeo-app";
    done(&command(&stack, &["import", &bundle, "--bind", bind]).await);
    let jwt = stack.jwt("ada");
    let url = authorize_url(&stack, "happeo-channels", &jwt, "happeoAuth").await;
    asks_for(
        &stack,
        &url,
        "https://login.happeo.com/oauth/authorize",
        "client-2",
        "happeo-app",
        "profile channels:read",
    );
}

/// The bundled passport of `my-saas-connector`, owned by the organisation.
#[tokio::test]
async fn my_saas_connects_at_its_own_provider_by_an_administrator() {
    let stack = Stack::start().await;
    let bundle = fixture("my-saas");
    let report = command(&stack, &["import", &bundle]).await;
    done(&report);
    let findings = report.json["findings"].to_string();
    assert!(findings.contains("client_id_placeholder"), "{findings}");
    let passport = "my-saas.my-saas-connector";
    assert_eq!(report.json["passports"][0]["id"], passport);
    let url = authorize_url(&stack, "my-saas", &stack.admin_jwt(), "mySaas").await;
    asks_for(
        &stack,
        &url,
        "https://auth.my-saas.com/oauth/authorize",
        "your-client-id-here",
        passport,
        "read:data write:data",
    );
}

/// All three in one deployment, under one host: they share callers, and nothing else.
#[tokio::test]
async fn the_three_fixtures_live_side_by_side_under_one_host() {
    let stack = Stack::start().await;
    done(&command(&stack, &["import", &fixture("my-saas")]).await);
    for name in ["graph-calendar", "happeo-channels"] {
        let path = fixture(name);
        super::refused(&stack, path.as_ref(), &[], "--join-host").await;
        let report = command(&stack, &["import", &path, "--join-host"]).await;
        done(&report);
        let findings = report.json["findings"].to_string();
        assert!(findings.contains("authentication_unbound"), "{findings}");
    }
    let items = stack.items().await;
    for pk in [
        "WIDGET#my-saas",
        "WIDGET#calendar",
        "WIDGET#happeo-channels",
        "HOST#acme-happeo",
        "PASSPORT#my-saas.my-saas-connector",
    ] {
        assert!(items.contains_key(pk), "{pk}");
    }
    // Without a passport the authentication says so.
    let secret = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let name = "consulate/widgets/calendar";
    stack.dev.secrets.put(name, &secret).unwrap();
    let url = format!(
        "{}/v1/widgets/calendar/connections/msGraph/connect",
        stack.dev.base_url
    );
    let bearer = format!("Bearer {}", stack.jwt("ada"));
    let headers = [("authorization", bearer.as_str())];
    let answer = stack.wire.call(Method::POST, &url, &headers, "{}").await;
    answer.expect_problem(424, "authentication_required", "reason", "not_bound");
}
