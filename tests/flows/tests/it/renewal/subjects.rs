//! One account at the provider, several connections: nobody is ended by another's revocation.

use std::time::Duration;

use consulate_core::subjects::{Subject, SubjectKey, Subjects};
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{disconnect, row, status, waiting};

fn declare(setting: &'static str, value: Value) -> impl FnOnce(&mut Bundle) {
    move |bundle| bundle.consulate["passports"]["test-cloud"][setting] = value
}

/// A provider that ends every grant of the user with any of them.
async fn per_user() -> Stack {
    Stack::start_with(declare("revocation_per_user", json!(true)), |_| {}).await
}

fn subjects(stack: &Stack) -> Subjects {
    let foundation = &stack.dev.foundation;
    Subjects::new(foundation.aws.dynamodb(), &foundation.config.table)
}

/// The account Ada's connection is of.
async fn account(stack: &Stack) -> (SubjectKey, Subject) {
    let key = SubjectKey::new(PASSPORT, &row(stack).await.subject.unwrap());
    let subject = subjects(stack).read(&key).await.unwrap();
    (key, subject)
}

async fn give_up(stack: &Stack, user: &str) -> Value {
    let path = format!("connections/{MINE}");
    let jwt = stack.jwt(user);
    let answer = stack.widget(http::Method::DELETE, &path, &jwt, "").await;
    answer.expect(200).json()
}

#[tokio::test]
async fn a_connection_joins_its_account_and_leaves_it_with_its_receipt() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let (key, subject) = account(&stack).await;
    assert_eq!(subject.holders.len(), 1);
    // Its id is not written down.
    let items = stack.items_of("SUBJECT").await;
    assert!(!items[0].to_string().contains("acme-1815"));
    disconnect(&stack).await;
    assert!(
        subjects(&stack)
            .read(&key)
            .await
            .unwrap()
            .holders
            .is_empty()
    );
    assert!(stack.items_of("SUBJECT").await.is_empty());
}

#[tokio::test]
async fn where_revoking_ends_every_grant_of_the_user_it_waits_for_the_last_of_them() {
    let stack = per_user().await;
    stack.connected("ada").await;
    stack.connected("bob").await;
    let receipt = disconnect(&stack).await;
    assert_eq!(
        receipt["revocation"]["result"], "provider_has_none",
        "{receipt}"
    );
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    assert_eq!(row(&stack).await.access_token, None);
    let last = give_up(&stack, "bob").await;
    assert_eq!(last["revocation"]["result"], "revoked", "{last}");
    assert!(stack.provider.seen().revoke_calls > 0);
}

#[tokio::test]
async fn where_revoking_ends_every_grant_of_the_user_a_superseded_one_is_only_forgotten() {
    let stack = per_user().await;
    stack.connected("ada").await;
    stack.connected("ada").await;
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    assert!(stack.items_of("GRANT").await.is_empty());
    assert!(waiting(&stack).await.is_empty());
}

#[tokio::test]
async fn a_second_owner_of_one_account_is_connected_and_noted() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.connected("bob").await;
    let (_, subject) = account(&stack).await;
    assert_eq!(subject.holders.len(), 2);
    // In the audit log, too: giving one of them up may end the other.
    let told = stack.log_lines();
    let told = told.iter().filter(|line| line["event"] == "audit");
    let shared = told.map(|line| line["shared_account"] == true);
    assert_eq!(shared.collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn where_a_second_consent_ends_the_first_a_second_owner_is_refused_and_nobody_is_harmed() {
    let stack = Stack::start_with(declare("shared_account", json!("refuse")), |_| {}).await;
    stack.connected("ada").await;
    let before = row(&stack).await;
    let refused = stack.connect(&stack.jwt("bob"), MINE).await;
    assert_ne!(stack.result_code(&refused), "");
    assert_eq!(
        stack.status(&stack.jwt("bob"), MINE).await["status"],
        "not_connected"
    );
    assert_eq!(status(&stack).await["status"], "connected");
    let after = row(&stack).await;
    assert_eq!(
        (before.grant_id, before.version),
        (after.grant_id, after.version)
    );
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    // Her own account is hers to connect again, and free for others once she has given it up.
    stack.connected("ada").await;
    disconnect(&stack).await;
    stack.connected("bob").await;
}

#[tokio::test]
async fn a_holder_that_lives_there_no_more_is_taken_out_by_whoever_meets_it() {
    let stack = Stack::start_with(declare("shared_account", json!("refuse")), |_| {}).await;
    stack.connected("ada").await;
    let (key, subject) = account(&stack).await;
    // Its row went without leaving.
    let target = &stack.dev.target;
    let gone = target.dynamodb.delete_item().table_name(&target.table);
    let holder = subject.holders.first().unwrap();
    let pk = aws_sdk_dynamodb::types::AttributeValue::S(holder.clone());
    gone.key("pk", pk).send().await.unwrap();
    stack.connected("bob").await;
    let left = subjects(&stack).read(&key).await.unwrap();
    assert_eq!(left.holders.len(), 1);
    assert!(!left.holders.contains(holder));
}

/// Bob consents while Ada's grant of the same account is being revoked.
async fn consent_during_a_revocation(revoked: bool) -> (Stack, String) {
    let stack = per_user().await;
    stack.connected("ada").await;
    let (key, _) = account(&stack).await;
    disconnect(&stack).await;
    let subjects = subjects(&stack);
    let seen = subjects.read(&key).await.unwrap();
    let now = stack.dev.clock.now();
    let until = now.plus_seconds(20);
    assert!(
        subjects
            .take(&key, &seen, "somebody", now, until)
            .await
            .unwrap()
    );
    let jwt = stack.jwt("bob");
    let mut browser = Browser::default();
    let callback = stack.to_callback(&mut browser, &jwt, MINE).await;
    let ends = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        if revoked {
            stack.provider.revoke_access_tokens();
        }
        subjects.give_back(&key, "somebody", now).await.unwrap();
    };
    let (answer, ()) = tokio::join!(browser.get(&callback, From::ElsewhereTopLevel), ends);
    let code = stack.result_code(&answer);
    (stack, code)
}

#[tokio::test]
async fn a_consent_waits_for_a_revocation_in_flight_on_its_account() {
    let (stack, code) = consent_during_a_revocation(false).await;
    assert_eq!(code, "");
    assert_eq!(
        stack.status(&stack.jwt("bob"), MINE).await["status"],
        "connected"
    );
}

#[tokio::test]
async fn a_consent_whose_tokens_were_revoked_meanwhile_is_no_connection() {
    let (stack, code) = consent_during_a_revocation(true).await;
    assert_ne!(code, "");
    assert_eq!(
        stack.status(&stack.jwt("bob"), MINE).await["status"],
        "not_connected"
    );
    assert!(super::logged(
        &stack,
        "answer",
        &json!({"outcome": "provider_refused", "error": "revoked_meanwhile"})
    ));
}
