//! Importing a bundle in the console: the rules of `consulate import`, shown before anything is stored.

use std::io::{Cursor, Write as _};

use consulate_core::definition::Widget;
use consulate_core::table;
use consulate_flows::browser::From;
use consulate_flows::stack::{CLIENT_SECRET, Stack};
use consulate_flows::wire::Answer;
use http::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::{Admin, hidden};

const IMPORT: &str = "/console/import";
const BOUNDARY: &str = "----a-boundary";

/// A bundle's documents, to be changed before they are packed.
struct Files {
    schema: Value,
    passport: Value,
    consulate: Value,
}

impl Files {
    /// The fixture with a passport of its own; its provider is nobody's here.
    fn my_saas() -> Self {
        let read = |file: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/bundles/my-saas/");
            serde_json::from_slice(&std::fs::read(format!("{folder}{file}")).unwrap()).unwrap()
        };
        Self {
            schema: read("schema.json"),
            passport: read("passport/my-saas-connector.json"),
            consulate: read("consulate.json"),
        }
    }

    fn zip(&self) -> Vec<u8> {
        self.zip_with(&[])
    }

    fn zip_with(&self, more: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, document) in [
            ("schema.json", &self.schema),
            ("passport/my-saas-connector.json", &self.passport),
            ("consulate.json", &self.consulate),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(document.to_string().as_bytes()).unwrap();
        }
        zip.start_file("widget.html", SimpleFileOptions::default())
            .unwrap();
        zip.write_all(b"<!doctype html><title>w</title>").unwrap();
        for (name, text) in more {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

fn multipart(fields: &[(&str, &str)], archive: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    if let Some(archive) = archive {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"w.zip\"\r\nContent-Type: application/zip\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(archive);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn kind() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

impl Admin<'_> {
    async fn upload(&mut self, fields: &[(&str, &str)], archive: Option<&[u8]>) -> Answer {
        let token = self.token().await;
        let mut all = fields.to_vec();
        all.push(("form_token", &token));
        let (url, kind) = (self.url(IMPORT), kind());
        let headers = [("content-type", kind.as_str())];
        let body = multipart(&all, archive);
        self.browser
            .request(Method::POST, &url, From::Here, &headers, body)
            .await
    }

    /// The page after an upload.
    async fn review(&mut self, archive: &[u8]) -> String {
        self.upload(&[], Some(archive)).await.expect(200).text()
    }
}

async fn stored(stack: &Stack, id: &str) -> Option<Widget> {
    let records = stack.dev.target.records();
    let record = records.read::<Widget>(table::widget_pk(id)).await.unwrap();
    record.map(|record| record.definition)
}

#[tokio::test]
async fn a_bundle_is_shown_first_and_stored_on_demand() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let page = admin.review(&Files::my_saas().zip()).await;
    for shown in [
        "Import My SaaS",
        "my-saas.my-saas-connector",
        "/v1/callback/my-saas.my-saas-connector",
        "https://app.happeo.com",
        "New widget",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(stored(&stack, "my-saas").await.is_none());
    let definitions = hidden(&page, "definitions");
    let fields = [("definitions", definitions.as_str()), ("act", "import")];
    let answer = admin.upload(&fields, None).await.expect(303);
    assert_eq!(
        answer.header("location"),
        "/console/widgets/my-saas?done=imported"
    );
    let widget = stored(&stack, "my-saas").await.unwrap();
    assert_eq!(widget.apis.len(), 3);
    let page = admin.page("/console/widgets/my-saas").await;
    assert!(page.contains("no client secret yet"), "{page}");
    admin.page("/console/activity").await;
    let noted = |line: &Value| line["what"] == "console.imported" && line["subject"] == "my-saas";
    assert!(stack.log_lines().iter().any(noted));
    // Another session's definitions are nobody's.
    let mut other = Admin::signed_in(&stack).await;
    let page = other.upload(&fields, None).await.expect(200).text();
    assert!(page.contains("Nothing was uploaded"), "{page}");
}

#[tokio::test]
async fn what_widens_trust_is_stored_only_as_it_was_agreed_to() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let mut files = Files::my_saas();
    let page = admin.review(&files.zip()).await;
    let definitions = hidden(&page, "definitions");
    let import = |definitions: &str| {
        vec![
            ("definitions".to_owned(), definitions.to_owned()),
            ("act".to_owned(), "import".to_owned()),
        ]
    };
    let owned = import(&definitions);
    let fields: Vec<(&str, &str)> = owned
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    admin.upload(&fields, None).await.expect(303);

    files.consulate["origins"] = json!(["https://app.happeo.com", "https://more.example.com"]);
    let page = admin.review(&files.zip()).await;
    assert!(page.contains("Needs your consent"), "{page}");
    assert!(page.contains("https://more.example.com"), "{page}");
    let (definitions, agreement) = (hidden(&page, "definitions"), hidden(&page, "agreement"));
    files.consulate["origins"] = json!(["https://evil.example"]);
    let worse = admin.review(&files.zip()).await;
    let worse = hidden(&worse, "definitions");
    for (definitions, accept, agreement) in [
        (&definitions, "", ""),
        (&definitions, "", agreement.as_str()),
        (&definitions, "yes", ""),
        (&definitions, "yes", "x"),
        // What was agreed to is not what comes.
        (&worse, "yes", agreement.as_str()),
    ] {
        let fields = [
            ("definitions", definitions.as_str()),
            ("act", "import"),
            ("accept", accept),
            ("agreement", agreement),
        ];
        let page = admin.upload(&fields, None).await.expect(200).text();
        assert!(page.contains("Nothing was imported"), "{page}");
        let widget = stored(&stack, "my-saas").await.unwrap();
        assert_eq!(widget.origins, ["https://app.happeo.com"]);
    }
    let fields = [
        ("definitions", definitions.as_str()),
        ("act", "import"),
        ("accept", "yes"),
        ("agreement", agreement.as_str()),
    ];
    admin.upload(&fields, None).await.expect(303);
    let widget = stored(&stack, "my-saas").await.unwrap();
    assert_eq!(widget.origins.len(), 2);
}

#[tokio::test]
async fn a_host_of_others_is_joined_only_on_demand() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let host = stored(&stack, "notes").await.unwrap().host.unwrap();
    let mut files = Files::my_saas();
    files.consulate["host"]["id"] = json!(host);
    let page = admin.review(&files.zip()).await;
    assert!(page.contains("is there already"), "{page}");
    let definitions = hidden(&page, "definitions");
    let fields = [("definitions", definitions.as_str()), ("act", "import")];
    admin.upload(&fields, None).await.expect(200);
    assert!(stored(&stack, "my-saas").await.is_none());
    let fields = [fields[0], fields[1], ("join_host", "yes")];
    admin.upload(&fields, None).await.expect(303);
    assert_eq!(stored(&stack, "my-saas").await.unwrap().host, Some(host));
}

#[tokio::test]
async fn an_account_gets_a_passport_of_its_provider_only() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let mut files = Files::my_saas();
    files.schema["passport"] = Value::Null;
    files.schema.as_object_mut().unwrap().remove("passport");
    files.schema["authentications"][0]["metadata"]["passportProvider"] = json!("microsoft");
    for api in files.schema["authenticatedApis"].as_array_mut().unwrap() {
        api["url"] = json!("https://graph.microsoft.com/v1.0/me");
    }
    files.consulate.as_object_mut().unwrap().remove("passports");
    for (id, provider) in [("ms", "microsoft"), ("zoom", "zoom")] {
        let fields = [("provider", provider), ("id", id), ("client_id", "c")];
        let news = admin.news("/console/passports", &fields).await;
        assert_eq!(news, "passport_made");
    }
    let page = admin.review(&files.zip()).await;
    assert!(page.contains("(ms)") && !page.contains("(zoom)"), "{page}");
    let definitions = hidden(&page, "definitions");
    for (passport, status) in [
        ("zoom", 200),
        ("none", 200),
        ("notes.test-cloud", 200),
        ("ms", 303),
    ] {
        let fields = [
            ("definitions", definitions.as_str()),
            ("bind.mySaas", passport),
            ("act", "import"),
        ];
        admin.upload(&fields, None).await.expect(status);
        assert_eq!(stored(&stack, "my-saas").await.is_some(), status == 303);
    }
    let widget = stored(&stack, "my-saas").await.unwrap();
    let bound = widget.authentication("mySaas").unwrap().passport.as_deref();
    assert_eq!(bound, Some("ms"));
}

#[tokio::test]
async fn what_is_no_bundle_is_refused_in_words() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let mut nameless = Files::my_saas();
    nameless.consulate.as_object_mut().unwrap().remove("widget");
    let mut faulty = Files::my_saas();
    faulty.schema["authenticatedApis"][0]["url"] = json!("http://{param.host}/");
    let (faulty, nameless) = (faulty.zip(), nameless.zip());
    for (archive, said) in [
        (&b"no zip"[..], "cannot be read"),
        (&b""[..], "Nothing was uploaded"),
        (&faulty, "cannot be imported as it is"),
        (&nameless, "Name the widget"),
    ] {
        let page = admin.review(archive).await;
        assert!(page.contains(said), "{said} in {page}");
    }
    let large = vec![b'x'; 5 * 1024 * 1024];
    let refused = admin.upload(&[], Some(&large)).await.expect(413).text();
    assert!(refused.contains("larger than 4 MiB"), "{refused}");
    let page = admin.review(&nameless).await;
    let definitions = hidden(&page, "definitions");
    let fields = [
        ("definitions", definitions.as_str()),
        ("widget", "my-other"),
        ("act", "check"),
    ];
    let page = admin.upload(&fields, None).await.expect(200).text();
    assert!(page.contains("my-other.my-saas-connector"), "{page}");
    assert!(stored(&stack, "my-other").await.is_none());
}

#[tokio::test]
async fn a_client_secret_in_a_bundle_is_stored_and_stands_in_no_page() {
    const BUNDLED: &str = "a-real-client-secret-0123456789";
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let mut files = Files::my_saas();
    files.passport["customApplicationInfo"]["metadata"]["clientSecret"] = json!(BUNDLED);
    let page = admin.review(&files.zip()).await;
    assert!(!page.contains(BUNDLED), "{page}");
    let definitions = hidden(&page, "definitions");
    assert!(!definitions.contains("schema.json"));
    let fields = [("definitions", definitions.as_str()), ("act", "import")];
    admin.upload(&fields, None).await.expect(303);
    let name = "consulate/passports/my-saas.my-saas-connector";
    let secret = stack.dev.secrets.get(name).unwrap();
    assert!(
        secret.contains(BUNDLED) && secret.contains("endpoints"),
        "{secret}"
    );
    let set = |line: &Value| {
        line["what"] == "console.secret_set" && line["subject"] == "my-saas.my-saas-connector"
    };
    assert!(stack.log_lines().iter().any(set));
    // The stored one cannot be read to be compared: bringing one again asks.
    let page = admin.review(&files.zip()).await;
    assert!(page.contains("client secret of passport"), "{page}");
    assert!(!page.contains(BUNDLED) && !page.contains(CLIENT_SECRET));
}

#[tokio::test]
async fn a_forged_upload_stores_nothing() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let archive = Files::my_saas().zip();
    let page = admin.review(&archive).await;
    let definitions = hidden(&page, "definitions");
    let token = admin.token().await;
    let foreign = Admin::signed_in(&stack).await.token().await;
    let (url, kind) = (admin.url(IMPORT), kind());
    let own = ("content-type", kind.as_str());
    let urlencoded = ("content-type", "application/x-www-form-urlencoded");
    let without_boundary = ("content-type", "multipart/form-data");
    let site = |site| ("sec-fetch-site", site);
    for (headers, token) in [
        (vec![own], ""),
        (vec![own], foreign.as_str()),
        (vec![own, site("cross-site")], token.as_str()),
        (vec![own, site("same-site")], token.as_str()),
        (
            vec![own, ("origin", "https://evil.example")],
            token.as_str(),
        ),
        (vec![own, ("origin", "null")], token.as_str()),
        (vec![urlencoded], token.as_str()),
        (vec![without_boundary], token.as_str()),
    ] {
        let fields = [
            ("definitions", definitions.as_str()),
            ("act", "import"),
            ("form_token", token),
        ];
        let body = multipart(&fields, None);
        let sent = admin
            .browser
            .request(Method::POST, &url, From::Here, &headers, body);
        assert_eq!(sent.await.status, 403, "{headers:?}");
    }
    assert!(stored(&stack, "my-saas").await.is_none());
    // Nor without a session.
    admin.browser.clear_cookies();
    let headers = [own];
    let body = multipart(&[("form_token", token.as_str())], Some(&archive));
    let sent = admin
        .browser
        .request(Method::POST, &url, From::Here, &headers, body);
    assert_eq!(sent.await.status, 401);
}

#[tokio::test]
async fn what_the_widgets_code_gets_wrong_stays_said_until_it_is_stored() {
    const SAID: &str = "js/gone.js";
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let page_of_it = "<!doctype html><script src=\"js/gone.js\"></script>";
    let extra = [("more.html", page_of_it)];
    let mut files = Files::my_saas();
    let host = stored(&stack, "notes").await.unwrap().host.unwrap();
    files.consulate["host"]["id"] = json!(host);
    // Refused for its host: what else was found is said, too.
    let page = admin.review(&files.zip_with(&extra)).await;
    assert!(page.contains("is there already"), "{page}");
    assert!(page.contains(SAID), "{page}");
    // And after the upload, when the code is not there any more.
    for fields in [
        vec![("act", "check")],
        vec![("act", "check"), ("join_host", "yes")],
    ] {
        let definitions = hidden(&page, "definitions");
        let mut fields = fields;
        fields.push(("definitions", definitions.as_str()));
        let page = admin.upload(&fields, None).await.expect(200).text();
        assert!(page.contains(SAID), "{page}");
    }
    // A nameless bundle, once it is named.
    let mut files = Files::my_saas();
    files.consulate.as_object_mut().unwrap().remove("widget");
    let page = admin.review(&files.zip_with(&extra)).await;
    assert!(
        page.contains(SAID) && page.contains("Name the widget"),
        "{page}"
    );
    let definitions = hidden(&page, "definitions");
    let fields = [
        ("definitions", definitions.as_str()),
        ("widget", "my-other"),
    ];
    let page = admin.upload(&fields, None).await.expect(200).text();
    assert!(page.contains(SAID), "{page}");
}

#[tokio::test]
async fn definitions_that_would_not_fit_the_next_form_are_refused_at_the_upload() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let blank = format!("{{}}{}", " ".repeat(500 * 1024));
    let names: Vec<String> = (0..7).map(|n| format!("passport/p{n}.json")).collect();
    let mut more: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), &*blank)).collect();
    let archive = Files::my_saas().zip_with(&more);
    assert!(archive.len() < 64 * 1024, "it passes the upload");
    let refused = admin.upload(&[], Some(&archive)).await.expect(413).text();
    assert!(refused.contains("consulate import"), "{refused}");
    // Those that fit come back as they went.
    more.truncate(5);
    let page = admin.review(&Files::my_saas().zip_with(&more)).await;
    let definitions = hidden(&page, "definitions");
    let fields = [("definitions", definitions.as_str()), ("act", "import")];
    admin.upload(&fields, None).await.expect(303);
}
