//! The bot belongs to the app in the workspace, not to whoever consented.

use serde_json::json;

use super::{TEST, WAYS, connect, refused, register, revoke};
use crate::grants::query;
use crate::simulators::{Stage, text};

/// Grace's consent to `app`: the token reply.
async fn graces(stage: &Stage, app: &str) -> serde_json::Value {
    let page = stage.authorize(app, &[]).await;
    let fields = [("account", "acme-1906"), ("decision", "allow")];
    let code = query(&stage.decide(&page, &fields).await, "code").unwrap();
    stage.exchange(app, &code).await.json()
}

#[tokio::test]
async fn without_rotation_every_consent_answers_the_same_bot_token() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-static");
    register(&stage, "else-static");
    let adas = connect(&stage, "app-static", &[]).await;
    let graces = graces(&stage, "app-static").await;
    assert_eq!(adas["access_token"], graces["access_token"]);
    let own = |reply: &serde_json::Value| reply["authed_user"]["access_token"].clone();
    assert_ne!(own(&adas), own(&graces));
    let other = connect(&stage, "else-static", &[]).await;
    assert_ne!(adas["access_token"], other["access_token"]);
    // Scopes add up.
    let more = connect(&stage, "app-static", &[("scope", "users:read")]).await;
    assert_eq!(
        (text(&more, "access_token"), text(&more, "scope")),
        (
            text(&adas, "access_token"),
            "chat:write,channels:read,users:read"
        )
    );
    // With rotation each consent has tokens of its own.
    let first = connect(&stage, "app", &[]).await;
    let second = connect(&stage, "app", &[]).await;
    assert_ne!(first["access_token"], second["access_token"]);
}

#[tokio::test]
async fn revoking_the_bots_token_ends_the_bot_for_everybody_who_consented() {
    for app in ["app", "app-static"] {
        let stage = Stage::new(WAYS).await;
        register(&stage, "app-static");
        let adas = connect(&stage, app, &[]).await;
        let graces = graces(&stage, app).await;
        let other = connect(&stage, "other", &[]).await;
        let answer = revoke(&stage, text(&adas, "access_token")).await;
        assert_eq!(answer.json()["revoked"], true);
        for reply in [&adas, &graces] {
            let token = text(reply, "access_token");
            assert_eq!(
                refused(&stage.api(TEST, token).await),
                "token_revoked",
                "{app}"
            );
            let own = text(&reply["authed_user"], "access_token");
            assert_eq!(stage.api(TEST, own).await.json()["ok"], true, "{app}");
        }
        let elsewhere = stage.api(TEST, text(&other, "access_token")).await;
        assert_eq!(elsewhere.json()["ok"], true);
        if app == "app" {
            let refresh_token = text(&graces, "refresh_token");
            assert_eq!(
                refused(&stage.refresh("app", refresh_token).await),
                "invalid_refresh_token"
            );
        }
        // The next consent puts the bot back.
        let again = connect(&stage, app, &[]).await;
        assert_ne!(again["access_token"], adas["access_token"]);
        let back = stage.api(TEST, text(&again, "access_token")).await.json();
        assert_eq!(back["ok"], json!(true));
    }
}

#[tokio::test]
async fn revoking_a_persons_token_leaves_the_bot_and_everybody_else() {
    let stage = Stage::new(WAYS).await;
    register(&stage, "app-static");
    let adas = connect(&stage, "app-static", &[]).await;
    let graces = graces(&stage, "app-static").await;
    revoke(&stage, text(&adas["authed_user"], "access_token")).await;
    for token in [
        &graces["access_token"],
        &graces["authed_user"]["access_token"],
    ] {
        let answer = stage.api(TEST, token.as_str().unwrap()).await;
        assert_eq!(answer.json()["ok"], true);
    }
}
