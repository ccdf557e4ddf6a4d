//! Instagram: a first reply in two shapes, long tokens that renew themselves, secrets in the addresses of token calls.

use consulate_flows::browser::Browser;
use consulate_flows::consent::ADA;
use consulate_flows::stage::Stage;
use serde_json::json;

use super::{DAY, instant, is_refused, must_connect, nothing_leaked, presented, seconds_until};

const SCOPE: &str = "instagram_business_basic";

async fn instagram(ending: &str) -> Stage {
    let stage = Stage::set("meta", "instagram").await;
    let app = format!("simulated-instagram{ending}");
    stage.reregister(&app, |_| {}).await;
    stage
}

#[tokio::test]
async fn a_first_token_is_read_within_data_and_plainly() {
    for ending in ["", "-plain"] {
        let stage = instagram(ending).await;
        stage.connect("ada").await;
        let status = stage.status("ada").await;
        assert_eq!(status["scopes"], json!([SCOPE]), "{ending}: {status}");
        assert_eq!(status["account"]["name"], "Ada Lovelace", "{ending}");
        let ends = instant(&status, "expires_at");
        assert_eq!(seconds_until(&stage, ends), 60 * DAY, "{ending}");
        stage.probe("ada").await;
        nothing_leaked(&stage);
    }
}

#[tokio::test]
async fn a_long_token_renews_itself_without_the_clients_secret() {
    let stage = instagram("").await;
    stage.connect("ada").await;
    stage.wait(49 * DAY);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, "ig_refresh_token"), 0);
    stage.wait(DAY + 60);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, "ig_refresh_token"), 1);
    let requests = stage.family.token_requests();
    let [.., exchange, refresh] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(
        (exchange.host.as_str(), exchange.path.as_str()),
        ("graph.instagram.com", "/access_token")
    );
    assert_eq!(
        exchange.fields,
        ["access_token", "client_secret", "grant_type"]
    );
    assert_eq!(refresh.path, "/refresh_access_token");
    assert_eq!(refresh.fields, ["access_token", "grant_type"]);
    nothing_leaked(&stage);
}

#[tokio::test]
async fn an_ended_token_cannot_renew_itself_and_needs_the_person() {
    let stage = instagram("").await;
    stage.connect("ada").await;
    stage.wait(61 * DAY);
    must_connect(
        stage.call("ada", "probe", json!({})).await,
        "provider_refused",
    );
    is_refused(&stage, "ada").await;
}

#[tokio::test]
async fn what_instagram_hangs_on_the_callback_is_no_harm() {
    let stage = instagram("").await;
    let mut browser = Browser::default();
    let authorize = stage.depart(&mut browser, "ada").await;
    let callback = stage
        .decide(&mut browser, &authorize, ADA, "allow", &[])
        .await;
    assert!(callback.ends_with("#_"), "{callback}");
    stage.arrive(&mut browser, &callback).await.expect(303);
    assert_eq!(stage.status("ada").await["status"], "connected");
}

#[tokio::test]
async fn a_disconnect_says_that_instagram_takes_no_token_back() {
    let stage = instagram("").await;
    stage.connect("ada").await;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(
        receipt["revocation"]["result"], "provider_has_none",
        "{receipt}"
    );
    assert!(stage.row("ada", "").await.unwrap().access_token.is_none());
}
