//! A web application as the host: its users sign in at npm's oidc-provider, and the ID token it gets is the caller JWT. The
//! issuer's keys are rotated meanwhile.

use consulate_flows::browser::{Browser, From};
use consulate_flows::bundle::{MINE, OURS};
use consulate_flows::oidc::Oidc;
use consulate_flows::stack::Stack;
use consulate_flows::walk::query;
use http::Method;
use serde_json::{Value, json};
use url::Url;

const CLIENT_ID: &str = "intranet";
const CLIENT_SECRET: &str = "the-intranets-own-secret-0123456789";
const REDIRECT_URI: &str = "https://intranet.example.com/signed-in";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Signs `login` in, as the web application does: answers the ID token.
async fn id_token(stack: &Stack, oidc: &Oidc, login: &str) -> String {
    let tokens = sign_in(stack, oidc, login).await;
    tokens["id_token"].as_str().unwrap().to_owned()
}

/// Signs `login` in, as the web application does: answers what the token endpoint did.
async fn sign_in(stack: &Stack, oidc: &Oidc, login: &str) -> Value {
    let base = Url::parse(&oidc.issuer).unwrap();
    let at = |location: &str| String::from(base.join(location).unwrap());
    let mut authorize = base.join("/auth").unwrap();
    authorize.query_pairs_mut().extend_pairs([
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let mut browser = Browser::default();
    let mut url = String::from(authorize);
    let mut forms = [
        vec![("prompt", "login"), ("login", login), ("password", "x")],
        vec![("prompt", "consent")],
    ]
    .into_iter();
    for _ in 0..10 {
        if url.starts_with(REDIRECT_URI) {
            break;
        }
        let answer = if url.contains("/interaction/") {
            browser.get(&url, From::Here).await.expect(200);
            browser
                .post_form(&url, From::Here, &forms.next().unwrap())
                .await
        } else {
            browser.get(&url, From::Here).await
        };
        url = at(answer.expect(303).header("location"));
    }
    let code = query(&url, "code").unwrap_or_else(|| panic!("no code: {url}"));
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ])
        .finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = stack
        .wire
        .call(Method::POST, &at("/token"), &headers, form)
        .await;
    answer.expect(200).json()
}

/// With ID tokens as caller JWTs.
async fn start() -> (Stack, Oidc) {
    start_with(None).await
}

/// With ID tokens as caller JWTs, or with access tokens for `resource`.
async fn start_with(resource: Option<&str>) -> (Stack, Oidc) {
    let client = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [REDIRECT_URI],
                        "token_endpoint_auth_method": "client_secret_post"});
    let mut config = json!({ "clients": [client], "access_token_ttl": 300 });
    if let Some(resource) = resource {
        config["resource"] = json!(resource);
    }
    let oidc = Oidc::start(&config).await;
    let audience = resource.unwrap_or(CLIENT_ID);
    let host = json!({"type": "oidc", "id": "intranet", "issuer": oidc.issuer, "audience": audience,
                      "claims": {"organisation": "$.org_id"}});
    let stack = Stack::start_with(
        |bundle| {
            bundle.consulate["host"] = host;
            bundle.consulate["admins"] = json!([{"organisation": "o1", "email": "grace@people.example"},
                                                {"organisation": "o1", "email": "unverified-eve@people.example"}]);
            bundle.allow.push(oidc.issuer.trim_start_matches("http://").to_owned());
        },
        |_| {},
    )
    .await;
    (stack, oidc)
}

#[tokio::test]
async fn whoever_signed_in_at_the_web_application_connects_and_calls_also_after_its_keys_were_rotated()
 {
    let (stack, mut oidc) = start().await;
    let ada = id_token(&stack, &oidc, "ada").await;
    stack.connect(&ada, MINE).await;
    let envelope = stack
        .api(&ada, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["body"]["id"], "acme-1815", "{envelope}");

    // The same name in another organisation is another caller.
    let elsewhere = id_token(&stack, &oidc, "ada.o2").await;
    assert_eq!(
        stack.status(&elsewhere, MINE).await["status"],
        "not_connected"
    );

    oidc.rotate().await;
    stack.dev.clock.advance_millis(11_000);
    let after = id_token(&stack, &oidc, "ada").await;
    assert_ne!(kid(&after), kid(&ada));
    let envelope = stack
        .api(&after, "whoAmI", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    assert_eq!(stack.status(&after, MINE).await["status"], "connected");
    // The key that was taken away vouches for nobody, though its ID token has minutes left.
    let answer = stack.api(&ada, "whoAmI", json!({})).await;
    answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
    let path = format!("connections/{MINE}");
    let receipt = stack
        .widget(Method::DELETE, &path, &after, "")
        .await
        .expect(200)
        .json();
    assert_eq!(receipt["revocation"]["result"], "revoked", "{receipt}");
}

#[tokio::test]
async fn an_administrator_is_one_whose_email_the_issuer_has_verified() {
    let (stack, oidc) = start().await;
    let path = format!("connections/{OURS}/connect");
    for (login, status) in [("grace", 201), ("unverified-eve", 403), ("ada", 403)] {
        let jwt = id_token(&stack, &oidc, login).await;
        stack
            .widget(Method::POST, &path, &jwt, "{}")
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn an_access_token_for_consulate_is_a_caller_jwt_and_an_id_token_for_the_application_is_none()
{
    let (stack, oidc) = start_with(Some("https://passports.example.com")).await;
    let tokens = sign_in(&stack, &oidc, "ada").await;
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(header(access_token)["typ"], "at+jwt");
    stack.connect(access_token, MINE).await;
    let answer = stack.api(access_token, "whoAmI", json!({})).await;
    assert_eq!(answer.expect(200).json()["body"]["id"], "acme-1815");
    let elsewhere = sign_in(&stack, &oidc, "ada.o2").await;
    let elsewhere = elsewhere["access_token"].as_str().unwrap();
    let status = stack.status(elsewhere, MINE).await;
    assert_eq!(status["status"], "not_connected");
    let id_token = tokens["id_token"].as_str().unwrap();
    let answer = stack.api(id_token, "whoAmI", json!({})).await;
    answer.expect_problem(401, "caller_unauthenticated", "field", "authorization");
}

fn kid(jwt: &str) -> Value {
    header(jwt)["kid"].clone()
}

fn header(jwt: &str) -> Value {
    use base64::Engine as _;
    let header = jwt.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    serde_json::from_slice(&header).unwrap()
}
