//! What is never handed out, and which word is missing.

use consulate::operator::arguments::ImportArguments;
use consulate::operator::import::import;
use consulate_fakes::provider::Reply;
use consulate_flows::bundle::OURS;
use consulate_flows::own::done;

use super::*;

#[tokio::test]
async fn it_takes_the_word_of_the_widget_and_of_the_passport() {
    for (declared, allowed, field) in [
        (false, false, "delivery"),
        (false, true, "delivery"),
        (true, false, "browser_delivery"),
    ] {
        let change = |bundle: &mut Bundle| {
            deliver(bundle);
            if !declared {
                bundle.consulate["authentications"][MINE]["delivery"] = "server".into();
            }
            bundle.consulate["passports"]["test-cloud"]["browser_delivery"] = allowed.into();
        };
        let stack = Stack::start_with(change, |_| {}).await;
        let jwt = stack.connected("ada").await;
        assert_eq!(shown(&stack, &jwt).await, "server");
        refused(&stack, fetch(&stack, &jwt).await, field);
        // Calls go on as ever.
        stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    }
}

/// Neither word is given later without an operator's consent; taking one back needs it too, and ends delivery.
#[tokio::test]
async fn each_word_given_later_needs_consent() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let mut bundle = Bundle::new(&stack.provider_url);
    deliver(&mut bundle);
    let mut arguments = ImportArguments {
        path: bundle.write(&stack.folder.path().join("wider")),
        ..ImportArguments::default()
    };
    let report = import(&stack.dev.target, &arguments).await.unwrap();
    for difference in ["delivery of mine: server -> browser", "browser delivery"] {
        assert!(report.text.contains(difference), "{}", report.text);
    }
    definitions_are_seen().await;
    refused(&stack, fetch(&stack, &jwt).await, "delivery");
    arguments.accept = true;
    done(&import(&stack.dev.target, &arguments).await.unwrap());
    definitions_are_seen().await;
    fetch(&stack, &jwt).await.expect(200);
    change_passport(&stack, |passport| {
        passport["browser_delivery"] = false.into()
    })
    .await;
    refused(&stack, fetch(&stack, &jwt).await, "browser_delivery");
    assert_eq!(shown(&stack, &jwt).await, "server");
}

/// The organisation's account is refused at import; and at the request, should a record say otherwise all the same.
#[tokio::test]
async fn an_organisations_access_token_is_handed_to_nobody() {
    let stack = Stack::start_with(deliver, |_| {}).await;
    let admin = stack.admin_jwt();
    stack.connect(&admin, OURS).await;
    let ours = async |jwt: &str| fetch_from(&stack, (WIDGET, OURS), Some(ORIGIN), jwt).await;
    for jwt in [&admin, &stack.jwt("ada")] {
        refused(&stack, ours(jwt).await, "delivery");
    }
    change_widget(&stack, |widget| {
        let authentications = widget["authentications"].as_array_mut().unwrap();
        let ours = authentications
            .iter_mut()
            .find(|one| one["auth_key"] == OURS)
            .unwrap();
        ours["delivery"] = "browser".into();
    })
    .await;
    for jwt in [&admin, &stack.jwt("ada")] {
        refused(&stack, ours(jwt).await, "owner");
    }
}

async fn change_widget(stack: &Stack, change: impl FnOnce(&mut Value)) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let target = &stack.dev.target;
    let get = target.dynamodb.get_item().table_name(&target.table);
    let get = get.key("pk", S(format!("WIDGET#{WIDGET}")));
    let mut item = get.send().await.unwrap().item.unwrap();
    let mut document: Value = serde_json::from_str(item["doc"].as_s().unwrap()).unwrap();
    change(&mut document);
    item.insert("doc".to_owned(), S(document.to_string()));
    let put = target.dynamodb.put_item().table_name(&target.table);
    put.set_item(Some(item)).send().await.unwrap();
    definitions_are_seen().await;
}

/// "If the token is not a full oAuth token, for example, if it doesn't expire" (Happeo, "Advanced usage").
#[tokio::test]
async fn an_access_token_without_an_end_stays_on_the_server() {
    let stack = Stack::start_with(deliver, |_| {}).await;
    stack.provider.script_token(Reply::OmitExpiresIn);
    let jwt = stack.connected("ada").await;
    assert_eq!(stack.status(&jwt, MINE).await["expires_at"], json!(null));
    refused(&stack, fetch(&stack, &jwt).await, "expires_at");
    stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
}

/// What is stored under these passports is a key, a password, a machine's token, or what renews itself.
#[tokio::test]
async fn what_is_no_short_lived_token_of_a_persons_consent_stays_on_the_server() {
    let (stack, jwt) = delivering().await;
    for (name, value, field) in [
        ("credential", json!("api_key"), "credential"),
        ("credential", json!("basic"), "credential"),
        ("credential", json!("personal_access_token"), "credential"),
        ("credential", json!("client_credentials"), "credential"),
        (
            "renewal",
            json!({"url": "https://x.example/t", "grant_type": "g", "token_param": "t"}),
            "renewal",
        ),
    ] {
        let mut before = Value::Null;
        change_passport(&stack, |passport| {
            before = passport.clone();
            passport[name] = value;
        })
        .await;
        refused(&stack, fetch(&stack, &jwt).await, field);
        assert_eq!(shown(&stack, &jwt).await, "server");
        change_passport(&stack, |passport| *passport = before).await;
    }
    fetch(&stack, &jwt).await.expect(200);
}

#[tokio::test]
async fn without_a_connection_or_an_authentication_the_answer_is_a_calls() {
    let stack = Stack::start_with(deliver, |_| {}).await;
    let jwt = stack.jwt("ada");
    let problem = fetch(&stack, &jwt).await;
    let problem = problem.expect_problem(424, "authentication_required", "reason", "not_connected");
    assert_eq!(
        problem.json()["connect"]["href"],
        "/v1/widgets/notes/connections/mine/connect"
    );
    for auth_key in ["none", "Mine", "mine%2F", "%2e%2e"] {
        let answer = fetch_from(&stack, (WIDGET, auth_key), Some(ORIGIN), &jwt).await;
        answer.expect_problem(404, "authentication_unknown", "field", "auth_key");
    }
    let url = format!(
        "{}/v1/widgets/{WIDGET}/connections/{MINE}/access-token",
        stack.dev.base_url
    );
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let bearer = format!("Bearer {jwt}");
        let answer = stack
            .wire
            .call(method, &url, &[("authorization", &bearer)], "")
            .await;
        answer.expect_problem(405, "method_not_allowed", "", "");
    }
}
