//! Typing again: the new credential replaces the old one, which is given back where that is possible.

use consulate_flows::own::{HEADER, Items, MACHINE, Own, connections};
use consulate_flows::stage::{Stage, THEIRS};
use http::Method;
use serde_json::{Value, json};

const FIRST: &str = "canary-first-key-0123456789";
const SECOND: &str = "canary-second-key-0123456789";

/// Version and grant of the only connection.
#[track_caller]
fn row(items: &Items) -> (i64, String) {
    let rows = items.iter().filter(|(pk, _)| pk.starts_with("CONNECTION#"));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = rows[0].1;
    (
        row["v"].as_n().unwrap().parse().unwrap(),
        row["g"].as_s().unwrap().clone(),
    )
}

#[tokio::test]
async fn a_second_key_takes_the_place_of_the_first() {
    let own = Own::start().await;
    own.acme.accept(FIRST);
    own.acme.accept(SECOND);
    let first = own
        .connected("ada", HEADER, &json!({"api_key": FIRST}))
        .await;
    let (version, grant) = row(&own.connections().await);
    own.echo("ada", HEADER, json!({})).await.expect(200);
    own.wait(16);
    let second = own
        .connected("ada", HEADER, &json!({"api_key": SECOND}))
        .await;
    assert_ne!(second["connected_at"], first["connected_at"]);
    let (newer, another) = row(&own.connections().await);
    assert!(newer > version && another != grant);
    own.echo("ada", HEADER, json!({})).await.expect(200);
    assert_eq!(own.acme.last_call().places(SECOND), ["header x-api-key"]);
    assert_eq!(own.acme.last_call().places(FIRST), Vec::<String>::new());
}

/// An environment may hold the first key for 15 s still; the API's refusal shows it the second one.
#[tokio::test]
async fn a_key_that_was_withdrawn_and_replaced_is_served_by_its_successor_at_once() {
    let own = Own::start().await;
    own.acme.accept(FIRST);
    own.connected("ada", HEADER, &json!({"api_key": FIRST}))
        .await;
    own.echo("ada", HEADER, json!({})).await.expect(200);
    own.acme.withdraw(FIRST);
    own.acme.accept(SECOND);
    own.connected("ada", HEADER, &json!({"api_key": SECOND}))
        .await;
    let envelope = own.echo("ada", HEADER, json!({})).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(own.acme.last_call().header("x-api-key"), SECOND);
}

#[tokio::test]
async fn a_machines_former_token_is_revoked_and_its_new_one_lives() {
    let own = Own::start().await;
    own.connected("admin", MACHINE, &json!({})).await;
    let former = own.acme.live_tokens();
    own.wait(16);
    own.connected("admin", MACHINE, &json!({})).await;
    let shown: Vec<_> = own.acme.seen_at("/oauth/revoke");
    let shown: Vec<_> = shown
        .iter()
        .map(|call| call.form("token").unwrap())
        .collect();
    assert_eq!(shown, former);
    let live = own.acme.live_tokens();
    assert_eq!(live.len(), 1);
    assert_ne!(live, former);
    own.echo("ada", MACHINE, json!({})).await.expect(200);
    assert_eq!(
        own.acme.last_call().header("authorization"),
        format!("Bearer {}", live[0])
    );
}

async fn put(stage: &Stage, typed: &Value) -> Value {
    let path = format!("connections/{THEIRS}");
    let status = stage.widget("ada", Method::PUT, &path, typed).await;
    status.expect(200).json()
}

#[tokio::test]
async fn another_personal_access_token_signs_the_former_out() {
    let stage = Stage::set("tableau", "tableau").await;
    let simulators = &stage.dev.simulation.as_ref().unwrap().simulators;
    simulators.register_pat("second", SECOND, "acme");
    stage.connect("ada").await;
    let before = stage.status("ada").await;
    let (version, _) = row(&connections(&stage.dev.target).await);
    stage.wait(16);
    let second = json!({"token_name": "second", "token_secret": SECOND, "site": "acme"});
    let after = put(&stage, &second).await;
    assert_ne!(after["connected_at"], before["connected_at"]);
    assert!(row(&connections(&stage.dev.target).await).0 > version);
    assert_eq!(
        (stage.family.live_grants(), stage.family.seen().revoked),
        (1, 1)
    );
    stage.probe("ada").await;
}

/// The sign-in itself ended the session before: signing that one out must not end the new one.
#[tokio::test]
async fn the_same_personal_access_token_may_be_typed_again() {
    let stage = Stage::set("tableau", "tableau").await;
    stage.connect("ada").await;
    stage.probe("ada").await;
    let typed = json!(stage.simulated().typed);
    for _ in 0..2 {
        put(&stage, &typed).await;
        // The environment holds the session that has just ended: refused, it looks at the row.
        stage.probe("ada").await;
        assert_eq!(stage.family.live_grants(), 1);
    }
    assert_eq!(stage.family.token_requests().len(), 3);
}

#[tokio::test]
async fn two_who_type_at_once_leave_one_whole_connection() {
    let own = Own::start().await;
    own.acme.accept(FIRST);
    own.acme.accept(SECOND);
    let jwt = own.jwt("ada");
    let (first, second) = (json!({"api_key": FIRST}), json!({"api_key": SECOND}));
    let puts = [FIRST, SECOND].map(|key| if key == FIRST { &first } else { &second });
    let puts = puts.map(|typed| own.put(&jwt, HEADER, typed));
    for answer in futures_util::future::join_all(puts).await {
        assert_eq!(answer.expect(200).json()["status"], "connected");
    }
    row(&own.connections().await);
    own.echo("ada", HEADER, json!({})).await.expect(200);
    let served = own.acme.last_call().header("x-api-key").to_owned();
    assert!([FIRST, SECOND].contains(&served.as_str()), "{served}");
}
