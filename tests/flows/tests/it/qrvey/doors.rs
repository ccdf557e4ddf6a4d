//! Who gets no token: callers of others, callers of whom too little is known.

use consulate_flows::qrvey::{Board, DOMAIN, WIDGET};
use consulate_flows::stack::sign;
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_caller_of_another_widget_or_host_is_refused() {
    let board = Board::start().await;
    let mut other = board.consulate(&json!({"sales": {"domain": DOMAIN, "userid": "izfZIkc"}}));
    other["widget"] = "other".into();
    other["host"]["id"] = "other-host".into();
    consulate_flows::own::done(&board.import(&other, true).await);
    let theirs = "host-secret-of-the-other-widget-0123456789";
    let secret = json!({"host_secrets": [theirs]}).to_string();
    board
        .dev
        .secrets
        .put("consulate/widgets/other", &secret)
        .unwrap();
    let exp = board.dev.clock.now().seconds() + 300;
    let claims = json!({"exp": exp, "user": {"id": "ada", "primaryEmail": "ada@acme.example"},
                        "organisation": {"id": "o1"}});
    let foreign = sign(&claims, theirs);
    let answer = board.ask(&foreign, "sales", &Value::Null).await;
    answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    // And the other way round: a good caller of this widget is none of that one.
    let url = format!("{}/v1/widgets/other/qrvey/sales", board.dev.base_url);
    let bearer = format!("Bearer {}", board.jwt("ada"));
    let answer = board
        .wire
        .call(
            Method::POST,
            &url,
            &[("authorization", bearer.as_str())],
            "",
        )
        .await;
    answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    // Its own caller finds its template without a key: this widget's is not lent.
    let bearer = format!("Bearer {foreign}");
    let answer = board
        .wire
        .call(
            Method::POST,
            &url,
            &[("authorization", bearer.as_str())],
            "",
        )
        .await;
    answer.expect_problem(503, "unavailable", "", "");
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn an_organisation_that_is_not_listed_and_a_widget_that_is_not_there_get_nothing() {
    let board = Board::start().await;
    let mut listed = board.consulate(&json!({"sales": consulate_flows::qrvey::sales()}));
    listed["organisations"] = json!(["o1"]);
    consulate_flows::own::done(&board.import(&listed, true).await);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let jwt = board.jwt_of("eve", "o2", Some("eve@evil.example"));
    let answer = board.ask(&jwt, "sales", &Value::Null).await;
    answer.expect_problem(403, "caller_forbidden", "field", "organisation.id");
    let url = format!("{}/v1/widgets/nobody/qrvey/sales", board.dev.base_url);
    let answer = board.wire.call(Method::POST, &url, &[], "").await;
    answer.expect_problem(404, "widget_unknown", "field", "widget");
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn a_caller_without_the_email_that_the_template_names_is_refused() {
    let board = Board::start().await;
    for email in [None, Some("")] {
        let jwt = board.jwt_of("ada", "o1", email);
        let answer = board.ask(&jwt, "sales", &Value::Null).await;
        answer.expect_problem(403, "caller_forbidden", "field", "user.email");
    }
    let blank = board.jwt_of("ada", "o1", Some("  "));
    let answer = board.ask(&blank, "sales", &Value::Null).await;
    answer.expect_problem(403, "caller_forbidden", "field", "user.email");
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn row_security_without_a_value_is_refused_even_if_the_record_holds_it() {
    let board = Board::start().await;
    // What no import lets through, written into the table by another way.
    for (values, status, code) in [
        (json!([]), 403, "caller_forbidden"),
        (json!([""]), 403, "caller_forbidden"),
        (json!([null]), 403, "caller_forbidden"),
        (json!("{user.email}"), 503, "unavailable"),
    ] {
        let mut widget = stored(&board).await;
        widget["qrvey"]["sales"]["body"]["permissions"][0]["record_permissions"][0]["values"] =
            values;
        store(&board, &widget).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
        let at = "permissions[0].record_permissions[0].values";
        answer.expect_problem(status, code, "field", at);
    }
    assert_eq!(board.calls(), 0);
}

async fn stored(board: &Board) -> Value {
    let target = &board.dev.target;
    let item = target
        .dynamodb
        .get_item()
        .table_name(&target.table)
        .key("pk", key())
        .send()
        .await
        .unwrap();
    let document = item.item().unwrap()["doc"].as_s().unwrap().clone();
    serde_json::from_str(&document).unwrap()
}

async fn store(board: &Board, widget: &Value) {
    let target = &board.dev.target;
    let document = aws_sdk_dynamodb::types::AttributeValue::S(widget.to_string());
    let put = target.dynamodb.put_item().table_name(&target.table);
    put.item("pk", key())
        .item("doc", document)
        .send()
        .await
        .unwrap();
}

fn key() -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(format!("WIDGET#{WIDGET}"))
}
