//! `consulate doctor` against set-ups that are broken on purpose, one way each: it names the cause, with a cure, and nothing else.

use aws_sdk_dynamodb::primitives::Blob;
use consulate::operator::arguments::{DoctorArguments, PassportArguments};
use consulate::operator::report::Outcome;
use consulate::operator::target::Target;
use consulate::operator::{add_passport, doctor};
use consulate_core::aws::Aws;
use consulate_core::dial;
use consulate_core::table::passport_pk;
use consulate_fakes::schedule::scheduled_event;
use consulate_flows::bundle::{PASSPORT, WIDGET};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};

/// The schedule comes, as EventBridge lets it.
async fn tick(stack: &Stack) {
    let time = stack.dev.clock.now().millis();
    let event = scheduled_event("tick", "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", time).to_string();
    let invoke = stack.dev.target.lambda.invoke().function_name("custodian");
    let answer = invoke.payload(Blob::new(event)).send().await.unwrap();
    assert!(answer.function_error.is_none());
}

/// The secret is not there any more.
async fn lose(stack: &Stack, name: &str) {
    let secrets = &stack.dev.target.secrets_manager;
    let delete = secrets
        .delete_secret()
        .secret_id(format!("consulate/{name}"));
    delete
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
}

/// A stack in which nothing is wrong: the schedule has come, the widget's one spare authentication is bound.
async fn well() -> Stack {
    let stack = Stack::start().await;
    tick(&stack).await;
    stack
}

async fn findings(target: &Target) -> (Outcome, Value) {
    let report = doctor::examine(target, &DoctorArguments::default()).await;
    for finding in report.json["findings"].as_array().unwrap() {
        for member in ["code", "severity", "file", "message", "cure"] {
            let text = finding[member].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{finding}");
        }
    }
    (report.outcome, report.json)
}

/// Codes that are there now and are not in a stack in which nothing was broken.
async fn broken(stack: &Stack, target: &Target) -> Vec<String> {
    let usual = codes(&findings(&stack.dev.target).await.1);
    let found = codes(&findings(target).await.1);
    found
        .into_iter()
        .filter(|code| !usual.contains(code))
        .collect()
}

fn codes(json: &Value) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

fn put(stack: &Stack, name: &str, value: &Value) {
    stack
        .dev
        .secrets
        .put(&format!("consulate/{name}"), &value.to_string())
        .unwrap();
}

/// What is found after `breaking` the stack's own set-up.
async fn after(breaking: impl AsyncFnOnce(&mut Stack)) -> Vec<String> {
    let mut stack = well().await;
    let usual = codes(&findings(&stack.dev.target).await.1);
    breaking(&mut stack).await;
    let (outcome, json) = findings(&stack.dev.target).await;
    let severe = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .any(|f| f["severity"] == "error");
    assert_eq!(outcome == Outcome::Findings, severe);
    let found = codes(&json);
    found
        .into_iter()
        .filter(|code| !usual.contains(code))
        .collect()
}

#[tokio::test]
async fn where_nothing_is_wrong_it_says_so_and_prints_what_to_register() {
    let stack = well().await;
    let (outcome, json) = findings(&stack.dev.target).await;
    assert_eq!(outcome, Outcome::Done, "{json}");
    let uris = json["redirect_uris"].as_array().unwrap();
    let uri = uris.iter().find(|uri| uri["passport"] == PASSPORT).unwrap();
    assert_eq!(uri["redirect_uri"], stack.redirect_uri());
}

#[tokio::test]
async fn secrets_that_are_missing_malformed_or_of_another_address_are_named() {
    let found = after(async |stack| {
        lose(stack, "keys/refresh").await;
    });
    assert_eq!(found.await, ["keyring_missing"]);
    let found =
        after(async |stack| put(stack, "keys/access", &json!({"primary": "a", "keys": {}})));
    assert_eq!(found.await, ["keyring_malformed"]);
    let name = format!("passports/{PASSPORT}");
    let found = after(async |stack| {
        lose(stack, &name).await;
    });
    assert_eq!(found.await, ["client_secret_missing"]);
    let elsewhere = json!({"client_secret": "s", "endpoints": ["https://elsewhere.example/token"]});
    let found = after(async |stack| put(stack, &name, &elsewhere));
    assert_eq!(found.await, ["client_secret_elsewhere"]);
    // What a client that signs has is of no use to one that does not.
    let signs = json!({"private_key": "k", "endpoints": []});
    let found = after(async |stack| put(stack, &name, &signs));
    assert_eq!(found.await, ["client_secret_malformed"]);
    let found = after(async |stack| {
        put(
            stack,
            &format!("widgets/{WIDGET}"),
            &json!({"host_secret": "x"}),
        )
    });
    assert_eq!(found.await, ["host_secret_malformed"]);
}

#[tokio::test]
async fn a_client_secret_about_to_end_and_one_that_has_are_told_apart() {
    let name = format!("passports/{PASSPORT}");
    for (days, code) in [
        (20_i64, "client_secret_expires"),
        (-1, "client_secret_expired"),
    ] {
        let found = after(async |stack| {
            let ends = stack.dev.clock.now().plus_seconds(days * 86_400).rfc3339();
            let endpoints = [
                format!("{}/token", stack.provider_url),
                format!("{}/revoke", stack.provider_url),
            ];
            put(
                stack,
                &name,
                &json!({"client_secret": "s", "endpoints": endpoints, "expires_at": ends}),
            );
        });
        assert_eq!(found.await, [code]);
    }
}

#[tokio::test]
async fn a_host_secret_whose_rotation_was_never_ended_is_named() {
    let stack = well().await;
    let secrets = ["a-new-secret-of-the-host", "the-old-secret-of-the-host"];
    put(
        &stack,
        &format!("widgets/{WIDGET}"),
        &json!({ "host_secrets": secrets }),
    );
    let named = |found: Vec<String>| found.contains(&"host_secret_still_old".to_owned());
    assert!(!named(codes(&findings(&stack.dev.target).await.1)));
    let mut target = stack.dev.target.clone();
    target.clock = target.clock.apart(8 * 86_400_000);
    assert!(named(broken(&stack, &target).await));
}

#[tokio::test]
async fn a_schedule_that_stands_still_and_a_clock_that_is_off_are_named() {
    let stack = well().await;
    // Only this machine's clock: an hour ahead of everybody's.
    let clock = stack.dev.clock.apart(3_600_000);
    let settings = stack.dev.target.loopback.clone().unwrap();
    let aws = Aws::new(settings, dial::tls(None).unwrap(), clock.clone());
    let (config, allow) = (&stack.dev.foundation.config, &stack.dev.target.allow);
    let target = Target::of_function(config, &aws, allow.clone(), clock);
    let found = broken(&stack, &target).await;
    assert!(found.contains(&"clock_skew".to_owned()), "{found:?}");
    assert!(found.contains(&"schedule_still".to_owned()), "{found:?}");
    assert!(
        found.contains(&"provider_clock_skew".to_owned()),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_table_that_is_not_there_or_lacks_an_index_is_named() {
    let stack = well().await;
    let mut target = stack.dev.target.clone();
    target.table = "elsewhere".to_owned();
    assert_eq!(broken(&stack, &target).await, ["table_missing"]);

    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash);
    let text = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S);
    let create = target
        .dynamodb
        .create_table()
        .table_name("elsewhere")
        .key_schema(key.build().unwrap())
        .attribute_definitions(text.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();
    let found = broken(&stack, &target).await;
    let of = |code: &str| found.iter().filter(|found| *found == code).count();
    assert_eq!((of("index_missing"), of("ttl_off")), (2, 1), "{found:?}");
}

#[tokio::test]
async fn credentials_nobody_knows_and_a_custodian_that_is_not_there_are_named() {
    let stack = well().await;
    let mut target = stack.dev.target.clone();
    target.custodian = Some("nobody".to_owned());
    assert_eq!(broken(&stack, &target).await, ["custodian_missing"]);

    let mut config = stack.dev.target.loopback.clone().unwrap();
    config.access_key_id = "AKIAUNKNOWN".to_owned();
    let aws = Aws::new(
        config.clone(),
        dial::tls(None).unwrap(),
        stack.dev.clock.clone(),
    );
    let mut target = stack.dev.target.clone();
    target.loopback = Some(config);
    (target.dynamodb, target.lambda) = (aws.dynamodb(), aws.lambda());
    let found = broken(&stack, &target).await;
    assert!(!found.is_empty(), "nothing was said");
    assert!(
        found
            .iter()
            .all(|code| code == "credentials_refused" || code == "permission_missing"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_named() {
    let found = after(async |stack| stack.provider_down());
    assert_eq!(found.await, ["provider_unreachable"]);
}

#[tokio::test]
async fn a_passport_nobody_uses_and_one_that_is_not_there_are_named() {
    let found = after(async |stack| {
        let passport = PassportArguments {
            id: "spare".to_owned(),
            provider: "google".to_owned(),
            client_id: Some("c".to_owned()),
            ..PassportArguments::default()
        };
        let report = add_passport(&stack.dev.target, &passport).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
    });
    let found = found.await;
    assert!(found.contains(&"passport_orphaned".to_owned()), "{found:?}");
    assert!(
        found.contains(&"client_secret_missing".to_owned()),
        "{found:?}"
    );

    let found = after(async |stack| {
        let target = &stack.dev.target;
        let key = aws_sdk_dynamodb::types::AttributeValue::S(passport_pk(PASSPORT));
        let delete = target
            .dynamodb
            .delete_item()
            .table_name(&target.table)
            .key("pk", key);
        delete.send().await.unwrap();
    });
    let found = found.await;
    assert!(
        found.contains(&"definition_missing".to_owned()),
        "{found:?}"
    );
    assert!(found.contains(&"passport_missing".to_owned()), "{found:?}");
}
