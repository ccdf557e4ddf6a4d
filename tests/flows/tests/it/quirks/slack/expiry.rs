//! An end that is told with status 200, and tokens that have none.

use consulate_fakes::provider::Reply;
use consulate_flows::stage::Stage;
use serde_json::{Value, json};

use super::super::{DAY, asked, envelope, is_refused, must_connect, presented};
use super::{ADA, BOT, named, two_tokens};

fn ended() -> Reply {
    Reply::ErrorWith200("token_expired".to_owned())
}

/// Connected two minutes ago: a token younger than one is not blamed.
async fn settled() -> Stage {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    stage.wait(120);
    stage
}

#[tokio::test]
async fn an_end_told_with_status_200_is_renewed_once_and_the_call_served() {
    let stage = settled().await;
    let before = stage.family.seen().api_calls;
    stage.family.script_api(ended());
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
    assert_eq!(presented(&stage, "refresh_token"), 1);
    assert_eq!(stage.family.seen().api_calls, before + 2);
}

#[tokio::test]
async fn an_end_of_the_persons_token_told_with_status_200_renews_that_one() {
    let stage = settled().await;
    let bots = stage.row("ada", "").await.unwrap().version;
    stage.family.script_api(ended());
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
    assert_eq!(presented(&stage, "refresh_token"), 1);
    assert_eq!(stage.row("ada", "").await.unwrap().version, bots);
    assert_eq!(stage.row("ada", "user").await.unwrap().version, bots + 1);
}

/// Posts a message whose first answer is that the token has ended.
async fn posted(api: &str) -> (Stage, Value, u64) {
    let stage = settled().await;
    let before = stage.family.seen().api_calls;
    stage.family.script_api(ended());
    let envelope = envelope(&stage, "ada", api).await;
    assert_eq!(presented(&stage, "refresh_token"), 1);
    let calls = stage.family.seen().api_calls - before;
    (stage, envelope, calls)
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_answered_as_slack_did_and_the_token_is_renewed() {
    let (stage, envelope, calls) = posted("post").await;
    assert_eq!(calls, 1);
    assert_eq!(
        envelope["body"],
        json!({"ok": false, "error": "token_expired"})
    );
    assert_eq!(envelope["isSuccess"], true);
    // The widget that asks again is served at once.
    let again = super::super::envelope(&stage, "ada", "post").await;
    assert_eq!(again["body"]["ok"], true, "{again}");
    assert_eq!(presented(&stage, "refresh_token"), 1);
}

#[tokio::test]
async fn what_may_be_sent_twice_is_sent_again_with_the_new_token() {
    let (_, envelope, calls) = posted("postAgain").await;
    assert_eq!(calls, 2);
    assert_eq!(envelope["body"]["ok"], true, "{envelope}");
}

#[tokio::test]
async fn another_refusal_with_status_200_is_the_widgets_to_read() {
    let stage = settled().await;
    stage
        .family
        .script_api(Reply::ErrorWith200("channel_not_found".to_owned()));
    let envelope = envelope(&stage, "ada", "probe").await;
    assert_eq!(envelope["body"]["error"], "channel_not_found");
    assert_eq!(presented(&stage, "refresh_token"), 0);
}

#[tokio::test]
async fn a_throttle_is_told_apart_from_an_end_with_status_200_too() {
    let stage = settled().await;
    stage
        .family
        .script_api(Reply::ErrorWith200("ratelimited".to_owned()));
    let without_a_wait = envelope(&stage, "ada", "probe").await;
    assert_eq!(without_a_wait["isThrottled"], true, "{without_a_wait}");
    assert_eq!(without_a_wait.get("retryAfterSeconds"), None);
    stage.family.throttle_for(30);
    let with_one = envelope(&stage, "ada", "probe").await;
    assert_eq!(with_one["isThrottled"], true, "{with_one}");
    let wait = with_one["retryAfterSeconds"].as_u64().unwrap();
    assert!((20..=30).contains(&wait), "{with_one}");
    assert_eq!(presented(&stage, "refresh_token"), 0);
}

#[tokio::test]
async fn without_rotation_tokens_have_no_end_and_are_never_renewed() {
    let stage = two_tokens("-static").await;
    stage.connect("ada").await;
    let status = stage.status("ada").await;
    assert_eq!(status["expires_at"], Value::Null, "{status}");
    assert_eq!(status["reauthorise_by"], Value::Null, "{status}");
    stage.wait(400 * DAY);
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
    assert_eq!(named(&envelope(&stage, "ada", "asUser").await), ADA);
    assert_eq!(asked(&stage), 1);
}

#[tokio::test]
async fn without_rotation_a_withdrawn_token_sends_the_person_to_connect() {
    let stage = two_tokens("-static").await;
    stage.connect("ada").await;
    stage.wait(120);
    stage.family.revoke_access_tokens();
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
    // Nobody asks Slack again at every call.
    let calls = stage.family.seen().api_calls;
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    assert_eq!((asked(&stage), stage.family.seen().api_calls), (1, calls));
    stage.connect("ada").await;
    assert_eq!(named(&envelope(&stage, "ada", "probe").await), BOT);
}
