//! Look-ups in settings: an administrator's table decides, and nothing a user could have written.

use consulate::operator::report::Outcome;
use consulate_core::definition::OwnerMode;
use consulate_core::secret::SecretText;
use consulate_core::settings::{SettingKey, Settings, SettingsOwner};
use consulate_flows::own::done;
use consulate_flows::qrvey::{Board, WIDGET, sales};
use serde_json::{Value, json};

const FIELD: &str = "settings.organisation.owners";

/// Rows by a table that an administrator keeps.
fn template() -> Value {
    let mut template = sales();
    template["clientid"] = json!("{user.id}");
    template["permissions"][0]["record_permissions"][0]["values"] =
        json!(["{settings.organisation.owners[user.id]}"]);
    template
}

fn consulate(board: &Board, policy: &str) -> Value {
    let mut consulate = board.consulate(&json!({"sales": template()}));
    consulate["settings"] = json!({ "organisation": policy });
    consulate
}

async fn started(policy: &str) -> Board {
    let board = Board::with(json!({})).await;
    done(&board.import(&consulate(&board, policy), true).await);
    board
        .set_api_key("sales", consulate_flows::qrvey::API_KEY)
        .await;
    board
}

/// Puts a setting as the settings function does.
async fn put(board: &Board, jwt: &str, mode: OwnerMode, value: &Value) {
    let foundation = &board.dev.foundation;
    let caller = foundation
        .callers()
        .verify(WIDGET, Some(jwt))
        .await
        .unwrap();
    let settings = Settings::new(
        foundation.aws.dynamodb(),
        &foundation.config.table,
        foundation.secrets.clone(),
    );
    let owner = SettingsOwner::of(WIDGET, &caller.caller, mode);
    let key = SettingKey::parse("owners").unwrap();
    let value = SecretText::new(value.to_string());
    let now = board.dev.clock.now();
    settings
        .put(&owner, &key, &value, |_| true, now)
        .await
        .unwrap();
}

/// Lets the functions see what was imported a moment ago.
async fn seen() {
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
}

#[tokio::test]
async fn an_administrators_table_says_which_rows_each_sees() {
    let board = started("admins").await;
    let admin = board.jwt("admin");
    let refused = async |jwt: &str| {
        let answer = board.ask(jwt, "sales", &Value::Null).await;
        answer.expect_problem(403, "caller_forbidden", "field", FIELD);
    };
    refused(&board.jwt("ada")).await;
    let table = json!({"ada": ["ada@acme.example", "u7@acme.example"], "eve": [], "bob": "*"});
    put(&board, &admin, OwnerMode::Organisation, &table).await;
    let answer = board.minted("ada", "sales").await;
    assert_eq!(board.qrvey.rows(Board::token_of(&answer)).unwrap().len(), 3);
    for user in ["eve", "bob", "grace"] {
        refused(&board.jwt(user)).await;
    }
    // Another organisation has a table of its own.
    refused(&board.jwt_of("ada", "o2", Some("ada@acme.example"))).await;
    assert_eq!(board.calls(), 1);
    // What an administrator changes counts at once, whatever is held in memory.
    let table = json!({"ada": ["ada@acme.example"]});
    put(&board, &admin, OwnerMode::Organisation, &table).await;
    let answer = board.minted("ada", "sales").await;
    assert_eq!(board.qrvey.rows(Board::token_of(&answer)).unwrap().len(), 2);
    put(&board, &admin, OwnerMode::Organisation, &json!({})).await;
    refused(&board.jwt("ada")).await;
}

#[tokio::test]
async fn a_users_own_setting_is_never_looked_up() {
    let board = started("admins_only").await;
    let jwt = board.jwt("ada");
    put(
        &board,
        &jwt,
        OwnerMode::User,
        &json!({"ada": ["grace@acme.example"]}),
    )
    .await;
    let answer = board.ask(&jwt, "sales", &Value::Null).await;
    answer.expect_problem(403, "caller_forbidden", "field", FIELD);
    assert_eq!(board.calls(), 0);
}

#[tokio::test]
async fn a_template_does_not_look_up_what_users_can_write() {
    let board = Board::with(json!({})).await;
    for settings in [
        json!({"organisation": "members"}),
        json!({"user": true}),
        Value::Null,
    ] {
        let mut consulate = board.consulate(&json!({"sales": template()}));
        consulate["settings"] = settings;
        let report = board.import(&consulate, true).await;
        assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
        assert!(
            report.text.contains("qrvey_settings_by_users"),
            "{}",
            report.text
        );
    }
}

#[tokio::test]
async fn what_members_wrote_before_only_administrators_could_is_not_looked_up() {
    let board = Board::with(json!({})).await;
    let mut open = board.consulate(&json!({}));
    open["settings"] = json!({"organisation": "members"});
    done(&board.import(&open, true).await);
    seen().await;
    let table = json!({"ada": ["grace@acme.example"]});
    put(&board, &board.jwt("ada"), OwnerMode::Organisation, &table).await;
    // Closed in two steps, so that no one import sees both.
    open["settings"] = json!({});
    done(&board.import(&open, true).await);
    done(&board.import(&consulate(&board, "admins"), true).await);
    board
        .set_api_key("sales", consulate_flows::qrvey::API_KEY)
        .await;
    seen().await;
    let refused = async || {
        let answer = board.ask(&board.jwt("ada"), "sales", &Value::Null).await;
        answer.expect_problem(403, "caller_forbidden", "field", FIELD);
    };
    refused().await;
    board.wait(600);
    refused().await;
    // Kept through further imports.
    done(&board.import(&consulate(&board, "admins_only"), true).await);
    seen().await;
    refused().await;
    assert_eq!(board.calls(), 0);
    put(&board, &board.jwt("admin"), OwnerMode::Organisation, &table).await;
    board.minted("ada", "sales").await;
}
