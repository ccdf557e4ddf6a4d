//! What a request costs, counted: reads and writes of the table, and reads of Secrets Manager.

use super::*;

/// Operations on the table since the last look, with the kind of item each concerned.
fn operations(stack: &Stack) -> Vec<String> {
    let requests = stack.dev.engine.requests();
    stack.dev.engine.clear();
    let shown = requests.iter().filter_map(|request| {
        let kind = |key: &Value| {
            let pk = key["pk"]["S"].as_str().unwrap();
            pk.split('#').next().unwrap().to_owned()
        };
        let kinds: Vec<String> = request.keys.iter().map(kind).collect();
        // Definitions are a second old at most in development; how often they are read says nothing here.
        let definition = ["WIDGET", "HOST"].contains(&kinds.join("+").as_str());
        (!definition).then(|| format!("{} {}", request.operation, kinds.join("+")))
    });
    shown.collect()
}

#[tokio::test]
async fn each_request_makes_the_round_trips_it_needs() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    get(&stack, "user/a", &ada).await.expect(404);
    put(&stack, "user/warm", &ada, "1").await.expect(201);
    let secret_reads = stack.dev.secrets.count("GetSecretValue");
    operations(&stack);
    let (read, both) = ("GetItem SETTING", "TransactWriteItems SETTING+SETTINGS");

    put(&stack, "user/a", &ada, "1").await.expect(201);
    assert_eq!(operations(&stack), [read, both]);
    put(&stack, "user/a", &ada, "22").await.expect(200);
    assert_eq!(operations(&stack), [read, both]);
    let etag = get(&stack, "user/a", &ada)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    assert_eq!(operations(&stack), [read]);
    let same = ask(
        &stack,
        Method::GET,
        "user/a",
        &ada,
        &[("if-none-match", &etag)],
        "",
    )
    .await;
    same.expect(304);
    assert_eq!(operations(&stack), [read]);
    ask(
        &stack,
        Method::PUT,
        "user/a",
        &ada,
        &[("if-none-match", "*")],
        "3",
    )
    .await
    .expect(412);
    assert_eq!(operations(&stack), [read]);
    get(&stack, "user", &ada).await.expect(200);
    assert_eq!(
        operations(&stack),
        ["GetItem SETTINGS", "BatchGetItem SETTING+SETTING"]
    );
    get(&stack, "user", &stack.jwt("bob")).await.expect(200);
    assert_eq!(operations(&stack), ["GetItem SETTINGS"], "an empty list");
    delete(&stack, "user/a", &ada).await.expect(204);
    assert_eq!(operations(&stack), [read, both]);
    delete(&stack, "user/a", &ada).await.expect(204);
    assert_eq!(operations(&stack), [read]);
    // Refused before anything is read.
    put(&stack, "user/a", &ada, "nope").await.expect(400);
    put(&stack, "organisation/a", &ada, "1").await.expect(403);
    get(&stack, "user?cursor=x", &ada).await.expect(422);
    assert_eq!(operations(&stack), Vec::<String>::new());
    assert_eq!(stack.dev.secrets.count("GetSecretValue"), secret_reads);
}

/// A transaction writes double: the value by its kilobytes, and the account, which stays below one for some forty settings.
#[tokio::test]
async fn a_small_setting_writes_four_units() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    put(&stack, "user/warm", &ada, "1").await.expect(201);
    stack.dev.engine.clear();
    put(&stack, "user/a", &ada, "{\"theme\":\"dark\"}")
        .await
        .expect(201);
    let requests = stack.dev.engine.requests();
    let units: f64 = requests
        .iter()
        .filter(|request| request.operation == "TransactWriteItems")
        .map(|write| write.consumed.unwrap())
        .sum();
    assert_eq!(units, 4.0, "{requests:?}");
}
