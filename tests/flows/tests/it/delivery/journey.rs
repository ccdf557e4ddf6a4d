//! What a widget does with an access token of its own.

use consulate_flows::bundle::ORIGIN;

use super::*;

#[tokio::test]
async fn a_widget_fetches_uses_and_refetches_the_access_token() {
    let (stack, ada) = delivering().await;
    assert_eq!(shown(&stack, &ada).await, "browser");
    let answer = fetch(&stack, &ada).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(answer.headers.get("set-cookie"), None);
    let document = answer.json();
    let mut members: Vec<&String> = document.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_at", "token_type"]);
    assert_eq!(document["token_type"], "Bearer");
    assert_eq!(
        document["expires_at"],
        stack.status(&ada, MINE).await["expires_at"]
    );
    let first = access_token(&answer);
    assert_eq!(
        who_am_i(&stack, &first).await.expect(200).json()["id"],
        "acme-1815"
    );
    for refresh_token in refresh_tokens(&stack) {
        assert!(!answer.text().contains(&refresh_token));
    }

    // The same one while it is good; the next one once it is not, renewed by the custodian and once.
    assert_eq!(access_token(&fetch(&stack, &ada).await), first);
    assert_eq!(stack.provider.seen().refreshes, 0);
    stack.dev.clock.advance_millis(61_000);
    who_am_i(&stack, &first).await.expect(401);
    let jwt = stack.jwt("ada");
    let answers = futures_util::future::join_all((0..8).map(|_| fetch(&stack, &jwt))).await;
    let next: std::collections::BTreeSet<String> = answers.iter().map(access_token).collect();
    assert_eq!((next.len(), stack.provider.seen().refreshes), (1, 1));
    let next = next.first().unwrap();
    assert_ne!(*next, first);
    who_am_i(&stack, next).await.expect(200);
}

/// The provider is away: what is still good is handed out; what is not is said to come later.
#[tokio::test]
async fn a_provider_that_is_away_is_waited_for() {
    let (mut stack, ada) = delivering().await;
    let first = access_token(&fetch(&stack, &ada).await.expect(200));
    stack.provider_down();
    stack.dev.clock.advance_millis(56_000);
    assert_eq!(access_token(&fetch(&stack, &ada).await.expect(200)), first);
    stack.dev.clock.advance_millis(5_000);
    let later = fetch(&stack, &ada)
        .await
        .expect_problem(503, "unavailable", "", "");
    assert!(!later.header("retry-after").is_empty());
    shows_nothing(&stack, &later);
    stack.provider_up().await;
    stack.dev.clock.advance_millis(60_000);
    let jwt = stack.jwt("ada");
    assert_ne!(access_token(&fetch(&stack, &jwt).await.expect(200)), first);
}

/// A connection whose grant the provider has ended is as dead here as for a call.
#[tokio::test]
async fn an_ended_grant_has_to_be_connected_again() {
    let (stack, ada) = delivering().await;
    stack.dev.clock.advance_millis(61_000);
    stack
        .provider
        .script_token(consulate_fakes::provider::Reply::OauthError(
            "invalid_grant".into(),
        ));
    let problem = fetch(&stack, &ada).await;
    let problem =
        problem.expect_problem(424, "authentication_required", "reason", "provider_refused");
    assert_eq!(problem.json()["connect"]["method"], "POST");
}

#[tokio::test]
async fn a_fetch_costs_one_strong_read() {
    let (stack, ada) = delivering().await;
    fetch(&stack, &ada).await.expect(200);
    stack.dev.engine.clear();
    fetch(&stack, &ada).await.expect(200);
    let requests = stack.dev.engine.requests();
    let of_connection = requests.iter().filter(|request| {
        request
            .keys
            .iter()
            .any(|key| key["pk"]["S"].as_str().unwrap().starts_with("CONNECTION#"))
    });
    let operations: Vec<_> = of_connection
        .map(|request| (request.operation.as_str(), request.consumed))
        .collect();
    // A strong read of up to 4 KB is one unit, any other half of one.
    assert_eq!(operations, [("GetItem", Some(1.0))]);
}
