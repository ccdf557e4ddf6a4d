//! Every widget route asks who is calling, before anything else.

use consulate_flows::bundle::{Bundle, MINE, WIDGET};
use consulate_flows::routes::tries;
use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::json;

/// Every route that acts for a caller, on this widget.
fn widget_routes() -> Vec<(Method, String)> {
    let mut routes: Vec<_> = tries()
        .map(|attempt| (attempt.method(), attempt.path_on(MINE)))
        .collect();
    routes.dedup();
    routes
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

#[tokio::test]
async fn a_caller_of_an_organisation_the_host_does_not_list_is_refused() {
    let listed = |bundle: &mut Bundle| bundle.consulate["organisations"] = json!(["o1", "o3"]);
    let stack = Stack::start_with(listed, |_| {}).await;
    let before = stack.items().await;
    for organisation in ["o2", "O1", "o1 ", "o11"] {
        let jwt = stack.jwt_of("ada", organisation, None);
        for (method, path) in &widget_routes() {
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
    for (method, path) in &widget_routes() {
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
    for (_, path) in &widget_routes() {
        for method in &all {
            if widget_routes().contains(&(method.clone(), path.clone())) {
                continue;
            }
            let answer = stack.widget(method.clone(), path, &jwt, "").await;
            answer.expect_problem(405, "method_not_allowed", "", "");
        }
    }
}
