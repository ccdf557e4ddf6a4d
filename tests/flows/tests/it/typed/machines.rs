//! Client credentials: nobody types anything, the operator's client gets the tokens.

use std::time::Duration;

use consulate_fakes::provider::Reply;
use consulate_flows::acme::{CLIENT_ID, LIFETIME};
use consulate_flows::own::{CLIENT_SECRET, ENTRIES, MACHINE, Own, connections};
use consulate_flows::stage::{Stage, THEIRS};
use futures_util::future::join_all;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn an_administrator_connects_the_organisation_by_typing_nothing() {
    let own = Own::start().await;
    let status = own.connected("admin", MACHINE, &json!({})).await;
    assert_eq!(
        status["credential"],
        json!({"kind": "client_credentials", "fields": []})
    );
    assert!(status["expires_at"].is_string(), "{status}");
    assert_eq!(status["account"]["name"], "Seven");
    let asked = own.acme.seen_at("/oauth/token");
    assert_eq!(asked.len(), 1);
    let client = (CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned());
    assert_eq!(asked[0].client(), Some(client));
    assert_eq!(asked[0].body, "grant_type=client_credentials");
    own.echo("bob", MACHINE, json!({})).await.expect(200);
    let token = own.acme.live_tokens().pop().unwrap();
    assert_eq!(
        own.acme.last_call().header("authorization"),
        format!("Bearer {token}")
    );
    assert_eq!(own.leaks(&token), Vec::<String>::new());
    assert_eq!(own.leaks(CLIENT_SECRET), Vec::<String>::new());
}

#[tokio::test]
async fn a_profile_that_knows_no_machines_does_not_refuse_one_and_its_scopes_are_those_granted() {
    let entries = ENTRIES.replace("api.acme.example/v1/me", "api.acme.example/v1/people");
    let entries = entries.replace(
        "credential = \"client_credentials\"",
        "credential = \"client_credentials\"\nscopes = [\"read\", \"write\"]",
    );
    let own = Own::start_with(&entries).await;
    let status = own.connected("admin", MACHINE, &json!({})).await;
    assert_eq!(own.acme.seen_at("/v1/people").len(), 1);
    assert_eq!(status["account"], json!(null), "{status}");
    assert_eq!(status["scopes"], json!(["read"]), "{status}");
    own.echo("bob", MACHINE, json!({})).await.expect(200);
}

#[tokio::test]
async fn fifty_callers_of_an_ended_token_make_one_token_request() {
    let own = Own::start().await;
    own.connected("admin", MACHINE, &json!({})).await;
    own.wait(LIFETIME);
    own.acme.slow_tokens(Duration::from_millis(200));
    let users: Vec<String> = (0..50).map(|number| format!("u{number}")).collect();
    let calls = users.iter().map(|user| own.echo(user, MACHINE, json!({})));
    for answer in join_all(calls).await {
        assert_eq!(answer.expect(200).json()["isSuccess"], true);
    }
    assert_eq!(own.token_calls(), 2);
    assert_eq!(own.acme.live_tokens().len(), 1);
}

#[tokio::test]
async fn a_client_the_provider_refuses_is_the_operators_to_repair_and_nothing_is_stored() {
    let own = Own::start().await;
    own.acme.set_client_secret("another-secret");
    let refused = own.put(&own.jwt("admin"), MACHINE, &json!({})).await;
    let refused = refused.expect_problem(503, "unavailable", "", "");
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("an operator has to look")
    );
    assert!(own.connections().await.is_empty());
    assert_eq!(
        own.status("admin", MACHINE).await["status"],
        "not_connected"
    );

    // A connection that was made before stays: whoever repairs the client need not connect it again.
    own.acme.set_client_secret(CLIENT_SECRET);
    own.connected("admin", MACHINE, &json!({})).await;
    own.acme.set_client_secret("another-secret");
    own.wait(LIFETIME);
    own.echo("ada", MACHINE, json!({}))
        .await
        .expect_problem(503, "unavailable", "", "");
    assert_eq!(own.status("ada", MACHINE).await["status"], "connected");
    own.acme.set_client_secret(CLIENT_SECRET);
    own.wait(31);
    own.echo("ada", MACHINE, json!({})).await.expect(200);
}

/// What stands in place of a refresh token is none: the provider is shown the access token and nothing else.
#[tokio::test]
async fn disconnecting_revokes_the_access_token_and_shows_nothing_else() {
    let own = Own::start().await;
    own.connected("admin", MACHINE, &json!({})).await;
    let token = own.acme.live_tokens().pop().unwrap();
    let receipt = own.disconnect("admin", MACHINE).await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    let shown: Vec<_> = own.acme.seen_at("/oauth/revoke");
    let shown: Vec<_> = shown
        .iter()
        .map(|call| call.form("token").unwrap())
        .collect();
    assert_eq!(shown, [token]);
    assert_eq!(own.acme.live_tokens(), Vec::<String>::new());
}

#[tokio::test]
async fn a_zoom_server_app_connects_renews_once_for_fifty_and_refuses_a_wrong_secret() {
    let stage = Stage::set("zoom", "zoom-server").await;
    let path = format!("connections/{THEIRS}");
    let name = format!("consulate/passports/{}", stage.simulated().id);
    let good = stage.dev.secrets.get(&name).unwrap();

    let mut wrong: serde_json::Value = serde_json::from_str(&good).unwrap();
    wrong["client_secret"] = "wrong".into();
    let stage_wrong = Stage::set("zoom", "zoom-server").await;
    stage_wrong
        .dev
        .secrets
        .put(&name, &wrong.to_string())
        .unwrap();
    let refused = stage_wrong
        .widget("ada", Method::PUT, &path, &json!({}))
        .await;
    refused.expect_problem(503, "unavailable", "", "");
    assert!(connections(&stage_wrong.dev.target).await.is_empty());
    assert_eq!(stage_wrong.family.live_grants(), 0);

    stage.connect("ada").await;
    assert_eq!(stage.family.token_requests().len(), 1);
    stage.wait(3_600);
    stage
        .family
        .script_token(Reply::SlowBy(Duration::from_millis(200)));
    join_all((0..50).map(|_| stage.probe("ada"))).await;
    assert_eq!(stage.family.token_requests().len(), 2);
    let asked = stage.family.token_requests().pop().unwrap();
    assert_eq!(asked.grant_type, "account_credentials");
}
