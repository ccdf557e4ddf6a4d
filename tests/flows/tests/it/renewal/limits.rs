//! Rates, rests and dead connections: what is not to be called is not called, and costs nothing.

use std::time::{Duration, Instant};

use consulate_core::custody::{Answer as Said, Event};
use consulate_fakes::dynamodb::Seen;
use consulate_fakes::provider::Reply;
use consulate_flows::stack::Stack;
use futures_util::future::join_all;
use serde_json::json;

use super::scheduled::{HOURLY, connected, keys_of, work};
use super::{
    call, call_as, custodian_on, expired, expired_of, key_of, lines_about, refresh_by,
    refresh_calls, retry_after, row_of, someone, turned_away,
};

/// An hour's access tokens, and a rate of `per_second`.
async fn hourly(per_second: u64, at_once: u64) -> Stack {
    Stack::start_with(
        |bundle| {
            let settings = &mut bundle.consulate["passports"]["test-cloud"];
            settings["token_calls_per_second"] = json!(per_second);
            settings["token_calls_at_once"] = json!(at_once);
        },
        |settings| settings.access_seconds = 3_600,
    )
    .await
}

/// Writes of the custodian and everybody else since the engine's log was cleared: `(of items beginning with, all)`.
fn writes(stack: &Stack, prefix: &str) -> (usize, usize) {
    let of = |seen: &Seen| {
        let pk = seen.keys.first().and_then(|key| key["pk"]["S"].as_str());
        pk.is_some_and(|pk| pk.starts_with(prefix))
    };
    let is_write = |seen: &&Seen| {
        ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems"]
            .contains(&seen.operation.as_str())
    };
    let requests = stack.dev.engine.requests();
    let writes: Vec<&Seen> = requests.iter().filter(is_write).collect();
    (writes.iter().filter(|seen| of(seen)).count(), writes.len())
}

#[tokio::test]
async fn scheduled_renewals_keep_to_the_endpoints_rate_and_a_batch_leases_it_in_two_writes() {
    let stack = hourly(10, 50).await;
    let users = connected(&stack, 12).await;
    let keys = keys_of(&stack, &users).await;
    stack.dev.clock.advance_millis(300_000);
    stack.dev.engine.clear();
    let started = Instant::now();
    work(&stack, &custodian_on(&stack.dev.foundation), &keys, HOURLY).await;
    let took = started.elapsed();
    assert_eq!(refresh_calls(&stack), 12);
    assert!(took >= Duration::from_millis(1_100), "{took:?}");
    let (limit, all) = writes(&stack, "LIMIT#");
    println!("12 renewals at 10/s: {took:?}, {limit} writes for permits of {all}");
    assert!(limit <= 2, "{limit}");
    assert_eq!(all, 24 + limit);
}

/// Two workers, one rate.
#[tokio::test]
async fn workers_share_one_rate() {
    let stack = hourly(10, 50).await;
    let users = connected(&stack, 12).await;
    let keys = keys_of(&stack, &users).await;
    stack.dev.clock.advance_millis(300_000);
    let workers = [
        custodian_on(&stack.dev.foundation),
        custodian_on(&stack.dev.foundation),
    ];
    let started = Instant::now();
    let (first, second) = keys.split_at(6);
    futures_util::join!(
        work(&stack, &workers[0], first, HOURLY),
        work(&stack, &workers[1], second, HOURLY)
    );
    assert_eq!(refresh_calls(&stack), 12);
    assert!(started.elapsed() >= Duration::from_millis(1_100));
}

#[tokio::test]
async fn no_more_calls_are_under_way_at_once_than_a_passport_allows() {
    let stack = hourly(1_000, 3).await;
    let users = connected(&stack, 9).await;
    let keys = keys_of(&stack, &users).await;
    stack.dev.clock.advance_millis(300_000);
    for _ in &users {
        stack
            .provider
            .script_token(Reply::SlowBy(Duration::from_millis(60)));
    }
    work(&stack, &custodian_on(&stack.dev.foundation), &keys, HOURLY).await;
    let seen = stack.provider.seen();
    assert_eq!(
        (refresh_calls(&stack), seen.max_concurrent_token_calls),
        (9, 3)
    );
}

#[tokio::test]
async fn a_row_that_needs_nothing_takes_no_permit() {
    let stack = hourly(10, 50).await;
    let users = connected(&stack, 2).await;
    let keys = keys_of(&stack, &users).await;
    stack.dev.engine.clear();
    // Looked at every ten minutes, an hour's access token has time.
    work(&stack, &custodian_on(&stack.dev.foundation), &keys, "10").await;
    assert_eq!((refresh_calls(&stack), writes(&stack, "").1), (0, 0));
}

/// The schedule has given the rate out for half a minute; a widget does not wait for it.
#[tokio::test]
async fn a_call_on_demand_waits_for_no_permit() {
    let stack = hourly(1, 50).await;
    let users = connected(&stack, 4).await;
    let keys = keys_of(&stack, &users).await;
    stack.dev.clock.advance_millis(3_601_000);
    let custodian = custodian_on(&stack.dev.foundation);
    let scheduled = work(&stack, &custodian, &keys[..3], HOURLY);
    let on_demand = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let started = Instant::now();
        let jwt = stack.jwt(&users[3]);
        stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
        started.elapsed()
    };
    let ((), waited) = futures_util::join!(scheduled, on_demand);
    assert!(waited < Duration::from_millis(800), "{waited:?}");
    assert_eq!(refresh_calls(&stack), 4);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_rest_has_it_from_every_connection_and_every_worker() {
    for reply in [
        Reply::RetryAfter(40),
        Reply::Status(503, "busy".into(), "text/plain".into()),
    ] {
        let rests = matches!(reply, Reply::RetryAfter(_));
        let stack = Stack::start().await;
        let users = connected(&stack, 2).await;
        stack.dev.clock.advance_millis(super::EXPIRED);
        stack.provider.script_token(reply);
        let jwt = |user: usize| stack.jwt(&users[user]);
        retry_after(stack.api(&jwt(0), "whoAmI", json!({})).await);
        assert_eq!(refresh_calls(&stack), 1);
        if !rests {
            // Said nothing about how long: only the connection that met it waits.
            stack.api(&jwt(1), "whoAmI", json!({})).await.expect(200);
            continue;
        }
        stack.dev.engine.clear();
        for _ in 0..3 {
            let wait = retry_after(stack.api(&jwt(1), "whoAmI", json!({})).await);
            assert!((38..=40).contains(&wait), "{wait}");
        }
        let elsewhere = custodian_on(&stack.dev.foundation);
        let event = Event::Refresh {
            key: key_of(&stack, &users[1]).await,
            version: 1,
            rejected: false,
        };
        let said = custodian_run(&elsewhere, event).await;
        assert!(matches!(said, Said::BackOff { .. }), "{said:?}");
        assert_eq!((refresh_calls(&stack), writes(&stack, "").1), (1, 0));
        stack.dev.clock.advance_millis(41_000);
        stack.api(&jwt(1), "whoAmI", json!({})).await.expect(200);
        assert_eq!(refresh_calls(&stack), 2);
    }
}

async fn custodian_run(custodian: &consulate_custodian::State, event: Event) -> Said {
    consulate_custodian::run(custodian, event, "elsewhere").await
}

/// I12: what is dead costs the provider and the table nothing, however often a widget calls.
#[tokio::test]
async fn a_dead_connection_and_a_resting_one_cost_no_call_and_no_write() {
    for (reply, status_code) in [
        (Reply::OauthError("invalid_grant".to_owned()), 424),
        (Reply::RetryAfter(40), 503),
    ] {
        let stack = expired().await;
        stack.provider.script_token(reply);
        call(&stack).await.expect(status_code);
        let calls = refresh_calls(&stack);
        stack.dev.engine.clear();
        for _ in 0..20 {
            call(&stack).await.expect(status_code);
        }
        assert_eq!(
            (refresh_calls(&stack), writes(&stack, "").1),
            (calls, 0),
            "{status_code}"
        );
        let custodian = custodian_on(&stack.dev.foundation);
        let said = refresh_by(&stack, &custodian).await;
        assert!(!matches!(said, Said::Refreshed { .. }), "{said:?}");
        assert_eq!((refresh_calls(&stack), writes(&stack, "").1), (calls, 0));
    }
}

/// S-40, with what it costs those who lose.
#[tokio::test]
async fn two_hundred_callers_wait_little_longer_than_the_provider_takes() {
    let user = someone();
    let stack = expired_of(&user).await;
    let provider = Duration::from_millis(800);
    stack.provider.script_token(Reply::SlowBy(provider));
    stack.dev.engine.clear();
    let answers = join_all((0..200).map(|_| async {
        let started = Instant::now();
        let answer = call_as(&stack, &user).await;
        (answer, started.elapsed())
    }))
    .await;
    let mut waits: Vec<_> = answers.iter().map(|(_, wait)| *wait).collect();
    let served = answers.len() - turned_away(answers);
    waits.sort();
    let requests = stack.dev.engine.requests();
    let updates = || {
        requests
            .iter()
            .filter(|seen| seen.operation == "UpdateItem")
    };
    let written: f64 = updates().filter_map(|seen| seen.consumed).sum();
    // A write whose condition fails costs what it would have cost: one unit for an item up to 1 KB.
    let lost = updates().filter(|seen| seen.error.is_some()).count();
    let mut asked = lines_about(&stack, &user).await;
    asked.retain(|line| line["event"] == "refresh");
    let asked = asked.len();
    println!(
        "200 callers, provider {provider:?}: {served} served, p50 {:?}, p99 {:?}, longest {:?}; \
         {asked} invokes of the custodian; winner {written} write units, losers {lost}",
        waits[99], waits[197], waits[199]
    );
    // How many, and after how long, is a matter of the machine: docs/capacity.md has the figures.
    assert!(served > 0);
    assert_eq!(
        (
            refresh_calls(&stack),
            stack.provider.seen().max_concurrent_token_calls
        ),
        (1, 1)
    );
    assert_eq!(row_of(&stack, &user).await.version, 2);
    // Only who read the row before the claim was visible can lose a claim, once each; nobody else writes.
    assert!(lost < asked, "{lost} of {asked}");
}

/// A caller that comes while a lease is visible asks nobody: it reads the row until it is served.
#[tokio::test]
async fn while_a_lease_is_visible_losers_poll_and_write_nothing() {
    let user = someone();
    let stack = expired_of(&user).await;
    stack
        .provider
        .script_token(Reply::SlowBy(Duration::from_millis(700)));
    let winner = call_as(&stack, &user);
    let losers = async {
        super::until("the lease is visible", async || {
            row_of(&stack, &user).await.lease.is_some()
        })
        .await;
        stack.dev.engine.clear();
        let answers = join_all((0..50).map(|_| call_as(&stack, &user))).await;
        answers
            .into_iter()
            .filter(|answer| answer.status == 200)
            .count()
    };
    let (winner, served) = futures_util::join!(winner, losers);
    winner.expect(200);
    assert_eq!(served, 50);
    let mut invokes = lines_about(&stack, &user).await;
    invokes.retain(|line| line["event"] == "refresh");
    assert_eq!(invokes.len(), 1);
    // The winner's save is the only write since.
    assert_eq!(writes(&stack, "").1, 1);
}
