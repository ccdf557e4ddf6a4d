//! The habits of Qrvey's own samples, tried as attacks: a browser that wants to say whose token it gets, what the token
//! shows, and where the API key goes.

use consulate_flows::bundle::ORIGIN;
use consulate_flows::qrvey::{API_KEY, Board, WIDGET, sales};
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// The one request that Qrvey may ever see for Ada.
fn adas() -> Value {
    json!({
        "userid": "izfZIkc", "appid": "59VShVtjM", "clientid": "ada@acme.example", "expiresIn": "10m", "version": "2",
        "permissions": [{"dataset_id": "sales", "record_permissions": [
            {"security_name": "owner", "values": ["ada@acme.example"], "validation_type": "EQUAL"}
        ]}],
    })
}

/// Sends `body`, which must be refused for `field` before anything is asked of Qrvey.
async fn is_refused(board: &Board, body: Value, code: &str, member: &str, field: &str) {
    let jwt = board.jwt("ada");
    let answer = board.ask(&jwt, "sales", &body).await;
    answer.expect_problem(422, code, member, field);
    assert_eq!(board.calls(), 0, "{body}");
}

/// Qrvey saw Ada's own request and no other.
fn is_adas(board: &Board, answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let [call] = board.qrvey.calls().try_into().unwrap();
    assert_eq!(call.body, adas());
    assert_eq!(call.target, "/devapi/v4/core/login/token");
    assert_eq!(call.headers["host"], host_of(board));
}

/// The stand-in's address: the real host is rewritten when a request leaves.
fn host_of(board: &Board) -> String {
    let calls = board.qrvey.calls();
    let host = calls[0].headers["host"].clone();
    assert!(
        host.starts_with("127.0.0.1:") || host == "acme.qrveyapp.com",
        "{host}"
    );
    host
}

#[tokio::test]
async fn a_browser_cannot_override_the_configuration() {
    let board = Board::start().await;
    let theirs = json!({"userid": "boss", "permissions": []});
    is_refused(
        &board,
        json!({"configOverride": theirs}),
        "request_invalid",
        "field",
        "configOverride",
    )
    .await;
}

#[tokio::test]
async fn a_browser_cannot_send_the_api_key_to_another_host() {
    let board = Board::start().await;
    for name in ["urlOverride", "domain", "path", "url", "host"] {
        let body = json!({ name: "https://evil.example" });
        is_refused(&board, body, "request_invalid", "field", name).await;
    }
}

#[tokio::test]
async fn a_browser_cannot_spread_fields_into_the_request() {
    let board = Board::start().await;
    for (name, value) in [
        ("userid", json!("boss")),
        ("clientid", json!("grace@acme.example")),
        ("permissions", json!([])),
        ("appid", json!("other")),
        ("orgId", json!("org:0")),
        ("roles", json!(["admin"])),
        ("asset_permissions", json!({})),
        ("version", json!("1.0.0")),
        ("expiresIn", json!("1y")),
        ("extra", json!({"userid": "boss"})),
        ("fields", json!({"userid": "userId"})),
    ] {
        is_refused(
            &board,
            json!({ name: value }),
            "request_invalid",
            "field",
            name,
        )
        .await;
        let params = json!({"params": { name: value }});
        is_refused(&board, params, "params_invalid", "param", name).await;
    }
}

#[tokio::test]
async fn a_browser_cannot_send_a_body_of_another_kind() {
    let board = Board::start().await;
    let jwt = board.jwt("ada");
    for body in [json!([]), json!("sales"), json!(1)] {
        let answer = board.ask(&jwt, "sales", &body).await;
        answer.expect_problem(400, "request_malformed", "field", "body");
    }
    is_refused(
        &board,
        json!({"params": []}),
        "request_invalid",
        "field",
        "params",
    )
    .await;
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn query_and_headers_of_a_browser_change_nothing() {
    let board = Board::start().await;
    let further = [
        ("x-api-key", "key-of-the-browser"),
        ("x-forwarded-host", "evil.example"),
        ("x-user-id", "boss"),
        ("cookie", "userid=boss"),
        ("origin", ORIGIN),
        ("referer", "https://evil.example/"),
    ];
    let path = "qrvey/sales?userid=boss&clientid=grace&domain=https://evil.example&configOverride[userid]=boss";
    let answer = board
        .ask_at(&board.jwt("ada"), path, &further, &Value::Null)
        .await;
    is_adas(&board, &answer);
    assert!(board.qrvey.calls()[0].api_key_known);
}

#[tokio::test]
async fn a_name_cannot_lead_to_another_template_or_secret() {
    let board = Board::start().await;
    for name in [
        "Sales",
        "sales.",
        "..%2fsales",
        "%2e%2e",
        "sales%00",
        "board%2fsales",
        "constructor",
        "__proto__",
    ] {
        let answer = board.ask(&board.jwt("ada"), name, &Value::Null).await;
        answer.expect_problem(404, "template_unknown", "field", "name");
    }
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn only_listed_values_of_declared_params_are_taken() {
    let mut template = sales();
    template["params"] = json!({"page": ["p1", "p2"]});
    template["pageid"] = json!("{param.page}");
    let board = Board::with(json!({ "sales": template })).await;
    for value in [
        json!("p3"),
        json!("P1"),
        json!("p1 "),
        json!("*"),
        json!(""),
        json!(["p1"]),
        json!({"a": 1}),
        json!(1),
        json!(null),
        json!("{user.email}"),
        json!("p1\",\"userid\":\"boss"),
    ] {
        let body = json!({"params": {"page": value}});
        is_refused(&board, body, "params_invalid", "param", "page").await;
    }
    is_refused(
        &board,
        json!({"params": {}}),
        "params_invalid",
        "param",
        "page",
    )
    .await;
    is_refused(&board, Value::Null, "params_invalid", "param", "page").await;
    let jwt = board.jwt("ada");
    let answer = board
        .ask(&jwt, "sales", &json!({"params": {"page": "p2"}}))
        .await;
    answer.expect(200);
    assert_eq!(board.qrvey.calls()[0].body["pageid"], "p2");
}

#[tokio::test]
async fn a_caller_who_calls_themselves_star_sees_no_more() {
    let mut template = sales();
    template["clientid"] = json!("{user.id}");
    let board = Board::with(json!({ "sales": template })).await;
    for (user, email) in [("ada", "*"), ("ada", " * ")] {
        let jwt = board.jwt_of(user, "o1", Some(email));
        let answer = board.ask(&jwt, "sales", &Value::Null).await;
        let at = "permissions[0].record_permissions[0].values[0]";
        answer.expect_problem(403, "caller_forbidden", "field", at);
    }
    let jwt = board.jwt_of("ada", "o1", Some("x\",\"*"));
    board.ask(&jwt, "sales", &Value::Null).await.expect(200);
    let values = &board.qrvey.calls()[0].body["permissions"][0]["record_permissions"][0]["values"];
    assert_eq!(values, &json!(["x\",\"*"]));
}

#[tokio::test]
async fn nobody_mints_without_a_caller_jwt_and_no_foreign_page_reads_an_answer() {
    let board = Board::start().await;
    let url = format!("{}/v1/widgets/{WIDGET}/qrvey/sales", board.dev.base_url);
    let answer = board
        .wire
        .call(Method::POST, &url, &[("x-api-key", API_KEY)], "")
        .await;
    answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let bearer = format!("Bearer {}", board.jwt("ada"));
        let headers = [("authorization", bearer.as_str())];
        board
            .wire
            .call(method, &url, &headers, "")
            .await
            .expect(405);
    }
    assert_eq!(board.calls(), 0);
    for (origin, allowed) in [(ORIGIN, ORIGIN), ("https://evil.example", ""), ("null", "")] {
        let jwt = board.jwt("ada");
        let answer = board
            .ask_at(&jwt, "qrvey/sales", &[("origin", origin)], &Value::Null)
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert_eq!(answer.header("vary"), "origin");
    }
}
