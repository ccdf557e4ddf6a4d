//! `consulate dev --simulate` from outside: a widget tried against "Slack", with nothing but the command line and HTTP.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Server, json_of, run};
use crate::room::{Answer, send};

const WIDGET: &str = "trial";

/// A bundle whose widget posts to Slack and lists Zoom's meetings.
fn write_bundle(folder: &Path) {
    let authentication = |provider: &str| {
        json!({"label": provider, "authenticationType": "passport", "authKey": provider,
               "metadata": {"passportProvider": provider}})
    };
    let schema = json!({
        "name": "Trial",
        "authentications": [authentication("slack"), authentication("zoom")],
        "authenticatedApis": [
            {"label": "Post", "name": "post", "method": "POST", "authenticationKey": "slack",
             "url": "https://slack.com/api/chat.postMessage",
             "headers": {"Authorization": "Bearer {authorization.slack.token}"},
             "body": {"channel": "C0GENERAL", "text": "{param.text}"}},
            {"label": "Meetings", "name": "meetings", "method": "GET", "authenticationKey": "zoom",
             "url": "https://api.zoom.us/v2/users/me/meetings",
             "headers": {"Authorization": "Bearer {authorization.zoom.token}"}},
        ],
    });
    let consulate = json!({
        "widget": WIDGET, "host": {"type": "happeo", "id": "acme"}, "origins": ["https://app.example.com"],
        "authentications": {"slack": {"owner": "user"}, "zoom": {"owner": "user"}},
    });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("schema.json"), schema.to_string()).unwrap();
    fs::write(folder.join("consulate.json"), consulate.to_string()).unwrap();
    fs::write(folder.join("widget.html"), "<!doctype html>").unwrap();
}

/// A person's widget at a server.
struct Widget {
    base_url: String,
    jwt: String,
}

impl Widget {
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let url = format!("{}/v1/widgets/{WIDGET}/{path}", self.base_url);
        let bearer = format!("Bearer {}", self.jwt);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        send("POST", &url, &headers, &body.to_string()).await
    }

    /// Connects as a person does in a popup: the handshake page, the provider's consent page, back.
    async fn connect(&self, auth_key: &str) {
        let path = format!("connections/{auth_key}/connect");
        let asked = self.ask(&path, &json!({})).await.expect(201).json();
        let link = asked["connect_url"].as_str().unwrap();
        let page = send("GET", link, &[], "").await.expect(200);
        let cookie = page.cookies();
        let proof = [
            ("caller_jwt", self.jwt.as_str()),
            ("form_token", value_of(&page.body, "form_token")),
        ];
        let departed = post_form(link, &cookie, &proof).await.expect(303);
        let cookie = format!("{cookie}; {}", departed.cookies());
        let authorize = departed.header("location");
        let played = authorize.split('/').take(3).collect::<Vec<_>>().join("/");
        assert!(played.starts_with("http://127.0.0.1:"), "{authorize}");
        let page = send("GET", authorize, &[], "").await.expect(200);
        let consent = [
            ("consent", value_of(&page.body, "consent")),
            ("account", "acme-1815"),
            ("decision", "allow"),
        ];
        let back = post_form(&format!("{played}/consent"), "", &consent).await;
        let back = back.expect(303);
        let headers = [("cookie", cookie.as_str())];
        let callback = send("GET", back.header("location"), &headers, "").await;
        let callback = callback.expect(303);
        let location = callback.header("location");
        assert!(!location.contains("code="), "{location}");
    }
}

async fn post_form(url: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    if !cookie.is_empty() {
        headers.push(("cookie", cookie));
    }
    send("POST", url, &headers, &form).await
}

/// What a page's hidden field `name` holds.
fn value_of<'a>(page: &'a str, name: &str) -> &'a str {
    let field = page.split_once(&format!("name=\"{name}\""));
    let value = field.and_then(|(_, rest)| rest.split_once("value=\""));
    let (_, rest) = value.unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_tried_against_simulated_providers_by_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let (data, bundle) = (folder.path().join("data"), folder.path().join("bundle"));
    write_bundle(&bundle);
    let flags = [
        "--simulate",
        "slack,zoom",
        "--import",
        bundle.to_str().unwrap(),
    ];
    let (server, base_url) = Server::start(&data, &flags);
    let dev = data.to_str().unwrap();
    let token = [
        "token",
        "--json",
        "--dev",
        dev,
        "--widget",
        WIDGET,
        "--user",
        "u1",
        "--organisation",
        "o1",
    ];
    let token = json_of(&run(&token, ""));
    let widget = Widget {
        base_url,
        jwt: token["token"].as_str().unwrap().to_owned(),
    };
    let post = json!({"params": {"text": "Good \"morning\""}});
    let refused = widget.ask("apis/post", &post).await.expect(424).json();
    assert_eq!(refused["reason"], "not_connected", "{refused}");

    widget.connect("slack").await;
    let posted = widget.ask("apis/post", &post).await.expect(200).json();
    assert_eq!(posted["isSuccess"], true, "{posted}");
    assert_eq!(posted["body"]["ok"], true, "{posted}");
    assert_eq!(posted["body"]["message"]["text"], "Good \"morning\"");

    widget.connect("zoom").await;
    let meetings = widget.ask("apis/meetings", &json!({"params": {}})).await;
    let meetings = meetings.expect(200).json();
    let topic = &meetings["body"]["meetings"][0]["topic"];
    assert_eq!(topic, "Weekly meeting of Ada Lovelace", "{meetings}");
    assert_eq!(server.signal("TERM"), 0);
}

#[test]
fn a_provider_that_nobody_plays_is_refused_with_the_families() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let flags = [
        "dev",
        "--data-dir",
        data.to_str().unwrap(),
        "--simulate",
        "slak",
    ];
    let refused = run(&flags, "");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("\"slak\"") && told.contains("zoom"), "{told}");
}
