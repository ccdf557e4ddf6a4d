//! The bundle most flows import: the widget `notes` over the fake provider, with one authentication of each owner.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The widget's id.
pub const WIDGET: &str = "notes";
/// The id of its bundled passport.
pub const PASSPORT: &str = "notes.test-cloud";
/// The one web origin it may be called from.
pub const ORIGIN: &str = "https://app.example.com";
/// The one address redirect mode may come back to.
pub const RETURN_TO: &str = "https://app.example.com/connected";
/// `auth_key` of the user-owned authentication.
pub const MINE: &str = "mine";
/// `auth_key` of the organisation-owned authentication.
pub const OURS: &str = "ours";

fn api(name: &str, method: &str, url: &str, auth_key: &str) -> Value {
    json!({"label": name, "name": name, "method": method, "url": url, "authenticationKey": auth_key,
           "headers": {"Authorization": format!("Bearer {{authorization.{auth_key}.token}}")}})
}

/// The bundle's documents for a provider at `provider`, each to be changed at will before writing.
pub struct Bundle {
    /// `schema.json`.
    pub schema: Value,
    /// `passport/test-cloud.json`.
    pub passport: Value,
    /// `consulate.json`.
    pub consulate: Value,
    /// Further `HOST:PORT` pairs on loopback that the stack may call over plain http.
    pub allow: Vec<String>,
    /// Providers that the stack simulates beside it.
    pub simulate: Vec<String>,
    /// Real hosts that a server on a loopback port stands in for.
    pub stand_ins: Vec<(String, u16)>,
    /// Further bundles that the stack imports at its start.
    pub imports: Vec<PathBuf>,
}

impl Bundle {
    /// As most flows want it. `provider`: base address of the fake provider.
    pub fn new(provider: &str) -> Self {
        let mut apis: Vec<Value> = [
            ("whoAmI", "GET", "/api/me"),
            (
                "echo",
                "GET",
                "/api/v1/echo/{param.path}?fixed=1&q={param.q}",
            ),
            ("echoAll", "GET", "/api/v1/echo"),
            ("leak", "GET", "/api/v1/leak"),
            ("text", "GET", "/api/v1/text"),
            ("binary", "GET", "/api/v1/binary"),
            ("bigint", "GET", "/api/v1/bigint"),
            ("status", "GET", "/api/v1/status/{param.code}"),
            ("large", "GET", "/api/v1/large/{param.bytes}"),
            ("hang", "GET", "/api/v1/hang"),
            ("cookie", "GET", "/api/v1/cookie"),
            ("redirect", "GET", "/api/v1/redirect"),
            ("gzip", "GET", "/api/v1/gzip"),
        ]
        .iter()
        .map(|(name, method, path)| api(name, method, &format!("{provider}{path}"), MINE))
        .collect();
        apis.push(api(
            "ourEcho",
            "GET",
            &format!("{provider}/api/v1/echo"),
            OURS,
        ));
        let mut create = api(
            "create",
            "POST",
            &format!("{provider}/api/v1/echo/{{param.list}}"),
            MINE,
        );
        create["body"] =
            json!({"title": "Note: {param.title}", "by": "{user.id}", "fixed": [1, true, null]});
        create["headers"]["X-Organisation"] = "{organisation.id}".into();
        apis.push(create);
        let authentication = |auth_key: &str| {
            json!({"label": auth_key, "authenticationType": "passport", "authKey": auth_key,
                   "metadata": {"passportProvider": "custom:test-cloud"}})
        };
        Self {
            schema: json!({"name": "Notes", "passport": {"filePath": "passport/test-cloud.json"},
                "authentications": [authentication(MINE), authentication(OURS)], "authenticatedApis": apis}),
            passport: json!({
                "name": "Test Cloud", "applicationName": "custom", "authenticationType": "OAuth", "isCustomApplication": true,
                "customApplicationInfo": {
                    "name": "test-cloud", "displayName": "Test Cloud", "description": "", "categoryType": "Custom",
                    "authenticationType": "OAuth", "parentName": "custom",
                    "metadata": {
                        "clientId": "test-client", "clientSecret": "",
                        "authenticationUrl": format!("{provider}/authorize"), "tokenUrl": format!("{provider}/token"),
                        "profileUrl": format!("{provider}/api/me"), "profileAccountEmailPath": "$.email",
                        "profileAccountIdPath": "$.id", "profileAccountNamePath": "$.name",
                        "scope": "profile events.read"
                    }
                },
                "metadata": {}
            }),
            consulate: json!({
                "widget": WIDGET, "host": {"type": "happeo", "id": "acme"}, "origins": [ORIGIN], "return_urls": [RETURN_TO],
                "admins": [{"organisation": "o1", "email": "it@example.com"}],
                "authentications": {MINE: {"owner": "user"}, OURS: {"owner": "organisation"}},
                "passports": {"test-cloud": {"revocation_url": format!("{provider}/revoke"), "refresh_rotation": "single_use",
                                             "client_authentication": "basic"}}
            }),
            allow: Vec::new(),
            simulate: Vec::new(),
            stand_ins: Vec::new(),
            imports: Vec::new(),
        }
    }

    /// Writes the bundle into `directory`, and answers it.
    pub fn write(&self, directory: &Path) -> PathBuf {
        std::fs::create_dir_all(directory.join("passport")).unwrap();
        let files = [
            ("schema.json", &self.schema),
            ("passport/test-cloud.json", &self.passport),
            ("consulate.json", &self.consulate),
        ];
        for (name, document) in files {
            std::fs::write(directory.join(name), document.to_string()).unwrap();
        }
        std::fs::write(directory.join("widget.html"), "<!doctype html>").unwrap();
        directory.to_owned()
    }
}
