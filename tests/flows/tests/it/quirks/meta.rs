//! Facebook: no refresh tokens. A token is exchanged for a long one, which is exchanged again while it is good; calls carry
//! a proof of the client secret.

use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::consent::ADA;
use consulate_flows::stage::Stage;
use ring::hmac;
use serde_json::json;

use super::{
    DAY, HOUR, asked, canned, envelope, instant, is_refused, log_text, must_connect,
    nothing_leaked, presented, seconds_until,
};

const EXCHANGE: &str = "fb_exchange_token";

async fn facebook(ending: &str) -> Stage {
    let stage = Stage::set("meta", "facebook").await;
    let app = format!("simulated-facebook{ending}");
    stage.reregister(&app, |_| {}).await;
    stage
}

#[tokio::test]
async fn connecting_exchanges_the_short_token_for_one_of_sixty_days() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    assert_eq!((asked(&stage), presented(&stage, EXCHANGE)), (2, 1));
    let status = stage.status("ada").await;
    let ends = instant(&status, "expires_at");
    assert_eq!(seconds_until(&stage, ends), 60 * DAY);
    // The short token would have ended by now.
    stage.wait(DAY);
    stage.probe("ada").await;
    nothing_leaked(&stage);
}

#[tokio::test]
async fn a_permission_that_was_declined_is_no_scope_of_the_connection() {
    let stage = facebook("").await;
    stage.connect_as("ada", ADA, &["email"]).await;
    let status = stage.status("ada").await;
    assert_eq!(status["scopes"], json!(["public_profile"]), "{status}");
}

#[tokio::test]
async fn a_long_token_is_exchanged_again_when_it_is_fifty_days_old_and_not_before() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.wait(50 * DAY - HOUR);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 1);
    stage.wait(2 * HOUR);
    stage.probe("ada").await;
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    // The new one lives sixty days again.
    let status = stage.status("ada").await;
    let ends = instant(&status, "expires_at");
    assert_eq!(seconds_until(&stage, ends), 60 * DAY);
    stage.wait(39 * DAY);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn a_token_that_nobody_used_in_time_needs_the_person() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.wait(61 * DAY);
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn an_exchange_that_fails_is_tried_again_while_the_token_serves() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.wait(51 * DAY);
    let down = json!({"error": {"code": 2, "message": "Service temporarily unavailable"}});
    stage.family.script_token(canned(503, down));
    stage.probe("ada").await;
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    stage.wait(60);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 3);
    let status = stage.status("ada").await;
    let ends = instant(&status, "expires_at");
    assert_eq!(seconds_until(&stage, ends), 60 * DAY);
}

#[tokio::test]
async fn a_long_token_without_an_end_or_with_none_is_taken_to_live_sixty_days() {
    for ending in ["-no-expiry", "-zero-expiry"] {
        let stage = facebook(ending).await;
        stage.connect("ada").await;
        let status = stage.status("ada").await;
        let ends = instant(&status, "expires_at");
        assert_eq!(seconds_until(&stage, ends), 60 * DAY, "{ending}");
        stage.wait(51 * DAY);
        stage.probe("ada").await;
        assert_eq!(presented(&stage, EXCHANGE), 2, "{ending}");
    }
}

/// What goes along with a call that carries `token`.
fn proof(stage: &Stage, token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, stage.client_secret().as_bytes());
    let tag = hmac::sign(&key, token.as_bytes());
    let bytes = tag.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_app_that_demands_a_proof_gets_one_with_every_call() {
    let stage = facebook("-proof").await;
    stage.connect("ada").await;
    // The profile was read with one, too.
    let status = stage.status("ada").await;
    assert_eq!(status["account"]["name"], "Ada Lovelace", "{status}");
    stage.probe("ada").await;
    stage.wait(51 * DAY);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(stage.family.live_grants(), 0);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn a_proof_that_comes_back_is_taken_out_of_the_answer_and_stands_in_no_log() {
    let stage = facebook("-proof").await;
    stage.connect("ada").await;
    let token = stage.family.issued_secrets().pop().unwrap();
    let proof = proof(&stage, &token);
    let next = format!("https://graph.facebook.com/v22.0/me?appsecret_proof={proof}&after=a1");
    let echo = json!({"paging": {"next": next}, "proof": proof, "token": token});
    stage.family.script_api(canned(200, echo));
    let answer = stage.call("ada", "probe", json!({})).await.expect(200);
    let text = answer.text();
    assert!(!text.contains(&proof) && !text.contains(&token), "{text}");
    assert!(text.contains("after=a1"), "{text}");
    assert!(!log_text(&stage).contains(&proof));
    // What stands there is what really goes along.
    let row = stage.row("ada", "").await.unwrap();
    assert_eq!(row.fields.get("appsecret_proof"), Some(&proof));
}

#[tokio::test]
async fn a_widget_cannot_set_the_proof() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    let params = json!({"appsecret_proof": "0"});
    let refused = stage.call("ada", "probe", params).await;
    refused.expect_problem(422, "params_invalid", "param", "appsecret_proof");
}

#[tokio::test]
async fn what_facebook_hangs_on_the_callback_is_no_harm() {
    let stage = facebook("").await;
    let mut browser = Browser::default();
    let authorize = stage.depart(&mut browser, "ada").await;
    assert!(!authorize.contains("code_challenge"), "{authorize}");
    let callback = stage
        .decide(&mut browser, &authorize, ADA, "allow", &[])
        .await;
    assert!(callback.ends_with("#_=_"), "{callback}");
    stage.arrive(&mut browser, &callback).await.expect(303);
    assert_eq!(stage.status("ada").await["status"], "connected");
}

#[tokio::test]
async fn error_190_renews_what_can_be_and_else_needs_the_person() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.wait(120);
    // Said once of a token that is good.
    let ended =
        json!({"error": {"code": 190, "type": "OAuthException", "message": "Session has expired"}});
    stage.family.script_api(canned(400, ended));
    stage.probe("ada").await;
    assert_eq!(presented(&stage, EXCHANGE), 2);
    // Withdrawn: it cannot renew itself.
    stage.wait(120);
    stage.family.revoke_access_tokens();
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
}

#[tokio::test]
async fn facebooks_limits_are_throttles() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.wait(120);
    stage.family.throttle_for(60);
    let envelope = envelope(&stage, "ada", "probe").await;
    assert_eq!(envelope["isThrottled"], true, "{envelope}");
    assert_eq!(envelope["statusCode"], 403, "{envelope}");
    assert_eq!(presented(&stage, EXCHANGE), 1);
}

#[tokio::test]
async fn disconnecting_deletes_the_persons_permissions_and_connecting_again_does_not() {
    let stage = facebook("").await;
    stage.connect("ada").await;
    stage.connect("ada").await;
    // To give the former token back would end the new one.
    assert_eq!(stage.family.seen().revoke_calls, 0);
    stage.probe("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    let seen = stage.family.seen();
    assert_eq!((seen.revoke_calls, stage.family.live_grants()), (1, 0));
}

#[tokio::test]
async fn a_first_exchange_that_fails_connects_nothing_and_leaks_nothing() {
    let stage = facebook("").await;
    stage.family.script_token(Reply::Pass);
    stage.family.script_token(Reply::Html);
    stage.consent("ada", "allow").await.expect(303);
    assert_eq!(stage.status("ada").await["status"], "not_connected");
    nothing_leaked(&stage);
}
