//! Importing bundles into a running stack, by command line: a refusal changes nothing (`mod.rs`), and the fixtures import,
//! bind and lead to the right provider (`fixtures`), and run with their own JavaScript (`examples`, `widget_code`).

mod examples;
mod fixtures;
mod orphans;
mod widget_code;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use consulate::operator::arguments::Arguments;
use consulate::operator::report::{Outcome, Report};
use consulate::operator::run;
use consulate_flows::bundle::{Bundle, MINE};
use consulate_flows::stack::Stack;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

/// What `consulate ARGUMENTS --dev DIR` reports.
async fn command(stack: &Stack, arguments: &[&str]) -> Report {
    let dev = stack.dev.data_dir.to_str().unwrap();
    let line = [&["consulate"], arguments, &["--dev", dev]].concat();
    let arguments = Arguments::read(line).unwrap();
    run(&arguments).await.unwrap().unwrap()
}

#[track_caller]
fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", report.text);
}

/// Everything an import could change: the whole table, and the file of Secrets Manager.
async fn everything(stack: &Stack) -> (BTreeMap<String, Value>, Vec<u8>) {
    let secrets = std::fs::read(stack.dev.data_dir.join("secrets.json")).unwrap();
    (stack.items().await, secrets)
}

/// Imports, and expects a refusal that names `what` and leaves everything byte for byte as it was.
async fn refused(stack: &Stack, path: &Path, flags: &[&str], what: &str) -> Report {
    let before = everything(stack).await;
    let mut arguments = vec!["import", path.to_str().unwrap()];
    arguments.extend(flags);
    let report = command(stack, &arguments).await;
    assert_eq!(report.outcome, Outcome::Refused, "{}", report.text);
    let told = format!("{}\n{}", report.text, report.json);
    assert!(told.contains(what), "no {what} in {told}");
    assert!(
        everything(stack).await == before,
        "a refusal changed something"
    );
    report
}

/// The bundle of the stack, elsewhere, changed.
fn changed(stack: &Stack, name: &str, change: impl FnOnce(&mut Bundle)) -> PathBuf {
    let mut bundle = Bundle::new(&stack.provider_url);
    change(&mut bundle);
    bundle.write(&stack.folder.path().join(name))
}

/// An archive of the stack's bundle with more entries.
fn archive(stack: &Stack, name: &str, more: &[(&str, &[u8])]) -> PathBuf {
    let bundle = Bundle::new(&stack.provider_url);
    let path = stack.folder.path().join(name);
    let mut writer = ZipWriter::new(std::fs::File::create(&path).unwrap());
    let documents = [
        ("schema.json", bundle.schema.to_string()),
        ("passport/test-cloud.json", bundle.passport.to_string()),
        ("consulate.json", bundle.consulate.to_string()),
    ];
    let documents = documents
        .iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
        .map(|(name, text)| (*name, text.as_bytes()));
    for (name, bytes) in documents.chain(more.iter().copied()) {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[tokio::test]
async fn a_bundle_with_errors_is_refused_and_changes_nothing() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;

    let broken = changed(&stack, "broken", |_| {});
    for file in ["schema.json", "consulate.json", "passport/test-cloud.json"] {
        let path = broken.join(file);
        let good = std::fs::read(&path).unwrap();
        for bad in ["{\n  \"name\": ", "", "[]", "{\"name\": 1, \"name\": 2}"] {
            std::fs::write(&path, bad).unwrap();
            let report = refused(&stack, &broken, &["--accept"], file).await;
            let findings = report.json["findings"].as_array().unwrap();
            let errors = findings.iter().filter(|f| f["severity"] == "error");
            assert!(errors.clone().count() > 0, "{}", report.json);
            assert!(errors.clone().any(|f| f["file"] == file), "{}", report.json);
        }
        std::fs::write(&path, good).unwrap();
    }

    let duplicate = changed(&stack, "duplicate", |bundle| {
        let authentications = bundle.schema["authentications"].as_array_mut().unwrap();
        let again = authentications[0].clone();
        authentications.push(again);
    });
    let what = "auth_key_duplicate";
    refused(&stack, &duplicate, &["--accept"], what).await;

    let dangling = changed(&stack, "dangling", |bundle| {
        bundle.schema["authenticatedApis"][0]["authenticationKey"] = "theirs".into();
    });
    let what = "authentication_key_dangling";
    refused(&stack, &dangling, &["--accept"], what).await;

    let nowhere = stack.folder.path().join("nowhere");
    refused(&stack, &nowhere, &["--accept"], "bundle_unreadable").await;
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
}

#[tokio::test]
async fn an_archive_that_reaches_out_or_blows_up_is_refused_and_changes_nothing() {
    let stack = Stack::start().await;
    // As it is, the archive is good.
    let good = archive(&stack, "good.zip", &[]);
    done(&command(&stack, &["import", good.to_str().unwrap()]).await);

    for (number, name) in [
        "../escape.json",
        "passport/../../escape.json",
        "/etc/escape.json",
        "C:\\escape.json",
        "passport\\..\\..\\escape.json",
    ]
    .iter()
    .enumerate()
    {
        let path = archive(&stack, &format!("escape-{number}.zip"), &[(name, b"{}")]);
        refused(&stack, &path, &["--accept"], "bundle_path_escape").await;
    }
    let around = stack.folder.path().parent().unwrap();
    for folder in [around, stack.folder.path(), &stack.dev.data_dir] {
        assert!(!folder.join("escape.json").exists());
    }

    let bomb = vec![b' '; 8 * 1024 * 1024];
    for (name, entry) in [("bomb.zip", "schema.json"), ("aside.zip", "images/a.bin")] {
        let path = archive(&stack, name, &[(entry, &bomb)]);
        let packed = std::fs::metadata(&path).unwrap().len();
        assert!(packed < 1024 * 1024, "small on disk: {packed}");
        refused(&stack, &path, &["--accept"], "bundle_too_large").await;
    }
    std::fs::write(&good, b"PK\x03\x04 and no more").unwrap();
    refused(&stack, &good, &["--accept"], "bundle_unreadable").await;
}

/// A bundled passport's id is of its widget: no bundle can touch another's, by name or by reference.
#[tokio::test]
async fn a_second_bundle_cannot_reach_for_the_passport_of_the_first() {
    let stack = Stack::start().await;
    let jwt = stack.connected("ada").await;
    let second = |bundle: &mut Bundle| {
        bundle.consulate["widget"] = "thief".into();
        bundle.consulate["host"] = json!({"type": "happeo", "id": "thief"});
    };
    let reaching = changed(&stack, "reaching", |bundle| {
        second(bundle);
        bundle.consulate["authentications"][MINE]["passport"] = "notes.test-cloud".into();
    });
    let what = "passport_of_another_widget";
    refused(&stack, &reaching, &["--accept"], what).await;

    let by_flag = changed(&stack, "by-flag", second);
    let bind = ["--accept", "--bind", "mine=notes.test-cloud"];
    refused(&stack, &by_flag, &bind, "notes.test-cloud").await;

    let named = changed(&stack, "named", |bundle| {
        second(bundle);
        let application = &mut bundle.passport["customApplicationInfo"];
        application["name"] = "../notes.test-cloud".into();
    });
    refused(&stack, &named, &["--accept"], "passport").await;

    let host = changed(&stack, "host", |bundle| {
        bundle.consulate["widget"] = "thief".into();
    });
    refused(&stack, &host, &["--accept"], "--join-host").await;

    // A passport of the same name is another one, with a secret of its own.
    let before = stack.items().await;
    let own = changed(&stack, "own", second);
    done(&command(&stack, &["import", own.to_str().unwrap()]).await);
    let after = stack.items().await;
    for pk in ["PASSPORT#notes.test-cloud", "WIDGET#notes", "HOST#acme"] {
        assert_eq!(after[pk], before[pk], "{pk}");
    }
    assert!(after.contains_key("PASSPORT#thief.test-cloud"));
    assert_eq!(
        stack
            .dev
            .secrets
            .get("consulate/passports/thief.test-cloud"),
        None
    );
    assert_eq!(stack.status(&jwt, MINE).await["status"], "connected");
}

/// What was agreed to changes only with consent: where a credential may go, who may call, who may connect.
#[tokio::test]
async fn a_widening_import_is_refused_without_accept_and_done_with_it() {
    let stack = Stack::start().await;
    type Change = fn(&mut Bundle);
    let changes: [(&str, &str, Change); 9] = [
        ("api_hosts", "elsewhere.example", |bundle| {
            let url = "https://elsewhere.example/api";
            bundle.schema["authenticatedApis"][0]["url"] = url.into();
        }),
        ("declared", "declared.example", |bundle| {
            let settings = &mut bundle.consulate["passports"]["test-cloud"];
            settings["api_hosts"] = json!(["declared.example"]);
        }),
        ("token_url", "evil.example/token", |bundle| {
            let metadata = &mut bundle.passport["customApplicationInfo"]["metadata"];
            metadata["tokenUrl"] = "https://evil.example/token".into();
        }),
        ("revocation_url", "evil.example/revoke", |bundle| {
            let settings = &mut bundle.consulate["passports"]["test-cloud"];
            settings["revocation_url"] = "https://evil.example/revoke".into();
        }),
        ("origins", "https://evil.example", |bundle| {
            bundle.consulate["origins"] = json!(["https://evil.example"]);
        }),
        ("return_urls", "https://evil.example/back", |bundle| {
            bundle.consulate["return_urls"] = json!(["https://evil.example/back"]);
        }),
        ("admins", "eve@example.com", |bundle| {
            bundle.consulate["admins"] =
                json!([{"organisation": "o1", "email": "eve@example.com"}]);
        }),
        ("owner", "owner of ours", |bundle| {
            bundle.consulate["authentications"]["ours"]["owner"] = "user".into();
        }),
        ("host", "elsewhere", |bundle| {
            bundle.consulate["host"] = json!({"type": "happeo", "id": "elsewhere"});
        }),
    ];
    for (name, what, change) in changes {
        let path = changed(&stack, name, change);
        let report = refused(&stack, &path, &[], what).await;
        let differences = report.json["differences"].to_string();
        assert!(differences.contains(what), "{name}: {differences}");
        assert!(report.text.contains("--accept"), "{}", report.text);

        let path = path.to_str().unwrap();
        let report = command(&stack, &["import", path, "--accept"]).await;
        done(&report);
        assert_eq!(
            report.json["differences"].to_string(),
            differences,
            "{name}"
        );
        // Agreed to once, it is the new state.
        done(&command(&stack, &["import", path]).await);
        stack.import(&Bundle::new(&stack.provider_url)).await;
    }
}
