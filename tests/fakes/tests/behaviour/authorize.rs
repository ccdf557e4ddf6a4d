//! The authorization endpoint, the consent page, and where the provider says its endpoints are.

use consulate_fakes::provider::{Provider, Settings, consent_id};

use crate::client::{get, post_form};
use crate::grants::{REDIRECT, SECRET, Stage, basic, query, tokens};

#[tokio::test]
async fn a_person_consents_and_the_code_becomes_tokens() {
    let stage = Stage::new().await;
    for client in ["basic", "body", "public"] {
        let page = stage.authorize(client, &[]).await;
        assert_eq!(page.status, 200);
        let redirect = stage.decide(&page, "allow").await;
        assert!(
            redirect.header("location").starts_with(REDIRECT),
            "the registered query is kept"
        );
        assert_eq!(query(&redirect, "state").as_deref(), Some("state-1"));
        assert_eq!(
            query(&redirect, "iss").as_deref(),
            Some(stage.served.url().as_str())
        );
        let answer = stage
            .exchange(client, &query(&redirect, "code").unwrap())
            .await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["token_type"], "bearer");
        assert_eq!(answer.json()["expires_in"], 60);
        assert_eq!(answer.json()["scope"], "profile events.read");
        let (access_token, _) = tokens(&answer);
        assert_eq!(
            stage.api("/api/me", &access_token).await.json()["name"],
            "Grace Hopper"
        );
    }
    let seen = stage.provider.seen();
    assert_eq!((seen.authorize, seen.allowed, seen.exchanges), (3, 3, 3));
    let request = &stage.provider.token_requests()[0];
    assert!(request.fields.contains(&"code_verifier".to_owned()));
    assert_eq!(request.redirect_uri.as_deref(), Some(REDIRECT));
    let shown = format!("{:?}", stage.provider.token_requests());
    assert!(
        stage
            .provider
            .issued_secrets()
            .iter()
            .all(|secret| !shown.contains(secret))
    );
    assert!(!shown.contains(&basic("basic", SECRET)));
}

#[tokio::test]
async fn a_person_who_denies_sends_back_an_error() {
    let stage = Stage::with(|settings| settings.sends_iss = false).await;
    let page = stage.authorize("public", &[]).await;
    let redirect = stage.decide(&page, "deny").await;
    assert_eq!(query(&redirect, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&redirect, "state").as_deref(), Some("state-1"));
    assert_eq!(
        (query(&redirect, "code"), query(&redirect, "iss")),
        (None, None)
    );
}

#[tokio::test]
async fn a_wrong_client_or_redirect_address_never_redirects() {
    let stage = Stage::new().await;
    let longer = format!("{REDIRECT}&more=1");
    for changes in [
        ("client_id", "nobody"),
        ("client_id", ""),
        ("redirect_uri", "http://127.0.0.1:8700/v1/callback/acme"),
        ("redirect_uri", &longer),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", ""),
    ] {
        let answer = stage.authorize("public", &[changes]).await;
        assert_eq!(answer.status, 400, "{changes:?}");
        assert_eq!(answer.header("location"), "");
    }
    let twice = format!("/authorize?client_id=public&client_id=basic&redirect_uri={REDIRECT}");
    assert_eq!(get(&stage.url(&twice), &[]).await.status, 400);
}

#[tokio::test]
async fn other_faults_of_the_request_go_back_to_the_client() {
    let stage = Stage::new().await;
    for (changes, expected) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("state", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("scope", "profile admin"), "invalid_scope"),
    ] {
        let answer = stage.authorize("public", &[changes]).await;
        assert_eq!(
            query(&answer, "error").as_deref(),
            Some(expected),
            "{changes:?}"
        );
    }
}

#[tokio::test]
async fn the_consent_page_is_locked_down_and_escapes_what_it_shows() {
    let hostile = "<script>alert(1)</script>\"'&";
    let stage = Stage::with(|settings| {
        settings.coop = true;
        settings.scopes.push("<b>scope</b>".to_owned());
        let mut client = settings.clients[2].clone();
        client.id = hostile.to_owned();
        settings.clients.push(client);
    })
    .await;
    let page = stage.authorize(hostile, &[("scope", "<b>scope</b>")]).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("<script") && !page.text().contains("<b>"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self'")
    );
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(
        get(&stage.url("/style.css"), &[])
            .await
            .header("content-type"),
        "text/css; charset=utf-8"
    );
}

#[tokio::test]
async fn a_consent_page_is_answered_once() {
    let stage = Stage::new().await;
    let page = stage.authorize("public", &[]).await;
    assert_eq!(stage.decide(&page, "allow").await.status, 303);
    assert_eq!(stage.decide(&page, "allow").await.status, 400);
    let late = stage.authorize("public", &[]).await;
    stage.advance(601);
    assert_eq!(stage.decide(&late, "allow").await.status, 400);
    let forged = [
        ("consent", "guess"),
        ("account", "acme-1815"),
        ("decision", "allow"),
    ];
    assert_eq!(
        post_form(&stage.url("/consent"), &[], &forged)
            .await
            .unwrap()
            .status,
        400
    );
    assert!(consent_id(page.text()).unwrap().len() >= 43);
}

#[tokio::test]
async fn the_metadata_names_its_endpoints() {
    let stage = Stage::new().await;
    let metadata = get(&stage.url("/.well-known/oauth-authorization-server"), &[])
        .await
        .json();
    assert_eq!(metadata["issuer"], stage.served.url());
    assert_eq!(metadata["token_endpoint"], stage.url("/token"));
    assert_eq!(metadata["code_challenge_methods_supported"][0], "S256");
}

#[tokio::test]
async fn the_router_works_below_a_prefix() {
    let mut settings = Settings::new("http://127.0.0.1:1/demo/provider");
    settings.clients.clear();
    let provider = Provider::new(settings).unwrap();
    let granted = provider.grant("nobody", "acme-1815", "profile").unwrap();
    let router = axum::Router::new().nest("/demo/provider", provider.router());
    let served = consulate_fakes::serve::serve(router, 0).await.unwrap();
    let bearer = format!("Bearer {}", granted.access_token);
    let echoed = get(
        &format!("{}/demo/provider/api/v1/echo/a%2Fb?x=%20", served.url()),
        &[("authorization", &bearer)],
    )
    .await;
    assert_eq!(echoed.json()["path"], "/api/v1/echo/a%2Fb");
    assert_eq!(echoed.json()["query"], "x=%20");
}
