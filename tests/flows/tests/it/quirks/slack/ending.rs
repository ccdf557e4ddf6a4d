//! Giving both tokens up: each is shown to Slack by itself.

use serde_json::json;

use super::super::{HOUR, must_connect, nothing_leaked, presented};
use super::two_tokens;

#[tokio::test]
async fn disconnecting_revokes_both_tokens() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (2, 0));
    for slot in ["", "user"] {
        let row = stage.row("ada", slot).await.unwrap();
        assert!(row.access_token.is_none() && row.refresh_token.is_none());
    }
    stage.wait(15);
    for api in ["probe", "asUser"] {
        must_connect(stage.call("ada", api, json!({})).await, "disconnected");
    }
    nothing_leaked(&stage);
}

#[tokio::test]
async fn disconnecting_revokes_both_even_after_their_access_tokens_have_ended() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    stage.wait(13 * HOUR);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    // Each refresh token was spent for an access token that Slack takes.
    assert_eq!(presented(&stage, "refresh_token"), 2);
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (2, 0));
    nothing_leaked(&stage);
}

#[tokio::test]
async fn disconnecting_revokes_both_where_nothing_rotates() {
    let stage = two_tokens("-static").await;
    stage.connect("ada").await;
    stage.wait(13 * HOUR);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (2, 0));
    assert_eq!(presented(&stage, "refresh_token"), 0);
}

#[tokio::test]
async fn a_revocation_that_fails_for_one_token_is_tried_again_for_that_one() {
    let stage = two_tokens("").await;
    stage.connect("ada").await;
    let down = super::super::canned(503, json!({}));
    stage.family.script_revoke(down);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "pending", "{receipt}");
    assert_eq!(stage.family.live_grants(), 1);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(stage.family.seen().revoke_calls, 3);
}
