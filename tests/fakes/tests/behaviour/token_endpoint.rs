//! The token and revocation endpoints' strictness, and what survives a restart.

use std::os::unix::fs::PermissionsExt as _;

use consulate_fakes::provider::{Rotation, Settings};
use http::Method;

use crate::client::{get, post_form, send};
use crate::grants::{REDIRECT, SECRET, Stage, VERIFIER, basic, error, tokens};

#[tokio::test]
async fn a_code_needs_its_verifier_redirect_address_client_and_time() {
    let stage = Stage::new().await;
    let good = [("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
    let other = "e".repeat(43);
    for change in [
        ("code_verifier", other.as_str()),
        ("code_verifier", ""),
        ("code_verifier", "short"),
        ("redirect_uri", "http://127.0.0.1:8700/v1/callback/acme"),
        ("redirect_uri", ""),
    ] {
        let code = stage.code("public").await;
        let mut fields = vec![("grant_type", "authorization_code"), ("code", &code)];
        fields.extend(
            good.iter()
                .map(|field| if field.0 == change.0 { &change } else { field }),
        );
        let answer = stage.token("public", &fields).await.unwrap();
        assert_eq!(
            error(&answer),
            (400, "invalid_grant".to_owned()),
            "{change:?}"
        );
        assert_eq!(
            error(&stage.exchange("public", &code).await).1,
            "invalid_grant",
            "the code is burnt"
        );
    }
    let code = stage.code("public").await;
    assert_eq!(
        error(&stage.exchange("basic", &code).await).1,
        "invalid_grant"
    );
    stage.advance(60);
    assert_eq!(
        error(&stage.exchange("public", &code).await).1,
        "invalid_grant"
    );
    assert_eq!(
        error(&stage.exchange("public", "acme-code-guess").await).1,
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_code_used_twice_ends_what_came_of_it() {
    let stage = Stage::new().await;
    let code = stage.code("basic").await;
    let (access_token, refresh_token) = tokens(&stage.exchange("basic", &code).await);
    assert!(stage.provider.is_family_alive(&refresh_token));
    assert_eq!(
        error(&stage.exchange("basic", &code).await).1,
        "invalid_grant"
    );
    assert!(!stage.provider.is_family_alive(&refresh_token));
    assert_eq!(stage.api("/api/me", &access_token).await.status, 401);
    let seen = stage.provider.seen();
    assert_eq!((seen.reuse_detected, seen.families_ended), (1, 1));
    stage.exchange("basic", &code).await;
    let seen = stage.provider.seen();
    assert_eq!((seen.reuse_detected, seen.families_ended), (2, 1));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_family() {
    let stage = Stage::new().await;
    let (_, first) = stage.connected("body").await;
    let (access_token, second) = tokens(&stage.refresh("body", &first).await);
    assert_ne!(first, second);
    assert_eq!(stage.provider.seen().refreshes, 1);
    assert_eq!(
        error(&stage.refresh("basic", &second).await).1,
        "invalid_grant",
        "another client's"
    );
    assert_eq!(
        error(&stage.refresh("body", &first).await).1,
        "invalid_grant"
    );
    error(&stage.refresh("body", &first).await);
    let seen = stage.provider.seen();
    assert_eq!((seen.reuse_detected, seen.families_ended), (2, 1));
    assert_eq!(
        error(&stage.refresh("body", &second).await).1,
        "invalid_grant",
        "the family has ended"
    );
    assert_eq!(stage.api("/api/me", &access_token).await.status, 401);
    assert_eq!(stage.provider.active_access_tokens(), 0);
}

#[tokio::test]
async fn a_reusable_refresh_token_stays_and_is_not_sent_again() {
    let stage = Stage::with(|settings| settings.rotation = Rotation::Reusable).await;
    let (_, refresh_token) = stage.connected("basic").await;
    for _ in 0..2 {
        let answer = stage.refresh("basic", &refresh_token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json().get("refresh_token")),
            (200, None)
        );
    }
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_and_not_widen_it() {
    let stage = Stage::new().await;
    let (_, refresh_token) = stage.connected("public").await;
    let wide = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh_token),
        ("scope", "files.read"),
    ];
    assert_eq!(
        error(&stage.token("public", &wide).await.unwrap()).1,
        "invalid_scope"
    );
    let narrow = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh_token),
        ("scope", "profile"),
    ];
    assert_eq!(
        stage.token("public", &narrow).await.unwrap().json()["scope"],
        "profile"
    );
}

#[tokio::test]
async fn a_client_authenticates_in_its_own_style_only() {
    let stage = Stage::new().await;
    let url = stage.url("/token");
    let in_body = |id: &'static str| [("client_id", id), ("client_secret", SECRET)];
    let grant = ("grant_type", "refresh_token");
    let basic_for = |id: &str| basic(id, SECRET);
    let raw_secret = {
        use base64::Engine as _;
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("basic:{SECRET}"))
        )
    };
    let with_header = async |header: &str, fields: &[(&str, &str)]| {
        error(
            &post_form(&url, &[("authorization", header)], fields)
                .await
                .unwrap(),
        )
    };
    let refused = (401, "invalid_client".to_owned());

    let [id, secret] = in_body("basic");
    assert_eq!(
        error(&post_form(&url, &[], &[grant, id, secret]).await.unwrap()),
        refused
    );
    assert_eq!(with_header(&basic_for("body"), &[grant]).await, refused);
    assert_eq!(with_header(&basic_for("public"), &[grant]).await, refused);
    assert_eq!(
        with_header(&basic("basic", "wrong"), &[grant]).await,
        refused
    );
    assert_eq!(
        with_header(&raw_secret, &[grant]).await,
        refused,
        "a secret that was not form-encoded"
    );
    assert_eq!(
        with_header(&basic_for("basic"), &[grant, ("client_id", "body")]).await,
        refused
    );
    assert_eq!(
        error(
            &post_form(&url, &[], &[grant, ("client_id", "body")])
                .await
                .unwrap()
        ),
        refused
    );
    assert_eq!(
        error(&post_form(&url, &[], &[grant]).await.unwrap()),
        refused
    );
    assert_eq!(
        with_header(&basic_for("basic"), &[grant, id, secret]).await,
        (400, "invalid_request".to_owned())
    );

    let challenged = post_form(
        &url,
        &[("authorization", &basic("basic", "wrong"))],
        &[grant],
    )
    .await
    .unwrap();
    assert!(challenged.header("www-authenticate").starts_with("Basic "));
}

#[tokio::test]
async fn a_token_request_is_a_form_and_nothing_else() {
    let stage = Stage::new().await;
    let json = [("content-type", "application/json")];
    let answer = send(Method::POST, &stage.url("/token"), &json, "{}")
        .await
        .unwrap();
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
    let fields = [("grant_type", "refresh_token"), ("client_id", "public")];
    let in_url = post_form(&stage.url("/token?client_id=public"), &[], &fields)
        .await
        .unwrap();
    assert_eq!(error(&in_url).1, "invalid_request");
    let twice = [
        ("grant_type", "refresh_token"),
        ("grant_type", "refresh_token"),
        ("client_id", "public"),
    ];
    assert_eq!(
        error(&post_form(&stage.url("/token"), &[], &twice).await.unwrap()).1,
        "invalid_request"
    );
    assert_eq!(
        error(&stage.token("public", &[]).await.unwrap()).1,
        "invalid_request"
    );
    let password = stage
        .token("public", &[("grant_type", "password")])
        .await
        .unwrap();
    assert_eq!(error(&password).1, "unsupported_grant_type");
    assert_eq!(get(&stage.url("/token"), &[]).await.status, 405);
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_family_and_an_access_token_itself() {
    let stage = Stage::new().await;
    let (access_token, refresh_token) = stage.connected("basic").await;
    let revoke = async |client: &'static str, token: &str| {
        stage
            .post("/revoke", client, &[("token", token)])
            .await
            .unwrap()
    };
    assert_eq!(
        error(&revoke("body", &refresh_token).await).1,
        "unauthorized_client"
    );
    assert_eq!(revoke("basic", &access_token).await.status, 200);
    assert_eq!(stage.api("/api/me", &access_token).await.status, 401);
    assert!(stage.provider.is_family_alive(&refresh_token));
    assert_eq!(revoke("basic", &refresh_token).await.status, 200);
    assert!(!stage.provider.is_family_alive(&refresh_token));
    assert_eq!(
        revoke("basic", &refresh_token).await.status,
        200,
        "again is no error"
    );
    assert_eq!(revoke("basic", "unknown").await.status, 200);
    assert_eq!(
        error(&stage.refresh("basic", &refresh_token).await).1,
        "invalid_grant"
    );
    let unauthenticated = post_form(&stage.url("/revoke"), &[], &[("token", "x")])
        .await
        .unwrap();
    assert_eq!(error(&unauthenticated), (401, "invalid_client".to_owned()));
    assert_eq!(
        (
            stage.provider.seen().revoked,
            stage.provider.seen().revoke_calls
        ),
        (2, 6)
    );
}

#[tokio::test]
async fn grants_survive_a_restart_and_the_file_gives_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("provider.json");
    let keep = |settings: &mut Settings| settings.state_file = Some(file.clone());
    let stage = Stage::with(keep).await;
    let (access_token, refresh_token) = stage.connected("basic").await;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let content = std::fs::read_to_string(&file).unwrap();
    for secret in stage.provider.issued_secrets() {
        assert!(!content.contains(&secret));
    }
    drop(stage);
    let stage = Stage::with(keep).await;
    assert_eq!(stage.api("/api/me", &access_token).await.status, 200);
    let (_, next) = tokens(&stage.refresh("basic", &refresh_token).await);
    assert_eq!(
        error(&stage.refresh("basic", &refresh_token).await).1,
        "invalid_grant",
        "reuse is still noticed"
    );
    assert!(!stage.provider.is_family_alive(&next));
}
