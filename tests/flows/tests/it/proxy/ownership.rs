//! S-103: whose account a call uses follows from the verified caller and the definition, from nothing else.

use consulate_flows::bundle::{MINE, OURS};
use consulate_flows::stack::Stack;
use serde_json::json;

use super::{connected, plain};

#[tokio::test]
async fn an_organisations_account_serves_its_members_and_nobody_else() {
    let stack = Stack::start().await;
    stack.connect(&stack.admin_jwt(), OURS).await;
    for user in ["ada", "bob"] {
        let jwt = stack.jwt(user);
        assert_eq!(plain(&stack, &jwt, "ourEcho").await["isSuccess"], true);
        // Their own accounts are another matter.
        let answer = stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    }
    for organisation in ["o2", "O1", "o1\u{0}", "o", "o1#admin"] {
        let jwt = stack.jwt_of("ada", organisation, Some("it@example.com"));
        let before = stack.provider.seen();
        let answer = stack.api(&jwt, "ourEcho", json!({})).await;
        let problem =
            answer.expect_problem(424, "authentication_required", "reason", "not_connected");
        assert_eq!(problem.json()["auth_key"], OURS);
        assert_eq!(stack.provider.seen(), before);
    }
}

#[tokio::test]
async fn a_users_account_serves_that_user_in_that_organisation_only() {
    let (stack, _) = connected().await;
    for (user, organisation) in [("bob", "o1"), ("ada", "o2"), ("Ada", "o1"), ("ada ", "o1")] {
        let jwt = stack.jwt_of(user, organisation, None);
        let answer = stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    }
    // Length-prefixed keys: no two pairs of user and organisation run together.
    let jwt = stack.jwt_of("a", "o1da", None);
    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
    answer.expect_problem(424, "authentication_required", "reason", "not_connected");
}

#[tokio::test]
async fn two_users_call_with_an_account_each() {
    let (stack, ada) = connected().await;
    let bob = stack.connected("bob").await;
    let tokens = stack.issued("access");
    assert_eq!(tokens.len(), 2);
    for jwt in [&ada, &bob] {
        assert_eq!(plain(&stack, jwt, "whoAmI").await["isSuccess"], true);
    }
    stack
        .widget(
            http::Method::DELETE,
            &format!("connections/{MINE}"),
            &ada,
            "",
        )
        .await
        .expect(200);
    assert_eq!(plain(&stack, &bob, "whoAmI").await["isSuccess"], true);
    let answer = stack.api(&ada, "whoAmI", json!({})).await;
    answer.expect_problem(424, "authentication_required", "reason", "disconnected");
}
