//! Who gets past the access gate.

use axum::Router;
use axum::routing::post;
use consulate_fakes::gate::AccessGate;
use consulate_fakes::serve::{Served, serve};
use http::Method;

use crate::client::send;

async fn gated() -> (AccessGate, Served) {
    let gate = AccessGate::random().unwrap();
    let router = Router::new().route("/", post(|| async { "in" }));
    let served = serve(gate.wrap(router), 0).await.unwrap();
    (gate, served)
}

fn signed(access_key_id: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/20261121/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=00"
    )
}

#[tokio::test]
async fn only_its_own_access_key_gets_in() {
    let (gate, served) = gated().await;
    let good = signed(&gate.access_key_id);
    let answer = send(Method::POST, &served.url(), &[("authorization", &good)], "")
        .await
        .unwrap();
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "in"));

    let longer = signed(&format!("{}A", gate.access_key_id));
    let prefix = signed(&gate.access_key_id[..20]);
    let twice = format!("{good}, Credential={}/x", gate.access_key_id);
    let bearer = format!("Bearer {}", gate.access_key_id);
    for wrong in [
        signed("AKIAOTHER"),
        longer,
        prefix,
        twice,
        bearer,
        String::new(),
    ] {
        let answer = send(
            Method::POST,
            &served.url(),
            &[("authorization", &wrong)],
            "",
        )
        .await
        .unwrap();
        assert_eq!(answer.status, 403, "{wrong}");
        assert_eq!(answer.json()["__type"], "AccessDeniedException");
        assert!(!answer.text().contains(&gate.access_key_id));
    }
    let none = send(Method::POST, &served.url(), &[], "").await.unwrap();
    assert_eq!(none.status, 403);
}

#[tokio::test]
async fn only_loopback_names_get_in() {
    let (gate, served) = gated().await;
    let good = signed(&gate.access_key_id);
    let port = served.addr.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("LOCALHOST".to_owned(), 200),
        (format!("[::1]:{port}"), 200),
        (format!("rebound.example:{port}"), 403),
        ("127.0.0.1.rebound.example".to_owned(), 403),
        ("localhost@rebound.example".to_owned(), 403),
        ("0.0.0.0".to_owned(), 403),
        ("".to_owned(), 403),
    ] {
        let headers = [("authorization", good.as_str()), ("host", &host)];
        let answer = send(Method::POST, &served.url(), &headers, "")
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
}
