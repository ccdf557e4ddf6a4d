//! A consent that brings two tokens, in redirect mode: both wait in the flow for their completion, both are given back
//! when somebody else turns up with it.

use consulate_flows::browser::Browser;
use consulate_flows::bundle::RETURN_TO;
use consulate_flows::consent::ADA;
use consulate_flows::stage::{Stage, THEIRS};
use consulate_flows::walk::fragment;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::json;

use super::slack::{self, named, two_tokens};
use super::{HOUR, envelope, nothing_leaked, presented};

/// Slack's consent, given by Ada: answers the completion.
async fn held() -> (Stage, String) {
    let stage = two_tokens("").await;
    let completion = held_on(&stage).await;
    (stage, completion)
}

async fn held_on(stage: &Stage) -> String {
    let mut browser = Browser::default();
    let authorize = stage.depart_for_redirect(&mut browser, "ada").await;
    let callback = stage
        .decide(&mut browser, &authorize, ADA, "allow", &[])
        .await;
    let back = stage.arrive(&mut browser, &callback).await.expect(303);
    let back = back.header("location");
    assert!(back.starts_with(RETURN_TO), "{back}");
    fragment(back, "consulate_completion")
}

async fn complete(stage: &Stage, user: &str, completion: &str) -> Answer {
    let path = format!("connections/{THEIRS}/complete");
    let body = json!({"completion": completion});
    stage.widget(user, Method::POST, &path, &body).await
}

#[tokio::test]
async fn both_tokens_wait_for_the_completion_and_arrive_with_it() {
    let (stage, completion) = held().await;
    for slot in ["", "user"] {
        assert!(stage.row("ada", slot).await.is_none());
    }
    let status = complete(&stage, "ada", &completion).await.expect(200);
    assert_eq!(status.json()["status"], "connected");
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), slack::BOT);
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), slack::ADA);
    // Sealed anew for their rows, refresh tokens included.
    stage.wait(12 * HOUR);
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), slack::BOT);
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), slack::ADA);
    assert_eq!(presented(&stage, "refresh_token"), 2);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn both_tokens_are_given_back_when_somebody_else_completes() {
    let (stage, completion) = held().await;
    assert_eq!(stage.family.live_grants(), 1);
    let refused = complete(&stage, "mallory", &completion).await;
    refused.expect_problem(403, "completion_forbidden", "", "");
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (2, 0));
    complete(&stage, "ada", &completion)
        .await
        .expect_problem(410, "completion_spent", "", "");
    for user in ["ada", "mallory"] {
        assert_eq!(stage.status(user).await["status"], "not_connected");
    }
    nothing_leaked(&stage);
}

/// Slack may have answered the very tokens of the connection that lives.
#[tokio::test]
async fn tokens_of_a_consent_that_somebody_else_completes_are_left_alone_while_a_connection_lives()
{
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let completion = held_on(&stage).await;
    let refused = complete(&stage, "mallory", &completion).await;
    refused.expect_problem(403, "completion_forbidden", "", "");
    assert_eq!(stage.family.seen().revoke_calls, 0);
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), slack::BOT);
    complete(&stage, "ada", &completion)
        .await
        .expect_problem(410, "completion_spent", "", "");
}

#[tokio::test]
async fn both_tokens_are_given_back_when_the_completion_comes_too_late() {
    let (stage, completion) = held().await;
    stage.wait(HOUR);
    let refused = complete(&stage, "ada", &completion).await;
    refused.expect_problem(410, "completion_spent", "", "");
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (2, 0));
}
