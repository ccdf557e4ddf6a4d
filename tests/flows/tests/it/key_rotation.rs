//! Keys rotated, resealed and retired while calls run: none of them fails, and a key in use stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use consulate::operator::arguments::{KeysCommand, RetireArguments, RotateArguments};
use consulate::operator::keys;
use consulate::operator::report::{Outcome, Report};
use consulate::operator::target::Target;
use consulate_core::seal;
use consulate_core::sealed_rows::SealedRows;
use consulate_flows::bundle::MINE;
use consulate_flows::stack::Stack;
use http::Method;
use serde_json::{Value, json};

/// Secrets in the functions' memory are at most so old here; the command waits for two lifetimes of it.
const FRESH_FOR: Duration = Duration::from_secs(1);
const WAIT_SECONDS: u64 = 3;

async fn run(stack: &Stack, command: KeysCommand) -> Report {
    keys::run(&stack.dev.target, &command).await.unwrap()
}

async fn rotate(stack: &Stack) -> Report {
    let arguments = RotateArguments {
        wait_seconds: WAIT_SECONDS,
    };
    run(stack, KeysCommand::Rotate(arguments)).await
}

async fn retire(stack: &Stack, id: &str) -> Report {
    retire_at(&stack.dev.target, id, false).await
}

async fn retire_at(target: &Target, id: &str, no_salvage_queue: bool) -> Report {
    let arguments = RetireArguments {
        id: id.to_owned(),
        wait_seconds: 0,
        no_salvage_queue,
    };
    let command = KeysCommand::Retire(arguments);
    keys::run(target, &command).await.unwrap()
}

/// Ids of the keys that anything in the table is sealed with.
async fn in_use(stack: &Stack) -> Vec<String> {
    let target = &stack.dev.target;
    let table = SealedRows::new(target.dynamodb.clone(), &target.table);
    let page = table.page(0, 1, None).await.unwrap();
    let values = page.rows.iter().flat_map(|row| &row.values);
    let mut ids: Vec<String> = values
        .map(|value| seal::key_id(&value.bytes).unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

async fn start() -> Stack {
    Stack::start_over(
        |bundle| {
            bundle.consulate["settings"] = json!({"user": true});
        },
        |options| options.secrets_fresh_for = FRESH_FOR,
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_and_resealed_while_calls_run_and_none_fails() {
    let stack = Arc::new(start().await);
    let mut jwts = Vec::new();
    for user in ["ada", "grace", "mary"] {
        jwts.push(stack.connected(user).await);
    }
    let put = |jwt: String| {
        let stack = stack.clone();
        async move {
            let body = json!({"dark": true}).to_string();
            stack
                .widget(Method::PUT, "settings/user/theme", &jwt, &body)
                .await
        }
    };
    put(jwts[0].clone()).await.expect(201);
    let former = in_use(&stack).await;
    let [former] = former.as_slice() else {
        panic!("{former:?}")
    };

    let stop = Arc::new(AtomicBool::new(false));
    let (calls, renewals) = (
        Arc::new(AtomicUsize::new(0)),
        stack.provider.seen().refreshes,
    );
    let callers: Vec<_> = ["ada", "grace", "mary"]
        .into_iter()
        .map(|user| {
            let (stack, stop, calls) = (stack.clone(), stop.clone(), calls.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let jwt = stack.jwt(user);
                    let answer = stack.api(&jwt, "whoAmI", json!({})).await;
                    let envelope = answer.expect(200).json();
                    assert_eq!(envelope["isSuccess"], true, "{envelope}");
                    let path = "settings/user/theme";
                    let setting = stack.widget(Method::GET, path, &jwt, "").await;
                    assert!(
                        [200, 404].contains(&setting.status.as_u16()),
                        "{}",
                        setting.text()
                    );
                    calls.fetch_add(1, Ordering::SeqCst);
                    // Some of them renew on the way: that is who writes the rows at the same time. Small steps: a long one
                    // during somebody else's request is a clock that is off, with which nothing is renewed.
                    stack.dev.clock.advance_millis(250);
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
            })
        })
        .collect();

    let rotated = rotate(&stack).await;
    assert_eq!(rotated.outcome, Outcome::Done, "{}", rotated.text);
    let id = rotated.json["rotated"][0]["primary"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(id > *former);
    // The setting at least, which nobody wrote since, is still sealed with it.
    let refused = retire(&stack, former).await;
    assert_eq!(refused.outcome, Outcome::Refused, "{}", refused.text);
    assert!(
        refused.json["in_use"].as_u64().unwrap() > 0,
        "{}",
        refused.json
    );
    let primary = retire(&stack, &id).await;
    assert_eq!(primary.outcome, Outcome::Refused);

    let resealed = run(&stack, KeysCommand::Reseal).await;
    assert_eq!(resealed.outcome, Outcome::Done);
    assert!(
        resealed.json["resealed"].as_u64().unwrap() > 0,
        "{}",
        resealed.json
    );
    assert_eq!(
        (&resealed.json["dead"], &resealed.json["busy"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(in_use(&stack).await, [id.as_str()]);
    let retired = retire(&stack, former).await;
    assert_eq!(retired.outcome, Outcome::Done, "{}", retired.text);
    tokio::time::sleep(FRESH_FOR * 2).await;

    let before = calls.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(
        calls.load(Ordering::SeqCst) > before,
        "calls went on without the former key"
    );
    assert!(
        stack.provider.seen().refreshes > renewals,
        "some were renewed on the way"
    );
    let jwt = stack.jwt("ada");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
    let setting = stack
        .widget(Method::GET, "settings/user/theme", &jwt, "")
        .await
        .expect(200)
        .json();
    assert_eq!(setting, json!({"dark": true}));
    // Everything was told and nothing of a key.
    let shown = format!("{} {} {}", rotated.json, resealed.json, retired.json);
    for name in ["access", "refresh", "settings"] {
        let keyring = stack
            .dev
            .secrets
            .get(&format!("consulate/keys/{name}"))
            .unwrap();
        let keyring: Value = serde_json::from_str(&keyring).unwrap();
        for key in keyring["keys"].as_object().unwrap().values() {
            assert!(!shown.contains(key.as_str().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_goes_on_with_the_key_it_had_published() {
    let stack = start().await;
    let listed = run(&stack, KeysCommand::List).await;
    let primary = listed.json["keyrings"][0]["primary"]
        .as_str()
        .unwrap()
        .to_owned();
    let going = tokio::time::timeout(Duration::from_millis(500), rotate(&stack)).await;
    assert!(going.is_err(), "it waits after publishing");
    let listed = run(&stack, KeysCommand::List).await;
    let keyring = &listed.json["keyrings"][0];
    assert_eq!(keyring["primary"], primary.as_str(), "nothing was promoted");
    let published = keyring["published"].as_str().unwrap().to_owned();
    assert_eq!(retire(&stack, &published).await.outcome, Outcome::Refused);
    let rotated = rotate(&stack).await;
    assert_eq!(rotated.json["rotated"][0]["primary"], published.as_str());
    let unknown = retire(&stack, "2001-01").await;
    assert_eq!(unknown.outcome, Outcome::Refused);
}

#[tokio::test]
async fn what_a_former_endpoint_gave_is_resealed_for_the_present_one() {
    let stack = start().await;
    stack.connected("ada").await;
    let stack = stack.with_moved_token_endpoint().await;
    assert_eq!(rotate(&stack).await.outcome, Outcome::Done);
    let resealed = run(&stack, KeysCommand::Reseal).await;
    let counts = ["resealed", "dead", "busy"].map(|name| resealed.json[name].as_u64().unwrap());
    assert_eq!(counts, [2, 0, 0], "{}", resealed.text);
    stack
        .api(&stack.jwt("ada"), "whoAmI", json!({}))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_does_not_open_is_left_and_named() {
    let stack = start().await;
    stack.connected("ada").await;
    let target = &stack.dev.target;
    let table = SealedRows::new(target.dynamodb.clone(), &target.table);
    let page = table.page(0, 1, None).await.unwrap();
    let row = page
        .rows
        .iter()
        .find(|row| row.pk.starts_with("CONNECTION#"))
        .unwrap();
    let mut torn = row.values[0].bytes.clone();
    let last = torn.len() - 1;
    torn[last] ^= 1;
    assert!(table.replace(row, &[(0, torn.clone())]).await.unwrap());
    // Over what is not there any more nothing is written.
    assert!(!table.replace(row, &[(0, b"other".to_vec())]).await.unwrap());
    rotate(&stack).await;
    let resealed = run(&stack, KeysCommand::Reseal).await;
    assert_eq!(resealed.json["dead"], 1, "{}", resealed.json);
    assert_eq!(resealed.json["dead_rows"][0], row.pk.as_str());
    let now = table.read(&row.pk).await.unwrap().unwrap();
    assert_eq!(now.values[0].bytes, torn);
    let former = seal::key_id(&torn).unwrap();
    assert_eq!(retire(&stack, former).await.outcome, Outcome::Refused);
}

/// An answer that waits in the salvage queue may be sealed with the key, and nobody sees with which it is.
#[tokio::test]
async fn no_key_is_retired_while_an_answer_waits_or_might() {
    let stack = start().await;
    rotate(&stack).await;
    let listed = run(&stack, KeysCommand::List).await;
    let keyring = &listed.json["keyrings"][0];
    let former = keyring["keys"][0].as_str().unwrap();
    assert_ne!(keyring["primary"], former);

    let mut silent = stack.dev.target.clone();
    let queue = silent.salvage_queue_url.take().unwrap();
    let refused = retire_at(&silent, former, false).await;
    assert_eq!(refused.outcome, Outcome::Refused);
    assert!(
        refused.text.contains("CONSULATE_SALVAGE_QUEUE_URL"),
        "{}",
        refused.text
    );

    // What no custodian takes away: it is none of its messages.
    let sqs = stack.dev.target.aws().await.unwrap().sqs();
    let message = sqs.send_message().queue_url(&queue).message_body("{}");
    let message = message.message_group_id("g").message_deduplication_id("d");
    message.send().await.unwrap();
    let refused = retire(&stack, former).await;
    assert_eq!(
        (refused.outcome, &refused.json["salvage"]),
        (Outcome::Refused, &json!(true))
    );
    let kept = run(&stack, KeysCommand::List).await;
    assert_eq!(kept.json["keyrings"][0]["keys"], keyring["keys"]);

    // The operator of a deployment that has none may say so.
    let retired = retire_at(&silent, former, true).await;
    assert_eq!(retired.outcome, Outcome::Done, "{}", retired.text);
}
