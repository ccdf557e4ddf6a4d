//! Connections that an import would leave out of everybody's reach: named before, given up and revoked with it.

use consulate_core::connection::Health;
use consulate_fakes::schedule::scheduled_event;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;

use super::{changed, command, done};
use consulate::operator::report::Outcome;

#[tokio::test]
async fn a_changed_owner_mode_names_who_loses_their_connection_and_gives_it_back() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack.connected("bob").await;
    let path = changed(&stack, "shared", |bundle| {
        bundle.consulate["authentications"][MINE]["owner"] = "organisation".into();
    });
    let path = path.to_str().unwrap();
    let refused = command(&stack, &["import", path]).await;
    assert_eq!(refused.outcome, Outcome::Refused);
    let told = "connections nobody can reach any more, to be revoked: 2";
    assert!(refused.text.contains(told), "{}", refused.text);
    assert_eq!(stack.provider.seen().revoke_calls, 0);

    done(&command(&stack, &["import", path, "--accept"]).await);
    let connections = stack.dev.target.connections();
    let listed = command(&stack, &["connections", "list", "--health", "revoking"]).await;
    assert_eq!(listed.json["connections"].as_array().unwrap().len(), 2);
    // The next minute revokes them.
    stack.dev.clock.advance_millis(60_000);
    let now = stack.dev.clock.now().millis();
    let event = scheduled_event("tick", "id", now - now.rem_euclid(60_000)).to_string();
    stack
        .dev
        .functions
        .invoke("custodian", event.into())
        .await
        .unwrap();
    for _ in 0..200 {
        let listed = command(&stack, &["connections", "list", "--health", "revoking"]).await;
        if listed.json["connections"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for one in listed.json["connections"].as_array().unwrap() {
        let pk = format!("CONNECTION#{}", one["id"].as_str().unwrap());
        let row = connections.read_pk(&pk).await.unwrap().unwrap();
        assert_eq!(row.health, Health::Disconnected);
        assert_eq!((row.access_token, row.due), (None, None));
    }
    // The same import again has nothing to give up.
    done(&command(&stack, &["import", path]).await);
}
