//! What happens to connections is in the audit log, once each, after it is true, and without anybody's name.

use consulate_core::problem::Reason;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::{MINE, PASSPORT};
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

use super::scheduled::{HOURLY, work};
use super::{call_as, custodian_on, expired_of, key_of, lines_about, row_of, someone};

/// What the audit log says happened to `user`'s connection, oldest first.
async fn audit(stack: &Stack, user: &str) -> Vec<Value> {
    let mut lines = lines_about(stack, user).await;
    lines.retain(|line| line["event"] == "audit");
    lines
}

async fn names(stack: &Stack, user: &str) -> Vec<String> {
    let name = |line: Value| line["what"].as_str().unwrap().to_owned();
    audit(stack, user).await.into_iter().map(name).collect()
}

#[tokio::test]
async fn connecting_and_disconnecting_are_told_and_name_nobody() {
    let user = someone();
    let stack = expired_of(&user).await;
    call_as(&stack, &user).await.expect(200);
    for _ in 0..2 {
        let path = format!("connections/{MINE}");
        let jwt = stack.jwt(&user);
        let answer = stack.widget(Method::DELETE, &path, &jwt, "").await;
        answer.expect(200);
    }
    let lines = audit(&stack, &user).await;
    assert_eq!(
        names(&stack, &user).await,
        ["connection.connected", "connection.disconnected"]
    );
    let owner = key_of(&stack, &user).await.owner;
    for line in &lines {
        assert_eq!(line["passport"], PASSPORT);
        assert_eq!(line["owner"], owner.as_str());
        assert_eq!(
            (&line["slot"], &line["level"]),
            (&json!(""), &json!("info"))
        );
        let text = line.to_string();
        assert!(!text.contains(&user) && !text.contains('@'), "{text}");
    }
    assert_eq!(lines[1]["revocation"], "revoked");
}

#[tokio::test]
async fn a_refused_grant_is_told_once_with_its_reason() {
    let user = someone();
    let stack = expired_of(&user).await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    for _ in 0..3 {
        call_as(&stack, &user).await.expect(424);
    }
    assert_eq!(
        names(&stack, &user).await,
        ["connection.connected", "connection.needs_reauthorisation"]
    );
    assert_eq!(
        audit(&stack, &user).await[1]["reason"],
        json!(Reason::ProviderRefused)
    );
}

/// The answer was lost before it was spent: presenting the token again brings the connection back.
#[tokio::test]
async fn a_recovery_is_told() {
    let user = someone();
    let stack = expired_of(&user).await;
    stack.provider.script_token(Reply::Drop);
    super::retry_after(call_as(&stack, &user).await);
    stack.dev.clock.advance_millis(300_000);
    call_as(&stack, &user).await.expect(200);
    assert_eq!(
        names(&stack, &user).await,
        ["connection.connected", "connection.recovered"]
    );
}

#[tokio::test]
async fn a_recovery_that_fails_is_told_as_what_it_is() {
    let user = someone();
    let stack = expired_of(&user).await;
    stack.provider.script_token(Reply::ProcessThenDrop);
    super::retry_after(call_as(&stack, &user).await);
    stack.dev.clock.advance_millis(300_000);
    call_as(&stack, &user).await.expect(424);
    assert_eq!(
        audit(&stack, &user).await[1]["reason"],
        json!(Reason::RotationLost)
    );
}

/// Told a week ahead, once for each end, and the end is the one status shows.
#[tokio::test]
async fn the_coming_end_of_a_grant_is_told_once_and_agrees_with_status() {
    let day = 86_400_000;
    let absolute = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.consulate["passports"]["test-cloud"]["refresh_absolute_seconds"] =
            json!(30 * 86_400);
    };
    let user = someone();
    let stack = Stack::start_with(absolute, |settings| settings.access_seconds = 3_600).await;
    stack.connected(&user).await;
    let keys = [key_of(&stack, &user).await];
    let custodian = custodian_on(&stack.dev.foundation);
    let look = async |days: i64| {
        stack.dev.clock.advance_millis(days * day);
        work(&stack, &custodian, &keys, HOURLY).await;
        let told = names(&stack, &user).await;
        let soon = told
            .iter()
            .filter(|name| *name == "connection.reauthorise_soon");
        soon.count()
    };
    assert_eq!((look(22).await, look(2).await, look(1).await), (0, 1, 1));
    let lines = audit(&stack, &user).await;
    let soon = lines.last().unwrap();
    assert_eq!(
        soon["reauthorise_by"],
        stack.status(&stack.jwt(&user), MINE).await["reauthorise_by"]
    );
    assert!(row_of(&stack, &user).await.reminded_for.is_some());
    // A new consent has an end of its own.
    stack.connect(&stack.jwt(&user), MINE).await;
    assert_eq!((look(10).await, look(15).await, look(1).await), (1, 2, 2));
}

/// An idle limit that every renewal moves is no news.
#[tokio::test]
async fn an_end_that_renewals_move_is_not_told_while_they_succeed() {
    let idle = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.consulate["passports"]["test-cloud"]["refresh_idle_seconds"] = json!(86_400);
    };
    let user = someone();
    let stack = Stack::start_with(idle, |settings| settings.access_seconds = 3_600).await;
    stack.connected(&user).await;
    let keys = [key_of(&stack, &user).await];
    let custodian = custodian_on(&stack.dev.foundation);
    for _ in 0..5 {
        stack.dev.clock.advance_millis(55 * 60_000);
        work(&stack, &custodian, &keys, HOURLY).await;
    }
    assert_eq!(row_of(&stack, &user).await.version, 6);
    assert_eq!(names(&stack, &user).await, ["connection.connected"]);
}
