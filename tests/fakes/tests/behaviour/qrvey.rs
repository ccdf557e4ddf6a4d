//! The Qrvey instance is strict: one right request brings a token, and each slip is refused and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use consulate_fakes::provider::Reply;
use consulate_fakes::qrvey::{DATA_PATH, Qrvey, SCRIPT_PATH, Settings};
use consulate_fakes::serve::Served;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, send};

const KEY: (&str, &str) = ("x-api-key", "qrvey-api-key-of-the-sandbox-0123456789a");
const JSON: (&str, &str) = ("content-type", "application/json");
const PATH: &str = "/devapi/v4/core/login/token";

async fn start() -> (Qrvey, Served, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Arc::clone(&now);
    let settings = Settings {
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        ..Settings::default()
    };
    let (qrvey, served) = Qrvey::start(settings, 0).await.unwrap();
    (qrvey, served, now)
}

fn body() -> Value {
    json!({
        "userid": "izfZIkc", "appid": "59VShVtjM", "expiresIn": "1m", "version": "2",
        "permissions": [{"dataset_id": "sales", "record_permissions": [
            {"security_name": "owner", "values": ["ada@acme.example"]}
        ]}],
    })
}

async fn post(served: &Served, headers: &[(&str, &str)], body: &Value) -> Answer {
    let url = format!("{}{PATH}", served.url());
    send(Method::POST, &url, headers, &body.to_string())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_right_request_brings_a_token_that_shows_rows_until_its_end() {
    let (qrvey, served, now) = start().await;
    let answer = post(&served, &[KEY, JSON], &body()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 5);
    let url = format!("{}{DATA_PATH}", served.url());
    let data = async |token: &str| {
        send(Method::GET, &url, &[("x-qrvey-token", token)], "")
            .await
            .unwrap()
    };
    let shown = data(&token).await;
    assert_eq!(shown.header("access-control-allow-origin"), "*");
    assert_eq!(shown.json()["rows"].as_array().unwrap().len(), 2);
    assert_eq!(data("another").await.status, StatusCode::UNAUTHORIZED);
    now.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(data(&token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(qrvey.refusals(), Vec::<String>::new());
    let script = format!("{}{SCRIPT_PATH}", served.url());
    let script = send(Method::GET, &script, &[], "").await.unwrap();
    assert!(script.text().contains("qrvey-end-user"));
}

#[tokio::test]
async fn slips_are_refused_one_by_one_and_the_api_key_is_not_kept() {
    let (qrvey, served, _) = start().await;
    assert_eq!(post(&served, &[JSON], &body()).await.status, 401);
    assert_eq!(
        post(&served, &[("x-api-key", "wrong"), JSON], &body())
            .await
            .status,
        401
    );
    assert_eq!(post(&served, &[KEY], &body()).await.status, 415);
    assert_eq!(
        post(
            &served,
            &[KEY, JSON, ("authorization", "Bearer x")],
            &body()
        )
        .await
        .status,
        400
    );
    for (pointer, value, status) in [
        ("/userid", json!(null), 400),
        ("/userid", json!("other"), 403),
        ("/appid", json!("other"), 403),
        ("/clientid", json!("{user.email}"), 400),
        ("/userId", json!("x"), 400),
        ("/expiresIn", json!(null), 400),
        ("/expiresIn", json!("soon"), 400),
        ("/version", json!("1.0.0"), 400),
        ("/roles", json!([]), 400),
        ("/permissions", json!({}), 400),
        ("/permissions/0/dataset_id", json!(null), 400),
        ("/permissions/0/record_permissions", json!([]), 400),
        ("/permissions/0/record_permissions/0/values", json!([]), 400),
        (
            "/permissions/0/record_permissions/0/values",
            json!([""]),
            400,
        ),
        (
            "/permissions/0/record_permissions/0/validation_type",
            json!("LIKE"),
            400,
        ),
        (
            "/permissions/0/record_permissions/0/group_value",
            json!("decade"),
            400,
        ),
        (
            "/asset_permissions",
            json!({"pages": {"page_ids": []}}),
            400,
        ),
    ] {
        let mut changed = body();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[key] = value;
        assert_eq!(
            post(&served, &[KEY, JSON], &changed).await.status,
            status,
            "{pointer}"
        );
    }
    assert_eq!(qrvey.refusals().len(), 21);
    assert!(qrvey.issued().is_empty());
    assert!(!format!("{:?}", qrvey.calls()).contains(KEY.1));
}

#[tokio::test]
async fn a_scripted_answer_comes_once() {
    let (qrvey, served, _) = start().await;
    qrvey.script(Reply::Html);
    assert!(
        post(&served, &[KEY, JSON], &body())
            .await
            .text()
            .starts_with("<!doctype")
    );
    assert_eq!(post(&served, &[KEY, JSON], &body()).await.status, 200);
    assert_eq!(qrvey.calls().len(), 2);
}
