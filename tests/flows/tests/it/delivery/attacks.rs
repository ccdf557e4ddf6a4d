//! Who asks for an access token that is not theirs, or no longer.

use consulate::operator::arguments::ImportArguments;
use consulate::operator::import::import;
use consulate_flows::own::done;
use consulate_flows::stack::{HOST_SECRET, sign};

use super::*;

#[tokio::test]
async fn another_user_or_organisation_gets_nothing() {
    let (stack, _) = delivering().await;
    for (user, organisation) in [("bob", "o1"), ("ada", "o2"), ("admin", "o1"), ("Ada", "o1")] {
        let jwt = stack.jwt_of(user, organisation, Some("it@example.com"));
        let answer = fetch(&stack, &jwt).await;
        let answer =
            answer.expect_problem(424, "authentication_required", "reason", "not_connected");
        shows_nothing(&stack, &answer);
    }
    // With an account each, each gets their own.
    let bob = stack.connected("bob").await;
    let (of_ada, of_bob) = (
        fetch(&stack, &stack.jwt("ada")).await,
        fetch(&stack, &bob).await,
    );
    assert_ne!(access_token(&of_ada), access_token(&of_bob));
}

#[tokio::test]
async fn without_a_caller_jwt_of_this_widget_there_is_no_answer() {
    let (stack, _) = delivering().await;
    let exp = stack.dev.clock.now().seconds() + 300;
    let claims = json!({"exp": exp, "user": {"id": "ada"}, "organisation": {"id": "o1"}});
    let late = json!({"exp": exp - 900, "user": {"id": "ada"}, "organisation": {"id": "o1"}});
    for jwt in [
        String::new(),
        "x".into(),
        sign(&claims, "another"),
        sign(&late, HOST_SECRET),
    ] {
        let answer = fetch(&stack, &jwt).await;
        shows_nothing(
            &stack,
            &answer.expect_problem(401, "caller_unauthenticated", "", ""),
        );
    }
    // A caller JWT in a cookie or in the address is none.
    let jwt = stack.jwt("ada");
    let url = format!(
        "{}/v1/widgets/{WIDGET}/connections/{MINE}/access-token",
        stack.dev.base_url
    );
    let cookie = format!("jwt={jwt}; access_token={jwt}");
    for (url, headers) in [
        (url.clone(), vec![("cookie", cookie.as_str())]),
        (format!("{url}?access_token={jwt}&jwt={jwt}"), vec![]),
    ] {
        stack
            .wire
            .call(Method::GET, &url, &headers, "")
            .await
            .expect(401);
    }
}

/// A page that is not the widget's could not read the answer; and there is none to read.
#[tokio::test]
async fn a_page_of_another_origin_gets_no_access_token() {
    let (stack, ada) = delivering().await;
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://APP.example.com",
        "http://app.example.com",
        "https://app.example.com/",
        "null",
        "",
    ] {
        let answer = fetch_from(&stack, (WIDGET, MINE), Some(origin), &ada).await;
        assert_eq!(
            answer.headers.get("access-control-allow-origin"),
            None,
            "{origin}"
        );
        refused(&stack, answer, "origin");
    }
    // Two origins are one too many.
    let url = format!(
        "{}/v1/widgets/{WIDGET}/connections/{MINE}/access-token",
        stack.dev.base_url
    );
    let bearer = format!("Bearer {ada}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", ORIGIN),
        ("origin", "https://evil.example"),
    ];
    refused(
        &stack,
        stack.wire.call(Method::GET, &url, &headers, "").await,
        "origin",
    );
}

/// Two widgets on one passport, for the same people: only the one that is declared for it hands out, and its origins count.
#[tokio::test]
async fn a_widget_that_is_not_declared_gets_nothing_of_an_account_it_shares() {
    let (stack, ada) = delivering().await;
    // The same passport cannot be bound: it is the other widget's own.
    let mut bundle = Bundle::new(&stack.provider_url);
    deliver(&mut bundle);
    bundle.consulate["widget"] = "thief".into();
    bundle.consulate["origins"] = json!(["https://thief.example"]);
    bundle.consulate["authentications"][MINE]["passport"] =
        consulate_flows::bundle::PASSPORT.into();
    let mut arguments = ImportArguments {
        path: bundle.write(&stack.folder.path().join("thief")),
        join_host: true,
        ..ImportArguments::default()
    };
    let report = import(&stack.dev.target, &arguments).await.unwrap();
    assert!(
        report.text.contains("passport_of_another_widget"),
        "{}",
        report.text
    );
    // With a passport of its own it has accounts of its own.
    bundle.consulate["authentications"][MINE]
        .as_object_mut()
        .unwrap()
        .remove("passport");
    arguments.path = bundle.write(&stack.folder.path().join("thief"));
    done(&import(&stack.dev.target, &arguments).await.unwrap());
    let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
    stack
        .dev
        .secrets
        .put("consulate/widgets/thief", &host)
        .unwrap();
    let theirs = Some("https://thief.example");
    let answer = fetch_from(&stack, ("thief", MINE), theirs, &ada).await;
    let answer = answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    shows_nothing(&stack, &answer);
    refused(
        &stack,
        fetch_from(&stack, (WIDGET, MINE), theirs, &ada).await,
        "origin",
    );
}

/// No access token after a disconnect, not even from the memory that calls are served from; and the one handed out is revoked
/// where the provider does that.
#[tokio::test]
async fn a_disconnect_ends_delivery_at_once() {
    let (stack, ada) = delivering().await;
    // It is in memory now.
    stack.api(&ada, "whoAmI", json!({})).await.expect(200);
    let held = access_token(&fetch(&stack, &ada).await.expect(200));
    let path = format!("connections/{MINE}");
    let receipt = stack
        .widget(Method::DELETE, &path, &ada, "")
        .await
        .expect(200)
        .json();
    assert_eq!(receipt["revocation"]["result"], "revoked");
    let answer = fetch(&stack, &ada).await;
    let answer = answer.expect_problem(424, "authentication_required", "reason", "disconnected");
    shows_nothing(&stack, &answer);
    who_am_i(&stack, &held).await.expect(401);

    // Connected anew, it is another access token.
    let jwt = stack.connected("ada").await;
    assert_ne!(access_token(&fetch(&stack, &jwt).await.expect(200)), held);
}

/// S-07: it is in the answer, and nowhere else.
#[tokio::test]
async fn what_is_handed_out_is_in_no_log_and_no_file() {
    let (stack, ada) = delivering().await;
    let token = access_token(&fetch(&stack, &ada).await.expect(200));
    let log = stack.log.lock().unwrap().join("\n").into_bytes();
    let table = std::fs::read(stack.dev.data_dir.join("table.sqlite")).unwrap();
    for content in [&log, &table] {
        assert!(!consulate_flows::own::reveals(content, &token));
    }
    let lines = stack.log_lines();
    let line = lines
        .iter()
        .rev()
        .find(|line| line["delivered"] == true)
        .unwrap();
    assert_eq!(
        (&line["auth_key"], &line["status"], &line["source"]),
        (&json!(MINE), &json!(200), &json!("row"))
    );
}
