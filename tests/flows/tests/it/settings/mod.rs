//! Private settings: what a widget keeps for a user or an organisation, over HTTP, and what lies in the table of it.

mod costs;
mod isolation;
mod journey;
mod limits;
mod paging;
mod rules;
mod sealed;
mod writers;

use consulate::operator::arguments::ImportArguments;
use consulate::operator::import::import;
use consulate_flows::bundle::{Bundle, WIDGET};
use consulate_flows::own::Items;
use consulate_flows::stack::{HOST_SECRET, Stack};
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

/// Another widget of the same host.
const OTHER: &str = "other";

/// A stack whose widget keeps settings as `policy` says. Administrators: `admin` in `o1`, `boss` in `o2`.
async fn keeping(policy: Value) -> Stack {
    Stack::start_with(|bundle| allow(bundle, policy), |_| {}).await
}

/// Settings of users, and of organisations as usual.
pub(crate) async fn usual() -> Stack {
    keeping(json!({"user": true, "organisation": "admins"})).await
}

fn allow(bundle: &mut Bundle, policy: Value) {
    bundle.consulate["settings"] = policy;
    bundle.consulate["admins"] = json!([
        {"organisation": "o1", "user": "admin"}, {"organisation": "o2", "user": "boss"}
    ]);
}

/// Imports the widget `other` of the same host and the same callers.
async fn import_other(stack: &Stack) {
    let mut bundle = Bundle::new(&stack.provider_url);
    allow(
        &mut bundle,
        json!({"user": true, "organisation": "members"}),
    );
    bundle.consulate["widget"] = OTHER.into();
    let arguments = ImportArguments {
        path: bundle.write(&stack.folder.path().join(OTHER)),
        join_host: true,
        ..ImportArguments::default()
    };
    let report = import(&stack.dev.target, &arguments).await.unwrap();
    consulate_flows::own::done(&report);
    let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let name = format!("consulate/widgets/{OTHER}");
    stack.dev.secrets.put(&name, &host).unwrap();
}

/// A request of a settings route, `path` behind `settings/`.
async fn ask(
    stack: &Stack,
    method: Method,
    path: &str,
    jwt: &str,
    more: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Answer {
    ask_of(stack, WIDGET, method, path, jwt, more, body).await
}

async fn ask_of(
    stack: &Stack,
    widget: &str,
    method: Method,
    path: &str,
    jwt: &str,
    more: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Answer {
    let url = format!("{}/v1/widgets/{widget}/settings/{path}", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend_from_slice(more);
    stack.wire.call(method, &url, &headers, body).await
}

async fn put(stack: &Stack, path: &str, jwt: &str, value: &str) -> Answer {
    ask(stack, Method::PUT, path, jwt, &[], value.to_owned()).await
}

async fn get(stack: &Stack, path: &str, jwt: &str) -> Answer {
    ask(stack, Method::GET, path, jwt, &[], "").await
}

async fn delete(stack: &Stack, path: &str, jwt: &str) -> Answer {
    ask(stack, Method::DELETE, path, jwt, &[], "").await
}

/// Keys of a list, in order of their names.
fn keys(list: &Value) -> Vec<String> {
    let settings = list["settings"].as_array().unwrap().iter();
    let mut keys: Vec<String> = settings
        .map(|setting| setting["key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

/// The items of settings: accounts and values.
async fn items(stack: &Stack) -> Items {
    let (target, mut items, mut from) = (&stack.dev.target, Items::new(), None);
    loop {
        let scan = target.dynamodb.scan().table_name(&target.table);
        let scan = scan.consistent_read(true).set_exclusive_start_key(from);
        let page = scan.send().await.unwrap();
        for item in page.items() {
            let pk = item["pk"].as_s().unwrap().clone();
            items.insert(pk, item.clone());
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    items.retain(|pk, _| pk.starts_with("SETTING"));
    items
}

/// Asserts that every owner's account is the sum of what is there.
#[track_caller]
fn accounts_are_right(items: &Items) {
    let number = |item: &std::collections::HashMap<String, _>, name: &str| {
        let value: &aws_sdk_dynamodb::types::AttributeValue = &item[name];
        value.as_n().unwrap().parse::<i64>().unwrap()
    };
    for (pk, account) in items.iter().filter(|(pk, _)| pk.starts_with("SETTINGS#")) {
        let owner = pk.strip_prefix("SETTINGS#").unwrap();
        let prefix = format!("SETTING#{owner}#");
        let kept = items.iter().filter(|(pk, _)| pk.starts_with(&prefix));
        let (mut bytes, mut ids) = (0, Vec::new());
        for (pk, item) in kept {
            bytes += number(item, "z");
            ids.push(pk.strip_prefix(&prefix).unwrap().to_owned());
        }
        let mut known = account
            .get("ks")
            .map(|ids| ids.as_ss().unwrap().clone())
            .unwrap_or_default();
        known.sort();
        assert_eq!((number(account, "b"), known), (bytes, ids), "{pk}");
    }
}
