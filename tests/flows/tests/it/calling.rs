//! The main job over the fake provider: connect, call, renew, disconnect.

use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn a_user_connects_calls_renews_and_disconnects() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let refused = stack.api(&jwt, "whoAmI", json!({})).await;
    let problem = refused
        .expect_problem(424, "authentication_required", "reason", "not_connected")
        .json();
    assert_eq!(
        problem["connect"]["href"],
        "/v1/widgets/notes/connections/mine/connect"
    );

    stack.connect(&jwt, MINE).await;
    let status = stack.status(&jwt, MINE).await;
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(status["account"]["name"], "Ada Lovelace", "{status}");

    let envelope = stack
        .api(&jwt, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(envelope["body"]["id"], "acme-1815", "{envelope}");

    stack.dev.clock.advance_millis(61_000);
    let envelope = stack
        .api(&jwt, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(stack.provider.seen().refreshes, 1);

    let receipt = stack
        .widget(Method::DELETE, "connections/mine", &jwt, "")
        .await
        .expect(200)
        .json();
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    stack.api(&jwt, "whoAmI", json!({})).await;
    assert!(stack.provider.active_access_tokens() == 0);
}
