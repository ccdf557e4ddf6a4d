//! Many writers at once, and writes whose answer is lost: the owner's account stays the sum of what is there.

use consulate_fakes::dynamodb::Fault;
use futures_util::future::join_all;
use http::Method;

use super::*;

#[tokio::test]
async fn of_many_who_read_the_same_state_one_replaces_it() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let made = put(&stack, "user/a", &ada, "0").await.expect(201);
    let etag = made.header("etag").to_owned();
    let write = |number: usize| {
        let (stack, ada, etag) = (&stack, &ada, &etag);
        async move {
            let more = [("if-match", etag.as_str())];
            let answer = ask(stack, Method::PUT, "user/a", ada, &more, number.to_string()).await;
            (number, answer.status.as_u16())
        }
    };
    let statuses = join_all((1..=12).map(write)).await;
    let won: Vec<_> = statuses
        .iter()
        .filter(|(_, status)| *status == 200)
        .collect();
    assert_eq!(won.len(), 1, "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|(_, status)| [200, 412].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(
        get(&stack, "user/a", &ada).await.text(),
        won[0].0.to_string()
    );

    let create = |number: usize| {
        let (stack, ada) = (&stack, &ada);
        async move {
            let more = [("if-none-match", "*")];
            let answer = ask(
                stack,
                Method::PUT,
                "user/new",
                ada,
                &more,
                number.to_string(),
            )
            .await;
            answer.status.as_u16()
        }
    };
    let statuses = join_all((1..=12).map(create)).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    accounts_are_right(&items(&stack).await);
}

#[tokio::test]
async fn the_account_is_right_after_puts_and_deletes_of_many_at_once() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    let work = |number: usize| {
        let (stack, ada) = (&stack, &ada);
        async move {
            let path = format!("user/k{}", number % 5);
            let value = format!("\"{}\"", "x".repeat(number * 13));
            let answer = match number % 3 {
                0 => delete(stack, &path, ada).await,
                _ => put(stack, &path, ada, &value).await,
            };
            answer.status.as_u16()
        }
    };
    let statuses = join_all((0..60).map(work)).await;
    // Too busy is an answer; wrong is none.
    assert!(
        statuses
            .iter()
            .all(|status| [200, 201, 204, 503].contains(status)),
        "{statuses:?}"
    );
    accounts_are_right(&items(&stack).await);
}

/// The SDK repeats a transaction whose answer was lost: it counts once.
#[tokio::test]
async fn a_write_whose_answer_is_lost_counts_once() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    stack
        .dev
        .engine
        .fail_next("TransactWriteItems", Fault::LostAck);
    put(&stack, "user/a", &ada, "12345").await.expect(201);
    accounts_are_right(&items(&stack).await);
    stack
        .dev
        .engine
        .fail_next("TransactWriteItems", Fault::LostAck);
    let etag = get(&stack, "user/a", &ada).await.header("etag").to_owned();
    let more = [("if-match", etag.as_str())];
    ask(&stack, Method::PUT, "user/a", &ada, &more, "1")
        .await
        .expect(200);
    accounts_are_right(&items(&stack).await);
    stack
        .dev
        .engine
        .fail_next("TransactWriteItems", Fault::LostAck);
    delete(&stack, "user/a", &ada).await.expect(204);
    let kept = items(&stack).await;
    accounts_are_right(&kept);
    assert_eq!(kept.len(), 1);
    for fault in [Fault::Throttled, Fault::Unavailable] {
        stack.dev.engine.fail_next("TransactWriteItems", fault);
        put(&stack, "user/a", &ada, "1").await;
        accounts_are_right(&items(&stack).await);
    }
}
