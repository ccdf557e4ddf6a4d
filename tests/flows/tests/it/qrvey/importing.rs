//! Importing templates, importing them again, and setting their API keys.

use consulate::operator::report::Outcome;
use consulate::operator::set_secret;
use consulate_core::secret::SecretText;
use consulate_flows::qrvey::{API_KEY, Board, WIDGET, sales};
use serde_json::{Value, json};

/// What an import without `--accept` says would change.
async fn differences(board: &Board, templates: &Value) -> Vec<String> {
    let report = board.import(&board.consulate(templates), false).await;
    match report.outcome {
        Outcome::Done => Vec::new(),
        _ => serde_json::from_value(report.json["differences"].clone()).unwrap(),
    }
}

#[tokio::test]
async fn whatever_decides_what_a_token_is_needs_consent() {
    let mut template = sales();
    template["params"] = json!({"page": ["p1"]});
    template["pageid"] = json!("{param.page}");
    template["extra"] = json!({"styles": {"a": "b"}});
    let board = Board::with(json!({"sales": template})).await;
    assert_eq!(
        differences(&board, &json!({"sales": template})).await,
        Vec::<String>::new()
    );
    for (pointer, value, named) in [
        ("/domain", json!("https://evil.example"), "domain"),
        ("/path", json!("/other"), "path"),
        ("/userid", json!("boss"), "userid"),
        ("/appid", json!("x"), "appid"),
        ("/clientid", json!("everybody"), "clientid"),
        ("/orgId", json!("org:0"), "orgId"),
        ("/expiresIn", json!("1h"), "expiresIn"),
        ("/permissions", json!([]), "permissions"),
        (
            "/permissions/0/record_permissions/0/values",
            json!(["*"]),
            "permissions",
        ),
        (
            "/asset_permissions",
            json!({"pages": {"page_ids": ["p"]}}),
            "asset_permissions",
        ),
        ("/roles", json!("admin"), "roles"),
        ("/version", json!(2), "version"),
        ("/params", json!({"page": ["p1", "p2"]}), "params"),
        ("/extra", json!({"styles": {"a": "c"}}), "extra.styles"),
        ("/extra", json!({}), "extra.styles"),
        ("/fields", json!({"userid": "userId"}), "fields"),
    ] {
        let mut changed = template.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[key] = value;
        let lines = differences(&board, &json!({"sales": changed})).await;
        let wanted = format!("{named} of Qrvey template sales: ");
        let told = lines.iter().any(|line| line.starts_with(&wanted));
        // Without row security the version is no longer said either.
        assert!(told && lines.len() <= 2, "{pointer}: {lines:?}");
    }
    let lines = differences(&board, &json!({})).await;
    assert_eq!(
        lines,
        ["Qrvey template sales: https://acme.qrveyapp.com -> none"]
    );
    // A shorter life and a new template need none.
    let mut shorter = template.clone();
    shorter["expiresIn"] = json!("5m");
    let templates = json!({"sales": shorter, "new": sales()});
    assert_eq!(differences(&board, &templates).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_api_key_stays_with_the_domain_it_was_set_for() {
    let board = Board::start().await;
    board.minted("ada", "sales").await;
    let mut moved = sales();
    moved["domain"] = "https://evil.example".into();
    let report = board
        .import(&board.consulate(&json!({"sales": moved})), true)
        .await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
    assert!(
        report.text.contains("it was set for another domain"),
        "{}",
        report.text
    );
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(board.calls(), 1);
}

#[tokio::test]
async fn an_api_key_is_taken_in_its_one_shape_for_a_template_that_is_there() {
    let board = Board::start().await;
    let set = async |name: &str, value: Value| {
        let value = SecretText::new(value.to_string());
        set_secret(&board.dev.target, name, &value).await.unwrap()
    };
    let name = format!("qrvey/{WIDGET}/sales");
    for (value, field) in [
        (json!({}), json!("api_key")),
        (json!({"api_key": ""}), json!("api_key")),
        (json!({"api_key": "two words"}), json!("api_key")),
        (json!({"api_key": 7}), json!("api_key")),
        (
            json!({"api_key": API_KEY, "domain": "https://evil.example"}),
            json!("domain"),
        ),
        (json!({"api_key": API_KEY, "more": 1}), Value::Null),
        (json!(API_KEY), Value::Null),
    ] {
        let report = set(&name, value.clone()).await;
        assert_eq!(report.outcome, Outcome::Refused, "{value}");
        assert_eq!(report.json["field"], field, "{value}");
        assert!(!report.text.contains(API_KEY));
    }
    for name in [
        "qrvey/board/other",
        "qrvey/other/sales",
        "qrvey/board",
        "qrvey/board/sales/x",
        "qrvey//sales",
    ] {
        let report = set(name, json!({"api_key": API_KEY})).await;
        assert_eq!(report.outcome, Outcome::Refused, "{name}");
    }
    let report = set(
        &name,
        json!({"api_key": API_KEY, "domain": "https://acme.qrveyapp.com"}),
    )
    .await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
}

#[tokio::test]
async fn an_import_says_which_api_key_is_missing_and_where_it_will_go() {
    let board = Board::with(json!({})).await;
    let report = board
        .import(&board.consulate(&json!({"sales": sales()})), false)
        .await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
    assert!(
        report.text.contains("secret set qrvey/board/sales"),
        "{}",
        report.text
    );
    assert!(
        report.text.contains("https://acme.qrveyapp.com"),
        "{}",
        report.text
    );
    let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
    // The widget was imported a moment ago, without the template.
    assert!([404, 503].contains(&answer.status.as_u16()));
    assert_eq!(board.calls(), 0);
}
