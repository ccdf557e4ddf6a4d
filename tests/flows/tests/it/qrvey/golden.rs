//! The journey, and the exact request of each template under `tests/fixtures/qrvey`.

use consulate_core::clock::Timestamp;
use consulate_fakes::qrvey::{Settings, Spelling};
use consulate_flows::qrvey::{Board, DOMAIN};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_widget_gets_a_token_with_which_it_sees_the_callers_rows_and_no_others() {
    let board = Board::start().await;
    let before = board.dev.clock.now().seconds();
    let answer = board
        .ask(&board.jwt("ada"), "sales", &Value::Null)
        .await
        .expect(200);
    let after = board.dev.clock.now().seconds();
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = answer.json();
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "domain",
            "qv_token",
            "qvToken",
            "expires_at",
            "refresh_after"
        ]
    );
    assert_eq!(answer["domain"], DOMAIN);
    assert_eq!(answer["qv_token"], answer["qvToken"]);
    let seconds = |name: &str| {
        let text = answer[name].as_str().unwrap();
        Timestamp::parse_rfc3339(text).unwrap().seconds()
    };
    assert!((before + 600..=after + 600).contains(&seconds("expires_at")));
    assert_eq!(seconds("expires_at") - seconds("refresh_after"), 120);

    let token = Board::token_of(&answer);
    // Never later than Qrvey's own end.
    let theirs = board.qrvey.expires_at(token).unwrap();
    assert!(seconds("expires_at") * 1_000 <= theirs);
    let owners = |token: &str| -> Vec<String> {
        let rows = board.qrvey.rows(token).unwrap();
        let owner = |row: &Value| row["owner"].as_str().unwrap().to_owned();
        rows.iter().map(owner).collect()
    };
    assert_eq!(owners(token), ["ada@acme.example", "ada@acme.example"]);
    let other = board.minted("grace", "sales").await;
    assert_eq!(
        owners(Board::token_of(&other)),
        ["grace@acme.example", "grace@acme.example"]
    );
    assert_eq!(board.qrvey.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn every_template_becomes_exactly_its_request() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/qrvey");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let shown = path.display();
        let fixture: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mut settings = Settings::default();
        if fixture["spelling"] == "camel" {
            settings.spelling = Spelling::Camel;
        }
        if let Some(path) = fixture["path"].as_str() {
            settings.token_path = path.to_owned();
        }
        let target = settings.token_path.clone();
        let board = Board::on(settings, json!({ "it": fixture["template"] })).await;
        let body = match &fixture["params"] {
            Value::Null => Value::Null,
            params => json!({ "params": params }),
        };
        let answer = board.ask(&board.jwt("ada"), "it", &body).await;
        assert_eq!(board.qrvey.refusals(), Vec::<String>::new(), "{shown}");
        answer.expect(200);
        let [call] = board.qrvey.calls().try_into().unwrap();
        assert_eq!(call.body, fixture["request"], "{shown}");
        assert_eq!(
            (call.method, call.target),
            (Method::POST, target),
            "{shown}"
        );
        assert!(call.api_key_known, "{shown}");
        // Nothing of the browser's travels along.
        let names: Vec<&str> = call.headers.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["accept", "content-length", "content-type", "host"],
            "{shown}"
        );
        assert_eq!(call.headers["content-type"], "application/json", "{shown}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}
