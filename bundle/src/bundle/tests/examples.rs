//! The examples of the Appspace guide, as it writes them, are what the fixtures hold, import, and lint without errors.

use consulate_core::definition::Passport;

use super::super::lint;
use super::*;

/// "Example 1: Microsoft Graph Widget (Built-in Passport)", `schema.json` (relevant sections).
const GRAPH_SCHEMA: &str = r#"{
"authentications": [
{
"label": "Microsoft 365",
"authenticationType": "passport",
"authKey": "msGraph",
"metadata": {
"passportProvider": "microsoft",
"passportType": "oauth2"
}
}
],
"authenticatedApis": [
{
"label": "Get Calendar Events",
"name": "getEvents",
"url": "https://graph.microsoft.com/v1.0/me/calendarview?startDateTime={param.startDate}&endDateTime={param.endDate}",
"method": "GET",
"authenticationKey": "msGraph",
"headers": {
"Authorization": "Bearer {authorization.msGraph.token}"
}
}
]
}"#;

/// The same, "Widget code".
const GRAPH_CODE: &str = r"var now = new Date();
var nextWeek = new Date(now.getTime() + 7 * 24 * 60 * 60 * 1000);
var response = await window.appspace.widgetApi.callAuthenticatedAPI('getEvents', {
params: {
startDate: now.toISOString(),
endDate: nextWeek.toISOString()
}
});
if (response.status === 200 && response.data && response.data.isSuccess) {
var events = response.data.body.value;
events.forEach(function(event) {
console.log(event.subject, event.start.dateTime);
});
}";

/// "Example 2: Custom OAuth Widget (Bundled OAuth Passport)", `passport/my-saas-connector.json`.
const MY_SAAS_PASSPORT: &str = r#"{
"name": "My SaaS Platform",
"applicationName": "custom",
"authenticationType": "OAuth",
"isCustomApplication": true,
"customApplicationInfo": {
"name": "my-saas-connector",
"displayName": "My SaaS Platform",
"description": "OAuth connector for My SaaS Platform API",
"categoryType": "Custom",
"authenticationType": "OAuth",
"parentName": "custom",
"metadata": {
"clientId": "your-client-id-here",
"clientSecret": "your-client-secret-here",
"authenticationUrl": "https://auth.my-saas.com/oauth/authorize",
"tokenUrl": "https://auth.my-saas.com/oauth/token",
"profileUrl": "https://api.my-saas.com/v1/me",
"profileAccountEmailPath": "$.email",
"profileAccountIdPath": "$.id",
"profileAccountNamePath": "$.display_name",
"scope": "read:data write:data"
}
},
"metadata": {}
}"#;

/// "Approach 2", `passport/my-api-connector.json`, and the `schema.json` that goes with it.
const MY_API_PASSPORT: &str = r#"{
"name": "My API Connector",
"applicationName": "custom",
"authenticationType": "OAuth",
"isCustomApplication": true,
"customApplicationInfo": {
"name": "my-api-connector",
"displayName": "My API Connector",
"description": "OAuth connector for My API service",
"categoryType": "Custom",
"authenticationType": "OAuth",
"parentName": "custom",
"metadata": {
"clientId": "<your-client-id>",
"clientSecret": "<your-client-secret>",
"authenticationUrl": "https://api.example.com/oauth/authorize",
"tokenUrl": "https://api.example.com/oauth/token",
"profileUrl": "https://api.example.com/api/me",
"profileAccountEmailPath": "$.email",
"profileAccountIdPath": "$.id",
"profileAccountNamePath": "$.name",
"scope": "read write"
}
},
"metadata": {}
}"#;
const MY_API_SCHEMA: &str = r#"{
"passport": {
"filePath": "passport/my-api-connector.json"
},
"authentications": [
{
"label": "My API Authentication",
"authenticationType": "passport",
"authKey": "myApiAuth",
"metadata": {
"passportProvider": "custom:my-api-connector"
}
}
],
"authenticatedApis": [
{
"label": "Get Data",
"name": "getData",
"url": "https://api.example.com/v1/data",
"method": "GET",
"authenticationKey": "myApiAuth",
"headers": {
"Authorization": "Bearer {authorization.myApiAuth.token}"
}
}
]
}"#;

/// "Approach 1", steps 1 and 2.
const GOOGLE_SCHEMA: &str = r#"{
"authentications": [
{
"label": "Google Calendar",
"authenticationType": "passport",
"authKey": "googleCalAuth",
"metadata": {
"passportProvider": "google"
}
}
],
"authenticatedApis": [
{
"label": "Get Calendar Events",
"name": "getCalendarEvents",
"url": "https://www.googleapis.com/calendar/v3/calendars/primary/events",
"method": "GET",
"authenticationKey": "googleCalAuth",
"headers": {
"Authorization": "Bearer {authorization.googleCalAuth.token}"
}
}
]
}"#;

fn text(bundle: &str, file: &str) -> String {
    std::fs::read_to_string(fixture(bundle).join(file)).unwrap()
}

/// Without indentation: the guide's page has lost it.
fn flush(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("\n")
}

#[test]
fn the_fixtures_hold_what_the_guide_writes() {
    let schema: Value = serde_json::from_str(GRAPH_SCHEMA).unwrap();
    let fixture = fixture_json("graph-calendar", SCHEMA);
    for section in ["authentications", "authenticatedApis"] {
        assert_eq!(fixture[section], schema[section], "{section}");
    }
    assert!(flush(&text("graph-calendar", "js/widget.js")).contains(GRAPH_CODE));
    assert_eq!(flush(&text("my-saas", PASSPORT)).trim(), MY_SAAS_PASSPORT);
}

#[test]
fn the_fixtures_lint_without_errors() {
    for bundle in ["graph-calendar", "my-saas", "happeo-channels"] {
        let source = Source::read_with_code(&fixture(bundle)).unwrap();
        let findings = lint(
            &source,
            &Options::default(),
            &Catalogue::built_in().unwrap(),
        );
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning),
            "{bundle}: {findings:#?}"
        );
        let about_code = |finding: &&Finding| finding.code.starts_with("call_");
        assert_eq!(findings.iter().filter(about_code).count(), 0, "{bundle}");
    }
}

fn as_written(files: &[(&str, &str)]) -> Import {
    let options = Options {
        widget: Some("example".to_owned()),
        ..Options::default()
    };
    import(&source_of(files), &options, &Catalogue::built_in().unwrap()).unwrap()
}

#[test]
fn every_example_of_the_guide_imports_as_it_is_written() {
    let import = as_written(&[
        (SCHEMA, MY_API_SCHEMA),
        ("passport/my-api-connector.json", MY_API_PASSPORT),
    ]);
    assert_eq!(import.passports[0].id, "example.my-api-connector");
    assert_eq!(import.passports[0].api_hosts, ["api.example.com"]);
    assert!(import.secrets.is_empty());
    for schema in [GOOGLE_SCHEMA, GRAPH_SCHEMA] {
        let import = as_written(&[(SCHEMA, schema)]);
        assert_eq!(import.widget.apis.len(), 1);
    }
    assert!(
        as_written(&[(SCHEMA, GOOGLE_SCHEMA)])
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    );
}

fn bundled(key: &str, value: Value) -> Passport {
    Case::my_saas()
        .with(
            PASSPORT,
            &format!("/customApplicationInfo/metadata/{key}"),
            value,
        )
        .accepted()
        .passports
        .remove(0)
}

#[test]
fn a_changed_client_or_endpoint_resets_connections_and_nothing_else_does() {
    let before = Case::my_saas().accepted().passports[0].config_version();
    for (key, value) in [
        ("clientId", json!("another")),
        ("authenticationUrl", json!("https://auth.my-saas.com/v2")),
        ("tokenUrl", json!("https://auth.my-saas.com/v2/token")),
    ] {
        assert_ne!(bundled(key, value).config_version(), before, "{key}");
    }
    for (key, value) in [
        ("clientSecret", json!("rotated-secret")),
        ("scope", json!("read:data")),
        ("scopeSeparator", json!(",")),
        ("profileUrl", json!("https://api.my-saas.com/v2/me")),
        ("refreshInterval", json!(30)),
    ] {
        assert_eq!(bundled(key, value).config_version(), before, "{key}");
    }
    let set = |key: &str, value: Value| {
        Case::my_saas()
            .with(
                CONSULATE,
                &format!("/passports/my-saas-connector/{key}"),
                value,
            )
            .accepted()
            .passports
            .remove(0)
            .config_version()
    };
    assert_ne!(set("client_id", json!("another")), before);
    assert_eq!(set("client_authentication", json!("body")), before);
}
