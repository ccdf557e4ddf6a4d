//! By when the person has to consent again: the earliest end that is known, moved by a refresh where it may be.

use consulate_flows::stage::Stage;
use serde_json::json;

use super::{DAY, HOUR, instant, merged, seconds_until};

/// Seconds from the last storing of tokens, and from the connect, until the person is due.
async fn due(stage: &Stage) -> (i64, i64) {
    let row = stage.row("ada", "").await.unwrap();
    let by = row.reauthorise_by(&*stage.passport().await).unwrap();
    let status = stage.status("ada").await;
    assert_eq!(instant(&status, "reauthorise_by").seconds(), by.seconds());
    let after = |since| by.since(since) / 1000;
    (after(row.saved_at), after(row.connected_at))
}

async fn connected(family: &str, id: &str) -> Stage {
    let stage = Stage::set(family, id).await;
    stage.connect("ada").await;
    stage
}

/// A grant that dies when it is not used: every refresh begins anew.
async fn idles(family: &str, id: &str, days: i64) {
    let stage = connected(family, id).await;
    assert_eq!(due(&stage).await, (days * DAY, days * DAY), "{id}");
    stage.wait(3 * HOUR);
    stage.probe("ada").await;
    let (since_refresh, since_connect) = due(&stage).await;
    assert_eq!(since_refresh, days * DAY, "{id}");
    assert!(since_connect >= days * DAY + 3 * HOUR, "{id}: not renewed");
}

#[tokio::test]
async fn a_google_grant_is_due_after_half_a_year_unused() {
    idles("google", "google", 180).await;
}

#[tokio::test]
async fn a_microsoft_grant_is_due_after_ninety_days_unused() {
    idles("microsoft", "microsoft", 90).await;
}

#[tokio::test]
async fn a_box_grant_is_due_after_sixty_days_unused() {
    idles("box", "box", 60).await;
}

#[tokio::test]
async fn a_zoom_grant_is_due_after_ninety_days_unused() {
    idles("zoom", "zoom", 90).await;
}

#[tokio::test]
async fn an_x_grant_is_due_after_half_a_year_unused() {
    idles("x", "x", 180).await;
}

#[tokio::test]
async fn a_servicenow_grant_is_due_a_hundred_days_after_the_consent_however_often_it_is_renewed() {
    let stage = connected("servicenow", "servicenow").await;
    assert_eq!(due(&stage).await.1, 100 * DAY);
    for _ in 0..3 {
        stage.wait(DAY);
        stage.probe("ada").await;
        assert_eq!(due(&stage).await.1, 100 * DAY);
    }
}

#[tokio::test]
async fn a_webex_grant_is_due_when_the_reply_says_and_a_policy_may_shorten_it() {
    let stage = connected("webex", "webex-teams").await;
    let by = instant(&stage.status("ada").await, "reauthorise_by");
    assert_eq!(seconds_until(&stage, by), 90 * DAY);
    stage.family.set_lives(12 * HOUR, 30 * DAY);
    stage.wait(14 * DAY);
    stage.probe("ada").await;
    let status = stage.status("ada").await;
    let by = instant(&status, "reauthorise_by");
    assert_eq!(seconds_until(&stage, by), 30 * DAY);
    let ends = instant(&status, "expires_at");
    assert_eq!(seconds_until(&stage, ends), 12 * HOUR);
}

#[tokio::test]
async fn a_meta_grant_is_due_when_its_long_token_ends() {
    for id in ["facebook", "instagram"] {
        let stage = connected("meta", id).await;
        let status = stage.status("ada").await;
        assert_eq!(status["reauthorise_by"], status["expires_at"], "{id}");
        stage.wait(55 * DAY);
        stage.probe("ada").await;
        let by = instant(&stage.status("ada").await, "reauthorise_by");
        assert_eq!(seconds_until(&stage, by), 60 * DAY, "{id}");
    }
}

#[tokio::test]
async fn of_several_tokens_the_first_that_is_due_counts() {
    let stage = connected("microsoft", "sharepoint").await;
    stage.wait(30 * DAY);
    // Graph is renewed, SharePoint is not.
    stage.probe("ada").await;
    let by = instant(&stage.status("ada").await, "reauthorise_by");
    assert_eq!(seconds_until(&stage, by), 60 * DAY);
}

#[tokio::test]
async fn a_new_refresh_token_without_an_end_does_not_inherit_that_of_the_spent_one() {
    let stage = Stage::set("x", "x").await;
    let ends = merged(json!({"refresh_token_expires_in": 30 * DAY}));
    stage.family.script_token(ends);
    stage.connect("ada").await;
    let row = async || stage.row("ada", "").await.unwrap();
    assert!(row().await.refresh_expires_at.is_some());
    stage.wait(3 * HOUR);
    stage.probe("ada").await;
    assert_eq!(row().await.refresh_expires_at, None);
}
