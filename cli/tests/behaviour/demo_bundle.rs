//! The demo's bundle imports where its own server is allowed, and nowhere else.

use std::collections::BTreeMap;

use consulate::bundle::{Options, Source, import};
use consulate::catalogue::Catalogue;

#[test]
fn the_demo_bundle_imports_where_its_own_server_is_allowed_and_nowhere_else() {
    let files = consulate::demo::bundle(
        "http://127.0.0.1:8787/demo/provider",
        "http://localhost:8787",
        "http://127.0.0.1:8788",
    );
    let files: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.into_bytes()))
        .collect();
    let source = Source::of_definitions(files).unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let options = Options {
        allow: vec!["127.0.0.1:8787".to_owned(), "127.0.0.1:8788".to_owned()],
        ..Options::default()
    };
    let import_demo = import(&source, &options, &catalogue).unwrap();
    assert_eq!(import_demo.passports[0].id, "demo.acme-cloud");
    assert_eq!(import_demo.passports[0].api_hosts, ["127.0.0.1:8787"]);
    let codes: Vec<_> = import_demo
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, ["client_secret_missing"]);
    let findings = import(&source, &Options::default(), &catalogue).unwrap_err();
    assert_eq!(findings[0].code, "url_not_https");
}
