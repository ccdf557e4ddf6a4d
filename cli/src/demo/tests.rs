//! The demo's routes over real HTTP: which name answers what, with which headers, to whom.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

struct Served {
    port: u16,
    steps: Arc<Steps>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn serve() -> Served {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let steps = Arc::new(Steps::new(500));
    let demo = Demo {
        base_url: format!("http://127.0.0.1:{port}"),
        widget_origin: format!("http://localhost:{port}"),
        qrvey: "http://127.0.0.1:1".to_owned(),
        mint: Arc::new(|user| Ok((format!("jwt-of-{user}"), "2026-11-21T07:05:00Z".to_owned()))),
        steps: steps.clone(),
    };
    tokio::spawn(async move { axum::serve(listener, router(demo)).await });
    Served { port, steps }
}

impl Served {
    fn base(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn widget(&self) -> String {
        format!("localhost:{}", self.port)
    }

    async fn send(&self, line: &str, host: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!(
            "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = String::new();
        stream.read_to_string(&mut raw).await.unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    async fn get(&self, path: &str, host: &str) -> Answer {
        self.send(&format!("GET {path}"), host, &[], "").await
    }

    async fn sign_in(&self, origin: Option<&str>, site: &str, body: &str) -> Answer {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("sec-fetch-site", site),
        ];
        headers.extend(origin.map(|origin| ("origin", origin)));
        self.send("POST /demo/caller-jwt", &self.base(), &headers, body)
            .await
    }
}

#[tokio::test]
async fn the_host_page_may_frame_the_widget_and_nobody_may_frame_the_host_page() {
    let demo = serve().await;
    let page = demo.get("/", &demo.base()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(policy.contains(&format!("frame-src http://localhost:{};", demo.port)));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(
        page.body
            .contains(&format!("http://localhost:{}/demo/widget", demo.port))
    );
    assert!(!page.body.contains("{{"));
}

#[tokio::test]
async fn the_widget_may_call_consulate_only_and_is_framed_by_the_host_page_only() {
    let demo = serve().await;
    let page = demo.get("/demo/widget", &demo.widget()).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("connect-src http://127.0.0.1:{};", demo.port)));
    assert!(policy.contains(&format!("frame-ancestors http://127.0.0.1:{};", demo.port)));
    let dashboard = demo.get("/demo/dashboard", &demo.widget()).await;
    let policy = dashboard.header("content-security-policy");
    assert!(policy.contains("script-src 'self' http://127.0.0.1:1;"));
    let calls = format!(
        "connect-src http://127.0.0.1:{} http://127.0.0.1:1;",
        demo.port
    );
    assert!(policy.contains(&calls));
    assert!(policy.contains(&format!("frame-ancestors http://127.0.0.1:{};", demo.port)));
    assert!(!dashboard.body.contains("{{"));
    let connected = demo.get("/demo/widget/connected", &demo.widget()).await;
    assert!(
        connected
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn each_page_answers_under_its_own_name_only() {
    let demo = serve().await;
    assert_eq!(demo.get("/demo/widget", &demo.base()).await.status, 421);
    assert_eq!(demo.get("/demo/steps", &demo.widget()).await.status, 421);
    assert_eq!(demo.get("/", "rebound.example").await.status, 421);
    assert_eq!(
        demo.get("/demo/assets/base.css", "rebound.example")
            .await
            .status,
        421
    );
    let moved = demo.get("/", &demo.widget()).await;
    assert_eq!(moved.status, 303);
    assert_eq!(
        moved.header("location"),
        format!("http://127.0.0.1:{}/", demo.port)
    );
}

#[tokio::test]
async fn assets_have_their_content_type_and_unknown_ones_are_not_found() {
    let demo = serve().await;
    let style = demo.get("/demo/assets/base.css", &demo.widget()).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    let script = demo.get("/demo/assets/widget.js", &demo.base()).await;
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    assert_eq!(script.header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(
        demo.get("/demo/assets/mod.rs", &demo.base()).await.status,
        404
    );
    assert_eq!(
        demo.get("/demo/assets/..%2Fmod.rs", &demo.base())
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn the_host_page_gets_a_caller_jwt_for_the_user_it_names() {
    let demo = serve().await;
    let base = format!("http://{}", demo.base());
    let signed = demo
        .sign_in(Some(&base), "same-origin", r#"{"user":"grace"}"#)
        .await;
    assert_eq!(signed.status, 200);
    assert_eq!(signed.json()["jwt"], "jwt-of-grace");
    assert_eq!(signed.json()["expires_at"], "2026-11-21T07:05:00Z");
    assert_eq!(signed.header("cache-control"), "no-store");
    let unknown = demo
        .sign_in(Some(&base), "same-origin", r#"{"user":"mallory"}"#)
        .await;
    assert_eq!(unknown.status, 422);
}

#[tokio::test]
async fn no_other_origin_gets_a_caller_jwt_not_even_the_widget() {
    let demo = serve().await;
    let (base, widget) = (
        format!("http://{}", demo.base()),
        format!("http://{}", demo.widget()),
    );
    let body = r#"{"user":"ada"}"#;
    for (origin, site) in [
        (Some(widget.as_str()), "cross-site"),
        (Some("https://evil.example"), "cross-site"),
        (Some("null"), "cross-site"),
        (Some(base.as_str()), "same-site"),
        (None, "same-origin"),
    ] {
        let refused = demo.sign_in(origin, site, body).await;
        assert_eq!(refused.status, 403, "{origin:?}");
        assert!(!refused.body.contains("jwt-of"));
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn steps_are_read_on_from_a_number_and_by_the_host_page_only() {
    let demo = serve().await;
    demo.steps
        .push(r#"{"function":"connect","event":"request","status":201}"#);
    demo.steps
        .push(r#"{"function":"proxy","event":"request","status":200}"#);
    let all = demo.get("/demo/steps", &demo.base()).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let newer = demo.get("/demo/steps?after=1", &demo.base()).await.json();
    assert_eq!(newer[0]["number"], 2);
    assert_eq!(newer[0]["line"]["function"], "proxy");
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://localhost:1"),
    ] {
        let refused = demo
            .send("GET /demo/steps", &demo.base(), &[foreign], "")
            .await;
        assert_eq!(refused.status, 403);
    }
}
