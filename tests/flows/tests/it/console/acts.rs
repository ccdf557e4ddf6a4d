//! Connecting, trying and disconnecting in somebody's place.

use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{MINE, OURS};
use consulate_flows::stack::Stack;
use consulate_flows::walk::query;
use serde_json::json;

use super::{Admin, NOTES};

#[tokio::test]
async fn an_administrator_connects_tries_and_disconnects_for_a_user() {
    let stack = Stack::start().await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let page = admin.page(NOTES).await;
    assert!(
        page.contains("Not connected") && page.contains("Test Cloud"),
        "{page}"
    );
    let back = admin.connect(MINE).await.expect(303);
    let there = back.header("location").to_owned();
    assert_eq!(
        there,
        format!(
            "{}{NOTES}?auth_key=mine&outcome=connected",
            stack.dev.base_url
        )
    );
    let page = admin.page(&format!("{NOTES}?outcome=connected")).await;
    assert!(
        page.contains("The account is connected.") && page.contains("Reconnect"),
        "{page}"
    );
    // It is ada's, and nobody else's.
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "connected"
    );
    assert_eq!(
        stack.status(&stack.jwt("grace"), MINE).await["status"],
        "not_connected"
    );

    let path = "/console/widgets/notes/apis/echo";
    let form = admin.page(path).await;
    assert!(
        form.contains("name=\"param.path\"") && form.contains("name=\"param.q\""),
        "{form}"
    );
    let fields = [
        ("param.path", "a/b"),
        ("param.q", "<i>"),
        ("further", "{\"more\": [1, 2]}"),
    ];
    let tried = admin.post(path, &fields).await.expect(200).text();
    assert!(
        tried.contains("The API answered 200") && tried.contains("/api/v1/echo/a%2Fb"),
        "{tried}"
    );
    assert!(
        tried.contains("fixed=1&amp;q=%3Ci%3E&amp;more=1&amp;more=2"),
        "{tried}"
    );
    let broken = admin
        .post(path, &[("further", "[1]")])
        .await
        .expect(200)
        .text();
    assert!(broken.contains("must be one JSON object"), "{broken}");
    let missing = admin.post(path, &[]).await.expect(200).text();
    assert!(missing.contains("params_invalid"), "{missing}");

    let news = admin
        .news(&format!("{NOTES}/connections/mine/disconnect"), &[])
        .await;
    assert_eq!(news, "disconnected");
    let page = admin.page(NOTES).await;
    assert!(
        page.contains("The provider confirmed that the grant is revoked."),
        "{page}"
    );
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "disconnected"
    );
    let activity = admin.page("/console/activity").await;
    for text in [
        "Signed in",
        "Went to the provider to connect",
        "Tried an API",
        "Disconnected",
    ] {
        assert!(activity.contains(text), "{text}: {activity}");
    }
}

#[tokio::test]
async fn an_administrator_connects_for_the_organisation_without_being_one_of_its_people() {
    let stack = Stack::start().await;
    let mut admin = Admin::acting_for(&stack, "").await;
    assert_eq!(
        query(
            admin.connect(OURS).await.expect(303).header("location"),
            "outcome"
        )
        .unwrap(),
        "connected"
    );
    assert_eq!(
        stack.status(&stack.jwt("anybody"), OURS).await["status"],
        "connected"
    );
    let other = stack.jwt_of("x", "o2", None);
    assert_eq!(stack.status(&other, OURS).await["status"], "not_connected");
    // Users' own accounts wait until a user is named.
    let news = admin
        .news(&format!("{NOTES}/connections/mine/connect"), &[])
        .await;
    assert_eq!(news, "person_missing");
    admin.choose("o2", "x").await;
    let page = admin.page(NOTES).await;
    assert!(!page.contains("Reconnect"), "{page}");
}

#[tokio::test]
async fn a_flow_of_the_console_ends_only_in_the_session_that_began_it() {
    let stack = Stack::start().await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let mut other = Admin::signed_in(&stack).await;
    let authorize_url = admin.depart(MINE).await;
    let mut somebody = Browser::default();
    let callback = stack.consent(&mut somebody, &authorize_url, "allow").await;
    other
        .browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(400);
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "not_connected"
    );
    // The state is used up: the right browser comes too late.
    admin
        .browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(400);
    let authorize_url = admin.depart(MINE).await;
    let callback = stack.consent(&mut somebody, &authorize_url, "allow").await;
    admin.post("/console/sign-out", &[]).await.expect(303);
    admin
        .browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(400);
    assert_eq!(
        stack.status(&stack.jwt("ada"), MINE).await["status"],
        "not_connected"
    );
}

#[tokio::test]
async fn a_refusal_at_the_provider_is_told_in_words() {
    let stack = Stack::start().await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let authorize_url = admin.depart(MINE).await;
    let callback = stack
        .consent(&mut admin.browser, &authorize_url, "deny")
        .await;
    let back = admin
        .browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(303);
    assert_eq!(
        query(back.header("location"), "outcome").unwrap(),
        "access_denied"
    );
    let page = admin.page(&format!("{NOTES}?outcome=access_denied")).await;
    assert!(page.contains("You said no at the provider"), "{page}");
}

#[tokio::test]
async fn an_authentication_is_bound_to_a_passport_of_its_own_provider_only() {
    let stack = Stack::start_with(
        |bundle| {
            let authentications = bundle.schema["authentications"].as_array_mut().unwrap();
            authentications.push(
                json!({"label": "Mail", "authenticationType": "passport", "authKey": "mail",
                "metadata": {"passportProvider": "google"}}),
            );
        },
        |_| {},
    )
    .await;
    for (id, provider) in [("workspace", "google"), ("meetings", "zoom")] {
        let arguments = consulate::operator::arguments::PassportArguments {
            id: id.to_owned(),
            provider: provider.to_owned(),
            client_id: Some("client".to_owned()),
            ..Default::default()
        };
        let made = consulate::operator::add_passport(&stack.dev.target, &arguments)
            .await
            .unwrap();
        assert!(made.json["id"] == id, "{}", made.text);
    }
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let page = admin.page(NOTES).await;
    assert!(
        page.contains("<option value=\"workspace\">") && !page.contains("value=\"meetings\""),
        "{page}"
    );
    let bind = format!("{NOTES}/connections/mail/bind");
    assert_eq!(
        admin.news(&bind, &[("passport", "meetings")]).await,
        "bind_other_provider"
    );
    assert_eq!(
        admin.news(&bind, &[("passport", "notes.test-cloud")]).await,
        "bind_bundled"
    );
    assert_eq!(
        admin.news(&bind, &[("passport", "none")]).await,
        "bind_unknown"
    );
    let bundled = format!("{NOTES}/connections/mine/bind");
    assert_eq!(
        admin.news(&bundled, &[("passport", "workspace")]).await,
        "bind_bundled"
    );
    let status = stack.status(&stack.admin_jwt(), "mail").await;
    assert_eq!(status["passport"], json!(null));
    assert_eq!(
        admin.news(&bind, &[("passport", "workspace")]).await,
        "bound"
    );
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let status = stack.status(&stack.admin_jwt(), "mail").await;
    assert_eq!(status["passport"], "workspace");
}
