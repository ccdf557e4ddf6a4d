//! Nothing secret in the log, in a problem or in the table: the API key, the security token, the caller's JWT and e-mail.

use consulate_fakes::provider::Reply;
use consulate_flows::own::reveals;
use consulate_flows::qrvey::{API_KEY, Board};
use serde_json::Value;

#[tokio::test]
async fn nothing_secret_is_written_down_anywhere() {
    let board = Board::start().await;
    let (mut jwts, mut shown) = (Vec::new(), String::new());
    for reply in [
        Reply::Pass,
        Reply::Status(401, format!("no {API_KEY}"), "text/plain".to_owned()),
        Reply::Status(500, format!("no {API_KEY}"), "text/plain".to_owned()),
        Reply::Html,
        Reply::CutMidBody,
        Reply::RetryAfter(1),
    ] {
        board.qrvey.script(reply);
        let jwt = board.jwt("ada");
        let answer = board.ask(&jwt, "sales", &Value::Null).await;
        jwts.push(jwt);
        if answer.status != 200 {
            shown.push_str(&answer.text());
        }
        board.wait(1_000);
    }
    let issued = board.qrvey.issued();
    assert!(issued.len() >= 2, "one was lost on its way");
    let log = board.log.lock().unwrap().join("\n");
    assert!(
        log.contains("\"template\":\"sales\"") && log.contains("\"upstream_status\":500"),
        "{log}"
    );
    let mut outputs = vec![
        ("log".to_owned(), log.into_bytes()),
        ("problems".to_owned(), shown.into_bytes()),
    ];
    for entry in std::fs::read_dir(&board.dev.data_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("secrets.json") {
            outputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    assert!(
        outputs
            .iter()
            .any(|(name, _)| name.contains("table.sqlite"))
    );
    let secrets = [API_KEY, "ada@acme.example"].into_iter();
    let secrets = secrets.chain(jwts.iter().map(String::as_str));
    for secret in secrets.chain(issued.iter().map(String::as_str)) {
        for (name, content) in &outputs {
            assert!(!reveals(content, secret), "{secret} in {name}");
        }
    }
}
