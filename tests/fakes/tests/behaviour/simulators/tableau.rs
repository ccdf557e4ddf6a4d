//! Tableau: no OAuth, a sign-in with a personal access token, one session per token.

use consulate_fakes::simulators::{Outcome, ServiceAccount};
use http::Method;
use serde_json::{Value, json};

use super::{DAY, Stage, Ways, text};
use crate::client::{Answer, get, send};

/// There is nothing to authorize at: only the family and the sign-in's address matter.
pub const WAYS: Ways = Ways {
    family: "tableau",
    authorize: "",
    token: "prod-uk-a.online.tableau.com/api/3.26/auth/signin",
    scope: "",
    extra: &[],
    pkce: false,
    basic: false,
    on_refresh: &[],
};

const API: &str = "prod-uk-a.online.tableau.com/api/3.26";
const JSON: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("accept", "application/json"),
];

async fn stage() -> Stage {
    let stage = Stage::new(WAYS).await;
    stage
        .simulators
        .register_pat("consulate", "pat-secret", "acmesite");
    stage
}

async fn post(stage: &Stage, real: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    send(Method::POST, &stage.url(real), headers, &body.to_string())
        .await
        .unwrap()
}

async fn sign_in(stage: &Stage, name: &str, secret: &str, site: &str) -> Answer {
    let body = json!({
        "credentials": {
            "personalAccessTokenName": name,
            "personalAccessTokenSecret": secret,
            "site": { "contentUrl": site },
        },
    });
    post(stage, WAYS.token, &JSON, &body).await
}

/// The credentials of a good sign-in.
async fn signed_in(stage: &Stage) -> Value {
    let answer = sign_in(stage, "consulate", "pat-secret", "acmesite").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["credentials"].clone()
}

async fn read(stage: &Stage, real: &str, token: &str) -> Answer {
    let headers = [("x-tableau-auth", token), ("accept", "application/json")];
    get(&stage.url(real), &headers).await
}

/// Status and code of an error.
fn error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert!(
        !text(&body["error"], "summary").is_empty() && !text(&body["error"], "detail").is_empty()
    );
    (
        answer.status.as_u16(),
        text(&body["error"], "code").to_owned(),
    )
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The address of the signed-in person.
fn me(credentials: &Value) -> String {
    let own = |part: &str| text(&credentials[part], "id").to_owned();
    format!("{API}/sites/{}/users/{}", own("site"), own("user"))
}

#[tokio::test]
async fn sign_in_call_expire_sign_in_call_sign_out() {
    let stage = stage().await;
    let session = signed_in(&stage).await;
    assert_eq!(text(&session, "estimatedTimeToExpiration"), "04:00:00");
    assert_eq!(text(&session["site"], "contentUrl"), "acmesite");
    let own = me(&session);
    let user = read(&stage, &own, text(&session, "token")).await.json();
    let user = &user["user"];
    assert_eq!(
        (
            text(user, "id"),
            text(user, "email"),
            text(user, "fullName"),
            text(user, "name")
        ),
        (
            "acme-1815",
            "ada@acme.example",
            "Ada Lovelace",
            "ada@acme.example"
        )
    );
    stage.advance(4 * 3_600);
    let late = read(&stage, &own, text(&session, "token")).await;
    assert_eq!(error(&late), is(401, "401002"));
    let session = signed_in(&stage).await;
    let token = text(&session, "token");
    let site = format!("{API}/sites/{}", text(&session["site"], "id"));
    let workbooks = read(&stage, &format!("{site}/workbooks?pageSize=1"), token)
        .await
        .json();
    assert!(text(&workbooks["workbooks"]["workbook"][0], "name").contains("Ada Lovelace"));
    let views = read(&stage, &format!("{site}/views"), token).await.json();
    assert_eq!(text(&views["views"]["view"][0], "name"), "Overview");

    assert_eq!(stage.family.live_grants(), 1);
    let out = format!("{API}/auth/signout");
    let headers = [("x-tableau-auth", token), ("accept", "application/json")];
    assert_eq!(post(&stage, &out, &headers, &json!(null)).await.status, 204);
    assert_eq!(stage.family.live_grants(), 0);
    assert_eq!(error(&read(&stage, &own, token).await), is(401, "401002"));
    assert_eq!(
        error(&post(&stage, &out, &headers, &json!(null)).await),
        is(401, "401002")
    );
    let seen = stage.family.seen();
    assert_eq!((seen.exchanges, seen.revoke_calls, seen.revoked), (2, 2, 1));
}

#[tokio::test]
async fn a_second_sign_in_ends_the_first_session() {
    let stage = stage().await;
    stage.simulators.register_service(
        "tableau",
        ServiceAccount {
            id: "other".to_owned(),
            secret: "other-secret".to_owned(),
            tenant: "acmesite".to_owned(),
        },
    );
    let elsewhere = sign_in(&stage, "other", "other-secret", "acmesite")
        .await
        .json();
    let first = signed_in(&stage).await;
    let second = signed_in(&stage).await;
    assert_ne!(first["token"], second["token"]);
    let own = me(&first);
    assert_eq!(
        error(&read(&stage, &own, text(&first, "token")).await),
        is(401, "401002")
    );
    assert_eq!(read(&stage, &own, text(&second, "token")).await.status, 200);
    let other = text(&elsewhere["credentials"], "token");
    assert_eq!(
        read(&stage, &own, other).await.status,
        200,
        "another token, another session"
    );
    assert_eq!(stage.family.live_grants(), 2);
}

#[tokio::test]
async fn without_asking_for_json_one_gets_xml() {
    let stage = stage().await;
    let body = |secret: &str| {
        json!({
            "credentials": {
                "personalAccessTokenName": "consulate",
                "personalAccessTokenSecret": secret,
                "site": { "contentUrl": "acmesite" },
            },
        })
    };
    for accept in ["", "*/*", "application/xml"] {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        let good = post(&stage, WAYS.token, &headers, &body("pat-secret")).await;
        assert_eq!(good.status, 200);
        assert!(good.header("content-type").starts_with("application/xml"));
        assert!(
            good.text().contains("<credentials token=\""),
            "{}",
            good.text()
        );
        assert!(
            good.text().contains("contentUrl=\"acmesite\""),
            "{}",
            good.text()
        );
        let bad = post(&stage, WAYS.token, &headers, &body("guess")).await;
        assert_eq!(bad.status, 401);
        let error = "<error code=\"401001\"><summary>Signin Error</summary><detail>";
        assert!(bad.text().contains(error), "{}", bad.text());
    }
}

#[tokio::test]
async fn a_bad_sign_in_is_401001_and_a_malformed_one_is_400() {
    let stage = stage().await;
    for (name, secret, site) in [
        ("consulate", "guess", "acmesite"),
        ("consulate", "", "acmesite"),
        ("nobody", "pat-secret", "acmesite"),
        ("consulate", "pat-secret", "othersite"),
        ("consulate", "pat-secret", ""),
    ] {
        let answer = sign_in(&stage, name, secret, site).await;
        assert_eq!(error(&answer), is(401, "401001"), "{name} {secret} {site}");
    }
    let partial = json!({ "credentials": { "personalAccessTokenName": "consulate" } });
    assert_eq!(
        error(&post(&stage, WAYS.token, &JSON, &partial).await),
        is(400, "400000")
    );
    let answer = get(&stage.url(WAYS.token), &JSON).await;
    assert_eq!(error(&answer), is(405, "405000"));
    let requests = stage.family.token_requests();
    assert_eq!(requests[0].client_id.as_deref(), Some("consulate"));
    let refused = &requests[0].outcome;
    assert!(
        matches!(refused, Outcome::Refused(code) if code.contains("401001")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_token_unused_for_15_days_is_gone_for_good() {
    let stage = stage().await;
    stage.advance(15 * DAY);
    signed_in(&stage).await;
    stage.advance(15 * DAY);
    signed_in(&stage).await;
    stage.advance(15 * DAY + 1);
    for _ in 0..2 {
        let answer = sign_in(&stage, "consulate", "pat-secret", "acmesite").await;
        assert_eq!(error(&answer), is(401, "401001"));
    }
    // One that is made anew under the same name is another token.
    stage
        .simulators
        .register_pat("consulate", "new-secret", "acmesite");
    assert_eq!(
        sign_in(&stage, "consulate", "new-secret", "acmesite")
            .await
            .status,
        200
    );
    stage
        .simulators
        .register_pat("unused", "unused-secret", "acmesite");
    stage.advance(15 * DAY + 1);
    let answer = sign_in(&stage, "unused", "unused-secret", "acmesite").await;
    assert_eq!(
        error(&answer),
        is(401, "401001"),
        "never used counts from its making"
    );
}

#[tokio::test]
async fn only_x_tableau_auth_is_a_credential_and_only_on_the_pod_that_gave_it() {
    let stage = stage().await;
    let session = signed_in(&stage).await;
    let (own, token) = (me(&session), text(&session, "token"));
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/json"),
    ];
    let answer = get(&stage.url(&own), &headers).await;
    assert_eq!(error(&answer), is(401, "401000"));
    assert_eq!(error(&read(&stage, &own, "guess").await), is(401, "401002"));
    let elsewhere = own.replace("prod-uk-a", "10ax");
    assert_eq!(
        error(&read(&stage, &elsewhere, token).await),
        is(401, "401002")
    );
    let site = text(&session["site"], "id");
    for (real, code) in [
        (format!("{API}/sites/other/users/acme-1815"), "404000"),
        (format!("{API}/sites/{site}/users/acme-1906"), "404002"),
        (format!("{API}/sites/{site}/elsewhere"), "404000"),
        (format!("{API}/elsewhere"), "404000"),
        (
            "prod-uk-a.online.tableau.com/api/x/auth/signin".to_owned(),
            "404000",
        ),
    ] {
        assert_eq!(
            error(&read(&stage, &real, token).await),
            is(404, code),
            "{real}"
        );
    }
    let newer = own.replace("3.26", "3.27");
    assert_eq!(read(&stage, &newer, token).await.status, 200);
}

#[tokio::test]
async fn a_session_lasts_as_long_as_the_server_says_and_a_limit_is_429() {
    let stage = stage().await;
    stage.family.set_lives(7_200, 0);
    let session = signed_in(&stage).await;
    assert_eq!(text(&session, "estimatedTimeToExpiration"), "02:00:00");
    let (own, token) = (me(&session), text(&session, "token"));
    stage.family.throttle_for(5);
    let limited = read(&stage, &own, token).await;
    assert_eq!(error(&limited), is(429, "429000"));
    assert_eq!(limited.header("retry-after"), "5");
    stage.advance(7_199);
    assert_eq!(read(&stage, &own, token).await.status, 200);
    stage.advance(1);
    assert_eq!(error(&read(&stage, &own, token).await), is(401, "401002"));
    let secrets = stage.family.issued_secrets();
    assert!(secrets.iter().any(|secret| secret == token));
}

#[tokio::test]
async fn a_personal_access_token_ends_at_the_sites_greatest_age_however_often_used() {
    let stage = stage().await;
    stage.family.set_greatest_token_age(30 * DAY);
    for _ in 0..2 {
        stage.advance(14 * DAY);
        signed_in(&stage).await;
    }
    stage.advance(2 * DAY - 1);
    signed_in(&stage).await;
    stage.advance(1);
    let old = sign_in(&stage, "consulate", "pat-secret", "acmesite").await;
    assert_eq!(error(&old), is(401, "401001"));
    stage
        .simulators
        .register_pat("consulate", "pat-secret-2", "acmesite");
    let made_anew = sign_in(&stage, "consulate", "pat-secret-2", "acmesite").await;
    assert_eq!(made_anew.status, 200);
}
