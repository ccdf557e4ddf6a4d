//! The console opens nothing: what the table hands it of connections is without what is sealed, and its health page reads an
//! index.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::foundation::Foundation;
use consulate_core::foundation::Leniency;
use consulate_fakes::provider::Reply;
use consulate_fakes::serve::{Served, serve};
use consulate_flows::stack::Stack;
use consulate_flows::wire::Wire;
use tower_service::Service as _;

use super::{Admin, NOTES};

/// A wire-tap before the table: hands everything on, and keeps what goes either way.
async fn tapped(there: String) -> (Served, Arc<Mutex<Vec<(String, String)>>>) {
    let heard: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let (into, wire) = (heard.clone(), Wire::default());
    let tap = Router::new().fallback(move |request: Request| {
        let (into, wire, there) = (into.clone(), wire.clone(), there.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let asked = String::from_utf8_lossy(&body).into_owned();
            let target = parts
                .headers
                .get("x-amz-target")
                .map_or("", |value| value.to_str().unwrap());
            let asked = format!("{target} {asked}");
            parts.uri = format!("{there}{}", parts.uri.path()).parse().unwrap();
            parts.headers.remove("host");
            let answer = wire.send(http::Request::from_parts(parts, body)).await;
            into.lock().unwrap().push((asked, answer.text()));
            let mut response = axum::response::Response::new(axum::body::Body::from(answer.body));
            *response.status_mut() = answer.status;
            response
        }
    });
    (serve(tap, 0).await.unwrap(), heard)
}

#[tokio::test]
async fn the_console_is_handed_nothing_sealed_and_scans_nothing() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    // A refused renewal brings the row into the index.
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    stack.dev.clock.advance_millis(61_000);
    let jwt = stack.jwt("ada");
    stack
        .api(&jwt, "whoAmI", serde_json::json!({}))
        .await
        .expect(424);
    let scan = stack
        .dev
        .target
        .dynamodb
        .scan()
        .table_name("consulate")
        .send()
        .await
        .unwrap();
    let row = scan
        .items()
        .iter()
        .find(|item| item["pk"].as_s().unwrap().starts_with("CONNECTION#"))
        .unwrap();
    let sealed: Vec<String> = ["a", "r", "f"]
        .iter()
        .filter_map(|name| row.get(*name))
        .map(|value| STANDARD.encode(value.as_b().unwrap()))
        .collect();
    assert!(sealed.len() >= 2, "{row:?}");

    let mut config = stack.dev.foundation.config.clone();
    let (_served, heard) = {
        let there = config.aws.dynamodb_endpoint.clone().unwrap();
        let (served, heard) = tapped(there.trim_end_matches('/').to_owned()).await;
        config.aws.dynamodb_endpoint = Some(served.url());
        (served, heard)
    };
    let foundation = Foundation::new(config, stack.dev.clock.clone(), Leniency::default()).unwrap();
    let mut console =
        consulate_console::router(consulate_console::State::new(&foundation).unwrap());
    let admin = Admin::acting_for(&stack, "ada").await;
    let cookie = admin
        .browser
        .cookie("127.0.0.1", consulate_core::console::COOKIE)
        .unwrap();
    for path in [
        "/console/health",
        NOTES,
        "/console/passports",
        "/console/passports/new?provider=zoom",
        "/console/import",
        "/console/activity",
    ] {
        let request = http::Request::get(path).header(
            "cookie",
            format!("{}={cookie}", consulate_core::console::COOKIE),
        );
        let response = console
            .call(request.body(axum::body::Body::empty()).unwrap())
            .await
            .unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        let page = String::from_utf8_lossy(&body).into_owned();
        if path == "/console/health" {
            assert!(
                page.contains("Needs reconnecting") && page.contains("notes.test-cloud"),
                "{page}"
            );
        }
    }
    let heard = heard.lock().unwrap();
    let (mut rows, mut queries) = (0, 0);
    for (asked, answered) in heard.iter() {
        assert!(!asked.contains("DynamoDB_20120810.Scan"), "{asked}");
        queries += usize::from(asked.contains(".Query ") && asked.contains("\"unhealthy\""));
        rows += usize::from(
            answered.contains("CONNECTION#notes.test-cloud#") && answered.contains("Responses"),
        );
        for secret in &sealed {
            assert!(!answered.contains(secret), "{asked}");
        }
    }
    assert!(rows > 0 && queries > 0, "the tap heard the health page");
}

#[tokio::test]
async fn the_health_page_finds_by_what_a_row_says() {
    let stack = Stack::start().await;
    stack.connected("ada").await;
    let mut admin = Admin::signed_in(&stack).await;
    let page = admin.page("/console/health").await;
    assert!(page.contains("every connection is well"), "{page}");
    stack
        .provider
        .script_token(Reply::OauthError("invalid_grant".to_owned()));
    stack.dev.clock.advance_millis(61_000);
    stack
        .api(&stack.jwt("ada"), "whoAmI", serde_json::json!({}))
        .await
        .expect(424);
    for (query, found) in [
        ("", true),
        ("search=ada", true),
        ("search=NOTES", true),
        ("search=provider_refused", true),
        ("search=grace", false),
        ("ailment=reauthorise", true),
        ("ailment=gave_up", false),
        ("ailment=nonsense", true),
    ] {
        let page = admin.page(&format!("/console/health?{query}")).await;
        assert_eq!(
            page.contains("<code>notes.test-cloud</code>"),
            found,
            "{query}"
        );
    }
    // Who it is about is chosen from there.
    let fields = [("organisation", "o1"), ("user", "ada")];
    admin.news(&format!("{NOTES}/person"), &fields).await;
    assert!(admin.page(NOTES).await.contains("Needs reconnecting"));
    // A row that is in the index is asked of the custodian, and one that nobody has is none of its.
    let renew = "/console/health/renew";
    let row = |pk: &str| [("connection", pk.to_owned())];
    for (pk, news) in [
        (row_of(&stack).await, "renewal_impossible"),
        (
            "CONNECTION#notes.test-cloud#nobody".to_owned(),
            "renewal_impossible",
        ),
    ] {
        let fields = row(&pk);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(admin.news(renew, &fields).await, news, "{pk}");
    }
    admin
        .post("/console/health/renew", &[("connection", "WIDGET#notes")])
        .await
        .expect(404);
}

/// The key of the only connection there is.
async fn row_of(stack: &Stack) -> String {
    let target = &stack.dev.target;
    let scan = target.dynamodb.scan().table_name(&target.table);
    let items = scan.send().await.unwrap().items.unwrap();
    let mut pks = items.iter().map(|item| item["pk"].as_s().unwrap());
    pks.find(|pk| pk.starts_with("CONNECTION#"))
        .unwrap()
        .clone()
}
