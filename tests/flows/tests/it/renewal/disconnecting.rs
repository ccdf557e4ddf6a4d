//! Giving an account up: unusable at once, revoked at the provider, with a receipt that says what became of it.

use consulate_fakes::dynamodb::Fault;
use consulate_fakes::provider::Reply;
use consulate_flows::browser::Browser;
use consulate_flows::bundle::{Bundle, MINE};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

use super::{call, disconnect, row, status};

async fn connected() -> Stack {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    stack
}

fn unavailable() -> Reply {
    Reply::Status(503, "<html>".to_owned(), "text/html".to_owned())
}

#[track_caller]
fn result(receipt: &Value, result: &str, attempts: u64) {
    assert_eq!(receipt["status"], "disconnected");
    assert_eq!(receipt["revocation"]["result"], result, "{receipt}");
    assert_eq!(receipt["revocation"]["attempts"], attempts, "{receipt}");
    assert!(receipt["revocation"]["at"].is_string());
}

/// S-50, S-52.
#[tokio::test]
async fn a_disconnect_revokes_at_the_provider_and_keeps_the_receipt() {
    let stack = connected().await;
    let receipt = disconnect(&stack).await;
    result(&receipt, "revoked", 1);
    assert_eq!(stack.provider.active_access_tokens(), 0);
    let shown = status(&stack).await;
    assert_eq!(shown["status"], "disconnected");
    assert_eq!(shown["revocation"], receipt["revocation"]);
    let row = row(&stack).await;
    assert_eq!(
        (row.access_token, row.refresh_token, row.fingerprint),
        (None, None, None)
    );
    // Asking again tells again, and calls nobody.
    let calls = stack.provider.seen().revoke_calls;
    assert_eq!(disconnect(&stack).await, receipt);
    assert_eq!(stack.provider.seen().revoke_calls, calls);
}

/// S-51.
#[tokio::test]
async fn an_unconfirmed_revocation_stays_pending_and_is_tried_again_when_asked() {
    for reply in [
        unavailable(),
        Reply::Drop,
        Reply::RetryAfter(60),
        Reply::OauthError("invalid_client".to_owned()),
    ] {
        let stack = connected().await;
        stack.provider.script_revoke(reply.clone());
        result(&disconnect(&stack).await, "pending", 1);
        let pending = row(&stack).await;
        assert!(
            pending.access_token.is_some() && pending.refresh_token.is_some(),
            "{reply:?}"
        );
        assert_eq!(pending.lease, None);
        // Unusable at once all the same.
        let refused = call(&stack).await;
        refused.expect_problem(424, "authentication_required", "reason", "disconnected");
        result(&disconnect(&stack).await, "revoked", 2);
        assert_eq!(stack.provider.active_access_tokens(), 0, "{reply:?}");
        assert_eq!(row(&stack).await.access_token, None);
    }
}

#[tokio::test]
async fn a_provider_without_revocation_is_named_as_such() {
    let without = |bundle: &mut Bundle| {
        let passport = bundle.consulate["passports"]["test-cloud"]
            .as_object_mut()
            .unwrap();
        passport.remove("revocation_url");
    };
    let stack = Stack::start_with(without, |_| {}).await;
    stack.connected("ada").await;
    result(&disconnect(&stack).await, "provider_has_none", 0);
    assert_eq!(stack.provider.seen().revoke_calls, 0);
    assert_eq!(row(&stack).await.access_token, None);
}

/// S-50.
#[tokio::test]
async fn a_kind_of_token_the_provider_does_not_revoke_falls_back_to_the_other() {
    let unsupported = || Reply::OauthError("unsupported_token_type".to_owned());
    let stack = connected().await;
    stack.provider.script_revoke(unsupported());
    result(&disconnect(&stack).await, "revoked", 1);
    assert_eq!(stack.provider.seen().revoke_calls, 2);
    assert_eq!(stack.provider.active_access_tokens(), 0);

    let stack = connected().await;
    stack.provider.script_revoke(unsupported());
    stack.provider.script_revoke(unsupported());
    result(&disconnect(&stack).await, "provider_has_none", 1);
}

/// S-50: the refresh token goes first.
#[tokio::test]
async fn a_revocation_that_ends_half_way_has_ended_the_refresh_token() {
    let stack = connected().await;
    stack.provider.script_revoke(Reply::Pass);
    stack.provider.script_revoke(unavailable());
    result(&disconnect(&stack).await, "pending", 1);
    let issued = stack.provider.issued_secrets();
    assert!(!stack.provider.is_family_alive(issued.last().unwrap()));
}

#[tokio::test]
async fn an_unknown_token_is_gone_already() {
    let stack = connected().await;
    for _ in 0..2 {
        stack
            .provider
            .script_revoke(Reply::OauthError("invalid_token".to_owned()));
    }
    result(&disconnect(&stack).await, "already_gone", 1);
}

#[tokio::test]
async fn where_nothing_is_connected_there_is_nothing_to_give_up() {
    let stack = Stack::start().await;
    assert_eq!(
        disconnect(&stack).await,
        json!({"status": "not_connected", "revocation": null})
    );
}

#[tokio::test]
async fn a_connection_that_needs_reauthorisation_can_be_given_up() {
    let stack = super::expired().await;
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    call(&stack).await.expect(424);
    result(&disconnect(&stack).await, "revoked", 1);
    assert_eq!(status(&stack).await["reason"], json!("disconnected"));
}

/// Mark, claim, receipt: whichever acknowledgement is lost, the provider is asked once and the receipt is right.
#[tokio::test]
async fn a_lost_acknowledgement_changes_no_receipt() {
    for lost in 0..3 {
        let stack = connected().await;
        for _ in 0..lost {
            stack.dev.engine.fail_next("UpdateItem", Fault::Pass);
        }
        stack.dev.engine.fail_next("UpdateItem", Fault::LostAck);
        result(&disconnect(&stack).await, "revoked", 1);
        // Refresh token and access token.
        assert_eq!(stack.provider.seen().revoke_calls, 2, "write {lost}");
        assert_eq!(row(&stack).await.lease, None);
    }
}

/// The custodian cannot be reached: unusable at once, pending until asked again.
#[tokio::test]
async fn without_the_custodian_a_disconnect_still_ends_every_use() {
    let stack = connected().await;
    stack.dev.functions.outage(true);
    result(&disconnect(&stack).await, "pending", 0);
    let refused = call(&stack).await;
    refused.expect_problem(424, "authentication_required", "reason", "disconnected");
    stack.dev.functions.outage(false);
    result(&disconnect(&stack).await, "revoked", 1);
}

/// What was disconnected can be connected again, and the old receipt is gone.
#[tokio::test]
async fn a_reconnect_takes_over_what_was_left_to_revoke() {
    let stack = connected().await;
    let old = stack.provider.issued_secrets();
    stack.provider.script_revoke(unavailable());
    result(&disconnect(&stack).await, "pending", 1);
    stack.connect(&stack.jwt("ada"), MINE).await;
    let shown = status(&stack).await;
    assert_eq!(
        (&shown["status"], &shown["revocation"]),
        (&json!("connected"), &Value::Null)
    );
    assert!(
        !stack.provider.is_family_alive(old.last().unwrap()),
        "the superseded grant is given back"
    );
    call(&stack).await.expect(200);
}

/// A completion in the wrong hands: its grant is of no use to anybody, and is not forgotten before it is revoked.
#[tokio::test]
async fn a_burnt_grant_stays_on_record_until_its_revocation_is_confirmed() {
    for (reply, kept) in [(unavailable(), true), (Reply::Pass, false)] {
        let stack = Stack::start().await;
        let mut browser = Browser::default();
        let ada = stack.jwt("ada");
        let completion = stack.to_completion(&mut browser, &ada, MINE).await;
        stack.provider.script_revoke(reply);
        stack
            .complete(&stack.jwt("bob"), MINE, &completion)
            .await
            .expect(403);
        // The flow is over either way; what is not revoked yet is on record as stray.
        let flow = stack.items_of("FLOW").await.remove(0);
        assert_eq!(flow["st"], "done");
        assert_eq!(flow.get("tk"), None);
        assert_eq!(stack.items_of("GRANT").await.len(), usize::from(kept));
        let issued = stack.issued("refresh");
        assert_eq!(stack.provider.is_family_alive(&issued[0]), kept);
        stack.complete(&ada, MINE, &completion).await.expect(410);
    }
}
