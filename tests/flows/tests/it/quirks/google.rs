//! Google: scopes that people leave out, throttles with 403, one fate for every grant of a person.

use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::consent::{ADA, GRACE};
use consulate_flows::stage::Stage;
use consulate_flows::walk::query;
use serde_json::json;

use super::{
    DAY, HOUR, declare, envelope, instant, is_refused, must_connect, presented, readiness,
    seconds_until,
};

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";

async fn google() -> Stage {
    Stage::set_with("google", "google", |schema, consulate| {
        let url = "https://www.googleapis.com/calendar/v3/users/me/calendarList";
        declare(schema, "calendars", "GET", url);
        consulate["apis"] =
            json!({"calendars": {"scopes": [CALENDAR]}, "probe": {"scopes": ["email"]}});
    })
    .await
}

#[tokio::test]
async fn a_403_that_says_rate_limit_is_a_throttle_and_renews_nothing() {
    let stage = google().await;
    stage.connect("ada").await;
    stage.wait(120);
    stage.family.throttle_for(30);
    let throttled = envelope(&stage, "ada", "probe").await;
    assert_eq!(throttled["statusCode"], 403, "{throttled}");
    assert_eq!(throttled["isThrottled"], true, "{throttled}");
    assert_eq!(throttled.get("retryAfterSeconds"), None, "{throttled}");
    assert_eq!(presented(&stage, "refresh_token"), 0);
    stage.wait(31);
    let served = envelope(&stage, "ada", "probe").await;
    assert_eq!(served.get("isThrottled"), None, "{served}");
}

#[tokio::test]
async fn another_403_is_no_throttle() {
    let stage = google().await;
    stage.connect("ada").await;
    stage.wait(120);
    let forbidden =
        json!({"error": {"code": 403, "errors": [{"reason": "insufficientPermissions"}]}});
    stage.family.script_api(super::canned(403, forbidden));
    let envelope = envelope(&stage, "ada", "probe").await;
    assert_eq!(envelope.get("isThrottled"), None, "{envelope}");
    assert_eq!(presented(&stage, "refresh_token"), 0);
}

#[tokio::test]
async fn a_scope_that_was_left_out_is_missing_from_the_apis_that_need_it() {
    let stage = google().await;
    stage.connect_as("ada", ADA, &[CALENDAR]).await;
    let status = stage.status("ada").await;
    // As granted: under full names, in Google's own order.
    assert_eq!(
        status["scopes"],
        json!([
            "https://www.googleapis.com/auth/userinfo.email",
            "https://www.googleapis.com/auth/userinfo.profile",
            "openid",
        ])
    );
    let calendars = readiness(&status, "calendars");
    assert_eq!(calendars["status"], "missing_scopes", "{status}");
    assert_eq!(calendars["missing_scopes"], json!([CALENDAR]), "{status}");
    // Asked for as `email`, granted by another name.
    assert_eq!(readiness(&status, "probe")["status"], "usable", "{status}");
    // Connecting again and ticking it repairs that.
    stage.connect("ada").await;
    let status = stage.status("ada").await;
    assert_eq!(readiness(&status, "calendars")["status"], "usable");
}

#[tokio::test]
async fn everybody_is_asked_for_consent_so_that_a_refresh_token_comes_every_time() {
    let stage = google().await;
    let authorize = stage.depart(&mut Browser::default(), "ada").await;
    assert_eq!(query(&authorize, "prompt").as_deref(), Some("consent"));
    assert_eq!(query(&authorize, "access_type").as_deref(), Some("offline"));
    for _ in 0..2 {
        stage.connect("ada").await;
        stage.wait(HOUR);
        stage.probe("ada").await;
    }
    assert_eq!(presented(&stage, "refresh_token"), 2);
}

#[tokio::test]
async fn a_grant_without_a_refresh_token_ends_with_its_access_token_and_says_so_before() {
    let stage = google().await;
    stage.family.script_token(Reply::OmitRefreshToken);
    stage.connect("ada").await;
    let status = stage.status("ada").await;
    assert_eq!(status["reauthorise_by"], status["expires_at"], "{status}");
    stage.probe("ada").await;
    stage.wait(HOUR);
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
}

#[tokio::test]
async fn a_refresh_that_repeats_no_refresh_token_keeps_the_old_one_for_good() {
    let stage = google().await;
    stage.connect("ada").await;
    let kept = stage.row("ada", "").await.unwrap().fingerprint;
    for _ in 0..3 {
        stage.wait(HOUR);
        stage.probe("ada").await;
    }
    assert_eq!(stage.row("ada", "").await.unwrap().fingerprint, kept);
    assert_eq!(presented(&stage, "refresh_token"), 3);
}

#[tokio::test]
async fn connecting_again_does_not_end_what_both_grants_share() {
    let stage = google().await;
    stage.connect("ada").await;
    stage.connect("ada").await;
    assert_eq!(stage.family.seen().revoke_calls, 0);
    stage.wait(HOUR);
    stage.probe("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    // One call, and both grants of the person are gone.
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (1, 0));
}

#[tokio::test]
async fn a_disconnect_ends_no_other_connection_of_the_same_account() {
    let stage = google().await;
    stage.connect_as("ada", ADA, &[]).await;
    stage.connect_as("assistant", ADA, &[]).await;
    stage.connect_as("grace", GRACE, &[]).await;
    // Google would end the assistant's grant with it.
    let receipt = stage.disconnect("ada").await;
    let result = &receipt["revocation"]["result"];
    assert_eq!(result, "provider_has_none", "{receipt}");
    stage.wait(HOUR);
    stage.probe("assistant").await;
    stage.probe("grace").await;
    // The last one takes the consent with it, and nobody else's.
    let receipt = stage.disconnect("assistant").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    stage.probe("grace").await;
}

#[tokio::test]
async fn an_app_in_testing_is_told_to_reconnect_within_a_week_however_often_it_renews() {
    let stage = google().await;
    stage.family.set_testing_mode();
    stage.connect("ada").await;
    let ends = instant(&stage.status("ada").await, "reauthorise_by");
    assert_eq!(seconds_until(&stage, ends), 7 * DAY);
    stage.wait(3 * DAY);
    stage.probe("ada").await;
    let ends = instant(&stage.status("ada").await, "reauthorise_by");
    assert_eq!(seconds_until(&stage, ends), 4 * DAY);
    stage.wait(5 * DAY);
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
}
