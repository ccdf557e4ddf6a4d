//! JWTs that change something once: `one_time_jwt` of a host, for Happeo's `getOneTimeJWT()`.

use consulate_flows::browser::Browser;
use consulate_flows::bundle::{MINE, WIDGET};
use consulate_flows::routes::tries;
use consulate_flows::stack::{HOST_SECRET, Stack, sign};
use consulate_flows::wire::Answer;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::Hosted;

async fn start() -> Stack {
    Stack::start_with(
        |bundle| bundle.consulate["host"]["one_time_jwt"] = json!(true),
        |_| {},
    )
    .await
}

/// A JWT of `ada`, as `getOneTimeJWT()` gives it; null leaves `jti` out.
fn jwt(stack: &Stack, jti: Value) -> String {
    let exp = stack.dev.clock.now().seconds() + 300;
    let mut claims =
        json!({"exp": exp, "user": {"id": "ada"}, "organisation": {"id": "o1"}, "jti": jti});
    if jti.is_null() {
        claims.as_object_mut().unwrap().remove("jti");
    }
    sign(&claims, HOST_SECRET)
}

async fn begin(stack: &Stack, jwt: &str) -> Answer {
    let path = format!("connections/{MINE}/connect");
    stack.widget(Method::POST, &path, jwt, "{}").await
}

#[track_caller]
fn refused(answer: Answer) {
    answer.expect_problem(401, "caller_unauthenticated", "field", "jti");
}

#[tokio::test]
async fn of_many_requests_with_one_jwt_one_wins_and_reading_uses_nothing_up() {
    let stack = start().await;
    let once = jwt(&stack, json!("one"));
    for _ in 0..2 {
        stack
            .widget(Method::GET, "connections", &once, "")
            .await
            .expect(200);
        let answer = stack.api(&once, "whoAmI", json!({})).await;
        answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    }
    let answers = join_all((0..20).map(|_| begin(&stack, &once))).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1);
    lost.into_iter().for_each(refused);
    begin(&stack, &jwt(&stack, json!("two"))).await.expect(201);
    // It can still read.
    stack
        .widget(Method::GET, "connections", &once, "")
        .await
        .expect(200);

    let records = stack.items_of("JWT").await;
    assert_eq!(records.len(), 2);
    let now = stack.dev.clock.now().seconds();
    for record in &records {
        let ttl: i64 = record["ttl"].as_str().unwrap().parse().unwrap();
        assert!((now + 200..now + 2 * 3_600).contains(&ttl), "{record}");
        // By digest: neither who it was nor which JWT.
        let members: Vec<_> = record.as_object().unwrap().keys().collect();
        assert_eq!(members, ["by", "pk", "ttl"]);
    }
    // Another environment, with nothing in memory.
    let stack = stack.restart().await;
    refused(begin(&stack, &once).await);
}

#[tokio::test]
async fn every_route_of_connect_that_changes_something_needs_a_jti_and_uses_it_up() {
    let stack = start().await;
    let before = stack.items().await;
    let mut changing = 0;
    for (number, attempt) in tries().enumerate() {
        let path = attempt.path_on(MINE);
        let call = async |jwt: &str| {
            stack
                .widget(attempt.method(), &path, jwt, attempt.body)
                .await
        };
        if !attempt.changes_connections() {
            let answer = call(&jwt(&stack, Value::Null)).await;
            assert_ne!(answer.status, 401, "{path}: {}", answer.text());
            continue;
        }
        changing += 1;
        for jti in [
            Value::Null,
            json!(""),
            json!(7),
            json!(["x"]),
            json!("x".repeat(257)),
        ] {
            refused(call(&jwt(&stack, jti)).await);
        }
        assert_eq!(stack.items_of("JWT").await.len(), changing - 1);
        // Whatever else comes of it.
        let once = jwt(&stack, json!(format!("jti-{number}")));
        let first = call(&once).await;
        assert_ne!(first.status, 401, "{path}: {}", first.text());
        refused(call(&once).await);
    }
    assert!(changing >= 4, "{changing}");
    let mut after = stack.items().await;
    after.retain(|pk, _| !pk.starts_with("JWT#") && !pk.starts_with("TICKET#"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_is_no_good_jwt_uses_nothing_up() {
    let stack = start().await;
    let now = stack.dev.clock.now().seconds();
    let claims = |exp: i64| json!({"exp": exp, "user": {"id": "ada"}, "organisation": {"id": "o1"}, "jti": "one"});
    begin(&stack, &sign(&claims(now + 60), "guess"))
        .await
        .expect(401);
    begin(&stack, &sign(&claims(now - 60), HOST_SECRET))
        .await
        .expect(401);
    assert!(stack.items_of("JWT").await.is_empty());
    begin(&stack, &sign(&claims(now + 60), HOST_SECRET))
        .await
        .expect(201);
}

#[tokio::test]
async fn the_handshake_takes_a_jwt_of_its_own() {
    let stack = start().await;
    let mut browser = Browser::default();
    let first = jwt(&stack, json!("one"));
    let link = begin(&stack, &first).await.expect(201).json();
    let link = link["connect_url"].as_str().unwrap();
    // Used for asking already; and one without a jti.
    for spent in [&first, &jwt(&stack, Value::Null)] {
        let answer = stack.handshake(&mut browser, link, spent).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    let second = jwt(&stack, json!("two"));
    let leaving = stack
        .handshake(&mut browser, link, &second)
        .await
        .expect(303);
    let callback = stack
        .consent(&mut browser, leaving.header("location"), "allow")
        .await;
    let answer = browser
        .get(&callback, consulate_flows::browser::From::ElsewhereTopLevel)
        .await;
    assert_eq!(stack.result_code(&answer), "");
    assert_eq!(stack.status(&second, MINE).await["status"], "connected");
    refused(
        stack
            .widget(Method::DELETE, &format!("connections/{MINE}"), &second, "")
            .await,
    );
    assert_eq!(stack.status(&second, MINE).await["status"], "connected");
    let third = jwt(&stack, json!("three"));
    stack
        .widget(Method::DELETE, &format!("connections/{MINE}"), &third, "")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_issuers_jwts_are_used_up_too() {
    let mut hosted = Hosted::start_with(|host| host["one_time_jwt"] = json!(true)).await;
    let without = hosted.jwt().await;
    refused(begin(&hosted.stack, &without).await);
    let claims = hosted.but("jti", json!("one"));
    let once = hosted.sign("ES256", &claims).await;
    begin(&hosted.stack, &once).await.expect(201);
    refused(begin(&hosted.stack, &once).await);
}

/// `consulate token` for Ada against the server of `stack`.
async fn command(stack: &Stack) -> consulate::operator::report::Report {
    let line = format!("consulate token --widget {WIDGET} --user ada --organisation o1 --dev");
    let dev = stack.dev.data_dir.to_str().unwrap();
    let line = line.split(' ').chain([dev]);
    let arguments = consulate::operator::arguments::Arguments::read(line).unwrap();
    consulate::operator::run(&arguments).await.unwrap().unwrap()
}

/// `consulate token` makes what the host would.
#[tokio::test]
async fn the_command_signs_a_jwt_for_every_change() {
    let stack = start().await;
    let (first, second) = (command(&stack).await, command(&stack).await);
    for report in [&first, &second] {
        begin(&stack, &report.text).await.expect(201);
    }
    refused(begin(&stack, &first.text).await);

    // Nobody but the issuer can sign for an issuer's callers.
    let hosted = Hosted::start().await;
    let report = command(&hosted.stack).await;
    assert_eq!(
        report.outcome,
        consulate::operator::report::Outcome::Refused
    );
    assert!(report.text.contains(&hosted.issuer.url), "{}", report.text);
}
