//! Starting, stopping and starting again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use consulate::dev::{Options, start};
use consulate::operator::arguments::TokenArguments;
use consulate::operator::dev_file::DevFile;
use consulate::operator::token;
use serde_json::json;

use crate::room::{HOST_SECRET, Room, fixture, get, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_folder_serves_and_everything_in_it_is_private() {
    let room = Room::new().await;
    let answer = get(&room.running.base_url, "127.0.0.1", "/v1/health", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let folder = &room.running.data_dir;
    let mode = |name: &str| {
        fs::metadata(folder.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["dev.json", "secrets.json", "lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(
        fs::read_to_string(folder.join(".gitignore")).unwrap(),
        "*\n"
    );
    room.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_keeps_port_key_secrets_and_definitions() {
    let Room { running, folder } = Room::new().await;
    let room = Room { running, folder };
    room.import(&fixture("happeo-channels"), |_| {}).await;
    room.set_secret(
        "widgets/happeo-channels",
        &json!({"host_secrets": [HOST_SECRET]}),
    )
    .await;
    let before = room.items().await;
    let keys = room.running.secrets.get("consulate/keys/refresh").unwrap();
    let Room { running, folder } = room;
    let (base_url, data_dir) = (running.base_url.clone(), running.data_dir.clone());
    let running_file = DevFile::read(&data_dir).unwrap().unwrap();
    assert_eq!(running_file.pid, Some(std::process::id()));
    running.stop().await.unwrap();

    let stopped_file = DevFile::read(&data_dir).unwrap().unwrap();
    assert_eq!(stopped_file.pid, None);
    assert_eq!(stopped_file.access_key_id, running_file.access_key_id);
    assert!(DevFile::of_running(&data_dir).is_err());

    let running = start(Options {
        port: None,
        ..options(folder.path())
    })
    .await
    .unwrap();
    assert_eq!(running.base_url, base_url);
    assert_eq!(running.secrets.get("consulate/keys/refresh").unwrap(), keys);
    let room = Room { running, folder };
    assert_eq!(room.items().await, before);
    room.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_and_free_after() {
    let Room { running, folder } = Room::new().await;
    let refused = start(options(folder.path()))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains(&format!("process {}", std::process::id())),
        "{refused}"
    );
    running.stop().await.unwrap();
    start(options(folder.path()))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_in() {
    let room = Room::new().await;
    for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:80"] {
        let answer = get(&room.running.base_url, host, "/v1/health", &[]).await;
        assert_eq!(answer.status, 421, "{host}");
    }
    // The servers behind it want the folder's access key.
    let file = DevFile::read(&room.running.data_dir).unwrap().unwrap();
    for server in [&file.dynamodb, &file.secrets_manager, &file.lambda] {
        let answer = get(server, "127.0.0.1", "/", &[]).await;
        assert_eq!(answer.status, 403, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_jwt_of_the_command_is_accepted_by_the_functions() {
    let room = Room::new().await;
    room.import(&fixture("happeo-channels"), |_| {}).await;
    room.set_secret(
        "widgets/happeo-channels",
        &json!({"host_secrets": [HOST_SECRET]}),
    )
    .await;
    let arguments = TokenArguments {
        widget: "happeo-channels".into(),
        user: "u1".into(),
        organisation: "o1".into(),
        email: None,
        expires_in: 60,
    };
    let report = token(&room.running.target, &arguments).await.unwrap();
    assert_eq!(report.json["token"], report.text);
    let bearer = format!("Bearer {}", report.text);
    let path = "/v1/widgets/happeo-channels/connections";
    let answer = get(
        &room.running.base_url,
        "localhost",
        path,
        &[("authorization", &bearer)],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let refused = get(
        &room.running.base_url,
        "localhost",
        path,
        &[("authorization", "Bearer x.y.z")],
    )
    .await;
    assert_eq!(refused.status, 401, "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_set_up_and_survives_another_port() {
    let folder = tempfile::tempdir().unwrap();
    let with_demo = || Options {
        demo: true,
        ..options(folder.path())
    };
    let running = start(with_demo()).await.unwrap();
    let page = get(
        &running.base_url,
        running.base_url.strip_prefix("http://").unwrap(),
        "/",
        &[],
    )
    .await;
    assert_eq!(page.status, 303, "{}", page.body);
    let address = running.demo_address().unwrap().to_owned();
    assert!(address.starts_with("http://localhost:"), "{address}");
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let number = address.replace("localhost", "127.0.0.1");
    let page = get(number.trim_end_matches('/'), host, "/", &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let metadata = "/demo/provider/.well-known/oauth-authorization-server";
    assert_eq!(
        get(&running.base_url, "127.0.0.1", metadata, &[])
            .await
            .status,
        200
    );
    let secret = running
        .secrets
        .get("consulate/passports/demo.acme-cloud")
        .unwrap();
    let (former, secret) = (
        running.base_url.clone(),
        serde_json::from_str::<serde_json::Value>(&secret).unwrap(),
    );
    assert!(
        secret["endpoints"][0]
            .as_str()
            .unwrap()
            .starts_with(&former)
    );
    running.stop().await.unwrap();

    let running = start(with_demo()).await.unwrap();
    let moved = running
        .secrets
        .get("consulate/passports/demo.acme-cloud")
        .unwrap();
    let moved: serde_json::Value = serde_json::from_str(&moved).unwrap();
    assert_eq!(moved["client_secret"], secret["client_secret"]);
    assert!(
        moved["endpoints"][0]
            .as_str()
            .unwrap()
            .starts_with(&running.base_url)
    );
    let widget = running
        .foundation
        .definitions
        .widget("demo")
        .await
        .unwrap()
        .unwrap();
    assert!(
        widget.apis[0].url.starts_with(&running.base_url),
        "{}",
        widget.apis[0].url
    );
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_given_at_start_are_imported_with_a_host_secret_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let imports = vec![fixture("happeo-channels"), fixture("my-saas")];
    let running = start(Options {
        imports,
        ..options(folder.path())
    })
    .await
    .unwrap();
    assert!(
        running
            .foundation
            .definitions
            .widget("my-saas")
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        running
            .secrets
            .get("consulate/widgets/happeo-channels")
            .is_some()
    );
    assert_eq!(running.notes.len(), 2);
    running.stop().await.unwrap();

    let imports = vec![folder.path().join("nowhere")];
    let refused = start(Options {
        imports,
        ..options(folder.path())
    })
    .await
    .err()
    .unwrap();
    assert!(format!("{refused:#}").contains("nowhere"));
}
