//! The JWT itself: its signature, its algorithm, its claims.

use consulate_flows::bundle::MINE;
use consulate_flows::jose::Jose;
use consulate_flows::stack::{HOST_SECRET, Stack, sign, sign_with_header};
use serde_json::{Value, json};

use super::{accepted, both, but, claims, refused_naming};

#[tokio::test]
async fn a_jwt_of_another_library_is_accepted_with_and_without_an_email() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let jwt = jose
        .sign("HS256", HOST_SECRET, &claims(&stack.dev.clock))
        .await;
    stack.connect(&jwt, MINE).await;
    let answer = stack.api(&jwt, "whoAmI", json!({})).await.expect(200);
    assert_eq!(answer.json()["body"]["id"], "acme-1815");
    for email in [json!(null), json!(""), json!(7), json!(["a@b.example"])] {
        let claims = but(&stack, "/user/primaryEmail", email.clone());
        let jwt = jose.sign("HS256", HOST_SECRET, &claims).await;
        assert_eq!(
            stack.status(&jwt, MINE).await["status"],
            "connected",
            "{email}"
        );
    }
}

#[tokio::test]
async fn a_jwt_that_is_not_signed_with_the_widgets_secret_in_hs256_is_refused() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let good = claims(&stack.dev.clock);
    let jwt = jose.sign("HS256", HOST_SECRET, &good).await;
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let (_, payload) = message.split_once('.').unwrap();
    let headed = |header: Value| sign_with_header(&header, &good, HOST_SECRET);
    let not_understood = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let public_key = jose.public_key("RS256").await;
    let forgeries = [
        ("malformed", "nonsense".to_owned()),
        ("two parts", message.to_owned()),
        ("no signature", format!("{message}.")),
        ("four parts", format!("{jwt}.{signature}")),
        ("a cut signature", jwt[..jwt.len() - 2].to_owned()),
        (
            "another payload",
            jwt.replace(payload, &payload.replace('0', "1")),
        ),
        ("alg none", jose.sign("none", "", &good).await),
        (
            "alg none over an HS256 signature",
            headed(json!({"alg": "none"})),
        ),
        ("alg hs256", headed(json!({"alg": "hs256"}))),
        (
            "alg RS256 over an HS256 signature",
            headed(json!({"alg": "RS256"})),
        ),
        ("no alg", headed(json!({"typ": "JWT"}))),
        ("a critical header parameter", headed(not_understood)),
        ("HS384", jose.sign("HS384", HOST_SECRET, &good).await),
        ("HS512", jose.sign("HS512", HOST_SECRET, &good).await),
        ("RS256", jose.sign("RS256", "", &good).await),
        ("ES256", jose.sign("ES256", "", &good).await),
        (
            "a public key as the secret",
            jose.sign("HS256", &public_key, &good).await,
        ),
        ("another secret", jose.sign("HS256", "guess", &good).await),
        (
            "a secret with a newline",
            jose.sign("HS256", &format!("{HOST_SECRET}\n"), &good).await,
        ),
        ("an empty secret", sign(&good, "")),
    ];
    let before = (stack.items().await, stack.provider.seen());
    for (what, jwt) in &forgeries {
        refused_naming(both(&stack, jwt).await, what, "authorization");
    }
    assert_eq!((stack.items().await, stack.provider.seen()), before);
    let log = stack.log.lock().unwrap().join("\n");
    for (what, jwt) in forgeries.iter().filter(|(_, jwt)| jwt.len() > 20) {
        assert!(!log.contains(jwt.as_str()), "{what} is in the log");
    }
}

#[tokio::test]
async fn a_jwt_whose_claims_do_not_identify_a_caller_is_refused() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let now = stack.dev.clock.now().seconds();
    let long = "u".repeat(257);
    let unusable = [
        ("/exp", json!(null), "exp"),
        ("/exp", json!("4102444800"), "exp"),
        ("/exp", json!(now - 61), "authorization"),
        ("/exp", json!(0), "authorization"),
        ("/exp", json!(-1), "authorization"),
        ("/nbf", json!(now + 61), "authorization"),
        ("/nbf", json!("soon"), "nbf"),
        ("/user/id", json!(null), "user.id"),
        ("/user/id", json!(7), "user.id"),
        ("/user/id", json!(""), "user.id"),
        ("/user/id", json!(["ada"]), "user.id"),
        ("/user/id", json!(long), "user.id"),
        ("/user", json!(null), "user.id"),
        ("/user", json!("ada"), "user.id"),
        ("/user", json!(["ada"]), "user.id"),
        ("/organisation/id", json!(null), "organisation.id"),
        ("/organisation/id", json!({"id": "o1"}), "organisation.id"),
        ("/organisation", json!(null), "organisation.id"),
        ("/organisation", json!("o1"), "organisation.id"),
        ("/organisation", json!(["o1"]), "organisation.id"),
    ];
    let before = (stack.items().await, stack.provider.seen());
    for (pointer, value, field) in unusable {
        let jwt = jose
            .sign("HS256", HOST_SECRET, &but(&stack, pointer, value.clone()))
            .await;
        refused_naming(
            both(&stack, &jwt).await,
            &format!("{pointer} {value}"),
            field,
        );
    }
    let mut padded = claims(&stack.dev.clock);
    padded["padding"] = "x".repeat(7_000).into();
    let jwt = jose.sign("HS256", HOST_SECRET, &padded).await;
    assert!(jwt.len() > 9 * 1024);
    refused_naming(both(&stack, &jwt).await, "9 KB", "authorization");
    assert_eq!((stack.items().await, stack.provider.seen()), before);
}

#[tokio::test]
async fn clocks_may_differ_by_less_than_a_minute() {
    let stack = Stack::start().await;
    let mut jose = Jose::start();
    let now = stack.dev.clock.now().seconds();
    for (pointer, value, good) in [
        ("/exp", now - 20, true),
        ("/exp", now - 60, false),
        ("/nbf", now + 20, true),
        ("/nbf", now + 60, false),
    ] {
        let jwt = jose
            .sign("HS256", HOST_SECRET, &but(&stack, pointer, json!(value)))
            .await;
        assert_eq!(
            accepted(&stack, &jwt).await,
            good,
            "{pointer} {}",
            value - now
        );
    }
    let jwt = jose
        .sign("HS256", HOST_SECRET, &claims(&stack.dev.clock))
        .await;
    stack.dev.clock.advance_millis(121_000);
    assert!(!accepted(&stack, &jwt).await, "it has expired");
}
