//! The Lambda invoke API, seen by the real SDK.

use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use bytes::Bytes;
use consulate_fakes::lambda::{FunctionError, Functions};
use consulate_fakes::serve::{Served, serve};
use tokio::sync::{Notify, mpsc};

use crate::sdk;

async fn served(functions: &Functions) -> (aws_sdk_lambda::Client, Served) {
    let served = serve(functions.router(), 0).await.unwrap();
    (sdk::lambda(&served.url()), served)
}

#[tokio::test]
async fn an_invoke_answers_what_the_handler_answers() {
    let functions = Functions::new();
    functions.register(
        "custodian",
        Arc::new(|event| Box::pin(async move { Ok(event) })),
    );
    let (client, _served) = served(&functions).await;
    let answer = client
        .invoke()
        .function_name("custodian")
        .payload(Blob::new("{\"a\":1}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.payload().unwrap().as_ref(), b"{\"a\":1}");
    assert_eq!((answer.status_code(), answer.function_error()), (200, None));
    let by_arn = "arn:aws:lambda:us-east-1:000000000000:function:custodian";
    assert!(
        client
            .invoke()
            .function_name(by_arn)
            .payload(Blob::new("{}"))
            .send()
            .await
            .is_ok()
    );
    assert_eq!(functions.invocations("custodian"), 2);

    let unknown = client
        .invoke()
        .function_name("nobody")
        .send()
        .await
        .unwrap_err();
    assert!(
        unknown
            .into_service_error()
            .is_resource_not_found_exception()
    );
    let no_json = client
        .invoke()
        .function_name("custodian")
        .payload(Blob::new("{"))
        .send()
        .await
        .unwrap_err();
    assert!(
        no_json
            .into_service_error()
            .is_invalid_request_content_exception()
    );
}

#[tokio::test]
async fn a_failing_or_panicking_handler_is_a_function_error() {
    let functions = Functions::new();
    functions.register(
        "fails",
        Arc::new(|_| {
            Box::pin(async {
                Err(FunctionError::new(
                    "EventMalformed",
                    "field `flow` is missing",
                ))
            })
        }),
    );
    functions.register(
        "panics",
        Arc::new(|_| Box::pin(async { panic!("as scripted") })),
    );
    let (client, _served) = served(&functions).await;
    let failed = client.invoke().function_name("fails").send().await.unwrap();
    assert_eq!(failed.function_error(), Some("Unhandled"));
    let payload: serde_json::Value =
        serde_json::from_slice(failed.payload().unwrap().as_ref()).unwrap();
    assert_eq!(payload["errorType"], "EventMalformed");
    let panicked = client
        .invoke()
        .function_name("panics")
        .send()
        .await
        .unwrap();
    assert_eq!(panicked.function_error(), Some("Unhandled"));
}

#[tokio::test]
async fn a_handler_goes_on_when_its_caller_goes_away() {
    let functions = Functions::new();
    let (started, mut has_started) = mpsc::unbounded_channel();
    let (finished, mut has_finished) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let waits = go_on.clone();
    functions.register(
        "slow",
        Arc::new(move |_| {
            let (started, finished, waits) = (started.clone(), finished.clone(), waits.clone());
            Box::pin(async move {
                started.send(()).unwrap();
                waits.notified().await;
                finished.send(()).unwrap();
                Ok(Bytes::from_static(b"null"))
            })
        }),
    );
    let (client, _served) = served(&functions).await;
    let caller = tokio::spawn(client.invoke().function_name("slow").send());
    has_started.recv().await.unwrap();
    caller.abort();
    let _ = caller.await;
    go_on.notify_one();
    has_finished.recv().await.unwrap();
}

#[tokio::test]
async fn an_event_is_accepted_at_once_and_run() {
    let functions = Functions::new();
    let (ran, mut has_run) = mpsc::unbounded_channel();
    functions.register(
        "later",
        Arc::new(move |event| {
            ran.send(event).unwrap();
            Box::pin(async { Ok(Bytes::new()) })
        }),
    );
    let (client, _served) = served(&functions).await;
    let event = client
        .invoke()
        .function_name("later")
        .invocation_type(InvocationType::Event);
    let accepted = event.payload(Blob::new("[1]")).send().await.unwrap();
    assert_eq!(accepted.status_code(), 202);
    assert_eq!(has_run.recv().await.unwrap(), "[1]");
}

#[tokio::test]
async fn an_invoke_in_process_goes_the_same_way() {
    let functions = Functions::new();
    functions.register(
        "custodian",
        Arc::new(|event| Box::pin(async move { Ok(event) })),
    );
    let payload = Bytes::from_static(b"{\"a\":1}");
    let by_arn = "arn:aws:lambda:us-east-1:000000000000:function:custodian";
    for name in ["custodian", by_arn] {
        let answer = functions.invoke(name, payload.clone()).await.unwrap();
        assert_eq!(answer, payload);
    }
    assert_eq!(functions.invocations("custodian"), 2);
    let unknown = functions.invoke("nobody", payload.clone()).await;
    assert_eq!(unknown.unwrap_err().error_type, "ResourceNotFoundException");
    functions.outage(true);
    let out = functions.invoke("custodian", payload).await.unwrap_err();
    assert_eq!(out.error_type, "ServiceException");
}
