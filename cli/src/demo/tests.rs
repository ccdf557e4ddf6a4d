//! The demo's routes over real HTTP: which name answers what, with which headers, to whom.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

struct Served {
    base: u16,
    host: u16,
    widgets: u16,
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

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn serve() -> Served {
    let [(at_base, base), (at_host, host), (at_widgets, widgets)] =
        [listen().await, listen().await, listen().await];
    let steps = Arc::new(Steps::new(500));
    let routers = routers(Demo {
        base_url: format!("http://127.0.0.1:{base}"),
        host_origin: format!("http://localhost:{host}"),
        widget_origin: format!("http://localhost:{widgets}"),
        qrvey: "http://127.0.0.1:1".to_owned(),
        mint: Arc::new(|user| Ok((format!("jwt-of-{user}"), "2026-11-21T07:05:00Z".to_owned()))),
        steps: steps.clone(),
    });
    for (listener, router) in [
        (at_base, routers.at_base),
        (at_host, routers.host),
        (at_widgets, routers.widgets),
    ] {
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    Served {
        base,
        host,
        widgets,
        steps,
    }
}

impl Served {
    /// The `Host` of a request that is meant for the host page.
    fn host(&self) -> String {
        format!("localhost:{}", self.host)
    }

    fn widgets(&self) -> String {
        format!("localhost:{}", self.widgets)
    }

    /// To the port that `host` names, under that name.
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
        let port = match host.rsplit_once(':') {
            Some((_, port)) => port.parse().unwrap(),
            None => self.host,
        };
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
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
        self.send("POST /demo/caller-jwt", &self.host(), &headers, body)
            .await
    }
}

#[tokio::test]
async fn the_host_page_may_frame_the_widget_and_nobody_may_frame_the_host_page() {
    let demo = serve().await;
    let page = demo.get("/", &demo.host()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(policy.contains(&format!("frame-src http://{};", demo.widgets())));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let widget = format!("http://{}/demo/widget", demo.widgets());
    assert!(page.body.contains(&widget));
    assert!(!page.body.contains("{{"));
}

#[tokio::test]
async fn the_widget_may_call_consulate_only_and_is_framed_by_the_host_page_only() {
    let demo = serve().await;
    let base = format!("http://127.0.0.1:{}", demo.base);
    let framed = format!("frame-ancestors http://{};", demo.host());
    let page = demo.get("/demo/widget", &demo.widgets()).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("connect-src 'self' {base};")));
    assert!(policy.contains(&framed));
    let dashboard = demo.get("/demo/dashboard", &demo.widgets()).await;
    let policy = dashboard.header("content-security-policy");
    assert!(policy.contains(&format!("script-src 'self' {base} http://127.0.0.1:1;")));
    assert!(policy.contains(&format!("connect-src 'self' {base} http://127.0.0.1:1;")));
    assert!(policy.contains(&framed));
    assert!(!dashboard.body.contains("{{"));
    let connected = demo.get("/demo/widget/connected", &demo.widgets()).await;
    assert!(
        connected
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn each_page_answers_under_its_own_name_only() {
    let demo = serve().await;
    assert_eq!(demo.get("/demo/widget", &demo.host()).await.status, 404);
    assert_eq!(demo.get("/demo/steps", &demo.widgets()).await.status, 404);
    for path in ["/", "/demo/assets/base.css", "/demo/steps"] {
        let (host, widgets) = (demo.host, demo.widgets);
        for name in [
            format!("rebound.example:{host}"),
            format!("rebound.example:{widgets}"),
            format!("127.0.0.1:{widgets}"),
        ] {
            assert_eq!(demo.get(path, &name).await.status, 421, "{name}{path}");
        }
    }
}

#[tokio::test]
async fn whoever_types_the_api_s_address_or_the_number_comes_to_the_host_page() {
    let demo = serve().await;
    for name in [
        format!("127.0.0.1:{}", demo.base),
        format!("127.0.0.1:{}", demo.host),
    ] {
        let moved = demo.get("/", &name).await;
        assert_eq!(moved.status, 303, "{name}");
        assert_eq!(moved.header("location"), format!("http://{}/", demo.host()));
    }
}

#[tokio::test]
async fn assets_have_their_content_type_and_unknown_ones_are_not_found() {
    let demo = serve().await;
    let style = demo.get("/demo/assets/base.css", &demo.widgets()).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    let script = demo.get("/demo/assets/widget.js", &demo.host()).await;
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    assert_eq!(script.header("cross-origin-resource-policy"), "same-origin");
    let client = demo.get("/demo/assets/client.js", &demo.widgets()).await;
    let address = format!("\"http://127.0.0.1:{}/v1/consulate.js\"", demo.base);
    assert!(client.body.contains(&address), "{}", client.body);
    for path in ["/demo/assets/mod.rs", "/demo/assets/..%2Fmod.rs"] {
        assert_eq!(demo.get(path, &demo.host()).await.status, 404);
    }
}

#[tokio::test]
async fn the_host_page_gets_a_caller_jwt_for_the_user_it_names() {
    let demo = serve().await;
    let base = format!("http://{}", demo.host());
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
        format!("http://{}", demo.host()),
        format!("http://{}", demo.widgets()),
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
    let all = demo.get("/demo/steps", &demo.host()).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let newer = demo.get("/demo/steps?after=1", &demo.host()).await.json();
    assert_eq!(newer[0]["number"], 2);
    assert_eq!(newer[0]["line"]["function"], "proxy");
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://localhost:1"),
    ] {
        let refused = demo
            .send("GET /demo/steps", &demo.host(), &[foreign], "")
            .await;
        assert_eq!(refused.status, 403);
    }
}
