//! What a call costs, counted: reads of the table and of Secrets Manager, and write units of a refresh.

use std::time::Duration;

use consulate_core::foundation::{Foundation, Leniency};
use consulate_fakes::serve::{Served, serve};
use consulate_flows::bundle::WIDGET;
use consulate_flows::stack::Stack;
use http::Method;

use super::{connected, plain};

/// A proxy as on Lambda: cold, its definitions cached for a minute and not for a developer's second.
async fn cold_proxy(stack: &Stack) -> Served {
    let warm = &stack.dev.foundation;
    let leniency = Leniency {
        definitions_fresh_for: Duration::from_secs(60),
        ..warm.leniency.clone()
    };
    let foundation = Foundation::new(warm.config.clone(), warm.clock.clone(), leniency).unwrap();
    let routes = consulate_proxy::router(consulate_proxy::State::new(&foundation));
    serve(routes, 0).await.unwrap()
}

async fn call(stack: &Stack, proxy: &Served, jwt: &str) {
    let url = format!("{}/v1/widgets/{WIDGET}/apis/whoAmI", proxy.url());
    let bearer = format!("Bearer {jwt}");
    let headers = [("authorization", bearer.as_str())];
    let answer = stack
        .wire
        .call(Method::POST, &url, &headers, "")
        .await
        .expect(200);
    assert_eq!(answer.json()["isSuccess"], true);
}

/// Operations on the table since the last look, with the kind of item each concerned.
fn operations(stack: &Stack) -> Vec<String> {
    let requests = stack.dev.engine.requests();
    stack.dev.engine.clear();
    let shown = requests.iter().map(|request| {
        let kind = |key: &serde_json::Value| {
            let pk = key["pk"]["S"].as_str().unwrap();
            pk.split('#').next().unwrap().to_owned()
        };
        let kinds: Vec<String> = request.keys.iter().map(kind).collect();
        format!("{} {}", request.operation, kinds.join("+"))
    });
    shown.collect()
}

#[tokio::test]
async fn a_warm_hit_reads_nothing_and_a_miss_one_item() {
    let (stack, ada) = connected().await;
    let bob = stack.connected("bob").await;
    let proxy = cold_proxy(&stack).await;
    let secret_reads = || stack.dev.secrets.count("GetSecretValue");
    operations(&stack);

    let before = secret_reads();
    call(&stack, &proxy, &ada).await;
    let mut cold = operations(&stack);
    cold.sort();
    let connection = "GetItem CONNECTION";
    assert_eq!(
        cold,
        [
            connection,
            "GetItem HOST",
            "GetItem PASSPORT",
            "GetItem WIDGET"
        ]
    );
    assert_eq!(
        secret_reads(),
        before + 2,
        "the host's secret and the access keyring"
    );

    for _ in 0..20 {
        call(&stack, &proxy, &ada).await;
    }
    assert_eq!(operations(&stack), Vec::<String>::new());

    // Bob is new to this instance.
    call(&stack, &proxy, &bob).await;
    assert_eq!(operations(&stack), [connection]);
    assert_eq!(secret_reads(), before + 2);
}

/// Idle limits are counted in days: six hours is near enough.
#[tokio::test]
async fn a_use_is_noted_every_six_hours_and_only_on_a_miss() {
    let stack = Stack::start_with(|_| {}, |settings| settings.access_seconds = 48 * 3_600).await;
    stack.connected("ada").await;
    let proxy = cold_proxy(&stack).await;
    let uses = |operations: Vec<String>| {
        let updates = operations
            .iter()
            .filter(|operation| operation.as_str() == "UpdateItem CONNECTION");
        updates.count()
    };
    operations(&stack);
    call(&stack, &proxy, &stack.jwt("ada")).await;
    assert_eq!(uses(operations(&stack)), 0, "connecting is a use");
    stack.dev.clock.advance_millis(6 * 3_600_000 - 60_000);
    let proxy = cold_proxy(&stack).await;
    call(&stack, &proxy, &stack.jwt("ada")).await;
    assert_eq!(uses(operations(&stack)), 0, "not yet");
    stack.dev.clock.advance_millis(61_000);
    let proxy = cold_proxy(&stack).await;
    for _ in 0..3 {
        call(&stack, &proxy, &stack.jwt("ada")).await;
    }
    assert_eq!(uses(operations(&stack)), 1);
    let proxy = cold_proxy(&stack).await;
    call(&stack, &proxy, &stack.jwt("ada")).await;
    assert_eq!(uses(operations(&stack)), 0);
}

/// Secrets are read by whoever starts, not by whoever calls.
#[tokio::test]
async fn a_warm_proxy_asks_secrets_manager_for_nothing() {
    let (stack, jwt) = connected().await;
    plain(&stack, &jwt, "whoAmI").await;
    let before = stack.dev.secrets.count("GetSecretValue");
    for _ in 0..10 {
        plain(&stack, &jwt, "whoAmI").await;
    }
    assert_eq!(stack.dev.secrets.count("GetSecretValue"), before);
}

/// Claim and save, of an item below a kilobyte each.
#[tokio::test]
async fn a_refresh_writes_two_units() {
    let (stack, jwt) = connected().await;
    plain(&stack, &jwt, "whoAmI").await;
    stack.dev.clock.advance_millis(61_000);
    stack.dev.engine.clear();
    plain(&stack, &jwt, "whoAmI").await;
    assert_eq!(stack.provider.seen().refreshes, 1);
    let requests = stack.dev.engine.requests();
    let writes: Vec<_> = requests
        .iter()
        .filter(|request| !["GetItem", "BatchGetItem"].contains(&request.operation.as_str()))
        .collect();
    let units: f64 = writes.iter().map(|write| write.consumed.unwrap()).sum();
    assert_eq!((writes.len(), units), (2, 2.0), "{writes:?}");
}

#[tokio::test]
async fn what_is_refused_for_its_params_reads_no_connection() {
    let (stack, jwt) = connected().await;
    plain(&stack, &jwt, "whoAmI").await;
    stack.dev.engine.clear();
    stack
        .api(&jwt, "echo", serde_json::json!({}))
        .await
        .expect(422);
    let touched = operations(&stack);
    assert!(
        !touched
            .iter()
            .any(|operation| operation.contains("CONNECTION")),
        "{touched:?}"
    );
}
