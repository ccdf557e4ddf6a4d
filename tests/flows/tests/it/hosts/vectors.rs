//! JWTs made by jose, good ones and the classic forgeries, at a widget whose host is an issuer.

use consulate_flows::bundle::{MINE, OURS};
use consulate_flows::stack::{sign, sign_with_header};
use http::Method;
use serde_json::{Value, json};

use super::{AUDIENCE, Hosted};

#[tokio::test]
async fn jwts_of_every_kind_of_key_are_accepted_at_both_functions() {
    let mut hosted = Hosted::start().await;
    for alg in ["RS256", "ES256", "EdDSA"] {
        let claims = hosted.claims();
        let jwt = hosted.sign(alg, &claims).await;
        hosted.ask(&jwt).await.expect(200);
        let answer = hosted.stack.api(&jwt, "whoAmI", json!({})).await;
        answer.expect_problem(424, "authentication_required", "reason", "not_connected");
    }
    let kid = "ES256-k1";
    for header in [
        json!({"typ": "at+jwt", "kid": kid}),
        json!({"typ": "application/at+jwt", "kid": kid}),
        json!({ "kid": kid }),
        // One key of its kind: it is clear which one is meant.
        json!({}),
    ] {
        let claims = hosted.but("aud", json!(["other", AUDIENCE]));
        let jwt = hosted.jose.sign_by("ES256", "k1", &header, &claims).await;
        hosted.ask(&jwt).await.expect(200);
    }
    let jwt = hosted.jwt().await;
    hosted.stack.connect(&jwt, MINE).await;
    let envelope = hosted
        .stack
        .api(&jwt, "whoAmI", json!({}))
        .await
        .expect(200);
    assert_eq!(envelope.json()["body"]["id"], "acme-1815");
}

#[tokio::test]
async fn what_the_issuers_keys_did_not_sign_for_us_is_refused_and_no_address_of_a_jwt_is_asked() {
    let mut hosted = Hosted::start().await;
    let elsewhere = consulate_fakes::issuer::Issuer::start(Vec::new())
        .await
        .unwrap();
    let claims = hosted.claims();
    let good = hosted.jwt().await;
    let (message, signature) = good.rsplit_once('.').unwrap();
    let public_key = hosted.jose.public_key("RS256").await;
    let jwk = hosted.jose.jwk("RS256", "k1").await;
    let evil = hosted.jose.jwk("RS256", "evil").await;
    let modulus = jwk["n"].as_str().unwrap().to_owned();
    let kid = "RS256-k1";
    let headed = |header: Value, secret: &str| sign_with_header(&header, &claims, secret);
    let jku = format!("{}/jwks", elsewhere.url);
    let mut forgeries = vec![
        ("malformed", "nonsense".to_owned()),
        ("no signature", format!("{message}.")),
        ("four parts", format!("{good}.{signature}")),
        (
            "HS256 with the public key as PEM",
            headed(json!({"alg": "HS256", "kid": kid}), &public_key),
        ),
        (
            "HS256 with the modulus",
            headed(json!({"alg": "HS256", "kid": kid}), &modulus),
        ),
        (
            "HS256 with the JWK",
            headed(json!({"alg": "HS256", "kid": kid}), &jwk.to_string()),
        ),
        (
            "RS256 in name, HS256 in fact",
            headed(json!({"alg": "RS256", "kid": kid}), &modulus),
        ),
        (
            "the widget's Happeo secret",
            sign(&claims, consulate_flows::stack::HOST_SECRET),
        ),
        ("alg none", headed(json!({"alg": "none", "kid": kid}), "")),
        ("alg nOnE", headed(json!({"alg": "nOnE"}), "")),
    ];
    for (what, alg, key, header) in [
        (
            "another key under its kid",
            "RS256",
            "evil",
            json!({ "kid": kid }),
        ),
        ("another key without a kid", "RS256", "evil", json!({})),
        ("an unknown kid", "RS256", "k1", json!({"kid": "RS256-k2"})),
        (
            "the kid of another kind",
            "RS256",
            "k1",
            json!({"kid": "ES256-k1"}),
        ),
        (
            "a kid that is a path",
            "RS256",
            "evil",
            json!({"kid": "../../dev/null"}),
        ),
        (
            "a kid that is an address",
            "RS256",
            "evil",
            json!({ "kid": jku }),
        ),
        ("a kid that is empty", "RS256", "evil", json!({"kid": ""})),
        (
            "a key in the header",
            "RS256",
            "evil",
            json!({"kid": "evil", "jwk": evil}),
        ),
        (
            "keys at an address",
            "RS256",
            "evil",
            json!({"kid": "evil", "jku": jku}),
        ),
        (
            "a certificate at an address",
            "RS256",
            "evil",
            json!({"kid": kid, "x5u": jku}),
        ),
        (
            "a certificate in the header",
            "RS256",
            "evil",
            json!({"kid": kid, "x5c": ["AAAA"]}),
        ),
        (
            "a logout token",
            "RS256",
            "k1",
            json!({"kid": kid, "typ": "logout+jwt"}),
        ),
        (
            "PS256 by the same key's name",
            "PS256",
            "k1",
            json!({ "kid": kid }),
        ),
        ("RS512", "RS512", "k1", json!({ "kid": kid })),
        ("ES384", "ES384", "k1", json!({"kid": "ES256-k1"})),
    ] {
        let jwt = hosted.jose.sign_by(alg, key, &header, &claims).await;
        forgeries.push((what, jwt));
    }
    let before = hosted.stack.items().await;
    for (what, jwt) in &forgeries {
        for (method, path, body) in [
            (Method::POST, format!("connections/{MINE}/connect"), "{}"),
            (Method::POST, "apis/whoAmI".to_owned(), "{}"),
        ] {
            let answer = hosted.stack.widget(method, &path, jwt, body).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text());
            answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
        }
    }
    // A header parameter that must be understood.
    let header = json!({"alg": "RS256", "kid": kid, "crit": ["b64"], "b64": false});
    let answer = hosted.ask(&headed(header, "x")).await;
    let problem = answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    assert!(problem.text().contains("critical"), "{}", problem.text());
    assert_eq!(elsewhere.seen(), Vec::<String>::new());
    assert_eq!(hosted.stack.items().await, before);
    hosted.ask(&good).await.expect(200);
    let log = hosted.stack.log.lock().unwrap().join("\n");
    for (what, jwt) in forgeries.iter().filter(|(_, jwt)| jwt.len() > 20) {
        assert!(!log.contains(jwt.as_str()), "{what} is in the log");
    }
}

#[tokio::test]
async fn claims_that_do_not_name_a_caller_of_this_widget_are_refused() {
    let mut hosted = Hosted::start().await;
    let now = hosted.stack.dev.clock.now().seconds();
    for (name, value, field) in [
        ("iss", json!(null), "authorization"),
        ("iss", json!("https://id.example.com"), "authorization"),
        (
            "iss",
            json!(format!("{}/", hosted.issuer.url)),
            "authorization",
        ),
        ("aud", json!(null), "authorization"),
        ("aud", json!("other"), "authorization"),
        ("aud", json!([]), "authorization"),
        ("exp", json!(null), "exp"),
        ("exp", json!("4102444800"), "exp"),
        ("exp", json!(now - 61), "authorization"),
        ("nbf", json!(now + 61), "authorization"),
        ("sub", json!(null), "sub"),
        ("sub", json!(7), "sub"),
        ("sub", json!("u".repeat(257)), "sub"),
        ("org_id", json!(null), "org_id"),
        ("org_id", json!(["o1"]), "org_id"),
        ("org_id", json!(""), "org_id"),
        (
            "events",
            json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
            "authorization",
        ),
    ] {
        let claims = hosted.but(name, value.clone());
        let jwt = hosted.sign("ES256", &claims).await;
        let answer = hosted.ask(&jwt).await;
        assert_eq!(answer.status, 401, "{name} {value}: {}", answer.text());
        answer.expect_problem(401, "caller_unauthenticated", "field", field);
    }
    for (name, seconds) in [("exp", -20), ("nbf", 20)] {
        let claims = hosted.but(
            name,
            json!(hosted.stack.dev.clock.now().seconds() + seconds),
        );
        let jwt = hosted.sign("ES256", &claims).await;
        hosted.ask(&jwt).await.expect(200);
    }
}

/// Somebody who types an administrator's address at the issuer is no administrator.
#[tokio::test]
async fn only_a_verified_email_makes_an_administrator() {
    let mut hosted = Hosted::start().await;
    let path = format!("connections/{OURS}/connect");
    for (verified, status) in [
        (json!(true), 201),
        (json!(false), 403),
        (json!(null), 403),
        (json!("true"), 403),
    ] {
        let mut claims = hosted.but("email_verified", verified);
        claims["email"] = json!("it@example.com");
        let jwt = hosted.sign("EdDSA", &claims).await;
        hosted
            .stack
            .widget(Method::POST, &path, &jwt, "{}")
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn organisations_are_listed_or_fixed() {
    let mut hosted = Hosted::start_with(|host| host["organisations"] = json!(["o1"])).await;
    let jwt = hosted.jwt().await;
    hosted.ask(&jwt).await.expect(200);
    let claims = hosted.but("org_id", json!("o2"));
    let jwt = hosted.sign("RS256", &claims).await;
    let answer = hosted.ask(&jwt).await;
    answer.expect_problem(403, "caller_forbidden", "field", "organisation.id");

    let fixed = |host: &mut Value| {
        host["organisation"] = json!("acme");
        host["claims"] = json!({});
    };
    let mut hosted = Hosted::start_with(fixed).await;
    // Whatever they claim, they share the one organisation's account.
    for organisation in [json!(null), json!("evil")] {
        let claims = hosted.but("org_id", organisation);
        let jwt = hosted.sign("RS256", &claims).await;
        hosted.ask(&jwt).await.expect(200);
    }
}
