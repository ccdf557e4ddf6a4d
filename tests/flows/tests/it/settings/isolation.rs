//! S-103: whoever is not the owner finds nothing, changes nothing and learns nothing, on every route.

use consulate_flows::stack::sign;
use http::Method;
use serde_json::json;

use super::*;

#[tokio::test]
async fn nobody_else_reads_lists_replaces_or_deletes_what_somebody_keeps() {
    let stack = usual().await;
    import_other(&stack).await;
    let ada = stack.jwt("ada");
    let admin = stack.jwt("admin");
    put(&stack, "user/secret", &ada, "\"of ada\"")
        .await
        .expect(201);
    put(&stack, "organisation/secret", &admin, "\"of o1\"")
        .await
        .expect(201);
    let before = kept(&stack).await;
    assert_eq!(before.len(), 4);

    // Another user; the same user id in another organisation; another organisation's administrator; another widget.
    let strangers = [
        (WIDGET, stack.jwt("bob"), "user"),
        (WIDGET, stack.jwt_of("ada", "o2", None), "user"),
        (WIDGET, stack.jwt_of("boss", "o2", None), "user"),
        (WIDGET, stack.jwt_of("boss", "o2", None), "organisation"),
        (OTHER, ada.clone(), "user"),
        (OTHER, admin.clone(), "organisation"),
    ];
    for (widget, jwt, scope) in &strangers {
        let who = format!("{widget} {scope}");
        let one = format!("{scope}/secret");
        let send = async |method, path: &str, more: &[(&str, &str)], body: &'static str| {
            ask_of(&stack, widget, method, path, jwt, more, body).await
        };
        // As if there were nothing at all.
        let there = send(Method::GET, &one, &[], "").await;
        let not_there = send(Method::GET, &format!("{scope}/nothing"), &[], "").await;
        assert_eq!(
            (there.status, not_there.status),
            (404.try_into().unwrap(), 404.try_into().unwrap()),
            "{who}"
        );
        let text = |answer: &Answer| {
            let mut problem = answer.json();
            problem["request_id"] = json!(null);
            problem.to_string()
        };
        assert_eq!(text(&there), text(&not_there), "{who}");
        let list = send(Method::GET, scope, &[], "").await.expect(200).json();
        assert_eq!(list, json!({"settings": [], "next": null}), "{who}");
        send(Method::PUT, &one, &[("if-match", "*")], "1")
            .await
            .expect(412);
        send(Method::DELETE, &one, &[("if-match", "*")], "")
            .await
            .expect(412);
        send(Method::DELETE, &one, &[], "").await.expect(204);
        assert_eq!(kept(&stack).await, before, "{who}");
        // What they keep under the same key is theirs.
        send(Method::PUT, &one, &[("if-none-match", "*")], "\"mine\"")
            .await
            .expect(201);
        assert_eq!(get(&stack, "user/secret", &ada).await.text(), "\"of ada\"");
        assert_eq!(
            get(&stack, "organisation/secret", &admin).await.text(),
            "\"of o1\""
        );
        send(Method::DELETE, &one, &[], "").await.expect(204);
    }
    assert_eq!(kept(&stack).await, before);
    accounts_are_right(&items(&stack).await);
    // Every member of o1 reads the organisation's, whoever wrote it.
    assert_eq!(
        get(&stack, "organisation/secret", &ada)
            .await
            .expect(200)
            .text(),
        "\"of o1\""
    );
}

/// The items there are, without accounts of nothing.
async fn kept(stack: &Stack) -> Items {
    let mut items = items(stack).await;
    items.retain(|pk, item| !pk.starts_with("SETTINGS#") || item.contains_key("ks"));
    items
}

/// No route answers without a caller whose JWT this widget's host has signed.
#[tokio::test]
async fn every_route_asks_who_calls() {
    let stack = usual().await;
    put(&stack, "user/a", &stack.jwt("ada"), "1")
        .await
        .expect(201);
    let before = items(&stack).await;
    let exp = stack.dev.clock.now().seconds() + 300;
    let claims = json!({"exp": exp, "user": {"id": "ada"}, "organisation": {"id": "o1"}});
    let late = json!({"exp": exp - 600, "user": {"id": "ada"}, "organisation": {"id": "o1"}});
    for jwt in [
        String::new(),
        "nonsense".to_owned(),
        sign(&claims, "another secret"),
        sign(&late, HOST_SECRET),
    ] {
        for (method, path) in [
            (Method::GET, "user/a"),
            (Method::PUT, "user/a"),
            (Method::DELETE, "user/a"),
            (Method::GET, "user"),
            (Method::GET, "organisation"),
        ] {
            ask(&stack, method, path, &jwt, &[], "2")
                .await
                .expect_problem(401, "caller_unauthenticated", "", "");
        }
    }
    assert_eq!(items(&stack).await, before);
    let jwt = stack.jwt("ada");
    let nowhere = ask_of(&stack, "none", Method::GET, "user/a", &jwt, &[], "").await;
    nowhere.expect_problem(404, "widget_unknown", "", "");
}
