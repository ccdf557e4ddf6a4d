//! What is odd about providers, seen from the widget: each against the simulator that is odd in the same way.

mod due;
mod google;
mod happeo;
mod held;
mod instagram;
mod margin;
mod meta;
mod microsoft;
mod salesforce;
mod servicenow;
mod slack;
mod x;
mod zoom;

use consulate_core::clock::Timestamp;
use consulate_fakes::provider::Reply;
use consulate_flows::stage::{Stage, THEIRS};
use consulate_flows::wire::Answer;
use serde_json::{Value, json};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Gives the widget one more API.
fn declare(schema: &mut Value, name: &str, method: &str, url: &str) {
    let api = json!({"label": name, "name": name, "method": method, "authenticationKey": THEIRS, "url": url});
    schema["authenticatedApis"]
        .as_array_mut()
        .unwrap()
        .push(api);
}

/// Calls an API, whose answer comes in an envelope.
async fn envelope(stage: &Stage, user: &str, api: &str) -> Value {
    stage.call(user, api, json!({})).await.expect(200).json()
}

/// Asserts that `answer` sends the person to connect.
#[track_caller]
fn must_connect(answer: Answer, reason: &str) {
    answer.expect_problem(424, "authentication_required", "reason", reason);
}

/// Asserts that `user`'s connection waits for the person, as the provider refused to go on.
async fn is_refused(stage: &Stage, user: &str) {
    let status = stage.status(user).await;
    let standing = (&status["status"], &status["reason"]);
    let expected = (&json!("needs_reauthorisation"), &json!("provider_refused"));
    assert_eq!(standing, expected, "{status}");
}

/// What a status document says of one API.
fn readiness<'s>(status: &'s Value, name: &str) -> &'s Value {
    let apis = status["apis"].as_array().unwrap();
    apis.iter().find(|api| api["name"] == name).unwrap()
}

/// Every token request so far.
fn asked(stage: &Stage) -> usize {
    stage.family.token_requests().len()
}

/// How often a grant of this type was presented so far.
fn presented(stage: &Stage, grant_type: &str) -> usize {
    let requests = stage.family.token_requests();
    let of_type = requests
        .iter()
        .filter(|request| request.grant_type == grant_type);
    of_type.count()
}

/// A JSON answer that stands in the way of the real one.
fn canned(status: u16, body: Value) -> Reply {
    Reply::Status(status, body.to_string(), "application/json".to_owned())
}

/// The real answer with these members set.
fn merged(members: Value) -> Reply {
    let Value::Object(members) = members else {
        panic!("members of an object");
    };
    Reply::Merge(members)
}

/// A member of a status document that is an instant.
fn instant(status: &Value, member: &str) -> Timestamp {
    let text = status[member].as_str();
    let text = text.unwrap_or_else(|| panic!("no {member} in {status}"));
    Timestamp::parse_rfc3339(text).unwrap()
}

/// Whole seconds from now until `instant`, give or take what the test itself takes.
fn seconds_until(stage: &Stage, instant: Timestamp) -> i64 {
    (instant.since(stage.dev.clock.now()) + 30_000) / 60_000 * 60
}

/// The whole log.
fn log_text(stage: &Stage) -> String {
    stage.log.lock().unwrap().join("\n")
}

/// Whether the proxy called this host.
fn was_called(stage: &Stage, host: &str) -> bool {
    let lines = stage.log_lines();
    lines
        .iter()
        .any(|line| line["upstream_host"].as_str() == Some(host))
}

/// Asserts that neither a token nor the client secret stands in the log.
fn nothing_leaked(stage: &Stage) {
    let log = log_text(stage);
    let mut secrets = stage.family.issued_secrets();
    secrets.push(stage.client_secret());
    for secret in secrets {
        assert!(!log.contains(&secret), "a credential is in the log");
    }
}
