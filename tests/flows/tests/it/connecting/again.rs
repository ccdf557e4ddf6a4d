//! More than one connect: one after the other, at once, by two people.

use consulate_core::connection::Connection;
use consulate_core::table::ConnectionKey;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

/// The one connection of the table.
async fn row(stack: &Stack) -> Connection {
    let rows = stack.items_of("CONNECTION").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let mut key = rows[0]["pk"].as_str().unwrap().split('#').skip(1);
    let (passport, owner) = (key.next(), key.next());
    let key: ConnectionKey =
        serde_json::from_value(json!({"passport": passport, "owner": owner})).unwrap();
    let connections = &stack.dev.foundation.connections;
    connections.read(&key, true).await.unwrap().unwrap()
}

#[tokio::test]
async fn connecting_again_replaces_the_grant_and_gives_the_old_one_back() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let (old, old_row) = (stack.issued("refresh"), row(&stack).await);
    let old_status = stack.status(&jwt, MINE).await;
    stack.dev.clock.advance_millis(2_000);
    stack.connect(&jwt, MINE).await;
    let (new_row, status) = (row(&stack).await, stack.status(&jwt, MINE).await);
    assert_eq!(status["status"], "connected");
    assert_ne!(status["connected_at"], old_status["connected_at"]);
    assert!(new_row.version > old_row.version);
    assert_ne!(new_row.grant_id, old_row.grant_id);
    let new = stack.issued("refresh");
    assert_eq!((old.len(), new.len()), (1, 2));
    assert!(!stack.provider.is_family_alive(&new[0]), "the old grant");
    assert!(stack.provider.is_family_alive(&new[1]), "the new grant");
    let envelope = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert_eq!(envelope.json()["isSuccess"], true);
}

#[tokio::test]
async fn connecting_again_after_a_disconnect_works() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    stack
        .widget(Method::DELETE, "connections/mine", &jwt, "")
        .await
        .expect(200);
    let status = stack.status(&jwt, MINE).await;
    assert_eq!(status["status"], "disconnected", "{status}");
    assert_eq!(status["revocation"]["result"], "revoked", "{status}");
    assert_eq!(status["account"], Value::Null, "{status}");
    stack.connect(&jwt, MINE).await;
    let status = stack.status(&jwt, MINE).await;
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(status["revocation"], Value::Null, "{status}");
}

/// S-27.
#[tokio::test]
async fn two_tabs_of_one_browser_both_succeed() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let first = stack.depart(&mut browser, &jwt, MINE).await;
    let second = stack.depart(&mut browser, &jwt, MINE).await;
    let first = stack.consent(&mut browser, &first, "allow").await;
    let second = stack.consent(&mut browser, &second, "allow").await;
    let (mut one, mut other) = (browser.clone(), browser);
    let (first, second) = tokio::join!(
        one.get(&first, From::ElsewhereTopLevel),
        other.get(&second, From::ElsewhereTopLevel)
    );
    assert_eq!(stack.result_code(&first), "");
    assert_eq!(stack.result_code(&second), "");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    let grants = stack.issued("refresh");
    let alive = grants
        .iter()
        .filter(|grant| stack.provider.is_family_alive(grant));
    assert_eq!((grants.len(), alive.count()), (2, 1), "one is given back");
    let envelope = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert_eq!(envelope.json()["isSuccess"], true);
}

#[tokio::test]
async fn two_people_of_one_organisation_have_an_account_each() {
    let stack = Stack::start().await;
    let (ada, grace) = (stack.connected("ada").await, stack.jwt("grace"));
    assert_eq!(stack.status(&grace, MINE).await["status"], "not_connected");
    stack.connect(&grace, MINE).await;
    assert_eq!(stack.items_of("CONNECTION").await.len(), 2);
    for jwt in [ada, grace] {
        assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    }
    assert_eq!(stack.provider.active_access_tokens(), 2);
}
