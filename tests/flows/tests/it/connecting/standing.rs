//! How connections stand, as their callers are told.

use consulate_core::clock::Timestamp;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::{Bundle, MINE, OURS, PASSPORT};
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

use super::keys;

#[tokio::test]
async fn status_has_every_member_whatever_the_state() {
    const MEMBERS: [&str; 15] = [
        "account",
        "apis",
        "auth_key",
        "connected_at",
        "delivery",
        "expires_at",
        "label",
        "owner",
        "passport",
        "provider",
        "reason",
        "reauthorise_by",
        "revocation",
        "scopes",
        "status",
    ];
    let scoped = |bundle: &mut Bundle| {
        bundle.consulate["apis"] = json!({"echo": {"scopes": ["files.read"]}});
    };
    let stack = Stack::start_with(scoped, |_| {}).await;
    let jwt = stack.jwt("ada");
    let shape = |status: &Value| {
        assert_eq!(keys(status), MEMBERS);
    };
    let status = stack.status(&jwt, MINE).await;
    shape(&status);
    for (member, expected) in [
        ("auth_key", json!(MINE)),
        ("label", json!(MINE)),
        ("provider", json!("custom:test-cloud")),
        ("passport", json!(PASSPORT)),
        ("owner", json!("user")),
        ("delivery", json!("server")),
        ("status", json!("not_connected")),
        ("scopes", json!([])),
    ] {
        assert_eq!(status[member], expected, "{member}");
    }
    for member in [
        "reason",
        "account",
        "connected_at",
        "expires_at",
        "reauthorise_by",
        "revocation",
    ] {
        assert_eq!(status[member], Value::Null, "{member}");
    }

    let now = stack.dev.clock.now();
    stack.connect(&jwt, MINE).await;
    let status = stack.status(&jwt, MINE).await;
    shape(&status);
    assert_eq!(status["status"], "connected");
    let account = json!({"id": "acme-1815", "email": "ada@acme.example", "name": "Ada Lovelace"});
    assert_eq!(status["account"], account);
    assert_eq!(status["scopes"], json!(["profile", "events.read"]));
    let time = |member: &str| Timestamp::parse_rfc3339(status[member].as_str().unwrap()).unwrap();
    assert!(time("connected_at").since(now).abs() < 5_000);
    assert!((55_000..=65_000).contains(&time("expires_at").since(now)));
    let apis = status["apis"].as_array().unwrap();
    let api = |name: &str| apis.iter().find(|api| api["name"] == name);
    let usable = json!({"name": "whoAmI", "status": "usable", "missing_scopes": []});
    assert_eq!(api("whoAmI"), Some(&usable));
    let missing =
        json!({"name": "echo", "status": "missing_scopes", "missing_scopes": ["files.read"]});
    assert_eq!(api("echo"), Some(&missing));
    assert_eq!(api("ourEcho"), None, "another authentication's");

    stack
        .widget(Method::DELETE, "connections/mine", &jwt, "")
        .await
        .expect(200);
    let status = stack.status(&jwt, MINE).await;
    shape(&status);
    assert_eq!(keys(&status["revocation"]), ["at", "attempts", "result"]);
    assert_eq!(status["reason"], "disconnected");
}

#[tokio::test]
async fn the_list_has_every_authentication_in_the_bundles_order() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let list = stack
        .widget(Method::GET, "connections", &jwt, "")
        .await
        .expect(200)
        .json();
    assert_eq!(keys(&list), ["connections"]);
    let listed = list["connections"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0], stack.status(&jwt, MINE).await);
    assert_eq!(listed[1], stack.status(&jwt, OURS).await);
    assert_eq!(listed[0]["status"], "connected");
    assert_eq!(listed[1]["status"], "not_connected");
}

/// S-103.
#[tokio::test]
async fn another_organisation_sees_nothing_of_it() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    stack.connect(&stack.admin_jwt(), OURS).await;
    // The same user id, and the administrator's own address, in another organisation.
    let other = stack.jwt_of("ada", "o2", Some("it@example.com"));
    for auth_key in [MINE, OURS] {
        let status = stack.status(&other, auth_key).await;
        assert_eq!(status["status"], "not_connected", "{status}");
        assert_eq!(status["account"], Value::Null, "{status}");
    }
    for api in ["whoAmI", "ourEcho"] {
        stack.api(&other, api, json!({})).await.expect_problem(
            424,
            "authentication_required",
            "reason",
            "not_connected",
        );
    }
    let receipt = stack
        .widget(Method::DELETE, "connections/mine", &other, "")
        .await;
    let expected = json!({"status": "not_connected", "revocation": null});
    assert_eq!(receipt.expect(200).json(), expected);
    stack
        .widget(Method::POST, "connections/ours/connect", &other, "{}")
        .await
        .expect_problem(403, "caller_forbidden", "field", "auth_key");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    assert_eq!(stack.status(&jwt, OURS).await["status"], "connected");
}

#[tokio::test]
async fn an_account_whose_profile_cannot_be_read_is_connected_without_a_name() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    for reply in [
        Reply::Status(500, "oops".to_owned(), "text/plain".to_owned()),
        Reply::Html,
        Reply::Drop,
    ] {
        stack.provider.script_api(reply.clone());
        stack.connect(&jwt, MINE).await;
        let status = stack.status(&jwt, MINE).await;
        assert_eq!(status["status"], "connected", "{reply:?}");
        assert_eq!(status["account"], Value::Null, "{reply:?}");
    }
}
