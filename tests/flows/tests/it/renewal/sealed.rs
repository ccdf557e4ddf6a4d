//! What lies in the table opens in its own place only (S-100), and a changed passport asks for a new connection.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use consulate_core::passport::Passport;
use consulate_core::table::{PK, s};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{EXPIRED, call, key_of, refresh_calls, retry_after, status};

/// Imports the bundle with `change`, and waits for the functions to see it.
async fn import(stack: &Stack, change: impl FnOnce(&mut Bundle)) {
    let mut bundle = Bundle::new(&stack.provider_url);
    change(&mut bundle);
    stack.import(&bundle).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

fn metadata(bundle: &mut Bundle) -> &mut Value {
    &mut bundle.passport["customApplicationInfo"]["metadata"]
}

#[tokio::test]
async fn another_client_id_or_endpoint_asks_for_a_new_connection() {
    let changes: [fn(&mut Bundle, &str); 3] = [
        |bundle, _| metadata(bundle)["clientId"] = json!("another-client"),
        |bundle, provider| metadata(bundle)["tokenUrl"] = json!(format!("{provider}/token/v2")),
        |bundle, provider| {
            metadata(bundle)["authenticationUrl"] = json!(format!("{provider}/authorize/v2"))
        },
    ];
    for change in changes {
        let stack = Stack::start().await;
        stack.connected("ada").await;
        let provider = stack.provider_url.clone();
        import(&stack, |bundle| change(bundle, &provider)).await;
        let refused = call(&stack).await;
        refused.expect_problem(424, "authentication_required", "reason", "config_changed");
        stack.dev.clock.advance_millis(EXPIRED);
        let refused = call(&stack).await;
        refused.expect_problem(424, "authentication_required", "reason", "config_changed");
        assert_eq!(refresh_calls(&stack), 0);
        let status = status(&stack).await;
        assert_eq!(
            (&status["status"], &status["reason"]),
            (&json!("needs_reauthorisation"), &json!("config_changed"))
        );
    }
}

/// Another change keeps every connection.
#[tokio::test]
async fn other_scopes_keep_the_connection() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    import(&stack, |bundle| {
        metadata(bundle)["scope"] = json!("profile")
    })
    .await;
    call(&stack).await.expect(200);
}

/// Sets attributes of a user's row past every rule, as whoever can write the table could.
async fn forge(stack: &Stack, user: &str, attributes: &[(&str, AttributeValue)]) {
    for (name, value) in attributes {
        let target = &stack.dev.target;
        let update = target.dynamodb.update_item().table_name(&target.table);
        let update = update
            .key(PK, s(key_of(stack, user).await.pk()))
            .update_expression("SET #n = :v");
        let update = update.expression_attribute_names("#n", *name);
        update
            .expression_attribute_values(":v", value.clone())
            .send()
            .await
            .unwrap();
    }
}

async fn attributes(
    stack: &Stack,
    user: &str,
    names: &[&'static str],
) -> Vec<(&'static str, AttributeValue)> {
    let target = &stack.dev.target;
    let get = target.dynamodb.get_item().table_name(&target.table);
    let item = get
        .key(PK, s(key_of(stack, user).await.pk()))
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    names
        .iter()
        .map(|name| (*name, item[*name].clone()))
        .collect()
}

/// S-100: rows, fields, grants. Ada's tokens, copied by someone who can write the table, serve nobody else.
#[tokio::test]
async fn tokens_moved_to_another_row_or_field_do_not_open() {
    let swaps: [&[&str]; 3] = [&["a", "r"], &["a", "r", "f", "g"], &["g"]];
    for names in swaps {
        let stack = Stack::start().await;
        stack.connected("ada").await;
        stack.connected("bob").await;
        // The proxy opened nothing of Bob's yet: nothing is held in memory.
        let adas = attributes(&stack, "ada", names).await;
        forge(&stack, "bob", &adas).await;
        does_not_open(&stack, "bob").await;
    }
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let fields = attributes(&stack, "ada", &["a", "r"]).await;
    let swapped = [("a", fields[1].1.clone()), ("r", fields[0].1.clone())];
    forge(&stack, "ada", &swapped).await;
    does_not_open(&stack, "ada").await;
}

/// S-100: endpoints. A row made to look as if it belonged to the passport's new token endpoint still does not open there.
#[tokio::test]
async fn tokens_of_another_token_endpoint_do_not_open() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let moved = format!("{}/token/v2", stack.provider_url);
    import(&stack, |bundle| metadata(bundle)["tokenUrl"] = json!(moved)).await;
    let definitions = &stack.dev.foundation.definitions;
    let passport = definitions.passport(PASSPORT).await.unwrap().unwrap();
    assert_eq!(passport.token_url, moved);
    forge(&stack, "ada", &[("cv", s(passport.config_version()))]).await;
    // The client secret is stored for the old endpoint, and is not sent to the new one either: store it for both.
    let endpoints = [moved, format!("{}/revoke", stack.provider_url)];
    let document =
        json!({"client_secret": consulate_flows::stack::CLIENT_SECRET, "endpoints": endpoints});
    let name = format!("consulate/passports/{PASSPORT}");
    stack.dev.secrets.put(&name, &document.to_string()).unwrap();
    let stack = stack.restart().await;
    does_not_open(&stack, "ada").await;
}

/// The catalogue's word that an endpoint moved: nobody connects again, and the next renewal goes to the new one.
#[tokio::test]
async fn connections_outlive_a_token_endpoint_that_moved() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let stack = stack.with_moved_token_endpoint().await;
    call(&stack).await.expect(200);
    stack.dev.clock.advance_millis(EXPIRED);
    call(&stack).await.expect(200);
    assert_eq!(refresh_calls(&stack), 1);
    // What it gave is sealed for the new endpoint: it opens where nothing is said of the former one.
    let records = stack.dev.target.records();
    let pk = consulate_core::table::passport_pk(PASSPORT);
    let stored = records.read::<Passport>(pk).await.unwrap().unwrap();
    let passport = Passport {
        former: Vec::new(),
        ..stored.definition.clone()
    };
    let mut change = records.change();
    change.passport(PASSPORT, &passport, Some(&stored)).unwrap();
    assert!(change.commit().await.unwrap());
    let stack = stack.restart().await;
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "config_changed");
    forge(&stack, "ada", &[("cv", s(passport.config_version()))]).await;
    let stack = stack.restart().await;
    call(&stack).await.expect(200);
}

async fn does_not_open(stack: &Stack, user: &str) {
    let api_calls = stack.provider.seen().api_calls;
    let ask = async || stack.api(&stack.jwt(user), "whoAmI", json!({})).await;
    let refused = ask().await;
    refused.expect_problem(424, "authentication_required", "reason", "config_changed");
    stack.dev.clock.advance_millis(EXPIRED);
    retry_after(ask().await);
    assert_eq!(refresh_calls(stack), 0);
    assert_eq!(
        stack.provider.seen().api_calls,
        api_calls,
        "nothing was sent to the API"
    );
    assert_eq!(
        stack.status(&stack.jwt(user), MINE).await["status"],
        "connected"
    );
}
