//! Box: quick codes, single-use refresh tokens, no `scope`, revocation by either token, server apps.

use consulate_fakes::simulators::ServiceAccount;

use super::{DAY, SECRET, Stage, Ways, refusal, text};
use crate::client::{Answer, post_form};
use crate::grants::{basic, query};

pub const WAYS: Ways = Ways {
    family: "box",
    authorize: "account.box.com/api/oauth2/authorize",
    token: "api.box.com/oauth2/token",
    scope: "root_readonly",
    extra: &[],
    pkce: true,
    basic: false,
    on_refresh: &[],
};

const ME: &str = "api.box.com/2.0/users/me";

async fn revoke(stage: &Stage, client: &str, secret: &str, token: &str) -> Answer {
    let fields = [
        ("client_id", client),
        ("client_secret", secret),
        ("token", token),
    ];
    post_form(&stage.url("api.box.com/oauth2/revoke"), &[], &fields)
        .await
        .unwrap()
}

#[tokio::test]
async fn connect_call_expire_refresh_call_disconnect() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    assert_eq!(
        (text(&reply, "token_type"), &reply["expires_in"]),
        ("bearer", &3_600.into())
    );
    assert_eq!(reply.get("scope"), None);
    let me = stage.api(ME, text(&reply, "access_token")).await.json();
    assert_eq!(
        (text(&me, "id"), text(&me, "login"), text(&me, "name")),
        ("acme-1815", "ada@acme.example", "Ada Lovelace")
    );
    stage.advance(3_600);
    let late = stage.api(ME, text(&reply, "access_token")).await;
    assert_eq!((late.status.as_u16(), late.text()), (401, ""));
    assert!(late.header("www-authenticate").contains("invalid_token"));
    let next = stage
        .refresh("app", text(&reply, "refresh_token"))
        .await
        .json();
    let items = stage
        .api(
            "api.box.com/2.0/folders/0/items?limit=5",
            text(&next, "access_token"),
        )
        .await
        .json();
    assert!(
        items["entries"][0]["name"]
            .as_str()
            .unwrap()
            .contains("Ada Lovelace")
    );
    assert_eq!(items["query"][0], serde_json::json!(["limit", "5"]));
    assert_eq!(
        revoke(&stage, "app", SECRET, text(&next, "access_token"))
            .await
            .status,
        200
    );
    assert_eq!(stage.family.live_grants(), 0, "either token ends the pair");
    assert_eq!(
        stage
            .refresh("app", text(&next, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_code_lives_thirty_seconds() {
    let stage = Stage::new(WAYS).await;
    let code = stage.code("app", &[]).await;
    stage.advance(29);
    assert_eq!(stage.exchange("app", &code).await.status, 200);
    let code = stage.code("app", &[]).await;
    stage.advance(30);
    assert_eq!(
        refusal(&stage.exchange("app", &code).await),
        (400, "invalid_grant".to_owned())
    );
}

#[tokio::test]
async fn a_refresh_token_is_used_once_within_sixty_days() {
    let stage = Stage::new(WAYS).await;
    let first = stage.connected().await;
    stage.advance(59 * DAY);
    let second = stage
        .refresh("app", text(&first, "refresh_token"))
        .await
        .json();
    stage.advance(59 * DAY);
    let third = stage
        .refresh("app", text(&second, "refresh_token"))
        .await
        .json();
    assert_eq!(
        refusal(&stage.refresh("app", text(&first, "refresh_token")).await).1,
        "invalid_grant"
    );
    assert_eq!(
        stage
            .refresh("app", text(&third, "refresh_token"))
            .await
            .status,
        400,
        "the reuse ended the grant"
    );
    let reply = stage.connected().await;
    stage.advance(60 * DAY);
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn credentials_belong_in_the_form() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let header = basic("app", SECRET);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&reply, "refresh_token")),
    ];
    let by_header = post_form(
        &stage.url(WAYS.token),
        &[("authorization", &header)],
        &fields,
    )
    .await
    .unwrap();
    assert_eq!(refusal(&by_header), (400, "invalid_client".to_owned()));
    let blank: Vec<_> = fields
        .into_iter()
        .chain([("client_id", "app"), ("client_secret", "")])
        .collect();
    assert_eq!(
        post_form(&stage.url(WAYS.token), &[], &blank)
            .await
            .unwrap()
            .status,
        400
    );
    let token = text(&reply, "access_token");
    assert_eq!(
        refusal(&revoke(&stage, "app", "guess", token).await).1,
        "invalid_client"
    );
    assert_eq!(
        refusal(&revoke(&stage, "other", SECRET, token).await).1,
        "invalid_token"
    );
    assert_eq!(
        stage
            .refresh("app", text(&reply, "refresh_token"))
            .await
            .status,
        200,
        "nothing was spent"
    );
}

#[tokio::test]
async fn scopes_are_those_of_the_app_unless_named() {
    let stage = Stage::new(WAYS).await;
    assert_eq!(stage.authorize("app", &[("scope", "")]).await.status, 200);
    let unknown = stage
        .authorize("app", &[("scope", "root_readonly everything")])
        .await;
    assert_eq!(query(&unknown, "error").as_deref(), Some("invalid_scope"));
    let code = stage
        .code(
            "app",
            &[("code_challenge", ""), ("code_challenge_method", "")],
        )
        .await;
    let answer = stage
        .exchange_with("app", &code, &[("code_verifier", "")])
        .await;
    assert_eq!(answer.status, 200, "PKCE is for those who send it");
    let code = stage.code("app", &[]).await;
    let answer = stage
        .exchange_with("app", &code, &[("code_verifier", "")])
        .await;
    assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_server_app_has_no_refresh_token_and_4100_seconds() {
    let stage = Stage::new(WAYS).await;
    let service = ServiceAccount {
        id: "server".to_owned(),
        secret: SECRET.to_owned(),
        tenant: "enterprise-7".to_owned(),
    };
    stage.simulators.register_service("box", service);
    let fields = [
        ("grant_type", "client_credentials"),
        ("box_subject_type", "enterprise"),
        ("box_subject_id", "enterprise-7"),
    ];
    let reply = stage.token("server", &fields).await.json();
    assert_eq!(
        (&reply["expires_in"], reply.get("refresh_token")),
        (&4_100.into(), None)
    );
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        200
    );
    stage.advance(4_100);
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        401
    );
    assert_eq!(stage.token("app", &fields).await.status, 400);
    let wrong = [fields[0], fields[1], ("box_subject_id", "enterprise-8")];
    assert_eq!(stage.token("server", &wrong).await.status, 400);
}

#[tokio::test]
async fn unknown_paths_and_throttling_are_told_in_boxes_words() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let token = text(&reply, "access_token");
    let unknown = stage.api("api.box.com/2.0/nothing", token).await;
    assert_eq!(
        (unknown.status.as_u16(), text(&unknown.json(), "code")),
        (404, "not_found")
    );
    stage.family.throttle_for(9);
    let throttled = stage.api(ME, token).await;
    assert_eq!(
        (throttled.status.as_u16(), throttled.header("retry-after")),
        (429, "9")
    );
    assert_eq!(text(&throttled.json(), "code"), "rate_limit_exceeded");
}
