//! The DynamoDB server, seen by the real SDK.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue as Value, BillingMode, ConditionCheck, KeySchemaElement,
    KeyType, Put, ReturnValuesOnConditionCheckFailure as OnFailure, ScalarAttributeType,
    TimeToLiveSpecification, TransactWriteItem,
};
use consulate_fakes::dynamodb::{Engine, Fault};
use consulate_fakes::serve::{Served, serve};
use serde_json::json;

use crate::sdk;

fn text(value: &str) -> Value {
    Value::S(value.to_owned())
}

async fn table(engine: &Engine) -> (Client, Served) {
    let served = serve(engine.router(), 0).await.unwrap();
    let client = sdk::dynamodb(&served.url());
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    let of_text = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    client
        .create_table()
        .table_name("things")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .attribute_definitions(of_text("pk"))
        .send()
        .await
        .unwrap();
    (client, served)
}

async fn put(client: &Client, pk: &str, colour: &str) {
    let item = client
        .put_item()
        .table_name("things")
        .item("pk", text(pk))
        .item("colour", text(colour));
    item.send().await.unwrap();
}

#[tokio::test]
async fn items_are_written_read_queried_and_deleted() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    put(&client, "a", "red").await;

    let updated = client
        .update_item()
        .table_name("things")
        .key("pk", text("a"))
        .update_expression("SET #v = if_not_exists(#v, :zero) + :one")
        .expression_attribute_names("#v", "version")
        .expression_attribute_values(":zero", Value::N("0".to_owned()))
        .expression_attribute_values(":one", Value::N("1".to_owned()))
        .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
        .send()
        .await
        .unwrap();
    assert_eq!(
        updated.attributes.unwrap()["version"],
        Value::N("1".to_owned())
    );

    let queried = client
        .query()
        .table_name("things")
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", text("a"))
        .send()
        .await
        .unwrap();
    assert_eq!(queried.items()[0]["colour"], text("red"));

    client
        .delete_item()
        .table_name("things")
        .key("pk", text("a"))
        .send()
        .await
        .unwrap();
    let gone = client
        .get_item()
        .table_name("things")
        .key("pk", text("a"))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    assert!(gone.item.is_none());
    assert!(
        gone.consumed_capacity.is_none(),
        "capacity is told only to who asks"
    );
}

#[tokio::test]
async fn a_failed_condition_carries_the_item_when_asked() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    put(&client, "a", "red").await;
    let error = client
        .put_item()
        .table_name("things")
        .item("pk", text("a"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(OnFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        failed,
    ) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(failed.item().unwrap()["colour"], text("red"));
}

#[tokio::test]
async fn a_cancelled_transaction_gives_a_reason_for_each_item() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    put(&client, "a", "red").await;
    let fresh = Put::builder()
        .table_name("things")
        .item("pk", text("b"))
        .build()
        .unwrap();
    let check = ConditionCheck::builder()
        .table_name("things")
        .key("pk", text("a"))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    let error = client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(fresh).build())
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_transaction_canceled_exception(), "{error:?}");
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        unreachable!()
    };
    let codes: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code())
        .collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let seen = engine.requests().pop().unwrap();
    assert_eq!(
        seen.keys,
        [json!({ "pk": { "S": "b" } }), json!({ "pk": { "S": "a" } })]
    );
}

#[tokio::test]
async fn errors_arrive_as_the_types_the_sdk_knows() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    let missing = client
        .get_item()
        .table_name("nowhere")
        .key("pk", text("a"))
        .send()
        .await
        .unwrap_err();
    assert!(
        missing
            .into_service_error()
            .is_resource_not_found_exception()
    );

    let invalid = client
        .update_item()
        .table_name("things")
        .key("pk", text("a"))
        .update_expression("SET nonsense")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(invalid.meta().code(), Some("ValidationException"));
}

#[tokio::test]
async fn every_answer_carries_the_date() {
    let engine = Engine::memory().unwrap();
    let served = serve(engine.router(), 0).await.unwrap();
    let target = [("x-amz-target", "DynamoDB_20120810.ListTables")];
    let answer = crate::client::send(http::Method::POST, &served.url(), &target, "{}")
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("date").ends_with("GMT"));
    let unknown = [("x-amz-target", "DynamoDB_20111205.ListTables")];
    let answer = crate::client::send(http::Method::POST, &served.url(), &unknown, "{}")
        .await
        .unwrap();
    assert_eq!(answer.json()["__type"], "UnknownOperationException");
}

#[tokio::test]
async fn the_log_tells_operation_table_key_capacity_and_error() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    engine.clear();
    put(&client, "a", "red").await;
    let seen = engine.requests().pop().unwrap();
    assert_eq!(
        (seen.operation.as_str(), seen.table.as_str()),
        ("PutItem", "things")
    );
    assert_eq!(seen.keys, [json!({ "pk": { "S": "a" } })]);
    assert_eq!((seen.consumed, seen.error), (Some(1.0), None));
    assert_eq!((engine.count("PutItem"), engine.count("GetItem")), (1, 0));
    let _ = client
        .get_item()
        .table_name("nowhere")
        .key("pk", text("a"))
        .send()
        .await;
    assert_eq!(
        engine.requests().pop().unwrap().error.as_deref(),
        Some("ResourceNotFoundException")
    );
}

#[tokio::test]
async fn an_unavailable_engine_applies_nothing_and_a_lost_acknowledgement_everything() {
    let engine = Engine::memory().unwrap();
    let (client, _served) = table(&engine).await;
    let write = |pk: &str| {
        client
            .put_item()
            .table_name("things")
            .item("pk", text(pk))
            .send()
    };
    let exists = async |pk: &str| {
        client
            .get_item()
            .table_name("things")
            .key("pk", text(pk))
            .send()
            .await
            .unwrap()
            .item
            .is_some()
    };

    engine.fail_next("PutItem", Fault::Pass);
    engine.fail_next("PutItem", Fault::Unavailable);
    engine.fail_next("PutItem", Fault::LostAck);
    write("passes").await.unwrap();
    let refused = write("refused").await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 500);
    let lost = write("lost").await.unwrap_err();
    assert!(lost.raw_response().is_none(), "no answer at all");
    assert!(exists("passes").await && !exists("refused").await && exists("lost").await);

    engine.outage(true);
    assert!(
        client
            .get_item()
            .table_name("things")
            .key("pk", text("lost"))
            .send()
            .await
            .is_err()
    );
    engine.outage(false);
    assert!(exists("lost").await);
}

#[tokio::test]
async fn a_file_keeps_its_items_and_ttl_is_swept_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.sqlite");
    {
        let engine = Engine::file(&path).unwrap();
        let (client, served) = table(&engine).await;
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name("ttl")
            .build()
            .unwrap();
        client
            .update_time_to_live()
            .table_name("things")
            .time_to_live_specification(ttl)
            .send()
            .await
            .unwrap();
        put(&client, "stays", "red").await;
        let past = Value::N("1700000000".to_owned());
        client
            .put_item()
            .table_name("things")
            .item("pk", text("old"))
            .item("ttl", past)
            .send()
            .await
            .unwrap();
        served.stop().await;
    }
    let engine = Engine::file(&path).unwrap();
    let served = serve(engine.router(), 0).await.unwrap();
    let client = sdk::dynamodb(&served.url());
    assert_eq!(
        client
            .scan()
            .table_name("things")
            .send()
            .await
            .unwrap()
            .count,
        2
    );
    assert_eq!(engine.sweep_ttl().await.unwrap(), 1);
    assert_eq!(
        client
            .scan()
            .table_name("things")
            .send()
            .await
            .unwrap()
            .count,
        1
    );
}
