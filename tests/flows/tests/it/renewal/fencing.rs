//! Late answers: the row went on to something else while a token call was under way.

use std::time::Duration;

use consulate_core::custody::{Answer, Event};
use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use serde_json::json;

use super::{call, disconnect, expired, key_of, logged, refresh_calls, row, status, until};

const SLOW: Duration = Duration::from_millis(1_200);

/// Runs `meanwhile` while Ada's call waits for a token call that is scripted as `reply`.
async fn during<T>(
    stack: &Stack,
    reply: Reply,
    meanwhile: impl AsyncFnOnce() -> T,
) -> (consulate_flows::wire::Answer, T) {
    stack.provider.script_token(reply);
    let then = async {
        until("the token call", async || refresh_calls(stack) == 1).await;
        meanwhile().await
    };
    tokio::join!(call(stack), then)
}

/// I17, S-48: the refresh is let finish, and what it brought is given back.
#[tokio::test]
async fn a_disconnect_during_a_refresh_waits_and_revokes_the_fresh_tokens() {
    for reply in [Reply::SlowBy(SLOW), Reply::ProcessThenSlow(SLOW)] {
        let stack = expired().await;
        let (called, receipt) = during(&stack, reply, async || disconnect(&stack).await).await;
        assert_eq!(receipt["status"], "disconnected");
        assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
        called.expect_problem(424, "authentication_required", "reason", "disconnected");
        assert_eq!(stack.provider.seen().refreshes, 1);
        assert_eq!(stack.provider.active_access_tokens(), 0);
        let issued = stack.provider.issued_secrets();
        assert!(!stack.provider.is_family_alive(issued.last().unwrap()));
        let row = row(&stack).await;
        assert_eq!(
            (row.access_token, row.refresh_token, row.fingerprint),
            (None, None, None)
        );
        assert_eq!((row.lease, row.attempt), (None, None));
    }
}

/// Step 6: whoever learns that there is nothing to store gives its claim back, so that the revocation need not wait for
/// the lease to lapse.
#[tokio::test]
async fn a_disconnect_during_a_refresh_that_is_refused_is_revoked_at_once() {
    let stack = expired().await;
    stack.provider.script_token(Reply::Pass);
    let before = stack.provider.issued_secrets();
    let refresh_token = before
        .iter()
        .find(|issued| issued.starts_with("acme-refresh-"))
        .unwrap();
    assert!(stack.provider.is_family_alive(refresh_token));
    call(&stack).await.expect(200);
    stack.dev.clock.advance_millis(super::EXPIRED);
    // Presented again elsewhere, the spent token ends the family: the refresh under way will be refused.
    let form = format!("grant_type=refresh_token&refresh_token={refresh_token}");
    stack.provider.script_token(Reply::SlowBy(SLOW));
    let then = async {
        until("the token call", async || refresh_calls(&stack) == 2).await;
        let receipt = tokio::spawn({
            let (wire, url) = (stack.wire.clone(), format!("{}/token", stack.provider_url));
            let basic = basic();
            async move {
                let headers = [
                    ("authorization", basic.as_str()),
                    ("content-type", "application/x-www-form-urlencoded"),
                ];
                wire.call(http::Method::POST, &url, &headers, form)
                    .await
                    .expect(400);
            }
        });
        receipt.await.unwrap();
        disconnect(&stack).await
    };
    let (called, receipt) = tokio::join!(call(&stack), then);
    called.expect_problem(424, "authentication_required", "reason", "disconnected");
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    assert_eq!(status(&stack).await["status"], "disconnected");
}

fn basic() -> String {
    use base64::Engine as _;
    let secret: String =
        form_urlencoded::byte_serialize(consulate_flows::stack::CLIENT_SECRET.as_bytes()).collect();
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("test-client:{secret}"));
    format!("Basic {pair}")
}

/// S-41, S-48.
#[tokio::test]
async fn a_reconnect_during_a_refresh_fences_the_late_worker_out() {
    let stack = expired().await;
    // The superseded grant's own revocation fails, so that it is the late worker who has to give its tokens back.
    stack
        .provider
        .script_revoke(Reply::Status(503, String::new(), "text/plain".to_owned()));
    let (called, ()) = during(&stack, Reply::ProcessThenSlow(SLOW), async || {
        stack.connect(&stack.jwt("ada"), MINE).await;
    })
    .await;
    called.expect(200);
    until("the late worker ends", async || {
        logged(&stack, "fenced_out", &json!(true))
    })
    .await;
    let issued = stack.provider.issued_secrets();
    let refresh_tokens: Vec<_> = issued
        .iter()
        .filter(|issued| issued.starts_with("acme-refresh-"))
        .collect();
    let [first, late, new] = refresh_tokens[..] else {
        panic!("{} issued", refresh_tokens.len())
    };
    assert!(!stack.provider.is_family_alive(first));
    assert!(!stack.provider.is_family_alive(late));
    assert!(stack.provider.is_family_alive(new));
    assert_eq!(stack.provider.active_access_tokens(), 1);
    assert_eq!(status(&stack).await["status"], "connected");
    let row = row(&stack).await;
    assert_eq!((row.version, row.lease, row.attempt), (2, None, None));
    stack.dev.clock.advance_millis(super::EXPIRED);
    call(&stack).await.expect(200);
}

/// S-45: refused, but the row has gone on: what it has now is used.
#[tokio::test]
async fn a_refusal_that_comes_after_a_reconnect_harms_nobody() {
    let stack = expired().await;
    let (called, ()) = during(&stack, Reply::SlowBy(SLOW), async || {
        stack.connect(&stack.jwt("ada"), MINE).await;
    })
    .await;
    called.expect(200);
    until("the late worker ends", async || {
        logged(&stack, "provider_error", &json!("invalid_grant"))
    })
    .await;
    assert_eq!(status(&stack).await["status"], "connected");
    call(&stack).await.expect(200);
}

/// The row is read again once its revocation is claimed; a grant that came between the two is nobody's to revoke.
#[tokio::test]
async fn a_reconnect_just_after_a_revocation_was_claimed_keeps_its_grant() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let key = key_of(&stack, "ada").await;
    let dev = &stack.dev;
    let custodian = dev.foundation.custodian();
    let revoke = Event::Revoke { key: key.clone() };
    // The passport's definition is in the custodian's memory from here on: the next two reads are of the row.
    custodian.ask(&revoke).await.unwrap();
    let connections = &dev.foundation.connections;
    assert!(connections.disconnect(&key, dev.clock.now()).await.unwrap());
    let writes = dev.engine.count("UpdateItem");
    dev.engine.fail_next("GetItem", Fault::Pass);
    dev.engine.fail_next("GetItem", Fault::Slow(SLOW));
    let reconnect = async {
        until("the claim", async || {
            dev.engine.count("UpdateItem") > writes
        })
        .await;
        tokio::time::sleep(SLOW / 6).await;
        stack.connect(&jwt, MINE).await;
    };
    let (answer, ()) = tokio::join!(custodian.ask(&revoke), reconnect);
    assert_eq!(answer.unwrap(), Answer::Revoked { receipt: None });
    let envelope = stack
        .api(&jwt, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
}
