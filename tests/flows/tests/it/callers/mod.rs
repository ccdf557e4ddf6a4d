//! Who is calling (checklist S-103, S-104; RFC 8725): caller JWTs made by jose, good ones and forgeries, at the doors of
//! connect and proxy. What is refused changes nothing.

mod doors;
mod jwts;
mod secrets;

use consulate_core::clock::Clock;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

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
