//! The two examples of the Appspace page, imported as they are and run: connect, run the page's own widget code in node,
//! expire, run it again, disconnect. Nothing in them names a loopback address.

use consulate_fakes::provider::{Client, ClientAuthentication, Reply};
use consulate_flows::browser::{Browser, From};
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET, Stack};
use consulate_flows::stand_in::stand_in;
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};

use super::fixtures::fixture;
use super::widget_code::{GUIDES, code_of, run_code};

/// Calls a route of any widget.
async fn widget(stack: &Stack, jwt: &str, method: Method, path: &str, body: Value) -> Answer {
    let url = format!("{}/v1/widgets/{path}", stack.dev.base_url);
    let bearer = format!("Bearer {jwt}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    stack
        .wire
        .call(method, &url, &headers, body.to_string())
        .await
}

/// Calls a named API, which must succeed: answers its body.
async fn call(stack: &Stack, jwt: &str, path: &str, params: Value) -> Value {
    let answer = widget(stack, jwt, Method::POST, path, json!({ "params": params })).await;
    let envelope = answer.expect(200).json();
    assert_eq!(envelope["isSuccess"], true, "{envelope}");
    envelope["body"].clone()
}

/// Connects in popup mode up to the provider's door: answers the authorize address.
async fn departed(stack: &Stack, browser: &mut Browser, jwt: &str, connection: &str) -> String {
    let secret = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let id = connection.split('/').next().unwrap();
    let name = format!("consulate/widgets/{id}");
    stack.dev.secrets.put(&name, &secret).unwrap();
    let path = format!("{connection}/connect");
    let asked = widget(stack, jwt, Method::POST, &path, json!({})).await;
    let asked = asked.expect(201).json();
    let link = asked["connect_url"].as_str().unwrap();
    let departed = stack.handshake(browser, link, jwt).await.expect(303);
    departed.header("location").to_owned()
}

#[test]
fn the_graph_calendars_code_is_the_guides_and_a_list() {
    let lines =
        |code: &str| -> Vec<String> { code.lines().map(|line| line.trim().to_owned()).collect() };
    let (guides, code) = (lines(GUIDES), lines(&code_of("graph-calendar")));
    assert!(guides.len() > 10);
    assert!(code.windows(guides.len()).any(|part| part == guides));
}

#[tokio::test]
async fn the_graph_calendar_runs_unchanged() {
    let prepare = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.simulate = vec!["microsoft".to_owned()];
        bundle.imports = vec![fixture("graph-calendar").into()];
    };
    let stack = Stack::start_with(prepare, |_| {}).await;
    let simulation = stack.dev.simulation.as_ref().unwrap();
    let microsoft = simulation.simulators.family("microsoft").unwrap();
    let jwt = stack.jwt("ada");
    let secret = json!({"host_secrets": [HOST_SECRET]}).to_string();
    let name = "consulate/widgets/calendar";
    stack.dev.secrets.put(name, &secret).unwrap();
    // Nobody connected yet: the code reads the answer and shows nothing.
    let produced = run_code(&stack, "calendar", &jwt, GUIDES).await;
    let nothing = json!({"logged": [], "items": [], "statuses": [424]});
    assert_eq!(produced, nothing);

    let mut browser = Browser::default();
    let departed = departed(&stack, &mut browser, &jwt, "calendar/connections/msGraph").await;
    let page = browser
        .get(&departed, From::ElsewhereTopLevel)
        .await
        .expect(200)
        .text();
    let consent = consulate_fakes::provider::consent_id(&page).unwrap();
    let fields = [
        ("consent", consent),
        ("account", "acme-1815"),
        ("decision", "allow"),
    ];
    let form = format!("http://127.0.0.1:{}/consent", simulation.port());
    let back = browser
        .post_form(&form, From::Here, &fields)
        .await
        .expect(303);
    browser
        .get(back.header("location"), From::ElsewhereTopLevel)
        .await
        .expect(303);

    let logged = json!([
        ["Meeting of Ada Lovelace", "2026-11-16T09:30:00.0000000"],
        ["Meeting of Ada Lovelace", "2026-11-16T11:00:00.0000000"],
    ]);
    let produced = run_code(&stack, "calendar", &jwt, GUIDES).await;
    let expected = json!({"logged": logged, "items": [], "statuses": [200]});
    assert_eq!(produced, expected);
    let asked = microsoft.token_requests().len();
    stack.dev.clock.advance_millis(5_000_000);
    let jwt = stack.jwt("ada");
    let code = code_of("graph-calendar");
    let produced = run_code(&stack, "calendar", &jwt, &code).await;
    let items = json!([
        "2026-11-16T09:30:00.0000000 Meeting of Ada Lovelace",
        "2026-11-16T11:00:00.0000000 Meeting of Ada Lovelace",
    ]);
    let expected = json!({"logged": logged, "items": items, "statuses": [200]});
    assert_eq!(produced, expected);
    assert_eq!(microsoft.token_requests().len(), asked + 1);

    let connection = "calendar/connections/msGraph";
    let receipt = widget(&stack, &jwt, Method::DELETE, connection, json!({})).await;
    let receipt = receipt.expect(200).json();
    assert_eq!(
        receipt["revocation"]["result"], "provider_has_none",
        "{receipt}"
    );
}

#[tokio::test]
async fn my_saas_runs_unchanged() {
    let stack = Stack::start_with(
        |_| {},
        |settings| {
            settings.scopes = ["read:data", "write:data"].map(str::to_owned).to_vec();
            // The provider of the page's example promises no issuer.
            settings.sends_iss = false;
        },
    )
    .await;
    let provider = stack.provider.clone();
    let login = stand_in(
        &provider,
        &[
            ("/oauth/authorize", "/authorize"),
            ("/oauth/token", "/token"),
            ("/oauth/revoke", "/revoke"),
        ],
    )
    .await;
    let api = stand_in(
        &provider,
        &[
            ("/v1/me", "/api/me"),
            ("/v1/projects", "/api/v1/echo/projects"),
        ],
    )
    .await;
    let prepare = |bundle: &mut consulate_flows::bundle::Bundle| {
        bundle.stand_ins = vec![
            ("auth.my-saas.com".to_owned(), login.addr.port()),
            ("api.my-saas.com".to_owned(), api.addr.port()),
        ];
        bundle.imports = vec![fixture("my-saas").into()];
    };
    let saas = Stack::start_with(prepare, |_| {}).await;
    let passport = "my-saas.my-saas-connector";
    provider.register(Client {
        id: "your-client-id-here".to_owned(),
        secret: Some(CLIENT_SECRET.to_owned()),
        authentication: ClientAuthentication::Basic,
        redirect_uris: vec![format!("{}/v1/callback/{passport}", saas.dev.base_url)],
    });
    let secret = json!({"client_secret": CLIENT_SECRET, "endpoints": [
        "https://auth.my-saas.com/oauth/token", "https://auth.my-saas.com/oauth/revoke"]});
    let name = format!("consulate/passports/{passport}");
    saas.dev.secrets.put(&name, &secret.to_string()).unwrap();
    let jwt = saas.admin_jwt();
    let mut browser = Browser::default();
    let authorize = departed(&saas, &mut browser, &jwt, "my-saas/connections/mySaas").await;
    assert!(authorize.starts_with(&login.url()), "{authorize}");
    let callback = stack.consent(&mut browser, &authorize, "allow").await;
    browser
        .get(&callback, From::ElsewhereTopLevel)
        .await
        .expect(303);

    let status = widget(
        &saas,
        &jwt,
        Method::GET,
        "my-saas/connections/mySaas",
        json!({}),
    )
    .await;
    let status = status.expect(200).json();
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(status["apis"][2]["status"], "usable", "{status}");
    let made = call(
        &saas,
        &jwt,
        "my-saas/apis/createTask",
        json!({"projectId": "p/1", "title": "A \"task\""}),
    )
    .await;
    assert_eq!(made["path"], "/api/v1/echo/projects/p%2F1/tasks", "{made}");
    let sent: Value = serde_json::from_str(made["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent, json!({"title": "A \"task\"", "source": "widget"}));
    let code = code_of("my-saas");
    let listed = async |jwt: &str| {
        let projects = json!({"projects": [{"name": "Notes"}, {"name": "Engine"}]});
        let Value::Object(projects) = projects else {
            unreachable!()
        };
        provider.script_api(Reply::Merge(projects));
        let produced = run_code(&saas, "my-saas", jwt, &code).await;
        let items = json!(["Notes", "Engine"]);
        let expected = json!({"logged": [], "items": items, "statuses": [200]});
        assert_eq!(produced, expected);
    };
    listed(&jwt).await;
    let refreshes = provider.seen().refreshes;
    // Its end is known here: the call that is answered is the renewed one.
    saas.dev.clock.advance_millis(7_200_000);
    let jwt = saas.admin_jwt();
    listed(&jwt).await;
    assert_eq!(provider.seen().refreshes, refreshes + 1);
    let receipt = widget(
        &saas,
        &jwt,
        Method::DELETE,
        "my-saas/connections/mySaas",
        json!({}),
    )
    .await;
    assert_eq!(
        receipt.expect(200).json()["revocation"]["result"],
        "revoked"
    );
}
