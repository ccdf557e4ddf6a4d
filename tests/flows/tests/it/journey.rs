//! The whole journey against a provider nobody here wrote: npm's oidc-provider with PKCE required, single-use refresh
//! tokens and access tokens that really end after twenty-four seconds. Nothing here moves a clock.

use std::time::{Duration, Instant};

use consulate::operator::report::Outcome;
use consulate::operator::set_secret;
use consulate_core::secret::SecretText;
use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT};
use consulate_flows::oidc::Oidc;
use consulate_flows::stack::{CLIENT_SECRET, Stack};
use consulate_flows::walk::{fragment, query};
use consulate_flows::wire::Answer;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use url::Url;

const CLIENT_ID: &str = "consulate-journey";
const SCOPES: &str = "openid profile email offline_access";

/// One way to connect as one kind of client.
#[derive(Clone, Copy)]
struct Traveller {
    user: &'static str,
    redirect_mode: bool,
    /// As `consulate.json` calls it.
    ours: &'static str,
    /// As OpenID Connect calls it.
    theirs: &'static str,
    /// The algorithm its key is for, where it signs.
    signs: Option<&'static str>,
}

const POPUP_WITH_BASIC: Traveller = Traveller {
    user: "ada",
    redirect_mode: false,
    ours: "basic",
    theirs: "client_secret_basic",
    signs: None,
};
const REDIRECT_WITH_SECRET_IN_THE_BODY: Traveller = Traveller {
    user: "grace",
    redirect_mode: true,
    ours: "body",
    theirs: "client_secret_post",
    signs: None,
};
const POPUP_WITH_A_SIGNED_ASSERTION: Traveller = Traveller {
    user: "ida",
    redirect_mode: false,
    ours: "private_key_jwt",
    theirs: "private_key_jwt",
    signs: Some("ES256"),
};
const REDIRECT_WITH_AN_RSA_KEY: Traveller = Traveller {
    user: "joan",
    redirect_mode: true,
    ours: "private_key_jwt",
    theirs: "private_key_jwt",
    signs: Some("RS256"),
};
const POPUP_OF_A_PUBLIC_CLIENT: Traveller = Traveller {
    user: "hedy",
    redirect_mode: false,
    ours: "none",
    theirs: "none",
    signs: None,
};

/// One test, so that the three wait for expiry at the same time.
#[tokio::test]
async fn in_both_modes_and_as_every_kind_of_client_an_account_is_connected_used_renewed_and_revoked()
 {
    tokio::join!(
        journey(POPUP_WITH_BASIC),
        journey(REDIRECT_WITH_SECRET_IN_THE_BODY),
        journey(POPUP_OF_A_PUBLIC_CLIENT),
        journey(POPUP_WITH_A_SIGNED_ASSERTION),
        journey(REDIRECT_WITH_AN_RSA_KEY),
    );
}

#[tokio::test]
async fn who_says_no_at_the_provider_is_not_connected() {
    let (stack, oidc) = start(POPUP_WITH_BASIC).await;
    let jwt = stack.jwt("ada");
    let mut browser = Browser::default();
    let authorize = stack.depart(&mut browser, &jwt, MINE).await;
    let answer = browser
        .get(&authorize, From::ElsewhereTopLevel)
        .await
        .expect(303);
    let abort = format!("{}/abort", absolute(&oidc, &answer));
    let callback = to_callback(&stack, &oidc, &mut browser, &abort).await;
    assert_eq!(query(&callback, "error").as_deref(), Some("access_denied"));
    let answer = browser.get(&callback, From::ElsewhereTopLevel).await;
    assert_eq!(stack.result_code(&answer), "access_denied");
    assert_eq!(stack.status(&jwt, MINE).await["status"], "not_connected");
    assert_eq!(oidc.seen().await["token"]["authorization_code"], 0);
}

async fn journey(traveller: Traveller) {
    let (stack, oidc) = start(traveller).await;
    connect(&stack, &oidc, traveller).await;
    let status = status(&stack, traveller).await;
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(
        status["account"]["email"],
        format!("{}@people.example", traveller.user),
        "{status}"
    );
    let envelope = items(&stack, traveller).await.expect(200).json();
    assert_eq!(envelope["body"]["sub"], traveller.user, "{envelope}");
    assert_eq!(envelope["body"]["query"], json!({"top": "2"}), "{envelope}");
    let seen = oidc.seen().await;
    assert_eq!(
        seen["token"],
        json!({"authorization_code": 1, "refresh_token": 0})
    );

    expire(&stack, traveller).await;
    let envelope = items(&stack, traveller).await.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    let seen = oidc.seen().await;
    assert_eq!(
        seen["token"],
        json!({"authorization_code": 1, "refresh_token": 1})
    );
    assert_eq!(seen["refresh_tokens"]["consumed"], 1, "{seen}");

    expire(&stack, traveller).await;
    for answer in join_all((0..50).map(|_| items(&stack, traveller))).await {
        let envelope = answer.expect(200).json();
        assert_eq!(envelope["isSuccess"], true, "{envelope}");
    }
    let seen = oidc.seen().await;
    assert_eq!(
        seen["token"],
        json!({"authorization_code": 1, "refresh_token": 2})
    );
    assert_eq!(
        seen["grant_errors"],
        json!({}),
        "no refresh token was presented twice"
    );
    assert_eq!(seen["api"], json!({"answered": 52, "refused": 0}));

    disconnect(&stack, &oidc, traveller).await;
}

/// Revoked here and there: the provider no longer knows even the access token that is not due for a while.
async fn disconnect(stack: &Stack, oidc: &Oidc, traveller: Traveller) {
    let jwt = stack.jwt(traveller.user);
    let path = format!("connections/{MINE}");
    let receipt = stack
        .widget(Method::DELETE, &path, &jwt, "")
        .await
        .expect(200)
        .json();
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
    let refused = items(stack, traveller).await;
    refused.expect_problem(424, "authentication_required", "reason", "disconnected");
    let seen = oidc.seen().await;
    assert!(seen["revocation"].as_u64().unwrap() >= 1, "{seen}");
    assert!(seen["revoked"].as_u64().unwrap() >= 1, "{seen}");
    // The proxy still held the access token, and tried it: the provider's API refused it.
    assert_eq!(seen["api"], json!({"answered": 52, "refused": 1}));
    assert_eq!(
        seen["token"],
        json!({"authorization_code": 1, "refresh_token": 2})
    );
}

/// Consulate with the widget imported, and the provider with Consulate registered.
async fn start(traveller: Traveller) -> (Stack, Oidc) {
    let mut oidc = Oidc::start(&json!({ "access_token_ttl": 24 })).await;
    let stack = Stack::start_with(|bundle| lead_to(bundle, &oidc, traveller), |_| {}).await;
    let mut client = json!({
        "client_id": CLIENT_ID,
        "redirect_uris": [stack.redirect_uri()],
        "token_endpoint_auth_method": traveller.theirs,
    });
    let secret = match (traveller.theirs, traveller.signs) {
        ("none", _) => None,
        (_, Some(algorithm)) => {
            let (pem, jwk) = key_pair(algorithm).await;
            client["jwks"] = json!({ "keys": [jwk] });
            client["token_endpoint_auth_signing_alg"] = algorithm.into();
            Some(json!({"private_key": pem, "key_id": "k1"}))
        }
        (_, None) => {
            client["client_secret"] = CLIENT_SECRET.into();
            Some(json!({ "client_secret": CLIENT_SECRET }))
        }
    };
    if let Some(secret) = secret {
        let name = format!("passports/{PASSPORT}");
        let value = SecretText::new(secret.to_string());
        let report = set_secret(&stack.dev.target, &name, &value).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
    }
    oidc.register(&json!([client])).await;
    (stack, oidc)
}

/// A private key as PKCS#8 PEM and its public half as a JWK, made by node.
async fn key_pair(algorithm: &str) -> (String, Value) {
    let script = r#"
        const { generateKeyPairSync } = require('node:crypto');
        const kind = process.argv[1] === 'RS256' ? ['rsa', { modulusLength: 2048 }] : ['ec', { namedCurve: 'P-256' }];
        const { privateKey, publicKey } = generateKeyPairSync(...kind);
        const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
        const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: process.argv[1] };
        console.log(JSON.stringify({ pem, jwk }));
    "#;
    let made = tokio::process::Command::new("node")
        .args(["-e", script, algorithm])
        .output()
        .await
        .expect("node is needed");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    (
        made["pem"].as_str().unwrap().to_owned(),
        made["jwk"].clone(),
    )
}

/// Points the bundle to the provider.
fn lead_to(bundle: &mut Bundle, oidc: &Oidc, traveller: Traveller) {
    let issuer = &oidc.issuer;
    let metadata = &mut bundle.passport["customApplicationInfo"]["metadata"];
    *metadata = json!({
        "clientId": CLIENT_ID, "clientSecret": "",
        "authenticationUrl": format!("{issuer}/auth"), "tokenUrl": format!("{issuer}/token"),
        "profileUrl": format!("{issuer}/me"), "profileAccountEmailPath": "$.email",
        "profileAccountIdPath": "$.sub", "profileAccountNamePath": "$.name", "scope": SCOPES,
    });
    bundle.consulate["passports"]["test-cloud"] = json!({
        "revocation_url": format!("{issuer}/token/revocation"), "refresh_rotation": "single_use",
        "client_authentication": traveller.ours, "issuer": issuer,
        // Without it this provider grants no offline access.
        "authorize_params": {"prompt": "consent"},
    });
    bundle.schema["authenticatedApis"] = json!([{
        "label": "Items", "name": "items", "method": "GET", "url": format!("{}/api/items", oidc.api),
        "authenticationKey": MINE, "headers": {"Authorization": format!("Bearer {{authorization.{MINE}.token}}")},
    }]);
    let hosts = [&oidc.issuer, &oidc.api];
    bundle.allow = hosts
        .map(|host| host.trim_start_matches("http://").to_owned())
        .to_vec();
}

async fn connect(stack: &Stack, oidc: &Oidc, traveller: Traveller) {
    let jwt = stack.jwt(traveller.user);
    let mut browser = Browser::default();
    let authorize = if traveller.redirect_mode {
        let link = stack.redirect_url(&jwt, MINE).await;
        let answer = browser.get(&link, From::Here).await.expect(303);
        answer.header("location").to_owned()
    } else {
        stack.depart(&mut browser, &jwt, MINE).await
    };
    assert!(
        authorize.starts_with(&format!("{}/auth?", oidc.issuer)),
        "{authorize}"
    );
    let login = browser
        .get(&authorize, From::ElsewhereTopLevel)
        .await
        .expect(303);
    let fields = [
        ("prompt", "login"),
        ("login", traveller.user),
        ("password", "x"),
    ];
    let consent = submit(oidc, &mut browser, &absolute(oidc, &login), &fields).await;
    let resume = browser.get(&consent, From::Here).await.expect(303);
    let interaction = absolute(oidc, &resume);
    let done = submit(oidc, &mut browser, &interaction, &[("prompt", "consent")]).await;
    let callback = to_callback(stack, oidc, &mut browser, &done).await;
    assert_eq!(query(&callback, "iss"), Some(oidc.issuer.clone()));

    let answer = browser.get(&callback, From::ElsewhereTopLevel).await;
    if traveller.redirect_mode {
        let location = answer.expect(303).header("location").to_owned();
        let completion = fragment(&location, "consulate_completion");
        stack.complete(&jwt, MINE, &completion).await.expect(200);
    } else {
        assert_eq!(stack.result_code(&answer), "");
    }
}

/// Posts a page's form: answers where it leads.
async fn submit(oidc: &Oidc, browser: &mut Browser, page: &str, fields: &[(&str, &str)]) -> String {
    browser.get(page, From::Here).await.expect(200);
    let answer = browser
        .post_form(page, From::Here, fields)
        .await
        .expect(303);
    absolute(oidc, &answer)
}

/// Follows the provider's redirects until one leads to Consulate.
async fn to_callback(stack: &Stack, oidc: &Oidc, browser: &mut Browser, url: &str) -> String {
    let mut url = url.to_owned();
    for _ in 0..5 {
        if url.starts_with(&stack.redirect_uri()) {
            return url;
        }
        let answer = browser.get(&url, From::Here).await.expect(303);
        url = absolute(oidc, &answer);
    }
    panic!("the provider does not send the browser back: {url}");
}

/// Where a redirect of the provider leads.
fn absolute(oidc: &Oidc, answer: &Answer) -> String {
    let base = Url::parse(&oidc.issuer).unwrap();
    base.join(answer.header("location")).unwrap().into()
}

async fn status(stack: &Stack, traveller: Traveller) -> Value {
    stack.status(&stack.jwt(traveller.user), MINE).await
}

/// What is retryable is tried again, as the browser client does: fifty at once may find a busy machine. That may be slow, but
/// nobody is turned away before three seconds, the least that anything is waited for.
async fn items(stack: &Stack, traveller: Traveller) -> Answer {
    let jwt = stack.jwt(traveller.user);
    let mut tries = 0;
    loop {
        let started = Instant::now();
        let answer = stack.api(&jwt, "items", json!({"top": 2})).await;
        tries += 1;
        if answer.status != 503 || answer.json()["retryable"] != true || tries == 5 {
            return answer;
        }
        let waited = started.elapsed();
        let problem = answer.text();
        assert!(
            waited >= Duration::from_secs(3),
            "{problem} after {waited:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until the access token has really ended: at most the twenty-four seconds it lives.
async fn expire(stack: &Stack, traveller: Traveller) {
    let status = status(stack, traveller).await;
    let expires_at = status["expires_at"].as_str().unwrap().to_owned();
    for _ in 0..120 {
        if stack.dev.clock.now().rfc3339() > expires_at {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("it lives longer than it should: {expires_at}");
}
