//! Happeo as a provider: an app with and without a secret, a refresh token that is perhaps replaced, one limit for all that an
//! organisation has installed.

use consulate::operator::add_passport;
use consulate::operator::arguments::PassportArguments;
use consulate_core::definition::ClientAuthentication;
use consulate_fakes::simulators::App;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::ORIGIN;
use consulate_flows::consent::GRACE;
use consulate_flows::own::done;
use consulate_flows::stack::{HOST_SECRET, form_token, sign};
use consulate_flows::stage::{Stage, THEIRS, WIDGET};
use consulate_flows::wire::{Answer, Wire};
use http::Method;
use serde_json::{Value, json};

use super::{HOUR, asked, declare, envelope, merged, nothing_leaked, presented};

async fn connected() -> Stage {
    let stage = Stage::set_with("happeo", "happeo", |schema, consulate| {
        declare(schema, "pages", "GET", "https://api.happeo.com/pages");
        consulate["origins"] = json!([ORIGIN]);
    })
    .await;
    stage.connect("ada").await;
    stage
}

/// Asks a route of the widget, as somebody of any organisation.
async fn ask_in(stage: &Stage, jwt: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {jwt}");
    let url = format!("{}/v1/widgets/{WIDGET}/{path}", stage.dev.base_url);
    let headers = [("authorization", bearer.as_str()), ("origin", ORIGIN)];
    let wire = Wire::default();
    wire.call(Method::POST, &url, &headers, "{}").await
}

fn jwt_in(stage: &Stage, user: &str, organisation: &str) -> String {
    let exp = stage.dev.clock.now().seconds() + 300;
    let claims = json!({"exp": exp, "user": {"id": user}, "organisation": {"id": organisation}});
    sign(&claims, HOST_SECRET)
}

async fn call_in(stage: &Stage, user: &str, organisation: &str) -> Answer {
    ask_in(stage, &jwt_in(stage, user, organisation), "apis/probe").await
}

async fn connect_in(stage: &Stage, user: &str, organisation: &str) {
    let jwt = jwt_in(stage, user, organisation);
    let asked = ask_in(stage, &jwt, &format!("connections/{THEIRS}/connect")).await;
    let asked = asked.expect(201).json();
    let link = asked["connect_url"].as_str().unwrap();
    let mut browser = Browser::default();
    let page = browser.get(link, From::Here).await.expect(200).text();
    let form_token = form_token(&page);
    let fields = [
        ("caller_jwt", jwt.as_str()),
        ("form_token", form_token.as_str()),
    ];
    let leaving = browser
        .post_form(link, From::Here, &fields)
        .await
        .expect(303);
    let callback = stage
        .decide(
            &mut browser,
            leaving.header("location"),
            GRACE,
            "allow",
            &[],
        )
        .await;
    stage.arrive(&mut browser, &callback).await.expect(303);
}

fn calls(stage: &Stage) -> usize {
    let lines = stage.log_lines();
    lines
        .iter()
        .filter(|line| line["upstream_status"].is_u64())
        .count()
}

#[tokio::test]
async fn once_happeo_says_too_many_calls_nobody_of_the_organisation_calls_until_it_said() {
    let stage = connected().await;
    stage.connect("bob").await;
    stage.probe("ada").await;
    stage.family.throttle_for(30);
    let throttled = envelope(&stage, "ada", "probe").await;
    assert_eq!(throttled["statusCode"], 429, "{throttled}");
    assert_eq!(throttled["isThrottled"], true, "{throttled}");
    let wait = throttled["retryAfterSeconds"].as_u64().unwrap();
    assert!((28..=30).contains(&wait), "{throttled}");

    let before = calls(&stage);
    for (user, api) in [("ada", "probe"), ("ada", "pages"), ("bob", "probe")] {
        let answer = stage.call(user, api, json!({})).await;
        let problem = answer.expect_problem(429, "rate_limited", "", "");
        assert_eq!(problem.json()["retryable"], true);
        let seconds: u64 = problem.header("retry-after").parse().unwrap();
        assert!((1..=wait).contains(&seconds), "{seconds}");
    }
    assert_eq!(calls(&stage), before, "it was called all the same");
    // Whoever has nothing connected hears that, not how busy others were; another organisation is not held back.
    let answer = stage.call("eve", "probe", json!({})).await;
    answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    let answer = call_in(&stage, "ada", "o2").await;
    answer.expect_problem(424, "authentication_required", "reason", "not_connected");

    stage.wait(31);
    stage.probe("ada").await;
    stage.probe("bob").await;
    nothing_leaked(&stage);
}

#[tokio::test]
async fn another_organisation_with_an_account_of_its_own_is_not_held_back() {
    let stage = connected().await;
    connect_in(&stage, "ada", "o2").await;
    stage.family.throttle_for(30);
    envelope(&stage, "ada", "probe").await;
    stage.call("ada", "probe", json!({})).await.expect(429);
    let before = calls(&stage);
    // Happeo itself says so to the other organisation: it was asked.
    let answer = call_in(&stage, "ada", "o2").await.expect(200).json();
    assert_eq!(answer["statusCode"], 429, "{answer}");
    assert_eq!(calls(&stage), before + 1);
    let answer = call_in(&stage, "ada", "o2").await;
    let problem = answer.expect_problem(429, "rate_limited", "", "");
    // A browser may read how long.
    assert_eq!(
        problem.header("access-control-expose-headers"),
        "etag, retry-after"
    );
    assert_eq!(calls(&stage), before + 1);
}

/// The page does not say whether a refresh token is replaced: "potentially".
#[tokio::test]
async fn a_refresh_with_and_without_another_refresh_token_goes_on() {
    let stage = connected().await;
    let first = stage.row("ada", "").await.unwrap();
    assert!(first.refresh_token.is_some());
    stage
        .family
        .script_token(merged(json!({"refresh_token": Value::Null})));
    stage.wait(2 * HOUR);
    stage.probe("ada").await;
    assert_eq!(presented(&stage, "refresh_token"), 1);
    assert!(stage.row("ada", "").await.unwrap().refresh_token.is_some());
    assert_eq!(stage.status("ada").await["status"], "connected");
    nothing_leaked(&stage);
}

#[tokio::test]
async fn a_public_app_connects_and_renews_without_a_secret() {
    let stage = Stage::set("happeo", "happeo").await;
    let id = "happeo-app-public";
    let arguments = PassportArguments {
        id: stage.simulated().id,
        provider: "happeo".to_owned(),
        client_id: Some(id.to_owned()),
        client_authentication: Some(ClientAuthentication::None),
        accept: true,
        ..PassportArguments::default()
    };
    let secret = stage.client_secret();
    done(&add_passport(&stage.dev.target, &arguments).await.unwrap());
    let app = App {
        id: id.to_owned(),
        secret: None,
        redirect_uris: vec![stage.dev.target.redirect_uri(&stage.simulated().id)],
    };
    let simulation = stage.dev.simulation.as_ref().unwrap();
    simulation.simulators.register("happeo", app);
    stage.connect("ada").await;
    stage.probe("ada").await;
    stage.wait(2 * HOUR);
    stage.probe("ada").await;
    assert_eq!(asked(&stage), 2);
    for request in stage.family.token_requests() {
        assert!(!format!("{request:?}").contains(&secret));
    }
    let status = stage.status("ada").await;
    assert_eq!(status["auth_key"], THEIRS, "{status}");
}
