//! The routers behind API Gateway: events of both payload formats go through `lambda_http` into the very routers that
//! Lambda gets, and cookies, redirects, encoded paths, bodies and problem documents survive the trip.
//!
//! Sources: API Gateway developer guide, "Lambda proxy integrations" (HTTP API payload format 2.0, REST API input format).

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_flows::browser::Browser;
use consulate_flows::bundle::{MINE, ORIGIN};
use consulate_flows::stack::{Stack, form_token};
use consulate_flows::walk::query;
use lambda_http::{Adapter, Context, LambdaEvent, Service as _};
use serde_json::{Map, Value, json};

const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";

/// A payload format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// REST API, on the stage `prod`: queries and cookies are parsed and decoded by the gateway.
    V1,
    /// HTTP API, on `$default`.
    V2,
}

/// A request as a client makes it.
#[derive(Default)]
struct Request<'a> {
    method: &'a str,
    /// Encoded, with its query.
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    cookies: Vec<String>,
    body: &'a str,
}

impl Request<'_> {
    /// What the gateway makes of it. Bodies come as base64, as they do for media types it takes for binary.
    fn event(&self, format: Format) -> Value {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in [("host", HOST), ("x-forwarded-proto", "https")]
            .iter()
            .chain(&self.headers)
        {
            headers.insert((*name).to_owned(), (*value).into());
        }
        let body = (!self.body.is_empty()).then(|| STANDARD.encode(self.body));
        let encoded = body.is_some();
        match format {
            Format::V2 => json!({
                "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
                "cookies": (!self.cookies.is_empty()).then_some(&self.cookies), "headers": headers,
                "requestContext": {
                    "accountId": "123456789012", "apiId": "abc123", "domainName": HOST, "domainPrefix": "abc123",
                    "http": {"method": self.method, "path": path, "protocol": "HTTP/1.1",
                             "sourceIp": "192.0.2.1", "userAgent": "test"},
                    "requestId": "gateway-request-id", "routeKey": "$default", "stage": "$default",
                    "time": "21/Nov/2026:07:00:00 +0000", "timeEpoch": 1_795_244_400_000_i64,
                },
                "body": body, "isBase64Encoded": encoded,
            }),
            Format::V1 => {
                if !self.cookies.is_empty() {
                    headers.insert("cookie".to_owned(), self.cookies.join("; ").into());
                }
                let multi: Map<String, Value> = headers
                    .iter()
                    .map(|(name, value)| (name.clone(), json!([value])))
                    .collect();
                let mut queries: Map<String, Value> = Map::new();
                let mut multi_queries: Map<String, Value> = Map::new();
                for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                    queries.insert(name.to_string(), json!(value));
                    let values = multi_queries.entry(name).or_insert_with(|| json!([]));
                    values.as_array_mut().unwrap().push(json!(value));
                }
                let some = |map: Map<String, Value>| (!map.is_empty()).then_some(map);
                json!({
                    "resource": "/{proxy+}", "path": path, "httpMethod": self.method,
                    "headers": headers, "multiValueHeaders": multi,
                    "queryStringParameters": some(queries),
                    "multiValueQueryStringParameters": some(multi_queries),
                    "pathParameters": {"proxy": path.trim_start_matches('/')}, "stageVariables": null,
                    "requestContext": {
                        "accountId": "123456789012", "apiId": "abc123", "domainName": HOST, "domainPrefix": "abc123",
                        "httpMethod": self.method, "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
                        "path": format!("/prod{path}"), "protocol": "HTTP/1.1", "requestId": "gateway-request-id",
                        "requestTime": "21/Nov/2026:07:00:00 +0000", "requestTimeEpoch": 1_795_244_400_000_i64,
                        "resourceId": "xyz", "resourcePath": "/{proxy+}", "stage": "prod",
                    },
                    "body": body, "isBase64Encoded": encoded,
                })
            }
        }
    }
}

/// What the function hands to the gateway.
struct Reply {
    format: Format,
    json: Value,
}

impl Reply {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        let Self { format, json } = &self;
        assert_eq!(json["statusCode"], status, "{format:?} {json}");
        self
    }

    /// The body as a client gets it.
    fn text(&self) -> String {
        let body = self.json["body"].as_str().unwrap_or_default();
        match self.json["isBase64Encoded"].as_bool() {
            Some(true) => String::from_utf8(STANDARD.decode(body).unwrap()).unwrap(),
            _ => body.to_owned(),
        }
    }

    fn document(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// Every value of a header, where this format keeps them.
    fn all(&self, name: &str) -> Vec<String> {
        let values = match self.format {
            Format::V1 => self.json["multiValueHeaders"][name].clone(),
            Format::V2 => self.json["headers"][name].clone(),
        };
        let values = match values {
            Value::Array(values) => values,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let values = values.iter().map(|value| value.as_str().unwrap());
        values.map(str::to_owned).collect()
    }

    fn header(&self, name: &str) -> String {
        self.all(name).join(", ")
    }

    /// Every `Set-Cookie`, where the gateway looks for them: a list of their own in format 2.0.
    fn set_cookies(&self) -> Vec<String> {
        match self.format {
            Format::V1 => self.all("set-cookie"),
            Format::V2 => {
                assert!(self.all("set-cookie").is_empty(), "joined by commas");
                let cookies = self.json["cookies"].as_array().unwrap().iter();
                cookies.map(|c| c.as_str().unwrap().to_owned()).collect()
            }
        }
    }

    #[track_caller]
    fn expect_problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json["isBase64Encoded"], false, "{}", reply.json);
        let problem = reply.document();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}

async fn send(router: &Router, format: Format, request: Request<'_>) -> Reply {
    let event = serde_json::from_value(request.event(format)).unwrap();
    let mut function = Adapter::from(router.clone());
    let answer = function.call(LambdaEvent::new(event, Context::default()));
    let json = serde_json::to_value(answer.await.unwrap()).unwrap();
    Reply { format, json }
}

fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}

/// The part of an address a client sends in its request line.
fn target(url: &str) -> &str {
    &url[url.find("/v1/").unwrap()..]
}

#[tokio::test]
async fn connect_works_behind_api_gateway_in_both_payload_formats() {
    let stack = Stack::start().await;
    let router = consulate_connect::router(consulate_connect::State::new(&stack.dev.foundation));
    for format in [Format::V2, Format::V1] {
        let jwt = stack.jwt(&format!("{format:?}"));
        let bearer = format!("Bearer {jwt}");
        let authorised = vec![("authorization", bearer.as_str()), ("origin", ORIGIN)];

        let link = Request {
            method: "POST",
            target: "/v1/widgets/notes/connections/mine/connect",
            headers: authorised.clone(),
            body: "{\"mode\":\"popup\"}",
            ..Request::default()
        };
        let link = send(&router, format, link).await.expect(201);
        assert_eq!(link.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(link.header("cache-control"), "no-store");
        let link = link.document()["connect_url"].as_str().unwrap().to_owned();

        let page = Request {
            method: "GET",
            target: target(&link),
            ..Request::default()
        };
        let page = send(&router, format, page).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("x-frame-options"), "DENY");
        let [ticket_cookie] = page.set_cookies().try_into().unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("caller_jwt", &jwt)
            .append_pair("form_token", &form_token(&page.text()))
            .finish();
        let confirm = || Request {
            method: "POST",
            target: target(&link),
            headers: vec![("content-type", "application/x-www-form-urlencoded")],
            cookies: vec!["other=1".to_owned(), pair(&ticket_cookie)],
            body: &form,
        };
        let without = Request {
            cookies: Vec::new(),
            ..confirm()
        };
        send(&router, format, without).await.expect(403);
        // 303 with two cookies: the flow's begins, the ticket's ends.
        let departed = send(&router, format, confirm()).await.expect(303);
        let [flow_cookie, ended] = departed.set_cookies().try_into().unwrap();
        assert!(
            flow_cookie.starts_with("__Host-consulate-flow-"),
            "{flow_cookie}"
        );
        assert!(ended.ends_with("Max-Age=0"), "{ended}");
        let authorize = departed.header("location");
        assert_eq!(
            query(&authorize, "redirect_uri"),
            Some(stack.redirect_uri())
        );

        let callback = stack
            .consent(&mut Browser::default(), &authorize, "allow")
            .await;
        assert!(query(&callback, "iss").unwrap().starts_with("http://"));
        // The path in another spelling, as clients may send it.
        let callback = target(&callback).replace("notes.test", "notes%2Etest");
        let back = Request {
            method: "GET",
            target: &callback,
            cookies: vec![pair(&flow_cookie)],
            ..Request::default()
        };
        let ended = send(&router, format, back).await.expect(303);
        let clean = ended.header("location");
        assert_eq!(
            query(&clean, "status").as_deref(),
            Some("connected"),
            "{clean}"
        );
        assert_eq!(ended.set_cookies().len(), 1);
        assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");

        // An encoded slash stays within its segment.
        let encoded = Request {
            method: "GET",
            target: "/v1/widgets/notes/connections/mi%2Fne",
            headers: authorised.clone(),
            ..Request::default()
        };
        let problem = send(&router, format, encoded).await;
        let problem = problem.expect_problem(404, "authentication_unknown");
        assert_eq!(problem["field"], "auth_key");
        assert!(!problem["request_id"].as_str().unwrap().is_empty());
        let nowhere = Request {
            method: "GET",
            target: "/v1/widgets/notes/connections/mi/ne",
            headers: authorised.clone(),
            ..Request::default()
        };
        send(&router, format, nowhere)
            .await
            .expect_problem(404, "not_found");
        let stranger = Request {
            method: "DELETE",
            target: "/v1/widgets/notes/connections/mine",
            ..Request::default()
        };
        let stranger = send(&router, format, stranger).await;
        assert_eq!(stranger.header("www-authenticate"), "Bearer");
        stranger.expect_problem(401, "caller_unauthenticated");
    }
}

/// What a provider sends is decoded by the gateway and encoded again by `lambda_http`: it arrives as it was.
#[tokio::test]
async fn a_query_survives_being_decoded_by_the_gateway() {
    let stack = Stack::start().await;
    let router = consulate_connect::router(consulate_connect::State::new(&stack.dev.foundation));
    let jwt = stack.jwt("ada");
    for format in [Format::V2, Format::V1] {
        let mut browser = Browser::default();
        let link = stack.connect_url(&jwt, MINE).await;
        let departed = stack.handshake(&mut browser, &link, &jwt).await.expect(303);
        let cookies = departed.headers.get_all("set-cookie").iter();
        let cookies = cookies
            .map(|cookie| pair(cookie.to_str().unwrap()))
            .collect();
        let state = query(departed.header("location"), "state").unwrap();
        let words = "a&b=c %41+ü \"x\" #y";
        let sent = form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &state)
            .append_pair("error", "invalid scope&code=x")
            .append_pair("error_description", words)
            .finish();
        let refused = Request {
            method: "GET",
            target: &format!("/v1/callback/notes.test-cloud?{sent}"),
            cookies,
            ..Request::default()
        };
        let ended = send(&router, format, refused).await.expect(303);
        let location = ended.header("location");
        assert_eq!(
            query(&location, "code").as_deref(),
            Some("provider_refused")
        );
        let said = ended.set_cookies();
        let said = said
            .iter()
            .find(|cookie| cookie.contains("-said="))
            .unwrap();
        let result = Request {
            method: "GET",
            target: target(&location),
            cookies: vec![pair(said)],
            ..Request::default()
        };
        let page = send(&router, format, result).await.expect(200).text();
        let shown = "invalid scope&amp;code=x: a&amp;b=c %41+ü &quot;x&quot; #y";
        assert!(page.contains(shown), "{format:?} {page}");
    }
}

#[tokio::test]
async fn the_proxy_works_behind_api_gateway_in_both_payload_formats() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let router = consulate_proxy::router(consulate_proxy::State::new(&stack.dev.foundation));
    let bearer = format!("Bearer {jwt}");
    for format in [Format::V2, Format::V1] {
        let call = |target: &'static str, body: &'static str| Request {
            method: "POST",
            target,
            headers: vec![("authorization", bearer.as_str()), ("origin", ORIGIN)],
            body,
            ..Request::default()
        };
        let echo = call(
            "/v1/widgets/notes/apis/echo",
            r#"{"params":{"path":"a/b","q":"ü & %2F"}}"#,
        );
        let reply = send(&router, format, echo).await.expect(200);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(reply.json["isBase64Encoded"], false);
        assert!(reply.set_cookies().is_empty());
        let envelope = reply.document();
        assert_eq!(envelope["isSuccess"], true, "{envelope}");
        assert_eq!(envelope["body"]["path"], "/api/v1/echo/a%2Fb");
        let sent = "fixed=1&q=%C3%BC%20%26%20%252F";
        assert_eq!(envelope["body"]["query"], sent);

        // Bytes that are no text travel as base64 within the envelope, which is text.
        let binary = call("/v1/widgets/notes/apis/binary", "{}");
        let reply = send(&router, format, binary).await.expect(200);
        assert_eq!(reply.json["isBase64Encoded"], false);
        let envelope = reply.document();
        assert_eq!(envelope["isBase64Encoded"], true);
        let bytes = STANDARD.decode(envelope["body"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());

        let spelled = call("/v1/widgets/notes/apis/who%41m%49", "{}");
        send(&router, format, spelled).await.expect(200);
        let encoded = call("/v1/widgets/notes/apis/who%2FAmI", "{}");
        send(&router, format, encoded)
            .await
            .expect_problem(404, "api_unknown");
        let missing = call("/v1/widgets/notes/apis/echo", r#"{"params":{"q":"x"}}"#);
        let problem = send(&router, format, missing).await;
        let problem = problem.expect_problem(422, "params_invalid");
        assert_eq!(problem["param"], "path");
        let broken = call("/v1/widgets/notes/apis/echo", "{\"params\":");
        send(&router, format, broken)
            .await
            .expect_problem(400, "request_malformed");

        let preflight = Request {
            method: "OPTIONS",
            target: "/v1/widgets/notes/apis/echo",
            headers: vec![
                ("origin", ORIGIN),
                ("access-control-request-method", "POST"),
                (
                    "access-control-request-headers",
                    "authorization,content-type",
                ),
            ],
            ..Request::default()
        };
        let reply = send(&router, format, preflight).await.expect(204);
        assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
        let allowed = reply.header("access-control-allow-headers");
        let expected = "authorization, content-type, if-match, if-none-match";
        assert_eq!(allowed, expected);
        assert_eq!(reply.header("access-control-max-age"), "600");
    }
}

#[tokio::test]
async fn settings_work_behind_api_gateway_in_both_payload_formats() {
    let stack = super::settings::usual().await;
    let router = consulate_settings::router(consulate_settings::State::new(&stack.dev.foundation));
    for format in [Format::V2, Format::V1] {
        let bearer = format!("Bearer {}", stack.jwt(&format!("{format:?}")));
        let ask = async |method, name, value: &str, body| {
            let request = Request {
                method,
                target: "/v1/widgets/notes/settings/user/a%2Eb",
                headers: vec![("authorization", bearer.as_str()), (name, value)],
                body,
                ..Request::default()
            };
            send(&router, format, request).await
        };
        let made = ask("PUT", "if-none-match", "*", "[\"ü\"]")
            .await
            .expect(201);
        let etag = made.header("etag");
        let read = ask("GET", "if-match", &etag, "").await.expect(200);
        assert_eq!(read.text(), "[\"ü\"]");
        ask("GET", "if-none-match", &etag, "").await.expect(304);
        ask("DELETE", "if-match", &etag, "").await.expect(204);
    }
}
