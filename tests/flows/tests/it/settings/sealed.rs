//! What whoever reads the table, its file or the log finds of settings; and what whoever writes it can make of that.

use aws_sdk_dynamodb::types::AttributeValue;
use consulate_flows::own::reveals;

use super::*;

const KEY: &str = "salary-of-the-director";
const VALUE: &str = "four-hundred-thousand-and-one";

#[tokio::test]
async fn neither_table_nor_log_shows_whose_which_or_what() {
    let stack = usual().await;
    let jwt = stack.jwt_of("user-adalovelace", "o1", None);
    let path = format!("user/{KEY}");
    put(&stack, &path, &jwt, &format!("\"{VALUE}\""))
        .await
        .expect(201);
    get(&stack, &path, &jwt).await.expect(200);
    get(&stack, "user", &jwt).await.expect(200);
    delete(&stack, &path, &jwt).await.expect(204);
    put(&stack, &path, &jwt, &format!("\"{VALUE}\""))
        .await
        .expect(201);

    let kept = items(&stack).await;
    assert_eq!(kept.len(), 2);
    let shown = format!("{kept:?}").into_bytes();
    let log = stack.log.lock().unwrap().join("\n").into_bytes();
    let file = std::fs::read(stack.dev.data_dir.join("table.sqlite")).unwrap();
    for text in [KEY, VALUE, "user-adalovelace"] {
        for content in [&shown, &log, &file] {
            assert!(!reveals(content, text), "{text}");
        }
    }
    // The search would have found something.
    assert!(reveals(&log, "/v1/widgets/{widget}/settings"));
    let lines = stack.log_lines();
    let line = lines.iter().rev().find(|line| {
        line["route"]
            .as_str()
            .is_some_and(|route| route.contains("settings"))
    });
    assert_eq!(
        (&line.unwrap()["scope"], &line.unwrap()["status"]),
        (&json!("user"), &json!(201))
    );
}

/// Puts an item as whoever may write the table could.
async fn write(stack: &Stack, item: &std::collections::HashMap<String, AttributeValue>) {
    let table = stack
        .dev
        .target
        .dynamodb
        .put_item()
        .table_name(&stack.dev.target.table);
    table.set_item(Some(item.clone())).send().await.unwrap();
}

#[tokio::test]
async fn a_value_opens_in_its_own_place_and_version_only() {
    let stack = usual().await;
    let (ada, bob) = (stack.jwt("ada"), stack.jwt("bob"));
    put(&stack, "user/a", &ada, "\"of ada\"").await.expect(201);
    let old = items(&stack)
        .await
        .into_iter()
        .find(|(pk, _)| pk.starts_with("SETTING#"))
        .unwrap()
        .1;
    put(&stack, "user/a", &ada, "\"newer\"").await.expect(200);
    let new = items(&stack)
        .await
        .remove(old["pk"].as_s().unwrap())
        .unwrap();
    put(&stack, "user/a", &bob, "\"of bob\"").await.expect(201);
    put(&stack, "user/b", &ada, "\"under b\"").await.expect(201);
    let all = items(&stack).await;

    // An earlier value under the present version; another owner's value; another key's.
    let others = all
        .values()
        .filter(|item| item.contains_key("s") && item["pk"] != old["pk"]);
    for donor in others.chain([&old]) {
        for version in [&new["v"], &donor["v"]] {
            let mut forged = new.clone();
            forged.insert("s".to_owned(), donor["s"].clone());
            forged.insert("v".to_owned(), (*version).clone());
            if forged == old || (donor == &old && *version == donor["v"]) {
                continue;
            }
            write(&stack, &forged).await;
            for path in ["user/a", "user"] {
                let problem = get(&stack, path, &ada).await;
                let problem = problem.expect_problem(503, "unavailable", "", "");
                assert!(!problem.text().contains("of ") && !problem.text().contains("under b"));
            }
        }
    }
    // It is not lost what to do: the key can be put and deleted.
    put(&stack, "user/a", &ada, "1").await.expect(200);
    assert_eq!(get(&stack, "user/a", &ada).await.text(), "1");
}

#[tokio::test]
async fn without_keyring_or_table_nothing_is_written_and_the_answer_says_later() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    put(&stack, "user/a", &ada, "1").await.expect(201);
    let before = items(&stack).await;
    stack.dev.engine.outage(true);
    for (method, path) in [
        (Method::GET, "user/a"),
        (Method::PUT, "user/a"),
        (Method::DELETE, "user/a"),
        (Method::GET, "user"),
    ] {
        let answer = ask(&stack, method, path, &ada, &[], "2").await;
        let answer = answer.expect_problem(503, "unavailable", "", "");
        assert_eq!(answer.header("retry-after"), "2");
    }
    stack.dev.engine.outage(false);
    assert_eq!(items(&stack).await, before);

    // A keyring of another shape, on an instance that has not read the right one.
    stack
        .dev
        .secrets
        .put("consulate/keys/settings", "{}")
        .unwrap();
    let stack = stack.restart().await;
    for (method, path) in [(Method::GET, "user/a"), (Method::PUT, "user/a")] {
        let answer = ask(&stack, method, path, &ada, &[], "2").await;
        answer.expect_problem(503, "unavailable", "", "");
    }
    assert_eq!(items(&stack).await, before);
}
