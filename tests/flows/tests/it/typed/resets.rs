//! The reset rule: another client or another endpoint asks for connecting again, a rotated client secret does not. It is
//! compared when a row is read; no row is written.

use consulate::operator::report::Outcome;
use consulate_flows::acme::{CLIENT_ID, LIFETIME, LOGIN, MOVED};
use consulate_flows::own::{CLIENT_SECRET, ENTRIES, HEADER, MACHINE, Own, QUERY, done};
use serde_json::json;

/// The organisation's machine, connected.
async fn connected() -> Own {
    let own = Own::start().await;
    own.connected("admin", MACHINE, &json!({})).await;
    own
}

/// Makes the passport anew, and starts Consulate anew: definitions are cached for a second.
async fn with_passport(own: Own, id: &str, flags: &[&str]) -> Own {
    let report = own.add_passport(id, &[flags, &["--accept"]].concat()).await;
    done(&report);
    own.restart().await
}

async fn is_reset(own: &Own, user: &str, id: &str) {
    let before = (own.connections().await, own.acme.seen().len());
    let status = own.status(user, id).await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("needs_reauthorisation"), &json!("config_changed")),
        "{status}"
    );
    assert_eq!(status["apis"][0]["status"], "needs_reauthorisation");
    let answer = own.echo(user, id, json!({})).await;
    let answer = answer.expect_problem(424, "authentication_required", "reason", "config_changed");
    assert_eq!(answer.json()["connect"]["method"], "PUT");
    assert_eq!((own.connections().await, own.acme.seen().len()), before);
}

async fn is_usable(own: &Own, user: &str, id: &str) {
    assert_eq!(own.status(user, id).await["status"], "connected");
    own.echo(user, id, json!({})).await.expect(200);
}

#[tokio::test]
async fn another_client_asks_for_connecting_again_and_the_former_one_does_not() {
    let own = connected().await;
    let rows = own.connections().await;
    let own = with_passport(own, MACHINE, &["--client-id", "another-client"]).await;
    is_reset(&own, "ada", MACHINE).await;
    assert_eq!(own.connections().await, rows);
    let own = with_passport(own, MACHINE, &["--client-id", CLIENT_ID]).await;
    is_usable(&own, "ada", MACHINE).await;
    // It is renewed as before, too.
    own.wait(LIFETIME);
    is_usable(&own, "ada", MACHINE).await;
    assert_eq!(own.token_calls(), 2);
}

#[tokio::test]
async fn another_token_endpoint_asks_for_connecting_again_and_the_former_one_does_not() {
    let own = connected().await;
    let rows = own.connections().await;
    let moved = ENTRIES.replace(
        &format!("{LOGIN}/oauth/token"),
        &format!("{MOVED}/oauth/token"),
    );
    assert_ne!(moved, ENTRIES);
    done(&own.add_providers(&moved, &["--accept"]).await);
    // The entry alone changes no passport.
    let own = own.restart().await;
    is_usable(&own, "ada", MACHINE).await;
    let rows_used = own.connections().await;

    let own = with_passport(own, MACHINE, &["--client-id", CLIENT_ID]).await;
    is_reset(&own, "ada", MACHINE).await;
    assert_eq!(own.connections().await.len(), rows.len());
    assert_eq!(own.connections().await, rows_used);
    // The client secret was given for the former endpoint, and does not go to the new one.
    let answer = own.put(&own.jwt("admin"), MACHINE, &json!({})).await;
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(own.token_calls(), 1);

    done(&own.add_providers(ENTRIES, &["--accept"]).await);
    let own = with_passport(own, MACHINE, &["--client-id", CLIENT_ID]).await;
    is_usable(&own, "ada", MACHINE).await;
    own.wait(LIFETIME);
    is_usable(&own, "ada", MACHINE).await;
}

#[tokio::test]
async fn whoever_is_asked_to_connect_again_does_and_is_connected_under_the_new_settings() {
    let own = connected().await;
    let own = with_passport(own, MACHINE, &["--client-id", "another-client"]).await;
    is_reset(&own, "admin", MACHINE).await;
    let own = with_passport(
        own,
        MACHINE,
        &["--client-id", CLIENT_ID, "--name", "Machine"],
    )
    .await;
    own.connected("admin", MACHINE, &json!({})).await;
    is_usable(&own, "ada", MACHINE).await;
}

#[tokio::test]
async fn a_rotated_client_secret_disturbs_nobody() {
    let own = connected().await;
    let rows = own.connections().await;
    own.set_client_secret(MACHINE, "rotated-secret-0123456789")
        .await;
    own.acme.set_client_secret("rotated-secret-0123456789");
    let own = own.restart().await;
    assert_eq!(own.status("ada", MACHINE).await["status"], "connected");
    assert_eq!(own.connections().await, rows);
    own.wait(LIFETIME);
    is_usable(&own, "ada", MACHINE).await;
    let asked = own.acme.seen_at("/oauth/token").pop().unwrap();
    assert_eq!(asked.client().unwrap().1, "rotated-secret-0123456789");
    assert_eq!(own.leaks(CLIENT_SECRET), Vec::<String>::new());
}

#[tokio::test]
async fn a_passport_is_not_changed_unasked() {
    let own = connected().await;
    let before = own.items().await;
    let report = own
        .add_passport(MACHINE, &["--client-id", "another-client"])
        .await;
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    assert!(
        report.json.to_string().contains("client_id"),
        "{}",
        report.json
    );
    assert!(own.items().await == before);
}

/// A key has neither client nor endpoint. But what was typed for one provider does not go to another.
#[tokio::test]
async fn another_provider_asks_for_typing_again() {
    const KEY: &str = "canary-key-0123456789";
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let arguments = ["passports", "add", HEADER, "--provider", QUERY, "--accept"];
    done(&own.consulate(&arguments).await);
    let own = own.restart().await;
    is_reset(&own, "ada", HEADER).await;
    let own = with_passport(own, HEADER, &["--name", "By header"]).await;
    is_usable(&own, "ada", HEADER).await;
}

/// What was typed as one thing is not used as another.
#[tokio::test]
async fn another_kind_of_credential_asks_for_connecting_again() {
    const KEY: &str = "canary-key-0123456789";
    let own = Own::start().await;
    own.acme.accept(KEY);
    own.connected("ada", HEADER, &json!({"api_key": KEY})).await;
    let basic = ENTRIES.replace(
        "name = \"Acme by header\"\ncredential = \"api_key\"\ninject = { header = \"X-Api-Key\" }",
        "name = \"Acme by header\"\ncredential = \"basic\"\ninject = { header = \"Authorization\", scheme = \"Basic\" }",
    );
    assert_ne!(basic, ENTRIES);
    done(&own.add_providers(&basic, &["--accept"]).await);
    let own = with_passport(own, HEADER, &[]).await;
    is_reset(&own, "ada", HEADER).await;
    done(&own.add_providers(ENTRIES, &["--accept"]).await);
    let own = with_passport(own, HEADER, &[]).await;
    is_usable(&own, "ada", HEADER).await;
}
