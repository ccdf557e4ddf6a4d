//! Who is calling (checklist S-103, S-104; RFC 8725): caller JWTs made by jose, good ones and forgeries, at the doors of
//! connect and proxy. What is refused changes nothing.

use std::time::Duration;

use consulate_core::clock::Clock;
use consulate_flows::bundle::{Bundle, MINE, WIDGET};
use consulate_flows::jose::Jose;
use consulate_flows::stack::{HOST_SECRET, Stack, sign, sign_with_header};
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// Every route of connect and proxy that acts for a caller, behind `/v1/widgets/notes/`.
const WIDGET_ROUTES: [(Method, &str); 6] = [
    (Method::GET, "connections"),
    (Method::GET, "connections/mine"),
    (Method::DELETE, "connections/mine"),
    (Method::POST, "connections/mine/connect"),
    (Method::POST, "connections/mine/complete"),
    (Method::POST, "apis/whoAmI"),
];

/// Claims as Happeo writes them, good for a minute.
fn claims(clock: &Clock) -> Value {
    json!({
        "exp": clock.now().seconds() + 60,
        "user": {"id": "ada", "primaryEmail": "ada@example.com"},
        "organisation": {"id": "o1", "name": "Acme"},
    })
}

/// Good claims with the member at `pointer` replaced; null takes it out.
fn but(stack: &Stack, pointer: &str, value: Value) -> Value {
    let mut claims = claims(&stack.dev.clock);
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(member),
        value => parent.insert(member.to_owned(), value),
    };
    claims
}

/// Calls a route with these values of `Authorization`.
async fn knock(stack: &Stack, method: &Method, path: &str, authorization: &[&str]) -> Answer {
    let url = format!("{}/v1/widgets/{WIDGET}/{path}", stack.dev.base_url);
    let headers: Vec<_> = authorization
        .iter()
        .map(|value| ("authorization", *value))
        .collect();
    stack.wire.call(method.clone(), &url, &headers, "").await
}

/// Asserts that both functions refuse `jwt` naming `field`, and that nothing came of it.
#[track_caller]
fn refused_naming(answers: Vec<Answer>, what: &str, field: &str) {
    for answer in answers {
        let problem = answer.text();
        assert_eq!(answer.status, 401, "{what}: {problem}");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
        answer.expect_problem(401, "caller_unauthenticated", "field", field);
    }
}

/// What connect and proxy say to `jwt`: at a route that writes, and at one that would send a credential.
async fn both(stack: &Stack, jwt: &str) -> Vec<Answer> {
    let body = json!({"mode": "popup"}).to_string();
    let path = format!("connections/{MINE}/connect");
    vec![
        stack.widget(Method::POST, &path, jwt, &body).await,
        stack.api(jwt, "whoAmI", json!({})).await,
    ]
}

async fn accepted(stack: &Stack, jwt: &str) -> bool {
    let answer = stack.widget(Method::GET, "connections", jwt, "").await;
    match answer.status.as_u16() {
        200 => true,
        _ => {
            answer.expect_problem(401, "caller_unauthenticated", "", "");
            false
        }
    }
}

fn set_host_secrets(stack: &Stack, widget: &str, secrets: &Value) {
    let name = format!("consulate/widgets/{widget}");
    let document = json!({ "host_secrets": secrets }).to_string();
    stack.dev.secrets.put(&name, &document).unwrap();
}

#[tokio::test]
async fn a_jwt_of_another_library_is_accepted_with_and_without_an_email() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let jwt = jose
        .sign("HS256", HOST_SECRET, &claims(&stack.dev.clock))
        .await;
    stack.connect(&jwt, MINE).await;
    let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert_eq!(answer.json()["body"]["id"], "acme-1815");
    for email in [json!(null), json!(""), json!(7), json!(["a@b.example"])] {
        let claims = but(&stack, "/user/primaryEmail", email.clone());
        let jwt = jose.sign("HS256", HOST_SECRET, &claims).await;
        assert_eq!(
            stack.status(&jwt, MINE).await["status"],
            "connected",
            "{email}"
        );
    }
}

#[tokio::test]
async fn a_jwt_that_is_not_signed_with_the_widgets_secret_in_hs256_is_refused() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let good = claims(&stack.dev.clock);
    let jwt = jose.sign("HS256", HOST_SECRET, &good).await;
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let (_, payload) = message.split_once('.').unwrap();
    let headed = |header: Value| sign_with_header(&header, &good, HOST_SECRET);
    let not_understood = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let public_key = jose.public_key("RS256").await;
    let forgeries = [
        ("malformed", "nonsense".to_owned()),
        ("two parts", message.to_owned()),
        ("no signature", format!("{message}.")),
        ("four parts", format!("{jwt}.{signature}")),
        ("a cut signature", jwt[..jwt.len() - 2].to_owned()),
        (
            "another payload",
            jwt.replace(payload, &payload.replace('0', "1")),
        ),
        ("alg none", jose.sign("none", "", &good).await),
        (
            "alg none over an HS256 signature",
            headed(json!({"alg": "none"})),
        ),
        ("alg hs256", headed(json!({"alg": "hs256"}))),
        (
            "alg RS256 over an HS256 signature",
            headed(json!({"alg": "RS256"})),
        ),
        ("no alg", headed(json!({"typ": "JWT"}))),
        ("a critical header parameter", headed(not_understood)),
        ("HS384", jose.sign("HS384", HOST_SECRET, &good).await),
        ("HS512", jose.sign("HS512", HOST_SECRET, &good).await),
        ("RS256", jose.sign("RS256", "", &good).await),
        ("ES256", jose.sign("ES256", "", &good).await),
        (
            "a public key as the secret",
            jose.sign("HS256", &public_key, &good).await,
        ),
        ("another secret", jose.sign("HS256", "guess", &good).await),
        (
            "a secret with a newline",
            jose.sign("HS256", &format!("{HOST_SECRET}\n"), &good).await,
        ),
        ("an empty secret", sign(&good, "")),
    ];
    let before = (stack.items().await, stack.provider.seen());
    for (what, jwt) in &forgeries {
        refused_naming(both(&stack, jwt).await, what, "authorization");
    }
    assert_eq!((stack.items().await, stack.provider.seen()), before);
    let log = stack.log.lock().unwrap().join("\n");
    for (what, jwt) in forgeries.iter().filter(|(_, jwt)| jwt.len() > 20) {
        assert!(!log.contains(jwt.as_str()), "{what} is in the log");
    }
}

#[tokio::test]
async fn a_jwt_whose_claims_do_not_identify_a_caller_is_refused() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let now = stack.dev.clock.now().seconds();
    let long = "u".repeat(257);
    let unusable = [
        ("/exp", json!(null), "exp"),
        ("/exp", json!("4102444800"), "exp"),
        ("/exp", json!(now - 61), "authorization"),
        ("/exp", json!(0), "authorization"),
        ("/exp", json!(-1), "authorization"),
        ("/nbf", json!(now + 61), "authorization"),
        ("/nbf", json!("soon"), "nbf"),
        ("/user/id", json!(null), "user.id"),
        ("/user/id", json!(7), "user.id"),
        ("/user/id", json!(""), "user.id"),
        ("/user/id", json!(["ada"]), "user.id"),
        ("/user/id", json!(long), "user.id"),
        ("/user", json!(null), "user.id"),
        ("/user", json!("ada"), "user.id"),
        ("/user", json!(["ada"]), "user.id"),
        ("/organisation/id", json!(null), "organisation.id"),
        ("/organisation/id", json!({"id": "o1"}), "organisation.id"),
        ("/organisation", json!(null), "organisation.id"),
        ("/organisation", json!("o1"), "organisation.id"),
        ("/organisation", json!(["o1"]), "organisation.id"),
    ];
    let before = (stack.items().await, stack.provider.seen());
    for (pointer, value, field) in unusable {
        let jwt = jose
            .sign("HS256", HOST_SECRET, &but(&stack, pointer, value.clone()))
            .await;
        refused_naming(
            both(&stack, &jwt).await,
            &format!("{pointer} {value}"),
            field,
        );
    }
    let mut padded = claims(&stack.dev.clock);
    padded["padding"] = "x".repeat(7_000).into();
    let jwt = jose.sign("HS256", HOST_SECRET, &padded).await;
    assert!(jwt.len() > 9 * 1024);
    refused_naming(both(&stack, &jwt).await, "9 KB", "authorization");
    assert_eq!((stack.items().await, stack.provider.seen()), before);
}

#[tokio::test]
async fn clocks_may_differ_by_less_than_a_minute() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let now = stack.dev.clock.now().seconds();
    for (pointer, value, good) in [
        ("/exp", now - 20, true),
        ("/exp", now - 60, false),
        ("/nbf", now + 20, true),
        ("/nbf", now + 60, false),
    ] {
        let jwt = jose
            .sign("HS256", HOST_SECRET, &but(&stack, pointer, json!(value)))
            .await;
        assert_eq!(
            accepted(&stack, &jwt).await,
            good,
            "{pointer} {}",
            value - now
        );
    }
    let jwt = jose
        .sign("HS256", HOST_SECRET, &claims(&stack.dev.clock))
        .await;
    stack.dev.clock.advance_millis(121_000);
    assert!(!accepted(&stack, &jwt).await, "it has expired");
}

/// The algorithm is ours to choose, not the header's: an RS256 JWT is refused even where the secret is that very key.
#[tokio::test]
async fn the_key_confusion_attack_fails() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let public_key = jose.public_key("RS256").await;
    set_host_secrets(&stack, WIDGET, &json!([public_key]));
    let jwt = jose.sign("RS256", "", &claims(&stack.dev.clock)).await;
    refused_naming(both(&stack, &jwt).await, "RS256", "authorization");
    let jwt = jose
        .sign("HS256", &public_key, &claims(&stack.dev.clock))
        .await;
    assert!(accepted(&stack, &jwt).await);
}

#[tokio::test]
async fn the_secret_of_another_widget_is_no_secret_of_this_one() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let mut other = Bundle::new(&stack.provider_url);
    other.consulate["widget"] = "other".into();
    other.consulate["host"]["id"] = "other".into();
    stack.import(&other).await;
    set_host_secrets(&stack, "other", &json!(["secret-of-the-other-widget"]));
    let claims = claims(&stack.dev.clock);
    let jwt = jose
        .sign("HS256", "secret-of-the-other-widget", &claims)
        .await;
    refused_naming(both(&stack, &jwt).await, "the other's", "authorization");
    let url = format!("{}/v1/widgets/other/connections", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    stack
        .wire
        .call(Method::GET, &url, &[("authorization", &bearer)], "")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_empty_secret_verifies_nothing() {
    for secrets in [json!([""]), json!([]), json!(["", HOST_SECRET])] {
        let stack = Stack::start().await;
        set_host_secrets(&stack, WIDGET, &secrets);
        let jwt = sign(&claims(&stack.dev.clock), "");
        refused_naming(
            both(&stack, &jwt).await,
            &secrets.to_string(),
            "authorization",
        );
    }
}

#[tokio::test]
async fn without_a_host_or_its_secret_nobody_is_a_caller() {
    let no_host = |bundle: &mut Bundle| bundle.consulate["host"] = Value::Null;
    let stack = Stack::start_with(no_host, |_| {}).await;
    for answer in both(&stack, &stack.jwt("ada")).await {
        answer.expect_problem(403, "caller_forbidden", "field", "host");
    }
    for document in ["{}", "[]", "not json", r#"{"host_secrets":"a-secret"}"#] {
        let stack = Stack::start().await;
        stack
            .dev
            .secrets
            .put("consulate/widgets/notes", document)
            .unwrap();
        for answer in both(&stack, &stack.jwt("ada")).await {
            answer.expect_problem(403, "caller_forbidden", "field", "host");
        }
    }
}

#[tokio::test]
async fn a_caller_of_an_organisation_the_host_does_not_list_is_refused() {
    let listed = |bundle: &mut Bundle| bundle.consulate["organisations"] = json!(["o1", "o3"]);
    let stack = Stack::start_with(listed, |_| {}).await;
    let before = stack.items().await;
    for organisation in ["o2", "O1", "o1 ", "o11"] {
        let jwt = stack.jwt_of("ada", organisation, None);
        for (method, path) in &WIDGET_ROUTES {
            let answer = stack.widget(method.clone(), path, &jwt, "").await;
            answer.expect_problem(403, "caller_forbidden", "field", "organisation.id");
        }
    }
    assert_eq!(stack.items().await, before);
    stack.connected("ada").await;
}

#[tokio::test]
async fn every_widget_route_refuses_whoever_is_no_caller() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let before = (stack.items().await, stack.provider.seen());
    let good = format!("Bearer {jwt}");
    let basic = format!("Basic {jwt}");
    let bare = [jwt.as_str()];
    for (method, path) in &WIDGET_ROUTES {
        let attempts: [&[&str]; 8] = [
            &[],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &bare,
            &[&basic],
            &["Bearer nonsense"],
            &[&good, &good],
        ];
        for authorization in attempts {
            let answer = knock(&stack, method, path, authorization).await;
            answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
        }
        let query = format!("{path}?access_token={jwt}&caller_jwt={jwt}");
        let answer = knock(&stack, method, &query, &[]).await;
        answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    }
    // Nor does anybody learn what a widget has.
    for path in ["connections/none", "apis/none"] {
        let method = if path.starts_with("apis") {
            Method::POST
        } else {
            Method::GET
        };
        let answer = knock(&stack, &method, path, &[]).await;
        answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    }
    assert_eq!((stack.items().await, stack.provider.seen()), before);
    let lower = format!("bearer {jwt}");
    knock(&stack, &Method::GET, "connections", &[&lower])
        .await
        .expect(200);
}

/// The table above is whole: at its addresses, no other method does anything.
#[tokio::test]
async fn no_widget_route_has_a_method_that_is_not_in_the_table() {
    let stack = Stack::start().await;
    let jwt = stack.jwt("ada");
    let all = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    for (_, path) in &WIDGET_ROUTES {
        for method in &all {
            if WIDGET_ROUTES
                .iter()
                .any(|(known, at)| known == method && at == path)
            {
                continue;
            }
            let answer = stack.widget(method.clone(), path, &jwt, "").await;
            answer.expect_problem(405, "method_not_allowed", "", "");
        }
    }
}

/// No downtime: the host's next secret works beside the current one.
#[tokio::test]
async fn the_current_and_the_next_secret_are_both_accepted() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    set_host_secrets(&stack, WIDGET, &json!([HOST_SECRET, "the-next-secret"]));
    for (secret, good) in [
        (HOST_SECRET, true),
        ("the-next-secret", true),
        ("the-last", false),
    ] {
        let jwt = jose.sign("HS256", secret, &claims(&stack.dev.clock)).await;
        assert_eq!(accepted(&stack, &jwt).await, good, "{secret}");
    }
}

/// Nobody restarts anything, and nobody makes us hammer Secrets Manager by sending bad signatures.
#[tokio::test]
async fn a_rotated_secret_is_picked_up_at_once_but_read_once_in_ten_seconds() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    assert!(accepted(&stack, &stack.jwt("ada")).await);
    let reads = stack.dev.secrets.count("GetSecretValue");
    set_host_secrets(&stack, WIDGET, &json!(["the-next-secret"]));
    let next = jose
        .sign("HS256", "the-next-secret", &claims(&stack.dev.clock))
        .await;
    let mut attempts = 0;
    while !accepted(&stack, &next).await {
        attempts += 1;
        assert!(attempts < 120, "not picked up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(attempts > 20, "{attempts}");
    assert_eq!(stack.dev.secrets.count("GetSecretValue"), reads + 1);
    assert!(!accepted(&stack, &stack.jwt("ada")).await);
}
