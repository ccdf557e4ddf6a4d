//! What `settings` of `consulate.json` allows, to whom.

use http::Method;
use serde_json::json;

use super::*;

/// Statuses of list, read, put and delete of `scope` for `jwt`.
async fn may(stack: &Stack, scope: &str, jwt: &str) -> [u16; 4] {
    let one = format!("{scope}/probe");
    let mut statuses = [0; 4];
    let requests = [
        (Method::GET, scope),
        (Method::GET, one.as_str()),
        (Method::PUT, one.as_str()),
        (Method::DELETE, one.as_str()),
    ];
    for (status, (method, path)) in statuses.iter_mut().zip(requests) {
        let answer = ask(stack, method, path, jwt, &[], "1").await;
        *status = answer.status.as_u16();
        if *status == 403 {
            answer.expect_problem(403, "caller_forbidden", "field", "scope");
        }
    }
    statuses
}

const ALL: [u16; 4] = [200, 404, 201, 204];
const NONE: [u16; 4] = [403; 4];
const READ: [u16; 4] = [200, 404, 403, 403];

#[tokio::test]
async fn each_policy_allows_what_it_says_and_nothing_else() {
    for (policy, user, member, administrator) in [
        (
            json!({"user": true, "organisation": "admins"}),
            ALL,
            READ,
            ALL,
        ),
        (
            json!({"user": true, "organisation": "admins_only"}),
            ALL,
            NONE,
            ALL,
        ),
        (json!({"organisation": "members"}), NONE, ALL, ALL),
        (json!({"user": true}), ALL, NONE, NONE),
        (
            json!({"user": false, "organisation": false}),
            NONE,
            NONE,
            NONE,
        ),
    ] {
        let stack = keeping(policy.clone()).await;
        let (ada, admin) = (stack.jwt("ada"), stack.jwt("admin"));
        assert_eq!(may(&stack, "user", &ada).await, user, "{policy}");
        assert_eq!(may(&stack, "organisation", &ada).await, member, "{policy}");
        assert_eq!(
            may(&stack, "organisation", &admin).await,
            administrator,
            "{policy}"
        );
        // An administrator of another organisation is a member here as everywhere else: of their own.
        let foreign = stack.jwt_of("admin", "o2", None);
        assert_eq!(
            may(&stack, "organisation", &foreign).await,
            member,
            "{policy}"
        );
    }
    let silent = Stack::start().await;
    assert_eq!(may(&silent, "user", &silent.jwt("ada")).await, NONE);
}

/// A later import that lets more people write is not taken without the operator's word.
#[tokio::test]
async fn a_wider_policy_needs_consent() {
    let stack = usual().await;
    let mut bundle = Bundle::new(&stack.provider_url);
    allow(
        &mut bundle,
        json!({"user": true, "organisation": "members"}),
    );
    let mut arguments = ImportArguments {
        path: bundle.write(&stack.folder.path().join("wider")),
        ..ImportArguments::default()
    };
    let report = import(&stack.dev.target, &arguments).await.unwrap();
    assert!(report.text.contains("settings:"), "{}", report.text);
    // Definitions are a second old at most in development.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let ada = stack.jwt("ada");
    put(&stack, "organisation/a", &ada, "1").await.expect(403);
    arguments.accept = true;
    consulate_flows::own::done(&import(&stack.dev.target, &arguments).await.unwrap());
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    put(&stack, "organisation/a", &ada, "1").await.expect(201);
}

/// Whoever may not write is told so before anything is said of what was sent.
#[tokio::test]
async fn a_member_who_may_only_read_learns_nothing_by_writing() {
    let stack = usual().await;
    put(&stack, "organisation/a", &stack.jwt("admin"), "1")
        .await
        .expect(201);
    let ada = stack.jwt("ada");
    for (more, body) in [
        (&[][..], "not json".to_owned()),
        (&[("if-match", "*")][..], "1".to_owned()),
        (&[][..], "1".repeat(70_000)),
    ] {
        let answer = ask(&stack, Method::PUT, "organisation/a", &ada, more, body).await;
        answer.expect_problem(403, "caller_forbidden", "field", "scope");
    }
    assert_eq!(get(&stack, "organisation/a", &ada).await.text(), "1");
    get(&stack, "team/a", &ada)
        .await
        .expect_problem(404, "not_found", "field", "scope");
    get(&stack, "User", &ada)
        .await
        .expect_problem(404, "not_found", "field", "scope");
}
