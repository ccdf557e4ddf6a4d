//! How often Qrvey is asked.

use consulate_fakes::provider::Reply;
use consulate_flows::qrvey::{API_KEY, Board, sales};
use serde_json::{Value, json};

#[tokio::test]
async fn callers_at_the_same_time_share_one_request() {
    let board = Board::start().await;
    board
        .qrvey
        .script(Reply::SlowBy(std::time::Duration::from_millis(300)));
    let answers =
        futures_util::future::join_all((0..20).map(|_| board.minted("ada", "sales"))).await;
    assert_eq!(board.calls(), 1);
    assert!(answers.iter().all(|answer| answer == &answers[0]));
}

#[tokio::test]
async fn a_token_serves_until_a_newer_one_is_due() {
    let board = Board::start().await;
    let first = board.minted("ada", "sales").await;
    board.wait(470);
    assert_eq!(board.minted("ada", "sales").await, first);
    assert_eq!(board.calls(), 1);
    board.wait(15);
    let second = board.minted("ada", "sales").await;
    assert_ne!(Board::token_of(&second), Board::token_of(&first));
    assert_eq!(board.calls(), 2);
    let sources: Vec<Value> = board
        .log_lines()
        .iter()
        .map(|line| line["source"].clone())
        .collect();
    assert_eq!(sources, ["minted", "cache", "minted"]);
}

#[tokio::test]
async fn what_differs_in_the_request_is_not_shared() {
    let mut with_page = sales();
    with_page["params"] = json!({"page": ["p1", "p2"]});
    with_page["pageid"] = json!("{param.page}");
    let board = Board::with(json!({"sales": sales(), "same": sales(), "page": with_page})).await;
    let ada = board.minted("ada", "sales").await;
    assert_ne!(board.minted("grace", "sales").await, ada);
    assert_eq!(board.calls(), 2);
    // The same request by another template: it may have another key.
    board.minted("ada", "same").await;
    assert_eq!(board.calls(), 3);
    let jwt = board.jwt("ada");
    for (page, calls) in [("p1", 4), ("p2", 5), ("p1", 5)] {
        let body = json!({"params": {"page": page}});
        board.ask(&jwt, "page", &body).await.expect(200);
        assert_eq!(board.calls(), calls);
    }
    // Nobody but the person differs: the same e-mail in another organisation asks for the same.
    let jwt = board.jwt_of("other", "o2", Some("ada@acme.example"));
    board.ask(&jwt, "sales", &Value::Null).await.expect(200);
    assert_eq!(board.calls(), 5);
}

#[tokio::test]
async fn a_new_api_key_is_found_without_a_restart() {
    let board = Board::start().await;
    board.minted("ada", "sales").await;
    let newer = "qrvey-api-key-that-came-later/9876543210";
    board.qrvey.set_api_keys(&[newer]);
    board.set_api_key("sales", newer).await;
    // A second later early reloads are possible again.
    tokio::time::sleep(std::time::Duration::from_millis(10_100)).await;
    let calls = board.calls();
    board.minted("grace", "sales").await;
    assert_eq!(
        board.calls(),
        calls + 2,
        "refused with the old key, minted with the new one"
    );
    board.qrvey.set_api_keys(&[API_KEY]);
    let answer = board.ask(&board.jwt("eve"), "sales", &Value::Null).await;
    answer.expect_problem(502, "upstream_refused", "", "");
    assert_eq!(board.calls(), calls + 3, "the same key is not tried twice");
}

#[tokio::test]
async fn nobody_asks_while_qrvey_wants_to_be_left_alone() {
    let board = Board::start().await;
    let first = board.minted("ada", "sales").await;
    board.qrvey.script(Reply::RetryAfter(30));
    for expected in ["30", "30"] {
        let answer = board.ask(&board.jwt("grace"), "sales", &Value::Null).await;
        let answer = answer.expect_problem(429, "rate_limited", "", "");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((29..=expected.parse().unwrap()).contains(&wait), "{wait}");
    }
    assert_eq!(board.calls(), 2);
    // What is held is served all the same.
    assert_eq!(board.minted("ada", "sales").await, first);
    board.wait(31);
    board.minted("grace", "sales").await;
    assert_eq!(board.calls(), 3);
}
