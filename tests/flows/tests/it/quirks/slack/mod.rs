//! Slack: one consent, two tokens with lives of their own; refusals with status 200; tokens that never end.

mod ending;
mod expiry;
mod one_grant;
mod slots;

use consulate_flows::bundle::RETURN_TO;
use consulate_flows::stage::Stage;
use serde_json::{Value, json};

use super::declare;

/// What the passport asks the person's own token for.
const USER_SCOPE: &str = "users.profile:read";

/// Slack with a user scope besides the bot's, and APIs for either token. The app's ending chooses how Slack treats it.
pub(super) async fn two_tokens(ending: &str) -> Stage {
    let stage = with_apis().await;
    ask_for_two_tokens(&stage, ending).await;
    stage
}

/// Has the passport ask for the user scope.
async fn ask_for_two_tokens(stage: &Stage, ending: &str) {
    let app = format!("simulated-slack{ending}");
    let user_scope = ("user".to_owned(), USER_SCOPE.to_owned());
    stage
        .reregister(&app, |passport| passport.slot_scopes = vec![user_scope])
        .await;
}

async fn with_apis() -> Stage {
    Stage::set_with("slack", "slack", |schema, consulate| {
        declare(schema, "asUser", "GET", "https://slack.com/api/auth.test");
        declare(
            schema,
            "ofTeam",
            "GET",
            "https://slack.com/api/{connection.theirs.team_id}",
        );
        for name in ["post", "postAgain"] {
            declare(
                schema,
                name,
                "POST",
                "https://slack.com/api/chat.postMessage",
            );
            let apis = schema["authenticatedApis"].as_array_mut().unwrap();
            let text = json!({"channel": "C0GENERAL", "text": "Good morning"});
            apis.last_mut().unwrap()["body"] = text;
        }
        consulate["apis"] =
            json!({"asUser": {"token_slot": "user"}, "postAgain": {"idempotent": true}});
        consulate["return_urls"] = json!([RETURN_TO]);
    })
    .await
}

/// Whom an answer of `auth.test` names.
pub(super) fn named(envelope: &Value) -> &str {
    assert_eq!(envelope["body"]["ok"], true, "{envelope}");
    envelope["body"]["user"].as_str().unwrap()
}

/// What the bot and Ada are called.
pub(super) const BOT: &str = "acme_bot";
pub(super) const ADA: &str = "ada.lovelace";
