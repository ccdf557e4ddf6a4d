//! What Qrvey can do wrong, one answer each: a typed problem, nothing of Qrvey's body in it, and the next request works.

use std::time::Duration;

use consulate_fakes::provider::Reply;
use consulate_flows::qrvey::Board;
use consulate_flows::wire::Answer;
use serde_json::{Map, Value, json};

const BODY: &str = r#"{"message":"body-of-qrvey","token":"body-of-qrvey"}"#;

fn status(status: u16) -> Reply {
    Reply::Status(status, BODY.to_owned(), "application/json".to_owned())
}

/// The answer to a request that meets `reply`.
async fn met(board: &Board, reply: Reply) -> Answer {
    board.qrvey.script(reply);
    let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
    assert!(
        !answer.text().contains("body-of-qrvey"),
        "{}",
        answer.text()
    );
    answer
}

fn token(text: String) -> Reply {
    Reply::Merge(Map::from_iter([("token".to_owned(), Value::from(text))]))
}

#[tokio::test]
async fn refusals_say_which_status_and_are_not_to_be_repeated() {
    let board = Board::start().await;
    for code in [400, 401, 403, 404, 409, 422, 301, 302, 307] {
        let answer = met(&board, status(code)).await;
        let answer = answer
            .expect_problem(502, "upstream_refused", "", "")
            .json();
        assert_eq!(answer["upstream_status"], code);
        assert_eq!(answer["retryable"], false);
    }
    board.minted("ada", "sales").await;
}

#[tokio::test]
async fn errors_of_the_server_may_pass() {
    let board = Board::start().await;
    for code in [500, 502, 503, 504] {
        let answer = met(&board, status(code)).await;
        let answer = answer
            .expect_problem(502, "upstream_unreachable", "", "")
            .json();
        assert_eq!(answer["upstream_status"], code);
        assert_eq!(answer["retryable"], true);
    }
    for reply in [Reply::Drop, Reply::CutMidBody] {
        let answer = met(&board, reply).await;
        answer.expect_problem(502, "upstream_unreachable", "", "");
    }
    board.minted("ada", "sales").await;
    let levels: Vec<Value> = board
        .log_lines()
        .iter()
        .map(|line| line["level"].clone())
        .collect();
    assert_eq!(levels.last().unwrap(), "info");
    assert!(
        levels[..levels.len() - 1]
            .iter()
            .all(|level| level == "error")
    );
}

#[tokio::test]
async fn too_many_requests_pass_the_wait_on() {
    let board = Board::start().await;
    let answer = met(&board, Reply::RetryAfter(7)).await;
    let answer = answer.expect_problem(429, "rate_limited", "", "");
    assert_eq!(answer.header("retry-after"), "7");
    board.wait(8);
    let answer = met(&board, status(429)).await;
    let answer = answer.expect_problem(429, "rate_limited", "", "");
    assert_eq!(answer.header("retry-after"), "5", "none was named");
    board.wait(6);
    board.minted("ada", "sales").await;
}

#[tokio::test]
async fn a_success_without_a_token_is_none() {
    let board = Board::start().await;
    let json = |body: &str| Reply::Status(200, body.to_owned(), "application/json".to_owned());
    for reply in [
        Reply::Html,
        Reply::Empty,
        json("{}"),
        json(r#"{"token":null}"#),
        json(r#"{"token":""}"#),
        json(r#"{"token":["x"]}"#),
        json(r#"{"message":"body-of-qrvey"}"#),
        json("\"body-of-qrvey\""),
        token("two words".to_owned()),
        token("line\nbreak".to_owned()),
    ] {
        let answer = met(&board, reply.clone()).await;
        let answer = answer
            .expect_problem(502, "upstream_malformed", "", "")
            .json();
        assert_eq!(answer["retryable"], true, "{reply:?}");
    }
    board.minted("ada", "sales").await;
}

#[tokio::test]
async fn a_token_of_two_megabytes_passes_and_one_that_no_reply_can_carry_does_not() {
    let board = Board::start().await;
    let large = "t".repeat(2 * 1024 * 1024);
    let answer = met(&board, token(large.clone())).await.expect(200);
    assert!(answer.body.len() < 6_000_000);
    let answer = answer.json();
    assert!(answer["qv_token"] == large.as_str() && answer["qvToken"] == large.as_str());
    board.wait(500);
    for reply in [token("t".repeat(3_000_001)), Reply::Huge(8_000_000)] {
        // The one that is held still serves.
        assert_eq!(
            met(&board, reply).await.expect(200).json()["qvToken"],
            large.as_str()
        );
    }
    board.wait(500);
    for reply in [token("t".repeat(3_000_001)), Reply::Huge(8_000_000)] {
        met(&board, reply)
            .await
            .expect_problem(413, "response_too_large", "", "");
    }
    board.minted("ada", "sales").await;
}

#[tokio::test]
async fn a_slow_qrvey_is_waited_for_and_one_that_hangs_is_given_up_by_all_at_once() {
    let board = Board::start().await;
    let answer = met(&board, Reply::SlowBy(Duration::from_secs(2))).await;
    answer.expect(200);
    board.wait(500);
    board.wait(500);
    board.qrvey.script(Reply::Hang);
    let calls = board.calls();
    let jwt = board.jwt("ada");
    let answers = (0..10).map(|_| board.ask(&jwt, "sales", &Value::Null));
    let started = std::time::Instant::now();
    for answer in futures_util::future::join_all(answers).await {
        answer.expect_problem(504, "upstream_timeout", "", "");
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "one after the other"
    );
    assert_eq!(board.calls(), calls + 1);
    board.minted("ada", "sales").await;
}

#[tokio::test]
async fn a_token_that_is_still_good_serves_through_an_outage_and_not_after_a_refusal() {
    let board = Board::start().await;
    let first = board.minted("ada", "sales").await;
    board.wait(490);
    let kept = met(&board, status(500)).await.expect(200).json();
    assert_eq!(Board::token_of(&kept), Board::token_of(&first));
    assert_eq!(kept["expires_at"], first["expires_at"]);
    assert!(kept["refresh_after"].as_str() > first["refresh_after"].as_str());
    assert_eq!(board.log_lines().last().unwrap()["source"], "kept");
    met(&board, status(403))
        .await
        .expect_problem(502, "upstream_refused", "", "");
    let newer = board.minted("ada", "sales").await;
    assert_ne!(Board::token_of(&newer), Board::token_of(&first));
}

#[tokio::test]
async fn a_missing_or_misshapen_api_key_is_the_operators_to_repair() {
    let board = Board::start().await;
    let name = "consulate/qrvey/board/sales";
    for value in ["{}", "[]", "text", r#"{"api_key":7}"#] {
        let board = Board::start().await;
        board.dev.secrets.put(name, value).unwrap();
        let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
        answer.expect_problem(503, "unavailable", "", "");
        assert_eq!(board.calls(), 0);
    }
    let other = json!({"api_key": "k", "domain": "https://other.qrveyapp.com"}).to_string();
    board.dev.secrets.put(name, &other).unwrap();
    let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
    let answer = answer.expect_problem(503, "unavailable", "", "");
    assert!(
        answer.text().contains("another domain"),
        "{}",
        answer.text()
    );
    assert_eq!(board.calls(), 0);
}
