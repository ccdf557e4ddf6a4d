//! The Secrets Manager server, seen by the real SDK.

use std::os::unix::fs::PermissionsExt as _;

use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::serve;

use crate::sdk;

#[tokio::test]
async fn a_secret_is_created_read_replaced_and_deleted() {
    let store = SecretsManager::memory();
    let served = serve(store.router(), 0).await.unwrap();
    let client = sdk::secrets_manager(&served.url());

    let missing = client
        .get_secret_value()
        .secret_id("consulate/keys/access")
        .send()
        .await
        .unwrap_err();
    assert!(
        missing
            .into_service_error()
            .is_resource_not_found_exception()
    );

    let made = client
        .create_secret()
        .name("consulate/keys/access")
        .secret_string("one")
        .send()
        .await
        .unwrap();
    let read = client
        .get_secret_value()
        .secret_id("consulate/keys/access")
        .send()
        .await
        .unwrap();
    assert_eq!(read.secret_string(), Some("one"));
    assert_eq!(read.version_id(), made.version_id());
    assert_eq!(read.version_stages(), ["AWSCURRENT"]);

    let again = client
        .create_secret()
        .name("consulate/keys/access")
        .secret_string("two")
        .send()
        .await
        .unwrap_err();
    assert!(again.into_service_error().is_resource_exists_exception());

    let replaced = client
        .put_secret_value()
        .secret_id(made.arn().unwrap())
        .secret_string("two")
        .send()
        .await
        .unwrap();
    assert_ne!(replaced.version_id(), made.version_id());
    assert_eq!(store.get("consulate/keys/access").as_deref(), Some("two"));
    let stale = client
        .get_secret_value()
        .secret_id("consulate/keys/access")
        .version_stage("AWSPREVIOUS");
    assert!(
        stale
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );

    client
        .delete_secret()
        .secret_id("consulate/keys/access")
        .send()
        .await
        .unwrap();
    let marked = client
        .get_secret_value()
        .secret_id("consulate/keys/access")
        .send()
        .await
        .unwrap_err();
    assert!(marked.into_service_error().is_invalid_request_exception());
    let absent = client
        .put_secret_value()
        .secret_id("nothing")
        .secret_string("x")
        .send()
        .await
        .unwrap_err();
    assert!(
        absent
            .into_service_error()
            .is_resource_not_found_exception()
    );
    assert_eq!(store.count("GetSecretValue"), 4);
}

#[tokio::test]
async fn secrets_are_listed_by_prefix_in_pages() {
    let store = SecretsManager::memory();
    for name in ["consulate/a", "consulate/b", "consulate/c", "other/d"] {
        store.put(name, "value").unwrap();
    }
    let served = serve(store.router(), 0).await.unwrap();
    let client = sdk::secrets_manager(&served.url());
    let prefix = aws_sdk_secretsmanager::types::Filter::builder()
        .key(aws_sdk_secretsmanager::types::FilterNameStringType::Name)
        .values("consulate/")
        .build();
    let pages = client
        .list_secrets()
        .filters(prefix)
        .max_results(2)
        .into_paginator()
        .send();
    let pages = pages.try_collect().await.unwrap();
    let names: Vec<Vec<&str>> = pages
        .iter()
        .map(|page| {
            page.secret_list()
                .iter()
                .filter_map(|secret| secret.name())
                .collect()
        })
        .collect();
    assert_eq!(
        names,
        [vec!["consulate/a", "consulate/b"], vec!["consulate/c"]]
    );
}

#[tokio::test]
async fn an_outage_answers_500_until_it_is_over() {
    let store = SecretsManager::memory();
    store.put("name", "value").unwrap();
    let served = serve(store.router(), 0).await.unwrap();
    let client = sdk::secrets_manager(&served.url());
    store.outage(true);
    let failed = client
        .get_secret_value()
        .secret_id("name")
        .send()
        .await
        .unwrap_err();
    assert!(failed.into_service_error().is_internal_service_error());
    store.outage(false);
    assert!(
        client
            .get_secret_value()
            .secret_id("name")
            .send()
            .await
            .is_ok()
    );
}

#[test]
fn the_file_is_private_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/secrets.json");
    let store = SecretsManager::file(&path).unwrap();
    assert_eq!(store.get("name"), None);
    store.put("name", "canary").unwrap();
    store.put("other", "value").unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no draft is left behind"
    );
    assert_eq!(
        SecretsManager::file(&path).unwrap().get("name").as_deref(),
        Some("canary")
    );
    assert!(!format!("{store:?}").contains("canary"));
}

#[test]
fn a_broken_file_is_refused_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.json");
    std::fs::write(&path, "{\"name\": \"canary\"}").unwrap();
    let error = SecretsManager::file(&path).unwrap_err();
    assert!(!format!("{error:#}").contains("canary"));
}
